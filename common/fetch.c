#include "common/fetch.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/check.h"
#include "common/fetch_lane.h"
#include "common/list.h"
#include "common/utc.h"

/* curl forbids calls into its multi handle from its own callbacks, and we promise callers that they
 * may start and cancel anywhere. So: starting inside curl is put off to the end of the pass,
 * cancelling there only marks, and on_done comes from the message queue after curl returned. */

enum {
    BODY_BYTES_MAX = 16 * 1024 * 1024, /* when the request sets none */
    CONNECT_MS = 5000,
    HEADERS_MAX = 64,
    HEADER_BYTES_MAX = 16384, /* of the answer's headers, kept */
    IDLE_TICK_MS = 250,
    STREAM_BUFFER_BYTES = 2048,
    URGENT_PIECES = 4, /* of a stream, before its socket may wait for others */
    /* Of bodies, read in one pass of the loop: 3 ms where they are parsed at 100 MB/s. libcurl
     * itself reads up to 100 buffers of each in one go, and on at once while there is more. */
    PASS_BYTES = 256 * 1024,
    PASS_SHARE_BYTES = 32 * 1024, /* what each may read in it whatever the others do */
    CONNECTION_AGE_S = 55, /* below the usual 60 s at which servers close an idle connection */
};

struct fetch_pool {
    struct loop *loop;
    struct lanes *lanes;
    CURLSH *share;       /* TLS sessions, for resumption by later requests */
    const char *ca_file; /* SSL_CERT_FILE: libcurl itself does not look at it */
    struct loop_timer *idle;
    struct list running;  /* added to curl */
    struct list starting; /* not yet */
    struct list dying;    /* cancelled inside curl */
    struct list paused;   /* by their place: who waits longest reads next */
    uint64_t pass;        /* counts them */
    size_t pass_bytes;
    unsigned active;
    uint64_t requests, connections;
    bool later, closing;
};

struct fetch {
    struct fetch_pool *pool;
    struct lane *lane; /* NULL: curl does not have it */
    struct list node;
    struct list place; /* in pool->paused, while it is */
    uint64_t pass;     /* in which pass_bytes came */
    size_t pass_bytes;
    CURL *easy; /* NULL: the request was refused as it is */
    struct curl_slist *headers;
    /* What is secret of the request lies where no core reaches, however long the answer takes. */
    struct curl_slist secret_headers[2]; /* sent before the others; their text is in secrets */
    unsigned secret_header_count;
    struct secret *secrets[3]; /* those lines, and the body */
    char *body;
    struct shelved *shelved; /* the body, where it is not ours alone */
    size_t body_len;
    struct fetch_handler handler;
    void *arg;
    bool cancelled, head_done, collect, encoded;
    bool alone;                /* on its connection: no HTTP/2 */
    unsigned pieces;           /* of its body, as they came; counted to URGENT_PIECES */
    enum fetch_status failure; /* FETCH_OK: none of our own making */
    int http_status;
    int64_t started_ms, byte_ms, idle_ms;
    int64_t total_ms; /* of a stream; 0: none. A timer of libcurl's would be moved by each token */
    uint64_t body_bytes, body_bytes_max, body_bytes_keep;
    struct buf got;   /* of collect */
    struct buf heads; /* name NUL value NUL … */
    unsigned head_count;
};

static void bound_encoded(struct fetch *f);
static void on_idle_tick(void *arg);
static void on_later(void *arg);
static void on_pass(void *arg);
static void on_acted(void *arg);
static bool set_out(struct fetch *f);
static void start_later(struct fetch *f);
static void on_ended(void *arg, CURL *easy, CURLcode code);

static int on_new_connection(void *arg, curl_socket_t fd, curlsocktype purpose)
{
    struct fetch_pool *p = arg;
    (void)fd, (void)purpose;
    p->connections++;
    return CURL_SOCKOPT_OK;
}

/* curl keeps copies of what it sends, the Authorization header among it: they are wiped when they
 * are given back (invariant 7). */
static void *wiping_realloc(void *take_bytes, size_t size)
{
    size_t had = take_bytes != NULL ? malloc_usable_size(take_bytes) : 0;
    if (had >= size && had - size < 4096) /* it fits where it is */
        return take_bytes != NULL ? take_bytes : malloc(size ? size : 1);
    void *bytes = malloc(size ? size : 1);
    if (!bytes)
        return NULL;
    if (had > 0)
        memcpy(bytes, take_bytes, had < size ? had : size);
    secret_wiping_free(take_bytes);
    return bytes;
}

struct fetch_pool *fetch_pool_new(struct loop *l)
{
    static const struct lanes_handler handler = {on_acted, on_ended};
    struct fetch_pool *p = xcalloc(1, sizeof(*p));
    CHECK(curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, secret_wiping_free, wiping_realloc,
                               strdup, calloc) == CURLE_OK);
    p->loop = l;
    p->ca_file = getenv("SSL_CERT_FILE");
    list_init(&p->running);
    list_init(&p->starting);
    list_init(&p->dying);
    list_init(&p->paused);
    loop_on_write(l, on_pass, p);
    p->idle = loop_timer_new(l, on_idle_tick, p);
    p->lanes = lanes_new(l, CONNECTION_AGE_S * 1000, &handler, p);
    p->share = curl_share_init();
    CHECK(p->share != NULL);
    curl_share_setopt(p->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return p;
}

void fetch_pool_free(struct fetch_pool *p)
{
    if (!p)
        return;
    CHECK(p->active == 0 && !lanes_inside(p->lanes) && list_empty(&p->dying));
    p->closing = true;
    loop_off(p->loop, p);
    lanes_free(p->lanes);
    curl_share_cleanup(p->share);
    loop_timer_free(p->idle);
    if (!p->later) /* else on_later is still to come */
        free(p);
}

/* ---- the end of a fetch ---- */

static void leave_lane(struct fetch *f)
{
    if (f->lane)
        lane_remove(f->lane, f->easy);
    f->lane = NULL;
}

static void fetch_free(struct fetch *f)
{
    CHECK(f != NULL);
    leave_lane(f);
    if (f->easy)
        curl_easy_cleanup(f->easy);
    curl_slist_free_all(f->headers);
    secret_wiping_free(f->body);
    shelved_free(f->shelved);
    for (size_t i = 0; i < sizeof(f->secrets) / sizeof(*f->secrets); i++)
        secret_free(f->secrets[i]);
    list_remove(&f->node);
    buf_free(&f->got);
    buf_free(&f->heads);
    free(f);
}

static void finish(struct fetch *f, enum fetch_status status, const char *error)
{
    struct fetch_result r = {
        .status = status,
        .http_status = f->http_status,
        .body = buf_str(&f->got),
        .error = error,
        .total_ms = loop_now_ms(f->pool->loop) - f->started_ms,
        .body_bytes = f->body_bytes,
    };
    list_remove(&f->node);
    list_remove(&f->place);
    f->pool->active--;
    leave_lane(f);
    f->cancelled = true; /* a cancel from inside on_done changes nothing */
    f->handler.on_done(f->arg, &r);
    fetch_free(f);
}

void fetch_cancel(struct fetch *f)
{
    if (f == NULL || f->cancelled)
        return;
    f->cancelled = true;
    f->pool->active--;
    list_remove(&f->node);
    list_remove(&f->place);
    if (lanes_inside(f->pool->lanes))
        list_push(&f->pool->dying, &f->node); /* on_acted frees it */
    else
        fetch_free(f);
}

static bool is_connected(CURL *easy)
{
    curl_off_t connected_us = 0; /* stays 0 where a connection is used again */
    long sent_bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &sent_bytes);
    return connected_us > 0 || sent_bytes > 0;
}

static const char *too_late(CURL *easy)
{
    return is_connected(easy) ? "no whole answer in time" : "no connection in time";
}

/* Words for people: never curl's error buffer, which names hosts. */
static enum fetch_status explain(CURL *easy, CURLcode code, const char **error)
{
    *error = curl_easy_strerror(code);
    if (code == CURLE_OK) {
        *error = "";
        return FETCH_OK;
    }
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY) {
        *error = "no such host";
        return FETCH_REFUSED;
    }
    if (code == CURLE_COULDNT_CONNECT) {
        *error = "the connection was refused";
        return FETCH_REFUSED;
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL && is_connected(easy)) { /* HTTP/0.9 */
        *error = "the answer is not HTTP";
        return FETCH_BROKEN;
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        *error = "the address is no http or https address";
        return FETCH_REFUSED;
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        *error = "its TLS certificate is not trusted, or is another host's";
        return FETCH_REFUSED;
    }
    if (code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE ||
        code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_ISSUER_ERROR ||
        code == CURLE_SSL_INVALIDCERTSTATUS)
        return FETCH_REFUSED;
    if (code == CURLE_OPERATION_TIMEDOUT) {
        *error = too_late(easy);
        return FETCH_TIMEOUT;
    }
    return FETCH_BROKEN;
}

static void finish_by_curl(struct fetch *f, CURLcode code)
{
    const char *error;
    enum fetch_status status = explain(f->easy, code, &error);
    if (f->failure == FETCH_CUT)
        finish(f, FETCH_CUT, "the answer was cut off at its limit");
    else if (f->failure == FETCH_TOO_BIG)
        finish(f, FETCH_TOO_BIG, "the answer is larger than its limit");
    else
        finish(f, status, error);
}

static void on_acted(void *arg)
{
    struct fetch_pool *p = arg;
    while (!list_empty(&p->dying))
        fetch_free(list_first(&p->dying, struct fetch, node));
}

static void on_ended(void *arg, CURL *easy, CURLcode code)
{
    struct fetch *f = NULL;
    (void)arg;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &f);
    finish_by_curl(f, code);
}

/* Why it has waited for too long, or NULL. */
static const char *late(const struct fetch *f, int64_t now_ms)
{
    if (f->idle_ms > 0 && list_empty(&f->place) && now_ms - f->byte_ms >= f->idle_ms)
        return "nothing came for too long";
    return f->total_ms > 0 && now_ms - f->started_ms >= f->total_ms ? too_late(f->easy) : NULL;
}

static void on_idle_tick(void *arg)
{
    struct fetch_pool *p = arg;
    int64_t now_ms = loop_now_ms(p->loop);
    struct fetch *found;
    do { /* from the start after each: on_done may cancel any of the others */
        found = NULL;
        list_each (&p->running, node, tmp) {
            struct fetch *f = list_of(node, struct fetch, node);
            if (late(f, now_ms)) {
                found = f;
                break;
            }
        }
        if (found)
            finish(found, FETCH_TIMEOUT, late(found, now_ms));
    } while (found != NULL);
    if (list_empty(&p->running))
        loop_timer_stop(p->idle);
}

/* ---- bytes come in ---- */

static void keep_header(struct fetch *f, struct str line)
{
    struct str name, value = line;
    if (f->head_count >= HEADERS_MAX || !str_split(&value, ':', &name) || value.at == NULL)
        return;
    value = str_trim(value);
    size_t before = f->heads.len;
    if (buf_add_str(&f->heads, name) && buf_putc(&f->heads, '\0') &&
        buf_add_str(&f->heads, value) && buf_putc(&f->heads, '\0'))
        f->head_count++;
    else
        f->heads.len = before;
}

/* A stream may last, and its request is not needed any more: it was sent whole and is answered. */
static void drop_body(struct fetch *f)
{
    curl_off_t sent = 0;
    curl_easy_getinfo(f->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (f->collect || (uint64_t)sent != f->body_len)
        return;
    secret_wiping_free(f->body);
    shelved_free(f->shelved);
    f->body = NULL;
    f->shelved = NULL;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t len = size * count;
    struct str line = str_trim((struct str){bytes, len});
    f->byte_ms = loop_now_ms(f->pool->loop);
    if (f->cancelled)
        return 0;
    if (f->head_done) /* a trailer */
        return len;
    if (str_starts(line, STR("HTTP/"))) { /* a new head: after 100 Continue */
        buf_clear(&f->heads);
        f->head_count = 0;
        return len;
    }
    if (line.len > 0) {
        keep_header(f, line);
        return len;
    }
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return len;
    long version = 0;
    curl_easy_getinfo(f->easy, CURLINFO_HTTP_VERSION, &version);
    f->alone = version < CURL_HTTP_VERSION_2_0;
    f->head_done = true;
    f->http_status = (int)status;
    drop_body(f);
    bound_encoded(f);
    if (f->handler.on_head)
        f->handler.on_head(f->arg, f->http_status);
    return f->cancelled ? 0 : len;
}

/* What was encoded unasked (we ask streams not to be) may be a thousand times what came in: one
 * read of it must not hold up the loop. It is no stream, then, that lasts. */
static void bound_encoded(struct fetch *f)
{
    struct str coding = fetch_response_header(f, "content-encoding");
    f->encoded = coding.len > 0 && !str_is(coding, "identity");
    if (f->encoded && f->body_bytes_max > BODY_BYTES_MAX)
        f->body_bytes_max = BODY_BYTES_MAX;
}

/* ---- what a pass reads ---- */

/* Has it had its share of a pass whose bytes are used up? An encoded body is read on: libcurl would
 * decode the rest of its buffer and keep that, up to 64 MiB (curl_easy_pause(3), MEMORY USE); what
 * it may be in all is bounded. Of any other one libcurl keeps what is in its buffer. */
static bool must_wait(struct fetch *f)
{
    const struct fetch_pool *p = f->pool;
    if (f->pass != p->pass)
        f->pass_bytes = 0;
    f->pass = p->pass;
    return p->pass_bytes >= PASS_BYTES && f->pass_bytes >= PASS_SHARE_BYTES && !f->encoded;
}

/* At the end of each pass. One goes on in the next, first of all, by curl's timer: it reads until
 * the pass's bytes are used up, and waits behind the others again. */
static void on_pass(void *arg)
{
    struct fetch_pool *p = arg;
    p->pass++;
    p->pass_bytes = 0;
    lanes_pass(p->lanes);
    if (list_empty(&p->paused))
        return;
    struct fetch *f = list_first(&p->paused, struct fetch, place);
    struct lane *l = f->lane;
    list_remove(&f->place);
    CURLcode code = lane_unpause(l, f->easy); /* what was kept is written before it returns */
    if (code != CURLE_OK && !f->cancelled)    /* curl leaves it as it is */
        finish_by_curl(f, code);
    lane_take(l);
    if (!list_empty(&p->paused))
        loop_again(p->loop);
}

/* The first token is waited for by a person; those that follow may come together with others'. */
static void tell_data(struct fetch *f, struct str bytes)
{
    if (f->alone && f->pieces == URGENT_PIECES)
        lanes_may_wait(f->pool->lanes);
    f->pieces += f->pieces < URGENT_PIECES;
    f->handler.on_data(f->arg, bytes);
}

/* The bytes go by in pieces of any size; the piece that goes over the limit is the last. */
static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    size_t len = size * count;
    f->byte_ms = loop_now_ms(f->pool->loop);
    if (f->cancelled)
        return 0;
    if (must_wait(f)) {
        list_push(&f->pool->paused, &f->place);
        return CURL_WRITEFUNC_PAUSE;
    }
    f->pass_bytes += len;
    f->pool->pass_bytes += len;
    uint64_t room = f->body_bytes_max - f->body_bytes;
    if (len > room) {
        f->failure = f->body_bytes_keep > 0 ? FETCH_CUT : FETCH_TOO_BIG;
        if (f->failure == FETCH_CUT) {
            buf_add(&f->got, bytes, (size_t)room);
            f->body_bytes = f->body_bytes_max;
        }
        return 0;
    }
    f->body_bytes += len;
    if (f->collect)
        CHECK(buf_add(&f->got, bytes, len));
    else
        tell_data(f, (struct str){bytes, len});
    return f->cancelled ? 0 : len;
}

struct str fetch_response_header(const struct fetch *f, const char *name)
{
    const char *at = f->heads.at;
    for (unsigned i = 0; i < f->head_count; i++) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return str_of(value);
        at = value + strlen(value) + 1;
    }
    return (struct str){NULL, 0};
}

int64_t fetch_retry_after_ms(const struct fetch *f)
{
    struct str text = str_trim(fetch_response_header(f, "retry-after"));
    uint64_t seconds;
    if (str_u64(text, INT64_MAX / 1000, &seconds))
        return (int64_t)seconds * 1000;
    int64_t date_ms, wall_ms = loop_wall_ms();
    return utc_read_http(text, &date_ms) && date_ms > wall_ms ? date_ms - wall_ms : 0;
}

/* ---- the start of a fetch ---- */

/* False: a control character, which could smuggle in another header. */
static bool write_header(struct buf *line, const char *name, const char *prefix, struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
            return false;
    buf_puts(line, name);
    buf_puts(line, value.len ? ": " : ";"); /* curl's way to write one without a value */
    buf_puts(line, prefix);
    return buf_add_str(line, value);
}

static bool add_header(struct fetch *f, const char *name, struct str value)
{
    scoped_buf(line, SIZE_MAX / 8);
    buf_keep_secret(&line);
    if (!write_header(&line, name, "", value))
        return false;
    struct curl_slist *longer = curl_slist_append(f->headers, buf_cstr(&line));
    CHECK(longer != NULL);
    f->headers = longer;
    return true;
}

/* libcurl writes it into its request, which it wipes when that was sent. */
static bool add_secret_header(struct fetch *f, const char *name, const char *prefix,
                              const struct secret *value)
{
    scoped_buf(line, SECRET_MAX);
    buf_keep_secret(&line);
    if (!write_header(&line, name, prefix, secret_reveal(value)) || !buf_putc(&line, '\0'))
        return false;
    unsigned i = f->secret_header_count++;
    f->secrets[i] = secret_new(buf_str(&line));
    f->secret_headers[i].data = (char *)secret_reveal(f->secrets[i]).at;
    return true;
}

/* Before all others, which alone are curl's to free. */
static struct curl_slist *all_headers(struct fetch *f)
{
    struct curl_slist *all = f->headers;
    for (unsigned i = f->secret_header_count; i-- > 0; all = &f->secret_headers[i])
        f->secret_headers[i].next = all;
    return all;
}

static bool add_headers(struct fetch *f, const struct fetch_request *r)
{
    bool ok = true, typed = false;
    for (unsigned i = 0; i < r->header_count; i++) {
        ok = ok && add_header(f, r->headers[i].name, r->headers[i].value);
        typed = typed || strcasecmp(r->headers[i].name, "content-type") == 0;
    }
    if (secret_reveal(r->bearer).len > 0)
        ok = ok && add_secret_header(f, "Authorization", "Bearer ", r->bearer);
    if (r->secret_header)
        ok = ok && add_secret_header(f, r->secret_header, "", r->secret_value);
    f->headers = curl_slist_append(f->headers, "Expect:"); /* no waiting for 100 Continue */
    if (!typed)
        f->headers = curl_slist_append(f->headers, "Content-Type:"); /* curl would say: a form */
    CHECK(f->headers != NULL);
    return ok;
}

static void set_method(struct fetch *f, const struct fetch_request *r)
{
    bool get = strcmp(r->method, "GET") == 0, post = strcmp(r->method, "POST") == 0;
    struct str body = r->shelved ? shelved_str(r->shelved) : r->body;
    if (get && body.len == 0) {
        curl_easy_setopt(f->easy, CURLOPT_HTTPGET, 1L);
        return;
    }
    if (post || body.len > 0) {
        const struct secret *hidden = NULL;
        f->body_len = body.len;
        if (r->secret_body)
            hidden = f->secrets[2] = secret_new(body);
        if (r->shelved)
            f->shelved = shelved_ref(r->shelved);
        else if (!hidden)
            f->body = xstrndup(body.len ? body.at : "", body.len);
        curl_easy_setopt(f->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(f->easy, CURLOPT_POSTFIELDS,
                         hidden       ? secret_reveal(hidden).at
                         : f->shelved ? body.at
                                      : f->body);
    }
    if (!post)
        curl_easy_setopt(f->easy, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_options(struct fetch *f, const struct fetch_request *r)
{
    CURL *e = f->easy;
    curl_easy_setopt(e, CURLOPT_PRIVATE, f);
    curl_easy_setopt(e, CURLOPT_URL, r->url);
    curl_easy_setopt(e, CURLOPT_SHARE, f->pool->share);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* One handshake is waited for to learn whether the server has HTTP/2, where it can: by ALPN. */
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, (long)(strncasecmp(r->url, "https:", 6) == 0));
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, (long)CONNECTION_AGE_S);
    curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE,
                     16384L); /* one for each TLS request: the least */
    curl_easy_setopt(e, CURLOPT_USERAGENT, "persai/" PERSAI_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, all_headers(f));
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_new_connection);
    curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, f->pool);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(r->connect_ms > 0 ? r->connect_ms : CONNECT_MS));
    if (r->total_ms > 0 && r->collect)
        curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
    if (!r->collect) /* thousands are open at once, and each keeps its buffer; default 16 KiB */
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)STREAM_BUFFER_BYTES);
    /* A stream would be held back by the server's encoder. What comes encoded all the same is
     * decoded, whatever was asked for, and its bounds are those of the decoded bytes. */
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, r->collect ? "gzip" : "identity");
    if (f->pool->ca_file != NULL && f->pool->ca_file[0] != '\0')
        curl_easy_setopt(e, CURLOPT_CAINFO, f->pool->ca_file);
    if (!r->use_proxy)
        curl_easy_setopt(e, CURLOPT_PROXY, "");
}

struct fetch *fetch_start(struct fetch_pool *p, const struct fetch_request *r,
                          const struct fetch_handler *h, void *arg)
{
    CHECK(h->on_done != NULL && (r->collect || h->on_data != NULL) && !p->closing);
    struct fetch *f = xcalloc(1, sizeof(*f));
    f->pool = p;
    f->handler = *h;
    f->arg = arg;
    f->collect = r->collect;
    f->idle_ms = r->idle_ms;
    f->total_ms = r->collect ? 0 : r->total_ms;
    f->body_bytes_keep = r->collect ? r->body_bytes_keep : 0;
    f->body_bytes_max = r->body_bytes_max > 0 ? r->body_bytes_max : BODY_BYTES_MAX;
    if (f->body_bytes_keep > 0)
        f->body_bytes_max = f->body_bytes_keep;
    buf_init(&f->got, (size_t)f->body_bytes_max);
    if (r->secret_answer)
        buf_keep_secret(&f->got);
    buf_init(&f->heads, HEADER_BYTES_MAX);
    f->started_ms = f->byte_ms = loop_now_ms(p->loop);
    if (add_headers(f, r)) {
        f->easy = curl_easy_init();
        CHECK(f->easy != NULL);
        set_options(f, r);
        set_method(f, r);
    }
    list_init(&f->node);
    list_init(&f->place);
    p->active++;
    p->requests++;
    if (lanes_inside(p->lanes) || !set_out(f))
        start_later(f);
    return f;
}

/* libcurl's timer sends it, before the next pass decides and writes. False: libcurl refuses it. */
static bool set_out(struct fetch *f)
{
    struct fetch_pool *p = f->pool;
    f->lane = f->easy ? lanes_add(p->lanes, f->easy) : NULL;
    if (!f->lane)
        return false;
    list_push(&p->running, &f->node);
    if ((f->idle_ms > 0 || f->total_ms > 0) && !loop_timer_active(p->idle))
        loop_timer_set(p->idle, IDLE_TICK_MS, IDLE_TICK_MS);
    return true;
}

/* From inside of libcurl nothing may be started; and what is refused is not told at once. */
static void start_later(struct fetch *f)
{
    struct fetch_pool *p = f->pool;
    list_push(&p->starting, &f->node);
    if (!p->later)
        loop_later(p->loop, on_later, p);
    p->later = true;
}

static void on_later(void *arg)
{
    struct fetch_pool *p = arg;
    p->later = false;
    if (p->closing) {
        free(p);
        return;
    }
    while (!list_empty(&p->starting)) {
        struct fetch *f = list_first(&p->starting, struct fetch, node);
        list_remove(&f->node);
        if (!set_out(f))
            finish(f, FETCH_REFUSED, "the request has a header that cannot be sent");
    }
}

/* ---- small things ---- */

bool fetch_escape(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
        if (!(plain ? buf_putc(b, (char)c) : buf_add(b, escaped, 3)))
            return false;
    }
    return true;
}

unsigned fetch_pool_active(const struct fetch_pool *p) { return p->active; }

void fetch_pool_stats(const struct fetch_pool *p, uint64_t *requests, uint64_t *connections)
{
    *requests = p->requests;
    *connections = p->connections;
}
