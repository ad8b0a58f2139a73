/* worker/llm/codecall.h: a tool call that a model wrote as a line of code: NAME(k="v"), also in a
 * list, printed or of an object (print(default_api.NAME(…))), or a name with its arguments as JSON
 * behind it, as NAME{…}, NAME[ARGS]{…}, "Action: NAME" and "Action Input: {…}", to=functions.NAME.
 * Pure. */
#ifndef WORKER_LLM_CODECALL_H
#define WORKER_LLM_CODECALL_H

#include <jansson.h>
#include "common/buf.h"

/* May a call begin here? At a line's beginning, or behind what stands before calls. */
bool codecall_may(struct str text, size_t at);
/* The call that begins at this place of the text, with its name. *name is in the text; *end: behind
 * it. NULL: there is none; else its arguments, an object. */
json_t *codecall_read(struct str text, size_t at, struct str *name, size_t *end);
/* Where the words that stand before a call at this place begin: "Action:", "print(". */
size_t codecall_before(struct str text, size_t at);

/* How long the mark is that the text begins with, as <|message|>; 0: there is none. */
size_t codecall_mark(struct str text);

#endif
