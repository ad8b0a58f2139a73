#include "tests/support/unit.h"
#include "common/buf.h"
#include "gateway/turn/dispatch.h"

struct turn_context {
    struct dispatch d;
    struct dispatch_worker workers[3];
    struct dispatch_turn turns[32];
    unsigned lost, blamed;
    int64_t now_ms;
};

static int set_up(void **state)
{
    struct turn_context *s = calloc(1, sizeof(*s));
    dispatch_init(&s->d, 4);
    for (unsigned i = 0; i < 32; i++)
        dispatch_turn_init(&s->turns[i], "alice");
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* Dispatches one and tells to which worker, by index; -1: none. */
static int next(struct turn_context *s, struct dispatch_turn **turn)
{
    struct dispatch_worker *w = NULL;
    struct dispatch_turn *t = dispatch_next(&s->d, s->now_ms, &w);
    if (turn)
        *turn = t;
    return t ? (int)(w - s->workers) : -1;
}

static void on_lost(void *arg, struct dispatch_turn *t, bool blamed)
{
    struct turn_context *s = arg;
    s->lost++;
    s->blamed += blamed && dispatch_blame(t);
    dispatch_submit_first(&s->d, t);
}

static void without_a_worker_turns_wait_in_order(void **state)
{
    struct turn_context *s = *state;
    struct dispatch_turn *t;
    dispatch_submit(&s->d, &s->turns[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[0]);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
}

static void the_least_loaded_share_of_capacity_gets_it(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 100);
    dispatch_worker_add(&s->d, &s->workers[1], 10);
    dispatch_worker_report(&s->workers[0], 50);
    dispatch_worker_report(&s->workers[1], 4);
    dispatch_submit(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), 1); /* 40 % against 50 % */
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0); /* 50 % against 50 %: the first */
}

static void a_full_worker_gets_nothing(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 1);
    dispatch_submit(&s->d, &s->turns[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0);
    assert_false(dispatch_idle_worker(&s->d));
    assert_int_equal(next(s, NULL), -1);
    dispatch_done(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), 0);
}

static void what_a_worker_runs_for_others_counts(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 4);
    dispatch_worker_report(&s->workers[0], 4);
    dispatch_submit(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_report(&s->workers[0], 3);
    assert_int_equal(next(s, NULL), 0);
}

static void who_refused_gets_nothing_until_it_reports(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 2);
    dispatch_submit(&s->d, &s->turns[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0);
    assert_int_equal(next(s, NULL), 0);
    dispatch_done(&s->d, &s->turns[1]);
    dispatch_submit_first(&s->d, &s->turns[1]); /* it was refused, and is claimed */
    dispatch_worker_full(&s->workers[0]);
    assert_int_equal(next(s, NULL), -1);
    assert_false(dispatch_idle_worker(&s->d));
    dispatch_worker_add(&s->d, &s->workers[1], 1);
    assert_int_equal(next(s, NULL), 1);
    dispatch_submit(&s->d, &s->turns[2]);
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_report(&s->workers[0], 2); /* one of them another gateway's */
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_report(&s->workers[0], 1);
    dispatch_worker_full(&s->workers[0]); /* said of one that is full by what we gave it: no more */
    dispatch_worker_full(&s->workers[0]);
    dispatch_worker_report(&s->workers[0], 1);
    assert_int_equal(next(s, NULL), 0);
}

static void a_turn_on_its_way_is_not_counted_twice(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 2);
    dispatch_submit(&s->d, &s->turns[0]);
    assert_int_equal(next(s, NULL), 0);
    dispatch_worker_report(&s->workers[0], 0); /* it has not seen it yet */
    assert_int_equal(s->workers[0].elsewhere, 0);
    dispatch_worker_report(&s->workers[0], 1);
    assert_int_equal(s->workers[0].elsewhere, 0);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), 0);
}

static void room_is_bounded_by_the_queue(void **state)
{
    struct turn_context *s = *state;
    for (unsigned i = 0; i < 4; i++) {
        assert_true(dispatch_room(&s->d));
        dispatch_submit(&s->d, &s->turns[i]);
    }
    assert_false(dispatch_room(&s->d));
    dispatch_done(&s->d, &s->turns[2]); /* withdrawn from the middle */
    assert_true(dispatch_room(&s->d));
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    struct dispatch_turn *t;
    next(s, NULL);
    next(s, NULL);
    next(s, &t);
    assert_ptr_equal(t, &s->turns[3]);
}

static void a_lost_workers_turns_go_before_new_ones(void **state)
{
    struct turn_context *s = *state;
    struct dispatch_turn *t;
    dispatch_worker_add(&s->d, &s->workers[0], 2);
    dispatch_submit(&s->d, &s->turns[0]);
    next(s, NULL);
    dispatch_submit(&s->d, &s->turns[1]);
    dispatch_submit(&s->d, &s->turns[2]);
    next(s, NULL);
    dispatch_worker_remove(&s->d, &s->workers[0], true, s->now_ms, on_lost, s);
    assert_int_equal(s->lost, 2);
    assert_int_equal(s->d.worker_count, 0);
    assert_int_equal(s->d.capacity, 0);
    dispatch_worker_add(&s->d, &s->workers[1], 8);
    next(s, &t);
    assert_true(t == &s->turns[0] || t == &s->turns[1]);
    next(s, &t);
    assert_true(t == &s->turns[0] || t == &s->turns[1]);
    next(s, &t);
    assert_ptr_equal(t, &s->turns[2]);
}

static void a_leaving_worker_keeps_what_it_has_and_gets_no_more(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    dispatch_submit(&s->d, &s->turns[0]);
    next(s, NULL);
    dispatch_worker_leaves(&s->d, &s->workers[0]);
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
    assert_ptr_equal(s->turns[0].worker, &s->workers[0]);
    assert_int_equal(s->d.capacity, 0);
    dispatch_worker_remove(&s->d, &s->workers[0], true, s->now_ms, on_lost, s);
    assert_int_equal(s->d.capacity, 0);
    assert_int_equal(s->lost, 1);
}

static void ending_a_turn_twice_changes_nothing(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    dispatch_submit(&s->d, &s->turns[0]);
    next(s, NULL);
    dispatch_done(&s->d, &s->turns[0]);
    dispatch_done(&s->d, &s->turns[0]);
    assert_int_equal(s->workers[0].assigned, 0);
    assert_int_equal(s->d.queued, 0);
}

/* Letters are owners; '!' comes back from a worker that died; '.' lets one leave the queue. What
 * left it, in order. */
static const char *order(const char *facts)
{
    static char left[600];
    static struct dispatch_turn turns[600];
    static char names[600][2];
    struct dispatch d;
    struct dispatch_worker worker, *w;
    unsigned count = 0, out = 0;
    dispatch_init(&d, 1000);
    dispatch_worker_add(&d, &worker, 1000);
    for (; *facts; facts++) {
        struct dispatch_turn *t = *facts == '.' ? dispatch_next(&d, 0, &w) : &turns[count];
        if (*facts == '.') {
            left[out++] = t ? names[t - turns][0] : '-';
            continue;
        }
        names[count][0] = *facts;
        dispatch_turn_init(&turns[count++], names[t - turns]);
        if (*facts == '!')
            dispatch_submit_first(&d, t);
        else
            dispatch_submit(&d, t);
    }
    left[out] = '\0';
    return left;
}

static void one_owners_many_turns_delay_another_by_one(void **state)
{
    (void)state;
    assert_string_equal(order("aaaab....."), "abaaa");
    assert_string_equal(order("aaaa..b..."), "aaaba"); /* b comes in the third round */
    assert_string_equal(order("aaabbbc......."), "abcabab");
    assert_string_equal(order("aab!...."), "!aba");
    assert_string_equal(order("a.a.a.b.a."), "aaaba"); /* nobody waits: in order */
    char facts[300] = "";
    memset(facts, 'a', 200); /* 200 of one, then one of another */
    memcpy(facts + 200, "b...", 5);
    assert_string_equal(order(facts), "aba");
}

static void round_goes_on_when_its_turns_are_withdrawn(void **state)
{
    struct turn_context *s = *state;
    struct dispatch_turn *t;
    struct dispatch_turn b;
    dispatch_turn_init(&b, "bob");
    for (unsigned i = 0; i < 3; i++)
        dispatch_submit(&s->d, &s->turns[i]);
    dispatch_submit(&s->d, &b);
    dispatch_done(&s->d, &s->turns[0]);
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &b);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[1]);
}

/* ---- quarantine ---- */

/* Letters are turns a to z, from v on another owner's, digits workers 1 to 3, of capacity 20:
 *   +1  worker 1 comes          -1  it dies            a   a is submitted
 *   a!  a runs a tool           a.  a passes a step    a/  a is over
 *   >   what can be sent is     9000 that many ms pass (behind a blank)
 * What is sent and who is blamed, as "1ab !c 2c": a and b to worker 1, c is blamed, c to worker 2.
 */
static struct buf trace;
static char to_worker;

static void note(char c, char worker)
{
    if (worker != to_worker)
        buf_printf(&trace, "%s%c", trace.len > 0 ? " " : "", worker);
    to_worker = worker;
    buf_putc(&trace, c);
}

static void on_dead(void *arg, struct dispatch_turn *t, bool blamed)
{
    struct turn_context *s = arg;
    if (blamed)
        note((char)('a' + (t - s->turns)), '!');
    dispatch_submit_first(&s->d, t);
}

static void send_all(struct turn_context *s)
{
    struct dispatch_worker *w;
    struct dispatch_turn *t;
    to_worker = '\0';
    list_each (&s->d.workers, node, after)
        dispatch_worker_heard(list_of(node, struct dispatch_worker, node), s->now_ms + 1);
    while ((t = dispatch_next(&s->d, s->now_ms, &w)) != NULL)
        note((char)('a' + (t - s->turns)), (char)('1' + (w - s->workers)));
    to_worker = '\0';
}

static void play_turn(struct turn_context *s, struct dispatch_turn *t, char what)
{
    if (what == '!')
        dispatch_tool(t, true);
    else if (what == '.')
        dispatch_passed(t);
    else if (what == '/')
        dispatch_done(&s->d, t);
    else
        dispatch_submit(&s->d, t);
}

static const char *play(void **state, const char *facts)
{
    struct turn_context *s = *state;
    buf_clear(&trace);
    for (const char *at = facts; *at; at++) {
        if (*at == '>') {
            send_all(s);
        } else if (*at == '+') {
            dispatch_worker_add(&s->d, &s->workers[*++at - '1'], 20);
        } else if (*at == '-') {
            dispatch_worker_remove(&s->d, &s->workers[*++at - '1'], true, s->now_ms, on_dead, s);
            to_worker = '\0';
        } else if (*at >= 'a') {
            bool more = at[1] == '!' || at[1] == '.' || at[1] == '/';
            play_turn(s, &s->turns[*at - 'a'], at[1]);
            at += more;
        } else if (*at > '0') {
            s->now_ms += strtoll(at, (char **)&at, 10);
            at--;
        }
    }
    return buf_cstr(&trace);
}

static int set_up_play(void **state)
{
    buf_init(&trace, 4096);
    int failed = set_up(state);
    struct turn_context *s = *state;
    for (int c = 'v'; c <= 'z'; c++)
        dispatch_turn_init(&s->turns[c - 'a'], "mallory");
    return failed;
}

static int tear_down_play(void **state)
{
    buf_free(&trace);
    return tear_down(state);
}

#define EXPECT(facts, wanted) assert_string_equal(play(state, facts), wanted)

static void who_ran_a_tool_when_its_worker_died_is_retried_alone(void **state)
{
    EXPECT("+1 abcd >", "1abcd");
    EXPECT("c! -1 +2 >", "!c 2c"); /* an only worker: it comes first, the others wait */
    EXPECT("e >", "");
    EXPECT("-2 +3 >", "!c 3c"); /* dead again: nobody else was on it */
    EXPECT("c/ >", "3dbae");
}

static void others_go_on_where_there_is_another_worker(void **state)
{
    EXPECT("+1 abc >", "1abc");
    EXPECT("+2 de >", "2de");
    EXPECT("b! -1 >", "!b 2ca"); /* at once; b waits for the worker that comes back */
    EXPECT("+3 f >", "3b 2f");
    EXPECT("-3 g >", "!b 2g");
    EXPECT("+1 >", "1b");
    EXPECT("b. h >", "1h");
}

static void an_only_worker_takes_one_suspect_after_the_other(void **state)
{
    EXPECT("+1 abcd >", "1abcd");
    EXPECT("a! b! c! -1 +2 >", "!abc 2c");
    EXPECT(">", "");
    EXPECT("c. >", "2b"); /* beside one that was a suspect; not beside the others */
    EXPECT("b. >", "2a");
    EXPECT("a/ >", "2d");
}

static void a_suspect_that_lives_is_none(void **state)
{
    EXPECT("+1 ab >", "1ab");
    EXPECT("a! -1 +2 >", "!a 2a");
    EXPECT(" 9999 >", "");
    EXPECT(" 1 >", "2b");
}

static void a_suspect_waits_for_a_bounded_time(void **state)
{
    struct turn_context *s = *state;
    EXPECT("+1 +2 +3 abcde >", "1a 2b 3c 1d 2e");
    EXPECT("c! -3 f >", "!c 2f"); /* 1 is set aside */
    EXPECT("g >", "2g");
    EXPECT("a/ d/ >", "1c"); /* it got empty */
    EXPECT("h >", "2h");
    EXPECT("-1 i >", "!c 2i");
    assert_false(dispatch_overdue(&s->d, &s->turns['c' - 'a'], s->now_ms + 59999));
    EXPECT(" 60000 >", ""); /* the second time it is not let beside others */
    assert_true(dispatch_overdue(&s->d, &s->turns['c' - 'a'], s->now_ms));
    assert_false(dispatch_overdue(&s->d, &s->turns['c' - 'a'], s->now_ms + 59999));
    EXPECT("j >", "2j");
    EXPECT("b/ e/ f/ g/ h/ i/ j/ >", "2c");
    EXPECT("k >", ""); /* others don't come beside it */
}

static void a_worker_killed_from_outside_makes_nobody_wait(void **state)
{
    EXPECT("+1 +2 a >", "1a");
    EXPECT("bcd >", "2b 1c 2d");
    EXPECT("-2 >", "1db");       /* at once, and no death is counted */
    EXPECT("-1 +3 >", "!db 3b"); /* these have seen two */
    EXPECT("b. >", "3d");
    EXPECT("d. >", "3ca");
}

static void one_alone_is_a_suspect(void **state) { EXPECT("+1 a > -1 b +2 >", "1a !a 2a"); }

static void who_is_beside_a_cell_is_spared_once(void **state)
{
    EXPECT("+1 +2 ab >", "1a 2b");
    EXPECT("cd >", "1c 2d");
    EXPECT("a! -1 >", "!a 2c");
    EXPECT(" 15000 >", "2a"); /* nothing got empty: beside b, c and d */
    EXPECT("-2 +3 >", "!a 3a");
    EXPECT(" 10000 >", "3cdb"); /* it lived too long to be suspect; they had no death of theirs */
    EXPECT("-3 >", "!ac");      /* c has seen two deaths; b and d one each */
    EXPECT("+1 >", "1c");
}

static void of_many_suspects_a_few_make_a_cell(void **state)
{
    EXPECT("+1 abcdefghijklmnop >", "1abcdefghijklmnop");
    EXPECT("a!b!c!d!e!f!g!h!i!j!k!l!m!n!o! -1 +2 p/ >", "!abcdefghijklmno 2o");
    EXPECT("o. >", "2nm"); /* two of 15 */
}

/* Who has several that kill would have all workers to themselves. */
static void one_owners_suspects_have_one_worker_at_a_time(void **state)
{
    EXPECT("+1 avwx >", "1avwx");
    EXPECT("a! v! w! x! -1 +1 +2 +3 >", "!avwx 1x 2a"); /* another owner's has another */
    EXPECT("b >", "3b");
    EXPECT("-1 +1 >", "!x 1x");
    EXPECT("x. c >", "1w 3c");
    EXPECT("-1 +1 >", "!w 1w 3x"); /* x had passed */
    EXPECT(" 9999 >", "");
    EXPECT(" 1 >", "2v"); /* w lives: nobody waits for ever */
}

/* ---- promises ---- */

static void a_promised_place_is_kept(void **state)
{
    struct turn_context *s = *state;
    struct dispatch_turn *t;
    dispatch_worker_add(&s->d, &s->workers[0], 1);
    assert_ptr_equal(dispatch_promise(&s->d, &s->turns[0]), &s->workers[0]);
    assert_null(dispatch_promise(&s->d, &s->turns[1])); /* there is one place */
    dispatch_submit(&s->d, &s->turns[1]);
    assert_int_equal(next(s, NULL), -1);
    assert_false(dispatch_redeem(&s->d, &s->turns[1]));
    assert_true(dispatch_redeem(&s->d, &s->turns[0]));
    dispatch_submit_first(&s->d, &s->turns[2]); /* claimed in the same pass: it waits for a place */
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[0]);
    assert_int_equal(s->workers[0].promised, 0);
    assert_int_equal(s->workers[0].assigned, 1);
    assert_int_equal(s->d.queued, 2);
    assert_int_equal(next(s, NULL), -1);
    dispatch_done(&s->d, &s->turns[0]);
    assert_int_equal(next(s, &t), 0);
    assert_ptr_equal(t, &s->turns[2]);
}

static void who_waits_comes_before_a_promise(void **state)
{
    struct turn_context *s = *state;
    dispatch_submit(&s->d, &s->turns[0]);
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    assert_null(dispatch_promise(&s->d, &s->turns[1]));
    assert_int_equal(next(s, NULL), 0);
    assert_non_null(dispatch_promise(&s->d, &s->turns[1]));
    assert_non_null(dispatch_promise(&s->d, &s->turns[2]));
    assert_true(dispatch_redeem(&s->d, &s->turns[2])); /* it waits for nobody */
    assert_non_null(dispatch_promise(&s->d, &s->turns[3]));
    dispatch_done(&s->d, &s->turns[1]); /* it was not accepted */
    dispatch_done(&s->d, &s->turns[2]); /* it was withdrawn */
    dispatch_done(&s->d, &s->turns[3]);
    assert_int_equal(s->workers[0].promised, 0);
    dispatch_done(&s->d, &s->turns[1]);
    assert_int_equal(s->workers[0].promised, 0);
    assert_int_equal(s->d.queued, 0);
    assert_int_equal(next(s, NULL), -1);
}

static void who_leaves_keeps_no_promise(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    dispatch_worker_add(&s->d, &s->workers[1], 8);
    assert_non_null(dispatch_promise(&s->d, &s->turns[0]));
    dispatch_worker_leaves(&s->d, &s->workers[0]);
    dispatch_worker_leaves(&s->d, &s->workers[1]);
    assert_false(dispatch_redeem(&s->d, &s->turns[0]));
    assert_int_equal(s->workers[0].promised + s->workers[1].promised, 0);
    dispatch_submit_first(&s->d, &s->turns[0]); /* as it is claimed */
    assert_int_equal(next(s, NULL), -1);
}

static void a_lost_workers_promises_are_told_and_blame_nobody(void **state)
{
    struct turn_context *s = *state;
    dispatch_worker_add(&s->d, &s->workers[0], 8);
    assert_non_null(dispatch_promise(&s->d, &s->turns[0]));
    assert_non_null(dispatch_promise(&s->d, &s->turns[1]));
    assert_true(dispatch_redeem(&s->d, &s->turns[1])); /* accepted, and not sent */
    dispatch_worker_remove(&s->d, &s->workers[0], true, 0, on_lost, s);
    assert_int_equal(s->lost, 2);
    assert_int_equal(s->blamed, 0);
    assert_null(s->turns[0].promised);
    assert_null(s->turns[1].promised);
    assert_int_equal(s->turns[0].deaths + s->turns[1].deaths, 0);
    assert_int_equal(s->d.queued, 2);
}

/* ---- many are gone at once ---- */

static void who_has_seen_two_deaths_goes_to_one_that_was_heard_since(void **state)
{
    struct turn_context *s = *state;
    struct dispatch_turn *t = &s->turns[0];
    for (unsigned i = 0; i < 3; i++)
        dispatch_worker_add(&s->d, &s->workers[i], 8);
    s->now_ms = 1000;
    dispatch_submit(&s->d, t);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(next(s, NULL), (int)i); /* it fails over at once */
        dispatch_worker_remove(&s->d, &s->workers[i], true, s->now_ms, on_lost, s);
    }
    assert_int_equal(s->blamed, 2);
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_heard(&s->workers[2], s->now_ms); /* said before, perhaps */
    assert_int_equal(next(s, NULL), -1);
    dispatch_worker_heard(&s->workers[2], s->now_ms + 1);
    assert_int_equal(next(s, NULL), 2);
}

static void a_worker_that_comes_back_was_nobodys_death(void **state)
{
    struct turn_context *s = *state;
    struct dispatch_turn *t = &s->turns[0];
    dispatch_submit(&s->d, t);
    for (unsigned i = 0; i < 10; i++) {
        for (uint64_t name = 1; name <= 2; name++) { /* both links break each time */
            struct dispatch_worker *w = &s->workers[name - 1];
            dispatch_worker_add(&s->d, w, 8);
            w->name = name;
            dispatch_undo_deaths(&s->d, name);
        }
        assert_int_equal(t->deaths, 0);
        for (unsigned n = 0; n < 2; n++) {
            int at = next(s, NULL);
            assert_true(at >= 0);
            dispatch_worker_remove(&s->d, &s->workers[at], true, s->now_ms, on_lost, s);
        }
    }
    assert_int_equal(s->blamed, 2); /* the first two are counted, and taken off the others */
    dispatch_undo_deaths(&s->d, 3); /* another's */
    assert_int_equal(t->deaths, 2);
    dispatch_moment(t, MOMENT_REPLY); /* its step is stored, and the store counts anew: */
    assert_true(dispatch_blame(t));
    dispatch_undo_deaths(&s->d, 1); /* none of before is taken off */
    assert_true(dispatch_blame(t));
}

static void excuses_of_a_step_are_bounded(void **state)
{
    struct turn_context *s = *state;
    dispatch_submit(&s->d, &s->turns[0]);
    for (unsigned i = 0; i < DISPATCH_EXCUSES + 3; i++) {
        dispatch_worker_add(&s->d, &s->workers[0], 8);
        s->workers[0].name = 1;
        dispatch_worker_heard(&s->workers[0], ++s->now_ms);
        dispatch_undo_deaths(&s->d, 1);
        assert_int_equal(next(s, NULL), 0);
        dispatch_worker_remove(&s->d, &s->workers[0], true, s->now_ms, on_lost, s);
    }
    assert_int_equal(s->blamed, 3);
}

static void who_did_not_come_back_counts(void **state)
{
    struct turn_context *s = *state;
    dispatch_submit(&s->d, &s->turns[0]);
    for (unsigned i = 0; i < 3; i++) {
        dispatch_worker_add(&s->d, &s->workers[0], 8);
        s->workers[0].name = 100 + i; /* each time another process */
        dispatch_worker_heard(&s->workers[0], ++s->now_ms);
        dispatch_undo_deaths(&s->d, s->workers[0].name);
        assert_int_equal(next(s, NULL), 0);
        dispatch_worker_remove(&s->d, &s->workers[0], true, s->now_ms, on_lost, s);
        assert_int_equal(s->blamed, i + 1);
    }
    dispatch_passed(&s->turns[0]);
    dispatch_undo_deaths(&s->d, 102); /* it is forgotten */
    assert_int_equal(s->turns[0].deaths, 0);
    assert_int_equal(s->turns[0].undone, 0);
}

static void a_death_while_it_is_claimed_keeps_the_order(void **state)
{
    EXPECT("+1 ab > b! -1 b/ a/", "1ab !b");
    EXPECT("+2 c >", "2c"); /* withdrawn while they waited */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owners_many_turns_delay_another_by_one),
        cmocka_unit_test_setup_teardown(round_goes_on_when_its_turns_are_withdrawn, set_up,
                                        tear_down),
        TEST(without_a_worker_turns_wait_in_order),
        TEST(the_least_loaded_share_of_capacity_gets_it),
        TEST(a_full_worker_gets_nothing),
        TEST(what_a_worker_runs_for_others_counts),
        TEST(who_refused_gets_nothing_until_it_reports),
        TEST(a_turn_on_its_way_is_not_counted_twice),
        TEST(room_is_bounded_by_the_queue),
        TEST(a_lost_workers_turns_go_before_new_ones),
        TEST(a_leaving_worker_keeps_what_it_has_and_gets_no_more),
        TEST(ending_a_turn_twice_changes_nothing),
        TEST(a_promised_place_is_kept),
        TEST(who_waits_comes_before_a_promise),
        TEST(who_leaves_keeps_no_promise),
        TEST(a_lost_workers_promises_are_told_and_blame_nobody),
#define PLAY(name) cmocka_unit_test_setup_teardown(name, set_up_play, tear_down_play)
        PLAY(who_ran_a_tool_when_its_worker_died_is_retried_alone),
        PLAY(others_go_on_where_there_is_another_worker),
        PLAY(an_only_worker_takes_one_suspect_after_the_other),
        PLAY(a_suspect_that_lives_is_none),
        PLAY(a_suspect_waits_for_a_bounded_time),
        PLAY(a_worker_killed_from_outside_makes_nobody_wait),
        PLAY(one_alone_is_a_suspect),
        PLAY(who_is_beside_a_cell_is_spared_once),
        PLAY(of_many_suspects_a_few_make_a_cell),
        PLAY(one_owners_suspects_have_one_worker_at_a_time),
        PLAY(a_death_while_it_is_claimed_keeps_the_order),
        TEST(who_has_seen_two_deaths_goes_to_one_that_was_heard_since),
        TEST(a_worker_that_comes_back_was_nobodys_death),
        TEST(excuses_of_a_step_are_bounded),
        TEST(who_did_not_come_back_counts),
    };
    return cmocka_run_group_tests_name("gateway/dispatch", tests, NULL, NULL);
}
