/* worker/turn/claim_side.h: what stands before a number of an answer: "about 50 ms", "below 50 ms",
 * "over 90 %". In English, German, Spanish, Chinese and Japanese. Pure. */
#ifndef WORKER_TURN_CLAIM_SIDE_H
#define WORKER_TURN_CLAIM_SIDE_H

#include <stdbool.h>
#include "common/buf.h"

enum claim_side { CLAIM_AT, CLAIM_BELOW, CLAIM_ABOVE };

enum claim_side claim_side(struct str text, size_t number);
/* It is how much more or less: "up by 25 %", "2 GB more than", "12 % weniger". */
bool claim_compares(struct str text, size_t number);
bool claim_about(struct str text, size_t number);

#endif
