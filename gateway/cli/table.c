#include "gateway/cli/table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"

enum { COLUMNS_MAX = 32, CELL_BYTES_MAX = 1 << 16, GAP = 2 };

struct cell {
    char *text; /* drawn, owned */
    unsigned width;
};
struct row {
    struct cell cells[COLUMNS_MAX];
    unsigned count;
};
struct table {
    struct row *rows;
    unsigned count, columns;
    unsigned width[COLUMNS_MAX];
    bool right[COLUMNS_MAX];
    bool named; /* the first row is the columns' names */
};

static void add_row(struct table *t, const struct screen *s, struct str line, table_cell_fn *cell);
static bool is_separator(struct str line);
static bool next_cell(struct str *rest, struct str *cell);
static void measure(struct table *t);
static bool is_number(const char *text);
static void draw_aligned(const struct table *t, const struct screen *s, struct buf *out);
/* Of "• name: value": where the value begins on its line. A name that leaves too little of it has
 * lines of its own. */
static unsigned draw_name(const struct cell *name, const struct screen *s, struct buf *out)
{
    enum { VALUE_LEAST = 8 };
    bool fits = 2 + name->width + 2 + VALUE_LEAST <= s->width;
    style_on(out, s, STYLE_DIM);
    if (fits) {
        buf_printf(out, "%s:", name->text);
    } else {
        scoped_buf(text, CELL_BYTES_MAX + 2);
        buf_printf(&text, "%s:", name->text);
        screen_wrap(out, buf_str(&text), s->width, 2, 4);
    }
    style_off(out, s, STYLE_DIM);
    buf_puts(out, fits ? " " : "    ");
    return fits ? 2 + name->width + 2 : 4;
}

static void draw_listed(const struct table *t, const struct screen *s, struct buf *out);
static void free_rows(struct table *t);

void table_draw_markdown(const struct screen *s, struct str lines, table_cell_fn *cell,
                         struct buf *out)
{
    struct table t = {0};
    unsigned total = 0;
    for (struct str line; str_split(&lines, '\n', &line);) {
        line = str_trim(line);
        if (line.len == 0)
            continue;
        if (is_separator(line))
            t.named = t.named || t.count == 1;
        else
            add_row(&t, s, line, cell);
    }
    measure(&t);
    for (unsigned i = 0; i < t.columns; i++)
        total += t.width[i] + (i > 0 ? GAP : 0);
    if (total <= s->width)
        draw_aligned(&t, s, out);
    else
        draw_listed(&t, s, out);
    free_rows(&t);
}

/* ---- what it holds ---- */

static void add_row(struct table *t, const struct screen *s, struct str line, table_cell_fn *cell)
{
    scoped_buf(drawn, CELL_BYTES_MAX);
    if ((t->count & (t->count + 1)) == 0) /* room for 1, 3, 7 … more */
        t->rows = xrealloc(t->rows, (t->count * 2 + 1) * sizeof(*t->rows));
    struct row *row = &t->rows[t->count++];
    *row = (struct row){0};
    for (struct str text; row->count < COLUMNS_MAX && next_cell(&line, &text);) {
        buf_clear(&drawn);
        cell(s, text, &drawn);
        row->cells[row->count++] = (struct cell){.text = xstrdup(buf_cstr(&drawn)),
                                                 .width = screen_width(buf_str(&drawn))};
    }
}

/* | --- | :---: | */
static bool is_separator(struct str line)
{
    bool dash = false;
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr("|-: ", line.at[i]))
            return false;
        dash = dash || line.at[i] == '-';
    }
    return dash;
}

/* The next of | a | b |: \| is no end, nor is one between backticks. */
static bool next_cell(struct str *rest, struct str *cell)
{
    bool code = false;
    size_t i = 0;
    if (rest->len > 0 && rest->at[0] == '|')
        *rest = str_skip(*rest, 1);
    if (str_trim(*rest).len == 0)
        return false;
    for (; i < rest->len && (code || rest->at[i] != '|'); i++) {
        code ^= rest->at[i] == '`';
        i += rest->at[i] == '\\' && i + 1 < rest->len;
    }
    *cell = str_trim((struct str){rest->at, i});
    *rest = str_skip(*rest, i);
    return true;
}

static void measure(struct table *t)
{
    for (unsigned i = 0; i < t->count; i++)
        t->columns = t->rows[i].count > t->columns ? t->rows[i].count : t->columns;
    for (unsigned c = 0; c < t->columns; c++) {
        t->right[c] = t->count > t->named;
        for (unsigned i = 0; i < t->count; i++) {
            const struct cell *cell = &t->rows[i].cells[c];
            if (c >= t->rows[i].count)
                continue;
            t->width[c] = cell->width > t->width[c] ? cell->width : t->width[c];
            if (i > 0 || !t->named)
                t->right[c] = t->right[c] && is_number(cell->text);
        }
    }
}

/* It begins with one: "12.3 %", "-4 MiB", "~5"; or has none ("", "–"). */
static bool is_number(const char *text)
{
    while (*text && strchr("+-~<>≈ ", *text))
        text++;
    return !*text || isdigit((unsigned char)*text);
}

/* ---- how it looks ---- */

static void draw_aligned(const struct table *t, const struct screen *s, struct buf *out)
{
    for (unsigned i = 0; i < t->count; i++) {
        bool head = i == 0 && t->named;
        unsigned owed = 0; /* blanks, written when something follows them */
        if (head)
            style_on(out, s, STYLE_BOLD);
        for (unsigned c = 0; c < t->rows[i].count; c++) {
            const struct cell *cell = &t->rows[i].cells[c];
            unsigned room = t->width[c] - cell->width;
            owed += t->right[c] ? room : 0;
            buf_printf(out, "%*s%s", (int)owed, "", cell->text);
            owed = (t->right[c] ? 0 : room) + GAP;
        }
        if (head)
            style_off(out, s, STYLE_BOLD);
        buf_putc(out, '\n');
        for (unsigned c = 0; head && c < t->columns; c++) {
            buf_printf(out, "%*s", c > 0 ? GAP : 0, "");
            for (unsigned k = 0; k < t->width[c]; k++)
                buf_puts(out, "─");
        }
        if (head)
            buf_putc(out, '\n');
    }
}

static void draw_listed(const struct table *t, const struct screen *s, struct buf *out)
{
    for (unsigned i = t->named; i < t->count; i++) {
        for (unsigned c = 0; c < t->rows[i].count; c++) {
            bool has_name = t->named && c < t->rows[0].count && t->rows[0].cells[c].width > 0;
            buf_puts(out, c == 0 ? "• " : "  ");
            unsigned first = 2;
            if (has_name)
                first = draw_name(&t->rows[0].cells[c], s, out);
            screen_wrap(out, str_of(t->rows[i].cells[c].text), s->width, first, 4);
        }
    }
}

static void free_rows(struct table *t)
{
    for (unsigned i = 0; i < t->count; i++)
        for (unsigned c = 0; c < t->rows[i].count; c++)
            free(t->rows[i].cells[c].text);
    free(t->rows);
}
