#include "proto/store/index.h"

#include "proto/store/key.h"

static void on_told(struct store_call *c, struct store_command *a, enum err err,
                    const struct redisReply *reply)
{
    (void)a, (void)err, (void)reply;
    store_call_end(c, ERR_NONE, &(struct store_answer){0});
}

static struct store_command *index_ask(struct store *s, const char *command)
{
    struct store_command *a = ask_new(store_call_new(s, NULL, NULL), on_told);
    ask_str(a, str_of(command));
    return a;
}

void index_active_add(struct store *s, struct id session, struct id turn)
{
    struct store_command *a = index_ask(s, "ZADD");
    ask_active_key(a);
    ask_str(a, STR("NX"));
    ask_num(a, loop_wall_ms());
    ask_active_entry(a, session, turn);
    ask_send(a);
}

void index_active_remove(struct store *s, struct id session, struct id turn)
{
    struct store_command *a = index_ask(s, "ZREM");
    ask_active_key(a);
    ask_active_entry(a, session, turn);
    ask_send(a);
}

/* Where sessions expire, their owner's list does as well: an entry as old as that is one of a
 * session that is gone, and with the last of them goes the list. */
static void expire_owner(struct store *s, struct str owner, int64_t updated_ms)
{
    int64_t keep_ms = s->config.session_keep_ms;
    if (keep_ms <= 0)
        return;
    struct store_command *a = index_ask(s, "ZREMRANGEBYSCORE");
    ask_owner_key(a, owner);
    ask_str(a, STR("-inf"));
    ask_num(a, updated_ms - keep_ms);
    ask_send(a);
    a = index_ask(s, "PEXPIRE");
    ask_owner_key(a, owner);
    ask_num(a, keep_ms);
    ask_send(a);
}

void index_owner_set(struct store *s, struct str owner, struct id session, int64_t updated_ms)
{
    struct store_command *a = index_ask(s, "ZADD");
    ask_owner_key(a, owner);
    ask_num(a, updated_ms);
    ask_id(a, session);
    ask_send(a);
    expire_owner(s, owner, updated_ms);
}

void index_owner_move(struct store *s, struct str owner, struct id session, int64_t updated_ms)
{
    struct store_command *a = index_ask(s, "ZADD");
    ask_owner_key(a, owner);
    ask_str(a, STR("XX"));
    ask_num(a, updated_ms);
    ask_id(a, session);
    ask_send(a);
    expire_owner(s, owner, updated_ms);
}

void index_owner_forget_once(struct store *s, struct str owner, const char *hash)
{
    struct store_command *a = index_ask(s, "DEL");
    ask_owner_once_key(a, owner, hash);
    ask_send(a);
}

void index_owner_remove(struct store *s, struct str owner, struct id session)
{
    struct store_command *a = index_ask(s, "ZREM");
    ask_owner_key(a, owner);
    ask_id(a, session);
    ask_send(a);
}
