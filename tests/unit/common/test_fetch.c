/* fetch against our own HTTP server, and against a server that plays raw bytes. */
#include "tests/support/pump.h"

#include <stdio.h>
#include <time.h>

#include "common/fetch.h"
#include "common/http.h"

struct seen {
    struct fetch *fetch;
    struct fetch_pool *pool;
    unsigned heads, done;
    int head_status;
    enum fetch_status status;
    int http_status;
    char body[65536], error[256], retry_after[32];
    int64_t retry_after_ms;
    size_t body_len;
    unsigned pieces;
    bool cancel_on_head, cancel_on_data, restart_on_done;
    struct fetch **victim; /* cancelled in on_done */
};

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    struct fetch_pool *pool;
    unsigned requests;
    char method[16], path[256], query[256], authorization[256], key[64], type[64], body[1024];
    struct http_stream *streams[1024];
    unsigned stream_count, closed;
    const char *after; /* Retry-After of what is answered; NULL: 7 */
    const char *line;  /* one line for each stream that is woken */
    char base[64];
    /* the raw server */
    int raw_fd, raw_client;
    struct loop_fd *raw, *raw_in;
    const char *script;
    size_t script_len;
    bool script_close;
    char raw_base[64], raw_got[4096];
    size_t raw_got_len;
};

static size_t on_fill(void *arg, char *dst, size_t cap)
{
    struct fixture *f = arg;
    if (f->line == NULL)
        return 0;
    size_t len = strlen(f->line);
    assert_true(len <= cap);
    memcpy(dst, f->line, len);
    f->line = NULL;
    return len;
}

static void on_stream_closed(void *arg) { ((struct fixture *)arg)->closed++; }

static const struct http_stream_handler stream_handler = {.on_fill = on_fill,
                                                          .on_closed = on_stream_closed};

static void on_request(void *arg, struct http_request *r)
{
    struct fixture *f = arg;
    struct str value;
    f->requests++;
    pump_copy(f->method, sizeof(f->method), http_method(r));
    pump_copy(f->path, sizeof(f->path), http_path(r));
    pump_copy(f->authorization, sizeof(f->authorization), http_header(r, "authorization"));
    pump_copy(f->key, sizeof(f->key), http_header(r, "x-api-key"));
    pump_copy(f->type, sizeof(f->type), http_header(r, "content-type"));
    pump_copy(f->body, sizeof(f->body), http_body(r));
    if (http_query(r, "q", &value))
        pump_copy(f->query, sizeof(f->query), value);
    if (strcmp(f->path, "/stream") == 0) {
        f->streams[f->stream_count++] =
            http_stream_open(r, "text/event-stream", &stream_handler, f);
    } else if (strcmp(f->path, "/never") != 0) {
        http_add_header(r, "Retry-After", f->after ? f->after : "7");
        http_reply(r, strcmp(f->path, "/503") == 0 ? 503 : 200, "text/plain",
                   STR("0123456789abcdef"));
    }
}

static void on_raw_bytes(void *arg, unsigned events)
{
    struct fixture *f = arg;
    (void)events;
    ssize_t n = recv(f->raw_client, f->raw_got + f->raw_got_len,
                     sizeof(f->raw_got) - f->raw_got_len - 1, MSG_DONTWAIT);
    if (n > 0) {
        f->raw_got_len += (size_t)n;
        f->raw_got[f->raw_got_len] = '\0';
    }
    if (n > 0 && strstr(f->raw_got, "\r\n\r\n") != NULL && f->script != NULL) {
        (void)!send(f->raw_client, f->script, f->script_len, MSG_NOSIGNAL);
        f->script = NULL;
        if (f->script_close)
            shutdown(f->raw_client, SHUT_WR);
    }
    if (n == 0)
        loop_fd_set(f->raw_in, 0);
}

static void drop_raw_client(struct fixture *f)
{
    loop_fd_free(f->raw_in);
    f->raw_in = NULL;
    if (f->raw_client >= 0)
        close(f->raw_client);
    f->raw_client = -1;
    f->raw_got_len = 0;
}

static void on_raw_client(void *arg, unsigned events)
{
    struct fixture *f = arg;
    (void)events;
    drop_raw_client(f);
    f->raw_client = accept4(f->raw_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    f->raw_in = loop_fd_new(f->loop, f->raw_client, LOOP_READ, on_raw_bytes, f);
}

static struct fixture *start(void)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct http_config config = {
        .listen = "127.0.0.1:0", .body_bytes_max = 1000, .connections_max = 1000, .idle_ms = 60000};
    struct http_callbacks callbacks = {on_request, NULL};
    char error[256] = "";
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    f->http = http_new(f->loop, &config, &callbacks, f, error);
    assert_string_equal(error, "");
    f->pool = fetch_pool_new(f->loop);
    snprintf(f->base, sizeof(f->base), "http://127.0.0.1:%u", http_port(f->http));
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t len = sizeof(to);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->raw_client = -1;
    f->raw_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->raw_fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(f->raw_fd, 10), 0);
    getsockname(f->raw_fd, (struct sockaddr *)&to, &len);
    snprintf(f->raw_base, sizeof(f->raw_base), "http://127.0.0.1:%u", ntohs(to.sin_port));
    f->raw = loop_fd_new(f->loop, f->raw_fd, LOOP_READ, on_raw_client, f);
    return f;
}

static void finish(struct fixture *f)
{
    assert_int_equal(fetch_pool_active(f->pool), 0);
    fetch_pool_free(f->pool);
    http_free(f->http);
    drop_raw_client(f);
    loop_fd_free(f->raw);
    close(f->raw_fd);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f->pump);
    free(f);
}

static void on_head(void *arg, int http_status)
{
    struct seen *s = arg;
    s->heads++;
    s->head_status = http_status;
    if (s->cancel_on_head)
        fetch_cancel(s->fetch);
}

static void on_data(void *arg, struct str bytes)
{
    struct seen *s = arg;
    assert_int_equal(s->heads, 1);
    assert_true(s->body_len + bytes.len < sizeof(s->body));
    memcpy(s->body + s->body_len, bytes.at, bytes.len);
    s->body_len += bytes.len;
    s->pieces++;
    if (s->cancel_on_data)
        fetch_cancel(s->fetch);
}

static void on_done(void *arg, const struct fetch_result *r)
{
    struct seen *s = arg;
    s->done++;
    s->status = r->status;
    s->http_status = r->http_status;
    snprintf(s->error, sizeof(s->error), "%s", r->error);
    pump_copy(s->retry_after, sizeof(s->retry_after),
              fetch_response_header(s->fetch, "retry-after"));
    s->retry_after_ms = fetch_retry_after_ms(s->fetch);
    if (r->body.len > 0) {
        assert_true(r->body.len < sizeof(s->body));
        memcpy(s->body, r->body.at, r->body.len);
        s->body_len = r->body.len;
    }
    if (s->victim != NULL)
        fetch_cancel(*s->victim);
    fetch_cancel(s->fetch); /* too late: no harm */
    assert_null(strstr(s->error, "127.0.0.1"));
    assert_null(strstr(s->error, "http://"));
}

static const struct fetch_handler handler = {on_head, on_data, on_done};

static const char *url(struct fixture *f, const char *path)
{
    static char text[4][512];
    static unsigned turn;
    turn = (turn + 1) % 4;
    snprintf(text[turn], sizeof(text[turn]), "%s%s", f->base, path);
    return text[turn];
}

static void go(struct fixture *f, struct seen *s, struct fetch_request r)
{
    if (r.method == NULL)
        r.method = "GET";
    s->fetch = fetch_start(f->pool, &r, &handler, s);
    assert_non_null(s->fetch);
    assert_int_equal(s->done, 0);
}

static bool is_done(void *arg) { return ((struct seen *)arg)->done > 0; }

static void wait_done(struct fixture *f, struct seen *s)
{
    assert_true(pump_within(f->pump, 5000, is_done, s));
    pump_for(f->pump, 2);
    assert_int_equal(s->done, 1);
}

static void get_collects_its_answer(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen s = {0};
    struct fetch_header headers[] = {{"X-Api-Key", STR("k1")}};
    go(f, &s,
       (struct fetch_request){.url = url(f, "/a%20b/../c?q=1%2B1"),
                              .collect = true,
                              .headers = headers,
                              .header_count = 1});
    assert_int_equal(fetch_pool_active(f->pool), 1);
    wait_done(f, &s);
    assert_int_equal(s.status, FETCH_OK);
    assert_int_equal(s.http_status, 200);
    assert_int_equal(s.heads, 1);
    assert_string_equal(s.error, "");
    assert_string_equal(s.body, "0123456789abcdef");
    assert_string_equal(s.retry_after, "7");
    assert_string_equal(f->method, "GET");
    assert_string_equal(f->path, "/a%20b/../c");
    assert_string_equal(f->query, "1+1");
    assert_string_equal(f->key, "k1");
    assert_string_equal(f->authorization, "");
    finish(f);
}

/* RFC 9110, 10.2.3 and 5.6.7. */
static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    static const char *const dates[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"0", 0},
                 {"120", 120000},
                 {"86400", 86400000},
                 {"4294967296", INT64_C(4294967296000)},
                 {"-5", 0},
                 {"1.5", 0},
                 {"soon", 0},
                 {"99999999999999999999", 0},
                 {"5 s", 0},
                 {"Sun, 06 Nov 1994 08:49:37 GMT", 0}};
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct seen s = {0};
        f->after = cases[i].text;
        go(f, &s, (struct fetch_request){.url = url(f, "/503"), .collect = true});
        wait_done(f, &s);
        assert_int_equal(s.retry_after_ms, cases[i].ms);
    }
    for (size_t i = 0; i < sizeof(dates) / sizeof(*dates); i++) {
        struct seen s = {0};
        char text[64];
        time_t in_a_minute = time(NULL) + 60;
        struct tm tm;
        strftime(text, sizeof(text), dates[i], gmtime_r(&in_a_minute, &tm));
        f->after = text;
        go(f, &s, (struct fetch_request){.url = url(f, "/503"), .collect = true});
        wait_done(f, &s);
        assert_in_range(s.retry_after_ms, 50000, 60000);
    }
    finish(f);
}

static void post_carries_body_and_secrets(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen s = {0};
    struct secret *token = secret_new(STR("eyJ.abc.def")), *key = secret_new(STR("sk-1"));
    struct fetch_header headers[] = {{"Content-Type", STR("application/json")}};
    struct fetch_request r = {.method = "POST",
                              .url = url(f, "/503"),
                              .headers = headers,
                              .header_count = 1,
                              .bearer = token,
                              .secret_header = "x-api-key",
                              .secret_value = key,
                              .body = STR("{\"a\":1}")};
    go(f, &s, r);
    secret_free(token);
    secret_free(key);
    wait_done(f, &s);
    assert_int_equal(s.status, FETCH_OK); /* whatever the HTTP status */
    assert_int_equal(s.http_status, 503);
    assert_int_equal(s.head_status, 503);
    assert_string_equal(f->authorization, "Bearer eyJ.abc.def");
    assert_string_equal(f->key, "sk-1");
    assert_string_equal(f->type, "application/json");
    assert_string_equal(f->body, "{\"a\":1}");
    struct seen put = {0}, empty = {0}, gone = {0};
    r = (struct fetch_request){.method = "PUT", .url = url(f, "/"), .body = STR("x")};
    go(f, &put, r);
    wait_done(f, &put);
    assert_string_equal(f->method, "PUT");
    assert_string_equal(f->body, "x");
    assert_string_equal(f->type, "");
    r = (struct fetch_request){.method = "POST", .url = url(f, "/")};
    go(f, &empty, r);
    wait_done(f, &empty);
    assert_string_equal(f->method, "POST");
    assert_string_equal(f->body, "");
    r = (struct fetch_request){.method = "DELETE", .url = url(f, "/")};
    go(f, &gone, r);
    wait_done(f, &gone);
    assert_string_equal(f->method, "DELETE");
    uint64_t requests, connections;
    fetch_pool_stats(f->pool, &requests, &connections);
    assert_int_equal(requests, 4);
    assert_int_equal(connections, 1); /* reused */
    finish(f);
}

/* Who sends it again for somebody else lets go of it meanwhile, or keeps it. */
static void a_shelved_body_is_shared_until_it_is_sent(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct shelf *shelf = shelf_new();
    struct shelved *kept = shelf_put(shelf, STR("{\"a\":2}"));
    struct seen s[3] = {{0}, {0}, {0}};
    go(f, &s[0], (struct fetch_request){.method = "POST", .url = url(f, "/"), .shelved = kept});
    wait_done(f, &s[0]);
    assert_string_equal(f->body, "{\"a\":2}");
    go(f, &s[1], (struct fetch_request){.method = "POST", .url = url(f, "/"), .shelved = kept});
    go(f, &s[2], (struct fetch_request){.method = "POST", .url = url(f, "/"), .shelved = kept});
    shelved_free(kept);
    fetch_cancel(s[2].fetch);
    f->body[0] = '\0';
    wait_done(f, &s[1]);
    assert_string_equal(f->body, "{\"a\":2}");
    shelf_free(shelf); /* nobody has it any more */
    finish(f);
}

static bool has_pieces(void *arg) { return ((struct seen *)arg)->pieces >= 1; }

static void stream_comes_as_it_is_written(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen s = {0};
    go(f, &s, (struct fetch_request){.url = url(f, "/stream")});
    for (unsigned i = 1; i <= 3; i++) {
        while (f->stream_count == 0 || s.heads == 0)
            pump_for(f->pump, 1);
        f->line = "data: x\n\n";
        s.pieces = 0;
        http_stream_wake(f->streams[0]);
        assert_true(pump_within(f->pump, 1000, has_pieces, &s));
        assert_int_equal(s.body_len, 9 * i);
    }
    assert_int_equal(s.done, 0);
    http_stream_end(f->streams[0]);
    wait_done(f, &s);
    assert_int_equal(s.status, FETCH_OK);
    finish(f);
}

static void cancel_works_from_everywhere(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen before = {0}, at_head = {.cancel_on_head = true},
                at_data = {.cancel_on_data = true}, later = {0}, other = {0}, never = {0};
    go(f, &before, (struct fetch_request){.url = url(f, "/x")});
    fetch_cancel(before.fetch);
    go(f, &at_head, (struct fetch_request){.url = url(f, "/x")});
    go(f, &at_data, (struct fetch_request){.url = url(f, "/x")});
    go(f, &never, (struct fetch_request){.url = url(f, "/never")});
    go(f, &other, (struct fetch_request){.url = url(f, "/x"), .collect = true});
    other.victim = &never.fetch;
    wait_done(f, &other);
    go(f, &later, (struct fetch_request){.url = url(f, "/stream")});
    while (later.heads == 0)
        pump_for(f->pump, 1);
    fetch_cancel(later.fetch);
    while (f->closed == 0) /* the server sees that we hung up */
        pump_for(f->pump, 1);
    pump_for(f->pump, 20);
    assert_int_equal(before.done + at_head.done + at_data.done + later.done + never.done, 0);
    assert_int_equal(before.heads, 0);
    assert_int_equal(at_head.heads, 1);
    assert_int_equal(at_head.pieces, 0);
    assert_int_equal(at_data.pieces, 1);
    fetch_cancel(NULL);
    finish(f);
}

static void answers_have_a_limit(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen big = {0}, streamed = {0}, cut = {0}, fits = {0}, just = {0};
    go(f, &big, (struct fetch_request){.url = url(f, "/"), .collect = true, .body_bytes_max = 15});
    wait_done(f, &big);
    assert_int_equal(big.status, FETCH_TOO_BIG);
    go(f, &streamed, (struct fetch_request){.url = url(f, "/"), .body_bytes_max = 15});
    wait_done(f, &streamed);
    assert_int_equal(streamed.status, FETCH_TOO_BIG);
    assert_true(streamed.body_len <= 15);
    go(f, &cut, (struct fetch_request){.url = url(f, "/"), .collect = true, .body_bytes_keep = 10});
    wait_done(f, &cut);
    assert_int_equal(cut.status, FETCH_CUT);
    assert_int_equal(cut.http_status, 200);
    assert_string_equal(cut.body, "0123456789");
    go(f, &fits, (struct fetch_request){.url = url(f, "/"), .collect = true, .body_bytes_max = 16});
    wait_done(f, &fits);
    assert_int_equal(fits.status, FETCH_OK);
    go(f, &just,
       (struct fetch_request){.url = url(f, "/"), .collect = true, .body_bytes_keep = 16});
    wait_done(f, &just);
    assert_int_equal(just.status, FETCH_OK);
    finish(f);
}

static void slow_answers_time_out(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen total = {0}, idle = {0}, alive = {0}, whole = {0};
    go(f, &total, (struct fetch_request){.url = url(f, "/never"), .collect = true, .total_ms = 60});
    wait_done(f, &total);
    assert_int_equal(total.status, FETCH_TIMEOUT);
    assert_int_equal(total.http_status, 0);
    go(f, &idle, (struct fetch_request){.url = url(f, "/stream"), .idle_ms = 100});
    wait_done(f, &idle);
    assert_int_equal(idle.status, FETCH_TIMEOUT);
    assert_int_equal(idle.http_status, 200);
    go(f, &alive, (struct fetch_request){.url = url(f, "/stream"), .idle_ms = 1500});
    for (int i = 0; i < 20; i++) { /* 2 s in all, never 1.5 without a byte */
        pump_for(f->pump, 100);
        f->line = "data: y\n\n";
        http_stream_wake(f->streams[1]);
    }
    assert_int_equal(alive.done, 0);
    fetch_cancel(alive.fetch);
    /* A stream's time in all is over, though bytes come. */
    go(f, &whole, (struct fetch_request){.url = url(f, "/stream"), .total_ms = 300});
    while (!whole.done) {
        pump_for(f->pump, 20);
        if (f->stream_count > 2 && !whole.done) {
            f->line = "data: y\n\n";
            http_stream_wake(f->streams[2]);
        }
    }
    assert_int_equal(whole.status, FETCH_TIMEOUT);
    assert_int_equal(whole.http_status, 200);
    assert_string_equal(whole.error, "no whole answer in time");
    finish(f);
}

static void play(struct fixture *f, struct seen *s, const char *script, size_t len, bool then_close)
{
    static char text[128];
    drop_raw_client(f);
    snprintf(text, sizeof(text), "%s/raw", f->raw_base);
    f->script = script;
    f->script_len = len;
    f->script_close = then_close;
    go(f, s,
       (struct fetch_request){
           .url = text, .collect = true, .body_bytes_max = 50000, .total_ms = 2000});
    wait_done(f, s);
}
#define PLAY(f, s, text, then_close) play(f, s, text, sizeof(text) - 1, then_close)

static void broken_answers_are_told_apart(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen refused = {0}, cut = {0}, empty = {0}, nonsense = {0}, scheme = {0}, smuggle = {0};
    struct fetch_header bad[] = {{"X-A", STR("1\r\nX-B: 2")}};
    go(f, &refused, (struct fetch_request){.url = "http://127.0.0.1:1/", .collect = true});
    wait_done(f, &refused);
    assert_int_equal(refused.status, FETCH_REFUSED);
    PLAY(f, &cut, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", true);
    assert_int_equal(cut.status, FETCH_BROKEN);
    assert_int_equal(cut.http_status, 200);
    PLAY(f, &empty, "", true);
    assert_int_equal(empty.status, FETCH_BROKEN);
    PLAY(f, &nonsense, "SSH-2.0-OpenSSH\r\n\r\n", true);
    assert_int_equal(nonsense.status, FETCH_BROKEN);
    go(f, &scheme, (struct fetch_request){.url = "file:///etc/passwd", .collect = true});
    wait_done(f, &scheme);
    assert_int_equal(scheme.status, FETCH_REFUSED);
    assert_int_equal(scheme.body_len, 0);
    go(f, &smuggle,
       (struct fetch_request){
           .url = url(f, "/"), .collect = true, .headers = bad, .header_count = 1});
    wait_done(f, &smuggle);
    assert_int_equal(smuggle.status, FETCH_REFUSED);
    assert_int_equal(f->requests, 0);
    finish(f);
}

static void redirects_are_not_followed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen s = {0};
    char script[256];
    snprintf(script, sizeof(script),
             "HTTP/1.1 302 Found\r\nLocation: %s/stolen\r\nContent-Length: 0\r\n\r\n", f->base);
    play(f, &s, script, strlen(script), false);
    assert_int_equal(s.status, FETCH_OK);
    assert_int_equal(s.http_status, 302);
    assert_int_equal(f->requests, 0);
    finish(f);
}

static void early_hints_and_trailers_are_not_the_head(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen s = {0};
    PLAY(f, &s,
         "HTTP/1.1 103 Early Hints\r\nRetry-After: 1\r\n\r\nHTTP/1.1 429 Slow\r\n"
         "Transfer-Encoding: chunked\r\nRetry-After:  9 \r\n\r\n3\r\nabc\r\n0\r\nRetry-After: "
         "3\r\n\r\n",
         false);
    assert_int_equal(s.heads, 1);
    assert_int_equal(s.http_status, 429);
    assert_string_equal(s.retry_after, "9");
    assert_string_equal(s.body, "abc");
    finish(f);
}

/* gzip of 100,000 zero bytes */
static const unsigned char bomb[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xed, 0xc1, 0x31, 0x01, 0x00,
    0x00, 0x00, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 0x0d, 0x0f, 0xa0, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x80, 0x57, 0x03, 0x7d, 0x95, 0x11, 0xd4, 0xa0, 0x86, 0x01, 0x00};

static void compressed_answers_count_as_what_they_unpack_to(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen s = {0};
    char script[512];
    int len = snprintf(script, sizeof(script),
                       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
                       sizeof(bomb));
    memcpy(script + len, bomb, sizeof(bomb));
    play(f, &s, script, (size_t)len + sizeof(bomb), false);
    assert_int_equal(s.status, FETCH_TOO_BIG);
    finish(f);
}

enum { MANY = 700 }; /* more than one of libcurl's handles takes */

static bool all_done(void *arg)
{
    struct seen *s = arg;
    for (unsigned i = 0; i < MANY; i++)
        if (s[i].done == 0)
            return false;
    return true;
}

static void hundreds_run_at_once(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct seen *s = xcalloc(MANY, sizeof(*s));
    for (unsigned i = 0; i < MANY; i++)
        go(f, &s[i], (struct fetch_request){.url = url(f, "/stream")});
    while (f->stream_count < MANY)
        pump_for(f->pump, 5);
    for (unsigned i = 0; i < MANY; i++) {
        f->line = "data: z\n\n";
        http_stream_wake(f->streams[i]);
        pump_for(f->pump, 0);
        http_stream_end(f->streams[i]);
    }
    assert_true(pump_within(f->pump, 10000, all_done, s));
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(s[i].status, FETCH_OK);
    for (unsigned i = 0; i < MANY; i++) { /* and again: on the connections that are there */
        memset(&s[i], 0, sizeof(s[i]));
        go(f, &s[i], (struct fetch_request){.url = url(f, "/x"), .collect = true});
    }
    assert_true(pump_within(f->pump, 10000, all_done, s));
    uint64_t requests, connections;
    fetch_pool_stats(f->pool, &requests, &connections);
    assert_int_equal(requests, 2 * MANY);
    assert_int_equal(connections, MANY);
    free(s);
    finish(f);
}

static void escape_leaves_only_unreserved(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 30);
    assert_true(fetch_escape(&b, STR("aZ09-._~ +&/\xc3\xa9")));
    assert_string_equal(buf_cstr(&b), "aZ09-._~%20%2B%26%2F%C3%A9");
    assert_false(fetch_escape(&b, STR("&&&&&")));
    buf_free(&b);
}

int main(void)
{
    setenv("http_proxy", "http://127.0.0.1:1/", 1); /* must not be used unless asked for */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_collects_its_answer),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(post_carries_body_and_secrets),
        cmocka_unit_test(a_shelved_body_is_shared_until_it_is_sent),
        cmocka_unit_test(stream_comes_as_it_is_written),
        cmocka_unit_test(cancel_works_from_everywhere),
        cmocka_unit_test(answers_have_a_limit),
        cmocka_unit_test(slow_answers_time_out),
        cmocka_unit_test(broken_answers_are_told_apart),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(early_hints_and_trailers_are_not_the_head),
        cmocka_unit_test(compressed_answers_count_as_what_they_unpack_to),
        cmocka_unit_test(hundreds_run_at_once),
        cmocka_unit_test(escape_leaves_only_unreserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
