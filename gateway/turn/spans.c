#include "gateway/turn/spans.h"

#include "proto/store/wait.h"
#include "proto/traced.h"

void spans_begin(struct turn_spans *s, struct otlp *o, struct id turn, struct str traceparent,
                 char text[TRACE_PARENT_TEXT + 1])
{
    struct trace_point client;
    text[0] = '\0';
    if (!o)
        return;
    if (trace_parse(traceparent, &client))
        trace_begin(&s->turn, &client);
    else
        trace_begin_new(&s->turn, turn.bytes);
    trace_write(&s->turn.at, text);
    traced_put(turn, &s->turn.at);
    trace_begin(&s->wait, &s->turn.at);
}

void spans_begun(struct turn_spans *s, struct otlp *o, enum err err)
{
    store_wait_told(o, &s->wait, "turn_begin", err);
    s->wait = (struct trace_span){0};
}

void spans_queued(struct turn_spans *s) { trace_begin(&s->wait, &s->turn.at); }

void spans_left_queue(struct turn_spans *s, struct otlp *o)
{
    struct buf *b = otlp_span(o, &s->wait);
    if (b) {
        trace_open(b, &s->wait, "queue", SPAN_INTERNAL);
        trace_close(b, NULL);
        otlp_add(o);
    }
    s->wait = (struct trace_span){0};
}

void spans_end(struct turn_spans *s, struct otlp *o, const struct turn_facts *f, const char *place)
{
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    struct buf *b = otlp_span(o, &s->turn);
    traced_remove(f->turn);
    if (b) {
        id_text(f->session, session);
        id_text(f->turn, turn);
        trace_open(b, &s->turn, "turn", SPAN_SERVER);
        trace_text(b, "gen_ai.conversation.id", str_of(session));
        trace_text(b, "persai.turn", str_of(turn));
        trace_number(b, "persai.epoch", f->epoch);
        trace_text(b, "persai.place", str_of(place));
        trace_close(b, NULL);
        otlp_add(o);
    }
    s->turn = s->wait = (struct trace_span){0};
}
