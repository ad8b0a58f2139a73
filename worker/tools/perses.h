/* worker/tools/perses.h: the tools that change something in Perses itself. Inside worker/tools
 * only.
 */
#ifndef WORKER_TOOLS_PERSES_H
#define WORKER_TOOLS_PERSES_H

#include "worker/tools/run.h"

/* tools.def's function */
void perses_save_panel(struct tool_run *r);

#endif
