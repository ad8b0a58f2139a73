#include "gateway/parts.h"

#include "common/log.h"
#include "gateway/api/approvals.h"
#include "gateway/api/callers.h"
#include "gateway/api/routes.h"
#include "gateway/api/webhook.h"
#include "gateway/auth/identity.h"
#include "gateway/auth/keys.h"
#include "gateway/auth/service.h"
#include "gateway/janitor.h"
#include "gateway/turn/turns.h"
#include "proto/store/health.h"
#include "proto/store/store.h"

static bool open_http(struct gateway *g, char error[256]);
static bool open_traces(struct gateway *g, char error[256]);

const char *parts_open(struct gateway *g, char error[256])
{
    g->fetch = fetch_pool_new(g->loop);
    if (!open_traces(g, error))
        return "OTEL_EXPORTER_OTLP_ENDPOINT";
    if (!parts_store(g, error))
        return "PERSAI_REDIS";
    g->switches = switchboard_new(g->loop, g->store, g->settings.switches_file, NULL, NULL, error);
    if (!g->switches)
        return "PERSAI_SWITCHES";
    g->switched = switchboard_now(g->switches);
    g->identity = identity_new(g);
    g->service = service_new(g, g->settings.service_user, g->settings.service_password);
    g->keys = keys_new(g, error);
    if (!g->keys)
        return "PERSAI_API_KEYS";
    g->webhook = webhook_new(g);
    g->turns = turns_new(g);
    decisions_init(g);
    list_init(&g->mcp_streams);
    searches_init(&g->searches);
    g->visits = visits_new(g->loop);
    g->perses_visits = visits_new(g->loop);
    g->streams = streams_new(g);
    g->broker = broker_new(g, &turns_of_workers, g, error);
    if (!g->broker)
        return "PERSAI_BROKER";
    g->callers = callers_new();
    if (!open_http(g, error))
        return "PERSAI_LISTEN";
    g->janitor = janitor_new(g);
    return NULL;
}

static void on_redis_server(void *arg, const char *where, struct str info)
{
    struct gateway *g = arg;
    store_health_log(&g->redis_problems, where, info, g->settings.store.replicas);
}

bool parts_store(struct gateway *g, char error[256])
{
    struct redis_config *redis = &g->settings.redis;
    struct store_config *store = &g->settings.store;
    redis->timeout_ms = 5000;
    redis->queue_bytes_max = 64 << 20;
    redis->replicas = store->replicas;
    redis->on_server = on_redis_server;
    redis->arg = g;
    store->text_bytes_max = 256 << 10;
    g->redis = redis_new(g->loop, redis, error);
    if (g->redis)
        g->store = store_new(g->loop, g->redis, store);
    return g->redis != NULL;
}

static bool open_traces(struct gateway *g, char error[256])
{
    const struct gateway_settings *s = &g->settings;
    struct otlp_sender_config c = {.loop = g->loop,
                                   .fetches = g->fetch,
                                   .endpoint = s->otlp_endpoint,
                                   .headers = s->otlp_headers,
                                   .service = s->otel_service,
                                   .attributes = s->otel_attributes,
                                   .version = PERSAI_VERSION,
                                   .instance = g->name};
    g->traces = otlp_sender_new(&c, error);
    g->otlp = otlp_sender_queue(g->traces);
    return error[0] == '\0';
}

static bool open_http(struct gateway *g, char error[256])
{
    static const struct http_callbacks callbacks = {.on_request = routes_on_request,
                                                    .on_refuse = routes_on_refuse};
    struct http_config *http = &g->settings.http;
    http->reuse_port = true;
    http->idle_ms = 75000;
    g->http = http_new(g->loop, http, &callbacks, g, error);
    return g->http != NULL;
}

void parts_close(struct gateway *g)
{
    if (g->janitor)
        janitor_free(g->janitor);
    if (g->http)
        http_free(g->http);
    callers_free(g->callers);
    if (g->streams)
        streams_free(g->streams);
    if (g->turns) {
        decisions_free(g);
        turns_free(g->turns);
    }
    visits_free(g->visits);
    visits_free(g->perses_visits);
    g->turns = NULL; /* the loop still runs what it put off */
    if (g->webhook)
        webhook_free(g->webhook);
    if (g->keys)
        keys_free(g->keys);
    if (g->service)
        service_free(g->service);
    if (g->broker)
        broker_free(g->broker);
    if (g->identity)
        identity_free(g->identity);
    switchboard_free(g->switches);
    if (g->store)
        store_free(g->store);
    if (g->redis)
        redis_free(g->redis);
    otlp_sender_free(g->traces);
    if (g->fetch)
        fetch_pool_free(g->fetch);
    if (g->loop)
        loop_free(g->loop);
}
