/* worker/llm/history.h: what earlier messages of a conversation become for the model that is asked
 * now, which need not be the one that wrote them: ids and names of tool calls as its API takes
 * them, and whose thoughts go back.
 *
 * An id that the API takes stays; any other is made of it, the same one in each request. No two
 * calls of a request have the same. Memory: embedded; history_free. */
#ifndef WORKER_LLM_HISTORY_H
#define WORKER_LLM_HISTORY_H

#include <stdbool.h>
#include "common/buf.h"
#include "worker/llm/model.h"
#include "worker/llm/prompt.h"

struct llm_request;
enum { HISTORY_ID_MAX = 64, HISTORY_MAKER = 24 };
struct history_id {
    char text[HISTORY_ID_MAX + 1];
};
struct history {
    const struct llm_request *request;
    char maker[HISTORY_MAKER + 1]; /* of the model that is asked */
    struct history_id *ids;
    unsigned *first; /* by item of the prompt: where its ids begin */
    unsigned count;
};

void history_init(struct history *h, const struct llm_request *r); /* r is borrowed */
void history_free(struct history *h);
struct str history_call_id(const struct history *h, unsigned item, unsigned call);
struct str history_result_id(const struct history *h, unsigned item);
/* Did this very model write it, by this API at this place? Only then are its thoughts any good. */
bool history_own(const struct history *h, const struct prompt_item *item);
/* ,"key":"name", in letters that every API takes. */
void history_name(struct buf *b, const char *key, struct str tool_name);
/* Names API, place and model; the key may change. */
void history_maker(const struct model *m, char out[HISTORY_MAKER + 1]);

#endif
