/* worker/tools/sax.h: JSON (RFC 8259) read as it arrives, in pieces cut anywhere, without a tree.
 *
 * What a datasource answers may be 16 MiB or hostile: depth and the length of a string are bounded,
 * memory does not grow with the answer, and each piece is done with when sax_feed returns. A string
 * that is longer than STRING_MAX is cut there (sax.cut tells), not refused. Escapes are decoded; a
 * lone surrogate becomes U+FFFD. Memory: owned by the caller, sax_free. */
#ifndef WORKER_TOOLS_SAX_H
#define WORKER_TOOLS_SAX_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { SAX_DEPTH_MAX = 32, SAX_STRING_MAX = 4096 };

enum sax_token {
    SAX_OBJECT,     /* { */
    SAX_OBJECT_END, /* } */
    SAX_ARRAY,      /* [ */
    SAX_ARRAY_END,  /* ] */
    SAX_KEY,
    SAX_STRING,
    SAX_NUMBER, /* text as it was written */
    SAX_WORD,   /* true, false, null */
};
/* text is borrowed until the callback returns. False: stop, sax_feed returns false. */
typedef bool sax_fn(void *arg, enum sax_token token, struct str text);

struct sax {
    sax_fn *fn;
    void *arg;
    uint32_t objects; /* bit n: the container at depth n + 1 is an object */
    unsigned depth;
    uint8_t state, wants;
    uint32_t code, high; /* of \uXXXX; high: the first half of a surrogate pair */
    uint8_t code_digits;
    bool held, cut, cut_now, broken, stopped;
    struct buf text; /* of a token that is split over pieces or has escapes */
    double number;   /* of SAX_NUMBER */
    uint64_t bytes;
};
void sax_init(struct sax *s, sax_fn *fn, void *arg);
void sax_free(struct sax *s);
bool sax_feed(struct sax *s, struct str piece); /* false: broken or stopped, now and ever after */
bool sax_whole(const struct sax *s);            /* one value was read, and nothing else */

/* A decimal number (JSON's, or NaN, Inf, +Inf, -Inf as Prometheus writes them), exactly rounded. */
bool sax_double(struct str text, double *out);

#endif
