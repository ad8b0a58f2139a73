/* worker/tools/text.h: text that a datasource or a model brought, made fit to be shown.
 *
 * Labels, help texts and error messages are untrusted: control characters become a blank, bidi,
 * zero-width and other invisible characters are removed, what is no UTF-8 becomes U+FFFD, and each
 * text has its own cap. Numbers are written so that nothing is lost that matters. */
#ifndef WORKER_TOOLS_TEXT_H
#define WORKER_TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include "common/buf.h"

/* Adds the text, cleaned, at most max_bytes of it (then "…"). False: it was shortened. */
bool text_clean(struct buf *b, struct str text, size_t max_bytes);
/* The same as a JSON string. */
bool text_json(struct buf *b, struct str text, size_t max_bytes);
/* A JSON number; "NaN", "+Inf" and "-Inf" as strings. exact: the shortest form that reads back as
 * the same double, else six digits, and three behind the point (whole numbers stay whole). */
void text_number(struct buf *b, double value, bool exact);
/* Does it hold characters that no eye sees, or that turn its order around? Or is it no UTF-8? */
bool text_hides(struct str text);
bool text_has(struct str text, struct str lower); /* ASCII letters of either case; lower is lower */
/* "12,345" for people and models. For a %s; up to 4 live at once. */
const char *text_count(double count);
/* Edits between two words, at most 9: for "did you mean". */
unsigned text_distance(struct str a, struct str b);

#endif
