#include "worker/llm/hide_key.h"

#include <string.h>

void hide_key(struct reply *r, const struct secret *secret)
{
    struct str key = secret_reveal(secret);
    if (!r->detail)
        return;
    size_t len = strlen(r->detail);
    char *end = r->detail + len;
    secret_hide(secret, r->detail, len);
    for (size_t n = key.len; n >= SECRET_PART_MIN; n--)
        if (n <= len && memcmp(end - n, key.at, n) == 0)
            memset(end - n, '*', n);
}
