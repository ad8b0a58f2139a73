/* common/http.h: an HTTP/1.1 server on libmicrohttpd and the loop: bounded requests in, replies
 * and streams out. The only module that knows microhttpd. (Here and not in the gateway,
 * since the worker's /metrics is served by it too.)
 *
 * One thread, MHD's external epoll. A stream is pulled: when it is woken and its socket takes
 * bytes, on_fill is asked for more, and the chunk is written straight to the suspended connection's
 * socket (libmicrohttpd walks all suspended connections on each resume: O(streams) a pass; seen in
 * 0.9.75). What the socket did not take stays in a small bounded buffer of the stream. */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/loop.h"

struct http;
struct http_request; /* the server's; valid until it was answered or on_gone told that the client
                        left */
struct http_stream;
struct address; /* of common/address.h */

struct http_config {
    const char *listen; /* address:port, [v6]:port; port 0 picks one */
    bool reuse_port;    /* SO_REUSEPORT: several processes share the port */
    /* Not 0: bodies are taken in, up to here, before on_request. 0: see http_read_body. */
    uint64_t body_bytes_max;
    /* Of all bodies that are taken in and answers that are not taken yet; more: 503 by on_refuse's
     * text. 0: not bounded. */
    uint64_t memory_bytes_max;
    unsigned connections_max; /* some more are taken, for probes: see http_crowded. Fewer, where the
                                 process may not have as many descriptors: a line in the log */
    /* Of one address, loopback and proxies aside: more are closed at once. 0: as many as come;
     * never more than half of all. proxies: networks, comma-separated; borrowed during http_new. */
    unsigned address_connections_max;
    const char *proxies;
    /* A connection without a request, or whose client takes twice that for a head, as long for a
     * body, or twice that and a second for each 8 KB of an answer, is closed. */
    int64_t idle_ms;
    /* 0: none; else a stream gets `: ping\n\n` when nothing was sent for this long, and one whose
     * client took nothing for four times as long is cut. */
    int64_t ping_ms;
    unsigned stream_fill_bytes_max; /* the most that on_fill is asked for at once; default 16384 */
};
struct http_callbacks {
    /* The head is in. Answer, now or later, or ask for the body first: what is refused at its head
     * costs no memory for it. */
    void (*on_request)(void *arg, struct http_request *r);
    /* Refused here: 400 (not what RFC 9112 allows), 413, 503 (memory_bytes_max). Returns the JSON
     * of the error; may be NULL. r: whose path may be asked; NULL where it can't be known. What
     * microhttpd can't read at all, or whose head is over about 20
     * KiB, it answers 400, 413, 414, 431 or 505 in its own words, or closes. */
    struct str (*on_refuse)(void *arg, const struct http_request *r, unsigned status);
};
/* NULL and a sentence in error when it can't listen ("address already in use: …"). */
struct http *http_new(struct loop *l, const struct http_config *c, const struct http_callbacks *cb,
                      void *arg, char error[256]);
/* Drain: closes the listening socket, keeps connections */
void http_stop_accepting(struct http *h);
void http_free(struct http *h); /* ends all streams and connections */
uint16_t http_port(const struct http *h);
unsigned http_connections(const struct http *h);

/* The request. Slices are borrowed until it is answered. */
struct str http_method(const struct http_request *r);
struct str
http_path(const struct http_request *r); /* raw, percent escapes undecoded, without the query */
/* What is behind its first bytes, decoded. False: an escape is broken. */
bool http_path_rest(const struct http_request *r, size_t skip, struct str *rest);
/* Are all pairs of the query readable (RFC 3986 section 2.1), each name there once, and not more
 * than a request of ours could need? Else http_query can't be relied on. */
bool http_query_ok(const struct http_request *r);
bool http_query(const struct http_request *r, const char *key,
                struct str *value); /* decoded; first of its name */
/* Case-insensitive, without blanks around it; empty when absent. In several lines: all of them, as
 * one list by commas. */
struct str http_header(const struct http_request *r, const char *name);
struct str http_cookie(const struct http_request *r, const char *name);
/* Wipes what was sent as Cookie and Authorization: a stream stays open for long, and the head with
 * it. Both are empty from here on. */
void http_forget_credentials(struct http_request *r);
struct str http_host(const struct http_request *r); /* with its port; of the request line, else the
                                                      Host header; may be empty */
/* Who sent it: the connection's address. Where that is a proxy's (loopback, http_config.proxies)
 * and it says for whom (X-Forwarded-For): the last address there that is no proxy's, else the
 * first. */
struct address http_sender(const struct http_request *r);
bool http_has_body(const struct http_request *r); /* one is announced */
/* Takes it in; on_body(user) once it is there, at once when there is none. Before that on_gone may
 * come: the client left, or the body was refused here. Once, before anything else that waits. */
void http_read_body(struct http_request *r, size_t bytes_max, void (*on_body)(void *user));
struct str http_body(const struct http_request *r); /* empty before on_body */
/* What is made of it counts for memory_bytes_max as well, until the request is answered. False:
 * there is no room. */
bool http_take_memory(struct http_request *r, size_t bytes);
/* The same of what its stream has still to give, until all is over. */
bool http_keep_memory(struct http_request *r, size_t bytes);
/* Connections are at their maximum and this one is of the few beyond it: what tells of health is
 * answered, all else should be refused (503). The connection ends with the answer. */
bool http_crowded(const struct http_request *r);
void http_set_user(struct http_request *r, void *user,
                   void (*on_gone)(void *user)); /* on_gone: the client left before the answer; the
                                                    request is then dead */
/* fn(arg) once, when all is over: the answer was taken or the stream has ended, or the connection.
 */
void http_on_over(struct http_request *r, void (*fn)(void *arg), void *arg);
void http_add_header(struct http_request *r, const char *name,
                     const char *value); /* of the reply to come; copied; at most 16 */

/* The answer: exactly one of these, once; the request is gone for the caller afterwards. */
void http_reply(struct http_request *r, unsigned status, const char *content_type,
                struct str body); /* body copied */

struct http_stream_handler {
    /* Write up to cap bytes to dst and return how many; 0: nothing now (wake me later). */
    size_t (*on_fill)(void *arg, char *dst, size_t cap);
    /* The stream is over, because the client left or after http_stream_end; the last call. */
    void (*on_closed)(void *arg);
    bool quiet; /* no comment lines: it is no event stream */
};
/* 200 with content_type and no caching. The head is written at once, before the first fill. A
 * client that closes its sending side counts as gone. */
struct http_stream *http_stream_open(struct http_request *r, const char *content_type,
                                     const struct http_stream_handler *h, void *arg);
/* There is something to fill: asked in this pass's write phase */
void http_stream_wake(struct http_stream *s);
void http_stream_end(struct http_stream *s); /* after what on_fill still gives: finish the response
                                                properly, then on_closed */
void http_stream_abort(struct http_stream *s); /* cut the connection; on_closed comes */
size_t
http_stream_pending(const struct http_stream *s); /* bytes that the socket has not taken yet */

#endif
