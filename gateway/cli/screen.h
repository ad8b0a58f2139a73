/* gateway/cli/screen.h: what a terminal is told: text of others made harmless, styles, columns.
 *
 * Whatever a model, a label or a server says goes through screen_clean: no byte of it reaches the
 * terminal as a control character, so it can neither drive the terminal nor hide. Widths are those
 * of wcwidth(): main sets a locale of UTF-8. */
#ifndef GATEWAY_CLI_SCREEN_H
#define GATEWAY_CLI_SCREEN_H

#include "common/buf.h"

struct screen {
    bool terminal;  /* the answer goes to one: Markdown is drawn, else it is passed on as it is */
    bool colour;    /* styles are written: TERM knows them, and no NO_COLOR (no-color.org) */
    unsigned width; /* columns */
};
/* Of the two descriptors: where answers go, and where notes go. */
struct screen screen_of(int fd);

enum style {
    STYLE_NONE,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_ITALIC,
    STYLE_CODE,
    STYLE_LINK,
    STYLE_GOOD,
    STYLE_BAD
};
void style_on(struct buf *b, const struct screen *s, enum style style);
void style_off(struct buf *b, const struct screen *s, enum style style);
/* The colour of the nth series of a plot. */
void style_series(struct buf *b, const struct screen *s, unsigned series);

/* Adds the text without what is invisible or drives a terminal; tabs become blanks, line feeds stay
 * where lines is set and are blanks otherwise. */
void screen_clean(struct buf *b, struct str text, bool lines);
/* The same, each such character written out as <U+202E>: for what a person decides on. */
void screen_reveal(struct buf *b, struct str text);
/* At most `columns` of the cleaned text, in one line, its end replaced by "…". */
void screen_short(struct buf *b, struct str text, unsigned columns);
/* Columns of a text; our own styles in it have none. */
unsigned screen_width(struct str text);
/* The text from its start on, words wrapped; every line begins with blanks: `first` of them in the
 * first one, which are there already, `hang` in the others. Ends with a line feed. */
void screen_wrap(struct buf *b, struct str text, unsigned width, unsigned first, unsigned hang);

#endif
