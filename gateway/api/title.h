/* gateway/api/title.h: what a session is called that was not given a title. */
#ifndef GATEWAY_API_TITLE_H
#define GATEWAY_API_TITLE_H

#include "common/buf.h"

/* The first line of a question, blanks trimmed, at most max bytes, cut at a character. Borrows. */
struct str title_of(struct str message, size_t max);

#endif
