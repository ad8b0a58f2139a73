#include "gateway/api/mcp_stream.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "common/sse.h"
#include "gateway/api/asking.h"
#include "gateway/api/mcp_text.h"
#include "gateway/turn/turns.h"
#include "proto/store/session.h"

enum {
    STREAM_MAGIC = 0x4d435053,
    PIECE_BYTES = 16 << 10,
    EVENT_BYTES_MAX = 32 << 20,
    OUT_BYTES_MAX = 64 << 20, /* an answer and its queries, escaped twice */
};

struct mcp_stream {
    uint32_t magic;
    struct gateway *gateway;
    struct follower *follower;
    struct sse sse;
    struct buf out; /* what the client has not taken yet, from `taken` on */
    size_t taken;
    json_t *id, *token, *queries;
    char session[ID_TEXT + 1], turn[ID_TEXT + 1], owner[USER_MAX_BYTES];
    struct id session_id, turn_id;
    unsigned progress;
    bool modern, one_tool, done;
    json_t *tool_result; /* of one_tool */
};

static size_t on_fill(void *arg, char *dst, size_t cap);
static void on_closed(void *arg);
static bool on_event(void *arg, struct str name, struct str data);
static void say(struct mcp_stream *m, json_t *take_message);
static void on_progress(struct mcp_stream *m, const json_t *payload);
static void on_tools(struct mcp_stream *m, const json_t *details);
static void finish(struct mcp_stream *m, const char *status, struct str text, bool is_error);
static void on_deleted(void *arg, enum err err, const struct store_answer *a);

void mcp_stream_open(struct call *c, struct turn *t, const struct mcp_streamed *s)
{
    static const struct http_stream_handler handler = {.on_fill = on_fill, .on_closed = on_closed};
    struct mcp_stream *m = xcalloc(1, sizeof(*m));
    m->magic = STREAM_MAGIC;
    m->gateway = c->gateway;
    m->id = json_deep_copy(s->id);
    m->token = json_deep_copy(s->token);
    m->queries = json_array();
    m->modern = s->modern;
    m->one_tool = s->one_tool;
    m->session_id = t->live.session;
    m->turn_id = t->live.turn;
    memcpy(m->owner, c->user, sizeof(m->owner));
    id_text(m->session_id, m->session);
    id_text(m->turn_id, m->turn);
    buf_init(&m->out, OUT_BYTES_MAX);
    sse_init(&m->sse, EVENT_BYTES_MAX, on_event, m);
    m->follower = stream_new(&t->live, (struct event_at){0, 0}, false);
    stream_begin(m->follower, call_stream(c, "text/event-stream", &handler, m), NULL);
}

/* ---- bytes ---- */

static size_t on_fill(void *arg, char *dst, size_t cap)
{
    struct mcp_stream *m = arg;
    char piece[PIECE_BYTES];
    MAGIC_CHECK(m, STREAM_MAGIC);
    while (m->out.len == m->taken) {
        buf_clear(&m->out);
        m->taken = 0;
        size_t len = stream_handler.on_fill(m->follower, piece, sizeof(piece));
        if (len == 0)
            return 0;
        if (!m->done && sse_feed(&m->sse, (struct str){piece, len}) == SSE_TOO_BIG)
            finish(m, "failed", STR("The answer is larger than can be told here"), true);
    }
    size_t left = m->out.len - m->taken, len = left < cap ? left : cap;
    memcpy(dst, m->out.at + m->taken, len);
    m->taken += len;
    return len;
}

/* In the stateless revision a client that closes its stream takes the request back; in the others
 * it may have lost its line, and the conversation has the answer. */
static void on_closed(void *arg)
{
    struct mcp_stream *m = arg;
    MAGIC_CHECK(m, STREAM_MAGIC);
    stream_handler.on_closed(m->follower);
    if (m->one_tool && !m->gateway->draining) /* no conversation: nobody would look for it */
        store_session_delete(m->gateway->store, str_of(m->owner), m->session_id, on_deleted, NULL);
    else if (!m->done && m->modern && !m->gateway->draining)
        asking_cancel(m->gateway, str_of(m->owner), m->session_id, m->turn_id);
    sse_free(&m->sse);
    buf_free(&m->out);
    json_decref(m->id);
    json_decref(m->token);
    json_decref(m->queries);
    json_decref(m->tool_result);
    m->magic = 0;
    free(m);
}

static void on_deleted(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg;
    (void)a;
    if (err)
        log_debug("mcp.kept", "code=%s", err_word(err));
}

/* ---- events ---- */

static void say(struct mcp_stream *m, json_t *take_message)
{
    char *text = json_dumps(take_message, JSON_COMPACT);
    buf_puts(&m->out, "event: message\ndata: ");
    buf_puts(&m->out, text);
    buf_puts(&m->out, "\n\n");
    free(text);
    json_decref(take_message);
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    return str_is(json_text(json_object_get(object, key)), text);
}

static bool on_event(void *arg, struct str name, struct str data)
{
    struct mcp_stream *m = arg;
    (void)name;
    if (memmem(data.at, data.len, "\"delta\":{\"type\":\"text\"", 22) && !m->one_tool)
        return true; /* the answer comes whole at the end */
    json_auto_t *event = json_loadb(data.at, data.len, 0, NULL);
    const json_t *payload = json_object_get(json_object_get(event, "event"), "payload");
    const json_t *details = json_object_get(payload, "step_details");
    if (is_text(payload, "event_type", "step_progress")) {
        on_progress(m, payload);
    } else if (is_text(details, "step_type", "tool_execution")) {
        on_tools(m, details);
    } else if (is_text(payload, "event_type", "turn_complete")) {
        const json_t *message = json_object_get(json_object_get(payload, "turn"), "output_message");
        finish(m, "answered", json_text(json_object_get(message, "content")), false);
    } else if (is_text(payload, "event_type", "turn_cancelled")) {
        finish(m, "cancelled", STR("The question was cancelled"), true);
    } else if (is_text(payload, "event_type", "error")) {
        finish(m, "failed", json_text(json_object_get(payload, "message")), true);
    } else if (is_text(payload, "event_type", "turn_awaiting_input")) {
        finish(m, "awaiting_approval",
               STR("A tool call would change something and waits for the person's yes: decide in "
                   "PersAI, or by `persai approve` and the conversation's id"),
               false);
    }
    return !m->done;
}

static void on_progress(struct mcp_stream *m, const json_t *payload)
{
    const json_t *delta = json_object_get(payload, "delta");
    struct str tool = json_text(json_object_get(delta, "tool_name"));
    struct str state = json_text(json_object_get(delta, "state"));
    scoped_buf(text, 512);
    if (!m->token || state.len == 0 || tool.len > 200 ||
        !is_text(payload, "step_type", "tool_execution"))
        return;
    buf_add_str(&text, tool);
    buf_puts(&text, ": ");
    buf_add_str(&text, state);
    say(m, json_pack("{s:s,s:s,s:{s:O,s:i,s:s}}", "jsonrpc", "2.0", "method",
                     "notifications/progress", "params", "progressToken", m->token, "progress",
                     (int)++m->progress, "message", buf_cstr(&text)));
}

static void on_tools(struct mcp_stream *m, const json_t *details)
{
    const json_t *calls = json_object_get(details, "tool_calls");
    size_t i;
    const json_t *call;
    json_array_foreach(calls, i, call) json_array_append_new(
        m->queries, json_pack("{s:O?,s:O?}", "tool", json_object_get(call, "tool_name"),
                              "arguments", json_object_get(call, "arguments")));
    const json_t *first = json_array_get(json_object_get(details, "tool_responses"), 0);
    json_decref(m->tool_result);
    m->tool_result = json_incref(json_object_get(first, "content"));
}

/* A tool's answer is JSON of ours; one that is none goes as {"text": …}. */
static json_t *tool_answer(struct mcp_stream *m)
{
    struct str text = json_text(m->tool_result);
    json_t *structured = text.len ? json_loadb(text.at, text.len, 0, NULL) : NULL;
    if (!json_is_object(structured)) {
        json_decref(structured);
        structured = json_pack("{s:s%}", "text", text.at ? text.at : "", text.len);
    }
    bool failed = is_text(structured, "kind", "error") || json_object_get(structured, "error");
    return mcp_tool_result(text, structured, failed);
}

static void finish(struct mcp_stream *m, const char *status, struct str text, bool is_error)
{
    json_t *result;
    m->done = true;
    if (m->one_tool && m->tool_result) {
        result = tool_answer(m);
    } else {
        json_t *structured =
            json_pack("{s:s,s:s%,s:s,s:s,s:O}", "status", status, "answer", text.at ? text.at : "",
                      text.len, "conversation", m->session, "turn", m->turn, "queries", m->queries);
        result = mcp_tool_result(text, m->one_tool ? NULL : json_incref(structured), is_error);
        json_decref(structured);
    }
    say(m, mcp_answer(m->id, result, m->modern));
}
