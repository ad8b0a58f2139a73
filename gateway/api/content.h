/* gateway/api/content.h: a message's content as doors' clients send it: a text, or a list of parts.
 * Pure. */
#ifndef GATEWAY_API_CONTENT_H
#define GATEWAY_API_CONTENT_H

#include <jansson.h>
#include "common/str.h"

enum content_kind {
    CONTENT_TEXT,
    CONTENT_OTHER,  /* a part is no text */
    CONTENT_STRANGE /* neither text nor list */
};
/* All parts' texts, a line each; empty for NULL and null. *owned: to be freed, or NULL. */
enum content_kind content_read(const json_t *content, size_t bytes_max, struct str *text,
                               char **owned);

#endif
