/* gateway/gateway.h: the one struct of a gateway process: what main.c made, for the modules to use.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "common/config.h"
#include "common/fetch.h"
#include "common/http.h"
#include "common/list.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "common/otlp_send.h"
#include "common/redis/redis.h"
#include "gateway/visits.h"
#include "gateway/api/searches.h"
#include "gateway/turn/dispatch.h"
#include "proto/err.h"
#include "proto/store/answer.h"
#include "proto/switchboard.h"
#include "proto/store/config.h"

struct gateway_settings {
    /* Configs of modules, which main.c makes whole. */
    struct redis_config redis;
    struct store_config store;
    struct http_config http;
    /* What the rest asks for. */
#define SETTING(place, name, type, by_default, min, max, help) SETTING_FIELD(place, type)
#define SETTING_IN(place, name, type, by_default, min, max, help)
#define ADVANCED_IN SETTING_IN
#include "gateway/settings.def"
#undef SETTING
};

struct gateway {
    struct gateway_settings settings;
    const struct config_args *args; /* where they are from, to read secrets' files again */
    const struct config_result *given;
    char name[96]; /* host:pid:random, the holder of what it queues */
    struct loop *loop;
    struct redis *redis;
    struct store *store;
    unsigned redis_problems; /* of store_health: logged already */
    struct fetch_pool *fetch;
    struct otlp_sender *traces;
    struct otlp *otlp; /* its queue; NULL: nothing is traced */
    struct identity *identity;
    struct service *service; /* of the webhook */
    struct keys *keys;       /* for programs */
    struct webhook *webhook;
    struct dispatch dispatch; /* the queue, of turns.c, and the workers, of broker.c */
    struct turns *turns;
    struct streams *streams;
    struct broker *broker;
    struct http *http;
    struct callers *callers;
    struct visits *visits, *perses_visits; /* of the store; of Perses */
    struct janitor *janitor;
    struct switchboard *switches;
    const struct switched *switched; /* what it says */
    struct searches searches;        /* of api/sessions.c */
    struct list decisions;           /* of api/approvals.c: being asked of the store */
    struct list mcp_streams;         /* of api/mcp_stream.c: of calls that are being answered */
    bool draining;
};

/* Counters of the whole process: rows of metrics.def. */
enum gateway_metric {
#define METRIC(id, kind, name, labels, help) METRIC_##id,
#include "gateway/metrics.def"
#undef METRIC
    METRIC_COUNT
};
void gateway_metrics_init(void);
struct metric *gateway_metric(enum gateway_metric m);
/* A turn was not begun. What somebody on call must know is counted by itself: that there was no
 * room, worker or store. Their person's limits are not, nor what is wrong with a request. */
void gateway_turn_refused(enum err err);

#endif
