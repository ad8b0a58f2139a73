#include "gateway/api/mcp.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/mcp_stream.h"
#include "gateway/api/mcp_text.h"
#include "gateway/api/openapi.h"
#include "gateway/turn/broker.h"

enum { PATH_BYTES_MAX = 1024, ARGUMENTS_BYTES_MAX = 64 << 10 };
#define DEFAULT_DATASOURCE "prometheus"

/* A request, from its body on. */
struct mcp {
    json_t *request;
    bool modern, tool; /* tool: tools/call */
    bool one_tool;     /* and not of `ask` */
    json_t *turn;      /* the body of the turn that it becomes */
    char *path;        /* its datasource */
    char *arguments;   /* of one_tool, as JSON */
};

static void fail(struct call *c, enum err err, const char *sentence);
static void made(struct call *c, struct id session);
static void begun(struct call *c, struct turn *t);
static void free_data(void *data);
static void answer_method(struct call *c, struct str method, const json_t *params);
static void call_tool(struct call *c, const json_t *params);
static bool take_ask(struct call *c, const json_t *arguments);
static bool take_datasource(struct call *c, const json_t *arguments);
static bool take_order(struct call *c, struct str name, const json_t *arguments);

const struct call_hooks mcp_hooks = {fail, made, begun};

static struct mcp *mcp_of(const struct call *c) { return c->door; }

static const json_t *id_of(const struct call *c)
{
    return mcp_of(c) ? json_object_get(mcp_of(c)->request, "id") : NULL;
}

static void free_data(void *data)
{
    struct mcp *m = data;
    json_decref(m->request);
    json_decref(m->turn);
    free(m->path);
    free(m->arguments);
    free(m);
}

/* ---- answers ---- */

static void reply(struct call *c, unsigned status, json_t *take_message)
{
    char *text = json_dumps(take_message, JSON_COMPACT);
    json_decref(take_message);
    call_reply(c, status, str_of(text));
    free(text);
}

static void reply_result(struct call *c, json_t *take_result)
{
    reply(c, 200, mcp_answer(id_of(c), take_result, mcp_of(c)->modern));
}

static void reply_error(struct call *c, unsigned status, int code, const char *sentence,
                        json_t *take_data)
{
    reply(c, status, mcp_error(id_of(c), code, sentence, take_data));
}

static void refuse_tool(struct call *c, const char *sentence)
{
    reply_result(c, mcp_tool_result(str_of(sentence), NULL, true));
}

/* What a tool's call is refused for is for its model to read; who is not let in hears it by the
 * status. */
static void fail(struct call *c, enum err err, const char *sentence)
{
    unsigned status = err_http_status(err);
    bool outside = status == 401 || status == 403 || status == 429 || status >= 500;
    if (mcp_of(c) && mcp_of(c)->tool && !outside) {
        refuse_tool(c, sentence);
        return;
    }
    int code = err == ERR_BAD_JSON      ? MCP_PARSE
               : err == ERR_INVALID     ? MCP_REQUEST
               : err == ERR_BAD_REQUEST ? MCP_REQUEST
                                        : MCP_REFUSED;
    reply_error(c, status, code, sentence, json_pack("{s:s}", "code", err_word(err)));
}

/* ---- a request ---- */

void api_mcp_post(struct call *c)
{
    struct mcp *m = xcalloc(1, sizeof(*m));
    struct mcp_headers headers = {http_header(c->request, "MCP-Protocol-Version"),
                                  http_header(c->request, "Mcp-Method"),
                                  http_header(c->request, "Mcp-Name")};
    c->door = m;
    c->door_free = free_data;
    m->request = c->body;
    c->body = NULL;
    const json_t *id = json_object_get(m->request, "id");
    struct str method = json_text(json_object_get(m->request, "method"));
    const json_t *params = json_object_get(m->request, "params");
    m->modern = mcp_is_modern(m->request, &headers);
    if (method.len > 0 && !id) { /* a notification: nothing of it concerns us */
        call_reply_text(c, 202, "text/plain", (struct str){NULL, 0});
        return;
    }
    if (!method.at &&
        (json_object_get(m->request, "result") || json_object_get(m->request, "error"))) {
        call_reply_text(c, 202, "text/plain",
                        (struct str){NULL, 0}); /* an answer to what we never ask */
        return;
    }
    if (method.len == 0 || !str_is(json_text(json_object_get(m->request, "jsonrpc")), "2.0") ||
        !(json_is_string(id) || json_is_integer(id)) || (params && !json_is_object(params))) {
        reply_error(c, 400, MCP_REQUEST, "This is no JSON-RPC 2.0 request", NULL);
        return;
    }
    struct mcp_wrong wrong = mcp_check(m->request, &headers, m->modern);
    if (wrong.code)
        reply_error(c, wrong.http_status, wrong.code, wrong.sentence,
                    wrong.code == MCP_VERSION ? json_pack("{s:o}", "supported", mcp_versions())
                                              : NULL);
    else
        answer_method(c, method, params);
}

static void answer_method(struct call *c, struct str method, const json_t *params)
{
    bool modern = mcp_of(c)->modern;
    struct str tools = broker_tools(c->gateway->broker);
    const char *wrong = NULL;
    if (modern && str_is(method, "server/discover")) {
        reply_result(c, mcp_discover());
    } else if (!modern && str_is(method, "initialize")) {
        reply_result(c, mcp_initialize(params));
    } else if (!modern && str_is(method, "ping")) {
        reply_result(c, json_object());
    } else if (str_is(method, "tools/list")) {
        reply_result(c, mcp_tools(tools));
    } else if (str_is(method, "tools/call")) {
        call_tool(c, params);
    } else if (str_is(method, "prompts/list")) {
        reply_result(c, mcp_prompts());
    } else if (str_is(method, "prompts/get")) {
        json_t *prompt = mcp_prompt(params, &wrong);
        if (prompt)
            reply_result(c, prompt);
        else
            reply_error(c, modern ? 400 : 200, MCP_PARAMS, wrong, NULL);
    } else {
        reply_error(c, modern ? 404 : 200, MCP_METHOD, "There is no such method here", NULL);
    }
}

/* ---- tools/call: a turn ---- */

static void call_tool(struct call *c, const json_t *params)
{
    struct mcp *m = mcp_of(c);
    struct str name = json_text(json_object_get(params, "name"));
    const json_t *arguments = json_object_get(params, "arguments");
    m->one_tool = !str_is(name, "ask");
    if (m->one_tool && !mcp_has_tool(broker_tools(c->gateway->broker), name)) {
        reply_error(c, m->modern ? 400 : 200, MCP_PARAMS, "There is no tool of this name", NULL);
        return;
    }
    m->tool = true;
    if (arguments && !json_is_object(arguments)) {
        refuse_tool(c, "arguments must be an object");
        return;
    }
    if (!take_datasource(c, arguments) ||
        (m->one_tool ? !take_order(c, name, arguments) : !take_ask(c, arguments)))
        return;
    c->datasource_path = m->path;
    if (json_object_get(arguments, "conversation") && !m->one_tool) {
        made(c, c->session);
        return;
    }
    c->body = json_object();
    api_sessions_post(c);
}

/* Named by the call, else by the request's header, else by the key's row; a name alone is a global
 * one's. */
static bool take_datasource(struct call *c, const json_t *arguments)
{
    struct str named = json_text(json_object_get(arguments, "datasource"));
    scoped_buf(path, PATH_BYTES_MAX);
    if (named.len == 0)
        named = http_header(c->request, "X-PersAI-Datasource");
    if (named.len == 0 && c->key.key)
        named = str_of(key_row(c->key.key)->datasource);
    if (named.len == 0)
        named = STR(DEFAULT_DATASOURCE);
    if (named.at[0] != '/')
        buf_puts(&path, "/proxy/globaldatasources/");
    buf_add_str(&path, named);
    if (path.overflowed) {
        refuse_tool(c, "datasource is too long");
        return false;
    }
    mcp_of(c)->path = xstrdup(buf_cstr(&path));
    return true;
}

/* The worker holds the arguments against the tool's schema, as it does with a model's. */
static bool take_order(struct call *c, struct str name, const json_t *arguments)
{
    struct mcp *m = mcp_of(c);
    scoped_buf(message, ARGUMENTS_BYTES_MAX + 256);
    m->arguments = arguments ? json_dumps(arguments, JSON_COMPACT) : xstrdup("{}");
    c->tool_name = json_text(json_object_get(json_object_get(m->request, "params"), "name"));
    c->tool_arguments = str_of(m->arguments);
    buf_add_str(&message, name);
    buf_putc(&message, ' ');
    if (c->tool_arguments.len > ARGUMENTS_BYTES_MAX || !buf_add_str(&message, c->tool_arguments)) {
        refuse_tool(c, "arguments are larger than 64 KiB");
        return false;
    }
    m->turn = json_pack("{s:s%}", "message", message.at, message.len);
    return true;
}

static bool known_arguments(const json_t *arguments)
{
    static const char *const names[] = {"question", "datasource", "time_range", "conversation"};
    size_t found = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        found += json_object_get(arguments, names[i]) != NULL;
    return found == json_object_size(arguments);
}

static bool take_ask(struct call *c, const json_t *arguments)
{
    struct mcp *m = mcp_of(c);
    const json_t *question = json_object_get(arguments, "question");
    const json_t *range = json_object_get(arguments, "time_range");
    const json_t *conversation = json_object_get(arguments, "conversation");
    const char *wrong =
        !json_is_string(question)         ? "question must be a text"
        : range && !json_is_object(range) ? "time_range must be {start, end} or {duration}"
        : !known_arguments(arguments)     ? "ask takes question, datasource, time_range and "
                                            "conversation"
        : conversation && !id_parse(json_text(conversation), &c->session)
            ? "conversation must be the id of one of yours"
            : NULL;
    if (wrong) {
        refuse_tool(c, wrong);
        return false;
    }
    m->turn = json_pack("{s:O}", "message", question);
    if (range)
        json_object_set_new(m->turn, "context", json_pack("{s:O}", "time_range", range));
    return true;
}

static void made(struct call *c, struct id session)
{
    struct mcp *m = mcp_of(c);
    json_decref(c->body);
    scoped_buf(why, 1024);
    c->body = m->turn;
    m->turn = NULL;
    c->session = session;
    if (openapi_body_fits("turns_post", c->body, &why))
        api_turns_post(c);
    else
        refuse_tool(c, buf_cstr(&why));
}

static void begun(struct call *c, struct turn *t)
{
    struct mcp *m = mcp_of(c);
    const json_t *params = json_object_get(m->request, "params");
    struct mcp_streamed s = {.id = id_of(c),
                             .token =
                                 json_object_get(json_object_get(params, "_meta"), "progressToken"),
                             .modern = m->modern,
                             .one_tool = m->one_tool};
    mcp_stream_open(c, t, &s);
}
