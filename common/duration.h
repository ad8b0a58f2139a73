/* common/duration.h: a length of time as text, as Prometheus writes it: "90s", "1h30m", "7d". */
#ifndef COMMON_DURATION_H
#define COMMON_DURATION_H

#include <stdbool.h>
#include <stdint.h>
#include "common/str.h"

/* Numbers with a unit each: ms, s, m, h, d, w, y (365 d); a fraction is fine ("1.5h"). Without one
 * it is 0 alone. False: it is none, or no int64_t holds it. */
bool duration_parse(struct str text, int64_t *ms);
/* The same units up to days, not negative; below two minutes in seconds where it can be ("90s").
 * For a %s; up to 4 live at once. */
const char *duration_write(int64_t ms);

#endif
