/* fetch where servers send more than a pass of the loop may read. */
#include "tests/support/pump.h"

#include <pthread.h>
#include <stdio.h>

#include "common/fetch.h"

/* A server of its own threads: GET /BYTES/KIND sends that many, which count up to a prime, as long
 * as somebody reads. KIND: l has a length, c is chunked, another ends with its connection. */
enum { FLOODS = 16, FLOOD_PRIME = 251, FLOOD_BLOCK = FLOOD_PRIME * 256, FLOOD_MS = 20000 };

static void flood_body(int fd, uint64_t bytes, bool chunked)
{
    static unsigned char block[FLOOD_BLOCK];
    char size[16];
    for (unsigned i = 0; i < FLOOD_BLOCK; i++)
        block[i] = (unsigned char)(i % FLOOD_PRIME);
    while (bytes > 0) {
        size_t len = bytes < FLOOD_BLOCK ? (size_t)bytes : FLOOD_BLOCK;
        int head = chunked ? snprintf(size, sizeof(size), "%zx\r\n", len) : 0;
        if (send(fd, size, (size_t)head, MSG_NOSIGNAL) < 0 ||
            send(fd, block, len, MSG_NOSIGNAL) < 0 ||
            (chunked && send(fd, "\r\n", 2, MSG_NOSIGNAL) < 0))
            return;
        bytes -= len;
    }
    if (chunked)
        (void)!send(fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
}

static void *flood_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[4096] = "", head[128];
    unsigned long long bytes = 0;
    char kind = 0;
    ssize_t n = recv(fd, request, sizeof(request) - 1, 0); /* loopback: in one piece */
    if (n > 0 && sscanf(request, "GET /%llu/%c ", &bytes, &kind) == 2) {
        int len = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%s",
                           kind == 'c' ? "Transfer-Encoding: chunked\r\n" : "");
        if (kind == 'l')
            len +=
                snprintf(head + len, sizeof(head) - (size_t)len, "Content-Length: %llu\r\n", bytes);
        len += snprintf(head + len, sizeof(head) - (size_t)len, "\r\n");
        (void)!send(fd, head, (size_t)len, MSG_NOSIGNAL);
        flood_body(fd, bytes, kind == 'c');
    }
    close(fd);
    return NULL;
}

static void *flood_server(void *arg)
{
    int fd, listener = (int)(intptr_t)arg;
    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, flood_one, (void *)(intptr_t)fd), 0);
        pthread_detach(thread);
    }
    return NULL;
}

struct flood {
    struct fetch *fetch;
    uint64_t bytes, limit, cancel_at;
    enum fetch_status status;
    bool done;
};

struct floods {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct fetch_pool *pool;
    int listener;
    unsigned port;
    pthread_t server;
    struct flood at[FLOODS], small;
    uint64_t pass_bytes, pass_bytes_max, passes;
};

static struct floods *floods; /* of the test that runs */

static void on_flood_head(void *arg, int http_status)
{
    (void)arg;
    assert_int_equal(http_status, 200);
}

/* Nothing is lost, comes twice or out of its order. To look at it all takes time, as parsing. */
static void on_flood_data(void *arg, struct str bytes)
{
    struct flood *d = arg;
    for (size_t i = 0; i < bytes.len; i++)
        if ((unsigned char)bytes.at[i] != (d->bytes + i) % FLOOD_PRIME)
            fail();
    d->bytes += bytes.len;
    floods->pass_bytes += bytes.len;
    if (d->cancel_at > 0 && d->bytes >= d->cancel_at) {
        d->done = true;
        fetch_cancel(d->fetch);
    }
}

static void on_flood_done(void *arg, const struct fetch_result *r)
{
    struct flood *d = arg;
    d->done = true;
    d->status = r->status;
    assert_int_equal(d->bytes, r->body_bytes);
}

static void on_flood_pass(void *arg)
{
    struct floods *s = arg;
    s->passes++;
    if (s->pass_bytes > s->pass_bytes_max)
        s->pass_bytes_max = s->pass_bytes;
    s->pass_bytes = 0;
}

static void flood_start(struct floods *s, struct flood *d, struct flood want, const char *path)
{
    static const struct fetch_handler handler = {on_flood_head, on_flood_data, on_flood_done};
    char text[128];
    *d = want;
    snprintf(text, sizeof(text), "http://127.0.0.1:%u%s", s->port, path);
    struct fetch_request r = {
        .method = "GET", .url = text, .body_bytes_max = want.limit, .idle_ms = FLOOD_MS};
    d->fetch = fetch_start(s->pool, &r, &handler, d);
}

static struct floods *floods_new(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t len = sizeof(to);
    struct floods *s = floods = xcalloc(1, sizeof(*s));
    s->loop = loop_new();
    s->pump = pump_new(s->loop, &s->tick);
    s->pool = fetch_pool_new(s->loop);
    loop_on_write(s->loop, on_flood_pass, s);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(listen(s->listener, 100), 0);
    getsockname(s->listener, (struct sockaddr *)&to, &len);
    s->port = ntohs(to.sin_port);
    assert_int_equal(pthread_create(&s->server, NULL, flood_server, (void *)(intptr_t)s->listener),
                     0);
    return s;
}

static void floods_free(struct floods *s)
{
    shutdown(s->listener, SHUT_RDWR);
    pthread_join(s->server, NULL);
    close(s->listener);
    loop_off(s->loop, s);
    assert_int_equal(fetch_pool_active(s->pool), 0);
    fetch_pool_free(s->pool);
    loop_timer_free(s->tick);
    loop_free(s->loop);
    free(s->pump);
    free(s);
}

static bool floods_flow(void *arg)
{
    const struct floods *s = arg;
    for (unsigned i = 0; i < FLOODS; i++)
        if (s->at[i].bytes < 2 << 20)
            return false;
    return true;
}

static bool small_done(void *arg) { return ((struct floods *)arg)->small.done; }

static void bodies_without_end_share_the_passes(void **state)
{
    (void)state;
    struct floods *s = floods_new();
    struct flood endless = {.limit = UINT64_C(1) << 40};
    for (unsigned i = 0; i < FLOODS; i++)
        flood_start(s, &s->at[i], endless, "/1000000000000/e");
    assert_true(pump_within(s->pump, FLOOD_MS, floods_flow, s)); /* each has its turn */
    uint64_t passes = s->passes;
    flood_start(s, &s->small, (struct flood){.limit = 1000}, "/1000/l");
    assert_true(pump_within(s->pump, FLOOD_MS, small_done, s));
    assert_int_equal(s->small.status, FETCH_OK);
    print_message("at most %llu bytes in a pass; a small request took %llu passes\n",
                  (unsigned long long)s->pass_bytes_max, (unsigned long long)(s->passes - passes));
    for (unsigned i = 0; i < FLOODS; i++) {
        assert_false(s->at[i].done);
        fetch_cancel(s->at[i].fetch); /* paused or not */
    }
    /* 256 KiB, and of each its share of 32 KiB with a buffer more */
    assert_true(s->pass_bytes_max <= (256 + FLOODS * 40) * 1024);
    floods_free(s);
}

static bool floods_done(void *arg)
{
    const struct floods *s = arg;
    for (unsigned i = 0; i < FLOODS; i++)
        if (!s->at[i].done)
            return false;
    return true;
}

static void bodies_that_wait_come_whole(void **state)
{
    (void)state;
    static const char *const paths[] = {"/3000001/l", "/3000001/c", "/3000001/e",
                                        "/1000000000000/e"};
    struct floods *s = floods_new();
    for (unsigned i = 0; i < FLOODS; i++) { /* of the fourth, two are cancelled, two are too big */
        struct flood want = {.limit = 3000001 + i};
        if (i % 8 == 3)
            want = (struct flood){.limit = UINT64_C(1) << 40, .cancel_at = 1000000 + i};
        flood_start(s, &s->at[i], want, paths[i % 4]);
    }
    assert_true(pump_within(s->pump, FLOOD_MS, floods_done, s));
    for (unsigned i = 0; i < FLOODS; i++) {
        const struct flood *d = &s->at[i];
        if (i % 4 < 3)
            assert_true(d->status == FETCH_OK && d->bytes == 3000001);
        else if (i % 8 == 7)
            assert_true(d->status == FETCH_TOO_BIG && d->bytes <= d->limit);
        else
            assert_true(d->bytes >= d->cancel_at && d->bytes < d->cancel_at + 65536);
    }
    floods_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_without_end_share_the_passes),
        cmocka_unit_test(bodies_that_wait_come_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
