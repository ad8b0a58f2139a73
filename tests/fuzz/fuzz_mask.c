/* What must not leave, in any text and any JSON: behind the mask no rule finds it, as the text is
 * or with its escapes undone, but in the words that stand for it; what comes in pieces is put back
 * as what comes whole. And a file of rules that is none is refused. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include <jansson.h>
#include "common/json.h"
#include "worker/llm/mask.h"
#include "worker/llm/undone.h"

enum { OUT_MAX = 4 << 20 };

static struct redact *rules(void)
{
    static struct redact *r;
    char error[256];
    if (!r)
        r = redact_parse(STR("include email, ipv4, aws\nid =~ \\bACME-[0-9]{3}\\b\n"
                             "pair =~ A\\KB|x\\sy\n"),
                         "rules", error);
    CHECK(r);
    return r;
}

/* Bytes of the text that are neither a word of ours nor touch one. */
static bool is_bare(struct str text, const struct redact_match *m)
{
    size_t from = m->begin > MASK_WORD_MAX ? m->begin - MASK_WORD_MAX : 0;
    size_t to = m->end + MASK_WORD_MAX < text.len ? m->end + MASK_WORD_MAX : text.len;
    return !memmem(text.at + from, to - from, "MASKED_", 7);
}

static void expect_nothing_in(struct str seen)
{
    static struct redact_walk w;
    struct redact_match match;
    for (unsigned i = 0; i < UNDONE_PERCENT_LEVELS; i++) {
        struct undone u = {.text = seen};
        if (i > 0 && !undo_percents(seen, i, &u))
            break;
        if (redact_begin(&w, rules(), u.text))
            while (redact_next(&w, &match))
                CHECK(!is_bare(u.text, &match));
        undone_free(&u);
    }
}

static void expect_nothing(struct str hidden)
{
    for (unsigned level = 0; level < UNDONE_LEVELS; level++) {
        struct undone u = {.text = hidden};
        if (level > 0 && !undo_escapes(hidden, level, &u))
            break;
        expect_nothing_in(u.text);
        undone_free(&u);
    }
}

static void in_pieces(const struct mask *m, struct str hidden, size_t step)
{
    struct unmask u = {0};
    scoped_buf(whole, OUT_MAX);
    scoped_buf(pieces, OUT_MAX);
    unmask_text(m, hidden, &whole);
    for (size_t at = 0; at < hidden.len; at += step)
        unmask_feed(m, &u,
                    (struct str){hidden.at + at, hidden.len - at < step ? hidden.len - at : step},
                    &pieces);
    unmask_end(m, &u, &pieces);
    CHECK(str_eq(buf_str(&whole), buf_str(&pieces)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct mask m;
    char error[256];
    mask_init(&m, rules(), (struct id){{1}});
    scoped_buf(hidden, OUT_MAX);
    scoped_buf(json, OUT_MAX);
    scoped_buf(hidden_json, OUT_MAX);
    if (mask_text(&m, text, &hidden))
        expect_nothing(buf_str(&hidden));
    in_pieces(&m, hidden.len ? buf_str(&hidden) : text, size % 7 + 1);
    mask_json(&m, text, &hidden_json); /* no JSON as a rule */
    buf_puts(&json, "{\"role\":\"user\",\"content\":");
    json_str(&json, text);
    buf_putc(&json, '}');
    buf_clear(&hidden_json);
    if (mask_json(&m, buf_str(&json), &hidden_json)) {
        json_auto_t *tree = json_loadb(hidden_json.at, hidden_json.len, JSON_ALLOW_NUL, NULL);
        CHECK(json_is_object(tree));
        expect_nothing(json_text(json_object_get(tree, "content")));
    }
    mask_free(&m);
    if (size < 2000)
        redact_free(redact_parse(text, "fuzzed", error));
    return 0;
}
