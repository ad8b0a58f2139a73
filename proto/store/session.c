#include "proto/store/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"
#include "proto/store/storage.h"

/* Sessions and their messages: get, page, patch, delete. create.c makes them, fork.c copies. */
/* ---- get ---- */
static void on_got(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply)
{
    (void)cmd;
    struct store_session session;
    struct store_answer answer = {.session = c->session, .sessions = &session, .session_count = 1};
    if (err == ERR_NONE)
        reply_session(redis_at(reply, 1), c->session, &session);
    store_call_end(c, err, &answer);
}

uint64_t store_session_get(struct store *s, struct str owner, struct id session, store_fn *fn,
                           void *arg)
{
    struct store_command *cmd =
        command_script(store_call_of(s, owner, session, fn, arg), SCRIPT_session_get, on_got);
    command_session_key(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, true);
    command_turn_prefix(cmd, session);
    return command_send(cmd);
}

/* ---- page by page: who reads slowly, or not at all, holds one page ---- */

/* Who reads relies on both: the first has the session, and each leads on. */
static bool is_page(const struct redisReply *reply, uint32_t after)
{
    int64_t end = redis_int(redis_at(reply, 4)), upto = redis_int(redis_at(reply, 5));
    return (after > 0 || redis_count(redis_at(reply, 1)) > 0) && (end > after || end >= upto);
}

static void on_page(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    if (err == ERR_NONE && !is_page(reply, cmd->tag)) {
        log_error("store.bad_page", "session=%s", id_log(c->session));
        err = ERR_INTERNAL;
    }
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

/* share: empty, the owner reads. whole: what is in no conversation is among it. */
static uint64_t ask_page(struct store_call *c, struct str owner, struct str share, uint32_t after,
                         uint32_t upto, uint32_t bytes, bool whole)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_page, on_page);
    cmd->tag = after;
    command_session_keys(cmd, c->session);
    command_str(cmd, owner);
    command_turn_prefix(cmd, c->session);
    command_num(cmd, after);
    command_num(cmd, upto);
    command_num(cmd, bytes);
    command_str(cmd, share);
    command_str(cmd, whole ? STR("whole") : STR(""));
    return command_send(cmd);
}

uint64_t store_session_page(struct store *s, struct str owner, struct id session, uint32_t after,
                            uint32_t upto, uint32_t bytes, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    return ask_page(c, owner, STR(""), after, upto, bytes, false);
}

uint64_t store_session_whole_page(struct store *s, struct str owner, struct id session,
                                  uint32_t after, uint32_t upto, uint32_t bytes, store_fn *fn,
                                  void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    return ask_page(c, owner, STR(""), after, upto, bytes, true);
}

uint64_t store_shared_page(struct store *s, struct str share, struct id session, uint32_t after,
                           uint32_t upto, uint32_t bytes, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    if (share.len == 0) /* it would ask as an owner */
        return store_call_fail(c, ERR_SESSION_NOT_FOUND);
    return ask_page(c, STR(""), share, after, upto, bytes, false);
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
    struct store_call *c = store_call_of(s, owner, session, fn, arg);
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
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
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
    struct store_call *c = store_call_of(s, owner, session, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_session_delete, on_deleted);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_turn_prefix(cmd, session);
    command_stream_prefix(cmd, session);
    command_once_prefix(cmd, session);
    return command_send(cmd);
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
    struct store_call *c = store_call_of(s, owner, session, fn, arg);
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
    struct store_call *c = store_call_of(s, owner, session, fn, arg);
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
    struct store_call *c = store_call_of(s, owner, session, fn, arg);
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
    struct store_call *c = store_call_of(s, owner, session, fn, arg);
    struct store_command *cmd =
        command_script(c, SCRIPT_session_message_delete, on_message_deleted);
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, message);
    command_turn_prefix(cmd, session);
    return command_send(cmd);
}
