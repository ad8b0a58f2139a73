/* worker/reply.h: a model's reply while it is being written: text, reasoning, tool calls, usage,
 * stop reason. The providers' formats (llm_*.c) fill it; it is bounded, and told on as it grows.
 *
 * Memory: embedded; reply_free. */
#ifndef WORKER_REPLY_H
#define WORKER_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "proto/err.h"
#include "proto/record.h"

enum { REPLY_CALLS_MAX = 16, REPLY_DETAIL_MAX = 320, REPLY_STATE_MAX = 256 << 10 };

struct reply_call {
    char *call_id, *tool_name; /* NULL: not known yet */
    struct buf arguments;      /* JSON text so far */
    int64_t index;             /* as the provider counts; -1: it does not */
};
struct reply_handler { /* as it grows; any may be NULL */
    void (*on_text)(void *arg, struct str text);
    void (*on_reasoning)(void *arg, struct str text);
    void (*on_call)(void *arg, const struct reply_call *call);
};
struct reply {
    struct buf content, reasoning;
    /* JSON, only the same model's to read: what it wants back with this reply (signed thoughts).
     * Overflowed: none. */
    struct buf state;
    struct buf scratch;   /* of the format: a text without its escapes */
    struct buf signature; /* of the format: of the thoughts being read, so far */
    size_t block_from;    /* of the format: where the block being read begins in reasoning */
    struct reply_call *calls;
    unsigned call_count;
    char stop_reason[32]; /* stop, length, tool_calls, content_filter; or the provider's own */
    bool stopped;         /* the provider gave a reason to stop */
    bool ended;           /* the provider said that nothing follows */
    bool began;           /* something of it was told on */
    bool usage_known;
    uint64_t input_tokens, output_tokens; /* all of the prompt; thoughts count as output */
    uint64_t cached_tokens;               /* of the input tokens: read from the provider's cache */
    char detail[REPLY_DETAIL_MAX];        /* of an error: a sentence */
    bool again;                           /* of an error: another try may help */
    uint64_t bytes, bytes_max;
    const struct reply_handler *handler;
    void *arg;
};

void reply_init(struct reply *r, uint64_t bytes_max, const struct reply_handler *h, void *arg);
void reply_free(struct reply *r);

/* Facts, by the formats. ERR_OUTPUT_LIMIT: over bytes_max. ERR_MODEL_BROKEN: over REPLY_CALLS_MAX.
 */
enum err reply_text(struct reply *r, struct str text) warn_unused;
enum err reply_reasoning(struct reply *r, struct str text) warn_unused;
/* A piece of a tool call: found by index (≥ 0), else by id, else it belongs to the last one. The
 * same index with another id begins another call. Empty slices: not in this piece. */
enum err reply_call(struct reply *r, int64_t index, struct str call_id, struct str tool_name,
                    struct str arguments) warn_unused;
void reply_stop(struct reply *r, struct str reason);
void reply_usage(struct reply *r, uint64_t input_tokens, uint64_t output_tokens,
                 uint64_t cached_tokens);
/* err with a sentence for people; printf's way. Returns err. */
enum err reply_fail(struct reply *r, enum err err, bool again, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The provider refused: an HTTP status and its words as one of our errors. Texts about keys are not
 * repeated to people: they may hold parts of them. */
enum err reply_refused(struct reply *r, int http_status, struct str code, struct str message);
/* The stream is over: is it a whole reply? Gives calls without an id one (call_STEP_N), drops those
 * without a name. ERR_MODEL_BROKEN when it was cut off or holds nothing. */
enum err reply_end(struct reply *r, uint32_t step) warn_unused;
/* As a message of the conversation, without turn, step, model and usage; borrowed from the reply.
 * calls: room for call_count of its calls. */
struct record_message reply_message(const struct reply *r, struct record_call *calls,
                                    unsigned call_count);
/* Another model may be asked instead: nothing was told on, and it is this one that failed. */
bool reply_other_may(const struct reply *r, enum err err);

#endif
