/* worker/llm/prompt.h: history + context → what a model is sent, fitted to its window. Knows no
 * provider's format.
 *
 * The conversation is kept whole in Redis; what does not fit is left out here only: first the turns
 * that a summary stands for, then the contents of old tool results, then the oldest turns
 * (summary.h has them summarised), then this turn's own older results. Messages that the person
 * excluded are left out, pinned ones stay. Every tool call has its result right after it, as
 * providers demand: one that is missing (cancelled, excluded) is replaced by a note. Memory: texts
 * are borrowed from the messages; prompt_free. */
#ifndef WORKER_LLM_PROMPT_H
#define WORKER_LLM_PROMPT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "proto/err.h"
#include "proto/store/answer.h"
#include "worker/llm/token_estimate.h"
#include "worker/turn/context.h"
#include "worker/tools/tools.h"

enum prompt_kind { PROMPT_USER, PROMPT_ASSISTANT, PROMPT_RESULT };
struct prompt_item {
    enum prompt_kind kind;
    struct str text;
    const struct record_call *calls; /* ASSISTANT */
    unsigned call_count;
    struct str model, state, maker; /* ASSISTANT: who wrote it, and what that model wants back */
    struct str call_id, tool_name;  /* RESULT */
    bool failed;
    /* for fitting */
    struct str whole; /* RESULT: its text before it was left out */
    uint32_t message; /* of the session; 0: a note of ours */
    bool pinned, gone, covered;
    unsigned turn; /* counts the questions: 0 is the first */
};
struct prompt {
    struct buf system;         /* what stays: a provider's cache holds it */
    struct buf question;       /* the last one, with what changes behind it: time, datasource … */
    struct prompt_item *items; /* those that are not gone are sent, in order */
    unsigned count;
    uint64_t bytes, tokens;   /* of all that is sent; tokens are estimated */
    unsigned elided, covered; /* results without content; items that the summary stands for */
    unsigned left_out;        /* items that are gone and not covered */
    uint32_t left_out_to;     /* the last message of them */
};
struct prompt_input {
    const struct store_message *messages;
    unsigned message_count;
    const struct turn_context *context;
    struct str summary; /* of the messages up to summary_to, or empty */
    uint32_t summary_to;
    const char *extra;       /* PERSAI_SYSTEM_PROMPT, or NULL */
    struct str looked_up;    /* metrics that may fit the question, a line of JSON each; or empty */
    bool small;              /* the model: few words, with worked examples */
    struct str draft, doubt; /* an answer that is none yet, and what is wrong with it; or empty */
    int64_t now_ms;          /* Unix time */
    uint32_t window_tokens, output_tokens_max, tools_bytes;
    const struct token_estimate *estimate; /* of the model; NULL: as usual */
    bool last_call;                        /* no tools are offered: it has to answer */
    bool shrink;            /* the model found the last one too long: half the room */
    uint64_t refused_bytes; /* that one's; 0: not known */
};
extern const char prompt_last_call_note[]; /* a sentence to the model */
/* ERR_CONTEXT_TOO_LONG: the question alone does not fit. */
enum err prompt_build(const struct prompt_input *in, struct prompt *out) warn_unused;
/* What an answer may take of the window, in tokens: half of it at most. 0: as the model has it. */
uint32_t prompt_output_max(const struct prompt_input *in);
void prompt_free(struct prompt *p);
uint32_t prompt_tools_bytes(const struct tool_spec *tools, unsigned count);

#endif
