#include "common/http_priv.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/check.h"
#include "common/log.h"
#include "common/secret.h"

/* A body over its limit is still read up to here, so that the client has sent all and sees the 413
 * (a close with unread bytes would reset the connection); who sends more is cut. */
enum { DROP_BYTES_MAX = 16 * 1024 * 1024 };
/* ---- the loop's side ---- */

static void on_flush(void *arg);

void http_flush_soon(struct http *h)
{
    if (h->flush_due || h->flushing || h->closing)
        return;
    h->flush_due = true;
    loop_later(h->loop, on_flush, h);
}

/* The end of a pass: what streams have to say is written, then microhttpd takes up what was
 * resumed. */
static void on_flush(void *arg)
{
    struct http *h = arg;
    h->flush_due = false;
    if (h->closing) {
        free(h);
        return;
    }
    h->flushing = true;
    http_stream_flush_some(h);
    http_daemons_run(h);
    http_stream_flush_some(h); /* those that just sent their head */
    h->flushing = false;
    if (h->run_due || !list_empty(&h->woken)) {
        http_flush_soon(h);
        loop_again(h->loop);
    }
}

/* Requests that take too long to arrive, answers that are not taken. microhttpd's own timeout sees
 * any byte as life, so a client could hold a connection for ever with a byte a second. */
static void on_sweep(void *arg)
{
    struct http *h = arg;
    int64_t now = loop_now_ms(h->loop);
    list_each (&h->conns, node, tmp) {
        struct http_conn *c = list_of(node, struct http_conn, node);
        if (c->deadline_ms != 0 && now > c->deadline_ms)
            shutdown(c->fd, SHUT_RDWR); /* microhttpd sees the hang-up and closes */
    }
}

/* ---- requests come in ---- */

static enum MHD_Result head_is_in(struct http_request *r, const char *url, const char *version);
static enum MHD_Result go_on(struct http_request *r);
static void deliver(struct http_request *r);
static enum MHD_Result body_is_in(struct http_request *r);

static enum MHD_Result queue_response(struct http_request *r)
{
    struct MHD_Response *response = r->response;
    r->response = NULL;
    enum MHD_Result done = MHD_queue_response(r->mhd, r->status, response);
    MHD_destroy_response(response); /* gives up our reference only */
    return done;
}

void http_request_forget(struct http_request *r)
{
    loop_fd_free(r->hangup);
    r->hangup = NULL;
    buf_free(&r->body);
    http_let_go(r->http, r->held_bytes);
    r->held_bytes = 0;
    http_head_forget(r);
    for (unsigned i = 0; i < r->header_count; i++) {
        free(r->headers[i][0]);
        free(r->headers[i][1]);
    }
    r->header_count = 0;
}

/* The caller is told that its request is over without its answer. */
static void give_up(struct http_request *r)
{
    if (r->on_gone)
        r->on_gone(r->user);
    r->user = NULL;
    r->on_gone = NULL;
}

static void on_client_left(void *arg, unsigned events)
{
    struct http_request *r = arg;
    (void)events;
    r->state = REQUEST_DEAD;
    http_request_forget(r);
    give_up(r);
    http_resume(r->conn, r->mhd);
}

/* Until there is an answer, or the body is wanted. */
static enum MHD_Result wait_for_caller(struct http_request *r)
{
    MHD_suspend_connection(r->mhd);
    r->suspended = true;
    r->hangup = loop_fd_new(r->http->loop, r->conn->fd, LOOP_HANGUP, on_client_left, r);
    return MHD_YES;
}

static enum MHD_Result head_is_in(struct http_request *r, const char *url, const char *version)
{
    r->chunked = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
    if (!http_head_ok(r, url, version)) {
        r->broken = true;
        http_refuse(r, MHD_HTTP_BAD_REQUEST);
        return queue_response(r);
    }
    struct str length = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (length.len > 0 && !str_u64(length, UINT64_MAX, &r->body_bytes))
        r->body_bytes = UINT64_MAX; /* microhttpd has refused nonsense by itself */
    r->expects = http_header(r, MHD_HTTP_HEADER_EXPECT).len > 0;
    r->state = REQUEST_HANDED;
    r->conn->deadline_ms = 0;
    if (r->http->config.body_bytes_max > 0)
        http_read_body(r, r->http->config.body_bytes_max, NULL);
    else
        deliver(r);
    return go_on(r);
}

/* The head was looked at: its answer, its body, or later. A response that is queued now makes
 * microhttpd close the connection; the answer to a short body waits until that was read and
 * dropped, since a close with unread bytes is a reset, which may take the answer away. */
static enum MHD_Result go_on(struct http_request *r)
{
    if (r->state == REQUEST_HANDED)
        return wait_for_caller(r);
    r->head_done = true;
    bool unread = r->state == REQUEST_ANSWERED && http_has_body(r);
    if (unread && (r->body_bytes > DROP_BYTES_MAX || r->expects))
        return queue_response(r);
    return MHD_YES;
}

static void deliver(struct http_request *r)
{
    if (r->on_body)
        r->on_body(r->user);
    else
        r->http->cb.on_request(r->http->arg, r);
}

bool http_has_body(const struct http_request *r) { return r->body_bytes > 0 || r->has_coding; }

static void refuse_body(struct http_request *r, unsigned status)
{
    http_refuse(r, status);
    give_up(r);
}

void http_read_body(struct http_request *r, size_t bytes_max, void (*on_body)(void *user))
{
    struct http *h = r->http;
    CHECK(r->state == REQUEST_HANDED && !r->head_done);
    if (!http_has_body(r)) {
        r->on_body = on_body;
        deliver(r);
    } else if (r->body_bytes > bytes_max) {
        refuse_body(r, MHD_HTTP_CONTENT_TOO_LARGE);
    } else if (!http_hold(h, r->body_bytes, 0)) {
        refuse_body(r, MHD_HTTP_SERVICE_UNAVAILABLE);
    } else {
        r->held_bytes = r->body_bytes;
        r->on_body = on_body;
        r->state = REQUEST_BODY;
        r->conn->deadline_ms = loop_now_ms(h->loop) + h->config.idle_ms;
        buf_init(&r->body, bytes_max);
        loop_fd_free(r->hangup);
        r->hangup = NULL;
        if (r->suspended)
            http_resume(r->conn, r->mhd);
    }
}

/* microhttpd takes a bare LF for the end of a chunk's size. Where that line came in the same read
 * it stands before the bytes; where it did not, the connection's end after this answer does. */
static bool follows_bare_lf(const struct http_request *r, const char *bytes)
{
    return r->has_coding && bytes > r->body_start + 1 && bytes - r->body_start < HTTP_POOL_BYTES &&
           bytes[-1] == '\n' && bytes[-2] != '\r';
}

static enum MHD_Result gather_body(struct http_request *r, const char *bytes, size_t len)
{
    enum { STEP = 16 * 1024 };
    bool broken = r->state == REQUEST_BODY && follows_bare_lf(r, bytes);
    r->broken = r->broken || broken;
    if (broken)
        refuse_body(r, MHD_HTTP_BAD_REQUEST);
    if (r->state == REQUEST_BODY && r->body.len + len > r->held_bytes) { /* chunks */
        if (http_hold(r->http, len + STEP, 0))
            r->held_bytes += len + STEP;
        else
            refuse_body(r, MHD_HTTP_SERVICE_UNAVAILABLE);
    }
    if (r->state == REQUEST_BODY && buf_add(&r->body, bytes, len))
        return MHD_YES;
    if (r->state == REQUEST_BODY)
        refuse_body(r, MHD_HTTP_CONTENT_TOO_LARGE);
    r->body_dropped += len;
    return r->body_dropped > DROP_BYTES_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result body_is_in(struct http_request *r)
{
    if (r->http->closing)
        return MHD_NO;
    r->state = REQUEST_HANDED;
    r->conn->deadline_ms = 0;
    deliver(r);
    return r->state == REQUEST_ANSWERED ? queue_response(r) : wait_for_caller(r);
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *c, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **context)
{
    struct http *h = arg;
    struct http_request *r = *context;
    (void)c;
    if (r == NULL || (h->closing && r->state == REQUEST_ARRIVING))
        return MHD_NO;
    r->suspended = false;
    if (r->state == REQUEST_ARRIVING) {
        r->method = method;
        return head_is_in(r, url, version);
    }
    if (r->state != REQUEST_BODY && r->state != REQUEST_ANSWERED)
        return MHD_NO;
    if (!r->head_done)
        return go_on(r);
    if (*upload_size > 0) {
        size_t len = *upload_size;
        *upload_size = 0;
        return gather_body(r, upload, len);
    }
    return r->state == REQUEST_ANSWERED ? queue_response(r) : body_is_in(r);
}

/* The request line is in: the first we hear of a request, and the only time that its URI is as it
 * was sent. What is returned is on_access's *context. */
static void *on_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
    struct http *h = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *r = xcalloc(1, sizeof(*r));
    r->http = h;
    r->mhd = c;
    r->conn = info->socket_context;
    r->conn->request = r;
    buf_init(&r->body, 1);
    if (uri) {
        r->uri = xstrdup(uri);
        r->uri_len = strlen(uri);
    }
    return r;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct http_request *r = *context;
    (void)arg, (void)c, (void)how;
    if (!r)
        return;
    *context = NULL;
    CHECK(r->state != REQUEST_HANDED); /* it is suspended then: microhttpd leaves it alone */
    http_forget_credentials(r); /* its memory is freed as it is, and not all were asked for them */
    if (r->response)
        MHD_destroy_response(r->response);
    r->conn->request = NULL;
    r->conn->deadline_ms = loop_now_ms(r->http->loop) + 2 * r->http->config.idle_ms;
    http_request_forget(r);
    if (r->state == REQUEST_BODY) /* the client left in the midst of it */
        give_up(r);
    http_let_go(r->http, r->kept_bytes);
    if (r->on_over)
        r->on_over(r->over_arg);
    free(r);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = arg;
    struct http_conn *conn = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn = xcalloc(1, sizeof(*conn));
        conn->http = h;
        conn->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        conn->deadline_ms = loop_now_ms(h->loop) + 2 * h->config.idle_ms;
        list_init(&conn->node);
        list_push(&h->conns, &conn->node);
        http_conn_taken(conn);
        *context = conn;
    } else if (conn) {
        list_remove(&conn->node);
        http_conn_left(conn);
        *context = NULL;
        free(conn);
    }
}

/* microhttpd decodes paths and queries in place: ours must stay as they were sent. */
static size_t on_unescape(void *arg, struct MHD_Connection *c, char *text)
{
    (void)arg, (void)c;
    return strlen(text);
}

static void on_mhd_log(void *arg, const char *format, va_list args)
{
    char line[256];
    if (strstr(format, "Content-Length") != NULL)
        http_refuse_length(arg);
    if (!log_enabled(LOG_DEBUG))
        return;
    int len = vsnprintf(line, sizeof(line), format, args);
    if (len > 0)
        log_debug("http.mhd", "text=%s", log_text(str_trim(str_of(line))));
}

/* ---- what a request holds ---- */

struct str http_body(const struct http_request *r) { return buf_str(&r->body); }

bool http_crowded(const struct http_request *r) { return http_conn_is_crowded(r->conn); }

void http_set_user(struct http_request *r, void *user, void (*on_gone)(void *user))
{
    r->user = user;
    r->on_gone = on_gone;
}

void http_on_over(struct http_request *r, void (*fn)(void *arg), void *arg)
{
    r->on_over = fn;
    r->over_arg = arg;
}

/* ---- start and end ---- */

struct MHD_Daemon *http_start_microhttpd(struct http *h)
{
    unsigned idle_s = (unsigned)((h->config.idle_ms + 999) / 1000);
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET, 0,
        NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, h,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        h->config.connections_max + 4 * HTTP_RESERVE, MHD_OPTION_CONNECTION_TIMEOUT, idle_s,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, h, MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, h, MHD_OPTION_END);
}

static void on_mhd_panic(void *arg, const char *file, unsigned line, const char *reason)
{
    (void)arg;
    check_failed(file, (int)line, reason);
}

struct http *http_new(struct loop *l, const struct http_config *c, const struct http_callbacks *cb,
                      void *arg, char error[256])
{
    CHECK(c->connections_max > 0 && c->stream_fill_bytes_max <= 1 << 20);
    MHD_set_panic_func(on_mhd_panic, NULL);
    struct http *h = xcalloc(1, sizeof(*h));
    h->loop = l;
    h->config = *c;
    if (h->config.stream_fill_bytes_max == 0)
        h->config.stream_fill_bytes_max = 16384;
    h->cb = *cb;
    h->arg = arg;
    list_init(&h->conns);
    list_init(&h->streams);
    list_init(&h->woken);
    list_init(&h->round);
    if (http_listen(h, error) < 0) {
        free(h);
        return NULL;
    }
    h->config.listen = h->config.proxies = NULL;
    http_daemons_open(h);
    h->scratch = xmalloc(HTTP_SCRATCH_BYTES(h->config.stream_fill_bytes_max));
    h->sweep = loop_timer_new(l, on_sweep, h);
    h->ping = loop_timer_new(l, http_stream_on_ping, h);
    if (c->idle_ms > 0)
        loop_timer_set(h->sweep, c->idle_ms / 4 + 1, c->idle_ms / 4 + 1);
    if (c->ping_ms > 0)
        loop_timer_set(h->ping, c->ping_ms / 8 + 1, c->ping_ms / 8 + 1);
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    CHECK(!h->flushing); /* not from inside a callback */
    h->closing = true;
    http_stop_accepting(h);
    http_stream_close_all(h);
    list_each (&h->conns, node, tmp) {
        struct http_request *r = list_of(node, struct http_conn, node)->request;
        if (r != NULL && r->state == REQUEST_HANDED)
            on_client_left(r, LOOP_HANGUP);
    }
    http_daemons_last_run(h); /* of what was resumed: stopping with suspended ones is an error */
    http_stream_close_all(h);
    http_daemons_free(h);
    http_stream_flush_all(h); /* those whose head was not out yet */
    CHECK(h->connections == 0);
    http_listen_free(h);
    loop_timer_free(h->sweep);
    loop_timer_free(h->ping);
    free(h->scratch);
    h->scratch = NULL;
    if (!h->flush_due) /* else on_flush is still to come */
        free(h);
}

uint16_t http_port(const struct http *h) { return h->port; }

unsigned http_connections(const struct http *h) { return h->connections; }
