/* worker/tools/docs/markdown.h: a Markdown or plain text document, cut at its headings. Pure.
 *
 * A section has the headings above it ("Runbooks > High load > First steps"), the line it begins at
 * and its text, heading line included. Lines that look like headings inside fenced code are none. A
 * long stretch without headings is cut at blank lines, so that what is found is small; where there
 * are none for long, at a line's end, and a line that is itself too long, within. */
#ifndef WORKER_TOOLS_DOCS_MARKDOWN_H
#define WORKER_TOOLS_DOCS_MARKDOWN_H

#include <stdint.h>
#include "common/buf.h"

enum {
    MARKDOWN_SECTION_LONG = 6000, /* from here on a blank line ends it */
    MARKDOWN_SECTION_MAX = 4 * MARKDOWN_SECTION_LONG,
    MARKDOWN_HEADING_MAX = 200,
    MARKDOWN_LEVELS = 6
};

struct section {
    struct str heading; /* "A > B", or empty */
    int64_t line;       /* of its first line, from 1 */
    struct str body;    /* borrowed from the document; at most MARKDOWN_SECTION_MAX bytes */
};
typedef void section_fn(void *arg, const struct section *s);
void markdown_sections(struct str text, section_fn *fn, void *arg);

#endif
