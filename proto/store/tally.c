#include "proto/store/tally.h"

#include <stdlib.h>
#include "common/check.h"
#include "common/utc.h"
#include "proto/store/call.h"
#include "proto/store/key.h"

#define X(name) +1
enum {
    MODEL_BYTES_MAX = 256,
    COUNTERS = TALLY_COUNTERS(X),
    ROWS_MAX = 64, /* told at once when there are more: a script of some 0.2 ms */
};
#undef X

unsigned tally_today(void) { return (unsigned)(loop_wall_ms() / UTC_DAY_MS); }

struct tallies;
static struct tally_row *row_of(struct tallies *all, struct str owner, struct str model);
static void on_time(void *arg);

/* ---- what was done ---- */

struct tally_row {
    char *owner, *model;
    struct tally sums;
};
struct tallies { /* told together */
    struct loop_timer *timer;
    unsigned day, count;
    struct tally_row rows[ROWS_MAX];
};

void tally_note(struct store *s, struct str owner, struct str model, const struct tally *more)
{
    struct tallies *all = s->tallies;
    if (!all) {
        all = s->tallies = xcalloc(1, sizeof(*all));
        all->timer = loop_timer_new(s->loop, on_time, s);
    }
    if (all->day != tally_today())
        tally_tell(s); /* of the day before */
    all->day = tally_today();
    struct tally_row *row = row_of(all, owner, str_cut(model, MODEL_BYTES_MAX));
#define X(name) row->sums.name += more->name;
    TALLY_COUNTERS(X)
#undef X
    if (all->count == ROWS_MAX)
        tally_tell(s);
    else if (!loop_timer_active(all->timer))
        loop_timer_set(all->timer, TALLY_TELL_MS, 0);
}

static struct tally_row *row_of(struct tallies *all, struct str owner, struct str model)
{
    for (unsigned i = 0; i < all->count; i++)
        if (str_is(owner, all->rows[i].owner) && str_is(model, all->rows[i].model))
            return &all->rows[i];
    struct tally_row *row = &all->rows[all->count++];
    *row = (struct tally_row){.owner = str_dup(owner), .model = str_dup(model)};
    return row;
}

static void on_time(void *arg) { tally_tell(arg); }

static void forget_rows(struct tallies *all)
{
    for (unsigned i = 0; i < all->count; i++) {
        free(all->rows[i].owner);
        free(all->rows[i].model);
    }
    all->count = 0;
}

void tally_tell(struct store *s)
{
    struct tallies *all = s->tallies;
    if (!all || all->count == 0)
        return;
    loop_timer_stop(all->timer);
    struct store_command *cmd =
        command_script(store_call_new(s, NULL, NULL), SCRIPT_tally_note, store_call_done);
    command_tally_key(cmd, all->day);
    command_num(cmd, TALLY_ROWS_MAX);
    command_num(cmd, (TALLY_DAYS + 1) * UTC_DAY_MS);
    command_num(cmd, COUNTERS);
    for (unsigned i = 0; i < all->count; i++) {
        const struct tally_row *row = &all->rows[i];
        command_str(cmd, str_of(row->owner));
        command_str(cmd, str_of(row->model));
#define X(name) command_num(cmd, row->sums.name);
        TALLY_COUNTERS(X)
#undef X
    }
    forget_rows(all);
    command_send(cmd);
}

void tally_free(struct store *s)
{
    if (!s->tallies)
        return;
    forget_rows(s->tallies);
    loop_timer_free(s->tallies->timer);
    free(s->tallies);
}

/* ---- reading ---- */

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
    tally_tell(s); /* what was done here is in it */
    struct store_command *cmd = command_new(store_call_new(s, fn, arg), on_read);
    command_str(cmd, STR("HGETALL"));
    command_tally_key(cmd, day);
    cmd->keys = 0;
    return command_send(cmd);
}
