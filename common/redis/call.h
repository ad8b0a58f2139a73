/* common/redis/call.h: one command of common/redis/redis on its way: its bytes, who asked, how far
 * it is. Private to this folder. Owned by whoever's list it is in. */
#ifndef COMMON_REDIS_CALL_H
#define COMMON_REDIS_CALL_H

#include "common/list.h"
#include "common/redis/reply.h"
#include "common/redis/script.h"

struct redis_link;

enum redis_call_own { /* not asked from outside, but by the module itself */
                      CALL_FOREIGN,
                      CALL_WAIT, /* its answer says how many replicas have it */
                      CALL_ASKING,
                      CALL_MAP, /* of a cluster's slots */
                      CALL_INFO,
};

struct redis_call {
    struct list node;
    uint64_t id;
    redis_fn *fn; /* NULL: nobody wants to know */
    void *arg;
    int64_t deadline_ms;
    const struct redis_script *script; /* sent as EVALSHA, or with its source */
    bool with_source;                  /* the way in which it was sent last */
    bool durable;                      /* its answer waits for replicas */
    enum redis_status status;          /* of one that failed */
    struct redisReply *kept;           /* durable: its answer, until the replicas are counted */
    uint16_t slot;                     /* of its first key, for a cluster */
    enum redis_call_own own;
    struct redis_link *via; /* it goes there, this once; NULL: by its slot */
    bool asking;            /* since a cluster said ASK */
    unsigned redirects;
    size_t head_len; /* of EVALSHA: up to and with the hash */
    size_t cost;     /* of memory, while it waits for its answer */
    unsigned argc;
    size_t len;
    char wire[]; /* as it is sent */
};

/* first: up to three words before argv; of a script they are EVALSHA, hash, count. */
struct redis_call *redis_call_new(unsigned first_count, const struct str *first, unsigned argc,
                                  const struct str *argv);
void redis_call_free(struct redis_call *c); /* takes it out of its list; kept must be gone */
/* Nobody is told of it any more. False: it is not in this list. */
bool redis_call_forget(struct list *in, uint64_t id);
/* Appends it as it is sent; with_source: a script's text instead of its hash. */
void redis_call_put(struct redis_call *c, bool with_source, struct buf *out);

#endif
