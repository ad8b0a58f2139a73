#include "common/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "level=error event=check.failed at=%s:%d what=\"%s\"\n", file, line, what);
    abort();
}

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    CHECK(p != NULL);
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    CHECK(p != NULL);
    return p;
}

void *xrealloc(void *take_ptr, size_t size)
{
    void *p = realloc(take_ptr, size ? size : 1);
    CHECK(p != NULL);
    return p;
}

char *xstrndup(const char *text, size_t len)
{
    char *p = xmalloc(len + 1);
    if (len > 0)
        memcpy(p, text, len);
    p[len] = '\0';
    return p;
}

char *xstrdup(const char *text) { return xstrndup(text, strlen(text)); }
