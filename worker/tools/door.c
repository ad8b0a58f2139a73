#include "worker/tools/door.h"

#include <stdlib.h>
#include "common/check.h"

struct door {
    unsigned refs;
    char *path;
};

struct door *door_new(const char *path)
{
    struct door *d = xcalloc(1, sizeof(*d));
    d->refs = 1;
    d->path = xstrdup(path);
    return d;
}

const char *door_path(const struct door *d) { return d->path; }

struct door *door_ref(struct door *d)
{
    d->refs++;
    return d;
}

void door_free(struct door *d)
{
    if (!d || --d->refs > 0)
        return;
    free(d->path);
    free(d);
}
