/* common/http_priv.h: what http.c (connections, requests, replies) and http_stream.c share. Nobody
 * else includes it. */
#ifndef COMMON_HTTP_PRIV_H
#define COMMON_HTTP_PRIV_H

#include "common/address.h"
#include "common/http.h"
#include "common/list.h"
#include "common/map.h"

struct MHD_Daemon;
struct MHD_Connection;
struct MHD_Response;

enum { HTTP_HEADERS_MAX = 16 };
/* Connections beyond connections_max: for probes; see http_accept.c. */
enum { HTTP_RESERVE = 32 };

struct origin;

struct http {
    struct loop *loop;
    struct http_config config;
    struct http_callbacks cb;
    void *arg;
    struct MHD_Daemon *daemon;
    unsigned connections;
    /* of http_accept.c */
    int listen_fd;          /* -1 once http_stop_accepting was called */
    struct loop_fd *listen; /* NULL then */
    struct loop_timer *again;
    uint16_t port;
    bool listening;      /* false: at its limit, or without a descriptor */
    bool full, starved;  /* logged */
    unsigned crowded;    /* connections beyond connections_max */
    struct list reserve; /* those, the longest there first */
    struct networks proxies;
    struct map *origins; /* address → origin */
    unsigned address_max;
    int64_t address_log_ms;     /* not logged again before this */
    struct origin *incoming;    /* of the connection that microhttpd is being handed */
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
    struct origin *origin;
    struct list reserve;        /* in http->reserve while crowded */
    bool crowded, shed;         /* shed: cut, and not gone yet */
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
void http_run_soon(struct http *h); /* microhttpd gets its turn when this pass ends */

/* http_accept.c. Connections are counted there. */
int http_listen(struct http *h, char error[256]); /* -1: it can't, and why */
void http_listen_free(struct http *h);
void http_conn_taken(struct http_conn *c);
void http_conn_left(struct http_conn *c);
bool http_conn_is_crowded(struct http_conn *c);

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
