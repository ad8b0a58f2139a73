#include "gateway/hand_over.h"

#include <stdio.h>
#include <string.h>
#include "common/utc.h"
#include "gateway/errand.h"
#include "gateway/gateway.h"
#include "gateway/auth/user.h"
#include "proto/store/owner.h"
#include "proto/store/parting.h"

struct hand_over {
    struct gateway *gateway;
    struct errand errand;
    const char *from, *to; /* as they were given */
    char owner[USER_MAX_BYTES], heir[USER_MAX_BYTES];
    bool exact; /* of `to`: the owner itself was given */
    unsigned moved;
};

static void start(void *arg);
static void ask_heir(struct hand_over *h, struct str name);
static void on_heirs(void *arg, enum err err, const struct store_answer *a);
static void ask_owner(struct hand_over *h);
static void on_owners(void *arg, enum err err, const struct store_answer *a);
static void list_owners(const struct hand_over *h, const struct store_answer *a);
static void on_moved(void *arg, enum err err, const struct store_answer *a);
static void on_parted(void *arg, enum err err, const struct store_answer *a);

int hand_over_run(struct gateway *g, const char *from, const char *to)
{
    struct hand_over h = {.gateway = g, .from = from, .to = to};
    h.errand = (struct errand){.gateway = g, .begin = start, .arg = &h};
    return errand_run(&h.errand);
}

static void start(void *arg)
{
    struct hand_over *h = arg;
    ask_heir(h, str_of(h->to));
}

static void keep(struct str owner, char out[USER_MAX_BYTES])
{
    snprintf(out, USER_MAX_BYTES, "%.*s", (int)owner.len, owner.at);
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
    if (errand_failed(&h->errand, err))
        return;
    for (unsigned i = 1; i < a->owner_count; i++) { /* the first is the name itself */
        struct str owner = a->owners[i].owner;
        if (owner.len >= USER_MAX_BYTES || a->owners[i].seen_ms == 0 ||
            !user_split(owner, &name, &created_ms) || created_ms <= latest_ms ||
            (h->exact && !str_eq(owner, to)))
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
        errand_end(&h->errand, 1);
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
    if (errand_failed(&h->errand, err))
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
    errand_end(&h->errand, 1);
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
    if (errand_failed(&h->errand, err))
        return;
    h->moved = a->moved;
    store_owner_part(h->gateway->store, str_of(h->owner), on_parted, h);
}

/* Who follows a turn of theirs at a gateway does so no longer. */
static void on_parted(void *arg, enum err err, const struct store_answer *a)
{
    struct hand_over *h = arg;
    (void)a;
    if (errand_failed(&h->errand, err))
        return;
    printf("%u conversations of %s are %s's now\n", h->moved, h->owner, h->heir);
    errand_end(&h->errand, 0);
}
