/* worker/status.c: /metrics, /healthz and /readyz of a worker. */
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>
#include "common/address.h"
#include "common/json.h"
#include "proto/err.h"

enum { METRICS_BYTES_MAX = 1 << 20 };

/* A counter that another module keeps, from 0 again when files are read again. */
static void add_new(struct metric *m, uint64_t *told, uint64_t count)
{
    metric_add(m, (double)(count - *told));
    *told = count;
}

/* A counter for each rule: the operator's, so their number is bounded and their names are words. */
static void gather_redactions(const struct generation *g)
{
    static uint64_t number, told[REDACT_RULES_MAX], limits_told;
    struct redact *r = g->redact;
    static const char name[] = "persai_worker_redactions_total";
    static const char help[] = "Values that were masked before they left, by rule of PERSAI_REDACT";
    static struct metric *rules[REDACT_RULES_MAX], *limits;
    if (number != g->number) { /* others since then, which count from 0 */
        memset(rules, 0, sizeof(rules));
        memset(told, 0, sizeof(told));
        limits_told = 0;
        number = g->number;
    }
    for (unsigned i = 0; r && i < redact_count(r); i++) {
        char *labels;
        if (!rules[i] && asprintf(&labels, "rule=\"%s\"", redact_name(r, i)) > 0)
            rules[i] = metric_new(METRIC_COUNTER, name, labels, help); /* it keeps labels */
    }
    for (unsigned i = 0; r && i < redact_count(r); i++)
        add_new(rules[i], &told[i], redact_matches(r, i));
    if (r && !limits)
        limits = metric_new(METRIC_COUNTER, "persai_worker_redaction_limits_total", "",
                            "Texts that were masked whole, since a rule gave up on them");
    if (r)
        add_new(limits, &limits_told, redact_limits(r));
}

static void gather_retries(const struct generation *g, struct metric *m)
{
    static uint64_t number, told;
    struct llm_stats llm;
    if (number != g->number)
        told = 0;
    number = g->number;
    llm_stats_get(g->llm, &llm);
    add_new(m, &told, llm.retries);
}

/* What is counted elsewhere, as it stands now. */
static void gather(struct worker *w)
{
    struct meters *m = &w->meters;
    struct redis_stats redis;
    redis_stats_get(w->redis, &redis);
    metric_set(m->running, worker_turns_running(w->turns));
    metric_set(m->capacity, w->settings.hub.capacity);
    metric_set(m->budget_tokens, (double)w->settings.quotas.deployment_tokens);
    metric_set(m->budget_cost, (double)w->settings.quotas.deployment_cost);
    uint64_t used_tokens, used_cost;
    llm_quotas_used(w->quotas, &used_tokens, &used_cost);
    metric_set(m->budget_used_tokens, (double)used_tokens);
    metric_set(m->budget_used_cost, (double)used_cost);
    metric_set(m->links, hub_open_links(w->hub));
    metric_set(m->redis_up, redis_ready(w->redis));
    metric_catch_up(m->redis_lost, redis.lost);
    gather_redactions(w->now);
    struct otlp_stats spans = otlp_stats(w->traces);
    metric_catch_up(m->spans_sent, spans.sent);
    metric_catch_up(m->spans_dropped, spans.dropped);
    metric_catch_up(m->spans_refused, spans.refused);
    gather_retries(w->now, m->model_retries);
    uint64_t requests, connections;
    fetch_pool_stats(w->fetches, &requests, &connections);
    metric_catch_up(m->requests, requests);
    metric_catch_up(m->model_connections, connections);
}

static void answer_metrics(struct worker *w, struct http_request *r)
{
    scoped_buf(b, METRICS_BYTES_MAX);
    gather(w);
    metrics_write(&b);
    http_reply(r, b.overflowed ? 500 : 200, "text/plain; version=0.0.4", buf_str(&b));
}

static void answer_error(struct http_request *r, enum err e)
{
    scoped_buf(b, 1024);
    err_json(&b, e, NULL);
    http_reply(r, err_http_status(e), "application/json", buf_str(&b));
}

/* Why no turn would be taken now, or NULL. A restart would mend none of it: /healthz stays 200. */
static const char *not_ready(const struct worker *w)
{
    if (w->draining)
        return "the worker is draining";
    if (!redis_ready(w->redis))
        return "Redis does not answer";
    return hub_open_links(w->hub) == 0 ? "no gateway is connected" : NULL;
}

static void answer_ready(const struct worker *w, struct http_request *r)
{
    scoped_buf(b, 512);
    const char *reason = not_ready(w);
    buf_puts(&b, reason ? "{\"status\":\"not ready\",\"reason\":"
                        : "{\"status\":\"ready\",\"reason\":");
    json_str(&b, str_of(reason));
    buf_putc(&b, '}');
    http_reply(r, reason ? 503 : 200, "application/json", buf_str(&b));
}

/* Is it asked by the name of another site, which leads here for a browser (DNS rebinding)? Such a
 * name has a dot: whose network this is has addresses, and its own names. */
static bool host_ok(const struct worker *w, struct str host)
{
    struct str name;
    struct address at;
    if (host.len == 0) /* HTTP/1.0: no browser */
        return true;
    return address_host(host, &name) &&
           (address_parse(name, &at) || address_is_local(name) || !memchr(name.at, '.', name.len) ||
            address_listed(host, str_of(w->settings.metrics_hosts)));
}

static void on_request(void *arg, struct http_request *r)
{
    struct worker *w = arg;
    struct str path = http_path(r);
    bool metrics = str_is(path, "/metrics"), health = str_is(path, "/healthz");
    bool ready = str_is(path, "/readyz");
    if (!host_ok(w, http_host(r)))
        answer_error(r, ERR_BAD_HOST);
    else if (!metrics && !health && !ready)
        answer_error(r, ERR_NOT_FOUND);
    else if (!str_is(http_method(r), "GET") && !str_is(http_method(r), "HEAD")) {
        http_add_header(r, "Allow", "GET, HEAD"); /* load balancers ask by HEAD */
        answer_error(r, ERR_METHOD_NOT_ALLOWED);
    } else if (metrics)
        answer_metrics(w, r);
    else if (ready)
        answer_ready(w, r);
    else
        http_reply(r, 200, "text/plain", STR("ok\n"));
}

bool status_open(struct worker *w, char error[256])
{
    static const struct http_callbacks callbacks = {.on_request = on_request};
    struct http_config config = {.listen = w->settings.metrics_listen,
                                 .body_bytes_max = 1024,
                                 .connections_max = 64,
                                 .idle_ms = 10000};
    w->http = http_new(w->loop, &config, &callbacks, w, error);
    return w->http != NULL;
}
