/* proto/store/config.h: what the store may hold, and how surely. */
#ifndef PROTO_STORE_CONFIG_H
#define PROTO_STORE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct store_config {
    int64_t lease_ms;           /* how long a holder may be silent; 10 s */
    int64_t events_keep_ms;     /* how long a stream lives after its end; 1 h */
    int64_t session_keep_ms;    /* from its last update until a session expires; 0: never */
    uint32_t messages_max;      /* of a session; 4000 */
    uint64_t session_bytes_max; /* of a session's messages: ERR_SESSION_FULL; 0: 32 MiB */
    uint32_t user_sessions_max; /* of one owner: ERR_TOO_MANY_SESSIONS; 0: not limited */
    uint64_t user_bytes_max; /* of all that one owner keeps: ERR_QUOTA_EXCEEDED; 0: not limited */
    uint32_t text_bytes_max; /* titles and settings: bounded by the caller; this is a last guard */
    unsigned replicas;       /* as redis_config.replicas */
};
/* PERSAI_DURABILITY: "local": 0; "replicated:N": N from 1 to 16. False: neither;
 * STORE_DURABILITY_HELP says what it must be. */
#define STORE_DURABILITY_HELP "must be local, or replicated:N with N from 1 to 16"
bool store_durability_parse(const char *text, unsigned *replicas);

#endif
