/* worker/turn/tally.h: how many rows of a result have something in common: what an answer may count
 * without having asked for the count. Pure. */
#ifndef WORKER_TURN_TALLY_H
#define WORKER_TURN_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "common/buf.h"

enum { TALLY_MAX = 255 }; /* more are not counted by hand */

/* Of a list of series: same: as many have the same value, or the same value of a label; over: as
 * many are above or below another. A bit for each such number. */
void tally_list(const json_t *list, uint64_t same[4], uint64_t over[4]);
bool tally_has(const uint64_t bits[4], double number);
/* Does a comparison of the query sort series out? */
bool tally_compares(struct str query);

#endif
