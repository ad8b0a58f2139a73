/* Lanes of libcurl's multi handles, against our own HTTP server. */
#include "tests/support/pump.h"

#include <stdio.h>

#include "common/fetch_lane.h"
#include "common/http.h"

enum { KEPT_MS = 300 };

struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    struct lanes *lanes;
    struct lane *lane;
    unsigned ended;
};

static void on_request(void *arg, struct http_request *r)
{
    (void)arg;
    http_reply(r, 204, NULL, (struct str){NULL, 0});
}

static void on_acted(void *arg) { (void)arg; }
static void on_ended(void *arg, CURL *easy, CURLcode code)
{
    struct fixture *f = arg;
    assert_int_equal(code, CURLE_OK);
    lane_remove(f->lane, easy);
    f->ended++;
}
static void on_pass(void *arg) { lanes_pass(((struct fixture *)arg)->lanes); }

static bool has_ended(void *arg) { return ((struct fixture *)arg)->ended > 0; }
static bool is_empty(void *arg) { return http_connections(arg) == 0; }

static void ask(struct fixture *f)
{
    char url[64];
    CURL *easy = curl_easy_init();
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/x", http_port(f->http));
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    f->ended = 0;
    f->lane = lanes_add(f->lanes, easy);
    assert_non_null(f->lane);
    assert_true(pump_within(f->pump, 5000, has_ended, f));
    curl_easy_cleanup(easy);
}

static void a_lane_that_is_not_used_keeps_no_connections(void **state)
{
    (void)state;
    static const struct lanes_handler handler = {on_acted, on_ended};
    struct http_config config = {.listen = "127.0.0.1:0", .connections_max = 8, .idle_ms = 60000};
    struct http_callbacks callbacks = {.on_request = on_request};
    struct fixture f = {.loop = loop_new()};
    char error[256] = "";
    f.pump = pump_new(f.loop, &f.tick);
    f.http = http_new(f.loop, &config, &callbacks, &f, error);
    assert_string_equal(error, "");
    f.lanes = lanes_new(f.loop, KEPT_MS, &handler, &f);
    loop_on_write(f.loop, on_pass, &f);
    for (int round = 0; round < 2; round++) { /* it goes on as before */
        ask(&f);
        pump_for(f.pump, 20);
        assert_int_equal(http_connections(f.http), 1);
        ask(&f); /* on the same one */
        assert_int_equal(http_connections(f.http), 1);
        assert_true(pump_within(f.pump, 5000, is_empty, f.http));
    }
    loop_off(f.loop, &f);
    lanes_free(f.lanes);
    http_free(f.http);
    loop_timer_free(f.tick);
    loop_free(f.loop);
    free(f.pump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_that_is_not_used_keeps_no_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
