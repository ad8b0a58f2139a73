#include "proto/store/probe.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/redis/redis.h"
#include "proto/store/config.h"
#include "proto/store/health.h"

enum { WAIT_MS = 2000, LOOK_MS = 50 };

struct store_probe {
    struct report *report;
    struct redis *redis; /* NULL: its address can't be read */
    struct loop_timer *timer;
    loop_fn *done;
    void *arg;
    unsigned replicas, problems;
    int64_t waited_ms;
    bool told; /* what it says of itself */
};

static void on_server(void *arg, const char *where, struct str info);
static void on_timer(void *arg);
static void judge(struct store_probe *p);

struct store_probe *store_probe_new(struct loop *l, const char *url, const char *durability,
                                    struct report *report, loop_fn *done, void *arg)
{
    char error[256];
    struct store_probe *p = xcalloc(1, sizeof(*p));
    p->report = report;
    p->done = done;
    p->arg = arg;
    p->timer = loop_timer_new(l, on_timer, p);
    if (!store_durability_parse(durability, &p->replicas))
        report_fail(report, "PERSAI_DURABILITY %s", STORE_DURABILITY_HELP);
    struct redis_config config = {.url = url,
                                  .timeout_ms = WAIT_MS,
                                  .queue_bytes_max = 1 << 20,
                                  .on_server = on_server,
                                  .arg = p};
    p->redis = redis_new(l, &config, error);
    if (!p->redis)
        report_fail(report, "PERSAI_REDIS: %s", error);
    loop_timer_set(p->timer, p->redis ? LOOK_MS : 0, 0);
    return p;
}

void store_probe_free(struct store_probe *p)
{
    if (!p)
        return;
    loop_timer_free(p->timer);
    if (p->redis)
        redis_free(p->redis);
    free(p);
}

static void on_server(void *arg, const char *where, struct str info)
{
    struct store_probe *p = arg;
    (void)where;
    p->problems |= store_health(info, p->replicas);
    p->told = true;
}

static void on_timer(void *arg)
{
    struct store_probe *p = arg;
    p->waited_ms += LOOK_MS;
    if (p->redis && !(redis_ready(p->redis) && p->told) && p->waited_ms < WAIT_MS) {
        loop_timer_set(p->timer, LOOK_MS, 0);
        return;
    }
    if (p->redis)
        judge(p);
    p->done(p->arg);
}

static void judge(struct store_probe *p)
{
    if (redis_ready(p->redis))
        report_ok(p->report, "Redis answers");
    else
        report_fail(p->report,
                    "Redis answers: nothing answers at %.300s, or it refuses us; start "
                    "redis-server or set PERSAI_REDIS",
                    redis_where(p->redis));
    for (unsigned i = 0; i < STORE_PROBLEM_COUNT; i++)
        if ((p->problems & 1u << i) != 0)
            report_fail(p->report, "Redis is fit to be the store: %s", store_problem_advice(i));
    if (p->told && p->problems == 0)
        report_ok(p->report, "Redis is fit to be the store");
}
