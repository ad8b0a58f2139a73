/* gateway/api/searches.h: whose search through their conversations runs next (a brain: no socket,
 * clock or Redis).
 *
 * A search reads all that a person has, so of one person one runs at a time and one waits: who
 * types on is asking for the latest. And few run at once of all, in the order in which they came.
 */
#ifndef GATEWAY_API_SEARCHES_H
#define GATEWAY_API_SEARCHES_H

#include "common/list.h"

enum { SEARCHES_RUNNING_MAX = 2 };

/* One search; embedded in what asks for it, which outlives it. */
struct search {
    struct list node;
    const char *user; /* borrowed */
};
struct searches {
    struct list running, waiting;
    unsigned running_count;
};
void searches_init(struct searches *q);
/* Facts. Adding gives the one of the same person that waited until now, which is out and must be
 * refused; or NULL. */
struct search *searches_add(struct searches *q, struct search *s, const char *user);
void searches_end(struct searches *q,
                  struct search *s); /* it ran to its end, or nobody waits for it any more */
/* Decision: this one runs from now on; NULL: none may. */
struct search *searches_next(struct searches *q);

#endif
