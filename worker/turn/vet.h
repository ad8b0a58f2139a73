/* worker/turn/vet.h: what the person must be asked before the calls of a reply run: calls that
 * change something, and datasources whose server would get their sign-in. All of it is asked at
 * once.
 *
 * A call that could not be done anyway is not asked about: it runs as it is, and fails. Memory:
 * embedded, zeroed; vet_free. */
#ifndef WORKER_TURN_VET_H
#define WORKER_TURN_VET_H

#include <stdint.h>
#include "worker/turn/approval.h"
#include "worker/llm/reply.h"
#include "worker/turn/context.h"

enum { VET_ID_BYTES = 32 };

struct vet;
typedef void vet_fn(void *arg); /* once, later */
struct vet_call {
    struct vet *vet;
    struct tool_run *run;
    bool asks;
    char *source;          /* arguments of TOOLS_SOURCE, or NULL */
    char id[VET_ID_BYTES]; /* of that */
    char *reach;           /* JSON object, or NULL */
};
struct vet {
    const struct record_message *assistant; /* borrowed */
    vet_fn *fn;
    void *arg;
    struct vet_call *calls;
    unsigned count, running;
    struct record_call *asks; /* borrow from the assistant's message and from here */
    struct str *servers;      /* of each, as event_approvals takes it */
    unsigned ask_count;
};
/* True: fn comes. False: the asks are known now. batch: as tool_batch_start takes it. */
struct tool_batch_world;
bool vet_start(struct vet *v, const struct tool_batch_world *w,
               const struct record_message *assistant, vet_fn *fn, void *arg);
void vet_free(struct vet *v); /* fn comes no more */

#endif
