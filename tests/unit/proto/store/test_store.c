/* The real scripts in a real Redis: the store's cases, once in a plain server and once in a cluster
 * of one node (which refuses a script whose keys have different hash tags), then what only Redis
 * can show: crashes, memory that is full, indexes that disagree. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "common/log.h"
#include "proto/store/list.h"
#include "proto/store/owner.h"
#include "proto/store/session.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/store/scripts.h"
#include "tests/support/store_cases.h"

enum { PATIENCE_MS = 20000 };

enum kind { PLAIN, CLUSTER, REPLICATED };
struct server {
    struct store_fixture f; /* first: the cases get it */
    char dir[64], socket[96], port[8], bus[8];
    enum kind kind;
    pid_t pid, replica;
    struct loop *loop;
    struct loop_timer *timer;
    struct redis *redis;
    const bool *done;
    bool late;
};

/* ---- the process ---- */
static void nap(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

static void free_port(char out[8])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    snprintf(out, 8, "%u", ntohs(at.sin_port));
}

/* appendfsync always: with everysec Redis puts writes off while a background fsync runs, and a kill
 * -9 then loses what it had acknowledged (seen here, on a busy disk). */
static void server_start(struct server *s)
{
    s->pid = fork();
    if (s->pid == 0) {
        const char *argv[40] = {
            "redis-server", "--dir",     s->dir,      "--unixsocket",  s->socket, "--port",
            s->port,        "--bind",    "127.0.0.1", "--save",        "",        "--appendonly",
            "yes",          "--logfile", "redis.log", "--appendfsync", "always"};
        unsigned n = 17;
        const char *const cluster[] = {"--cluster-enabled", "yes", "--cluster-port", s->bus};
        for (unsigned i = 0; s->kind == CLUSTER && i < 4; i++)
            argv[n++] = cluster[i];
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->socket);
    for (int tries = 0; tries < 500; tries++, nap(10)) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        bool up = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
        close(fd);
        if (up)
            return;
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
            fail_msg("redis-server does not start: is it installed? See %s/redis.log", s->dir);
    }
    fail_msg("redis-server does not listen");
}

/* Of the server, which listens on its port as well. */
static void replica_start(struct server *s)
{
    s->replica = fork();
    if (s->replica == 0) {
        execlp("redis-server", "redis-server", "--dir", s->dir, "--port", "0", "--unixsocket",
               "replica.sock", "--save", "", "--logfile", "replica.log", "--dbfilename",
               "replica.rdb", "--replicaof", "127.0.0.1", s->port, (char *)NULL);
        _exit(127);
    }
}

static void server_kill(struct server *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
        s->pid = 0;
    }
}

/* ---- the fixture ---- */
static void on_late(void *arg)
{
    struct server *s = arg;
    s->late = true;
    loop_stop(s->loop);
}

static void on_pass(void *arg)
{
    struct server *s = arg;
    if (s->done && *s->done)
        loop_stop(s->loop);
}

static void run_until(struct server *s, const bool *done, int64_t ms)
{
    s->done = done;
    s->late = false;
    loop_timer_set(s->timer, ms, 0);
    if (done == NULL || !*done)
        loop_run(s->loop);
    loop_timer_stop(s->timer);
    s->done = NULL;
}

static void on_wait(struct store_fixture *f, const bool *done)
{
    run_until((struct server *)f, done, PATIENCE_MS);
    assert_true(*done);
}

static void on_time(struct store_fixture *f, int64_t ms)
{
    run_until((struct server *)f, NULL, ms);
}

/* A plain command, its words separated by blanks; its answer as a number or a count. */
struct raw {
    bool done;
    int64_t number;
    char text[256];
};
static void on_raw(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct raw *r = arg;
    r->done = true;
    r->number = status != REDIS_OK   ? -1
                : redis_count(reply) ? redis_count(reply)
                                     : redis_int(reply);
    keep_text(redis_text(reply), r->text, sizeof(r->text));
}
static struct raw raw(struct server *s, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    struct str argv[16], rest = str_of(line);
    unsigned argc = 0;
    while (argc < 16 && str_split(&rest, ' ', &argv[argc]))
        argc++;
    struct raw r = {0};
    redis_command(s->redis, on_raw, &r, argc, argv);
    on_wait(&s->f, &r.done);
    return r;
}

static unsigned on_keys(struct store_fixture *f, struct id session)
{
    char text[ID_TEXT + 1];
    id_text(session, text);
    return (unsigned)raw((struct server *)f, "KEYS *{%s}*", text).number;
}

static void server_open(struct server *s, enum kind kind)
{
    *s = (struct server){.kind = kind};
    snprintf(s->dir, sizeof(s->dir), "/tmp/persai-store-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->socket, sizeof(s->socket), "%s/redis.sock", s->dir);
    snprintf(s->port, sizeof(s->port), "0");
    if (kind != PLAIN)
        free_port(s->port);
    if (kind == CLUSTER)
        free_port(s->bus);
    server_start(s);
    char url[128], error[256];
    snprintf(url, sizeof(url), "unix://%s", s->socket);
    s->loop = loop_new();
    loop_on_decide(s->loop, on_pass, s);
    s->timer = loop_timer_new(s->loop, on_late, s);
    unsigned replicas = kind == REPLICATED;
    struct redis_config rc = {
        .url = url, .timeout_ms = 5000, .queue_bytes_max = 64 << 20, .replicas = replicas};
    s->redis = redis_new(s->loop, &rc, error);
    assert_non_null(s->redis);
    struct store_config c = {.lease_ms = CASE_LEASE_MS,
                             .events_keep_ms = CASE_EVENTS_KEEP_MS,
                             .messages_max = CASE_MESSAGES_MAX,
                             .user_sessions_max = CASE_USER_SESSIONS,
                             .user_bytes_max = CASE_USER_BYTES,
                             .text_bytes_max = 4096,
                             .replicas = replicas};
    s->f = (struct store_fixture){.store = store_new(s->loop, s->redis, &c),
                                  .wait = on_wait,
                                  .pass = on_time,
                                  .keys = on_keys};
}

static void server_close(struct server *s)
{
    store_free(s->f.store);
    redis_free(s->redis);
    loop_timer_free(s->timer);
    loop_free(s->loop);
    server_kill(s);
    if (s->replica > 0) {
        kill(s->replica, SIGKILL);
        waitpid(s->replica, NULL, 0);
    }
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'", s->dir);
    assert_int_equal(system(command), 0);
}

static int setup(void **state)
{
    static struct server s;
    server_open(&s, PLAIN);
    *state = &s;
    return 0;
}

static int setup_replicated(void **state)
{
    static struct server s;
    server_open(&s, REPLICATED);
    raw(&s, "CONFIG SET repl-diskless-sync-delay 0");
    replica_start(&s);
    for (int tries = 0; tries < 1000 && raw(&s, "WAIT 1 10").number < 1; tries++)
        nap(10);
    *state = &s;
    return 0;
}

static int setup_cluster(void **state)
{
    static struct server s;
    server_open(&s, CLUSTER);
    assert_string_equal(raw(&s, "CLUSTER ADDSLOTSRANGE 0 16383").text, "OK");
    for (int tries = 0; tries < 100 && !strstr(raw(&s, "CLUSTER INFO").text, "state:ok"); tries++)
        nap(100);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    server_close(*state);
    return 0;
}

/* ---- what only Redis can show ---- */
static void accepted_turn_survives_the_store_s_crash(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    play_session(&p);
    play_begin(&p, "one");
    assert_int_equal(seal(&p, 1, 2, 3, TURN_RUNNING, "step")->err, ERR_NONE);
    server_kill(s);
    server_start(s);
    struct got *g = conversation(&p);
    assert_int_equal(g->message_count, 2);
    assert_string_equal(places(events(&p, 0, 0, 1000)), "1-1 1-2 1-3");
    assert_int_equal(seal(&p, 1, 4, 4, TURN_DONE, "end")->err, ERR_NONE);
}

/* Asked while Redis is away, back within the store's patience: done, and done once. */
static void calls_outlast_a_short_absence(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    play_session(&p);
    play_begin(&p, "one");
    server_kill(s);
    scoped_buf(b, 1 << 20);
    struct record_message m = {.role = ROLE_ASSISTANT, .turn = p.turn, .content = STR("end")};
    struct store_seal end = {.session = p.session,
                             .turn = p.turn,
                             .epoch = 1,
                             .last_seq = 2,
                             .batch = batch_of(2, 2, true, &b),
                             .messages = &m,
                             .message_count = 1,
                             .state = TURN_DONE};
    struct got g = {0};
    store_turn_seal(s->f.store, &end, on_got, &g);
    on_time(&s->f, 300);
    assert_false(g.done);
    server_start(s);
    on_wait(&s->f, &g.done);
    assert_int_equal(g.err, ERR_NONE);
    assert_int_equal(conversation(&p)->message_count, 2);
}

static void a_long_absence_is_an_error(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    play_session(&p);
    server_kill(s);
    REFUSED(&s->f, ERR_STORE_UNAVAILABLE, store_session_page, p.owner, p.session, 0, 0, 1 << 20);
    server_start(s);
    for (int tries = 0; tries < 100 && !store_ready(s->f.store); tries++)
        on_time(&s->f, 50);
    conversation(&p);
}

/* A full Redis takes no new turns, and those that run can end. */
static void full_store_refuses_what_is_new_and_lets_end_what_runs(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f), q = play_new(&s->f);
    play_session(&p);
    play_session(&q);
    play_begin(&p, "one");
    assert_string_equal(raw(s, "CONFIG SET maxmemory 1").text, "OK");
    assert_int_equal(begin_as(&q, q.owner, id_new(), STR(""), "two")->err, ERR_STORE_FULL);
    REFUSED(&s->f, ERR_STORE_FULL, store_session_create, p.owner, STR(""), STR(""), STR(""),
            STR(""));
    assert_int_equal(say(&p, 1, 2, 2)->err, ERR_STORE_FULL);
    assert_int_equal(seal(&p, 1, 2, 3, TURN_DONE, "end")->err, ERR_NONE);
    assert_int_equal(conversation(&p)->message_count, 2);
    assert_string_equal(raw(s, "CONFIG SET maxmemory 0").text, "OK");
    play_begin(&q, "two");
}

/* Another life of the server may have lost epochs that gave out ids: the next one goes well past.
 */
static void epochs_leave_room_behind_a_restart(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    play_session(&p);
    play_begin(&p, "one");
    OK(&s->f, store_turn_load, p.session, p.turn, 1, WORKER);
    assert_int_equal(say(&p, 1, 2, 3)->err, ERR_NONE);
    server_kill(s);
    server_start(s);
    struct got *g = OK(&s->f, store_turn_claim, p.session, p.turn, 1, true, false, GATEWAY);
    uint32_t next = g->turn.epoch;
    assert_in_range(next, 17, 17 + 60 * 100); /* further by the hundredths since it began */
    assert_int_equal(g->turn.loss_epoch, 0);  /* it was no replica: nothing speaks for a loss */
    assert_int_equal(
        OK(&s->f, store_turn_claim, p.session, p.turn, 1, true, false, GATEWAY)->turn.epoch, next);
    assert_string_equal(places(events(&p, 1, 9, 9999)), ""); /* what was said and not stored */
    assert_int_equal(seal(&p, next, 1, 2, TURN_DONE, "x")->err, ERR_NONE);
    char stored[64];
    snprintf(stored, sizeof(stored), "%u-1 %u-2!", next, next);
    assert_string_equal(places(events(&p, 1, 3, 9999)), stored);
    /* A claim that went ahead of what there is: something is lost. */
    play_begin(&p, "two");
    g = OK(&s->f, store_turn_claim, p.session, p.turn, 4, true, false, GATEWAY);
    assert_int_equal(g->turn.epoch, 5);
    assert_int_equal(g->turn.loss_epoch, 5);
    assert_int_equal(events(&p, 1, 2, 9999)->err, ERR_HISTORY_LOST);
    assert_int_equal(events(&p, 4, 1, 9999)->err, ERR_HISTORY_LOST);
    assert_int_equal(events(&p, 1, 1, 9999)->err, ERR_NONE);
}

/* The janitors' list: a name without a turn is voided and forgotten, and what is voided can't begin
 * any more; a turn without a name gets it back. */
static void list_of_open_turns_is_mended(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    play_session(&p);
    p.turn = id_new();
    id_text(p.session, session);
    id_text(p.turn, turn);
    struct str entry[] = {STR("ZADD"), STR("p:active"), STR("1000"), STR(""), {0}};
    char name[80];
    snprintf(name, sizeof(name), "%s %s", session, turn);
    entry[3] = str_of(name);
    struct raw r = {0};
    redis_command(s->redis, on_raw, &r, 4, entry);
    on_wait(&s->f, &r.done);
    assert_false(active_has(&s->f, p.turn));
    assert_int_equal(raw(s, "ZCOUNT p:active 1000 1000").number, 0);
    assert_int_equal(begin_as(&p, p.owner, p.turn, STR(""), "late")->err, ERR_STORE_UNAVAILABLE);
    assert_int_equal(conversation(&p)->message_count, 0);

    play_begin(&p, "one");
    assert_int_equal(raw(s, "DEL p:active").number, 1);
    assert_false(active_has(&s->f, p.turn));
    assert_int_equal(begin_as(&p, p.owner, id_new(), STR(""), "x")->err, ERR_TURN_RUNNING);
    assert_true(active_has(&s->f, p.turn));
}

static void owner_s_list_is_mended(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1];
    play_session(&p);
    id_text(p.session, session);
    raw(s, "ZADD p:u:{%s} 1000 %s", p.owner_text, session);
    raw(s, "ZADD p:u:{%s} 1000 00000000000000000000000000000001", p.owner_text);
    raw(s, "ZADD p:u:{%s} 1000 nonsense", p.owner_text);
    for (int i = 0; i < 2; i++)
        assert_int_equal(OK(&s->f, store_session_list, p.owner, STR(""), 9, STR(""))->session_count,
                         1);
    assert_true(raw(s, "ZSCORE p:u:{%s} %s", p.owner_text, session).number > 1000);
    assert_int_equal(raw(s, "ZCARD p:u:{%s}", p.owner_text).number, 2); /* the session, nonsense */
}

/* What somebody else wrote into our keys is no reason to crash, nor to lose the rest. */
static struct got *page(struct play *p, uint32_t after, uint32_t upto, uint32_t bytes)
{
    return ASK(p->f, store_session_page, p->owner, p->session, after, upto, bytes);
}

static void a_share_opens_pages_until_it_is_taken_back(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    play_session(&p);
    play_begin(&p, "question");
    seal(&p, 1, 2, 3, TURN_DONE, "answer");
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_shared_page, STR(""), p.session, 0, 0, 1 << 20);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_shared_page, STR("x"), p.session, 0, 0, 1 << 20);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_session_share, STR("somebody"), p.session, STR(""));
    char token[40];
    struct got *g = OK(&s->f, store_session_share, p.owner, p.session, STR("/proxy/x"));
    snprintf(token, sizeof(token), "%s", g->share);
    assert_int_equal(strlen(token), 32);
    assert_string_equal(OK(&s->f, store_session_share, p.owner, p.session, STR(""))->share, token);
    g = OK(&s->f, store_shared_page, str_of(token), p.session, 0, 0, 1 << 20);
    assert_true(g->message_count == 2 && strcmp(g->share_path, "/proxy/x") == 0);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_session_unshare, STR("somebody"), p.session);
    assert_string_equal(OK(&s->f, store_session_unshare, p.owner, p.session)->share, "");
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_shared_page, str_of(token), p.session, 1, 2, 99);
    assert_string_not_equal(OK(&s->f, store_session_share, p.owner, p.session, STR(""))->share,
                            token);
}

static void feedback_is_of_answers_and_goes_with_them(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    play_session(&p);
    play_begin(&p, "question");
    seal(&p, 1, 2, 3, TURN_DONE, "answer");
    REFUSED(&s->f, ERR_INVALID, store_feedback_set, p.owner, p.session, 1, 1, STR(""));
    REFUSED(&s->f, ERR_MESSAGE_NOT_FOUND, store_feedback_set, p.owner, p.session, 9, 1, STR(""));
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_feedback_set, STR("x"), p.session, 2, 1, STR(""));
    assert_int_equal(OK(&s->f, store_feedback_set, p.owner, p.session, 2, 1, STR("a"))->sentiment,
                     0);
    assert_int_equal(OK(&s->f, store_feedback_set, p.owner, p.session, 2, -1, STR("b"))->sentiment,
                     1);
    struct got *g = OK(&s->f, store_rated_get, p.session, 0);
    assert_true(g->rated_count == 1 && g->rated_messages == 2 && !g->more);
    assert_int_equal(OK(&s->f, store_rated_get, p.session, 2)->rated_count, 0);
    OK(&s->f, store_message_delete, p.owner, p.session, 2);
    assert_int_equal(OK(&s->f, store_rated_get, p.session, 0)->rated_count, 0);
}

static void pages_are_of_one_moment(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1];
    play_session(&p);
    struct got *g = page(&p, 0, 0, 1000);
    assert_true(g->err == ERR_NONE && g->session_count == 1 && g->message_count == 0 && !g->more);
    for (int i = 0; i < 3; i++) {
        play_begin(&p, "question");
        seal(&p, 1, 2, 3, TURN_DONE, "answer");
    }
    g = page(&p, 0, 0, 1 << 20);
    assert_true(g->session_count == 1 && g->message_count == 6 && !g->more);
    OK(&s->f, store_message_patch, p.owner, p.session, 3, 1, 1);
    OK(&s->f, store_message_delete, p.owner, p.session, 2);
    g = page(&p, 0, 0, 1); /* one message at least */
    assert_true(g->message_count == 1 && g->more && g->page_end == 1 && g->upto == 6);
    play_begin(&p, "meanwhile");
    g = page(&p, 1, 6, 1); /* past what was removed */
    assert_true(g->session_count == 0 && g->message_count == 1 && g->more && g->page_end == 3);
    assert_true(g->messages[0].message == 3 && g->messages[0].pinned && g->messages[0].excluded);
    g = page(&p, 3, 6, 1 << 20);
    assert_true(g->message_count == 3 && !g->more && g->messages[2].message == 6);
    assert_int_equal(page(&p, 0, 0, 1 << 20)->message_count, 6);
    id_text(p.session, session);
    raw(s, "HSET p:s:{%s} mseq 100000",
        session); /* many were removed: looked for a part at a time */
    unsigned pages = 1, messages = 0;
    for (g = page(&p, 0, 0, 1 << 20); g->more; g = page(&p, g->page_end, g->upto, 1 << 20)) {
        pages++;
        messages += g->message_count;
    }
    assert_true(pages == 100 && messages == 6);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_session_page, STR("somebody"), p.session, 0, 0, 9);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_session_page, STR("somebody"), p.session, 3, 6, 9);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_session_page, p.owner, id_new(), 0, 0, 9);
}

#include "tests/support/long_cases.h"
#include "tests/support/spoilt_cases.h"
#include "tests/support/unlisted_cases.h"

/* A script of an older process that comes after a claim is refused by the stream's own order. */
static void redis_knows_each_script_by_the_hash_that_it_is_asked_for(void **state)
{
    struct server *s = *state;
    for (unsigned i = 0; i < SCRIPT_COUNT; i++) {
        struct str argv[] = {STR("SCRIPT"), STR("LOAD"), str_of(store_scripts[i].source)};
        struct raw r = {0};
        redis_command(s->redis, on_raw, &r, 3, argv);
        on_wait(&s->f, &r.done);
        assert_string_equal(r.text, store_scripts[i].sha);
    }
}

static void stream_s_order_is_a_second_fence(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    play_session(&p);
    play_begin(&p, "one");
    id_text(p.session, session);
    id_text(p.turn, turn);
    raw(s, "XADD p:e:{%s}:%s 2-1 e x", session, turn); /* as if the hash had been lost */
    assert_int_equal(say(&p, 1, 2, 2)->err, ERR_FENCED);
    assert_int_equal(seal(&p, 1, 2, 2, TURN_DONE, "late")->err, ERR_FENCED);
    assert_int_equal(conversation(&p)->message_count, 1);
}

/* A turn's hash goes a week after its end (here: by hand): its session still knows that it was, and
 * what its idempotency key led to is not begun a second time while the key lives. */
static void turn_is_known_to_its_session_when_its_hash_is_gone(void **state)
{
    enum { DAY_MS = 24 * 3600 * 1000 };
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    play_session(&p);
    p.turn = id_new();
    assert_int_equal(begin_as(&p, p.owner, p.turn, STR("again"), "one")->err, ERR_NONE);
    id_text(p.session, session);
    id_text(p.turn, turn);
    OK(&s->f, store_turn_load, p.session, p.turn, 1, WORKER);
    assert_int_equal(seal(&p, 1, 2, 2, TURN_DONE, "answer")->err, ERR_NONE);
    int64_t left = raw(s, "PTTL p:t:{%s}:%s", session, turn).number;
    assert_in_range(left, 6 * (int64_t)DAY_MS, 7 * (int64_t)DAY_MS);
    assert_in_range(raw(s, "PTTL p:e:{%s}:%s", session, turn).number, 0, CASE_EVENTS_KEEP_MS);

    struct got *g = begin_as(&p, p.owner, id_new(), STR("again"), "one");
    assert_int_equal(g->err, ERR_NONE);
    assert_true(id_eq(g->turn.turn, p.turn));
    assert_int_equal(raw(s, "DEL p:t:{%s}:%s p:e:{%s}:%s", session, turn, session, turn).number, 2);
    assert_int_equal(events(&p, 1, 1, 1000)->err, ERR_EVENTS_EXPIRED);
    REFUSED(&s->f, ERR_EVENTS_EXPIRED, store_turn_get, p.owner, p.session, p.turn);
    REFUSED(&s->f, ERR_SESSION_NOT_FOUND, store_turn_get, STR("somebody"), p.session, p.turn);
    assert_int_equal(conversation(&p)->message_count, 2);
    assert_int_equal(begin_as(&p, p.owner, id_new(), STR("again"), "one")->err, ERR_NONE);
}

#include "tests/support/witness_cases.h"

/* ---- owners ---- */

static unsigned sessions_of(struct store_fixture *f, struct str owner)
{
    return OK(f, store_session_list, owner, STR(""), 100, STR(""))->session_count;
}

static unsigned moved(struct store_fixture *f, struct str from, struct str to, int64_t since_ms)
{
    return OK(f, store_owner_move, from, to, since_ms)->moved;
}

/* What the new owner's name is: of this case alone. */
static struct str heir_of(const struct play *p, char text[64])
{
    snprintf(text, 64, "%s:17", p->owner_text);
    return str_of(text);
}

CASE(all_of_an_owner_becomes_another_s_and_goes_on)
{
    char text[64];
    struct str to = heir_of(p, text);
    play_begin(p, "running");
    OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    for (unsigned i = 1; i < 40; i++) /* more than one page of a move */
        OK(f, store_session_create, p->owner, STR(""), STR(""), STR("t"), STR(""));
    assert_int_equal(moved(f, p->owner, to, 0), 40);
    assert_int_equal(sessions_of(f, p->owner), 0);
    assert_int_equal(sessions_of(f, to), 40);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_get, p->owner, p->session);
    assert_int_equal(moved(f, p->owner, to, 0), 0);
    struct play heir = *p;
    heir.owner = to;
    assert_int_equal(begin_as(&heir, to, id_new(), STR(""), "x")->err, ERR_TURN_RUNNING);
    assert_int_equal(seal(p, 1, 2, 3, TURN_DONE, "end")->err, ERR_NONE); /* its worker goes on */
    assert_int_equal(conversation(&heir)->message_count, 2);
    play_begin(&heir, "another");
    assert_int_equal(sessions_of(f, p->owner), 0);
}

CASE(quotas_of_both_owners_follow_a_move)
{
    char text[64];
    struct str to = heir_of(p, text);
    for (unsigned i = 1; i < CASE_USER_SESSIONS; i++)
        OK(f, store_session_create, p->owner, STR(""), STR(""), STR(""), STR(""));
    REFUSED(f, ERR_TOO_MANY_SESSIONS, store_session_create, p->owner, STR(""), STR(""), STR(""),
            STR(""));
    OK(f, store_session_create, to, STR(""), STR(""), STR(""), STR(""));
    assert_int_equal(moved(f, p->owner, to, 0), CASE_USER_SESSIONS);
    /* More than it may have: nothing is lost by that, nothing is taken on. */
    assert_int_equal(sessions_of(f, to), CASE_USER_SESSIONS + 1);
    REFUSED(f, ERR_TOO_MANY_SESSIONS, store_session_create, to, STR(""), STR(""), STR(""), STR(""));
    OK(f, store_session_create, p->owner, STR(""), STR(""), STR(""), STR(""));
}

/* A session of before is an earlier user's, whoever changed it since. */
CASE(what_is_older_than_its_owner_stays)
{
    char text[64];
    struct str to = heir_of(p, text), title = STR("changed");
    struct id old = p->session;
    f->pass(f, 20);
    OK(f, store_session_create, p->owner, STR(""), STR(""), STR("between"), STR(""));
    f->pass(f, 20);
    int64_t since_ms = loop_wall_ms();
    for (unsigned i = 0; i < 3; i++)
        OK(f, store_session_create, p->owner, STR(""), STR(""), STR("new"), STR(""));
    OK(f, store_session_patch, p->owner, old, &(struct store_patch){.title = &title});
    assert_int_equal(moved(f, p->owner, to, since_ms), 3);
    assert_int_equal(sessions_of(f, to), 3);
    assert_int_equal(sessions_of(f, p->owner), 2);
    REFUSED(f, ERR_SESSION_NOT_FOUND, store_session_get, to, old);
    assert_int_equal(moved(f, p->owner, to, since_ms), 0);
}

CASE(move_that_broke_off_is_finished)
{
    char text[64], session[ID_TEXT + 1];
    struct str to = heir_of(p, text);
    struct server *s = (struct server *)f;
    id_text(p->session, session);
    raw(s, "HSET p:s:{%s} owner %s", session, text);
    assert_int_equal(sessions_of(f, to), 0);
    assert_int_equal(moved(f, p->owner, to, 0), 1);
    assert_int_equal(sessions_of(f, to), 1);
    assert_int_equal(raw(s, "ZCARD p:u:{%s}", p->owner_text).number, 0);
}

CASE(only_its_own_leave_an_owner)
{
    char text[64], session[ID_TEXT + 1];
    struct str to = heir_of(p, text), third = STR("a third person");
    struct server *s = (struct server *)f;
    struct id theirs =
        OK(f, store_session_create, third, STR(""), STR(""), STR(""), STR(""))->session;
    id_text(theirs, session);
    raw(s, "ZADD p:u:{%s} 5000 %s", p->owner_text, session);
    raw(s, "ZADD p:u:{%s} 5000 00000000000000000000000000000001", p->owner_text);
    raw(s, "ZADD p:u:{%s} 5000 nonsense", p->owner_text);
    assert_int_equal(moved(f, p->owner, to, 0), 1);
    OK(f, store_session_get, third, theirs);
    assert_int_equal(sessions_of(f, to), 1);
    assert_int_equal(raw(s, "ZCARD p:u:{%s}", p->owner_text).number, 1); /* nonsense */
    REFUSED(f, ERR_INVALID, store_owner_move, to, to, 0);
    REFUSED(f, ERR_INVALID, store_owner_move, STR(""), to, 0);
    assert_int_equal(moved(f, STR("nobody"), to, 0), 0);
}

CASE(idempotency_key_of_a_session_moves_with_it)
{
    char text[64];
    struct str to = heir_of(p, text), key = STR("of an alert");
    struct id made = OK(f, store_session_create, p->owner, key, STR(""), STR(""), STR(""))->session;
    assert_int_equal(moved(f, p->owner, to, 0), 2);
    assert_true(
        id_eq(OK(f, store_session_create, to, key, STR(""), STR(""), STR(""))->session, made));
    assert_false(id_eq(
        OK(f, store_session_create, p->owner, key, STR(""), STR(""), STR(""))->session, made));
}

CASE(owners_of_a_name_are_known)
{
    char text[64], later[64];
    struct str to = heir_of(p, text);
    snprintf(later, sizeof(later), "%s:18", p->owner_text);
    struct got *g = OK(f, store_owner_list, p->owner);
    assert_true(g->owner_count == 1 && g->owners[0].sessions == 1 && g->owners[0].seen_ms == 0);
    store_owner_seen(f->store, p->owner, to);
    f->pass(f, 20);
    store_owner_seen(f->store, p->owner, str_of(later));
    OK(f, store_session_create, to, STR(""), STR(""), STR(""), STR(""));
    g = OK(f, store_owner_list, p->owner);
    assert_int_equal(g->owner_count, 3);
    assert_string_equal(g->owners[0].owner, p->owner_text);
    assert_string_equal(g->owners[1].owner, later);
    assert_int_equal(g->owners[1].sessions, 0);
    assert_string_equal(g->owners[2].owner, text);
    assert_int_equal(g->owners[2].sessions, 1);
    assert_in_range(g->owners[1].seen_ms, g->owners[2].seen_ms, loop_wall_ms());
    REFUSED(f, ERR_INVALID, store_owner_list, STR(""));
}

static const struct CMUnitTest owner_cases[] = {
    cmocka_unit_test(all_of_an_owner_becomes_another_s_and_goes_on),
    cmocka_unit_test(quotas_of_both_owners_follow_a_move),
    cmocka_unit_test(long_conversation_is_loaded_by_pages),
    cmocka_unit_test(long_conversation_is_copied_by_pages),
    cmocka_unit_test(unlisted_sessions_are_counted_too),
    cmocka_unit_test(unlisted_session_goes_soon_when_nobody_waits),
    cmocka_unit_test(listed_session_stays_when_nobody_waits),
    cmocka_unit_test(what_is_older_than_its_owner_stays),
    cmocka_unit_test(move_that_broke_off_is_finished),
    cmocka_unit_test(only_its_own_leave_an_owner),
    cmocka_unit_test(idempotency_key_of_a_session_moves_with_it),
    cmocka_unit_test(owners_of_a_name_are_known),
};

static const struct CMUnitTest redis_cases[] = {
    cmocka_unit_test(accepted_turn_survives_the_store_s_crash),
    cmocka_unit_test(redis_knows_each_script_by_the_hash_that_it_is_asked_for),
    cmocka_unit_test(calls_outlast_a_short_absence),
    cmocka_unit_test(a_long_absence_is_an_error),
    cmocka_unit_test(full_store_refuses_what_is_new_and_lets_end_what_runs),
    cmocka_unit_test(epochs_leave_room_behind_a_restart),
    cmocka_unit_test(list_of_open_turns_is_mended),
    cmocka_unit_test(owner_s_list_is_mended),
    cmocka_unit_test(spoilt_records_are_skipped),
    cmocka_unit_test(conversation_without_an_end_takes_no_message),
    cmocka_unit_test(pages_are_of_one_moment),
    cmocka_unit_test(a_share_opens_pages_until_it_is_taken_back),
    cmocka_unit_test(feedback_is_of_answers_and_goes_with_them),
    cmocka_unit_test(stream_s_order_is_a_second_fence),
    cmocka_unit_test(turn_is_known_to_its_session_when_its_hash_is_gone),
    cmocka_unit_test(deleted_session_is_gone_for_other_gateways_when_it_is_said),
    cmocka_unit_test(what_became_free_is_free_for_other_gateways_when_it_is_said),
    cmocka_unit_test(moved_session_is_its_heir_s_when_it_is_said),
};

#define GROUP(name, cases, setup)                                                                  \
    if (argc < 2 || strcmp(argv[1], name) == 0)                                                    \
    failed += cmocka_run_group_tests_name("store " name, cases, setup, teardown)

/* With an argument that group alone: they mostly wait, and four at once wait as long as one
 * (tests/CMakeLists.txt). */
int main(int argc, char **argv)
{
    int failed = 0;
    log_setup(LOG_ERROR, "test_store");
    GROUP("plain", store_cases, setup);
    GROUP("cluster", store_cases, setup_cluster);
    GROUP("copies", store_cases, setup_replicated);
    GROUP("redis", redis_cases, setup);
    GROUP("redis", owner_cases, setup);
    GROUP("redis", owner_cases, setup_cluster);
    return failed;
}
