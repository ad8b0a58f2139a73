/* proto/store/create.h: how a session is made; private to this folder. */
#ifndef PROTO_STORE_CREATE_H
#define PROTO_STORE_CREATE_H

#include "proto/store/call.h"

struct creation {
    struct str title, model, settings;
    uint32_t turns, last_message;
    struct str once, body; /* hashes of its idempotency key, and of what is asked for with it */
    int64_t life_ms;       /* 0: it is listed, and lives as all do */
    uint32_t put;          /* messages that are there already (session/put) */
};
/* The command that makes the call's session and ends the call; (message id, record, flags) of each
 * message that comes with it may be added. */
struct store_command *create_command(struct store_call *c, const struct creation *new);
/* Into its owner's list, before it is made: what is listed and not there is mended, what is not
 * listed would never be found. */
void list_session(struct store_call *c);

#endif
