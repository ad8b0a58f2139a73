/* worker/tools/perses/perses.h: the tools that change something in Perses itself, and what they
 * have in common. Inside worker/tools only.
 */
#ifndef WORKER_TOOLS_PERSES_PERSES_H
#define WORKER_TOOLS_PERSES_PERSES_H

#include "common/fetch.h"
#include "worker/tools/run.h"

enum { PERSES_KEY_BYTES = 24 };
/* The key of what this call makes: of its turn and its id, so that a run which finds it there has
 * nothing to do. */
void perses_key(const struct tool_run *r, char key[static PERSES_KEY_BYTES]);
/* Checks a dashboard with the schemas of the plugins that Perses has, and writes nothing. */
#define PERSES_VALIDATE "/api/validate/dashboards"
/* Its answer: run_rehearsed, or the run has failed. */
void perses_tried(struct tool_run *r, const struct fetch_result *f);
/* May this query be saved? Guarded as one that runs. False: the run has failed. */
bool perses_guard(struct tool_run *r, struct str query);
/* Fails the run for what Perses answered, or didn't. */
void perses_refused(struct tool_run *r, const struct fetch_result *f, bool writing);
#endif
