/* The feed by trace: facts in, what is sent and where it stands out. Workers are "a" and "b". */
#include "tests/support/unit.h"
#include <stdio.h>
#include <string.h>
#include "gateway/turn/feed.h"

struct dispatch_worker {
    const char *name;
};
static struct dispatch_worker worker_a = {"a"}, worker_b = {"b"};
static struct dispatch_worker *const a = &worker_a, *const b = &worker_b;
static struct feed feed;
static char trace[1024];
static int64_t now_ms;

static int begin(void **state)
{
    (void)state;
    feed = (struct feed){0};
    trace[0] = '\0';
    now_ms = 1000;
    return 0;
}

static void note(const char *what)
{
    size_t len = strlen(trace);
    snprintf(trace + len, sizeof(trace) - len, "%s%s", len ? ", " : "", what);
}

static void stands(const char *what)
{
    char text[64];
    snprintf(text, sizeof(text), "%s%s%s", what, feed.worker ? " " : "",
             feed.worker ? feed.worker->name : "");
    note(text);
}

static void held(struct dispatch_worker *worker, uint32_t epoch)
{
    struct feed_wish wish = feed_held(&feed, worker, epoch, now_ms);
    char text[32];
    if (wish.unfollow) {
        snprintf(text, sizeof(text), "UNFOLLOW %s", wish.unfollow->name);
        note(text);
    }
    if (wish.follow) {
        snprintf(text, sizeof(text), "FOLLOW %s", wish.follow->name);
        note(text);
    }
    stands(feed_state_name(feed.state));
}

static void following(struct dispatch_worker *from, uint32_t epoch)
{
    note(feed_following(&feed, from, epoch) ? "counts" : "does not count");
    stands(feed_state_name(feed.state));
}

static void event(struct dispatch_worker *from, uint32_t epoch)
{
    note(feed_event(&feed, from, epoch) ? "taken" : "dropped");
}

static void done(struct dispatch_worker *from, uint32_t epoch)
{
    note(feed_done(&feed, from, epoch) ? "ended" : "does not count");
    stands(feed_state_name(feed.state));
}

static void expect(const char *what)
{
    assert_string_equal(trace, what);
    trace[0] = '\0';
}

static void a_worker_that_holds_the_turn_is_asked_and_its_events_taken(void **state)
{
    (void)state;
    held(a, 1);
    event(a, 1);
    following(a, 1);
    event(a, 1);
    held(a, 1); /* a reader of what is past is told the same */
    expect("FOLLOW a, ASKED a, dropped, counts, LIVE a, taken, LIVE a");
    assert_ptr_equal(feed_stop(&feed), a);
    assert_null(feed_stop(&feed));
}

static void one_that_is_queued_or_held_without_a_link_is_not_asked_for(void **state)
{
    (void)state;
    held(NULL, 1);
    held(NULL, 1);
    held(a, 1);
    expect("NONE, NONE, FOLLOW a, ASKED a");
}

static void an_answer_that_does_not_come_is_asked_for_again(void **state)
{
    (void)state;
    held(a, 1);
    now_ms += 999;
    held(a, 1);
    now_ms += 1;
    held(a, 1);
    expect("FOLLOW a, ASKED a, ASKED a, FOLLOW a, ASKED a");
}

static void who_has_it_no_more_ends_the_feed_and_the_next_holder_is_asked(void **state)
{
    (void)state;
    held(a, 1);
    following(a, 1);
    done(a, 1);
    held(NULL, 2); /* claimed, and queued at its gateway */
    held(b, 2);
    following(b, 2);
    expect(
        "FOLLOW a, ASKED a, counts, LIVE a, ended, NONE, NONE, FOLLOW b, ASKED b, counts, LIVE b");
}

static void one_that_was_asked_and_has_it_not_ends_it_too(void **state)
{
    (void)state;
    held(a, 1);
    done(a, 0);
    held(a, 1); /* it may have it the next moment */
    expect("FOLLOW a, ASKED a, ended, NONE, FOLLOW a, ASKED a");
}

static void a_worker_that_was_given_up_for_dead_is_not_listened_to(void **state)
{
    (void)state;
    held(a, 1);
    following(a, 1);
    held(b, 2);
    event(a, 1);
    done(a, 1);
    following(a, 1);
    following(b, 2);
    event(a, 1);
    event(b, 1);
    event(b, 2);
    expect("FOLLOW a, ASKED a, counts, LIVE a, UNFOLLOW a, FOLLOW b, ASKED b, dropped, "
           "does not count, ASKED b, does not count, ASKED b, counts, LIVE b, dropped, dropped, "
           "taken");
}

static void a_turn_that_comes_back_to_its_worker_is_followed_anew(void **state)
{
    (void)state;
    held(a, 1);
    following(a, 1);
    held(a, 2);
    done(a, 1); /* of what it ran before */
    following(a, 2);
    event(a, 2);
    expect("FOLLOW a, ASKED a, counts, LIVE a, FOLLOW a, ASKED a, does not count, ASKED a, "
           "counts, LIVE a, taken");
}

static void an_answer_of_an_earlier_epoch_changes_nothing(void **state)
{
    (void)state;
    held(b, 2);
    following(b, 2);
    held(a, 1);
    held(NULL, 1);
    expect("FOLLOW b, ASKED b, counts, LIVE b, LIVE b, LIVE b");
    done(b, 2);
    held(a, 1); /* also when it has ended */
    expect("ended, NONE, NONE");
}

static void a_lost_link_ends_its_own_feed_only(void **state)
{
    (void)state;
    held(a, 1);
    assert_false(feed_lost(&feed, b));
    assert_true(feed_lost(&feed, a));
    assert_false(feed_lost(&feed, a));
    held(a, 1);
    expect("FOLLOW a, ASKED a, FOLLOW a, ASKED a");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, begin)
    const struct CMUnitTest tests[] = {
        TEST(a_worker_that_holds_the_turn_is_asked_and_its_events_taken),
        TEST(one_that_is_queued_or_held_without_a_link_is_not_asked_for),
        TEST(an_answer_that_does_not_come_is_asked_for_again),
        TEST(who_has_it_no_more_ends_the_feed_and_the_next_holder_is_asked),
        TEST(one_that_was_asked_and_has_it_not_ends_it_too),
        TEST(a_worker_that_was_given_up_for_dead_is_not_listened_to),
        TEST(a_turn_that_comes_back_to_its_worker_is_followed_anew),
        TEST(an_answer_of_an_earlier_epoch_changes_nothing),
        TEST(a_lost_link_ends_its_own_feed_only),
    };
    return cmocka_run_group_tests_name("gateway/feed", tests, NULL, NULL);
}
