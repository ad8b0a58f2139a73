/* common/redis/reply.h: how a command ended, and what Redis answered. */
#ifndef COMMON_REDIS_REPLY_H
#define COMMON_REDIS_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

struct redisReply; /* opaque: read it by the accessors below */

enum redis_status {
    /* Reply holds the answer. */
    REDIS_OK,
    /* Done, and reply holds the answer, but fewer than config.replicas replicas have it so far:
     * send it again. */
    REDIS_UNREPLICATED,
    /* Redis answered with an error: reply's text; "OOM", "LOADING", "READONLY", "MISCONF",
     * "CLUSTERDOWN" at its start matter. */
    REDIS_ERROR,
    /* No answer: connection away or broken, or timed out. */
    REDIS_LOST,
    /* Not sent: the queue is full. */
    REDIS_FULL,
};
typedef void redis_fn(void *arg, enum redis_status status, const struct redisReply *reply);

/* Reading replies; a wrong type reads as empty, 0, NULL: answers are data from outside as well. */
struct str redis_text(const struct redisReply *p); /* strings, status, error */
int64_t redis_int(const struct redisReply *p);     /* integers and strings of digits */
unsigned redis_count(const struct redisReply *p);  /* arrays */
const struct redisReply *redis_at(const struct redisReply *p, unsigned i);

/* One reply in Redis's protocol (RESP2), as a server sends it. NULL: it is none, cut off, or nested
 * deeper than hiredis reads. The caller frees it. */
struct redisReply *redis_reply_read(struct str bytes);
void redis_reply_free(struct redisReply *p); /* NULL is fine */

#endif
