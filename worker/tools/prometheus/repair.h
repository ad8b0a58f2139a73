/* worker/tools/prometheus/repair.h: what is known to be wrong with a run's query, told to the model
 * with the mended query ready to run (mend.h), by the types that the catalog has. */
#ifndef WORKER_TOOLS_PROMETHEUS_REPAIR_H
#define WORKER_TOOLS_PROMETHEUS_REPAIR_H

#include "worker/tools/run.h"

struct catalog;

/* The run has failed: what can't be read is said, and how it could be. */
void repair_refuse(struct tool_run *r, const char *code, const char *error, struct str query);

struct repair {
    struct buf notes, if_empty; /* JSON strings, comma-separated; if_empty: why nothing came */
};
void repair_init(struct repair *p);
void repair_free(struct repair *p);
/* False: nothing right can come of it, and the run has failed. c: NULL: not known. */
bool repair_judge(struct repair *p, struct tool_run *r, const struct catalog *c, struct str query,
                  bool over_range);

/* A metric that is not in the catalog: which one near to it was meant, of "a, b, c" (near.h), as
 * the query with it; empty where that is not clear. */
void repair_name(struct str query, struct str name, struct str near, struct buf *mended);

#endif
