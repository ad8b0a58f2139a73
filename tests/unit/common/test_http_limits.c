/* The HTTP server at its limits: connections, those of one address, descriptors. */
#include "tests/support/pump.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <sys/resource.h>

#include "common/address.h"
#include "common/http.h"

enum { MOST = 8, MANY = 200 };

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    unsigned requests, crowded;
    char sender[INET6_ADDRSTRLEN]; /* of the last request */
    int fds[MANY];
};

static void on_request(void *arg, struct http_request *r)
{
    struct fixture *f = arg;
    bool probe = str_is(http_path(r), "/healthz"), crowded = http_crowded(r);
    struct address sender = http_sender(r);
    address_text(&sender, f->sender);
    f->requests++;
    f->crowded += crowded;
    http_reply(r, crowded && !probe ? 503 : 200, "text/plain", STR("well\n"));
}

static struct fixture *start(const char *listen, unsigned of_one_address, const char *proxies)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    struct http_config config = {.listen = listen,
                                 .connections_max = MOST,
                                 .address_connections_max = of_one_address,
                                 .proxies = proxies,
                                 .idle_ms = 60000};
    struct http_callbacks callbacks = {.on_request = on_request};
    char error[256] = "";
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    f->http = http_new(f->loop, &config, &callbacks, f, error);
    assert_string_equal(error, "");
    for (unsigned i = 0; i < MANY; i++)
        f->fds[i] = -1;
    return f;
}

static void hang_up(struct fixture *f)
{
    for (unsigned i = 0; i < MANY; i++) {
        if (f->fds[i] >= 0)
            close(f->fds[i]);
        f->fds[i] = -1;
    }
}

static void finish(struct fixture *f)
{
    hang_up(f);
    http_free(f->http);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f->pump);
    free(f);
}

static void connect_many(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        f->fds[i] = pump_connect(http_port(f->http));
}

/* The status of GET path on a connection of its own; 0: none came. more: header lines. */
static int asked_with(struct fixture *f, const char *path, const char *more)
{
    char request[512];
    struct pump_got g = {.fd = pump_connect(http_port(f->http)), .want = "well\n"};
    g.bytes = xcalloc(1, 1);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", path, more);
    pump_send(g.fd, request);
    pump_within(f->pump, 3000, pump_has, &g);
    uint64_t status = 0;
    if (g.len > 12)
        assert_true(str_u64((struct str){g.bytes + 9, 3}, 999, &status));
    close(g.fd);
    free(g.bytes);
    return (int)status;
}

static int asked(struct fixture *f, const char *path) { return asked_with(f, path, ""); }

static bool is_full(void *arg) { return http_connections(arg) >= MOST; }

static bool is_empty(void *arg) { return http_connections(arg) == 0; }

static void it_hears_again_when_all_of_a_burst_have_gone(void **state)
{
    (void)state;
    struct fixture *f = start("127.0.0.1:0", 0, NULL);
    for (int round = 0; round < 3; round++) {
        connect_many(f, MANY);
        assert_true(pump_within(f->pump, 3000, is_full, f->http));
        pump_for(f->pump, 20);
        hang_up(f);
        assert_true(pump_within(f->pump, 3000, is_empty, f->http)); /* 503 is right before */
        assert_int_equal(asked(f, "/x"), 200);
    }
    assert_true(pump_within(f->pump, 3000, is_empty, f->http));
    finish(f);
}

static void probes_are_answered_while_it_is_full(void **state)
{
    (void)state;
    struct fixture *f = start("127.0.0.1:0", 0, NULL);
    connect_many(f, MOST);
    assert_true(pump_within(f->pump, 3000, is_full, f->http));
    for (int i = 0; i < 100; i++) /* each ends with its answer, or they would be full too */
        assert_int_equal(asked(f, "/healthz"), 200);
    assert_int_equal(asked(f, "/x"), 503);
    assert_int_equal(f->crowded, 101);
    hang_up(f);
    assert_true(pump_within(f->pump, 3000, is_empty, f->http));
    assert_int_equal(asked(f, "/x"), 200);
    assert_int_equal(f->crowded, 101);
    finish(f);
}

static void silent_ones_do_not_keep_probes_out(void **state)
{
    (void)state;
    struct fixture *f = start("127.0.0.1:0", 0, NULL);
    connect_many(f, MANY);
    assert_true(pump_within(f->pump, 3000, is_full, f->http));
    for (int i = 0; i < 10; i++)
        assert_int_equal(asked(f, "/healthz"), 200);
    assert_true(http_connections(f->http) < MOST + 100);
    finish(f);
}

static void a_crowded_one_is_served_once_there_is_room(void **state)
{
    (void)state;
    struct fixture *f = start("127.0.0.1:0", 0, NULL);
    connect_many(f, MOST + 1);
    assert_true(pump_within(f->pump, 3000, is_full, f->http));
    pump_for(f->pump, 20);
    close(f->fds[0]);
    f->fds[0] = -1;
    pump_for(f->pump, 20);
    struct pump_got g = {.fd = f->fds[MOST], .want = "well\n", .want_count = 2};
    g.bytes = xcalloc(1, 1);
    pump_send(g.fd, "GET /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_true(pump_within(f->pump, 3000, pump_has, &g));
    assert_int_equal(pump_count(&g, "HTTP/1.1 200"), 2);
    assert_false(g.closed);
    free(g.bytes);
    finish(f);
}

static void it_hears_again_when_there_are_descriptors(void **state)
{
    (void)state;
    struct fixture *f = start("127.0.0.1:0", 0, NULL);
    struct rlimit before, few;
    for (unsigned i = 0; i < 4; i++) /* not accepted yet: only the kernel has them */
        f->fds[i] = pump_connect(http_port(f->http));
    int next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    pump_for(f->pump, 50);
    assert_int_equal(http_connections(f->http), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(asked(f, "/x"), 200); /* by the timer: nobody has left */
    finish(f);
}

static void connections_leave_descriptors_for_all_else(void **state)
{
    (void)state;
    enum { FILES = 3000, OTHERS = 256, DAEMON = 128, CROWDED = 64 };
    struct loop *l = loop_new();
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){FILES, before.rlim_max}), 0);
    struct http_config config = {.listen = "127.0.0.1:0", .connections_max = 100000};
    struct http_callbacks callbacks = {.on_request = on_request};
    char error[256] = "", line[512] = "";
    FILE *into = tmpfile();
    int real_stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(into), STDERR_FILENO), STDERR_FILENO);
    struct http *h = http_new(l, &config, &callbacks, NULL, error);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    rewind(into);
    assert_non_null(fgets(line, sizeof(line), into));
    fclose(into);
    unsigned max = 0;
    assert_non_null(strstr(line, " max="));
    assert_int_equal(sscanf(strstr(line, " max="), " max=%u", &max), 1);
    unsigned all = max + CROWDED; /* microhttpd has a descriptor of its own for each 128 */
    assert_in_range(all + (all + DAEMON - 1) / DAEMON + OTHERS, FILES - 10, FILES);
    http_free(h);
    loop_free(l);
}

/* An address of this machine that is not loopback; false: it has none. */
static bool own_address(struct sockaddr_in *out)
{
    struct ifaddrs *all;
    bool found = false;
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *a = all; a != NULL && !found; a = a->ifa_next) {
        if (a->ifa_addr == NULL || a->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(out, a->ifa_addr, sizeof(*out));
        found = ntohl(out->sin_addr.s_addr) >> 24 != 127;
    }
    freeifaddrs(all);
    return found;
}

static void connect_from(struct fixture *f, struct sockaddr_in to, unsigned count)
{
    to.sin_port = htons(http_port(f->http));
    for (unsigned i = 0; i < count; i++) {
        f->fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(f->fds[i], (struct sockaddr *)&to, sizeof(to)), 0);
    }
    pump_for(f->pump, 50);
}

static void one_address_does_not_take_all(void **state)
{
    (void)state;
    struct sockaddr_in own;
    if (!own_address(&own))
        skip();
    struct fixture *f = start("0.0.0.0:0", 3, NULL);
    connect_from(f, own, 20);
    assert_int_equal(http_connections(f->http), 3);
    assert_int_equal(asked(f, "/x"), 200); /* loopback is not counted */
    hang_up(f);
    assert_true(pump_within(f->pump, 3000, is_empty, f->http));
    connect_from(f, own, 3);
    assert_int_equal(http_connections(f->http), 3);
    finish(f);

    f = start("0.0.0.0:0", 1000, NULL); /* more than half of all is never one address's */
    connect_from(f, own, 20);
    assert_int_equal(http_connections(f->http), MOST / 2);
    finish(f);
}

static void a_proxy_is_not_counted_as_one(void **state)
{
    (void)state;
    struct sockaddr_in own;
    if (!own_address(&own))
        skip();
    struct fixture *f = start("0.0.0.0:0", 2, "192.0.2.0/24, 0.0.0.0/0");
    connect_from(f, own, 6);
    assert_int_equal(http_connections(f->http), 6);
    finish(f);
}

static bool has(const char *networks, const char *text)
{
    struct networks n;
    struct address a;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    assert_true(networks_parse(str_of(networks), &n));
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        assert_true(address_of((struct sockaddr *)&v4, &a));
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        assert_true(address_of((struct sockaddr *)&v6, &a));
    else
        fail();
    return networks_have(&n, &a);
}

static void networks_are_read(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_true(has("10.0.0.0/8", "::ffff:10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("172.16.0.0/12,fc00::/7", "172.31.255.255"));
    assert_false(has("172.16.0.0/12,fc00::/7", "172.32.0.0"));
    assert_true(has("172.16.0.0/12,fc00::/7", "fd12::1"));
    assert_false(has("fc00::/7", "fe00::1"));
    assert_true(has(" 192.0.2.1 ,, ::1", "192.0.2.1"));
    assert_false(has("192.0.2.1", "192.0.2.2"));
    assert_true(has("0.0.0.0/0", "8.8.8.8"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "2001:db8::1"));
    assert_false(has("", "127.0.0.1"));
    static const char *const bad[] = {"x",          "10.0.0.0/33", "10.0.0",       "10.0.0.0/",
                                      "::1/129",    "10.0.0.0/-1", "10.0.0.0/8/8", "1:2",
                                      "10.0.0.0 /8"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct networks n;
        assert_false(networks_parse(str_of(bad[i]), &n));
    }
}

static void addresses_are_read(void **state)
{
    (void)state;
    static const char *const good[][2] = {{"192.0.2.1", "192.0.2.1"},
                                          {"192.0.2.1:80", "192.0.2.1"},
                                          {"::1", "::1"},
                                          {"2001:db8::80", "2001:db8::80"},
                                          {"[2001:db8::1]", "2001:db8::1"},
                                          {"[2001:db8::1]:80", "2001:db8::1"},
                                          {"::ffff:192.0.2.1", "192.0.2.1"}};
    static const char *const bad[] = {"",
                                      "unknown",
                                      "192.0.2",
                                      "192.0.2.1.",
                                      "[192.0.2.1]",
                                      "[::1",
                                      "[]",
                                      ":80",
                                      "_hidden",
                                      "name:80",
                                      "192.0.2.1x",
                                      "192.0.2.1:x",
                                      "192.0.2.1:65536",
                                      "[::1]x",
                                      "[::1]:x",
                                      "[::1]80",
                                      "[::1]:80x"};
    struct address a;
    char text[INET6_ADDRSTRLEN];
    for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(address_parse(str_of(good[i][0]), &a));
        address_text(&a, text);
        assert_string_equal(text, good[i][1]);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(address_parse(str_of(bad[i]), &a));
}

static void hosts_are_read(void **state)
{
    (void)state;
    static const char *const good[][2] = {{"localhost", "localhost"},
                                          {"a.B-c_d~e", "a.B-c_d~e"},
                                          {"name:80", "name"},
                                          {"name:", "name"},
                                          {"name:0", "name"},
                                          {"name:65535", "name"},
                                          {"127.0.0.1:080", "127.0.0.1"},
                                          {"a%2Fb,c", "a%2Fb,c"},
                                          {"[::1]", "::1"},
                                          {"[::1]:", "::1"},
                                          {"[2001:db8::1]:80", "2001:db8::1"},
                                          {"[::ffff:127.0.0.1]", "::ffff:127.0.0.1"}};
    static const char *const bad[] = {"",
                                      ":",
                                      ":80",
                                      "name:x",
                                      "name:80x",
                                      "name:-1",
                                      "name:+1",
                                      "name: 1",
                                      "name:65536",
                                      "name:99999",
                                      "name:80:80",
                                      "::1",
                                      "na me",
                                      "na/me",
                                      "a@b",
                                      "na%2",
                                      "na%zz",
                                      "n\x7f",
                                      "caf\xc3\xa9",
                                      "[",
                                      "[]",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]evil.com",
                                      "[::1]80",
                                      "[::1]:x",
                                      "[::1]:65536",
                                      "[127.0.0.1]",
                                      "[name]",
                                      "[::1]]",
                                      "[[::1]]",
                                      "x[::1]",
                                      "[fe80::1%25eth0]",
                                      "[v1.a]",
                                      "127.0.0.1:evil",
                                      "127.0.0.1]",
                                      "name:18446744073709551617"};
    struct str name;
    for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(address_host(str_of(good[i][0]), &name));
        assert_true(str_is(name, good[i][1]));
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(address_host(str_of(bad[i]), &name));
    assert_false(address_host((struct str){"a\0b", 3}, &name));
    assert_true(address_is_local(STR("A.LocalHost")) && address_is_local(STR("127.9.9.9")));
    assert_true(address_is_local(STR("::1")) && address_is_local(STR("localhost")));
    assert_false(address_is_local(STR("localhost.evil")) || address_is_local(STR("192.0.2.1")));
    assert_false(address_is_local(STR("")) || address_is_local(STR(".localhost")));
    assert_true(address_listed(STR("A:80"), STR("b, a")) &&
                address_listed(STR("a:80"), STR("a:80")));
    assert_false(address_listed(STR("a:81"), STR("a:80")) || address_listed(STR("a"), STR("")));
    assert_false(address_listed(STR("x.a"), STR("a,,")) || address_listed(STR("a:x"), STR("a:x")));
}

static bool was_asked(void *arg) { return ((struct fixture *)arg)->requests > 0; }

static void sender_is_who_the_proxies_were_asked_by(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "127.0.0.1"},
        {"X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
        {"X-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n", "192.0.2.7"}, /* what it said itself */
        {"X-Forwarded-For: 1.1.1.1,192.0.2.7 , 10.1.2.3\r\n", "192.0.2.7"},
        {"X-Forwarded-For: 10.9.9.9, 10.1.2.3\r\n", "10.9.9.9"},
        {"X-Forwarded-For: unknown, 10.1.2.3\r\n", "10.1.2.3"},
        {"X-Forwarded-For: 192.0.2.7, nonsense\r\n", "127.0.0.1"},
        {"X-Forwarded-For: [2001:db8::1]:4711\r\n", "2001:db8::1"},
        {"X-Forwarded-For: ,,\r\n", "127.0.0.1"},
        {"X-Forwarded-For:\r\n", "127.0.0.1"},
        /* several lines are one list (RFC 9110 section 5.3) */
        {"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
        {"X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 192.0.2.7, 10.1.2.3\r\n", "192.0.2.7"},
        {"X-Forwarded-For: 192.0.2.7\r\nX: y\r\nX-Forwarded-For:\r\n", "192.0.2.7"},
        {"X-Forwarded-For:\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
        {"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 10.1.2.3\r\n"
         "X-Forwarded-For: 10.1.2.4\r\n",
         "1.1.1.1"},
    };
    struct fixture *f = start("127.0.0.1:0", 0, "10.0.0.0/8");
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(asked_with(f, "/x", cases[i][0]), 200);
        assert_string_equal(f->sender, cases[i][1]);
    }
    finish(f);

    struct sockaddr_in own;
    if (!own_address(&own))
        return;
    f = start("0.0.0.0:0", 0, NULL); /* who is no proxy is not asked for whom */
    char request[] = "GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n";
    char text[INET6_ADDRSTRLEN];
    connect_from(f, own, 1);
    pump_send(f->fds[0], request);
    assert_true(pump_within(f->pump, 3000, was_asked, f));
    inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text));
    assert_string_equal(f->sender, text);
    finish(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_hears_again_when_all_of_a_burst_have_gone),
        cmocka_unit_test(probes_are_answered_while_it_is_full),
        cmocka_unit_test(silent_ones_do_not_keep_probes_out),
        cmocka_unit_test(a_crowded_one_is_served_once_there_is_room),
        cmocka_unit_test(it_hears_again_when_there_are_descriptors),
        cmocka_unit_test(connections_leave_descriptors_for_all_else),
        cmocka_unit_test(one_address_does_not_take_all),
        cmocka_unit_test(a_proxy_is_not_counted_as_one),
        cmocka_unit_test(networks_are_read),
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(hosts_are_read),
        cmocka_unit_test(sender_is_who_the_proxies_were_asked_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
