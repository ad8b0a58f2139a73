/* gateway/visits.h: whose requests may go to the store next. Each request of a person is a visit,
 * from when its handler begins to its answer, and so is each page that a stream reads. One may take
 * the store some milliseconds, and a person may send hundreds at once: of one person few are there
 * at once, of all some, by rounds of persons. So who floods waits in a line of their own, and the
 * others' commands find the store next to idle.
 *
 * There is one such line for the store and one for Perses. Who waits for something else, as a
 * turn's end, is in neither: a place that is kept for long is everybody's loss. */
#ifndef GATEWAY_VISITS_H
#define GATEWAY_VISITS_H

#include <stdbool.h>
#include "common/list.h"
#include "common/loop.h"

enum {
    VISITS_OF_ONE = 4, /* a search that runs, one that waits, and what a browser asks beside */
    VISITS_OF_ALL = 64,
};

struct lane;
/* Zeroed it is none. Embedded in what asks for it, which ends it before it goes. */
struct visit {
    struct list node;
    struct lane *lane; /* NULL: it neither waits nor runs */
    bool running;
    void (*go)(void *arg);
    void *arg;
};

struct visits;
struct visits *visits_new(struct loop *l);
void visits_free(struct visits *q); /* nothing may wait or run */
/* go is called once, in a decision phase of the loop and never from inside of these two, unless the
 * read is over before. */
void visits_ask(struct visits *q, struct visit *r, const char *user, void (*go)(void *arg),
                void *arg);
/* It was answered, or nobody waits for it any more. Nothing where it neither waits nor runs. */
void visits_over(struct visit *r);
void visits_go(void *visits);              /* the decision: who may go, goes */
bool visit_pending(const struct visit *r); /* it waits or runs */

#endif
