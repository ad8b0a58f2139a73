/* The HTTP server against raw sockets on loopback. */
#include "tests/support/pump.h"

#include <stdio.h>

#include "common/http.h"

struct stream_state {
    struct http_stream *stream;
    const char *text; /* what on_fill still has to say */
    size_t left;
    bool repeat; /* text again and again, left bytes in all */
    size_t asked;
    unsigned slow_us; /* that on_fill takes */
    unsigned closed;
    struct fixture *f;
};

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    struct http_request *waiting[16];
    unsigned requests, waiting_count, gone;
    char method[16], path[256], query[256], header[64], cookie[64];
    char body[4096];
    size_t body_len;
    struct stream_state stream;
    struct stream_state *streams; /* of the test with many */
    unsigned stream_count;
};

static size_t on_fill(void *arg, char *dst, size_t cap)
{
    struct stream_state *s = arg;
    size_t len = s->left < cap ? s->left : cap;
    s->asked++;
    if (s->slow_us > 0)
        usleep(s->slow_us);
    if (s->repeat) {
        for (size_t i = 0; i < len; i++)
            dst[i] = s->text[(s->left - i) % 7];
    } else if (len > 0) {
        memcpy(dst, s->text, len);
        s->text += len;
    }
    s->left -= len;
    return len;
}

static void on_closed(void *arg)
{
    struct stream_state *s = arg;
    s->closed++;
    s->stream = NULL;
}

static const struct http_stream_handler handler = {.on_fill = on_fill, .on_closed = on_closed};

static void on_gone(void *user) { ((struct fixture *)user)->gone++; }

static void on_request(void *arg, struct http_request *r)
{
    struct fixture *f = arg;
    struct str value;
    f->requests++;
    pump_copy(f->method, sizeof(f->method), http_method(r));
    pump_copy(f->path, sizeof(f->path), http_path(r));
    if (http_query(r, "q", &value))
        pump_copy(f->query, sizeof(f->query), value);
    pump_copy(f->header, sizeof(f->header), http_header(r, "x-test"));
    pump_copy(f->cookie, sizeof(f->cookie), http_cookie(r, "jwtPayload"));
    f->body_len = http_body(r).len;
    if (f->body_len < sizeof(f->body))
        pump_copy(f->body, sizeof(f->body), http_body(r));
    if (strcmp(f->path, "/wait") == 0) {
        http_set_user(r, f, on_gone);
        f->waiting[f->waiting_count++] = r;
    } else if (strcmp(f->path, "/stream") == 0) {
        f->stream.stream = http_stream_open(r, "text/event-stream", &handler, &f->stream);
    } else if (strcmp(f->path, "/many") == 0) {
        struct stream_state *s = &f->streams[f->stream_count++];
        s->stream = http_stream_open(r, "text/event-stream", &handler, s);
    } else {
        http_add_header(r, "X-Answer", "42");
        http_reply(r, 200, "text/plain", str_of(f->path));
    }
}

static struct str on_refuse(void *arg, const struct http_request *r, unsigned status)
{
    (void)arg;
    (void)r;
    return status == 413 ? STR("{\"too\":\"big\"}") : STR("{\"bad\":\"request\"}");
}

static struct fixture *start_with(struct http_config config)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct http_callbacks callbacks = {on_request, on_refuse};
    char error[256] = "";
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    f->http = http_new(f->loop, &config, &callbacks, f, error);
    assert_string_equal(error, "");
    assert_non_null(f->http);
    return f;
}

static struct http_config config_of(void)
{
    return (struct http_config){.listen = "127.0.0.1:0",
                                .body_bytes_max = 1000,
                                .connections_max = 10000,
                                .idle_ms = 60000};
}

static struct fixture *start(void) { return start_with(config_of()); }

static void finish(struct fixture *f)
{
    http_free(f->http);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f->pump);
    free(f->streams);
    free(f);
}

static struct pump_got client(struct fixture *f, const char *request)
{
    struct pump_got g = {.fd = pump_connect(http_port(f->http))};
    g.bytes = xcalloc(1, 1);
    if (request != NULL)
        pump_send(g.fd, request);
    return g;
}

static void wait_for(struct fixture *f, struct pump_got *g, const char *text, unsigned count)
{
    g->want = text;
    g->want_count = count;
    assert_true(pump_within(f->pump, 5000, pump_has, g));
    if (pump_count(g, text) < count)
        print_error("got: %s\n", g->bytes);
    assert_true(pump_count(g, text) >= count);
}

static void wait_closed(struct fixture *f, struct pump_got *g)
{
    assert_true(pump_within(f->pump, 5000, pump_is_closed, g));
}

static void hang_up(struct pump_got *g)
{
    close(g->fd);
    free(g->bytes);
    g->bytes = NULL;
}

static bool is_nonzero(void *arg) { return *(unsigned *)arg != 0; }

static void wait_until(struct fixture *f, unsigned *what)
{
    assert_true(pump_within(f->pump, 5000, is_nonzero, what));
}

/* Undoes the chunked coding behind the head; false when it is broken or not at its end. */
static bool unchunk(const struct pump_got *g, struct buf *out)
{
    const char *at = strstr(g->bytes, "\r\n\r\n");
    if (at == NULL)
        return false;
    at += 4;
    for (;;) {
        char *end;
        unsigned long len = strtoul(at, &end, 16);
        if (end == at || strncmp(end, "\r\n", 2) != 0 || end + 2 + len + 2 > g->bytes + g->len)
            return false;
        buf_add(out, end + 2, len);
        at = end + 2 + len;
        if (strncmp(at, "\r\n", 2) != 0)
            return false;
        at += 2;
        if (len == 0)
            return at == g->bytes + g->len;
    }
}

static void request_is_read_whole_and_answered(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g = client(f, "POST /a%2Fb/../c?x=1&q=a%20b%2Bc+d&q=2 HTTP/1.1\r\nHost: h\r\n"
                                  "X-Test: \t yes \t\r\nCookie: a=b; jwtPayload=eyJ.x-_9; c=d\r\n"
                                  "Content-Length: 5\r\n\r\nhello");
    wait_for(f, &g, "/a%2Fb/../c", 1);
    assert_non_null(strstr(g.bytes, "HTTP/1.1 200 OK\r\n"));
    assert_non_null(strstr(g.bytes, "X-Answer: 42\r\n"));
    assert_non_null(strstr(g.bytes, "Content-Type: text/plain\r\n"));
    assert_string_equal(f->method, "POST");
    assert_string_equal(f->path, "/a%2Fb/../c");
    assert_string_equal(f->query, "a b+c d");
    assert_string_equal(f->header, "yes");
    assert_string_equal(f->cookie, "eyJ.x-_9");
    assert_string_equal(f->body, "hello");
    hang_up(&g);
    finish(f);
}

static void request_split_at_every_byte_is_the_same(void **state)
{
    (void)state;
    struct fixture *f = start();
    const char *text = "POST /x?q=%41%4 HTTP/1.1\r\nHost: h\r\nX-Test: 1\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;e=1\r\nde\r\n0\r\n\r\n";
    struct pump_got g = client(f, NULL);
    for (const char *at = text; *at != '\0'; at++) {
        assert_int_equal(send(g.fd, at, 1, MSG_NOSIGNAL), 1);
        pump_for(f->pump, 0);
    }
    wait_for(f, &g, "\r\n\r\n/x", 1);
    assert_string_equal(f->body, "abcde");
    assert_string_equal(f->query, ""); /* a broken escape: no such value */
    hang_up(&g);
    finish(f);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g =
        client(f, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /wait HTTP/1.1\r\nHost: h\r\n\r\n"
                  "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_until(f, &f->waiting_count);
    pump_for(f->pump, 20);
    assert_int_equal(f->requests, 2);
    http_reply(f->waiting[0], 201, NULL, STR("second"));
    wait_for(f, &g, "HTTP/1.1 20", 3);
    char *first = strstr(g.bytes, "/1"), *second = strstr(g.bytes, "second"),
         *third = strstr(g.bytes, "/3");
    assert_true(first != NULL && first < second && second < third);
    hang_up(&g);
    finish(f);
}

static void late_answers_go_to_whom_they_belong(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got a = client(f, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"), b;
    wait_until(f, &f->waiting_count);
    b = client(f, "HEAD /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    while (f->waiting_count < 2)
        pump_for(f->pump, 5);
    http_add_header(f->waiting[1], "Allow", "GET");
    http_reply(f->waiting[1], 405, "application/json", STR("{\"b\":1}"));
    wait_for(f, &b, "\r\n\r\n", 1);
    pump_for(f->pump, 20);
    pump_drain(&b);
    assert_non_null(strstr(b.bytes, "HTTP/1.1 405 "));
    assert_non_null(strstr(b.bytes, "Content-Length: 7\r\n"));
    assert_null(strstr(b.bytes, "{")); /* HEAD has no body */
    http_reply(f->waiting[0], 200, "application/json", STR("{\"a\":1}"));
    wait_for(f, &a, "{\"a\":1}", 1);
    assert_int_equal(f->gone, 0);
    hang_up(&a);
    hang_up(&b);
    finish(f);
}

static bool no_connections(void *arg) { return http_connections(arg) == 0; }

static void client_that_leaves_while_it_waits_is_noticed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g = client(f, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_until(f, &f->waiting_count);
    assert_int_equal(http_connections(f->http), 1);
    hang_up(&g);
    wait_until(f, &f->gone);
    assert_true(pump_within(f->pump, 2000, no_connections, f->http));
    assert_int_equal(f->gone, 1);
    finish(f);
}

static void body_over_the_limit_is_413(void **state)
{
    (void)state;
    struct fixture *f = start();
    char head[256], *big = xcalloc(1, 300001);
    memset(big, 'x', 300000);
    snprintf(head, sizeof(head), "POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
    struct pump_got g = client(f, head);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(send(g.fd, big, 10000, MSG_NOSIGNAL), 10000);
        pump_for(f->pump, 0);
    }
    wait_for(f, &g, "{\"too\":\"big\"}", 1);
    assert_non_null(strstr(g.bytes, "HTTP/1.1 413 "));
    assert_non_null(strstr(g.bytes, "Content-Type: application/json\r\n"));
    hang_up(&g);

    g = client(f, "POST /big HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n");
    assert_int_equal(send(g.fd, big, 2000, MSG_NOSIGNAL), 2000);
    pump_send(g.fd, "\r\n0\r\n\r\n");
    wait_for(f, &g, "{\"too\":\"big\"}", 1);
    hang_up(&g);

    g = client(f, "POST /big HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                  "Content-Length: 1001\r\n\r\n");
    wait_for(f, &g, "{\"too\":\"big\"}", 1);
    assert_null(strstr(g.bytes, "100 Continue"));
    hang_up(&g);

    g = client(f, "POST /fits HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                  "Content-Length: 1000\r\n\r\n");
    wait_for(f, &g, "100 Continue", 1);
    assert_int_equal(send(g.fd, big, 1000, MSG_NOSIGNAL), 1000);
    wait_for(f, &g, "\r\n\r\n/fits", 1);
    assert_int_equal(f->requests, 1);
    assert_int_equal(f->body_len, 1000);
    hang_up(&g);
    free(big);
    finish(f);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct fixture *f = start();
    static const char *const bad[] = {
        "\x16\x03\x01\x02\x01\xfc\x03\x03garbage\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n"),
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct pump_got g = client(f, bad[i]);
        wait_closed(f, &g);
        if (g.len > 0 && strstr(g.bytes, "HTTP/1.1 4") == NULL &&
            strstr(g.bytes, "HTTP/1.1 505") == NULL)
            print_error("%u: %s\n", i, g.bytes);
        assert_true(g.len == 0 || strstr(g.bytes, "HTTP/1.1 4") != NULL ||
                    strstr(g.bytes, "HTTP/1.1 505") != NULL);
        hang_up(&g);
    }
    char *huge = xcalloc(1, 200001);
    memset(huge, 'a', 200000);
    snprintf(huge, 32, "GET / HTTP/1.1\r\nX: aaa");
    huge[22] = 'a';
    struct pump_got g = client(f, NULL);
    (void)!send(g.fd, huge, 40000, MSG_NOSIGNAL | MSG_DONTWAIT);
    wait_closed(f, &g);
    assert_true(g.len == 0 || strstr(g.bytes, "HTTP/1.1 431") != NULL);
    hang_up(&g);
    free(huge);
    assert_int_equal(f->requests, 0);
    finish(f);
}

static void eight_kilobytes_of_cookies_fit(void **state)
{
    (void)state;
    struct fixture *f = start();
    char *request = xcalloc(1, 16384);
    int len = snprintf(request, 16384, "GET /stream HTTP/1.1\r\nHost: h\r\nCookie: big=");
    memset(request + len, 'j', 8192);
    snprintf(request + len + 8192, 64, "; jwtPayload=here\r\n\r\n");
    f->stream.text = "data: x\n\n";
    f->stream.left = 9;
    struct pump_got g = client(f, request);
    wait_for(f, &g, "data: x\n\n", 1);
    assert_string_equal(f->cookie, "here");
    hang_up(&g);
    free(request);
    finish(f);
}

static void slow_request_is_cut(void **state)
{
    (void)state;
    struct http_config config = config_of();
    config.idle_ms = 100;
    struct fixture *f = start_with(config);
    struct pump_got g = client(f, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 100 && !g.closed; i++) { /* a byte now and then does not help */
        (void)!send(g.fd, "X", 1, MSG_NOSIGNAL);
        pump_for(f->pump, 10);
        pump_drain(&g);
    }
    assert_true(g.closed);
    assert_int_equal(f->requests, 0);
    assert_true(pump_within(f->pump, 2000, no_connections, f->http));
    hang_up(&g);
    finish(f);
}

static void stream_flows_and_ends_and_the_connection_goes_on(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "\r\n\r\n", 1); /* the head alone, at once */
    assert_non_null(strstr(g.bytes, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(g.bytes, "Cache-Control: no-store\r\n"));
    for (int i = 0; i < 3; i++) {
        f->stream.text = "data: tick\n\n";
        f->stream.left = 12;
        http_stream_wake(f->stream.stream);
        http_stream_wake(f->stream.stream);
        wait_for(f, &g, "data: tick\n\n", (unsigned)i + 1);
    }
    assert_int_equal(http_stream_pending(f->stream.stream), 0);
    f->stream.text = "data: last\n\n";
    f->stream.left = 12;
    http_stream_end(f->stream.stream);
    wait_for(f, &g, "\r\n0\r\n\r\n", 1);
    assert_int_equal(f->stream.closed, 1);
    struct buf body;
    buf_init(&body, 1000);
    assert_true(unchunk(&g, &body));
    assert_true(str_is(buf_str(&body), "data: tick\n\ndata: tick\n\ndata: tick\n\ndata: last\n\n"));
    buf_free(&body);
    pump_send(g.fd, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "\r\n\r\n/next", 1);
    assert_int_equal(f->stream.closed, 1);
    hang_up(&g);
    finish(f);
}

static void stream_to_http_1_0_has_no_chunks(void **state)
{
    (void)state;
    struct fixture *f = start();
    f->stream.text = "data: one\n\n";
    f->stream.left = 11;
    struct pump_got g = client(f, "GET /stream HTTP/1.0\r\n\r\n");
    wait_for(f, &g, "\r\n\r\ndata: one\n\n", 1);
    assert_null(strstr(g.bytes, "chunked"));
    http_stream_end(f->stream.stream);
    wait_closed(f, &g);
    assert_int_equal(f->stream.closed, 1);
    assert_string_equal(g.bytes + g.len - 11, "data: one\n\n");
    hang_up(&g);
    finish(f);
}

static void head_of_a_stream_is_only_its_head(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g = client(f, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "\r\n\r\n", 1);
    wait_until(f, &f->stream.closed);
    assert_int_equal(f->stream.closed, 1);
    wait_closed(f, &g); /* what came behind it would be read as the next answer */
    assert_string_equal(strstr(g.bytes, "\r\n\r\n"), "\r\n\r\n");
    assert_non_null(strstr(g.bytes, "Connection: close\r\n"));
    hang_up(&g);
    finish(f);
}

static void aborted_stream_is_cut_without_an_end(void **state)
{
    (void)state;
    struct fixture *f = start();
    f->stream.text = "data: one\n\n";
    f->stream.left = 11;
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "data: one", 1);
    http_stream_abort(f->stream.stream);
    wait_closed(f, &g);
    assert_int_equal(f->stream.closed, 1);
    assert_null(strstr(g.bytes, "0\r\n\r\n"));
    hang_up(&g);
    finish(f);
}

static void abort_of_a_stalled_stream_is_no_end(void **state)
{
    (void)state;
    struct fixture *f = start();
    f->stream.text = "abcdefg";
    f->stream.repeat = true;
    f->stream.left = 100000000;
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    pump_for(f->pump, 100);
    assert_true(http_stream_pending(f->stream.stream) > 0);
    http_stream_abort(f->stream.stream);
    wait_until(f, &f->stream.closed);
    wait_closed(f, &g);
    assert_true(g.len > 0 && strcmp(g.bytes + g.len - 5, "0\r\n\r\n") != 0);
    assert_int_equal(f->stream.closed, 1);
    hang_up(&g);
    finish(f);
}

static void client_that_leaves_a_stream_is_noticed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "\r\n\r\n", 1);
    hang_up(&g);
    wait_until(f, &f->stream.closed);
    assert_true(pump_within(f->pump, 2000, no_connections, f->http));
    assert_int_equal(f->stream.closed, 1);
    finish(f);
}

static void slow_reader_gets_every_byte_and_costs_one_fill(void **state)
{
    (void)state;
    struct fixture *f = start();
    const size_t total = 20000000;
    f->stream.text = "abcdefg";
    f->stream.repeat = true;
    f->stream.left = total;
    struct pump_got g = client(f, NULL);
    pump_send(g.fd, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    pump_for(f->pump, 200);
    assert_true(f->stream.left > total / 2); /* it does not run ahead of its reader */
    assert_true(http_stream_pending(f->stream.stream) > 0);
    assert_true(http_stream_pending(f->stream.stream) <= 16384 + 12);
    http_stream_end(f->stream.stream);
    while (!g.closed && f->stream.closed == 0) {
        pump_for(f->pump, 0);
        pump_drain(&g);
    }
    wait_for(f, &g, "\r\n0\r\n\r\n", 1);
    struct buf body;
    buf_init(&body, total);
    assert_true(unchunk(&g, &body));
    assert_int_equal(body.len, total);
    for (size_t i = 0; i < total; i++)
        if (body.at[i] != "abcdefg"[(total - i) % 7])
            fail_msg("byte %zu is wrong", i);
    buf_free(&body);
    hang_up(&g);
    finish(f);
}

static void quiet_streams_get_pings(void **state)
{
    (void)state;
    struct http_config config = config_of();
    config.ping_ms = 40;
    struct fixture *f = start_with(config);
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "8\r\n: ping\n\n\r\n", 3);
    hang_up(&g);
    finish(f);
}

static void stalled_client_is_cut(void **state)
{
    (void)state;
    struct http_config config = config_of();
    config.ping_ms = 20;
    struct fixture *f = start_with(config);
    f->stream.text = "abcdefg";
    f->stream.repeat = true;
    f->stream.left = 100000000;
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_until(f, &f->stream.closed);
    assert_true(f->stream.left > 0);
    hang_up(&g);
    finish(f);
}

enum { MANY = 2000, LINES = 20 };

static bool all_open(void *arg)
{
    struct fixture *f = arg;
    return f->stream_count == MANY;
}

static bool all_closed(void *arg)
{
    struct fixture *f = arg;
    for (unsigned i = 0; i < f->stream_count; i++)
        if (f->streams[i].closed != 1)
            return false;
    return true;
}

static bool all_taken(void *arg)
{
    struct fixture *f = arg;
    for (unsigned i = 0; i < f->stream_count; i++)
        if (f->streams[i].left > 0)
            return false;
    return true;
}

static bool is_whole(void *arg)
{
    struct buf body;
    buf_init(&body, 100000);
    pump_drain(arg);
    bool whole = unchunk(arg, &body) && body.len == 18 * LINES;
    buf_free(&body);
    return whole;
}

static void thousands_of_streams_lose_nothing(void **state)
{
    (void)state;
    struct fixture *f = start();
    f->streams = xcalloc(MANY, sizeof(*f->streams));
    struct pump_got *got = xcalloc(MANY, sizeof(*got));
    for (unsigned i = 0; i < MANY; i++) {
        got[i].fd = pump_connect(http_port(f->http));
        pump_send(got[i].fd, "GET /many HTTP/1.1\r\nHost: h\r\n\r\n");
        if (i % 100 == 99)
            pump_for(f->pump, 0);
    }
    assert_true(pump_within(f->pump, 20000, all_open, f));
    for (unsigned line = 0; line < LINES; line++) {
        for (unsigned i = 0; i < MANY; i++) {
            struct stream_state *s = &f->streams[i];
            s->text = "data: 0123456789\n\n";
            s->left = 18;
            http_stream_wake(s->stream);
        }
        assert_true(pump_within(f->pump, 20000, all_taken, f));
    }
    for (unsigned i = 0; i < MANY; i++)
        http_stream_end(f->streams[i].stream);
    assert_true(pump_within(f->pump, 20000, all_closed, f));
    for (unsigned i = 0; i < MANY; i++) {
        assert_true(pump_within(f->pump, 20000, is_whole, &got[i]));
        hang_up(&got[i]);
    }
    free(got);
    finish(f);
}

/* How many streams were asked for more since the last pass, at most. */
static struct {
    struct fixture *f;
    unsigned before, most;
} asked;

static void count_asked(void *arg)
{
    (void)arg;
    unsigned now = 0;
    for (unsigned i = 0; i < asked.f->stream_count; i++)
        now += (unsigned)asked.f->streams[i].asked;
    if (now - asked.before > asked.most)
        asked.most = now - asked.before;
    asked.before = now;
}

static bool hundred_open(void *arg) { return ((struct fixture *)arg)->stream_count == 100; }

static void a_pass_writes_to_some_and_the_next_to_others(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got got[100] = {{0}};
    f->streams = xcalloc(100, sizeof(*f->streams));
    for (unsigned i = 0; i < 100; i++)
        got[i] = client(f, "GET /many HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(pump_within(f->pump, 20000, hundred_open, f));
    pump_for(f->pump, 20);
    for (unsigned i = 0; i < 100; i++) {
        f->streams[i].text = "data: 0123456789\n\n";
        f->streams[i].left = 18;
        f->streams[i].slow_us = 500;
        http_stream_wake(f->streams[i].stream);
    }
    asked.f = f;
    count_asked(NULL);
    asked.most = 0;
    loop_on_decide(f->loop, count_asked, &asked);
    assert_true(pump_within(f->pump, 20000, all_taken, f));
    pump_for(f->pump, 20);
    assert_in_range(asked.most, 1, 50); /* each is asked twice: what it has, and that this is all */
    loop_off(f->loop, &asked);
    for (unsigned i = 0; i < 100; i++) {
        wait_for(f, &got[i], "data: 0123456789\n\n", 1);
        http_stream_end(f->streams[i].stream);
        hang_up(&got[i]);
    }
    finish(f);
}

static void drain_keeps_connections_and_refuses_new_ones(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got g = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "\r\n\r\n", 1);
    uint16_t port = http_port(f->http);
    http_stop_accepting(f->http);
    pump_for(f->pump, 10);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_not_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    close(fd);
    f->stream.text = "data: still here\n\n";
    f->stream.left = 18;
    http_stream_wake(f->stream.stream);
    wait_for(f, &g, "data: still here\n\n", 1);
    hang_up(&g);
    finish(f);
}

static void free_ends_whatever_is_under_way(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct pump_got a = client(f, "GET /wait HTTP/1.1\r\nHost: h\r\n\r\n"),
                    b = client(f, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n"),
                    c = client(f, "GET /half HTTP/1.1\r\nHo");
    wait_for(f, &b, "\r\n\r\n", 1);
    wait_until(f, &f->waiting_count);
    http_free(f->http);
    f->http = NULL;
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->stream.closed, 1);
    wait_closed(f, &a);
    wait_closed(f, &b);
    wait_closed(f, &c);
    hang_up(&a);
    hang_up(&b);
    hang_up(&c);
    finish(f);
}

static void taken_port_is_a_sentence(void **state)
{
    (void)state;
    struct fixture *f = start();
    char text[64], error[256];
    snprintf(text, sizeof(text), "127.0.0.1:%u", http_port(f->http));
    struct http_config config = config_of();
    struct http_callbacks callbacks = {on_request, on_refuse};
    config.listen = text;
    assert_null(http_new(f->loop, &config, &callbacks, f, error));
    assert_non_null(strstr(error, "Address already in use"));
    config.listen = "nonsense";
    assert_null(http_new(f->loop, &config, &callbacks, f, error));
    assert_non_null(strstr(error, "not address:port"));
    config.listen = "[::1]:0";
    config.reuse_port = true;
    struct http *h = http_new(f->loop, &config, &callbacks, f, error);
    if (h != NULL) { /* machines without IPv6 exist */
        assert_true(http_port(h) > 0);
        http_free(h);
    }
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_read_whole_and_answered),
        cmocka_unit_test(request_split_at_every_byte_is_the_same),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(late_answers_go_to_whom_they_belong),
        cmocka_unit_test(client_that_leaves_while_it_waits_is_noticed),
        cmocka_unit_test(body_over_the_limit_is_413),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(eight_kilobytes_of_cookies_fit),
        cmocka_unit_test(slow_request_is_cut),
        cmocka_unit_test(stream_flows_and_ends_and_the_connection_goes_on),
        cmocka_unit_test(stream_to_http_1_0_has_no_chunks),
        cmocka_unit_test(head_of_a_stream_is_only_its_head),
        cmocka_unit_test(aborted_stream_is_cut_without_an_end),
        cmocka_unit_test(abort_of_a_stalled_stream_is_no_end),
        cmocka_unit_test(client_that_leaves_a_stream_is_noticed),
        cmocka_unit_test(slow_reader_gets_every_byte_and_costs_one_fill),
        cmocka_unit_test(quiet_streams_get_pings),
        cmocka_unit_test(stalled_client_is_cut),
        cmocka_unit_test(thousands_of_streams_lose_nothing),
        cmocka_unit_test(a_pass_writes_to_some_and_the_next_to_others),
        cmocka_unit_test(drain_keeps_connections_and_refuses_new_ones),
        cmocka_unit_test(free_ends_whatever_is_under_way),
        cmocka_unit_test(taken_port_is_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
