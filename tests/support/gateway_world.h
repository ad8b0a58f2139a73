/* tests/support/gateway_world.h: a real gateway in this process, with a real Redis, around it a
 * Perses and a worker that do what the test says, and clients on plain sockets. What Perses is
 * asked and what the worker is sent is a trace of short lines. */
#ifndef TESTS_SUPPORT_GATEWAY_WORLD_H
#define TESTS_SUPPORT_GATEWAY_WORLD_H

#include "tests/support/pump.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "common/config.h"
#include "common/log.h"
#include "gateway/auth/identity.h"
#include "gateway/parts.h"
#include "gateway/turn/turns.h"
#include "proto/frame.h"
#include "proto/store/store.h"
#include "proto/wire.h"

enum { WORLD_WAIT_MS = 20000 };

/* ---- Redis: one for all tests of a program ---- */

static struct {
    char dir[64], url[128];
    pid_t pid;
} redis_server;

static int redis_connect(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/redis.sock", redis_server.dir);
    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void redis_flush(void)
{
    char ok[16];
    int fd = redis_connect();
    pump_send(fd, "FLUSHALL\r\n");
    assert_true(recv(fd, ok, sizeof(ok), 0) > 0);
    close(fd);
}

static int redis_up(void **state)
{
    (void)state;
    snprintf(redis_server.dir, sizeof(redis_server.dir), "/tmp/persai-gateway-XXXXXX");
    assert_non_null(mkdtemp(redis_server.dir));
    snprintf(redis_server.url, sizeof(redis_server.url), "unix://%s/redis.sock", redis_server.dir);
    redis_server.pid = fork();
    if (redis_server.pid == 0) {
        execlp("redis-server", "redis-server", "--dir", redis_server.dir, "--unixsocket",
               redis_server.url + strlen("unix://"), "--port", "0", "--save", "", "--logfile",
               "redis.log", (char *)NULL);
        _exit(127);
    }
    for (int tries = 0; tries < 1000; tries++) {
        int fd = redis_connect();
        if (fd >= 0)
            return close(fd);
        if (waitpid(redis_server.pid, NULL, WNOHANG) == redis_server.pid)
            fail_msg("redis-server does not start: is it installed?");
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    fail_msg("redis-server does not listen");
    return -1;
}

static int redis_down(void **state)
{
    (void)state;
    char command[128];
    kill(redis_server.pid, SIGKILL);
    waitpid(redis_server.pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", redis_server.dir);
    return system(command);
}

/* ---- the world ---- */

static const struct setting gateway_table[] = {
#define SETTING(place, name, type, by_default, min, max, help)                                     \
    SETTING_ROW(gateway_settings, place, name, type, by_default, min, max, help, false)
#include "gateway/settings.def"
#undef SETTING
};
enum { GATEWAY_SETTINGS = sizeof(gateway_table) / sizeof(*gateway_table) };

static struct world {
    struct gateway g;
    struct pump *pump;
    struct loop_timer *tick;
    struct http *perses;
    bool perses_auth_off;
    const char *revoked; /* a token that Perses takes no more; or NULL */
    struct wire *workers[4];
    struct id turn; /* of the last TURN */
    uint32_t epoch;
    char trace[8192], perses_url[64], broker[128];
    uint64_t heard; /* of the last TURN */
    char opening[STORE_OPENING_MAX];
    size_t opening_len;
} w;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    size_t len = strlen(w.trace);
    va_list args;
    va_start(args, format);
    vsnprintf(w.trace + len, sizeof(w.trace) - len - 1, format, args);
    va_end(args);
    len = strlen(w.trace);
    snprintf(w.trace + len, sizeof(w.trace) - len, "\n");
}

/* ---- Perses: a token is its user's name, but for a few words ---- */

static void perses_reply(struct http_request *r, unsigned status, const char *json)
{
    http_reply(r, status, "application/json", str_of(json));
}

static void perses_whoami(struct http_request *r)
{
    char token[256], json[600];
    struct str bearer = str_skip(http_header(r, "Authorization"), strlen("Bearer "));
    snprintf(token, sizeof(token), "%.*s", (int)bearer.len, bearer.at);
    note("whoami %s", token);
    snprintf(json, sizeof(json),
             "{\"metadata\":{\"name\":\"%s\",\"createdAt\":\"2026-11-28T08:29:35Z\"}}", token);
    if (strncmp(token, "refused", 7) == 0 || (w.revoked && strcmp(token, w.revoked) == 0))
        perses_reply(r, 401, "{}");
    else if (strcmp(token, "broken") == 0)
        perses_reply(r, 500, "{}");
    else if (strcmp(token, "nameless") == 0)
        perses_reply(r, 200, "{\"metadata\":{}}");
    else if (strcmp(token, "silent") != 0)
        perses_reply(r, 200, json);
}

static void perses_refresh(struct http_request *r)
{
    struct str body = http_body(r);
    note("refresh %.*s", (int)body.len, body.at);
    if (memmem(body.at, body.len, "\"good\"", 6))
        perses_reply(r, 200, "{\"access_token\":\"fresh\",\"refresh_token\":\"good\"}");
    else if (memmem(body.at, body.len, "\"strange\"", 9))
        perses_reply(r, 200, "{\"access_token\":\"a b\"}");
    else
        perses_reply(r, memmem(body.at, body.len, "\"broken\"", 8) ? 500 : 400, "{}");
}

static void on_perses(void *arg, struct http_request *r)
{
    (void)arg;
    struct str path = http_path(r);
    if (str_is(path, "/api/v1/user/whoami")) {
        perses_whoami(r);
    } else if (str_is(path, "/api/config")) {
        note("config");
        perses_reply(r, 200,
                     w.perses_auth_off ? "{\"security\":{\"enable_auth\":false}}"
                                       : "{\"security\":{\"enable_auth\":true}}");
    } else if (str_is(path, "/api/auth/refresh")) {
        perses_refresh(r);
    } else {
        perses_reply(r, 404, "{}");
    }
}

/* ---- the worker ---- */

static void worker_send(unsigned n, struct frame f)
{
    struct wire_peer *p = wire_gateway(w.workers[n]);
    assert_true(frame_encode(&f, wire_out(p)));
    wire_touch(p);
}

static void on_frame(void *arg, struct wire_peer *p, struct str bytes)
{
    (void)p;
    unsigned n = (unsigned)(uintptr_t)arg;
    while (bytes.len > 0) {
        struct frame f;
        assert_int_equal(frame_decode(&bytes, FRAME_TO_WORKER, &f), ERR_NONE);
        if (f.code == FRAME_TURN) {
            struct str token = secret_reveal(f.TURN.token);
            note("worker %u: TURN epoch %u token %.*s", n, f.TURN.epoch, (int)token.len,
                 token.len ? token.at : "");
            w.turn = f.TURN.turn;
            w.epoch = f.TURN.epoch;
            w.heard = f.TURN.heard;
            w.opening_len = f.TURN.opening.len;
            if (w.opening_len > 0)
                memcpy(w.opening, f.TURN.opening.at, w.opening_len);
        } else if (f.code == FRAME_TOKEN) {
            struct str token = secret_reveal(f.TOKEN.token);
            note("worker %u: TOKEN %.*s", n, (int)token.len, token.len ? token.at : "");
        } else if (f.code == FRAME_BYE) {
            note("worker %u: BYE %.*s", n, (int)f.BYE.reason.len, f.BYE.reason.at);
        } else if (f.code != FRAME_BEAT) {
            note("worker %u: %s", n, frame_name(f.code));
        }
        frame_free(&f);
    }
}

static bool trace_has(void *text) { return strstr(w.trace, text) != NULL; }

static void wait_trace(const char *line)
{
    if (!pump_within(w.pump, WORLD_WAIT_MS, trace_has, (void *)(uintptr_t)line))
        fail_msg("no \"%s\" in\n%s", line, w.trace);
}

static void worker_connect(unsigned n)
{
    static const struct wire_callbacks callbacks = {.on_message = on_frame};
    struct wire_config config = {0};
    char error[256];
    w.workers[n] =
        wire_dealer_new(w.g.loop, &config, w.broker, &callbacks, (void *)(uintptr_t)n, error);
    assert_non_null(w.workers[n]);
}

static void worker_hello(unsigned n, uint32_t version, uint32_t capacity)
{
    worker_send(n, (struct frame){.code = FRAME_HELLO,
                                  .HELLO = {.version = version,
                                            .name = STR("scripted"),
                                            .capacity = capacity,
                                            .models = STR("[{\"name\":\"a/b\"}]"),
                                            .tools = STR("[]")}});
}

static void worker_start(unsigned n, uint32_t capacity)
{
    char line[64];
    worker_connect(n);
    worker_hello(n, PROTO_VERSION, capacity);
    snprintf(line, sizeof(line), "worker %u: WELCOME\n", n);
    wait_trace(line);
}

static void worker_event(unsigned n, uint32_t seq, bool final, const char *payload)
{
    worker_send(n, (struct frame){.code = FRAME_EVENT,
                                  .EVENT = {.turn = w.turn,
                                            .epoch = w.epoch,
                                            .seq = seq,
                                            .final = final,
                                            .payload = str_of(payload)}});
}

/* ---- clients ---- */

struct client {
    struct pump_got got;
};

/* "METHOD /path"; headers: lines that end with \r\n; token: whose request it is, or NULL. */
static struct client client_send(const char *token, const char *what, const char *headers,
                                 const char *body)
{
    struct client c = {.got.fd = pump_connect(http_port(w.g.http))};
    char head[8192];
    snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n", what);
    pump_send(c.got.fd, head);
    if (token) {
        snprintf(head, sizeof(head), "Authorization: Bearer %s\r\n", token);
        pump_send(c.got.fd, head);
    }
    if (body && *body) {
        snprintf(head, sizeof(head), "Content-Length: %zu\r\n", strlen(body));
        pump_send(c.got.fd, head);
        if (!headers || !strstr(headers, "Content-Type"))
            pump_send(c.got.fd, "Content-Type: application/json\r\n");
    }
    pump_send(c.got.fd, headers ? headers : "");
    pump_send(c.got.fd, "\r\n");
    if (body && *body)
        pump_send(c.got.fd, body);
    return c;
}

static void client_wait(struct client *c, const char *text)
{
    c->got.want = text;
    bool in_time = pump_within(w.pump, WORLD_WAIT_MS, pump_has, &c->got);
    if (!in_time || !c->got.bytes || !strstr(c->got.bytes, text))
        fail_msg("no \"%s\" in\n%s", text, c->got.bytes ? c->got.bytes : "");
}

static void client_free(struct client *c)
{
    close(c->got.fd);
    free(c->got.bytes);
    *c = (struct client){.got.fd = -1};
}

struct answer {
    int status;
    char head[4096], body[65536];
    json_t *json; /* borrowed from it until the next answer */
};

/* The whole answer, once the connection is closed. */
static const struct answer *client_answer(struct client *c)
{
    static struct answer a;
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, pump_is_closed, &c->got));
    CHECK(c->got.bytes);
    const char *end = strstr(c->got.bytes, "\r\n\r\n");
    assert_non_null(end);
    json_decref(a.json);
    a = (struct answer){.status = (int)strtol(c->got.bytes + strlen("HTTP/1.1 "), NULL, 10)};
    snprintf(a.head, sizeof(a.head), "%.*s", (int)(end - c->got.bytes), c->got.bytes);
    snprintf(a.body, sizeof(a.body), "%s", end + 4);
    a.json = json_loads(strchr(a.body, '{') && *a.body != '[' ? strchr(a.body, '{') : a.body,
                        JSON_DISABLE_EOF_CHECK, NULL);
    client_free(c);
    return &a;
}

static const struct answer *ask(const char *token, const char *what, const char *body)
{
    struct client c = client_send(token, what, NULL, body);
    return client_answer(&c);
}

/* The "code" of an error; "" of what is none. */
static const char *code_of(const struct answer *a)
{
    const char *code =
        json_string_value(json_object_get(json_object_get(a->json, "detail"), "code"));
    return code ? code : "";
}

static void assert_answer(const struct answer *a, int status, const char *code)
{
    if (a->status != status || strcmp(code_of(a), code) != 0)
        fail_msg("%d %s, not\n%s\n\n%s", status, code, a->head, a->body);
}

/* A new session of this user: its id, until the next one. */
static const char *session_of(const char *token)
{
    static char id[64];
    const struct answer *a = ask(token, "POST /session", NULL);
    assert_answer(a, 201, "");
    snprintf(id, sizeof(id), "%s", json_string_value(json_object_get(a->json, "session_id")));
    return id;
}

/* ---- begin and end ---- */

static void world_settings(void)
{
    struct config_result result = {0};
    struct config_args args = {.program = "persai-gateway",
                               .summary = "",
                               .table = gateway_table,
                               .count = GATEWAY_SETTINGS};
    char *argv[] = {(char[]){"persai-gateway"}, NULL};
    setenv("PERSAI_LISTEN", "127.0.0.1:0", 1);
    setenv("PERSAI_REDIS", redis_server.url, 1);
    setenv("PERSAI_BROKER", w.broker, 1);
    setenv("PERSES_API_URL", w.perses_url, 1);
    assert_true(config_load(&args, 1, argv, &w.g.settings, &result));
}

static bool store_is_ready(void *arg)
{
    (void)arg;
    return store_ready(w.g.store);
}

static int world_start(void **state)
{
    (void)state;
    static const struct http_callbacks perses = {on_perses, NULL};
    struct http_config http = {.listen = "127.0.0.1:0", .connections_max = 100, .idle_ms = 60000};
    char error[256] = "";
    static unsigned worlds;
    if (worlds++ == 0)
        gateway_metrics_init();
    signal(SIGPIPE, SIG_IGN);
    redis_flush();
    log_setup(LOG_ERROR, "gateway");
    w = (struct world){0};
    /* Each has its own: an endpoint is a process's until it ends. */
    snprintf(w.broker, sizeof(w.broker), "ipc://%s/broker%u", redis_server.dir, worlds);
    struct gateway *g = &w.g;
    g->loop = loop_new();
    w.pump = pump_new(g->loop, &w.tick);
    struct http_config perses_http = http;
    perses_http.body_bytes_max = 4096;
    w.perses = http_new(g->loop, &perses_http, &perses, NULL, error);
    snprintf(w.perses_url, sizeof(w.perses_url), "http://127.0.0.1:%u", http_port(w.perses));
    world_settings();
    snprintf(g->name, sizeof(g->name), "test");
    const char *wrong = parts_open(g, error);
    if (wrong)
        fail_msg("%s: %s", wrong, error);
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, store_is_ready, NULL));
    return 0;
}

static int world_stop(void **state)
{
    (void)state;
    for (unsigned n = 0; n < sizeof(w.workers) / sizeof(*w.workers); n++)
        if (w.workers[n])
            wire_free(w.workers[n]);
    http_free(w.perses);
    loop_timer_free(w.tick);
    parts_close(&w.g);
    free(w.pump);
    config_free(gateway_table, GATEWAY_SETTINGS, &w.g.settings);
    return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)

/* What is not used by each of the tests. */
static inline void world_used(void)
{
    (void)worker_start, (void)worker_event, (void)client_wait, (void)session_of,
        (void)assert_answer;
    (void)redis_up, (void)redis_down, (void)ask, (void)note;
}

#endif
