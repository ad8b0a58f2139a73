/* A conversation page by page: who reads it slowly, or not at all, holds one page. */
#include "proto/store/store_priv.h"

static void on_page(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply)
{
    (void)a;
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
    answer.messages = m;
    answer.more = answer.page_end < answer.upto;
    unsigned count = answer.message_count;
    store_call_end(c, ERR_NONE, &answer);
    messages_free(m, count);
}

uint64_t store_session_page(struct store *s, struct str owner, struct id session, uint32_t after,
                            uint32_t upto, uint32_t bytes, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    struct store_command *a = ask_script(c, SCRIPT_session_page, on_page);
    ask_session_keys(a, session);
    ask_str(a, owner);
    ask_turn_prefix(a, session);
    ask_num(a, after);
    ask_num(a, upto);
    ask_num(a, bytes);
    return ask_send(a);
}
