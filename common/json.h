/* common/json.h: JSON text (RFC 8259) written straight into a buf, without a tree, and the text of
 * a jansson string. What is written is whole or nothing; bytes that are no UTF-8 become U+FFFD. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

/* A quoted, escaped string. */
bool json_str(struct buf *b, struct str s);
/* "key": and a comma before it, unless the last byte is { or [. */
bool json_key(struct buf *b, const char *key);

/* Members: json_key and the value. */
void json_field(struct buf *b, const char *key, struct str value);
void json_field_u64(struct buf *b, const char *key, uint64_t value);
void json_field_bool(struct buf *b, const char *key, bool value);
/* value: JSON text; null where it is empty. */
void json_field_raw(struct buf *b, const char *key, struct str value);

/* About what jansson's tree of this text takes, and never much less; of a text that is no JSON too.
 * Two bytes may be a value of fifty: whoever keeps trees of others' texts bounds them by this. */
size_t json_tree_bytes(struct str text);

/* Where the item of this number, from 0, begins in the text of a list, which is JSON; 0: it has
 * fewer. */
size_t json_item_at(struct str text, size_t item);

/* Borrowed from v. Nothing (NULL, 0) where it is no string, or NULL. */
static inline struct str json_text(const json_t *v)
{
    return (struct str){json_string_value(v), json_string_length(v)};
}

/* A member, borrowed. NULL: it is not there, null, or a text of blanks: many models fill in what
 * they would leave out. */
static inline json_t *json_given(const json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    bool blank = json_is_string(v) && str_trim(json_text(v)).len == 0;
    return json_is_null(v) || blank ? NULL : v;
}

#endif
