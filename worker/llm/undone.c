#include "worker/llm/undone.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/hex.h"
#include "common/utf8.h"

/* Bytes of the escape at text's begin, and what it stands for; 0: there is none. */
typedef size_t escape_fn(struct str text, char out[static 4], size_t *out_len);
static escape_fn escape_len, percent_len;
static bool undo(struct str source, char mark, escape_fn *escape, unsigned levels,
                 struct undone *out);
static bool undo_once(struct undone *u, escape_fn *escape);

bool undo_escapes(struct str source, unsigned levels, struct undone *out)
{
    return undo(source, '\\', escape_len, levels, out);
}

bool undo_percents(struct str source, unsigned levels, struct undone *out)
{
    return undo(source, '%', percent_len, levels, out);
}

static bool undo(struct str source, char mark, escape_fn *escape, unsigned levels,
                 struct undone *out)
{
    *out = (struct undone){.text = source};
    bool any = source.at && memchr(source.at, mark, source.len) != NULL;
    if (!any)
        return false;
    out->own = xmalloc(source.len + 1);
    memcpy(out->own, source.at, source.len);
    out->text = (struct str){out->own, source.len};
    out->from = xmalloc((source.len + 1) * sizeof(*out->from));
    for (size_t i = 0; i <= source.len; i++)
        out->from[i] = i;
    for (unsigned i = 0; i < levels && any; i++)
        any = undo_once(out, escape);
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
static bool undo_once(struct undone *u, escape_fn *escape)
{
    size_t to = 0, at = 0;
    bool any = false;
    while (at < u->text.len) {
        char bytes[4] = {u->text.at[at]};
        size_t count = 1, len = escape(str_skip(u->text, at), bytes, &count);
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

static size_t percent_len(struct str text, char out[static 4], size_t *out_len)
{
    unsigned char bytes[4];
    size_t count = 0, len = 1;
    for (; count < 4 && text.len >= 3 && text.at[0] == '%'; text = str_skip(text, 3)) {
        int high = hex_digit(text.at[1]), low = hex_digit(text.at[2]);
        if (high < 0 || low < 0)
            break;
        bytes[count++] = (unsigned char)(high << 4 | low);
    }
    if (count > 0 && bytes[0] >= 0x80)
        len = utf8_len(bytes, count);
    if (count == 0 || len == 0)
        return 0;
    memcpy(out, bytes, len);
    *out_len = len;
    return 3 * len;
}

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
