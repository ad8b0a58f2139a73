/* worker/llm/instructions.h: what a model is told of its work: the same in each call of every
 * conversation, so that providers' and servers' caches hold it. */
#ifndef WORKER_LLM_INSTRUCTIONS_H
#define WORKER_LLM_INSTRUCTIONS_H

#include <stdbool.h>

/* small: a model of few billion parameters, which follows examples better than rules. */
const char *instructions(bool small);

#endif
