/* worker/tools/plan.h: the plan of a turn, as the model shows it to the person. */
#ifndef WORKER_TOOLS_PLAN_H
#define WORKER_TOOLS_PLAN_H

#include "worker/tools/run.h"

void plan_show(struct tool_run *r);

#endif
