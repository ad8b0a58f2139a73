/* worker/tools/meant.h: what a call means whose tool or argument has another name than ours: names
 * that models know from other tools, or that are a slip away from one. Pure.
 *
 * Only where there is one meaning. No tool that needs the person's yes is ever meant by another
 * name than its own. */
#ifndef WORKER_TOOLS_MEANT_H
#define WORKER_TOOLS_MEANT_H

#include <jansson.h>
#include "common/buf.h"

/* The name of one of ours that was meant by a name which is none; NULL: it is not known. arguments:
 * as the model wrote them; a query with a start is one over a range. */
const char *meant_tool(struct str name, struct str arguments);
/* Of a query in Markdown's quotes, or with a ; behind it, the query; else it as it is. */
struct str meant_query(struct str text);
/* The property of a schema that was meant by a name which is none, and which `given` does not have
 * itself; NULL: it is not known, or more than one fits. */
const char *meant_argument(const json_t *properties, const json_t *given, const char *name);

#endif
