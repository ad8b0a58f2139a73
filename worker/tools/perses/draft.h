/* worker/tools/perses/draft.h: what the model drafts: a panel or a whole dashboard, and after the
 * person's yes a new dashboard. Inside worker/tools only. */
#ifndef WORKER_TOOLS_PERSES_DRAFT_H
#define WORKER_TOOLS_PERSES_DRAFT_H

#include "worker/tools/run.h"

/* tools.def's functions */
void draft_propose_panel(struct tool_run *r);
void draft_propose_dashboard(struct tool_run *r);
void draft_save_dashboard(struct tool_run *r);
/* Would it be taken? Ends the run by run_rehearsed, or it has failed; nothing is written. */
void draft_try_dashboard(struct tool_run *r);

#endif
