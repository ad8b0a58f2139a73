#include "common/fetch_lane.h"

#include <stdlib.h>
#include "common/check.h"

enum {
    LANE_TRANSFERS = 512,
    LANES_MAX = 64,                    /* what is more is shared among them */
    CONNECTIONS_KEPT = LANE_TRANSFERS, /* idle ones, in each */
};

struct lane {
    struct lanes *lanes;
    CURLM *multi;
    struct loop_timer *timer, *unused;
    unsigned transfers;
    bool by_timer;
    bool due; /* the timer is to be set to 0 at the end of the pass */
};

struct watch { /* a socket of libcurl's */
    struct lane *lane;
    struct loop_fd *io;
    curl_socket_t fd;
};

struct lanes {
    struct loop *loop;
    int64_t kept_ms;
    struct lanes_handler handler;
    void *arg;
    struct lane *all[LANES_MAX];
    unsigned count;
    bool inside;
    struct watch *acted; /* whose socket libcurl reads; NULL: none, or it is gone */
    bool may_wait;
};

static void act(struct lane *l, struct watch *w, int events)
{
    struct lanes *ls = l->lanes;
    int running;
    CHECK(!ls->inside);
    ls->inside = true;
    ls->acted = w;
    ls->may_wait = false;
    curl_multi_socket_action(l->multi, w ? w->fd : CURL_SOCKET_TIMEOUT, events, &running);
    ls->inside = false;
    if (ls->acted && ls->may_wait)
        loop_fd_may_wait(ls->acted->io);
    ls->acted = NULL;
    lane_take(l);
}

void lane_take(struct lane *l)
{
    struct lanes *ls = l->lanes;
    CURLMsg *m;
    int left;
    ls->handler.on_acted(ls->arg);
    while ((m = curl_multi_info_read(l->multi, &left)) != NULL)
        if (m->msg == CURLMSG_DONE)
            ls->handler.on_ended(ls->arg, m->easy_handle, m->data.result);
}

/* ---- what libcurl wants to be told of ---- */

static void on_socket(void *arg, unsigned events)
{
    struct watch *w = arg;
    act(w->lane, w,
        ((events & LOOP_READ) ? CURL_CSELECT_IN : 0) |
            ((events & LOOP_WRITE) ? CURL_CSELECT_OUT : 0));
}

static int on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct lane *l = arg;
    struct watch *w = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w)
            loop_fd_free(w->io);
        if (l->lanes->acted == w)
            l->lanes->acted = NULL;
        free(w);
        curl_multi_assign(l->multi, fd, NULL);
        return 0;
    }
    unsigned events =
        ((what & CURL_POLL_IN) ? LOOP_READ : 0u) | ((what & CURL_POLL_OUT) ? LOOP_WRITE : 0u);
    if (w) {
        loop_fd_set(w->io, events);
        return 0;
    }
    w = xcalloc(1, sizeof(*w));
    w->lane = l;
    w->fd = fd;
    w->io = loop_fd_new(l->lanes->loop, fd, events, on_socket, w);
    curl_multi_assign(l->multi, fd, w);
    return 0;
}

static int on_timeout_wanted(CURLM *multi, long after_ms, void *arg)
{
    struct lane *l = arg;
    (void)multi;
    /* A timer that its own callback sets to 0 would come again before anything else does. */
    l->due = after_ms == 0 && l->by_timer;
    if (after_ms < 0 || l->due)
        loop_timer_stop(l->timer);
    else
        loop_timer_set(l->timer, after_ms, 0);
    return 0;
}

static void on_timer(void *arg)
{
    struct lane *l = arg;
    l->by_timer = true;
    act(l, NULL, 0);
    l->by_timer = false;
}

void lanes_pass(struct lanes *ls)
{
    for (unsigned i = 0; i < ls->count; i++) {
        if (ls->all[i]->due)
            loop_timer_set(ls->all[i]->timer, 0, 0);
        ls->all[i]->due = false;
    }
}

/* ---- lanes ---- */

static CURLM *multi_new(struct lane *l)
{
    CURLM *m = curl_multi_init();
    CHECK(m != NULL);
    curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_watch);
    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, l);
    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(m, CURLMOPT_TIMERDATA, l);
    curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return m;
}

/* libcurl looks for connections that are dead or too old when it needs one: a lane that nobody
 * needs after a crowd would keep all of its own for ever. */
static void on_unused(void *arg)
{
    struct lane *l = arg;
    CHECK(l->transfers == 0 && !l->lanes->inside);
    curl_multi_cleanup(l->multi);
    loop_timer_stop(l->timer);
    l->due = false;
    l->multi = multi_new(l);
}

static struct lane *lane_new(struct lanes *ls)
{
    struct lane *l = xcalloc(1, sizeof(*l));
    l->lanes = ls;
    l->timer = loop_timer_new(ls->loop, on_timer, l);
    l->unused = loop_timer_new(ls->loop, on_unused, l);
    l->multi = multi_new(l);
    return l;
}

/* The first that has room; where all are full, the one with the fewest. */
static struct lane *lane_for_one(struct lanes *ls)
{
    struct lane *fewest = NULL;
    for (unsigned i = 0; i < ls->count; i++) {
        if (ls->all[i]->transfers < LANE_TRANSFERS)
            return ls->all[i];
        if (!fewest || ls->all[i]->transfers < fewest->transfers)
            fewest = ls->all[i];
    }
    return ls->count < LANES_MAX ? (ls->all[ls->count++] = lane_new(ls)) : fewest;
}

struct lanes *lanes_new(struct loop *l, int64_t kept_ms, const struct lanes_handler *h, void *arg)
{
    struct lanes *ls = xcalloc(1, sizeof(*ls));
    ls->loop = l;
    ls->kept_ms = kept_ms;
    ls->handler = *h;
    ls->arg = arg;
    return ls;
}

void lanes_free(struct lanes *ls)
{
    for (unsigned i = 0; i < ls->count; i++) {
        CHECK(ls->all[i]->transfers == 0);
        curl_multi_cleanup(ls->all[i]->multi);
        loop_timer_free(ls->all[i]->timer);
        loop_timer_free(ls->all[i]->unused);
        free(ls->all[i]);
    }
    free(ls);
}

struct lane *lanes_add(struct lanes *ls, CURL *easy)
{
    struct lane *l = lane_for_one(ls);
    if (curl_multi_add_handle(l->multi, easy) != CURLM_OK)
        return NULL;
    if (l->transfers++ == 0)
        loop_timer_stop(l->unused);
    return l;
}

void lane_remove(struct lane *l, CURL *easy)
{
    curl_multi_remove_handle(l->multi, easy);
    if (--l->transfers == 0)
        loop_timer_set(l->unused, l->lanes->kept_ms, 0);
}

CURLcode lane_unpause(struct lane *l, CURL *easy)
{
    l->lanes->inside = true;
    CURLcode code = curl_easy_pause(easy, CURLPAUSE_CONT);
    l->lanes->inside = false;
    return code;
}

bool lanes_inside(const struct lanes *ls) { return ls->inside; }

void lanes_may_wait(struct lanes *ls) { ls->may_wait = true; }
