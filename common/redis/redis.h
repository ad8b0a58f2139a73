/* common/redis/redis.h: Redis on the loop: pipelined, reconnecting, scripts by hash; one server,
 * the master that a Sentinel names, or a Cluster (found out by asking). Only this folder knows
 * hiredis (its protocol reader; sockets, queues and reconnecting are our own, see link.h).
 *
 * A command cannot be cancelled: it is known by a call id, and redis_forget(id) makes its answer go
 * nowhere. While the connection is away commands wait up to their timeout; all that are not
 * answered yet count for queue_bytes_max; a command that was sent and whose connection broke is
 * answered REDIS_LOST (it may have been done or not): every script is safe to send again. The
 * three-phase loop flushes once a pass; answers come in the read phase.
 *
 * In a Cluster a command goes to the node that has its first key (a script's first key, the word
 * behind a command's name); commands of one slot keep their order, others need not. MOVED and ASK
 * are followed, the map of slots is read again when a node is gone or says that it is old. */
#ifndef COMMON_REDIS_REDIS_H
#define COMMON_REDIS_REDIS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/loop.h"
#include "common/redis/reply.h"
#include "common/redis/script.h"
#include "common/secret.h"

struct redis;

struct redis_config {
    /* redis://[user:password@]host[:port][/db]; rediss://…[?ca=FILE] over TLS;
     * unix:///path[?db=N], or a comma-separated list of nodes: of a Cluster, or one of which is a
     * master; sentinel://[user:password@]host:port,…/name[/db] */
    const char *url;
    int64_t timeout_ms; /* longest wait for an answer, then REDIS_LOST; default 5 s */
    uint64_t queue_bytes_max;
    /* replicas that must have what is durable before it is REDIS_OK; 0: none */
    unsigned replicas;
    /* A server was connected to: what it says in INFO. NULL: nobody wants to know. */
    void (*on_server)(void *arg, const char *where, struct str info);
    void *arg;
};
/* NULL and a sentence in error (256 bytes) when url can't be understood. Connects by itself and
 * goes on trying. */
struct redis *redis_new(struct loop *l, const struct redis_config *c, char error[256]);
void redis_free(struct redis *r); /* answers all calls REDIS_LOST first */
bool redis_ready(const struct redis *r);
const char *redis_where(const struct redis *r); /* host:port or path, without secrets */

/* argv of length-counted bytes. Returns a call id > 0; the callback always comes later, never from
 * inside. fn may be NULL. */
uint64_t redis_command(struct redis *r, redis_fn *fn, void *arg, unsigned argc,
                       const struct str *argv);

uint64_t redis_eval(struct redis *r, const struct redis_script *s, redis_fn *fn, void *arg,
                    unsigned keys, unsigned argc,
                    const struct str *argv); /* argv: the keys first */
void redis_forget(struct redis *r, uint64_t call);

struct redis_stats {
    uint64_t commands, errors, lost, reconnects;
    uint64_t redirects;    /* MOVED and ASK that were followed */
    uint64_t unreplicated; /* durable calls that too few replicas had in time */
    uint64_t waiting;      /* sent or queued, not answered */
};
void redis_stats_get(const struct redis *r, struct redis_stats *out);

#endif
