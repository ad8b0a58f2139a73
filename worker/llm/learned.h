/* worker/llm/learned.h: what a model's server refuses of a request, learned from its own words: a
 * parameter that it does not know (max_tokens where it wants max_completion_tokens, temperature,
 * stream_options, parallel_tool_calls, response_format …), a limit that is too high, thoughts that
 * it wants back or can't read. The request is mended and sent again at once; what was learned holds
 * for the model's later requests while this process runs, a limit for an hour: it may have been
 * one request's. So does who opens its thoughts.
 *
 * Memory: it is kept in the model (struct learned). */
#ifndef WORKER_LLM_LEARNED_H
#define WORKER_LLM_LEARNED_H

#include <stdbool.h>
#include "common/buf.h"
#include "worker/llm/model.h"
#include "worker/llm/think.h"

/* The name of the answer's limit in Chat Completions: as the models file says, as learned, or by
 * the model's id. */
const char *learned_tokens_field(const struct model *m);
/* Before each call: a limit that was learned an hour ago or more is forgotten. */
void learned_age(const struct model *m, int64_t now_ms);
uint32_t learned_output_max(const struct model *m, uint32_t most);
/* What a reply showed of who opens the thoughts. opened: it is whole, and the template was taken to
 * do it. */
void learned_thoughts(const struct model *m, const struct think *t, bool opened);
/* Mends a request as was learned. */
void learned_apply(const struct model *m, struct buf *body);
/* From a refusal's words (JSON text). True: something was learned, and the body is another now;
 * *what is the parameter's name. */
bool learned_from(const struct model *m, struct str words, struct buf *body, const char **what);

#endif
