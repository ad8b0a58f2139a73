/* gateway/api/audit.h: the audit's lines of requests: each that a signed-in person, a program or
 * the webhook sends is an act, and so is each decision on a tool call.
 *
 *     {"at", "program": "gateway", "act": the operation's name, "user", "account", "door", "key",
 *      "session_id", "turn_id", "datasource", "status", "outcome": "ok" or the error's word}
 *
 * Of what is refused only some lines of one sender are written, 100 at once and one a second; its
 * next one says how many were left out. What was done always has its line. */
#ifndef GATEWAY_API_AUDIT_H
#define GATEWAY_API_AUDIT_H

#include <jansson.h>
#include "proto/err.h"
#include "proto/id.h"

struct audit_request {
    const char *act; /* NULL: it is none */
    struct str owner;
    const char *door, *key;
    struct id session, turn;
    struct str datasource;
    unsigned status; /* with which it is answered; 0: its client left before */
    enum err err;
};
void audit_request(const struct audit_request *r);
/* An alert whose investigation was begun, or not. */
void audit_alert(struct str owner, const char *key, struct id session, struct id turn,
                 struct str datasource, enum err err);
/* A turn that ended with an error, and no worker ended it. */
void audit_turn_given_up(struct str owner, struct id session, struct id turn, enum err why);
/* What a person decided on tool calls. */
void audit_decisions(struct str owner, struct id session, struct id turn, const char *door,
                     const char *key, const json_t *decisions, enum err err);

#endif
