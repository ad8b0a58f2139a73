#include "proto/id.h"

#include <string.h>
#include <sodium.h>
#include "common/hex.h"
#include "common/json.h"

struct id id_new(void)
{
    struct id id;
    randombytes_buf(id.bytes, sizeof(id.bytes));
    return id;
}

bool id_parse(struct str text, struct id *out)
{
    return text.len == ID_TEXT && hex_read(text, out->bytes);
}

void id_text(struct id id, char out[ID_TEXT + 1]) { hex_write(id.bytes, sizeof(id.bytes), out); }

void id_field(struct buf *b, const char *key, struct id id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    json_field(b, key, str_of(text));
}

bool id_eq(struct id a, struct id b) { return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0; }

bool id_is_zero(struct id id)
{
    static const struct id zero;
    return id_eq(id, zero);
}

struct str id_key(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof(id->bytes)};
}

const char *id_log(struct id id)
{
    static char texts[4][ID_TEXT + 1];
    static unsigned next;
    char *text = texts[next++ % 4];
    id_text(id, text);
    return text;
}
