#include "gateway/api/mcp_wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "common/utc.h"

enum {
    POLL_MS = 1000,
    KEY_BYTES_MAX = 2048,
    MESSAGE_BYTES_MAX = 4500, /* what a person reads in a client's form */
};

static bool write_key(const json_t *call, struct buf *key);
static json_t *ask(const json_t *call);

#define OF_TOOL "tool"

bool mcp_task_parse(struct str text, struct mcp_task *out)
{
    struct str session, turn, created, of = {0};
    uint64_t ms;
    if (!str_split(&text, '.', &session) || !str_split(&text, '.', &turn) ||
        !str_split(&text, '.', &created) || !str_u64(created, INT64_MAX / 2, &ms))
        return false;
    if (text.at && text.len == 0)
        return false; /* a dot with nothing behind it */
    out->one_tool = str_split(&text, '.', &of);
    out->created_ms = (int64_t)ms;
    return (!out->one_tool || (str_is(of, OF_TOOL) && !text.at)) &&
           id_parse(session, &out->session) && id_parse(turn, &out->turn) && !id_is_zero(out->turn);
}

void mcp_task_text(const struct mcp_task *t, char out[static MCP_TASK_TEXT_MAX])
{
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    id_text(t->session, session);
    id_text(t->turn, turn);
    snprintf(out, MCP_TASK_TEXT_MAX, "%s.%s.%lld%s", session, turn, (long long)t->created_ms,
             t->one_tool ? "." OF_TOOL : "");
}

/* Its life is counted from its beginning, and ours from its end. */
json_t *mcp_task_json(const struct mcp_task *t, const char *status, int64_t now_ms, int64_t keep_ms)
{
    char id[MCP_TASK_TEXT_MAX], created[UTC_TEXT_MAX], updated[UTC_TEXT_MAX];
    int64_t created_ms = t->created_ms < now_ms ? t->created_ms : now_ms;
    int64_t age_ms = now_ms - created_ms;
    mcp_task_text(t, id);
    utc_write(created_ms, UTC_MILLISECONDS, created);
    utc_write(now_ms, UTC_MILLISECONDS, updated);
    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:i}", "taskId", id, "status", status, "createdAt",
                     created, "lastUpdatedAt", updated, "ttlMs", (json_int_t)age_ms + keep_ms,
                     "pollIntervalMs", POLL_MS);
}

/* ---- what it asks of the person ---- */

/* The hash is of the arguments, and a turn may ask for the same ones in two calls. */
static bool write_key(const json_t *call, struct buf *key)
{
    buf_add_str(key, json_text(json_object_get(call, "arguments_hash")));
    buf_putc(key, ':');
    buf_add_str(key, json_text(json_object_get(call, "call_id")));
    return !key->overflowed;
}

/* All of the call, and whose tool it is. False: it does not fit, so nobody can say yes to it. */
static bool write_message(const json_t *call, struct buf *message)
{
    struct str tool = json_text(json_object_get(call, "tool_name"));
    const json_t *server = json_object_get(call, "server");
    char *arguments =
        json_dumps(json_object_get(call, "arguments"), JSON_COMPACT | JSON_ENCODE_ANY);
    char *of = server ? json_dumps(server, JSON_COMPACT) : NULL;
    if (str_is(tool, "use_datasource")) {
        buf_puts(message, "PersAI would ask a datasource whose server gets your sign-in: ");
    } else {
        buf_puts(message, "PersAI wants to run ");
        buf_add_str(message, tool);
        if (of) {
            buf_puts(message, " of the server ");
            buf_puts(message, of);
        }
        buf_puts(message, ", which changes something: ");
    }
    bool whole = arguments && buf_puts(message, arguments);
    free(arguments);
    free(of);
    return whole && !message->overflowed;
}

bool mcp_can_ask(const json_t *calls)
{
    size_t i;
    const json_t *call;
    json_array_foreach(calls, i, call)
    {
        scoped_buf(message, MESSAGE_BYTES_MAX);
        scoped_buf(key, KEY_BYTES_MAX);
        if (!write_message(call, &message) || !write_key(call, &key))
            return false;
    }
    return true;
}

static json_t *ask(const json_t *call)
{
    scoped_buf(message, MESSAGE_BYTES_MAX);
    write_message(call, &message);
    return json_pack(
        "{s:s,s:{s:s,s:s,s:{s:s,s:{s:{s:s,s:s,s:s,s:b}},s:[s]}}}", "method", "elicitation/create",
        "params", "mode", "form", "message", buf_cstr(&message), "requestedSchema", "type",
        "object", "properties", "approve", "type", "boolean", "title", "Allow it", "description",
        "true: it is done, once; false: it is not done", "default", 0, "required", "approve");
}

json_t *mcp_input_requests(const json_t *calls)
{
    json_t *all = json_object();
    size_t i;
    const json_t *call;
    json_array_foreach(calls, i, call)
    {
        scoped_buf(key, KEY_BYTES_MAX);
        if (write_key(call, &key))
            json_object_set_new(all, buf_cstr(&key), ask(call));
    }
    return all;
}

/* 1: yes, 0: no, -1: nothing was said. Only a plain yes is one. */
static int said_of(const json_t *response)
{
    struct str action = json_text(json_object_get(response, "action"));
    if (str_is(action, "decline"))
        return 0;
    if (!str_is(action, "accept"))
        return -1;
    return json_is_true(json_object_get(json_object_get(response, "content"), "approve"));
}

enum mcp_said mcp_input_responses(const json_t *calls, const json_t *responses, json_t **decisions)
{
    json_t *list = json_array();
    size_t i;
    const json_t *call;
    if (!mcp_can_ask(calls)) /* nobody was shown them */
        responses = NULL;
    json_array_foreach(calls, i, call)
    {
        scoped_buf(key, KEY_BYTES_MAX);
        int said = write_key(call, &key) ? said_of(json_object_get(responses, buf_cstr(&key))) : -1;
        if (said >= 0)
            json_array_append_new(list, json_pack("{s:O,s:b,s:O}", "call_id",
                                                  json_object_get(call, "call_id"), "approve", said,
                                                  "arguments_hash",
                                                  json_object_get(call, "arguments_hash")));
    }
    size_t answered = json_array_size(list);
    *decisions = NULL;
    if (answered > 0 && answered == json_array_size(calls))
        *decisions = json_pack("{s:O}", "decisions", list);
    json_decref(list);
    return *decisions ? MCP_SAID_ALL : answered > 0 ? MCP_SAID_PARTLY : MCP_SAID_NOTHING;
}
