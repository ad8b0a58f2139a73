#include "worker/genai.h"

#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"
#include "common/map.h"
#include "common/metrics.h"

/* The buckets that the conventions advise. */
static const double seconds_bounds[] = {0.01, 0.02, 0.04, 0.08,  0.16,  0.32,  0.64,
                                        1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92};
static const double token_bounds[] = {1,     4,     16,     64,      256,     1024,     4096,
                                      16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864};
enum { BOUNDS = sizeof(seconds_bounds) / sizeof(*seconds_bounds) };
_Static_assert(sizeof(token_bounds) == sizeof(seconds_bounds), "as many");

#define HISTOGRAMS(X)                                                                              \
    X(OPERATION, "gen_ai_client_operation_duration_seconds", seconds_bounds,                       \
      "Calls of models, from the request to the end of the reply, tries and waits included")       \
    X(INFERENCE, "gen_ai_client_inference_duration_seconds", seconds_bounds,                       \
      "Calls of models, from the request to the end of the reply, tries and waits included")       \
    X(FIRST_CHUNK, "gen_ai_client_inference_time_to_first_chunk_seconds", seconds_bounds,          \
      "From the request to the first piece of the reply")                                          \
    X(TOKENS, "gen_ai_client_token_usage", token_bounds, "Tokens of a call of a model")            \
    X(TOOL, "gen_ai_execute_tool_duration_seconds", seconds_bounds, "Calls of tools")              \
    X(TURN, "gen_ai_invoke_agent_duration_seconds", seconds_bounds,                                \
      "Turns, from taking one to its end here")
enum histogram {
#define X(name, ...) HISTOGRAM_##name,
    HISTOGRAMS(X)
#undef X
};

/* What was made: "name{labels}" → metric. */
static struct metric *known(const char *name, const char *labels, const char *help,
                            const double *bounds)
{
    static struct map *made;
    scoped_buf(key, 2048);
    buf_puts(&key, name);
    buf_putc(&key, '{');
    buf_puts(&key, labels);
    buf_putc(&key, '}');
    if (!made)
        made = map_new();
    struct metric *m = map_get(made, buf_str(&key));
    if (m)
        return m;
    char *kept = xstrdup(labels); /* for as long as the process lives, as metric_new wants it */
    m = bounds ? metric_histogram(name, kept, help, bounds, BOUNDS)
               : metric_new(METRIC_COUNTER, name, kept, help);
    map_put(made, buf_str(&key), m);
    return m;
}

static void observe(enum histogram h, const char *labels, double value)
{
    static const struct {
        const char *name, *help;
        const double *bounds;
    } rows[] = {
#define X(id, name, bounds, help) [HISTOGRAM_##id] = {name, help, bounds},
        HISTOGRAMS(X)
#undef X
    };
    metric_observe(known(rows[h].name, labels, rows[h].help, rows[h].bounds), value);
}

static void count(const char *name, const char *labels, const char *help, uint64_t by)
{
    metric_add(known(name, labels, help, NULL), (double)by);
}

/* A label's value (Prometheus text format). What would break a line becomes a blank. */
static void label(struct buf *b, const char *name, const char *value)
{
    buf_puts(b, b->len > 0 ? "," : "");
    buf_puts(b, name);
    buf_puts(b, "=\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_putc(b, '\\');
        buf_putc(b, (unsigned char)*c < ' ' ? ' ' : *c);
    }
    buf_putc(b, '"');
}

static void error_label(struct buf *b, enum err err)
{
    if (err != ERR_NONE)
        label(b, "error_type", err_word(err));
}

static void observe_tokens(const char *labels, const char *type, uint64_t tokens)
{
    scoped_buf(b, 1024);
    buf_puts(&b, labels);
    label(&b, "gen_ai_token_type", type);
    observe(HISTOGRAM_TOKENS, buf_cstr(&b), (double)tokens);
}

void genai_inference(const struct genai_call *c)
{
    static const char help[] = "Tokens of models' calls, as their providers count them";
    scoped_buf(labels, 1024);
    scoped_buf(ended, 1024);
    label(&labels, "gen_ai_operation_name", "chat");
    label(&labels, "gen_ai_provider_name", c->provider);
    label(&labels, "gen_ai_request_model", c->model);
    buf_add_str(&ended, buf_str(&labels));
    error_label(&ended, c->err);
    const char *plain = buf_cstr(&labels);
    observe(HISTOGRAM_OPERATION, buf_cstr(&ended), c->seconds);
    observe(HISTOGRAM_INFERENCE, buf_cstr(&ended), c->seconds);
    if (c->first_chunk_seconds >= 0)
        observe(HISTOGRAM_FIRST_CHUNK, plain, c->first_chunk_seconds);
    if (c->used.input_tokens > 0)
        observe_tokens(plain, "input", c->used.input_tokens);
    if (c->used.output_tokens > 0)
        observe_tokens(plain, "output", c->used.output_tokens);
    count("gen_ai_client_inference_usage_input_tokens_total", plain, help, c->used.input_tokens);
    count("gen_ai_client_inference_usage_output_tokens_total", plain, help, c->used.output_tokens);
    count("gen_ai_client_inference_usage_cache_read_input_tokens_total", plain, help,
          c->used.cached_tokens);
}

void genai_tool(const char *tool, bool failed, double seconds)
{
    scoped_buf(labels, 512);
    label(&labels, "gen_ai_operation_name", "execute_tool");
    label(&labels, "gen_ai_tool_name", tool);
    if (failed)
        label(&labels, "error_type", "failed");
    observe(HISTOGRAM_TOOL, buf_cstr(&labels), seconds);
}

void genai_turn(enum err why, double seconds)
{
    scoped_buf(labels, 256);
    label(&labels, "gen_ai_operation_name", "invoke_agent");
    label(&labels, "gen_ai_agent_name", "persai");
    error_label(&labels, why);
    observe(HISTOGRAM_TURN, buf_cstr(&labels), seconds);
}
