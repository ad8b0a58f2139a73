#include "proto/store/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"

enum {
    ASK_MAGIC = 0x51a5c0de,
    ASK_BYTES_MAX = 96 << 20, /* a fork's: a whole session */
    WAITS_BYTES_MAX = 64 << 10,
    RETRY_MS = 5000, /* an ask is given up after this */
    RETRY_EVERY_MS = 100,
    LOST_TRIES_MAX = 3,
    UNREPLICATED_MS = 2000, /* what can be undone waits for its replicas no longer than this */
};

/* ---- calls ---- */
static void ask_free(struct store_command *a)
{
    if (a->sent != 0)
        redis_forget(a->call->store->redis, a->sent);
    list_remove(&a->node);
    list_remove(&a->late);
    buf_free(&a->bytes);
    buf_free(&a->waits);
    free(a->ends);
    free(a);
}

/* Takes the call out of the store; its memory stays until call_free. */
static void call_leave(struct store_call *c)
{
    map_remove(c->store->by_id, (struct str){(const char *)&c->id, sizeof c->id});
    list_each (&c->asks, n, tmp)
        ask_free(list_of(n, struct store_command, node));
    list_remove(&c->node);
}

static void call_free(struct store_call *c)
{
    if (c->own_free)
        c->own_free(c->own);
    buf_free(&c->owner);
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
    struct store_call *c = xcalloc(1, sizeof *c);
    c->store = s;
    c->id = ++s->last_id;
    c->fn = fn;
    c->arg = arg;
    list_init(&c->asks);
    buf_init(&c->owner, STORE_OWNER_MAX);
    list_push(&s->calls, &c->node);
    map_put(s->by_id, (struct str){(const char *)&c->id, sizeof c->id}, c);
    return c;
}

uint64_t store_call_fail(struct store_call *c, enum err err)
{
    list_each (&c->asks, n, tmp)
        ask_free(list_of(n, struct store_command, node));
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

/* ---- asks ---- */
struct store_command *ask_new(struct store_call *c, ask_fn *fn)
{
    struct store_command *a = xcalloc(1, sizeof *a);
    a->magic = ASK_MAGIC;
    a->call = c;
    a->fn = fn;
    buf_init(&a->bytes, ASK_BYTES_MAX);
    buf_init(&a->waits, WAITS_BYTES_MAX);
    list_init(&a->late);
    list_push(&c->asks, &a->node);
    return a;
}

struct store_command *ask_script(struct store_call *c, enum store_script script, ask_fn *fn)
{
    struct store_command *a = ask_new(c, fn);
    a->script = &store_scripts[script];
    return a;
}

void ask_cut(struct store_command *a)
{
    if (a->argc == a->cap) {
        a->cap = a->cap == 0 ? 24 : a->cap * 2;
        a->ends = xrealloc(a->ends, a->cap * sizeof *a->ends);
    }
    a->ends[a->argc++] = a->bytes.len;
}

void ask_str(struct store_command *a, struct str s)
{
    buf_add_str(&a->bytes, s);
    ask_cut(a);
}

void ask_num(struct store_command *a, int64_t n)
{
    buf_printf(&a->bytes, "%lld", (long long)n);
    ask_cut(a);
}

static void put_id(struct store_command *a, struct id id)
{
    char text[ID_TEXT + 1];
    id_text(id, text);
    buf_puts(&a->bytes, text);
}

void ask_id(struct store_command *a, struct id id)
{
    if (!id_is_zero(id))
        put_id(a, id);
    ask_cut(a);
}

/* ---- sending, and sending again ---- */
static void on_reply(void *arg, enum redis_status status, const struct redisReply *reply);

static struct str ask_arg(const struct store_command *a, unsigned i)
{
    size_t from = i == 0 ? 0 : a->ends[i - 1];
    return (struct str){a->bytes.at + from, a->ends[i] - from};
}

/* Of a session: where writes are noted until they are copied. The session is that of the ask's
 * first key. */
static void put_note_key(const struct store_command *a, struct buf *out)
{
    struct str rest = ask_arg(a, 0), tag;
    CHECK(str_split(&rest, '{', &tag) && str_split(&rest, '}', &tag));
    buf_puts(out, "p:w:{");
    buf_add_str(out, tag);
    buf_puts(out, "}");
}

static void put_token(const struct store_command *a, struct buf *out)
{
    const struct store *s = a->call->store;
    buf_printf(out, "%u.%s-%llx", s->config.replicas, s->name, (unsigned long long)a->token);
}

/* Its answer waits for copies. */
static bool waits_for_replicas(const struct store_command *a)
{
    return a->script && a->script->durable && a->call->store->config.replicas > 0;
}

static void send_ask(struct store_command *a)
{
    struct store *s = a->call->store;
    struct str few[32], *argv = a->argc < 32 ? few : xmalloc((a->argc + 1) * sizeof *argv);
    scoped_buf(note, 128);
    unsigned n = 0, keys = a->keys;
    for (unsigned i = 0; i < a->argc; i++) {
        if (i == a->keys && waits_for_replicas(a)) {
            a->token = a->token == 0 ? ++s->last_id : a->token;
            put_note_key(a, &note);
            buf_puts(&note, ":");
            put_token(a, &note);
            argv[n++] = buf_str(&note);
            keys++;
        }
        argv[n++] = ask_arg(a, i);
    }
    a->tries++;
    a->sent = a->script ? redis_eval(s->redis, a->script, on_reply, a, keys, n, argv)
                        : redis_command(s->redis, on_reply, a, n, argv);
    if (argv != few)
        free(argv);
}

uint64_t ask_send(struct store_command *a)
{
    struct store_call *c = a->call;
    if (a->bytes.overflowed)
        return store_call_fail(c, ERR_TOO_LARGE);
    if (c->failed != ERR_NONE)
        return c->id;
    c->waiting++;
    a->first_ms = loop_now_ms(c->store->loop);
    send_ask(a);
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
        struct store_command *a = list_of(n, struct store_command, late);
        list_remove(&a->late);
        send_ask(a); /* never calls back from inside */
    }
    /* A callback may end or begin others: look anew after each. */
    for (struct store_call *c; (c = next_failed(s)) != NULL;)
        store_call_end(c, c->failed, NULL);
}

/* Sends it again a little later. False: it was tried for long enough. */
static bool again(struct store_command *a, int64_t patience_ms)
{
    struct store *s = a->call->store;
    if (loop_now_ms(s->loop) + RETRY_EVERY_MS - a->first_ms >= patience_ms)
        return false;
    list_push(&s->late, &a->late);
    if (!loop_timer_active(s->timer))
        loop_timer_set(s->timer, RETRY_EVERY_MS, 0);
    return true;
}

/* ---- replicas (redis_config.replicas; prelude.lua: note_write, unsure) ---- */

static const struct redis_script *script_of(enum store_script name) { return &store_scripts[name]; }

/* Its write is copied: who reads it need not wait. Should this be lost, a reader waits for nothing,
 * once. tokens: each followed by a blank. */
static void replicas_confirm(const struct store_command *a, struct str tokens)
{
    enum { TOKENS_MAX = 64 };
    struct str argv[TOKENS_MAX + 1], token;
    unsigned n = 1;
    scoped_buf(key, 128);
    put_note_key(a, &key);
    argv[0] = buf_str(&key);
    while (n <= TOKENS_MAX && str_split(&tokens, ' ', &token))
        if (token.len > 0)
            argv[n++] = token;
    if (n > 1)
        redis_eval(a->call->store->redis, script_of(SCRIPT_replica_confirm), NULL, NULL, 1, n,
                   argv);
}

void ask_forget_note(const struct store_command *a)
{
    scoped_buf(token, 128);
    put_token(a, &token);
    replicas_confirm(a, buf_str(&token));
}

static void give_up(struct store_command *a);

static void on_touched(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct store_command *a = arg;
    MAGIC_CHECK(a, ASK_MAGIC);
    (void)reply;
    a->sent = 0;
    if (status == REDIS_OK) {
        replicas_confirm(a, buf_str(&a->waits));
        send_ask(a);
    } else if (!again(a, RETRY_MS)) {
        give_up(a);
    }
}

/* A reader found writes that too few replicas may have: it writes behind them, and reads again once
 * that is copied. */
static void wait_for_replicas(struct store_command *a, const struct redisReply *tokens)
{
    struct store *s = a->call->store;
    scoped_buf(key, 128);
    scoped_buf(token, 128);
    a->token = a->token == 0 ? ++s->last_id : a->token;
    put_note_key(a, &key);
    put_token(a, &token);
    buf_clear(&a->waits);
    buf_add_str(&a->waits, buf_str(&token));
    for (unsigned i = 0; i < redis_count(tokens); i++) {
        buf_puts(&a->waits, " ");
        buf_add_str(&a->waits, redis_text(redis_at(tokens, i)));
    }
    a->sent = redis_eval(s->redis, script_of(SCRIPT_replica_touch), on_touched, a, 1, 2,
                         (struct str[]){buf_str(&key), buf_str(&token)});
}

static bool text_has(struct str text, const char *word)
{
    return memmem(text.at ? text.at : "", text.len, word, strlen(word)) != NULL;
}

/* What Redis's own error means. ERR_LOST: worth another try. */
static enum err redis_err(const struct store_command *a, struct str text)
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
    log_error("store.redis_error", "script=%s error=%s", a->script ? a->script->name : "-",
              log_text(text));
    return ERR_INTERNAL;
}

static enum err script_err(const struct store_command *a, struct str word)
{
    if (str_is(word, "ok"))
        return ERR_NONE;
    for (enum err e = ERR_NONE + 1; e < ERR_COUNT; e++)
        if (str_is(word, err_word(e)))
            return e;
    log_error("store.script_answer", "script=%s word=%s", a->script->name, log_text(word));
    return ERR_INTERNAL;
}

/* Done or not, nobody knows; or it is done and not copied. */
static void give_up(struct store_command *a)
{
    store_call_end(a->call, ERR_STORE_UNAVAILABLE, NULL);
}

/* It is done, as far as the master goes. True: it is not over yet. */
static bool on_unreplicated(struct store_command *a)
{
    if (again(a, a->unreplicated ? UNREPLICATED_MS : RETRY_MS))
        return true;
    log_warn("store.unreplicated", "script=%s wanted=%u", a->script->name,
             a->call->store->config.replicas);
    if (a->unreplicated == NULL)
        return false;
    a->call->waiting--;
    a->unreplicated(a->call);
    return true;
}

static enum err reply_err(const struct store_command *a, enum redis_status status,
                          const struct redisReply *reply)
{
    switch (status) {
    case REDIS_OK:
    case REDIS_UNREPLICATED:
        return a->script ? script_err(a, redis_text(redis_at(reply, 0))) : ERR_NONE;
    case REDIS_ERROR:
        return redis_err(a, redis_text(reply));
    case REDIS_FULL:
        return ERR_STORE_UNAVAILABLE;
    case REDIS_LOST:
        break;
    }
    return ERR_LOST;
}

static void on_reply(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct store_command *a = arg;
    MAGIC_CHECK(a, ASK_MAGIC);
    struct store_call *c = a->call;
    a->sent = 0;
    if (status == REDIS_OK && a->script && str_is(redis_text(redis_at(reply, 0)), "unsure")) {
        wait_for_replicas(a, redis_at(reply, 1));
        return;
    }
    enum err err = reply_err(a, status, reply);
    if (status == REDIS_UNREPLICATED && err == ERR_NONE) {
        if (!on_unreplicated(a))
            give_up(a);
        return;
    }
    if (err == ERR_LOST) {
        if ((status != REDIS_LOST || a->tries < LOST_TRIES_MAX) && again(a, RETRY_MS))
            return;
        err = ERR_STORE_UNAVAILABLE;
    }
    if (status == REDIS_OK && a->token != 0 && waits_for_replicas(a))
        ask_forget_note(a);
    if (err == ERR_STORE_UNAVAILABLE || err == ERR_STORE_FULL || err == ERR_INTERNAL) {
        store_call_end(c, err, NULL);
        return;
    }
    CHECK(c->waiting > 0);
    c->waiting--;
    a->fn(c, a, err, reply);
}
