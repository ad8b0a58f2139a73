/* worker/tools/handlers.h: the functions that the rows of tools.def name, declared from them. Each
 * is called once, when its run's turn has come (run.h). Inside worker/tools only. */
#ifndef WORKER_TOOLS_HANDLERS_H
#define WORKER_TOOLS_HANDLERS_H

#include "worker/tools/tool.h"

#define READS
#define ASKS(rehearsal) tool_fn rehearsal;
#define TOOL(name, source, approval, function, description, ...) approval tool_fn function;
#include "worker/tools/tools.def"
#undef TOOL
#undef ASKS
#undef READS

#endif
