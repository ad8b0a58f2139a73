/* worker/llm/intake.h: the bytes of a model's answer → its events, whatever their framing.
 *
 * Most servers send server-sent events. Some write one JSON object after the other instead
 * (application/x-ndjson, JSON lines, JSON text sequences, a list of objects), or a whole reply,
 * though a stream was asked for; content types say little. The first byte tells them apart. Of
 * server-sent events it forgives what bug reports show: events that no blank line parts, and a last
 * one that none ends. Memory: embedded; intake_free. */
#ifndef WORKER_LLM_INTAKE_H
#define WORKER_LLM_INTAKE_H

#include "common/sse.h"

struct intake {
    enum {
        INTAKE_NEW,    /* nothing but blanks came */
        INTAKE_SSE,    /* server-sent events */
        INTAKE_VALUES, /* JSON objects */
    } kind;
    struct sse sse;
    struct buf value; /* the object that is being read */
    unsigned depth;   /* in it; 0: between two */
    bool in_text, escaped;
    bool ending; /* what comes is all there is */
    sse_fn *fn;
    void *arg;
};

void intake_init(struct intake *in, size_t event_bytes_max, sse_fn *fn, void *arg);
/* fn is told of each event, one without a name when it is an object. */
enum sse_status intake_feed(struct intake *in, struct str bytes)
    __attribute__((warn_unused_result));
/* Nothing follows: an event that is whole but for its end is one. */
void intake_end(struct intake *in);
void intake_free(struct intake *in);

#endif
