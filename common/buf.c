#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"

/* Slices. */

struct str str_of(const char *text)
{
    return text ? (struct str){text, strlen(text)} : (struct str){NULL, 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_is(struct str a, const char *text) { return str_eq(a, str_of(text)); }

bool str_starts(struct str a, struct str prefix)
{
    return a.len >= prefix.len && str_eq((struct str){a.at, prefix.len}, prefix);
}

bool str_ends(struct str a, struct str end)
{
    return a.len >= end.len && str_eq(str_skip(a, a.len - end.len), end);
}

struct str str_skip(struct str a, size_t count)
{
    if (count > a.len)
        count = a.len;
    return count ? (struct str){a.at + count, a.len - count} : a;
}

struct str str_skip_bom(struct str a)
{
    return str_starts(a, STR("\xef\xbb\xbf")) ? str_skip(a, 3) : a;
}

bool str_split(struct str *rest, char sep, struct str *piece)
{
    if (rest->len == 0)
        return false;
    const char *cut = memchr(rest->at, sep, rest->len);
    if (cut == NULL) {
        *piece = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    *piece = (struct str){rest->at, (size_t)(cut - rest->at)};
    *rest = str_skip(*rest, piece->len + 1);
    return true;
}

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct str str_trim(struct str a)
{
    while (a.len > 0 && blank(a.at[0]))
        a = str_skip(a, 1);
    while (a.len > 0 && blank(a.at[a.len - 1]))
        a.len--;
    return a;
}

bool str_u64(struct str a, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.at[i] < '0' || a.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(a.at[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

char *str_dup(struct str a) { return xstrndup(a.at, a.len); }

/* Bytes of the well-formed UTF-8 character at `at` (its first byte is no ASCII), 0: there is none.
 * RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF. */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

static uint64_t word_at(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

#define EACH_BYTE(value) (~(uint64_t)0 / 255 * (value))
/* Not zero when some byte of the word is zero (exact for "some"; which one doesn't matter here). */
#define ZERO_BYTE(word) (((word)-EACH_BYTE(1)) & ~(word)&EACH_BYTE(0x80))

bool str_utf8(struct str a)
{
    const unsigned char *at = (const unsigned char *)a.at;
    for (size_t i = 0; i < a.len;) {
        if (a.len - i >= 8) {
            uint64_t word = word_at(at + i);
            if (((word & EACH_BYTE(0x80)) | ZERO_BYTE(word)) == 0) {
                i += 8;
                continue;
            }
        }
        size_t len = at[i] == 0 ? 0 : at[i] < 0x80 ? 1 : utf8_len(at + i, a.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

/* Growable bytes. The memory has always one byte more than cap, for buf_cstr. */

struct buf buf_empty(size_t max_bytes)
{
    CHECK(max_bytes < SIZE_MAX / 4);
    return (struct buf){.max_bytes = max_bytes};
}

void buf_init(struct buf *b, size_t max_bytes) { *b = buf_empty(max_bytes); }

void buf_keep_secret(struct buf *b) { b->secret = true; }

static void wipe(struct buf *b, size_t from)
{
    if (b->secret && b->at)
        explicit_bzero(b->at + from, b->cap + 1 - from);
}

void buf_free(struct buf *b)
{
    bool secret = b->secret;
    wipe(b, 0);
    free(b->at);
    buf_init(b, b->max_bytes);
    b->secret = secret;
}

void buf_clear(struct buf *b)
{
    wipe(b, 0);
    b->len = 0;
    b->overflowed = false;
}

struct str buf_str(const struct buf *b) { return (struct str){b->at, b->len}; }

static void grow(struct buf *b, size_t cap)
{
    if (!b->secret || !b->at) {
        b->at = xrealloc(b->at, cap + 1);
        b->cap = cap;
        return;
    }
    char *at = xmalloc(cap + 1); /* realloc may leave what was there behind */
    memcpy(at, b->at, b->len);
    wipe(b, 0);
    free(b->at);
    b->at = at;
    b->cap = cap;
}

char *buf_reserve(struct buf *b, size_t len)
{
    CHECK(b->len <= b->cap && b->cap <= b->max_bytes);
    if (len > b->max_bytes - b->len) {
        b->overflowed = true;
        return NULL;
    }
    if (len > b->cap - b->len || b->at == NULL) {
        size_t cap = b->cap < 64 ? 128 : b->cap * 2;
        if (cap < b->len + len)
            cap = b->len + len;
        if (cap > b->max_bytes)
            cap = b->max_bytes;
        grow(b, cap);
    }
    return b->at + b->len;
}

bool buf_add(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return true;
    char *to = buf_reserve(b, len);
    if (to == NULL)
        return false;
    memcpy(to, bytes, len);
    b->len += len;
    return true;
}

bool buf_add_str(struct buf *b, struct str s) { return buf_add(b, s.at, s.len); }

bool buf_puts(struct buf *b, const char *text) { return buf_add(b, text, strlen(text)); }

bool buf_putc(struct buf *b, char c)
{
    if (b->len < b->cap) {
        b->at[b->len++] = c;
        return true;
    }
    return buf_add(b, &c, 1);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    /* The byte past cap is there for the NUL. */
    int len =
        vsnprintf(b->at ? b->at + b->len : NULL, b->at ? b->cap - b->len + 1 : 0, format, args);
    CHECK(len >= 0);
    bool fits = b->at != NULL && (size_t)len <= b->cap - b->len;
    if (!fits) {
        char *to = buf_reserve(b, (size_t)len);
        fits = to != NULL;
        if (fits)
            vsnprintf(to, (size_t)len + 1, format, again);
    }
    if (fits)
        b->len += (size_t)len;
    va_end(again);
    va_end(args);
    return fits;
}

void buf_drop(struct buf *b, size_t len)
{
    CHECK(len <= b->len);
    if (len > 0 && len < b->len)
        memmove(b->at, b->at + len, b->len - len);
    b->len -= len;
    wipe(b, b->len);
}

const char *buf_cstr(struct buf *b)
{
    if (b->at == NULL)
        return "";
    b->at[b->len] = '\0';
    return b->at;
}

/* JSON. */

/* Does json_str have to look at this word byte by byte: is there a control character, a quote, a
 * backslash or the start of a longer character in it? */
static bool word_special(uint64_t word)
{
    uint64_t control = (word - EACH_BYTE(0x20)) & ~word;
    return ((((control | word) & EACH_BYTE(0x80))) | ZERO_BYTE(word ^ EACH_BYTE('"')) |
            ZERO_BYTE(word ^ EACH_BYTE('\\'))) != 0;
}

static size_t plain_run(const unsigned char *at, size_t len)
{
    size_t i = 0;
    while (len - i >= 8 && !word_special(word_at(at + i)))
        i += 8;
    while (i < len && at[i] >= 0x20 && at[i] < 0x80 && at[i] != '"' && at[i] != '\\')
        i++;
    return i;
}

static bool json_escape(struct buf *b, unsigned char c)
{
    static const char letters[] = "btn.fr"; /* of 8 to 13; \v has none */
    if (c >= 0x80)
        return buf_puts(b, "\xef\xbf\xbd");
    if (c == '"' || c == '\\')
        return buf_putc(b, '\\') && buf_putc(b, (char)c);
    if (c >= 8 && c <= 13 && c != 11)
        return buf_putc(b, '\\') && buf_putc(b, letters[c - 8]);
    return buf_printf(b, "\\u%04x", c);
}

static bool json_body(struct buf *b, const unsigned char *at, size_t len)
{
    size_t done = 0; /* what is before it was written */
    for (size_t i = 0; i < len;) {
        i += plain_run(at + i, len - i);
        if (i == len)
            break;
        size_t wide = at[i] >= 0x80 ? utf8_len(at + i, len - i) : 0;
        if (wide > 0) {
            i += wide;
            continue;
        }
        if (!buf_add(b, at + done, i - done) || !json_escape(b, at[i]))
            return false;
        done = ++i;
    }
    return len == done || buf_add(b, at + done, len - done);
}

bool json_str(struct buf *b, struct str s)
{
    size_t before = b->len;
    if (buf_putc(b, '"') && json_body(b, (const unsigned char *)s.at, s.len) && buf_putc(b, '"'))
        return true;
    b->len = before; /* all of it or nothing */
    return false;
}

bool json_key(struct buf *b, const char *key)
{
    size_t before = b->len;
    char last = b->len ? b->at[b->len - 1] : '{';
    if ((last == '{' || last == '[' || buf_putc(b, ',')) && json_str(b, str_of(key)) &&
        buf_putc(b, ':'))
        return true;
    b->len = before;
    return false;
}
