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

/* A connection's memory in microhttpd: request head, a second copy of the cookies, its bookkeeping
 * and the reply's head must fit; beyond that it answers 431. About 8 KiB of cookies fit.
 * Resident are, for a stream on a fresh connection, half of it and 6.5 KiB (measured: 6 KiB with a
 * pool of 4 KiB, 15 with 16, 17 with 20, 19 with 24, 23 with 32). */
enum { POOL_BYTES = 20 * 1024 };
/* A body over its limit is still read up to here, so that the client has sent all and sees the 413
 * (a close with unread bytes would reset the connection); who sends more is cut. */
enum { DROP_BYTES_MAX = 16 * 1024 * 1024 };
/* microhttpd takes several runs for one reply (parse, head, body, next request). */
enum { RUNS_A_PASS = 8 };

struct decoded {
    struct decoded *next;
    size_t len;
    char bytes[];
};

/* The loop's side */

static void on_mhd_timeout(void *arg);
static void on_flush(void *arg);

static void run_mhd(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    bool wants = true;
    h->run_due = false;
    for (int i = 0; wants && wait_ms == 0 && i < RUNS_A_PASS; i++) {
        MHD_run(h->daemon);
        wants = MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES;
    }
    if (wants)
        loop_timer_set(h->timeout, wait_ms > 3600000 ? 3600000 : (int64_t)wait_ms, 0);
    else
        loop_timer_stop(h->timeout);
}

static void on_mhd_timeout(void *arg) { run_mhd(arg); }

static void on_mhd_ready(void *arg, unsigned events)
{
    (void)events;
    run_mhd(arg);
}

void http_flush_soon(struct http *h)
{
    if (h->flush_due || h->flushing || h->closing)
        return;
    h->flush_due = true;
    loop_later(h->loop, on_flush, h);
}

void http_run_soon(struct http *h)
{
    h->run_due = true;
    http_flush_soon(h);
}

void http_resume(struct http *h, struct MHD_Connection *c)
{
    MHD_resume_connection(c);
    http_run_soon(h);
}

/* The end of a pass: what streams have to say is written, then microhttpd takes up what was
 * resumed, all at once: it walks all suspended connections each time. */
static void on_flush(void *arg)
{
    struct http *h = arg;
    h->flush_due = false;
    if (h->closing) {
        free(h);
        return;
    }
    h->flushing = true;
    http_stream_flush_all(h);
    if (h->run_due)
        run_mhd(h);
    http_stream_flush_all(h); /* those that just sent their head */
    h->flushing = false;
    if (h->run_due || !list_empty(&h->woken)) {
        http_flush_soon(h);
        loop_again(h->loop);
    }
}

/* Requests that take too long to arrive. microhttpd's own timeout sees any byte as life, so a
 * client could hold a connection for ever with a byte a second. */
static void on_sweep(void *arg)
{
    struct http *h = arg;
    int64_t now = loop_now_ms(h->loop);
    list_each (&h->conns, node, tmp) {
        struct http_conn *c = list_of(node, struct http_conn, node);
        if (c->receiving_since_ms != 0 && now - c->receiving_since_ms > 2 * h->config.idle_ms)
            shutdown(c->fd, SHUT_RDWR); /* microhttpd sees the hang-up and closes */
    }
}

/* Replies */

static struct MHD_Response *make_refusal(struct http *h, unsigned status)
{
    struct str text = {NULL, 0};
    if (h->cb.on_refuse != NULL)
        text = h->cb.on_refuse(h->arg, status);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(text.len, (void *)text.at, MHD_RESPMEM_MUST_COPY);
    CHECK(response != NULL);
    if (text.len > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    return response;
}

static enum MHD_Result queue_response(struct http_request *r)
{
    struct MHD_Response *response = r->response;
    r->response = NULL;
    enum MHD_Result done = MHD_queue_response(r->mhd, r->status, response);
    MHD_destroy_response(response); /* gives up our reference only */
    return done;
}

/* Frees what only the caller could have asked for. */
static void forget_request(struct http_request *r)
{
    loop_fd_free(r->hangup);
    r->hangup = NULL;
    buf_free(&r->body);
    free(r->uri);
    r->uri = r->query = NULL;
    while (r->decoded != NULL) {
        struct decoded *next = r->decoded->next;
        free(r->decoded);
        r->decoded = next;
    }
    for (unsigned i = 0; i < r->header_count; i++) {
        free(r->headers[i][0]);
        free(r->headers[i][1]);
    }
    r->header_count = 0;
}

static void answer(struct http_request *r, unsigned status, struct MHD_Response *take_response)
{
    CHECK(r->state == REQUEST_HANDED);
    for (unsigned i = 0; i < r->header_count; i++)
        MHD_add_response_header(take_response, r->headers[i][0], r->headers[i][1]);
    if (http_conn_is_crowded(r->conn))
        MHD_add_response_header(take_response, MHD_HTTP_HEADER_CONNECTION, "close");
    r->state = REQUEST_ANSWERED;
    r->response = take_response;
    r->status = status;
    forget_request(r);
    if (r->suspended)
        http_resume(r->http, r->mhd);
}

void http_reply(struct http_request *r, unsigned status, const char *content_type, struct str body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)body.at, MHD_RESPMEM_MUST_COPY);
    CHECK(response != NULL);
    if (content_type != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    answer(r, status, response);
}

static ssize_t on_content(void *arg, uint64_t position, char *dst, size_t cap)
{
    struct MHD_Connection *connection;
    (void)position, (void)dst, (void)cap;
    switch (http_stream_content(arg, &connection)) {
    case CONTENT_WAITS:
        MHD_suspend_connection(connection);
        return 0;
    case CONTENT_ENDS:
        return MHD_CONTENT_READER_END_OF_STREAM;
    case CONTENT_BREAKS:
        break;
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void http_answer_stream(struct http_request *r, const char *content_type, struct http_stream *s)
{
    /* The block size is for HTTP/1.0 alone, and not used: we write past microhttpd. */
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 64, on_content, s, http_stream_forgotten);
    CHECK(response != NULL);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx and its like */
    answer(r, MHD_HTTP_OK, response);
}

void http_add_header(struct http_request *r, const char *name, const char *value)
{
    CHECK(r->state == REQUEST_HANDED && r->header_count < HTTP_HEADERS_MAX);
    r->headers[r->header_count][0] = xstrdup(name);
    r->headers[r->header_count++][1] = xstrdup(value);
}

/* Requests come in */

static void on_client_left(void *arg, unsigned events)
{
    struct http_request *r = arg;
    (void)events;
    r->state = REQUEST_DEAD;
    forget_request(r);
    if (r->on_gone != NULL)
        r->on_gone(r->user);
    http_resume(r->http, r->mhd);
}

static enum MHD_Result hand_over(struct http_request *r)
{
    struct http *h = r->http;
    if (h->closing)
        return MHD_NO;
    r->state = REQUEST_HANDED;
    r->conn->receiving_since_ms = 0;
    h->cb.on_request(h->arg, r);
    if (r->state == REQUEST_ANSWERED)
        return queue_response(r);
    MHD_suspend_connection(r->mhd);
    r->suspended = true;
    r->hangup = loop_fd_new(h->loop, r->conn->fd, LOOP_HANGUP, on_client_left, r);
    return MHD_YES;
}

static enum MHD_Result refuse(struct http_request *r, unsigned status)
{
    r->conn->receiving_since_ms = 0;
    r->response = make_refusal(r->http, status);
    r->status = status;
    r->state = REQUEST_ANSWERED;
    forget_request(r);
    return queue_response(r);
}

static enum MHD_Result count_lengths(void *arg, enum MHD_ValueKind kind, const char *key,
                                     const char *value)
{
    (void)kind;
    (void)value;
    if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0 ||
        strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0)
        ++*(unsigned *)arg;
    return MHD_YES;
}

/* The head is in. Two ways to tell the body's length are how requests get smuggled past a proxy. */
static enum MHD_Result check_head(struct http_request *r)
{
    unsigned lengths = 0;
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, count_lengths, &lengths);
    struct str encoding = http_header(r, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    if (lengths > 1 || (encoding.len > 0 && strcasecmp(encoding.at, "chunked") != 0) ||
        r->uri == NULL)
        return refuse(r, MHD_HTTP_BAD_REQUEST);
    uint64_t length = 0;
    struct str text = http_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (text.len == 0 || !str_u64(text, UINT64_MAX, &length))
        return MHD_YES; /* microhttpd refuses nonsense by itself */
    if (length <= r->http->config.body_bytes_max)
        return MHD_YES;
    if (length > DROP_BYTES_MAX || http_header(r, MHD_HTTP_HEADER_EXPECT).len > 0)
        return refuse(r, MHD_HTTP_CONTENT_TOO_LARGE);
    r->state = REQUEST_REFUSED;
    return MHD_YES;
}

static enum MHD_Result gather_body(struct http_request *r, const char *bytes, size_t len)
{
    if (r->state == REQUEST_RECEIVING && buf_add(&r->body, bytes, len))
        return MHD_YES;
    if (r->state == REQUEST_RECEIVING) {
        r->state = REQUEST_REFUSED;
        buf_free(&r->body);
    }
    r->body_dropped += len;
    return r->body_dropped > DROP_BYTES_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *c, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_size, void **context)
{
    struct http_request *r = *context;
    (void)arg, (void)c, (void)url;
    if (r == NULL)
        return MHD_NO;
    switch (r->state) {
    case REQUEST_RECEIVING:
    case REQUEST_REFUSED:
        if (!r->head_seen) {
            r->head_seen = true;
            r->method = method;
            r->chunked = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;
            return check_head(r);
        }
        if (*upload_size > 0) {
            size_t len = *upload_size;
            *upload_size = 0;
            return gather_body(r, upload, len);
        }
        return r->state == REQUEST_REFUSED ? refuse(r, MHD_HTTP_CONTENT_TOO_LARGE) : hand_over(r);
    case REQUEST_ANSWERED: /* resumed */
        r->suspended = false;
        return queue_response(r);
    case REQUEST_HANDED:
    case REQUEST_DEAD:
        break;
    }
    return MHD_NO;
}

/* The request line is in: the first we hear of a request, and the only time that its URI is as it
 * was sent. What is returned is on_access's *context. */
static void *on_uri(void *arg, const char *uri, struct MHD_Connection *c)
{
    struct http *h = arg;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *r = xcalloc(1, sizeof *r);
    r->http = h;
    r->mhd = c;
    r->conn = info->socket_context;
    r->conn->request = r;
    buf_init(&r->body, h->config.body_bytes_max);
    if (uri != NULL) {
        r->uri = xstrdup(uri);
        r->query = strchr(r->uri, '?');
        if (r->query != NULL)
            *r->query++ = '\0';
    }
    return r;
}

static enum MHD_Result wipe_value(void *arg, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)arg;
    if (value && (kind == MHD_COOKIE_KIND || strcasecmp(name, "Cookie") == 0 ||
                  strcasecmp(name, "Authorization") == 0))
        secret_wipe((char *)(uintptr_t)value, strlen(value));
    return MHD_YES;
}

/* microhttpd keeps a request's head in the connection's memory until the next one is written over
 * it (invariant 7). The request has ended: nobody reads these values again. */
static void wipe_credentials(struct MHD_Connection *c)
{
    MHD_get_connection_values(c, MHD_COOKIE_KIND, wipe_value, NULL);
    MHD_get_connection_values(c, MHD_HEADER_KIND, wipe_value, NULL);
}

static void on_completed(void *arg, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode how)
{
    struct http_request *r = *context;
    (void)arg, (void)c, (void)how;
    if (r == NULL)
        return;
    *context = NULL;
    CHECK(r->state != REQUEST_HANDED); /* it is suspended then: microhttpd leaves it alone */
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    wipe_credentials(c);
    r->conn->request = NULL;
    r->conn->receiving_since_ms = loop_now_ms(r->http->loop);
    forget_request(r);
    free(r);
}

static void on_connection(void *arg, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = arg;
    struct http_conn *conn = *context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        conn = xcalloc(1, sizeof *conn);
        conn->http = h;
        conn->fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        conn->receiving_since_ms = loop_now_ms(h->loop);
        list_init(&conn->node);
        list_push(&h->conns, &conn->node);
        http_conn_taken(conn);
        *context = conn;
    } else if (conn != NULL) {
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
    (void)arg;
    if (!log_enabled(LOG_DEBUG))
        return;
    int len = vsnprintf(line, sizeof line, format, args);
    if (len > 0)
        log_debug("http.mhd", "text=%s", log_text(str_trim(str_of(line))));
}

/* What a request holds */

struct str http_method(const struct http_request *r) { return str_of(r->method); }

struct str http_path(const struct http_request *r) { return str_of(r->uri); }

struct str http_header(const struct http_request *r, const char *name)
{
    return str_of(MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name));
}

struct str http_cookie(const struct http_request *r, const char *name)
{
    return str_of(MHD_lookup_connection_value(r->mhd, MHD_COOKIE_KIND, name));
}

struct str http_body(const struct http_request *r) { return buf_str(&r->body); }

bool http_crowded(const struct http_request *r) { return http_conn_is_crowded(r->conn); }

void http_set_user(struct http_request *r, void *user, void (*on_gone)(void *user))
{
    r->user = user;
    r->on_gone = on_gone;
}

void *http_user(const struct http_request *r) { return r->user; }

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Form decoding (+ is a blank). False: a broken escape, or a NUL. out has room for in.len. */
static bool decode(struct str in, char *out, size_t *out_len)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len; i++) {
        char c = in.at[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < in.len ? hex_digit(in.at[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(in.at[i + 2]) : -1;
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[n++] = c;
    }
    *out_len = n;
    return true;
}

static bool decode_for(struct http_request *r, struct str in, struct str *out)
{
    if (memchr(in.at, '%', in.len) == NULL && memchr(in.at, '+', in.len) == NULL) {
        *out = in;
        return true;
    }
    struct decoded *d = xmalloc(sizeof *d + in.len);
    d->next = r->decoded;
    r->decoded = d;
    if (!decode(in, d->bytes, &d->len))
        return false;
    *out = (struct str){d->bytes, d->len};
    return true;
}

bool http_query(const struct http_request *r, const char *key, struct str *value)
{
    struct http_request *owner = (struct http_request *)r; /* keeps what was decoded */
    struct str rest = str_of(r->query), pair, name;
    while (str_split(&rest, '&', &pair)) {
        struct str left = pair;
        if (pair.len == 0 || !str_split(&left, '=', &name) || !decode_for(owner, name, &name) ||
            !str_is(name, key))
            continue;
        if (left.at == NULL)
            left = STR("");
        return decode_for(owner, left, value);
    }
    return false;
}

/* Start and end */

static struct MHD_Daemon *start_daemon(struct http *h)
{
    unsigned idle_s = (unsigned)((h->config.idle_ms + 999) / 1000);
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET, 0,
        NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, NULL,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT,
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
    CHECK(c->connections_max > 0 && c->body_bytes_max > 0 && c->stream_fill_bytes_max <= 1 << 20);
    MHD_set_panic_func(on_mhd_panic, NULL);
    struct http *h = xcalloc(1, sizeof *h);
    h->loop = l;
    h->config = *c;
    if (h->config.stream_fill_bytes_max == 0)
        h->config.stream_fill_bytes_max = 16384;
    h->cb = *cb;
    h->arg = arg;
    list_init(&h->conns);
    list_init(&h->streams);
    list_init(&h->woken);
    if (http_listen(h, error) < 0) {
        free(h);
        return NULL;
    }
    h->config.listen = h->config.proxies = NULL;
    h->daemon = start_daemon(h);
    CHECK(h->daemon != NULL);
    h->scratch = xmalloc(HTTP_SCRATCH_BYTES(h->config.stream_fill_bytes_max));
    h->epoll = loop_fd_new(l, MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
                           LOOP_READ, on_mhd_ready, h);
    h->timeout = loop_timer_new(l, on_mhd_timeout, h);
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
    if (h == NULL)
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
    loop_fd_free(h->epoll);
    MHD_run(h->daemon); /* takes up what was resumed: stopping with suspended ones is an error */
    http_stream_close_all(h);
    MHD_stop_daemon(h->daemon);
    http_stream_flush_all(h); /* those whose head was not out yet */
    CHECK(h->connections == 0);
    http_listen_free(h);
    loop_timer_free(h->timeout);
    loop_timer_free(h->sweep);
    loop_timer_free(h->ping);
    free(h->scratch);
    h->scratch = NULL;
    if (!h->flush_due) /* else on_flush is still to come */
        free(h);
}

uint16_t http_port(const struct http *h) { return h->port; }

unsigned http_connections(const struct http *h) { return h->connections; }
