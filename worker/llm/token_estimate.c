#include "worker/llm/token_estimate.h"

#include <stddef.h>

enum {
    TOKENS_LEAST = 200,     /* of a sample: in smaller ones what a format adds outweighs the text */
    TOKENS_KEPT = 200000,   /* then all counts half */
    TOKENS_PRESUMED = 2000, /* that the default weighs against the first samples */
    RATIO_CREDIBLE = 1600,
};

void token_estimate_learn(struct token_estimate *g, uint64_t bytes, uint64_t tokens)
{
    if (g == NULL || tokens < TOKENS_LEAST || bytes < tokens ||
        bytes > tokens * RATIO_CREDIBLE / 100)
        return;
    g->bytes += bytes;
    g->tokens += tokens;
    if (g->tokens > TOKENS_KEPT) {
        g->bytes /= 2;
        g->tokens /= 2;
    }
}

uint32_t token_estimate_ratio(const struct token_estimate *g)
{
    if (!g)
        return TOKEN_ESTIMATE_USUAL;
    if (g->fixed > 0)
        return g->fixed;
    uint64_t bytes = g->bytes + TOKENS_PRESUMED * TOKEN_ESTIMATE_USUAL / 100;
    uint64_t ratio = bytes * 100 / (g->tokens + TOKENS_PRESUMED);
    return ratio < TOKEN_ESTIMATE_LEAST  ? TOKEN_ESTIMATE_LEAST
           : ratio > TOKEN_ESTIMATE_MOST ? TOKEN_ESTIMATE_MOST
                                         : (uint32_t)ratio;
}

uint64_t token_estimate_tokens(const struct token_estimate *g, uint64_t bytes)
{
    uint32_t ratio = token_estimate_ratio(g);
    return (bytes * 100 + ratio - 1) / ratio;
}
