/* proto/store/health.h: is this Redis fit to be the store? Judged by what its INFO says. Pure, but
 * for the log. */
#ifndef PROTO_STORE_HEALTH_H
#define PROTO_STORE_HEALTH_H

#include "common/buf.h"

/* X(name, word of the log, what it means and what to do) */
#define STORE_PROBLEMS(X)                                                                          \
    X(EVICTS, "eviction",                                                                          \
      "it deletes conversations when it is full: set maxmemory-policy noeviction")                 \
    X(FORGETS, "persistence",                                                                      \
      "its append-only file is off, so that its end or crash loses conversations: set "            \
      "appendonly yes")                                                                            \
    X(STUCK, "disk", "it can't write its append-only file: is its disk full?")                     \
    X(OLD, "version", "it is older than version 7, which is needed")                               \
    X(ALONE, "replicas",                                                                           \
      "it has fewer replicas than PERSAI_DURABILITY asks for: until they are there new turns get " \
      "503")
enum store_problem {
#define X(name, word, advice) STORE_##name,
    STORE_PROBLEMS(X)
#undef X
        STORE_PROBLEM_COUNT
};
const char *store_problem_advice(enum store_problem i); /* "it …": of the Redis at where */

/* A set of bits, 1 << problem. replicas: as store_config. */
unsigned store_health(struct str info, unsigned replicas);
/* Logs what is wrong with the Redis at where, each kind once: *told is what was logged already. */
void store_health_log(unsigned *told, const char *where, struct str info, unsigned replicas);

#endif
