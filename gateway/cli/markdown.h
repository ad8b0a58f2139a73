/* gateway/cli/markdown.h: a model's Markdown as it streams, drawn in a terminal.
 *
 * Pure: text in, any pieces; lines out, each as soon as it is whole (a table's when it has ended).
 * What it does not know stays as it was written. Its text is cleaned (screen.h) before anything
 * else, so that only our own styles reach the terminal. */
#ifndef GATEWAY_CLI_MARKDOWN_H
#define GATEWAY_CLI_MARKDOWN_H

#include "common/buf.h"
#include "gateway/cli/screen.h"

struct markdown {
    const struct screen *screen;
    struct buf line;  /* the beginning of a line whose end has not come */
    struct buf table; /* lines of a table that goes on */
    bool code;        /* between ``` and ``` */
    char fence;       /* the character of that: ` or ~ */
};
void markdown_init(struct markdown *m, const struct screen *s);
void markdown_free(struct markdown *m);
void markdown_add(struct markdown *m, struct str text, struct buf *out);
void markdown_end(struct markdown *m, struct buf *out); /* what is not drawn yet; begins anew */

#endif
