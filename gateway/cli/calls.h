/* gateway/cli/calls.h: a tool call as one line, its details, and its range result as a plot.
 *
 * Pure: JSON of the API in, lines out. All of it is untrusted and cleaned. */
#ifndef GATEWAY_CLI_CALLS_H
#define GATEWAY_CLI_CALLS_H

#include <jansson.h>
#include "common/buf.h"
#include "gateway/cli/screen.h"

struct call_view {
    struct str tool_name;
    const json_t *arguments; /* an object, or the text that the model wrote instead */
    struct str content;      /* what the tool answered */
    bool failed;
    int64_t took_ms; /* -1: not known */
};
/* "✓ sum(rate(cpu[5m])) 6 % → 100 % ▁▂▇█ 32 ms" */
void call_line(struct buf *b, const struct screen *s, const struct call_view *v);
/* The arguments, one a line, and the beginning of the answer. */
void call_details(struct buf *b, const struct screen *s, const struct call_view *v);
/* False: it has no series over time, and nothing was written. */
bool call_plot(struct buf *b, const struct screen *s, const struct call_view *v);
/* What a person is asked about: everything that will happen, nothing hidden. */
void call_ask(struct buf *b, const struct screen *s, const json_t *call);

#endif
