#include "worker/tools/prometheus/near.h"

#include <stdlib.h>
#include "common/check.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/text.h"

enum { NAMES = 5, NAME_SHOWN = 120, NAMES_BYTES = NAMES * (NAME_SHOWN + 8) };

struct near {
    struct tool_run *run;
    const struct catalog *catalog;
    struct catalog_search search;
    near_fn *fn;
    void *arg;
};

void near_free(struct near *n)
{
    if (!n)
        return;
    if (n->run->step_state == n) {
        n->run->step = NULL;
        n->run->step_state = NULL;
    }
    catalog_search_free(&n->search);
    free(n);
}

static bool step(struct tool_run *r)
{
    struct near *n = r->step_state;
    struct str names[NAMES];
    bool searched = n->catalog != NULL && n->search.word_count > 0;
    if (searched && catalog_search_step(&n->search, n->catalog))
        return true;
    scoped_buf(text, NAMES_BYTES);
    unsigned count = searched ? catalog_best(&n->search, n->catalog, names, NAMES) : 0;
    for (unsigned i = 0; i < count; i++) {
        buf_puts(&text, i > 0 ? ", " : "");
        text_clean(&text, names[i], NAME_SHOWN);
    }
    r->step = NULL;
    r->step_state = NULL;
    n->fn(n->arg, buf_str(&text));
    return r->step != NULL; /* fn may have begun another */
}

struct near *near_find(struct tool_run *r, const struct catalog *c, struct str name, near_fn *fn,
                       void *arg)
{
    struct near *n = xcalloc(1, sizeof(*n));
    n->run = r;
    n->catalog = c;
    n->fn = fn;
    n->arg = arg;
    catalog_search_init(&n->search, name, 0, NAMES);
    r->step_state = n;
    run_steps(r, step);
    return n;
}
