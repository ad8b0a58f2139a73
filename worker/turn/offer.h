/* worker/turn/offer.h: which tools a model is told of in a call. Pure.
 *
 * All of them take some 9,000 tokens of each call, so most join when they are wanted: a core that
 * reads metrics is there from the start, the others when a question of the conversation names what
 * they are for (words.h, also in other languages), when find_tools named them, or when they were
 * called before. A kind of datasource joins as a whole, and none that the person doesn't have. The
 * set only grows within a conversation, in the order of tools.def, so that caches hold. MCP
 * servers' tools are the operator's choice: they are always there. A model whose entry names its
 * tools gets these. */
#ifndef WORKER_TURN_OFFER_H
#define WORKER_TURN_OFFER_H

#include <stdbool.h>
#include "proto/store/answer.h"
#include "worker/llm/model.h"
#include "worker/tools/tool.h"

struct offer_facts {
    const struct model *model;
    const struct store_message *messages;
    unsigned message_count;
    bool dashboards; /* the person has added dashboards or panels */
    bool alert;      /* it is an investigation */
    bool all;        /* nothing waits to be asked for */
    /* Has the person no datasource that such a tool could ask? NULL: not known. */
    bool (*lacks)(void *arg, enum tool_source source);
    void *arg;
};
/* out has room for all; how many it is. */
unsigned offer_tools(const struct offer_facts *f, const struct tool_spec *all, unsigned count,
                     struct tool_spec *out);

#endif
