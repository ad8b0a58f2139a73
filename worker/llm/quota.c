#include "worker/llm/quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "common/utc.h"
#include "proto/store/quota.h"
#include "proto/store/store.h"
#include "worker/llm/wait.h"
#include "proto/traced.h"

enum {
    STAGE_USER,
    STAGE_DEPLOYMENT,
    STAGE_KEY,
    OUTPUT_GUESS = 4096, /* of output tokens; what an answer rarely is longer than */
    OPEN_MS =
        1000, /* a key that nothing limits is asked for once in this time by each worker: so late
                       it hears of a refusal that another one met */
    OPEN_MAX = 16, /* keys; of more, some are asked for at each call */
};
struct open_key {
    char name[MODEL_KEY_NAME + 1];
    int64_t asked_ms; /* by the wall */
};

struct llm_quotas {
    struct llm_quotas_config config;
    struct open_key open[OPEN_MAX];
    uint64_t used_tokens, used_cost, call; /* of the day; call: it is being read */
    unsigned day;
};

static void advance(struct llm_quota *p);
static void stop_asking(struct llm_quota *p);

struct llm_quotas *llm_quotas_new(const struct llm_quotas_config *c)
{
    struct llm_quotas *p = xcalloc(1, sizeof(*p));
    p->config = *c;
    return p;
}

void llm_quotas_free(struct llm_quotas *p)
{
    if (p && p->call)
        store_forget(p->config.store, p->call);
    free(p);
}

/* ---- what the deployment has used ---- */

static void on_used(void *arg, enum err err, const struct store_answer *a)
{
    struct llm_quotas *p = arg;
    p->call = 0;
    if (err != ERR_NONE)
        return;
    p->used_tokens = a->budget.tokens;
    p->used_cost = a->budget.cost;
}

void llm_quotas_used(struct llm_quotas *p, uint64_t *tokens, uint64_t *cost)
{
    const struct llm_quotas_config *c = &p->config;
    unsigned today = (unsigned)(loop_wall_ms() / UTC_DAY_MS);
    if (p->day != today) {
        store_forget(c->store, p->call);
        p->call = p->used_tokens = p->used_cost = 0;
    }
    p->day = today;
    *tokens = p->used_tokens;
    *cost = p->used_cost;
    if (p->call || (c->deployment_tokens == 0 && c->deployment_cost == 0))
        return;
    p->call = quota_budget_read(
        c->store, STR(""), &(struct quota_budget){.scope = STR("all"), .day = today}, on_used, p);
}

void llm_quota_init(struct llm_quota *p, struct llm_quotas *quotas, const struct model *m,
                    struct str owner, struct id turn, llm_quota_fn *fn, void *arg)
{
    *p = (struct llm_quota){.quotas = quotas, .model = m, .turn = turn, .fn = fn, .arg = arg};
    char user[LLM_QUOTA_SCOPE_MAX];
    snprintf(user, sizeof(user), "o:%.*s",
             (int)(owner.len < sizeof(user) - 3 ? owner.len : sizeof(user) - 3), owner.at);
    p->user = xstrdup(user);
}

static struct quota_budget budget(const struct llm_quota *p, unsigned stage)
{
    const struct llm_quotas_config *c = &p->quotas->config;
    bool user = stage == STAGE_USER;
    return (struct quota_budget){.scope = user ? str_of(p->user) : STR("all"),
                                 .day = p->day,
                                 .tokens_max = user ? c->user_tokens : c->deployment_tokens,
                                 .cost_max = user ? c->user_cost : c->deployment_cost,
                                 .turn = p->turn,
                                 .turn_cost_max = user ? c->turn_cost : 0};
}

static bool is_limited(const struct quota_budget *b)
{
    return b->tokens_max > 0 || b->cost_max > 0 || b->turn_cost_max > 0;
}

static struct quota_key key_of(const struct model *m)
{
    return (struct quota_key){.key = str_of(m->key_name),
                              .model = str_of(m->name),
                              .requests_per_minute = m->requests_per_minute,
                              .tokens_per_minute = m->tokens_per_minute,
                              .concurrent = m->concurrent};
}

/* ---- keys that nothing limits ---- */

/* Its place, or that of the one that was asked for the longest time ago. */
static struct open_key *place_of(const struct llm_quota *p)
{
    struct open_key *all = p->quotas->open, *at = all;
    for (unsigned i = 0; i < OPEN_MAX; i++) {
        if (strcmp(all[i].name, p->model->key_name) == 0)
            return &all[i];
        if (all[i].asked_ms < at->asked_ms)
            at = &all[i];
    }
    return at;
}

static bool key_is_open(const struct llm_quota *p)
{
    const struct open_key *k = place_of(p);
    int64_t age_ms = loop_wall_ms() - k->asked_ms;
    return strcmp(k->name, p->model->key_name) == 0 && age_ms >= 0 && age_ms < OPEN_MS;
}

static void note_open(const struct llm_quota *p, bool open)
{
    struct open_key *k = place_of(p);
    if (!open && strcmp(k->name, p->model->key_name) != 0)
        return;
    snprintf(k->name, sizeof(k->name), "%s", p->model->key_name);
    k->asked_ms = open ? loop_wall_ms() : 0;
}

static int64_t lease_of(const struct llm_quota *p)
{
    const struct llm_quotas_config *c = &p->quotas->config;
    return p->model->concurrent > 0 ? 3 * c->hold_ms : c->lease_ms;
}

void llm_quota_begin(struct llm_quota *p, uint64_t input_tokens, uint64_t output_tokens, bool again,
                     int64_t patience_ms)
{
    p->again = again;
    p->patience_ms = patience_ms;
    if (!p->in_line) { /* a new try */
        if (output_tokens > OUTPUT_GUESS)
            output_tokens = OUTPUT_GUESS;
        p->id = id_new();
        p->day = (unsigned)(loop_wall_ms() / UTC_DAY_MS);
        p->input_tokens = input_tokens;
        p->tokens = input_tokens + output_tokens;
        p->cost = model_cost(p->model, input_tokens, output_tokens, 0);
        p->stage = STAGE_USER;
        p->going = false;
        memset(p->reserved, 0, sizeof(p->reserved));
    }
    advance(p);
}

static void answer(struct llm_quota *p, struct llm_quota_answer a)
{
    p->going = a.verdict == LLM_QUOTA_GO;
    p->begun_ms = loop_wall_ms();
    p->in_line = a.verdict == LLM_QUOTA_WAIT;
    if (a.verdict == LLM_QUOTA_OVER)
        stop_asking(p);
    p->fn(p->arg, &a);
}

static struct llm_quota_answer over(const struct llm_quota *p, unsigned stage,
                                    enum quota_verdict verdict)
{
    struct llm_quota_answer a = {.verdict = LLM_QUOTA_OVER, .why = ERR_BUDGET};
    char till[UTC_TEXT_MAX];
    utc_write((int64_t)(p->day + 1) * UTC_DAY_MS, UTC_SECONDS, till);
    if (verdict == QUOTA_TURN_COST)
        snprintf(a.detail, sizeof(a.detail), "This turn has cost as much as a turn may cost");
    else
        snprintf(a.detail, sizeof(a.detail), "%s %s budget of today is used up; it resets at %s",
                 stage == STAGE_USER ? "Your" : "This deployment's",
                 verdict == QUOTA_COST ? "cost" : "token", till);
    return a;
}

static void on_reserved(struct llm_quota *p, enum quota_verdict verdict)
{
    if (verdict != QUOTA_OK) {
        struct llm_quota_answer a = over(p, p->stage, verdict);
        answer(p, a);
        return;
    }
    p->reserved[p->stage] = true;
    p->stage++;
    advance(p);
}

static void on_key(struct llm_quota *p, enum quota_verdict verdict, int64_t wait_ms, bool open)
{
    p->counted = !open;
    note_open(p, open);
    struct llm_quota_answer a = {.verdict = LLM_QUOTA_GO, .wait_ms = wait_ms};
    char when[LLM_WAIT_WORDS];
    if (verdict == QUOTA_WAIT)
        a.verdict = LLM_QUOTA_WAIT;
    if (verdict == QUOTA_NEVER) {
        a.verdict = LLM_QUOTA_OVER;
        a.why = ERR_MODEL_UNAVAILABLE;
        llm_wait_words(wait_ms, when);
        snprintf(a.detail, sizeof(a.detail),
                 "The model's provider limits requests; it can be asked again in %s", when);
    }
    answer(p, a);
}

static void on_answer(void *arg, enum err err, const struct store_answer *a)
{
    struct llm_quota *p = arg;
    p->call = 0;
    if (err != ERR_NONE) {
        log_warn("quota.unknown", "turn=%s err=%s", traced_log(p->turn), err_word(err));
        p->in_line = false;
        if (p->stage < STAGE_KEY)
            p->reserved[p->stage] = true; /* if it was, it is to be settled */
        answer(p, (struct llm_quota_answer){.verdict = LLM_QUOTA_GO, .unknown = true});
    } else if (p->stage < STAGE_KEY) {
        on_reserved(p, a->quota.verdict);
    } else {
        on_key(p, a->quota.verdict, a->quota.wait_ms, a->quota.open);
    }
}

static void advance(struct llm_quota *p)
{
    const struct llm_quotas_config *c = &p->quotas->config;
    for (; p->stage < STAGE_KEY; p->stage++) {
        struct quota_budget b = budget(p, p->stage);
        if (is_limited(&b)) {
            p->call = quota_budget_begin(c->store, &b, p->id, p->tokens, p->cost, on_answer, p);
            return;
        }
    }
    if (!p->in_line && key_is_open(p)) {
        p->counted = false;
        answer(p, (struct llm_quota_answer){.verdict = LLM_QUOTA_GO});
        return;
    }
    struct quota_key k = key_of(p->model);
    p->counted = true;
    enum quota_place place = p->in_line ? QUOTA_IN_LINE : p->again ? QUOTA_AGAIN : QUOTA_NEW;
    p->call = quota_key_begin(c->store, &k, str_of(p->user), p->id, place, p->tokens,
                              p->patience_ms, lease_of(p), on_answer, p);
}

static void settle_budgets(struct llm_quota *p, uint64_t tokens, uint64_t cost)
{
    for (unsigned stage = 0; stage < LLM_QUOTA_SCOPES; stage++) {
        struct quota_budget b = budget(p, stage);
        if (p->reserved[stage])
            quota_budget_end(p->quotas->config.store, &b, p->id, tokens, cost);
        p->reserved[stage] = false;
    }
}

void llm_quota_end(struct llm_quota *p, uint64_t input_tokens, uint64_t output_tokens,
                   uint64_t cached_tokens, int64_t block_ms)
{
    if (p->quotas == NULL || !p->going)
        return;
    struct quota_key k = key_of(p->model);
    p->going = false;
    settle_budgets(p, input_tokens + output_tokens,
                   model_cost(p->model, input_tokens, output_tokens, cached_tokens));
    if (block_ms > 0)
        note_open(p, false);
    if (p->counted || block_ms > 0)
        quota_key_end(p->quotas->config.store, &k, p->id,
                      (int64_t)(input_tokens + output_tokens) - (int64_t)p->tokens, block_ms,
                      lease_of(p), loop_wall_ms() - p->begun_ms);
}

void llm_quota_hold(struct llm_quota *p, int64_t now_ms)
{
    if (p->quotas == NULL || !p->going || p->model->concurrent == 0 ||
        now_ms - p->held_ms < p->quotas->config.hold_ms)
        return;
    struct quota_key k = key_of(p->model);
    p->held_ms = now_ms;
    quota_key_hold(p->quotas->config.store, &k, p->id, lease_of(p));
}

static void stop_asking(struct llm_quota *p)
{
    if (!p->quotas)
        return;
    struct quota_key k = key_of(p->model);
    bool asked = p->stage == STAGE_KEY && (p->call != 0 || p->in_line);
    if (p->call != 0 && p->stage < STAGE_KEY)
        p->reserved[p->stage] = true; /* it is on its way, and given back behind that */
    store_forget(p->quotas->config.store, p->call);
    p->call = 0;
    p->in_line = false;
    if (!p->going && asked) /* those behind it need not wait for it */
        quota_key_end(p->quotas->config.store, &k, p->id, -(int64_t)p->tokens, 0, lease_of(p), 0);
    if (!p->going)
        settle_budgets(p, 0, 0);
}

void llm_quota_free(struct llm_quota *p)
{
    stop_asking(p);
    free(p->user);
    p->user = NULL;
}
