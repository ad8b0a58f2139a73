/* HTTP requests, as bytes on a connection to a real server: head, path, query, cookies, token and
 * body are read as the gateway reads them. The answer is one that HTTP knows, or none; the server
 * goes on. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/check.h"
#include "common/http.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/alerts.h"
#include "gateway/gateway.h"
#include "gateway/auth/identity.h"
#include "gateway/api/title.h"
#include "proto/event.h"
#include "proto/path.h"

enum { PASSES = 5, TITLE_MAX = 120, TRIES = 100 };

static void read_query(const struct http_request *r)
{
    static const char *const keys[] = {"datasource_path", "search", "limit", "cursor", "a"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct str value;
        struct path path;
        uint64_t number;
        if (!http_query(r, keys[i], &value))
            continue;
        if (path_parse(value, &path) == ERR_NONE)
            CHECK(path_name_ok(path.name));
        if (str_u64(value, 1000, &number))
            CHECK(number <= 1000);
    }
}

static void read_head(const struct http_request *r)
{
    struct credentials c;
    struct event_at at;
    struct id id;
    struct str rest = http_path(r), segment, key = http_header(r, "Idempotency-Key");
    credentials_of(r, true, &c);
    struct str token = c.access ? secret_reveal(c.access) : STR("x");
    CHECK(token.len > 0 && !memchr(token.at, '\n', token.len) && !memchr(token.at, ' ', token.len));
    credentials_free(&c);
    event_at_parse(http_header(r, "Last-Event-ID"), &at);
    while (str_split(&rest, '/', &segment))
        id_parse(segment, &id);
    CHECK(key.len == 0 || key.at != NULL);
}

static void read_body(const struct http_request *r)
{
    struct alerts alerts;
    json_error_t error;
    struct str body = http_body(r);
    json_auto_t *json =
        json_loadb(body.at ? body.at : "", body.len, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        return;
    struct str message = json_text(json_object_get(json, "message"));
    struct str title = title_of(message, TITLE_MAX);
    CHECK(title.len <= TITLE_MAX && (title.len == 0 || str_utf8(title)));
    if (alerts_read(json, STR("/proxy/globaldatasources/prom"), ALERTS_MAX, &alerts) != ERR_NONE)
        return;
    CHECK(alerts.count <= ALERTS_MAX);
    for (unsigned i = 0; i < alerts.count; i++)
        CHECK(alerts.at[i].title[0] && strlen(alerts.at[i].context) <= ALERT_CONTEXT_MAX);
    alerts_free(&alerts);
}

static void on_request(void *arg, struct http_request *r)
{
    (void)arg;
    read_head(r);
    read_query(r);
    read_body(r);
    http_reply(r, 200, "application/json", STR("{}"));
}

struct server {
    struct loop *loop;
    struct http *http;
    struct loop_timer *tick;
};

static void on_tick(void *arg) { loop_stop(((struct server *)arg)->loop); }

static struct server *server(void)
{
    static const struct http_callbacks callbacks = {.on_request = on_request};
    static struct server s;
    char error[256];
    if (s.loop)
        return &s;
    struct http_config config = {
        .listen = "127.0.0.1:0", .body_bytes_max = 65536, .connections_max = 100, .idle_ms = 10000};
    s.loop = loop_new();
    s.http = http_new(s.loop, &config, &callbacks, &s, error);
    s.tick = loop_timer_new(s.loop, on_tick, &s);
    CHECK(s.http);
    return &s;
}

/* -1: the machine has no connection for us now, or a signal of the fuzzer came between. */
static int try_connect(const struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(http_port(s->http)),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger none = {.l_onoff = 1}; /* no port stays busy behind it */
    CHECK(fd >= 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    return fd;
}

static int connect_to(const struct server *s)
{
    int fd = try_connect(s);
    for (unsigned tried = 1; fd < 0 && tried < TRIES; tried++) {
        loop_timer_set(s->tick, 10, 0);
        loop_run(s->loop);
        fd = try_connect(s);
    }
    CHECK(fd >= 0); /* a server that is deaf stays so */
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct server *s = server();
    char answer[64];
    int fd = connect_to(s);
    for (unsigned pass = 0; pass < PASSES; pass++) {
        if (pass == 0 && send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
        if (pass == 1)
            shutdown(fd, SHUT_WR);
        loop_timer_set(s->tick, 1, 0);
        loop_run(s->loop);
    }
    ssize_t got = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
    CHECK(got <= 0 || got < 12 || memcmp(answer, "HTTP/1.", 7) == 0);
    close(fd);
    return 0;
}
