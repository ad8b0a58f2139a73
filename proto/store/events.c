#include "proto/store/events.h"

#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"

enum { STORED_PART = 4 };

struct reading {
    struct event_at after;
    uint32_t max_bytes;
};

/* Is `at` the event right behind `before`? Each epoch counts from 1, and the first is 1-1. */
static bool follows(struct event_at before, struct event_at at)
{
    if (at.epoch == before.epoch)
        return at.seq == before.seq + 1;
    return at.seq == 1 && (before.epoch != 0 || at.epoch == 1);
}

struct found_events {
    struct store_event *at; /* their payloads are owned */
    unsigned count, cap;
    uint64_t bytes;
    bool full, gap;
};

static void take_event(struct found_events *f, struct event_at *cursor, struct event_at at,
                       const struct record_event *e, uint32_t max_bytes);

/* Events of one entry past *cursor. An entry may repeat some: what was said and got no answer is
 * said again together with what followed. */
static bool take_entry(struct found_events *f, struct event_at *cursor, struct str id,
                       struct str batch, uint32_t max_bytes)
{
    struct event_at last;
    if (!event_at_parse(id, &last))
        return false;
    struct record_events events;
    bool ok = true;
    record_events_init(&events, batch);
    while (ok && record_events_more(&events) && !f->full && !f->gap) {
        struct record_event e;
        ok = record_events_next(&events, &e) == ERR_NONE;
        if (ok)
            take_event(f, cursor, (struct event_at){last.epoch, e.seq}, &e, max_bytes);
    }
    record_events_free(&events);
    return ok;
}

static void take_event(struct found_events *f, struct event_at *cursor, struct event_at at,
                       const struct record_event *e, uint32_t max_bytes)
{
    if (event_at_cmp(at, *cursor) <= 0)
        return;
    if (!follows(*cursor, at)) {
        f->gap = true;
    } else if (f->count > 0 && f->bytes + e->payload.len > max_bytes) {
        f->full = true;
    } else {
        if (f->count == f->cap) {
            f->cap = f->cap == 0 ? 64 : f->cap * 2;
            f->at = xrealloc(f->at, f->cap * sizeof(*f->at));
        }
        struct str own = {str_dup(e->payload), e->payload.len};
        f->at[f->count++] = (struct store_event){at, e->final != 0, own};
        f->bytes += own.len;
        *cursor = at;
    }
}

static void on_events(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd;
    const struct reading *r = c->own;
    struct event_at cursor = r->after;
    const struct redisReply *entries = redis_at(reply, 3);
    struct found_events f = {0};
    for (unsigned i = 0; err == ERR_NONE && i + 1 < redis_count(entries) && !f.full && !f.gap;
         i += 2)
        if (!take_entry(&f, &cursor, redis_text(redis_at(entries, i)),
                        redis_text(redis_at(entries, i + 1)), r->max_bytes))
            err = ERR_HISTORY_LOST; /* an entry that can't be read is lost as well */
    if (f.gap && f.count == 0)
        err = ERR_HISTORY_LOST;
    struct store_answer answer = {.session = c->session,
                                  .events = f.at,
                                  .event_count = f.count,
                                  .suspect = redis_int(redis_at(reply, 4)) == 1,
                                  .more = f.full || f.gap || redis_int(redis_at(reply, 2)) == 1};
    reply_turn(redis_at(reply, 1), c->session, c->turn, &answer.turn);
    store_call_end(c, err, &answer);
    for (unsigned i = 0; i < f.count; i++)
        free((void *)(uintptr_t)f.at[i].payload.at);
    free(f.at);
}

uint64_t store_events_read(struct store *s, struct id session, struct id turn,
                           struct event_at after, uint32_t max_bytes, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    c->turn = turn;
    struct reading *r = c->own = xcalloc(1, sizeof(*r));
    c->own_free = free;
    *r = (struct reading){after, max_bytes};
    struct store_command *cmd = command_script(c, SCRIPT_turn_events, on_events);
    command_turn_keys(cmd, session, turn);
    command_id(cmd, turn);
    command_num(cmd, after.epoch);
    command_num(cmd, after.seq);
    /* An entry is some tenth of its events: what is read beyond max_bytes is read once more. */
    command_num(cmd, max_bytes > STORED_PART ? max_bytes / STORED_PART : 1);
    return command_send(cmd);
}
