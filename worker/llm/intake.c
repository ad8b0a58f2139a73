#include "worker/llm/intake.h"

#include <string.h>
#include "worker/llm/ragged.h"

static bool on_sse(void *arg, struct str name, struct str data);
static bool is_whole(struct str data);
static struct str skip_blanks(struct str bytes);
static enum sse_status read_values(struct intake *in, struct str bytes);
static enum sse_status read_byte(struct intake *in, char c);

void intake_init(struct intake *in, size_t event_bytes_max, sse_fn *fn, void *arg)
{
    *in = (struct intake){.fn = fn, .arg = arg};
    sse_init(&in->sse, event_bytes_max, on_sse, in);
    in->sse.is_whole = is_whole;
    buf_init(&in->value, event_bytes_max);
}

void intake_free(struct intake *in)
{
    sse_free(&in->sse);
    buf_free(&in->value);
}

enum sse_status intake_feed(struct intake *in, struct str bytes)
{
    if (in->kind == INTAKE_NEW) {
        struct str rest = skip_blanks(bytes);
        if (rest.len == 0)
            return SSE_MORE;
        /* No field of a server-sent event begins so, nor a text sequence's mark (RFC 7464). */
        bool json = rest.at[0] == '{' || rest.at[0] == '[' || rest.at[0] == '\x1e';
        in->kind = json ? INTAKE_VALUES : INTAKE_SSE;
    }
    return in->kind == INTAKE_SSE ? sse_feed(&in->sse, bytes) : read_values(in, bytes);
}

void intake_end(struct intake *in)
{
    in->ending = true;
    if (in->kind == INTAKE_SSE && sse_feed(&in->sse, STR("\n\n")) == SSE_TOO_BIG)
        return; /* it is as if it had not come: the answer is cut off */
}

/* What servers and proxies send so that a line is not idle, where a comment would do. */
static bool is_idle(struct str data)
{
    static const char *const words[] = {"",          "null",       "[]",        "ping", "pong",
                                        "keepalive", "keep-alive", "heartbeat", NULL};
    for (unsigned i = 0; words[i]; i++)
        if (str_is(data, words[i]))
            return true;
    return false;
}

static bool on_sse(void *arg, struct str name, struct str data)
{
    struct intake *in = arg;
    data = str_trim(data);
    while (str_starts(data, STR("data:"))) /* gateways that wrap what is wrapped already */
        data = str_trim(str_skip(data, 5));
    if (is_idle(data))
        return true;
    if (in->ending && !is_whole(data) && !str_is(str_trim(data), "[DONE]"))
        return false; /* cut off in its midst */
    return in->fn(in->arg, name, data);
}

/* One JSON object, to its end. */
static bool is_whole(struct str data)
{
    bool marked;
    data = str_trim(data);
    json_auto_t *root = data.len > 0 && data.at[0] == '{' ? ragged_parse(data, &marked) : NULL;
    return json_is_object(root);
}

/* A byte order mark's bytes are such, too. */
static struct str skip_blanks(struct str bytes)
{
    while (bytes.len > 0 && bytes.at[0] != '\0' && strchr(" \t\r\n\xEF\xBB\xBF", bytes.at[0]))
        bytes = str_skip(bytes, 1);
    return bytes;
}

static enum sse_status read_values(struct intake *in, struct str bytes)
{
    enum sse_status status = SSE_MORE;
    for (size_t i = 0; i < bytes.len && status == SSE_MORE; i++)
        status = read_byte(in, bytes.at[i]);
    return status;
}

/* What stands between objects (a list's brackets and commas, line ends) means nothing. */
static enum sse_status read_byte(struct intake *in, char c)
{
    if (in->depth == 0 && c != '{')
        return SSE_MORE;
    if (!buf_putc(&in->value, c))
        return SSE_TOO_BIG;
    if (in->in_text) {
        in->in_text = in->escaped || c != '"';
        in->escaped = !in->escaped && c == '\\';
        return SSE_MORE;
    }
    in->in_text = c == '"';
    in->depth += c == '{' || c == '[';
    in->depth -= c == '}' || c == ']';
    if (in->depth > 0)
        return SSE_MORE;
    bool go_on = in->fn(in->arg, STR(""), buf_str(&in->value));
    buf_clear(&in->value);
    return go_on ? SSE_MORE : SSE_STOPPED;
}
