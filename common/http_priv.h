/* common/http_priv.h: what http.c and its parts (http_accept.c, http_head.c, http_reply.c and
 * http_stream.c) share. Nobody else includes it. */
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

/* microhttpd walks all suspended connections of a daemon (0.9.75) whenever one of them is resumed:
 * with thousands of streams each turn that begins or ends would cost a millisecond. So each hundred
 * connections have a daemon of their own; the first that has room is taken. */
enum { HTTP_DAEMON_CONNECTIONS = 128, HTTP_DAEMONS_MAX = 128 };
struct http_daemon {
    struct http *http;
    struct MHD_Daemon *mhd;
    struct loop_fd *epoll;      /* microhttpd's own epoll descriptor */
    struct loop_timer *timeout; /* what MHD_get_timeout asks for */
    unsigned connections;
    bool run_due;
};

struct http {
    struct loop *loop;
    struct http_config config;
    struct http_callbacks cb;
    void *arg;
    struct http_daemon *daemons[HTTP_DAEMONS_MAX];
    unsigned daemon_count, daemon_next;
    unsigned connections;
    uint64_t held_bytes; /* bodies and answers, while they are here */
    bool holding_full;   /* logged */
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
    int64_t address_log_ms;  /* not logged again before this */
    struct origin *incoming; /* of the connection that microhttpd is being handed, */
    struct http_daemon *incoming_to;
    struct loop_timer *sweep; /* requests that take too long to arrive */
    struct loop_timer *ping;
    struct list conns;   /* struct http_conn */
    struct list streams; /* live ones, the longest without output first */
    struct list woken;   /* streams that want to be looked at in this pass's flush */
    struct list round;   /* a mark in it: those behind wait for the next flush */
    bool flush_due, flushing, run_due, closing;
    char *scratch; /* one chunk is put together here; see http_stream.c */
};

struct http_conn {
    struct list node;
    struct http *http;
    struct http_daemon *daemon;
    struct http_request *request; /* the one under way, or NULL */
    int fd;
    struct origin *origin;
    struct list reserve; /* in http->reserve while crowded */
    bool crowded, shed;  /* shed: cut, and not gone yet */
    int64_t deadline_ms; /* of the request to arrive or the answer to be taken; 0: none now */
};

enum request_state {
    REQUEST_ARRIVING, /* its head */
    REQUEST_HANDED,   /* the caller has it */
    REQUEST_BODY,     /* the caller waits for its body */
    REQUEST_ANSWERED, /* response is set or was queued; the caller is done with it. What is left of
                         its body is read and dropped first */
    REQUEST_DEAD,     /* its client left before the answer */
};
struct http_request {
    struct http *http;
    struct http_conn *conn;
    struct MHD_Connection *mhd;
    enum request_state state;
    bool head_done, suspended;
    bool expects; /* 100-continue: its client may wait for our word before it sends a body */
    bool broken;  /* not HTTP: the connection ends with the refusal */
    bool chunked; /* a stream's bytes go out as chunks: not to HTTP/1.0 */
    const char *method;
    char *uri; /* as it was sent */
    size_t uri_len, path_len;
    const char *path, *query; /* in uri; query NULL: none */
    struct str host;
    bool has_coding;         /* its body is chunked */
    uint64_t body_bytes;     /* Content-Length */
    const char *body_start;  /* where microhttpd has what follows the head */
    struct decoded *decoded; /* what http_query had to decode */
    struct buf body;
    uint64_t body_dropped;
    size_t held_bytes; /* of http->held_bytes, for its body */
    size_t kept_bytes; /* of them, until all is over */
    void (*on_body)(void *user);
    struct loop_fd *hangup; /* while suspended without an answer */
    void *user;
    void (*on_gone)(void *user);
    void (*on_over)(void *arg);
    void *over_arg;
    char *headers[HTTP_HEADERS_MAX][2];
    unsigned header_count;
    struct MHD_Response *response;
    unsigned status;
};

/* http.c */
/* Streams and microhttpd get their turn when this pass ends */
void http_flush_soon(struct http *h);
struct MHD_Daemon *http_start_microhttpd(struct http *h); /* NULL: no descriptor is left */

/* Frees what only its caller could have asked for. */
void http_request_forget(struct http_request *r);

/* http_daemon.c */
void http_daemons_open(struct http *h);
struct http_daemon *http_daemon_for_one(struct http *h);
void http_resume(struct http_conn *c, struct MHD_Connection *mhd);
void http_run_soon(struct http_daemon *d); /* it gets its turn when this pass ends */
void http_daemons_run(struct http *h);
void http_daemons_last_run(struct http *h);
void http_daemons_free(struct http *h);

/* http_head.c */
/* A connection's memory in microhttpd: request head, a second copy of the cookies, its bookkeeping
 * and the reply's head must fit; beyond that it answers 431. About 8 KiB of cookies fit.
 * A stream gives its free pages back (http_reply.c): resident are 7 KiB then, 23 otherwise. */
enum { HTTP_POOL_BYTES = 20 * 1024 };
bool http_head_ok(struct http_request *r, const char *url, const char *version);
void http_head_forget(struct http_request *r);
/* microhttpd is about to refuse a Content-Length that is no number, and would write the head of its
 * answer twice (0.9.75: parse_connection_headers forgets that it has failed): ours comes instead.
 */
void http_refuse_length(struct http *h);

/* http_reply.c */
/* These bytes more are held for a client; those up to small may pass the bound by a quarter.
 * False: they are too many. */
bool http_hold(struct http *h, size_t bytes, size_t small);
void http_let_go(struct http *h, size_t bytes);
void http_refuse(struct http_request *r, unsigned status);
void http_answer_stream(struct http_request *r, const char *content_type, struct http_stream *s);

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
/* Who was woken writes what there is: as many as one pass has time for, or all of them. */
void http_stream_flush_some(struct http *h);
void http_stream_flush_all(struct http *h);
void http_stream_on_ping(void *arg);
void http_stream_close_all(struct http *h);

#endif
