/* What a turn is in a trace: invoke_agent, and that Redis was waited for to load it. */
#include "worker/turn/turn.h"

#include "proto/store/wait.h"
#include "proto/traced.h"
#include "worker/llm/llm_trace.h"

void turn_trace_loaded(struct turn *t, struct str traceparent)
{
    const struct journal_config *c = &t->config->journal;
    struct trace_point parent;
    struct trace_span load;
    int64_t now_ms = loop_now_ms(c->loop);
    if (!c->otlp || !trace_parse(traceparent, &parent))
        return;
    trace_begin(&t->trace.span, &parent);
    trace_backdate(&t->trace.span, now_ms - t->begun_ms);
    traced_put(t->id, &t->trace.span.at);
    trace_begin(&load, &t->trace.span.at);
    trace_backdate(&load, now_ms - t->load_ms);
    store_wait_told(c->otlp, &load, "turn_load", ERR_NONE);
}

static void write_attributes(struct buf *b, const struct turn *t, const char *outcome)
{
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    const struct usage *used = &t->agent.usage;
    id_text(t->session, session);
    id_text(t->id, turn);
    trace_text(b, "gen_ai.operation.name", STR("invoke_agent"));
    trace_text(b, "gen_ai.agent.name", STR("persai"));
    trace_text(b, "gen_ai.conversation.id", str_of(session));
    if (t->model) {
        trace_text(b, "gen_ai.provider.name", str_of(llm_trace_provider(t->model->provider)));
        trace_text(b, "gen_ai.request.model", str_of(t->model->id));
    }
    trace_number(b, "gen_ai.usage.input_tokens", (int64_t)used->input_tokens);
    trace_number(b, "gen_ai.usage.output_tokens", (int64_t)used->output_tokens);
    trace_text(b, "persai.turn", str_of(turn));
    trace_number(b, "persai.epoch", t->epoch);
    trace_number(b, "persai.steps", t->agent.step);
    trace_text(b, "persai.outcome", str_of(outcome));
}

void turn_trace_end(struct turn *t, const char *outcome, enum err err)
{
    struct otlp *o = t->config->journal.otlp;
    struct buf *b = otlp_span(o, &t->trace.span);
    traced_remove(t->id);
    if (b) {
        trace_open(b, &t->trace.span, "invoke_agent persai", SPAN_INTERNAL);
        write_attributes(b, t, outcome);
        trace_close(b, err == ERR_NONE ? NULL : err_word(err));
        otlp_add(o);
    }
    t->trace.span = (struct trace_span){0};
}
