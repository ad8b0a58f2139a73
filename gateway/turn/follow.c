#include "gateway/turn/follow.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"

/* ---- chunks ---- */

struct chunk *chunk_new(struct event_at at, bool final, struct str payload)
{
    struct buf b;
    buf_init(&b, payload.len + 64);
    CHECK(event_sse(&b, at, payload));
    struct chunk *c = xmalloc(sizeof(*c) + b.len);
    *c = (struct chunk){.at = at, .refs = 1, .len = (uint32_t)b.len, .final = final};
    memcpy(c->bytes, b.at, b.len);
    buf_free(&b);
    return c;
}

struct chunk *chunk_new_last(struct str payload)
{
    struct chunk *c = xmalloc(sizeof(*c) + payload.len + 8);
    *c = (struct chunk){.at = {UINT32_MAX, UINT32_MAX}, .refs = 1, .final = true};
    memcpy(c->bytes, "data: ", 6);
    memcpy(c->bytes + 6, payload.at, payload.len);
    memcpy(c->bytes + 6 + payload.len, "\n\n", 2);
    c->len = (uint32_t)payload.len + 8;
    return c;
}

struct str chunk_payload(const struct chunk *c)
{
    static const char mark[] = "data: ";
    const char *at = memmem(c->bytes, c->len < 64 ? c->len : 64, mark, sizeof(mark) - 1);
    CHECK(at);
    at += sizeof(mark) - 1;
    return (struct str){at, c->len - (size_t)(at - c->bytes) - 2};
}

static struct chunk *chunk_ref(struct chunk *c)
{
    c->refs++;
    return c;
}

/* One reference less; NULL is fine. */
static void chunk_free(struct chunk *c)
{
    if (c && --c->refs == 0)
        free(c);
}

/* ---- the tail ---- */

void tail_init(struct tail *t, size_t bytes_max) { *t = (struct tail){.bytes_max = bytes_max}; }

static struct chunk **chunk_at(const struct tail *t, unsigned index)
{
    return &t->ring[(t->first + index) & (t->size - 1)];
}

static void drop_first(struct tail *t)
{
    struct chunk *c = *chunk_at(t, 0);
    t->base = c->at;
    t->bytes -= c->len;
    t->first = (t->first + 1) & (t->size - 1);
    t->count--;
    chunk_free(c);
}

void tail_reset(struct tail *t)
{
    while (t->count > 0)
        drop_first(t);
    t->based = false;
}

void tail_free(struct tail *t)
{
    tail_reset(t);
    free(t->ring);
    tail_init(t, t->bytes_max);
}

const struct chunk *tail_last(const struct tail *t)
{
    return t->count ? *chunk_at(t, t->count - 1) : NULL;
}

static bool follows_on(struct event_at last, struct event_at next)
{
    if (next.epoch == last.epoch)
        return next.seq == last.seq + 1;
    return next.epoch > last.epoch && next.seq == 1;
}

static void grow(struct tail *t)
{
    unsigned size = t->size ? t->size * 2 : 8;
    struct chunk **ring = xmalloc(size * sizeof(*ring));
    for (unsigned i = 0; i < t->count; i++)
        ring[i] = *chunk_at(t, i);
    free(t->ring);
    t->ring = ring;
    t->first = 0;
    t->size = size;
}

static void base(struct tail *t, struct event_at at)
{
    if (at.epoch == 1 && at.seq == 0)
        at.epoch = 0; /* the very beginning is where a client begins that knows nothing */
    t->base = at;
    t->based = true;
}

static struct event_at end_of(const struct tail *t)
{
    const struct chunk *last = tail_last(t);
    return last ? last->at : t->base;
}

bool tail_follows(const struct tail *t, struct event_at at)
{
    return t->based && follows_on(end_of(t), at);
}

void tail_from(struct tail *t, struct event_at at)
{
    struct event_at end = end_of(t);
    bool goes_on = t->based && end.epoch == at.epoch && event_at_cmp(t->base, at) <= 0 &&
                   event_at_cmp(at, end) <= 0;
    if (!goes_on) {
        tail_reset(t);
        base(t, at);
    }
    t->stored = at;
}

void tail_stored(struct tail *t, struct event_at at)
{
    if (event_at_cmp(at, t->stored) > 0)
        t->stored = at;
}

/* What is not stored of an epoch that is over never will be: who has not seen it goes on with the
 * next epoch, and the rest of the old one is not for them. */
struct event_at tail_sound(const struct tail *t)
{
    bool stored = t->base.epoch == t->stored.epoch && t->base.seq <= t->stored.seq;
    bool sound = t->based && (t->base.seq == 0 || stored);
    return sound ? t->base : (struct event_at){0, 0};
}

bool tail_add(struct tail *t, struct chunk *take_chunk)
{
    struct event_at at = take_chunk->at;
    if (t->based && event_at_cmp(at, end_of(t)) <= 0) {
        chunk_free(take_chunk);
        return false;
    }
    if (!tail_follows(t, at)) {
        tail_reset(t);
        base(t, (struct event_at){at.epoch, at.seq - 1});
    }
    if (t->count == t->size)
        grow(t);
    t->count++;
    *chunk_at(t, t->count - 1) = take_chunk;
    t->bytes += take_chunk->len;
    while (t->bytes > t->bytes_max && t->count > 1)
        drop_first(t);
    return true;
}

void tail_trim(struct tail *t, struct event_at given)
{
    struct event_at upto = event_at_cmp(given, t->stored) < 0 ? given : t->stored;
    while (t->count > 1 && event_at_cmp((*chunk_at(t, 0))->at, upto) <= 0)
        drop_first(t);
}

/* The index of the first chunk after the cursor; -1 when the tail does not reach back to it. In an
 * epoch seqs have no gaps, so that the place is computed; across epochs it is searched from the
 * end, where followers are. */
static int tail_index(const struct tail *t, struct event_at cursor)
{
    if (!t->based)
        return -1;
    if (event_at_cmp(cursor, t->base) == 0)
        return 0;
    if (t->count == 0) /* ahead of us, as below */
        return cursor.epoch == t->base.epoch && cursor.seq > t->base.seq ? 0 : -1;
    for (unsigned i = t->count; i > 0; i--) {
        const struct chunk *c = *chunk_at(t, i - 1);
        int order = event_at_cmp(c->at, cursor);
        if (order == 0)
            return (int)i;
        if (order < 0 && i == t->count && c->at.epoch == cursor.epoch)
            return (int)i; /* ahead of us, by what another gateway gave out: we come to it */
        if (order < 0)
            return -1; /* the cursor is between two events that follow each other: of an epoch that
                          the store must sort out */
        if (c->at.epoch == cursor.epoch) {
            unsigned back = c->at.seq - cursor.seq;
            return back <= i ? (int)(i - back) : -1;
        }
    }
    return -1;
}

/* ---- the follower ---- */

struct follow_read_chunk {
    struct list node;
    struct chunk *chunk;
};

/* Its place in the tail, as tail_index. */
static int place(const struct follow *f, const struct tail *t)
{
    return tail_index(t, event_at_cmp(f->passed, f->cursor) > 0 ? f->passed : f->cursor);
}

static bool reaches(const struct follow *f, const struct tail *t) { return place(f, t) >= 0; }

void follow_init(struct follow *f, struct event_at cursor, const struct tail *t)
{
    *f = (struct follow){.cursor = cursor};
    list_init(&f->read);
    f->state = reaches(f, t) ? FOLLOW_LIVE : FOLLOW_BEHIND;
}

static struct chunk *take_read(struct follow *f)
{
    struct follow_read_chunk *r = list_first(&f->read, struct follow_read_chunk, node);
    if (!r)
        return NULL;
    struct chunk *c = r->chunk;
    list_remove(&r->node);
    free(r);
    f->read_bytes -= c->len;
    return c;
}

void follow_free(struct follow *f)
{
    for (struct chunk *c; (c = take_read(f)) != NULL;)
        chunk_free(c);
    chunk_free(f->current);
    f->current = NULL;
}

void follow_asked(struct follow *f, struct event_at sound)
{
    CHECK(f->state == FOLLOW_BEHIND);
    f->state = FOLLOW_READING;
    f->asked = sound;
}

/* The last event that it has: given out, or waiting to be. */
static struct event_at known(const struct follow *f)
{
    if (list_empty(&f->read))
        return f->cursor;
    return list_of(f->read.prev, struct follow_read_chunk, node)->chunk->at;
}

void follow_got(struct follow *f, struct chunk *take_chunk)
{
    if (f->state == FOLLOW_OVER || event_at_cmp(take_chunk->at, known(f)) <= 0) {
        chunk_free(take_chunk);
        return;
    }
    struct follow_read_chunk *r = xmalloc(sizeof(*r));
    r->chunk = take_chunk;
    f->read_bytes += take_chunk->len;
    list_push(&f->read, &r->node);
}

void follow_answered(struct follow *f, const struct tail *t, enum follow_answer how,
                     struct event_at has, int64_t now_ms, int64_t wait_ms)
{
    if (f->state == FOLLOW_OVER)
        return; /* its end came by the tail meanwhile */
    CHECK(f->state == FOLLOW_READING);
    f->state = FOLLOW_BEHIND;
    f->ask_ms = how == FOLLOW_MORE ? now_ms : now_ms + wait_ms;
    /* The tail began there before the store was asked for all that it has: nothing is between,
     * unless it has lost what it had. */
    bool there = has.epoch == f->asked.epoch && has.seq >= f->asked.seq;
    if (how == FOLLOW_WHOLE && there && event_at_cmp(f->asked, f->passed) > 0)
        f->passed = f->asked;
    if (list_empty(&f->read) && !f->current && reaches(f, t))
        f->state = FOLLOW_LIVE;
}

bool follow_must_ask(struct follow *f, const struct tail *t, int64_t now_ms)
{
    if (f->state == FOLLOW_LIVE && !reaches(f, t))
        f->state = FOLLOW_BEHIND;
    if (f->state != FOLLOW_BEHIND || f->current || !list_empty(&f->read))
        return false; /* it has something to give out first: one answer of the store is all that it
                         holds */
    if (reaches(f, t)) {
        f->state = FOLLOW_LIVE;
        return false;
    }
    return now_ms >= f->ask_ms;
}

/* Its client had the turn's end from the store, before it came to the tail. */
static bool has_all(const struct follow *f, const struct tail *t)
{
    const struct chunk *last = tail_last(t);
    return last && last->final && event_at_cmp(f->cursor, last->at) == 0 &&
           !event_awaits(chunk_payload(last));
}

static struct chunk *next_chunk(struct follow *f, const struct tail *t)
{
    struct chunk *c = take_read(f);
    if (c || f->state == FOLLOW_OVER)
        return c;
    int index = place(f, t);
    if (index < 0) {
        if (f->state == FOLLOW_LIVE)
            f->state = FOLLOW_BEHIND;
        return NULL;
    }
    if (f->state == FOLLOW_BEHIND)
        f->state = FOLLOW_LIVE;
    if (has_all(f, t))
        f->state = FOLLOW_OVER;
    return (unsigned)index < t->count ? chunk_ref(*chunk_at(t, (unsigned)index)) : NULL;
}

/* turn_awaiting_input ends a stream only as long as nothing has come after it. */
static bool is_last(const struct follow *f, const struct tail *t)
{
    int index = place(f, t);
    return list_empty(&f->read) && (index < 0 || (unsigned)index == t->count);
}

size_t follow_fill(struct follow *f, const struct tail *t, char *dst, size_t cap)
{
    size_t filled = 0;
    while (filled < cap) {
        if (!f->current) {
            f->current = next_chunk(f, t);
            f->offset = 0;
            if (!f->current)
                break;
            f->cursor = f->current->at;
        }
        size_t len = f->current->len - f->offset;
        if (len > cap - filled)
            len = cap - filled;
        memcpy(dst + filled, f->current->bytes + f->offset, len);
        filled += len;
        f->offset += len;
        if (f->offset == f->current->len) {
            follow_given(f, t, f->current);
            f->current = NULL;
        }
    }
    return filled;
}

struct chunk *follow_next(struct follow *f, const struct tail *t)
{
    struct chunk *c = next_chunk(f, t);
    if (c)
        f->cursor = c->at;
    return c;
}

void follow_given(struct follow *f, const struct tail *t, struct chunk *take_chunk)
{
    if (follow_ends_with(f, t, take_chunk))
        f->state = FOLLOW_OVER;
    chunk_free(take_chunk);
}

bool follow_ends_with(const struct follow *f, const struct tail *t, const struct chunk *c)
{
    return c->final && is_last(f, t);
}

bool follow_over(const struct follow *f)
{
    return f->state == FOLLOW_OVER && !f->current && list_empty(&f->read);
}

bool follow_is_ahead(const struct follow *f, const struct tail *t)
{
    return f->state == FOLLOW_LIVE && list_empty(&f->read) && !f->current && t->based &&
           event_at_cmp(f->cursor, end_of(t)) > 0;
}

bool follow_waits_at(const struct follow *f, struct event_at cursor)
{
    return f->state == FOLLOW_BEHIND && list_empty(&f->read) && !f->current &&
           event_at_cmp(f->cursor, cursor) == 0;
}
