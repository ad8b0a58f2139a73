/* common/heap.h: the best few of many: the worst of those that are kept is on top of a binary heap,
 * and goes when a better one comes. Pure: the array, its count and its room are the caller's. */
#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* What is kept. worse is a total order: of two that differ one is worse. */
struct heap_of {
    size_t size; /* of an item */
    bool (*worse)(const void *a, const void *b);
};
/* Is there room for it, or is the worst one (items[0] of a full heap) worse? */
bool heap_takes(const struct heap_of *of, const void *items, unsigned count, unsigned max,
                const void *item);
/* Only what heap_takes. It is copied; of a full heap it takes the place of the worst one. */
void heap_put(const struct heap_of *of, void *items, unsigned *count, unsigned max,
              const void *item);
/* The best first. Any array will do, and nothing may be put onto it any more. */
void heap_sort(const struct heap_of *of, void *items, unsigned count);

#endif
