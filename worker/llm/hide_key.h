/* worker/llm/hide_key.h: a server that repeats the key in an error must not show it to a person or
 * to a log. Its words may end in the midst of it, where they were cut off. */
#ifndef WORKER_LLM_HIDE_KEY_H
#define WORKER_LLM_HIDE_KEY_H

#include "common/secret.h"
#include "worker/llm/reply.h"

/* In the reply's detail; secret may be NULL. */
void hide_key(struct reply *r, const struct secret *secret);

#endif
