/* common/redis/url.h: where Redis is, parsed from its URL (the forms are in common/redis/redis.h).
 */
#ifndef COMMON_REDIS_URL_H
#define COMMON_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/secret.h"

enum { REDIS_NODES_MAX = 16, REDIS_HOST_MAX = 256 };

struct redis_node {
    char host[REDIS_HOST_MAX]; /* or the path of a unix socket */
    uint16_t port;             /* 0: host is a path */
};
struct redis_url {
    struct redis_node nodes[REDIS_NODES_MAX];
    unsigned node_count;
    bool sentinel; /* the nodes are sentinels, which know where `master` is */
    char master[128];
    char user[128]; /* "": none */
    struct secret *password;
    unsigned db;
    bool tls;     /* rediss:// */
    char ca[512]; /* ?ca=FILE: the authorities that its certificate may be of; "": the system's */
};
/* False: error says what is wrong, without the password. */
bool redis_url_parse(const char *text, struct redis_url *out, char error[256]);
void redis_url_free(struct redis_url *u);

#endif
