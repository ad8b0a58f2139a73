/* worker/tools/partial.h: how servers say that an answer is not whole, beside the data. Pure.
 *
 * VictoriaMetrics: "isPartial": true (a storage node is away). Prometheus, Thanos, Mimir and Loki:
 * "warnings" and "infos", texts. A warning is of a store that could not be asked (Thanos's partial
 * response, Prometheus's remote read) or of a limit that was met; only those that begin with
 * "PromQL" are about the query (Prometheus's util/annotations). Tempo: "status": "PARTIAL" with a
 * "message", a search whose "metrics" have more totalJobs than completedJobs, HTTP 206. */
#ifndef WORKER_TOOLS_PARTIAL_H
#define WORKER_TOOLS_PARTIAL_H

#include <jansson.h>
#include <stdbool.h>
#include "common/buf.h"

#define PARTIAL_NOTE                                                                               \
    "The datasource says that this answer is partial: some of its parts did not answer, so data "  \
    "is missing. Do not treat it as complete, and say so."

enum { PARTIAL_PATHS = 5 };
/* For items.h. */
extern const char *const partial_paths[PARTIAL_PATHS];
bool partial_warning(struct str text); /* the answer is partial, not only remarked on */
/* What came at one of them. True: the answer is partial. A text for the person goes into note. */
bool partial_read(unsigned path, const json_t *item, struct buf *note);

#endif
