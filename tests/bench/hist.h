/* tests/bench/hist.h: a histogram of microseconds: log-linear buckets, 1/32 wide, so a percentile
 * is right within 3 %.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>
#include <stdio.h>

#define HIST_SUB 32
#define HIST_BUCKETS (HIST_SUB * 33)

struct hist {
    uint64_t count, sum, max;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t us);
uint64_t hist_at(const struct hist *h, double share); /* 0.99: the 99th percentile */
void hist_json(const struct hist *h, const char *name, FILE *out);

#endif
