#include "worker/tools/prometheus/grow.h"

#include <string.h>
#include <strings.h>

/* A value of the data: longer ones are rare. */
enum { DATA_BYTES = 100 };

static bool is(struct str word, const char *name)
{
    return word.len == strlen(name) && strncasecmp(word.at, name, word.len) == 0;
}

void grow_call(struct grow *g, struct str function)
{
    if (is(function, "label_join"))
        g->how = GROW_JOINS;
    else if (is(function, "label_replace"))
        g->how = GROW_REPLACES;
    else if (is(function, "label_transform")) /* MetricsQL's */
        g->how = GROW_TRANSFORMS;
}

/* What is put in, or between. A backslash may write a $, as \x24. */
void grow_string(struct grow *g, struct str inside)
{
    if (g->how == GROW_NOT || g->commas != (g->how == GROW_TRANSFORMS ? 3 : 2))
        return;
    g->written += inside.len;
    for (size_t i = 0; i < inside.len; i++)
        g->marks += inside.at[i] == '$' || inside.at[i] == '\\';
}

void grow_around(struct grow *g, uint64_t bytes) { g->bytes = bytes > g->bytes ? bytes : g->bytes; }

uint64_t grow_bytes(const struct grow *g)
{
    uint64_t inside = g->bytes > DATA_BYTES ? g->bytes : DATA_BYTES, times = 1;
    if (g->how == GROW_JOINS && g->commas > 3)
        times = g->commas - 2;
    else if (g->how == GROW_REPLACES && g->marks > 1)
        times = g->marks;
    else if (g->how == GROW_TRANSFORMS) /* its expression may match at each letter */
        times = g->written + 1;
    return inside * times + g->written * (g->how == GROW_JOINS ? times : 1);
}
