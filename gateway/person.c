#include "gateway/person.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/session_json.h"
#include "gateway/auth/user.h"
#include "gateway/errand.h"
#include "proto/store/erase.h"
#include "proto/store/owner.h"
#include "proto/store/parting.h"
#include "proto/store/session.h"
#include "proto/store/switching.h"
#include "proto/store/tally.h"

enum {
    PAGE_BYTES = 256 << 10,
    TEXT_BYTES_MAX = 256 << 20,
    ROUNDS_MAX = 5,
    /* By then what a turn that was ended used is told (tally.h), on a busy machine as well. */
    LATE_MS = TALLY_TELL_MS + 3000,
};

struct person {
    struct errand errand;
    struct store *store;
    const char *given;
    bool erase, exact, known; /* known: they were here, or something of theirs is */
    char owner[USER_MAX_BYTES];
    struct id *sessions;
    unsigned count, at, rounds, erased;
    bool first, first_message, open; /* open: a session's messages are being written */
    struct loop_timer *late;
};

static void start(void *arg);
static void on_owners(void *arg, enum err err, const struct store_answer *a);
static void find(struct person *p);
static void on_found(void *arg, enum err err, const struct store_answer *a);
static void next(struct person *p);
static void on_deleted(void *arg, enum err err, const struct store_answer *a);
static void on_wiped(void *arg, enum err err, const struct store_answer *a);
static void on_parted(void *arg, enum err err, const struct store_answer *a);
static void on_late(void *arg);
static void on_wiped_late(void *arg, enum err err, const struct store_answer *a);
static void on_forgotten(void *arg, enum err err, const struct store_answer *a);
static void on_page(void *arg, enum err err, const struct store_answer *a);
static struct str name_of(const struct person *p);
static void nobody(struct person *p);

static int run(struct gateway *g, const char *name, bool erase)
{
    struct person p = {.store = g->store, .given = name, .erase = erase, .first = true};
    p.errand = (struct errand){.gateway = g, .begin = start, .arg = &p};
    int code = errand_run(&p.errand);
    loop_timer_free(p.late);
    free(p.sessions);
    return fflush(stdout) == 0 && !ferror(stdout) ? code : 1;
}

int person_export(struct gateway *g, const char *name) { return run(g, name, false); }

int person_erase(struct gateway *g, const char *name) { return run(g, name, true); }

/* ---- who is meant ---- */

static void start(void *arg)
{
    struct person *p = arg;
    struct str name = str_of(p->given);
    int64_t created_ms;
    p->exact = user_split(str_of(p->given), &name, &created_ms);
    store_owner_list(p->store, name, on_owners, p);
}

/* The name alone is an owner too: of an earlier version, or PERSAI_AUTH=false's. One that was named
 * exactly may be unknown by now, and have something nevertheless. */
static void on_owners(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    unsigned found = 0;
    if (errand_failed(&p->errand, err))
        return;
    snprintf(p->owner, sizeof(p->owner), "%s", p->given);
    for (unsigned i = 0; i < a->owner_count; i++) {
        struct str owner = a->owners[i].owner;
        if ((i == 0 && a->owners[i].sessions == 0) || owner.len >= sizeof(p->owner) ||
            (p->exact && !str_is(owner, p->given)))
            continue;
        found++;
        snprintf(p->owner, sizeof(p->owner), "%.*s", (int)owner.len, owner.at);
    }
    p->known = found > 0;
    if (found <= 1) {
        find(p);
        return;
    }
    fprintf(stderr, "%s is the name of several accounts. Say which one is meant:\n", p->given);
    for (unsigned i = 0; i < a->owner_count; i++)
        fprintf(stderr, "  %.*s  %u conversations\n", (int)a->owners[i].owner.len,
                a->owners[i].owner.at, a->owners[i].sessions);
    errand_end(&p->errand, 1);
}

static void find(struct person *p)
{
    store_owner_find(p->store, str_of(p->owner), p->erase, on_found, p);
}

static void on_found(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    if (errand_failed(&p->errand, err))
        return;
    p->sessions = xrealloc(p->sessions, (a->session_count + 1) * sizeof(*p->sessions));
    p->at = 0;
    p->count = a->session_count;
    for (unsigned i = 0; i < p->count; i++)
        p->sessions[i] = a->sessions[i].session;
    p->known = p->known || p->count > 0;
    if (!p->erase && !p->known) {
        nobody(p);
        return;
    }
    if (!p->erase) {
        printf("{\"user\":");
        scoped_buf(b, 2048);
        json_str(&b, name_of(p));
        buf_puts(&b, ",\"account\":");
        json_str(&b, str_of(p->owner));
        printf("%s,\"sessions\":[", buf_cstr(&b));
    }
    next(p);
}

/* A name that was mistyped is not to pass for one that is erased. */
static void nobody(struct person *p)
{
    fprintf(stderr, "Nobody called %s is known here: nothing was %s\n", p->given,
            p->erase ? "erased" : "exported");
    errand_end(&p->errand, 1);
}

static struct str name_of(const struct person *p)
{
    struct str name = str_of(p->owner);
    int64_t created_ms;
    user_split(str_of(p->owner), &name, &created_ms);
    return name;
}

static void next(struct person *p)
{
    struct str owner = str_of(p->owner);
    if (p->at < p->count && p->erase) {
        store_session_delete(p->store, owner, p->sessions[p->at], on_deleted, p);
    } else if (p->at < p->count) {
        p->first_message = true;
        store_session_whole_page(p->store, owner, p->sessions[p->at], 0, 0, PAGE_BYTES, on_page, p);
    } else if (p->erase) {
        store_owner_wipe(p->store, owner, STR(""), on_wiped, p);
    } else {
        printf("]}\n");
        errand_end(&p->errand, 0);
    }
}

/* ---- erase ---- */

/* Some are in a list and gone already. */
static void on_deleted(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    (void)a;
    if (errand_failed(&p->errand, err == ERR_SESSION_NOT_FOUND ? ERR_NONE : err))
        return;
    p->erased += err == ERR_NONE;
    p->at++;
    next(p);
}

/* What was begun meanwhile is looked for once more. */
static void on_wiped(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    if (errand_failed(&p->errand, err))
        return;
    p->known = p->known || a->removed > 0;
    if (!p->known) {
        store_switches_forget(p->store, name_of(p), on_forgotten, p);
        return;
    }
    if (p->count > 0 && ++p->rounds < ROUNDS_MAX) {
        find(p);
        return;
    }
    store_owner_part(p->store, str_of(p->owner), on_parted, p);
}

/* Who follows a turn of theirs at a gateway does so no longer, and what runs ends. */
static void on_parted(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    (void)a;
    if (errand_failed(&p->errand, err))
        return;
    p->late = loop_timer_new(p->errand.gateway->loop, on_late, p);
    loop_timer_set(p->late, LATE_MS, 0);
}

static void on_late(void *arg)
{
    struct person *p = arg;
    store_owner_wipe(p->store, str_of(p->owner), name_of(p), on_wiped_late, p);
}

static void on_wiped_late(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    (void)a;
    if (!errand_failed(&p->errand, err))
        store_switches_forget(p->store, name_of(p), on_forgotten, p);
}

static void on_forgotten(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    if (errand_failed(&p->errand, err))
        return;
    if (!p->known && a->removed == 0) {
        nobody(p);
        return;
    }
    printf("%u conversations of %s are erased%s\n", p->erased, p->owner,
           p->count > 0 ? "; others are made meanwhile: delete the user in Perses first" : "");
    errand_end(&p->errand, p->count > 0);
}

/* ---- export ---- */

static void on_page(void *arg, enum err err, const struct store_answer *a)
{
    struct person *p = arg;
    if (errand_failed(&p->errand, err == ERR_SESSION_NOT_FOUND ? ERR_NONE : err))
        return;
    scoped_buf(b, TEXT_BYTES_MAX);
    if (err == ERR_NONE && a->session_count > 0) {
        buf_puts(&b, p->first ? "{" : ",\n{");
        session_json_head(&b, &a->sessions[0]);
        buf_puts(&b, ",\"messages\":[");
        p->first = false;
        p->open = true;
    }
    for (unsigned i = 0; err == ERR_NONE && i < a->message_count; i++) {
        buf_puts(&b, p->first_message ? "" : ",");
        session_json_message(&b, &a->messages[i], NULL);
        p->first_message = false;
    }
    bool more = err == ERR_NONE && a->more;
    if (p->open && !more) { /* also of one that is deleted meanwhile */
        buf_puts(&b, "]}");
        p->open = false;
    }
    fwrite(buf_cstr(&b), 1, b.len, stdout);
    if (more) {
        store_session_whole_page(p->store, str_of(p->owner), p->sessions[p->at], a->page_end,
                                 a->upto, PAGE_BYTES, on_page, p);
        return;
    }
    p->at++;
    next(p);
}
