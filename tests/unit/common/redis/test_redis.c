/* redis against real servers that the test starts, kills and restarts. */
#include "tests/support/pump.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/redis/redis.h"
#include "common/redis/url.h"

enum { ANSWERS = 64 };

struct answer {
    unsigned count;
    enum redis_status status;
    char text[8192];
    int64_t number;
    unsigned elements;
    bool nil;
    uint64_t order;
};

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct redis *redis;
    struct answer answers[ANSWERS];
    char dir[64], url[128];
    pid_t server;
};

static uint64_t order;

static void on_answer(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct answer *a = arg;
    struct str text = redis_text(reply);
    a->count++;
    a->order = ++order;
    a->status = status;
    a->number = redis_int(reply);
    a->elements = redis_count(reply);
    a->nil = text.at == NULL; /* neither a number nor a list is asked for then */
    snprintf(a->text, sizeof(a->text), "%.*s", (int)text.len, text.len ? text.at : "");
}

/* argv is NULL-terminated */
static pid_t spawn(const char *dir, const char *const *argv)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
        int log = open("/dev/null", O_RDWR);
        dup2(log, 0);
        dup2(log, 1);
        dup2(log, 2);
        if (chdir(dir) == 0)
            execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    return pid;
}

static void stop(pid_t *pid)
{
    if (*pid > 0) {
        kill(*pid, SIGKILL);
        waitpid(*pid, NULL, 0);
    }
    *pid = 0;
}

static void start_server(struct fixture *f)
{
    const char *argv[] = {"redis-server", "--port",        "0",      "--unixsocket",
                          "redis.sock",   "--save",        "",       "--appendonly",
                          "yes",          "--appendfsync", "always", NULL};
    f->server = spawn(f->dir, argv);
}

static struct redis *make(struct fixture *f, const char *url, int64_t timeout_ms, uint64_t max)
{
    char error[256] = "";
    struct redis_config config = {.url = url, .timeout_ms = timeout_ms, .queue_bytes_max = max};
    struct redis *r = redis_new(f->loop, &config, error);
    assert_string_equal(error, "");
    assert_non_null(r);
    return r;
}

static struct fixture *start_without_server(void)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "/tmp/persai-redis-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->url, sizeof(f->url), "unix://%s/redis.sock", f->dir);
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    f->redis = make(f, f->url, 2000, 1 << 20);
    return f;
}

static struct fixture *start(void)
{
    struct fixture *f = start_without_server();
    start_server(f);
    return f;
}

static void finish(struct fixture *f)
{
    redis_free(f->redis);
    stop(&f->server);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f->pump);
    const char *argv[] = {"rm", "-r", f->dir, NULL};
    pid_t rm = spawn("/", argv);
    waitpid(rm, NULL, 0);
    free(f);
}

static bool is_answered(void *arg) { return ((struct answer *)arg)->count > 0; }

static void wait_answer(struct fixture *f, struct answer *a)
{
    assert_true(pump_within(f->pump, 10000, is_answered, a));
    assert_int_equal(a->count, 1);
}

static bool is_ready(void *arg) { return redis_ready(arg); }

static void wait_ready(struct fixture *f)
{
    assert_true(pump_within(f->pump, 10000, is_ready, f->redis));
}

/* Words of text, split at blanks. */
static uint64_t ask(struct fixture *f, struct answer *a, const char *text)
{
    struct str rest = str_of(text), argv[8];
    unsigned argc = 0;
    memset(a, 0, sizeof(*a));
    while (argc < 8 && str_split(&rest, ' ', &argv[argc]))
        argc++;
    uint64_t id = redis_command(f->redis, on_answer, a, argc, argv);
    assert_int_equal(a->count, 0);
    assert_true(id > 0);
    return id;
}

static void said(struct fixture *f, const char *command, enum redis_status status, const char *text)
{
    struct answer a;
    ask(f, &a, command);
    wait_answer(f, &a);
    assert_int_equal(a.status, status);
    assert_string_equal(a.text, text);
}

static void answers_are_typed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer *a = f->answers;
    assert_false(redis_ready(f->redis));
    ask(f, &a[0], "SET k v"); /* waits for the connection */
    ask(f, &a[1], "GET k");
    ask(f, &a[2], "GET none");
    ask(f, &a[3], "INCRBY n -5");
    ask(f, &a[4], "MGET k none n");
    ask(f, &a[5], "LPUSH k x");
    ask(f, &a[6], "GET n");
    wait_answer(f, &a[6]);
    assert_true(redis_ready(f->redis));
    assert_string_equal(a[0].text, "OK");
    assert_string_equal(a[1].text, "v");
    assert_true(a[2].nil && a[2].status == REDIS_OK);
    assert_int_equal(a[3].number, -5);
    assert_int_equal(a[4].elements, 3);
    assert_int_equal(a[4].number, 0);
    assert_string_equal(a[4].text, "");
    assert_int_equal(a[5].status, REDIS_ERROR);
    assert_int_equal(strncmp(a[5].text, "WRONGTYPE", 9), 0);
    assert_int_equal(a[6].number, -5);
    for (unsigned i = 1; i <= 6; i++)
        assert_true(a[i].order > a[i - 1].order);
    assert_non_null(strstr(redis_where(f->redis), "redis.sock"));
    finish(f);
}

static void any_bytes_come_back(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer a = {0}, b = {0};
    size_t len = 3000000;
    char *bytes = xmalloc(len);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 7);
    redis_free(f->redis);
    f->redis = make(f, f->url, 5000, 8 << 20);
    struct str set[] = {STR("SET"), STR("k\r\n"), {bytes, len}},
               empty[] = {STR("APPEND"), STR("k\r\n"), STR("")};
    redis_command(f->redis, on_answer, &a, 3, set);
    redis_command(f->redis, on_answer, &b, 3, empty);
    wait_answer(f, &b);
    assert_string_equal(a.text, "OK");
    assert_int_equal(b.number, (int64_t)len);
    memset(&a, 0, sizeof(a));
    struct str get[] = {STR("GETRANGE"), STR("k\r\n"), STR("0"), STR("4")};
    redis_command(f->redis, on_answer, &a, 4, get);
    wait_answer(f, &a);
    assert_memory_equal(a.text, "\0", 1);
    struct str whole[] = {STR("GET"), STR("k\r\n")};
    memset(&a, 0, sizeof(a));
    redis_command(f->redis, on_answer, &a, 2, whole);
    wait_answer(f, &a);
    assert_int_equal(a.status, REDIS_OK);
    free(bytes);
    finish(f);
}

static void restart_loses_what_was_sent_and_keeps_what_waits(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer *a = f->answers;
    struct redis_stats stats;
    said(f, "SET kept 1", REDIS_OK, "OK");
    kill(f->server, SIGSTOP); /* takes commands, answers none */
    ask(f, &a[0], "INCR kept");
    pump_for(f->pump, 20);
    assert_int_equal(a[0].count, 0);
    stop(&f->server);
    wait_answer(f, &a[0]);
    assert_int_equal(a[0].status, REDIS_LOST);
    assert_true(a[0].nil);
    assert_false(redis_ready(f->redis));
    ask(f, &a[1], "SET later 2"); /* waits */
    ask(f, &a[2], "GET later");
    ask(f, &a[3], "GET kept");
    pump_for(f->pump, 100);
    assert_int_equal(a[1].count, 0);
    start_server(f);
    wait_answer(f, &a[3]);
    assert_string_equal(a[1].text, "OK");
    assert_string_equal(a[2].text, "2");
    assert_int_equal(a[3].number, 1);
    assert_true(a[1].order < a[2].order && a[2].order < a[3].order);
    redis_stats_get(f->redis, &stats);
    assert_int_equal(stats.lost, 1);
    assert_int_equal(stats.reconnects, 1);
    assert_int_equal(stats.waiting, 0);
    finish(f);
}

static void without_redis_commands_time_out_and_the_queue_is_bounded(void **state)
{
    (void)state;
    struct fixture *f = start_without_server();
    redis_free(f->redis);
    f->redis = make(f, f->url, 150, 5000);
    struct answer *a = f->answers;
    unsigned full = 0, lost = 0;
    for (unsigned i = 0; i < ANSWERS; i++)
        ask(f, &a[i],
            "SET 0123456789012345678901234567890123456789 0123456789012345678901234567890");
    wait_answer(f, &a[0]);
    wait_answer(f, &a[ANSWERS - 1]);
    for (unsigned i = 0; i < ANSWERS; i++) {
        wait_answer(f, &a[i]);
        full += a[i].status == REDIS_FULL;
        lost += a[i].status == REDIS_LOST;
    }
    assert_int_equal(a[0].status, REDIS_LOST);
    assert_int_equal(a[ANSWERS - 1].status, REDIS_FULL);
    assert_int_equal(full + lost, ANSWERS);
    assert_true(full > ANSWERS / 4 && lost > ANSWERS / 4);
    start_server(f);
    wait_ready(f);
    said(f, "GET 0123456789012345678901234567890123456789", REDIS_OK, ""); /* none was done later */
    finish(f);
}

struct forgetful {
    struct redis *redis;
    uint64_t other;
    unsigned count;
};

static void forget_other(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct forgetful *g = arg;
    (void)reply;
    assert_int_equal(status, REDIS_LOST);
    g->count++;
    redis_forget(g->redis, g->other);
}

static bool has_forgotten(void *arg) { return ((struct forgetful *)arg)->count > 0; }

static void command_that_fails_beside_another_can_be_forgotten_by_it(void **state)
{
    (void)state;
    struct fixture *f = start_without_server();
    redis_free(f->redis);
    f->redis = make(f, f->url, 100, 5000);
    struct forgetful g = {.redis = f->redis};
    struct str ping = STR("PING");
    redis_command(f->redis, forget_other, &g, 1, &ping);
    g.other = ask(f, &f->answers[0], "PING");
    assert_true(pump_within(f->pump, 10000, has_forgotten, &g));
    ask(f, &f->answers[1], "PING");
    wait_answer(f, &f->answers[1]);
    assert_int_equal(f->answers[0].count, 0);
    finish(f);
}

static void take_long(void *arg)
{
    (void)arg;
    usleep(700 * 1000);
}

static void answer_that_is_there_counts_though_the_pass_was_long(void **state)
{
    (void)state;
    struct fixture *f = start();
    redis_free(f->redis);
    f->redis = make(f, f->url, 500, 100000);
    struct redis_stats stats;
    wait_ready(f);
    ask(f, &f->answers[0], "PING");
    loop_later(f->loop, take_long, NULL); /* when it has been sent */
    wait_answer(f, &f->answers[0]);
    assert_int_equal(f->answers[0].status, REDIS_OK);
    redis_stats_get(f->redis, &stats);
    assert_int_equal(stats.lost, 0);
    finish(f);
}

static void frozen_redis_is_given_up(void **state)
{
    (void)state;
    struct fixture *f = start();
    wait_ready(f); /* which takes more than a second on a busy machine */
    redis_free(f->redis);
    f->redis = make(f, f->url, 1000, 100000); /* what lives answers within, there too */
    wait_ready(f);
    struct answer *a = f->answers;
    said(f, "PING", REDIS_OK, "PONG");
    kill(f->server, SIGSTOP);
    ask(f, &a[0], "SET x 1");
    wait_answer(f, &a[0]);
    assert_int_equal(a[0].status, REDIS_LOST);
    kill(f->server, SIGCONT);
    wait_ready(f);
    said(f, "PING", REDIS_OK, "PONG");
    finish(f);
}

static size_t heap_bytes(void)
{
    struct mallinfo2 m = mallinfo2(); /* under a sanitizer it is all 0 */
    return m.uordblks + m.hblkhd;
}

static void what_redis_was_slow_to_take_takes_no_memory_afterwards(void **state)
{
    enum { COMMANDS = 128, BYTES = 256 << 10 };
    static char value[BYTES];
    (void)state;
    struct fixture *f = start();
    redis_free(f->redis);
    f->redis = make(f, f->url, 10000, 256 << 20);
    memset(value, 'v', sizeof(value));
    struct str set[] = {STR("SET"), STR("x"), {value, sizeof(value)}};
    said(f, "PING", REDIS_OK, "PONG");
    size_t before = heap_bytes();
    kill(f->server, SIGSTOP);
    struct answer *all = &f->answers[0], *last = &f->answers[1];
    for (int i = 0; i < COMMANDS; i++)
        assert_true(redis_command(f->redis, on_answer, all, 3, set) > 0);
    ask(f, last, "STRLEN x");
    pump_for(f->pump, 50);
    kill(f->server, SIGCONT);
    wait_answer(f, last);
    assert_int_equal(last->number, BYTES);
    assert_int_equal(all->count, COMMANDS);
    assert_true(heap_bytes() < before + (2 << 20));
    finish(f);
}

static void forgotten_commands_are_done_but_not_answered(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer *a = f->answers;
    uint64_t waiting = ask(f, &a[0], "INCR n");
    redis_forget(f->redis, waiting);
    wait_ready(f);
    kill(f->server, SIGSTOP);
    uint64_t sent = ask(f, &a[1], "INCR n");
    pump_for(f->pump, 10);
    redis_forget(f->redis, sent);
    kill(f->server, SIGCONT);
    redis_forget(f->redis, 999999);
    redis_forget(f->redis, 0);
    struct str fire[] = {STR("INCR"), STR("n")};
    redis_command(f->redis, NULL, NULL, 2, fire);
    ask(f, &a[2], "GET n");
    wait_answer(f, &a[2]);
    assert_int_equal(a[2].number, 3);
    assert_int_equal(a[0].count + a[1].count, 0);
    finish(f);
}

static void scripts_go_by_hash_and_survive_a_flush(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer *a = f->answers;
    static const struct redis_script script = {
        .name = "t",
        .source = "redis.call('RPUSH', KEYS[1], ARGV[1]) return {KEYS[1], #ARGV}",
        .sha = "6eb70143ccba839b260bcf9c0f9047d3aa46fbea"};
    struct str argv[] = {STR("list"), STR("1"), STR("x")};
    for (unsigned i = 0; i < 6; i++) {
        char number[2] = {(char)('0' + i), '\0'};
        argv[1] = str_of(number);
        redis_eval(f->redis, &script, on_answer, &a[i], 1, 3, argv);
        if (i == 2) {
            wait_answer(f, &a[2]);
            said(f, "SCRIPT FLUSH", REDIS_OK, "OK");
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        wait_answer(f, &a[i]);
        assert_int_equal(a[i].status, REDIS_OK);
        assert_int_equal(a[i].elements, 2);
    }
    said(f, "LINDEX list 0", REDIS_OK, "0");
    said(f, "LINDEX list 1", REDIS_OK, "1");
    struct answer info;
    ask(f, &info, "LLEN list");
    wait_answer(f, &info);
    assert_int_equal(info.number, 6);
    struct str exists[] = {STR("SCRIPT"), STR("EXISTS"), {script.sha, 40}};
    memset(&info, 0, sizeof(info));
    redis_command(f->redis, on_answer, &info, 3, exists);
    wait_answer(f, &info);
    assert_int_equal(info.elements, 1); /* Redis has it under that hash */
    said(f, "EVALSHA 0000000000000000000000000000000000000000 0", REDIS_ERROR,
         "NOSCRIPT No matching script. Please use EVAL.");
    finish(f);
}

static void free_port(char text[16])
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET};
    socklen_t len = sizeof(to);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    getsockname(fd, (struct sockaddr *)&to, &len);
    close(fd);
    snprintf(text, 16, "%u", ntohs(to.sin_port));
}

static void password_and_database_come_first(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer a;
    char url[256];
    said(f, "CONFIG SET requirepass s3cret", REDIS_OK, "OK");
    redis_free(f->redis);
    f->redis = make(f, f->url, 100, 100000);
    ask(f, &a, "PING"); /* no password: never ready */
    wait_answer(f, &a);
    assert_int_equal(a.status, REDIS_LOST);
    assert_false(redis_ready(f->redis));
    redis_free(f->redis);
    /* unix:// takes no credentials: over TCP */
    char port[16];
    free_port(port);
    const char *argv[] = {"redis-server", "--port", port,    "--bind",
                          "127.0.0.1",    "--save", "",      "--requirepass",
                          "s3cret",       "--user", "alice", "on",
                          ">p@ss",        "~*",     "+@all", NULL};
    pid_t second = spawn(f->dir, argv);
    snprintf(url, sizeof(url), "redis://:s3cret@localhost:%s/3", port);
    f->redis = make(f, url, 2000, 100000);
    said(f, "SET in3 yes", REDIS_OK, "OK");
    assert_null(strstr(redis_where(f->redis), "s3cret"));
    redis_free(f->redis);
    snprintf(url, sizeof(url), "redis://alice:p%%40ss@127.0.0.1:%s/3", port);
    f->redis = make(f, url, 2000, 100000);
    said(f, "GET in3", REDIS_OK, "yes");
    said(f, "ACL WHOAMI", REDIS_OK, "alice");
    stop(&second);
    finish(f);
}

static pid_t spawn_replica(struct fixture *f, const char *port, const char *master_port)
{
    const char *argv[] = {"redis-server",
                          "--port",
                          port,
                          "--bind",
                          "127.0.0.1",
                          "--save",
                          "",
                          "--dbfilename",
                          port,
                          "--repl-diskless-sync-delay",
                          "0",
                          "--replicaof",
                          "127.0.0.1",
                          master_port,
                          NULL};
    if (master_port == NULL)
        argv[11] = NULL;
    return spawn(f->dir, argv);
}

/* Until command answers with something that holds text. */
static void wait_said(struct fixture *f, const char *command, const char *text)
{
    for (int i = 0; i < 2000; i++) {
        struct answer a;
        ask(f, &a, command);
        wait_answer(f, &a);
        if (a.status == REDIS_OK && strstr(a.text, text) != NULL)
            return;
        pump_for(f->pump, 10);
    }
    fail_msg("%s never said %s", command, text);
}

static void sentinel_leads_to_the_master_and_to_the_next_one(void **state)
{
    (void)state;
    struct fixture *f = start_without_server();
    char ports[3][16], path[128], text[512], url[256];
    for (unsigned i = 0; i < 3; i++)
        free_port(ports[i]);
    pid_t master = spawn_replica(f, ports[0], NULL), replica = spawn_replica(f, ports[1], ports[0]);
    redis_free(f->redis);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%s", ports[1]);
    f->redis = make(f, url, 2000, 100000);
    wait_said(f, "INFO replication", "master_link_status:up");

    snprintf(path, sizeof(path), "%s/sentinel.conf", f->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "port %s\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %s 1\n"
            "sentinel down-after-milliseconds main 300\nsentinel failover-timeout main 3000\n",
            ports[2], ports[0]);
    fclose(file);
    const char *argv[] = {"redis-server", "sentinel.conf", "--sentinel", NULL};
    pid_t sentinel = spawn(f->dir, argv);
    redis_free(f->redis);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%s", ports[2]);
    f->redis = make(f, url, 2000, 100000);
    wait_said(f, "INFO sentinel", "slaves=1");

    redis_free(f->redis); /* the first of the sentinels is not there */
    snprintf(url, sizeof(url), "sentinel://127.0.0.1:1,127.0.0.1:%s/main/2", ports[2]);
    f->redis = make(f, url, 15000, 100000);
    said(f, "SET k before", REDIS_OK, "OK");
    snprintf(text, sizeof(text), "127.0.0.1:%s", ports[0]);
    assert_string_equal(redis_where(f->redis), text);
    said(f, "WAIT 1 1000", REDIS_OK, "");
    stop(&master);
    wait_said(f, "SET k after", "OK"); /* waits for the failover */
    snprintf(text, sizeof(text), "127.0.0.1:%s", ports[1]);
    assert_string_equal(redis_where(f->redis), text);
    stop(&replica);
    stop(&sentinel);
    finish(f);
}

static void demoted_master_is_left(void **state)
{
    (void)state;
    struct fixture *f = start_without_server();
    char ports[2][16], url[256], text[64];
    free_port(ports[0]);
    free_port(ports[1]);
    pid_t first = spawn_replica(f, ports[0], NULL), second = spawn_replica(f, ports[1], ports[0]);
    redis_free(f->redis);
    snprintf(url, sizeof(url), "redis://127.0.0.1:%s,127.0.0.1:%s", ports[0], ports[1]);
    f->redis = make(f, url, 5000, 100000);
    said(f, "SET a 1", REDIS_OK, "OK");
    struct redis *other;
    struct redis *ours = f->redis;
    snprintf(url, sizeof(url), "redis://127.0.0.1:%s", ports[1]);
    f->redis = other = make(f, url, 5000, 100000);
    wait_said(f, "INFO replication", "master_link_status:up");
    said(f, "REPLICAOF NO ONE", REDIS_OK, "OK");
    redis_free(other);
    f->redis = ours;
    snprintf(text, sizeof(text), "REPLICAOF 127.0.0.1 %s", ports[1]);
    said(f, text, REDIS_OK, "OK");
    struct answer a;
    ask(f, &a, "SET a 2");
    wait_answer(f, &a);
    assert_int_equal(a.status, REDIS_ERROR);
    assert_int_equal(strncmp(a.text, "READONLY", 8), 0);
    said(f, "SET a 2", REDIS_OK, "OK"); /* went to the new master */
    snprintf(text, sizeof(text), "127.0.0.1:%s", ports[1]);
    assert_string_equal(redis_where(f->redis), text);
    stop(&first);
    stop(&second);
    finish(f);
}

static void free_answers_what_is_open(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct answer *a = f->answers;
    wait_ready(f);
    kill(f->server, SIGSTOP);
    ask(f, &a[0], "PING");
    pump_for(f->pump, 0);
    ask(f, &a[1], "PING");
    redis_free(f->redis);
    f->redis = NULL;
    assert_int_equal(a[0].status, REDIS_LOST);
    assert_int_equal(a[1].status, REDIS_LOST);
    assert_int_equal(a[0].count + a[1].count, 2);
    finish(f);
}

static void bad(const char *url, const char *why)
{
    struct redis_url u;
    char error[256] = "";
    assert_false(redis_url_parse(url, &u, error));
    if (strstr(error, why) == NULL)
        print_error("%s: %s\n", url, error);
    assert_non_null(strstr(error, why));
    assert_null(strstr(error, "s3cret"));
}

static void urls_are_read_or_refused_with_a_sentence(void **state)
{
    (void)state;
    struct redis_url u;
    char error[256] = "";
    assert_true(redis_url_parse("redis://u:a%3Ab@h1:1/2,redis://h2,[::1]:3", &u, error));
    assert_int_equal(u.node_count, 3);
    assert_string_equal(u.nodes[0].host, "h1");
    assert_int_equal(u.nodes[0].port, 1);
    assert_int_equal(u.nodes[1].port, 6379);
    assert_string_equal(u.nodes[2].host, "::1");
    assert_int_equal(u.nodes[2].port, 3);
    assert_string_equal(u.user, "u");
    assert_true(str_is(secret_reveal(u.password), "a:b"));
    assert_int_equal(u.db, 2);
    redis_url_free(&u);
    assert_true(redis_url_parse("unix:///run/r.sock?db=7", &u, error));
    assert_string_equal(u.nodes[0].host, "/run/r.sock");
    assert_int_equal(u.nodes[0].port, 0);
    assert_int_equal(u.db, 7);
    assert_true(redis_url_parse("sentinel://:x@a:1,b/main/4", &u, error));
    assert_true(u.sentinel);
    assert_string_equal(u.master, "main");
    assert_int_equal(u.nodes[1].port, 26379);
    assert_int_equal(u.db, 4);
    redis_url_free(&u);
    bad("", "empty");
    bad("localhost:6379", "must start with");
    bad("rediss://:s3cret@h,redis://i", "with and without TLS");
    bad("rediss://:s3cret@h/0?ca=", "authorities");
    bad("redis://:s3cret@h/0?ca=/x", "option");
    bad("rediss://:s3cret@h/0?cert=/x", "option");
    bad("redis://:s3cret@h:x", "port");
    bad("redis://:s3cret@h:70000", "port");
    bad("redis://:s3cret@", "host");
    bad("redis://h/x", "database");
    bad("sentinel://:s3cret@a:1", "name of the master");
    bad("redis://u:s3cret%2@h", "escaped");
}

int main(void)
{
    secret_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_typed),
        cmocka_unit_test(any_bytes_come_back),
        cmocka_unit_test(restart_loses_what_was_sent_and_keeps_what_waits),
        cmocka_unit_test(without_redis_commands_time_out_and_the_queue_is_bounded),
        cmocka_unit_test(command_that_fails_beside_another_can_be_forgotten_by_it),
        cmocka_unit_test(answer_that_is_there_counts_though_the_pass_was_long),
        cmocka_unit_test(frozen_redis_is_given_up),
        cmocka_unit_test(what_redis_was_slow_to_take_takes_no_memory_afterwards),
        cmocka_unit_test(forgotten_commands_are_done_but_not_answered),
        cmocka_unit_test(scripts_go_by_hash_and_survive_a_flush),
        cmocka_unit_test(password_and_database_come_first),
        cmocka_unit_test(sentinel_leads_to_the_master_and_to_the_next_one),
        cmocka_unit_test(demoted_master_is_left),
        cmocka_unit_test(free_answers_what_is_open),
        cmocka_unit_test(urls_are_read_or_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
