/* worker/llm/reply.h: a model's reply while it is being written: text, reasoning, tool calls,
 * usage, stop reason. The providers' formats (chat.c, messages.c …) fill it; it is bounded, and
 * told on as it grows.
 *
 * Memory: embedded; reply_free. */
#ifndef WORKER_LLM_REPLY_H
#define WORKER_LLM_REPLY_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "proto/err.h"
#include "proto/record.h"
#include "worker/llm/errors.h"
#include "worker/llm/mask.h"
#include "worker/llm/ragged.h"
#include "worker/llm/textcall.h"
#include "worker/llm/think.h"

enum {
    REPLY_CALLS_MAX = 16,
    REPLY_DETAIL_MAX = 320,
    REPLY_STATE_MAX = 256 << 10,
    REPLY_ERROR_MAX = 1024, /* of a provider's words, for learned.h */
    REPLY_TOOL_NAMES_MAX = 64 << 10,
    REPLY_SHOWN_MAX = 16 << 20, /* a word is shorter than its value */
};

struct reply_call {
    char *call_id;        /* once it was told on it stays; NULL: not known yet */
    char *other_id;       /* as the provider calls it since, or NULL */
    char *tool_name;      /* NULL: not known yet */
    struct buf arguments; /* JSON text so far */
    int64_t index;        /* as the provider counts; -1: it does not */
    bool told;
    struct ragged half; /* of the arguments */
};
struct reply_handler { /* as it grows; any may be NULL */
    void (*on_text)(void *arg, struct str text);
    void (*on_reasoning)(void *arg, struct str text);
    void (*on_call)(void *arg, const struct reply_call *call); /* its id and name are known */
};
/* What is needed while an event is read: one for all replies of a process, which may be thousands
 * that wait for their next event. */
struct reply_room {
    struct buf scratch; /* of the format: a text without its escapes */
    struct buf joined;  /* a text whose characters came in halves */
    struct buf shown;   /* of a text: with its words put back */
};
void reply_room_init(struct reply_room *room, uint64_t bytes_max); /* as its replies have it */
void reply_room_free(struct reply_room *room);
struct reply {
    struct buf content, reasoning;
    /* JSON, only the same model's to read: what it wants back with this reply (signed thoughts).
     * Overflowed: none. */
    struct buf state;
    /* Of the Chat format: thoughts that go back on this message; reply_end makes state of them. */
    json_t *thoughts;
    const char *thoughts_field; /* of the message, which had the reasoning; or NULL */
    size_t thoughts_bytes;
    struct reply_room *room, *own_room; /* own: where no other was lent. NULL: none yet */
    struct ragged text_half, reasoning_half;
    bool marked;    /* texts of the event that is being read may hold marks: see ragged.h */
    bool had_marks; /* those of one before did */
    struct think think;
    bool thinks_first;     /* think.opened, of the next try as well */
    bool learns;           /* what fails for it not being so is known to be so the next time */
    struct buf tool_names; /* that the model was told of: "\nNAME\nNAME\n"; empty: not known */
    uint32_t step;         /* for ids of calls that come without */
    struct buf signature;  /* of the format: of the thoughts being read, so far */
    bool block_thinks, block_signed; /* of the format: the block being read is a thought; it has a
                                        signature, if an empty one */
    bool others_input;  /* of the format: the block being read is a call that is not ours to run */
    size_t block_from;  /* of the format: where the block being read begins in reasoning */
    uint64_t text_came; /* bytes that were read as text */
    uint64_t item_from; /* of the format: what of it came before the item being read */
    bool apart;         /* a new paragraph begins with the next text */
    struct reply_call *calls;
    unsigned call_count;
    char stop_reason[32]; /* stop, length, tool_calls, content_filter; or the provider's own */
    bool stopped;         /* the provider gave a reason to stop */
    bool ended;           /* the provider said that nothing follows */
    bool began;           /* something of it was told on */
    bool input_known, output_known;       /* the provider counted them */
    uint64_t input_tokens, output_tokens; /* all of the prompt; thoughts count as output */
    uint64_t cached_tokens;               /* of the input tokens: read from the provider's cache */
    char *detail;                         /* of an error: reply_detail */
    bool again;                           /* of an error: another try may help */
    struct llm_error refusal;             /* of a provider's error: what it means */
    int refused_status;                   /* of an error: what it is as an HTTP status, or 0 */
    char *refused_words;     /* of an error: what the provider wrote, cut off; NULL: none came */
    char refused_till[32];   /* of an error: a header that stood in it (wait.h) */
    const struct mask *mask; /* whose words are put back, or NULL; borrowed */
    struct unmask text_words, reasoning_words;
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
/* A piece of a tool call; empty slices: not in this piece. Which call it is of: see reply_calls.c.
 */
enum err reply_call(struct reply *r, int64_t index, struct str call_id, struct str tool_name,
                    struct str arguments) warn_unused;
/* False: thoughts are too large to be kept with this as well, and none is. */
bool reply_room(struct reply *r, const json_t *thought);
/* To state: JSON of an event, whole. */
void reply_keep(struct reply *r, const json_t *v);
/* For all of its events; it stays the caller's. */
void reply_lend(struct reply *r, struct reply_room *room);
struct buf *reply_scratch(struct reply *r);
void reply_know_tool(struct reply *r, const char *tool_name);
/* The template opens the thoughts: see think.h. */
void reply_thinks_first(struct reply *r);
void reply_stop(struct reply *r, struct str reason);
/* What is 0 the provider did not count: it is as it said before. */
void reply_usage(struct reply *r, uint64_t input_tokens, uint64_t output_tokens,
                 uint64_t cached_tokens);
/* err with a sentence for people; printf's way. Returns err. */
enum err reply_fail(struct reply *r, enum err err, bool again, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
const char *reply_detail(const struct reply *r); /* the sentence; "": there was no error */
/* Of its sentence: a provider says what is wrong with a request by our words. At last: logs have
 * them. */
void reply_show_detail(struct reply *r, const struct mask *mask);
/* The provider refused: an HTTP status and its words as one of our errors. Texts about keys are not
 * repeated to people: they may hold parts of them. */
enum err reply_refused(struct reply *r, int http_status, struct str code, struct str message);
/* The server redirects: nothing is sent there, since the key is for the address that was set. */
enum err reply_moved(struct reply *r, int http_status, struct str to);
/* Another try begins: nothing of this one was told on. */
void reply_again(struct reply *r);
/* The stream is over: is it a whole reply? Gives calls without an id one (call_STEP_N).
 * ERR_MODEL_BROKEN when it was cut off or holds nothing. */
enum err reply_end(struct reply *r, uint32_t step) warn_unused;
/* Of a whole reply: what stands behind its first `said` bytes was no text, but these calls. */
enum err reply_called(struct reply *r, const struct textcalls *c) warn_unused;
/* As a message of the conversation, without turn, step, model and usage; borrowed from the reply.
 * calls: room for call_count of its calls. */
struct record_message reply_message(const struct reply *r, struct record_call *calls,
                                    unsigned call_count);
/* Another model may be asked instead: nothing was told on, and it is this one that failed. */
bool reply_other_may(const struct reply *r, enum err err);

/* Did who serves the model answer, be it that this one request gets no answer? Else it may be away
 * for everybody. */
bool reply_came(const struct reply *r, enum err err);

/* ---- reply_calls.c, for reply.c ---- */
void reply_calls_free(struct reply *r);
void reply_calls_end(struct reply *r);
enum err reply_take(struct reply *r, size_t bytes) warn_unused; /* counts them */
/* Whole characters of text, borrowed until the next call. */
struct str reply_join(struct reply *r, struct ragged *half, struct str text);

#endif
