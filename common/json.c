#include "common/json.h"

#include <string.h>
#include "common/utf8.h"
#include "common/word.h"

/* Does json_str have to look at this word byte by byte: is there a control character, a quote, a
 * backslash or the start of a longer character in it? Each of these sets the upper bit of its byte,
 * and no other byte below the first of them does. */
static bool word_special(uint64_t word)
{
    uint64_t control = word - EACH_BYTE(0x20);
    uint64_t quote = (word ^ EACH_BYTE('"')) - EACH_BYTE(1);
    uint64_t slash = (word ^ EACH_BYTE('\\')) - EACH_BYTE(1);
    return ((word | control | quote | slash) & EACH_BYTE(0x80)) != 0;
}

static size_t plain_run(const unsigned char *at, size_t len)
{
    size_t i = 0;
    while (len - i >= 8 && !word_special(word_at(at + i)))
        i += 8;
    while (i < len && at[i] >= 0x20 && at[i] < 0x80 && at[i] != '"' && at[i] != '\\')
        i++;
    return i;
}

static bool json_escape(struct buf *b, unsigned char c)
{
    static const char letters[] = "btn.fr"; /* of 8 to 13; \v has none */
    if (c >= 0x80)
        return buf_puts(b, "\xef\xbf\xbd");
    if (c == '"' || c == '\\')
        return buf_putc(b, '\\') && buf_putc(b, (char)c);
    if (c >= 8 && c <= 13 && c != 11)
        return buf_putc(b, '\\') && buf_putc(b, letters[c - 8]);
    return buf_printf(b, "\\u%04x", c);
}

static bool json_body(struct buf *b, const unsigned char *at, size_t len)
{
    size_t done = 0; /* what is before it was written */
    for (size_t i = 0; i < len;) {
        i += plain_run(at + i, len - i);
        if (i == len)
            break;
        size_t wide = at[i] >= 0x80 ? utf8_len(at + i, len - i) : 0;
        if (wide > 0) {
            i += wide;
            continue;
        }
        if (!buf_add(b, at + done, i - done) || !json_escape(b, at[i]))
            return false;
        done = ++i;
    }
    return len == done || buf_add(b, at + done, len - done);
}

bool json_str(struct buf *b, struct str s)
{
    size_t before = b->len;
    if (buf_putc(b, '"') && json_body(b, (const unsigned char *)s.at, s.len) && buf_putc(b, '"'))
        return true;
    b->len = before; /* all of it or nothing */
    return false;
}

bool json_key(struct buf *b, const char *key)
{
    size_t before = b->len;
    char last = b->len ? b->at[b->len - 1] : '{';
    if ((last == '{' || last == '[' || buf_putc(b, ',')) && json_str(b, str_of(key)) &&
        buf_putc(b, ':'))
        return true;
    b->len = before;
    return false;
}

void json_field(struct buf *b, const char *key, struct str value)
{
    json_key(b, key);
    json_str(b, value);
}

void json_field_u64(struct buf *b, const char *key, uint64_t value)
{
    json_key(b, key);
    buf_u64(b, value);
}

void json_field_bool(struct buf *b, const char *key, bool value)
{
    json_key(b, key);
    buf_puts(b, value ? "true" : "false");
}

void json_field_raw(struct buf *b, const char *key, struct str value)
{
    json_key(b, key);
    buf_add_str(b, value.len ? value : STR("null"));
}

size_t json_tree_bytes(struct str text)
{
    /* Of jansson 2.14 with glibc's malloc: a member or an element with its value, an array and an
     * object that hold next to nothing. */
    enum { VALUE = 96, ARRAY = 160, OBJECT = 256 };
    size_t bytes = text.len;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted)
            bytes += c == ',' || c == ':' ? VALUE : c == '[' ? ARRAY : c == '{' ? OBJECT : 0;
    }
    return bytes;
}

size_t json_item_at(struct str text, size_t item)
{
    size_t depth = 0, commas = 0;
    bool string = false, found = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        found = found || (depth == 1 && commas == item);
        if (string) {
            i += c == '\\';
            string = c != '"';
        } else if (found && !strchr(" \t\r\n", c)) {
            return i;
        } else {
            string = c == '"';
            depth += c == '[' || c == '{';
            depth -= depth > 0 && (c == ']' || c == '}');
            commas += c == ',' && depth == 1;
        }
    }
    return 0;
}
