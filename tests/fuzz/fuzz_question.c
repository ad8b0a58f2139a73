/* A person's question, and a metric with labels of anybody's: what is suggested is a query that can
 * be read, whatever was asked and whatever the labels hold. */
#include <stdlib.h>
#include "common/check.h"
#include "tests/fuzz/take.h"
#include "worker/tools/prometheus/guard.h"
#include "worker/tools/prometheus/pick.h"

static struct str line_of(struct str *rest)
{
    struct str line = STR("");
    (void)str_split(rest, '\n', &line);
    return line;
}

/* name, then label=value of each line */
static void read_metric(struct pick *p, struct str *rest)
{
    static const char *const types[] = {"", "counter", "gauge", "histogram", "summary"};
    static const char *const names[] = {"shop_orders_total", "shop_wait_seconds", "up",
                                        "disk_free_bytes", "started_timestamp_seconds"};
    static const char *const labels[] = {"job", "code", "device", "mountpoint", "le", "quantile"};
    uint8_t kind = take(rest);
    p->metric.name = str_of(names[kind % (sizeof(names) / sizeof(names[0]))]);
    p->metric.type = types[kind / 8 % (sizeof(types) / sizeof(types[0]))];
    p->metric.native = kind >= 0xe0;
    p->metric.whole = kind & 0x40 ? STR("shop_all_total") : (struct str){NULL, 0};
    for (unsigned i = 0; i < 16 && rest->len > 0; i++) {
        uint8_t label = take(rest);
        pick_label(p, str_of(labels[label % (sizeof(labels) / sizeof(labels[0]))]), line_of(rest));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, question = line_of(&rest);
    struct rank *r = malloc(sizeof(*r)); /* at its own end */
    struct asked a;
    struct pick picks[2] = {{.hit.score = 1}, {.hit.score = 1}};
    scoped_buf(query, SKETCH_BYTES_MAX);
    CHECK(r != NULL);
    rank_init(r, question);
    asked_read(&a, &r->words, question);
    read_metric(&picks[0], &rest);
    read_metric(&picks[1], &rest);
    CHECK(pick_cut(picks, 2, 2, &a) == 2);
    pick_order(picks, 2, r, &a);
    for (unsigned i = 0; i < 2; i++) {
        struct guard_query read;
        buf_clear(&query);
        CHECK(picks[i].hit.score > 0);
        if (sketch_write(&a, &picks[i].metric, &query))
            CHECK(guard_read(&read, buf_str(&query)));
    }
    rank_free(r);
    free(r);
    return 0;
}
