/* What is counted, logged and told when this worker is done with a turn. */
#include "worker/turn/turn.h"

#include "common/log.h"
#include "proto/traced.h"
#include "worker/genai.h"
#include "worker/turn/audit.h"

void turn_finish(struct turn *t)
{
    struct meters *m = t->config->meters;
    const struct agent *a = &t->agent;
    enum turn_state state = TURN_DONE;
    struct metric *outcome = m->turns_done;
    if (a->seal == SEAL_AWAIT) {
        state = TURN_AWAITING;
        outcome = m->turns_awaiting;
    } else if (a->seal == SEAL_CANCELLED) {
        state = TURN_CANCELLED;
        outcome = m->turns_cancelled;
    } else if (a->seal == SEAL_FAILURE) {
        state = TURN_FAILED;
        outcome = m->turns_failed;
    }
    int64_t ms = loop_now_ms(t->config->journal.loop) - t->begun_ms;
    metric_add(outcome, 1);
    metric_observe(m->turn_seconds, (double)ms / 1000);
    genai_turn(a->seal == SEAL_FAILURE ? a->why : ERR_NONE, (double)ms / 1000);
    log_info("turn.done",
             "turn=%s epoch=%u state=%s err=%s steps=%u input_tokens=%llu output_tokens=%llu "
             "cached_tokens=%llu cost=%llu ms=%lld",
             traced_log(t->id), t->epoch, turn_state_word(state),
             err_word(a->seal == SEAL_FAILURE ? a->why : ERR_NONE), a->step,
             (unsigned long long)a->usage.input_tokens, (unsigned long long)a->usage.output_tokens,
             (unsigned long long)a->usage.cached_tokens, (unsigned long long)a->usage.cost,
             (long long)ms);
    turn_trace_end(t, turn_state_word(state), a->seal == SEAL_FAILURE ? a->why : ERR_NONE);
    audit_turn_end(&(struct audit_turn){.owner = str_of(t->owner),
                                        .model = str_of(t->model ? t->model->name : NULL),
                                        .session = t->session,
                                        .turn = t->id,
                                        .state = turn_state_word(state),
                                        .error = a->seal == SEAL_FAILURE ? err_word(a->why) : "",
                                        .usage = a->usage,
                                        .ms = ms});
    if (state == TURN_DONE)
        turn_title_begin(t);
    if (t->config->ended && state != TURN_AWAITING)
        t->config->ended(t->config->ended_arg, t, state);
    hub_send_done(t->link, t->id, t->epoch, state);
    audience_done(&t->audience, t->id, t->epoch);
}

void turn_drop(struct turn *t)
{
    audience_done(&t->audience, t->id, t->epoch);
    if (t->refused != ERR_NONE && t->refused != ERR_FENCED) /* nobody else knows it yet */
        hub_send_release(t->link, t->id, t->epoch, err_word(t->refused));
    if (t->agent.wish == WISH_LEAVE || t->agent.gave_up)
        return; /* counted and logged when it was released */
    if (t->refused == ERR_NONE || t->refused == ERR_FENCED)
        /* Its gateway may have heard of no other epoch: the session was deleted. */
        hub_send_done(t->link, t->id, t->epoch, TURN_NONE);
    log_info("turn.fenced", "turn=%s epoch=%u step=%u why=%s", traced_log(t->id), t->epoch,
             t->agent.step, err_word(t->refused));
    metric_add(t->config->meters->turns_fenced, 1);
    turn_trace_end(t, "fenced", ERR_FENCED);
}

/* Of the call: all its tries, the lost ones too. What was counted before is not counted again. */
struct usage turn_count_used(struct turn *t)
{
    struct meters *meters = t->config->meters;
    struct usage u = llm_call_used(t->llm);
    metric_add(meters->input_tokens, (double)u.input_tokens);
    metric_add(meters->output_tokens, (double)u.output_tokens);
    metric_add(meters->cached_tokens, (double)u.cached_tokens);
    metric_add(meters->cost, (double)u.cost);
    usage_add(&t->used, &u);
    return u;
}
