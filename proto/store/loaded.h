/* proto/store/loaded.h: what store_turn_load answered, kept beyond its callback: for who must wait
 * for something else before the conversation is used, and need not ask Redis for it twice. */
#ifndef PROTO_STORE_LOADED_H
#define PROTO_STORE_LOADED_H

#include "proto/store/answer.h"

struct store_loaded;
/* Within the callback. NULL: it has more messages than are worth their memory, load it again.
 * Decisions are not kept. The caller frees it. */
struct store_loaded *store_loaded_keep(const struct store_answer *a);
const struct store_answer *store_loaded_answer(const struct store_loaded *l);
void store_loaded_free(struct store_loaded *l); /* NULL is fine */

#endif
