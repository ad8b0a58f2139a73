/* worker/tools/logql.h: what a LogQL, TraceQL or profile query selects, read by a lexer. Pure.
 *
 * Read are comments, strings with escapes and in backquotes, brackets, ranges and offsets: so a
 * brace inside of a string is none, and each selector of a query is found, whatever stands between
 * them. What can't be read is refused, never guessed; so are Go's comments and characters ('"'),
 * which Loki's lexer takes and in which a selector could hide. (Loki's docs: "LogQL", "Log
 * queries".) */
#ifndef WORKER_TOOLS_LOGQL_H
#define WORKER_TOOLS_LOGQL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { LOGQL_SELECTORS_MAX = 16 };
struct logql {
    struct str selectors[LOGQL_SELECTORS_MAX]; /* {…}, into the query */
    unsigned count;
    bool metric;       /* something stands before its first selector: its result is numbers */
    int64_t window_ms; /* the longest range and the longest offset: so far back it reads */
    int64_t offset_ms;
    uint64_t bytes;    /* of the longest line or label that its templates may make */
    const char *error; /* why it can't be read, for the model */
};
bool logql_read(struct logql *q, struct str query);
/* Does a selector of matchers name at least one value? {} and {a=~".*"} would read everything. */
bool logql_selects(struct str selector);
/* The query with each label as Loki has it: of OpenTelemetry's names (service.name, "service.name")
 * it keeps letters, digits and '_', and writes '_' for the rest. False: there is no such name;
 * else *first is one, in the query. */
bool logql_names(struct str query, struct buf *out, struct str *first);
/* One name, so written. */
void logql_name(struct buf *b, struct str name);

#endif
