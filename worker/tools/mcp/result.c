#include "worker/tools/mcp/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/text.h"

/* A result as a model is shown it: texts cleaned line by line, the structured content as compact
 * JSON with its strings cleaned, all of it within the room that there is. */

enum {
    FRAME_BYTES = 512, /* of what is written around the two */
    OTHERS_MAX = 10,
    OTHER_BYTES = 160,
    STRING_MAX = 4096, /* of one text in structured content */
    CLEAN_DEPTH_MAX = 32,
    ROOM_MIN = 64,
};

/* Adds the text cleaned, with its lines. False: it was cut at max_bytes. */
static bool add_lines(struct buf *b, struct str text, size_t max_bytes)
{
    size_t start = b->len;
    struct str rest = text, line;
    for (bool first = true; str_split(&rest, '\n', &line); first = false) {
        size_t used = b->len - start + 1;
        if (used >= max_bytes)
            return false;
        if (!first)
            buf_putc(b, '\n');
        if (line.len > 0 && line.at[line.len - 1] == '\r')
            line.len--;
        if (!text_clean(b, line, max_bytes - used))
            return false;
    }
    return true;
}

static struct str text_of(const json_t *v) { return json_text(v); }

/* What a content item says: a text, or the text of a resource that is embedded. */
static struct str said_by(const json_t *item)
{
    const char *type = json_string_value(json_object_get(item, "type"));
    if (type && strcmp(type, "text") == 0)
        return text_of(json_object_get(item, "text"));
    if (type && strcmp(type, "resource") == 0)
        return text_of(json_object_get(json_object_get(item, "resource"), "text"));
    return (struct str){NULL, 0};
}

/* Is this text the structured content once more? Servers send it so for older clients. */
static bool repeats(struct str text, const json_t *structured)
{
    text = str_trim(text);
    if (structured == NULL || text.len == 0 || (text.at[0] != '{' && text.at[0] != '[') ||
        !mcp_is_bounded(text))
        return false;
    json_auto_t *same = json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL);
    return same && json_equal(same, (json_t *)structured);
}

static bool gather(const json_t *content, const json_t *structured, struct buf *b, size_t max_bytes)
{
    size_t i;
    const json_t *item;
    json_array_foreach((json_t *)content, i, item)
    {
        struct str text = said_by(item);
        if (text.len == 0 || repeats(text, structured))
            continue;
        if (b->len + 1 >= max_bytes)
            return false;
        if (b->len > 0)
            buf_putc(b, '\n');
        if (!add_lines(b, text, max_bytes - b->len))
            return false;
    }
    return true;
}

void mcp_text(const json_t *body, struct buf *b, size_t bytes_max)
{
    const json_t *content = json_object_get(body, "content");
    if (json_is_array(content))
        gather(content, NULL, b, bytes_max);
    else
        text_clean(b, text_of(json_object_get(body, "message")), bytes_max);
}

/* ---- what is no text ---- */

static void name_other(struct buf *b, const json_t *item)
{
    const json_t *resource = json_object_get(item, "resource");
    const json_t *from = json_is_object(resource) ? resource : item;
    struct str mime = text_of(json_object_get(from, "mimeType"));
    struct str uri = text_of(json_object_get(from, "uri"));
    struct str data = text_of(json_object_get(item, "data"));
    text_clean(b, text_of(json_object_get(item, "type")), 24);
    if (mime.len > 0) {
        buf_putc(b, ' ');
        text_clean(b, mime, 40);
    }
    if (uri.len > 0) {
        buf_putc(b, ' ');
        text_clean(b, uri, 80);
    }
    if (data.len > 0)
        buf_printf(b, " (%s bytes)", text_count((double)data.len * 3 / 4));
}

static void write_others(const json_t *content, struct buf *out)
{
    size_t i;
    unsigned count = 0;
    const json_t *item;
    json_array_foreach((json_t *)content, i, item)
    {
        const char *type = json_string_value(json_object_get(item, "type"));
        if (!json_is_object(item) || said_by(item).len > 0 || (type && strcmp(type, "text") == 0))
            continue;
        if (count == OTHERS_MAX || out->len > out->max_bytes / 4)
            break;
        count++;
        scoped_buf(b, 2 * OTHER_BYTES);
        name_other(&b, item);
        buf_puts(out, count == 1 ? ",\"not_shown\":[" : ",");
        text_json(out, buf_str(&b), OTHER_BYTES);
    }
    if (count > 0)
        buf_putc(out, ']');
}

/* ---- structured content ---- */

static bool write_clean(struct buf *b, const json_t *v, unsigned depth);

static bool write_object(struct buf *b, const json_t *v, unsigned depth)
{
    const char *key;
    json_t *value;
    bool first = true;
    buf_putc(b, '{');
    json_object_foreach((json_t *)v, key, value)
    {
        if (!first)
            buf_putc(b, ',');
        first = false;
        text_json(b, str_of(key), STRING_MAX);
        buf_putc(b, ':');
        if (!write_clean(b, value, depth + 1))
            return false;
    }
    return buf_putc(b, '}');
}

static bool write_array(struct buf *b, const json_t *v, unsigned depth)
{
    size_t i;
    const json_t *value;
    buf_putc(b, '[');
    json_array_foreach((json_t *)v, i, value)
    {
        if (i > 0)
            buf_putc(b, ',');
        if (!write_clean(b, value, depth + 1))
            return false;
    }
    return buf_putc(b, ']');
}

/* False: over b's bound; what is there is no whole JSON then. */
static bool write_clean(struct buf *b, const json_t *v, unsigned depth)
{
    if (b->overflowed)
        return false;
    if (depth > CLEAN_DEPTH_MAX)
        return buf_puts(b, "\"…\"");
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return write_object(b, v, depth);
    case JSON_ARRAY:
        return write_array(b, v, depth);
    case JSON_STRING:
        text_json(b, text_of(v), STRING_MAX);
        return !b->overflowed;
    case JSON_INTEGER:
        return buf_printf(b, "%lld", (long long)json_integer_value(v));
    case JSON_REAL:
        text_number(b, json_real_value(v), true);
        return !b->overflowed;
    case JSON_TRUE:
        return buf_puts(b, "true");
    case JSON_FALSE:
        return buf_puts(b, "false");
    case JSON_NULL:
        break;
    }
    return buf_puts(b, "null");
}

/* ---- all of it ---- */

static struct str cut(struct str text, size_t max_bytes)
{
    if (text.len <= max_bytes)
        return text;
    while (max_bytes > 0 && ((unsigned char)text.at[max_bytes] & 0xc0) == 0x80)
        max_bytes--;
    return (struct str){text.at, max_bytes};
}

/* ,"key":"text" in at most room bytes of JSON. False: it was cut. */
static bool put_text(struct buf *out, const char *key, struct str text, size_t room)
{
    scoped_buf(b, 2 * room + 64);
    for (size_t max = text.len;; max -= max / 4) {
        struct str part = cut(text, max);
        buf_clear(&b);
        buf_printf(&b, ",\"%s\":", key);
        json_str(&b, part);
        if (!b.overflowed && b.len <= room) {
            buf_add_str(out, buf_str(&b));
            return part.len == text.len;
        }
        if (max < ROOM_MIN)
            return false;
    }
}

void mcp_result_write(const json_t *result, const struct mcp_config *server,
                      const struct mcp_allowed *allowed, struct buf *b)
{
    const json_t *content = json_object_get(result, "content");
    const json_t *structured = json_object_get(result, "structuredContent");
    buf_puts(b, "{\"kind\":\"mcp\",\"server\":");
    json_str(b, str_of(server->name));
    json_key(b, "tool");
    text_json(b, str_of(allowed->name), MCP_TOOL_NAME_MAX);
    write_others(content, b);
    size_t room = b->max_bytes > b->len + FRAME_BYTES ? b->max_bytes - b->len - FRAME_BYTES : 0;
    scoped_buf(tree, room);
    bool whole =
        structured == NULL || json_is_null(structured) || write_clean(&tree, structured, 0);
    scoped_buf(text, room + 8);
    if (!whole) { /* its beginning stands for it: no JSON any more, so a text */
        put_text(b, "structured_cut", buf_str(&tree), room / 2);
        room -= room / 2;
    } else if (tree.len > 0) {
        buf_puts(b, ",\"structured\":");
        buf_add_str(b, buf_str(&tree));
        room -= tree.len < room ? tree.len : room;
    }
    bool all = gather(content, structured, &text, room);
    if (text.len > 0)
        all = put_text(b, "text", buf_str(&text), room) && all;
    if (!whole || !all) {
        buf_puts(b, ",\"truncated\":true");
        json_field(b, "note",
                   STR("This result was too large and is cut: don't answer as if it were whole. "
                       "Ask the tool for less."));
    }
    buf_putc(b, '}');
}
