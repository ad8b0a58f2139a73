/* Old turns that don't fit the model: it is asked for a summary of them, which is stored, and then
 * the call is begun anew, from a load. Nothing is lost by a crash in between: who takes the turn
 * over does it again. When it can't be had, the turn goes on without those turns. */
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "worker/turn/turn.h"

#include <stdio.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/event.h"
#include "worker/turn/summary.h"
#include "proto/traced.h"

static void summarised(struct turn *t)
{
    llm_call_free(t->llm); /* what it wrote is no answer */
    t->llm = NULL;
    t->summarising = false;
    turn_tell(t, (struct agent_fact){.kind = FACT_REDO});
}

static void on_stored(void *arg, enum err err, const struct store_answer *answer)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    (void)answer;
    t->summary_call = 0;
    log_info("turn.summarised", "turn=%s step=%u to=%u err=%s", traced_log(t->id), t->agent.step,
             t->summary_to, err_word(err));
    summarised(t); /* stored or not, the load says what there is; a turn that is fenced, too */
}

static void on_done(void *arg, enum err err)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    if (t->agent.state != AGENT_THINKING)
        return;
    if (err != ERR_NONE && turn_token_refused(t)) {
        t->summarising = false;
        t->summary_step = 0;
        return;
    }
    struct usage used = turn_count_used(t);
    agent_used(&t->agent, &used);
    struct str text = summary_kept(buf_str(&llm_reply(t->llm)->content), t->model->window_tokens,
                                   t->model->estimate);
    if (err != ERR_NONE || text.len == 0) {
        log_warn("turn.summary_failed", "turn=%s step=%u err=%s", traced_log(t->id), t->agent.step,
                 err_word(err));
        summarised(t);
        return;
    }
    t->summary_call = store_turn_summary(t->config->journal.store, t->session, t->id, t->epoch,
                                         t->summary_revision, t->summary_to, text, on_stored, t);
}

static void say_notice(struct turn *t, const char *text)
{
    event_progress_notice(t->config->payload, str_of(t->step_id), str_of(text));
    turn_say_payload(t);
}

void turn_tell_left_out(struct turn *t, unsigned count)
{
    char text[160];
    if (t->told_left_out)
        return;
    t->told_left_out = true;
    snprintf(text, sizeof(text),
             "This conversation is too long for the model: it does not see the oldest %u messages.",
             count);
    say_notice(t, text);
}

void turn_tell_wait(void *arg, int64_t wait_ms)
{
    char text[160];
    snprintf(text, sizeof(text),
             "The provider limits requests; trying again in about %lld s. You can stop, or ask "
             "another model.",
             (long long)(wait_ms < 1000 ? 1 : (wait_ms + 500) / 1000));
    say_notice(arg, text);
}

bool turn_summary_begin(struct turn *t, const struct prompt *prompt, const struct prompt_input *in,
                        const struct store_session *session)
{
    static const struct llm_handler handler = {.on_done = on_done};
    struct summary summary;
    char text[160];
    if (t->summary_step == t->agent.step || !summary_build(prompt, in, &summary))
        return false;
    t->summary_step = t->agent.step;
    t->summary_to = summary.to;
    t->summary_revision = session->revision;
    turn_announce_step(t, STEP_INFERENCE);
    snprintf(text, sizeof(text),
             "This conversation is too long for the model: the oldest %u messages are being "
             "summarised for it.",
             summary.count);
    say_notice(t, text);
    struct llm_request r = {.model = t->model,
                            .prompt = &summary.prompt,
                            .step = t->agent.step,
                            .turn = t->id,
                            .conversation = t->session,
                            .owner = str_of(t->owner),
                            .output_tokens_max = SUMMARY_OUTPUT_TOKENS,
                            .has_fallback = t->fallback_left,
                            .token = t->token,
                            .trace = t->trace.span.at};
    bool begun = t->agent.state == AGENT_THINKING &&
                 llm_call_start(t->config->llm, &r, &handler, t, &t->llm) == ERR_NONE;
    t->summarising = begun;
    summary_free(&summary);
    return begun || t->agent.state != AGENT_THINKING;
}

void turn_summary_stop(struct turn *t)
{
    store_forget(t->config->journal.store, t->summary_call);
    t->summary_call = 0;
}
