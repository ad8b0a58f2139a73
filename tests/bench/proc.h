/* tests/bench/proc.h: what a process has used so far: CPU of all its threads, and the memory that
 * is resident. */
#ifndef BENCH_PROC_H
#define BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>

struct proc_use {
    uint64_t cpu_ns;
    uint64_t rss_kib;
};

bool proc_read(int pid, struct proc_use *out);

#endif
