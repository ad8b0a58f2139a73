/* worker/turn/summary.h: old turns that don't fit a model any more are summarised by it: what it is
 * asked, and what of its answer is kept.
 *
 * The conversation's texts go out as data, one JSON object a line, each cut so that all fit: no
 * tool calls, which would need their tools. Memory: struct summary is embedded; summary_free. */
#ifndef WORKER_TURN_SUMMARY_H
#define WORKER_TURN_SUMMARY_H

#include "worker/llm/prompt.h"

enum {
    SUMMARY_BYTES_MAX = 6 << 10, /* of a summary that is kept */
    SUMMARY_OUTPUT_TOKENS = 4096 /* that a model may write; thinking counts as well */
};
struct summary {
    struct prompt prompt;
    struct prompt_item item;
    struct buf text; /* of the item */
    uint32_t to;     /* the last message that it covers */
    unsigned count;  /* how many messages that no summary covers yet */
};
/* Of what p, built from in, has left out. False: that is nothing, or the window is too small. */
bool summary_build(const struct prompt *p, const struct prompt_input *in, struct summary *out);
void summary_free(struct summary *r);
/* What of a model's answer is kept in a window: cut within characters; borrowed. */
struct str summary_kept(struct str answer, uint32_t window_tokens,
                        const struct token_estimate *estimate);

#endif
