/* worker/llm/llm.h: call a model: a streaming request, retried while nothing of its reply was told
 * on, and its reply.
 *
 * What a provider sends is input from outside: it ends in a whole reply or in an error with a
 * sentence, within idle_ms and total_ms, and never over reply_bytes_max. The formats are the files
 * (chat.c, messages.c …) behind struct llm_format. */
#ifndef WORKER_LLM_LLM_H
#define WORKER_LLM_LLM_H

#include "common/fetch.h"
#include "common/loop.h"
#include "proto/id.h"
#include "common/otlp.h"
#include "worker/llm/jsontools.h"
#include "worker/llm/llm_wire.h"
#include "worker/llm/models.h"
#include "worker/llm/quota.h"
#include "worker/llm/prompt.h"
#include "worker/llm/reply.h"
#include "worker/tools/tools.h"

struct llm;
struct llm_call;

struct llm_config {
    struct loop *loop;
    struct fetch_pool *fetches;
    const char *perses_url; /* of models that are datasources of Perses */
    int64_t connect_ms;     /* 5 s */
    int64_t idle_ms;     /* longest time without a byte; 120 s: models think before the first one */
    int64_t total_ms;    /* of one request; 10 min */
    uint32_t tries_max;  /* of one call, before its first token; 4 */
    int64_t backoff_ms;  /* before the second try; doubled each time, jittered; 500 */
    int64_t patience_ms; /* the most that one waits for a key's limit; 30 min */
    uint64_t reply_bytes_max;
    unsigned accounts;         /* models_accounts: there is a breaker for each */
    struct redact *redact;     /* what must not leave; NULL: all may. Borrowed */
    struct llm_quotas *quotas; /* what is shared with other workers; NULL: all may go */
    struct otlp *otlp;         /* where spans go; NULL: nowhere */
    bool capture;              /* spans hold what was said, masked */
};
struct llm_request {
    const struct model *model;
    const struct prompt *prompt;
    const struct tool_spec *tools;
    unsigned tool_count;        /* 0: none are offered */
    enum jsontools_form form;   /* of the reply, where tools are written as JSON */
    struct str schema;          /* JSON Schema that the reply must follow, or empty; set by llm.c */
    uint32_t step;              /* for ids of calls that came without */
    struct id turn;             /* for log lines */
    struct id conversation;     /* masked words are the same in all of it */
    struct str owner;           /* whose budget it is */
    uint32_t output_tokens_max; /* 0: the model's own */
    uint32_t attempts_before;   /* of this step: each makes the pause before the first try longer */
    bool has_fallback;        /* another model may be asked: fail early rather than wait for long */
    struct secret *token;     /* the person's, for models behind Perses; or NULL. Shared */
    struct trace_point trace; /* of the turn */
};
struct llm_handler {
    struct reply_handler reply;
    /* Once, last. ERR_NONE: llm_reply() is whole. Else its detail says why, again whether the step
     * may be run again. The call stays until llm_call_free, which may be called from here. */
    void (*on_done)(void *arg, enum err err);
    /* The provider limits requests: nothing is asked for about wait_ms. NULL: nobody is told. */
    void (*on_wait)(void *arg, int64_t wait_ms);
};

struct llm *llm_new(const struct llm_config *c);
void llm_free(struct llm *l); /* all calls are freed */
/* Copies what it needs; never calls back before it returned. Errors: the request does not fit. */
enum err llm_call_start(struct llm *l, const struct llm_request *r, const struct llm_handler *h,
                        void *arg, struct llm_call **out) warn_unused;
/* Stops it if it still runs: no byte more is read. NULL is fine. */
void llm_call_free(struct llm_call *c);
/* As far as it came. */
struct reply *llm_reply(struct llm_call *c);
/* What its tries used since this was asked last; the one that runs is estimated. */
struct usage llm_call_used(struct llm_call *c);
/* It failed for the person's token, or the provider's key: a Perses in between says both alike. */
bool llm_call_unauthorized(const struct llm_call *c);
/* Of the last try's answer; 0: none came. */
int llm_call_http_status(const struct llm_call *c);
/* To be called now and then while it runs. */
void llm_call_hold(struct llm_call *c);
/* It waits for its turn at the provider's key: no fault of the turn's. */
bool llm_call_in_line(const struct llm_call *c);
struct llm_stats {
    uint64_t calls, retries, failures;
};
void llm_stats_get(const struct llm *l, struct llm_stats *out);

/* ---- the formats ---- */
enum { LLM_ERROR_BODY_MAX = 64 << 10 };
struct llm_format {
    enum err (*request)(const struct llm_request *r, struct llm_wire *out);
    /* One event of the stream. Sets r->ended when nothing of interest follows. */
    enum err (*event)(struct reply *r, struct str name, struct str data);
    /* A body that is no stream: an error, or (status 200) a whole reply in one piece. */
    enum err (*body)(struct reply *r, int http_status, struct str body);
};
/* The most that it may write: never more than the model's own. Options may say what that must be
 * at least (a budget for thinking), so with options it is the model's own. */
uint32_t llm_output_max(const struct llm_request *r);

#define X(name, word) extern const struct llm_format llm_##word;
MODEL_APIS(X)
#undef X

#endif
