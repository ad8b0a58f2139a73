/* common/jsontext.h: the text of a JSON string as a struct str. */
#ifndef COMMON_JSONTEXT_H
#define COMMON_JSONTEXT_H

#include <jansson.h>
#include "common/buf.h"

/* Borrowed from v. Nothing (NULL, 0) where it is no string, or NULL. */
static inline struct str json_text(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

#endif
