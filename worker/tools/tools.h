/* worker/tools/tools.h: the tools that a model may call: offered from one table (tools.def),
 * checked and run.
 *
 * What a model writes is input from outside: an unknown name, arguments that are no JSON or do not
 * fit the tool's schema end in a failed result whose content tells the model what was wrong; they
 * never end a turn. Tools reach Perses and nothing else: perses_url + a datasource path, with the
 * person's own token. Bounds: tools_config. Runs are parallel; what is over running_max waits its
 * turn (line.h). */
#ifndef WORKER_TOOLS_TOOLS_H
#define WORKER_TOOLS_TOOLS_H

#include "common/buf.h"
#include "worker/tools/tool.h"

struct tools;
struct tools *tools_new(const struct tools_config *c);
/* Takes leave of MCP servers, whose tools fail from now on. Again until true: nothing is left to
 * wait for. */
bool tools_leave(struct tools *t);
void tools_free(struct tools *t); /* all runs have ended or are cancelled; NULL is fine */

/* What is offered: the rows of tools.def in its order, then the tools of MCP servers that are there
 * now. Valid until the next pass of the loop. */
const struct tool_spec *tools_specs(const struct tools *t, unsigned *count);
/* Must the person be asked before this call runs? Not for one that can't run anyway: an unknown
 * tool, arguments that don't fit. */
bool tools_asks(const struct tools *t, struct str name, struct str arguments);
/* Is it a row of tools.def that asks first, since it changes something? */
bool tools_change(struct str name);
/* Would its server do this call twice, if it were sent twice? */
bool tools_once(const struct tools *t, struct str name);
/* Is there more to find out about a call before it runs: whether the person must be asked, and
 * whether it could be done at all? Then tool_start it with vet. */
bool tools_vets(const struct tools *t, const struct tool_call *c);
/* The arguments as the tool would take them: mended where models are sloppy. What the person is
 * asked is this text, and this text runs. False: they don't fit, or the tool asks nobody. */
bool tools_fit(const struct tools *t, struct str name, struct str arguments, struct buf *b);
/* Is this a tool's own name, and do these arguments fit it as they are? */
bool tools_takes(const struct tools *t, struct str name, struct str arguments);
/* Whose server a call goes to, as members of a JSON object for the person: of an MCP server's tool.
 */
void tools_reach(const struct tools *t, struct str name, struct buf *b);
enum { TOOLS_JSON_MAX = 65536 }; /* of HELLO: frames.def */
/* GET /tools: [{"name","description","input_schema","read_only"}]. */
struct str tools_json(const struct tools *t);

/* Something was switched off or on. */
void tools_switched(struct tools *t);

bool tools_server(const struct tools *t, unsigned i, struct tools_server *out); /* false: no more */
/* What was indexed of PERSAI_DOCS. False: nothing yet. */
bool tools_docs(const struct tools *t, unsigned *files, unsigned *left_out);

struct tool_run *tool_start(struct tools *t, const struct tool_call *c, tool_done_fn *fn,
                            void *arg);
/* Has this person, for certain, no datasource that such a tool could ask? paths: the
 * conversation's. Known soon after tools_look_up. */
bool tools_lacks(const struct tools *t, const struct secret *token, const char *const *paths,
                 unsigned path_count, enum tool_source source);
/* What fits a question in the conversation's first datasource, for the model to be told beside it:
 * arguments are {"question", "queried"}, the content lines of JSON (look.h). NULL: that datasource
 * can't be looked at. */
struct tool_run *tools_look_up(struct tools *t, const struct tool_call *c, tool_done_fn *fn,
                               void *arg);
void tool_cancel(struct tool_run *r); /* no callback comes any more; NULL is fine */

#endif
