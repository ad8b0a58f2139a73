#include "proto/store/tally.h"

#include <stdlib.h>
#include "common/check.h"
#include "proto/store/call.h"
#include "proto/store/key.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
enum { MODEL_BYTES_MAX = 256 };

unsigned tally_today(void) { return (unsigned)(loop_wall_ms() / DAY_MS); }

void tally_note(struct store *s, struct str owner, struct str model, const struct tally *more)
{
    struct store_command *cmd =
        command_script(store_call_new(s, NULL, NULL), SCRIPT_tally_note, store_call_done);
    if (model.len > MODEL_BYTES_MAX)
        model.len = MODEL_BYTES_MAX;
    command_tally_key(cmd, tally_today());
    command_str(cmd, owner);
    command_str(cmd, model);
    command_num(cmd, TALLY_ROWS_MAX);
    command_num(cmd, (TALLY_DAYS + 1) * DAY_MS);
#define X(name) command_num(cmd, more->name);
    TALLY_COUNTERS(X)
#undef X
    command_send(cmd);
}

static int64_t next(struct str *rest)
{
    struct str word;
    uint64_t n;
    return str_split(rest, ' ', &word) && str_u64(word, INT64_MAX, &n) ? (int64_t)n : 0;
}

static struct store_tally read_one(struct str field, struct str value)
{
    struct store_tally t = {.model = STR("")};
    (void)!str_split(&field, '\n', &t.owner);
    t.model = field;
#define X(name) t.sums.name = next(&value);
    TALLY_COUNTERS(X)
#undef X
    return t;
}

static void on_read(struct store_call *c, struct store_command *cmd, enum err err,
                    const struct redisReply *reply)
{
    (void)cmd;
    unsigned pairs = redis_count(reply) / 2;
    struct store_tally *all = xcalloc(pairs + 1, sizeof(*all));
    for (unsigned i = 0; i < pairs; i++)
        all[i] =
            read_one(redis_text(redis_at(reply, 2 * i)), redis_text(redis_at(reply, 2 * i + 1)));
    store_call_end(c, err, &(struct store_answer){.tallies = all, .tally_count = pairs});
    free(all);
}

uint64_t tally_read(struct store *s, unsigned day, store_fn *fn, void *arg)
{
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_read);
    command_str(cmd, STR("HGETALL"));
    command_tally_key(cmd, day);
    cmd->keys = 0;
    return command_send(cmd);
}
