#include "proto/store/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"

enum {
    COMMAND_MAGIC = 0x51a5c0de,
    COMMAND_BYTES_MAX = 96 << 20, /* more than a checkpoint or a history that is brought */
    WAITS_BYTES_MAX = 64 << 10,
    RETRY_MS = 5000, /* a command is given up after this */
    RETRY_EVERY_MS = 100,
    LOST_TRIES_MAX = 3,
    UNREPLICATED_MS = 2000, /* what can be undone waits for its replicas no longer than this */
};

/* ---- calls ---- */
static void command_free(struct store_command *cmd)
{
    if (cmd->sent != 0)
        redis_forget(cmd->call->store->redis, cmd->sent);
    list_remove(&cmd->node);
    list_remove(&cmd->late);
    buf_free(&cmd->bytes);
    buf_free(&cmd->waits);
    free(cmd->ends);
    free(cmd);
}

/* Takes the call out of the store; its memory stays until call_free. */
static void call_leave(struct store_call *c)
{
    map_remove(c->store->by_id, (struct str){(const char *)&c->id, sizeof(c->id)});
    list_each (&c->commands, n, tmp)
        command_free(list_of(n, struct store_command, node));
    list_remove(&c->node);
}

static void call_free(struct store_call *c)
{
    if (c->own_free)
        c->own_free(c->own);
    buf_free(&c->owner);
    buf_free(&c->opening);
    free(c->storage.found);
    free(c);
}

void store_call_drop(struct store_call *c)
{
    call_leave(c);
    call_free(c);
}

struct store_call *store_call_new(struct store *s, store_fn *fn, void *arg)
{
    struct store_call *c = xcalloc(1, sizeof(*c));
    c->store = s;
    c->id = ++s->last_id;
    c->fn = fn;
    c->arg = arg;
    list_init(&c->commands);
    buf_init(&c->owner, STORE_OWNER_MAX);
    buf_init(&c->opening, STORE_OPENING_MAX);
    list_push(&s->calls, &c->node);
    map_put(s->by_id, (struct str){(const char *)&c->id, sizeof(c->id)}, c);
    return c;
}

struct store_call *store_call_of(struct store *s, struct str owner, struct id session, store_fn *fn,
                                 void *arg)
{
    struct store_call *c = store_call_new(s, fn, arg);
    c->session = session;
    buf_add_str(&c->owner, owner); /* too long: nothing is found under what remains, "" */
    return c;
}

uint64_t store_call_fail(struct store_call *c, enum err err)
{
    list_each (&c->commands, n, tmp)
        command_free(list_of(n, struct store_command, node));
    c->failed = err;
    loop_timer_set(c->store->timer, 0, 0);
    return c->id;
}

void store_call_end(struct store_call *c, enum err err, struct store_answer *answer)
{
    CHECK(err != ERR_NONE || answer != NULL);
    call_leave(c);
    if (c->fn)
        c->fn(c->arg, err, err == ERR_NONE ? answer : NULL);
    call_free(c);
}

void store_call_done(struct store_call *c, struct store_command *cmd, enum err err,
                     const struct redisReply *reply)
{
    (void)cmd, (void)reply;
    store_call_end(c, err, &(struct store_answer){0});
}

/* ---- commands ---- */
struct store_command *command_new(struct store_call *c, command_fn *fn)
{
    struct store_command *cmd = xcalloc(1, sizeof(*cmd));
    cmd->magic = COMMAND_MAGIC;
    cmd->call = c;
    cmd->fn = fn;
    buf_init(&cmd->bytes, COMMAND_BYTES_MAX);
    buf_init(&cmd->waits, WAITS_BYTES_MAX);
    list_init(&cmd->late);
    list_push(&c->commands, &cmd->node);
    return cmd;
}

struct store_command *command_script(struct store_call *c, enum store_script script, command_fn *fn)
{
    struct store_command *cmd = command_new(c, fn);
    cmd->script = &store_scripts[script];
    return cmd;
}

void command_cut(struct store_command *cmd)
{
    if (cmd->argc == cmd->cap) {
        cmd->cap = cmd->cap == 0 ? 24 : cmd->cap * 2;
        cmd->ends = xrealloc(cmd->ends, cmd->cap * sizeof(*cmd->ends));
    }
    cmd->ends[cmd->argc++] = cmd->bytes.len;
}

void command_str(struct store_command *cmd, struct str s)
{
    buf_add_str(&cmd->bytes, s);
    command_cut(cmd);
}

void command_num(struct store_command *cmd, int64_t n)
{
    buf_i64(&cmd->bytes, n);
    command_cut(cmd);
}

void command_scan(struct store_command *cmd, struct str cursor, struct str pattern)
{
    enum { COUNT = 1000 };
    command_str(cmd, STR("SCAN"));
    command_str(cmd, cursor);
    command_str(cmd, STR("MATCH"));
    command_str(cmd, pattern);
    command_str(cmd, STR("COUNT"));
    command_num(cmd, COUNT);
    command_send(cmd);
}

bool scan_goes_on(const struct redisReply *reply, struct str *cursor)
{
    *cursor = redis_text(redis_at(reply, 0));
    return !str_is(*cursor, "0") && cursor->len > 0;
}

static void put_id(struct store_command *cmd, struct id id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    buf_puts(&cmd->bytes, text);
}

void command_id(struct store_command *cmd, struct id id)
{
    if (!id_is_zero(id))
        put_id(cmd, id);
    command_cut(cmd);
}

/* ---- sending, and sending again ---- */
static void on_reply(void *arg, enum redis_status status, const struct redisReply *reply);

static struct str command_arg(const struct store_command *cmd, unsigned i)
{
    size_t from = i == 0 ? 0 : cmd->ends[i - 1];
    return (struct str){cmd->bytes.at + from, cmd->ends[i] - from};
}

/* Of a session: where writes are noted until they are copied. The session is that of the command's
 * first key. */
static void put_note_key(const struct store_command *cmd, struct buf *out)
{
    struct str rest = command_arg(cmd, 0), tag;
    CHECK(str_split(&rest, '{', &tag) && str_split(&rest, '}', &tag));
    buf_puts(out, "p:w:{");
    buf_add_str(out, tag);
    buf_puts(out, "}");
}

static void put_token(const struct store_command *cmd, struct buf *out)
{
    const struct store *s = cmd->call->store;
    buf_printf(out, "%u.%s-%llx", s->config.replicas, s->name, (unsigned long long)cmd->token);
}

/* Its answer waits for copies. */
static bool waits_for_replicas(const struct store_command *cmd)
{
    return cmd->script && cmd->script->durable && cmd->call->store->config.replicas > 0;
}

static void send_command(struct store_command *cmd)
{
    struct store *s = cmd->call->store;
    struct str few[32], *argv = cmd->argc < 32 ? few : xmalloc((cmd->argc + 1) * sizeof(*argv));
    scoped_buf(note, 128);
    unsigned n = 0, keys = cmd->keys;
    for (unsigned i = 0; i < cmd->argc; i++) {
        if (i == cmd->keys && waits_for_replicas(cmd)) {
            cmd->token = cmd->token == 0 ? ++s->last_id : cmd->token;
            put_note_key(cmd, &note);
            buf_puts(&note, ":");
            put_token(cmd, &note);
            argv[n++] = buf_str(&note);
            keys++;
        }
        argv[n++] = command_arg(cmd, i);
    }
    cmd->tries++;
    cmd->sent = cmd->script ? redis_eval(s->redis, cmd->script, on_reply, cmd, keys, n, argv)
                            : redis_command(s->redis, on_reply, cmd, n, argv);
    if (argv != few)
        free(argv);
}

uint64_t command_send(struct store_command *cmd)
{
    struct store_call *c = cmd->call;
    if (cmd->bytes.overflowed)
        return store_call_fail(c, ERR_TOO_LARGE);
    if (c->failed != ERR_NONE)
        return c->id;
    c->waiting++;
    cmd->first_ms = loop_now_ms(c->store->loop);
    send_command(cmd);
    return c->id;
}

static struct store_call *next_failed(struct store *s)
{
    list_each (&s->calls, n, tmp) {
        struct store_call *c = list_of(n, struct store_call, node);
        if (c->failed != ERR_NONE)
            return c;
    }
    return NULL;
}

void store_calls_late(void *arg)
{
    struct store *s = arg;
    list_each (&s->late, n, tmp) {
        struct store_command *cmd = list_of(n, struct store_command, late);
        list_remove(&cmd->late);
        send_command(cmd); /* never calls back from inside */
    }
    /* A callback may end or begin others: look anew after each. */
    for (struct store_call *c; (c = next_failed(s)) != NULL;)
        store_call_end(c, c->failed, NULL);
}

/* Sends it again a little later. False: it was tried for long enough. */
static bool again(struct store_command *cmd, int64_t patience_ms)
{
    struct store *s = cmd->call->store;
    if (loop_now_ms(s->loop) + RETRY_EVERY_MS - cmd->first_ms >= patience_ms)
        return false;
    list_push(&s->late, &cmd->late);
    if (!loop_timer_active(s->timer))
        loop_timer_set(s->timer, RETRY_EVERY_MS, 0);
    return true;
}

/* ---- replicas (redis_config.replicas; prelude.lua: note_write, unsure) ---- */

static const struct redis_script *script_of(enum store_script name) { return &store_scripts[name]; }

/* Its write is copied: who reads it need not wait. Should this be lost, a reader waits for nothing,
 * once. tokens: each followed by a blank. */
static void replicas_confirm(const struct store_command *cmd, struct str tokens)
{
    enum { TOKENS_MAX = 64 };
    struct str argv[TOKENS_MAX + 1], token;
    unsigned n = 1;
    scoped_buf(key, 128);
    put_note_key(cmd, &key);
    argv[0] = buf_str(&key);
    while (n <= TOKENS_MAX && str_split(&tokens, ' ', &token))
        if (token.len > 0)
            argv[n++] = token;
    if (n > 1)
        redis_eval(cmd->call->store->redis, script_of(SCRIPT_replica_confirm), NULL, NULL, 1, n,
                   argv);
}

void command_forget_note(const struct store_command *cmd)
{
    scoped_buf(token, 128);
    put_token(cmd, &token);
    replicas_confirm(cmd, buf_str(&token));
}

static void give_up(struct store_command *cmd);

static void on_touched(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct store_command *cmd = arg;
    MAGIC_CHECK(cmd, COMMAND_MAGIC);
    (void)reply;
    cmd->sent = 0;
    if (status == REDIS_OK) {
        replicas_confirm(cmd, buf_str(&cmd->waits));
        send_command(cmd);
    } else if (!again(cmd, RETRY_MS)) {
        give_up(cmd);
    }
}

/* A reader found writes that too few replicas may have: it writes behind them, and reads again once
 * that is copied. */
static void wait_for_replicas(struct store_command *cmd, const struct redisReply *tokens)
{
    struct store *s = cmd->call->store;
    scoped_buf(key, 128);
    scoped_buf(token, 128);
    cmd->token = cmd->token == 0 ? ++s->last_id : cmd->token;
    put_note_key(cmd, &key);
    put_token(cmd, &token);
    buf_clear(&cmd->waits);
    buf_add_str(&cmd->waits, buf_str(&token));
    for (unsigned i = 0; i < redis_count(tokens); i++) {
        buf_puts(&cmd->waits, " ");
        buf_add_str(&cmd->waits, redis_text(redis_at(tokens, i)));
    }
    cmd->sent = redis_eval(s->redis, script_of(SCRIPT_replica_touch), on_touched, cmd, 1, 2,
                           (struct str[]){buf_str(&key), buf_str(&token)});
}

static bool text_has(struct str text, const char *word)
{
    return memmem(text.at ? text.at : "", text.len, word, strlen(word)) != NULL;
}

/* What Redis's own error means. ERR_LOST: worth another try. */
static enum err redis_err(const struct store_command *cmd, struct str text)
{
    if (str_starts(text, STR("OOM")) || str_starts(text, STR("MISCONF")) ||
        text_has(text, "OOM command not allowed") || text_has(text, "MISCONF "))
        return ERR_STORE_FULL;
    /* An entry at or past this id is there: a later epoch has written (invariant 3). */
    if (text_has(text, "equal or smaller than the target stream top item"))
        return ERR_FENCED;
    static const char *const passing[] = {"LOADING",   "READONLY", "MASTERDOWN", "TRYAGAIN",
                                          "NOSCRIPT",  "BUSY",     "NOREPLICAS", "CLUSTERDOWN",
                                          "UNBLOCKED", NULL};
    for (unsigned i = 0; passing[i]; i++)
        if (str_starts(text, str_of(passing[i])) ||
            (text_has(text, passing[i]) && text_has(text, "script")))
            return ERR_LOST;
    log_error("store.redis_error", "script=%s error=%s", cmd->script ? cmd->script->name : "-",
              log_text(text));
    return ERR_INTERNAL;
}

static enum err script_err(const struct store_command *cmd, struct str word)
{
    if (str_is(word, "ok"))
        return ERR_NONE;
    for (enum err e = ERR_NONE + 1; e < ERR_COUNT; e++)
        if (str_is(word, err_word(e)))
            return e;
    log_error("store.script_answer", "script=%s word=%s", cmd->script->name, log_text(word));
    return ERR_INTERNAL;
}

/* Done or not, nobody knows; or it is done and not copied. */
static void give_up(struct store_command *cmd)
{
    store_call_end(cmd->call, ERR_STORE_UNAVAILABLE, NULL);
}

/* It is done, as far as the master goes. True: it is not over yet. */
static bool on_unreplicated(struct store_command *cmd)
{
    if (again(cmd, cmd->unreplicated ? UNREPLICATED_MS : RETRY_MS))
        return true;
    log_warn("store.unreplicated", "script=%s wanted=%u", cmd->script->name,
             cmd->call->store->config.replicas);
    if (!cmd->unreplicated)
        return false;
    cmd->call->waiting--;
    cmd->unreplicated(cmd->call);
    return true;
}

static enum err reply_err(const struct store_command *cmd, enum redis_status status,
                          const struct redisReply *reply)
{
    switch (status) {
    case REDIS_OK:
    case REDIS_UNREPLICATED:
        return cmd->script ? script_err(cmd, redis_text(redis_at(reply, 0))) : ERR_NONE;
    case REDIS_ERROR:
        return redis_err(cmd, redis_text(reply));
    case REDIS_FULL:
        return ERR_STORE_UNAVAILABLE;
    case REDIS_LOST:
        break;
    }
    return ERR_LOST;
}

static void on_reply(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct store_command *cmd = arg;
    MAGIC_CHECK(cmd, COMMAND_MAGIC);
    struct store_call *c = cmd->call;
    cmd->sent = 0;
    if (status == REDIS_OK && cmd->script && str_is(redis_text(redis_at(reply, 0)), "unsure")) {
        wait_for_replicas(cmd, redis_at(reply, 1));
        return;
    }
    enum err err = reply_err(cmd, status, reply);
    if (status == REDIS_UNREPLICATED && err == ERR_NONE) {
        if (!on_unreplicated(cmd))
            give_up(cmd);
        return;
    }
    if (err == ERR_LOST) {
        if ((status != REDIS_LOST || cmd->tries < LOST_TRIES_MAX) && again(cmd, RETRY_MS))
            return;
        err = ERR_STORE_UNAVAILABLE;
    }
    if (status == REDIS_OK && cmd->token != 0 && waits_for_replicas(cmd))
        command_forget_note(cmd);
    if (err == ERR_STORE_UNAVAILABLE || err == ERR_STORE_FULL || err == ERR_INTERNAL) {
        store_call_end(c, err, NULL);
        return;
    }
    CHECK(c->waiting > 0);
    c->waiting--;
    cmd->fn(c, cmd, err, reply);
}
