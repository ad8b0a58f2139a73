#include "common/http_priv.h"

#include <microhttpd.h>
#include <stdlib.h>

#include "common/check.h"

/* microhttpd takes several runs for one reply (parse, head, body, next request). */
enum { RUNS_A_PASS = 8 };
/* With many requests at once each run is long: others of the loop get their turn after this. */
enum { RUN_NS_MAX = 2 * 1000 * 1000 };

static void run(struct http_daemon *d)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    bool wants = true;
    uint64_t until_ns = loop_hr_ns() + RUN_NS_MAX;
    d->run_due = false;
    for (int i = 0; wants && wait_ms == 0 && i < RUNS_A_PASS && (i == 0 || loop_hr_ns() < until_ns);
         i++) {
        MHD_run(d->mhd);
        wants = MHD_get_timeout(d->mhd, &wait_ms) == MHD_YES;
    }
    /* Never at once: it may want to run for ever (a chunk's size line that is longer than its
     * buffer), and libuv 1.44 runs a timer that sets itself to now again and again, and nothing
     * else. */
    if (wants)
        loop_timer_set(d->timeout, wait_ms > 3600000 ? 3600000 : (int64_t)wait_ms + (wait_ms == 0),
                       0);
    else
        loop_timer_stop(d->timeout);
}

static void on_timeout(void *arg) { run(arg); }

static void on_ready(void *arg, unsigned events)
{
    (void)events;
    run(arg);
}

void http_run_soon(struct http_daemon *d)
{
    d->run_due = true;
    d->http->run_due = true;
    http_flush_soon(d->http);
}

void http_resume(struct http_conn *c, struct MHD_Connection *mhd)
{
    MHD_resume_connection(mhd);
    http_run_soon(c->daemon);
}

/* Those that have something to take up, until the time is over: who is left comes first in the next
 * pass. */
void http_daemons_run(struct http *h)
{
    uint64_t until_ns = loop_hr_ns() + RUN_NS_MAX;
    unsigned first = h->daemon_next, count = h->run_due ? h->daemon_count : 0;
    h->run_due = false;
    for (unsigned i = 0; i < count; i++) {
        struct http_daemon *d = h->daemons[(first + i) % count];
        if (!d->run_due)
            continue;
        if (loop_hr_ns() >= until_ns) {
            h->daemon_next = (first + i) % count;
            h->run_due = true;
            return;
        }
        run(d);
    }
}

/* ---- daemons come and go ---- */

static bool open_one(struct http *h)
{
    struct MHD_Daemon *mhd = http_start_microhttpd(h);
    if (!mhd)
        return false;
    struct http_daemon *d = xcalloc(1, sizeof(*d));
    d->http = h;
    d->mhd = mhd;
    d->epoll = loop_fd_new(h->loop, MHD_get_daemon_info(mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                           LOOP_READ, on_ready, d);
    d->timeout = loop_timer_new(h->loop, on_timeout, d);
    h->daemons[h->daemon_count++] = d;
    return true;
}

void http_daemons_open(struct http *h) { CHECK(open_one(h)); }

struct http_daemon *http_daemon_for_one(struct http *h)
{
    struct http_daemon *fewest = h->daemons[0];
    for (unsigned i = 0; i < h->daemon_count; i++) {
        if (h->daemons[i]->connections < HTTP_DAEMON_CONNECTIONS)
            return h->daemons[i];
        if (h->daemons[i]->connections < fewest->connections)
            fewest = h->daemons[i];
    }
    if (h->daemon_count < HTTP_DAEMONS_MAX && open_one(h))
        return h->daemons[h->daemon_count - 1];
    return fewest;
}

void http_daemons_last_run(struct http *h)
{
    for (unsigned i = 0; i < h->daemon_count; i++) {
        loop_fd_free(h->daemons[i]->epoll);
        MHD_run(h->daemons[i]->mhd);
    }
}

void http_daemons_free(struct http *h)
{
    for (unsigned i = 0; i < h->daemon_count; i++) {
        MHD_stop_daemon(h->daemons[i]->mhd);
        loop_timer_free(h->daemons[i]->timeout);
        free(h->daemons[i]);
    }
    h->daemon_count = 0;
}
