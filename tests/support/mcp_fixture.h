/* tests/support/mcp_fixture.h: tools with an MCP server of the test's own behind them: it
 * speaks either era as it should unless a test says otherwise, and remembers what it was asked. */
#ifndef TESTS_SUPPORT_MCP_FIXTURE_H
#define TESTS_SUPPORT_MCP_FIXTURE_H

#include "tests/support/pump.h"
#include "tests/support/usual.h"

#include <jansson.h>
#include <stdio.h>
#include "common/http.h"
#include "worker/tools/mcp/file.h"
#include "worker/tools/tools.h"

#define RESULT(json) "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":" json "}"
#define REFUSAL(code, message)                                                                     \
    "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":" #code ",\"message\":\"" message "\"}}"
#define TOOL(name, more)                                                                           \
    "{\"name\":\"" name "\",\"description\":\"Does " name "\",\"inputSchema\":{\"type\":"          \
    "\"object\",\"properties\":{\"word\":{\"type\":\"string\"}}}" more "}"

/* What is answered instead of what is right. */
struct odd {
    const char *method; /* NULL: the end */
    unsigned status;    /* 0: never answered */
    const char *body;   /* ID stands for the request's */
    const char *type;   /* NULL: application/json */
    unsigned times;     /* 0: always */
    bool endless;       /* body again and again, as a stream */
};
struct mcp_fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    uint16_t port;
    struct fetch_pool *pool;
    struct mcp_file *file;
    struct tools_config config;
    struct tools *tools;
    struct secret *token;
    char folder[64], path[96];
    unsigned changes; /* that the tools told */
    /* the server */
    bool modern, streams;
    const char *tools_json; /* the list of tools/list's answer */
    const char *result;     /* of tools/call */
    struct odd odd[8];
    char session[32];
    unsigned sessions;
    struct buf said;   /* a line for each request */
    struct buf bodies; /* all of all requests */
    const char *waited;
    struct http_stream *stream;
    const char *endless;
    bool slow, poured; /* slow: once each time that it is poured */
    /* the last result */
    unsigned done;
    char *content;
    bool failed;
    enum tool_approval approval;
};

static inline void mcp_say(struct mcp_fixture *f, struct http_request *r, const char *method)
{
    struct str version = http_header(r, "mcp-protocol-version");
    struct str session = http_header(r, "mcp-session-id"), name = http_header(r, "mcp-name");
    buf_printf(&f->said, "%.*s %s", (int)http_method(r).len, http_method(r).at, method);
    if (version.len)
        buf_printf(&f->said, " v=%.*s", (int)version.len, version.at);
    if (session.len)
        buf_printf(&f->said, " s=%.*s", (int)session.len, session.at);
    if (name.len)
        buf_printf(&f->said, " n=%.*s", (int)name.len, name.at);
    buf_putc(&f->said, '\n');
    static const char *const headers[] = {"authorization", "cookie", "x-key", "mcp-param-word"};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct str value = http_header(r, headers[i]);
        if (value.len)
            buf_printf(&f->bodies, "%s: %.*s\n", headers[i], (int)value.len, value.at);
    }
    buf_add_str(&f->bodies, http_body(r));
    buf_putc(&f->bodies, '\n');
}

static inline size_t mcp_on_fill(void *arg, char *dst, size_t cap)
{
    struct mcp_fixture *f = arg;
    size_t len = strlen(f->endless), at = 0;
    if (f->slow && !f->poured)
        return 0;
    f->poured = false;
    for (; at + len <= cap && at < 4096; at += len)
        memcpy(dst + at, f->endless, len);
    return at;
}

static inline void mcp_on_closed(void *arg) { ((struct mcp_fixture *)arg)->stream = NULL; }

static inline void mcp_on_pour(void *arg)
{
    struct mcp_fixture *f = arg;
    f->poured = true;
    if (f->stream)
        http_stream_wake(f->stream);
}

/* body with ID filled in. */
static inline void mcp_reply(struct mcp_fixture *f, struct http_request *r, unsigned status,
                             const char *type, const char *body, const json_t *id)
{
    char *text = id ? json_dumps(id, JSON_ENCODE_ANY) : NULL;
    scoped_buf(b, 8 << 20);
    bool stream = f->streams && type == NULL && status == 200;
    if (stream)
        buf_puts(&b, "id: 1\ndata:\n\nevent: message\ndata: ");
    for (const char *at = body; *at;) {
        const char *next = strstr(at, ":ID");
        size_t len = next ? (size_t)(next - at) : strlen(at);
        buf_add(&b, at, len);
        at += len;
        if (next) {
            buf_printf(&b, ":%s", text ? text : "null");
            at += 3;
        }
    }
    free(text);
    buf_puts(&b, stream ? "\n\n" : "");
    http_reply(r, status,
               type     ? type
               : stream ? "text/event-stream"
                        : "application/json",
               buf_str(&b));
}

static inline bool mcp_is_odd(struct mcp_fixture *f, struct http_request *r, const char *method,
                              const json_t *id)
{
    static const struct http_stream_handler handler = {.on_fill = mcp_on_fill,
                                                       .on_closed = mcp_on_closed};
    for (struct odd *o = f->odd; o->method; o++) {
        if (strcmp(o->method, method) != 0)
            continue;
        if (o->times > 0 && --o->times == 0)
            o->method = "over";
        if (o->endless && f->stream == NULL) {
            f->endless = o->body;
            f->stream = http_stream_open(r, "text/event-stream", &handler, f);
        } else if (o->status > 0) {
            mcp_reply(f, r, o->status, o->type, o->body, id);
        }
        return true;
    }
    return false;
}

static inline void mcp_serve(struct mcp_fixture *f, struct http_request *r, const char *method,
                             const json_t *id)
{
    scoped_buf(b, 8 << 20);
    bool greeting = strcmp(method, "initialize") == 0;
    if (strcmp(method, "server/discover") == 0 && f->modern) {
        buf_puts(&b, RESULT("{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
                            "\"capabilities\":{\"tools\":{}}}"));
    } else if (f->modern ? greeting : strcmp(method, "server/discover") == 0) {
        mcp_reply(f, r, 400, NULL, REFUSAL(-32600, "Bad Request"), id);
        return;
    } else if (greeting) {
        snprintf(f->session, sizeof(f->session), "s%u", ++f->sessions);
        http_add_header(r, "Mcp-Session-Id", f->session);
        buf_puts(&b, RESULT("{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}},"
                            "\"serverInfo\":{\"name\":\"x\",\"version\":\"1\"}}"));
    } else if (!f->modern && !str_is(http_header(r, "mcp-session-id"), f->session)) {
        mcp_reply(f, r, 404, NULL, REFUSAL(-32001, "Session not found"), id);
        return;
    } else if (id == NULL || json_is_null(id) || method[0] == '\0') {
        http_reply(r, 202, "application/json", STR(""));
        return;
    } else if (strcmp(method, "tools/list") == 0) {
        buf_printf(&b, RESULT("{\"tools\":[%s]}"), f->tools_json);
    } else if (strcmp(method, "tools/call") == 0) {
        buf_printf(&b, RESULT("%s"), f->result);
    } else {
        buf_puts(&b, REFUSAL(-32601, "Method not found"));
    }
    mcp_reply(f, r, 200, NULL, buf_cstr(&b), id);
}

static inline void mcp_on_request(void *arg, struct http_request *r)
{
    struct mcp_fixture *f = arg;
    struct str body = http_body(r);
    json_auto_t *message = body.len ? json_loadb(body.at, body.len, 0, NULL) : NULL;
    const char *method = json_string_value(json_object_get(message, "method"));
    const json_t *id = json_object_get(message, "id");
    bool answer = message && method == NULL; /* to a request of ours */
    method = method ? method : answer ? "" : "end";
    mcp_say(f, r, answer ? "answer" : method);
    if (mcp_is_odd(f, r, method, id))
        return;
    if (str_is(http_method(r), "DELETE")) {
        http_reply(r, 200, "text/plain", STR(""));
        return;
    }
    mcp_serve(f, r, method, id);
}

static inline void mcp_open(struct mcp_fixture *f)
{
    char error[256], listen[32];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", f->port);
    struct http_config config = {
        .listen = listen, .body_bytes_max = 1 << 20, .connections_max = 100, .idle_ms = 60000};
    static const struct http_callbacks callbacks = {.on_request = mcp_on_request};
    f->http = http_new(f->loop, &config, &callbacks, f, error);
    assert_non_null(f->http);
    f->port = http_port(f->http);
}

static inline struct mcp_fixture *mcp_fixture_new(void)
{
    struct mcp_fixture *f = xcalloc(1, sizeof(*f));
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    f->pool = fetch_pool_new(f->loop);
    f->token = secret_new(STR("canary-token"));
    f->tools_json = TOOL("find", "") "," TOOL("make.it", "") "," TOOL("other", "");
    f->result = "{\"content\":[{\"type\":\"text\",\"text\":\"found\"}]}";
    f->config = usual_tools(f->loop, f->pool, "http://127.0.0.1:1");
    buf_init(&f->said, 1 << 20);
    buf_init(&f->bodies, 4 << 20);
    snprintf(f->folder, sizeof(f->folder), "/tmp/persai-mcp-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/mcp.json", f->folder);
    mcp_open(f);
    return f;
}

static inline struct mcp_file *mcp_file_of(struct mcp_fixture *f, const char *text, char error[256])
{
    FILE *out = fopen(f->path, "we");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    return mcp_file_read(f->path, error);
}

static inline void mcp_on_change(void *arg) { ((struct mcp_fixture *)arg)->changes++; }

/* more: members of the server's object in PERSAI_MCP. */
static inline void mcp_start(struct mcp_fixture *f, const char *more)
{
    char text[1024], error[256];
    snprintf(text, sizeof(text),
             "[{\"name\":\"tix\",\"url\":\"http://127.0.0.1:%u/mcp\","
             "\"tools\":{\"find\":\"read\",\"make.it\":\"ask\"}%s}]",
             f->port, more);
    f->file = mcp_file_of(f, text, error);
    if (f->file == NULL)
        fail_msg("%s", error);
    f->config.mcp = f->file;
    f->config.on_change = mcp_on_change;
    f->config.on_change_arg = f;
    f->tools = tools_new(&f->config);
}

static inline void mcp_fixture_free(struct mcp_fixture *f)
{
    assert_null(strstr(buf_cstr(&f->bodies), "canary")); /* the person's token goes nowhere */
    free(f->content);
    tools_free(f->tools);
    mcp_file_free(f->file);
    secret_free(f->token);
    fetch_pool_free(f->pool);
    if (f->http)
        http_free(f->http);
    loop_off(f->loop, f->pump);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    unlink(f->path);
    rmdir(f->folder);
    buf_free(&f->said);
    buf_free(&f->bodies);
    free(f->pump);
    free(f);
}

static inline const struct tool_spec *mcp_offered(struct mcp_fixture *f, const char *name)
{
    unsigned count;
    const struct tool_spec *specs = tools_specs(f->tools, &count);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(specs[i].name, name) == 0)
            return &specs[i];
    return NULL;
}

static inline bool mcp_is_there(void *arg) { return mcp_offered(arg, "mcp_tix_find") != NULL; }

static inline bool mcp_is_away(void *arg) { return !mcp_is_there(arg); }

/* It was asked f->waited. */
static inline bool mcp_was_said(void *arg)
{
    struct mcp_fixture *f = arg;
    return strstr(buf_cstr(&f->said), f->waited) != NULL;
}

static inline void mcp_wait_said(struct mcp_fixture *f, const char *text)
{
    f->waited = text;
    if (!pump_within(f->pump, 20000, mcp_was_said, f))
        fail_msg("not said: %s; but:\n%s", text, buf_cstr(&f->said));
}

static inline void mcp_wait_there(struct mcp_fixture *f)
{
    if (!pump_within(f->pump, 20000, mcp_is_there, f))
        fail_msg("the tools did not come:\n%s", buf_cstr(&f->said));
}

static inline void mcp_on_done(void *arg, const struct tool_result *r)
{
    struct mcp_fixture *f = arg;
    f->done++;
    free(f->content);
    f->content = str_dup(r->content);
    f->failed = r->failed;
    assert_false(r->unauthorized);
    assert_true(r->content.len <= f->config.content_bytes_max);
    assert_true(str_utf8(r->content));
    json_auto_t *json = json_loadb(r->content.at, r->content.len, 0, NULL);
    if (json == NULL)
        fail_msg("no JSON: %s", f->content);
}

static inline struct tool_run *mcp_begin(struct mcp_fixture *f, const char *name,
                                         const char *arguments)
{
    struct tool_call call = {.call_id = STR("c1"),
                             .approval = f->approval,
                             .tool_name = str_of(name),
                             .arguments = str_of(arguments),
                             .token = f->token,
                             .now_ms = 1700000000000};
    return tool_start(f->tools, &call, mcp_on_done, f);
}

static inline bool mcp_is_done(void *arg) { return ((struct mcp_fixture *)arg)->done > 0; }

static inline void mcp_run(struct mcp_fixture *f, const char *name, const char *arguments)
{
    f->done = 0;
    mcp_begin(f, name, arguments);
    assert_true(pump_within(f->pump, 20000, mcp_is_done, f));
}

static inline void mcp_expect(struct mcp_fixture *f, bool failed, const char *part)
{
    if (f->failed != failed || strstr(f->content, part) == NULL)
        fail_msg("wanted %s with \"%s\", got: %s", failed ? "a failure" : "a result", part,
                 f->content);
}

#endif
