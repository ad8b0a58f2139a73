#include "gateway/api/mcp.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/asking.h"
#include "gateway/api/mcp_reply.h"
#include "gateway/api/mcp_resource.h"
#include "gateway/api/mcp_stream.h"
#include "gateway/api/mcp_task.h"
#include "gateway/api/openapi.h"
#include "gateway/turn/broker.h"
#include "proto/store/session.h"
#include "proto/time_range.h"

enum { PATH_BYTES_MAX = 1024, ARGUMENTS_BYTES_MAX = 64 << 10 };

static void answer_method(struct call *c, struct str method, const json_t *params);
static void initialize(struct call *c, const json_t *params);
static void answer_prompt(struct call *c, const json_t *params);
static void call_tool(struct call *c, const json_t *params);
static bool take_ask(struct call *c, const json_t *arguments);
static bool take_datasource(struct call *c, const json_t *arguments);
static bool take_order(struct call *c, const json_t *arguments);
static bool may_change(struct call *c);
static void on_conversation(void *arg, enum err err, const struct store_answer *a);
static void begin(struct call *c);
static void on_begun(struct call *c, struct turn *t);

const struct call_hooks mcp_hooks = {mcp_fail, mcp_decided, mcp_cancelled};

/* ---- a request ---- */

/* A notification, or an answer to what we never ask: nothing of either concerns us. */
static bool wants_no_answer(const struct mcp *m)
{
    bool asks = json_text(json_object_get(m->request, "method")).len > 0;
    return asks ? !json_object_get(m->request, "id")
                : json_object_get(m->request, "result") || json_object_get(m->request, "error");
}

static bool is_request(const struct mcp *m)
{
    const json_t *id = json_object_get(m->request, "id");
    const json_t *params = json_object_get(m->request, "params");
    return json_text(json_object_get(m->request, "method")).len > 0 &&
           str_is(json_text(json_object_get(m->request, "jsonrpc")), "2.0") &&
           (json_is_string(id) || json_is_integer(id)) && (!params || json_is_object(params));
}

void api_mcp_post(struct call *c)
{
    struct mcp *m = mcp_take(c);
    struct mcp_headers headers = {http_header(c->request, "MCP-Protocol-Version"),
                                  http_header(c->request, "Mcp-Method"),
                                  http_header(c->request, "Mcp-Name")};
    m->client = mcp_client_of(m->request, &headers);
    if (wants_no_answer(m)) {
        if (!m->client.modern && mcp_is_method(c, "notifications/cancelled"))
            mcp_stream_cancel(c);
        call_reply_text(c, 202, "text/plain", (struct str){NULL, 0});
        return;
    }
    if (!is_request(m)) {
        mcp_reply_error(c, 400, MCP_REQUEST, "This is no JSON-RPC 2.0 request", NULL);
        return;
    }
    struct mcp_wrong wrong = mcp_check(m->request, &headers, m->client.modern);
    if (wrong.code)
        mcp_reply_error(c, wrong.http_status, wrong.code, wrong.sentence,
                        wrong.code == MCP_VERSION ? mcp_unspoken(m->request, &headers) : NULL);
    else
        answer_method(c, json_text(json_object_get(m->request, "method")), mcp_params(c));
}

static void answer_method(struct call *c, struct str method, const json_t *params)
{
    const struct mcp_client *client = &mcp_of(c)->client;
    if (client->modern && str_is(method, "server/discover"))
        mcp_reply_result(c, mcp_discover());
    else if (!client->modern && str_is(method, "initialize"))
        initialize(c, params);
    else if (!client->modern && str_is(method, "ping"))
        mcp_reply_result(c, json_object());
    else if (str_is(method, "tools/list"))
        mcp_reply_result(c, mcp_tools(broker_tools(c->gateway->broker), client));
    else if (str_is(method, "tools/call"))
        call_tool(c, params);
    else if (str_is(method, "prompts/list"))
        mcp_reply_result(c, mcp_prompts());
    else if (str_is(method, "prompts/get"))
        answer_prompt(c, params);
    else if (!mcp_resource_method(c, method) && !mcp_task_method(c, method))
        mcp_reply_error(c, client->modern ? 404 : 200, MCP_METHOD, "There is no such method here",
                        NULL);
}

/* Its session is a name only, by which what it asks and takes back is told from others'. */
static void initialize(struct call *c, const json_t *params)
{
    char name[ID_TEXT + 1];
    id_text(id_new(), name);
    http_add_header(c->request, "Mcp-Session-Id", name);
    mcp_reply_result(c, mcp_initialize(params));
}

static void answer_prompt(struct call *c, const json_t *params)
{
    const char *wrong = NULL;
    json_t *prompt = mcp_prompt(params, &wrong);
    if (prompt)
        mcp_reply_result(c, prompt);
    else
        mcp_refuse_params(c, wrong);
}

/* ---- tools/call: a turn ---- */

static void call_tool(struct call *c, const json_t *params)
{
    struct mcp *m = mcp_of(c);
    struct str name = json_text(json_object_get(params, "name"));
    struct str state = json_text(json_object_get(params, "requestState"));
    const json_t *arguments = json_given(params, "arguments");
    enum mcp_tool_kind kind = mcp_tool_kind(broker_tool_list(c->gateway->broker), name);
    m->one_tool = !str_is(name, "ask");
    m->changes = kind == MCP_CHANGES;
    if (m->one_tool && kind == MCP_NO_TOOL) {
        mcp_refuse_params(c, "There is no tool of this name");
        return;
    }
    if (!may_change(c))
        return;
    m->tool = true;
    if (state.len > 0 && m->client.modern) {
        mcp_task_retry(c, state);
    } else if (arguments && !json_is_object(arguments)) {
        mcp_refuse_tool(c, "arguments must be an object");
    } else if (take_datasource(c, arguments) &&
               (m->one_tool ? take_order(c, arguments) : take_ask(c, arguments))) {
        if (json_given(arguments, "conversation") && !m->one_tool)
            c->store_call = store_session_get(c->gateway->store, str_of(c->user), c->session,
                                              on_conversation, c);
        else
            begin(c);
    }
}

/* The person has to be asked, which its client must be able to. False: the call was answered. */
static bool may_change(struct call *c)
{
    const struct mcp *m = mcp_of(c);
    if (!m->changes || m->client.elicits)
        return true;
    if (m->client.modern)
        mcp_reply_error(c, 400, MCP_CAPABILITY,
                        "This tool changes something: your client must be able to ask for a yes",
                        mcp_needs_elicitation());
    else
        mcp_refuse_params(c, "This tool changes something, and in this version of the protocol "
                             "nobody can be asked: `ask` for it, and say yes in PersAI");
    return false;
}

/* A global one that the call names, else found as all doors find it; a name alone is a global
 * one's. Arguments are a model's words: who else gets the person's token is not theirs to choose.
 * A tool that is called with a project's asks its person, as in a conversation. */
static bool take_datasource(struct call *c, const json_t *arguments)
{
    struct mcp *m = mcp_of(c);
    const json_t *datasource = json_given(arguments, "datasource");
    struct str named = json_text(datasource);
    scoped_buf(path, PATH_BYTES_MAX);
    if (datasource && !json_is_string(datasource)) {
        mcp_refuse_tool(c, "datasource must be a string");
        return false;
    }
    if (named.len > 0 && named.at[0] == '/' &&
        !str_starts(named, STR("/proxy/globaldatasources/"))) {
        if (m->one_tool)
            return true;
        mcp_refuse_tool(c, "A project's datasource is chosen by the header X-PersAI-Datasource, "
                           "or by the key; an argument names a global one");
        return false;
    }
    if (named.len > 0 && named.at[0] != '/')
        buf_puts(&path, "/proxy/globaldatasources/");
    buf_add_str(&path, named);
    if (path.overflowed) {
        mcp_refuse_tool(c, "datasource is too long");
        return false;
    }
    m->path = xstrdup(buf_cstr(&path));
    return true;
}

/* The worker holds the arguments against the tool's schema, as it does with a model's. */
static bool take_order(struct call *c, const json_t *arguments)
{
    struct mcp *m = mcp_of(c);
    m->arguments = arguments ? json_dumps(arguments, JSON_COMPACT) : xstrdup("{}");
    if (strlen(m->arguments) <= ARGUMENTS_BYTES_MAX)
        return true;
    mcp_refuse_tool(c, "arguments are larger than 64 KiB");
    return false;
}

static bool known_arguments(const json_t *arguments)
{
    static const char *const names[] = {"question", "datasource", "time_range", "conversation"};
    size_t found = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        found += json_object_get(arguments, names[i]) != NULL;
    return found == json_object_size(arguments);
}

/* What is wrong with them, or NULL. */
static const char *fault_of(struct call *c, const json_t *arguments)
{
    const json_t *question = json_object_get(arguments, "question");
    const json_t *range = json_given(arguments, "time_range");
    const json_t *conversation = json_given(arguments, "conversation");
    if (str_trim(json_text(question)).len == 0)
        return "question must be a text that is not empty";
    if (json_string_length(question) > c->gateway->settings.message_bytes_max)
        return "question is too long";
    if (range && !json_is_object(range))
        return "time_range must be {start, end} or {duration}";
    if (!known_arguments(arguments))
        return "ask takes question, datasource, time_range and conversation";
    if (conversation && !id_parse(json_text(conversation), &c->session))
        return "conversation must be the id of one of yours";
    return NULL;
}

/* What is given of it, or NULL. */
static json_t *range_of(const json_t *arguments)
{
    const json_t *asked = json_given(arguments, "time_range");
    json_t *range = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)asked, key, value)
    {
        if (json_given(asked, key))
            json_object_set(range, key, value);
    }
    if (json_object_size(range) > 0)
        return range;
    json_decref(range);
    return NULL;
}

/* Its range is of the shape that a turn's has. */
static bool take_ask(struct call *c, const json_t *arguments)
{
    const char *fault = fault_of(c, arguments);
    json_auto_t *range = range_of(arguments);
    scoped_buf(why, 1024);
    if (!fault && range) {
        json_auto_t *turn =
            json_pack("{s:s,s:{s:O}}", "message", "?", "context", "time_range", range);
        struct time_range read;
        if (!openapi_body_fits("turns_post", turn, &why))
            fault = buf_cstr(&why);
        else
            fault = time_range_read(range, STR(""), loop_wall_ms(), &read);
        mcp_of(c)->context = json_dumps(json_object_get(turn, "context"), JSON_COMPACT);
    }
    if (fault)
        mcp_refuse_tool(c, fault);
    return !fault;
}

static void on_conversation(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    (void)a;
    if (call_stored(c, err))
        begin(c);
}

/* What a tool that is called by itself is called in its conversation, which nobody's list has. */
static void begin(struct call *c)
{
    const struct mcp *m = mcp_of(c);
    const json_t *params = mcp_params(c), *arguments = json_object_get(params, "arguments");
    struct asking a = {.session = id_is_zero(c->session) ? id_new() : c->session,
                       .question = json_text(json_object_get(arguments, "question")),
                       .context = str_of(m->context),
                       .path = str_of(m->path),
                       .unlisted = m->one_tool};
    scoped_buf(order, ARGUMENTS_BYTES_MAX + 1024);
    if (m->one_tool) {
        a.tool_name = json_text(json_object_get(params, "name"));
        a.tool_arguments = str_of(m->arguments);
        buf_add_str(&order, a.tool_name);
        buf_putc(&order, ' ');
        buf_add_str(&order, a.tool_arguments);
        a.question = buf_str(&order);
    }
    asking_begin(c, &a, on_begun);
}

static void on_begun(struct call *c, struct turn *t)
{
    struct mcp *m = mcp_of(c);
    m->task = (struct mcp_task){c->session, c->turn, loop_wall_ms(), m->one_tool};
    if (m->client.tasks && (!m->one_tool || m->changes)) {
        mcp_task_made(c);
        return;
    }
    struct mcp_saying s = mcp_saying_of(c);
    mcp_stream_open(c, t, &s, NULL);
}
