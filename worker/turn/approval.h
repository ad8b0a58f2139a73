/* worker/turn/approval.h: what a person was asked in a turn, and said: kept from the load of the
 * turn to the run of its calls.
 *
 * A decision is bound to the call's id and the hash of its tool and arguments: a call runs only as
 * the person saw it. Memory: owned, approval_free. */
#ifndef WORKER_TURN_APPROVAL_H
#define WORKER_TURN_APPROVAL_H

#include <stdbool.h>
#include "proto/record.h"
#include "proto/store/answer.h"
#include "worker/tools/tools.h"

struct approval {
    struct approval_entry {
        char *call_id;
        char hash[RECORD_HASH_TEXT + 1];
        enum tool_approval said;
    } * entries;
    unsigned count;
    struct tool_grant *grants; /* of datasources, in this conversation */
    unsigned grant_count;
};
/* With this begin the ids of calls of TOOLS_SOURCE: proto/store/scripts/turn/decide.lua keeps a yes
 * to them with the session. */
#define APPROVAL_SOURCE "datasource_"
/* Replaces what it had. */
void approval_read(struct approval *c, const struct store_decision *decisions, unsigned count);
void approval_free(struct approval *c);
bool approval_asked(const struct approval *c, struct str call_id); /* a call of this id, once */
enum tool_approval approval_for(const struct approval *c, const struct record_call *call);

#endif
