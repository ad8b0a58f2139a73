#include "worker/turn/agent.h"

#include "common/check.h"

#define NAMES(fn, type, list, what)                                                                \
    const char *fn(type v)                                                                         \
    {                                                                                              \
        static const char *const names[] = {list(what)};                                           \
        CHECK((unsigned)v < sizeof(names) / sizeof(names[0]));                                     \
        return names[v];                                                                           \
    }
#define X(name) #name,
NAMES(agent_state_name, enum agent_state, AGENT_STATES, X)
NAMES(agent_fact_name, enum agent_fact_kind, AGENT_FACTS, X)
NAMES(agent_act_name, enum agent_act, AGENT_ACTS, X)
NAMES(agent_seal_name, enum agent_seal, AGENT_SEALS, X)
#undef X

static enum agent_act on_loaded(struct agent *a, const struct agent_fact *f);
static enum agent_act on_replied(struct agent *a, const struct agent_fact *f);
static enum agent_act on_doubted(struct agent *a, const struct agent_fact *f);
static enum agent_act on_redo(struct agent *a);
static enum agent_act on_tooled(struct agent *a, const struct agent_fact *f);
static enum agent_act on_sealed(struct agent *a, const struct agent_fact *f);
static enum agent_act on_failed(struct agent *a, const struct agent_fact *f);
static enum agent_act on_wish(struct agent *a, enum agent_wish wish);
static enum agent_act next(struct agent *a, int64_t now_ms);
static enum agent_act seal(struct agent *a, enum agent_seal what, enum err why);
static enum agent_act over(struct agent *a, enum agent_act last);
static enum agent_act on_tick(struct agent *a, int64_t now_ms);
static bool out_of_time(const struct agent *a, int64_t now_ms);

void agent_init(struct agent *a, const struct agent_limits *limits)
{
    *a = (struct agent){.limits = limits};
}

enum agent_act agent_step(struct agent *a, const struct agent_fact *f)
{
    if (a->state == AGENT_OVER)
        return ACT_WAIT; /* a late answer changes nothing */
    switch (f->kind) {
    case FACT_START:
        CHECK(a->state == AGENT_NEW);
        a->start_ms = f->now_ms;
        a->state = AGENT_LOADING;
        return ACT_LOAD;
    case FACT_LOADED:
        a->stuck_ms = 0;
        return a->state == AGENT_LOADING ? on_loaded(a, f) : ACT_WAIT;
    case FACT_REPLIED:
        return a->state == AGENT_THINKING ? on_replied(a, f) : ACT_WAIT;
    case FACT_DOUBTED:
        return a->state == AGENT_THINKING ? on_doubted(a, f) : ACT_WAIT;
    case FACT_REDO:
        return a->state == AGENT_THINKING ? on_redo(a) : ACT_WAIT;
    case FACT_TOOLED:
        return a->state == AGENT_ACTING ? on_tooled(a, f) : ACT_WAIT;
    case FACT_SEALED:
        a->stuck_ms = 0;
        return a->state == AGENT_SEALING ? on_sealed(a, f) : ACT_WAIT;
    case FACT_FAILED:
        return on_failed(a, f);
    case FACT_FENCED:
        return over(a, ACT_DROP);
    case FACT_CANCEL:
        return on_wish(a, WISH_CANCEL);
    case FACT_LEAVE:
        return on_wish(a, WISH_LEAVE);
    case FACT_TICK:
        return on_tick(a, f->now_ms);
    }
    return ACT_WAIT;
}

static enum agent_act on_tick(struct agent *a, int64_t now_ms)
{
    if (a->state == AGENT_LOADING || a->state == AGENT_SEALING) {
        if (a->stuck_ms == 0)
            a->stuck_ms = now_ms;
        a->gave_up = now_ms - a->stuck_ms >= AGENT_STUCK_MS;
        return a->gave_up ? over(a, ACT_RELEASE) : ACT_WAIT;
    }
    a->stuck_ms = 0;
    return out_of_time(a, now_ms) ? seal(a, SEAL_FAILURE, ERR_TURN_TIMEOUT) : ACT_WAIT;
}

/* The first load of this process says where the turn stands; what comes after is counted here. */
static enum agent_act on_loaded(struct agent *a, const struct agent_fact *f)
{
    if (!a->loaded) {
        a->loaded = true;
        a->step = f->step;
        a->attempt = f->attempt;
        a->usage = f->usage;
    }
    a->open_calls = f->open_calls;
    return next(a, f->now_ms);
}

static enum agent_act on_replied(struct agent *a, const struct agent_fact *f)
{
    usage_add(&a->usage, &f->usage);
    a->open_calls = f->open_calls;
    if (f->open_calls == 0)
        return seal(a, SEAL_ANSWER, ERR_NONE);
    if (agent_last_call(a))
        return seal(a, SEAL_FAILURE, ERR_STEP_LIMIT);
    if (a->usage.input_tokens + a->usage.output_tokens > a->limits->tokens_max)
        return seal(a, SEAL_FAILURE, ERR_TOKEN_LIMIT);
    return seal(a, f->needs_approval ? SEAL_AWAIT : SEAL_REPLY, ERR_NONE);
}

/* Not a failed try: the model did as it was told, and is told more. */
static enum agent_act on_doubted(struct agent *a, const struct agent_fact *f)
{
    CHECK(a->tries > 0);
    usage_add(&a->usage, &f->usage);
    a->doubts++;
    a->tries--;
    a->attempt++;
    return seal(a, SEAL_AGAIN, ERR_NONE);
}

/* The step has not begun yet: that was no try. */
static enum agent_act on_redo(struct agent *a)
{
    CHECK(a->tries > 0);
    a->tries--;
    a->state = AGENT_LOADING;
    return ACT_LOAD;
}

/* The model is told what was wrong with its calls, but not for ever. */
static enum agent_act on_tooled(struct agent *a, const struct agent_fact *f)
{
    CHECK(a->open_calls > 0);
    a->sensible = a->sensible || !f->invalid;
    if (--a->open_calls > 0)
        return ACT_WAIT;
    a->invalid_rounds = a->sensible ? 0 : a->invalid_rounds + 1;
    if (a->invalid_rounds >= a->limits->invalid_max)
        return seal(a, SEAL_FAILURE, ERR_MODEL_BROKEN);
    return seal(a, SEAL_RESULTS, ERR_NONE);
}

static enum agent_act on_sealed(struct agent *a, const struct agent_fact *f)
{
    switch (a->seal) {
    case SEAL_REPLY:
    case SEAL_RESULTS:
        a->step++;
        a->attempt = 1;
        a->tries = 0;
        break;
    case SEAL_AGAIN:
        break;
    case SEAL_ANSWER:
    case SEAL_AWAIT:
    case SEAL_CANCELLED:
    case SEAL_FAILURE:
        return over(a, ACT_FINISH);
    case SEAL_NOTHING:
        CHECK(false && "sealed nothing");
    }
    a->seal = SEAL_NOTHING;
    a->said_bytes = 0;
    if (a->open_calls > 0 || a->wish != WISH_NONE)
        return next(a, f->now_ms);
    a->state = AGENT_LOADING;
    return ACT_LOAD;
}

/* Nothing runs and everything is stored: what does the conversation ask for? */
static enum agent_act next(struct agent *a, int64_t now_ms)
{
    if (a->wish == WISH_CANCEL)
        return seal(a, SEAL_CANCELLED, ERR_NONE);
    if (a->wish == WISH_LEAVE)
        return over(a, ACT_RELEASE);
    if (out_of_time(a, now_ms))
        return seal(a, SEAL_FAILURE, ERR_TURN_TIMEOUT);
    if (a->open_calls > 0) {
        a->state = AGENT_ACTING;
        a->sensible = false;
        return ACT_TOOLS;
    }
    a->tries++;
    a->state = AGENT_THINKING;
    return ACT_CALL;
}

static enum agent_act on_failed(struct agent *a, const struct agent_fact *f)
{
    CHECK(f->err != ERR_NONE);
    if (a->state != AGENT_THINKING && a->state != AGENT_ACTING)
        return ACT_WAIT; /* what is being written stands, what is being loaded is tried again */
    usage_add(&a->usage, &f->usage); /* a lost attempt costs as much as another */
    bool too_long = f->err == ERR_CONTEXT_TOO_LONG;
    bool again = a->state == AGENT_THINKING && f->again && a->tries < a->limits->attempts_max &&
                 !(too_long && a->shrink);
    if (a->state == AGENT_THINKING && f->other_model) {
        again = true;
        a->tries = 0;
    }
    if (!again)
        return seal(a, SEAL_FAILURE, f->err);
    a->shrink = a->shrink || too_long;
    a->attempt++;
    return seal(a, SEAL_AGAIN, ERR_NONE);
}

static enum agent_act on_wish(struct agent *a, enum agent_wish wish)
{
    if (wish > a->wish)
        a->wish = wish;
    if (a->state == AGENT_SEALING)
        return ACT_WAIT;
    if (a->wish == WISH_LEAVE)
        return over(a, ACT_RELEASE);
    if (a->state == AGENT_NEW || a->state == AGENT_LOADING)
        return ACT_WAIT; /* without a load nothing can be sealed; LOADED brings it back */
    return seal(a, SEAL_CANCELLED, ERR_NONE);
}

static enum agent_act seal(struct agent *a, enum agent_seal what, enum err why)
{
    a->seal = what;
    a->why = why;
    a->state = AGENT_SEALING;
    return ACT_SEAL;
}

static enum agent_act over(struct agent *a, enum agent_act last)
{
    a->state = AGENT_OVER;
    return last;
}

static bool out_of_time(const struct agent *a, int64_t now_ms)
{
    return now_ms - a->start_ms >= a->limits->run_ms_max;
}

enum err agent_said(struct agent *a, uint64_t bytes)
{
    a->said_bytes += bytes;
    return a->said_bytes > a->limits->said_bytes_max ? ERR_OUTPUT_LIMIT : ERR_NONE;
}

void agent_used(struct agent *a, const struct usage *u) { usage_add(&a->usage, u); }

void agent_waited(struct agent *a, int64_t ms)
{
    CHECK(ms >= 0);
    a->start_ms += ms;
}

/* Steps 1, 3, 5 … are the model's, the even ones the tools'. */
bool agent_last_call(const struct agent *a) { return (a->step + 1) / 2 >= a->limits->calls_max; }
