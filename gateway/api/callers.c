#include "gateway/api/callers.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/map.h"

struct callers {
    struct map *users; /* name → caller */
};
struct caller {
    struct callers *callers;
    char *user;
    uint32_t requests;
    uint64_t bytes; /* of all of them */
};
struct visitor { /* a request */
    struct caller *caller;
    uint64_t bytes;
};

struct callers *callers_new(void)
{
    struct callers *c = xcalloc(1, sizeof(*c));
    c->users = map_new();
    return c;
}

void callers_free(struct callers *c)
{
    if (!c)
        return;
    CHECK(map_size(c->users) == 0);
    map_free(c->users);
    free(c);
}

static void leave(void *arg)
{
    struct visitor *v = arg;
    struct caller *u = v->caller;
    u->bytes -= v->bytes;
    free(v);
    if (--u->requests > 0)
        return;
    map_remove(u->callers->users, str_of(u->user));
    free(u->user);
    free(u);
}

struct visitor *callers_enter(struct callers *c, const char *user, uint32_t max,
                              struct http_request *r)
{
    struct caller *u = map_get(c->users, str_of(user));
    if (u && max > 0 && u->requests >= max)
        return NULL;
    if (!u) {
        u = xcalloc(1, sizeof(*u));
        u->callers = c;
        u->user = xstrdup(user);
        map_put(c->users, str_of(user), u);
    }
    u->requests++;
    struct visitor *v = xcalloc(1, sizeof(*v));
    v->caller = u;
    http_on_over(r, leave, v);
    return v;
}

bool callers_hold(struct visitor *v, uint64_t bytes, uint64_t max)
{
    struct caller *u = v->caller;
    if (bytes > max || u->bytes > max - bytes)
        return false;
    u->bytes += bytes;
    v->bytes += bytes;
    return true;
}
