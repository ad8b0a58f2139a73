#include "proto/id.h"

#include <string.h>
#include <sodium.h>

struct id id_new(void)
{
    struct id id;
    randombytes_buf(id.bytes, sizeof id.bytes);
    return id;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool id_parse(struct str text, struct id *out)
{
    if (text.len != ID_TEXT)
        return false;
    for (size_t i = 0; i < sizeof out->bytes; i++) {
        int high = digit(text.at[2 * i]), low = digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void id_text(struct id id, char out[ID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        out[2 * i] = digits[id.bytes[i] >> 4];
        out[2 * i + 1] = digits[id.bytes[i] & 15];
    }
    out[ID_TEXT] = '\0';
}

bool id_eq(struct id a, struct id b) { return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0; }

bool id_is_zero(struct id id)
{
    static const struct id zero;
    return id_eq(id, zero);
}

struct str id_key(const struct id *id)
{
    return (struct str){(const char *)id->bytes, sizeof id->bytes};
}

const char *id_log(struct id id)
{
    static char texts[4][ID_TEXT + 1];
    static unsigned next;
    char *text = texts[next++ % 4];
    id_text(id, text);
    return text;
}
