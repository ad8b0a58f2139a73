/* worker/tools/prometheus/mend.h: what is wrong with a query, said precisely, and the query as it
 * was probably meant. Nothing is mended silently: what is found here is offered. Pure. */
#ifndef WORKER_TOOLS_PROMETHEUS_MEND_H
#define WORKER_TOOLS_PROMETHEUS_MEND_H

#include <stdbool.h>
#include "common/buf.h"

enum { MEND_BYTES_MAX = 16 * 1024 };

/* What no server takes, as one would: sum(x) by job, {job=prometheus}, rate(x) without a range,
 * rate(sum(x)[5m]), topk(x, 5), parentheses that are not closed. False: none of that is wrong.
 * what: a sentence for each. */
bool mend_syntax(struct str query, struct buf *mended, struct buf *what);

enum mend_type { MEND_UNKNOWN, MEND_COUNTER, MEND_GAUGE, MEND_HISTOGRAM };

enum mend_weight {
    MEND_NOTED,    /* it runs, and misleads */
    MEND_IF_EMPTY, /* it runs, and is why nothing came, if nothing came */
    MEND_REFUSED,  /* nothing right can come */
};
struct mend_facts {
    enum mend_type (*type)(void *arg, struct str metric); /* metadata's word, else the name's */
    void *arg;
    bool over_range; /* of a range query */
};
typedef void mend_fn(void *arg, enum mend_weight weight, struct str what, struct str mended);
/* What a server takes and is wrong all the same; fn is called for each, at most 4 times. Only what
 * is read for certain is judged. */
void mend_meaning(struct str query, const struct mend_facts *facts, mend_fn *fn, void *arg);

#endif
