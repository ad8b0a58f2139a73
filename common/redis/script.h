/* common/redis/script.h: a script that Redis knows by the SHA-1 of its source: sent as EVALSHA, and
 * as EVAL once when Redis doesn't know it. */
#ifndef COMMON_REDIS_SCRIPT_H
#define COMMON_REDIS_SCRIPT_H

#include <stdbool.h>

struct redis_script {
    const char *name, *source;
    const char *sha; /* of the source: 40 hexadecimal digits */
    bool durable;    /* its answer waits for redis_config.replicas */
};

#endif
