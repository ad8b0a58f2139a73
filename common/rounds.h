/* common/rounds.h: whose turn is it? What waits for a shared place stands in a line of its owner,
 * and one of each line goes in a round: who asks for much waits for themselves, and delays another
 * by one. Brain, plain data: embed it, nothing to free. What an owner is, and what else holds one
 * up, its user says. */
#ifndef COMMON_ROUNDS_H
#define COMMON_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/list.h"

struct rounds_owner {
    struct list ready; /* in rounds.ready while somebody waits here and may go */
    struct list line;  /* of the user's nodes */
    uint32_t waiting, going;
};
struct rounds {
    struct list ready; /* in the order of the round */
    uint32_t each;     /* of one owner that go at once; 0: any number */
    uint32_t waiting, going;
};
void rounds_init(struct rounds *r, uint32_t each);
void rounds_owner_init(struct rounds_owner *o);
/* It waits from now on, at the end of its owner's line, or in front of it. */
void rounds_wait(struct rounds *r, struct rounds_owner *o, struct list *node);
void rounds_wait_first(struct rounds *r, struct rounds_owner *o, struct list *node);
/* Whose turn it is: the first of o->line, unless something else holds it up. NULL: nobody's. */
struct rounds_owner *rounds_next(const struct rounds *r);
/* One that waits goes now, and is in no line; the round goes on with the others. */
void rounds_go(struct rounds *r, struct rounds_owner *o, struct list *node);
/* It waits no more, or goes no more; its node is in no list. */
void rounds_leave(struct rounds *r, struct rounds_owner *o, struct list *node, bool goes);
/* Nothing of this owner waits or goes: it may be freed. */
bool rounds_idle(const struct rounds_owner *o);

#endif
