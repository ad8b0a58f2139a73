/* worker/tools/line.h: which waiting run goes next. Inside worker/tools only.
 *
 * By rounds of their owners, so that who asks for much waits for himself. An owner has at most half
 * of the room, a datasource a quarter: one that hangs costs its own askers. And a datasource that
 * gave no answer at all several times in a row is left alone for a while (worker/breaker.h); its
 * runs end at once then. Where only one owner's calls were silent (a query of his that takes for
 * ever?), only his are kept away.
 *
 * Brain: the caller brings now_ms. A lane lives while it has runs or silence to remember; a run's
 * node is in one of our lists until line_next gives it. */
#ifndef WORKER_TOOLS_LINE_H
#define WORKER_TOOLS_LINE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/list.h"

enum {
    LINE_OWNER_MAX = 128, /* runs of one owner that wait: eight turns with 16 calls each */
    LINE_MAX = 4096,      /* of all */
};

struct line;
/* What a run keeps for the line. */
struct line_ticket {
    struct list node;
    struct asker *asker; /* NULL: it neither waits nor runs */
    struct lane *lane;   /* NULL: it asks no datasource */
    bool goes, probe;
};

struct line *line_new(uint32_t running_max);
void line_free(struct line *l); /* no ticket is in it; NULL is fine */

/* It waits from now on. lane: a datasource's path or what else may hang; NULL: none. again: it has
 * run before and goes first, whatever waits. False: too many wait. */
bool line_join(struct line *l, struct line_ticket *t, const char *owner, const char *lane,
               bool again);
/* The next that may go; NULL: none. *refused_ms: 0: it goes; else its datasource is left alone for
 * that long and it must end. */
struct line_ticket *line_next(struct line *l, int64_t now_ms, int64_t *refused_ms);
/* It waits or runs no more. Of a ticket that never joined, too. */
void line_leave(struct line *l, struct line_ticket *t, int64_t now_ms);
/* Fact: a request to this lane was answered, whatever the answer, or nothing came in time. */
void line_heard(struct line *l, const char *lane, bool answered, int64_t now_ms);

#endif
