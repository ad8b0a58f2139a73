/* worker/worker.h: the one struct of a worker process: what main.c made. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "common/fetch.h"
#include "common/http.h"
#include "common/loop.h"
#include "common/redis/redis.h"
#include "proto/store/answer.h"
#include "worker/hub.h"
#include "worker/llm/llm.h"
#include "worker/meters.h"
#include "worker/llm/models.h"
#include "worker/tools/mcp/file.h"
#include "worker/tools/tools.h"
#include "worker/turn/turns.h"

struct worker_settings {
#define SETTING(field, name, type, by_default, min, max, help) SETTING_FIELD_##type(field)
#define SETTING_FIELD_TEXT(field) char *field;
#define SETTING_FIELD_SECRET(field) struct secret *field;
#define SETTING_FIELD_U32(field) uint32_t field;
#define SETTING_FIELD_BYTES(field) uint64_t field;
#define SETTING_FIELD_DURATION(field) int64_t field;
#define SETTING_FIELD_BOOL(field) bool field;
#include "worker/settings.def"
#undef SETTING
};

struct worker {
    struct worker_settings settings;
    char name[96]; /* host:pid:random: the holder of what it runs */
    struct loop *loop;
    struct redis *redis;
    struct store *store;
    struct fetch_pool *fetches;
    struct models *models;
    struct llm_quotas *quotas;
    struct llm *llm;
    struct redact *redact;   /* NULL: nothing is masked */
    struct buf extra_prompt; /* what the model is told beside our own */
    struct mcp_file *mcp;    /* NULL: no servers */
    struct tools *tools;
    struct meters meters;
    struct worker_turns *turns;
    struct hub *hub;
    struct http *http;
    struct buf models_json;
    bool draining;
};

/* worker/status.c: /metrics and /healthz. False and a sentence: it can't listen. */
bool status_open(struct worker *w, char error[256]);

#endif
