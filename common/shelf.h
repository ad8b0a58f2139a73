/* common/shelf.h: bytes that lie for a while beside the heap: large ones, which go while small ones
 * that came after them stay.
 *
 * In the heap each would leave a hole between what stays, and the process would keep for ever what
 * it had in its busiest second. Each lies in pages of its own, which the system gets back; some
 * of each size are kept for the next ones, since a page costs about 2 µs to get.
 * Memory: shelf_put makes a copy, which who has it may share; the last of them lets go of it. */
#ifndef COMMON_SHELF_H
#define COMMON_SHELF_H

#include <stddef.h>
#include "common/str.h"

enum {
    SHELF_BYTES_MIN = 4096,    /* less lies in the heap: it fits into many a hole */
    SHELF_KEPT_BYTES = 1 << 20 /* of each size (powers of two, from 16 KiB to this), at most */
};
struct shelf;
struct shelved;

struct shelf *shelf_new(void);
void shelf_free(struct shelf *s); /* nothing lies there any more. NULL is fine */
struct shelved *shelf_put(struct shelf *s, struct str bytes);
struct shelved *shelved_ref(struct shelved *b);
void shelved_free(struct shelved *b);            /* NULL is fine */
struct str shelved_str(const struct shelved *b); /* NULL: empty */
size_t shelf_pages(const struct shelf *s);       /* bytes, also of those that are kept; for tests */

#endif
