#include "proto/store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"
#include "proto/store/storage.h"

/* Sessions and their messages: create, get, patch, delete, fork. */
static struct store_call *session_call(struct store *s, struct str owner, struct id session,
                                       store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    buf_add_str(&c->owner, owner); /* too long: nothing is found under what remains, "" */
    return c;
}

/* ---- create ---- */
struct draft {
    struct buf title, model;
    char once[STORE_HASH_TEXT + 1]; /* its idempotency key's hash, or empty */
    char body[STORE_HASH_TEXT + 1]; /* of what is asked for with it, or empty */
};

static void draft_free(void *own)
{
    struct draft *d = own;
    buf_free(&d->title);
    buf_free(&d->model);
    free(d);
}

static void on_indexed(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.session = c->session});
}

static void on_created(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd;
    if (err == ERR_IDEMPOTENCY_MISMATCH) /* what the quota took for it is its own again */
        storage_note(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 2)));
    if (err == ERR_SESSION_NOT_FOUND) /* another's has that id: nothing is kept here */
        storage_note(c->store, buf_str(&c->owner), c->session, 0);
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    if (redis_int(redis_at(reply, 1)) > 0)
        index_owner_set(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 1)));
    storage_note(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 2)));
    if (c->waiting == 0)
        store_call_end(c, ERR_NONE, &(struct store_answer){.session = c->session});
}

/* Into its owner's list first: what is listed and not there is mended, what is not listed would
 * never be found. */
static void list_session(struct store_call *c)
{
    struct store_command *cmd = command_new(c, on_indexed);
    command_str(cmd, STR("ZADD"));
    command_owner_key(cmd, buf_str(&c->owner));
    command_str(cmd, STR("NX"));
    command_num(cmd, loop_wall_ms());
    command_id(cmd, c->session);
    command_send(cmd);
}

/* The arguments of session_create up to the messages. */
static struct store_command *create_command(struct store_call *c, struct str title,
                                            struct str model, struct str settings, uint32_t turns,
                                            uint32_t last_message, const char *once,
                                            const char *body, int64_t life_ms)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_create, on_created);
    command_session_keys(cmd, c->session);
    command_str(cmd, buf_str(&c->owner));
    command_str(cmd, title);
    command_str(cmd, model);
    command_str(cmd, settings);
    command_num(cmd, turns);
    command_num(cmd, c->store->config.session_keep_ms);
    command_num(cmd, last_message);
    command_str(cmd, str_of(once));
    command_str(cmd, str_of(body));
    command_num(cmd, life_ms);
    return cmd;
}

static void create(struct store_call *c)
{
    const struct draft *d = c->own;
    list_session(c);
    command_send(create_command(c, buf_str(&d->title), buf_str(&d->model), STR(""), 0, 0, d->once,
                                d->body, 0));
}

static int64_t draft_bytes(const struct store_call *c)
{
    const struct draft *d = c->own;
    return SESSION_BYTES_MIN + (int64_t)(d->title.len + d->model.len);
}

/* The answer of SET … NX GET: nil, or the session that this key made meanwhile. */
static void on_claimed(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct id before;
    if (id_parse(redis_text(reply), &before)) {
        storage_note(c->store, buf_str(&c->owner), c->session, 0);
        c->session = before;
    }
    create(c);
}

/* Only who has room leaves a key behind. */
static void claim(struct store_call *c)
{
    const struct draft *d = c->own;
    struct store_command *cmd = command_new(c, on_claimed);
    command_str(cmd, STR("SET"));
    command_owner_once_key(cmd, buf_str(&c->owner), d->once);
    command_id(cmd, c->session);
    command_str(cmd, STR("NX"));
    command_str(cmd, STR("GET"));
    command_str(cmd, STR("PX"));
    command_num(cmd, store_once_ms(c->store));
    command_send(cmd);
}

static void on_once(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct id before;
    bool known = id_parse(redis_text(reply), &before);
    if (known)
        c->session = before;
    storage_take(c, draft_bytes(c), false, known ? create : claim);
}

uint64_t store_session_create(struct store *s, struct str owner, struct str key, struct str body,
                              struct str title, struct str model, store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, id_new(), fn, arg);
    struct draft *d = c->own = xcalloc(1, sizeof *d);
    c->own_free = draft_free;
    buf_init(&d->title, s->config.text_bytes_max);
    buf_init(&d->model, s->config.text_bytes_max);
    if (c->owner.overflowed || !buf_add_str(&d->title, title) || !buf_add_str(&d->model, model))
        return store_call_fail(c, ERR_TOO_LARGE);
    if (key.len == 0) {
        storage_take(c, draft_bytes(c), false, create);
        return c->id;
    }
    store_hash(key, d->once);
    if (body.len > 0)
        store_hash(body, d->body);
    struct store_command *cmd = command_new(c, on_once);
    command_str(cmd, STR("GET"));
    command_owner_once_key(cmd, owner, d->once);
    return command_send(cmd);
}

/* ---- get ---- */
static struct store_command *get_command(struct store_call *c, struct id session, struct str owner,
                                         bool with_messages, command_fn *fn)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_get, fn);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, with_messages);
    command_turn_prefix(cmd, session);
    return cmd;
}

static void on_got(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply)
{
    (void)cmd;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    struct store_session session;
    reply_session(redis_at(reply, 1), c->session, &session);
    struct store_answer answer = {.session = c->session, .sessions = &session, .session_count = 1};
    struct store_message *m =
        reply_messages(redis_at(reply, 2), redis_at(reply, 3), &answer.message_count);
    answer.messages = m;
    unsigned count = answer.message_count;
    store_call_end(c, ERR_NONE, &answer);
    messages_free(m, count);
}

uint64_t store_session_get(struct store *s, struct str owner, struct id session, bool with_messages,
                           store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    return command_send(get_command(c, session, owner, with_messages, on_got));
}

/* ---- page by page: who reads slowly, or not at all, holds one page ---- */

static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    struct store_session session;
    struct store_answer answer = {.session = c->session,
                                  .page_end = (uint32_t)redis_int(redis_at(reply, 4)),
                                  .upto = (uint32_t)redis_int(redis_at(reply, 5))};
    if (redis_count(redis_at(reply, 1)) > 0) {
        reply_session(redis_at(reply, 1), c->session, &session);
        answer.sessions = &session;
        answer.session_count = 1;
    }
    struct store_message *m =
        reply_messages(redis_at(reply, 2), redis_at(reply, 3), &answer.message_count);
    reply_feedback(m, answer.message_count, redis_at(reply, 6));
    answer.messages = m;
    answer.more = answer.page_end < answer.upto;
    unsigned count = answer.message_count;
    store_call_end(c, ERR_NONE, &answer);
    messages_free(m, count);
}

/* share: empty, the owner reads. */
static uint64_t ask_page(struct store_call *c, struct str owner, struct str share, uint32_t after,
                         uint32_t upto, uint32_t bytes)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_page, on_page);
    command_session_keys(cmd, c->session);
    command_str(cmd, owner);
    command_turn_prefix(cmd, c->session);
    command_num(cmd, after);
    command_num(cmd, upto);
    command_num(cmd, bytes);
    command_str(cmd, share);
    return command_send(cmd);
}

uint64_t store_session_page(struct store *s, struct str owner, struct id session, uint32_t after,
                            uint32_t upto, uint32_t bytes, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    return ask_page(c, owner, STR(""), after, upto, bytes);
}

uint64_t store_shared_page(struct store *s, struct str share, struct id session, uint32_t after,
                           uint32_t upto, uint32_t bytes, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    if (share.len == 0) /* it would ask as an owner */
        return store_call_fail(c, ERR_SESSION_NOT_FOUND);
    return ask_page(c, STR(""), share, after, upto, bytes);
}

/* ---- patch, delete ---- */
/* Ends a call of one session when all that follows from it is done: what its answer says is true
 * for whoever hears it, at any gateway. */
static void end_when_told(struct store_call *c)
{
    if (c->waiting > 0)
        return;
    struct store_answer answer = {.session = c->session, .turn = c->found};
    store_call_end(c, ERR_NONE, &answer);
}

static void on_told(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    end_when_told(c);
}

static void on_patched(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    if (err == ERR_SESSION_NOT_FOUND)
        storage_note(c->store, buf_str(&c->owner), c->session, 0); /* what was taken for it */
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    if (cmd->tag > 0)
        index_owner_keep(c->store, buf_str(&c->owner), c->session, cmd->tag == 2);
    index_owner_move(c->store, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 1)));
    storage_note_in(c, on_told, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 2)));
    end_when_told(c);
}

/* What is patched waits in the command until the quota has room for it. */
static void patch_send(struct store_call *c)
{
    struct store_command *cmd = c->own;
    c->own = NULL;
    command_send(cmd);
}

uint64_t store_session_patch(struct store *s, struct str owner, struct id session,
                             const struct store_patch *p, store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    struct store_command *cmd = c->own = command_script(c, SCRIPT_session_patch, on_patched);
    size_t bytes = 0;
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, s->config.session_keep_ms);
    command_num(cmd, p->keep ? *p->keep : -1);
    cmd->tag = p->keep ? 1U + *p->keep : 0;
    const struct {
        const char *field;
        const struct str *value;
    } rows[] = {{"title", p->title}, {"model", p->model}, {"settings", p->settings}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].value == NULL)
            continue;
        if (rows[i].value->len > s->config.text_bytes_max)
            return store_call_fail(c, ERR_TOO_LARGE);
        bytes += rows[i].value->len;
        command_str(cmd, str_of(rows[i].field));
        command_str(cmd, *rows[i].value);
    }
    storage_take(c, (int64_t)bytes, true, patch_send);
    return c->id;
}

static void on_deleted(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    if (err != ERR_NONE) {
        bool done = cmd->tries > 1; /* the try whose answer was lost has done it */
        store_call_end(c, err == ERR_SESSION_NOT_FOUND && done ? ERR_NONE : err,
                       &(struct store_answer){.session = c->session});
        return;
    }
    struct str owner = buf_str(&c->owner), hash = redis_text(redis_at(reply, 2));
    if (id_parse(redis_text(redis_at(reply, 1)), &c->found.turn))
        index_active_remove(c->store, c->session, c->found.turn);
    index_owner_remove(c->store, owner, c->session);
    index_owner_keep(c->store, owner, c->session, false);
    index_marks_remove(c->store, c->session);
    storage_note_in(c, on_told, owner, c->session, 0);
    if (hash.len == STORE_HASH_TEXT) {
        snprintf(c->once, sizeof(c->once), "%.*s", STORE_HASH_TEXT, hash.at);
        index_owner_forget_once(c, on_told, owner, c->once);
    }
    end_when_told(c);
}

uint64_t store_session_delete(struct store *s, struct str owner, struct id session, store_fn *fn,
                              void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_session_delete, on_deleted);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_turn_prefix(cmd, session);
    command_stream_prefix(cmd, session);
    command_once_prefix(cmd, session);
    return command_send(cmd);
}

/* ---- fork ---- */
struct fork {
    struct id from;
    uint32_t before;
    struct store_command *create; /* of the call: waits for the quota */
};

static void fork_send(struct store_call *c);

static void on_forked_from(struct store_call *c, struct store_command *cmd, enum err err,
                           const struct redisReply *reply)
{
    (void)cmd;
    struct fork *f = c->own;
    if (err != ERR_NONE) {
        store_call_end(c, err, NULL);
        return;
    }
    struct store_session old;
    reply_session(redis_at(reply, 1), f->from, &old);
    const struct redisReply *records = redis_at(reply, 2);
    unsigned count, kept = 0, turns = 0;
    struct store_message *m = reply_messages(records, redis_at(reply, 3), &count);
    while (kept < count && m[kept].message < f->before)
        turns += m[kept++].record.role == ROLE_USER;
    if (kept == count || m[kept].message != f->before) {
        store_call_end(c, ERR_MESSAGE_NOT_FOUND, NULL);
    } else {
        struct store_command *create =
            create_command(c, old.title, old.model, old.settings, turns, f->before - 1, "", "", 0);
        for (unsigned i = 0; i + 1 < redis_count(records); i += 2) {
            int64_t id = redis_int(redis_at(records, i));
            if (id < 0 || id >= f->before)
                continue;
            const struct store_message *found = messages_find(m, kept, (uint32_t)id);
            command_num(create, id);
            command_str(create, redis_text(redis_at(records, i + 1)));
            command_str(create, found && found->pinned && found->excluded ? STR("px")
                                : found && found->pinned                  ? STR("p")
                                : found && found->excluded                ? STR("x")
                                                                          : STR(""));
        }
        f->create = create;
        int64_t bytes = SESSION_BYTES_MIN + (int64_t)create->bytes.len;
        storage_take(c, bytes + (int64_t)kept * MESSAGE_BYTES, false, fork_send);
    }
    messages_free(m, count);
}

static void fork_send(struct store_call *c)
{
    struct fork *f = c->own;
    list_session(c);
    command_send(f->create);
}

uint64_t store_session_fork(struct store *s, struct str owner, struct id session, uint32_t before,
                            store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, id_new(), fn, arg);
    struct fork *f = c->own = xcalloc(1, sizeof *f);
    c->own_free = free;
    *f = (struct fork){.from = session, .before = before};
    return command_send(get_command(c, session, owner, true, on_forked_from));
}

/* ---- messages ---- */
static void on_message(struct store_call *c, struct store_command *cmd, enum err err,
                       const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    store_call_end(c, err, &(struct store_answer){.session = c->session});
}

static void on_message_deleted(struct store_call *c, struct store_command *cmd, enum err err,
                               const struct redisReply *reply)
{
    if (err != ERR_NONE) {
        on_message(c, cmd, err == ERR_MESSAGE_NOT_FOUND && cmd->tries > 1 ? ERR_NONE : err, reply);
        return;
    }
    storage_note_in(c, on_told, buf_str(&c->owner), c->session, redis_int(redis_at(reply, 1)));
    end_when_told(c);
}

uint64_t store_message_patch(struct store *s, struct str owner, struct id session, uint32_t message,
                             int pinned, int excluded, store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_session_message_patch, on_message);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, message);
    command_num(cmd, pinned);
    command_num(cmd, excluded);
    return command_send(cmd);
}

uint64_t store_session_title(struct store *s, struct str owner, struct id session, struct str given,
                             struct str title, const struct usage *used, store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_session_title, on_message);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_str(cmd, given);
    command_str(cmd, title);
    command_num(cmd, (int64_t)used->input_tokens);
    command_num(cmd, (int64_t)used->output_tokens);
    command_num(cmd, (int64_t)used->cached_tokens);
    command_num(cmd, (int64_t)used->cost);
    return command_send(cmd);
}

uint64_t store_version_show(struct store *s, struct str owner, struct id session, uint32_t message,
                            store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_session_version, on_message);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, message);
    command_turn_prefix(cmd, session);
    return command_send(cmd);
}

uint64_t store_message_delete(struct store *s, struct str owner, struct id session,
                              uint32_t message, store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, owner, session, fn, arg);
    struct store_command *cmd =
        command_script(c, SCRIPT_session_message_delete, on_message_deleted);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, message);
    command_turn_prefix(cmd, session);
    return command_send(cmd);
}

/* ---- with messages that its client brings ---- */

static void seed_send(struct store_call *c)
{
    struct store_command *create = c->own;
    c->own = NULL;
    command_send(create);
}

static void seed_send_listed(struct store_call *c)
{
    list_session(c);
    seed_send(c);
}

uint64_t store_session_seed(struct store *s, const struct store_seed *seed, store_fn *fn, void *arg)
{
    struct store_call *c = session_call(s, seed->owner, seed->session, fn, arg);
    uint32_t turns = 0;
    if (c->owner.overflowed || seed->title.len > s->config.text_bytes_max)
        return store_call_fail(c, ERR_TOO_LARGE);
    for (unsigned i = 0; i < seed->count; i++)
        turns += seed->messages[i].role == ROLE_USER;
    struct store_command *create = c->own =
        create_command(c, seed->title, STR(""), STR(""), turns, seed->count, "", "", seed->life_ms);
    scoped_buf(message, RECORD_BYTES_MAX);
    for (unsigned i = 0; i < seed->count; i++) {
        buf_clear(&message);
        if (!record_message_encode(&seed->messages[i], &message))
            return store_call_fail(c, ERR_TOO_LARGE);
        command_num(create, i + 1);
        command_str(create, buf_str(&message));
        command_str(create, STR(""));
    }
    int64_t bytes = SESSION_BYTES_MIN + (int64_t)create->bytes.len;
    storage_take(c, bytes + (int64_t)seed->count * MESSAGE_BYTES, false,
                 seed->life_ms ? seed_send : seed_send_listed);
    return c->id;
}
