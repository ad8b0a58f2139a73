/* common/sse.h: bytes → server-sent events, split anywhere.
 *
 * Lines end in LF, CRLF or CR; comments and unknown fields are skipped, several data lines are
 * joined by LF, a byte order mark at the start is dropped (WHATWG HTML, 9.2.6). An event that is
 * cut off by the end of the stream is none. What lies whole in one piece is given out without being
 * copied. Memory: embedded; sse_free. */
#ifndef COMMON_SSE_H
#define COMMON_SSE_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

/* name is empty when the event has none. Slices are valid until it returns. False: enough, give no
 * more. */
typedef bool sse_fn(void *arg, struct str name, struct str data);

struct sse {
    struct buf line; /* the beginning of a line whose end has not come */
    struct buf data; /* data lines so far, when they could not stay where they were */
    char name[64];
    char id[64]; /* of the last event that had one; empty before, or when it is longer */
    bool has_data, skip_lf, began, over;
    struct str in_place; /* the only data line so far, in the piece that is being read */
    size_t event_bytes_max;
    sse_fn *fn;
    void *arg;
    /* Is this data an event, though another data line follows? NULL: never. For servers that part
     * events by no blank line. */
    bool (*is_whole)(struct str data);
};
enum sse_status {
    SSE_MORE,
    SSE_STOPPED, /* fn said so */
    SSE_TOO_BIG, /* a line or an event over event_bytes_max */
};

void sse_init(struct sse *s, size_t event_bytes_max, sse_fn *fn, void *arg);
enum sse_status sse_feed(struct sse *s, struct str bytes) __attribute__((warn_unused_result));
void sse_free(struct sse *s);

#endif
