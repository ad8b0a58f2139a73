#include "proto/store/index.h"

#include <stdlib.h>
#include "common/check.h"
#include "proto/store/key.h"

static void on_told(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd, (void)err, (void)reply;
    store_call_end(c, ERR_NONE, &(struct store_answer){0});
}

static struct store_command *index_command(struct store *s, const char *command)
{
    struct store_command *cmd = command_new(store_call_new(s, NULL, NULL), on_told);
    command_str(cmd, str_of(command));
    return cmd;
}

void index_active_add(struct store *s, struct id session, struct id turn)
{
    struct store_command *cmd = index_command(s, "ZADD");
    command_active_key(cmd);
    command_str(cmd, STR("NX"));
    command_num(cmd, loop_wall_ms());
    command_active_entry(cmd, session, turn);
    command_send(cmd);
}

void index_active_remove(struct store *s, struct id session, struct id turn)
{
    struct store_command *cmd = index_command(s, "ZREM");
    command_active_key(cmd);
    command_active_entry(cmd, session, turn);
    command_send(cmd);
}

static void mark(struct store *s, const char *list, int64_t most, struct id session)
{
    struct store_command *cmd = index_command(s, "ZADD");
    command_str(cmd, str_of(list));
    command_str(cmd, STR("NX"));
    command_num(cmd, loop_wall_ms());
    command_id(cmd, session);
    command_send(cmd);
    cmd = index_command(s, "ZREMRANGEBYRANK");
    command_str(cmd, str_of(list));
    command_num(cmd, 0);
    command_num(cmd, -(most + 1));
    command_send(cmd);
}

void index_rated_add(struct store *s, struct id session)
{
    mark(s, INDEX_RATED, INDEX_RATED_MAX, session);
}

void index_report_add(struct store *s, struct id session)
{
    mark(s, INDEX_REPORTS, INDEX_REPORTS_MAX, session);
}

void index_marks_remove(struct store *s, struct id session)
{
    static const char *const lists[] = {INDEX_RATED, INDEX_REPORTS};
    for (unsigned i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        struct store_command *cmd = index_command(s, "ZREM");
        command_str(cmd, str_of(lists[i]));
        command_id(cmd, session);
        command_send(cmd);
    }
}

/* When an owner's list was trimmed last, by the hash of their name. Of two that share a place each
 * is trimmed more often than need be. */
enum { TRIMMED_MAX = 256, TRIM_EVERY_MS = 3600 * 1000 };
struct trimmed {
    uint64_t owner;
    int64_t at_ms;
};

/* How long a list may go without: a small part of what sessions live. */
static int64_t trim_every(const struct store *s)
{
    int64_t part_ms = s->config.session_keep_ms / 64;
    return part_ms < TRIM_EVERY_MS ? part_ms : TRIM_EVERY_MS;
}

static bool trim_is_due(struct store *s, struct str owner)
{
    uint64_t hash = str_hash(STR_HASH_NONE, owner);
    int64_t now_ms = loop_wall_ms();
    if (!s->trimmed)
        s->trimmed = xcalloc(TRIMMED_MAX, sizeof(*s->trimmed));
    struct trimmed *t = &s->trimmed[hash % TRIMMED_MAX];
    if (t->owner == hash && now_ms >= t->at_ms && now_ms - t->at_ms < trim_every(s))
        return false;
    *t = (struct trimmed){hash, now_ms};
    return true;
}

/* Where sessions expire, their owner's list does as well: an entry as old as that is one of a
 * session that is gone, unless it is kept, and with the last of them goes the list. */
static void expire_owner(struct store *s, struct str owner, int64_t updated_ms)
{
    int64_t keep_ms = s->config.session_keep_ms;
    if (keep_ms <= 0 || !trim_is_due(s, owner))
        return;
    struct store_command *cmd =
        command_script(store_call_new(s, NULL, NULL), SCRIPT_owner_trim, on_told);
    command_owner_key(cmd, owner);
    command_kept_key(cmd, owner);
    cmd->keys = cmd->argc;
    command_num(cmd, updated_ms - keep_ms);
    command_num(cmd, keep_ms + trim_every(s)); /* it is not said again until then */
    command_send(cmd);
}

void index_owner_keep(struct store *s, struct str owner, struct id session, bool keep)
{
    struct store_command *cmd = index_command(s, keep ? "SADD" : "SREM");
    command_kept_key(cmd, owner);
    command_id(cmd, session);
    command_send(cmd);
}

void index_owner_set(struct store *s, struct str owner, struct id session, int64_t updated_ms)
{
    struct store_command *cmd = index_command(s, "ZADD");
    command_owner_key(cmd, owner);
    command_num(cmd, updated_ms);
    command_id(cmd, session);
    command_send(cmd);
    expire_owner(s, owner, updated_ms);
}

void index_owner_move(struct store *s, struct str owner, struct id session, int64_t updated_ms)
{
    struct store_command *cmd = index_command(s, "ZADD");
    command_owner_key(cmd, owner);
    command_str(cmd, STR("XX"));
    command_num(cmd, updated_ms);
    command_id(cmd, session);
    command_send(cmd);
    expire_owner(s, owner, updated_ms);
}

void index_owner_forget_once(struct store_call *c, command_fn *fn, struct str owner,
                             const char *hash)
{
    struct store_command *cmd = command_new(c, fn);
    command_str(cmd, STR("DEL"));
    command_owner_once_key(cmd, owner, hash);
    command_send(cmd);
}

void index_owner_remove(struct store *s, struct str owner, struct id session)
{
    struct store_command *cmd = index_command(s, "ZREM");
    command_owner_key(cmd, owner);
    command_id(cmd, session);
    command_send(cmd);
}
