/* worker/llm/delta.h: the one event of a model's stream that comes by the thousand, a piece of text
 * and nothing else, read in place: no tree, no allocation. Each wire format has its shape.
 *
 * So is how a stream of Chat Completions ends, since a short answer is hardly more than that.
 *
 * It knows only what it is sure of. Any other event (a tool call, reasoning, a stop reason, usage,
 * an error, an escape that needs care, a key twice, nonsense) is not for it: false, and the JSON
 * library reads it. */
#ifndef WORKER_LLM_DELTA_H
#define WORKER_LLM_DELTA_H

#include <stdbool.h>
#include "common/buf.h"

enum delta_shape { DELTA_CHAT, DELTA_RESPONSES, DELTA_MESSAGES, DELTA_GENERATE };
/* True: data is a whole event whose meaning is this text (which may be empty). text lies in data
 * or, when it had escapes, in scratch. */
bool delta_text(enum delta_shape shape, struct str data, struct buf *scratch, struct str *text);

/* The two events that end a stream of Chat Completions. */
struct delta_end {
    struct str reason; /* in data; empty: none */
    bool counted;      /* it has a usage */
    uint64_t input_tokens, output_tokens, cached_tokens;
};
/* True: data is a whole event that says this and nothing else. */
bool delta_chat_end(struct str data, struct delta_end *end);

#endif
