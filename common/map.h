/* common/map.h: hash map from bytes to a pointer. Keys are copied; values are borrowed (the owner
 * frees them). Hashing is keyed (SipHash), so that a peer who chooses keys can't make it slow.
 * Grows and shrinks by itself. */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include "common/buf.h"

struct map;
struct map *map_new(void);
void map_free(struct map *m);
size_t map_size(const struct map *m);
void *map_get(const struct map *m, struct str key);        /* NULL: not there */
void *map_put(struct map *m, struct str key, void *value); /* returns the former value or NULL */
void *map_remove(struct map *m, struct str key);           /* returns the value or NULL */
/* Visits every entry once; fn may remove the entry it is called with and no other, and adds
 * nothing. */
void map_each(struct map *m, void (*fn)(void *arg, struct str key, void *value), void *arg);

#endif
