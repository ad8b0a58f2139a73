/* The turns that a gateway drives, by what clients ask and workers say; what becomes of each is in
 * the streams of those who follow it and in what the workers are sent. */
#include "tests/support/gateway_world.h"

#include "proto/store/turn.h"

static char session[64];

static struct client post(const char *token, const char *headers)
{
    char what[256];
    snprintf(what, sizeof(what), "POST /session/%s/turn?datasource_path=/proxy/globaldatasources/p",
             session);
    return client_send(token, what, headers, "{\"message\":\"Hi\"}");
}

static const struct answer *post_async(const char *token, const char *headers)
{
    char all[256];
    snprintf(all, sizeof(all), "Prefer: respond-async\r\n%s", headers);
    struct client c = post(token, all);
    return client_answer(&c);
}

static struct client follow(const char *token, const char *turn, const char *headers)
{
    char what[256];
    snprintf(what, sizeof(what), "GET /session/%s/turn/%s/events", session, turn);
    return client_send(token, what, headers, NULL);
}

static const char *turn_id(void)
{
    static char text[ID_TEXT + 1];
    id_text(w.turn, text);
    return text;
}

static bool turn_is_gone(void *arg) { return turns_get(&w.g, *(struct id *)arg) == NULL; }

static bool turn_is_promised(void *arg)
{
    unsigned promised = 0;
    (void)arg;
    list_each (&w.g.dispatch.workers, node, next)
        promised += list_of(node, struct dispatch_worker, node)->promised;
    return promised == 1;
}

static bool is_drained(void *arg)
{
    (void)arg;
    return turns_drained(&w.g);
}

static bool turn_is_queued(void *arg)
{
    (void)arg;
    return w.g.dispatch.queued == 1;
}

static void begin(const char *token)
{
    snprintf(session, sizeof(session), "%s", session_of(token));
}

static const char *ended(struct client *c)
{
    static char body[65536];
    snprintf(body, sizeof(body), "%s", client_answer(c)->body);
    return body;
}

#define FINAL "{\"event\":{\"payload\":{\"event_type\":\"turn_complete\"}}}"
#define TEXT "{\"event\":{\"payload\":{\"event_type\":\"step_progress\"}}}"

static void question_goes_to_a_worker_and_its_events_to_who_asked(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    struct client c = post("ada", NULL);
    wait_trace("TURN epoch 1 token ada\n");
    client_wait(&c, "id: 1-1\ndata: {\"event\":{\"payload\":{\"event_type\":\"turn_start\"");
    worker_event(0, 2, false, TEXT);
    client_wait(&c, "id: 1-2\n");
    worker_event(0, 3, true, FINAL);
    const char *body = ended(&c);
    assert_non_null(strstr(body, "id: 1-3\ndata: " FINAL "\n\n"));
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_gone, &w.turn));
    assert_true(turns_drained(&w.g));
}

static void what_comes_twice_or_of_an_old_epoch_is_dropped(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    struct client c = post("ada", NULL);
    wait_trace("TURN epoch 1");
    worker_event(0, 2, false, TEXT);
    worker_event(0, 2, false, TEXT);
    w.epoch = 2; /* which nobody was given */
    worker_event(0, 3, true, FINAL);
    w.epoch = 1;
    worker_event(0, 3, true, FINAL);
    const char *body = ended(&c);
    const char *second = strstr(body, "id: 1-2\n");
    assert_non_null(second);
    assert_null(strstr(second + 1, "id: 1-2\n"));
    assert_null(strstr(body, "id: 2-"));
}

static void without_a_worker_no_question_is_taken(void **state)
{
    (void)state;
    begin("ada");
    assert_answer(post_async("ada", ""), 503, "no_worker");
    w.g.draining = true;
    assert_answer(post_async("ada", ""), 503, "draining");
    assert_null(strstr(w.trace, "TURN"));
}

static void queue_is_bounded_and_one_that_is_cancelled_there_ends(void **state)
{
    (void)state;
    worker_start(0, 1);
    begin("ada");
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    w.g.dispatch.queue_max = 1;
    begin("ada");
    const struct answer *a = post_async("ada", "");
    assert_answer(a, 202, "");
    char what[200];
    snprintf(what, sizeof(what), "POST /session/%s/turn/%s/cancel", session,
             json_string_value(json_object_get(a->json, "turn_id")));
    begin("ada");
    a = post_async("ada", "");
    assert_answer(a, 503, "queue_full");
    assert_non_null(strstr(a->head, "Retry-After: "));
    assert_answer(ask("ada", what, NULL), 202, "");
    assert_answer(post_async("ada", ""), 202, ""); /* there is room again */
    assert_null(strstr(w.trace, "epoch 2"));
}

static void session_has_one_turn_at_a_time(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 4);
    assert_answer(post_async("ada", ""), 202, "");
    assert_answer(post_async("ada", ""), 409, "turn_running");
    begin("bob");
    assert_answer(post_async("bob", ""), 202, "");
}

static void key_begins_one_turn_and_who_repeats_it_follows_that(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 4);
    const struct answer *a = post_async("ada", "Idempotency-Key: k\r\n");
    assert_answer(a, 202, "");
    char turn[64];
    snprintf(turn, sizeof(turn), "%s", json_string_value(json_object_get(a->json, "turn_id")));
    wait_trace("TURN epoch 1");
    a = post_async("ada", "Idempotency-Key: k\r\n");
    assert_answer(a, 202, "");
    assert_string_equal(json_string_value(json_object_get(a->json, "turn_id")), turn);
    struct client c = post("ada", "Idempotency-Key: k\r\n");
    client_wait(&c, "id: 1-1\n");
    worker_event(0, 2, true, FINAL);
    assert_non_null(strstr(ended(&c), "id: 1-2\n"));
    assert_null(strstr(strstr(w.trace, "TURN") + 1, "TURN"));
}

/* It may have been accepted already, and its client comes again. */
static void turn_goes_on_when_who_asked_has_left(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    struct client c = post("ada", "Idempotency-Key: k\r\nX-Forwarded-For: 10.0.0.1\r\n");
    wait_trace("TURN epoch 1"); /* its first byte is held back for a moment */
    client_free(&c);
    c = post("ada", "Idempotency-Key: k\r\n");
    client_wait(&c, "id: 1-1\n");
    worker_event(0, 2, true, FINAL);
    assert_non_null(strstr(ended(&c), "id: 1-2\n"));
}

static void behind_a_proxy_the_answer_begins_a_moment_later(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    int64_t began_ms = loop_now_ms(w.g.loop);
    struct client c = post("ada", "X-Forwarded-For: 10.0.0.1\r\n");
    client_wait(&c, "id: 1-1\n");
    assert_true(loop_now_ms(w.g.loop) - began_ms >= 30);
    worker_event(0, 2, true, FINAL);
    assert_non_null(strstr(ended(&c), "id: 1-2\n"));
}

static void turn_of_a_worker_that_is_gone_goes_to_another_under_its_next_epoch(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    struct client c = post("ada", NULL);
    wait_trace("worker 0: TURN epoch 1 token ada\n");
    worker_hello(0, PROTO_VERSION, 2); /* it began anew: what it ran is lost */
    wait_trace("TURN epoch 2 token ada\n");
    worker_event(0, 1, false, TEXT);
    client_wait(&c, "id: 2-1\n");
    worker_start(1, 1);
    worker_send(0, (struct frame){.code = FRAME_BYE, .BYE = {.reason = STR("leaving")}});
    worker_send(0, (struct frame){.code = FRAME_RELEASE,
                                  .RELEASE = {.turn = w.turn, .epoch = 2, .reason = STR("drain")}});
    wait_trace("worker 1: TURN epoch 3 token ada\n");
    worker_event(1, 1, true, FINAL);
    assert_non_null(strstr(ended(&c), "id: 3-1\n"));
}

/* It thought that the gateway was gone, which had been frozen: what it runs, it runs on. */
static void turn_of_a_worker_that_says_hello_again_is_asked_for(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 4);
    struct client c = post("ada", NULL);
    wait_trace("worker 0: TURN epoch 1 token ada\n");
    worker_event(0, 2, false, TEXT);
    client_wait(&c, "id: 1-2\n");
    worker_hello(0, PROTO_VERSION, 4);
    wait_trace("worker 0: WELCOME\nworker 0: FOLLOW\n");
    worker_send(0, (struct frame){.code = FRAME_FOLLOWING,
                                  .FOLLOWING = {.turn = w.turn, .epoch = 1, .seq = 1}});
    worker_event(0, 2, false, TEXT); /* again: it may not have come */
    worker_event(0, 3, false, TEXT);
    worker_event(0, 4, true, FINAL);
    const char *body = ended(&c);
    assert_non_null(strstr(body, "id: 1-3\n"));
    assert_non_null(strstr(body, "id: 1-4\n"));
    assert_null(strstr(w.trace, "epoch 2"));
}

/* The TURN came while it thought so, or it has ended and the word was lost. */
static void turn_that_such_a_worker_has_not_goes_to_the_next_epoch(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 4);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("worker 0: TURN epoch 1 token ada\n");
    worker_hello(0, PROTO_VERSION, 4);
    wait_trace("worker 0: FOLLOW\n");
    assert_null(strstr(w.trace, "epoch 2"));
    worker_send(0, (struct frame){.code = FRAME_DONE, .DONE = {.turn = w.turn}});
    wait_trace("TURN epoch 2 token ada\n");
}

/* Another gateway has filled it since its last report. Sent at once again, and refused again, a
 * turn went round some hundred times a second. */
static void turn_that_a_full_worker_refused_waits_for_its_next_report(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    worker_send(0, (struct frame){.code = FRAME_RELEASE,
                                  .RELEASE = {.turn = w.turn, .epoch = 1, .reason = STR("full")}});
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_queued, NULL));
    assert_answer(ask("ada", "GET /sessions", NULL), 200, ""); /* some passes later */
    assert_null(strstr(w.trace, "epoch 2"));
    worker_send(0, (struct frame){.code = FRAME_BEAT, .BEAT = {.running = 1}});
    assert_answer(ask("ada", "GET /sessions", NULL), 200, "");
    assert_null(strstr(w.trace, "epoch 2"));
    worker_send(0, (struct frame){.code = FRAME_BEAT, .BEAT = {.running = 0}});
    wait_trace("TURN epoch 2 token ada\n");
}

/* ---- a turn is a worker's from its acceptance on ---- */

static void on_opened(void *arg, enum err err, const struct store_answer *a)
{
    struct str *question = arg;
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(a->load->attempt, 1);
    assert_int_equal(a->message_count, 1);
    *question = STR("");
    if (str_is(a->messages[0].record.content, "Hi"))
        *question = STR("Hi");
}

static void its_worker_is_brought_what_it_would_load(void **state)
{
    (void)state;
    struct id of;
    struct str question = {0};
    begin("ada");
    assert_true(id_parse(str_of(session), &of));
    worker_start(0, 1);
    worker_send(0, (struct frame){.code = FRAME_BEAT, .BEAT = {.at = 4711}});
    assert_answer(ask("ada", "GET /sessions", NULL), 200, ""); /* it has been read by now */
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("worker 0: TURN epoch 1 token ada\n");
    assert_int_equal(w.heard, 4711);
    assert_true(
        store_opening_read((struct str){w.opening, w.opening_len}, of, on_opened, &question));
    assert_true(str_is(question, "Hi"));
    worker_hello(0, PROTO_VERSION, 2); /* it began anew: it loads, as all do behind that */
    wait_trace("TURN epoch 2 token ada\n");
    assert_int_equal(w.opening_len, 0);
}

/* Redis answers nobody for a while. A person's limits, which are asked for before, are off. */
static void redis_pause(unsigned ms)
{
    w.g.settings.user_turns = w.g.settings.user_turns_minute = 0;
    w.g.settings.store.user_bytes_max = 0;
    char text[64];
    int fd = redis_connect();
    int len = snprintf(text, sizeof(text), "CLIENT PAUSE %u ALL\r\n", ms);
    assert_int_equal(write(fd, text, (size_t)len), len);
    assert_true(read(fd, text, sizeof(text)) > 0);
    close(fd);
}

static void worker_that_goes_while_a_turn_becomes_its_own_loses_nothing(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    redis_pause(300);
    struct client c = post("ada", "Prefer: respond-async\r\n");
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_promised, NULL));
    wire_free(w.workers[0]);
    w.workers[0] = NULL;
    worker_start(1, 1);
    assert_answer(client_answer(&c), 202, "");
    wait_trace("worker 1: TURN epoch 2 token ada\n");
    assert_null(strstr(w.trace, "TURN epoch 1"));
    assert_int_equal(w.opening_len, 0);
    worker_event(1, 1, true, FINAL);
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, is_drained, NULL));
}

/* What is claimed in the same pass waits for a place, and not before the one that has its own. */
static void promised_turn_waits_for_nobody(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("worker 0: TURN epoch 1");
    struct id first = w.turn;
    worker_start(1, 1);
    begin("ada");
    memset(w.trace, 0, sizeof(w.trace));
    redis_pause(1000);
    struct client c = post("ada", "Prefer: respond-async\r\n");
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_promised, NULL));
    worker_send(0, (struct frame){.code = FRAME_BYE, .BYE = {.reason = STR("leaving")}});
    worker_send(0,
                (struct frame){.code = FRAME_RELEASE,
                               .RELEASE = {.turn = first, .epoch = 1, .reason = STR("leaving")}});
    assert_answer(client_answer(&c), 202, "");
    wait_trace("worker 1: TURN epoch 1");
}

/* Its last event comes before the store has said whether it was cancelled. */
static void turn_that_ends_while_it_is_looked_at_is_forgotten(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    redis_pause(200);
    worker_send(0, (struct frame){.code = FRAME_NEWS, .NEWS = {.turn = w.turn}});
    worker_event(0, 2, true, FINAL);
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, is_drained, NULL));
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_gone, &w.turn));
}

/* It would be taken for one that died of the turn. */
static void worker_that_leaves_is_sent_no_promised_turn(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 8);
    redis_pause(1000);
    struct client c = post("ada", "Prefer: respond-async\r\n");
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_promised, NULL));
    worker_send(0, (struct frame){.code = FRAME_BYE, .BYE = {.reason = STR("leaving")}});
    worker_start(1, 8);
    assert_answer(client_answer(&c), 202, "");
    wait_trace("worker 1: TURN epoch 2 token ada\n");
    assert_null(strstr(w.trace, "worker 0: TURN"));
}

static void cancel_that_its_worker_heard_too_early_reaches_it(void **state)
{
    (void)state;
    char what[200];
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    snprintf(what, sizeof(what), "POST /session/%s/turn/%s/cancel", session, turn_id());
    assert_answer(ask("ada", what, NULL), 202, "");
    wait_trace("worker 0: CANCEL\n");
    memset(w.trace, 0, sizeof(w.trace));
    worker_send(0, (struct frame){.code = FRAME_NEWS, .NEWS = {.turn = w.turn}}); /* I have none */
    wait_trace("worker 0: CANCEL\n");
}

/* As the janitor does; the worker is told for it to say NEWS to the others. */
static bool is_ended_by_a_tick(void *arg)
{
    (void)arg;
    turns_tick(&w.g);
    return strstr(w.trace, "worker 0: CANCEL\n") != NULL;
}

/* Its gateway died between its acceptance and TURN: the worker that the store names has not got it,
 * and says so to who cancels it. */
static void cancel_of_what_its_worker_never_got_ends_it(void **state)
{
    (void)state;
    char what[200];
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    struct id turn = w.turn;
    worker_send(0, (struct frame){.code = FRAME_DONE, .DONE = {.turn = turn, .epoch = 1}});
    assert_true(
        pump_within(w.pump, WORLD_WAIT_MS, turn_is_gone, &turn)); /* it is no turn of ours */
    snprintf(what, sizeof(what), "POST /session/%s/turn/%s/cancel", session, turn_id());
    assert_answer(ask("ada", what, NULL), 202, "");
    wait_trace("worker 0: CANCEL\n");
    assert_answer(post_async("ada", ""), 409, "turn_running"); /* it may have it */
    worker_send(0, (struct frame){.code = FRAME_DONE, .DONE = {.turn = turn}});
    memset(w.trace, 0, sizeof(w.trace));
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, is_ended_by_a_tick, NULL));
    assert_answer(post_async("ada", ""), 202, "");
}

static void worker_of_another_version_or_without_bounds_is_refused(void **state)
{
    (void)state;
    worker_connect(0);
    worker_hello(0, PROTO_VERSION + 1, 1);
    wait_trace("worker 0: BYE version\n");
    worker_hello(0, PROTO_VERSION, WORKER_CAPACITY_MAX + 1);
    wait_trace("worker 0: BYE capacity\n");
    begin("ada");
    assert_answer(post_async("ada", ""), 503, "no_worker");
    worker_connect(1);
    worker_send(1, (struct frame){.code = FRAME_BEAT});
    wait_trace("worker 1: BYE hello\n"); /* who is it? */
}

static void worker_is_given_a_fresh_token_or_told_that_there_is_none(void **state)
{
    (void)state;
    const char *cookies =
        "Cookie: jwtPayload=ada; jwtSignature=x; jwtRefreshToken=good\r\nPrefer: respond-async\r\n";
    begin("ada.x");
    worker_start(0, 4);
    struct client c = post(NULL, cookies);
    assert_answer(client_answer(&c), 202, "");
    wait_trace("TURN epoch 1 token ada.x\n");
    struct frame need = {.code = FRAME_NEED_TOKEN, .NEED_TOKEN = {.turn = w.turn, .epoch = 1}};
    worker_send(0, need);
    wait_trace("worker 0: TOKEN fresh\n");
    begin("bob");
    assert_answer(post_async("bob", ""), 202, "");
    wait_trace("token bob\n");
    need.NEED_TOKEN.turn = w.turn;
    worker_send(0, need);
    wait_trace("worker 0: TOKEN bob\n"); /* a Bearer can't be refreshed, and is fine */
    w.revoked = "bob";
    worker_send(0, need);
    wait_trace("worker 0: TOKEN \n");
}

static void followers_come_late_leave_early_and_resume_where_they_were(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    struct client late = follow("ada", turn_id(), NULL);
    struct client gone = follow("ada", turn_id(), NULL);
    client_wait(&late, "id: 1-1\n");
    client_wait(&gone, "id: 1-1\n");
    client_free(&gone);
    worker_event(0, 2, false, TEXT);
    client_wait(&late, "id: 1-2\n");
    struct client again = follow("ada", turn_id(), "Last-Event-ID: 1-1\r\n");
    client_wait(&again, "id: 1-2\n");
    worker_event(0, 3, true, FINAL);
    assert_non_null(strstr(ended(&late), "id: 1-3\n"));
    const char *body = ended(&again);
    assert_non_null(strstr(body, "id: 1-3\n"));
    assert_null(strstr(body, "id: 1-1\n"));
}

static void only_its_owner_follows_or_cancels_a_turn(void **state)
{
    (void)state;
    char what[200];
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    struct client c = follow("eve", turn_id(), NULL);
    assert_answer(client_answer(&c), 404, "session_not_found");
    snprintf(what, sizeof(what), "POST /session/%s/turn/%s/cancel", session, turn_id());
    assert_answer(ask("eve", what, NULL), 404, "session_not_found");
    c = follow("ada", "x", NULL);
    assert_answer(client_answer(&c), 404, "turn_not_found");
    c = follow("ada", turn_id(), "Last-Event-ID: x\r\n");
    assert_answer(client_answer(&c), 400, "bad_request");
    assert_answer(ask("ada", what, NULL), 202, "");
    wait_trace("worker 0: CANCEL\n");
}

static void one_that_nobody_drives_is_adopted_by_who_brings_a_token(void **state)
{
    (void)state;
    begin("ada");
    worker_start(0, 1);
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    worker_send(0, (struct frame){.code = FRAME_DONE, .DONE = {.turn = w.turn, .epoch = 1}});
    struct id turn = w.turn, of;
    assert_true(id_parse(str_of(session), &of));
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_gone, &turn)); /* it is the store's */
    struct secret *token = secret_new(STR("ada2"));
    struct credentials c = {.access = token};
    turns_adopt(&w.g, of, turn, 1, STR("ada:1795854575000"), &c);
    assert_non_null(turns_get(&w.g, turn));
    secret_free(token);
    /* It is held by its worker still, as the store says: it is left to it. */
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, turn_is_gone, &turn));
    assert_null(strstr(w.trace, "epoch 2"));
}

static void drain_hands_over_what_is_queued(void **state)
{
    (void)state;
    worker_start(0, 1);
    begin("ada");
    assert_answer(post_async("ada", ""), 202, "");
    wait_trace("TURN epoch 1");
    begin("ada");
    struct client c = post("ada", NULL);
    client_wait(&c, "id: 1-1\n");
    assert_false(turns_drained(&w.g));
    w.g.draining = true;
    turns_hand_over(&w.g);
    streams_end(&w.g, true);
    ended(&c);
    unsigned driven, known;
    turns_counts(w.g.turns, &driven, &known);
    assert_int_equal(driven, 1); /* the one that runs */
    worker_event(0, 2, true, FINAL);
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, is_drained, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(question_goes_to_a_worker_and_its_events_to_who_asked),
        WORLD_TEST(what_comes_twice_or_of_an_old_epoch_is_dropped),
        WORLD_TEST(without_a_worker_no_question_is_taken),
        WORLD_TEST(queue_is_bounded_and_one_that_is_cancelled_there_ends),
        WORLD_TEST(session_has_one_turn_at_a_time),
        WORLD_TEST(key_begins_one_turn_and_who_repeats_it_follows_that),
        WORLD_TEST(turn_goes_on_when_who_asked_has_left),
        WORLD_TEST(behind_a_proxy_the_answer_begins_a_moment_later),
        WORLD_TEST(turn_of_a_worker_that_is_gone_goes_to_another_under_its_next_epoch),
        WORLD_TEST(turn_of_a_worker_that_says_hello_again_is_asked_for),
        WORLD_TEST(turn_that_such_a_worker_has_not_goes_to_the_next_epoch),
        WORLD_TEST(turn_that_a_full_worker_refused_waits_for_its_next_report),
        WORLD_TEST(its_worker_is_brought_what_it_would_load),
        WORLD_TEST(worker_that_goes_while_a_turn_becomes_its_own_loses_nothing),
        WORLD_TEST(promised_turn_waits_for_nobody),
        WORLD_TEST(turn_that_ends_while_it_is_looked_at_is_forgotten),
        WORLD_TEST(worker_that_leaves_is_sent_no_promised_turn),
        WORLD_TEST(cancel_that_its_worker_heard_too_early_reaches_it),
        WORLD_TEST(cancel_of_what_its_worker_never_got_ends_it),
        WORLD_TEST(worker_of_another_version_or_without_bounds_is_refused),
        WORLD_TEST(worker_is_given_a_fresh_token_or_told_that_there_is_none),
        WORLD_TEST(followers_come_late_leave_early_and_resume_where_they_were),
        WORLD_TEST(only_its_owner_follows_or_cancels_a_turn),
        WORLD_TEST(one_that_nobody_drives_is_adopted_by_who_brings_a_token),
        WORLD_TEST(drain_hands_over_what_is_queued),
    };
    return cmocka_run_group_tests(tests, redis_up, redis_down);
}
