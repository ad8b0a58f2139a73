/* A query as a model writes it: whatever it is, what is offered in its place is bounded, and said
 * why. */
#include "common/check.h"
#include "common/str.h"
#include "worker/tools/prometheus/mend.h"

static enum mend_type type_of(void *arg, struct str metric)
{
    (void)arg;
    return str_ends(metric, STR("_total"))    ? MEND_COUNTER
           : str_ends(metric, STR("_bucket")) ? MEND_HISTOGRAM
           : metric.len % 2                   ? MEND_GAUGE
                                              : MEND_UNKNOWN;
}

static void on_fault(void *arg, enum mend_weight weight, struct str what, struct str mended)
{
    unsigned *faults = arg;
    CHECK(weight <= MEND_REFUSED && what.len > 0 && mended.len <= MEND_BYTES_MAX);
    CHECK(++*faults <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str query = {(const char *)data, size};
    scoped_buf(mended, MEND_BYTES_MAX);
    scoped_buf(again, MEND_BYTES_MAX);
    scoped_buf(what, 4096);
    if (size == 0) /* a tool refuses it before */
        return 0;
    for (unsigned i = 0; i < 2; i++) {
        struct mend_facts facts = {.type = type_of, .over_range = i > 0};
        unsigned faults = 0;
        mend_meaning(query, &facts, on_fault, &faults);
    }
    if (!mend_syntax(query, &mended, &what))
        return 0;
    CHECK(what.len > 0 && mended.len > 0);
    buf_clear(&what);
    mend_syntax(buf_str(&mended), &again, &what);
    return 0;
}
