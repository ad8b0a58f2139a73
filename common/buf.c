#include "common/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/registers.h"

/* The memory has always one byte more than cap, for buf_cstr. */

struct buf buf_empty(size_t max_bytes)
{
    CHECK(max_bytes < SIZE_MAX / 4);
    return (struct buf){.max_bytes = max_bytes};
}

void buf_init(struct buf *b, size_t max_bytes) { *b = buf_empty(max_bytes); }

void buf_keep_secret(struct buf *b) { b->secret = true; }

static void wipe(struct buf *b, size_t from)
{
    if (!b->secret || !b->at)
        return;
    explicit_bzero(b->at + from, b->cap + 1 - from);
    registers_clear();
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
    if (!to)
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

static bool put_digits(struct buf *b, uint64_t n, bool minus)
{
    char text[21]; /* 20 digits of the largest, or a sign and 19 */
    size_t at = sizeof(text);
    do
        text[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    if (minus)
        text[--at] = '-';
    return buf_add(b, text + at, sizeof(text) - at);
}

bool buf_u64(struct buf *b, uint64_t n) { return put_digits(b, n, false); }

bool buf_i64(struct buf *b, int64_t n)
{
    return put_digits(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, n < 0);
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args, again;
    if (b->at == NULL && b->max_bytes > 0)
        (void)buf_reserve(b, 1); /* most fits then, and is not formatted twice */
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
    if (!b->at)
        return "";
    b->at[b->len] = '\0';
    return b->at;
}
