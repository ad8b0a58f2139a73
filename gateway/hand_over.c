#include "gateway/hand_over.h"

#include <stdio.h>
#include <string.h>
#include "common/utc.h"
#include "gateway/gateway.h"
#include "gateway/auth/user.h"
#include "proto/store/owner.h"
#include "proto/store/store.h"

enum { REDIS_WAIT_MS = 5000, LOOK_MS = 20 };

struct hand_over {
    struct gateway *gateway;
    struct loop_timer *timer;
    const char *from, *to; /* as they were given */
    char owner[USER_MAX_BYTES], heir[USER_MAX_BYTES];
    int64_t until_ms; /* Redis is waited for */
    bool exact;       /* of `to`: the owner itself was given */
    bool over;
    int code;
};

static void on_look(void *arg);
static void ask_heir(struct hand_over *h, struct str name);
static void on_heirs(void *arg, enum err err, const struct store_answer *a);
static void ask_owner(struct hand_over *h);
static void on_owners(void *arg, enum err err, const struct store_answer *a);
static void list_owners(const struct hand_over *h, const struct store_answer *a);
static void on_moved(void *arg, enum err err, const struct store_answer *a);

int hand_over_run(struct gateway *g, const char *from, const char *to)
{
    struct hand_over h = {.gateway = g, .from = from, .to = to, .code = 1};
    h.until_ms = loop_now_ms(g->loop) + REDIS_WAIT_MS;
    h.timer = loop_timer_new(g->loop, on_look, &h);
    loop_timer_set(h.timer, LOOK_MS, LOOK_MS);
    loop_run(g->loop);
    loop_timer_free(h.timer);
    return h.code;
}

/* Once Redis is there it begins; once all is written it ends. */
static void on_look(void *arg)
{
    struct hand_over *h = arg;
    struct gateway *g = h->gateway;
    if (h->over) {
        if (store_idle(g->store))
            loop_stop(g->loop);
    } else if (h->until_ms == 0) {
        return;
    } else if (store_ready(g->store)) {
        h->until_ms = 0;
        ask_heir(h, str_of(h->to));
    } else if (loop_now_ms(g->loop) >= h->until_ms) {
        printf("Redis does not answer at %s\n", redis_where(g->redis));
        h->over = true;
    }
}

static void keep(struct str owner, char out[USER_MAX_BYTES])
{
    snprintf(out, USER_MAX_BYTES, "%.*s", (int)owner.len, owner.at);
}

/* True: it was said, and is over. */
static bool failed(struct hand_over *h, enum err err)
{
    if (err == ERR_NONE)
        return false;
    printf("Redis could not do it: %s\n", err_word(err));
    h->over = true;
    return true;
}

/* ---- who gets them ---- */

static void ask_heir(struct hand_over *h, struct str name)
{
    store_owner_list(h->gateway->store, name, on_heirs, h);
}

static void on_heirs(void *arg, enum err err, const struct store_answer *a)
{
    struct hand_over *h = arg;
    struct str to = str_of(h->to), name;
    int64_t created_ms, latest_ms = -1;
    if (failed(h, err))
        return;
    for (unsigned i = 1; i < a->owner_count; i++) { /* the first is the name itself */
        struct str owner = a->owners[i].owner;
        if (owner.len >= USER_MAX_BYTES || !user_split(owner, &name, &created_ms) ||
            created_ms <= latest_ms || (h->exact && !str_eq(owner, to)))
            continue;
        latest_ms = created_ms;
        keep(owner, h->heir);
    }
    if (!*h->heir && !h->gateway->settings.auth && str_is(to, USER_LOCAL))
        keep(to, h->heir);
    if (*h->heir) {
        ask_owner(h);
    } else if (!h->exact && user_split(to, &name, &created_ms)) {
        h->exact = true;
        ask_heir(h, name);
    } else {
        printf("Nobody called %s was here since times of creation are noted: let them sign in to "
               "Perses and open PersAI once\n",
               h->to);
        h->over = true;
    }
}

/* ---- whose they are ---- */

/* NAME: of whichever account; "NAME:" is what an earlier version kept under the name alone. */
static void ask_owner(struct hand_over *h)
{
    struct str from = str_of(h->from);
    from.len -= from.len > 1 && from.at[from.len - 1] == ':';
    store_owner_list(h->gateway->store, from, on_owners, h);
}

static bool may_be_meant(const struct hand_over *h, const struct store_answer *a, unsigned i)
{
    size_t len = strlen(h->from);
    bool bare_alone = len > 1 && h->from[len - 1] == ':';
    return a->owners[i].sessions > 0 && !str_is(a->owners[i].owner, h->heir) &&
           (i == 0 || !bare_alone);
}

static void on_owners(void *arg, enum err err, const struct store_answer *a)
{
    struct hand_over *h = arg;
    unsigned found = 0;
    if (failed(h, err))
        return;
    for (unsigned i = 0; i < a->owner_count; i++) {
        if (!may_be_meant(h, a, i))
            continue;
        found++;
        keep(a->owners[i].owner, h->owner);
    }
    if (found == 1) {
        store_owner_move(h->gateway->store, str_of(h->owner), str_of(h->heir), 0, on_moved, h);
        return;
    }
    if (found == 0)
        printf("Nobody called %s has conversations here%s\n", h->from,
               str_is(str_of(h->from), h->to) ? " but the account that has them already" : "");
    else
        list_owners(h, a);
    h->over = true;
}

static void print_time(const char *what, int64_t unix_ms)
{
    char text[UTC_TEXT_MAX];
    utc_write(unix_ms, UTC_FOR_PEOPLE, text);
    printf(", %s %s", what, text);
}

static void list_owners(const struct hand_over *h, const struct store_answer *a)
{
    printf("%s is the name of several that have conversations here. Say which one is meant:\n",
           h->from);
    for (unsigned i = 0; i < a->owner_count; i++) {
        const struct store_owner *o = &a->owners[i];
        struct str name;
        int64_t created_ms = 0;
        if (!may_be_meant(h, a, i))
            continue;
        bool known = user_split(o->owner, &name, &created_ms);
        printf("  %.*s%s  %u conversations", (int)o->owner.len, o->owner.at, known ? "" : ":",
               o->sessions);
        if (created_ms > 0)
            print_time("account made", created_ms);
        if (o->seen_ms > 0)
            print_time("here last", o->seen_ms);
        printf("%s\n", known ? "" : ", kept under the name alone by an earlier version");
    }
}

static void on_moved(void *arg, enum err err, const struct store_answer *a)
{
    struct hand_over *h = arg;
    if (failed(h, err))
        return;
    printf("%u conversations of %s are %s's now\n", a->moved, h->owner, h->heir);
    h->code = 0;
    h->over = true;
}
