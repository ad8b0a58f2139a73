/* The follower by trace: what comes in, and what a client has seen after it. A client's view is
 * written as the ids it got. */
#include "tests/support/unit.h"
#include <stdio.h>
#include "gateway/turn/follow.h"

struct turn_context {
    struct tail tail;
    struct follow follow;
    char seen[4096]; /* all bytes the client got */
    size_t len;
    int64_t now_ms;
    struct event_at has; /* the store's epoch, and its last seq */
};

static struct chunk *event(uint32_t epoch, uint32_t seq, bool final)
{
    return chunk_new((struct event_at){epoch, seq}, final, STR("{}"));
}

static struct chunk *awaiting(uint32_t epoch, uint32_t seq)
{
    return chunk_new((struct event_at){epoch, seq}, true,
                     STR("{\"event\":{\"payload\":{\"event_type\":\"turn_awaiting_input\"}}}"));
}

static int set_up(void **state)
{
    struct turn_context *s = calloc(1, sizeof(*s));
    tail_init(&s->tail, 1024);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct turn_context *s = *state;
    follow_free(&s->follow);
    tail_free(&s->tail);
    free(s);
    return 0;
}

static void add(struct turn_context *s, uint32_t epoch, uint32_t first, uint32_t last)
{
    for (uint32_t seq = first; seq <= last; seq++)
        tail_add(&s->tail, event(epoch, seq, false));
}

static void start(struct turn_context *s, uint32_t epoch, uint32_t seq)
{
    follow_init(&s->follow, (struct event_at){epoch, seq}, &s->tail);
}

/* The client takes all it can, cap bytes at a time. */
static void drain(struct turn_context *s, size_t cap)
{
    size_t len;
    while ((len = follow_fill(&s->follow, &s->tail, s->seen + s->len, cap)) > 0)
        s->len += len;
}

/* The ids that the client has seen, as "1-1 1-2". */
static const char *ids(struct turn_context *s)
{
    static char text[1024];
    size_t len = 0;
    s->seen[s->len] = '\0';
    text[0] = '\0';
    for (const char *at = s->seen; (at = strstr(at, "id: ")) != NULL; at += 4)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s", len ? " " : "",
                                (int)strcspn(at + 4, "\n"), at + 4);
    return text;
}

/* The store is asked and gives these; more: it has more. */
static void store_gives(struct turn_context *s, uint32_t epoch, uint32_t first, uint32_t last,
                        bool more)
{
    assert_true(follow_must_ask(&s->follow, &s->tail, s->now_ms));
    follow_asked(&s->follow, tail_sound(&s->tail));
    for (uint32_t seq = first; seq <= last; seq++)
        follow_got(&s->follow, event(epoch, seq, false));
    follow_answered(&s->follow, &s->tail, more ? FOLLOW_MORE : FOLLOW_WHOLE, s->has, s->now_ms, 50);
}

static void a_live_follower_gets_each_event_once_in_order(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 2);
    start(s, 0, 0);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2");
    add(s, 1, 3, 4);
    drain(s, 7);
    assert_string_equal(ids(s), "1-1 1-2 1-3 1-4");
    assert_false(follow_must_ask(&s->follow, &s->tail, 0));
}

static void a_reconnected_one_goes_on_after_its_last_id(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 6);
    start(s, 1, 4);
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-5 1-6");
}

static void what_the_tail_no_longer_has_comes_from_the_store(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 10, 12);
    start(s, 1, 7);
    assert_int_equal(s->follow.state, FOLLOW_BEHIND);
    drain(s, 4096);
    assert_string_equal(ids(s), "");
    store_gives(s, 1, 8, 10, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-8 1-9 1-10 1-11 1-12");
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
}

static void a_tail_keeps_what_a_follower_has_not_had(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 4);
    start(s, 1, 2);
    tail_stored(&s->tail, (struct event_at){1, 4});
    tail_trim(&s->tail, s->follow.cursor);
    assert_int_equal(s->tail.count, 2);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-3 1-4");
    tail_trim(&s->tail, s->follow.cursor);
    assert_int_equal(s->tail.count, 1); /* the last one stays */
    add(s, 1, 5, 5);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-3 1-4 1-5");
}

static void a_tail_keeps_what_the_store_lacks(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 6);
    tail_stored(&s->tail, (struct event_at){1, 2});
    tail_trim(&s->tail, (struct event_at){UINT32_MAX, UINT32_MAX}); /* nobody follows */
    start(s, 1, 2);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-3 1-4 1-5 1-6");
    tail_stored(&s->tail, (struct event_at){1, 6});
    tail_stored(&s->tail, (struct event_at){1, 4}); /* it never lacks what it had */
    tail_trim(&s->tail, (struct event_at){UINT32_MAX, UINT32_MAX});
    assert_int_equal(s->tail.count, 1);
    add(s, 2, 1, 1);
    tail_trim(&s->tail, (struct event_at){UINT32_MAX, UINT32_MAX});
    assert_int_equal(s->tail.count, 1);
    assert_int_equal(tail_last(&s->tail)->at.epoch, 2);
}

/* ---- a turn of another gateway: its worker says from where on its events come here ---- */

static void a_fed_tail_begins_where_the_store_ends(void **state)
{
    struct turn_context *s = *state;
    start(s, 0, 0);
    tail_from(&s->tail, (struct event_at){1, 4});
    s->has = (struct event_at){1, 4};
    assert_int_equal(s->follow.state, FOLLOW_BEHIND);
    add(s, 1, 5, 6);
    store_gives(s, 1, 1, 4, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3 1-4 1-5 1-6");
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
}

static void who_has_all_that_is_stored_waits_for_the_feed_alone(void **state)
{
    struct turn_context *s = *state;
    tail_from(&s->tail, (struct event_at){1, 4});
    start(s, 1, 4);
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
    assert_false(follow_must_ask(&s->follow, &s->tail, 1000000));
    assert_false(follow_is_ahead(&s->follow, &s->tail));
    add(s, 1, 5, 5);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-5");
}

/* The driving gateway gave out more than is stored, and its client comes here. */
static void who_has_more_than_is_stored_gets_what_comes_after_it(void **state)
{
    struct turn_context *s = *state;
    tail_from(&s->tail, (struct event_at){1, 4});
    start(s, 1, 6);
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
    assert_true(follow_is_ahead(&s->follow, &s->tail));
    add(s, 1, 5, 8);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-7 1-8");
}

static void a_store_that_was_asked_before_the_feed_began_is_asked_again(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 2);
    assert_true(follow_must_ask(&s->follow, &s->tail, 0));
    follow_asked(&s->follow, tail_sound(&s->tail));
    tail_from(&s->tail, (struct event_at){1, 4}); /* 1-3 and 1-4 were stored meanwhile */
    add(s, 1, 5, 5);
    follow_answered(&s->follow, &s->tail, FOLLOW_WHOLE, s->has, 0, 50);
    drain(s, 4096);
    assert_string_equal(ids(s), "");
    s->now_ms = 50;
    s->has = (struct event_at){1, 4};
    store_gives(s, 1, 3, 4, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-3 1-4 1-5");
}

/* What of the old epoch was seen and never stored is followed by the next one's first. */
static void a_feed_of_the_next_epoch_goes_on_once_the_store_has_no_more_of_the_old_one(void **state)
{
    struct turn_context *s = *state;
    tail_from(&s->tail, (struct event_at){1, 4});
    start(s, 1, 4);
    add(s, 1, 5, 6);
    drain(s, 4096);
    tail_from(&s->tail, (struct event_at){2, 0});
    drain(s, 4096);
    assert_int_equal(s->follow.state, FOLLOW_BEHIND); /* a seal may have stored 1-7 */
    s->has = (struct event_at){2, 0};
    store_gives(s, 1, 7, 7, false);
    add(s, 2, 1, 1);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-5 1-6 1-7 2-1");
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
}

/* Or the turn is in another epoch there, in which the feed's has no say. */
static void a_store_that_lost_what_it_had_is_no_ground_to_go_on_from(void **state)
{
    static const struct event_at others[] = {{1, 3}, {2, 0}, {2, 9}};
    struct turn_context *s = *state;
    for (unsigned i = 0; i < sizeof(others) / sizeof(*others); i++) {
        tail_reset(&s->tail);
        tail_from(&s->tail, (struct event_at){1, 4});
        add(s, 1, 5, 6);
        follow_free(&s->follow);
        start(s, 1, 2);
        s->has = others[i];
        store_gives(s, 1, 3, 3, false);
        s->len = 0;
        drain(s, 4096);
        assert_string_equal(ids(s), "1-3");
        assert_int_equal(s->follow.state, FOLLOW_BEHIND);
    }
}

static void a_failed_read_says_nothing_of_what_there_is(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 6);
    tail_from(&s->tail, (struct event_at){2, 0});
    add(s, 2, 1, 1);
    assert_true(follow_must_ask(&s->follow, &s->tail, 0));
    follow_asked(&s->follow, tail_sound(&s->tail));
    follow_answered(&s->follow, &s->tail, FOLLOW_FAILED, s->has, 0, 50);
    drain(s, 4096);
    assert_string_equal(ids(s), "");
}

/* A message of the link was lost: the worker sends again what is not stored. */
static void a_gap_is_mended_by_a_feed_that_begins_before_it(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 3);
    start(s, 0, 0);
    drain(s, 4096);
    tail_add(&s->tail, event(1, 6, false));
    drain(s, 4096);
    assert_int_equal(s->follow.state, FOLLOW_BEHIND);
    assert_int_equal(tail_sound(&s->tail).epoch, 0); /* 1-4 and 1-5 may not be stored */
    tail_from(&s->tail, (struct event_at){1, 2});
    add(s, 1, 3, 6);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3 1-4 1-5 1-6");
}

static void an_unsound_beginning_never_skips_what_may_come(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 3);
    start(s, 0, 0);
    drain(s, 4096);
    tail_add(&s->tail, event(1, 6, false));
    drain(s, 4096);
    store_gives(s, 1, 1, 0, false); /* it has none of them yet */
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3");
    s->now_ms = 50;
    store_gives(s, 1, 4, 5, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3 1-4 1-5 1-6");
}

/* 1-2 and 1-3 were too many to be kept, and died with their worker before they were stored. */
static void the_rest_of_a_dead_epoch_is_not_for_who_missed_its_middle(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 4, 6);
    tail_stored(&s->tail, (struct event_at){1, 1});
    add(s, 2, 1, 1);
    tail_stored(&s->tail, (struct event_at){2, 0});
    start(s, 1, 1);
    store_gives(s, 1, 1, 0, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "");
    s->now_ms = 50;
    store_gives(s, 2, 1, 1, false);
    add(s, 2, 2, 2);
    drain(s, 4096);
    assert_string_equal(ids(s), "2-1 2-2");
}

static void a_feed_that_begins_again_keeps_what_goes_on(void **state)
{
    struct turn_context *s = *state;
    tail_from(&s->tail, (struct event_at){1, 4});
    add(s, 1, 5, 9);
    start(s, 1, 6);
    tail_from(&s->tail, (struct event_at){1, 7}); /* the link was down for a moment */
    assert_int_equal(s->tail.count, 5);
    add(s, 1, 8, 10);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-7 1-8 1-9 1-10");
    tail_from(&s->tail, (struct event_at){1, 20}); /* for longer: 1-11 and more are stored */
    assert_int_equal(s->tail.count, 0);
    drain(s, 4096);
    assert_int_equal(s->follow.state, FOLLOW_BEHIND);
}

static void a_slow_client_falls_behind_and_catches_up(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 1);
    start(s, 0, 0);
    s->len = follow_fill(&s->follow, &s->tail, s->seen, 5); /* in the middle of 1-1 */
    add(s, 1, 2, 200);                                      /* 1-1 has left the tail */
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1");
    store_gives(s, 1, 2, 100, true);
    drain(s, 4096);
    assert_non_null(strstr(ids(s), "1-99 1-100"));
    store_gives(s, 1, 101, 190, true);
    s->len = 0;
    drain(s, 4096);
    assert_non_null(strstr(ids(s), "1-101 1-102"));
    assert_non_null(strstr(ids(s), "1-190 1-191"));
    assert_non_null(strstr(ids(s), "1-199 1-200"));
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
}

static void it_holds_one_answer_of_the_store_at_most(void **state)
{
    struct turn_context *s = *state;
    start(s, 0, 0);
    store_gives(s, 1, 1, 50, true);
    assert_false(follow_must_ask(&s->follow, &s->tail, 1000)); /* its client has not taken it */
    drain(s, 4096);
    assert_true(follow_must_ask(&s->follow, &s->tail, 1000));
}

static void nothing_new_in_the_store_is_asked_again_later(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 5);
    store_gives(s, 1, 1, 0, false);
    assert_false(follow_must_ask(&s->follow, &s->tail, 49));
    assert_true(follow_must_ask(&s->follow, &s->tail, 50));
}

static void events_that_it_has_are_dropped(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 5);
    store_gives(s, 1, 3, 7, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-6 1-7");
}

static void the_live_tail_may_overtake_an_answer(void **state)
{
    struct turn_context *s = *state;
    start(s, 0, 0);
    assert_true(follow_must_ask(&s->follow, &s->tail, 0));
    follow_asked(&s->follow, tail_sound(&s->tail));
    add(s, 1, 1, 3);
    drain(s, 4096);
    follow_got(&s->follow, event(1, 1, false));
    follow_got(&s->follow, event(1, 2, false));
    follow_answered(&s->follow, &s->tail, FOLLOW_WHOLE, s->has, 0, 50);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3");
}

/* As where the gateway's line to Redis is cut, and the worker's is not. */
static void the_live_tail_may_overtake_an_answer_to_the_end(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 1);
    assert_true(follow_must_ask(&s->follow, &s->tail, 0));
    follow_asked(&s->follow, tail_sound(&s->tail));
    tail_from(&s->tail, (struct event_at){1, 1});
    add(s, 1, 2, 3);
    tail_add(&s->tail, event(1, 4, true));
    drain(s, 4096);
    assert_string_equal(ids(s), "1-2 1-3 1-4");
    assert_true(follow_over(&s->follow)); /* its client may take the last bytes a while later */
    follow_got(&s->follow, event(1, 2, false));
    follow_got(&s->follow, chunk_new_last(STR("{}")));
    follow_answered(&s->follow, &s->tail, FOLLOW_FAILED, s->has, 0, 50);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-2 1-3 1-4");
    assert_true(follow_over(&s->follow));
}

static void a_new_epoch_follows_on_the_old_one(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 3);
    start(s, 0, 0);
    add(s, 2, 1, 2);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3 2-1 2-2");
}

static void a_cursor_in_an_epoch_the_tail_has_lost_asks_the_store(void **state)
{
    struct turn_context *s = *state;
    add(s, 2, 1, 2);
    start(s, 1, 7);
    assert_int_equal(s->follow.state, FOLLOW_BEHIND);
    store_gives(s, 2, 1, 1, false); /* 1-8 was never stored */
    drain(s, 4096);
    assert_string_equal(ids(s), "2-1 2-2");
}

/* It was told by another gateway what this one hears a moment later; or it made that up. */
static void a_cursor_ahead_of_the_tail_waits_for_it(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 3);
    start(s, 1, 5);
    assert_int_equal(s->follow.state, FOLLOW_LIVE);
    assert_false(follow_must_ask(&s->follow, &s->tail, s->now_ms));
    assert_true(follow_is_ahead(&s->follow, &s->tail));
    drain(s, 100);
    add(s, 1, 4, 5);
    drain(s, 100);
    assert_string_equal(ids(s), "");
    assert_false(follow_is_ahead(&s->follow, &s->tail));
    add(s, 1, 6, 7);
    drain(s, 100);
    assert_string_equal(ids(s), "1-6 1-7");
}

static void one_that_has_nothing_to_give_out_waits_for_the_store(void **state)
{
    struct turn_context *s = *state;
    const struct event_at here = {1, 2};
    start(s, 1, 1);
    assert_false(follow_waits_at(&s->follow, here));
    store_gives(s, 1, 2, 2, false);
    assert_false(follow_waits_at(&s->follow, here)); /* its client takes that first */
    drain(s, 100);
    assert_true(follow_waits_at(&s->follow, here));
    follow_asked(&s->follow, tail_sound(&s->tail));
    assert_false(follow_waits_at(&s->follow, here));
}

static void a_gap_empties_the_tail(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 3);
    start(s, 0, 0);
    drain(s, 4096);
    tail_add(&s->tail, event(1, 6, false)); /* 1-4 and 1-5 never came */
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3");
    store_gives(s, 1, 4, 5, false);
    drain(s, 4096);
    assert_string_equal(ids(s), "1-1 1-2 1-3 1-4 1-5 1-6");
}

static void a_late_event_of_an_old_epoch_is_dropped(void **state)
{
    struct turn_context *s = *state;
    add(s, 2, 1, 1);
    assert_false(tail_add(&s->tail, event(1, 9, false)));
    assert_false(tail_add(&s->tail, event(2, 1, false)));
    assert_int_equal(s->tail.count, 1);
}

static void after_the_final_event_it_is_over(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 1);
    tail_add(&s->tail, event(1, 2, true));
    start(s, 0, 0);
    assert_false(follow_over(&s->follow));
    drain(s, 10);
    assert_string_equal(ids(s), "1-1 1-2");
    assert_true(follow_over(&s->follow));
    assert_false(follow_must_ask(&s->follow, &s->tail, 100));
}

static void a_final_event_from_the_store_ends_it_too(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 1);
    assert_true(follow_must_ask(&s->follow, &s->tail, 0));
    follow_asked(&s->follow, tail_sound(&s->tail));
    follow_got(&s->follow, event(1, 2, true));
    follow_answered(&s->follow, &s->tail, FOLLOW_WHOLE, s->has, 0, 50);
    drain(s, 4096);
    assert_true(follow_over(&s->follow));
}

/* A client has read it in the store, and comes once more before the tail has it. */
static void who_has_the_final_event_already_is_not_kept_waiting(void **state)
{
    struct turn_context *s = *state;
    tail_add(&s->tail, event(1, 1, false));
    start(s, 1, 3);
    drain(s, 4096);
    assert_false(follow_over(&s->follow));
    tail_add(&s->tail, event(1, 2, false));
    tail_add(&s->tail, event(1, 3, true));
    drain(s, 4096);
    assert_int_equal(s->len, 0);
    assert_true(follow_over(&s->follow));
}

/* What its person decides comes behind it. */
static void who_has_seen_what_awaits_a_decision_waits_for_it(void **state)
{
    struct turn_context *s = *state;
    tail_add(&s->tail, event(1, 1, false));
    tail_add(&s->tail, awaiting(1, 2));
    start(s, 1, 2);
    drain(s, 4096);
    assert_false(follow_over(&s->follow));
}

/* turn_awaiting_input ends a stream until its person has decided. */
static void a_final_event_with_more_behind_it_is_not_the_end(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 1);
    tail_add(&s->tail, awaiting(1, 2));
    start(s, 0, 0);
    drain(s, 1000);
    assert_true(follow_over(&s->follow));
    follow_free(&s->follow);
    start(s, 1, 2); /* one who waits behind it */
    drain(s, 1000);
    assert_false(follow_over(&s->follow));
    add(s, 2, 1, 1);
    tail_add(&s->tail, event(2, 2, true));
    drain(s, 1000);
    assert_true(follow_over(&s->follow));
    follow_free(&s->follow);
    start(s, 0, 0); /* one who reads it from the start */
    drain(s, 10);
    assert_true(follow_over(&s->follow));
    assert_string_equal(ids(s), "1-1 1-2 2-1 2-2 1-1 1-2 2-1 2-2");
}

static void a_last_word_without_an_id_ends_it(void **state)
{
    struct turn_context *s = *state;
    start(s, 1, 1);
    assert_true(follow_must_ask(&s->follow, &s->tail, 0));
    follow_asked(&s->follow, tail_sound(&s->tail));
    follow_got(&s->follow, chunk_new_last(STR("{\"lost\":1}")));
    follow_answered(&s->follow, &s->tail, FOLLOW_WHOLE, s->has, 0, 50);
    drain(s, 3);
    s->seen[s->len] = '\0';
    assert_string_equal(s->seen, "data: {\"lost\":1}\n\n");
    assert_true(follow_over(&s->follow));
}

static void the_tail_is_bounded(void **state)
{
    struct turn_context *s = *state;
    add(s, 1, 1, 5000);
    assert_true(s->tail.bytes <= 1024);
    assert_int_equal(tail_last(&s->tail)->at.seq, 5000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_live_follower_gets_each_event_once_in_order),
        TEST(a_reconnected_one_goes_on_after_its_last_id),
        TEST(a_tail_keeps_what_a_follower_has_not_had),
        TEST(a_tail_keeps_what_the_store_lacks),
        TEST(a_fed_tail_begins_where_the_store_ends),
        TEST(who_has_all_that_is_stored_waits_for_the_feed_alone),
        TEST(who_has_more_than_is_stored_gets_what_comes_after_it),
        TEST(a_store_that_was_asked_before_the_feed_began_is_asked_again),
        TEST(a_feed_of_the_next_epoch_goes_on_once_the_store_has_no_more_of_the_old_one),
        TEST(a_store_that_lost_what_it_had_is_no_ground_to_go_on_from),
        TEST(a_failed_read_says_nothing_of_what_there_is),
        TEST(a_gap_is_mended_by_a_feed_that_begins_before_it),
        TEST(an_unsound_beginning_never_skips_what_may_come),
        TEST(the_rest_of_a_dead_epoch_is_not_for_who_missed_its_middle),
        TEST(a_feed_that_begins_again_keeps_what_goes_on),
        TEST(what_the_tail_no_longer_has_comes_from_the_store),
        TEST(a_slow_client_falls_behind_and_catches_up),
        TEST(it_holds_one_answer_of_the_store_at_most),
        TEST(nothing_new_in_the_store_is_asked_again_later),
        TEST(events_that_it_has_are_dropped),
        TEST(the_live_tail_may_overtake_an_answer),
        TEST(the_live_tail_may_overtake_an_answer_to_the_end),
        TEST(a_new_epoch_follows_on_the_old_one),
        TEST(a_cursor_in_an_epoch_the_tail_has_lost_asks_the_store),
        TEST(a_cursor_ahead_of_the_tail_waits_for_it),
        TEST(one_that_has_nothing_to_give_out_waits_for_the_store),
        TEST(a_gap_empties_the_tail),
        TEST(a_late_event_of_an_old_epoch_is_dropped),
        TEST(after_the_final_event_it_is_over),
        TEST(a_final_event_from_the_store_ends_it_too),
        TEST(who_has_the_final_event_already_is_not_kept_waiting),
        TEST(who_has_seen_what_awaits_a_decision_waits_for_it),
        TEST(a_final_event_with_more_behind_it_is_not_the_end),
        TEST(a_last_word_without_an_id_ends_it),
        TEST(the_tail_is_bounded),
    };
    return cmocka_run_group_tests_name("gateway/follow", tests, NULL, NULL);
}
