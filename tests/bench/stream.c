#include "tests/bench/stream.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX (64u << 20)
#define TEXT_BYTES_MAX (32u << 20)
#define REQUEST_BYTES_MAX 1024

/* The connection lives on its own: a stream may have left it while libuv still closes it. */
struct link {
    uv_tcp_t tcp;
    uv_connect_t connect;
    uv_write_t write;
    struct stream *stream;
    char request[REQUEST_BYTES_MAX];
};

static char scratch[65536];       /* one read */
static char text[TEXT_BYTES_MAX]; /* one decoded string */
static uint64_t now_us;           /* of this read */

static void link_open(struct stream *s, enum stage want);
static bool is(const char *word, size_t len, const char *want);

/* ---- ends ---- */

static void on_link_closed(uv_handle_t *h) { free(h->data); }

static void link_close(struct stream *s)
{
    struct link *l = s->link;
    s->link = NULL;
    s->http.state = HTTP_BAD; /* stops a parser that we may be inside of */
    if (l) {
        l->stream = NULL;
        uv_close((uv_handle_t *)&l->tcp, on_link_closed);
    }
}

static void over(struct stream *s, bool ok)
{
    if (s->finished)
        return;
    s->finished = true;
    s->stage = STAGE_OVER;
    link_close(s);
    free(s->line);
    s->line = NULL;
    s->line_len = s->line_cap = 0;
    s->plan->on_over(s->arg, ok);
}

__attribute__((format(printf, 2, 3))) static void fail(struct stream *s, const char *format, ...)
{
    va_list args;
    if (!s->finished && !s->plan->error[0]) {
        va_start(args, format);
        vsnprintf(s->plan->error, sizeof(s->plan->error), format, args);
        va_end(args);
    }
    over(s, false);
}

/* The connection is gone, or who stands behind it: what was asked is asked again. */
static bool asks_again(struct stream *s)
{
    struct plan *plan = s->plan;
    if (!plan->comes_back || s->finished)
        return false;
    if (s->stage != STAGE_CONNECT)
        s->want = s->stage == STAGE_TURN && s->turn[0] ? STAGE_EVENTS : s->stage;
    plan->lost++;
    link_close(s);
    s->stage = STAGE_AWAY;
    s->away_until_us = script_now_us() + plan->away_ms * 1000u;
    return true;
}

static void finish(struct stream *s)
{
    if (verify_whole(&s->text)) {
        hist_add(&s->plan->whole, now_us - s->asked_us);
        over(s, true);
    } else {
        fail(s, "text differs at token %u of %u (seed %u)", s->text.index, s->text.script.tokens,
             s->text.script.seed);
    }
}

/* ---- what the stream says ---- */

static void take_text(struct stream *s, const char *p, const char *end)
{
    size_t len;
    uint32_t before = s->text.index;
    if (!json_string(p, end, text, sizeof(text), &len)) {
        fail(s, "not a JSON string: %.60s", p);
        return;
    }
    bool as_said = !s->plan->drop_after && s->plan->mode != MODE_MCP;
    verify_text(&s->text, text, len, now_us, as_said ? &s->plan->delay : NULL);
    s->plan->tokens_seen += s->text.index - before;
    if (s->text.bad) {
        finish(s);
    } else if (!s->first_seen && s->text.index > 0) {
        s->first_seen = true;
        hist_add(&s->plan->first, now_us - s->asked_us);
        if (s->text.index == 1 && s->text.stamp_us >= s->asked_us)
            hist_add(&s->plan->up, s->text.stamp_us - s->asked_us);
        s->plan->on_first();
    }
}

/* What is said to be the whole answer must be what was streamed. */
static void take_whole(struct stream *s, const char *p, const char *end)
{
    size_t len;
    struct verify whole;
    if (!json_string(p, end, text, sizeof(text), &len)) {
        fail(s, "no content in the final event");
        return;
    }
    verify_init(&whole, &s->text.script);
    verify_text(&whole, text, len, 0, NULL);
    if (!verify_whole(&whole) || whole.hash != s->text.hash)
        fail(s, "the final event's text differs from the streamed one");
}

static void on_openai(struct stream *s, const char *p, const char *end)
{
    s->plan->events++;
    if (end - p >= 6 && memcmp(p, "[DONE]", 6) == 0) {
        finish(s);
        return;
    }
    const char *content = json_after(p, end, "\"content\":\"");
    if (content)
        take_text(s, content, end);
}

static void on_agui(struct stream *s, const char *p, const char *end)
{
    const char *type = json_after(p, end, "\"type\":\""), *at;
    size_t len = type ? strcspn(type, "\"") : 0;
    s->plan->events++;
    if (is(type, len, "TEXT_MESSAGE_CONTENT")) {
        at = json_after(p, end, "\"delta\":\"");
        if (at)
            take_text(s, at, end);
    } else if (is(type, len, "RUN_FINISHED")) {
        finish(s);
    } else if (is(type, len, "RUN_ERROR")) {
        fail(s, "ended with %.*s", (int)(end - p < 180 ? end - p : 180), p);
    }
}

/* The answer comes whole, with its end. */
static void on_mcp(struct stream *s, const char *p, const char *end)
{
    const char *answer = json_after(p, end, "\"answer\":\"");
    s->plan->events++;
    if (!json_after(p, end, "\"isError\":false") || !answer) {
        fail(s, "ended with %.*s", (int)(end - p < 180 ? end - p : 180), p);
        return;
    }
    take_text(s, answer, end);
    finish(s);
}

static bool is(const char *word, size_t len, const char *want)
{
    return len == strlen(want) && memcmp(word, want, len) == 0;
}

static void take_id(struct stream *s)
{
    struct plan *plan = s->plan;
    if (s->next_epoch == s->epoch && s->epoch != 0) {
        plan->repeats += s->next_seq <= s->seq;
        if (s->next_seq > s->seq + 1)
            plan->gaps += s->next_seq - s->seq - 1;
    }
    plan->repeats += s->next_epoch < s->epoch;
    s->epoch = s->next_epoch;
    s->seq = s->next_seq;
    if (s->back_due)
        hist_add(&plan->back, now_us - s->linked_us);
    s->back_due = false;
}

static void on_step_start(struct stream *s, const char *p, const char *end)
{
    const char *at = json_after(p, end, "\"attempt\":");
    uint32_t attempt = at ? (uint32_t)strtoul(at, NULL, 10) : 0;
    if (attempt > s->attempt && s->text.index + s->text.at > 0) {
        s->plan->retried++; /* what was streamed of this step is void */
        struct script script = s->text.script;
        verify_init(&s->text, &script);
    }
    s->attempt = attempt;
}

static void on_final(struct stream *s, const char *p, const char *end, bool complete)
{
    if (!complete) {
        fail(s, "ended with %.*s", (int)(end - p < 180 ? end - p : 180), p);
        return;
    }
    const char *content = json_after(p, end, "\"output_message\":");
    take_whole(s, content ? json_after(content, end, "\"content\":\"") : NULL, end);
    finish(s);
}

static void on_persai(struct stream *s, const char *p, const char *end)
{
    const char *type = json_after(p, end, "\"event_type\":\""), *at;
    size_t len = type ? strcspn(type, "\"") : 0; /* a line ends with a NUL */
    s->plan->events++;
    take_id(s);
    if (is(type, len, "step_progress")) {
        at = json_after(p, end, "\"delta\":");
        at = at ? json_after(at, end, "\"text\":\"") : NULL;
        if (at)
            take_text(s, at, end);
    } else if (is(type, len, "turn_start")) {
        at = json_after(p, end, "\"turn_id\":\"");
        if (at)
            snprintf(s->turn, sizeof(s->turn), "%.*s", (int)strcspn(at, "\""), at);
    } else if (is(type, len, "step_start")) {
        on_step_start(s, p, end);
    } else if (is(type, len, "turn_complete") || is(type, len, "turn_cancelled") ||
               is(type, len, "error")) {
        on_final(s, p, end, is(type, len, "turn_complete"));
    }
    uint32_t drop_after = s->plan->drop_after;
    if (!s->finished && drop_after && ++s->since_drop >= drop_after && s->turn[0]) {
        s->plan->drops++;
        link_close(s);
        s->stage = STAGE_AWAY;
        s->want = STAGE_EVENTS;
        s->away_until_us = now_us + s->plan->away_ms * 1000u;
    }
}

static void on_line(struct stream *s, char *p, size_t len)
{
    p[len] = 0; /* in the newline's place */
    if (len > 6 && memcmp(p, "data: ", 6) == 0) {
        if (s->plan->mode == MODE_DIRECT || s->plan->mode == MODE_OPENAI)
            on_openai(s, p + 6, p + len);
        else if (s->plan->mode == MODE_AGUI)
            on_agui(s, p + 6, p + len);
        else if (s->plan->mode == MODE_MCP)
            on_mcp(s, p + 6, p + len);
        else
            on_persai(s, p + 6, p + len);
    } else if (len > 4 && memcmp(p, "id: ", 4) == 0) {
        char *dash;
        s->next_epoch = strtoul(p + 4, &dash, 10);
        s->next_seq = *dash == '-' ? strtoul(dash + 1, NULL, 10) : 0;
    } else if (len && p[0] == ':') {
        s->plan->pings++;
    }
}

/* ---- bytes ---- */

static bool keep(struct stream *s, const char *p, size_t n)
{
    if (s->line_len + n + 1 > s->line_cap) {
        s->line_cap = (s->line_len + n + 1) * 2;
        s->line = s->line_cap <= LINE_BYTES_MAX ? realloc(s->line, s->line_cap) : NULL;
        if (!s->line)
            abort();
    }
    memcpy(s->line + s->line_len, p, n);
    s->line_len += n;
    s->line[s->line_len] = 0;
    return true;
}

static void on_sse(struct stream *s, char *p, size_t len)
{
    struct link *link = s->link;
    while (len && !s->finished && s->link == link) {
        char *nl = memchr(p, '\n', len);
        size_t n = nl ? (size_t)(nl - p) : len;
        if (!nl || s->line_len)
            keep(s, p, n);
        if (!nl)
            return;
        size_t line_len = s->line_len;
        s->line_len = 0;
        on_line(s, line_len ? s->line : p, line_len ? line_len : n);
        p = nl + 1;
        len -= n + 1;
    }
}

static void on_body(void *arg, const char *bytes, size_t len)
{
    struct stream *s = arg;
    bool sse = s->stage == STAGE_EVENTS || (s->stage == STAGE_TURN && s->http.status == 200);
    if (sse && s->http.status == 200)
        on_sse(s, (char *)(uintptr_t)bytes, len);
    else
        keep(s, bytes, len);
}

static bool take_word(struct stream *s, const char *key, char *out, size_t max)
{
    const char *p = s->line ? json_after(s->line, s->line + s->line_len, key) : NULL;
    if (!p)
        return false;
    snprintf(out, max, "%.*s", (int)strcspn(p, "\""), p);
    return true;
}

static void ask(struct stream *s, enum stage stage);

/* A response is complete: go on with what follows it. */
static void on_response(struct stream *s)
{
    int status = s->http.status;
    if (s->stage == STAGE_SESSION && status == 201 &&
        take_word(s, "\"session_id\":\"", s->session, sizeof(s->session))) {
        hist_add(&s->plan->session, now_us - s->asked_us);
        ask(s, STAGE_TURN);
    } else if (s->stage == STAGE_TURN && status == 202 &&
               take_word(s, "\"turn_id\":\"", s->turn, sizeof(s->turn))) {
        if (s->plan->events_addr.sin_port) {
            link_close(s);
            link_open(s, STAGE_EVENTS);
            s->back_due = false;
        } else {
            ask(s, STAGE_EVENTS);
        }
    } else if ((status == 200 || status >= 500) && asks_again(s)) {
        return;
    } else if (status == 200) {
        fail(s, "the stream ended without a final event, at token %u", s->text.index);
    } else {
        fail(s, "HTTP %d: %.160s", status, s->line && s->line_len ? s->line : "");
    }
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    (void)h;
    (void)hint;
    *buf = uv_buf_init(scratch, sizeof(scratch) - 1);
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf)
{
    struct link *l = tcp->data;
    struct stream *s = l->stream;
    if (!s || n == 0)
        return;
    if (n < 0) {
        if (asks_again(s))
            return;
        fail(s, "connection lost in stage %d at token %u: %s", (int)s->stage, s->text.index,
             uv_strerror((int)n));
        return;
    }
    now_us = script_now_us();
    s->plan->reads++;
    http_feed(&s->http, buf->base, (size_t)n, on_body, s);
    if (s->finished || s->link != l)
        return;
    if (s->http.state == HTTP_DONE)
        on_response(s);
    else if (s->http.state == HTTP_BAD)
        fail(s, "not HTTP in stage %d", (int)s->stage);
}

/* ---- asking ---- */

static size_t post(struct link *l, const char *path, const char *extra, const char *body)
{
    int n = snprintf(l->request, sizeof(l->request),
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n%s\r\n%s",
                     path, strlen(body), extra, body);
    return (size_t)n;
}

/* At one of the doors, or at the model itself. */
static size_t post_at_once(struct stream *s)
{
    static const char *const paths[] = {[MODE_DIRECT] = "/v1/chat/completions",
                                        [MODE_OPENAI] = "/v1/chat/completions",
                                        [MODE_AGUI] = "/agui",
                                        [MODE_MCP] = "/mcp"};
    char question[64], body[512], extra[256];
    const struct plan *plan = s->plan;
    const struct script *sc = &s->text.script;
    snprintf(question, sizeof(question), "bench-%ux%u-%u", sc->tokens, sc->rate, sc->seed);
    snprintf(extra, sizeof(extra), "X-PersAI-Datasource: %s\r\n%s", plan->datasource,
             plan->mode == MODE_MCP ? "MCP-Protocol-Version: 2026-07-28\r\n"
                                      "Mcp-Method: tools/call\r\nMcp-Name: ask\r\n"
                                    : "");
    if (plan->mode == MODE_AGUI)
        snprintf(body, sizeof(body),
                 "{\"threadId\":\"%s-%" PRIu64 "\",\"runId\":\"r\",\"state\":{},\"tools\":[],"
                 "\"context\":[],\"forwardedProps\":{},\"messages\":[{\"id\":\"m\",\"role\":"
                 "\"user\",\"content\":\"%s\"}]}",
                 question, script_now_us(), question);
    else if (plan->mode == MODE_MCP)
        snprintf(body, sizeof(body),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":"
                 "\"ask\",\"arguments\":{\"question\":\"%s\"},\"_meta\":{\"progressToken\":\"t\","
                 "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                 "\"io.modelcontextprotocol/clientCapabilities\":{}}}}",
                 question);
    else
        snprintf(body, sizeof(body),
                 "{\"model\":\"%s\",\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                 "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}",
                 plan->mode == MODE_OPENAI ? "persai" : "bench", question);
    return post(s->link, paths[plan->mode], plan->mode == MODE_DIRECT ? "" : extra, body);
}

static bool is_at_once(const struct plan *plan)
{
    return plan->mode != MODE_TURN && plan->mode != MODE_ASYNC;
}

static size_t request(struct stream *s, enum stage stage)
{
    struct plan *plan = s->plan;
    struct link *l = s->link;
    char path[256], body[256], extra[128];
    const struct script *sc = &s->text.script;
    if (stage == STAGE_SESSION)
        return post(l, "/session", "", "{}");
    if (stage == STAGE_EVENTS) {
        char last[64] = "";
        if (s->epoch)
            snprintf(last, sizeof(last), "Last-Event-ID: %" PRIu64 "-%" PRIu64 "\r\n", s->epoch,
                     s->seq);
        int n = snprintf(l->request, sizeof(l->request),
                         "GET /session/%s/turn/%s/events HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
                         s->session, s->turn, last);
        return (size_t)n;
    }
    if (is_at_once(plan))
        return post_at_once(s);
    snprintf(path, sizeof(path), "/session/%s/turn?datasource_path=%s", s->session,
             plan->datasource);
    snprintf(body, sizeof(body), "{\"message\":\"bench-%ux%u-%u\"}", sc->tokens, sc->rate,
             sc->seed);
    snprintf(extra, sizeof(extra), "%s",
             plan->mode == MODE_ASYNC ? "Prefer: respond-async\r\n" : "");
    if (plan->comes_back) /* the same turn, however often it is asked for */
        snprintf(extra + strlen(extra), sizeof(extra) - strlen(extra),
                 "Idempotency-Key: bench-%s\r\n", s->session);
    return post(l, path, extra, body);
}

static void on_written(uv_write_t *req, int status)
{
    struct link *l = req->handle->data;
    if (status < 0 && l->stream && !asks_again(l->stream))
        fail(l->stream, "write: %s", uv_strerror(status));
}

static void ask(struct stream *s, enum stage stage)
{
    uv_buf_t buf = uv_buf_init(s->link->request, (unsigned)request(s, stage));
    s->stage = stage;
    s->line_len = 0;
    http_init(&s->http);
    if (stage != STAGE_EVENTS)
        s->asked_us = script_now_us();
    if (uv_write(&s->link->write, (uv_stream_t *)&s->link->tcp, &buf, 1, on_written) != 0)
        fail(s, "write failed");
}

static void on_connected(uv_connect_t *req, int status)
{
    struct link *l = req->handle->data;
    struct stream *s = l->stream;
    if (!s)
        return;
    if (status < 0) {
        if (!asks_again(s))
            fail(s, "connect: %s", uv_strerror(status));
        return;
    }
    uv_tcp_nodelay(&l->tcp, 1);
    uv_read_start((uv_stream_t *)&l->tcp, on_alloc, on_read);
    ask(s, s->want);
}

static void link_open(struct stream *s, enum stage want)
{
    struct link *l = calloc(1, sizeof(*l));
    if (!l)
        abort();
    s->link = l;
    s->stage = STAGE_CONNECT;
    s->want = want;
    s->since_drop = 0;
    s->back_due = want == STAGE_EVENTS;
    s->linked_us = script_now_us();
    l->stream = s;
    l->tcp.data = l;
    uv_tcp_init(s->plan->loop, &l->tcp);
    const struct sockaddr_in *to = want == STAGE_EVENTS && s->plan->events_addr.sin_port
                                       ? &s->plan->events_addr
                                       : &s->plan->addr;
    if (uv_tcp_connect(&l->connect, &l->tcp, (const struct sockaddr *)to, on_connected) != 0)
        fail(s, "connect failed");
}

void stream_start(struct stream *s, struct plan *plan, void *arg, uint32_t seed)
{
    struct script script = {.tokens = plan->tokens, .rate = plan->rate, .seed = seed};
    memset(s, 0, sizeof(*s));
    s->plan = plan;
    s->arg = arg;
    verify_init(&s->text, &script);
    link_open(s, is_at_once(plan) ? STAGE_TURN : STAGE_SESSION);
}

void stream_tick(struct stream *s)
{
    if (s->stage == STAGE_AWAY && script_now_us() >= s->away_until_us)
        link_open(s, s->want);
}
