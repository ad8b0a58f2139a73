/* worker/llm/jsontools.h: tools for a model that has no tool calling: it answers with one JSON
 * object,
 * {"tool": …, "arguments": {…}} or {"answer": …}, and is told so in its instructions. Where an API
 * can constrain what a model writes it is given the schema: Chat Completions (llama.cpp, vLLM,
 * Ollama too), Responses, Gemini. Anthropic's Messages (output_config.format) refuse schemas with
 * bounds or with more than a few optional fields, which ours have: there it is the instructions
 * alone.
 *
 * Its replies are told on when they are whole: JSON is nothing for people. */
#ifndef WORKER_LLM_JSONTOOLS_H
#define WORKER_LLM_JSONTOOLS_H

#include "worker/llm/prompt.h"
#include "worker/llm/reply.h"
#include "worker/tools/tools.h"

/* The same conversation without tool calls: what the model called and what came of it as texts.
 * Memory: texts are borrowed from in, or owned by out; jsontools_free. */
struct jsontools {
    struct prompt prompt;
    struct buf texts;  /* that items of prompt point into */
    struct buf schema; /* JSON Schema of a reply; without tools of an answer only */
};
/* What it may write. The instructions are the same for all: a server's cache holds them. */
enum jsontools_form { JSONTOOLS_ANY, JSONTOOLS_CALL, JSONTOOLS_ANSWER };
/* brief: of the arguments' schemas the model reads the names alone; what it writes is held to them
 * all the same. */
void jsontools_write(const struct prompt *in, const struct tool_spec *tools, unsigned count,
                     enum jsontools_form form, bool brief, struct jsontools *out);
void jsontools_free(struct jsontools *j);
/* The whole reply, which told nothing on so far: becomes a tool call or a text, and is told on to
 * h. What is no such object is an answer as it stands. */
enum err jsontools_read(struct reply *r, const struct reply_handler *h) warn_unused;

#endif
