/* gateway/api/asking.h: a turn that a door begins: where it looks, whether its person may, its
 * session with the history that the client brings, the turn itself.
 *
 * What goes wrong before the turn has begun is answered in the door's shape. A client that leaves
 * before that has asked for nothing: the turn, should it begin nevertheless, is cancelled. */
#ifndef GATEWAY_API_ASKING_H
#define GATEWAY_API_ASKING_H

#include "gateway/api/call.h"
#include "gateway/turn/turns.h"
#include "proto/record.h"

enum { ASKING_CONTEXT_MAX = 64 << 10 }; /* bytes of a context */

struct asking {
    struct id session;                    /* it is made where it is not there */
    struct str question, model;           /* model: empty: the session's, or the default */
    struct str context;                   /* JSON, or empty */
    struct str path;                      /* of a datasource; empty: as asking_begin finds it */
    const struct record_message *history; /* of a session that is made */
    unsigned history_count;
    /* The turn runs this one tool, without a model; or empty. */
    struct str tool_name, tool_arguments;
    /* The turn can't begin: true: it answers c itself. NULL: it is answered with the error. */
    bool (*refused)(struct call *c, enum err err);
    bool unlisted; /* in no list, and gone after PERSAI_EVENTS_KEEP */
};
/* begun(c, t): the turn runs, c is still to be answered, and c->turn and c->session are set. All
 * of a is copied. Without a path: of the header X-PersAI-Datasource, else of the key's row, else
 * the default Prometheus datasource of Perses that its person may read. */
void asking_begin(struct call *c, const struct asking *a,
                  void (*begun)(struct call *c, struct turn *t));
/* Nobody waits for this turn any more. */
void asking_cancel(struct gateway *g, struct str owner, struct id session, struct id turn);

#endif
