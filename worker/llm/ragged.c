#include "worker/llm/ragged.h"

#include <string.h>
#include "common/hex.h"
#include "common/utf8.h"

/* Marks are the last code points of plane 16, which is for private use: one for each byte that is
 * no character, one for each surrogate. */
enum {
    MARK_BYTE = 0x10F000,
    MARK_SURROGATE = 0x10F800,
    SURROGATE = 0xD800, /* … 0xDFFF */
    SURROGATE_LOW = 0xDC00,
    SURROGATES = 0x800,
};
static const char replacement[] = "\xEF\xBF\xBD";

static bool rewrite(struct str text, struct buf *out);
static bool rewrite_escape(struct str *rest, struct buf *out);
static bool rewrite_byte(struct str *rest, struct buf *out);
static void put(struct buf *out, uint32_t c);
static bool hex4(struct str text, size_t at, uint32_t *unit);
static size_t character(struct str text);
static void push(struct ragged *r, unsigned char byte, struct buf *out);
static bool unmark(struct ragged *r, struct str text, struct buf *out);

json_t *ragged_parse(struct str text, bool *marked)
{
    *marked = false;
    if (text.len == 0)
        return NULL;
    json_t *root = json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL);
    if (root)
        return root;
    scoped_buf(whole, 6 * text.len + 16); /* a control character becomes six bytes */
    if (!rewrite(text, &whole))
        return NULL;
    *marked = true;
    return json_loadb(whole.at, whole.len, JSON_ALLOW_NUL, NULL);
}

bool ragged_mend(struct str json, struct buf *out)
{
    struct ragged half = {.len = 0};
    scoped_buf(marked, 6 * json.len + 16);
    if (!rewrite(json, &marked))
        return false;
    ragged_add(&half, buf_str(&marked), true, out);
    ragged_end(&half, out);
    return !out->overflowed;
}

/* The same JSON with marks. False: nothing of it was ragged, or it is too much. */
static bool rewrite(struct str text, struct buf *out)
{
    bool inside = false, ragged = false; /* a string */
    while (text.len > 0) {
        char c = text.at[0];
        if (inside && c == '\\' && text.len > 1) {
            ragged |= rewrite_escape(&text, out);
        } else if (inside && ((unsigned char)c >= 0x80 || (unsigned char)c < 0x20)) {
            ragged |= rewrite_byte(&text, out);
        } else {
            inside = inside != (c == '"');
            buf_putc(out, c);
            text = str_skip(text, 1);
        }
    }
    return ragged && !out->overflowed;
}

/* True: it was not as JSON wants it. */
static bool rewrite_escape(struct str *rest, struct buf *out)
{
    uint32_t unit, low;
    struct str text = *rest;
    bool known = memchr("\"\\/bfnrt", text.at[1], 8) != NULL;
    if (known)
        buf_add(out, text.at, 2);
    if (known || text.at[1] != 'u' || !hex4(text, 2, &unit)) {
        *rest = str_skip(text, known ? 2 : 1); /* \' is ' to those who write it */
        return !known;
    }
    bool paired = unit >= SURROGATE && unit < SURROGATE_LOW && text.len >= 12 &&
                  text.at[6] == '\\' && text.at[7] == 'u' && hex4(text, 8, &low) &&
                  low >= SURROGATE_LOW && low < SURROGATE + SURROGATES;
    size_t len = paired ? 12 : 6;
    *rest = str_skip(text, len);
    if (unit == 0) {
        buf_puts(out, replacement);
        return true;
    }
    if (!paired && unit >= SURROGATE && unit < SURROGATE + SURROGATES) {
        put(out, MARK_SURROGATE + unit - SURROGATE);
        return true;
    }
    buf_add(out, text.at, len);
    return false;
}

/* A raw byte of a string: of a character, of half of one, or a control character. */
static bool rewrite_byte(struct str *rest, struct buf *out)
{
    struct str text = *rest;
    unsigned char c = (unsigned char)text.at[0];
    size_t len = character(text);
    *rest = str_skip(text, len > 0 ? len : 1);
    if (c == 0)
        buf_puts(out, replacement);
    else if (c < 0x20)
        buf_printf(out, "\\u%04x", c);
    else if (len > 0)
        buf_add(out, text.at, len);
    else
        put(out, MARK_BYTE + c);
    return len == 0 || c < 0x20;
}

static bool hex4(struct str text, size_t at, uint32_t *unit)
{
    *unit = 0;
    if (at + 4 > text.len)
        return false;
    for (size_t i = at; i < at + 4; i++) {
        int digit = hex_digit(text.at[i]);
        if (digit < 0)
            return false;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* The length of the character that text begins with; 0: it begins with none. */
static size_t character(struct str text)
{
    unsigned char c = (unsigned char)text.at[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return len <= text.len && str_utf8((struct str){text.at, len}) ? len : 0;
}

static void put(struct buf *out, uint32_t c)
{
    char bytes[4];
    buf_add(out, bytes, utf8_encode(c, bytes));
}

/* ---- joining ---- */

void ragged_add(struct ragged *r, struct str text, bool marked, struct buf *out)
{
    while (text.len > 0) {
        unsigned char c = (unsigned char)text.at[0];
        if (marked && c == 0xF4 && character(text) == 4 && unmark(r, text, out)) {
            text = str_skip(text, 4);
            continue;
        }
        push(r, c, out);
        text = str_skip(text, 1);
    }
}

/* False: it is a character as it stands. */
static bool unmark(struct ragged *r, struct str text, struct buf *out)
{
    const unsigned char *b = (const unsigned char *)text.at;
    uint32_t c = (uint32_t)(b[0] & 7) << 18 | (uint32_t)(b[1] & 0x3F) << 12 |
                 (uint32_t)(b[2] & 0x3F) << 6 | (b[3] & 0x3F);
    if (c >= MARK_SURROGATE) {
        uint32_t unit = c - MARK_SURROGATE + SURROGATE;
        push(r, (unsigned char)(0xE0 | unit >> 12), out);
        push(r, (unsigned char)(0x80 | (unit >> 6 & 0x3F)), out);
        push(r, (unsigned char)(0x80 | (unit & 0x3F)), out);
        return true;
    }
    if (c >= MARK_BYTE + 0x80 && c <= MARK_BYTE + 0xFF)
        push(r, (unsigned char)(c - MARK_BYTE), out);
    return c >= MARK_BYTE + 0x80 && c <= MARK_BYTE + 0xFF;
}

enum fit { FIT_NONE, FIT_PART, FIT_WHOLE };

static bool tail(const unsigned char *b, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        if ((b[i] & 0xC0) != 0x80)
            return false;
    return true;
}

/* A surrogate is three bytes, and a pair of them a character (CESU-8). */
static enum fit fit_pair(const unsigned char *b, unsigned len)
{
    bool ok = b[1] < 0xB0 && (len < 4 || b[3] == 0xED) && (len < 5 || (b[4] & 0xF0) == 0xB0) &&
              tail(b, 2, len < 3 ? len : 3) && tail(b, 5, len);
    return !ok ? FIT_NONE : len == 6 ? FIT_WHOLE : FIT_PART;
}

static enum fit fit(const unsigned char *b, unsigned len)
{
    unsigned want = b[0] < 0x80 ? 1 : b[0] < 0xE0 ? 2 : b[0] < 0xF0 ? 3 : 4;
    if (b[0] == 0 || (b[0] >= 0x80 && b[0] < 0xC2) || b[0] > 0xF4)
        return FIT_NONE;
    if (b[0] == 0xED && len > 1 && b[1] >= 0xA0 && b[1] < 0xC0)
        return fit_pair(b, len);
    if (!tail(b, 1, len) || len > want)
        return FIT_NONE;
    bool low = len > 1 && ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xF0 && b[1] < 0x90));
    if (low || (len > 1 && b[0] == 0xF4 && b[1] > 0x8F))
        return FIT_NONE;
    return len == want ? FIT_WHOLE : FIT_PART;
}

static void put_held(struct ragged *r, struct buf *out)
{
    const unsigned char *b = r->held;
    if (r->len == 6)
        put(out, 0x10000 + ((uint32_t)(b[1] & 0x0F) << 16 | (uint32_t)(b[2] & 0x3F) << 10 |
                            (uint32_t)(b[4] & 0x0F) << 6 | (b[5] & 0x3F)));
    else
        buf_add(out, b, r->len);
    r->len = 0;
}

/* How many of the held bytes, which are no character, U+FFFD stands for: a surrogate, or one. */
static unsigned broken_len(const struct ragged *r)
{
    bool surrogate = r->len >= 3 && r->held[0] == 0xED && r->held[1] >= 0xA0 && tail(r->held, 1, 3);
    return surrogate ? 3 : 1;
}

static void push(struct ragged *r, unsigned char byte, struct buf *out)
{
    r->held[r->len++] = byte;
    bool low = r->len >= 2 && r->len < 3 && r->held[0] == 0xED && r->held[1] >= 0xB0 &&
               r->held[1] < 0xC0; /* one more byte, and it is a low surrogate, alone */
    switch (low ? FIT_PART : fit(r->held, r->len)) {
    case FIT_PART:
        return;
    case FIT_WHOLE:
        put_held(r, out);
        return;
    case FIT_NONE:
        break;
    }
    struct ragged rest = *r;
    unsigned broken = broken_len(r);
    buf_puts(out, replacement);
    r->len = 0;
    for (unsigned i = broken; i < rest.len; i++)
        push(r, rest.held[i], out);
}

void ragged_end(struct ragged *r, struct buf *out)
{
    for (unsigned at = 0; at < r->len; at += 3) /* of a pair's first half, and of what follows it */
        buf_puts(out, replacement);
    r->len = 0;
}
