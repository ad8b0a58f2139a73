/* proto/event.h: payloads of the events of events.def: one line of JSON,
 * {"event":{"payload":{"event_type":…}}}.
 *
 * Written once, in the worker (turn_start and errors of lost turns in the gateway); everybody else
 * only forwards the bytes. All slices may hold any bytes: they are escaped, and what is no UTF-8
 * becomes U+FFFD. False: the buf is over its bound. */
#ifndef PROTO_EVENT_H
#define PROTO_EVENT_H

#include <stdint.h>
#include "common/buf.h"
#include "proto/err.h"
#include "proto/id.h"
#include "proto/record.h"

enum event_name {
#define EVENT(name, final, text, fields) EVENT_##name,
#include "proto/events.def"
#undef EVENT
    EVENT_COUNT
};
bool event_is_final(enum event_name e);
bool event_is(struct str payload, enum event_name e); /* of a payload that was written here */
const char *event_text_name(enum event_name e);

/* Where an event stands in a turn's stream: `id: EPOCH-SEQ`. */
struct event_at {
    uint32_t epoch, seq;
};
int event_at_cmp(struct event_at a, struct event_at b);
/* What is past every event has a greater epoch and seq: it must not come from outside. */
#define EVENT_AT_MAX (UINT32_MAX - 1)
bool event_at_parse(struct str text, struct event_at *out); /* "3-120"; false on anything else */

enum step_type { STEP_INFERENCE, STEP_TOOL_EXECUTION };

/* Where a turn is, as the beginning of an event's payload tells; the rest is not looked at. */
enum event_moment {
    MOMENT_NONE,   /* this event does not tell */
    MOMENT_MODEL,  /* the model is asked */
    MOMENT_TOOL,   /* a tool runs, or is about to */
    MOMENT_REPLY,  /* a step of the model is stored; its calls run */
    MOMENT_PASSED, /* a step of tools is stored */
};
bool event_awaits(struct str payload); /* turn_awaiting_input: more may come behind it */
enum event_moment event_moment(struct str payload);

bool event_turn_start(struct buf *b, struct id turn, struct id session);
bool event_step_start(struct buf *b, enum step_type type, struct str step_id, uint32_t attempt);
bool event_progress_text(struct buf *b, struct str step_id, struct str text);
bool event_progress_reasoning(struct buf *b, struct str step_id, struct str text);
/* What happens beside the answer: a sentence for the person. */
bool event_progress_notice(struct buf *b, struct str step_id, struct str text);
/* The same of what was looked up for the model; detail: the text that it is given. */
bool event_progress_looked_up(struct buf *b, struct str step_id, struct str text,
                              struct str detail);
/* A tool call while it is written (inference) or while it runs (tool_execution; state:
 * running|done|failed). */
bool event_progress_tool_call(struct buf *b, enum step_type type, struct str step_id,
                              struct str call_id, struct str tool_name, struct str arguments_so_far,
                              const char *state);
bool event_inference_complete(struct buf *b, struct str step_id,
                              const struct record_message *assistant);
bool event_tools_complete(struct buf *b, struct str step_id, const struct record_message *assistant,
                          const struct record_message *tool);
bool event_turn_complete(struct buf *b, struct id turn, const struct record_message *assistant,
                         const struct usage *usage);
/* The calls that wait for the person's decision, as an array: {call_id, tool_name, arguments,
 * arguments_hash, expires_at}. expires_ms: Unix time. */
/* servers: of each ask the JSON object that says whose server it goes to, or empty; NULL: all are.
 */
bool event_approvals(struct buf *b, const struct record_call *asks, const struct str *servers,
                     unsigned count, int64_t expires_ms);
/* asks: what event_approvals wrote. */
bool event_turn_awaiting(struct buf *b, struct id turn, const struct record_message *assistant,
                         struct str asks, const struct usage *usage);
bool event_turn_cancelled(struct buf *b, struct id turn);
bool event_error(struct buf *b, enum err e,
                 const char *message); /* message NULL: the table's sentence */

/* One server-sent event: "id: E-S\ndata: PAYLOAD\n\n". */
bool event_sse(struct buf *b, struct event_at at, struct str payload);

#endif
