#include "proto/store/feedback.h"

#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/index.h"
#include "proto/store/key.h"
#include "proto/store/reply.h"
#include "proto/store/storage.h"

enum {
    FEEDBACK_BYTES = 64, /* beside the comment: prelude.lua has the same */
    LIST_PAGE = 200,
    RATED_PAGE = 10, /* answers with all that led to them, which may be megabytes */
};

/* ---- what somebody says ---- */

static void on_said(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    struct store_answer answer = {.session = c->session,
                                  .model = redis_text(redis_at(reply, 1)),
                                  .sentiment = (int)redis_int(redis_at(reply, 2))};
    if (err == ERR_NONE && cmd->tag)
        index_rated_add(c->store, c->session);
    /* What was taken for it, or what it has now: nothing, where the session is not there. */
    storage_note(c->store, buf_str(&c->owner), c->session,
                 redis_int(redis_at(reply, err == ERR_NONE ? 3 : 1)));
    store_call_end(c, err, &answer);
}

/* It waits in the call until the quota has room for it. */
static void say(struct store_call *c)
{
    struct store_command *cmd = c->own;
    c->own = NULL;
    command_send(cmd);
}

uint64_t store_feedback_set(struct store *s, struct str owner, struct id session, uint32_t message,
                            int sentiment, struct str comment, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    buf_add_str(&c->owner, owner);
    struct store_command *cmd = c->own = command_script(c, SCRIPT_session_feedback, on_said);
    cmd->tag = sentiment != 0;
    command_session_keys(cmd, session);
    command_str(cmd, owner);
    command_num(cmd, message);
    command_num(cmd, sentiment);
    command_str(cmd, comment);
    if (sentiment != 0)
        storage_take(c, (int64_t)comment.len + FEEDBACK_BYTES, true, say);
    else
        say(c);
    return c->id;
}

/* ---- what was said ---- */

static void on_list(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err;
    struct store_session found[LIST_PAGE];
    struct store_answer answer = {.sessions = found, .more = redis_count(reply) == LIST_PAGE};
    for (unsigned i = 0; i < redis_count(reply) && i < LIST_PAGE; i++) {
        struct store_session *one = &found[answer.session_count];
        *one = (struct store_session){0};
        answer.session_count += id_parse(redis_text(redis_at(reply, i)), &one->session);
    }
    store_call_end(c, ERR_NONE, &answer);
}

uint64_t store_rated_list(struct store *s, unsigned from, store_fn *fn, void *arg)
{
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_list);
    command_str(cmd, STR("ZREVRANGE"));
    command_str(cmd, STR(INDEX_RATED));
    command_num(cmd, from);
    command_num(cmd, (int64_t)from + LIST_PAGE - 1);
    return command_send(cmd);
}

static void on_rated(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd;
    const struct redisReply *found = redis_at(reply, 1);
    struct store_rated rated[RATED_PAGE] = {{0}};
    struct store_answer answer = {
        .session = c->session, .rated = rated, .more = redis_int(redis_at(reply, 2)) == 1};
    for (unsigned i = 0; err == ERR_NONE && i < redis_count(found) && i < RATED_PAGE; i++) {
        const struct redisReply *one = redis_at(found, i);
        struct store_rated *r = &rated[answer.rated_count++];
        r->message = (uint32_t)redis_int(redis_at(one, 0));
        r->sentiment = redis_int(redis_at(one, 1)) > 0 ? 1 : -1;
        r->comment = redis_text(redis_at(one, 2));
        r->at_ms = redis_int(redis_at(one, 3));
        r->messages = reply_messages(redis_at(one, 4), NULL, &r->message_count);
    }
    unsigned count = answer.rated_count;
    store_call_end(c, err, &answer);
    for (unsigned i = 0; i < count; i++)
        messages_free((struct store_message *)rated[i].messages, rated[i].message_count);
}

uint64_t store_rated_get(struct store *s, struct id session, uint32_t after, store_fn *fn,
                         void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    struct store_command *cmd = command_script(c, SCRIPT_session_rated, on_rated);
    command_session_keys(cmd, session);
    command_num(cmd, after);
    command_num(cmd, RATED_PAGE);
    return command_send(cmd);
}
