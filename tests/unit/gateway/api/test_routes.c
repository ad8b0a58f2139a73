/* A request's way to its handler, over a real connection: what is refused on it, and with what. */
#include "tests/support/gateway_world.h"

#define NOBODY "0000000000000000000000000000000000000000"

static const struct answer *ask_with(const char *token, const char *what, const char *headers,
                                     const char *body)
{
    struct client c = client_send(token, what, headers, body);
    return client_answer(&c);
}

static void path_that_no_route_has_is_not_found(void **state)
{
    (void)state;
    const char *paths[] = {"/",          "/sessions/",        "/sessions/x",
                           "/session",   "/session/",         "//sessions",
                           "/Sessions",  "/session/x/turn/y", "/session/x/y/z/a/b/c",
                           "/%73essions"};
    for (unsigned i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        char what[128];
        snprintf(what, sizeof(what), "GET %s", paths[i]);
        const struct answer *a = ask("ada", what, NULL);
        assert_true(a->status == 404 || a->status == 405);
    }
    assert_answer(ask("ada", "GET /nothing", NULL), 404, "not_found");
    assert_string_equal(w.trace, ""); /* Perses is not asked who wants it */
}

static void method_that_a_path_has_not_is_told_which_it_has(void **state)
{
    (void)state;
    const struct answer *a = ask("ada", "PUT /session/x", "{}");
    assert_answer(a, 405, "method_not_allowed");
    assert_non_null(strstr(a->head, "Allow: GET, HEAD, PATCH, DELETE"));
    a = ask("ada", "DELETE /sessions", NULL);
    assert_answer(a, 405, "method_not_allowed");
    assert_non_null(strstr(a->head, "Allow: GET, HEAD\r\n"));
    assert_int_equal(ask("ada", "HEAD /healthz", NULL)->status, 200);
}

/* An id that is none names nothing, as one that nobody has. */
static void malformed_id_is_as_one_that_is_not_there(void **state)
{
    (void)state;
    const char *ids[] = {"x", "..", "0", NOBODY, "%00", "zzzzzzzzzzzzzzzzzzzzzzzzzz"};
    for (unsigned i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        char what[128];
        snprintf(what, sizeof(what), "GET /session/%s", ids[i]);
        assert_answer(ask("ada", what, NULL), 404, "session_not_found");
    }
    char what[200];
    snprintf(what, sizeof(what), "DELETE /session/%s/message/99999999999999999999",
             session_of("ada"));
    assert_answer(ask("ada", what, NULL), 404, "message_not_found");
}

static void who_is_not_signed_in_is_told_before_the_body_is_read(void **state)
{
    (void)state;
    assert_answer(ask(NULL, "POST /session", "no JSON"), 401, "unauthenticated");
    assert_answer(ask("refused", "GET /sessions", NULL), 401, "unauthenticated");
    assert_answer(ask("broken", "GET /sessions", NULL), 503, "perses_unavailable");
}

static void without_authentication_everybody_is_one_user_and_the_host_is_ours(void **state)
{
    (void)state;
    w.g.settings.auth = false;
    assert_answer(ask(NULL, "POST /session", "{}"), 201, "");
    assert_answer(ask("refused", "GET /sessions", NULL), 200, "");
    struct client c = {.got.fd = pump_connect(http_port(w.g.http))};
    pump_send(c.got.fd, "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_answer(client_answer(&c), 403, "bad_host");
    assert_string_equal(w.trace, "");
}

static void body_must_be_a_json_object_of_the_routes_shape(void **state)
{
    (void)state;
    char what[128];
    snprintf(what, sizeof(what), "POST /session/%s/turn", session_of("ada"));
    assert_answer(ask("ada", what, NULL), 400, "bad_json"); /* it must be there */
    assert_answer(ask("ada", what, "{\"message\":"), 400, "bad_json");
    assert_answer(ask("ada", what, "[]"), 400, "bad_json");
    assert_answer(ask("ada", what, "null"), 400, "bad_json");
    assert_answer(ask("ada", what, "{\"message\":\"a\",\"message\":\"b\"}"), 400, "bad_json");
    assert_answer(ask("ada", what, "{\"message\":\"\xff\"}"), 400, "bad_json");
    assert_answer(ask("ada", what, "{\"message\":1}"), 422, "invalid");
    assert_non_null(strstr(ask("ada", what, "{\n\"message\":,}")->body, "line 2, column "));
    assert_answer(ask_with("ada", what, "Content-Type: text/plain\r\n", "{\"message\":\"a\"}"), 415,
                  "unsupported_media_type");
    assert_answer(ask_with("ada", "POST /session",
                           "Content-Type: application/jsonp; charset=utf-8\r\n", "{}"),
                  415, "unsupported_media_type");
    assert_answer(
        ask_with("ada", "POST /session", "Content-Type: Application/JSON; charset=utf-8\r\n", "{}"),
        201, "");
    assert_answer(ask("ada", "POST /session", NULL), 201, ""); /* it may be left out */
}

static void body_over_its_routes_bound_is_refused(void **state)
{
    (void)state;
    static char body[64 << 10];
    memset(body, ' ', sizeof(body) - 1);
    memcpy(body, "{}", 2);
    assert_answer(ask("ada", "POST /session", body), 413, "too_large");
    body[16000] = '\0';
    assert_answer(ask("ada", "POST /session", body), 201, "");
}

static void page_of_another_site_changes_nothing(void **state)
{
    (void)state;
    const char *other = "Sec-Fetch-Site: cross-site\r\n";
    assert_answer(ask_with("ada", "POST /session", other, "{}"), 403, "cross_site");
    assert_answer(ask_with("ada", "POST /session", "Origin: https://evil.example\r\n", "{}"), 403,
                  "cross_site");
    assert_answer(ask_with("ada", "POST /session", "Origin: http://127.0.0.1\r\n", "{}"), 201, "");
    assert_answer(ask_with("ada", "GET /sessions", other, NULL), 200, "");
}

static void head_that_cannot_be_read_one_way_only_is_refused(void **state)
{
    (void)state;
    char key[1200], line[1300];
    assert_answer(ask("ada", "GET /sessions?limit=1&limit=2", NULL), 400, "bad_request");
    assert_answer(ask("ada", "GET /sessions?q=%zz", NULL), 400, "bad_request");
    memset(key, 'k', sizeof(key) - 1);
    key[sizeof(key) - 1] = '\0';
    snprintf(line, sizeof(line), "Idempotency-Key: %s\r\n", key);
    assert_answer(ask_with("ada", "POST /session", line, "{}"), 422, "invalid");
    assert_answer(ask_with("ada", "GET /sessions", line, NULL), 200, ""); /* it takes none */
    key[1024] = '\0';
    snprintf(line, sizeof(line), "Idempotency-Key: %s\r\n", key);
    assert_answer(ask_with("ada", "POST /session", line, "{}"), 201, "");
}

static bool perses_was_asked(void *arg) { return strstr(w.trace, arg) != NULL; }

static bool nobody_calls(void *arg)
{
    (void)arg;
    return http_connections(w.g.http) == 0;
}

/* At each of the places where a call may wait. */
static void client_that_leaves_is_forgotten(void **state)
{
    (void)state;
    struct client c = client_send("silent", "GET /sessions", NULL, NULL);
    assert_true(
        pump_within(w.pump, WORLD_WAIT_MS, perses_was_asked, (void *)(uintptr_t) "whoami silent"));
    client_free(&c);
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, nobody_calls, NULL));
    session_of("ada"); /* known from here on */
    c = client_send("ada", "POST /session",
                    "Content-Length: 100\r\n"
                    "Content-Type: application/json\r\n",
                    NULL);
    pump_send(c.got.fd, "{\"title\":");
    pump_for(w.pump, 20);
    client_free(&c);
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, nobody_calls, NULL));
    c = client_send("ada", "GET /sessions", NULL, NULL);
    client_free(&c); /* whatever it waits for by now */
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, nobody_calls, NULL));
    assert_answer(ask("ada", "GET /sessions", NULL), 200, "");
}

static void person_has_so_many_requests_under_way_and_no_more(void **state)
{
    (void)state;
    w.g.settings.user_requests = 1;
    session_of("ada");
    struct client slow = client_send(
        "ada", "POST /session", "Content-Length: 2\r\nContent-Type: application/json\r\n", NULL);
    const struct answer *a = ask("ada", "GET /sessions", NULL);
    for (unsigned tries = 0; a->status == 200 && tries < 100; tries++)
        a = ask("ada", "GET /sessions", NULL); /* the other's head was not read yet */
    assert_answer(a, 429, "rate_limited");
    assert_non_null(strstr(a->head, "Retry-After: 1"));
    assert_answer(ask("bob", "GET /sessions", NULL), 200, ""); /* another has their own */
    pump_send(slow.got.fd, "{}");
    assert_answer(client_answer(&slow), 201, "");
    assert_answer(ask("ada", "GET /sessions", NULL), 200, "");
}

static void webhook_knows_its_word(void **state)
{
    (void)state;
    assert_answer(ask("x", "POST /webhook/alertmanager", "{}"), 404, "not_found");
    w.g.settings.webhook_token = secret_new(STR("0123456789abcdef"));
    assert_answer(ask(NULL, "POST /webhook/alertmanager", "{}"), 401, "unauthenticated");
    assert_answer(ask("0123456789abcdeF", "POST /webhook/alertmanager", "{}"), 401,
                  "unauthenticated");
    assert_answer(ask("0123456789abcdef", "POST /webhook/alertmanager", "{}"), 422, "invalid");
    assert_string_equal(w.trace, "");
}

static void what_looks_after_us_needs_no_sign_in(void **state)
{
    (void)state;
    assert_answer(ask(NULL, "GET /healthz", NULL), 200, "");
    const struct answer *a = ask(NULL, "GET /readyz", NULL);
    assert_int_equal(a->status, 503);
    assert_non_null(strstr(a->body, "no worker is connected"));
    worker_start(0, 1);
    assert_answer(ask(NULL, "GET /readyz", NULL), 200, "");
    assert_non_null(strstr(ask("ada", "GET /models", NULL)->body, "a/b"));
    w.g.draining = true;
    assert_non_null(strstr(ask(NULL, "GET /readyz", NULL)->body, "draining"));
    assert_non_null(strstr(ask(NULL, "GET /metrics", NULL)->body, "persai_http_requests_total"));
    assert_non_null(strstr(ask(NULL, "GET /openapi.json", NULL)->body, "\"3.1.0\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(path_that_no_route_has_is_not_found),
        WORLD_TEST(method_that_a_path_has_not_is_told_which_it_has),
        WORLD_TEST(malformed_id_is_as_one_that_is_not_there),
        WORLD_TEST(who_is_not_signed_in_is_told_before_the_body_is_read),
        WORLD_TEST(without_authentication_everybody_is_one_user_and_the_host_is_ours),
        WORLD_TEST(body_must_be_a_json_object_of_the_routes_shape),
        WORLD_TEST(body_over_its_routes_bound_is_refused),
        WORLD_TEST(page_of_another_site_changes_nothing),
        WORLD_TEST(head_that_cannot_be_read_one_way_only_is_refused),
        WORLD_TEST(client_that_leaves_is_forgotten),
        WORLD_TEST(person_has_so_many_requests_under_way_and_no_more),
        WORLD_TEST(webhook_knows_its_word),
        WORLD_TEST(what_looks_after_us_needs_no_sign_in),
    };
    return cmocka_run_group_tests(tests, redis_up, redis_down);
}
