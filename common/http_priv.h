/* common/http_priv.h: what http.c (connections, requests, replies) and http_stream.c share. Nobody
 * else includes it. */
#ifndef COMMON_HTTP_PRIV_H
#define COMMON_HTTP_PRIV_H

#include "common/http.h"
#include "common/list.h"

struct MHD_Daemon;
struct MHD_Connection;
struct MHD_Response;

enum { HTTP_HEADERS_MAX = 16 };

struct http {
    struct loop *loop;
    struct http_config config;
    struct http_callbacks cb;
    void *arg;
    struct MHD_Daemon *daemon;
    int listen_fd; /* -1 once http_stop_accepting was called */
    uint16_t port;
    unsigned connections;
    struct loop_fd *epoll;      /* microhttpd's own epoll descriptor */
    struct loop_timer *timeout; /* what MHD_get_timeout asks for */
    struct loop_timer *sweep;   /* requests that take too long to arrive */
    struct loop_timer *ping;
    struct list conns;   /* struct http_conn */
    struct list streams; /* live ones, the longest without output first */
    struct list woken;   /* streams that want to be looked at in this pass's flush */
    bool flush_due, flushing, run_due, closing;
    char *scratch; /* one chunk is put together here; see http_stream.c */
};

struct http_conn {
    struct list node;
    struct http *http;
    struct http_request *request; /* the one under way, or NULL */
    int fd;
    int64_t receiving_since_ms; /* 0: not receiving a request now */
};

enum request_state {
    REQUEST_RECEIVING,
    REQUEST_REFUSED, /* too big: the rest of its body is read and dropped, then comes the refusal */
    REQUEST_HANDED,  /* the caller has it */
    REQUEST_ANSWERED, /* response is set or was queued; the caller is done with it */
    REQUEST_DEAD,     /* its client left before the answer */
};
struct http_request {
    struct http *http;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    enum request_state state;
    bool head_seen, suspended;
    bool chunked; /* a stream's bytes go out as chunks: not to HTTP/1.0 */
    const char *method;
    char *uri, *query;       /* raw; the path ends at a NUL, query is behind it or NULL */
    struct decoded *decoded; /* what http_query had to decode */
    struct buf body;
    uint64_t body_dropped;
    struct loop_fd *hangup; /* while suspended without an answer */
    void *user;
    void (*on_gone)(void *user);
    char *headers[HTTP_HEADERS_MAX][2];
    unsigned header_count;
    struct MHD_Response *response;
    unsigned status;
};

/* http.c */
void http_flush_soon(
    struct http *h); /* streams and microhttpd get their turn when this pass ends */
void http_answer_stream(struct http_request *r, const char *content_type, struct http_stream *s);
void http_resume(struct http *h, struct MHD_Connection *c);

/* http_stream.c */
enum { HTTP_CHUNK_HEAD = 10, HTTP_CHUNK_TAIL = 2 }; /* up to 8 hex digits, CR LF; CR LF */
#define HTTP_SCRATCH_BYTES(fill_max) (HTTP_CHUNK_HEAD + (size_t)(fill_max) + HTTP_CHUNK_TAIL)
/* microhttpd asks for content: with WAITS the connection is suspended until http_resume. */
enum http_content { CONTENT_WAITS, CONTENT_ENDS, CONTENT_BREAKS };
enum http_content http_stream_content(struct http_stream *s, struct MHD_Connection **connection);
void http_stream_forgotten(void *stream); /* microhttpd has dropped the response */
void http_stream_flush_all(struct http *h);
void http_stream_on_ping(void *arg);
void http_stream_close_all(struct http *h);

#endif
