#include "worker/tools/prometheus/name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/fetch.h"
#include "common/utf8.h"

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

bool name_is_list(struct str pattern)
{
    struct str name;
    bool ends = pattern.len > 0 && pattern.at[pattern.len - 1] != '|';
    while (ends && str_split(&pattern, '|', &name))
        if (!name_is_classic(name, true))
            return false;
    return ends;
}

/* \x41, \101, \u00e9, \U0001f680 behind the backslash at text->at[0]. False: it is none of these.
 */
static bool escaped_number(struct str *text, struct buf *b)
{
    static const struct {
        char letter;
        unsigned digits, base, skip;
    } kinds[] = {{'x', 2, 16, 1}, {'u', 4, 16, 1}, {'U', 8, 16, 1}, {'0', 3, 8, 0}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        bool octal = kinds[i].base == 8;
        char c = text->at[0], digits[12] = "", character[4], *end;
        if (octal ? c < '0' || c > '7' : c != kinds[i].letter)
            continue;
        if (text->len < kinds[i].skip + kinds[i].digits)
            return false;
        memcpy(digits, text->at + kinds[i].skip, kinds[i].digits);
        unsigned long point = strtoul(digits, &end, (int)kinds[i].base);
        if (*end != '\0' || !isxdigit((unsigned char)digits[0]))
            return false;
        if (octal || c == 'x')
            buf_putc(b, (char)point);
        else
            buf_add(b, character, utf8_encode((uint32_t)point, character));
        *text = str_skip(*text, kinds[i].skip + kinds[i].digits);
        return true;
    }
    return false;
}

void name_unquote(struct buf *b, struct str quoted)
{
    static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
    CHECK(quoted.len >= 2);
    struct str text = {quoted.at + 1, quoted.len - 2};
    while (text.len > 0) {
        char c = text.at[0];
        text = str_skip(text, 1);
        if (c != '\\' || quoted.at[0] == '`' || text.len == 0) {
            buf_putc(b, c);
        } else if (!escaped_number(&text, b)) {
            const char *letter = strchr(letters, text.at[0]);
            buf_putc(b, letter && text.at[0] ? meant[letter - letters] : text.at[0]);
            text = str_skip(text, 1);
        }
    }
}

/* In its quotes, of a metric without its braces. False: it has none. */
static bool unwrap(struct str text, bool metric, struct str *quoted)
{
    if (metric && text.len > 2 && text.at[0] == '{' && text.at[text.len - 1] == '}')
        text = str_trim((struct str){text.at + 1, text.len - 2});
    if (text.len < 2 || !strchr("\"'`", text.at[0]) || text.at[text.len - 1] != text.at[0])
        return false;
    *quoted = text;
    size_t i = 1;
    for (; i + 1 < text.len; i++) {
        if (text.at[i] == text.at[0])
            return false; /* {"a", b="c"} */
        i += text.at[i] == '\\' && text.at[0] != '`';
    }
    return i + 1 == text.len; /* else the last quote is escaped */
}

/* Is this, which has no quotes, more than a name? One may have blanks and signs in it: what tells
 * is what no name has in practice, a word of the language or a lone sign. */
static bool is_expression(struct str text, bool metric)
{
    static const char *const words[] = {"and",     "or",    "unless",   "by",
                                        "without", "on",    "ignoring", "default",
                                        "if",      "ifnot", "offset",   "bool"};
    struct str word;
    for (size_t i = 0; i < text.len; i++)
        if (strchr(metric ? "{}()[]=<>,;" : "{}()[]=,", text.at[i]))
            return true;
    while (metric && str_split(&text, ' ', &word)) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (str_is(word, words[i]))
                return true;
        if (word.len == 1 && strchr("+-*/%^@", word.at[0]))
            return true;
    }
    return false;
}

bool name_read(struct str text, bool metric, struct buf *name)
{
    struct str inner;
    text = str_trim(text);
    bool quoted = unwrap(text, metric, &inner);
    if (quoted)
        name_unquote(name, inner);
    else
        buf_add_str(name, text);
    struct str read = buf_str(name);
    if (read.len == 0 || name->overflowed || !str_utf8(read) ||
        (!quoted && (strchr("\"'`", read.at[0]) || is_expression(read, metric))))
        return false;
    for (size_t i = 0; i < read.len; i++) {
        unsigned char c = (unsigned char)read.at[i];
        if (c < 0x20 || c == 0x7f)
            return false;
    }
    return true;
}

bool name_next(struct str *rest, struct str *name)
{
    size_t at = 0;
    char quote = '\0';
    if (rest->len == 0)
        return false;
    for (; at < rest->len && (quote || rest->at[at] != ','); at++) {
        char c = rest->at[at];
        if (quote && c == '\\' && quote != '`')
            at++;
        else if (quote ? c == quote : strchr("\"'`", c) != NULL)
            quote = quote ? '\0' : c;
    }
    at = at < rest->len ? at : rest->len;
    *name = str_trim((struct str){rest->at, at});
    *rest = str_skip(*rest, at < rest->len ? at + 1 : at);
    return true;
}

void name_quote(struct buf *b, struct str text)
{
    buf_putc(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < 0x20 || c == 0x7f) { /* a string ends with its line */
            buf_printf(b, "\\x%02x", c);
            continue;
        }
        if (c == '"' || c == '\\')
            buf_putc(b, '\\');
        buf_putc(b, (char)c);
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

void name_family(struct buf *b, struct str metric, struct str matchers)
{
    scoped_buf(pattern, NAME_BYTES_MAX * 2);
    for (size_t i = 0; i < metric.len; i++) {
        if (strchr("\\.+*?()|[]{}^$", metric.at[i]))
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, metric.at[i]);
    }
    buf_puts(&pattern, "(_bucket|_sum|_count|_total|_created|_info|_gsum|_gcount)");
    buf_puts(b, "{__name__=~");
    name_quote(b, buf_str(&pattern));
    buf_puts(b, matchers.len > 0 ? "," : "");
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
