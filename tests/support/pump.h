/* tests/support/pump.h: turns a loop until a condition holds, and plain sockets for talking to
 * what runs on it from the same thread. */
#ifndef TESTS_SUPPORT_PUMP_H
#define TESTS_SUPPORT_PUMP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/loop.h"
#include "common/str.h"

typedef bool pump_fn(void *arg);

struct pump {
    struct loop *loop;
    pump_fn *until;
    void *arg;
    int64_t deadline_ms;
    bool held;
};

static inline void pump_on_decide(void *arg)
{
    struct pump *p = arg;
    if (p->until == NULL)
        return;
    p->held = p->until(p->arg);
    if (p->held || loop_now_ms(p->loop) > p->deadline_ms)
        loop_stop(p->loop);
}

static inline void pump_on_tick(void *arg) { (void)arg; }

/* One pump a loop. The tick keeps the loop turning, so that conditions are looked at. */
static inline struct pump *pump_new(struct loop *l, struct loop_timer **tick)
{
    struct pump *p = xcalloc(1, sizeof(*p));
    p->loop = l;
    loop_on_decide(l, pump_on_decide, p);
    *tick = loop_timer_new(l, pump_on_tick, NULL);
    loop_timer_set(*tick, 1, 1);
    return p;
}

/* False: it did not hold in time. */
static inline bool pump_within(struct pump *p, int64_t ms, pump_fn *until, void *arg)
{
    p->until = until;
    p->arg = arg;
    p->deadline_ms = loop_now_ms(p->loop) + ms;
    loop_run(p->loop);
    p->until = NULL;
    return p->held;
}

static inline bool pump_never(void *arg)
{
    (void)arg;
    return false;
}

static inline void pump_for(struct pump *p, int64_t ms) { pump_within(p, ms, pump_never, NULL); }

/* What a handler was handed, for after its call. */
static inline void pump_copy(char *to, size_t size, struct str from)
{
    assert_true(from.len < size);
    memcpy(to, from.len ? from.at : "", from.len);
    to[from.len] = '\0';
}

/* A blocking client socket on loopback. */
static inline int pump_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static inline void pump_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What a client got so far; closed: the other side closed or reset. */
struct pump_got {
    int fd;
    char *bytes;
    size_t len, want_len;
    const char *want; /* pump_has: this text; NULL: want_len bytes */
    unsigned want_count;
    bool closed;
};

static inline void pump_drain(struct pump_got *g)
{
    for (;;) {
        g->bytes = xrealloc(g->bytes, g->len + 65536 + 1);
        ssize_t n = recv(g->fd, g->bytes + g->len, 65536, MSG_DONTWAIT);
        if (n > 0)
            g->len += (size_t)n;
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
            g->closed = true;
        g->bytes[g->len] = '\0';
        if (n <= 0)
            return;
    }
}

static inline unsigned pump_count(const struct pump_got *g, const char *what)
{
    unsigned count = 0;
    for (const char *at = g->bytes; at != NULL && (at = strstr(at, what)) != NULL; at++)
        count++;
    return count;
}

static inline bool pump_has(void *arg)
{
    struct pump_got *g = arg;
    pump_drain(g);
    if (g->want == NULL)
        return g->len >= g->want_len || g->closed;
    return pump_count(g, g->want) >= (g->want_count ? g->want_count : 1) || g->closed;
}

static inline bool pump_is_closed(void *arg)
{
    struct pump_got *g = arg;
    pump_drain(g);
    return g->closed;
}

#endif
