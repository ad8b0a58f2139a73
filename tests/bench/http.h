/* tests/bench/http.h: reads HTTP/1.1 responses, split anywhere: status line, the headers that
 * matter, bodies with a length or chunked. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 4096

enum http_state { HTTP_HEAD, HTTP_BODY, HTTP_CHUNK_SIZE, HTTP_CHUNK_END, HTTP_DONE, HTTP_BAD };

struct http {
    enum http_state state;
    int status;
    bool chunked, last;
    size_t left;     /* of the body or the chunk */
    size_t head_len; /* of the head, or of the line with a chunk's size */
    char head[HTTP_HEAD_MAX];
};

typedef void http_body_fn(void *arg, const char *bytes, size_t len);

void http_init(struct http *h);

/* Takes bytes; gives the body's to fn. Stops behind the end of the response; returns how many bytes
 * it took. fn may make the caller drop everything: then it sets the state to HTTP_BAD. */
size_t http_feed(struct http *h, const char *bytes, size_t len, http_body_fn *fn, void *arg);

#endif
