/* proto/store/store.h: Redis as typed operations. The operations stand in session.h, list.h,
 * owner.h, turn.h, active.h, events.h and quota.h, what they answer in answer.h. Keys are spelled
 * in key.h; every change is one script of proto/store/scripts/.
 *
 * Durability: scripts that are marked "-- Durable." answer only once store_config.replicas replicas
 * have what they wrote; what can't be replicated in time is ERR_STORE_UNAVAILABLE, and sent again
 * by who can wait (a seal). Who reads a session's messages or events waits for the replicas of all
 * that it would see. replicas 0: the level `local`.
 *
 * Redis 7 or later: scripts that only end what runs may pass maxmemory (allow-oom).
 */
#ifndef PROTO_STORE_STORE_H
#define PROTO_STORE_STORE_H

#include "common/loop.h"
#include "common/redis/redis.h"
#include "proto/store/config.h"

struct store;
struct store *store_new(struct loop *l, struct redis *borrowed, const struct store_config *c);
void store_free(struct store *s); /* forgets all calls */
bool store_ready(const struct store *s);
/* Nothing waits for an answer, not of its own doing either */
bool store_idle(const struct store *s);
void store_forget(struct store *s, uint64_t call); /* 0 is fine */

#endif
