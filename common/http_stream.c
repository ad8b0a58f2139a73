#include "common/http_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/check.h"

/* How a stream lives beside microhttpd (0.9.75; its source was read for this):
 *
 * The response is one with a content callback (http_stream_content). microhttpd calls that for the
 * first time when send() took the whole head, and it pushed the head out (TCP_NODELAY is set then).
 * There we suspend the connection: from now on it is off microhttpd's lists, and its socket is
 * ours. We write chunks with their framing, a loop_fd tells when the socket takes bytes again and
 * when the client has left. To end it we resume the connection; microhttpd asks for content again,
 * which says "end of stream" and so has the last chunk written and the connection kept alive, or
 * "error", and the connection is closed. */

/* Ping intervals after which a stream whose client takes nothing is cut. */
enum { STALLED_PINGS = 4 };
/* What the kernel may hold for a client that reads slowly; else it grows to megabytes (tcp_wmem).
 */
enum { KERNEL_BYTES = 64 * 1024 };
/* Full fills a stream may send in one flush, before others get their turn. */
enum { FILLS_A_FLUSH = 4 };
/* What one flush may take: hundreds who follow one turn have each of its tokens at once. */
enum { FLUSH_NS = 2 * 1000 * 1000 };

enum stream_state {
    STREAM_OPENING, /* the head is not out: microhttpd has the connection */
    STREAM_LIVE,    /* suspended: the socket is ours */
    STREAM_ENDED,   /* resumed, or lost; on_closed was called */
};
struct http_stream {
    struct http *http;
    struct MHD_Connection *mhd;
    struct http_conn *conn; /* of mhd, while that is ours */
    enum stream_state state;
    bool chunked;
    bool want_end, want_abort; /* the caller's orders */
    bool lost;                 /* the client has left, or an order to cut */
    bool mhd_done;             /* microhttpd has dropped the response */
    int fd;
    struct loop_fd *io;
    struct http_stream_handler handler;
    void *arg;
    char *pending; /* what the socket did not take; NULL: nothing */
    size_t pending_len, pending_off;
    int64_t output_ms;  /* when the socket last took something */
    struct list by_age; /* in http->streams while LIVE */
    struct list woken;  /* in http->woken */
};

static void flush_until(struct http *h, uint64_t until_ns);

static void wake(struct http_stream *s)
{
    if (list_empty(&s->woken)) {
        list_push(&s->http->woken, &s->woken);
        http_flush_soon(s->http);
    }
}

/* The end of our side: tells the caller, gives the connection back. */
static void end_stream(struct http_stream *s)
{
    bool was_live = s->state == STREAM_LIVE;
    s->lost = s->lost || s->want_abort;
    s->state = STREAM_ENDED;
    loop_fd_free(s->io);
    s->io = NULL;
    free(s->pending);
    s->pending = NULL;
    s->pending_len = s->pending_off = 0;
    list_remove(&s->by_age);
    list_remove(&s->woken);
    s->handler.on_closed(s->arg);
    if (was_live)
        http_resume(s->conn, s->mhd);
    if (s->mhd_done)
        free(s);
}

/* ---- output ---- */

/* How many bytes the socket took. */
static size_t send_some(struct http_stream *s, const char *bytes, size_t len)
{
    ssize_t sent = send(s->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            s->lost = true;
        return 0;
    }
    s->output_ms = loop_now_ms(s->http->loop);
    list_remove(&s->by_age);
    list_push(&s->http->streams, &s->by_age);
    return (size_t)sent;
}

static void send_or_keep(struct http_stream *s, const char *bytes, size_t len)
{
    size_t sent = send_some(s, bytes, len);
    if (sent == len || s->lost)
        return;
    s->pending_len = len - sent;
    s->pending_off = 0;
    s->pending = xmalloc(s->pending_len);
    memcpy(s->pending, bytes + sent, s->pending_len);
    loop_fd_set(s->io, LOOP_WRITE | LOOP_HANGUP);
}

static void send_pending(struct http_stream *s)
{
    s->pending_off += send_some(s, s->pending + s->pending_off, http_stream_pending(s));
    if (s->pending_off < s->pending_len)
        return;
    free(s->pending);
    s->pending = NULL;
    s->pending_len = s->pending_off = 0;
    loop_fd_set(s->io, LOOP_HANGUP);
}

/* body stands in scratch behind room for a chunk's head, and has room behind it. */
static void send_body(struct http_stream *s, char *body, size_t len)
{
    if (!s->chunked) {
        send_or_keep(s, body, len);
        return;
    }
    char *head = body; /* written from its end: the length in hex, CR LF */
    *--head = '\n';
    *--head = '\r';
    for (size_t left = len; left > 0; left >>= 4)
        *--head = "0123456789abcdef"[left & 15];
    memcpy(body + len, "\r\n", HTTP_CHUNK_TAIL);
    send_or_keep(s, head, (size_t)(body - head) + len + HTTP_CHUNK_TAIL);
}

/* Several small fills go out as one chunk. */
static size_t fill(struct http_stream *s, char *body, size_t cap)
{
    size_t len = 0;
    while (len < cap && !s->want_abort) {
        size_t more = s->handler.on_fill(s->arg, body + len, cap - len);
        CHECK(more <= cap - len);
        if (more == 0)
            break;
        len += more;
    }
    return len;
}

static void stream_flush(struct http_stream *s)
{
    char *body = s->http->scratch + HTTP_CHUNK_HEAD;
    size_t cap = s->http->config.stream_fill_bytes_max, len = cap;
    for (int i = 0; i < FILLS_A_FLUSH && len == cap && s->pending == NULL && !s->lost; i++) {
        len = fill(s, body, cap);
        if (len > 0 && !s->want_abort)
            send_body(s, body, len);
    }
    if (s->lost || s->want_abort || (s->want_end && s->pending == NULL && len < cap))
        end_stream(s);
    else if (s->pending == NULL && len == cap)
        wake(s); /* there may be more: in the next pass */
}

void http_stream_flush_some(struct http *h) { flush_until(h, loop_hr_ns() + FLUSH_NS); }

void http_stream_flush_all(struct http *h) { flush_until(h, UINT64_MAX); }

/* Those woken meanwhile stand behind the mark and wait for the next round; who is left when the
 * time is over comes first in it. Nothing is moved: with thousands that would cost more than the
 * writes. */
static void flush_until(struct http *h, uint64_t until_ns)
{
    list_push(&h->woken, &h->round);
    while (h->woken.next != &h->round && (until_ns == UINT64_MAX || loop_hr_ns() < until_ns)) {
        struct http_stream *s = list_head(&h->woken, struct http_stream, woken);
        list_remove(&s->woken);
        bool live = s->state == STREAM_LIVE;
        if (s->lost || s->mhd_done || (live && s->pending != NULL && s->want_abort))
            end_stream(s);
        else if (live && s->pending == NULL)
            stream_flush(s);
    }
    list_remove(&h->round);
}

/* ---- what the loop and microhttpd tell ---- */

static void on_io(void *arg, unsigned events)
{
    struct http_stream *s = arg;
    if ((events & LOOP_HANGUP) != 0)
        s->lost = true;
    else if ((events & LOOP_WRITE) != 0 && s->pending != NULL)
        send_pending(s);
    if (s->lost || s->pending == NULL)
        wake(s);
    if (s->lost)
        loop_fd_set(s->io, 0);
}

enum http_content http_stream_content(struct http_stream *s, struct MHD_Connection **connection)
{
    int one = 1, kernel_bytes = KERNEL_BYTES;
    *connection = s->mhd;
    if (s->state == STREAM_ENDED)
        return s->lost ? CONTENT_BREAKS : CONTENT_ENDS;
    CHECK(s->state == STREAM_OPENING);
    if (s->http->closing)
        return CONTENT_BREAKS;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(s->fd, SOL_SOCKET, SO_SNDBUF, &kernel_bytes, sizeof(kernel_bytes));
    s->state = STREAM_LIVE;
    s->io = loop_fd_new(s->http->loop, s->fd, LOOP_HANGUP, on_io, s);
    s->output_ms = loop_now_ms(s->http->loop);
    list_push(&s->http->streams, &s->by_age);
    wake(s);
    return CONTENT_WAITS;
}

void http_stream_forgotten(void *stream)
{
    struct http_stream *s = stream;
    s->mhd_done = true;
    if (s->state == STREAM_ENDED)
        free(s);
    else
        wake(s); /* the client left before the head was out, or it was a HEAD request */
}

/* Quiet streams get a comment line: proxies keep them open, and the dead are found. */
void http_stream_on_ping(void *arg)
{
    struct http *h = arg;
    static const struct str ping = {": ping\n\n", 8};
    int64_t now = loop_now_ms(h->loop), due_ms = now - h->config.ping_ms;
    list_each (&h->streams, node, tmp) {
        struct http_stream *s = list_of(node, struct http_stream, by_age);
        if (s->output_ms > due_ms)
            break;
        if (s->lost || !list_empty(&s->woken))
            continue;
        if (s->pending == NULL && s->handler.quiet)
            continue;
        if (!s->pending) {
            char *body = h->scratch + HTTP_CHUNK_HEAD;
            memcpy(body, ping.at, ping.len);
            send_body(s, body, ping.len);
        } else if (now - s->output_ms > STALLED_PINGS * h->config.ping_ms) {
            s->lost = true;
        }
        if (s->lost)
            wake(s);
    }
}

void http_stream_close_all(struct http *h)
{
    http_stream_flush_all(h);
    while (!list_empty(&h->streams)) {
        struct http_stream *s = list_first(&h->streams, struct http_stream, by_age);
        s->lost = true;
        end_stream(s);
    }
}

/* ---- the caller's side ---- */

struct http_stream *http_stream_open(struct http_request *r, const char *content_type,
                                     const struct http_stream_handler *handler, void *arg)
{
    struct http_stream *s = xcalloc(1, sizeof(*s));
    s->http = r->http;
    s->mhd = r->mhd;
    s->conn = r->conn;
    s->fd = r->conn->fd;
    s->chunked = r->chunked;
    s->handler = *handler;
    s->arg = arg;
    list_init(&s->by_age);
    list_init(&s->woken);
    http_answer_stream(r, content_type, s);
    return s;
}

void http_stream_wake(struct http_stream *s)
{
    if (s->state == STREAM_LIVE && s->pending == NULL)
        wake(s); /* else it is asked anyway, when its socket takes bytes */
}

void http_stream_end(struct http_stream *s)
{
    CHECK(s->state != STREAM_ENDED);
    s->want_end = true;
    http_stream_wake(s);
}

void http_stream_abort(struct http_stream *s)
{
    CHECK(s->state != STREAM_ENDED);
    s->want_abort = true;
    wake(s);
}

size_t http_stream_pending(const struct http_stream *s) { return s->pending_len - s->pending_off; }
