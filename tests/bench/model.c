/* A scripted model: OpenAI Chat Completions, streaming, fast enough to carry 10,000 streams on
 * little CPU.
 *
 * A prompt with the word "bench-500x50-17" (script.h) gets 500 tokens, 50 a second, each in a write
 * and an HTTP chunk of its own, as real providers send them; rate 0 is as fast as the socket takes
 * them, every stream in turn. Any other prompt gets a short fixed answer. One timer of 1 ms drives
 * all paced streams: a wheel of slots, so a tick touches only what is due. GET /stats tells how
 * late the tokens were sent: whether the model itself kept up.
 */
#include "tests/bench/hist.h"
#include "tests/bench/script.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BODY_BYTES_MAX (4u << 20)
#define READ_BYTES 65536
#define WHEEL 1024 /* slots of 1 ms; more than the longest gap, 1 s */
#define CHUNK_MAX 512

enum conn_state {
    CONN_READING, /* a request is coming in */
    CONN_PACED,   /* in the wheel */
    CONN_FULL,    /* full speed, can write */
    CONN_BLOCKED, /* full speed, waits for the socket */
    CONN_CLOSING,
};

struct conn {
    uv_tcp_t tcp;
    enum conn_state state;
    struct conn *prev, *next; /* in the wheel's slot or the list of full-speed streams */
    struct script script;
    uint32_t sent;
    uint64_t start_us, due_ms;
    bool usage; /* the request asked for a usage chunk */
    char *in;
    size_t in_len, in_cap;
};

static struct {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_timer_t tick;
    uv_idle_t idle;
    struct conn wheel[WHEEL]; /* list heads */
    struct conn full;         /* list head */
    uint64_t drained_ms;
    size_t paced, full_count, streams;
    uint64_t tokens;
    struct hist late;
    char scratch[READ_BYTES];
} model;

static void list_init(struct conn *head) { head->prev = head->next = head; }

static void list_add(struct conn *head, struct conn *c)
{
    c->prev = head->prev;
    c->next = head;
    head->prev->next = c;
    head->prev = c;
}

static void list_del(struct conn *c)
{
    c->prev->next = c->next;
    c->next->prev = c->prev;
    c->prev = c->next = c;
}

/* ---- the one place that changes a connection's state ---- */

static void on_tick(uv_timer_t *t);
static void on_idle(uv_idle_t *h);

static void leave(struct conn *c)
{
    if (c->state == CONN_PACED && --model.paced == 0)
        uv_timer_stop(&model.tick);
    if (c->state == CONN_FULL && --model.full_count == 0)
        uv_idle_stop(&model.idle);
    if (c->state == CONN_PACED || c->state == CONN_FULL)
        list_del(c);
    if (c->state != CONN_READING && c->state != CONN_CLOSING)
        model.streams--;
}

static void enter(struct conn *c, enum conn_state state)
{
    leave(c);
    c->state = state;
    if (state == CONN_PACED) {
        if (model.paced++ == 0) {
            model.drained_ms = script_now_us() / 1000;
            uv_timer_start(&model.tick, on_tick, 1, 1);
        }
        list_add(&model.wheel[c->due_ms % WHEEL], c);
    }
    if (state == CONN_FULL) {
        if (model.full_count++ == 0)
            uv_idle_start(&model.idle, on_idle);
        list_add(&model.full, c);
    }
    if (state != CONN_READING && state != CONN_CLOSING)
        model.streams++;
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    free(c->in);
    free(c);
}

static void drop(struct conn *c)
{
    if (c->state == CONN_CLOSING)
        return;
    enter(c, CONN_CLOSING);
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* ---- writing ---- */

struct rest {
    uv_write_t req;
    struct conn *conn;
    char bytes[];
};

static void on_rest_written(uv_write_t *req, int status)
{
    struct rest *r = req->data;
    struct conn *c = r->conn;
    free(r);
    if (c->state == CONN_CLOSING)
        return;
    if (status < 0)
        drop(c);
    else if (c->state == CONN_BLOCKED)
        enter(c, CONN_FULL);
}

/* Writes at once what the socket takes; the rest goes when it can. False: the socket is full (or
 * gone). */
static bool put(struct conn *c, const char *bytes, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
    if (n < 0 && n != UV_EAGAIN) {
        drop(c);
        return false;
    }
    size_t done = n < 0 ? 0 : (size_t)n;
    if (done == len)
        return true;
    struct rest *r = malloc(sizeof(*r) + len - done);
    if (!r)
        abort();
    r->req.data = r;
    r->conn = c;
    memcpy(r->bytes, bytes + done, len - done);
    buf = uv_buf_init(r->bytes, (unsigned)(len - done));
    if (uv_write(&r->req, (uv_stream_t *)&c->tcp, &buf, 1, on_rest_written) != 0) {
        free(r);
        drop(c);
    }
    return false;
}

/* ---- the stream: ~230 bytes a content chunk, as providers send ---- */

#define CHUNK_HEAD                                                                                 \
    "data: {\"id\":\"chatcmpl-B%08xpersaibench\",\"object\":\"chat.completion.chunk\","            \
    "\"created\":1764000000,\"model\":\"bench\",\"system_fingerprint\":\"fp_0a1b2c3d4e\","

static const char reply_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                 "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";

static size_t http_chunk(char *out, const char *event, size_t len)
{
    int n = snprintf(out, CHUNK_MAX, "%zx\r\n%.*s\r\n", len, (int)len, event);
    return (size_t)n;
}

static size_t event_text(struct conn *c, char *out)
{
    char event[CHUNK_MAX], word[SCRIPT_WORD_MAX], stamp[SCRIPT_STAMP_BYTES];
    size_t wlen = script_word_json(&c->script, c->sent, word);
    script_stamp(script_now_us(), stamp);
    int n = snprintf(event, sizeof(event),
                     CHUNK_HEAD "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%.*s%.*s\"},"
                                "\"logprobs\":null,\"finish_reason\":null}]}\n\n",
                     c->script.seed, SCRIPT_STAMP_BYTES, stamp, (int)wlen, word);
    return http_chunk(out, event, (size_t)n);
}

static size_t event_fixed(struct conn *c, char *out, const char *choices)
{
    char event[CHUNK_MAX];
    int n = snprintf(event, sizeof(event), CHUNK_HEAD "%s}\n\n", c->script.seed, choices);
    return http_chunk(out, event, (size_t)n);
}

static void stream_end(struct conn *c)
{
    char out[4 * CHUNK_MAX], choices[CHUNK_MAX / 2];
    size_t n = event_fixed(
        c, out,
        "\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]");
    if (c->usage) {
        snprintf(choices, sizeof(choices),
                 "\"choices\":[],\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":%u,"
                 "\"total_tokens\":%u}",
                 c->script.tokens, c->script.tokens + 100);
        n += event_fixed(c, out + n, choices);
    }
    static const char done[] = "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
    memcpy(out + n, done, sizeof(done) - 1);
    enter(c, CONN_READING);
    put(c, out, n + sizeof(done) - 1);
}

/* One token. False: this stream can take no more now, or is over. */
static bool stream_token(struct conn *c)
{
    char out[CHUNK_MAX];
    if (c->sent == c->script.tokens) {
        stream_end(c);
        return false;
    }
    size_t n = event_text(c, out);
    c->sent++;
    model.tokens++;
    return put(c, out, n);
}

/* Sends what is due and stands in the wheel again for the next, counted from the start: no drift.
 */
static void stream_pace(struct conn *c, uint64_t now_us)
{
    for (;;) {
        uint64_t due_us = c->start_us + (uint64_t)c->sent * 1000000u / c->script.rate;
        if (due_us / 1000 > now_us / 1000) {
            c->due_ms = due_us / 1000;
            enter(c, CONN_PACED);
            return;
        }
        hist_add(&model.late, now_us > due_us ? now_us - due_us : 0);
        stream_token(c); /* what a slow socket can't take is queued: a paced model doesn't wait */
        if (c->state == CONN_CLOSING || c->state == CONN_READING)
            return;
    }
}

static void on_tick(uv_timer_t *t)
{
    (void)t;
    uint64_t now_us = script_now_us(), now_ms = now_us / 1000;
    uint64_t from = model.drained_ms + 1;
    if (now_ms >= from + WHEEL)
        from = now_ms - WHEEL + 1;
    for (uint64_t ms = from; ms <= now_ms; ms++) {
        struct conn *slot = &model.wheel[ms % WHEEL], *stop = slot->prev;
        while (slot->next != slot) {
            struct conn *c = slot->next;
            bool last = c == stop;
            stream_pace(c, now_us); /* moves it to another slot, or this one's end */
            if (last)
                break;
        }
    }
    model.drained_ms = now_ms;
}

static void on_idle(uv_idle_t *h)
{
    (void)h;
    struct conn *stop = model.full.prev;
    while (model.full.next != &model.full) {
        struct conn *c = model.full.next;
        bool last = c == stop;
        list_del(c);
        list_add(&model.full, c);
        if (!stream_token(c) && c->state == CONN_FULL)
            enter(c, CONN_BLOCKED);
        if (last)
            break;
    }
}

static void stream_begin(struct conn *c)
{
    char out[sizeof(reply_head) + CHUNK_MAX];
    memcpy(out, reply_head, sizeof(reply_head) - 1);
    size_t n = sizeof(reply_head) - 1;
    n +=
        event_fixed(c, out + n,
                    "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                    "\"logprobs\":null,\"finish_reason\":null}]");
    c->sent = 0;
    c->start_us = script_now_us();
    if (!put(c, out, n) && c->state == CONN_CLOSING)
        return;
    c->due_ms = c->start_us / 1000;
    enter(c, c->script.rate ? CONN_PACED : CONN_FULL);
    if (c->script.rate)
        stream_pace(c, c->start_us); /* the first token at once */
}

/* ---- requests ---- */

static void reply_json(struct conn *c, const char *json)
{
    char out[2048];
    int n = snprintf(
        out, sizeof(out),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(json), json);
    put(c, out, (size_t)n);
}

static void reply_stats(struct conn *c)
{
    char json[1024];
    FILE *f = fmemopen(json, sizeof(json), "w");
    if (!f)
        abort();
    fprintf(f, "{\"streams\":%zu,\"tokens\":%" PRIu64 ",", model.streams, model.tokens);
    hist_json(&model.late, "late_us", f);
    fputs("}\n", f);
    fclose(f);
    reply_json(c, json);
    memset(&model.late, 0, sizeof(model.late));
}

static bool has(const char *p, size_t len, const char *word)
{
    return memmem(p, len, word, strlen(word)) != NULL;
}

static void answer(struct conn *c, const char *head, const char *body, size_t body_len)
{
    if (strncmp(head, "GET /stats", 10) == 0) {
        reply_stats(c);
    } else if (strncmp(head, "GET ", 4) == 0) {
        reply_json(c, "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\","
                      "\"created\":1764000000,\"owned_by\":\"persai\"}]}");
    } else if (!has(body, body_len, "\"stream\":true") &&
               !has(body, body_len, "\"stream\": true")) {
        reply_json(c, "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":"
                      "1764000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":{"
                      "\"role\":\"assistant\",\"content\":\"bench\"},\"finish_reason\":\"stop\"}],"
                      "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":1,"
                      "\"total_tokens\":101}}");
    } else {
        if (!script_find(body, body_len, &c->script))
            c->script = (struct script){.tokens = 8, .rate = 0, .seed = 1};
        c->usage = has(body, body_len, "include_usage");
        stream_begin(c);
    }
}

static size_t content_length(const char *head)
{
    const char *p = strcasestr(head, "\r\ncontent-length:");
    return p ? strtoul(p + 17, NULL, 10) : 0;
}

/* Answers the request in c->in once all of it is there. Pipelined requests are not for a model. */
static void on_bytes(struct conn *c)
{
    c->in[c->in_len] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return;
    size_t head_len = (size_t)(end - c->in) + 4, body_len;
    *end = 0;
    body_len = content_length(c->in);
    if (body_len > BODY_BYTES_MAX) {
        drop(c);
        return;
    }
    if (c->in_len < head_len + body_len) {
        if (c->in_len == head_len && strcasestr(c->in, "\r\nexpect: 100-continue"))
            put(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        *end = '\r';
        return;
    }
    answer(c, c->in, c->in + head_len, body_len);
    c->in_len = 0;
    if (c->state != CONN_CLOSING) { /* 10,000 of these are open at once: keep no request */
        free(c->in);
        c->in = NULL;
        c->in_cap = 0;
    }
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
    (void)h;
    (void)hint;
    *buf = uv_buf_init(model.scratch, sizeof(model.scratch));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct conn *c = s->data;
    if (n == 0)
        return;
    if (n < 0 || c->state != CONN_READING || c->in_len + (size_t)n > BODY_BYTES_MAX + READ_BYTES) {
        drop(c);
        return;
    }
    size_t need = c->in_len + (size_t)n + 1;
    if (need > c->in_cap) {
        c->in_cap = need < 4096 ? 4096 : need * 2;
        c->in = realloc(c->in, c->in_cap);
        if (!c->in)
            abort();
    }
    memcpy(c->in + c->in_len, buf->base, (size_t)n);
    c->in_len += (size_t)n;
    on_bytes(c);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct conn *c = status < 0 ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return;
    c->prev = c->next = c;
    uv_tcp_init(&model.loop, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
        uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
        drop(c);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
}

static void on_signal(uv_signal_t *s, int number)
{
    (void)number;
    uv_stop(s->loop);
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr;
    uv_signal_t term, intr;
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0, len = sizeof(addr);
    signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of its write */
    uv_loop_init(&model.loop);
    for (int i = 0; i < WHEEL; i++)
        list_init(&model.wheel[i]);
    list_init(&model.full);
    uv_timer_init(&model.loop, &model.tick);
    uv_idle_init(&model.loop, &model.idle);
    uv_signal_init(&model.loop, &term);
    uv_signal_init(&model.loop, &intr);
    uv_signal_start(&term, on_signal, SIGTERM);
    uv_signal_start(&intr, on_signal, SIGINT);
    uv_tcp_init(&model.loop, &model.listener);
    uv_ip4_addr("127.0.0.1", port, &addr);
    if (uv_tcp_bind(&model.listener, (struct sockaddr *)&addr, 0) != 0 ||
        uv_listen((uv_stream_t *)&model.listener, 4096, on_connection) != 0) {
        fprintf(stderr, "bench-model: cannot listen on 127.0.0.1:%d\n", port);
        return 1;
    }
    uv_tcp_getsockname(&model.listener, (struct sockaddr *)&addr, &len);
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    uv_run(&model.loop, UV_RUN_DEFAULT);
    return 0;
}
