#include "tests/sim/fake_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"

/* ---- blobs ---- */
struct blob *blob_new(struct str s)
{
    struct blob *b = xmalloc(sizeof(*b) + s.len);
    b->refs = 1;
    b->len = s.len;
    if (s.len > 0)
        memcpy(b->at, s.at, s.len);
    return b;
}

struct blob *blob_ref(struct blob *b)
{
    if (b)
        b->refs++;
    return b;
}

void blob_free(struct blob *b)
{
    if (b && --b->refs == 0)
        free(b);
}

struct str blob_str(const struct blob *b)
{
    return b ? (struct str){b->at, b->len} : (struct str){NULL, 0};
}

/* Room for one more in a growing array. */
#define GROW(array, count, cap)                                                                    \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) ? 2 * (cap) : 8;                                                         \
            (array) = xrealloc((array), (cap) * sizeof *(array));                                  \
        }                                                                                          \
    } while (0)

/* ---- sessions ---- */
struct fake_session *redis_session(const struct redis *r, struct id session)
{
    for (unsigned i = 0; i < r->session_count; i++)
        if (id_eq(r->sessions[i]->session, session))
            return r->sessions[i];
    return NULL;
}

struct fake_session *redis_session_owned(const struct redis *r, const struct fake_op *op)
{
    struct fake_session *s = redis_session(r, op->session);
    return s && strcmp(s->owner, op->owner) == 0 ? s : NULL;
}

struct fake_session *redis_session_add(struct redis *r, struct id session, struct str owner)
{
    struct fake_session *s = xcalloc(1, sizeof(*s));
    s->session = session;
    s->created_ms = s->updated_ms = r->now_ms;
    snprintf(s->owner, sizeof(s->owner), "%.*s", (int)owner.len, owner.at);
    GROW(r->sessions, r->session_count, r->session_cap);
    return r->sessions[r->session_count++] = s;
}

static void turn_free(struct fake_turn *t)
{
    for (unsigned i = 0; i < t->entry_count; i++)
        blob_free(t->entries[i].batch);
    free(t->entries);
    blob_free(t->request);
    blob_free(t->key);
    blob_free(t->body);
    blob_free(t->approvals);
    free(t->asked);
    free(t);
}

static void session_free(struct fake_session *s)
{
    for (unsigned i = 0; i < s->begun_count; i++)
        turn_free(s->begun[i]);
    for (unsigned i = 0; i < s->message_count; i++)
        blob_free(s->messages[i].record);
    free(s->begun);
    free(s->messages);
    blob_free(s->title);
    blob_free(s->body);
    blob_free(s->summary);
    blob_free(s->model);
    blob_free(s->settings);
    free(s);
}

void redis_session_remove(struct redis *r, struct fake_session *s)
{
    for (unsigned i = 0; i < r->session_count; i++)
        if (r->sessions[i] == s)
            r->sessions[i] = r->sessions[--r->session_count];
    session_free(s);
}

struct fake_turn *session_turn(const struct fake_session *s, struct id turn)
{
    for (unsigned i = s ? s->begun_count : 0; i > 0; i--)
        if (id_eq(s->begun[i - 1]->turn, turn))
            return s->begun[i - 1];
    return NULL;
}

struct fake_turn *session_turn_add(struct fake_session *s, struct id turn)
{
    struct fake_turn *t = xcalloc(1, sizeof(*t));
    t->turn = turn;
    GROW(s->begun, s->begun_count, s->begun_cap);
    return s->begun[s->begun_count++] = t;
}

void session_message_add(struct fake_session *s, uint32_t id, struct blob *record)
{
    GROW(s->messages, s->message_count, s->message_cap);
    s->messages[s->message_count++] =
        (struct fake_message){.message = id, .record = blob_ref(record)};
    s->bytes += record->len;
    if (id > s->mseq)
        s->mseq = id;
}

void turn_entry_add(struct fake_turn *t, struct event_at last, struct blob *batch)
{
    GROW(t->entries, t->entry_count, t->entry_cap);
    t->entries[t->entry_count++] = (struct fake_entry){last, blob_ref(batch)};
}

/* ---- lists ---- */
void redis_open_add(struct redis *r, struct id session, struct id turn)
{
    for (unsigned i = 0; i < r->open_count; i++)
        if (id_eq(r->open[i].turn, turn))
            return;
    GROW(r->open, r->open_count, r->open_cap);
    r->open[r->open_count++] = (struct fake_open){session, turn};
}

void redis_open_remove(struct redis *r, struct id session, struct id turn)
{
    (void)session;
    for (unsigned i = 0; i < r->open_count; i++) {
        if (!id_eq(r->open[i].turn, turn))
            continue;
        memmove(r->open + i, r->open + i + 1, (r->open_count - i - 1) * sizeof(*r->open));
        r->open_count--;
        return;
    }
}

bool other_body(const struct blob *before, const struct blob *now)
{
    struct str a = blob_str(before), b = blob_str(now);
    return a.len > 0 && b.len > 0 && !str_eq(a, b);
}

void redis_once_add(struct redis *r, const char *owner, struct blob *key, struct id session)
{
    GROW(r->once, r->once_count, r->once_cap);
    struct fake_once *o = &r->once[r->once_count++];
    *o = (struct fake_once){.key = blob_ref(key), .session = session};
    snprintf(o->owner, sizeof(o->owner), "%s", owner);
}

void redis_once_remove(struct redis *r, struct id session)
{
    for (unsigned i = r->once_count; i > 0; i--) {
        struct fake_once *o = &r->once[i - 1];
        if (!id_eq(o->session, session))
            continue;
        blob_free(o->key);
        *o = r->once[--r->once_count];
    }
}

/* ---- the whole ---- */
struct redis *fake_redis_new(void)
{
    struct redis *r = xcalloc(1, sizeof(*r));
    r->run = r->replid = 1;
    return r;
}

void fake_redis_restarted(struct redis *r, bool promoted)
{
    r->run++;
    r->replid++;
    r->was_replica = r->was_replica || promoted;
}

void fake_redis_time(struct redis *r, int64_t now_ms) { r->now_ms = now_ms; }

void fake_redis_plant(struct redis *r, enum fake_plant plant) { r->plant = plant; }

static void clear(struct redis *r)
{
    for (unsigned i = 0; i < r->session_count; i++)
        session_free(r->sessions[i]);
    for (unsigned i = 0; i < r->once_count; i++)
        blob_free(r->once[i].key);
    free(r->sessions);
    free(r->open);
    free(r->once);
    *r = (struct redis){.now_ms = r->now_ms,
                        .plant = r->plant,
                        .run = r->run,
                        .replid = r->replid,
                        .was_replica = r->was_replica};
}

void fake_redis_free(struct redis *r)
{
    if (r == NULL)
        return;
    clear(r);
    free(r);
}

static void copy_turn(struct fake_session *to, const struct fake_turn *from)
{
    struct fake_turn *t = session_turn_add(to, from->turn);
    *t = *from;
    blob_ref(t->request);
    blob_ref(t->key);
    blob_ref(t->body);
    blob_ref(t->approvals);
    t->asked = NULL;
    if (from->asked_count > 0) {
        t->asked = xcalloc(FAKE_ASKED_MAX, sizeof(*t->asked));
        memcpy(t->asked, from->asked, from->asked_count * sizeof(*t->asked));
    }
    t->entries = NULL;
    t->entry_count = t->entry_cap = 0;
    for (unsigned i = 0; i < from->entry_count; i++)
        turn_entry_add(t, from->entries[i].last, from->entries[i].batch);
}

static void copy_session(struct redis *to, const struct fake_session *from)
{
    struct fake_session *s = redis_session_add(to, from->session, str_of(from->owner));
    *s = *from;
    blob_ref(s->title);
    blob_ref(s->body);
    blob_ref(s->summary);
    blob_ref(s->model);
    blob_ref(s->settings);
    s->messages = NULL;
    s->begun = NULL;
    s->message_count = s->message_cap = s->begun_count = s->begun_cap = 0;
    for (unsigned i = 0; i < from->message_count; i++) {
        const struct fake_message *m = &from->messages[i];
        session_message_add(s, m->message, m->record);
        s->messages[i].pinned = m->pinned;
        s->messages[i].excluded = m->excluded;
    }
    s->bytes = from->bytes;
    for (unsigned i = 0; i < from->begun_count; i++)
        copy_turn(s, from->begun[i]);
}

void fake_redis_restore(struct redis *r, const struct redis *from)
{
    clear(r);
    for (unsigned i = 0; i < from->session_count; i++)
        copy_session(r, from->sessions[i]);
    for (unsigned i = 0; i < from->open_count; i++)
        redis_open_add(r, from->open[i].session, from->open[i].turn);
    for (unsigned i = 0; i < from->once_count; i++)
        redis_once_add(r, from->once[i].owner, from->once[i].key, from->once[i].session);
}

struct redis *fake_redis_copy(const struct redis *r)
{
    struct redis *copy = fake_redis_new();
    copy->now_ms = r->now_ms;
    copy->plant = r->plant;
    fake_redis_restore(copy, r);
    return copy;
}

unsigned fake_redis_keys(const struct redis *r, struct id session)
{
    const struct fake_session *s = redis_session(r, session);
    return s ? 1U + (s->message_count > 0 ? 1U : 0U) + 2 * s->begun_count : 0;
}
