/* worker/turn/approval.h: what a person was asked in a turn, and said: kept from the load of the
 * turn to the run of its calls.
 *
 * A decision is bound to the call's id and the hash of its tool and arguments: a call runs only as
 * the person saw it. Memory: owned, consent_free. */
#ifndef WORKER_TURN_APPROVAL_H
#define WORKER_TURN_APPROVAL_H

#include <stdbool.h>
#include "proto/record.h"
#include "proto/store/store.h"
#include "worker/tools/tools.h"

struct consent {
    struct consent_entry {
        char *call_id;
        char hash[RECORD_HASH_TEXT + 1];
        enum tool_consent said;
    } * entries;
    unsigned count;
    struct tool_grant *grants; /* of datasources, in this conversation */
    unsigned grant_count;
};
/* With this begin the ids of calls of TOOLS_SOURCE: proto/scripts/turn_decide.lua keeps a yes to
 * them with the session. */
#define CONSENT_SOURCE "datasource_"
/* Replaces what it had. */
void consent_read(struct consent *c, const struct store_decision *decisions, unsigned count);
void consent_free(struct consent *c);
bool consent_asked(const struct consent *c, struct str call_id); /* a call of this id, once */
enum tool_consent consent_for(const struct consent *c, const struct record_call *call);

#endif
