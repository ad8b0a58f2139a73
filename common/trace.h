/* common/trace.h: spans of OpenTelemetry as OTLP's JSON, and W3C's traceparent. Pure, but for ids
 * and the clock.
 *
 *     trace_begin(&s, &parent);            … the work …
 *     trace_open(b, &s, "chat gpt-5", SPAN_CLIENT);
 *     trace_text(b, "gen_ai.operation.name", STR("chat"));
 *     trace_close(b, NULL);
 * A point without a trace means that nothing is traced: what begins there is off, and costs a test.
 * Sources: https://www.w3.org/TR/trace-context-1/, OTLP 1.10 (JSON: ids in hex, 64-bit integers as
 * strings, enums as numbers). */
#ifndef COMMON_TRACE_H
#define COMMON_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { TRACE_ID = 16, TRACE_SPAN_ID = 8, TRACE_ID_TEXT = 32, TRACE_PARENT_TEXT = 55 };
struct trace_point { /* where in a trace something is done; all zero: in none */
    uint8_t trace[TRACE_ID], span[TRACE_SPAN_ID];
    bool sampled; /* who began the trace wants it kept; else ids are passed on, and no span told */
};
bool trace_on(const struct trace_point *p);
/* A header's value. False: it is none, and counts as absent (section 3.2.4). */
bool trace_parse(struct str traceparent, struct trace_point *out);
void trace_write(const struct trace_point *p, char out[TRACE_PARENT_TEXT + 1]);
void trace_id_text(const uint8_t trace[TRACE_ID], char out[TRACE_ID_TEXT + 1]);

int64_t trace_clock_ns(void); /* monotonic, for durations */

/* The values that OTLP gives the kinds. */
enum span_kind { SPAN_INTERNAL = 1, SPAN_SERVER, SPAN_CLIENT };
struct trace_span {
    struct trace_point at; /* parent of what is done in it */
    uint8_t parent[TRACE_SPAN_ID];
    int64_t begun_ns; /* Unix time; 0: off */
};
/* A child of that point; off when that is in no trace. */
void trace_begin(struct trace_span *s, const struct trace_point *parent);
/* The first of a trace that we begin ourselves, under this id. */
void trace_begin_new(struct trace_span *s, const uint8_t trace[TRACE_ID]);
void trace_backdate(struct trace_span *s, int64_t ms); /* it began that long ago */
bool trace_told(const struct trace_span *s);           /* it is to be written when it ends */

/* One JSON object: open, attributes, close. It ends now. */
void trace_open(struct buf *b, const struct trace_span *s, const char *name, enum span_kind kind);
void trace_text(struct buf *b, const char *key, struct str value); /* an empty one is left out */
void trace_number(struct buf *b, const char *key, int64_t value);
void trace_real(struct buf *b, const char *key, double value);
void trace_flag(struct buf *b, const char *key, bool value);
void trace_texts(struct buf *b, const char *key, struct str one); /* a list of one; empty: none */
void trace_close(struct buf *b, const char *error); /* NULL: it went well; else a stable word */

#endif
