#include "gateway/api/session_md.h"

#include <jansson.h>
#include <string.h>
#include "common/json.h"
#include "common/utc.h"
#include "common/utf8.h"

enum { ROWS_MAX = 100, CELL_BYTES_MAX = 400 };

static void write_message(struct buf *b, const struct record_message *r);
static void write_plain(struct buf *b, const struct buf *text);
static void write_question(struct buf *b, const struct record_message *m);
static void write_answer(struct buf *b, const struct record_message *m);
static void write_said(struct buf *b, struct str text);
static void write_answer_line(struct buf *b, struct str line, bool code);
static struct str fence_of(struct str line);
static bool fence_closes(struct str line, struct str fence);
static void write_response(struct buf *b, const struct record_response *r);
static void write_time(struct buf *b, int64_t ms);
static void write_line(struct buf *b, struct str text);
static void write_code(struct buf *b, struct str text);
static void write_cell(struct buf *b, struct str text);
static void write_value(struct buf *b, const json_t *v);
static void write_table(struct buf *b, const json_t *rows);
static void write_notes(struct buf *b, const json_t *notes);

void session_md_head(struct buf *b, const struct store_session *s)
{
    scoped_buf(text, b->max_bytes);
    buf_puts(&text, "# ");
    write_line(&text, s->title.len > 0 ? s->title : STR("Conversation"));
    buf_puts(&text, "\n\nBegun ");
    write_time(&text, s->created_ms);
    buf_puts(&text, ", last changed ");
    write_time(&text, s->updated_ms);
    buf_puts(&text, ".\n");
    write_plain(b, &text);
}

void session_md_message(struct buf *b, const struct store_message *m)
{
    scoped_buf(text, b->max_bytes);
    write_message(&text, &m->record);
    write_plain(b, &text);
}

/* Would it have a text read other than it is? Of what no eye sees (utf8.h), without what emoji and
 * many scripts need: as the pages show texts (plugin/src/invisible.ts). */
static bool deceives(uint32_t c)
{
    bool joins = c == 0x200c || c == 0x200d;
    return (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c < 0x2010 && !joins) ||
           (c >= 0x2028 && c < 0x202f) || (c >= 0x2060 && c < 0x2070) || c == 0xfeff ||
           (c >= 0xe0000 && c < 0xe0100);
}

static void write_plain(struct buf *b, const struct buf *text)
{
    const unsigned char *at = (const unsigned char *)text->at;
    for (size_t i = 0, len; i < text->len; i += len) {
        len = 1;
        if (at[i] >= 0x7f && deceives(utf8_decode(at + i, text->len - i, &len)))
            buf_puts(b, "\xef\xbf\xbd");
        else
            buf_add(b, text->at + i, len);
    }
    b->overflowed = b->overflowed || text->overflowed;
}

static void write_message(struct buf *b, const struct record_message *r)
{
    switch (r->role) {
    case ROLE_USER:
        write_question(b, r);
        break;
    case ROLE_ASSISTANT:
        write_answer(b, r);
        break;
    case ROLE_TOOL:
        for (unsigned i = 0; i < r->response_count; i++)
            write_response(b, &r->responses[i]);
        break;
    }
}

static void write_question(struct buf *b, const struct record_message *m)
{
    buf_puts(b, "\n## Question, ");
    write_time(b, m->at_ms);
    buf_puts(b, "\n\n");
    /* Quoted, so that a question that holds headings does not end its part. */
    struct str rest = str_trim(m->content), line;
    while (str_split(&rest, '\n', &line)) {
        buf_puts(b, "> ");
        for (size_t i = 0; i < line.len; i++) /* a line ends there too (CommonMark) */
            buf_putc(b, line.at[i] == '\r' ? ' ' : line.at[i]);
        buf_putc(b, '\n');
    }
}

static void write_answer(struct buf *b, const struct record_message *m)
{
    if (str_trim(m->content).len == 0)
        return; /* it only asked for tools, which follow */
    buf_puts(b, m->call_count > 0 ? "\n" : "\n## Answer, ");
    if (m->call_count == 0) {
        write_time(b, m->at_ms);
        buf_puts(b, " (");
        write_line(b, m->model);
        buf_puts(b, ")\n\n");
    }
    write_said(b, str_trim(m->content));
}

/* Without the block of what might be asked next: that is of the moment. A block of code that an
 * answer which was cut off left open would hold the rest of the file. */
static void write_said(struct buf *b, struct str text)
{
    static const char block[] = "```next", end[] = "```";
    struct str fence = {NULL, 0};
    bool inside = false;
    for (struct str line; str_split(&text, '\n', &line);) {
        bool closes = inside && str_is(str_trim(line), end);
        inside = inside || (fence.len == 0 && str_is(str_trim(line), block));
        if (!inside) {
            write_answer_line(b, line, fence.len > 0);
            if (fence.len == 0)
                fence = fence_of(line);
            else if (fence_closes(line, fence))
                fence.len = 0;
        }
        inside = inside && !closes;
    }
    buf_add_str(b, fence);
    buf_puts(b, fence.len > 0 ? "\n" : "");
}

/* Behind the marks of lists and quotes a '<' may begin a block of HTML (CommonMark 4.6), of which
 * "<!--" and others have no end but the file's. */
static void write_answer_line(struct buf *b, struct str line, bool code)
{
    size_t at = 0;
    while (at < line.len && line.at[at] != '\0' && strchr(" \t>-+*.)0123456789", line.at[at]))
        at++;
    buf_add(b, line.at, at);
    buf_puts(b, !code && at < line.len && line.at[at] == '<' ? "\\" : "");
    buf_add_str(b, str_skip(line, at));
    buf_putc(b, '\n');
}

/* Of a line that begins a block of code (CommonMark 4.5), the fence; else empty. */
static struct str fence_of(struct str line)
{
    size_t blanks = 0, len = 0;
    while (blanks < line.len && line.at[blanks] == ' ')
        blanks++;
    line = str_skip(line, blanks);
    while (len < line.len && line.at[len] == line.at[0])
        len++;
    bool fences = blanks < 4 && len >= 3 && (line.at[0] == '`' || line.at[0] == '~');
    if (fences && line.at[0] == '`' && memchr(line.at + len, '`', line.len - len))
        fences = false; /* code within a line */
    return (struct str){line.at, fences ? len : 0};
}

static bool fence_closes(struct str line, struct str fence)
{
    struct str found = fence_of(line);
    return found.len >= fence.len && found.at[0] == fence.at[0] && str_trim(line).len == found.len;
}

static void write_response(struct buf *b, const struct record_response *r)
{
    json_auto_t *root =
        r->content.len > 0 ? json_loadb(r->content.at, r->content.len, 0, NULL) : NULL;
    struct str query = json_text(json_object_get(root, "query"));
    struct str start = json_text(json_object_get(root, "start"));
    struct str step = json_text(json_object_get(root, "step"));
    buf_puts(b, "\n### ");
    write_line(b, r->tool_name);
    buf_puts(b, r->failed ? " (failed)\n\n" : "\n\n");
    if (query.len > 0)
        write_code(b, query);
    if (r->datasource.len > 0) {
        buf_puts(b, "Datasource: `");
        buf_add_str(b, r->datasource); /* path_parse has seen it */
        buf_puts(b, "`\n\n");
    }
    if (start.len > 0 && step.len > 0) {
        buf_puts(b, "From ");
        write_line(b, start);
        buf_puts(b, " to ");
        write_line(b, json_text(json_object_get(root, "end")));
        buf_puts(b, ", a point every ");
        write_line(b, step);
        buf_puts(b, ".\n\n");
    } else if (json_object_get(root, "time")) {
        buf_puts(b, "At ");
        write_line(b, json_text(json_object_get(root, "time")));
        buf_puts(b, ".\n\n");
    }
    if (json_is_array(json_object_get(root, "series")))
        write_table(b, json_object_get(root, "series"));
    else
        write_code(b, r->content);
    write_notes(b, json_object_get(root, "notes"));
}

/* A row a series: its labels, then what is said of it in numbers. */
static void write_table(struct buf *b, const json_t *rows)
{
    static const char *const columns[] = {"value", "last", "min", "max", "avg"};
    bool there[sizeof(columns) / sizeof(columns[0])] = {false};
    size_t count = json_array_size(rows);
    const json_t *row;
    size_t i;
    json_array_foreach(rows, i, row)
    {
        for (size_t c = 0; c < sizeof(there) / sizeof(there[0]); c++)
            there[c] = there[c] || json_object_get(row, columns[c]);
    }
    buf_puts(b, "| series |");
    for (size_t c = 0; c < sizeof(there) / sizeof(there[0]); c++)
        if (there[c])
            buf_printf(b, " %s |", columns[c]);
    buf_puts(b, "\n| --- |");
    for (size_t c = 0; c < sizeof(there) / sizeof(there[0]); c++)
        if (there[c])
            buf_puts(b, " ---: |");
    buf_putc(b, '\n');
    json_array_foreach(rows, i, row)
    {
        if (i == ROWS_MAX)
            break;
        buf_puts(b, "| ");
        write_value(b, json_object_get(row, "labels"));
        for (size_t c = 0; c < sizeof(there) / sizeof(there[0]); c++)
            if (there[c]) {
                buf_puts(b, " | ");
                write_value(b, json_object_get(row, columns[c]));
            }
        buf_puts(b, " |\n");
    }
    if (count > ROWS_MAX)
        buf_printf(b, "\n%zu more series are not shown.\n", count - ROWS_MAX);
    buf_putc(b, '\n');
}

static void write_notes(struct buf *b, const json_t *notes)
{
    const json_t *note;
    size_t i;
    json_array_foreach(notes, i, note)
    {
        buf_puts(b, "- ");
        write_line(b, json_text(note));
        buf_putc(b, '\n');
    }
    if (json_array_size(notes) > 0)
        buf_putc(b, '\n');
}

static void write_time(struct buf *b, int64_t ms)
{
    char text[UTC_TEXT_MAX];
    utc_write(ms, UTC_FOR_PEOPLE, text);
    buf_puts(b, text);
}

/* In one line, with nothing that Markdown or HTML would read. */
static void write_line(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (strchr("\\`*_<>[]|#&~", c) && c != '\0')
            buf_putc(b, '\\');
        buf_putc(b, (unsigned char)c < 0x20 ? ' ' : c);
    }
}

/* Fenced with more backquotes than the text has in a row. */
static void write_code(struct buf *b, struct str text)
{
    size_t longest = 2, run = 0;
    for (size_t i = 0; i < text.len; i++) {
        run = text.at[i] == '`' ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    for (size_t i = 0; i <= longest; i++)
        buf_putc(b, '`');
    buf_putc(b, '\n');
    buf_add_str(b, text);
    buf_putc(b, '\n');
    for (size_t i = 0; i <= longest; i++)
        buf_putc(b, '`');
    buf_puts(b, "\n\n");
}

static void write_cell(struct buf *b, struct str text)
{
    struct str shown = str_cut(text, CELL_BYTES_MAX);
    write_line(b, shown);
    if (shown.len < text.len)
        buf_puts(b, "…");
}

/* Labels as name=value, numbers as they were said. */
static void write_value(struct buf *b, const json_t *v)
{
    const char *name;
    json_t *value;
    bool first = true;
    if (json_is_number(v)) {
        buf_printf(b, "%.10g", json_number_value(v));
    } else if (json_is_string(v)) {
        write_cell(b, json_text(v));
    } else {
        json_object_foreach((json_t *)v, name, value)
        {
            buf_puts(b, first ? "" : ", ");
            write_cell(b, str_of(name));
            buf_putc(b, '=');
            write_cell(b, json_text(value));
            first = false;
        }
    }
}
