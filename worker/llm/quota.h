/* worker/llm/quota.h: may this call of a model go now? What workers share in Redis is asked: the
 * budgets of the person, of the turn and of the deployment, and what the provider's key allows.
 *
 * Before a try its estimate is reserved, afterwards it is settled by what was used: a try that is
 * lost with its process stays counted. Calls of a key begin in order of asking, so nobody
 * polls. A key that nothing limits is asked for once a second. When Redis does not answer in time
 * a call goes: it would be lost for nothing otherwise.
 * Memory: struct llm_quota is embedded; llm_quota_free. */
#ifndef WORKER_LLM_QUOTA_H
#define WORKER_LLM_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/store/answer.h"
#include "worker/llm/model.h"

struct llm_quotas;
struct llm_quotas_config {
    struct store *store;
    uint64_t user_tokens, user_cost;             /* a day; 0: not limited. Cost: micro-dollars */
    uint64_t deployment_tokens, deployment_cost; /* a day */
    uint64_t turn_cost;
    int64_t lease_ms; /* a call takes no longer: then it no longer counts */
    int64_t hold_ms;  /* where calls at once are limited, a call counts by being held each hold_ms;
                         one that was not for three times that is over: its worker is dead */
};
struct llm_quotas *llm_quotas_new(const struct llm_quotas_config *c);
void llm_quotas_free(struct llm_quotas *p);
/* What all together have used of today's budget, as Redis said the last time; it is asked anew for
 * the next time. 0: nothing yet, or not limited. */
void llm_quotas_used(struct llm_quotas *p, uint64_t *tokens, uint64_t *cost);

enum llm_quota_verdict {
    LLM_QUOTA_GO,
    LLM_QUOTA_WAIT, /* then ask again */
    LLM_QUOTA_OVER, /* over a budget, or not within patience */
};
struct llm_quota_answer {
    enum llm_quota_verdict verdict;
    bool unknown; /* GO: for want of an answer */
    /* WAIT: until it may go, about; asked again after QUOTA_ASK_AGAIN_MS at most. */
    int64_t wait_ms;
    enum err why;     /* OVER */
    char detail[160]; /* OVER: a sentence */
};
typedef void llm_quota_fn(void *arg, const struct llm_quota_answer *a);
enum { LLM_QUOTA_SCOPES = 2, LLM_QUOTA_SCOPE_MAX = 408 };
struct llm_quota {
    struct llm_quotas *quotas;
    const struct model *model;
    char *user;         /* its scope */
    struct id turn, id; /* id: by which it is counted; a new one for each try */
    uint64_t tokens, cost, input_tokens;
    int64_t held_ms;
    unsigned day, stage;
    bool reserved[LLM_QUOTA_SCOPES];
    bool in_line, going, again;
    bool counted;     /* by its key, or about to be: it must be told of its end */
    int64_t begun_ms; /* by the wall */
    int64_t patience_ms;
    uint64_t call; /* of the store */
    llm_quota_fn *fn;
    void *arg;
};
void llm_quota_init(struct llm_quota *p, struct llm_quotas *quotas, const struct model *m,
                    struct str owner, struct id turn, llm_quota_fn *fn, void *arg);
/* For a try that may use these tokens; after WAIT the same again. again: the call was at the
 * provider before. patience_ms: what it may still wait; then it is OVER. fn comes later,
 * once; at once where nothing is to be asked. */
void llm_quota_begin(struct llm_quota *p, uint64_t input_tokens, uint64_t output_tokens, bool again,
                     int64_t patience_ms);
/* The try is over, and used these tokens. block_ms: the key was refused (429), and nobody uses it
 * meanwhile; LLM_QUOTA_NO_WORD: this call was, and that says nothing of the key. */
enum { LLM_QUOTA_NO_WORD = -1 };
void llm_quota_end(struct llm_quota *p, uint64_t input_tokens, uint64_t output_tokens,
                   uint64_t cached_tokens, int64_t block_ms);
/* To be called now and then: a try that goes on stays counted. */
void llm_quota_hold(struct llm_quota *p, int64_t now_ms);
/* Stops asking. What was reserved for a try that had not begun is given back. */
void llm_quota_free(struct llm_quota *p);

#endif
