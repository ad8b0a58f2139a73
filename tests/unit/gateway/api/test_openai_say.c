/* A turn's events as OpenAI's chat completions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/json.h"
#include "gateway/api/openai_say.h"
#include "gateway/api/saying.h"
#include "proto/event.h"

/* All events of a trace of proto/golden, said. */
static void say_trace(struct openai_say *s, const char *name, struct buf *out)
{
    char path[512], line[8192];
    snprintf(path, sizeof(path), "%s/proto/golden/%s.sse", PERSAI_SOURCE_DIR, name);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "data: ", 6) != 0)
            continue;
        struct str payload = {line + 6, strlen(line) - 7};
        openai_say_event(s, payload, out);
    }
    fclose(f);
}

static void begin(struct openai_say *s, bool stream, bool activity)
{
    struct openai_say_config c = {.id = "chatcmpl-1",
                                  .model = STR("persai"),
                                  .created_s = 1,
                                  .stream = stream,
                                  .usage = true,
                                  .activity = activity};
    openai_say_init(s, &c);
}

/* What the chunks' deltas say under a key, joined. */
static void deltas(struct buf *chunks, const char *key, struct buf *joined, unsigned *done)
{
    char *copy = str_dup(buf_str(chunks)), *rest = copy, *line;
    while ((line = strsep(&rest, "\n"))) {
        if (strncmp(line, "data: ", 6) != 0)
            continue;
        if (strcmp(line, "data: [DONE]") == 0) {
            (*done)++;
            continue;
        }
        json_auto_t *chunk = json_loads(line + 6, 0, NULL);
        assert_non_null(chunk);
        const json_t *choice = json_array_get(json_object_get(chunk, "choices"), 0);
        buf_add_str(joined, json_text(json_object_get(json_object_get(choice, "delta"), key)));
    }
    free(copy);
}

static void assert_said(const char *trace, bool activity, const char *text, const char *reasoning)
{
    struct openai_say s;
    unsigned done = 0;
    scoped_buf(out, 1 << 20);
    scoped_buf(said, 1 << 20);
    scoped_buf(thought, 1 << 20);
    begin(&s, true, activity);
    say_trace(&s, trace, &out);
    deltas(&out, "content", &said, &done);
    deltas(&out, "reasoning_content", &thought, &done);
    assert_string_equal(buf_cstr(&said), text);
    assert_string_equal(buf_cstr(&thought), reasoning);
    assert_int_equal(done, 2);
    openai_say_free(&s);
}

static void a_stream(void **state)
{
    (void)state;
    assert_said("answer", false, "All targets are **up** 🟢\n\n| a | b |\n", "");
    assert_said("tools", false, "Let me look.\n\nNothing is down.", "");
    assert_said("tools", true, "Let me look.\n\nNothing is down.",
                "I should query up.✓ execute_range_query {\"query\":\"up\",\"step\":\"15s\"} "
                "(41 ms)\n");
    assert_said("cancelled", false, "Half an ans", "");
    assert_said("second_attempt", false, "This text was never fin\n\nThis one was.", "");
    assert_said("awaiting", false,
                "Shall I save it?\n\nThis needs a person's yes, which can't be given here: "
                "save_panel would change something. Ask for it in Perses.",
                "");
}

static void an_error(void **state)
{
    (void)state;
    struct openai_say s;
    scoped_buf(out, 1 << 20);
    begin(&s, true, false);
    say_trace(&s, "error", &out);
    assert_non_null(strstr(buf_cstr(&out), "data: {\"error\":{\"message\":\"The model can't be "
                                           "reached\",\"type\":\"server_error\",\"param\":null,"
                                           "\"code\":\"model_unavailable\"}}\n\n"));
    assert_int_equal(s.state, OPENAI_FAILED);
    assert_int_equal(s.err, ERR_MODEL_UNAVAILABLE);
    openai_say_free(&s);
}

static void one_piece(void **state)
{
    (void)state;
    const char *const traces[][2] = {{"tools", "Let me look.\n\nNothing is down."},
                                     {"second_attempt", "This one was."},
                                     {"answer", "All targets are **up** 🟢\n\n| a | b |\n"}};
    for (size_t i = 0; i < sizeof(traces) / sizeof(*traces); i++) {
        struct openai_say s;
        scoped_buf(out, 1 << 20);
        begin(&s, false, false);
        say_trace(&s, traces[i][0], &out);
        json_auto_t *whole = json_loadb(out.at, out.len, 0, NULL);
        const json_t *choice = json_array_get(json_object_get(whole, "choices"), 0);
        const json_t *message = json_object_get(choice, "message");
        assert_string_equal(json_string_value(json_object_get(message, "content")), traces[i][1]);
        const json_t *usage = json_object_get(whole, "usage");
        assert_int_equal(json_integer_value(json_object_get(usage, "total_tokens")), 366);
        assert_int_equal(s.state, OPENAI_ANSWERED);
        openai_say_free(&s);
    }
}

static void text_of(struct openai_say *s, const char *text, struct buf *out)
{
    scoped_buf(payload, 4096);
    assert_true(event_progress_text(&payload, STR("t-0"), str_of(text)));
    openai_say_event(s, buf_str(&payload), out);
}

static void start(struct openai_say *s, uint32_t attempt, struct buf *out)
{
    scoped_buf(payload, 4096);
    assert_true(event_step_start(&payload, STEP_INFERENCE, STR("t-0"), attempt));
    openai_say_event(s, buf_str(&payload), out);
}

/* However the second attempt is cut into pieces, what it repeats is said once. */
static void what_comes_again_is_said_once(void **state)
{
    (void)state;
    const char *const cuts[][4] = {{"a\n\"b\" c", " d", NULL, NULL},
                                   {"a", "\n\"b\" ", "c d", NULL},
                                   {"a\n\"b\" c d", NULL, NULL, NULL},
                                   {"a\n", "\"b\" c", "", " d"}};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
        struct openai_say s;
        unsigned done = 0;
        scoped_buf(out, 1 << 20);
        scoped_buf(said, 1 << 20);
        begin(&s, true, false);
        start(&s, 1, &out);
        text_of(&s, "a\n\"b\" c", &out);
        start(&s, 2, &out);
        for (unsigned k = 0; k < 4 && cuts[i][k]; k++)
            text_of(&s, cuts[i][k], &out);
        deltas(&out, "content", &said, &done);
        assert_string_equal(buf_cstr(&said), "a\n\"b\" c d");
        openai_say_free(&s);
    }
}

/* A text that is more than is kept is not taken back by more than was kept of it. */
static void a_second_attempt_of_too_much(void **state)
{
    (void)state;
    enum { PIECE = 3000, PIECES = (8 << 20) / PIECE };
    char piece[PIECE + 1];
    struct openai_say s;
    scoped_buf(out, 1 << 20);
    memset(piece, 'a', PIECE);
    piece[PIECE] = '\0';
    begin(&s, false, false);
    start(&s, 1, &out);
    text_of(&s, piece + PIECE - 700, &out);
    start(&s, 1, &out);
    for (unsigned i = 0; i < PIECES; i++)
        text_of(&s, piece, &out);
    start(&s, 2, &out);
    assert_true(s.text.len <= s.text.max_bytes);
    text_of(&s, "b", &out);
    openai_say_free(&s);
}

static void what_is_no_delta_is_read_as_a_tree(void **state)
{
    (void)state;
    struct saying said;
    const struct str odd[] = {STR(""), STR("{}"),
                              STR("{\"event\":{\"payload\":{\"event_type\":\"step_progress\"}}}"),
                              STR("{\"event\":{\"payload\":{\"event_type\":\"step_progress\","
                                  "\"step_type\":\"inference\",\"step_id\":\"t\",\"delta\":{"
                                  "\"type\":\"text\",\"text\":\"cut")};
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        saying_read(odd[i], &said);
        assert_int_equal(said.kind, SAYING_OTHER);
    }
    assert_null(saying_tree(STR("")));
    assert_null(saying_tree(STR("[1]")));
}

#define DELTA(rest)                                                                                \
    "{\"event\":{\"payload\":{\"event_type\":\"step_progress\",\"step_type\":\"inference\","       \
    "\"step_id\":\"t-0\",\"delta\":{\"type\":" rest "}}}}"

static void a_text_ends_at_its_quote(void **state)
{
    (void)state;
    const struct {
        struct str payload;
        const char *text;
    } rows[] = {
        {STR(DELTA("\"text\",\"text\":\"\"")), ""},
        {STR(DELTA("\"text\",\"text\":\"a\\\"b\"")), "a\\\"b"},
        {STR(DELTA("\"text\",\"text\":\"a\\\\\"")), "a\\\\"},
        {STR(DELTA("\"notice\",\"text\":\"up\",\"more\":{\"a\":\"b\"}")), "up"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct saying said;
        saying_read(rows[i].payload, &said);
        assert_int_not_equal(said.kind, SAYING_OTHER);
        assert_true(str_is(said.text, rows[i].text));
        assert_true(str_is(said.step_id, "t-0"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream),
        cmocka_unit_test(an_error),
        cmocka_unit_test(one_piece),
        cmocka_unit_test(what_comes_again_is_said_once),
        cmocka_unit_test(a_text_ends_at_its_quote),
        cmocka_unit_test(a_second_attempt_of_too_much),
        cmocka_unit_test(what_is_no_delta_is_read_as_a_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
