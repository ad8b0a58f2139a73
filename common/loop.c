#include "common/loop.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include "common/check.h"
#include "common/list.h"
#include "common/metrics.h"
#include "common/registers.h"

enum {
    RESOLVE_ADDRESSES_MAX = 256,
    PASS_MS = 5,               /* longest reading in a pass before it decides and writes */
    BULK_NS = 2 * 1000 * 1000, /* longest reading of those that may wait, before others are asked */
    BULK_AT_ONCE = 8,          /* are told in any case */
    GATHER_MS = 4,             /* between two readings of them, */
    GATHER_FROM = 4,           /* while this many come in each millisecond */
    GATHER_LOOK = 32,          /* milliseconds over which that is counted */
};

struct call {
    loop_fn *fn; /* NULL: was taken away */
    void *arg;
};
struct calls {
    struct call *at;
    size_t count, cap;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active: the poll of this pass does not block */
    struct calls decide, write;
    struct calls later, later_now; /* later_now: those being run */
    bool again, stopping, hooks_taken;
    struct list timers, fds, signals, resolves;
    uint64_t resolve_id;
    struct bulk {
        int epoll;          /* -1: nobody may wait yet */
        struct loop_fd *io; /* of it */
        struct loop_timer *gather;
        bool gathers;  /* io sleeps, the timer reads */
        bool due;      /* at once, when the others were asked */
        unsigned seen; /* since look_ms */
        int64_t look_ms;
    } bulk;
    struct metric *passes, *work; /* NULL: not measured */
    uint64_t woke_ns;             /* when the first callback of this pass began; 0: none did */
    uint64_t worked_ns;           /* processor time of this thread, until the last pass ended */
};

/* ---- lists of calls ---- */

static void calls_add(struct calls *c, loop_fn *fn, void *arg)
{
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 8;
        c->at = xrealloc(c->at, c->cap * sizeof(*c->at));
    }
    c->at[c->count++] = (struct call){fn, arg};
}

static void calls_run(struct calls *c)
{
    for (size_t i = 0; i < c->count; i++) { /* by index: a hook may add hooks, which moves them */
        struct call call = c->at[i];
        if (call.fn)
            call.fn(call.arg);
    }
}

static bool calls_take(struct calls *c, const void *arg)
{
    bool taken = false;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].arg == arg) {
            c->at[i].fn = NULL;
            taken = true;
        }
    return taken;
}

static void calls_compact(struct calls *c)
{
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].fn != NULL)
            c->at[kept++] = c->at[i];
    c->count = kept;
}

static void run_later(struct loop *l)
{
    struct calls now = l->later;
    l->later = l->later_now;
    l->later_now = now;
    calls_run(&l->later_now);
    l->later_now.count = 0;
    if (l->later.count > 0)
        loop_again(l); /* what they put off runs at the end of the next pass */
}

/* ---- the pass ---- */

void loop_measure(struct loop *l, struct metric *passes, struct metric *work)
{
    l->passes = passes;
    l->work = work;
}

/* Not by libuv's own idle time: to know it, libuv polls twice in each pass. */
static void note_woken(struct loop *l)
{
    if (l->passes && l->woke_ns == 0)
        l->woke_ns = uv_hrtime();
}

static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void measure(struct loop *l)
{
    uint64_t worked_ns = thread_ns();
    metric_observe(l->passes, (double)(uv_hrtime() - l->woke_ns) / 1e9);
    metric_observe(l->work, (double)(worked_ns - l->worked_ns) / 1e9);
    l->woke_ns = 0;
    l->worked_ns = worked_ns;
}

static void decide_and_write(struct loop *l)
{
    note_woken(l);
    calls_run(&l->decide);
    calls_run(&l->write);
    run_later(l);
    if (l->hooks_taken) {
        calls_compact(&l->decide);
        calls_compact(&l->write);
        l->hooks_taken = false;
    }
    if (l->passes)
        measure(l);
}

/* libuv reads up to 48 times 1,024 descriptors in one go. With thousands that are ready, or on a
 * machine that gives us little time, others would hear nothing from us for seconds and take us for
 * dead. */
static void cut_long_pass(struct loop *l)
{
    if ((int64_t)(uv_hrtime() / 1000000) - loop_now_ms(l) < PASS_MS)
        return;
    uv_update_time(&l->uv);
    decide_and_write(l);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    decide_and_write(l);
    if (l->bulk.due)
        loop_timer_set(l->bulk.gather, 0, 0);
    l->bulk.due = false;
    if (!l->again)
        uv_idle_stop(&l->idle);
    l->again = false;
    if (l->stopping)
        uv_stop(&l->uv);
    registers_clear(); /* of what it now waits with, a secret may have been among the last */
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

/* A connection is a descriptor: as many as we may have. The limit that a shell or a service starts
 * with is usually 1,024. */
static void raise_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof(*l));
    signal(SIGPIPE, SIG_IGN);
    raise_descriptors();
    CHECK(uv_loop_init(&l->uv) == 0);
    CHECK(uv_prepare_init(&l->uv, &l->prepare) == 0);
    CHECK(uv_idle_init(&l->uv, &l->idle) == 0);
    l->uv.data = l;
    l->prepare.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    list_init(&l->timers);
    list_init(&l->fds);
    list_init(&l->signals);
    list_init(&l->resolves);
    l->bulk.epoll = -1;
    return l;
}

void loop_run(struct loop *l)
{
    l->worked_ns = thread_ns();
    uv_run(&l->uv, UV_RUN_DEFAULT);
    CHECK(l->stopping); /* the prepare handle keeps it alive */
    l->stopping = false;
}

void loop_stop(struct loop *l) { l->stopping = true; }

int64_t loop_now_ms(const struct loop *l) { return (int64_t)uv_now(&l->uv); }

int64_t loop_wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t loop_hr_ns(void) { return uv_hrtime(); }

void loop_on_decide(struct loop *l, loop_fn *fn, void *arg) { calls_add(&l->decide, fn, arg); }

void loop_on_write(struct loop *l, loop_fn *fn, void *arg) { calls_add(&l->write, fn, arg); }

void loop_off(struct loop *l, const void *arg)
{
    bool decide = calls_take(&l->decide, arg), write = calls_take(&l->write, arg);
    l->hooks_taken |= decide || write; /* compacted when none of them is running */
}

void loop_later(struct loop *l, loop_fn *fn, void *arg) { calls_add(&l->later, fn, arg); }

void loop_again(struct loop *l)
{
    l->again = true;
    uv_idle_start(&l->idle, on_idle);
}

/* Timers. libuv closes handles asynchronously: *_free takes the callback away at once, the memory
 * goes in the close callback. */

struct loop_timer {
    uv_timer_t uv;
    struct list in_loop;
    loop_fn *fn;
    void *arg;
};

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
    struct loop_timer *t = xcalloc(1, sizeof(*t));
    CHECK(uv_timer_init(&l->uv, &t->uv) == 0);
    t->uv.data = t;
    t->fn = fn;
    t->arg = arg;
    list_push(&l->timers, &t->in_loop);
    return t;
}

static void on_timer(uv_timer_t *uv)
{
    note_woken(uv->loop->data);
    struct loop_timer *t = uv->data;
    t->fn(t->arg);
}

void loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    uint64_t after = after_ms > 0 ? (uint64_t)after_ms : 0;
    uint64_t repeat = repeat_ms > 0 ? (uint64_t)repeat_ms : 0;
    CHECK(uv_timer_start(&t->uv, on_timer, after, repeat) == 0);
}

void loop_timer_stop(struct loop_timer *t)
{
    if (t)
        uv_timer_stop(&t->uv);
}

bool loop_timer_active(const struct loop_timer *t)
{
    return uv_is_active((const uv_handle_t *)&t->uv) != 0;
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    list_remove(&t->in_loop);
    uv_close((uv_handle_t *)&t->uv, on_closed);
}

/* ---- file descriptors ---- */

struct loop_fd {
    uv_poll_t uv;
    struct list in_loop;
    loop_fd_fn *fn; /* NULL: freed */
    void *arg;
    int fd;
    unsigned events;
    bool bulk; /* it may wait: it is in the set of those */
};
_Static_assert((int)LOOP_READ == (int)UV_READABLE && (int)LOOP_WRITE == (int)UV_WRITABLE &&
                   (int)LOOP_HANGUP == (int)UV_DISCONNECT,
               "our events are libuv's");

static void on_poll(uv_poll_t *uv, int status, int events);
static bool bulk_watch(struct loop_fd *f, unsigned before);

static void poll_start(struct loop_fd *f)
{
    CHECK(uv_poll_start(&f->uv, (int)f->events, on_poll) == 0);
}

static void on_poll(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *f = uv->data;
    note_woken(uv->loop->data);
    f->fn(f->arg, status == 0 ? (unsigned)events : f->events);
    /* After an error libuv has stopped watching; we stay level-triggered. */
    bool watched = f->fn == NULL || f->events == 0 || f->bulk || uv_is_active((uv_handle_t *)uv);
    if (status != 0 && !watched)
        poll_start(f);
    cut_long_pass(uv->loop->data);
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, unsigned events, loop_fd_fn *fn, void *arg)
{
    struct loop_fd *f = xcalloc(1, sizeof(*f));
    CHECK(uv_poll_init(&l->uv, &f->uv, fd) == 0);
    f->uv.data = f;
    f->fn = fn;
    f->arg = arg;
    f->fd = fd;
    list_push(&l->fds, &f->in_loop);
    loop_fd_set(f, events);
    return f;
}

void loop_fd_set(struct loop_fd *f, unsigned events)
{
    CHECK((events & ~(unsigned)(LOOP_READ | LOOP_WRITE | LOOP_HANGUP)) == 0);
    if (events == f->events)
        return; /* libuv would ask the kernel twice all the same */
    unsigned before = f->events;
    f->events = events;
    if (f->bulk)
        CHECK(bulk_watch(f, before) || events == 0);
    else if (events != 0)
        poll_start(f);
    else
        uv_poll_stop(&f->uv);
}

void loop_fd_free(struct loop_fd *f)
{
    if (!f)
        return;
    if (f->bulk)
        loop_fd_set(f, 0);
    f->fn = NULL;
    list_remove(&f->in_loop);
    uv_close((uv_handle_t *)&f->uv, on_closed); /* stops watching at once: fd may be closed now */
}

/* ---- those that may wait ----
 * With thousands of streams hundreds of sockets are ready whenever the loop looks. In the set that
 * is asked for all others they would stand between a person's turn and its answer. And each reading
 * wakes threads and processes behind us: of a crowd that comes all the time several are read
 * together. */

static unsigned bulk_events(unsigned events)
{
    return ((events & LOOP_READ) ? EPOLLIN : 0u) | ((events & LOOP_WRITE) ? EPOLLOUT : 0u) |
           ((events & LOOP_HANGUP) ? EPOLLRDHUP : 0u);
}

static bool bulk_watch(struct loop_fd *f, unsigned before)
{
    struct loop *l = f->uv.loop->data;
    struct epoll_event e = {.events = bulk_events(f->events), .data = {.ptr = f}};
    int what = f->events == 0 ? EPOLL_CTL_DEL : before == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return epoll_ctl(l->bulk.epoll, what, f->fd, &e) == 0;
}

static void bulk_tell(struct loop_fd *f, unsigned events)
{
    unsigned told = ((events & EPOLLIN) ? LOOP_READ : 0u) |
                    ((events & EPOLLOUT) ? LOOP_WRITE : 0u) |
                    ((events & EPOLLRDHUP) ? LOOP_HANGUP : 0u);
    if (f->fn != NULL)
        f->fn(f->arg, (events & (EPOLLERR | EPOLLHUP)) ? f->events : told & f->events);
}

/* False: the time was over, and there may be more. The kernel puts who was taken behind all others:
 * who is not told then would have to wait for another round, and in it again. */
static bool bulk_read(struct loop *l)
{
    struct epoll_event ready[BULK_AT_ONCE];
    uint64_t until_ns = uv_hrtime() + BULK_NS;
    int count;
    do {
        count = epoll_wait(l->bulk.epoll, ready, BULK_AT_ONCE, 0);
        for (int i = 0; i < count; i++) {
            l->bulk.seen++;
            bulk_tell(ready[i].data.ptr, ready[i].events);
        }
    } while (count == BULK_AT_ONCE && uv_hrtime() < until_ns);
    return count < BULK_AT_ONCE;
}

/* Is it a crowd, to be read together? */
static void bulk_look(struct loop *l)
{
    struct bulk *b = &l->bulk;
    int64_t for_ms = loop_now_ms(l) - b->look_ms;
    if (for_ms < GATHER_LOOK)
        return;
    bool crowd = b->seen >= for_ms * (b->gathers ? GATHER_FROM / 2 : GATHER_FROM);
    b->seen = 0;
    b->look_ms = loop_now_ms(l);
    if (crowd == b->gathers)
        return;
    b->gathers = crowd;
    b->due = false;
    loop_fd_set(b->io, crowd ? 0 : LOOP_READ);
    if (crowd)
        loop_timer_set(b->gather, GATHER_MS, 0);
    else
        loop_timer_stop(b->gather);
}

static void on_bulk(void *arg, unsigned events)
{
    (void)events;
    (void)bulk_read(arg);
    bulk_look(arg);
}

/* What is left comes after the others were asked: a timer that its own callback sets to 0 would
 * come again before that. */
static void on_gather(void *arg)
{
    struct loop *l = arg;
    int64_t begun_ms = loop_now_ms(l);
    bool all = bulk_read(l);
    uv_update_time(&l->uv);
    int64_t took_ms = loop_now_ms(l) - begun_ms;
    l->bulk.due = !all || took_ms >= GATHER_MS;
    if (!l->bulk.due)
        loop_timer_set(l->bulk.gather, GATHER_MS - took_ms, 0);
    bulk_look(l);
}

/* False: there is no descriptor left for it. */
static bool bulk_open(struct loop *l)
{
    if (l->bulk.epoll >= 0)
        return true;
    l->bulk.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->bulk.epoll < 0)
        return false;
    l->bulk.io = loop_fd_new(l, l->bulk.epoll, LOOP_READ, on_bulk, l);
    l->bulk.gather = loop_timer_new(l, on_gather, l);
    l->bulk.look_ms = loop_now_ms(l);
    return true;
}

void loop_fd_may_wait(struct loop_fd *f)
{
    if (f->bulk || !bulk_open(f->uv.loop->data) || (f->events != 0 && !bulk_watch(f, 0)))
        return; /* it is as urgent as before, then */
    f->bulk = true;
    uv_poll_stop(&f->uv);
}

/* ---- signals ---- */

struct loop_signal {
    uv_signal_t uv;
    struct list in_loop;
    loop_fn *fn;
    void *arg;
};

static void on_signal(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct loop_signal *s = uv->data;
    s->fn(s->arg);
}

void loop_ignore_signals(void)
{
    static const int all[] = {SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        signal(all[i], SIG_IGN);
}

void loop_on_signal(struct loop *l, int signum, loop_fn *fn, void *arg)
{
    struct loop_signal *s = xcalloc(1, sizeof(*s));
    CHECK(uv_signal_init(&l->uv, &s->uv) == 0);
    s->uv.data = s;
    s->fn = fn;
    s->arg = arg;
    list_push(&l->signals, &s->in_loop);
    CHECK(uv_signal_start(&s->uv, on_signal, signum) == 0);
}

/* ---- names ---- */

struct resolve {
    uv_getaddrinfo_t uv;
    struct list in_loop;
    uint64_t id;
    loop_resolve_fn *fn; /* NULL: forgotten */
    void *arg;
};

static void resolve_finish(struct resolve *r, const char *const *addresses, unsigned count)
{
    list_remove(&r->in_loop);
    if (r->fn)
        r->fn(r->arg, addresses, count);
    free(r);
}

static void on_resolve_refused(void *arg) { resolve_finish(arg, NULL, 0); }

static bool address_text(const struct sockaddr *sa, char text[INET6_ADDRSTRLEN])
{
    const void *at = NULL;
    if (sa->sa_family == AF_INET)
        at = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
    else if (sa->sa_family == AF_INET6)
        at = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    return at != NULL && inet_ntop(sa->sa_family, at, text, INET6_ADDRSTRLEN) != NULL;
}

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *found)
{
    char texts[RESOLVE_ADDRESSES_MAX][INET6_ADDRSTRLEN];
    const char *addresses[RESOLVE_ADDRESSES_MAX];
    unsigned count = 0;
    for (struct addrinfo *a = status == 0 ? found : NULL; a != NULL; a = a->ai_next) {
        if (count == RESOLVE_ADDRESSES_MAX)
            break;
        addresses[count] = texts[count];
        count += address_text(a->ai_addr, texts[count]);
    }
    uv_freeaddrinfo(found);
    resolve_finish(uv->data, addresses, count);
}

uint64_t loop_resolve(struct loop *l, const char *host, loop_resolve_fn *fn, void *arg)
{
    struct resolve *r = xcalloc(1, sizeof(*r));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}; /* each address once */
    r->uv.data = r;
    r->id = ++l->resolve_id;
    r->fn = fn;
    r->arg = arg;
    list_push(&l->resolves, &r->in_loop);
    if (uv_getaddrinfo(&l->uv, &r->uv, on_resolved, host, NULL, &hints) != 0) {
        loop_later(l, on_resolve_refused, r); /* never from inside; no name that could be asked */
        loop_again(l);
    }
    return r->id;
}

void loop_resolve_forget(struct loop *l, uint64_t id)
{
    list_each (&l->resolves, node, tmp) {
        struct resolve *r = list_of(node, struct resolve, in_loop);
        if (r->id == id) {
            r->fn = NULL;
            uv_cancel((uv_req_t *)&r->uv); /* when no thread has it yet; on_resolved comes anyway */
            return;
        }
    }
}

/* ---- work in a thread ---- */

struct work {
    uv_work_t uv;
    loop_fn *work, *done;
    void *arg;
};

static void on_work(uv_work_t *uv)
{
    struct work *w = uv->data;
    w->work(w->arg);
}

static void on_worked(uv_work_t *uv, int status)
{
    (void)status;
    struct work *w = uv->data;
    w->done(w->arg);
    free(w);
}

void loop_work(struct loop *l, loop_fn *work, loop_fn *done, void *arg)
{
    struct work *w = xcalloc(1, sizeof(*w));
    w->uv.data = w;
    w->work = work;
    w->done = done;
    w->arg = arg;
    CHECK(uv_queue_work(&l->uv, &w->uv, on_work, on_worked) == 0);
}

/* ---- the end ---- */

static void close_other(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    list_each (&l->resolves, node, tmp) {
        struct resolve *r = list_of(node, struct resolve, in_loop);
        loop_resolve_forget(l, r->id);
    }
    while (l->later.count > 0)
        run_later(l); /* mostly memory that was to be freed */
    list_each (&l->timers, timer, timer_next)
        loop_timer_free(list_of(timer, struct loop_timer, in_loop));
    list_each (&l->fds, fd, fd_next)
        loop_fd_free(list_of(fd, struct loop_fd, in_loop));
    list_each (&l->signals, sig, sig_next)
        uv_close((uv_handle_t *)&list_of(sig, struct loop_signal, in_loop)->uv, on_closed);
    uv_walk(&l->uv, close_other, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&l->uv) == 0);
    if (l->bulk.epoll >= 0)
        close(l->bulk.epoll);
    free(l->decide.at);
    free(l->write.at);
    free(l->later.at);
    free(l->later_now.at);
    free(l);
}
