/* worker/turn/spelt.h: numbers in words that an answer states of the data: "two targets", "zwölf
 * Pods", "treinta y cinco", "三十五个", "二つ", "only one". What points at something that was said
 * ("the two", "las dos", "这两个"), counts what is no data ("two ways", "zwei Abfragen") or is one
 * of many other words is none. Pure. */
#ifndef WORKER_TURN_SPELT_H
#define WORKER_TURN_SPELT_H

#include <stdbool.h>
#include "common/buf.h"

struct spelt {
    double value, slack;
    size_t len;
    bool total; /* it says how many there are in all, and not of what kind: "there are two pods" */
    bool none;  /* none of them */
};
/* At a word's beginning, or at a numeral's. False: there is none that is stated; len: what is to be
 * passed over. */
bool spelt_read(struct str text, size_t at, struct spelt *s);

#endif
