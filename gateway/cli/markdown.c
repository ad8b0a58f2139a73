#include "gateway/cli/markdown.h"

#include <ctype.h>
#include <string.h>
#include "gateway/cli/table.h"

enum {
    LINE_MAX_BYTES = 1 << 20, /* a longer one is drawn as several */
    TABLE_MAX_BYTES = 1 << 20,
    SPAN_MAX_BYTES = 1024, /* how far the end of **bold** is looked for: else each * scans it all */
};

static void draw_line(struct markdown *m, struct str line, struct buf *out);
static void draw_text(struct markdown *m, struct str line, struct buf *out);
static bool fence_of(struct str line, char *mark);
static bool is_rule(struct str line);
static unsigned heading_of(struct str line);
static size_t bullet_of(struct str line, struct str *mark);
static void draw_inline(const struct screen *s, struct str text, struct buf *out);
static size_t draw_span(const struct screen *s, struct str text, char before, struct buf *out);
static size_t draw_link(const struct screen *s, struct str text, struct buf *out);
static size_t find(struct str text, struct str what, size_t from);

void markdown_init(struct markdown *m, const struct screen *s)
{
    *m = (struct markdown){.screen = s};
    buf_init(&m->line, LINE_MAX_BYTES);
    buf_init(&m->table, TABLE_MAX_BYTES);
}

void markdown_free(struct markdown *m)
{
    buf_free(&m->line);
    buf_free(&m->table);
}

void markdown_add(struct markdown *m, struct str text, struct buf *out)
{
    while (text.len > 0) {
        size_t room = LINE_MAX_BYTES - m->line.len, most = text.len < room ? text.len : room;
        const char *end = memchr(text.at, '\n', most);
        size_t len = end ? (size_t)(end - text.at) : most;
        buf_add(&m->line, text.at, len);
        text = str_skip(text, len + (end ? 1 : 0));
        if (!end && len < room)
            return;
        draw_line(m, buf_str(&m->line), out);
        buf_clear(&m->line);
    }
}

static void end_table(struct markdown *m, struct buf *out)
{
    if (m->table.len == 0)
        return;
    table_draw_markdown(m->screen, buf_str(&m->table), draw_inline, out);
    buf_clear(&m->table);
}

void markdown_end(struct markdown *m, struct buf *out)
{
    if (m->line.len > 0)
        draw_line(m, buf_str(&m->line), out);
    end_table(m, out);
    buf_clear(&m->line);
    m->code = false;
}

/* ---- lines ---- */

static void draw_line(struct markdown *m, struct str line, struct buf *out)
{
    scoped_buf(clean, LINE_MAX_BYTES * 4);
    char mark;
    screen_clean(&clean, line, true);
    line = buf_str(&clean);
    while (line.len > 0 && line.at[line.len - 1] == ' ')
        line.len--;
    if (!m->code && str_starts(str_trim(line), STR("|")) && buf_add_str(&m->table, line) &&
        buf_putc(&m->table, '\n'))
        return;
    end_table(m, out);
    if (fence_of(line, &mark) && (!m->code || mark == m->fence)) {
        m->code = !m->code;
        m->fence = mark;
    } else if (m->code) {
        buf_puts(out, "    ");
        style_on(out, m->screen, STYLE_CODE);
        buf_add_str(out, line);
        style_off(out, m->screen, STYLE_CODE);
        buf_putc(out, '\n');
    } else {
        draw_text(m, line, out);
    }
}

static void draw_text(struct markdown *m, struct str line, struct buf *out)
{
    const struct screen *s = m->screen;
    scoped_buf(drawn, LINE_MAX_BYTES * 8);
    struct str mark, text = str_trim(line);
    unsigned level = heading_of(text);
    if (text.len == 0) {
        buf_putc(out, '\n');
    } else if (is_rule(text)) {
        for (unsigned i = 0; i < s->width; i++)
            buf_puts(out, "─");
        buf_putc(out, '\n');
    } else if (level > 0) {
        style_on(&drawn, s, STYLE_BOLD);
        draw_inline(s, str_trim(str_skip(text, level)), &drawn);
        style_off(&drawn, s, STYLE_BOLD);
        screen_wrap(out, buf_str(&drawn), s->width, 0, 0);
    } else if (text.at[0] == '>') {
        draw_inline(s, str_trim(str_skip(text, 1)), &drawn);
        buf_puts(out, "│ ");
        screen_wrap(out, buf_str(&drawn), s->width, 2, 2);
    } else {
        unsigned indent = (unsigned)(text.at - line.at);
        size_t skip = bullet_of(text, &mark);
        indent = indent < s->width / 2 ? indent : s->width / 2;
        buf_printf(out, "%*s", (int)indent, "");
        buf_add_str(out, mark);
        draw_inline(s, str_skip(text, skip), &drawn);
        unsigned first = indent + screen_width(mark);
        screen_wrap(out, buf_str(&drawn), s->width, first, first);
    }
}

static bool fence_of(struct str line, char *mark)
{
    struct str text = str_trim(line);
    size_t run = 0;
    *mark = '`';
    while (run < text.len && text.at[run] == '`')
        run++;
    if (run >= 3 && !memchr(text.at + run, '`', text.len - run)) /* else it is code in a line */
        return true;
    *mark = '~';
    return str_starts(text, STR("~~~"));
}

/* "---", "* * *" and the like. */
static bool is_rule(struct str line)
{
    unsigned marks = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.at[i] != ' ' && (line.at[i] != line.at[0] || !strchr("-*_", line.at[i])))
            return false;
        marks += line.at[i] != ' ';
    }
    return marks >= 3;
}

/* How many # a heading begins with, or 0. */
static unsigned heading_of(struct str line)
{
    unsigned level = 0;
    while (level < line.len && line.at[level] == '#')
        level++;
    return level > 0 && level <= 6 && level < line.len && line.at[level] == ' ' ? level : 0;
}

/* Of a list's line: how it begins, and what it is shown as; 0 and nothing of others. */
static size_t bullet_of(struct str line, struct str *mark)
{
    size_t digits = 0;
    *mark = (struct str){NULL, 0};
    if (line.len >= 2 && strchr("-*+", line.at[0]) && line.at[1] == ' ') {
        *mark = STR("• ");
        return 2;
    }
    while (digits < line.len && digits < 9 && isdigit((unsigned char)line.at[digits]))
        digits++;
    if (digits == 0 || digits + 1 >= line.len || !strchr(".)", line.at[digits]) ||
        line.at[digits + 1] != ' ')
        return 0;
    *mark = (struct str){line.at, digits + 2};
    return digits + 2;
}

/* ---- within a line ---- */

static void draw_inline(const struct screen *s, struct str text, struct buf *out)
{
    char before = ' ';
    while (text.len > 0) {
        size_t len = 0;
        if (text.at[0] == '\\' && text.len > 1 && ispunct((unsigned char)text.at[1])) {
            buf_putc(out, text.at[1]);
            len = 2;
        } else if (strchr("*_`~", text.at[0])) {
            len = draw_span(s, text, before, out);
        } else if (text.at[0] == '[') {
            len = draw_link(s, text, out);
        }
        if (len == 0) {
            buf_putc(out, text.at[0]);
            len = 1;
        }
        before = text.at[len - 1];
        text = str_skip(text, len);
    }
}

/* **bold**, *italic*, `code`, ~~gone~~ at the text's start; 0: it is none of them. */
static size_t draw_span(const struct screen *s, struct str text, char before, struct buf *out)
{
    static const struct {
        struct str mark;
        enum style style;
    } spans[] = {{{"```", 3}, STYLE_CODE}, {{"``", 2}, STYLE_CODE}, {{"`", 1}, STYLE_CODE},
                 {{"**", 2}, STYLE_BOLD},  {{"__", 2}, STYLE_BOLD}, {{"~~", 2}, STYLE_DIM},
                 {{"*", 1}, STYLE_ITALIC}, {{"_", 1}, STYLE_ITALIC}};
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        struct str mark = spans[i].mark;
        if (!str_starts(text, mark))
            continue;
        size_t end = find(text, mark, mark.len);
        bool inside_word = mark.at[0] == '_' && isalnum((unsigned char)before);
        bool code = spans[i].style == STYLE_CODE;
        if (end == 0 || end == mark.len || inside_word ||
            (!code && (text.at[mark.len] == ' ' || text.at[end - 1] == ' ')))
            continue;
        struct str inner = {text.at + mark.len, end - mark.len};
        style_on(out, s, spans[i].style);
        if (code)
            buf_add_str(out, str_trim(inner));
        else
            draw_inline(s, inner, out);
        style_off(out, s, spans[i].style);
        return end + mark.len;
    }
    return 0;
}

/* [text](address) */
static size_t draw_link(const struct screen *s, struct str text, struct buf *out)
{
    size_t middle = find(text, STR("]("), 1), end = middle ? find(text, STR(")"), middle) : 0;
    if (middle <= 1 || end == 0)
        return 0;
    struct str name = {text.at + 1, middle - 1};
    struct str address = {text.at + middle + 2, end - middle - 2};
    draw_inline(s, name, out);
    if (address.len > 0 && !str_eq(name, address)) {
        buf_puts(out, " (");
        style_on(out, s, STYLE_LINK);
        buf_add_str(out, address);
        style_off(out, s, STYLE_LINK);
        buf_putc(out, ')');
    }
    return end + 1;
}

/* Where it is found at or behind from, or 0. */
static size_t find(struct str text, struct str what, size_t from)
{
    if (from >= text.len)
        return 0;
    size_t len = text.len - from < SPAN_MAX_BYTES ? text.len - from : SPAN_MAX_BYTES;
    const char *at = memmem(text.at + from, len, what.at, what.len);
    return at ? (size_t)(at - text.at) : 0;
}
