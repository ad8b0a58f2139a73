#include "common/otlp.h"

#include <stdlib.h>

enum { SPAN_BYTES_MAX = 256 << 10 }; /* one; with content it is as large as a conversation */

struct otlp {
    void (*wake)(void *arg);
    void *arg;
    struct buf span;    /* that is being written */
    struct buf waiting; /* by commas */
    unsigned count;
    uint64_t dropped;
};

struct otlp *otlp_new(void (*wake)(void *arg), void *arg)
{
    struct otlp *o = xcalloc(1, sizeof(*o));
    o->wake = wake;
    o->arg = arg;
    buf_init(&o->span, SPAN_BYTES_MAX);
    buf_init(&o->waiting, OTLP_BYTES_MAX);
    return o;
}

void otlp_free(struct otlp *o)
{
    if (!o)
        return;
    buf_free(&o->span);
    buf_free(&o->waiting);
    free(o);
}

struct buf *otlp_span(struct otlp *o, const struct trace_span *s)
{
    if (!o || !trace_told(s))
        return NULL;
    buf_clear(&o->span);
    return &o->span;
}

void otlp_add(struct otlp *o)
{
    if (o->span.overflowed || o->waiting.len + o->span.len + 1 > o->waiting.max_bytes) {
        o->dropped++;
        return;
    }
    if (o->waiting.len > 0)
        buf_putc(&o->waiting, ',');
    buf_add_str(&o->waiting, buf_str(&o->span));
    o->count++;
    o->wake(o->arg);
}

unsigned otlp_take(struct otlp *o, struct buf *b)
{
    unsigned count = o->count;
    buf_add_str(b, buf_str(&o->waiting));
    buf_clear(&o->waiting);
    o->count = 0;
    return count;
}

size_t otlp_bytes(const struct otlp *o) { return o->waiting.len; }
uint64_t otlp_dropped(const struct otlp *o) { return o->dropped; }
