/* gateway/reads.h: whose large read of the store comes next: lists, pages of conversations, what a
 * stream missed, copies. One alone may take the store some milliseconds, and a person may ask for
 * hundreds at once: of one person few run at once, of all some, by rounds of persons. So who floods
 * waits in a line of their own, and the others' commands find the store next to idle. */
#ifndef GATEWAY_READS_H
#define GATEWAY_READS_H

#include <stdbool.h>
#include "common/list.h"

enum {
    READS_OF_ONE = 2, /* a page of a conversation and a list: a browser that opens */
    READS_OF_ALL = 32,
};

struct lane;
/* One read; zeroed it is none. Embedded in what asks for it, which ends it before it goes. */
struct read {
    struct list node;
    struct lane *lane; /* NULL: it neither waits nor runs */
    bool running;
    void (*go)(void *arg);
    void *arg;
};

struct reads;
struct reads *reads_new(void);
void reads_free(struct reads *q); /* nothing may wait or run */
/* go is called once, now or later, unless the read is over before. */
void reads_ask(struct reads *q, struct read *r, const char *user, void (*go)(void *arg), void *arg);
/* It was answered, or nobody waits for it any more. Nothing where it neither waits nor runs. */
void reads_over(struct reads *q, struct read *r);
bool reads_pending(const struct read *r); /* it waits or runs */

#endif
