/* Both ends of a link in one process on one loop, with and without keys. */
#include "tests/support/unit.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/secret.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "proto/wire_keys.h"

struct turn_context {
    struct loop *loop;
    struct wire *router, *dealer;
    struct wire_peer *worker; /* as the router knows it */
    unsigned to_router, to_dealer, gone;
    size_t bytes, expect_bytes, bytes_before, bytes_most;
    unsigned sent;
    unsigned expect_messages;
    struct loop_timer *timer, *patience;
    char keys[256], error[256];
    bool late;
};

static bool send_to(struct wire_peer *p, struct str bytes)
{
    bool fits = buf_add_str(wire_out(p), bytes);
    wire_touch(p);
    return fits;
}

static void at_router(void *arg, struct wire_peer *p, struct str bytes)
{
    struct turn_context *s = arg;
    s->worker = p;
    s->to_router++;
    s->bytes += bytes.len;
    if ((s->expect_messages && s->to_router >= s->expect_messages) ||
        (s->expect_bytes && s->bytes >= s->expect_bytes))
        loop_stop(s->loop);
}

static void at_dealer(void *arg, struct wire_peer *p, struct str bytes)
{
    (void)p;
    struct turn_context *s = arg;
    s->to_dealer++;
    s->bytes += bytes.len;
    loop_stop(s->loop);
}

static void on_gone(void *arg, struct wire_peer *p)
{
    struct turn_context *s = arg;
    assert_ptr_equal(p, s->worker);
    s->gone++;
    s->worker = NULL;
    loop_stop(s->loop);
}

static void too_late(void *arg)
{
    struct turn_context *s = arg;
    s->late = true;
    loop_stop(s->loop);
}

static const struct wire_callbacks router_calls = {at_router, on_gone},
                                   dealer_calls = {at_dealer, NULL};

static void open_router(struct turn_context *s, const char *endpoint)
{
    struct wire_config c = {.keys = *s->keys ? s->keys : NULL, .open = true};
    s->router = wire_router_new(s->loop, &c, endpoint, &router_calls, s, s->error);
    if (!s->router)
        fail_msg("%s", s->error);
}

static void open_dealer_to(struct turn_context *s, const char *endpoint, const char *keys,
                           uint64_t out_bytes_max)
{
    struct wire_config c = {.keys = keys, .open = true, .out_bytes_max = out_bytes_max};
    s->dealer = wire_dealer_new(s->loop, &c, endpoint, &dealer_calls, s, s->error);
    if (!s->dealer)
        fail_msg("%s", s->error);
}

static void open_dealer(struct turn_context *s, const char *keys, uint64_t out_bytes_max)
{
    open_dealer_to(s, wire_bound(s->router), keys, out_bytes_max);
}

static int set_up(void **state)
{
    struct turn_context *s = calloc(1, sizeof(*s));
    s->loop = loop_new();
    s->patience = loop_timer_new(s->loop, too_late, s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct turn_context *s = *state;
    wire_free(s->dealer);
    wire_free(s->router);
    loop_timer_free(s->timer);
    loop_timer_free(s->patience);
    loop_free(s->loop);
    if (*s->keys) {
        char command[600];
        snprintf(command, sizeof(command), "rm -rf '%s' '%s-other'", s->keys, s->keys);
        assert_int_equal(system(command), 0);
    }
    free(s);
    return 0;
}

static void run(struct turn_context *s, int64_t patience_ms)
{
    s->late = false;
    loop_timer_set(s->patience, patience_ms, 0);
    loop_run(s->loop);
}

static void make_keys(struct turn_context *s, const char *suffix, char *path, size_t size)
{
    static char base[64];
    if (!*base) {
        snprintf(base, sizeof(base), "/tmp/persai-wire-XXXXXX");
        assert_non_null(mkdtemp(base));
    }
    snprintf(path, size, "%s%s", base, suffix);
    if (!wire_keys_make(path, s->error))
        fail_msg("%s", s->error);
}

static void a_message_goes_there_and_back(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 0);
    s->expect_messages = 1;
    assert_true(send_to(wire_gateway(s->dealer), STR("hello")));
    run(s, 5000);
    assert_int_equal(s->to_router, 1);
    assert_true(send_to(s->worker, STR("welcome")));
    run(s, 5000);
    assert_int_equal(s->to_dealer, 1);
}

static void what_is_sent_in_a_pass_is_one_message(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:0");
    open_dealer(s, NULL, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_true(send_to(wire_gateway(s->dealer), STR("0123456789")));
    s->expect_bytes = 1000;
    run(s, 5000);
    assert_int_equal(s->to_router, 1);
    assert_int_equal(s->bytes, 1000);
}

static void send_much(void *arg)
{
    struct turn_context *s = arg;
    static char kilobyte[1024];
    for (unsigned i = 0; i < 200; i++)
        if (!send_to(wire_gateway(s->dealer), (struct str){kilobyte, sizeof(kilobyte)}))
            break;
}

static void a_burst_arrives_whole(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 0);
    s->timer = loop_timer_new(s->loop, send_much, s);
    loop_timer_set(s->timer, 1, 1);
    s->expect_bytes = 50 << 20;
    run(s, 20000);
    assert_false(s->late);
}

static void what_waits_for_a_peer_is_bounded(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 1000);
    char bytes[600] = {0};
    assert_true(send_to(wire_gateway(s->dealer), (struct str){bytes, 600}));
    assert_false(send_to(wire_gateway(s->dealer), (struct str){bytes, 600}));
    s->expect_messages = 1;
    run(s, 5000);
    assert_int_equal(s->bytes, 600); /* whole, and nothing of the other */
}

/* Not by a router that is closed again: ZeroMQ closes its listener a little later, in its own
 * thread. */
static void free_endpoint(char *endpoint, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    snprintf(endpoint, size, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
}

/* More than one ZeroMQ message may hold is waiting: it goes in several, cut between frames. */
static void a_large_backlog_arrives_whole(void **state)
{
    enum { FRAME_BYTES = 1000 * 1000, FRAMES = 8 };
    struct turn_context *s = *state;
    char endpoint[128], *bytes = calloc(1, FRAME_BYTES);
    free_endpoint(endpoint, sizeof(endpoint));
    open_dealer_to(s, endpoint, NULL, 0);
    for (unsigned i = 0; i < FRAMES; i++)
        assert_true(send_to(wire_gateway(s->dealer), (struct str){bytes, FRAME_BYTES}));
    run(s, 50);
    s->expect_bytes = FRAMES * FRAME_BYTES;
    open_router(s, endpoint);
    run(s, 10000);
    assert_false(s->late);
    assert_int_equal(s->bytes, FRAMES * FRAME_BYTES);
    assert_true(s->to_router > 1 && s->to_router < FRAMES);
    free(bytes);
}

/* The router's process does not read for a while: what comes meanwhile waits and is all there. */
static void stall(void *arg)
{
    struct turn_context *s = arg;
    static unsigned passes;
    if (passes++ % 50 == 0)
        usleep(100 * 1000);
    send_much(s);
}

static void a_slow_receiver_gets_everything(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 0);
    s->timer = loop_timer_new(s->loop, stall, s);
    loop_timer_set(s->timer, 1, 1);
    s->expect_bytes = 30 << 20;
    run(s, 20000);
    assert_false(s->late);
}

enum { SOME_BYTES = 50000, SOME_MESSAGES = 60 };

static void send_some(void *arg)
{
    struct turn_context *s = arg;
    static char bytes[SOME_BYTES];
    s->sent++;
    assert_true(send_to(wire_gateway(s->dealer), (struct str){bytes, sizeof(bytes)}));
    if (s->sent == SOME_MESSAGES)
        loop_stop(s->loop);
}

static void end_of_pass(void *arg)
{
    struct turn_context *s = arg;
    if (s->bytes - s->bytes_before > s->bytes_most)
        s->bytes_most = s->bytes - s->bytes_before;
    s->bytes_before = s->bytes;
}

/* However much has come while it did something else: others have their turn in between. */
static void what_a_pass_takes_is_bounded(void **state)
{
    struct turn_context *s = *state, there = {.loop = loop_new()};
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer_to(&there, wire_bound(s->router), NULL, 0);
    there.timer = loop_timer_new(there.loop, send_some, &there);
    loop_timer_set(there.timer, 1, 1);
    loop_run(there.loop);
    usleep(100 * 1000); /* ZeroMQ's thread takes the rest in */
    loop_on_write(s->loop, end_of_pass, s);
    s->expect_bytes = SOME_MESSAGES * SOME_BYTES;
    run(s, 10000);
    assert_false(s->late);
    assert_true(s->to_router > SOME_MESSAGES / 2);
    assert_true(s->bytes_most < 700 * 1000);
    wire_free(there.dealer);
    loop_timer_free(there.timer);
    loop_free(there.loop);
}

static void beat(void *arg)
{
    struct turn_context *s = arg;
    if (s->worker)
        send_to(s->worker, STR("beat"));
}

static void a_peer_that_left_is_told_of_at_the_next_send(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 0);
    s->expect_messages = 1;
    send_to(wire_gateway(s->dealer), STR("hello"));
    run(s, 5000);
    wire_free(s->dealer);
    s->dealer = NULL;
    s->timer = loop_timer_new(s->loop, beat, s);
    loop_timer_set(s->timer, 20, 20);
    run(s, 5000);
    assert_int_equal(s->gone, 1);
}

static void a_dropped_peer_that_speaks_again_is_a_new_one(void **state)
{
    struct turn_context *s = *state;
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 0);
    s->expect_messages = 1;
    send_to(wire_gateway(s->dealer), STR("one"));
    run(s, 5000);
    wire_peer_set(s->worker, s);
    wire_peer_drop(s->worker);
    s->expect_messages = 2;
    send_to(wire_gateway(s->dealer), STR("two"));
    run(s, 5000);
    assert_int_equal(s->to_router, 2);
    assert_null(wire_peer_get(s->worker));
}

static void messages_wait_for_a_gateway_that_is_not_there_yet(void **state)
{
    struct turn_context *s = *state;
    char endpoint[128];
    free_endpoint(endpoint, sizeof(endpoint));
    open_dealer_to(s, endpoint, NULL, 0);
    send_to(wire_gateway(s->dealer), STR("early"));
    run(s, 300);
    s->expect_messages = 1;
    open_router(s, endpoint);
    run(s, 5000);
    assert_int_equal(s->to_router, 1);
}

static void with_keys_it_works_as_well(void **state)
{
    struct turn_context *s = *state;
    make_keys(s, "", s->keys, sizeof(s->keys));
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, s->keys, 0);
    s->expect_messages = 1;
    send_to(wire_gateway(s->dealer), STR("hello"));
    run(s, 5000);
    assert_int_equal(s->to_router, 1);
    send_to(s->worker, STR("welcome"));
    run(s, 5000);
    assert_int_equal(s->to_dealer, 1);
}

/* As on another machine: its own keys, and of the gateway the public one only (czmq would take the
 * secret file, were it there, for the public key as well). */
static void knows_gateway(struct turn_context *s, const char *worker_keys)
{
    char command[1024];
    snprintf(command, sizeof(command), "cp '%s/gateway.key' '%s/' && rm '%s/gateway.key_secret'",
             s->keys, worker_keys, worker_keys);
    assert_int_equal(system(command), 0);
}

static void a_worker_that_is_not_on_the_list_never_gets_through(void **state)
{
    struct turn_context *s = *state;
    char other[300];
    make_keys(s, "", s->keys, sizeof(s->keys));
    make_keys(s, "-other", other, sizeof(other));
    /* It knows the right gateway, but its own key is not among those accepted. */
    knows_gateway(s, other);
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, other, 0);
    send_to(wire_gateway(s->dealer), STR("hello"));
    run(s, 700);
    assert_int_equal(s->to_router, 0);
}

/* An operator copies a worker's certificate into the folder: no restart. */
static void a_certificate_that_is_added_counts_at_once(void **state)
{
    struct turn_context *s = *state;
    char other[300], command[1024];
    make_keys(s, "", s->keys, sizeof(s->keys));
    make_keys(s, "-other", other, sizeof(other));
    knows_gateway(s, other);
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, other, 0);
    s->expect_messages = 1;
    send_to(wire_gateway(s->dealer), STR("hello"));
    run(s, 700);
    assert_int_equal(s->to_router, 0);
    snprintf(command, sizeof(command), "cp '%s/worker.key' '%s/workers/another.key'", other,
             s->keys);
    assert_int_equal(system(command), 0);
    run(s, 5000);
    assert_int_equal(s->to_router, 1);
}

/* An operator takes a worker's certificate away: it is cut off without a restart. */
static void a_certificate_that_is_removed_counts_at_once(void **state)
{
    struct turn_context *s = *state;
    char path[600];
    make_keys(s, "", s->keys, sizeof(s->keys));
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, s->keys, 0);
    s->expect_messages = 1;
    send_to(wire_gateway(s->dealer), STR("hello"));
    run(s, 5000);
    assert_int_equal(s->to_router, 1);
    snprintf(path, sizeof(path), "%s/workers/worker.key", s->keys);
    assert_int_equal(unlink(path), 0);
    s->expect_messages = 0;
    run(s, 1000);
    assert_int_equal(s->gone, 1);
    send_to(wire_gateway(s->dealer), STR("still here"));
    run(s, 700);
    assert_int_equal(s->to_router, 1);
}

static void a_worker_without_keys_never_gets_through(void **state)
{
    struct turn_context *s = *state;
    make_keys(s, "", s->keys, sizeof(s->keys));
    open_router(s, "tcp://127.0.0.1:*");
    open_dealer(s, NULL, 0);
    send_to(wire_gateway(s->dealer), STR("hello"));
    run(s, 700);
    assert_int_equal(s->to_router, 0);
}

static void keys_are_private_and_never_overwritten(void **state)
{
    struct turn_context *s = *state;
    struct stat st;
    char path[600];
    make_keys(s, "", s->keys, sizeof(s->keys));
    snprintf(path, sizeof(path), "%s/gateway.key_secret", s->keys);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_false(wire_keys_make(s->keys, s->error));
    assert_non_null(strstr(s->error, "not overwritten"));
}

static void without_keys_only_this_machine_is_allowed(void **state)
{
    struct turn_context *s = *state;
    static const char *const far[] = {"tcp://0.0.0.0:*", "tcp://*:*", "tcp://10.1.2.3:9",
                                      "tcp://gateway:8100", "tcp://[::]:9"};
    struct wire_config c = {0};
    for (unsigned i = 0; i < sizeof(far) / sizeof(*far); i++) {
        assert_null(wire_router_new(s->loop, &c, far[i], &router_calls, s, s->error));
        assert_non_null(strstr(s->error, "PERSAI_KEYS"));
        assert_null(wire_dealer_new(s->loop, &c, far[i], &dealer_calls, s, s->error));
    }
    assert_null(wire_router_new(s->loop, &c, "http://127.0.0.1:1", &router_calls, s, s->error));
    assert_null(wire_router_new(s->loop, &c, "", &router_calls, s, s->error));
    assert_true(wire_is_local("ipc:///tmp/x") && wire_is_local("tcp://[::1]:8100") &&
                wire_is_local("tcp://localhost:8100"));
    assert_false(wire_is_local("tcp://127.0.0.1.example:1") ||
                 wire_is_local("tcp://localhost.example:1"));
}

int main(void)
{
    secret_setup();
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_message_goes_there_and_back),
        TEST(what_is_sent_in_a_pass_is_one_message),
        TEST(a_burst_arrives_whole),
        TEST(what_waits_for_a_peer_is_bounded),
        TEST(a_large_backlog_arrives_whole),
        TEST(a_slow_receiver_gets_everything),
        TEST(what_a_pass_takes_is_bounded),
        TEST(a_peer_that_left_is_told_of_at_the_next_send),
        TEST(a_dropped_peer_that_speaks_again_is_a_new_one),
        TEST(messages_wait_for_a_gateway_that_is_not_there_yet),
        TEST(with_keys_it_works_as_well),
        TEST(a_worker_that_is_not_on_the_list_never_gets_through),
        TEST(a_certificate_that_is_added_counts_at_once),
        TEST(a_certificate_that_is_removed_counts_at_once),
        TEST(a_worker_without_keys_never_gets_through),
        TEST(keys_are_private_and_never_overwritten),
        TEST(without_keys_only_this_machine_is_allowed),
    };
    return cmocka_run_group_tests_name("proto/wire", tests, NULL, NULL);
}
