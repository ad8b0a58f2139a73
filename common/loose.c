#include "common/loose.h"

#include <ctype.h>
#include <string.h>
#include "common/json.h"

enum { DEPTH_MAX = 32 };

/* What is read is written as JSON proper, which jansson then reads. */
struct reading {
    struct str text;
    size_t at;
    struct buf *json;
};

static bool value(struct reading *r, unsigned depth);

static json_t *read_all(struct str text, size_t *used, bool nested)
{
    scoped_buf(json, 8 * text.len + 64);
    struct reading r = {.text = text, .json = &json};
    while (r.at < text.len && isspace((unsigned char)text.at[r.at]))
        r.at++;
    if (r.at == text.len || (nested && text.at[r.at] != '{' && text.at[r.at] != '[') ||
        !value(&r, 0) || json.overflowed)
        return NULL;
    *used = r.at;
    return json_loadb(json.at, json.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

json_t *loose_read(struct str text, size_t *used) { return read_all(text, used, true); }

json_t *loose_value(struct str text, size_t *used) { return read_all(text, used, false); }

static int peek(const struct reading *r)
{
    return r->at < r->text.len ? (unsigned char)r->text.at[r->at] : -1;
}

static int skip(struct reading *r)
{
    while (peek(r) >= 0 && isspace(peek(r)))
        r->at++;
    return peek(r);
}

/* "…" or '…'; what JSON writes escaped is written so. */
static bool string(struct reading *r)
{
    int quote = peek(r), c;
    buf_putc(r->json, '"');
    for (r->at++; (c = peek(r)) != quote; r->at++) {
        if (c < 0)
            return false;
        if (c == '\\') {
            r->at++;
            c = peek(r);
            if (c == '\'')
                buf_putc(r->json, '\'');
            else if (c >= 0 && strchr("\"\\/bfnrtu", c) && c != '\0')
                buf_printf(r->json, "\\%c", c);
            else
                return false;
        } else if (c == '"') {
            buf_puts(r->json, "\\\"");
        } else if (c < 0x20) {
            buf_printf(r->json, "\\u%04x", (unsigned)c);
        } else {
            buf_putc(r->json, (char)c);
        }
    }
    r->at++;
    return buf_putc(r->json, '"');
}

static struct str word(struct reading *r)
{
    size_t from = r->at;
    while (peek(r) >= 0 && (isalnum(peek(r)) || strchr("_.+-", peek(r))))
        r->at++;
    return (struct str){r->text.at + from, r->at - from};
}

static bool name(struct reading *r)
{
    int c = peek(r);
    if (c == '"' || c == '\'')
        return string(r);
    struct str bare = isalpha(c) || c == '_' ? word(r) : (struct str){NULL, 0};
    return bare.len > 0 && json_str(r->json, bare);
}

static bool literal(struct reading *r)
{
    static const char *const words[][2] = {{"True", "true"}, {"False", "false"}, {"None", "null"},
                                           {"true", "true"}, {"false", "false"}, {"null", "null"}};
    struct str text = word(r);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(text, words[i][0]))
            return buf_puts(r->json, words[i][1]);
    return text.len > 0 && (isdigit((unsigned char)text.at[0]) || text.at[0] == '-') &&
           buf_add_str(r->json, text);
}

/* Of an object or a list. */
static bool items(struct reading *r, char end, unsigned depth)
{
    buf_putc(r->json, (char)peek(r));
    r->at++;
    for (bool first = true; skip(r) != end; first = false) {
        if (!first) {
            if (peek(r) != ',')
                return false;
            r->at++;
            if (skip(r) == end)
                break;
            buf_putc(r->json, ',');
        }
        if (end == '}') {
            if (!name(r) || skip(r) != ':')
                return false;
            r->at++;
            buf_putc(r->json, ':');
            skip(r);
        }
        if (!value(r, depth + 1))
            return false;
    }
    r->at++;
    return buf_putc(r->json, end);
}

static bool value(struct reading *r, unsigned depth)
{
    int c = peek(r);
    if (c < 0 || depth > DEPTH_MAX)
        return false;
    if (c == '{' || c == '[')
        return items(r, c == '{' ? '}' : ']', depth);
    return c == '"' || c == '\'' ? string(r) : literal(r);
}
