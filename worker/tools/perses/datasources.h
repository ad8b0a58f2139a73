/* worker/tools/perses/datasources.h: the datasources that a person may see, asked of Perses (global
 * ones and those of projects) and kept for a minute, by the keyed hash of the person's token.
 *
 * Which one a call goes to: the one that it names, by path or name; else the conversation's one of
 * the kind that the tool needs, else the first of that kind. Inside worker/tools only. */
#ifndef WORKER_TOOLS_PERSES_DATASOURCES_H
#define WORKER_TOOLS_PERSES_DATASOURCES_H

#include "worker/tools/run.h"

struct cache;
struct cache *datasources_new(struct tools *t);

/* Finds the run's datasource by run->wanted and the kind its tool needs: sets run->datasource and
 * goes on with run->fn, maybe at once; or the run has failed. One that run->datasource has already,
 * as the conversation's that run->wanted names, is taken where Perses does not list it. */
void datasources_find(struct tool_run *r);
/* They are asked for now, so that datasources_lack knows soon. */
void datasources_ask(const struct tool_run *r);
/* Is there none of this kind that this person may see? Only what is known for certain now: not
 * where one of paths (the conversation's) is not among those that Perses lists. */
bool datasources_lack(const struct cache *c, const struct secret *token, const char *const *paths,
                      unsigned path_count, const char *kind);
/* Is this path known, now, to be of another kind than this one? */
bool datasources_differ(const struct cache *c, const struct secret *token, const char *path,
                        const char *kind);
/* What run_free calls: the run waits no more. */
struct datasources_use;
void datasources_leave(struct datasources_use *v); /* NULL is fine */

#endif
