/* worker/turn/digits.h: numbers as people write them: "1,234.5", "1.234,5", "12 000",
 * "3.2 × 10^-5", "９８". Pure. */
#ifndef WORKER_TURN_DIGITS_H
#define WORKER_TURN_DIGITS_H

#include <stdbool.h>
#include "common/buf.h"

enum { DIGITS_MAX = 40 };

bool digits_here(struct str text, size_t at); /* is it one? */
/* A number's length, with what groups its digits and its power of ten. */
size_t digits_len(struct str text, size_t at);
/* decimal: which sign parts the decimals; the others group thousands. False: it can't be so. */
bool digits_read(struct str digits, char decimal, double *value, double *slack);
/* Full-width digits and signs as those of ASCII. */
void digits_narrow(struct str text, struct buf *b);

#endif
