#include "common/shelf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "common/check.h"

enum {
    SLOT_MIN = 16 << 10,
    SIZES = 7, /* SLOT_MIN << 0 … 6 */
    PAGE = 4096,
};
_Static_assert(SLOT_MIN << (SIZES - 1) == SHELF_KEPT_BYTES, "one of the largest is kept");

struct shelved {
    struct shelf *shelf;
    struct shelved *next; /* of those that are kept */
    size_t mapped;        /* bytes; 0: it is the heap's */
    unsigned refs;
    size_t len;
    char at[];
};
struct shelf {
    struct shelved *kept[SIZES];
    size_t kept_bytes[SIZES];
    size_t pages;
    unsigned count;
};

static size_t size_for(size_t bytes);
static unsigned size_index(size_t mapped);

struct shelf *shelf_new(void) { return xcalloc(1, sizeof(struct shelf)); }

static void give_back(struct shelf *s, struct shelved *b)
{
    s->pages -= b->mapped;
    CHECK(munmap(b, b->mapped) == 0);
}

void shelf_free(struct shelf *s)
{
    if (!s)
        return;
    CHECK(s->count == 0);
    for (unsigned i = 0; i < SIZES; i++)
        for (struct shelved *b; (b = s->kept[i]) != NULL;) {
            s->kept[i] = b->next;
            give_back(s, b);
        }
    free(s);
}

static struct shelved *get(struct shelf *s, size_t bytes)
{
    size_t mapped = size_for(bytes);
    unsigned i = size_index(mapped);
    struct shelved *b = i < SIZES ? s->kept[i] : NULL;
    if (b) {
        s->kept[i] = b->next;
        s->kept_bytes[i] -= mapped;
        return b;
    }
    b = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(b != MAP_FAILED);
    b->mapped = mapped;
    s->pages += mapped;
    return b;
}

struct shelved *shelf_put(struct shelf *s, struct str bytes)
{
    size_t all = sizeof(struct shelved) + bytes.len;
    struct shelved *b = bytes.len < SHELF_BYTES_MIN ? xcalloc(1, all) : get(s, all);
    b->shelf = s;
    b->refs = 1;
    b->len = bytes.len;
    if (bytes.len > 0)
        memcpy(b->at, bytes.at, bytes.len);
    s->count++;
    return b;
}

struct shelved *shelved_ref(struct shelved *b)
{
    CHECK(b->refs > 0);
    b->refs++;
    return b;
}

void shelved_free(struct shelved *b)
{
    if (!b)
        return;
    struct shelf *s = b->shelf;
    CHECK(b->refs > 0 && s->count > 0);
    if (--b->refs > 0)
        return;
    s->count--;
    if (b->mapped == 0) {
        free(b);
        return;
    }
    unsigned i = size_index(b->mapped);
    if (i == SIZES || s->kept_bytes[i] + b->mapped > SHELF_KEPT_BYTES) {
        give_back(s, b);
        return;
    }
    b->next = s->kept[i];
    s->kept[i] = b;
    s->kept_bytes[i] += b->mapped;
}

struct str shelved_str(const struct shelved *b)
{
    return b ? (struct str){b->at, b->len} : (struct str){NULL, 0};
}

size_t shelf_pages(const struct shelf *s) { return s->pages; }

/* What is larger than the largest size takes the pages that it needs. */
static size_t size_for(size_t bytes)
{
    size_t size = SLOT_MIN;
    while (size < bytes && size < SHELF_KEPT_BYTES)
        size *= 2;
    return size >= bytes ? size : (bytes + PAGE - 1) / PAGE * PAGE;
}

/* SIZES: of no size that is kept. */
static unsigned size_index(size_t mapped)
{
    unsigned i = 0;
    while (i < SIZES && (size_t)SLOT_MIN << i != mapped)
        i++;
    return i;
}
