/* To which datasources the person's sign-in may go: a model can't choose who gets it. */
#include "tests/unit/worker/tools_fixture.h"

#include <string.h>
#include "proto/record.h"
#include "proto/upstream.h"
#include "worker/tools/text.h"

#define EVIL "/proxy/projects/shop/datasources/evil"
#define QUERY "{\"query\":\"up\",\"datasource\":\"" EVIL "\"}"
#define SPEC(url, more)                                                                            \
    "{\"kind\":\"Datasource\",\"spec\":{\"plugin\":{\"kind\":\"PrometheusDatasource\",\"spec\":{"  \
    "\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"" url "\"" more "}}}}}}"
#define CLOSED ",\"headers\":{\"cookie\":\"\"},\"secret\":\"s\""
#define LISTS                                                                                      \
    {.path = "/api/v1/globaldatasources", .status = 200, .body = STR("[]")},                       \
    {                                                                                              \
        .path = "/api/v1/datasources", .status = 200,                                              \
        .body =                                                                                    \
            STR("[{\"metadata\":{\"name\":\"evil\",\"project\":\"shop\"},\"spec\":{\"plugin\":"    \
                "{\"kind\":\"PrometheusDatasource\"}}}]")                                          \
    }
#define DEFINED(text)                                                                              \
    {                                                                                              \
        .path = "/api/v1/projects/shop/datasources/evil", .status = 200, .body = STR(text)         \
    }

/* Was anything sent through the proxy? */
static bool reached(const struct fixture *f)
{
    for (unsigned i = 0; i < f->asked_count; i++)
        if (strncmp(f->asked[i].path, EVIL, strlen(EVIL)) == 0)
            return true;
    return false;
}

static void one_that_hands_the_sign_in_on_needs_a_yes(void **state)
{
    struct fixture *f = *state;
    static const struct str open[] = {
        STR(SPEC("http://evil:9/x", "")), STR(SPEC("http://evil:9", ",\"secret\":\"s\"")),
        STR(SPEC("http://u:p@evil:9", ",\"headers\":{\"Cookie\":\"\"}")),
        STR(SPEC("http://evil:9", ",\"headers\":{\"Cookie\":\"\",\"Authorization\":\"x\"}")),
        STR(SPEC("http://evil:9", CLOSED)) /* its secret can't be read */};
    for (size_t i = 0; i < sizeof open / sizeof open[0]; i++) {
        const struct answer script[] = {
            LISTS,
            {.path = "/api/v1/projects/shop/datasources/evil", .status = 200, .body = open[i]},
            {0}};
        f->vet = false;
        fixture_run(f, script, "execute_instant_query", QUERY);
        fixture_expect_error(f, "not_approved", "must say yes");
        assert_false(reached(f));
        f->vet = true;
        fixture_run(f, script, "execute_instant_query", QUERY);
        assert_false(f->failed);
        assert_false(reached(f));
        assert_non_null(strstr(f->ask_source, "\"server\":\"http://evil:9\""));
        assert_non_null(strstr(f->ask_source, "\"project\":\"shop\""));
    }
}

static void a_secret_without_a_sign_in_replaces_nothing(void **state)
{
    struct fixture *f = *state;
    const struct answer tls[] = {LISTS,
                                 DEFINED(SPEC("http://evil:9", CLOSED)),
                                 {.path = "/api/v1/projects/shop/secrets/s",
                                  .status = 200,
                                  .body = STR("{\"spec\":{\"tlsConfig\":{}}}")},
                                 {0}};
    fixture_run(f, tls, "execute_instant_query", QUERY);
    fixture_expect_error(f, "not_approved", "must say yes");
    assert_false(reached(f));
    const struct answer bearer[] = {
        LISTS,
        DEFINED(SPEC("http://evil:9", CLOSED)),
        {.path = "/api/v1/projects/shop/secrets/s",
         .status = 200,
         .body = STR("{\"spec\":{\"authorization\":{\"type\":\"B\"}}}")},
        {0}};
    fixture_run(f, bearer, "execute_instant_query", QUERY);
    assert_true(reached(f));
}

static void a_yes_is_for_that_server(void **state)
{
    struct fixture *f = *state;
    struct tool_grant grant = {.said = CONSENT_GIVEN};
    const struct answer script[] = {LISTS, DEFINED(SPEC("http://evil:9", "")), {0}};
    f->vet = true;
    fixture_run(f, script, "execute_instant_query", QUERY);
    record_hash(STR(TOOLS_SOURCE), str_of(f->ask_source), grant.hash);
    f->vet = false;
    f->grants = &grant;
    f->grant_count = 1;
    fixture_run(f, script, "execute_instant_query", QUERY);
    assert_true(reached(f));
    const struct answer moved[] = {LISTS, DEFINED(SPEC("http://evil:10", "")), {0}};
    fixture_run(f, moved, "execute_instant_query", QUERY);
    fixture_expect_error(f, "not_approved", "must say yes");
    assert_false(reached(f));
    grant.said = CONSENT_REFUSED;
    fixture_run(f, script, "execute_instant_query", QUERY);
    fixture_expect_error(f, "refused_by_person", "said no");
    assert_false(reached(f));
}

#define LAST_OF_TWO "x, " EVIL

static void picked_global_and_named_ones_are_free(void **state)
{
    struct fixture *f = *state;
    static const struct str picked[] = {{EVIL, sizeof EVIL - 1}};
    const struct answer script[] = {LISTS, {0}};
    f->paths = picked;
    f->path_count = 1;
    fixture_run(f, script, "execute_instant_query", QUERY);
    assert_true(reached(f));
    f->paths = fixture_paths;
    static const char *const named[] = {EVIL, "/proxy/projects/*/datasources/e*l", LAST_OF_TWO};
    static const char *const others[] = {"/proxy/projects/*", "*", "/proxy/projects/shop/*/evi",
                                         ","};
    for (size_t i = 0; i < 3; i++) {
        f->config.datasources = named[i];
        fixture_tools(f);
        fixture_run(f, script, "execute_instant_query", QUERY);
        assert_true(reached(f));
    }
    for (size_t i = 0; i < 4; i++) {
        f->config.datasources = others[i];
        fixture_tools(f);
        fixture_run(f, script, "execute_instant_query", QUERY);
        assert_true(f->failed);
        assert_false(reached(f));
    }
}

static void a_server_that_can_be_read_in_two_ways_is_not_read(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://a\\\\@b/", "http://a b",      "ftp://a",           "//a", "http://", "http:///x",
        "http://a%2f",     "http://\xc3\xa4", "http://a\\u0000.b", ""};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char text[256];
        struct upstream u;
        snprintf(text, sizeof text,
                 "{\"plugin\":{\"spec\":{\"proxy\":{\"spec\":{\"url\":\"%s\"}}}}}", urls[i]);
        json_auto_t *spec = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert_non_null(spec);
        assert_true(upstream_read(spec, &u));
        assert_string_equal(u.server, "");
    }
}

/* proto/golden/invisible.txt is the one list; the plugin has a test of the same. */
static void what_no_eye_sees_is_one_list(void **state)
{
    (void)state;
    static bool listed[0x110000];
    FILE *f = fopen(PERSAI_SOURCE_DIR "/proto/golden/invisible.txt", "r");
    char line[256];
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned first, last;
        int n = sscanf(line, "%x..%x", &first, &last);
        for (unsigned c = first; line[0] != '#' && n > 0 && c <= (n > 1 ? last : first); c++)
            listed[c] = true;
    }
    fclose(f);
    for (unsigned c = 0; c < 0x110000; c++) {
        char b[4];
        size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (c >= 0xd800 && c < 0xe000)
            continue; /* no UTF-8 */
        for (size_t i = len; i-- > 1;)
            b[i] = (char)(0x80 | (c >> 6 * (len - 1 - i) & 0x3f));
        b[0] = (char)(len == 1 ? c : (0xf00u >> len & 0xff) | c >> 6 * (len - 1));
        if (text_hides((struct str){b, len}) != listed[c])
            fail_msg("U+%04X", c);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_that_hands_the_sign_in_on_needs_a_yes),
        T(a_secret_without_a_sign_in_replaces_nothing),
        T(a_yes_is_for_that_server),
        T(picked_global_and_named_ones_are_free),
        cmocka_unit_test(a_server_that_can_be_read_in_two_ways_is_not_read),
        cmocka_unit_test(what_no_eye_sees_is_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
