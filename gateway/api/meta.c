/* gateway/api/meta.c: health, metrics, what this deployment offers, and this API described. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/call.h"
#include "gateway/turn/broker.h"
#include "gateway/turn/stream.h"
#include "proto/store/store.h"

static struct metric *metrics[METRIC_COUNT];

void gateway_metrics_init(void)
{
#define METRIC(id, kind, name, labels, help)                                                       \
    metrics[METRIC_##id] = metric_new(METRIC_##kind, name, labels, help);
#include "gateway/metrics.def"
#undef METRIC
}

struct metric *gateway_metric(enum gateway_metric m) { return metrics[m]; }

void gateway_turn_refused(enum err err)
{
    unsigned status = err_http_status(err);
    if (status == 503 && err != ERR_SWITCHED_OFF)
        metric_add(metrics[METRIC_turns_refused], 1);
    else if (status == 429)
        metric_add(metrics[METRIC_turns_limited], 1);
}

/* One that is off stays in the list, with the sentence: it is some conversation's. */
void api_meta_models(struct call *c)
{
    struct str text = broker_models(c->gateway->broker);
    const struct switched *switched = c->gateway->switched;
    if (!switched_any(switched, "model")) {
        call_reply(c, 200, text);
        return;
    }
    json_auto_t *list = json_loadb(text.at, text.len, 0, NULL);
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        const char *off = switched_off(switched, "model", json_text(json_object_get(one, "name")));
        if (off)
            json_object_set_new(one, "off", json_string(off));
    }
    char *marked = json_dumps(list, JSON_COMPACT);
    call_reply(c, 200, str_of(marked));
    free(marked);
}

void api_meta_tools(struct call *c) { call_reply(c, 200, broker_tools(c->gateway->broker)); }

void api_meta_healthz(struct call *c) { call_reply(c, 200, STR("{\"status\":\"ok\"}")); }

extern const unsigned char docs_page[]; /* docs.html */

/* It loads /openapi.json, and nothing from elsewhere; no page frames it (default-src says nothing
 * of that). */
void api_meta_docs(struct call *c)
{
    http_add_header(c->request, "Content-Security-Policy",
                    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                    "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                    "frame-ancestors 'none'");
    call_reply_text(c, 200, "text/html; charset=utf-8", str_of((const char *)docs_page));
}

static const char *not_ready(const struct gateway *g)
{
    if (g->draining)
        return "draining";
    if (!store_ready(g->store))
        return "redis does not answer";
    if (broker_workers(g->broker) == 0)
        return "no worker is connected";
    if (!dispatch_idle_worker(&g->dispatch))
        return "no worker has room";
    return NULL;
}

void api_meta_readyz(struct call *c)
{
    const char *reason = not_ready(c->gateway);
    struct buf b;
    buf_init(&b, 512);
    buf_puts(&b, reason ? "{\"status\":\"not ready\",\"reason\":"
                        : "{\"status\":\"ready\",\"reason\":");
    json_str(&b, str_of(reason));
    buf_putc(&b, '}');
    if (reason)
        http_add_header(c->request, "Retry-After", "2");
    call_reply(c, reason ? 503 : 200, buf_str(&b));
    buf_free(&b);
}

static void gather(struct gateway *g)
{
    struct redis_stats stats;
    redis_stats_get(g->redis, &stats);
    metric_set(metrics[METRIC_streams], streams_count(g));
    metric_set(metrics[METRIC_redis_up], redis_ready(g->redis));
    metric_catch_up(metrics[METRIC_redis_commands], stats.commands);
    metric_catch_up(metrics[METRIC_redis_lost], stats.lost);
    metric_catch_up(metrics[METRIC_redis_unreplicated], stats.unreplicated);
    metric_catch_up(metrics[METRIC_redis_redirects], stats.redirects);
    metric_catch_up(metrics[METRIC_redis_reconnects], stats.reconnects);
    struct otlp_stats spans = otlp_stats(g->traces);
    metric_catch_up(metrics[METRIC_spans_sent], spans.sent);
    metric_catch_up(metrics[METRIC_spans_dropped], spans.dropped);
    metric_catch_up(metrics[METRIC_spans_refused], spans.refused);
    metric_set(metrics[METRIC_turns_queued], g->dispatch.queued);
}

void api_meta_metrics(struct call *c)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    gather(c->gateway);
    metrics_write(&b);
    call_reply_text(c, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&b));
    buf_free(&b);
}
