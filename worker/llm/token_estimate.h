/* worker/llm/token_estimate.h: how many bytes a token of a model has, about: by default four, then
 * what its provider counts says. One for each model and process.
 *
 * A token is 4 bytes of English, 3 of JSON with numbers, 2 of Chinese: what a deployment asks is
 * much the same each time. Pure. Plain data: all zero begins with the default; nothing to free. */
#ifndef WORKER_LLM_TOKEN_ESTIMATE_H
#define WORKER_LLM_TOKEN_ESTIMATE_H

#include <stdint.h>

enum { /* in hundredths of a byte */
       TOKEN_ESTIMATE_USUAL = 400,
       TOKEN_ESTIMATE_LEAST = 150,
       TOKEN_ESTIMATE_MOST = 600,
};
struct token_estimate {
    uint32_t fixed;         /* what the models file says; 0: learned */
    uint64_t bytes, tokens; /* of prompts so far; older ones count less and less */
};
/* Fact: a prompt of `bytes` was counted as `tokens`. Small ones say nothing, and what
 * can't be is not believed. NULL is fine. */
void token_estimate_learn(struct token_estimate *g, uint64_t bytes, uint64_t tokens);
/* Hundredths of a byte of one token. NULL: the default. */
uint32_t token_estimate_ratio(const struct token_estimate *g);
/* An estimate, rounded up. */
uint64_t token_estimate_tokens(const struct token_estimate *g, uint64_t bytes);

#endif
