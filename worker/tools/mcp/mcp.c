#include "worker/tools/mcp/mcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/record.h"
#include "worker/endpoint.h"
#include "worker/llm/mask.h"
#include "worker/tools/mcp/ask.h"
#include "worker/tools/text.h"

enum {
    HANDSHAKE_MS = 10000,
    RETRY_MS = 1000, /* doubled with each failure in a row */
    RETRY_MS_MAX = 60000,
    CHANGED_MS = 2000, /* a server that says without end that its tools changed is not asked more */
    LOST_AFTER = 3,    /* lists in a row that failed: its tools are not offered any more */
    PAGES_MAX = 100,
    CURSOR_MAX = 4096,
    SAID_MAX = 600, /* of a server's message in ours */
    WHY_MAX = 300,
};

struct mcp_tool {
    unsigned refs;
    struct server *server;
    const struct mcp_allowed *allowed;
    struct mcp_offer offer;
    struct tool_spec spec;
};
struct server {
    struct mcp *mcp;
    const struct mcp_config *config;
    struct mcp_peer peer;
    enum mcp_state state;
    struct mcp_ask *ask; /* of the handshake or the list */
    struct loop_timer *timer;
    unsigned failures; /* in a row */
    char why[WHY_MAX]; /* of the last one; "" when there is none */
    unsigned session;  /* counted: how many there were */
    struct list waiting, calling;
    struct mcp_tool **tools, **fresh;          /* config->tool_count each; NULL: not there */
    bool met[MCP_SERVER_TOOLS_MAX], twice;     /* in the list that is read */
    const char *refused[MCP_SERVER_TOOLS_MAX]; /* there too: why; NULL: not */
    unsigned pages, listed;                    /* of the list that is read */
    bool changed;                              /* what was listed has changed since */
};
struct mcp {
    struct tools *tools;
    loop_fn *on_change;
    struct server *servers;
    unsigned count;
    bool leaving;
};
struct call {
    struct list node; /* of the server's waiting or calling */
    struct server *server;
    struct tool_run *run;
    struct mcp_ask *ask;
    struct mask mask; /* what the server is not told */
    json_t *args;     /* as it is told them */
    unsigned session; /* it was sent in */
    bool sent, again; /* again: once only */
};

static void connect_now(void *arg);
static void greet(struct server *s);
static void list(struct server *s, struct str cursor);
static void send_call(struct call *c);
static void fail_call(struct call *c, const struct mcp_answer *a);
static void put_values_back(struct call *c);

/* ---- tools ---- */

struct mcp_tool *mcp_tool_ref(struct mcp_tool *t)
{
    t->refs++;
    return t;
}

void mcp_tool_free(struct mcp_tool *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    mcp_offer_free(&t->offer);
    free(t);
}

const struct tool_spec *mcp_tool_spec(const struct mcp_tool *t) { return &t->spec; }

const json_t *mcp_tool_schema(const struct mcp_tool *t) { return t->offer.schema; }

bool mcp_tool_reads(const struct mcp_tool *t) { return t->allowed->reads; }

const char *mcp_tool_server(const struct mcp_tool *t) { return t->server->config->name; }

void mcp_tool_reach(const struct mcp_tool *t, struct buf *b)
{
    const struct mcp_config *c = t->server->config;
    char host[ENDPOINT_HOST_MAX];
    endpoint_host(c->url, host);
    buf_puts(b, "{\"name\":");
    json_str(b, str_of(c->name));
    json_field(b, "host", str_of(host));
    json_field(b, "tool", str_of(t->allowed->name));
    json_field(b, "key", c->key || c->header_count > 0 ? STR("the operator's") : STR("none"));
    buf_putc(b, '}');
}

struct mcp_tool *mcp_tool_at(const struct mcp *m, unsigned i)
{
    for (unsigned s = 0; m && s < m->count; s++)
        for (unsigned k = 0; k < m->servers[s].config->tool_count; k++)
            if (m->servers[s].tools[k] != NULL && i-- == 0)
                return m->servers[s].tools[k];
    return NULL;
}

bool mcp_server(const struct mcp *m, unsigned i, struct tools_server *out)
{
    if (!m || i >= m->count)
        return false;
    const struct server *s = &m->servers[i];
    *out = (struct tools_server){
        .name = s->config->name, .why = s->why, .there = s->state == MCP_READY};
    for (unsigned k = 0; k < s->config->tool_count; k++) {
        out->offered += s->tools[k] != NULL;
        if (s->tools[k] || out->missing++ > 0)
            continue;
        out->lacks = s->config->tools[k].name;
        out->refused = s->refused[k];
    }
    return true;
}

static void drop_tools(struct mcp_tool **tools, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        mcp_tool_free(tools[i]);
        tools[i] = NULL;
    }
}

/* ---- all servers ---- */

static const char *state_name(enum mcp_state s)
{
    static const char *const names[] = {
#define X(name) #name,
        MCP_STATES(X)
#undef X
    };
    return names[s];
}

static void change(struct server *s, enum mcp_state to)
{
    log_debug("mcp.state", "server=%s from=%s to=%s", s->config->name, state_name(s->state),
              state_name(to));
    s->state = to;
}

struct mcp *mcp_new(struct tools *t, const struct mcp_file *file, loop_fn *on_change)
{
    if (!file)
        return NULL;
    struct mcp *m = xcalloc(1, sizeof(*m));
    m->tools = t;
    m->on_change = on_change;
    m->count = file->count;
    m->servers = xcalloc(file->count + 1, sizeof(*m->servers));
    for (unsigned i = 0; i < file->count; i++) {
        struct server *s = &m->servers[i];
        s->mcp = m;
        s->config = &file->servers[i];
        if (s->config->key && secret_reveal(s->config->key).len < SECRET_PART_MIN)
            log_warn("mcp.short_key", "server=%s bytes=%zu hidden_from=%d", s->config->name,
                     secret_reveal(s->config->key).len, SECRET_PART_MIN);
        s->tools = xcalloc(s->config->tool_count, sizeof(struct mcp_tool *));
        s->fresh = xcalloc(s->config->tool_count, sizeof(struct mcp_tool *));
        list_init(&s->waiting);
        list_init(&s->calling);
        mcp_peer_init(&s->peer, t->config.loop, t->config.fetches, s->config);
        s->timer = loop_timer_new(t->config.loop, connect_now, s);
        connect_now(s);
    }
    return m;
}

void mcp_free(struct mcp *m)
{
    if (!m)
        return;
    for (unsigned i = 0; i < m->count; i++) {
        struct server *s = &m->servers[i];
        CHECK(list_empty(&s->waiting) && list_empty(&s->calling));
        mcp_peer_free(&s->peer);
        loop_timer_free(s->timer);
        drop_tools(s->tools, s->config->tool_count);
        drop_tools(s->fresh, s->config->tool_count);
        free(s->tools);
        free(s->fresh);
    }
    free(m->servers);
    free(m);
}

bool mcp_leave(struct mcp *m)
{
    bool left = true;
    for (unsigned i = 0; m && i < m->count; i++) {
        struct server *s = &m->servers[i];
        loop_timer_stop(s->timer);
        mcp_ask_cancel(s->ask);
        s->ask = NULL;
        change(s, MCP_AWAY);
        mcp_bye(&s->peer);
        left = left && s->peer.notes == 0;
    }
    if (m)
        m->leaving = true;
    return left;
}

static bool can_call(const struct server *s)
{
    return s->state == MCP_LISTING || s->state == MCP_READY;
}

/* Those that waited for a session: it is there, or will not be. */
static void wake(struct server *s, const struct mcp_answer *failed)
{
    struct list waiting;
    list_init(&waiting);
    while (!list_empty(&s->waiting)) {
        struct call *c = list_first(&s->waiting, struct call, node);
        list_remove(&c->node);
        list_push(&waiting, &c->node);
    }
    while (!list_empty(&waiting)) {
        struct call *c = list_first(&waiting, struct call, node);
        list_remove(&c->node);
        if (failed)
            fail_call(c, failed);
        else
            send_call(c);
    }
}

/* ---- failures ---- */

static int64_t backoff(const struct server *s)
{
    int64_t ms = RETRY_MS;
    for (unsigned i = 1; i < s->failures && ms < RETRY_MS_MAX; i++)
        ms *= 2;
    ms = ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX;
    return ms + (int64_t)(loop_hr_ns() % 250); /* workers that lost it together come apart */
}

static void explain(const struct mcp_answer *a, struct buf *b)
{
    if (a->end == MCP_END_STATUS || (a->end == MCP_END_REFUSED && a->http_status >= 400))
        buf_printf(b, "HTTP %d", a->http_status);
    else
        buf_puts(b, a->end == MCP_END_REFUSED ? "refused" : a->why);
    if (a->http_status >= 300 && a->http_status <= 399)
        buf_puts(b, ", a redirection: its url must be the one that answers");
    if (a->http_status == 401 || a->http_status == 403)
        buf_puts(b, ": its key is missing or refused");
    if (a->end == MCP_END_REFUSED && a->body) {
        buf_puts(b, ": ");
        mcp_text(a->body, b, SAID_MAX);
    }
}

static bool has_tools(const struct server *s)
{
    for (unsigned i = 0; i < s->config->tool_count; i++)
        if (s->tools[i] != NULL)
            return true;
    return false;
}

/* The handshake or the list failed. Tools that were there stay for a while: a call may do better.
 */
static void fail(struct server *s, const struct mcp_answer *a)
{
    scoped_buf(b, SAID_MAX + 256);
    explain(a, &b);
    s->failures++;
    snprintf(s->why, sizeof(s->why), "%s", buf_cstr(&b));
    int64_t after_ms = backoff(s);
    log_warn("mcp.away", "server=%s state=%s failures=%u retry_ms=%lld why=%s", s->config->name,
             state_name(s->state), s->failures, (long long)after_ms, log_text(buf_str(&b)));
    drop_tools(s->fresh, s->config->tool_count);
    loop_timer_set(s->timer, after_ms, 0);
    bool lost = s->failures >= LOST_AFTER, gone = a->http_status == 404;
    if (s->state == MCP_LISTING && !lost && !gone) {
        change(s, MCP_READY);
        return;
    }
    change(s, MCP_AWAY);
    wake(s, a);
    if (lost && has_tools(s)) {
        drop_tools(s->tools, s->config->tool_count);
        s->mcp->on_change(s->mcp->tools);
    }
}

static void fail_by(struct server *s, const char *why)
{
    fail(s, &(struct mcp_answer){.end = MCP_END_NONSENSE, .why = why});
}

/* ---- the handshake ---- */

static bool lists(const json_t *versions, bool (*ok)(struct str version))
{
    size_t i;
    const json_t *v;
    json_array_foreach((json_t *)versions, i, v) if (ok(json_text(v))) return true;
    return false;
}

static bool is_modern(struct str version) { return str_is(version, MCP_MODERN); }

static json_int_t code_of(const struct mcp_answer *a)
{
    return a->end == MCP_END_REFUSED ? json_integer_value(json_object_get(a->body, "code")) : 0;
}

static void on_discovered(void *arg, const struct mcp_answer *a)
{
    struct server *s = arg;
    enum { UNSUPPORTED_VERSION = -32022, MODERN_FIRST = -32022, MODERN_LAST = -32020 };
    const json_t *versions = json_object_get(a->body, "supportedVersions");
    json_int_t code = code_of(a);
    s->ask = NULL;
    if (code == UNSUPPORTED_VERSION)
        versions = json_object_get(json_object_get(a->body, "data"), "supported");
    bool refused = a->http_status == 401 || a->http_status == 403 ||
                   (a->http_status >= 300 && a->http_status <= 399);
    if (a->end >= MCP_END_TOO_BIG || refused ||
        (code >= MODERN_FIRST && code <= MODERN_LAST && code != UNSUPPORTED_VERSION))
        fail(s, a);
    else if (a->end == MCP_END_ANSWERED && lists(versions, is_modern))
        list(s, (struct str){NULL, 0});
    else if (json_is_array(versions) && !lists(versions, mcp_version_ok))
        fail_by(s, "it speaks no version of the protocol that we speak");
    else
        greet(s);
}

/* By timer, or because a call wants it. */
static void connect_now(void *arg)
{
    struct server *s = arg;
    static const struct mcp_asking what = {.method = "server/discover", .timeout_ms = HANDSHAKE_MS};
    if (s->state == MCP_READY) {
        list(s, (struct str){NULL, 0});
        return;
    }
    loop_timer_stop(s->timer);
    change(s, MCP_PROBING);
    s->peer.modern = true;
    s->peer.session[0] = '\0';
    snprintf(s->peer.version, sizeof(s->peer.version), "%s", MCP_MODERN);
    s->ask = mcp_ask(&s->peer, &what, on_discovered, s);
}

static void on_told(void *arg, const struct mcp_answer *a)
{
    struct server *s = arg;
    s->ask = NULL;
    if (a->end == MCP_END_ANSWERED)
        list(s, (struct str){NULL, 0});
    else
        fail(s, a);
}

static bool keep_session(struct server *s, struct str session)
{
    for (size_t i = 0; i < session.len; i++)
        if (session.at[i] < 0x21 || session.at[i] > 0x7e)
            return false;
    if (session.len > MCP_SESSION_MAX)
        return false;
    snprintf(s->peer.session, sizeof(s->peer.session), "%.*s", (int)session.len,
             session.len ? session.at : "");
    return true;
}

static void on_greeted(void *arg, const struct mcp_answer *a)
{
    struct server *s = arg;
    static const struct mcp_asking what = {
        .method = "notifications/initialized", .notification = true, .timeout_ms = HANDSHAKE_MS};
    const json_t *version = json_object_get(a->body, "protocolVersion");
    struct str text = json_text(version);
    s->ask = NULL;
    if (a->end != MCP_END_ANSWERED) {
        fail(s, a);
    } else if (!mcp_version_ok(text)) {
        fail_by(s, "it speaks no version of the protocol that we speak");
    } else if (!keep_session(s, a->session)) {
        fail_by(s, "its session id is not valid");
    } else {
        snprintf(s->peer.version, sizeof(s->peer.version), "%.*s", (int)text.len, text.at);
        change(s, MCP_TOLD);
        s->ask = mcp_ask(&s->peer, &what, on_told, s);
    }
}

static void greet(struct server *s)
{
    static const struct mcp_asking what = {
        .method = "initialize",
        .params = STR("\"protocolVersion\":\"" MCP_LEGACY "\",\"capabilities\":{},\"clientInfo\":"
                      "{\"name\":\"persai\",\"version\":\"" PERSAI_VERSION "\"}"),
        .timeout_ms = HANDSHAKE_MS};
    mcp_ask_cancel(s->ask); /* a list of the session that is gone */
    loop_timer_stop(s->timer);
    change(s, MCP_GREETING);
    s->peer.modern = false;
    s->peer.version[0] = s->peer.session[0] = '\0';
    s->ask = mcp_ask(&s->peer, &what, on_greeted, s);
}

/* ---- the list of tools ---- */

static void look_soon(struct server *s)
{
    s->changed = true;
    if (s->state == MCP_READY)
        loop_timer_set(s->timer, CHANGED_MS, 0);
}

static void take_tool(struct server *s, const json_t *v)
{
    const struct mcp_config *c = s->config;
    const json_t *name = json_object_get(v, "name");
    unsigned i = 0;
    s->listed++;
    while (i < c->tool_count && !str_is(json_text(name), c->tools[i].name))
        i++;
    if (i == c->tool_count)
        return;
    if (s->met[i]) { /* a line a list: it can have each 60,000 times */
        if (!s->twice)
            log_warn("mcp.twice", "server=%s tool=%s", c->name, c->tools[i].offered);
        s->twice = true;
        return;
    }
    s->met[i] = true;
    struct mcp_tool *t = xcalloc(1, sizeof(*t));
    *t = (struct mcp_tool){.refs = 1, .server = s, .allowed = &c->tools[i]};
    const char *why;
    if (!mcp_offer_read(v, c, t->allowed, &t->offer, &why)) {
        log_warn("mcp.refused", "server=%s tool=%s why=%s", c->name, t->allowed->offered, why);
        s->refused[i] = why;
        mcp_tool_free(t);
        return;
    }
    t->spec = (struct tool_spec){.name = t->allowed->offered,
                                 .description = t->offer.description,
                                 .schema_json = t->offer.schema_text,
                                 .needs_approval = !t->allowed->reads};
    s->fresh[i] = t;
}

/* What was read becomes what is there. */
static void commit(struct server *s)
{
    const struct mcp_config *c = s->config;
    unsigned there = 0;
    bool other = false;
    for (unsigned i = 0; i < c->tool_count; i++) {
        struct mcp_tool *now = s->tools[i], *next = s->fresh[i];
        bool same = now && next ? mcp_offer_same(&now->offer, &next->offer) : now == next;
        s->fresh[i] = same ? next : now;
        s->tools[i] = same ? now : next;
        other = other || !same;
        there += s->tools[i] != NULL;
    }
    drop_tools(s->fresh, c->tool_count);
    s->failures = 0;
    s->why[0] = '\0';
    if (other || there == 0)
        log_info("mcp.tools", "server=%s version=%s there=%u allowed=%u listed=%u", c->name,
                 s->peer.version, there, c->tool_count, s->listed);
    change(s, MCP_READY);
    loop_timer_set(s->timer, s->changed ? CHANGED_MS : c->refresh_ms, 0);
    if (other)
        s->mcp->on_change(s->mcp->tools);
}

static void on_listed(void *arg, const struct mcp_answer *a)
{
    struct server *s = arg;
    const json_t *tools = json_object_get(a->body, "tools"), *tool;
    const json_t *next = json_object_get(a->body, "nextCursor");
    struct str cursor = json_text(next);
    size_t i;
    s->ask = NULL;
    s->changed = s->changed || a->list_changed;
    if (a->end != MCP_END_ANSWERED) {
        fail(s, a);
        return;
    }
    json_array_foreach((json_t *)tools, i, tool) take_tool(s, tool);
    if (!json_is_array(tools))
        fail_by(s, "its list of tools is none");
    else if (cursor.len == 0)
        commit(s);
    else if (s->pages == PAGES_MAX || cursor.len > CURSOR_MAX)
        fail_by(s, "its list of tools does not end");
    else
        list(s, cursor);
}

static void list(struct server *s, struct str cursor)
{
    scoped_buf(params, 6 * CURSOR_MAX + 64);
    if (cursor.len > 0) {
        buf_puts(&params, "\"cursor\":");
        json_str(&params, cursor);
    }
    struct mcp_asking what = {.method = "tools/list", .params = buf_str(&params)};
    bool begins = s->state != MCP_READY && s->state != MCP_LISTING;
    if (cursor.len == 0) {
        drop_tools(s->fresh, s->config->tool_count);
        s->pages = s->listed = 0;
        s->changed = s->twice = false;
        memset(s->met, 0, sizeof(s->met));
        memset(s->refused, 0, sizeof(s->refused));
    }
    s->pages++;
    s->session += begins;
    loop_timer_stop(s->timer);
    change(s, MCP_LISTING);
    s->ask = mcp_ask(&s->peer, &what, on_listed, s);
    if (begins)
        wake(s, NULL);
}

/* ---- calls ---- */

static void call_free(void *state)
{
    struct call *c = state;
    mcp_ask_cancel(c->ask);
    list_remove(&c->node);
    json_decref(c->args);
    mask_free(&c->mask);
    free(c);
}

static const char *code_word(const struct mcp_answer *a)
{
    switch (a->end) {
    case MCP_END_ANSWERED:
    case MCP_END_REFUSED:
        return "tool_failed";
    case MCP_END_STATUS:
        return "unavailable";
    case MCP_END_NONSENSE:
        return "broken";
    case MCP_END_TOO_BIG:
        return "too_large";
    case MCP_END_TIMEOUT:
        return "timeout";
    case MCP_END_UNREACHABLE:
        break;
    }
    return "unreachable";
}

/* By anything but a result of the tool's. */
static void fail_call(struct call *c, const struct mcp_answer *a)
{
    struct tool_run *r = c->run;
    scoped_buf(b, SAID_MAX + 256);
    explain(a, &b);
    bool unknown = c->sent && a->end != MCP_END_REFUSED && !r->mcp->allowed->reads;
    run_fail(r, code_word(a), "The MCP server %s did not do it: %s.%s", c->server->config->name,
             buf_cstr(&b), unknown ? " It may have been done all the same." : "");
}

static void on_result(struct call *c, const json_t *result)
{
    struct tool_run *r = c->run;
    const struct mcp_config *server = c->server->config;
    const char *type = json_string_value(json_object_get(result, "resultType"));
    if (type && strcmp(type, "complete") != 0) {
        run_fail(r, "tool_failed",
                 "The MCP server %s wants to be told more by a person first, which is not possible "
                 "here.",
                 server->name);
    } else if (json_is_true(json_object_get(result, "isError"))) {
        scoped_buf(b, 4 * SAID_MAX);
        mcp_text(result, &b, 3 * SAID_MAX);
        scoped_buf(shown, 16 * SAID_MAX);
        unmask_text(&c->mask, buf_str(&b), &shown);
        run_fail(r, "tool_failed", "The tool failed: %s",
                 shown.len ? buf_cstr(&shown) : "it says no more");
    } else {
        mcp_result_write(result, server, r->mcp->allowed, &r->content);
        put_values_back(c);
        run_done(r);
    }
}

/* The server repeats words that stand for values of the call. */
static void put_values_back(struct call *c)
{
    struct buf *content = &c->run->content;
    scoped_buf(shown, content->max_bytes);
    unmask_json(&c->mask, buf_str(content), &shown);
    if (shown.overflowed) /* then the words are better than half of it */
        return;
    buf_clear(content);
    buf_add_str(content, buf_str(&shown));
}

static void wait_for_session(struct call *c)
{
    list_remove(&c->node);
    list_push(&c->server->waiting, &c->node);
}

static void on_called(void *arg, const struct mcp_answer *a)
{
    enum { METHOD_NOT_FOUND = -32601, INVALID_PARAMS = -32602, HEADER_MISMATCH = -32020 };
    struct call *c = arg;
    struct server *s = c->server;
    json_int_t code = code_of(a);
    c->ask = NULL;
    if (a->list_changed || code == METHOD_NOT_FOUND || code == INVALID_PARAMS ||
        code == HEADER_MISMATCH)
        look_soon(s);
    if (a->http_status == 404 && !s->peer.modern && !c->again) { /* its session is gone */
        c->again = true;
        if (c->session != s->session && can_call(s)) {
            send_call(c);
            return;
        }
        wait_for_session(c);
        if (can_call(s))
            greet(s);
    } else if (a->end == MCP_END_ANSWERED && json_is_object(a->body)) {
        on_result(c, a->body);
    } else {
        fail_call(c, a);
    }
}

/* The same for the same call of the same turn: run anew after a crash, a server can tell. */
static void write_key(const struct tool_run *r, char key[RECORD_HASH_TEXT + 1])
{
    char turn[ID_TEXT + 1];
    id_text(r->turn, turn);
    record_hash(str_of(turn), str_of(r->call_id), key);
}

static void send_call(struct call *c)
{
    struct server *s = c->server;
    const struct mcp_tool *t = c->run->mcp;
    char key[RECORD_HASH_TEXT + 1];
    scoped_buf(params, 1 << 20);
    buf_puts(&params, "\"name\":");
    json_str(&params, str_of(t->allowed->name));
    char *args = json_dumps(c->args, JSON_COMPACT);
    buf_printf(&params, ",\"arguments\":%s", args ? args : "{}");
    free(args);
    write_key(c->run, key);
    struct mcp_asking what = {.method = "tools/call",
                              .params = buf_str(&params),
                              .name = t->allowed->name,
                              .call_key = key,
                              .marks = t->offer.marks,
                              .args = c->args,
                              .trace = c->run->span.at};
    list_remove(&c->node);
    list_push(&s->calling, &c->node);
    c->session = s->session;
    c->sent = true;
    c->ask = mcp_ask(&s->peer, &what, on_called, c);
}

/* The arguments as the server is told them; the caller's. */
static json_t *hide_args(struct mask *m, json_t *args)
{
    json_auto_t *named = json_pack("{s:O}", "arguments", args);
    char *text = json_dumps(named, JSON_COMPACT);
    scoped_buf(masked, 1 << 20);
    json_auto_t *hidden = text && mask_json(m, str_of(text), &masked)
                              ? json_loadb(masked.at, masked.len, 0, NULL)
                              : NULL;
    free(text);
    return json_incref(masked.len > 0 ? json_object_get(hidden, "arguments") : args);
}

void mcp_call(struct tool_run *r)
{
    struct server *s = r->mcp->server;
    struct call *c = xcalloc(1, sizeof(*c));
    *c = (struct call){.server = s, .run = r};
    list_init(&c->node);
    mask_init(&c->mask, r->tools->config.redact, r->conversation);
    c->args = hide_args(&c->mask, r->args);
    r->state = c;
    r->state_free = call_free;
    if (s->mcp->leaving) {
        run_fail(r, "unavailable", "This process ends: it calls nothing any more.");
    } else if (can_call(s)) {
        send_call(c);
    } else {
        wait_for_session(c);
        if (s->state == MCP_AWAY)
            connect_now(s);
    }
}
