#include "worker/tools/name.h"

#include <ctype.h>
#include <string.h>
#include "common/fetch.h"

static bool letter(char c) { return isalpha((unsigned char)c) || c == '_'; }

bool name_is_classic(struct str name, bool metric)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!letter(c) && !(metric && c == ':') && !(i > 0 && isdigit((unsigned char)c)))
            return false;
    }
    return name.len > 0;
}

void name_unescape(struct buf *b, struct str inside)
{
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.at[i] == '\\' && i + 1 < inside.len)
            i++;
        buf_putc(b, inside.at[i]);
    }
}

/* Without its quotes and, of a metric, its braces. False: it has none. */
static bool unwrap(struct str text, bool metric, struct str *inside)
{
    if (metric && text.len > 2 && text.at[0] == '{' && text.at[text.len - 1] == '}')
        text = str_trim((struct str){text.at + 1, text.len - 2});
    if (text.len < 2 || !strchr("\"'`", text.at[0]) || text.at[text.len - 1] != text.at[0])
        return false;
    *inside = (struct str){text.at + 1, text.len - 2};
    for (size_t i = 0; i < inside->len; i++) {
        if (inside->at[i] == text.at[0])
            return false; /* {"a", b="c"} */
        i += inside->at[i] == '\\' && text.at[0] != '`';
    }
    return true;
}

bool name_read(struct str text, bool metric, struct buf *name)
{
    static const char language[] = "{}()[]\"'`=~!,; \\";
    struct str inside;
    text = str_trim(text);
    bool quoted = unwrap(text, metric, &inside);
    if (quoted)
        name_unescape(name, inside);
    else
        buf_add_str(name, text);
    struct str read = buf_str(name);
    if (read.len == 0 || name->overflowed || !str_utf8(read))
        return false;
    for (size_t i = 0; i < read.len; i++) {
        unsigned char c = (unsigned char)read.at[i];
        if (c < 0x20 || c == 0x7f || (!quoted && strchr(language, c)))
            return false;
    }
    return true;
}

void name_quote(struct buf *b, struct str text)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            buf_putc(b, '\\');
        buf_putc(b, text.at[i]);
    }
    buf_putc(b, '"');
}

void name_label(struct buf *b, struct str label)
{
    if (name_is_classic(label, false))
        buf_add_str(b, label);
    else
        name_quote(b, label);
}

void name_selector(struct buf *b, struct str metric, struct str matchers)
{
    bool classic = name_is_classic(metric, true);
    if (classic)
        buf_add_str(b, metric);
    if (classic && matchers.len == 0)
        return;
    buf_putc(b, '{');
    if (!classic) {
        name_quote(b, metric);
        buf_puts(b, matchers.len > 0 ? "," : "");
    }
    buf_add_str(b, matchers);
    buf_putc(b, '}');
}

/* One character of well-formed UTF-8. */
static unsigned code_point(struct str text, size_t *at)
{
    unsigned char c = (unsigned char)text.at[(*at)++];
    unsigned point = c < 0x80 ? c : c < 0xe0 ? c & 0x1f : c < 0xf0 ? c & 0x0f : c & 0x07;
    while (*at < text.len && ((unsigned char)text.at[*at] & 0xc0) == 0x80)
        point = point << 6 | ((unsigned char)text.at[(*at)++] & 0x3f);
    return point;
}

void name_segment(struct buf *b, struct str label, bool escaped)
{
    if (!escaped) {
        fetch_escape(b, label);
        return;
    }
    buf_puts(b, "U__");
    for (size_t i = 0; i < label.len;) {
        size_t from = i;
        unsigned point = code_point(label, &i);
        if (point == '_')
            buf_puts(b, "__");
        else if (point < 0x80 && (letter((char)point) || (from > 0 && isdigit((int)point))))
            buf_putc(b, (char)point);
        else
            buf_printf(b, "_%x_", point);
    }
}
