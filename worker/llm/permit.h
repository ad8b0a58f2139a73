/* worker/llm/permit.h: may this call of a model go now? What workers share in Redis is asked: the
 * budgets of the person, of the turn and of the deployment, and what the provider's key allows.
 *
 * Before a try its estimate is reserved, afterwards it is settled by what was used: a try that is
 * lost with its process stays counted. Slots of a key are given out in order of asking, so nobody
 * polls. When Redis does not answer in time a call goes: it would be lost for nothing otherwise.
 * Memory: struct permit is embedded; permit_drop. */
#ifndef WORKER_LLM_PERMIT_H
#define WORKER_LLM_PERMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/store/answer.h"
#include "worker/llm/model.h"

struct permits;
struct permits_config {
    struct store *store;
    uint64_t user_tokens, user_cost;             /* a day; 0: not limited. Cost: micro-dollars */
    uint64_t deployment_tokens, deployment_cost; /* a day */
    uint64_t turn_cost;
    int64_t lease_ms; /* a call takes no longer: then its slot is free, whatever became of it */
    int64_t hold_ms;  /* where calls at once are limited, slots are kept by being held so often;
                         one that was not for three times as long is free: its worker is dead */
};
struct permits *permits_new(const struct permits_config *c);
void permits_free(struct permits *p);

enum permit_verdict {
    PERMIT_GO,
    PERMIT_WAIT, /* then ask again */
    PERMIT_OVER, /* over a budget, or no slot within patience */
};
struct permit_answer {
    enum permit_verdict verdict;
    bool unknown; /* GO: for want of an answer */
    int64_t
        wait_ms;  /* WAIT: until it may go, about; asked again after LIMIT_ASK_AGAIN_MS at most */
    enum err why; /* OVER */
    char detail[160]; /* OVER: a sentence */
};
typedef void permit_fn(void *arg, const struct permit_answer *a);
enum { PERMIT_SCOPES = 2, PERMIT_SCOPE_MAX = 408 };
struct permit {
    struct permits *permits;
    const struct model *model;
    char scopes[PERMIT_SCOPES][PERMIT_SCOPE_MAX];
    struct id turn, id; /* id: of what is reserved and of the slot; a new one for each try */
    uint64_t tokens, cost, input_tokens;
    int64_t held_ms;
    unsigned day, stage;
    bool reserved[PERMIT_SCOPES];
    bool in_line, going, again;
    int64_t patience_ms;
    uint64_t call; /* of the store */
    permit_fn *fn;
    void *arg;
};
void permit_init(struct permit *p, struct permits *permits, const struct model *m, struct str owner,
                 struct id turn, permit_fn *fn, void *arg);
/* For a try that may use so many tokens; after WAIT the same again. again: the call was at the
 * provider before. patience_ms: what it may still wait for a slot; then it is OVER. fn comes later,
 * once. */
void permit_ask(struct permit *p, uint64_t input_tokens, uint64_t output_tokens, bool again,
                int64_t patience_ms);
/* The try is over: so much was used. block_ms: the key was refused (429): nobody uses it for so
 * long. */
void permit_settle(struct permit *p, uint64_t input_tokens, uint64_t output_tokens,
                   uint64_t cached_tokens, int64_t block_ms);
/* To be called now and then: it keeps the slot of a try that goes on. */
void permit_hold(struct permit *p, int64_t now_ms);
/* Stops asking. What was reserved for a try that had not begun is given back. */
void permit_drop(struct permit *p);

#endif
