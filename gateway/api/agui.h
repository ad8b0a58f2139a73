/* gateway/api/agui.h: what routes.c needs of the door for AG-UI's clients. */
#ifndef GATEWAY_API_AGUI_H
#define GATEWAY_API_AGUI_H

#include "gateway/api/call.h"

void agui_fail(struct buf *b, enum err err, unsigned status, const char *sentence);

#endif
