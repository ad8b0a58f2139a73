/* common/buf.h: growable bytes that cannot be made without an upper bound.
 *
 * A buf that would outgrow its maximum keeps what it has, drops what was added and remembers that
 * (overflowed): the writer checks once at the end. Memory: owned by the buf; buf_free leaves it
 * empty and usable again. */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/check.h"
#include "common/str.h"

struct buf {
    char *at;
    size_t len, cap, max_bytes;
    bool overflowed;
    bool secret; /* of buf_keep_secret */
};
void buf_init(struct buf *b, size_t max_bytes);
void buf_free(struct buf *b);
/* From now on memory that it lets go of, also when it grows, is wiped first (invariant 7). */
void buf_keep_secret(struct buf *b);
struct buf buf_empty(size_t max_bytes); /* what buf_init makes, as a value */
/* A local that is valid from its declaration on and freed at the end of its scope. */
#define scoped_buf(name, max_bytes) scoped(buf_free) struct buf name = buf_empty(max_bytes)
/* The same of a buf that changes hands: who had it must not free it. */
#define scoped_buf_taken(name, take_buf) scoped(buf_free) struct buf name = (take_buf)
void buf_clear(struct buf *b); /* keeps the memory, forgets overflow */
struct str buf_str(const struct buf *b);
bool buf_add(struct buf *b, const void *bytes,
             size_t len); /* false: over the maximum, nothing added */
bool buf_add_str(struct buf *b, struct str s);
bool buf_puts(struct buf *b, const char *text);
bool buf_putc(struct buf *b, char c);
bool buf_u64(struct buf *b, uint64_t n); /* in decimal, as buf_printf would, at a tenth of it */
bool buf_i64(struct buf *b, int64_t n);
bool buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_drop(struct buf *b, size_t len); /* forget the first len bytes */
const char *buf_cstr(struct buf *b);      /* NUL-terminated view, valid until the next change */
char *
buf_reserve(struct buf *b,
            size_t len); /* room for len more bytes at the end, or NULL; then b->len += written */

#endif
