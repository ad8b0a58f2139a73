#include "tests/bench/hist.h"

#include <inttypes.h>

static unsigned bucket_of(uint64_t us)
{
    if (us < HIST_SUB)
        return (unsigned)us;
    unsigned shift = (unsigned)(63 - __builtin_clzll(us)) - 5;
    unsigned at = shift * HIST_SUB + (unsigned)(us >> shift);
    return at < HIST_BUCKETS ? at : HIST_BUCKETS - 1;
}

static uint64_t bucket_top(unsigned at)
{
    if (at < 2 * HIST_SUB)
        return at;
    unsigned shift = at / HIST_SUB - 1;
    return (((uint64_t)(at % HIST_SUB) + HIST_SUB + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t us)
{
    h->count++;
    h->sum += us;
    if (us > h->max)
        h->max = us;
    h->bucket[bucket_of(us)]++;
}

uint64_t hist_at(const struct hist *h, double share)
{
    uint64_t want = (uint64_t)(share * (double)h->count), seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > want)
            return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    }
    return h->max;
}

void hist_json(const struct hist *h, const char *name, FILE *out)
{
    fprintf(out,
            "\"%s\":{\"count\":%" PRIu64 ",\"mean\":%.1f,\"p50\":%" PRIu64 ",\"p90\":%" PRIu64
            ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64 "}",
            name, h->count, h->count ? (double)h->sum / (double)h->count : 0.0, hist_at(h, 0.5),
            hist_at(h, 0.9), hist_at(h, 0.99), hist_at(h, 0.999), h->max);
}
