/* worker/tools/prometheus/mending.h: a query while it is mended: what comes in the place of what,
 * and a sentence for each fault. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_MENDING_H
#define WORKER_TOOLS_PROMETHEUS_MENDING_H

#include <stdbool.h>
#include "common/buf.h"
#include "worker/tools/prometheus/tokens.h"

enum { MENDING_EDITS_MAX = 32, MENDING_WHAT_MAX = 600, MENDING_SHOWN = 80 };
/* A text for a %.*s, at most 80 bytes of it. */
#define MENDING_SHORT(s)                                                                           \
    (int)((s).len < MENDING_SHOWN ? (s).len : MENDING_SHOWN), ((s).len ? (s).at : "")

struct mending_edit {
    const char *from;
    size_t len;
    char *with;
};
struct mending {
    struct tokens *t; /* borrowed */
    struct mending_edit edits[MENDING_EDITS_MAX];
    unsigned count;
    struct buf *what;
    bool closed; /* the bracket that was open last */
};
void mending_replace(struct mending *m, struct str text, struct str with);
void mending_behind(struct mending *m, const struct token *k, const char *text);
void mending_before(struct mending *m, const struct token *k, const char *text);
/* What is wrong; each sentence once. */
void mending_say(struct mending *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes the query with its edits, in their order of place, and frees them. An edit inside of one
 * that was made is left out. False: there was none. */
bool mending_finish(struct mending *m, struct buf *mended);

#endif
