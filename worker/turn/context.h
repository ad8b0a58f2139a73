/* worker/turn/context.h: what the person has in front of them: the turn's context, read from its
 * JSON.
 *
 * It comes from a client: the gateway has refused a time range that can't be read; whatever else
 * does not fit is left out here. Memory: owned, turn_context_free. */
#ifndef WORKER_TURN_CONTEXT_H
#define WORKER_TURN_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

/* A dashboard of fifty panels with their queries takes about 16 KiB. */
enum { TURN_CONTEXT_DATASOURCES_MAX = 16, TURN_CONTEXT_TEXT_MAX = 32 << 10 };

struct turn_context {
    char *timezone;                       /* a zone that is known here, or NULL */
    int64_t range_start_ms, range_end_ms; /* 0, 0: none selected */
    char **datasources;                   /* paths that path_parse accepts; [0] is the
                                                        default. TURN_CONTEXT_DATASOURCES_MAX */
    unsigned datasource_count;
    char *project, *dashboard; /* of the dashboard that they added: its project and name; or NULL */
    char *alert;               /* to investigate: alert_read; or NULL */
    /* Dashboard, variables, panels and notes as compact JSON on one line, or NULL. When it was too
     * large: without the last panels and notes, and with their number in panels_left_out and
     * notes_left_out. */
    char *about;
    bool follow_ups; /* the answer may end with what to ask next */
};
void turn_context_read(struct turn_context *s, struct str context, struct str datasource_path,
                       int64_t now_ms);
void turn_context_free(struct turn_context *s);

#endif
