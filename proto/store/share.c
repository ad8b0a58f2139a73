#include "proto/store/share.h"

#include "proto/store/call.h"
#include "proto/store/key.h"

static void on_shared(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd;
    struct store_answer answer = {.session = c->session, .share = redis_text(redis_at(reply, 1))};
    store_call_end(c, err, &answer);
}

static uint64_t ask(struct store_call *c, struct str owner, struct str token, struct str path)
{
    struct store_command *cmd = command_script(c, SCRIPT_session_share, on_shared);
    command_session_key(cmd, c->session);
    command_str(cmd, owner);
    command_str(cmd, token);
    command_str(cmd, path);
    return command_send(cmd);
}

uint64_t store_session_share(struct store *s, struct str owner, struct id session, struct str path,
                             store_fn *fn, void *arg)
{
    char token[ID_TEXT + 1];
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    id_text(id_new(), token);
    return ask(c, owner, str_of(token), path);
}

uint64_t store_session_unshare(struct store *s, struct str owner, struct id session, store_fn *fn,
                               void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    return ask(c, owner, STR(""), STR(""));
}
