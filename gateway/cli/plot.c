#include "gateway/cli/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/utf8.h"

enum {
    DOTS_X = 2,
    DOTS_Y = 4,       /* dots of a braille cell */
    CELLS_MOST = 200, /* wider says nothing more */
    LINES_MOST = 40,
    LEGEND_MOST = 8,
};

struct canvas {
    unsigned cells, lines;
    double least, most; /* values at the bottom and the top */
    unsigned char dots[LINES_MOST][CELLS_MOST];
    unsigned char series[LINES_MOST][CELLS_MOST]; /* who drew there last */
};

static bool bounds(const struct plot *p, double *least, double *most);
static void draw_series(struct canvas *c, const struct plot *p, unsigned series);
static void line(struct canvas *c, const int from[2], const int to[2], unsigned series);
static void dot(struct canvas *c, int x, int y, unsigned series);
static unsigned axis_width(const struct canvas *c, const struct plot *p);
static void write_canvas(struct buf *b, const struct screen *s, const struct plot *p,
                         const struct canvas *c, unsigned axis);
static void write_cell(struct buf *b, unsigned dots);
static void write_times(struct buf *b, const struct plot *p, unsigned axis, unsigned cells);
static void write_legend(struct buf *b, const struct screen *s, const struct plot *p);
static const struct plot_point *last_of(const struct plot_series *s);
static bool has_word(struct str text, const char *word);

bool plot_draw(struct buf *b, const struct screen *s, const struct plot *p)
{
    struct canvas *c = xcalloc(1, sizeof(*c));
    bool fine = p->end_s > p->start_s && bounds(p, &c->least, &c->most);
    c->lines = p->height < 2 ? 2 : p->height > LINES_MOST ? LINES_MOST : p->height;
    unsigned axis = fine ? axis_width(c, p) : 0;
    fine = fine && s->width > axis + 12;
    if (fine) {
        c->cells = s->width - axis - 3 < CELLS_MOST ? s->width - axis - 3 : CELLS_MOST;
        for (unsigned i = 0; i < p->count; i++)
            draw_series(c, p, i);
        write_canvas(b, s, p, c, axis);
        write_times(b, p, axis, c->cells);
        write_legend(b, s, p);
    }
    free(c);
    return fine;
}

/* ---- dots ---- */

/* Of all numbers; a line that is flat lies in the middle. False: there are not two. */
static bool bounds(const struct plot *p, double *least, double *most)
{
    unsigned numbers = 0;
    *least = INFINITY;
    *most = -INFINITY;
    for (unsigned i = 0; i < p->count; i++)
        for (unsigned j = 0; j < p->series[i].count; j++) {
            double value = p->series[i].points[j].value;
            if (!isfinite(value))
                continue;
            numbers++;
            *least = fmin(*least, value);
            *most = fmax(*most, value);
        }
    if (numbers < 2)
        return false;
    if (*most - *least < fabs(*most) * 1e-9 || *most <= *least) {
        double room = fabs(*most) > 0 ? fabs(*most) / 2 : 1;
        *least -= room;
        *most += room;
    }
    return isfinite(*most - *least);
}

static void draw_series(struct canvas *c, const struct plot *p, unsigned series)
{
    const struct plot_series *s = &p->series[series];
    double width = c->cells * DOTS_X - 1, height = c->lines * DOTS_Y - 1;
    bool joined = false;
    int before[2] = {0, 0};
    for (unsigned i = 0; i < s->count; i++) {
        double x = (s->points[i].at_s - p->start_s) / (p->end_s - p->start_s) * width;
        double y = (c->most - s->points[i].value) / (c->most - c->least) * height;
        if (!isfinite(y) || !(x >= 0 && x <= width + 0.5)) {
            joined = false;
            continue;
        }
        int here[2] = {(int)lround(x), (int)lround(y)};
        line(c, joined ? before : here, here, series);
        memcpy(before, here, sizeof(before));
        joined = true;
    }
}

/* Bresenham's. */
static void line(struct canvas *c, const int from[2], const int to[2], unsigned series)
{
    int x = from[0], y = from[1], dx = abs(to[0] - x), dy = -abs(to[1] - y);
    int step_x = x < to[0] ? 1 : -1, step_y = y < to[1] ? 1 : -1, error = dx + dy;
    for (;;) {
        dot(c, x, y, series);
        if (x == to[0] && y == to[1])
            return;
        int twice = 2 * error;
        if (twice >= dy) {
            error += dy;
            x += step_x;
        }
        if (twice <= dx) {
            error += dx;
            y += step_y;
        }
    }
}

static void dot(struct canvas *c, int x, int y, unsigned series)
{
    static const unsigned char bits[DOTS_Y][DOTS_X] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};
    int cell = x / DOTS_X, row = y / DOTS_Y;
    if (x < 0 || y < 0 || cell >= (int)c->cells || row >= (int)c->lines)
        return;
    c->dots[row][cell] |= bits[y % DOTS_Y][x % DOTS_X];
    c->series[row][cell] = (unsigned char)series;
}

/* ---- axes ---- */

static void label_at(const struct canvas *c, const struct plot *p, unsigned row, struct buf *b)
{
    double value = c->most - (c->most - c->least) * row / (c->lines - 1);
    if (fabs(value) < (c->most - c->least) * 1e-6) /* what is left of a zero */
        value = 0;
    buf_clear(b);
    plot_number(b, value, p->unit);
}

static bool has_label(const struct canvas *c, unsigned row)
{
    return row == 0 || row == c->lines - 1 || (c->lines >= 5 && row == (c->lines - 1) / 2);
}

static unsigned axis_width(const struct canvas *c, const struct plot *p)
{
    unsigned width = 0;
    scoped_buf(label, 64);
    for (unsigned row = 0; row < c->lines; row++) {
        label_at(c, p, row, &label);
        if (has_label(c, row) && screen_width(buf_str(&label)) > width)
            width = screen_width(buf_str(&label));
    }
    return width;
}

static void write_canvas(struct buf *b, const struct screen *s, const struct plot *p,
                         const struct canvas *c, unsigned axis)
{
    scoped_buf(label, 64);
    for (unsigned row = 0; row < c->lines; row++) {
        label_at(c, p, row, &label);
        if (!has_label(c, row))
            buf_clear(&label);
        buf_printf(b, "%*s", (int)(axis - screen_width(buf_str(&label))), "");
        buf_add_str(b, buf_str(&label));
        buf_puts(b, label.len > 0 ? " ┤" : " │");
        int drawn_by = -1;
        for (unsigned cell = 0; cell < c->cells; cell++) {
            if (c->dots[row][cell] && drawn_by != c->series[row][cell]) {
                drawn_by = c->series[row][cell];
                style_series(b, s, (unsigned)drawn_by);
            }
            write_cell(b, c->dots[row][cell]);
        }
        if (drawn_by >= 0 && s->colour)
            buf_puts(b, "\033[39m");
        buf_putc(b, '\n');
    }
}

/* Braille patterns are U+2800 and the dots' bits; a blank is a blank. */
static void write_cell(struct buf *b, unsigned dots)
{
    if (dots == 0) {
        buf_putc(b, ' ');
        return;
    }
    char pattern[4];
    buf_add(b, pattern, utf8_encode(0x2800 | dots, pattern));
}

static void time_text(double at_s, double span_s, char *out, size_t size)
{
    enum { DAY_S = 86400, SHORT_S = 600 };
    time_t seconds = (time_t)at_s;
    struct tm tm;
    localtime_r(&seconds, &tm);
    if (strftime(out, size,
                 span_s > DAY_S     ? "%d %b %H:%M"
                 : span_s < SHORT_S ? "%H:%M:%S"
                                    : "%H:%M",
                 &tm) == 0)
        out[0] = '\0';
}

static void write_times(struct buf *b, const struct plot *p, unsigned axis, unsigned cells)
{
    char text[3][32];
    double span = p->end_s - p->start_s;
    for (int i = 0; i < 3; i++)
        time_text(p->start_s + span * i / 2, span, text[i], sizeof(text[i]));
    unsigned first = (unsigned)strlen(text[0]), middle = (unsigned)strlen(text[1]),
             last = (unsigned)strlen(text[2]);
    buf_printf(b, "%*s └", (int)axis, "");
    for (unsigned i = 0; i < cells; i++)
        buf_puts(b, "─");
    buf_printf(b, "\n%*s  %s", (int)axis, "", text[0]);
    unsigned column = first, want = cells / 2 > middle / 2 ? cells / 2 - middle / 2 : 0;
    if (want > column + 1 && want + middle + 1 + last <= cells) {
        buf_printf(b, "%*s%s", (int)(want - column), "", text[1]);
        column = want + middle;
    }
    if (column + 1 + last <= cells)
        buf_printf(b, "%*s%s", (int)(cells - last - column), "", text[2]);
    buf_putc(b, '\n');
}

/* ---- legend ---- */

static const struct plot_point *last_of(const struct plot_series *s)
{
    for (unsigned i = s->count; i > 0; i--)
        if (isfinite(s->points[i - 1].value))
            return &s->points[i - 1];
    return NULL;
}

/* Without colours a series is told by its own row of blocks. */
static void write_legend(struct buf *b, const struct screen *s, const struct plot *p)
{
    enum { SPARK_COLUMNS = 12, OTHERS = 18 }; /* mark and value */
    bool sparks = !s->colour && p->count > 1;
    unsigned others = OTHERS + (sparks ? SPARK_COLUMNS + 1 : 0);
    for (unsigned i = 0; i < p->count && i < LEGEND_MOST; i++) {
        const struct plot_series *one = &p->series[i];
        const struct plot_point *last = last_of(one);
        buf_puts(b, "  ");
        style_series(b, s, i);
        buf_puts(b, s->colour ? "━━" : "- ");
        if (s->colour)
            buf_puts(b, "\033[39m");
        buf_putc(b, ' ');
        if (sparks) {
            plot_spark(b, one->points, one->count, SPARK_COLUMNS);
            buf_putc(b, ' ');
        }
        screen_short(b, one->label, s->width > others + 10 ? s->width - others : 10);
        buf_puts(b, "  ");
        plot_number(b, last ? last->value : NAN, p->unit);
        buf_putc(b, '\n');
    }
    if (p->count > LEGEND_MOST)
        buf_printf(b, "  … and %u more\n", p->count - LEGEND_MOST);
}

/* ---- one line ---- */

/* The mean of the numbers of one column, NAN without one. */
static double mean_of(const struct plot_point *points, unsigned from, unsigned to)
{
    double sum = 0;
    unsigned numbers = 0;
    for (unsigned i = from; i < to; i++)
        if (isfinite(points[i].value)) {
            sum += points[i].value;
            numbers++;
        }
    return numbers > 0 ? sum / numbers : NAN;
}

void plot_spark(struct buf *b, const struct plot_point *points, unsigned count, unsigned columns)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double values[SPARK_MOST], least = INFINITY, most = -INFINITY;
    if (columns > SPARK_MOST)
        columns = SPARK_MOST;
    if (columns > count)
        columns = count;
    for (unsigned i = 0; i < columns; i++) {
        unsigned from = (unsigned)((uint64_t)count * i / columns);
        values[i] = mean_of(points, from, (unsigned)((uint64_t)count * (i + 1) / columns));
        if (isfinite(values[i])) {
            least = fmin(least, values[i]);
            most = fmax(most, values[i]);
        }
    }
    double half = most / 2 - least / 2; /* the whole may be more than a double holds */
    for (unsigned i = 0; i < columns; i++) {
        double part = half > 0 ? (values[i] / 2 - least / 2) / half : 0;
        buf_puts(b, isfinite(values[i]) ? blocks[(int)(part * 7 + 0.5)] : " ");
    }
}

/* ---- numbers ---- */

static void write_scaled(struct buf *b, double value, double base, const char *const *names,
                         unsigned count)
{
    unsigned i = 0;
    for (; i + 1 < count && fabs(value) >= base; i++)
        value /= base;
    buf_printf(b, "%.3g%s", fabs(value) >= 1000 ? round(value) : value, names[i]);
}

static void write_seconds(struct buf *b, double value)
{
    double size = fabs(value);
    if (size == 0 || (size >= 1 && size < 120))
        buf_printf(b, "%.3g s", value);
    else if (size < 1e-3)
        buf_printf(b, "%.3g µs", value * 1e6);
    else if (size < 1)
        buf_printf(b, "%.3g ms", value * 1e3);
    else if (size < 7200)
        buf_printf(b, "%.3g min", value / 60);
    else if (size < 172800)
        buf_printf(b, "%.3g h", value / 3600);
    else
        buf_printf(b, "%.4g d", value / 86400);
}

void plot_number(struct buf *b, double value, enum plot_unit unit)
{
    static const char *const bytes[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
    static const char *const plain[] = {"", " k", " M", " G", " T", " P"};
    if (!isfinite(value)) {
        buf_puts(b, isnan(value) ? "–" : value > 0 ? "+Inf" : "-Inf");
    } else if (unit == UNIT_BYTES || unit == UNIT_BYTES_S) {
        write_scaled(b, value, 1024, bytes, 6);
        buf_puts(b, unit == UNIT_BYTES_S ? "/s" : "");
    } else if (unit == UNIT_SECONDS) {
        write_seconds(b, value);
    } else if (unit == UNIT_PERCENT || unit == UNIT_RATIO) {
        buf_printf(b, "%.3g %%", unit == UNIT_RATIO ? value * 100 : value);
    } else if (fabs(value) >= 1e5) {
        write_scaled(b, value, 1000, plain, 6);
    } else {
        buf_printf(b, fabs(value) >= 1000 ? "%.5g" : "%.3g", value);
    }
}

static bool has_word(struct str text, const char *word)
{
    return memmem(text.at, text.len, word, strlen(word));
}

enum plot_unit plot_unit_of(struct str query)
{
    if (query.len == 0)
        return UNIT_NONE;
    bool rate = has_word(query, "rate(") || has_word(query, "deriv(");
    bool divided = has_word(query, "/");
    if (has_word(query, "* 100") || has_word(query, "100 *") || has_word(query, "*100") ||
        has_word(query, "_percent"))
        return UNIT_PERCENT;
    if (has_word(query, "_ratio"))
        return UNIT_RATIO;
    if (has_word(query, "histogram_quantile") || has_word(query, "histogram_avg"))
        return has_word(query, "_seconds") ? UNIT_SECONDS
               : has_word(query, "_bytes") ? UNIT_BYTES
                                           : UNIT_NONE;
    if (divided || has_word(query, "count(") || has_word(query, "_info"))
        return UNIT_NONE;
    if (has_word(query, "_bytes"))
        return rate ? UNIT_BYTES_S : UNIT_BYTES;
    return has_word(query, "_seconds") && !rate ? UNIT_SECONDS : UNIT_NONE;
}
