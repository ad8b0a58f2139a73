#include "worker/llm/llm_trace.h"

#include <stdio.h>
#include <string.h>
#include "worker/genai.h"
#include "worker/llm/mask_trace.h"
#include "common/json.h"

enum { CONTENT_BYTES_MAX = MASK_TRACE_MAX };

static void write_input(struct buf *b, const struct prompt *p);
static void write_output(struct buf *b, const struct reply *r);
static void write_attributes(struct buf *b, const struct llm_trace *t,
                             const struct llm_trace_end *e);

const char *llm_trace_provider(enum provider p)
{
    return p == PROVIDER_GOOGLE ? "gcp.gemini" : provider_facts(p)->word;
}

void llm_trace_begin(struct llm_trace *t, struct otlp *o, const struct trace_point *parent,
                     const struct prompt *prompt)
{
    t->otlp = o;
    t->began_ns = trace_clock_ns();
    buf_init(&t->system, CONTENT_BYTES_MAX);
    buf_init(&t->input, CONTENT_BYTES_MAX);
    trace_begin(&t->span, parent);
    if (trace_on(&t->span.at))
        trace_write(&t->span.at, t->header);
    if (!prompt || !o || !trace_told(&t->span))
        return;
    buf_puts(&t->system, "[{\"type\":\"text\",\"content\":");
    json_str(&t->system, buf_str(&prompt->system));
    buf_puts(&t->system, "}]");
    write_input(&t->input, prompt);
}

void llm_trace_said(struct llm_trace *t)
{
    if (t->first_ns == 0)
        t->first_ns = trace_clock_ns();
}

void llm_trace_end(struct llm_trace *t, const struct llm_trace_end *e)
{
    char name[256];
    if (t->began_ns == 0)
        return;
    struct genai_call call = {.provider = llm_trace_provider(e->model->provider),
                              .model = e->model->id,
                              .err = e->err,
                              .seconds = (double)(trace_clock_ns() - t->began_ns) / 1e9,
                              .first_chunk_seconds =
                                  t->first_ns ? (double)(t->first_ns - t->began_ns) / 1e9 : -1,
                              .used = e->used};
    genai_inference(&call);
    struct buf *b = otlp_span(t->otlp, &t->span);
    if (b) {
        snprintf(name, sizeof(name), "chat %s", e->model->id);
        trace_open(b, &t->span, name, SPAN_CLIENT);
        write_attributes(b, t, e);
        trace_close(b, e->err == ERR_NONE ? NULL : err_word(e->err));
        otlp_add(t->otlp);
    }
    buf_free(&t->system);
    buf_free(&t->input);
    t->began_ns = 0;
}

static void write_attributes(struct buf *b, const struct llm_trace *t,
                             const struct llm_trace_end *e)
{
    char conversation[ID_TEXT + 1];
    id_text(e->mask->conversation, conversation);
    trace_text(b, "gen_ai.operation.name", STR("chat"));
    trace_text(b, "gen_ai.provider.name", str_of(llm_trace_provider(e->model->provider)));
    trace_text(b, "gen_ai.request.model", str_of(e->model->id));
    trace_flag(b, "gen_ai.request.stream", true);
    trace_text(b, "gen_ai.conversation.id", str_of(conversation));
    trace_texts(b, "gen_ai.response.finish_reasons", str_of(e->reply->stop_reason));
    if (t->first_ns)
        trace_real(b, "gen_ai.response.time_to_first_chunk",
                   (double)(t->first_ns - t->began_ns) / 1e9);
    trace_number(b, "gen_ai.usage.input_tokens", (int64_t)e->used.input_tokens);
    trace_number(b, "gen_ai.usage.output_tokens", (int64_t)e->used.output_tokens);
    if (e->used.cached_tokens > 0)
        trace_number(b, "gen_ai.usage.cache_read.input_tokens", (int64_t)e->used.cached_tokens);
    if (e->http_status > 0)
        trace_number(b, "http.response.status_code", e->http_status);
    trace_number(b, "persai.tries", e->tries);
    if (t->input.len == 0)
        return;
    scoped_buf(output, CONTENT_BYTES_MAX);
    write_output(&output, e->reply);
    mask_trace_text(b, "gen_ai.system_instructions", e->mask, buf_str(&t->system));
    mask_trace_text(b, "gen_ai.input.messages", e->mask, buf_str(&t->input));
    mask_trace_text(b, "gen_ai.output.messages", e->mask, buf_str(&output));
}

/* ---- messages, as the conventions' schema of them has it ---- */

static void write_text(struct buf *b, struct str text)
{
    buf_puts(b, "{\"type\":\"text\",\"content\":");
    json_str(b, text);
    buf_putc(b, '}');
}

static void write_call(struct buf *b, struct str id, struct str name, struct str arguments)
{
    buf_puts(b, "{\"type\":\"tool_call\",\"id\":");
    json_str(b, id);
    json_field(b, "name", name);
    json_field(b, "arguments", arguments);
    buf_putc(b, '}');
}

static void comma(struct buf *b)
{
    if (b->len > 0 && b->at[b->len - 1] == '}')
        buf_putc(b, ',');
}

static void write_item(struct buf *b, const struct prompt_item *item)
{
    static const char *const roles[] = {"user", "assistant", "tool"};
    comma(b);
    buf_printf(b, "{\"role\":\"%s\",\"parts\":[", roles[item->kind]);
    if (item->kind == PROMPT_RESULT) {
        buf_puts(b, "{\"type\":\"tool_call_response\",\"id\":");
        json_str(b, item->call_id);
        json_field(b, "response", item->text);
        buf_putc(b, '}');
    } else if (item->text.len > 0) {
        write_text(b, item->text);
    }
    for (unsigned i = 0; item->kind == PROMPT_ASSISTANT && i < item->call_count; i++) {
        const struct record_call *c = &item->calls[i];
        comma(b);
        write_call(b, c->call_id, c->tool_name, c->arguments);
    }
    buf_puts(b, "]}");
}

/* The latest that fit: what a person asks for is in the last ones. */
static void write_input(struct buf *b, const struct prompt *p)
{
    enum { ROOM = CONTENT_BYTES_MAX - 2 };
    unsigned from = p->count;
    for (size_t bytes = 0; from > 0; from--) {
        scoped_buf(one, ROOM);
        if (!p->items[from - 1].gone)
            write_item(&one, &p->items[from - 1]);
        bytes += one.len + 1;
        if (one.overflowed || bytes > ROOM)
            break;
    }
    buf_putc(b, '[');
    for (unsigned i = from; i < p->count; i++)
        if (!p->items[i].gone)
            write_item(b, &p->items[i]);
    buf_putc(b, ']');
}

static void write_output(struct buf *b, const struct reply *r)
{
    buf_puts(b, "[{\"role\":\"assistant\",\"parts\":[");
    if (r->content.len > 0)
        write_text(b, buf_str(&r->content));
    for (unsigned i = 0; i < r->call_count; i++) {
        const struct reply_call *c = &r->calls[i];
        comma(b);
        write_call(b, str_of(c->call_id), str_of(c->tool_name), buf_str(&c->arguments));
    }
    buf_puts(b, "],\"finish_reason\":");
    json_str(b, str_of(r->stop_reason));
    buf_puts(b, "}]");
}
