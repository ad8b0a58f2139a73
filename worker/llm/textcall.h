/* worker/llm/textcall.h: a tool call that a model wrote as text, though it was told of tools in the
 * API's own way; small models and many templates do. Pure.
 *
 * Read are JSON objects with a name and arguments as models are trained to write them: bare, in a
 * list, between tags (<tool_call>, <function=NAME>, [TOOL_CALLS], <|python_tag|>) or fences; calls
 * in tags (tagcall.h) and as code (codecall.h). Calls are the end of what is said: what goes on
 * behind them is an answer that shows a call. Whether a tool has that name is for the reader to
 * say. */
#ifndef WORKER_LLM_TEXTCALL_H
#define WORKER_LLM_TEXTCALL_H

#include <jansson.h>
#include "common/buf.h"

enum { TEXTCALLS_MAX = 8 };
struct textcall {
    char *tool_name, *arguments; /* arguments: the text of a JSON object */
};
struct textcalls {
    struct textcall all[TEXTCALLS_MAX];
    unsigned count;
    size_t said; /* bytes before the first: what was said to the person */
};
/* count 0: there is none. Memory: textcalls_free, in any case. */
void textcalls_read(struct textcalls *c, struct str text);
void textcalls_free(struct textcalls *c);

#endif
