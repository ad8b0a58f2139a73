#include "worker/llm/permit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/store/quota.h"
#include "proto/store/store.h"
#include "worker/llm/wait.h"

enum {
    STAGE_USER,
    STAGE_DEPLOYMENT,
    STAGE_KEY,
    OUTPUT_GUESS = 4096, /* of output tokens; what an answer rarely is longer than */
    DAY_MS = 24 * 3600 * 1000,
};

struct permits {
    struct permits_config config;
};

static void advance(struct permit *p);

struct permits *permits_new(const struct permits_config *c)
{
    struct permits *p = xcalloc(1, sizeof(*p));
    p->config = *c;
    return p;
}

void permits_free(struct permits *p) { free(p); }

void permit_init(struct permit *p, struct permits *permits, const struct model *m, struct str owner,
                 struct id turn, permit_fn *fn, void *arg)
{
    *p = (struct permit){.permits = permits, .model = m, .turn = turn, .fn = fn, .arg = arg};
    snprintf(p->scopes[STAGE_USER], PERMIT_SCOPE_MAX, "o:%.*s",
             (int)(owner.len < PERMIT_SCOPE_MAX - 3 ? owner.len : PERMIT_SCOPE_MAX - 3), owner.at);
    snprintf(p->scopes[STAGE_DEPLOYMENT], PERMIT_SCOPE_MAX, "all");
}

static struct limit_budget budget(const struct permit *p, unsigned stage)
{
    const struct permits_config *c = &p->permits->config;
    bool user = stage == STAGE_USER;
    return (struct limit_budget){.scope = str_of(p->scopes[stage]),
                                 .day = p->day,
                                 .tokens_max = user ? c->user_tokens : c->deployment_tokens,
                                 .cost_max = user ? c->user_cost : c->deployment_cost,
                                 .turn = p->turn,
                                 .turn_cost_max = user ? c->turn_cost : 0};
}

static bool is_limited(const struct limit_budget *b)
{
    return b->tokens_max > 0 || b->cost_max > 0 || b->turn_cost_max > 0;
}

static struct limit_key key_of(const struct model *m)
{
    return (struct limit_key){.key = str_of(m->key_name),
                              .model = str_of(m->name),
                              .requests_per_minute = m->requests_per_minute,
                              .tokens_per_minute = m->tokens_per_minute,
                              .concurrent = m->concurrent};
}

static int64_t lease_of(const struct permit *p)
{
    const struct permits_config *c = &p->permits->config;
    return p->model->concurrent > 0 ? 3 * c->hold_ms : c->lease_ms;
}

void permit_ask(struct permit *p, uint64_t input_tokens, uint64_t output_tokens, bool again,
                int64_t patience_ms)
{
    p->again = again;
    p->patience_ms = patience_ms;
    if (!p->in_line) { /* a new try */
        if (output_tokens > OUTPUT_GUESS)
            output_tokens = OUTPUT_GUESS;
        p->id = id_new();
        p->day = (unsigned)(loop_wall_ms() / DAY_MS);
        p->input_tokens = input_tokens;
        p->tokens = input_tokens + output_tokens;
        p->cost = model_cost(p->model, input_tokens, output_tokens, 0);
        p->stage = STAGE_USER;
        p->going = false;
        memset(p->reserved, 0, sizeof(p->reserved));
    }
    advance(p);
}

static void answer(struct permit *p, struct permit_answer a)
{
    p->going = a.verdict == PERMIT_GO;
    p->in_line = a.verdict == PERMIT_WAIT;
    if (a.verdict == PERMIT_OVER)
        permit_drop(p);
    p->fn(p->arg, &a);
}

static struct permit_answer over(const struct permit *p, unsigned stage, int verdict)
{
    struct permit_answer a = {.verdict = PERMIT_OVER, .why = ERR_BUDGET};
    char till[40] = "";
    time_t reset_s = (time_t)(p->day + 1) * (DAY_MS / 1000);
    struct tm tm;
    strftime(till, sizeof(till), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&reset_s, &tm));
    if (verdict == LIMIT_TURN_COST)
        snprintf(a.detail, sizeof(a.detail), "This turn has cost as much as a turn may cost");
    else
        snprintf(a.detail, sizeof(a.detail), "%s %s budget of today is used up; it resets at %s",
                 stage == STAGE_USER ? "Your" : "This deployment's",
                 verdict == LIMIT_COST ? "cost" : "token", till);
    return a;
}

static void on_reserved(struct permit *p, int verdict)
{
    if (verdict != LIMIT_OK) {
        struct permit_answer a = over(p, p->stage, verdict);
        answer(p, a);
        return;
    }
    p->reserved[p->stage] = true;
    p->stage++;
    advance(p);
}

static void on_key(struct permit *p, int verdict, int64_t wait_ms)
{
    struct permit_answer a = {.verdict = PERMIT_GO, .wait_ms = wait_ms};
    char when[LLM_WAIT_WORDS];
    if (verdict == LIMIT_WAIT)
        a.verdict = PERMIT_WAIT;
    if (verdict == LIMIT_NEVER) {
        a.verdict = PERMIT_OVER;
        a.why = ERR_MODEL_UNAVAILABLE;
        llm_wait_words(wait_ms, when);
        snprintf(a.detail, sizeof(a.detail),
                 "The model's provider limits requests; it can be asked again in %s", when);
    }
    answer(p, a);
}

static void on_answer(void *arg, enum err err, const struct store_answer *a)
{
    struct permit *p = arg;
    p->call = 0;
    if (err != ERR_NONE) {
        log_warn("permit.unknown", "turn=%s err=%s", id_log(p->turn), err_word(err));
        p->in_line = false;
        if (p->stage < STAGE_KEY)
            p->reserved[p->stage] = true; /* if it was, it is to be settled */
        answer(p, (struct permit_answer){.verdict = PERMIT_GO, .unknown = true});
    } else if (p->stage < STAGE_KEY) {
        on_reserved(p, a->limit.verdict);
    } else {
        on_key(p, a->limit.verdict, a->limit.wait_ms);
    }
}

static void advance(struct permit *p)
{
    const struct permits_config *c = &p->permits->config;
    for (; p->stage < STAGE_KEY; p->stage++) {
        struct limit_budget b = budget(p, p->stage);
        if (is_limited(&b)) {
            p->call = limits_reserve(c->store, &b, p->id, p->tokens, p->cost, on_answer, p);
            return;
        }
    }
    struct limit_key k = key_of(p->model);
    enum limit_place place = p->in_line ? LIMIT_IN_LINE : p->again ? LIMIT_AGAIN : LIMIT_NEW;
    p->call = limits_key_take(c->store, &k, str_of(p->scopes[STAGE_USER]), p->id, place, p->tokens,
                              p->patience_ms, lease_of(p), on_answer, p);
}

static void settle_budgets(struct permit *p, uint64_t tokens, uint64_t cost)
{
    for (unsigned stage = 0; stage < PERMIT_SCOPES; stage++) {
        struct limit_budget b = budget(p, stage);
        if (p->reserved[stage])
            limits_settle(p->permits->config.store, &b, p->id, tokens, cost);
        p->reserved[stage] = false;
    }
}

void permit_settle(struct permit *p, uint64_t input_tokens, uint64_t output_tokens,
                   uint64_t cached_tokens, int64_t block_ms)
{
    if (p->permits == NULL || !p->going)
        return;
    struct limit_key k = key_of(p->model);
    p->going = false;
    settle_budgets(p, input_tokens + output_tokens,
                   model_cost(p->model, input_tokens, output_tokens, cached_tokens));
    limits_key_give(p->permits->config.store, &k, p->id,
                    (int64_t)(input_tokens + output_tokens) - (int64_t)p->tokens, block_ms,
                    lease_of(p));
}

void permit_hold(struct permit *p, int64_t now_ms)
{
    if (p->permits == NULL || !p->going || p->model->concurrent == 0 ||
        now_ms - p->held_ms < p->permits->config.hold_ms)
        return;
    struct limit_key k = key_of(p->model);
    p->held_ms = now_ms;
    limits_key_hold(p->permits->config.store, &k, p->id, lease_of(p));
}

void permit_drop(struct permit *p)
{
    if (p->permits == NULL)
        return;
    struct limit_key k = key_of(p->model);
    bool asked = p->stage == STAGE_KEY && (p->call != 0 || p->in_line);
    if (p->call != 0 && p->stage < STAGE_KEY)
        p->reserved[p->stage] = true; /* it is on its way, and given back behind that */
    store_forget(p->permits->config.store, p->call);
    p->call = 0;
    p->in_line = false;
    if (!p->going && asked) /* those behind it need not wait for it */
        limits_key_give(p->permits->config.store, &k, p->id, -(int64_t)p->tokens, 0, lease_of(p));
    if (!p->going)
        settle_budgets(p, 0, 0);
}
