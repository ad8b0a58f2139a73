#include "common/map.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"

/* Chains, since each entry has to own its key anyway: removal moves nothing, so a visit can go on
 * after its entry was removed. */
struct entry {
    struct entry *next;
    uint64_t hash;
    void *value;
    size_t len;
    char key[];
};

enum { BUCKETS_MIN = 8 };

struct map {
    struct entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t size;
    unsigned visiting; /* map_each is on the stack: keep the buckets as they are */
    unsigned char hash_key[crypto_shorthash_KEYBYTES];
};

struct map *map_new(void)
{
    CHECK(sodium_init() >= 0);
    struct map *m = xcalloc(1, sizeof(*m));
    m->bucket_count = BUCKETS_MIN;
    m->buckets = xcalloc(m->bucket_count, sizeof(struct entry *));
    randombytes_buf(m->hash_key, sizeof(m->hash_key));
    return m;
}

void map_free(struct map *m)
{
    if (!m)
        return;
    CHECK(m->visiting == 0);
    for (size_t i = 0; i < m->bucket_count; i++)
        for (struct entry *e = m->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            free(e);
        }
    free(m->buckets);
    free(m);
}

size_t map_size(const struct map *m) { return m->size; }

static uint64_t hash_of(const struct map *m, struct str key)
{
    uint64_t hash;
    _Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "a hash is a word");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)(key.len ? key.at : ""),
                     key.len, m->hash_key);
    return hash;
}

/* Where the pointer to the key's entry is, or would be. */
static struct entry **find(const struct map *m, struct str key, uint64_t hash)
{
    struct entry **at = &m->buckets[hash & (m->bucket_count - 1)];
    while (*at != NULL && !((*at)->hash == hash && (*at)->len == key.len &&
                            (key.len == 0 || memcmp((*at)->key, key.at, key.len) == 0)))
        at = &(*at)->next;
    return at;
}

static void resize(struct map *m, size_t bucket_count)
{
    struct entry **buckets = xcalloc(bucket_count, sizeof(struct entry *));
    for (size_t i = 0; i < m->bucket_count; i++)
        for (struct entry *e = m->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            struct entry **to = &buckets[e->hash & (bucket_count - 1)];
            e->next = *to;
            *to = e;
        }
    free(m->buckets);
    m->buckets = buckets;
    m->bucket_count = bucket_count;
}

/* Between an eighth and all of the buckets are used: far enough apart not to swing. */
static void fit(struct map *m)
{
    if (m->visiting > 0)
        return;
    size_t count = m->bucket_count;
    while (m->size > count)
        count *= 2;
    while (count > BUCKETS_MIN && m->size < count / 8)
        count /= 2;
    if (count != m->bucket_count)
        resize(m, count);
}

void *map_get(const struct map *m, struct str key)
{
    const struct entry *e = *find(m, key, hash_of(m, key));
    return e ? e->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    CHECK(value != NULL && m->visiting == 0);
    uint64_t hash = hash_of(m, key);
    struct entry **at = find(m, key, hash);
    if (*at != NULL) {
        void *former = (*at)->value;
        (*at)->value = value;
        return former;
    }
    struct entry *e = xmalloc(sizeof(*e) + key.len);
    *e = (struct entry){.hash = hash, .value = value, .len = key.len};
    if (key.len > 0)
        memcpy(e->key, key.at, key.len);
    *at = e;
    m->size++;
    fit(m);
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    struct entry **at = find(m, key, hash_of(m, key));
    struct entry *e = *at;
    if (!e)
        return NULL;
    void *value = e->value;
    *at = e->next;
    free(e);
    m->size--;
    fit(m);
    return value;
}

void map_each(struct map *m, void (*fn)(void *arg, struct str key, void *value), void *arg)
{
    m->visiting++;
    for (size_t i = 0; i < m->bucket_count; i++)
        for (struct entry *e = m->buckets[i], *next; e != NULL; e = next) {
            next = e->next;
            fn(arg, (struct str){e->key, e->len}, e->value);
        }
    m->visiting--;
    fit(m);
}
