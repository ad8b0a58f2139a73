/* common/redis/link.h: one connection to one Redis server: found, greeted, fed, read in order, and
 * made anew when it breaks. Private to this folder: which calls go to which link, and what becomes
 * of a lost one, is the owner's (redis.c).
 *
 * Durable calls: their answers are kept until a WAIT behind them says how many replicas have what
 * they wrote. One WAIT is under way at a time and speaks for all that were answered before it, so
 * that a burst of them costs one round trip to the replicas. It goes on the same connection: Redis
 * waits for what this connection wrote. */
#ifndef COMMON_REDIS_LINK_H
#define COMMON_REDIS_LINK_H

#include "common/loop.h"
#include "common/redis/call.h"
#include "common/redis/url.h"

struct redis_link_owner {
    /* The server to try next. */
    void (*pick)(void *arg, struct redis_link *l, struct redis_node *out);
    /* The answer of CLUSTER SLOTS, of a link that was made with `asks_slots`; before on_ready. */
    void (*on_slots)(void *arg, struct redis_link *l, const struct redisReply *reply);
    void (*on_ready)(void *arg, struct redis_link *l, bool again); /* again: not the first time */
    void (*on_down)(void *arg, struct redis_link *l); /* its calls have been given back */
    /* Gives a call back: reply NULL: REDIS_LOST. May not free the link. */
    void (*on_answer)(void *arg, struct redis_link *l, struct redis_call *take_call,
                      enum redis_status status, const struct redisReply *reply);
};
struct redis_link_config {
    struct loop *loop;
    const struct redis_url *url; /* borrowed: credentials, database, the master's name */
    bool asks_slots;             /* it may be a cluster: ask */
    int64_t timeout_ms;
    unsigned replicas; /* that a durable call waits for; 0: none */
    const struct redis_link_owner *owner;
    void *arg;
};
struct redis_link *redis_link_new(const struct redis_link_config *c);
void redis_link_free(struct redis_link *l); /* gives its calls back first, as lost */
bool redis_link_ready(const struct redis_link *l);
bool redis_link_takes(const struct redis_link *l);        /* ready, and not about to be left */
bool redis_link_idle(const struct redis_link *l);         /* nothing is under way */
const char *redis_link_where(const struct redis_link *l); /* host:port or path */
const struct redis_node *redis_link_node(const struct redis_link *l);
/* Of a link that takes; goes out with the next flush. */
void redis_link_send(struct redis_link *l, struct redis_call *take_call);
void redis_link_flush(struct redis_link *l);
bool redis_link_forget(struct redis_link *l, uint64_t call);
/* The first deadline of what was sent; INT64_MAX: none. Once it has passed: the link is broken. */
int64_t redis_link_deadline(const struct redis_link *l);
void redis_link_expire(struct redis_link *l, int64_t now_ms);

#endif
