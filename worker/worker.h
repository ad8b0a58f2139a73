/* worker/worker.h: the one struct of a worker process: what main.c made. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "common/fetch.h"
#include "common/http.h"
#include "common/loop.h"
#include "common/otlp_send.h"
#include "common/redis/redis.h"
#include "proto/store/answer.h"
#include "common/config.h"
#include "common/redis/redis.h"
#include "proto/store/config.h"
#include "worker/generation.h"
#include "worker/hub.h"
#include "worker/llm/quota.h"
#include "worker/meters.h"
#include "worker/turn/turns.h"

struct worker_settings {
    /* Configs of modules, which main.c makes whole. */
    struct redis_config redis;
    struct store_config store;
    struct llm_config llm;
    struct llm_quotas_config quotas;
    struct tools_config tools;
    struct worker_turns_config turns;
    struct hub_config hub;
    /* What the rest asks for. */
#define SETTING(place, name, type, by_default, min, max, help) SETTING_FIELD(place, type)
#define SETTING_IN(place, name, type, by_default, min, max, help)
#define ADVANCED_IN SETTING_IN
#include "worker/settings.def"
#undef SETTING
};

struct worker {
    struct worker_settings settings;
    const struct config_args *args; /* and what they gave: keys' files are read again */
    const struct config_result *given;
    char name[96]; /* host:pid:random: the holder of what it runs */
    struct loop *loop;
    struct redis *redis;
    struct store *store;
    struct fetch_pool *fetches;
    struct otlp_sender *traces; /* NULL: nothing is traced */
    struct llm_quotas *quotas;
    struct generation *now;   /* what new turns begin with; NULL: it could not be read */
    struct list olds;         /* generations that turns still have */
    uint64_t generations;     /* how many were opened */
    struct loop_timer *sweep; /* looks whether they still do */
    struct switchboard *switches;
    struct meters meters;
    struct worker_turns *turns;
    struct hub *hub;
    struct http *http;
    bool draining;
};

/* worker/status.c: /metrics and /healthz. False and a sentence: it can't listen. */
bool status_open(struct worker *w, char error[256]);

#endif
