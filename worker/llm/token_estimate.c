#include "worker/llm/token_estimate.h"

#include <stddef.h>

enum {
    TOKENS_LEAST = 200,     /* of a sample: in smaller ones what a format adds outweighs the text */
    TOKENS_KEPT = 200000,   /* then all counts half */
    TOKENS_PRESUMED = 2000, /* that the default weighs against the first samples */
    RATIO_CREDIBLE = 1600,
};

void gauge_learn(struct gauge *g, uint64_t bytes, uint64_t tokens)
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

uint32_t gauge_ratio(const struct gauge *g)
{
    if (g == NULL)
        return GAUGE_USUAL;
    if (g->fixed > 0)
        return g->fixed;
    uint64_t bytes = g->bytes + TOKENS_PRESUMED * GAUGE_USUAL / 100;
    uint64_t ratio = bytes * 100 / (g->tokens + TOKENS_PRESUMED);
    return ratio < GAUGE_LEAST ? GAUGE_LEAST : ratio > GAUGE_MOST ? GAUGE_MOST : (uint32_t)ratio;
}

uint64_t gauge_tokens(const struct gauge *g, uint64_t bytes)
{
    uint32_t ratio = gauge_ratio(g);
    return (bytes * 100 + ratio - 1) / ratio;
}
