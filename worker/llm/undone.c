#include "worker/llm/undone.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/hex.h"
#include "common/utf8.h"

static bool undo_once(struct undone *u);
static size_t escape_len(struct str text, char out[static 4], size_t *out_len);

bool undo_escapes(struct str source, unsigned levels, struct undone *out)
{
    *out = (struct undone){.text = source};
    bool any = source.at && memchr(source.at, '\\', source.len) != NULL;
    if (!any)
        return false;
    out->own = xmalloc(source.len + 1);
    memcpy(out->own, source.at, source.len);
    out->text = (struct str){out->own, source.len};
    out->from = xmalloc((source.len + 1) * sizeof(*out->from));
    for (size_t i = 0; i <= source.len; i++)
        out->from[i] = i;
    for (unsigned i = 0; i < levels && any; i++)
        any = undo_once(out);
    if (!any)
        undone_free(out);
    return any;
}

void undone_free(struct undone *u)
{
    free(u->own);
    free(u->from);
    *u = (struct undone){0};
}

size_t undone_at(const struct undone *u, size_t at)
{
    CHECK(at <= u->text.len);
    return u->from ? u->from[at] : at;
}

/* In place: what is undone is shorter than its escape. */
static bool undo_once(struct undone *u)
{
    size_t to = 0, at = 0;
    bool any = false;
    while (at < u->text.len) {
        char bytes[4] = {u->text.at[at]};
        size_t count = 1, len = escape_len(str_skip(u->text, at), bytes, &count);
        size_t from = u->from[at];
        any = any || len > 0;
        for (size_t i = 0; i < count; i++) {
            u->own[to] = bytes[i];
            u->from[to++] = from;
        }
        at += len > 0 ? len : 1;
    }
    u->from[to] = u->from[u->text.len];
    u->text.len = to;
    return any;
}

static bool hex4(struct str text, uint32_t *out)
{
    *out = 0;
    for (unsigned i = 0; i < 4; i++) {
        int digit = i < text.len ? hex_digit(text.at[i]) : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* Half of a pair stands for what it is not: U+FFFD. */
static size_t put(uint32_t c, char out[static 4])
{
    return utf8_encode(c >= 0xd800 && c < 0xe000 ? 0xfffd : c, out);
}

/* Of the escape at text's begin, 0: there is none. */
static size_t escape_len(struct str text, char out[static 4], size_t *out_len)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t high, low;
    if (text.len < 2 || text.at[0] != '\\')
        return 0;
    const char *name = text.at[1] ? strchr(names, text.at[1]) : NULL;
    if (name) {
        out[0] = meanings[name - names];
        return 2;
    }
    if (text.at[1] != 'u' || !hex4(str_skip(text, 2), &high))
        return 0;
    if (high >= 0xd800 && high < 0xdc00 && text.len >= 12 && text.at[6] == '\\' &&
        text.at[7] == 'u' && hex4(str_skip(text, 8), &low) && low >= 0xdc00 && low < 0xe000) {
        *out_len = put(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), out);
        return 12;
    }
    *out_len = put(high, out);
    return 6;
}
