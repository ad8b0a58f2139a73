#include "common/heap.h"

#include <string.h>
#include "common/check.h"

static void sink(const struct heap_of *of, char *items, unsigned count, unsigned at);
static void rise(const struct heap_of *of, char *items, unsigned at);
static void swap(const struct heap_of *of, char *items, unsigned a, unsigned b);

bool heap_takes(const struct heap_of *of, const void *items, unsigned count, unsigned max,
                const void *item)
{
    return count < max || (max > 0 && of->worse(items, item));
}

void heap_put(const struct heap_of *of, void *items, unsigned *count, unsigned max,
              const void *item)
{
    CHECK(*count <= max && max > 0);
    bool full = *count == max;
    unsigned at = full ? 0 : (*count)++;
    memcpy((char *)items + at * of->size, item, of->size);
    if (full)
        sink(of, items, max, 0);
    else
        rise(of, items, at);
}

void heap_sort(const struct heap_of *of, void *items, unsigned count)
{
    for (unsigned i = count / 2; i-- > 0;)
        sink(of, items, count, i);
    while (count > 1) {
        swap(of, items, 0, --count);
        sink(of, items, count, 0);
    }
}

static bool is_worse(const struct heap_of *of, const char *items, unsigned a, unsigned b)
{
    return of->worse(items + a * of->size, items + b * of->size);
}

static void sink(const struct heap_of *of, char *items, unsigned count, unsigned at)
{
    for (unsigned child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_worse(of, items, child + 1, child))
            child++;
        if (!is_worse(of, items, child, at))
            return;
        swap(of, items, child, at);
    }
}

static void rise(const struct heap_of *of, char *items, unsigned at)
{
    for (unsigned parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (!is_worse(of, items, at, parent))
            return;
        swap(of, items, at, parent);
    }
}

static void swap(const struct heap_of *of, char *items, unsigned a, unsigned b)
{
    char kept[64];
    char *x = items + a * of->size, *y = items + b * of->size;
    for (size_t at = 0, len; at < of->size; at += len) {
        len = of->size - at < sizeof(kept) ? of->size - at : sizeof(kept);
        memcpy(kept, x + at, len);
        memcpy(x + at, y + at, len);
        memcpy(y + at, kept, len);
    }
}
