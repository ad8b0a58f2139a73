/* proto/id.h: 128 random bits that name a session or a turn; as text 32 lower-case hexadecimal
 * digits. */
#ifndef PROTO_ID_H
#define PROTO_ID_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

struct id {
    uint8_t bytes[16];
};
enum { ID_TEXT = 32 };

struct id id_new(void);
bool id_parse(struct str text, struct id *out); /* exactly 32 of 0-9a-f */
void id_text(struct id id, char out[ID_TEXT + 1]);
void id_field(struct buf *b, const char *key, struct id id); /* a member of a JSON object */
bool id_eq(struct id a, struct id b);
bool id_is_zero(struct id id);          /* "none" */
struct str id_key(const struct id *id); /* its bytes, for a map */
/* For a %s of a log line; up to 4 live at once. */
const char *id_log(struct id id);

#endif
