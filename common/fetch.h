/* common/fetch.h: HTTP requests, streaming, on curl multi and the loop. The only module that knows
 * curl.
 *
 * HTTP and HTTPS only, redirects never followed (a token must not travel), TLS always verified
 * (SSL_CERT_FILE names other authorities),
 * connections reused, HTTP/2 where offered, proxy variables honoured by flag. Every request has
 * bounds: connect, idle, total, bytes. A pass of the loop reads 256 KiB of bodies, and 32 KiB of
 * each even when these are used up; what is more waits for a later pass, in turn, so that a server
 * that sends without end delays nobody else. Encoded bodies, of 16 MiB at most, don't wait.
 * Memory: a fetch is owned by its caller from fetch_start until on_done was called or
 * fetch_cancel. */
#ifndef COMMON_FETCH_H
#define COMMON_FETCH_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/loop.h"
#include "common/secret.h"
#include "common/shelf.h"

struct fetch_pool;
struct fetch;

struct fetch_pool *fetch_pool_new(struct loop *l);
void fetch_pool_free(struct fetch_pool *p); /* all of its fetches have ended or are cancelled */

struct fetch_header {
    const char *name;
    struct str value;
};
struct fetch_request {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    const struct fetch_header *headers; /* copied */
    unsigned header_count;
    /* Authorization: Bearer …, or NULL. No core has it while the answer is waited for, nor the
     * other one. */
    const struct secret *bearer;
    const char *secret_header; /* another header (x-api-key) whose value is secret_value, or NULL */
    const struct secret *secret_value;
    struct str body; /* copied */
    struct shelved
        *shelved; /* the body instead: not copied, but shared until it is sent; or NULL */
    int64_t connect_ms, idle_ms, total_ms; /* 0: 5 s, none, none. idle: without a byte */
    uint64_t body_bytes_max; /* more in the answer's body is FETCH_TOO_BIG; 0: 16 MiB */
    bool secret_body;        /* of at most SECRET_MAX bytes: no core has it, as the bearer */
    bool secret_answer; /* with collect: the body holds secrets, what it was gathered in is wiped */
    bool collect;       /* gather the body, given to on_done; else on_data gets it as it comes */
    bool use_proxy;     /* honour http_proxy & co.: for calls that leave the deployment */
    uint64_t body_bytes_keep; /* with collect, instead of body_bytes_max: what goes beyond is cut
                                 off, FETCH_CUT with what came before; 0: fails */
};

enum fetch_status {
    FETCH_OK,      /* an answer arrived whole, whatever its HTTP status */
    FETCH_REFUSED, /* no connection, no such host, TLS refused; a request that cannot be sent */
    FETCH_TIMEOUT, /* connect, idle or total */
    FETCH_BROKEN,  /* the connection was cut, or nonsense for HTTP */
    FETCH_TOO_BIG,
    FETCH_CUT, /* collected up to body_bytes_keep, then stopped reading */
};
struct fetch_result {
    enum fetch_status status;
    int http_status;   /* 0 when no head arrived */
    struct str body;   /* of collect; borrowed until on_done returns */
    const char *error; /* a sentence without URL and secrets; "" when OK */
    int64_t total_ms;
    uint64_t body_bytes;
};
struct fetch_handler {
    void (*on_head)(void *arg, int http_status);  /* may be NULL; before the first data */
    void (*on_data)(void *arg, struct str bytes); /* NULL with collect */
    /* Once, last; the fetch is gone when it returns */
    void (*on_done)(void *arg, const struct fetch_result *r);
};
/* Never calls back before it returned. Ownership: cancel or wait for on_done. Inside
 * on_head/on_data fetch_cancel is fine. */
struct fetch *fetch_start(struct fetch_pool *p, const struct fetch_request *r,
                          const struct fetch_handler *h, void *arg);
void fetch_cancel(struct fetch *f); /* no callback comes any more; the connection is closed if the
                                       answer was not whole. NULL is fine */
/* A response header's value, valid inside callbacks ("retry-after"); empty when absent. First 64
 * headers are kept. */
struct str fetch_response_header(const struct fetch *f, const char *name);
/* What Retry-After says, inside callbacks: ms from now on, by seconds or a date (RFC 9110, 10.2.3);
 * 0: nothing, a time that is past, or nonsense. */
int64_t fetch_retry_after_ms(const struct fetch *f);
/* Percent-encodes everything but unreserved characters (RFC 3986), for query strings. */
bool fetch_escape(struct buf *b, struct str s);
unsigned fetch_pool_active(const struct fetch_pool *p); /* for tests */
void fetch_pool_stats(const struct fetch_pool *p, uint64_t *requests,
                      uint64_t *connections); /* connections opened */

#endif
