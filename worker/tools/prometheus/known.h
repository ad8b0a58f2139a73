/* worker/tools/prometheus/known.h: how people here look at a datasource: what its rules and the
 * panels of dashboards query, and what they compute. The look-up before a question uses it.
 *
 * Read with the person's own token, kept for some minutes for each datasource and person; nobody
 * sees what another person's token read. What can't be read is not there, it fails nothing.
 * Bounded. */
#ifndef WORKER_TOOLS_PROMETHEUS_KNOWN_H
#define WORKER_TOOLS_PROMETHEUS_KNOWN_H

#include <stdbool.h>
#include "common/buf.h"

enum {
    KNOWN_NAMES_MAX = 512,       /* that are queried; which of them are metrics, the catalog says */
    KNOWN_EXPRESSIONS_MAX = 300, /* with what they compute */
    KNOWN_EXPRESSION_MAX = 300,  /* bytes; of a longer one only the names count */
};
struct known_expression {
    char *name; /* of a recording rule: the metric that it records; of a panel: its title */
    char *text;
    bool recorded;
};
struct known {
    char *names[KNOWN_NAMES_MAX];
    unsigned name_count;
    struct known_expression expressions[KNOWN_EXPRESSIONS_MAX];
    unsigned expression_count;
};
/* Is this metric among what it queries? */
bool known_queries(const struct known_expression *e, struct str metric);

struct cache;
struct known_use;
struct tools;
struct tool_run;
struct cache *known_cache_new(struct tools *t);
/* Once, maybe at once; k is valid until known_leave. */
typedef void known_fn(void *arg, const struct known *k);
struct known_use *known_use(struct tool_run *r, known_fn *fn, void *arg);
void known_leave(struct known_use *u); /* NULL is fine */

#endif
