/* PromQL from a model: read or refused in words; what is read lies inside of it, and the query that
 * counts its series and the suggested topk are read as well. */
#include <string.h>
#include "common/check.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/moment.h"

static void check(struct guard_query *q, const struct str text)
{
    static const struct guard_limits limits = {.series_max = 20000, .points_max = 11000};
    struct guard_range r = {.start_ms = 0, .end_ms = 3600000, .step_ms = 15000};
    struct guard_query again;
    scoped_buf(count, 1 << 20);
    scoped_buf(suggestion, 1 << 20);
    for (unsigned i = 0; i < q->selector_count; i++) {
        struct guard_selector *s = &q->selectors[i];
        CHECK(s->text.len > 0 && s->text.at >= text.at &&
              s->text.at + s->text.len <= text.at + text.len);
        s->series = 30000;
    }
    /* With open templates, functions that are named in them are taken for what they select. */
    if (guard_count_query(q, false, &count) && !q->with.open)
        CHECK(guard_read(&again, buf_str(&count)));
    if (guard_subqueries(q, &r, &limits) &&
        guard_decide(q, &r, &limits, &suggestion) == GUARD_REFUSED && suggestion.len > 0)
        CHECK(guard_read(&again, buf_str(&suggestion)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_query q;
    struct str text = {(const char *)data, size};
    int64_t ms;
    if (guard_read(&q, text))
        check(&q, text);
    else
        CHECK(q.error[0] != '\0');
    if (moment_duration(text, &ms))
        CHECK(ms > 0);
    if (moment_parse(text, 1700000000000, STR("UTC"), &ms, NULL))
        CHECK(ms >= 0);
    return 0;
}
