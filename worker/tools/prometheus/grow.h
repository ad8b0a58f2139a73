/* worker/tools/prometheus/grow.h: how long the labels may become that a query makes. Pure.
 *
 * label_join and label_replace in each other multiply a label's value, each of some bytes of query,
 * and the server has no bound of its own. The longest value that a call could make is worked out
 * from what it is written with. */
#ifndef WORKER_TOOLS_PROMETHEUS_GROW_H
#define WORKER_TOOLS_PROMETHEUS_GROW_H

#include <stdint.h>
#include "common/buf.h"

/* Each series may have one: of ten thousand series this is what a server can hold. */
enum { GROW_BYTES_MAX = 16384 };

/* A call, or any other parenthesis: zero. */
struct grow {
    enum grow_how { GROW_NOT, GROW_JOINS, GROW_REPLACES, GROW_TRANSFORMS } how;
    unsigned commas;         /* between its arguments, till now */
    uint64_t bytes;          /* of the longest value inside */
    uint64_t written, marks; /* what it puts in: its bytes, how many $1 */
};
void grow_call(struct grow *g, struct str function);
/* A string inside of it, in parentheses or not. */
void grow_string(struct grow *g, struct str inside);
void grow_around(struct grow *g, uint64_t bytes); /* of a value inside */
/* Of the longest value that comes out. */
uint64_t grow_bytes(const struct grow *g);

#endif
