/* worker/checkup.h: persai-worker --check: a line for each thing that this worker needs, and what
 * to do about it.
 *
 * Each model is asked one small question, with a tool, as the turns would ask it: a few tokens of
 * each. Nothing is told to a gateway, and nothing is written. */
#ifndef WORKER_CHECKUP_H
#define WORKER_CHECKUP_H

#include "common/report.h"
#include "worker/worker.h"

/* Looks at what the worker has: its loop and fetches, and models and tools unless they could not be
 * made. Runs the loop; the caller frees all. */
void checkup_run(struct worker *w, struct report *report);

#endif
