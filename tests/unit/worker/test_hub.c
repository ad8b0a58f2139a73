/* The hub's links, with wires, names and clock replaced at link time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/check.h"
#include "proto/frame.h"
#include "proto/wire.h"
#include "worker/hub.h"

struct wire_peer {
    struct buf out;
};
struct wire {
    char endpoint[128];
    struct wire_callbacks cb;
    void *arg;
    struct wire_peer peer;
    bool open;
};
struct loop_timer {
    loop_fn *fn;
    void *arg;
};

static struct world {
    int64_t now_ms;
    struct wire wires[8];
    unsigned wire_count;
    struct loop_timer timers[2]; /* beats, resolving */
    unsigned timer_count;
    loop_resolve_fn *resolved;
    void *resolved_arg;
    struct hub *hub;
    int64_t given_ms;
    struct hub_link *from; /* of the last turn */
    unsigned turns, cancels, tokens, follows, unfollows;
} w;

int64_t loop_now_ms(const struct loop *l)
{
    (void)l;
    return w.now_ms;
}
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
    (void)l;
    w.timers[w.timer_count] = (struct loop_timer){fn, arg};
    return &w.timers[w.timer_count++];
}
void loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    (void)t, (void)after_ms, (void)repeat_ms;
}
void loop_timer_free(struct loop_timer *t) { (void)t; }
uint64_t loop_resolve(struct loop *l, const char *host, loop_resolve_fn *fn, void *arg)
{
    (void)l, (void)host;
    w.resolved = fn;
    w.resolved_arg = arg;
    return 1;
}
void loop_resolve_forget(struct loop *l, uint64_t id) { (void)l, (void)id; }

bool wire_endpoint_ok(const char *endpoint, const struct wire_config *c, char error[256])
{
    snprintf(error, 256, "no keys for %.200s", endpoint);
    return c->keys || strstr(endpoint, "127.0.0.1") || strstr(endpoint, "ipc:");
}
struct wire *wire_dealer_new(struct loop *l, const struct wire_config *c, const char *endpoint,
                             const struct wire_callbacks *cb, void *arg, char error[256])
{
    (void)l, (void)c, (void)error;
    struct wire *wire = &w.wires[w.wire_count++];
    snprintf(wire->endpoint, sizeof(wire->endpoint), "%s", endpoint);
    wire->cb = *cb;
    wire->arg = arg;
    wire->open = true;
    buf_init(&wire->peer.out, 1 << 20);
    return wire;
}
void wire_free(struct wire *wire)
{
    wire->open = false;
    buf_free(&wire->peer.out);
}
struct wire_peer *wire_gateway(struct wire *wire) { return &wire->peer; }
struct buf *wire_out(struct wire_peer *p) { return &p->out; }
void wire_touch(struct wire_peer *p) { (void)p; }

static void on_turn(void *arg, struct hub_link *from, const struct hub_turn *t,
                    struct secret *take_token)
{
    (void)arg;
    w.from = from;
    w.given_ms = t->given_ms;
    w.turns++;
    secret_free(take_token);
}
static bool on_cancel(void *arg, struct id turn)
{
    (void)arg;
    w.cancels++;
    return turn.bytes[0] == 1; /* that one runs here */
}
static void on_follow(void *arg, struct hub_link *from, struct id turn)
{
    (void)arg, (void)turn;
    w.from = from;
    w.follows++;
}
static void on_unfollow(void *arg, struct hub_link *from, struct id turn)
{
    (void)arg, (void)turn;
    w.from = from;
    w.unfollows++;
}
static void on_token(void *arg, struct id turn, uint32_t epoch, struct secret *take_token)
{
    (void)arg, (void)turn, (void)epoch;
    w.tokens++;
    secret_free(take_token);
}
static uint32_t running(void *arg)
{
    (void)arg;
    return 7;
}

static void open_hub(const char *gateways)
{
    static const struct hub_callbacks callbacks = {on_turn,     on_cancel, on_follow,
                                                   on_unfollow, on_token,  running};
    struct hub_config c = {.gateways = gateways,
                           .wire = {.keys = "/keys"},
                           .name = "me",
                           .capacity = 9,
                           .models = STR("[]"),
                           .tools = STR("[]"),
                           .beat_ms = 200,
                           .dead_ms = 1500,
                           .resolve_ms = 5000};
    char error[256];
    memset(&w, 0, sizeof(w));
    w.now_ms = 1000;
    w.hub = hub_new(&c, &callbacks, NULL, error);
    assert_non_null(w.hub);
}

/* The names of the frames that were sent to a gateway since the last time. */
static const char *sent(unsigned wire)
{
    static char text[512];
    struct str rest = buf_str(&w.wires[wire].peer.out);
    text[0] = '\0';
    while (rest.len > 0) {
        struct frame f;
        assert_int_equal(frame_decode(&rest, FRAME_TO_GATEWAY, &f), ERR_NONE);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", frame_name(f.code));
        frame_free(&f);
    }
    buf_clear(&w.wires[wire].peer.out);
    return text;
}

static void hear(unsigned wire, struct frame f)
{
    scoped_buf(b, 10000);
    assert_true(frame_encode(&f, &b));
    w.wires[wire].cb.on_message(w.wires[wire].arg, &w.wires[wire].peer, buf_str(&b));
}
static void welcome(unsigned wire, const char *name)
{
    hear(wire, (struct frame){.code = FRAME_WELCOME,
                              .WELCOME = {.version = PROTO_VERSION, .name = str_of(name)}});
}
static void bye(unsigned wire, const char *reason)
{
    hear(wire, (struct frame){.code = FRAME_BYE, .BYE = {.reason = str_of(reason)}});
}
static void beat(unsigned wire) { hear(wire, (struct frame){.code = FRAME_BEAT}); }
static void pass_ms(int64_t ms)
{
    for (int64_t end = w.now_ms + ms; w.now_ms < end;) {
        w.now_ms += 100;
        w.timers[0].fn(w.timers[0].arg);
    }
}

static void link_greets_is_welcomed_and_beats(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1, ipc:///tmp/x");
    assert_int_equal(w.wire_count, 2);
    assert_string_equal(sent(0), "HELLO ");
    assert_int_equal(hub_open_links(w.hub), 0);
    welcome(0, "g0");
    assert_int_equal(hub_open_links(w.hub), 1);
    pass_ms(600);
    assert_string_equal(sent(0), "BEAT BEAT BEAT ");
    hub_free(w.hub);
}

static void cancel_of_a_turn_that_does_not_run_here_is_passed_on(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1, tcp://127.0.0.1:2, tcp://127.0.0.1:3");
    welcome(0, "g0");
    welcome(1, "g1");
    for (unsigned i = 0; i < 3; i++)
        sent(i);
    hear(0, (struct frame){.code = FRAME_CANCEL, .CANCEL = {.turn = {{1}}}});
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(sent(i), "");
    hear(0, (struct frame){.code = FRAME_CANCEL, .CANCEL = {.turn = {{2}}}});
    assert_string_equal(sent(0), "DONE ");
    assert_string_equal(sent(1), "NEWS ");
    assert_string_equal(sent(2), ""); /* nobody hears us there */
    assert_int_equal(w.cancels, 2);
    hub_free(w.hub);
}

static void silent_gateway_is_lost_and_greeted_when_it_is_heard_again(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1");
    welcome(0, "g0");
    hear(0, (struct frame){.code = FRAME_TURN, .TURN = {.epoch = 1, .heard = 900}});
    assert_int_equal(w.given_ms, 900);
    assert_int_equal(w.turns, 1);
    hub_hold(w.from);
    assert_true(hub_alive(w.from));
    pass_ms(1400);
    assert_true(hub_alive(w.from));
    pass_ms(300);
    assert_false(hub_alive(w.from));
    sent(0);
    hub_send_done(w.from, (struct id){{1}}, 1, TURN_DONE); /* nobody would read it */
    assert_string_equal(sent(0), "");
    pass_ms(3000);
    assert_string_equal(sent(0), "BEAT BEAT BEAT "); /* few and small, however long it takes */
    beat(0);
    assert_string_equal(sent(0), "HELLO ");
    welcome(0, "g0");
    assert_true(hub_alive(w.from));
    hub_send_done(w.from, (struct id){{1}}, 1, TURN_DONE);
    assert_string_equal(sent(0), "DONE ");
    hub_release(w.from);
    hub_free(w.hub);
}

static void gateway_that_forgot_us_or_speaks_another_version_is_handled(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1");
    welcome(0, "g0");
    sent(0);
    bye(0, "hello");
    assert_string_equal(sent(0), "HELLO ");
    bye(0, "version");
    pass_ms(4900);
    assert_string_equal(sent(0), "");
    pass_ms(200);
    assert_string_equal(sent(0), "HELLO ");
    hear(0, (struct frame){.code = FRAME_WELCOME,
                           .WELCOME = {.version = PROTO_VERSION + 1, .name = STR("g0")}});
    assert_int_equal(hub_open_links(w.hub), 0);
    hub_free(w.hub);
}

static void two_addresses_of_one_gateway_are_one_link(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1,tcp://127.0.0.1:2");
    welcome(0, "same");
    sent(1);
    welcome(1, "same");
    assert_string_equal(sent(1), "BYE ");
    assert_int_equal(hub_open_links(w.hub), 1);
    for (int i = 0; i < 10; i++) {
        pass_ms(500);
        beat(0);
    }
    assert_string_equal(sent(1), "");
    pass_ms(2000); /* the first one dies: the second takes its place */
    assert_non_null(strstr(sent(1), "HELLO"));
    hub_free(w.hub);
}

static void names_are_resolved_again_and_vanished_addresses_dropped_when_idle(void **state)
{
    (void)state;
    open_hub("tcp://localhost:5");
    assert_int_equal(w.wire_count, 0);
    const char *const two[] = {"10.0.0.1", "::1"};
    w.resolved(w.resolved_arg, two, 2);
    assert_int_equal(w.wire_count, 2);
    assert_string_equal(w.wires[0].endpoint, "tcp://10.0.0.1:5");
    assert_string_equal(w.wires[1].endpoint, "tcp://[::1]:5");
    welcome(0, "g0");
    hear(0, (struct frame){.code = FRAME_TURN, .TURN = {.epoch = 1}});
    hub_hold(w.from);
    w.timers[1].fn(w.timers[1].arg);
    w.resolved(w.resolved_arg, NULL, 0); /* the resolver is down: nothing changes */
    w.timers[1].fn(w.timers[1].arg);
    w.resolved(w.resolved_arg, two + 1, 1);
    pass_ms(3000); /* silent, but a turn holds it */
    assert_true(w.wires[0].open);
    hub_release(w.from);
    pass_ms(200);
    assert_false(w.wires[0].open);
    assert_true(w.wires[1].open);
    hub_free(w.hub);
}

static void what_is_no_frame_or_not_for_a_worker_is_dropped(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1");
    welcome(0, "g0");
    hear(0, (struct frame){.code = FRAME_DONE, .DONE = {.epoch = 1}});
    w.wires[0].cb.on_message(w.wires[0].arg, &w.wires[0].peer, STR("\xff\x00nonsense"));
    hear(0, (struct frame){.code = FRAME_CANCEL, .CANCEL = {.turn = {{1}}}});
    assert_int_equal(w.cancels, 1);
    hub_free(w.hub);
}

static void other_tools_are_told_to_each_gateway_once(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1,tcp://127.0.0.1:2");
    welcome(0, "g0");
    sent(0), sent(1);
    hub_offer(w.hub, STR("[{}]"));
    assert_string_equal(sent(0), "TOOLS ");
    assert_string_equal(sent(1), ""); /* its HELLO told of others */
    welcome(1, "g1");
    assert_string_equal(sent(1), "TOOLS ");
    bye(1, "hello");
    welcome(1, "g1");
    assert_string_equal(sent(1), "HELLO ");
    hub_free(w.hub);
}

static void gateway_may_follow_a_turn_and_its_next_life_may_not(void **state)
{
    (void)state;
    const struct id turn = {{7}};
    open_hub("ipc:///tmp/x");
    welcome(0, "g0");
    sent(0);
    hear(0, (struct frame){.code = FRAME_FOLLOW, .FOLLOW = {.turn = turn}});
    assert_int_equal(w.follows, 1);
    unsigned life = hub_life(w.from);
    hub_send_following(w.from, turn, (struct event_at){2, 7});
    hub_send_event(w.from, &(struct frame_EVENT){.turn = turn, .payload = STR("{}")});
    assert_string_equal(sent(0), "FOLLOWING EVENT ");
    hear(0, (struct frame){.code = FRAME_UNFOLLOW, .UNFOLLOW = {.turn = turn}});
    assert_int_equal(w.unfollows, 1);
    beat(0);
    assert_int_equal(hub_life(w.from), life);
    w.now_ms += 2000;
    bye(0, "hello");
    assert_int_equal(hub_life(w.from), life + 1);
    assert_string_equal(sent(0), "HELLO ");
    hub_send_following(w.from, turn, (struct event_at){2, 7});
    assert_string_equal(sent(0), ""); /* until it is welcome */
    hub_free(w.hub);
}

/* They crossed our HELLO: the gateway asks anew when that comes. */
static void what_was_asked_of_our_former_life_is_not_begun(void **state)
{
    (void)state;
    open_hub("ipc:///tmp/x");
    welcome(0, "g0");
    w.now_ms += 2000;
    bye(0, "hello");
    hear(0, (struct frame){.code = FRAME_TURN, .TURN = {.epoch = 1}});
    hear(0, (struct frame){.code = FRAME_FOLLOW, .FOLLOW = {.turn = {{7}}}});
    hear(0, (struct frame){.code = FRAME_CANCEL, .CANCEL = {.turn = {{1}}}}); /* of any life */
    assert_int_equal(w.turns, 0);
    assert_int_equal(w.follows, 0);
    assert_int_equal(w.cancels, 1);
    welcome(0, "g0");
    hear(0, (struct frame){.code = FRAME_TURN, .TURN = {.epoch = 2}});
    hear(0, (struct frame){.code = FRAME_FOLLOW, .FOLLOW = {.turn = {{7}}}});
    assert_int_equal(w.turns, 1);
    assert_int_equal(w.follows, 1);
    hub_free(w.hub);
}

static void leaving_worker_says_so_to_each_gateway_that_comes(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:1,tcp://127.0.0.1:2");
    welcome(0, "g0");
    sent(0), sent(1);
    hub_bye(w.hub);
    assert_string_equal(sent(0), "BYE ");
    welcome(1, "g1");
    assert_string_equal(sent(1), "BYE ");
    hub_free(w.hub);
}

static void endpoints_are_checked(void **state)
{
    (void)state;
    char error[256];
    static const struct wire_config none, keys = {.keys = "/keys"};
    static const char *const bad[] = {"",          " , ",           "nonsense",
                                      "udp://x:1", "tcp://x",       "tcp://:1",
                                      "tcp://x:0", "tcp://x:70000", "tcp://gateway:8100"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(hub_check(bad[i], &none, error));
        assert_non_null(strstr(error, "PERSAI_GATEWAYS"));
    }
    assert_true(hub_check("tcp://gateway:8100,tcp://[2001:db8::1]:1", &keys, error));
    assert_true(hub_check("tcp://127.0.0.1:8100,ipc:///run/x", &none, error));
}

/* What does not fit is told of once a second, not once a frame: a thousand turns say a lot. */
static void gateway_that_takes_nothing_costs_few_lines(void **state)
{
    (void)state;
    static char payload[1000], text[4096];
    struct frame_EVENT e = {.epoch = 1, .payload = {payload, sizeof(payload)}};
    open_hub("tcp://127.0.0.1:9000");
    welcome(0, "a");
    hear(0, (struct frame){.code = FRAME_FOLLOW});
    FILE *lines = tmpfile();
    int usual = dup(STDERR_FILENO);
    dup2(fileno(lines), STDERR_FILENO);
    for (unsigned i = 0; i < 5000; i++)
        hub_send_event(w.from, &e);
    w.now_ms += 1000;
    hub_send_event(w.from, &e);
    dup2(usual, STDERR_FILENO);
    close(usual);
    rewind(lines);
    unsigned told = 0;
    while (fgets(text, sizeof(text), lines))
        told += strstr(text, "event=hub.full ") != NULL;
    fclose(lines);
    assert_int_equal(told, 2);
    hub_free(w.hub);
}

static void fill_up(void)
{
    static char payload[1000];
    for (size_t len = sizeof(payload); len > 0; len /= 2)
        for (unsigned i = 0; i < 2000; i++)
            hub_send_event(w.from, &(struct frame_EVENT){.payload = {payload, len}});
    for (unsigned i = 0; i < 20; i++)
        hub_send_following(w.from, (struct id){{1}}, (struct event_at){0, 0});
}

/* To lose the link would cost all that runs over it. */
static void cancel_of_what_does_not_run_here_costs_a_full_link_nothing(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:9000");
    welcome(0, "a");
    hear(0, (struct frame){.code = FRAME_FOLLOW});
    fill_up();
    hear(0, (struct frame){.code = FRAME_CANCEL, .CANCEL = {.turn = {{2}}}});
    assert_int_equal(w.cancels, 1);
    assert_true(hub_alive(w.from));
    hub_free(w.hub);
}

/* Else it would wait for the end of that turn as long as both live. */
static void gateway_that_takes_no_done_is_greeted_anew_once_it_takes_that(void **state)
{
    (void)state;
    open_hub("tcp://127.0.0.1:9000");
    welcome(0, "a");
    hear(0, (struct frame){.code = FRAME_FOLLOW});
    fill_up();
    assert_true(hub_alive(w.from)); /* it asks for the events that it misses */
    hub_send_done(w.from, (struct id){{1}}, 1, TURN_DONE);
    assert_false(hub_alive(w.from));
    unsigned life = hub_life(w.from);
    beat(0);
    assert_int_equal(hub_life(w.from), life + 1); /* that HELLO does not fit either */
    sent(0);
    pass_ms(1000);
    assert_string_equal(sent(0), "HELLO ");
    pass_ms(1000);
    assert_string_equal(sent(0), "BEAT "); /* one that was said is not said again */
    welcome(0, "a");
    assert_true(hub_alive(w.from));
    hub_free(w.hub);
}

int main(void)
{
    secret_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_greets_is_welcomed_and_beats),
        cmocka_unit_test(cancel_of_a_turn_that_does_not_run_here_is_passed_on),
        cmocka_unit_test(silent_gateway_is_lost_and_greeted_when_it_is_heard_again),
        cmocka_unit_test(gateway_that_forgot_us_or_speaks_another_version_is_handled),
        cmocka_unit_test(two_addresses_of_one_gateway_are_one_link),
        cmocka_unit_test(names_are_resolved_again_and_vanished_addresses_dropped_when_idle),
        cmocka_unit_test(what_is_no_frame_or_not_for_a_worker_is_dropped),
        cmocka_unit_test(other_tools_are_told_to_each_gateway_once),
        cmocka_unit_test(gateway_may_follow_a_turn_and_its_next_life_may_not),
        cmocka_unit_test(what_was_asked_of_our_former_life_is_not_begun),
        cmocka_unit_test(leaving_worker_says_so_to_each_gateway_that_comes),
        cmocka_unit_test(endpoints_are_checked),
        cmocka_unit_test(gateway_that_takes_nothing_costs_few_lines),
        cmocka_unit_test(cancel_of_what_does_not_run_here_costs_a_full_link_nothing),
        cmocka_unit_test(gateway_that_takes_no_done_is_greeted_anew_once_it_takes_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
