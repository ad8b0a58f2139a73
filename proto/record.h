/* proto/record.h: what outlives a process: msgpack records in Redis. Decoders are bounded and
 * accept what an older or newer version wrote: records are maps with short string keys, unknown
 * keys are skipped, missing ones read as empty.
 *
 * Decoded records borrow from the bytes they were read from; their arrays are owned: record_*_free.
 */
#ifndef PROTO_RECORD_H
#define PROTO_RECORD_H

#include <stdint.h>
#include "common/buf.h"
#include "proto/err.h"
#include "proto/id.h"
#include "proto/usage.h"

enum message_role { ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL };
const char *role_word(enum message_role r);

struct record_call { /* a tool call that the model asked for */
    struct str call_id, tool_name;
    struct str arguments; /* JSON text, as the model wrote it */
};
struct record_response { /* what a tool answered */
    struct str call_id, tool_name;
    struct str content; /* JSON text or plain text, as the model sees it */
    uint32_t failed;    /* 1: content is an error for the model */
    uint32_t duration_ms;
    struct str datasource; /* the path it used, or empty */
};

/* One message of a conversation. Which fields mean something depends on role:
 *   user: content, context; assistant: content, reasoning, state, calls, stop_reason, model,
 * usage; tool: responses. */
struct record_message {
    enum message_role role;
    struct id turn;
    uint32_t step; /* index of the step in its turn, 0 for the user's message */
    int64_t at_ms; /* Unix time */
    struct str content, reasoning, context, stop_reason, model;
    struct str state; /* JSON that only this model's provider reads: it wants it back (signed
                         thoughts); or empty */
    struct str maker; /* names the model, its API and its place: whose state that is; or empty */
    struct usage usage;
    struct record_call *calls;
    unsigned call_count;
    struct record_response *responses;
    unsigned response_count;
};
enum { RECORD_CALLS_MAX = 64, RECORD_BYTES_MAX = 4 << 20 };

bool record_message_encode(const struct record_message *m, struct buf *b);
enum err record_message_decode(struct str bytes,
                               struct record_message *out) warn_unused; /* ERR_BAD_FRAME */
void record_message_free(struct record_message *m);
/* A copy that is freed as a decoded one is: its texts lie in *bytes, which is cleared first and
 * must stay as it is. False: they are more than *bytes may hold; *out is empty. */
bool record_message_copy(const struct record_message *m, struct buf *bytes,
                         struct record_message *out) warn_unused;

/* Writes a call's arguments for clients: the object, compact, where they are one; else the text as
 * a JSON string. */
void record_arguments_json(struct buf *b, struct str arguments);

/* What a person's decision is bound to: the tool and its arguments, byte by byte. */
enum { RECORD_HASH_TEXT = 32 };
void record_hash(struct str a, struct str b, char out[RECORD_HASH_TEXT + 1]); /* a has no NUL */
void record_call_hash(const struct record_call *c, char out[RECORD_HASH_TEXT + 1]);

/* What a worker needs to run a turn, beside the conversation. */
struct record_request {
    struct str owner;           /* user name, for logs */
    struct str datasource_path; /* the default one, checked by path_parse */
    struct str context;         /* JSON object of the turn's body, or empty */
    struct str model;           /* asked for by the turn or session, or empty */
    struct str quota_id;        /* an id's bytes: its place among its owner's turns (quota.h) */
    /* What a program orders instead of asking a model: one tool call, and the turn ends with its
     * result. Empty: a model is asked. arguments: JSON. */
    struct str tool_name, arguments;
    struct str traceparent; /* the span that the worker's are children of, or empty: not traced */
};
bool record_request_encode(const struct record_request *r, struct buf *b);
enum err record_request_decode(struct str bytes, struct record_request *out) warn_unused;

/* A batch of events, as one entry of a turn's Redis Stream (and as what travels with a seal). An
 * event is written whole, or as what makes it differ from the last whole one of its batch: the JSON
 * of two tokens is the same but for the tokens (170 bytes are 15 so). */
struct record_event {
    uint32_t seq;
    uint32_t final;
    struct str payload;
};
struct record_base { /* zeroed with an empty batch: where its last whole payload is */
    size_t at, len;
};
/* Appends it. base: of this batch, whose events were all added with it; NULL: whole. */
bool record_event_add(struct buf *b, struct record_base *base, uint32_t seq, uint32_t final,
                      struct str payload);

struct record_events { /* reads a batch; borrows it */
    struct str rest, base;
    struct buf whole; /* the last event's payload, where it was not written whole */
};
void record_events_init(struct record_events *r, struct str batch);
void record_events_free(struct record_events *r);
bool record_events_more(const struct record_events *r);
/* The next one; its payload is valid until the next call. */
enum err record_events_next(struct record_events *r, struct record_event *out) warn_unused;
/* The seq of a batch's first event; 0: it can't be read. */
uint32_t record_events_first(struct str batch);

#endif
