/* worker/tools/gate.h: to which datasources a run may send the person's sign-in.
 *
 * Perses's proxy hands it on to each upstream, and a model must not choose who gets it. Free are
 * the datasources that the person picked (the conversation's), global ones (an administrator made
 * them) and those of PERSAI_DATASOURCES. Any other's definition is read anew by each run: one that
 * hands on no sign-in is free too (proto/upstream.h), else the person's yes is needed, which is
 * for this server: the run of a datasource that leads elsewhere meanwhile is not let through.
 *
 * source_request takes a door (door.h), and only the gate makes them. Inside
 * worker/tools only. */
#ifndef WORKER_TOOLS_GATE_H
#define WORKER_TOOLS_GATE_H

#include "worker/tools/run.h"

/* The run's datasource is known: sets run->door and calls then, maybe at once; or the run has
 * failed. Of one that is vetted then is called without a door, when the person's yes is needed:
 * run->ask_source. */
void gate_pass(struct tool_run *r, tool_fn *then);
void gate_leave(struct gate *g); /* what run_free calls; NULL is fine */

#endif
