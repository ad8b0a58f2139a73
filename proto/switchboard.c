#include "proto/switchboard.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/log.h"
#include "proto/store/store.h"
#include "proto/store/switching.h"

enum { ASK_MS = 1000 };

struct switchboard {
    struct store *store;
    const char *file;
    loop_fn *on_change;
    void *arg;
    struct switched now;
    struct loop_timer *timer;
    uint64_t asked;
};

static void on_timer(void *arg);
static void on_switches(void *arg, enum err err, const struct store_answer *a);
static void changed(struct switchboard *b);

struct switchboard *switchboard_new(struct loop *l, struct store *s, const char *file,
                                    loop_fn *on_change, void *arg, char error[256])
{
    struct switches of_file = {0};
    if (*file && !switches_read_file(file, &of_file, error))
        return NULL;
    struct switchboard *b = xcalloc(1, sizeof(*b));
    *b = (struct switchboard){
        .store = s, .file = file, .on_change = on_change, .arg = arg, .now.of_file = of_file};
    b->timer = loop_timer_new(l, on_timer, b);
    loop_timer_set(b->timer, 0, ASK_MS);
    return b;
}

void switchboard_free(struct switchboard *b)
{
    if (!b)
        return;
    store_forget(b->store, b->asked);
    loop_timer_free(b->timer);
    switches_free(&b->now.of_file);
    switches_free(&b->now.of_store);
    free(b);
}

static void on_timer(void *arg)
{
    struct switchboard *b = arg;
    if (b->asked == 0 && store_ready(b->store))
        b->asked = store_switches_get(b->store, on_switches, b);
}

static void on_switches(void *arg, enum err err, const struct store_answer *a)
{
    struct switchboard *b = arg;
    b->asked = 0;
    if (err == ERR_NONE)
        switchboard_told(b, a->switches);
}

void switchboard_told(struct switchboard *b, const struct switches *s)
{
    if (switches_same(&b->now.of_store, s))
        return;
    switches_free(&b->now.of_store);
    for (unsigned i = 0; i < s->count; i++)
        (void)!switches_add(&b->now.of_store, str_of(s->at[i].name), str_of(s->at[i].sentence),
                            str_of(s->at[i].by), s->at[i].at_ms);
    changed(b);
}

static void changed(struct switchboard *b)
{
    log_info("switches", "off_by_file=%u off_by_store=%u", b->now.of_file.count,
             b->now.of_store.count);
    if (b->on_change)
        b->on_change(b->arg);
}

bool switchboard_reload(struct switchboard *b, char error[256])
{
    struct switches fresh;
    if (!*b->file)
        return true;
    if (!switches_read_file(b->file, &fresh, error))
        return false;
    switches_free(&b->now.of_file);
    b->now.of_file = fresh;
    changed(b);
    return true;
}

const struct switched *switchboard_now(const struct switchboard *b) { return b ? &b->now : NULL; }
