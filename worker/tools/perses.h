/* worker/tools/perses.h: the tools that change something in Perses itself, and what they have in
 * common. Inside worker/tools only.
 */
#ifndef WORKER_TOOLS_PERSES_H
#define WORKER_TOOLS_PERSES_H

#include "common/fetch.h"
#include "worker/tools/run.h"

/* tools.def's function */
void perses_save_panel(struct tool_run *r);

enum { PERSES_KEY_BYTES = 24 };
/* The key of what this call makes: of its turn and its id, so that a run which finds it there has
 * nothing to do. */
void perses_key(const struct tool_run *r, char key[static PERSES_KEY_BYTES]);
/* Fails the run for what Perses answered, or didn't. */
void perses_refused(struct tool_run *r, const struct fetch_result *f, bool writing);
/* " It said: …", cleaned, if it said something. */
void perses_said(const struct fetch_result *f, struct buf *b);

#endif
