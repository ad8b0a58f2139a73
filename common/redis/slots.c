#include "common/redis/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"

/* CRC-16/XMODEM (polynomial 0x1021, from 0), as the Cluster specification says; a nibble a step. */
static uint16_t crc16(struct str in)
{
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5,
                                       0x60c6, 0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b,
                                       0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    unsigned crc = 0;
    for (size_t i = 0; i < in.len; i++) {
        unsigned byte = (unsigned char)in.at[i];
        crc = (crc << 4 ^ table[(crc >> 12 ^ byte >> 4) & 15]) & 0xffff;
        crc = (crc << 4 ^ table[(crc >> 12 ^ byte) & 15]) & 0xffff;
    }
    return (uint16_t)crc;
}

uint16_t redis_slot(struct str key)
{
    const char *open = key.len > 0 ? memchr(key.at, '{', key.len) : NULL;
    if (open) {
        struct str rest = str_skip(key, (size_t)(open - key.at) + 1);
        const char *close = rest.len > 0 ? memchr(rest.at, '}', rest.len) : NULL;
        if (close != NULL && close > rest.at)
            key = (struct str){rest.at, (size_t)(close - rest.at)};
    }
    return crc16(key) % REDIS_SLOTS;
}

bool redis_node_eq(const struct redis_node *a, const struct redis_node *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

const struct redis_node *redis_slots_owner(const struct redis_slots *s, uint16_t slot)
{
    CHECK(slot < REDIS_SLOTS);
    return s->owner[slot] == 0 ? NULL : &s->nodes[s->owner[slot] - 1];
}

static unsigned find(const struct redis_slots *s, const struct redis_node *node)
{
    unsigned i = 0;
    while (i < s->node_count && !redis_node_eq(&s->nodes[i], node))
        i++;
    return i;
}

bool redis_slots_has(const struct redis_slots *s, const struct redis_node *node)
{
    return find(s, node) < s->node_count;
}

/* Forgets nodes that have no slot any more. */
static void pack(struct redis_slots *s)
{
    bool used[REDIS_MASTERS_MAX] = {false};
    uint8_t place[REDIS_MASTERS_MAX + 1] = {0};
    unsigned kept = 0;
    for (unsigned i = 0; i < REDIS_SLOTS; i++)
        if (s->owner[i] != 0)
            used[s->owner[i] - 1] = true;
    for (unsigned i = 0; i < s->node_count; i++) {
        if (!used[i])
            continue;
        if (kept != i)
            s->nodes[kept] = s->nodes[i];
        place[i + 1] = (uint8_t)++kept;
    }
    s->node_count = kept;
    for (unsigned i = 0; i < REDIS_SLOTS; i++)
        s->owner[i] = place[s->owner[i]];
}

bool redis_slots_set(struct redis_slots *s, unsigned from, unsigned to,
                     const struct redis_node *node)
{
    CHECK(from <= to && to < REDIS_SLOTS);
    if (find(s, node) == REDIS_MASTERS_MAX)
        pack(s);
    unsigned at = find(s, node);
    if (at == REDIS_MASTERS_MAX)
        return false;
    if (at == s->node_count)
        s->nodes[s->node_count++] = *node;
    memset(s->owner + from, (int)at + 1, to - from + 1);
    return true;
}

/* An empty or unknown host: the one that was asked. */
static bool node_read(struct str host, int64_t port, const struct redis_node *asked,
                      struct redis_node *out)
{
    *out = *asked;
    if (host.len == 0 || str_is(host, "?")) {
        if (asked->port != 0 && port > 0 && port <= 65535)
            out->port = (uint16_t)port; /* a unix socket stays one */
        return true;
    }
    if (host.len >= REDIS_HOST_MAX || port <= 0 || port > 65535)
        return false;
    memcpy(out->host, host.at, host.len);
    out->host[host.len] = '\0';
    out->port = (uint16_t)port;
    return true;
}

bool redis_slots_read(struct redis_slots *s, const struct redisReply *reply,
                      const struct redis_node *asked)
{
    struct redis_slots *found = xcalloc(1, sizeof(*found));
    for (unsigned i = 0; i < redis_count(reply); i++) {
        const struct redisReply *range = redis_at(reply, i), *master = redis_at(range, 2);
        int64_t from = redis_int(redis_at(range, 0)), to = redis_int(redis_at(range, 1));
        struct redis_node node;
        if (redis_count(master) >= 2 && from >= 0 && from <= to && to < REDIS_SLOTS &&
            node_read(redis_text(redis_at(master, 0)), redis_int(redis_at(master, 1)), asked,
                      &node))
            redis_slots_set(found, (unsigned)from, (unsigned)to, &node);
    }
    bool any = found->node_count > 0;
    if (any)
        *s = *found;
    free(found);
    return any;
}

enum redis_redirect redis_redirect_parse(struct str error, const struct redis_node *asked,
                                         uint16_t *slot, struct redis_node *to)
{
    struct str word, number;
    uint64_t n, port = 0;
    if (!str_split(&error, ' ', &word) || !str_split(&error, ' ', &number) ||
        !str_u64(number, REDIS_SLOTS - 1, &n))
        return REDIRECT_NONE;
    bool moved = str_is(word, "MOVED");
    if (!moved && !str_is(word, "ASK"))
        return REDIRECT_NONE;
    size_t cut = error.len;
    while (cut > 0 && error.at[cut - 1] != ':')
        cut--;
    if (cut == 0 || !str_u64(str_skip(error, cut), 65535, &port) ||
        !node_read((struct str){error.at, cut - 1}, (int64_t)port, asked, to))
        return REDIRECT_NONE;
    *slot = (uint16_t)n;
    return moved ? REDIRECT_MOVED : REDIRECT_ASK;
}
