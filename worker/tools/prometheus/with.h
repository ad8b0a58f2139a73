/* worker/tools/prometheus/with.h: MetricsQL's templates, WITH (a = …, f(x) = …) before a query.
 * Pure.
 *
 * Their text goes before what counts the query's series as well, so that the server expands them
 * and what is in them need not be understood; only what selects by neither a name nor an equality
 * is looked for: it must not be reached through a template. */
#ifndef WORKER_TOOLS_PROMETHEUS_WITH_H
#define WORKER_TOOLS_PROMETHEUS_WITH_H

#include <stdbool.h>
#include "common/buf.h"

struct with {
    struct str text; /* borrowed; empty: there are none */
    bool open;       /* something in it selects by neither a name nor an equality */
};
bool with_read(struct with *w, struct str query);     /* false: it has no end */
bool with_has(const struct with *w, struct str word); /* it may be the name of one */
/* A template has this name: what we write around the query would mean something else. */
bool with_defines(const struct with *w, const char *name);

/* Also of the language itself. MetricsQL takes letters of all languages, and any character behind a
 * backslash: whether the server does is said by the server. */
bool with_ident_start(char c);
struct str with_ident(struct str text); /* at the start of text */
bool with_quote(char c);
/* At the start of text, with its quotes; to the end of text where none closes it. */
struct str with_string(struct str text);
/* What is written behind such a query would become part of its last name. */
bool with_ends_in_escape(struct str text);

#endif
