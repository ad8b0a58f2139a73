/* worker/llm/undone.h: a text with JSON's escapes undone, or those of an address, and where in the
 * text each byte of that stands. Pure.
 *
 * It need not be JSON: whatever looks like an escape counts as one (RFC 8259 section 7). Of a text
 * that is meant as it stands, as a path of Windows, so more is seen than there is, which is the
 * safe side for who looks for what must not leave. Memory: undone_free. */
#ifndef WORKER_LLM_UNDONE_H
#define WORKER_LLM_UNDONE_H

#include <stdbool.h>
#include "common/buf.h"

enum {
    UNDONE_LEVELS = 5,         /* the text as it is, and four times undone */
    UNDONE_PERCENT_LEVELS = 3, /* likewise: an address may be a parameter of another one */
};

struct undone {
    struct str text;
    char *own;    /* of the text; NULL: it is the source itself */
    size_t *from; /* of each byte, and of its end; NULL: each stands where it is */
};
/* Undoes them `levels` times. False: the last time there was none left. The source is borrowed. */
bool undo_escapes(struct str source, unsigned levels, struct undone *out);
/* The same for %40 and its kind (RFC 3986 section 2.1), where it is a character. */
bool undo_percents(struct str source, unsigned levels, struct undone *out);
void undone_free(struct undone *u);
size_t undone_at(const struct undone *u, size_t at); /* of the source */

#endif
