/* The HTTP server and heads that RFC 9112 does not allow, bodies that are asked for, and the memory
 * that clients may have it hold. */
#include "tests/support/pump.h"

#include <stdio.h>

#include "common/http.h"

enum { MEMORY = 200000, BODY_MAX = 100000, REPLY = 150000 };

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    struct http_request *waiting;
    unsigned requests, bodies, gone, over;
    size_t body_bytes;
    char path[256], host[64], cookie[64];
    char list[64], list_again[64], authorization[64], forgotten[64];
    char *big;
};

static struct fixture *fixture; /* of the test that runs */

static void on_over(void *arg) { ((struct fixture *)arg)->over++; }

static void on_gone(void *user)
{
    (void)user;
    fixture->gone++;
}

static void on_body(void *user)
{
    struct http_request *r = user;
    fixture->bodies++;
    fixture->body_bytes = http_body(r).len;
    if (str_is(http_path(r), "/big"))
        http_reply(r, 200, "text/plain", (struct str){fixture->big, REPLY});
    else
        http_reply(r, 200, "application/json", STR("{\"well\":1}"));
}

static void on_request(void *arg, struct http_request *r)
{
    struct fixture *f = arg;
    f->requests++;
    pump_copy(f->path, sizeof(f->path), http_path(r));
    pump_copy(f->host, sizeof(f->host), http_host(r));
    pump_copy(f->cookie, sizeof(f->cookie), http_cookie(r, "jwtPayload"));
    pump_copy(f->list, sizeof(f->list), http_header(r, "X-List"));
    pump_copy(f->list_again, sizeof(f->list_again), http_header(r, "x-list"));
    pump_copy(f->authorization, sizeof(f->authorization), http_header(r, "Authorization"));
    if (str_is(http_path(r), "/forget"))
        http_forget_credentials(r);
    pump_copy(f->forgotten, sizeof(f->forgotten), http_header(r, "Authorization"));
    http_set_user(r, r, on_gone);
    http_on_over(r, on_over, f);
    if (str_is(http_path(r), "/wait"))
        f->waiting = r;
    else if (str_is(http_path(r), "/no"))
        http_reply(r, 401, "application/json", STR("{\"who\":0}"));
    else
        http_read_body(r, BODY_MAX, on_body);
}

static struct str on_refuse(void *arg, const struct http_request *r, unsigned status)
{
    (void)arg;
    (void)r;
    return status == 503   ? STR("{\"refused\":503}")
           : status == 413 ? STR("{\"refused\":413}")
                           : STR("{\"refused\":400}");
}

static struct fixture *start(int64_t idle_ms)
{
    struct fixture *f = fixture = xcalloc(1, sizeof(*f));
    struct http_config config = {.listen = "127.0.0.1:0",
                                 .memory_bytes_max = MEMORY,
                                 .connections_max = 1000,
                                 .idle_ms = idle_ms};
    struct http_callbacks callbacks = {on_request, on_refuse};
    char error[256] = "";
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    f->http = http_new(f->loop, &config, &callbacks, f, error);
    f->big = xcalloc(1, REPLY);
    memset(f->big, 'x', REPLY);
    assert_string_equal(error, "");
    return f;
}

static void finish(struct fixture *f)
{
    http_free(f->http);
    assert_int_equal(f->over, f->requests);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f->pump);
    free(f->big);
    free(f);
}

static struct pump_got client(struct fixture *f, const char *bytes, size_t len)
{
    struct pump_got g = {.fd = pump_connect(http_port(f->http))};
    g.bytes = xcalloc(1, 1);
    assert_int_equal(send(g.fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    return g;
}

static void wait_for(struct fixture *f, struct pump_got *g, const char *text)
{
    g->want = text;
    g->want_count = 1;
    assert_true(pump_within(f->pump, 5000, pump_has, g));
    if (!strstr(g->bytes, text))
        fail_msg("no %s in: %s", text, g->bytes);
}

static void hang_up(struct pump_got *g)
{
    close(g->fd);
    free(g->bytes);
}

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\n"
#define BAD(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static const struct str bad[] = {
    BAD(HEAD "Content-Length : 5\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5 5\r\n\r\nhello"),
    BAD(HEAD "Content-Length: +5\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 0x5\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5,5\r\n\r\nhello"),
    BAD(HEAD "Content-Length:\r\n\r\n"),
    BAD(HEAD "Content-Length: 1\r\n 0\r\n\r\nhello67890"),
    BAD(HEAD "Content-Length:\r\n 5\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\r\n\t\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\r\ncontent-length: 0\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\0\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\0 6\r\nX: y\r\n\r\nhello"),
    BAD(HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: \x0b"
             "chunked\r\n\r\n0\r\n\r\n"),
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BAD(HEAD "X: a\r\n b\r\n\r\n"),
    BAD(HEAD "X: a\r\n b"),
    BAD(HEAD " X: a\r\n\r\n"),
    BAD(HEAD "X: a\rb\r\n\r\n"),
    BAD(HEAD "X: a\0b\r\n\r\n"),
    BAD(HEAD "X\0: a\r\n\r\n"),
    BAD(HEAD "X Y: a\r\n\r\n"),
    BAD(HEAD "X(: a\r\n\r\n"),
    BAD(HEAD ": a\r\n\r\n"),
    BAD(HEAD "X: \x01\r\n\r\n"),
    BAD(HEAD "X: \x7f\r\n\r\n"),
    BAD(HEAD "X\r\n\r\n"),
    BAD(HEAD "X: a\n\r\n"),
    BAD("GET / HTTP/1.1\nHost: h\n\n"),
    BAD("GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\nX: y\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
    BAD("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    BAD("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    BAD("GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET /?a\0b HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET /  HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET /\t HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("G(T / HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET a HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET ?a HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET \\a HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("OPTIONS *a HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET http:// HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD("GET http://a@b/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5;x\nhello\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\nde\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\nhello\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n"),
    BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n"),
};

/* Each is followed by a whole request, which must not be answered. */
static void what_is_not_http_is_refused_and_the_connection_closed(void **state)
{
    (void)state;
    static const struct str next = STR("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    unsigned failed = 0;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct fixture *f = start(60000);
        char bytes[512];
        memcpy(bytes, bad[i].at, bad[i].len);
        memcpy(bytes + bad[i].len, next.at, next.len);
        struct pump_got g = client(f, bytes, bad[i].len + next.len);
        if (!pump_within(f->pump, 3000, pump_is_closed, &g))
            fail_msg("%u is not closed: %s", i, g.bytes);
        if (!strstr(g.bytes, "HTTP/1.1 400 ") || pump_count(&g, "HTTP/1.1 ") != 1) {
            print_error("%u: %s\n", i, g.bytes);
            failed++;
        }
        assert_string_not_equal(f->path, "/smuggled");
        hang_up(&g);
        finish(f);
    }
    assert_int_equal(failed, 0);
}

/* What MHD takes of a chunk's end where we can't see it: no second request on that connection. */
static void nothing_follows_chunks(void **state)
{
    (void)state;
    static const struct str odd[] = {
        BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"),
        BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\r\n"),
        BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\n"),
        BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
        BAD(HEAD "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    };
    static const struct str next = STR("GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n");
    for (unsigned i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        struct fixture *f = start(60000);
        char bytes[512];
        memcpy(bytes, odd[i].at, odd[i].len);
        memcpy(bytes + odd[i].len, next.at, next.len);
        struct pump_got g = client(f, bytes, odd[i].len + next.len);
        assert_true(pump_within(f->pump, 3000, pump_is_closed, &g));
        assert_int_equal(pump_count(&g, "HTTP/1.1 "), 1);
        assert_non_null(strstr(g.bytes, "Connection: close"));
        assert_int_equal(f->requests, 1);
        hang_up(&g);
        finish(f);
    }
}

/* microhttpd can't read such a line to its end, and has no more room for it: it asks to be run
 * again at once, for as long as that connection lasts. */
static void a_line_without_end_keeps_nobody_waiting(void **state)
{
    (void)state;
    static const char *const heads[] = {
        HEAD "Transfer-Encoding: chunked\r\n\r\n2;",
        "POST /no HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2;",
        HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: ",
    };
    for (unsigned i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct fixture *f = start(60000);
        char bytes[40000];
        size_t len = strlen(heads[i]);
        memset(bytes, 'a', sizeof(bytes));
        memcpy(bytes, heads[i], len);
        struct pump_got g = client(f, bytes, 10), other;
        pump_for(f->pump, 20);
        assert_true(send(g.fd, bytes + 10, sizeof(bytes) - 10, MSG_NOSIGNAL) > 0);
        pump_for(f->pump, 50);
        other = client(f, STR("GET /a HTTP/1.1\r\nHost: h\r\n\r\n").at, 28);
        wait_for(f, &other, "{\"well\":1}");
        hang_up(&other);
        hang_up(&g);
        finish(f);
    }
}

static void what_is_unusual_is_answered(void **state)
{
    (void)state;
    static const struct {
        const char *request, *path, *host;
    } good[] = {
        {"GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "h"},
        {"GET /a HTTP/1.1\r\nHost:h\r\n\r\n", "/a", "h"},
        {"GET /a HTTP/1.1\r\nHost:  \t h \t \r\nX:\r\nY: \r\nZ:y \r\n\r\n", "/a", "h"},
        {"GET /a HTTP/1.1\r\nhOST: [::1]:8000\r\n\r\n", "/a", "[::1]:8000"},
        {"GET /a HTTP/1.1\r\nHost:\r\n\r\n", "/a", ""},
        {"\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "/a", "h"},
        {"GET /a HTTP/1.0\r\n\r\n", "/a", ""},
        {"GET /a HTTP/1.0\r\nX: y\r\n\r\n", "/a", ""},
        {"GET http://other:81/a/b?q=1 HTTP/1.1\r\nHost: h\r\n\r\n", "/a/b", "other:81"},
        {"GET HTTPS://other HTTP/1.1\r\nHost: h\r\n\r\n", "/", "other"},
        {"GET http://other?q HTTP/1.1\r\nHost: h\r\n\r\n", "/", "other"},
        {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "*", "h"},
        {"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", "/%00", "h"},
        {"GET /\xc3\xa4?\xff HTTP/1.1\r\nHost: h\r\nX: \xff\t\xc3\r\n\r\n", "/\xc3\xa4", "h"},
        {"GET /? HTTP/1.1\r\nHost: h\r\n\r\n", "/", "h"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 005\r\n\r\nhello", "/a", "h"},
        {"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
         "Chunked\r\n\r\n0005;x=y\r\nhello\r\n0\r\n\r\n",
         "/a", "h"},
    };
    for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
        struct fixture *f = start(60000);
        struct pump_got g = client(f, good[i].request, strlen(good[i].request));
        wait_for(f, &g, "{\"well\":1}");
        assert_string_equal(f->path, good[i].path);
        assert_string_equal(f->host, good[i].host);
        hang_up(&g);
        finish(f);
    }
}

static void several_lines_of_a_name_are_one_list(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"X-List:\r\n", ""},
        {"X-List:\r\nX-List: \t\r\n", ""},
        {"X-List: \ta b\t \r\n", "a b"},
        {"X-List: a\r\nX-List: b\r\n", "a, b"},
        {"X-List: a,\r\nX: y\r\nx-LIST: a\r\n", "a,, a"},
        {"X-List:\r\nX-List: a\r\nX-List:\r\nX-List: b, c\r\n", "a, b, c"},
        {"X-List: a\r\nX-List-2: b\r\n", "a"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct fixture *f = start(60000);
        char text[256];
        snprintf(text, sizeof(text), "GET /a HTTP/1.1\r\nHost: h\r\n%s\r\n", cases[i][0]);
        struct pump_got g = client(f, text, strlen(text));
        wait_for(f, &g, "{\"well\":1}");
        assert_string_equal(f->list, cases[i][1]);
        assert_string_equal(f->list_again, cases[i][1]);
        hang_up(&g);
        finish(f);
    }
}

/* Also what was joined of them. */
static void credentials_are_forgotten(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "Authorization: Bearer a\r\nCookie: c=1\r\n",
        "Authorization: Bearer a\r\nCookie: c=1\r\nAuthorization: Bearer b\r\nCookie: d=2\r\n",
    };
    static const char *const said[] = {"Bearer a", "Bearer a, Bearer b"};
    for (unsigned i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct fixture *f = start(60000);
        char text[256];
        snprintf(text, sizeof(text), "GET /forget HTTP/1.1\r\nHost: h\r\n%s\r\n", heads[i]);
        struct pump_got g = client(f, text, strlen(text));
        wait_for(f, &g, "{\"well\":1}");
        assert_string_equal(f->authorization, said[i]);
        assert_string_equal(f->forgotten, "");
        hang_up(&g);
        finish(f);
    }
}

static void cookies_are_read_as_perses_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *value;
    } rows[] = {
        {"Cookie: jwtPayload=x\r\n", "x"},
        {"Cookie: a=\"b; jwtPayload=x\r\n", "x"},
        {"Cookie: size=15\"; jwtPayload=x; c=\"\r\n", "x"},
        {"Cookie: a=\"b;c\"; jwtPayload=x\r\n", "x"},
        {"Cookie: a; =b; ; jwtPayload = x ;d\r\n", "x"},
        {"Cookie: a=b;jwtPayload=x;c=d\r\n", "x"},
        {"Cookie: jwtPayload=\"x\"\r\n", "x"},
        {"Cookie: jwtPayload=\"x; jwtPayload=y\r\n", "y"},
        {"Cookie: jwtPayload=x; jwtPayload=y\r\n", "x"},
        {"Cookie: a=b\r\nCookie: jwtPayload=x\r\n", "x"},
        {"Cookie: jwtPayload=\r\n", ""},
        {"Cookie: jwtPayload\r\n", ""},
        {"Cookie: JWTPAYLOAD=x\r\n", ""},
        {"Cookie: xjwtPayload=x\r\n", ""},
        {"Cookie: jwtPayload=x=y=\r\n", "x=y="},
        {"Cookie: a=jwtPayload=x\r\n", ""},
        {"", ""},
    };
    struct fixture *f = start(60000);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char request[512];
        int len = snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n",
                           rows[i].lines);
        struct pump_got g = client(f, request, (size_t)len);
        wait_for(f, &g, "{\"well\":1}");
        assert_string_equal(f->cookie, rows[i].value);
        hang_up(&g);
    }
    finish(f);
}

static void every_answer_says_that_it_is_what_it_says(void **state)
{
    (void)state;
    struct fixture *f = start(60000);
    struct pump_got g = client(f, STR("GET / HTTP/1.1\r\nHost: h\r\n\r\n").at, 27);
    wait_for(f, &g, "{\"well\":1}");
    assert_non_null(strstr(g.bytes, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(g.bytes, "Cache-Control: no-store\r\n"));
    hang_up(&g);
    g = client(f, STR("GET / HTTP/1.1\r\n\r\n").at, 18);
    wait_for(f, &g, "{\"refused\":400}");
    assert_non_null(strstr(g.bytes, "X-Content-Type-Options: nosniff\r\n"));
    assert_non_null(strstr(g.bytes, "Cache-Control: no-store\r\n"));
    hang_up(&g);
    finish(f);
}

static void who_is_refused_at_the_head_has_no_body_taken_in(void **state)
{
    (void)state;
    struct fixture *f = start(60000);
    const char *head = "POST /no HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n";
    struct pump_got g = client(f, head, strlen(head));
    for (int i = 0; i < 60; i++) { /* it has sent all, and sees the answer */
        assert_int_equal(send(g.fd, f->big, 1000, MSG_NOSIGNAL), 1000);
        pump_for(f->pump, 0);
    }
    wait_for(f, &g, "{\"who\":0}");
    pump_send(g.fd, "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for(f, &g, "{\"well\":1}"); /* and may go on */
    assert_int_equal(f->bodies, 1);
    hang_up(&g);

    head = "POST /no HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n";
    g = client(f, head, strlen(head));
    wait_for(f, &g, "{\"who\":0}");
    assert_null(strstr(g.bytes, "100 Continue"));
    hang_up(&g);
    finish(f);
}

static bool has_waiting(void *arg) { return ((struct fixture *)arg)->waiting != NULL; }

static void a_body_waits_in_the_kernel_until_it_is_asked_for(void **state)
{
    (void)state;
    struct fixture *f = start(60000);
    const char *request = "POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
                          "GET /next HTTP/1.1\r\nHost: h\r\n\r\n";
    struct pump_got g = client(f, request, strlen(request));
    assert_true(pump_within(f->pump, 3000, has_waiting, f));
    pump_for(f->pump, 50);
    assert_int_equal(f->bodies, 0);
    assert_int_equal(http_body(f->waiting).len, 0);
    http_read_body(f->waiting, BODY_MAX, on_body);
    g.want = "{\"well\":1}";
    g.want_count = 2;
    assert_true(pump_within(f->pump, 3000, pump_has, &g));
    assert_int_equal(pump_count(&g, "{\"well\":1}"), 2);
    assert_int_equal(f->gone, 0);
    hang_up(&g);
    finish(f);
}

static bool is_gone(void *arg) { return ((struct fixture *)arg)->gone > 0; }

static void a_slow_body_is_cut(void **state)
{
    (void)state;
    struct fixture *f = start(150);
    const char *head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n";
    struct pump_got g = client(f, head, strlen(head));
    for (int i = 0; i < 300 && !is_gone(f); i++) {
        (void)!send(g.fd, "x", 1, MSG_NOSIGNAL);
        pump_for(f->pump, 10);
    }
    assert_int_equal(f->gone, 1);
    assert_int_equal(f->bodies, 0);
    hang_up(&g);
    finish(f);
}

static void bodies_have_a_budget(void **state)
{
    (void)state;
    struct fixture *f = start(60000);
    const char *head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\nx";
    struct pump_got a = client(f, head, strlen(head)), b = client(f, head, strlen(head));
    while (f->requests < 2)
        pump_for(f->pump, 5);
    struct pump_got c = client(f, head, strlen(head));
    for (int i = 0; i < 90; i++)
        (void)!send(c.fd, f->big, i < 89 ? 1000 : 999, MSG_NOSIGNAL);
    wait_for(f, &c, "{\"refused\":503}");
    assert_non_null(strstr(c.bytes, "Retry-After: "));
    assert_int_equal(f->gone, 1);
    hang_up(&c);
    hang_up(&a);
    pump_for(f->pump, 50);
    c = client(f, head, strlen(head));
    for (int i = 0; i < 90; i++)
        (void)!send(c.fd, f->big, i < 89 ? 1000 : 999, MSG_NOSIGNAL);
    wait_for(f, &c, "{\"well\":1}");
    assert_int_equal(f->body_bytes, 90000);
    hang_up(&b);
    hang_up(&c);
    finish(f);
}

static void answers_that_nobody_takes_have_a_budget(void **state)
{
    (void)state;
    struct fixture *f = start(60000);
    const char *request = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
    struct pump_got many[8];
    for (unsigned i = 0; i < 8; i++)
        many[i] = client(f, request, strlen(request));
    while (f->requests < 8)
        pump_for(f->pump, 5);
    pump_for(f->pump, 20);
    unsigned refused = 0;
    for (unsigned i = 0; i < 8; i++) {
        pump_drain(&many[i]);
        refused += strstr(many[i].bytes, "{\"refused\":503}") != NULL;
    }
    assert_int_equal(refused, 0); /* the kernel took them */
    for (unsigned i = 0; i < 8; i++)
        hang_up(&many[i]);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_http_is_refused_and_the_connection_closed),
        cmocka_unit_test(nothing_follows_chunks),
        cmocka_unit_test(a_line_without_end_keeps_nobody_waiting),
        cmocka_unit_test(what_is_unusual_is_answered),
        cmocka_unit_test(several_lines_of_a_name_are_one_list),
        cmocka_unit_test(credentials_are_forgotten),
        cmocka_unit_test(cookies_are_read_as_perses_reads_them),
        cmocka_unit_test(every_answer_says_that_it_is_what_it_says),
        cmocka_unit_test(who_is_refused_at_the_head_has_no_body_taken_in),
        cmocka_unit_test(a_body_waits_in_the_kernel_until_it_is_asked_for),
        cmocka_unit_test(a_slow_body_is_cut),
        cmocka_unit_test(bodies_have_a_budget),
        cmocka_unit_test(answers_that_nobody_takes_have_a_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
