/* worker/genai.h: OpenTelemetry's metrics of generative AI, as Prometheus spells them
 * (semantic-conventions-genai v0.1.0), in the worker's /metrics. The two that v0.1.0 did away with,
 * gen_ai_client_token_usage and gen_ai_client_operation_duration_seconds, are there as well:
 * dashboards that are older ask for them.
 *
 * Series are by provider, model, tool and error word: what operators configure and errors.def
 * lists, never what comes from outside. They are made when they are first needed, and live as long
 * as the process. */
#ifndef WORKER_GENAI_H
#define WORKER_GENAI_H

#include <stdbool.h>
#include "proto/err.h"
#include "proto/usage.h"

struct genai_call {
    const char *provider, *model; /* as the conventions name the provider; the model's id there */
    enum err err;
    double seconds;
    double first_chunk_seconds; /* below 0: nothing came */
    struct usage used;
};
void genai_inference(const struct genai_call *c);
void genai_tool(const char *tool, bool failed, double seconds);
void genai_turn(enum err why, double seconds);

#endif
