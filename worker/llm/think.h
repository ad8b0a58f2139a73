/* worker/llm/think.h: the thoughts that some servers leave in the text: <think>…</think> at its
 * beginning (DeepSeek R1, Qwen, QwQ; <thinking> of others), where nothing parses them. A tag later
 * on is text: somebody speaks of it.
 *
 * Memory: plain data. */
#ifndef WORKER_LLM_THINK_H
#define WORKER_LLM_THINK_H

#include <stdbool.h>
#include "common/buf.h"

enum { THINK_HELD_MAX = 128 };
struct think {
    enum { THINK_BEFORE, THINK_INSIDE, THINK_AFTER, THINK_OVER } state;
    bool began;                /* there were thoughts */
    char held[THINK_HELD_MAX]; /* blanks and what may be a tag, until it is known */
    unsigned held_len;
};
enum think_kind { THINK_NOTHING, THINK_TEXT, THINK_THOUGHT };

/* Takes from the beginning of *text; *out is what was read, of that kind: part of *text, or of what
 * was held, until the next call. NOTHING: all was taken. */
enum think_kind think_read(struct think *t, struct str *text, struct str *out);
/* Nothing follows: what was held is text, or a thought. */
enum think_kind think_end(struct think *t, struct str *out);

#endif
