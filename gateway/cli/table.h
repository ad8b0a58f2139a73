/* gateway/cli/table.h: tables in a terminal: columns aligned, numbers to the right.
 *
 * Pure. One that is wider than the terminal is drawn as a list of its rows, a line a cell: nothing
 * is lost. */
#ifndef GATEWAY_CLI_TABLE_H
#define GATEWAY_CLI_TABLE_H

#include "common/buf.h"
#include "gateway/cli/screen.h"

/* Draws the text of a cell. */
typedef void table_cell_fn(const struct screen *s, struct str text, struct buf *out);
/* Lines of Markdown that begin with |, the first the columns' names, the second :---: or a row like
 * the others. */
void table_draw_markdown(const struct screen *s, struct str lines, table_cell_fn *cell,
                         struct buf *out);

#endif
