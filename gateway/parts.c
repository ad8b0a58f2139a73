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

const char *parts_open(struct gateway *g, char error[256])
{
    g->fetch = fetch_pool_new(g->loop);
    if (!parts_store(g, error))
        return "PERSAI_REDIS";
    g->identity = identity_new(g);
    g->service = service_new(g, g->settings.service_user, g->settings.service_password);
    g->keys = keys_new(g, error);
    if (!g->keys)
        return "PERSAI_API_KEYS";
    g->webhook = webhook_new(g);
    g->turns = turns_new(g);
    decisions_init(g);
    searches_init(&g->searches);
    g->visits = visits_new(g->loop);
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
    store_health_log(&g->redis_problems, where, info, g->replicas);
}

bool parts_store(struct gateway *g, char error[256])
{
    struct redis_config config = {.url = g->settings.redis,
                                  .timeout_ms = 5000,
                                  .queue_bytes_max = 64 << 20,
                                  .replicas = g->replicas,
                                  .on_server = on_redis_server,
                                  .arg = g};
    struct store_config store = {.lease_ms = g->settings.lease_ms,
                                 .events_keep_ms = g->settings.events_keep_ms,
                                 .session_keep_ms = g->settings.session_keep_ms,
                                 .messages_max = g->settings.messages_max,
                                 .session_bytes_max = g->settings.session_bytes_max,
                                 .text_bytes_max = 256 << 10,
                                 .user_sessions_max = g->settings.user_sessions,
                                 .user_bytes_max = g->settings.user_bytes,
                                 .replicas = g->replicas};
    g->redis = redis_new(g->loop, &config, error);
    if (g->redis)
        g->store = store_new(g->loop, g->redis, &store);
    return g->redis != NULL;
}

static bool open_http(struct gateway *g, char error[256])
{
    static const struct http_callbacks callbacks = {.on_request = routes_on_request,
                                                    .on_refuse = routes_on_refuse};
    struct http_config config = {.listen = g->settings.listen,
                                 .reuse_port = true,
                                 .memory_bytes_max = g->settings.http_memory_max,
                                 .connections_max = g->settings.connections_max,
                                 .address_connections_max = g->settings.address_connections_max,
                                 .proxies = g->settings.proxies,
                                 .idle_ms = 75000,
                                 .ping_ms = g->settings.ping_ms};
    g->http = http_new(g->loop, &config, &callbacks, g, error);
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
    if (g->store)
        store_free(g->store);
    if (g->redis)
        redis_free(g->redis);
    if (g->fetch)
        fetch_pool_free(g->fetch);
    if (g->loop)
        loop_free(g->loop);
}
