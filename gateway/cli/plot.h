/* gateway/cli/plot.h: series drawn in a terminal: lines of braille dots with axes and a legend, and
 * a row of blocks where there is one line.
 *
 * Pure: it writes into a buf. No kept C library draws into text (notcurses owns the whole
 * terminal), and gnuplot is not everywhere. */
#ifndef GATEWAY_CLI_PLOT_H
#define GATEWAY_CLI_PLOT_H

#include "common/buf.h"
#include "gateway/cli/screen.h"

struct plot_point {
    double at_s, value; /* Unix time; NAN: a gap */
};
struct plot_series {
    struct str label; /* of others: it is cleaned */
    struct plot_point *points;
    unsigned count;
};
enum plot_unit { UNIT_NONE, UNIT_BYTES, UNIT_BYTES_S, UNIT_SECONDS, UNIT_PERCENT, UNIT_RATIO };
struct plot {
    const struct plot_series *series;
    unsigned count;
    double start_s, end_s;
    enum plot_unit unit;
    unsigned height; /* lines of dots, at least 2 */
};

enum { SPARK_MOST = 64 };
/* False: nothing to draw (no two numbers, no time), and nothing was written. */
bool plot_draw(struct buf *b, const struct screen *s, const struct plot *p);
/* At most `columns` (SPARK_MOST) blocks, the points thinned to them; a gap is a blank. */
void plot_spark(struct buf *b, const struct plot_point *points, unsigned count, unsigned columns);
/* "1.5 GiB", "12.3 ms", "85 %", "1,234"; NAN is "–". */
void plot_number(struct buf *b, double value, enum plot_unit unit);
/* What a query of PromQL measures, as far as names tell by Prometheus's conventions. */
enum plot_unit plot_unit_of(struct str query);

#endif
