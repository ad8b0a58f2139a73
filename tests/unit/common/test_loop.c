#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/check.h"
#include "common/loop.h"
#include "common/metrics.h"

struct world {
    struct loop *loop;
    char trace[256]; /* a letter for each call */
    struct loop_timer *timer, *end;
    struct loop_fd *fd, *other_fd;
    int ends[2];
    unsigned events, passes, count;
    char address[64];
};

static void trace(struct world *w, char c)
{
    size_t len = strlen(w->trace);
    if (len + 1 < sizeof(w->trace)) {
        w->trace[len] = c;
        w->trace[len + 1] = '\0';
    }
}
static void on_timer(void *arg) { trace(arg, 't'); }
static void on_decide(void *arg) { trace(arg, 'd'); }
static void on_write(void *arg) { trace(arg, 'w'); }
static void on_later(void *arg) { trace(arg, 'l'); }
static void on_stop(void *arg) { loop_stop(((struct world *)arg)->loop); }
static void on_late(void *arg) /* a test that hangs fails here and not by the clock outside */
{
    trace(arg, '!');
    on_stop(arg);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    w->loop = loop_new();
    w->end = loop_timer_new(w->loop, on_late, w);
    loop_timer_set(w->end, 5000, 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->ends) == 0);
    *state = w;
    return 0;
}
static int teardown(void **state)
{
    struct world *w = *state;
    loop_fd_free(w->fd);
    loop_timer_free(w->timer);
    loop_timer_free(w->end);
    loop_free(w->loop);
    close(w->ends[0]);
    close(w->ends[1]);
    free(w);
    return 0;
}

static void put_off_and_stop(void *arg)
{
    struct world *w = arg;
    trace(w, 'r');
    loop_later(w->loop, on_later, w);
    loop_stop(w->loop);
}
static void a_pass_reads_decides_writes_then_does_what_was_put_off(void **state)
{
    struct world *w = *state;
    loop_on_write(w->loop, on_write, w);
    loop_on_decide(w->loop, on_decide, w);
    w->timer = loop_timer_new(w->loop, put_off_and_stop, w);
    loop_timer_set(w->timer, 0, 0);
    loop_run(w->loop);
    assert_string_equal(w->trace, "rdwl");
}

static void put_off_from_put_off(void *arg)
{
    struct world *w = arg;
    trace(w, 'p');
    if (++w->count < 3)
        loop_later(w->loop, put_off_from_put_off, w);
    else
        loop_stop(w->loop);
}
static void what_is_put_off_while_running_goes_to_the_next_pass_at_once(void **state)
{
    struct world *w = *state;
    loop_on_decide(w->loop, on_decide, w);
    loop_later(w->loop, put_off_from_put_off, w);
    loop_run(w->loop);
    assert_string_equal(w->trace, "dpdpdp");
}

static void decide_again_four_times(void *arg)
{
    struct world *w = arg;
    if (++w->passes < 5)
        loop_again(w->loop);
    else if (w->passes == 5)
        loop_timer_set(w->timer, 50, 0);
}
static void again_goes_on_without_blocking_and_then_blocks(void **state)
{
    struct world *w = *state;
    w->timer = loop_timer_new(w->loop, on_stop, w);
    loop_on_decide(w->loop, decide_again_four_times, w);
    uint64_t start = loop_hr_ns();
    loop_run(w->loop);
    assert_in_range(w->passes, 6, 8); /* the 50 ms were slept, not spun */
    assert_true(loop_hr_ns() - start >= 45000000);
}

static void stop_from_decide(void *arg)
{
    trace(arg, 's');
    on_stop(arg);
}
static void a_stop_lets_the_pass_end_and_the_loop_can_run_again(void **state)
{
    struct world *w = *state;
    loop_on_decide(w->loop, stop_from_decide, w);
    loop_on_write(w->loop, on_write, w);
    loop_run(w->loop);
    loop_run(w->loop);
    assert_string_equal(w->trace, "swsw");
}

static void take_hooks_away(void *arg)
{
    struct world *w = arg;
    loop_off(w->loop, &w->count);
    if (++w->passes == 3)
        loop_stop(w->loop);
    loop_again(w->loop);
}
static void trace_by_count(void *arg)
{
    trace((struct world *)(void *)((char *)arg - offsetof(struct world, count)), 'x');
}
static void a_hook_that_was_taken_away_is_not_called(void **state)
{
    struct world *w = *state;
    loop_on_decide(w->loop, trace_by_count, &w->count);
    loop_on_decide(w->loop, take_hooks_away, w);
    loop_on_decide(w->loop, trace_by_count, &w->count);
    loop_on_write(w->loop, trace_by_count, &w->count);
    loop_on_write(w->loop, on_write, w);
    loop_run(w->loop);
    assert_string_equal(w->trace, "xwww");
}

static void on_tick(void *arg)
{
    struct world *w = arg;
    trace(w, 't');
    if (++w->count == 3) {
        assert_true(loop_timer_active(w->timer));
        loop_timer_free(w->timer); /* from inside */
        w->timer = NULL;
        loop_timer_set(w->end, 30, 0);
    }
}
static void a_timer_repeats_until_it_is_freed(void **state)
{
    struct world *w = *state;
    loop_timer_free(w->end);
    w->end = loop_timer_new(w->loop, on_stop, w);
    w->timer = loop_timer_new(w->loop, on_tick, w);
    assert_false(loop_timer_active(w->timer));
    loop_timer_set(w->timer, 1, 2);
    int64_t start = loop_now_ms(w->loop);
    loop_run(w->loop);
    assert_string_equal(w->trace, "ttt");
    assert_true(loop_now_ms(w->loop) - start >= 30);
}

static void a_timer_set_anew_or_stopped_does_not_fire_as_before(void **state)
{
    struct world *w = *state;
    struct loop_timer *stop = loop_timer_new(w->loop, on_stop, w);
    struct loop_timer *stopped = loop_timer_new(w->loop, on_timer, w);
    w->timer = loop_timer_new(w->loop, on_timer, w);
    loop_timer_set(w->timer, 5, 0);
    loop_timer_set(w->timer, 10000, 0);
    loop_timer_set(stopped, 5, 0);
    loop_timer_stop(stopped);
    loop_timer_stop(NULL);
    assert_false(loop_timer_active(stopped));
    loop_timer_set(stop, 30, 0);
    loop_run(w->loop);
    assert_string_equal(w->trace, "");
    loop_timer_free(stop);
    loop_timer_free(stopped);
}

static void on_readable(void *arg, unsigned events)
{
    struct world *w = arg;
    w->events = events;
    trace(w, 'r');
    if (++w->count == 2) { /* the same byte is reported again: level-triggered */
        char c;
        assert_int_equal(read(w->ends[0], &c, 1), 1);
        trace(w, c);
        loop_timer_set(w->timer, 20, 0);
    }
}
static void a_descriptor_is_reported_as_long_as_there_is_something_to_read(void **state)
{
    struct world *w = *state;
    assert_int_equal(write(w->ends[1], "A", 1), 1);
    w->timer = loop_timer_new(w->loop, on_stop, w);
    w->fd = loop_fd_new(w->loop, w->ends[0], LOOP_READ, on_readable, w);
    loop_run(w->loop);
    assert_string_equal(w->trace, "rrA");
    assert_int_equal(w->events, LOOP_READ);
}

static void on_event_stop(void *arg, unsigned events)
{
    struct world *w = arg;
    w->events |= events;
    loop_stop(w->loop);
}
enum { SLOW_FDS = 8 };
struct slow {
    struct loop *loop;
    struct loop_fd *fd[SLOW_FDS];
    int raw[SLOW_FDS];
    unsigned read, written, at_first_write;
};

static void on_slow(void *arg, unsigned events)
{
    struct slow *s = arg;
    uint64_t start = loop_hr_ns();
    (void)events;
    while (loop_hr_ns() - start < 30000000) {
    }
    loop_fd_free(s->fd[s->read]);
    close(s->raw[s->read++]);
}

static void on_slow_write(void *arg)
{
    struct slow *s = arg;
    s->written++;
    if (s->read > 0 && s->at_first_write == 0)
        s->at_first_write = s->read;
    if (s->read == SLOW_FDS)
        loop_stop(s->loop);
}

/* Eight descriptors that are ready at once take 240 ms: what is written does not wait for all. */
static void a_long_pass_decides_and_writes_in_between(void **state)
{
    struct world *w = *state;
    struct slow s = {.loop = w->loop};
    for (unsigned i = 0; i < SLOW_FDS; i++) { /* a socket that can be written: always ready */
        s.raw[i] = dup(w->ends[1]);
        s.fd[i] = loop_fd_new(w->loop, s.raw[i], LOOP_WRITE, on_slow, &s);
    }
    struct metric *passes = metric_new(METRIC_HISTOGRAM, "test_cut_seconds", "", "Passes"),
                  *work = metric_new(METRIC_HISTOGRAM, "test_cut_cpu_seconds", "", "Their work");
    loop_measure(w->loop, passes, work);
    loop_on_write(w->loop, on_slow_write, &s);
    loop_run(w->loop);
    assert_int_equal(s.at_first_write, 1);
    assert_true(s.written > 3);
    assert_int_equal(metric_get(passes), s.written);
    loop_off(w->loop, &s);
}

static uint64_t worked_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_busy(void *arg)
{
    struct world *w = arg;
    uint64_t start = worked_ns();
    while (worked_ns() - start < 30000000) {
    }
    loop_stop(w->loop);
}

static void on_held_up(void *arg)
{
    struct world *w = arg;
    usleep(30000);
    loop_stop(w->loop);
}

/* What a histogram has counted above 20 ms. */
static unsigned long_ones(const char *name)
{
    char line[2][80];
    unsigned count[2] = {1000, 0};
    struct buf b;
    buf_init(&b, 65536);
    metrics_write(&b);
    for (unsigned i = 0; i < 2; i++) {
        snprintf(line[i], sizeof(line[i]), "%s_bucket{le=\"%s\"} ", name, i ? "0.02" : "+Inf");
        const char *at = memmem(b.at, b.len, line[i], strlen(line[i]));
        if (at)
            count[i] = (unsigned)strtoul(at + strlen(line[i]), NULL, 10);
    }
    buf_free(&b);
    return count[0] - count[1];
}

/* 60 ms of waiting, then 30 ms of work: one long pass. Then 30 ms in which others work. */
static void passes_are_measured_without_what_they_wait(void **state)
{
    struct world *w = *state;
    struct metric *passes = metric_new(METRIC_HISTOGRAM, "test_pass_seconds", "", "Passes"),
                  *work = metric_new(METRIC_HISTOGRAM, "test_work_seconds", "", "Their work");
    loop_measure(w->loop, passes, work);
    w->timer = loop_timer_new(w->loop, on_busy, w);
    loop_timer_set(w->timer, 60, 0);
    loop_run(w->loop);
    assert_true(metric_get(passes) >= 2);
    assert_true(metric_get(work) == metric_get(passes));
    unsigned before = long_ones("test_pass_seconds");
    assert_in_range(before, 1, 2); /* two: the machine was busy with others */
    assert_int_equal(long_ones("test_work_seconds"), 1);
    loop_timer_free(w->timer);
    w->timer = loop_timer_new(w->loop, on_held_up, w);
    loop_timer_set(w->timer, 0, 0);
    loop_run(w->loop);
    assert_true(long_ones("test_pass_seconds") > before);
    assert_int_equal(long_ones("test_work_seconds"), 1);
}

static void events_are_those_asked_for(void **state)
{
    struct world *w = *state;
    assert_int_equal(write(w->ends[1], "A", 1), 1);
    w->fd = loop_fd_new(w->loop, w->ends[0], 0, on_event_stop, w);
    w->timer = loop_timer_new(w->loop, on_stop, w);
    loop_timer_set(w->timer, 20, 0);
    loop_run(w->loop);
    assert_int_equal(w->events, 0);
    loop_fd_set(w->fd, LOOP_WRITE);
    loop_run(w->loop);
    assert_int_equal(w->events, LOOP_WRITE);
    w->events = 0;
    loop_fd_set(w->fd, LOOP_HANGUP);
    loop_timer_set(w->timer, 20, 0);
    loop_run(w->loop);
    assert_int_equal(w->events, 0);
    shutdown(w->ends[1], SHUT_WR);
    loop_run(w->loop);
    assert_int_equal(w->events, LOOP_HANGUP);
}

static void on_broken(void *arg, unsigned events)
{
    struct world *w = arg;
    w->events = events;
    if (++w->count == 3)
        loop_stop(w->loop);
}
static void an_error_is_reported_as_all_events_asked_for_and_again(void **state)
{
    struct world *w = *state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    close(pipe_ends[0]); /* the writing end now has POLLERR for good */
    w->fd = loop_fd_new(w->loop, pipe_ends[1], LOOP_WRITE | LOOP_HANGUP, on_broken, w);
    loop_run(w->loop);
    assert_int_equal(w->events, LOOP_WRITE | LOOP_HANGUP);
    assert_true(w->count >= 3);
    assert_string_equal(w->trace, "");
    loop_fd_free(w->fd);
    w->fd = NULL;
    close(pipe_ends[1]);
}

static void on_broken_free(void *arg, unsigned events)
{
    struct world *w = arg;
    (void)events;
    trace(w, 'f');
    loop_fd_free(w->fd);
    w->fd = NULL;
    loop_timer_set(w->timer, 20, 0);
}
static void a_descriptor_freed_where_its_error_is_told_is_not_watched_again(void **state)
{
    struct world *w = *state;
    int pipe_ends[2];
    assert_int_equal(pipe(pipe_ends), 0);
    close(pipe_ends[0]);
    w->timer = loop_timer_new(w->loop, on_stop, w);
    w->fd = loop_fd_new(w->loop, pipe_ends[1], LOOP_WRITE, on_broken_free, w);
    loop_run(w->loop);
    assert_string_equal(w->trace, "f");
    close(pipe_ends[1]);
}

static void free_both(void *arg, unsigned events)
{
    struct world *w = arg;
    (void)events;
    trace(w, 'f');
    loop_fd_free(w->fd);
    loop_fd_free(w->other_fd);
    w->fd = w->other_fd = NULL;
    close(w->ends[0]);
    close(w->ends[1]);
    loop_stop(w->loop);
}
static void a_descriptor_freed_by_anothers_callback_is_silent_at_once(void **state)
{
    struct world *w = *state;
    assert_int_equal(write(w->ends[1], "A", 1), 1);
    assert_int_equal(write(w->ends[0], "A", 1), 1);
    w->fd = loop_fd_new(w->loop, w->ends[0], LOOP_READ, free_both, w);
    w->other_fd = loop_fd_new(w->loop, w->ends[1], LOOP_READ, free_both, w);
    loop_run(w->loop);
    assert_string_equal(w->trace, "f");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->ends) == 0);
}

static void on_signal(void *arg)
{
    trace(arg, 's');
    on_stop(arg);
}
static void a_signal_arrives_in_the_loop(void **state)
{
    struct world *w = *state;
    loop_on_signal(w->loop, SIGUSR1, on_signal, w);
    raise(SIGUSR1);
    loop_run(w->loop);
    assert_string_equal(w->trace, "s");
}

static void on_resolved(void *arg, const char *const *addresses, unsigned count)
{
    struct world *w = arg;
    trace(w, (char)('0' + count));
    if (count > 0)
        snprintf(w->address, sizeof(w->address), "%s", addresses[0]);
    loop_stop(w->loop);
}
static void names_resolve_to_numeric_addresses(void **state)
{
    struct world *w = *state;
    assert_true(loop_resolve(w->loop, "127.0.0.1", on_resolved, w) > 0);
    loop_run(w->loop);
    assert_string_equal(w->trace, "1");
    assert_string_equal(w->address, "127.0.0.1");
    loop_resolve(w->loop, "::1", on_resolved, w);
    loop_run(w->loop);
    assert_string_equal(w->address, "::1");
}

static void a_name_that_cannot_be_asked_fails_later_not_from_inside(void **state)
{
    struct world *w = *state;
    char long_name[400];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    loop_resolve(w->loop, long_name, on_resolved, w);
    assert_string_equal(w->trace, "");
    loop_run(w->loop);
    assert_string_equal(w->trace, "0");
}

static void a_forgotten_name_calls_nobody(void **state)
{
    struct world *w = *state;
    char long_name[400];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    loop_resolve_forget(w->loop, loop_resolve(w->loop, "127.0.0.1", on_resolved, w));
    loop_resolve_forget(w->loop, loop_resolve(w->loop, long_name, on_resolved, w));
    loop_resolve_forget(w->loop, 12345);
    w->timer = loop_timer_new(w->loop, on_stop, w);
    loop_timer_set(w->timer, 50, 0);
    loop_run(w->loop);
    assert_string_equal(w->trace, "");
}

static void a_loop_may_open_as_many_files_as_the_system_lets_it(void **state)
{
    struct rlimit before, files;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    files = before;
    files.rlim_cur = 64;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    loop_free(loop_new());
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    assert_true(files.rlim_cur == files.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void a_loop_is_freed_with_all_that_is_left_on_it(void **state)
{
    struct world *w = *state;
    struct loop *l = loop_new();
    loop_timer_set(loop_timer_new(l, on_timer, w), 0, 1);
    loop_fd_new(l, w->ends[0], LOOP_WRITE, on_event_stop, w);
    loop_on_signal(l, SIGUSR2, on_signal, w);
    loop_on_decide(l, on_decide, w);
    loop_resolve(l, "127.0.0.1", on_resolved, w);
    loop_later(l, on_later, w);
    loop_free(l);
    loop_free(NULL);
    assert_string_equal(w->trace, "l"); /* what was put off is done, nothing else is called */
    assert_int_equal(w->events, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
/* ---- descriptors that may wait ---- */

enum { CROWD = 300, CROWD_SPIN_US = 100 };

struct crowd {
    struct world *w;
    struct one {
        struct crowd *crowd;
        int end;
    } ones[CROWD];
    struct loop_fd *fds[CROWD];
    int ends[CROWD][2];
    unsigned told, told_before, told_before_urgent;
    unsigned passes, ticks;
    struct endless *endless;
};

static void on_crowd(void *arg, unsigned events)
{
    struct one *o = arg;
    char bytes[64];
    assert_int_equal(events, LOOP_READ);
    o->crowd->told += (unsigned)recv(o->end, bytes, sizeof(bytes), 0);
}
static void on_one(void *arg, unsigned events)
{
    struct crowd *c = ((struct one *)arg)->crowd;
    uint64_t until_ns = loop_hr_ns() + CROWD_SPIN_US * 1000;
    (void)events;
    if (c->told++ == 0) /* while the first of them is read, something urgent comes */
        assert_int_equal(write(c->w->ends[1], "!", 1), 1);
    while (loop_hr_ns() < until_ns)
        ;
}
static void on_urgent(void *arg, unsigned events)
{
    struct crowd *c = arg;
    (void)events;
    if (c->told_before_urgent == 0) /* nobody reads what is there: it is told until the end */
        c->told_before_urgent = c->told;
    loop_stop(c->w->loop);
}

static struct crowd *crowd_new(struct world *w, loop_fd_fn *fn)
{
    struct crowd *c = xcalloc(1, sizeof(*c));
    c->w = w;
    for (unsigned i = 0; i < CROWD; i++) {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->ends[i]) == 0);
        c->ones[i] = (struct one){c, c->ends[i][0]};
        c->fds[i] = loop_fd_new(w->loop, c->ends[i][0], LOOP_READ, fn, &c->ones[i]);
        loop_fd_may_wait(c->fds[i]);
        loop_fd_may_wait(c->fds[i]); /* again: no harm */
    }
    return c;
}
static void crowd_free(struct crowd *c)
{
    for (unsigned i = 0; i < CROWD; i++) {
        loop_fd_free(c->fds[i]);
        close(c->ends[i][0]);
        close(c->ends[i][1]);
    }
    free(c);
}

static void others_are_asked_between_many_that_may_wait(void **state)
{
    struct world *w = *state;
    struct crowd *c = crowd_new(w, on_one);
    w->fd = loop_fd_new(w->loop, w->ends[0], LOOP_READ, on_urgent, c);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(write(c->ends[i][1], "x", 1), 1);
    loop_run(w->loop);
    assert_string_equal(w->trace, "");
    assert_in_range(c->told_before_urgent, 1, CROWD / 2); /* of 30 ms of reading */
    crowd_free(c);
}

static void on_crowd_pass(void *arg)
{
    struct crowd *c = arg;
    c->passes += c->told != c->told_before;
    c->told_before = c->told;
}
static void on_crowd_tick(void *arg)
{
    struct crowd *c = arg;
    for (unsigned i = 0; i < 20; i++)
        (void)!write(c->ends[(c->ticks * 20 + i) % CROWD][1], "x", 1);
    if (++c->ticks % 100 != 0)
        return;
    if (c->passes * 2 < 100) /* as often as they come, without: on a busy machine at times too */
        loop_stop(c->w->loop);
    c->passes = 0;
}

static void a_crowd_that_comes_all_the_time_is_read_together(void **state)
{
    struct world *w = *state;
    struct crowd *c = crowd_new(w, on_crowd);
    w->timer = loop_timer_new(w->loop, on_crowd_tick, c);
    loop_timer_set(w->timer, 1, 1);
    loop_on_decide(w->loop, on_crowd_pass, c);
    loop_run(w->loop);
    assert_string_equal(w->trace, "");
    loop_timer_stop(w->timer); /* and when few come they are read at once, none is forgotten */
    unsigned sent = c->ticks * 20;
    loop_timer_set(w->end, 200, 0);
    loop_run(w->loop);
    assert_int_equal(c->told, sent);
    assert_int_equal(write(c->ends[7][1], "x", 1), 1);
    loop_timer_set(w->end, 200, 0);
    loop_run(w->loop);
    assert_int_equal(c->told, sent + 1);
    loop_off(w->loop, c);
    crowd_free(c);
}

/* Nobody reads what is there: they are ready all the time, and all of them take longer than there
 * is for them. */
enum { ENDLESS = 60 };
struct endless {
    struct crowd *c;
    unsigned told[ENDLESS];
    unsigned since_urgent, most;
};

static void on_endless(void *arg, unsigned events)
{
    struct one *o = arg;
    struct endless *e = o->crowd->endless;
    uint64_t until_ns = loop_hr_ns() + CROWD_SPIN_US * 1000;
    (void)events;
    e->told[o - o->crowd->ones]++;
    if (++e->since_urgent > e->most)
        e->most = e->since_urgent;
    if (e->since_urgent > 10 * ENDLESS) /* or the test would never end */
        on_crowd(arg, events);
    while (loop_hr_ns() < until_ns)
        ;
}
static void on_urgent_again(void *arg, unsigned events)
{
    (void)events;
    ((struct endless *)arg)->since_urgent = 0;
}

static void run_endless(struct world *w, struct endless *e)
{
    e->c = crowd_new(w, on_endless);
    e->c->endless = e;
    w->fd = loop_fd_new(w->loop, w->ends[0], LOOP_READ, on_urgent_again, e);
    assert_int_equal(write(w->ends[1], "!", 1), 1);
    for (unsigned i = 0; i < ENDLESS; i++)
        assert_int_equal(write(e->c->ends[i][1], "x", 1), 1);
    w->timer = loop_timer_new(w->loop, on_stop, w);
    loop_timer_set(w->timer, 400, 0); /* it is known for a crowd after 32 */
    loop_run(w->loop);
    assert_string_equal(w->trace, "");
    crowd_free(e->c);
}

static void others_are_asked_between_a_crowd_that_never_ends(void **state)
{
    struct endless e = {0};
    run_endless(*state, &e);
    assert_in_range(e.most, 1, ENDLESS); /* 28, and twice that where two readings meet */
}

static void each_of_a_crowd_that_never_ends_has_its_turn(void **state)
{
    struct endless e = {0};
    run_endless(*state, &e);
    for (unsigned i = 0; i < ENDLESS; i++)
        assert_in_range(e.told[i], 1, UINT_MAX);
}

static void on_freeing(void *arg, unsigned events)
{
    struct crowd *c = ((struct one *)arg)->crowd;
    (void)events;
    c->told++;
    for (unsigned i = 0; i < CROWD; i++) {
        loop_fd_free(c->fds[i]);
        c->fds[i] = NULL;
    }
    loop_stop(c->w->loop);
}

static void who_may_wait_can_be_freed_sleep_and_hang_up(void **state)
{
    struct world *w = *state;
    struct crowd *c = crowd_new(w, on_freeing);
    for (unsigned i = 0; i < CROWD; i++)
        loop_fd_set(c->fds[i], 0); /* nobody listens now */
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(write(c->ends[i][1], "x", 1), 1);
    loop_timer_set(w->end, 50, 0);
    loop_run(w->loop);
    assert_int_equal(c->told, 0);
    for (unsigned i = 0; i < CROWD; i++)
        loop_fd_set(c->fds[i], LOOP_READ);
    loop_run(w->loop); /* the first frees all: the others of the same reading are not told */
    assert_int_equal(c->told, 1);
    crowd_free(c);
    c = crowd_new(w, on_freeing);
    shutdown(c->ends[3][1], SHUT_RDWR);
    loop_run(w->loop);
    assert_int_equal(c->told, 1);
    crowd_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pass_reads_decides_writes_then_does_what_was_put_off),
        TEST(what_is_put_off_while_running_goes_to_the_next_pass_at_once),
        TEST(again_goes_on_without_blocking_and_then_blocks),
        TEST(a_stop_lets_the_pass_end_and_the_loop_can_run_again),
        TEST(a_hook_that_was_taken_away_is_not_called),
        TEST(a_timer_repeats_until_it_is_freed),
        TEST(a_timer_set_anew_or_stopped_does_not_fire_as_before),
        TEST(a_descriptor_is_reported_as_long_as_there_is_something_to_read),
        TEST(a_long_pass_decides_and_writes_in_between),
        TEST(passes_are_measured_without_what_they_wait),
        TEST(events_are_those_asked_for),
        TEST(an_error_is_reported_as_all_events_asked_for_and_again),
        TEST(a_descriptor_freed_where_its_error_is_told_is_not_watched_again),
        TEST(a_descriptor_freed_by_anothers_callback_is_silent_at_once),
        TEST(a_signal_arrives_in_the_loop),
        TEST(names_resolve_to_numeric_addresses),
        TEST(a_name_that_cannot_be_asked_fails_later_not_from_inside),
        TEST(a_forgotten_name_calls_nobody),
        TEST(a_loop_may_open_as_many_files_as_the_system_lets_it),
        TEST(a_loop_is_freed_with_all_that_is_left_on_it),
        TEST(others_are_asked_between_many_that_may_wait),
        TEST(a_crowd_that_comes_all_the_time_is_read_together),
        TEST(others_are_asked_between_a_crowd_that_never_ends),
        TEST(each_of_a_crowd_that_never_ends_has_its_turn),
        TEST(who_may_wait_can_be_freed_sleep_and_hang_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
