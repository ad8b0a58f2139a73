/* common/http_accept.c: who gets a connection. The listening socket is ours, microhttpd is handed
 * what was accepted: its own way to stop at its limit (0.9.75 takes the socket out of its epoll,
 * and back in at a later run only) left it deaf when all clients went at once.
 *
 * Up to connections_max anybody is taken. Those beyond, up to HTTP_RESERVE, are crowded: whoever
 * answers may answer what tells of health and refuses the rest; when one more comes, the one of
 * them that is silent for the longest goes. So a probe is answered while people fill the rest. */
#include "common/http_priv.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"

/* What a pass takes at most, so that those who are connected get their turn. */
enum { ACCEPTS_A_PASS = 256 };
/* Between two tries when there is no descriptor (EMFILE): one may come free without our doing. */
enum { AGAIN_MS = 100 };
/* Descriptors that are not for clients: Redis, workers, what is asked of others. */
enum { OTHER_FILES = 256 };

/* Who floods is logged once in this time. */
enum { ADDRESS_LOG_MS = 60000 };

struct origin { /* an address and its connections */
    struct address at;
    unsigned count;
};

static bool is_proxy(const struct http *h, const struct address *at);
static int open_listener(const struct http_config *c, char error[256]);
static uint16_t bound_port(int fd);

static struct str key_of(const struct address *a)
{
    return (struct str){(const char *)a->bytes, sizeof(a->bytes)};
}

/* NULL: its connections are not counted. */
static struct origin *origin_of(struct http *h, const struct sockaddr *from)
{
    struct address at;
    if (h->address_max == 0 || !address_of(from, &at) || is_proxy(h, &at))
        return NULL;
    struct origin *o = map_get(h->origins, key_of(&at));
    if (!o) {
        o = xcalloc(1, sizeof(*o));
        o->at = at;
        map_put(h->origins, key_of(&at), o);
    }
    return o;
}

static bool is_proxy(const struct http *h, const struct address *at)
{
    return address_is_loopback(at) || networks_have(&h->proxies, at);
}

static bool last_of(struct str *list, struct str *last)
{
    size_t at = list->len;
    if (!list->at)
        return false;
    while (at > 0 && list->at[at - 1] != ',')
        at--;
    *last = str_trim(str_skip(*list, at));
    *list = at > 0 ? (struct str){list->at, at - 1} : (struct str){0};
    return true;
}

struct address http_sender(const struct http_request *r)
{
    struct address sender = {0}, said;
    struct str list = http_header(r, "X-Forwarded-For"), last;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !address_of(info->client_addr, &sender))
        return sender;
    /* Each proxy has added whom it was asked by: what stands before that may be made up. */
    while (is_proxy(r->http, &sender) && last_of(&list, &last) && address_parse(last, &said))
        sender = said;
    return sender;
}

static void origin_leave(struct http *h, struct origin *o)
{
    if (!o || --o->count > 0)
        return;
    map_remove(h->origins, key_of(&o->at));
    free(o);
}

/* True: one more is too many of this address, and was closed. */
static bool too_many_of(struct http *h, struct origin *o, int fd)
{
    if (!o || o->count < h->address_max)
        return false;
    char text[INET6_ADDRSTRLEN];
    address_text(&o->at, text);
    int64_t now_ms = loop_now_ms(h->loop);
    if (now_ms >= h->address_log_ms)
        log_warn("http.address_full", "address=%s connections=%u", text, o->count);
    h->address_log_ms = now_ms + ADDRESS_LOG_MS;
    close(fd);
    return true;
}

static unsigned regular(const struct http *h) { return h->connections - h->crowded; }

/* Once when the limit is met, and once when an eighth of it is free again. */
static void log_fullness(struct http *h)
{
    unsigned max = h->config.connections_max, now = regular(h);
    if (!h->full && now >= max)
        log_warn("http.full", "connections=%u max=%u reserve=%d", now, max, HTTP_RESERVE);
    else if (h->full && now <= max - (max + 7) / 8)
        log_info("http.full_over", "connections=%u max=%u", now, max);
    else
        return;
    h->full = !h->full;
}

/* The reserve is full: who has said nothing for the longest makes room. It is gone in microhttpd's
 * next run. */
static void shed(struct http *h)
{
    list_each (&h->reserve, node, tmp) {
        struct http_conn *c = list_of(node, struct http_conn, reserve);
        if (c->shed || (c->request && c->request->state == REQUEST_HANDED))
            continue;
        c->shed = true;
        shutdown(c->fd, SHUT_RDWR);
        http_run_soon(c->daemon);
        return;
    }
}

static void stop_listening(struct http *h, bool again)
{
    loop_fd_set(h->listen, 0);
    h->listening = false;
    if (again)
        loop_timer_set(h->again, AGAIN_MS, 0);
}

static void listen_again(struct http *h)
{
    if (h->listening || !h->listen)
        return;
    h->listening = true;
    loop_timer_stop(h->again);
    loop_fd_set(h->listen, LOOP_READ);
}

static void on_again(void *arg) { listen_again(arg); }

static void take(struct http *h, int fd, const struct sockaddr *from, socklen_t len)
{
    struct origin *o = origin_of(h, from);
    if (too_many_of(h, o, fd))
        return;
    h->incoming = o;
    if (o)
        o->count++;
    h->incoming_to = http_daemon_for_one(h);
    if (MHD_add_connection(h->incoming_to->mhd, fd, from, len) != MHD_YES) /* it has closed it */
        origin_leave(h, h->incoming);
    h->incoming = NULL;
    log_fullness(h);
}

void http_conn_taken(struct http_conn *c)
{
    struct http *h = c->http;
    c->origin = h->incoming;
    h->incoming = NULL;
    c->daemon = h->incoming_to;
    c->daemon->connections++;
    list_init(&c->reserve);
    h->connections++;
    if (regular(h) <= h->config.connections_max)
        return;
    list_push(&h->reserve, &c->reserve);
    c->crowded = true;
    h->crowded++;
}

bool http_conn_is_crowded(struct http_conn *c)
{
    struct http *h = c->http;
    if (c->crowded && regular(h) < h->config.connections_max) { /* there is room now */
        list_remove(&c->reserve);
        c->crowded = false;
        h->crowded--;
    }
    return c->crowded;
}

void http_conn_left(struct http_conn *c)
{
    struct http *h = c->http;
    origin_leave(h, c->origin);
    c->daemon->connections--;
    list_remove(&c->reserve);
    h->crowded -= c->crowded;
    h->connections--;
    log_fullness(h);
    listen_again(h);
}

/* False: no more for now. */
static bool accept_failed(struct http *h, int error)
{
    switch (error) {
    case EAGAIN: /* all who waited are in */
        if (h->starved)
            log_info("http.starved_over", "connections=%u", h->connections);
        h->starved = false;
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        if (!h->starved)
            log_error("http.starved", "error=%s connections=%u", strerror(error), h->connections);
        h->starved = true;
        stop_listening(h, true);
        return false;
    default: /* who came has gone again: ECONNABORTED, EPROTO and the like (accept(2)) */
        return true;
    }
}

static void on_listen(void *arg, unsigned events)
{
    struct http *h = arg;
    (void)events;
    for (int i = 0; i < ACCEPTS_A_PASS; i++) {
        if (h->crowded >= HTTP_RESERVE)
            shed(h);
        if (h->crowded >= HTTP_RESERVE * 2) { /* those that go have not gone yet */
            stop_listening(h, true);
            return;
        }
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        int fd =
            accept4(h->listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && !accept_failed(h, errno))
            return;
        if (fd < 0)
            continue;
        take(h, fd, (struct sockaddr *)&from, len);
    }
}

/* Each daemon has one, of its epoll. */
static unsigned daemons_for(rlim_t connections)
{
    rlim_t count = connections / HTTP_DAEMON_CONNECTIONS + 1;
    return count < HTTP_DAEMONS_MAX ? (unsigned)count : HTTP_DAEMONS_MAX;
}

/* Descriptors that can't be had make no connections. */
static unsigned bounded_by_files(unsigned wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return wanted;
    unsigned others = OTHER_FILES + 2 * HTTP_RESERVE +
                      daemons_for(files.rlim_cur < wanted ? files.rlim_cur : wanted);
    if (files.rlim_cur >= wanted + others)
        return wanted;
    unsigned all = (unsigned)files.rlim_cur, most = all > 2 * others ? all - others : all / 2;
    if (most < wanted)
        log_warn("http.connections", "wanted=%u files=%u max=%u", wanted, all, most);
    return most < wanted ? most : wanted;
}

int http_listen(struct http *h, char error[256])
{
    struct http_config *c = &h->config;
    c->connections_max = bounded_by_files(c->connections_max);
    h->address_max = c->address_connections_max;
    if (h->address_max > (c->connections_max + 1) / 2)
        h->address_max = (c->connections_max + 1) / 2; /* nobody has all */
    if (!networks_parse(str_of(c->proxies), &h->proxies)) {
        snprintf(error, 256, "not a list of networks: %s", c->proxies);
        return -1;
    }
    h->listen_fd = open_listener(c, error);
    if (h->listen_fd < 0)
        return -1;
    h->port = bound_port(h->listen_fd);
    h->origins = map_new();
    list_init(&h->reserve);
    h->again = loop_timer_new(h->loop, on_again, h);
    h->listen = loop_fd_new(h->loop, h->listen_fd, LOOP_READ, on_listen, h);
    h->listening = true;
    return 0;
}

void http_stop_accepting(struct http *h)
{
    if (!h->listen)
        return;
    loop_fd_free(h->listen);
    h->listen = NULL;
    loop_timer_stop(h->again);
    close(h->listen_fd);
    h->listen_fd = -1;
}

void http_listen_free(struct http *h)
{
    http_stop_accepting(h);
    loop_timer_free(h->again);
    h->again = NULL;
    map_free(h->origins);
    h->origins = NULL;
}

/* ---- the socket ---- */

static int open_listener(const struct http_config *c, char error[256])
{
    char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
    if (!address_listen(c->listen, host, port)) {
        snprintf(error, 256, "%s is not address:port", c->listen);
        return -1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    bool any = host[0] == '\0' || strcmp(host, "*") == 0;
    int failed = getaddrinfo(any ? NULL : host, port, &hints, &found);
    if (failed != 0) {
        snprintf(error, 256, "cannot listen on %s: %s", c->listen, gai_strerror(failed));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0;
    if (ok && c->reuse_port)
        ok = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0;
    ok = ok && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 4096) == 0;
    if (!ok) {
        snprintf(error, 256, "cannot listen on %s: %s", c->listen, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}
