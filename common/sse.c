#include "common/sse.h"

#include <string.h>

static enum sse_status take_line(struct sse *s, struct str line);
static enum sse_status take_data(struct sse *s, struct str value);
static void take_id(struct sse *s, struct str value);
static struct str data_of(const struct sse *s);
static enum sse_status dispatch(struct sse *s);
static bool settle(struct sse *s);
static size_t line_end(struct str bytes);

void sse_init(struct sse *s, size_t event_bytes_max, sse_fn *fn, void *arg)
{
    *s = (struct sse){.event_bytes_max = event_bytes_max, .fn = fn, .arg = arg};
    buf_init(&s->line, event_bytes_max);
    buf_init(&s->data, event_bytes_max);
}

void sse_free(struct sse *s)
{
    buf_free(&s->line);
    buf_free(&s->data);
}

enum sse_status sse_feed(struct sse *s, struct str bytes)
{
    if (s->over)
        return SSE_STOPPED;
    while (bytes.len > 0) {
        if (s->skip_lf) {
            s->skip_lf = false;
            if (bytes.at[0] == '\n') {
                bytes = str_skip(bytes, 1);
                continue;
            }
        }
        size_t len = line_end(bytes);
        if (len == bytes.len) { /* the line goes on in the next piece */
            if (!buf_add_str(&s->line, bytes))
                return SSE_TOO_BIG;
            break;
        }
        struct str line = {bytes.at, len};
        s->skip_lf = bytes.at[len] == '\r';
        bytes = str_skip(bytes, len + 1);
        bool carried = s->line.len > 0;
        if (carried) {
            if (!buf_add_str(&s->line, line))
                return SSE_TOO_BIG;
            line = buf_str(&s->line);
        }
        enum sse_status status = take_line(s, line);
        if (carried) {
            if (!settle(s)) /* its data line must not point into what is cleared now */
                return SSE_TOO_BIG;
            buf_clear(&s->line);
        }
        if (status != SSE_MORE) {
            s->over = true;
            return status;
        }
    }
    return settle(s) ? SSE_MORE : SSE_TOO_BIG;
}

/* Up to the first LF or CR; the whole length when there is none. */
static size_t line_end(struct str bytes)
{
    const char *lf = memchr(bytes.at, '\n', bytes.len);
    size_t len = lf ? (size_t)(lf - bytes.at) : bytes.len;
    const char *cr = memchr(bytes.at, '\r', len);
    return cr ? (size_t)(cr - bytes.at) : len;
}

static enum sse_status take_line(struct sse *s, struct str line)
{
    if (!s->began) {
        s->began = true;
        if (str_starts(line, STR("\xEF\xBB\xBF")))
            line = str_skip(line, 3);
    }
    if (line.len == 0)
        return dispatch(s);
    const char *colon = memchr(line.at, ':', line.len);
    struct str field = {line.at, colon ? (size_t)(colon - line.at) : line.len};
    struct str value = colon ? str_skip(line, field.len + 1) : (struct str){NULL, 0};
    if (value.len > 0 && value.at[0] == ' ')
        value = str_skip(value, 1);
    bool begins = str_is(field, "event") || (str_is(field, "data") && str_trim(value).len > 0);
    if (begins && s->has_data && s->is_whole && s->is_whole(data_of(s))) {
        enum sse_status status = dispatch(s);
        if (status != SSE_MORE)
            return status;
    }
    if (str_is(field, "data"))
        return take_data(s, value);
    if (str_is(field, "event")) { /* a name longer than any that we know is as good cut off */
        size_t len = value.len < sizeof(s->name) - 1 ? value.len : sizeof(s->name) - 1;
        if (len > 0)
            memcpy(s->name, value.at, len);
        s->name[len] = '\0';
    }
    if (str_is(field, "id"))
        take_id(s, value);
    return SSE_MORE;
}

/* Half an id would name another event. */
static void take_id(struct sse *s, struct str value)
{
    size_t len = value.len < sizeof(s->id) ? value.len : 0;
    if (len > 0)
        memcpy(s->id, value.at, len);
    s->id[len] = '\0';
}

/* The first data line stays where it is; it is copied when a second one or another piece comes. */
static enum sse_status take_data(struct sse *s, struct str value)
{
    if (!s->has_data) {
        s->has_data = true;
        s->in_place = value;
        return value.len > s->event_bytes_max ? SSE_TOO_BIG : SSE_MORE;
    }
    if (!settle(s) || !buf_putc(&s->data, '\n') || !buf_add_str(&s->data, value))
        return SSE_TOO_BIG;
    return SSE_MORE;
}

static bool settle(struct sse *s)
{
    struct str value = s->in_place;
    s->in_place = (struct str){NULL, 0};
    return value.len == 0 || buf_add_str(&s->data, value);
}

static struct str data_of(const struct sse *s)
{
    return s->in_place.len > 0 ? s->in_place : buf_str(&s->data);
}

static enum sse_status dispatch(struct sse *s)
{
    bool go_on = true;
    if (s->has_data)
        go_on = s->fn(s->arg, str_of(s->name), data_of(s));
    s->has_data = false;
    s->in_place = (struct str){NULL, 0};
    s->name[0] = '\0';
    if (s->data.len > 0)
        buf_clear(&s->data);
    return go_on ? SSE_MORE : SSE_STOPPED;
}
