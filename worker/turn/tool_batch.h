/* worker/turn/tool_batch.h: the tool calls of one step: run in parallel, their results gathered.
 *
 * A call whose token Perses refused waits for a fresh one and is run once more. Memory: embedded;
 * tool_batch_free stops what runs. The assistant's message is borrowed as long as the batch lives.
 */
#ifndef WORKER_TURN_TOOL_BATCH_H
#define WORKER_TURN_TOOL_BATCH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/secret.h"
#include "proto/record.h"
#include "worker/turn/approval.h"
#include "worker/turn/context.h"
#include "worker/tools/tools.h"

#define TOOL_BATCH_ORDERED "call_ordered" /* the call_id of one that a program has ordered */

struct tool_batch_handler {
    /* The index'th call has its result. */
    void (*on_result)(void *arg, unsigned index);
    /* A call was refused for its token; tool_batch_token is awaited. Once a call: what a fresh
     * token is refused as well is the datasource's own 401, which Perses passes on. */
    void (*on_refused)(void *arg);
};
enum tool_batch_call_state { TOOL_BATCH_RUNNING, TOOL_BATCH_REFUSED, TOOL_BATCH_ANSWERED };
struct tool_batch_call {
    struct tool_batch *batch;
    unsigned index;
    enum tool_batch_call_state state;
    unsigned tries;
    bool invalid; /* the call itself was why it failed */
    struct tool_run *run;
    char *content, *datasource;
    size_t content_len;
    /* of ANSWERED; borrows the above and the assistant's message */
    struct record_response response;
};
/* What all calls of a reply have in common. Borrowed. */
struct tool_batch_world {
    struct tools *tools;
    struct id session, turn;
    struct str owner;
    const struct turn_context *context;
    const struct approval *approval;
    struct secret *token; /* NULL: authentication is off */
    int64_t now_ms;       /* Unix time: what "now" means to the whole batch */
    struct str offered;   /* as a tool_call has it */
    /* Did this very call fail before? NULL: nobody knows. */
    bool (*failed_before)(void *arg, const struct record_call *call);
    void *arg;
    struct trace_point trace;
};
/* datasources: room for the context's paths, as long as the call. */
struct tool_call tool_batch_tool_call(const struct tool_batch_world *w,
                                      const struct record_call *call,
                                      struct str datasources[TURN_CONTEXT_DATASOURCES_MAX]);
struct tool_batch {
    struct tool_batch_world world; /* the owner's name and a share of the token are its own */
    const struct tool_batch_handler *handler;
    void *arg;
    const struct record_message *assistant;
    struct tool_batch_call *calls;
    unsigned count;
};
/* Never calls back from inside. */
void tool_batch_start(struct tool_batch *r, const struct tool_batch_world *world,
                      const struct tool_batch_handler *h, void *arg,
                      const struct record_message *assistant);
void tool_batch_token(struct tool_batch *r, struct secret *token);
/* All calls are answered: fills *responses (owned by the caller: free), borrowing from the batch.
 */
void tool_batch_responses(const struct tool_batch *r, struct record_response **responses,
                          unsigned *count);
void tool_batch_free(struct tool_batch *r);

#endif
