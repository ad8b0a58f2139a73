#include "worker/llm/hide_key.h"

#include <string.h>

void hide_key(struct reply *r, const struct secret *secret)
{
    enum { PART_MIN = 8 };
    struct str key = secret_reveal(secret);
    char *at = r->detail, *end = at + strlen(at);
    if (key.len < PART_MIN)
        return;
    for (char *found; (found = memmem(at, (size_t)(end - at), key.at, key.len)) != NULL;
         at = found + key.len)
        memset(found, '*', key.len);
    for (size_t n = key.len; n >= PART_MIN; n--)
        if (n <= (size_t)(end - at) && memcmp(end - n, key.at, n) == 0)
            memset(end - n, '*', n);
}
