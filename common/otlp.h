/* common/otlp.h: spans that wait to be sent. Pure: otlp_send.h takes them out.
 *
 * Bounded: when the collector is slow or dead, new spans are dropped and counted. */
#ifndef COMMON_OTLP_H
#define COMMON_OTLP_H

#include <stddef.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/trace.h"

/* Of all that wait: some 6,000 spans without content, minutes of a busy worker. */
enum { OTLP_BYTES_MAX = 4 << 20 };

struct otlp;
struct otlp *otlp_new(void (*wake)(void *arg), void *arg); /* wake: there is one more */
void otlp_free(struct otlp *o);                            /* NULL is fine */

/* Where a span is to be written by trace_open … trace_close; then otlp_add takes it. NULL: it is
 * not wanted, as when o is NULL. */
struct buf *otlp_span(struct otlp *o, const struct trace_span *s);
void otlp_add(struct otlp *o);
/* Appends all that wait, by commas: how many they were. */
unsigned otlp_take(struct otlp *o, struct buf *b);
size_t otlp_bytes(const struct otlp *o); /* that wait */
uint64_t otlp_dropped(const struct otlp *o);

#endif
