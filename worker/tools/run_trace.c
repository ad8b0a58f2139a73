/* What a call of a tool is in a trace. */
#include "worker/tools/run.h"

#include <stdlib.h>
#include <stdio.h>
#include "common/otlp.h"
#include "worker/genai.h"
#include "worker/llm/mask_trace.h"
#include "common/json.h"

static void write_datasource(struct buf *b, const struct tool_run *r, struct mask *mask);
static void write_content(struct buf *b, const struct tool_run *r, struct mask *mask);

static void write_attributes(struct buf *b, const struct tool_run *r, const char *tool)
{
    struct mask mask;
    char conversation[ID_TEXT + 1];
    id_text(r->conversation, conversation);
    mask_init(&mask, r->tools->config.redact, r->conversation);
    trace_text(b, "gen_ai.operation.name", STR("execute_tool"));
    trace_text(b, "gen_ai.tool.name", str_of(tool));
    trace_text(b, "gen_ai.tool.call.id", str_of(r->call_id));
    trace_text(b, "gen_ai.tool.type", r->server ? STR("extension") : STR("function"));
    if (!id_is_zero(r->conversation))
        trace_text(b, "gen_ai.conversation.id", str_of(conversation));
    write_datasource(b, r, &mask);
    trace_text(b, "persai.mcp_server", str_of(r->server));
    trace_number(b, "persai.result_bytes", (int64_t)r->content.len);
    if (r->vet)
        trace_flag(b, "persai.vet", true);
    if (r->tools->config.capture)
        write_content(b, r, &mask);
    mask_free(&mask);
}

/* Its project and its name are words of people. */
static void write_datasource(struct buf *b, const struct tool_run *r, struct mask *mask)
{
    scoped_buf(masked, MASK_TRACE_MAX);
    struct str path = str_of(r->datasource);
    if (mask_text(mask, path, &masked))
        path = buf_str(&masked);
    if (!masked.overflowed)
        trace_text(b, "persai.datasource", path);
}

static void write_content(struct buf *b, const struct tool_run *r, struct mask *mask)
{
    char *args = r->args ? json_dumps(r->args, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    scoped_buf(all, MASK_TRACE_MAX);
    buf_puts(&all, "{\"arguments\":");
    buf_puts(&all, args ? args : "null");
    buf_putc(&all, '}');
    if (!all.overflowed)
        mask_trace_text(b, "gen_ai.tool.call.arguments", mask, buf_str(&all));
    buf_clear(&all);
    buf_puts(&all, "{\"result\":");
    json_str(&all, buf_str(&r->content));
    buf_putc(&all, '}');
    if (!all.overflowed)
        mask_trace_text(b, "gen_ai.tool.call.result", mask, buf_str(&all));
    free(args);
}

void run_trace_end(const struct tool_run *r)
{
    const char *tool = r->spec ? r->spec->name : "unknown";
    char name[128];
    if (!r->vet && r->ended)
        genai_tool(tool, r->failed, (double)(loop_hr_ns() - r->started_ns) / 1e9);
    struct buf *b = otlp_span(r->tools->config.otlp, &r->span);
    if (!b)
        return;
    snprintf(name, sizeof(name), "execute_tool %s", tool);
    trace_open(b, &r->span, name, SPAN_INTERNAL);
    write_attributes(b, r, tool);
    trace_close(b, !r->ended ? "cancelled" : r->failed ? "failed" : NULL);
    otlp_add(r->tools->config.otlp);
}
