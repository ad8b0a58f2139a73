/* Followers of a turn that is nothing but a tail and what the store has of it. Each client is a
 * real connection; what it has seen is written as ids. */
#include "tests/support/gateway_world.h"

#include "proto/record.h"
#include "proto/store/turn.h"

static struct {
    struct followed turn;
    struct http *http;
    unsigned left, asked; /* asked: of the store, as a metric counts it */
    bool refuse, resumable, store_done;
} s;

/* ---- a server whose every request follows the turn after its Last-Event-ID ---- */

static void on_left(struct followed *t)
{
    assert_ptr_equal(t, &s.turn);
    s.left++;
}

static void on_told(struct followed *t, const struct store_turn *told)
{
    assert_ptr_equal(t, &s.turn);
    assert_true(id_eq(told->turn, t->turn));
}

static void on_request(void *arg, struct http_request *r)
{
    (void)arg;
    struct event_at after = {0, 0};
    struct str id = http_header(r, "Last-Event-ID");
    assert_true(id.len == 0 || event_at_parse(id, &after));
    struct follower *f = stream_new(&s.turn, after, s.resumable);
    struct http_stream *out = http_stream_open(r, "text/event-stream", &stream_handler, f);
    if (s.refuse)
        stream_refuse(f, out, ERR_HISTORY_LOST);
    else
        stream_begin(f, out, NULL);
}

static struct client follow(const char *last_id)
{
    char head[256];
    struct client c = {.got.fd = pump_connect(http_port(s.http))};
    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s%s\r\n\r\n",
             last_id ? "Last-Event-ID: " : "X: x", last_id ? last_id : "");
    pump_send(c.got.fd, head);
    return c;
}

/* The ids that it was given, in order, as "1-1 1-2"; "error CODE" for what has none. */
static const char *seen(const struct client *c)
{
    static char text[1024];
    *text = '\0';
    for (const char *at = c->got.bytes; at && (at = strstr(at, "\ndata: ")); at++) {
        const char *line = at;
        while (line > c->got.bytes && line[-1] != '\n')
            line--;
        size_t len = strlen(text);
        if (strncmp(line, "id: ", 4) == 0)
            snprintf(text + len, sizeof(text) - len, "%.*s ", (int)(at - line - 4), line + 4);
        else if (strstr(at, "history_lost"))
            snprintf(text + len, sizeof(text) - len, "history_lost ");
    }
    return text;
}

static void assert_sees(struct client *c, const char *last, const char *all)
{
    client_wait(c, last);
    assert_string_equal(seen(c), all);
}

/* It is told the end: no more comes. */
static void assert_ends(struct client *c, const char *all)
{
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, pump_is_closed, &c->got));
    assert_string_equal(seen(c), all);
    client_free(c);
}

/* ---- what there is of the turn ---- */

static void live(uint32_t epoch, uint32_t seq, bool final)
{
    tail_add(&s.turn.tail, chunk_new((struct event_at){epoch, seq}, final, STR("{}")));
    stream_wake(&s.turn);
}

static void on_store(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg, (void)a;
    assert_string_equal(err_word(err), "none");
    s.store_done = true;
}

static bool store_is_done(void *arg)
{
    (void)arg;
    return s.store_done;
}

static void wait_store(void)
{
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, store_is_done, NULL));
    s.store_done = false;
}

static void stored(uint32_t first, uint32_t last)
{
    scoped_buf(batch, 65536);
    for (uint32_t seq = first; seq <= last; seq++)
        assert_true(record_event_add(&batch, NULL, seq, 0, STR("{}")));
    store_turn_say(w.g.store, s.turn.session, s.turn.turn, 1, last, buf_str(&batch), on_store,
                   NULL);
    wait_store();
}

static void stored_end(uint32_t seq)
{
    scoped_buf(batch, 65536);
    assert_true(record_event_add(&batch, NULL, seq, 1, STR("{}")));
    struct store_seal seal = {.session = s.turn.session,
                              .turn = s.turn.turn,
                              .epoch = 1,
                              .last_seq = seq,
                              .batch = buf_str(&batch),
                              .state = TURN_DONE};
    store_turn_seal(w.g.store, &seal, on_store, NULL);
    wait_store();
}

static unsigned asked_of_store(void)
{
    return (unsigned)metric_get(gateway_metric(METRIC_followers_behind)) - s.asked;
}

/* A turn that runs elsewhere: its event 1-1 is stored. */
static int set_up(void **state)
{
    static const struct http_callbacks callbacks = {on_request, NULL};
    static const struct followed_handler handler = {on_left, on_told};
    struct http_config http = {.listen = "127.0.0.1:0", .connections_max = 100, .idle_ms = 60000};
    char what[256], error[256];
    struct id session, turn;
    world_start(state);
    snprintf(what, sizeof(what), "POST /session/%s/turn?datasource_path=/proxy/globaldatasources/p",
             session_of("ada"));
    worker_start(0, 0); /* it has no room: another gateway's worker gets the turn */
    struct client c = client_send("ada", what, "Prefer: respond-async\r\n", "{\"message\":\"Hi\"}");
    const struct answer *a = client_answer(&c);
    assert_answer(a, 202, "");
    assert_true(
        id_parse(str_of(json_string_value(json_object_get(a->json, "session_id"))), &session));
    assert_true(id_parse(str_of(json_string_value(json_object_get(a->json, "turn_id"))), &turn));
    memset(&s, 0, sizeof(s));
    s.resumable = true;
    s.asked = (unsigned)metric_get(gateway_metric(METRIC_followers_behind));
    followed_init(&s.turn, &w.g, session, turn, STR("ada:1795854575000"), &handler);
    s.http = http_new(w.g.loop, &http, &callbacks, NULL, error);
    store_turn_load(w.g.store, session, turn, 1, STR("elsewhere"), on_store, NULL);
    wait_store();
    return 0;
}

static int tear_down(void **state)
{
    http_free(s.http);
    assert_int_equal(streams_count(&w.g), 0);
    followed_free(&s.turn);
    return world_stop(state);
}

/* ---- */

static void live_events_go_to_each_follower_as_they_come(void **state)
{
    (void)state;
    live(1, 1, false);
    struct client a = follow(NULL), b = follow(NULL);
    assert_sees(&a, "1-1\n", "1-1 ");
    assert_sees(&b, "1-1\n", "1-1 ");
    live(1, 2, false);
    live(1, 3, true);
    assert_ends(&a, "1-1 1-2 1-3 ");
    assert_ends(&b, "1-1 1-2 1-3 ");
    assert_int_equal(s.left, 2);
    assert_int_equal(asked_of_store(), 0);
}

static void what_the_tail_has_no_longer_is_read_from_the_store(void **state)
{
    (void)state;
    stored(2, 4);
    live(1, 5, false);
    struct client c = follow("1-1");
    assert_sees(&c, "1-5\n", "1-2 1-3 1-4 1-5 ");
    live(1, 6, true);
    assert_ends(&c, "1-2 1-3 1-4 1-5 1-6 ");
}

static void followers_that_wait_for_the_same_cost_the_store_one_question(void **state)
{
    (void)state;
    struct client c[5];
    for (unsigned i = 0; i < 5; i++)
        c[i] = follow(NULL);
    for (unsigned i = 0; i < 5; i++)
        assert_sees(&c[i], "1-1\n", "1-1 ");
    unsigned before = asked_of_store();
    int64_t began_ms = loop_now_ms(w.g.loop);
    pump_for(w.pump, 300); /* each would ask every 50 ms */
    unsigned most = (unsigned)((loop_now_ms(w.g.loop) - began_ms) / 50) + 2;
    assert_in_range(asked_of_store() - before, 1, most);
    stored(2, 2);
    for (unsigned i = 0; i < 5; i++)
        assert_sees(&c[i], "1-2\n", "1-1 1-2 ");
    stored_end(3);
    for (unsigned i = 0; i < 5; i++)
        assert_ends(&c[i], "1-1 1-2 1-3 ");
}

static void one_that_leaves_while_it_asks_is_replaced_by_who_waits_with_it(void **state)
{
    (void)state;
    struct client a = follow(NULL), b = follow(NULL);
    client_free(&a);
    assert_sees(&b, "1-1\n", "1-1 ");
    a = follow("1-1");
    client_free(&a);
    stored_end(2);
    assert_ends(&b, "1-1 1-2 ");
}

static void who_comes_back_with_the_last_event_is_told_that_nothing_comes(void **state)
{
    (void)state;
    stored_end(2);
    struct client c = follow("1-2");
    assert_ends(&c, "");
}

static void history_that_is_lost_is_said_and_nothing_is_made_up(void **state)
{
    (void)state;
    stored_end(2);
    struct client c = follow("1-7"); /* ahead of what there is, and the turn is over */
    assert_ends(&c, "history_lost ");
    s.refuse = true;
    c = follow(NULL);
    assert_ends(&c, "history_lost ");
}

static void followers_past_what_the_store_kept_are_told_and_the_others_go_on(void **state)
{
    (void)state;
    for (uint32_t seq = 1; seq <= 4; seq++)
        live(1, seq, false);
    struct client ahead = follow("1-3"), behind = follow("1-1");
    assert_sees(&ahead, "1-4\n", "1-4 ");
    assert_sees(&behind, "1-4\n", "1-2 1-3 1-4 ");
    stream_lost(&s.turn, (struct event_at){1, 4});
    live(1, 5, false);
    assert_sees(&behind, "1-5\n", "1-2 1-3 1-4 1-5 ");
    stream_lost(&s.turn, (struct event_at){1, 4});
    assert_ends(&ahead, "1-4 1-5 history_lost ");
    assert_ends(&behind, "1-2 1-3 1-4 1-5 history_lost ");
}

static void least_that_all_were_given_is_known(void **state)
{
    (void)state;
    struct event_at end = {UINT32_MAX, UINT32_MAX};
    assert_int_equal(event_at_cmp(stream_given(&s.turn), end), 0);
    live(1, 1, false);
    live(1, 2, false);
    struct client c = follow(NULL);
    assert_sees(&c, "1-2\n", "1-1 1-2 ");
    assert_int_equal(event_at_cmp(stream_given(&s.turn), (struct event_at){1, 2}), 0);
    client_free(&c);
}

static void drain_ends_those_that_come_again_and_then_all(void **state)
{
    (void)state;
    live(1, 1, false);
    struct client again = follow(NULL);
    assert_sees(&again, "1-1\n", "1-1 ");
    s.resumable = false;
    struct client once = follow(NULL);
    assert_sees(&once, "1-1\n", "1-1 ");
    streams_end(&w.g, false);
    assert_ends(&again, "1-1 ");
    live(1, 2, false);
    assert_sees(&once, "1-2\n", "1-1 1-2 ");
    streams_end(&w.g, true);
    assert_ends(&once, "1-1 1-2 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(live_events_go_to_each_follower_as_they_come),
        TEST(what_the_tail_has_no_longer_is_read_from_the_store),
        TEST(followers_that_wait_for_the_same_cost_the_store_one_question),
        TEST(one_that_leaves_while_it_asks_is_replaced_by_who_waits_with_it),
        TEST(who_comes_back_with_the_last_event_is_told_that_nothing_comes),
        TEST(history_that_is_lost_is_said_and_nothing_is_made_up),
        TEST(followers_past_what_the_store_kept_are_told_and_the_others_go_on),
        TEST(least_that_all_were_given_is_known),
        TEST(drain_ends_those_that_come_again_and_then_all),
    };
    return cmocka_run_group_tests(tests, redis_up, redis_down);
}
