/* worker/tools/prometheus/name.h: names of metrics and labels, as a model writes them and as
 * Prometheus's query language and API want them. Pure.
 *
 * Since Prometheus 3 a name may be any UTF-8 (http.server.request.duration, host.name); what is not
 * of the classic letters, digits and underscores stands in quotes and inside the braces:
 * {"http.server.request.duration", "host.name"="x"} (prometheus.io, UTF-8 guide). */
#ifndef WORKER_TOOLS_PROMETHEUS_NAME_H
#define WORKER_TOOLS_PROMETHEUS_NAME_H

#include <stdbool.h>
#include "common/buf.h"

enum { NAME_BYTES_MAX = 1024 };

bool name_is_classic(struct str name, bool metric); /* of a metric: with colons */
/* A regular expression that lists metrics' names, "up|node_load1": Prometheus looks each up. */
bool name_is_list(struct str pattern);

/* The name that a model means: as it is (blanks and signs may be in it), in quotes, a metric's also
 * in quotes and braces. False: it is none, but an expression, a selector, empty, or not to be
 * printed. */
bool name_read(struct str text, bool metric, struct buf *name);
/* Of a string of the query language, in its quotes: what it means. */
void name_unquote(struct buf *b, struct str quoted);

/* The next of "a, b": a comma in quotes parts nothing. False: there is none. */
bool name_next(struct str *rest, struct str *name);

void name_quote(struct buf *b, struct str text); /* as a string of the query language */
void name_label(struct buf *b, struct str label);
/* The metric with matchers as they are written, or none: a, a{b="c"}, {"a.b"}, {"a.b",c="d"} */
void name_selector(struct buf *b, struct str metric, struct str matchers);
/* The series of a histogram, a summary or an OpenMetrics counter by the name of their family, which
 * itself has none: {__name__=~"a(_bucket|_sum|…)",c="d"} */
void name_family(struct buf *b, struct str metric, struct str matchers);

/* As a segment of an address: U__ and what is not classic by its code points (Prometheus's
 * documentation of its HTTP API, values escaping), or with %. */
void name_segment(struct buf *b, struct str label, bool escaped);

#endif
