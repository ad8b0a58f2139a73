/* worker/llm/brief.h: tools as a small model is told of them: of a description its first sentence,
 * of the arguments those that a query needs. What only dresses a chart up, pages through a list or
 * names the datasource that is in use anyway is left out, where it need not be given: each is one
 * more place to go wrong, and some hundred tokens in each call. What an MCP server offers stays as
 * it is. Pure. */
#ifndef WORKER_LLM_BRIEF_H
#define WORKER_LLM_BRIEF_H

#include <stdbool.h>
#include "worker/tools/tools.h"

struct brief {
    struct tool_spec *tools; /* as many as there were */
    unsigned count;
    char **texts; /* owned: what tools point to */
};
/* one_source: the conversation has one datasource at most. */
void brief_init(struct brief *b, const struct tool_spec *tools, unsigned count, bool one_source);
void brief_free(struct brief *b);
/* "query, time?": its arguments, those that may be left out with a question mark. */
void brief_arguments(const char *schema_json, struct buf *b);

#endif
