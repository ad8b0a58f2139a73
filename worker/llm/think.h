/* worker/llm/think.h: the thoughts that some servers leave in the text: <think>…</think> at its
 * beginning (DeepSeek R1, Qwen, QwQ; <thinking> of others), where nothing parses them; <thought> of
 * Gemini's Chat Completions, <reasoning> of Bedrock's gpt-oss, <seed:think>, [THINK] of Magistral,
 * the channels of Gemma 4 and of gpt-oss, Kimi's.
 * Where the prompt's template writes the opening tag, only the closing one is in the text: all
 * before it was a thought. Any other tag later on is text: somebody speaks of it.
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
    const char *close;         /* the only tag that ends them; NULL: </think> and its like */
    bool opened;               /* the template opens them: text is a thought until their end */
    bool closed_only;          /* they were: the closing tag was the first */
    bool tagged;               /* a tag that is text was in it: so may others be */
    bool quoted;               /* the text so far ends inside of code */
    char before;               /* the last byte of the text so far */
    char held[THINK_HELD_MAX]; /* blanks and what may be a tag, until it is known */
    unsigned held_len;
};
/* WAS_THOUGHT: all text so far; *out is empty. */
enum think_kind { THINK_NOTHING, THINK_TEXT, THINK_THOUGHT, THINK_WAS_THOUGHT };

/* Takes from the beginning of *text; *out is what was read, of that kind: part of *text, or of what
 * was held, until the next call. NOTHING: all was taken. */
enum think_kind think_read(struct think *t, struct str *text, struct str *out);
/* Nothing follows: what was held is text, or a thought. */
enum think_kind think_end(struct think *t, struct str *out);

#endif
