#include "worker/tools/docs/markdown.h"

#include <string.h>
#include "common/check.h"

struct reader {
    section_fn *fn;
    void *arg;
    struct str levels[MARKDOWN_LEVELS]; /* the headings above; empty: none of that level */
    const char *from;                   /* of the section that is open */
    int64_t from_line;
    bool fenced;
};

static struct str next_line(struct str *rest)
{
    const char *end = memchr(rest->at, '\n', rest->len);
    struct str line = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    *rest = str_skip(*rest, line.len + (end != NULL));
    return line;
}

/* "## Title ##": its level from 1; 0: no heading. */
static unsigned heading_of(struct str line, struct str *title)
{
    unsigned level = 0;
    while (level < line.len && line.at[level] == '#')
        level++;
    if (level == 0 || level > MARKDOWN_LEVELS || level == line.len ||
        (line.at[level] != ' ' && line.at[level] != '\t'))
        return 0;
    *title = str_trim(str_skip(line, level));
    while (title->len > 0 && title->at[title->len - 1] == '#')
        title->len--;
    *title = str_trim(*title);
    if (title->len > MARKDOWN_HEADING_MAX)
        title->len = MARKDOWN_HEADING_MAX;
    return level;
}

static void end_section(struct reader *r, const char *to)
{
    scoped_buf(heading, MARKDOWN_LEVELS * (MARKDOWN_HEADING_MAX + 4));
    for (unsigned i = 0; i < MARKDOWN_LEVELS; i++)
        if (r->levels[i].len > 0) {
            buf_puts(&heading, heading.len > 0 ? " > " : "");
            buf_add_str(&heading, r->levels[i]);
        }
    struct section s = {.heading = buf_str(&heading),
                        .line = r->from_line,
                        .body = {r->from, (size_t)(to - r->from)}};
    if (str_trim(s.body).len > 0)
        r->fn(r->arg, &s);
    r->from = to;
}

/* A line that is longer than a section may be: cut within, not within a character. */
static void cut_long_line(struct reader *r, const char *end)
{
    while (end - r->from >= MARKDOWN_SECTION_MAX) {
        const char *to = r->from + MARKDOWN_SECTION_MAX - 1; /* and the newline */
        for (unsigned i = 0; i < 3 && ((unsigned char)*to & 0xc0) == 0x80; i++)
            to--;
        end_section(r, to);
    }
}

static bool is_fence(struct str line)
{
    line = str_trim(line);
    return str_starts(line, STR("```")) || str_starts(line, STR("~~~"));
}

void markdown_sections(struct str text, section_fn *fn, void *arg)
{
    struct reader r = {.fn = fn, .arg = arg, .from = text.at, .from_line = 1};
    struct str rest = text;
    int64_t number = 0;
    while (rest.len > 0) {
        const char *start = rest.at;
        struct str title, line = next_line(&rest);
        unsigned level = r.fenced ? 0 : heading_of(line, &title);
        bool blank = str_trim(line).len == 0;
        bool cut = level > 0 || (blank && start - r.from >= MARKDOWN_SECTION_LONG) ||
                   (start > r.from && line.at + line.len - r.from >= MARKDOWN_SECTION_MAX);
        number++;
        if (is_fence(line))
            r.fenced = !r.fenced;
        if (cut) {
            end_section(&r, start);
            r.from_line = number;
        }
        if (level > 0) {
            r.levels[level - 1] = title;
            for (unsigned i = level; i < MARKDOWN_LEVELS; i++)
                r.levels[i] = (struct str){NULL, 0};
        }
        cut_long_line(&r, line.at + line.len);
    }
    if (text.len > 0)
        end_section(&r, text.at + text.len);
}
