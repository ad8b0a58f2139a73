#include "proto/store/active.h"

#include <stdlib.h>
#include "common/check.h"
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"

enum {
    VOID_KEEP_MS = 24 * 3600 * 1000,
    ACTIVE_GRACE_MS = 60 * 1000, /* a listed turn that is not there yet may still begin */
};

struct active_entry {
    struct id session, turn;
    bool old; /* listed longer than a turn takes to begin */
};
struct active {
    store_turn_fn *skip;
    unsigned count;
    struct active_entry *entries;
    struct store_turn *turns; /* by entry; state NONE: not open */
    char **owners;            /* of these */
};

static void active_free(void *own)
{
    struct active *w = own;
    free(w->entries);
    free(w->turns);
    for (unsigned i = 0; i < w->count; i++)
        free(w->owners[i]);
    free(w->owners);
    free(w);
}

static void active_end(struct store_call *c)
{
    struct active *w = c->own;
    if (c->waiting > 0)
        return;
    struct store_answer answer = {.turns = w->turns};
    for (unsigned i = 0; i < w->count; i++)
        if (w->turns[i].state != TURN_NONE)
            w->turns[answer.turn_count++] = w->turns[i];
    store_call_end(c, ERR_NONE, &answer);
}

static void on_voided(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)reply;
    struct active *w = c->own;
    if (err == ERR_NONE)
        index_active_remove(c->store, w->entries[cmd->tag].session, w->entries[cmd->tag].turn);
    active_end(c);
}

static void on_looked_at(struct store_call *c, struct store_command *cmd, enum err err,
                         const struct redisReply *reply)
{
    struct active *w = c->own;
    const struct active_entry *e = &w->entries[cmd->tag];
    struct store_turn t = {.state = TURN_NONE};
    if (err == ERR_NONE)
        reply_turn(redis_at(reply, 1), e->session, e->turn, &t);
    if (t.state == TURN_RUNNING || t.state == TURN_AWAITING) {
        w->owners[cmd->tag] = str_dup(redis_text(redis_at(reply, 2)));
        t.begun_ms = redis_int(redis_at(reply, 3));
        t.owner = str_of(w->owners[cmd->tag]);
        t.holder = (struct str){0}; /* the reply's */
        w->turns[cmd->tag] = t;
    } else if (err == ERR_NONE || err == ERR_EVENTS_EXPIRED) {
        index_active_remove(c->store, e->session, e->turn);
    } else if (e->old) {
        struct store_command *v = command_script(c, SCRIPT_turn_void, on_voided);
        v->tag = cmd->tag;
        command_turn_keys(v, e->session, e->turn);
        command_num(v, VOID_KEEP_MS);
        command_send(v);
        return;
    }
    active_end(c);
}

/* Whosever it is. */
static void ask_turn(struct store_command *cmd, struct id session, struct id turn)
{
    command_turn_keys(cmd, session, turn);
    command_str(cmd, STR(""));
    command_id(cmd, turn);
    command_num(cmd, 0);
}

static void look_at(struct store_call *c, unsigned i)
{
    struct active *w = c->own;
    struct store_command *cmd = command_script(c, SCRIPT_turn_get, on_looked_at);
    cmd->tag = i;
    ask_turn(cmd, w->entries[i].session, w->entries[i].turn);
    command_send(cmd);
}

static void on_active(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)err;
    unsigned pairs = redis_count(reply) / 2, max = cmd->tag;
    struct active *w = c->own;
    w->entries = xcalloc(pairs + 1, sizeof(*w->entries));
    w->turns = xcalloc(pairs + 1, sizeof(*w->turns));
    w->owners = xcalloc(pairs + 1, sizeof(*w->owners));
    /* A full page: go on behind it next time, so that turns which wait for long starve no other. */
    c->store->active_offset = pairs >= max ? c->store->active_offset + max : 0;
    for (unsigned i = 0; i < pairs; i++) {
        struct active_entry *e = &w->entries[w->count];
        struct str text = redis_text(redis_at(reply, 2 * i)), session, turn;
        if (!str_split(&text, ' ', &session) || !id_parse(session, &e->session) ||
            !str_split(&text, ' ', &turn) || !id_parse(turn, &e->turn) ||
            (w->skip && w->skip(c->arg, e->turn)))
            continue;
        e->old = loop_wall_ms() - redis_int(redis_at(reply, 2 * i + 1)) > ACTIVE_GRACE_MS;
        w->count++;
    }
    for (unsigned i = 0; i < w->count; i++)
        look_at(c, i);
    active_end(c);
}

uint64_t store_turn_active(struct store *s, unsigned max, store_turn_fn *skip, store_fn *fn,
                           void *arg)
{
    CHECK(max > 0);
    struct store_call *c = store_call_new(s, fn, arg);
    struct active *w = c->own = xcalloc(1, sizeof(*w));
    c->own_free = active_free;
    w->skip = skip;
    struct store_command *cmd = command_new(c, on_active);
    cmd->tag = max;
    command_str(cmd, STR("ZRANGE"));
    command_active_key(cmd);
    command_num(cmd, s->active_offset);
    command_num(cmd, (int64_t)s->active_offset + max - 1);
    command_str(cmd, STR("WITHSCORES"));
    return command_send(cmd);
}

static void on_look(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    struct store_answer answer = {.session = c->session};
    if (err == ERR_NONE)
        reply_turn(redis_at(reply, 1), c->session, c->turn, &answer.turn);
    answer.turn.owner = redis_text(redis_at(reply, 2));
    answer.turn.begun_ms = redis_int(redis_at(reply, 3));
    store_call_end(c, err, &answer);
}

uint64_t store_turn_look(struct store *s, struct id session, struct id turn, store_fn *fn,
                         void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    c->turn = turn;
    struct store_command *cmd = command_script(c, SCRIPT_turn_get, on_look);
    ask_turn(cmd, session, turn);
    return command_send(cmd);
}
