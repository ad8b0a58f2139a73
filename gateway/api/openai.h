/* gateway/api/openai.h: what routes.c needs of the door for OpenAI's clients. */
#ifndef GATEWAY_API_OPENAI_H
#define GATEWAY_API_OPENAI_H

#include "gateway/api/call.h"

void openai_fail(struct buf *b, enum err err, unsigned status, const char *sentence);

#endif
