/* common/http_reply.c: answers, and what they and bodies hold of memory_bytes_max. */
#include "common/http_priv.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"

/* Answers up to here may pass the bound by a quarter, so that who looks after us still sees. */
enum { SMALL_BYTES = 64 * 1024 };
/* And these are not worth a refusal, which is as large. */
enum { TINY_BYTES = 4 * 1024 };
/* A client that takes its answer slower than this is cut. */
enum { SLOWEST_BYTES_A_MS = 8 };

/* The bytes of an answer, until its client has taken them. */
struct reply {
    struct http *http;
    size_t len;
    char bytes[];
};

/* ---- memory ---- */

bool http_hold(struct http *h, size_t bytes, size_t small)
{
    uint64_t max = h->config.memory_bytes_max;
    bool ok = max == 0 || bytes <= TINY_BYTES ||
              h->held_bytes + bytes <= max + (bytes <= small ? max / 4 : 0);
    if (!ok && !h->holding_full)
        log_warn("http.memory_full", "bytes=%llu max=%llu", (unsigned long long)h->held_bytes,
                 (unsigned long long)max);
    h->holding_full = h->holding_full || !ok;
    if (ok)
        h->held_bytes += bytes;
    return ok;
}

void http_let_go(struct http *h, size_t bytes)
{
    CHECK(bytes <= h->held_bytes);
    h->held_bytes -= bytes;
    if (!h->holding_full || h->held_bytes > h->config.memory_bytes_max / 2)
        return;
    h->holding_full = false;
    log_info("http.memory_full_over", "bytes=%llu", (unsigned long long)h->held_bytes);
}

bool http_take_memory(struct http_request *r, size_t bytes)
{
    CHECK(r->state == REQUEST_HANDED);
    if (!http_hold(r->http, bytes, 0))
        return false;
    r->held_bytes += bytes;
    return true;
}

bool http_keep_memory(struct http_request *r, size_t bytes)
{
    CHECK(r->state == REQUEST_HANDED);
    if (!http_hold(r->http, bytes, 0))
        return false;
    r->kept_bytes += bytes;
    return true;
}

static void reply_free(void *arg)
{
    struct reply *p = arg;
    http_let_go(p->http, p->len);
    free(p);
}

/* ---- answers ---- */

static struct MHD_Response *finished(struct MHD_Response *response, const char *content_type)
{
    CHECK(response != NULL);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (!content_type)
        return response;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (strncmp(content_type, "application/json", 16) == 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    return response;
}

/* NULL: there is no memory for it. */
static struct MHD_Response *response_of(struct http *h, const char *content_type, struct str body)
{
    if (!http_hold(h, body.len, SMALL_BYTES))
        return NULL;
    struct reply *p = xmalloc(sizeof(*p) + body.len);
    *p = (struct reply){.http = h, .len = body.len};
    memcpy(p->bytes, body.len ? body.at : "", body.len);
    return finished(
        MHD_create_response_from_buffer_with_free_callback_cls(body.len, p->bytes, reply_free, p),
        content_type);
}

static struct MHD_Response *refusal_of(const struct http_request *r, unsigned status)
{
    struct http *h = r->http;
    struct str text = {NULL, 0};
    if (h->cb.on_refuse)
        text = h->cb.on_refuse(h->arg, r, status);
    struct MHD_Response *response = response_of(h, text.len ? "application/json" : NULL, text);
    CHECK(response != NULL); /* it is tiny */
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "2");
    return response;
}

/* The answer stands; http.c has it sent. */
static void settle(struct http_request *r, unsigned status, struct MHD_Response *take_response,
                   size_t len)
{
    struct http_conn *c = r->conn;
    for (unsigned i = 0; i < r->header_count; i++)
        MHD_add_response_header(take_response, r->headers[i][0], r->headers[i][1]);
    if (http_conn_is_crowded(c) || r->has_coding || r->broken)
        MHD_add_response_header(take_response, MHD_HTTP_HEADER_CONNECTION, "close");
    r->state = REQUEST_ANSWERED;
    r->response = take_response;
    r->status = status;
    c->deadline_ms = loop_now_ms(r->http->loop) + 2 * r->http->config.idle_ms +
                     (int64_t)(len / SLOWEST_BYTES_A_MS);
    http_request_forget(r);
    if (r->suspended)
        http_resume(r->conn, r->mhd);
}

void http_refuse(struct http_request *r, unsigned status)
{
    settle(r, status, refusal_of(r, status), 0);
}

void http_reply(struct http_request *r, unsigned status, const char *content_type, struct str body)
{
    CHECK(r->state == REQUEST_HANDED);
    struct MHD_Response *response = response_of(r->http, content_type, body);
    if (response)
        settle(r, status, response, body.len);
    else
        http_refuse(r, MHD_HTTP_SERVICE_UNAVAILABLE);
}

/* Whole pages of a buffer that is not written to. microhttpd zeroes what it hands out (0.9.75:
 * MHD_pool_reallocate, MHD_pool_reset), which keeps half a pool or all of it resident for as long
 * as a stream lives. */
static void give_back_pages(char *buffer, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (page - (uintptr_t)buffer % page) % page;
    if (size < before + page)
        return;
    /* A system that refuses keeps them. */
    (void)madvise(buffer + before, (size - before) / page * page, MADV_DONTNEED);
}

static ssize_t on_content(void *arg, uint64_t position, char *dst, size_t cap)
{
    struct MHD_Connection *connection;
    (void)position;
    switch (http_stream_content(arg, &connection)) {
    case CONTENT_WAITS:
        give_back_pages(dst, cap);
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
    CHECK(r->state == REQUEST_HANDED);
    /* The block size is for HTTP/1.0 alone, and not used: we write past microhttpd. */
    struct MHD_Response *response =
        finished(MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64, on_content, s,
                                                   http_stream_forgotten),
                 content_type);
    if (!MHD_get_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* nginx and its like */
    /* Of chunks microhttpd would send the last one behind the head (0.9.75), where the next answer
     * is read: to HEAD it says that the connection ends instead. */
    if (strcmp(r->method, MHD_HTTP_METHOD_HEAD) == 0)
        CHECK(MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END) ==
              MHD_YES);
    struct http_conn *c = r->conn;
    settle(r, MHD_HTTP_OK, response, 0);
    c->deadline_ms = 0; /* http_stream.c looks after it */
}

void http_add_header(struct http_request *r, const char *name, const char *value)
{
    CHECK(r->state == REQUEST_HANDED && r->header_count < HTTP_HEADERS_MAX);
    r->headers[r->header_count][0] = xstrdup(name);
    r->headers[r->header_count++][1] = xstrdup(value);
}
