/* worker/tools/perses/boards.h: the tools that read Perses itself: projects, dashboards, panels.
 * They see what the person may see. Inside worker/tools only. */
#ifndef WORKER_TOOLS_PERSES_BOARDS_H
#define WORKER_TOOLS_PERSES_BOARDS_H

#include "worker/tools/run.h"

void boards_projects(struct tool_run *r);
void boards_list(struct tool_run *r);
void boards_search(struct tool_run *r);
void boards_get(struct tool_run *r);
void boards_panel(struct tool_run *r);
void boards_run(struct tool_run *r);

#endif
