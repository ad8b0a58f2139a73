#include "proto/store/parting.h"

#include <stdlib.h>
#include "proto/store/call.h"
#include "proto/store/key.h"

#define PARTED_KEY "p:parted"
enum {
    PARTED_KEEP_MS = 600000, /* a gateway that Redis was away from reads it late */
    PARTED_MAX = 1000,
};

static void on_parted(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply);
static void on_read(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply);

uint64_t store_owner_part(struct store *s, struct str owner, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    char hash[STORE_HASH_TEXT + 1];
    store_hash(owner, hash);
    struct store_command *cmd = command_new(c, on_parted);
    command_str(cmd, STR("XADD"));
    command_str(cmd, STR(PARTED_KEY));
    command_str(cmd, STR("MAXLEN"));
    command_str(cmd, STR("~"));
    command_num(cmd, PARTED_MAX);
    command_str(cmd, STR("*"));
    command_str(cmd, STR("o"));
    command_str(cmd, str_of(hash));
    command_send(cmd);
    cmd = command_new(c, on_parted);
    command_str(cmd, STR("PEXPIRE"));
    command_str(cmd, STR(PARTED_KEY));
    command_num(cmd, PARTED_KEEP_MS);
    return command_send(cmd);
}

static void on_parted(struct store_call *c, struct store_command *cmd, enum err err,
                      const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    if (err != ERR_NONE || c->waiting == 0)
        store_call_end(c, err, &(struct store_answer){0});
}

/* Of a Redis stream: what is past its last id. */
uint64_t store_owners_parted(struct store *s, struct str cursor, store_fn *fn, void *arg)
{
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_read);
    scoped_buf(after, 64);
    buf_putc(&after, '(');
    buf_add_str(&after, cursor.len > 0 ? cursor : STR("0-0"));
    command_str(cmd, STR("XRANGE"));
    command_str(cmd, STR(PARTED_KEY));
    command_str(cmd, buf_str(&after));
    command_str(cmd, STR("+"));
    command_str(cmd, STR("COUNT"));
    command_num(cmd, PARTED_MAX);
    return command_send(cmd);
}

static void on_read(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    unsigned count = redis_count(reply);
    struct str *parted = xcalloc(count + 1, sizeof(*parted));
    struct store_answer a = {.parted = parted};
    for (unsigned i = 0; i < count; i++) {
        const struct redisReply *entry = redis_at(reply, i);
        a.cursor = redis_text(redis_at(entry, 0));
        parted[a.parted_count++] = redis_text(redis_at(redis_at(entry, 1), 1));
    }
    store_call_end(c, err, &a);
    free(parted);
}

bool store_owner_is(struct str owner, struct str parted)
{
    char hash[STORE_HASH_TEXT + 1];
    store_hash(owner, hash);
    return str_eq(parted, str_of(hash));
}
