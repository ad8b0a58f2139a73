#include "proto/store/switching.h"

#include <jansson.h>
#include "common/json.h"
#include "proto/store/call.h"
#include "proto/switches.h"

#define SWITCHES_KEY "p:switches"
enum { VALUE_BYTES_MAX = 8192 };

static void read_one(struct switches *all, struct str name, struct str value)
{
    json_auto_t *said = json_loadb(value.at ? value.at : "", value.len, 0, NULL);
    (void)!switches_add(all, name, json_text(json_object_get(said, "sentence")),
                        json_text(json_object_get(said, "by")),
                        json_integer_value(json_object_get(said, "at_ms")));
}

static void on_got(struct store_call *c, struct store_command *cmd, enum err err,
                   const struct redisReply *reply)
{
    (void)cmd;
    struct switches all = {0};
    for (unsigned i = 0; i + 1 < redis_count(reply); i += 2)
        read_one(&all, redis_text(redis_at(reply, i)), redis_text(redis_at(reply, i + 1)));
    store_call_end(c, err, &(struct store_answer){.switches = &all});
    switches_free(&all);
}

uint64_t store_switches_get(struct store *s, store_fn *fn, void *arg)
{
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_got);
    command_str(cmd, STR("HGETALL"));
    command_str(cmd, STR(SWITCHES_KEY));
    return command_send(cmd);
}

uint64_t store_switch_set(struct store *s, struct str name, struct str sentence, struct str by,
                          store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    if (!switch_name_ok(name) || (sentence.len > 0 && !switch_sentence_ok(sentence)))
        return store_call_fail(c, ERR_INVALID);
    struct store_command *cmd = command_new(c, store_call_done);
    command_str(cmd, sentence.len > 0 ? STR("HSET") : STR("HDEL"));
    command_str(cmd, STR(SWITCHES_KEY));
    command_str(cmd, name);
    if (sentence.len > 0) {
        scoped_buf(said, VALUE_BYTES_MAX);
        buf_putc(&said, '{');
        json_field(&said, "sentence", sentence);
        json_field(&said, "by", by);
        json_field_u64(&said, "at_ms", (uint64_t)loop_wall_ms());
        buf_putc(&said, '}');
        command_str(cmd, buf_str(&said));
    }
    return command_send(cmd);
}

static void on_forgotten(struct store_call *c, struct store_command *cmd, enum err err,
                         const struct redisReply *reply)
{
    (void)cmd;
    store_call_end(c, err,
                   &(struct store_answer){.removed = (unsigned)redis_int(redis_at(reply, 1))});
}

uint64_t store_switches_forget(struct store *s, struct str by, store_fn *fn, void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    struct store_command *cmd = command_script(c, SCRIPT_switch_forget, on_forgotten);
    command_str(cmd, STR(SWITCHES_KEY));
    cmd->keys = cmd->argc;
    command_str(cmd, by);
    return command_send(cmd);
}
