#include "worker/tools/mcp/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/sse.h"
#include "worker/tools/mcp/hide.h"

enum {
    REQUEST_BYTES_MAX = 1 << 20,
    REFUSAL_BYTES_MAX = 64 << 10, /* of a body with an HTTP error */
    NOTES_MAX = 8,                /* no more replies at once: a server could ask without end */
    NOTE_MS = 10000,
    BYE_MS = 1000,
    HEADERS_MAX = 6 + MCP_HEADERS_MAX + MCP_MARKS_MAX,
};

struct mcp_ask {
    struct list node; /* of peer->asks */
    struct mcp_peer *peer;
    uint64_t id; /* 0: no answer is due */
    struct fetch *fetch;
    bool is_stream, is_note, is_call; /* call: of a tool */
    struct buf body;                  /* of an answer in one piece */
    struct sse sse;
    /* what came */
    json_t *answer;
    bool is_error, list_changed, is_broken;
    const char *why;
    mcp_ask_fn *fn; /* NULL: nobody waits */
    void *arg;
};

static void give_up(const struct mcp_ask *a);
static bool on_message(void *arg, const struct mcp_message *m);
/* Nobody waits for what comes of it. */
static void send_note(struct mcp_peer *p, const char *method, struct str body, int64_t timeout_ms);

void mcp_peer_init(struct mcp_peer *p, struct loop *loop, struct fetch_pool *fetches,
                   const struct mcp_config *c)
{
    *p = (struct mcp_peer){.config = c, .loop = loop, .fetches = fetches};
    list_init(&p->asks);
}

static void ask_free(struct mcp_ask *a)
{
    fetch_cancel(a->fetch);
    list_remove(&a->node);
    a->peer->notes -= a->is_note;
    buf_free(&a->body);
    sse_free(&a->sse);
    json_decref(a->answer);
    free(a);
}

void mcp_peer_free(struct mcp_peer *p)
{
    list_each (&p->asks, node, tmp)
        ask_free(list_of(node, struct mcp_ask, node));
}

static void finish(struct mcp_ask *a, struct mcp_answer answer)
{
    if (a->fetch)
        answer.session = fetch_response_header(a->fetch, "mcp-session-id");
    answer.list_changed = a->list_changed;
    list_remove(&a->node); /* a cancel from inside fn has nothing to do */
    if (a->fn)
        a->fn(a->arg, &answer);
    ask_free(a);
}

/* ---- what the server says ---- */

/* To a request, of the legacy era only: we declared to be able to do nothing for it. */
static void reply(struct mcp_peer *p, const struct mcp_message *m)
{
    scoped_buf(b, 4096);
    mcp_write_reply(&b, m->id, str_is(m->method, "ping"));
    if (!b.overflowed && p->notes < NOTES_MAX)
        send_note(p, "POST", buf_str(&b), NOTE_MS);
}

static bool on_message(void *arg, const struct mcp_message *m)
{
    struct mcp_ask *a = arg;
    switch (m->kind) {
    case MCP_REQUEST:
        if (!a->peer->modern && !a->is_note) /* else it could ask in each answer to our answer */
            reply(a->peer, m);
        return true;
    case MCP_NOTIFICATION:
        if (str_is(m->method, "notifications/tools/list_changed"))
            a->list_changed = true;
        return true;
    case MCP_RESULT:
    case MCP_ERROR:
        break;
    }
    bool ours = mcp_is_id(m->id, a->id) || (m->kind == MCP_ERROR && m->id == NULL);
    if (!ours || a->answer != NULL)
        return true;
    a->is_error = m->kind == MCP_ERROR;
    a->answer = json_incref((json_t *)m->body);
    mcp_hide(a->answer, a->peer->config);
    return false;
}

static bool on_event(void *arg, struct str name, struct str data)
{
    struct mcp_ask *a = arg;
    const char *why;
    if (data.len == 0 || (name.len > 0 && !str_is(name, "message")))
        return true;
    if (!mcp_read(data, on_message, a, &why)) {
        a->is_broken = true;
        a->why = why;
    }
    return !a->is_broken && a->answer == NULL;
}

static void on_head(void *arg, int http_status)
{
    struct mcp_ask *a = arg;
    struct str type = fetch_response_header(a->fetch, "content-type");
    a->is_stream =
        http_status < 300 && type.len >= 17 && strncasecmp(type.at, "text/event-stream", 17) == 0;
    if (http_status >= 300)
        a->body.max_bytes = REFUSAL_BYTES_MAX;
}

static void answered(struct mcp_ask *a, int http_status)
{
    finish(a, (struct mcp_answer){.end = a->is_error ? MCP_END_REFUSED : MCP_END_ANSWERED,
                                  .http_status = http_status,
                                  .body = a->answer,
                                  .why = ""});
}

static void broken(struct mcp_ask *a, int http_status, const char *why)
{
    finish(a, (struct mcp_answer){.end = MCP_END_NONSENSE, .http_status = http_status, .why = why});
}

static void on_data(void *arg, struct str bytes)
{
    struct mcp_ask *a = arg;
    if (!a->is_stream) {
        buf_add_str(&a->body, bytes); /* what is over REFUSAL_BYTES_MAX is left */
        return;
    }
    enum sse_status status = sse_feed(&a->sse, bytes);
    if (a->answer)
        answered(a, 200);
    else if (a->is_broken || status == SSE_TOO_BIG)
        broken(a, 200, a->is_broken ? a->why : "an event of its stream is too large");
}

/* The whole body of an answer that is no stream, or of an HTTP error. */
static void take_body(struct mcp_ask *a, int http_status)
{
    const char *why = "";
    bool fine = http_status >= 200 && http_status <= 299, read = false;
    if (a->body.len > 0 && !a->body.overflowed)
        read = mcp_read(buf_str(&a->body), on_message, a, &why);
    if (a->answer != NULL && (fine || a->is_error))
        answered(a, http_status);
    else if (!fine)
        finish(a, (struct mcp_answer){
                      .end = MCP_END_STATUS, .http_status = http_status, .why = "refused"});
    else if (a->id == 0)
        finish(a,
               (struct mcp_answer){.end = MCP_END_ANSWERED, .http_status = http_status, .why = ""});
    else
        broken(a, http_status,
               a->is_stream ? "its stream ended without an answer"
               : read       ? "it answered something else"
                            : why);
}

static void on_done(void *arg, const struct fetch_result *r)
{
    struct mcp_ask *a = arg;
    struct mcp_answer answer = {
        .end = MCP_END_UNREACHABLE, .http_status = r->http_status, .why = r->error};
    if (r->status == FETCH_OK) {
        take_body(a, r->http_status);
        return;
    }
    if (r->status == FETCH_TOO_BIG || r->status == FETCH_CUT)
        answer.end = MCP_END_TOO_BIG;
    if (r->status == FETCH_TIMEOUT) {
        answer.end = MCP_END_TIMEOUT;
        give_up(a);
    }
    finish(a, answer);
}

/* ---- sending ---- */

struct headers {
    struct fetch_header all[HEADERS_MAX];
    unsigned count;
    char *made[MCP_MARKS_MAX + 1], *names[MCP_MARKS_MAX + 1]; /* owned; some may be NULL */
    unsigned made_count;
    char traceparent[TRACE_PARENT_TEXT + 1];
};

static void add(struct headers *h, const char *name, struct str value)
{
    if (value.len > 0 && h->count < HEADERS_MAX)
        h->all[h->count++] = (struct fetch_header){name, value};
}

static void add_made(struct headers *h, const char *prefix, const char *name, const json_t *value)
{
    char *text = value ? mcp_header_value(value) : NULL;
    if (text == NULL || h->made_count > MCP_MARKS_MAX) {
        free(text);
        return;
    }
    scoped_buf(b, 128);
    buf_puts(&b, prefix);
    buf_puts(&b, name);
    h->names[h->made_count] = str_dup(buf_str(&b));
    h->made[h->made_count] = text;
    add(h, h->names[h->made_count++], str_of(text));
}

/* The value at the end of a mark's keys, or NULL. */
static const json_t *marked(const json_t *mark, const json_t *args)
{
    size_t i;
    const json_t *key;
    json_array_foreach((json_t *)mark, i, key) if (i > 0) args =
        json_object_get(args, json_string_value(key));
    return args;
}

/* What 2026-07-28 wants beside the body, for those on the way who don't read that. */
static void add_modern(struct headers *h, const struct mcp_asking *what)
{
    size_t i;
    const json_t *mark;
    add(h, "Mcp-Method", str_of(what->method));
    if (what->name) {
        json_auto_t *name = json_string(what->name);
        add_made(h, "Mcp-Name", "", name);
    }
    json_array_foreach((json_t *)what->marks, i, mark) add_made(
        h, "Mcp-Param-", json_string_value(json_array_get(mark, 0)), marked(mark, what->args));
}

static void add_all(struct headers *h, const struct mcp_peer *p, const struct mcp_asking *what)
{
    const struct mcp_config *c = p->config;
    add(h, "Accept", STR("application/json, text/event-stream"));
    add(h, "Content-Type", STR("application/json"));
    add(h, "MCP-Protocol-Version", str_of(p->version));
    add(h, "Mcp-Session-Id", str_of(p->session));
    for (unsigned i = 0; i < c->header_count; i++)
        add(h, c->headers[i].name, str_of(c->headers[i].value));
    if (trace_on(&what->trace)) {
        trace_write(&what->trace, h->traceparent);
        add(h, "traceparent", str_of(h->traceparent));
    }
    if (p->modern && what->method)
        add_modern(h, what);
}

static void send(struct mcp_peer *p, const char *method, struct str body,
                 const struct mcp_asking *what, struct mcp_ask *a)
{
    static const struct fetch_handler handler = {on_head, on_data, on_done};
    const struct mcp_config *c = p->config;
    struct headers h = {.count = 0};
    add_all(&h, p, what);
    a->peer = p;
    buf_init(&a->body, c->bytes_max);
    sse_init(&a->sse, c->bytes_max, on_event, a);
    list_init(&a->node);
    list_push(&p->asks, &a->node);
    struct fetch_request r = {.method = method,
                              .url = c->url,
                              .headers = h.all,
                              .header_count = h.count,
                              .bearer = c->key_header ? NULL : c->key,
                              .secret_header = c->key ? c->key_header : NULL,
                              .secret_value = c->key,
                              .body = body,
                              .total_ms = what->timeout_ms ? what->timeout_ms : c->timeout_ms,
                              .body_bytes_max = c->bytes_max,
                              .use_proxy = true};
    a->fetch = fetch_start(p->fetches, &r, &handler, a);
    for (unsigned i = 0; i < h.made_count; i++) {
        free(h.made[i]);
        free(h.names[i]);
    }
}

struct mcp_ask *mcp_ask(struct mcp_peer *p, const struct mcp_asking *what, mcp_ask_fn *fn,
                        void *arg)
{
    struct mcp_ask *a = xcalloc(1, sizeof(*a));
    scoped_buf(b, REQUEST_BYTES_MAX);
    a->id = what->notification ? 0 : ++p->last_id;
    a->is_call = what->name != NULL;
    a->fn = fn;
    a->arg = arg;
    mcp_write(&b, a->id, what->method, what->params, what->call_key, p->modern);
    CHECK(!b.overflowed); /* arguments have their bound: ARGS_BYTES_MAX */
    send(p, "POST", buf_str(&b), what, a);
    return a;
}

static void send_note(struct mcp_peer *p, const char *method, struct str body, int64_t timeout_ms)
{
    struct mcp_asking what = {.timeout_ms = timeout_ms};
    struct mcp_ask *a = xcalloc(1, sizeof(*a));
    a->is_note = true;
    p->notes++;
    send(p, method, body, &what, a);
}

/* In the modern era the end of the connection says so. */
static void give_up(const struct mcp_ask *a)
{
    scoped_buf(params, 64);
    scoped_buf(b, 512);
    if (!a->is_call || a->peer->modern)
        return;
    buf_printf(&params, "\"requestId\":%llu", (unsigned long long)a->id);
    mcp_write(&b, 0, "notifications/cancelled", buf_str(&params), NULL, false);
    send_note(a->peer, "POST", buf_str(&b), NOTE_MS);
}

void mcp_ask_cancel(struct mcp_ask *a)
{
    if (!a)
        return;
    give_up(a);
    ask_free(a);
}

void mcp_bye(struct mcp_peer *p)
{
    if (p->session[0] != '\0')
        send_note(p, "DELETE", (struct str){NULL, 0}, BYE_MS);
    p->session[0] = '\0';
}
