/* worker/llm/tagcall.h: a tool call that a model wrote in tags. Pure.
 *
 *     <function=NAME><parameter=K>V</parameter></function>            Qwen's coder, Llama
 *     <invoke name="NAME"><parameter name="K">V</parameter></invoke>  Anthropic's, DeepSeek's
 *     <tool_call>NAME<arg_key>K</arg_key><arg_value>V</arg_value>     GLM's
 *     <name>NAME</name><arguments>{…}</arguments>, <NAME><K>V</K></NAME>
 *
 * Values are texts: who checks the arguments reads a number in one. */
#ifndef WORKER_LLM_TAGCALL_H
#define WORKER_LLM_TAGCALL_H

#include <jansson.h>
#include "common/buf.h"

/* The call that begins at this place of the text, which is a '<'. *name is in the text; *end:
 * behind it. NULL: there is none; else its arguments, an object. */
json_t *tagcall_read(struct str text, size_t at, struct str *name, size_t *end);

#endif
