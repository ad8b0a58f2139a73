#include "tests/bench/http.h"

#include <stdlib.h>
#include <string.h>

void http_init(struct http *h)
{
    h->state = HTTP_HEAD;
    h->status = 0;
    h->head_len = 0;
}

static void head_end(struct http *h)
{
    h->head[h->head_len] = 0;
    if (strncmp(h->head, "HTTP/1.1 ", 9) != 0) {
        h->state = HTTP_BAD;
        return;
    }
    h->status = (int)strtol(h->head + 9, NULL, 10);
    const char *length = strcasestr(h->head, "\r\ncontent-length:");
    h->chunked = strcasestr(h->head, "\r\ntransfer-encoding: chunked") != NULL;
    h->left = length ? strtoul(length + 17, NULL, 10) : 0;
    h->head_len = 0;
    h->state = h->chunked ? HTTP_CHUNK_SIZE : h->left ? HTTP_BODY : HTTP_DONE;
    if (h->status == 100)
        http_init(h);
}

static void size_end(struct http *h)
{
    h->head[h->head_len] = 0;
    char *end;
    h->left = strtoul(h->head, &end, 16);
    h->last = h->left == 0;
    h->state = end == h->head ? HTTP_BAD : h->last ? HTTP_CHUNK_END : HTTP_BODY;
    h->head_len = 0;
}

/* Collects until the terminator. */
static size_t collect(struct http *h, const char *p, size_t len, const char *stop, bool *found)
{
    size_t n = 0, slen = strlen(stop);
    *found = false;
    while (n < len && !*found) {
        if (h->head_len + 1 >= HTTP_HEAD_MAX) {
            h->state = HTTP_BAD;
            return len;
        }
        h->head[h->head_len++] = p[n++];
        *found = h->head_len >= slen && memcmp(h->head + h->head_len - slen, stop, slen) == 0;
    }
    return n;
}

static size_t body(struct http *h, const char *p, size_t len, http_body_fn *fn, void *arg)
{
    size_t n = len < h->left ? len : h->left;
    h->left -= n;
    if (h->left == 0) {
        h->state = h->chunked ? HTTP_CHUNK_END : HTTP_DONE;
        h->head_len = 0;
    }
    fn(arg, p, n);
    return n;
}

size_t http_feed(struct http *h, const char *bytes, size_t len, http_body_fn *fn, void *arg)
{
    size_t at = 0;
    bool found;
    while (at < len && h->state != HTTP_DONE && h->state != HTTP_BAD) {
        if (h->state == HTTP_BODY) {
            at += body(h, bytes + at, len - at, fn, arg);
            continue;
        }
        enum http_state was = h->state;
        at += collect(h, bytes + at, len - at, was == HTTP_HEAD ? "\r\n\r\n" : "\r\n", &found);
        if (!found || h->state == HTTP_BAD)
            continue;
        if (was == HTTP_HEAD) {
            head_end(h);
        } else if (was == HTTP_CHUNK_SIZE) {
            size_end(h);
        } else {
            h->state = h->last ? HTTP_DONE : HTTP_CHUNK_SIZE;
            h->head_len = 0;
        }
    }
    return at;
}
