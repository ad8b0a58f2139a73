/* common/loop.h: libuv, and on it the three phases of a pass.
 *
 *   1. read:   callbacks of file descriptors and timers note facts; they start no long chains
 *   2. decide: the hooks of loop_on_decide, in the order they were added
 *   3. write:  the hooks of loop_on_write, in the order they were added; then loop_later's
 *
 * Phases 2 and 3 run in one prepare handle, which is the last thing before the loop blocks; where
 * reading takes long, in between too.
 *
 * Lifetimes: (1) a loop_fd or loop_timer is the caller's until its *_free; (2) after *_free no
 * callback comes, at once; (3) free nothing you may be inside of: loop_later() runs when no
 * callback is on the stack. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* SIGPIPE is ignored from now on, and the limit of open files is as high as it may be. */
struct loop *loop_new(void);
/* Runs what loop_later still holds, then closes and frees timers and descriptors that are left.
 * Waits for names that are being resolved. */
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
struct metric;
/* Observes in these histograms, for each pass, its time without what it waits for something to do,
 * and the processor time of the loop's thread: what is in the first only, others had. A pass that
 * is cut, to decide and write in between, is two. */
void loop_measure(struct loop *l, struct metric *passes, struct metric *work);
void loop_stop(struct loop *l); /* after the present pass (and one look at the descriptors) */
int64_t loop_now_ms(const struct loop *l); /* monotonic; one value for phases 2 and 3 of a pass */
int64_t loop_wall_ms(void);                /* Unix time, for people and for Redis records */
uint64_t loop_hr_ns(void);                 /* monotonic, exact: for measuring */

typedef void loop_fn(void *arg);
void loop_on_decide(struct loop *l, loop_fn *fn, void *arg);
void loop_on_write(struct loop *l, loop_fn *fn, void *arg);
void loop_off(struct loop *l, const void *arg); /* no hook with this arg is called any more */
/* Once, at the end of this pass; what is put off by one that runs, at the end of the next. */
void loop_later(struct loop *l, loop_fn *fn, void *arg);
void loop_again(struct loop *l); /* do not block before the next pass */

/* Timers (milliseconds). Not started when made. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *t, int64_t after_ms,
                    int64_t repeat_ms);     /* repeat 0: once; sets it anew */
void loop_timer_stop(struct loop_timer *t); /* NULL is fine */
bool loop_timer_active(const struct loop_timer *t);
void loop_timer_free(struct loop_timer *t); /* NULL is fine */

/* File descriptors, level-triggered. The descriptor stays the caller's and is closed by the caller
 * after loop_fd_free. */
enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };
typedef void
loop_fd_fn(void *arg,
           unsigned events); /* an error on the descriptor is reported as all events asked for */
struct loop_fd;
struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *arg);
void loop_fd_set(struct loop_fd *f, unsigned events); /* 0: none for now */
/* From now on it is one of many that are ready all the time, none of which is urgent: they are read
 * after all others, for 2 ms at once, and at most every 4 ms while there are 4 or more in each. */
void loop_fd_may_wait(struct loop_fd *f);
void loop_fd_free(struct loop_fd *f); /* NULL is fine */

/* First of all in a program that loop_on_signal will take SIGHUP, SIGUSR1 and SIGUSR2 of: until
 * then they end it, and its start takes as long as there is to read. */
void loop_ignore_signals(void);
void loop_on_signal(struct loop *l, int signum, loop_fn *fn, void *arg);

/* Resolves a name to all its addresses in a thread of libuv's pool. The callback gets numeric texts
 * ("10.0.0.2", "::1"), count 0 when it failed. Answers come in any order; loop_resolve_forget: the
 * callback no longer comes. */
typedef void loop_resolve_fn(void *arg, const char *const *addresses, unsigned count);
uint64_t loop_resolve(struct loop *l, const char *host, loop_resolve_fn *fn, void *arg);
void loop_resolve_forget(struct loop *l, uint64_t id);

/* work runs in a thread of libuv's pool, then done on the loop: it always comes, loop_free waits
 * for it. What is in arg belongs to the thread until then. */
void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *arg);

#endif
