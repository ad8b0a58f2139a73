/* common/redis/slots.h: which node of a Redis Cluster has a key. Pure: no socket, no clock. */
#ifndef COMMON_REDIS_SLOTS_H
#define COMMON_REDIS_SLOTS_H

#include "common/redis/reply.h"
#include "common/redis/url.h"

enum { REDIS_SLOTS = 16384, REDIS_MASTERS_MAX = 64 };

/* CRC16 of the key, or of what stands between its first { and the next }, if that is not empty. */
uint16_t redis_slot(struct str key);

struct redis_slots {
    struct redis_node nodes[REDIS_MASTERS_MAX]; /* with at least one slot, once each */
    unsigned node_count;
    uint8_t owner[REDIS_SLOTS]; /* 1 + index in nodes; 0: nobody's */
};
const struct redis_node *redis_slots_owner(const struct redis_slots *s, uint16_t slot); /* NULL */
bool redis_slots_has(const struct redis_slots *s, const struct redis_node *node);
/* Slots from..to are node's. False: there are too many nodes. */
bool redis_slots_set(struct redis_slots *s, unsigned from, unsigned to,
                     const struct redis_node *node);
/* The answer of CLUSTER SLOTS instead of what s was; asked: who gave it, the address of a node
 * without one. False, s as it was: no such answer, or no slot is anybody's. */
bool redis_slots_read(struct redis_slots *s, const struct redisReply *reply,
                      const struct redis_node *asked);

enum redis_redirect {
    REDIRECT_NONE,  /* an error of another kind */
    REDIRECT_MOVED, /* for good */
    REDIRECT_ASK,   /* this once: the slot is on its way */
};
/* "MOVED 3999 127.0.0.1:6381", "ASK …"; asked: as above. */
enum redis_redirect redis_redirect_parse(struct str error, const struct redis_node *asked,
                                         uint16_t *slot, struct redis_node *to);

bool redis_node_eq(const struct redis_node *a, const struct redis_node *b);

#endif
