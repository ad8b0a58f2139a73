/* proto/usage.h: what calls of models used: of one call, a step, a turn, a session. Plain data. */
#ifndef PROTO_USAGE_H
#define PROTO_USAGE_H

#include <stdint.h>
#include "common/buf.h"

struct usage {
    uint64_t input_tokens, output_tokens;
    uint64_t cached_tokens; /* of the input tokens: read from a provider's cache */
    uint64_t cost;          /* in millionths of a dollar; 0: its models have no prices */
};
void usage_add(struct usage *u, const struct usage *more);
/* {"input_tokens", "output_tokens", "cached_input_tokens", "cost"}: as clients see it; the cost in
 * dollars, and only where there is one. */
void usage_json(struct buf *b, const struct usage *u);

#endif
