/* common/loose.h: JSON as people and models write it by hand: strings in single quotes or with line
 * breaks in them, names without quotes, commas before a closing bracket, Python's True, False and
 * None. Whatever has another meaning, or none, is refused. Pure. */
#ifndef COMMON_LOOSE_H
#define COMMON_LOOSE_H

#include <jansson.h>
#include "common/buf.h"

/* The object or list that the text begins with (blanks may stand before it), and in *used how many
 * bytes it takes. NULL: there is none. */
json_t *loose_read(struct str text, size_t *used);
/* The same of a value that is a string, a number or a word. */
json_t *loose_value(struct str text, size_t *used);

#endif
