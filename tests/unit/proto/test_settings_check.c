/* What is refused at start, and what an unknown variable was meant to be. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include "common/address.h"
#include "proto/settings_check.h"

static void addresses(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    static const char *const good[] = {"",
                                       "http://h",
                                       "https://h:1/v1",
                                       "http://[::1]:8080/x",
                                       "http://me:word@h:65535/x@y",
                                       "http://my_perses:8080"};
    static const char *const bad[] = {"h:80",
                                      "ftp://h",
                                      "http://",
                                      "http:///x",
                                      "http://a b",
                                      "http://h/#x",
                                      "http://h:99999",
                                      "http://h:65536/x",
                                      "http://h:0",
                                      "http://h:x",
                                      "http://[::1",
                                      "http://[::1]x",
                                      "http://[::1]:99999",
                                      "http://u@:80",
                                      "http://h:1:2"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(settings_url("URL", good[i], why));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(settings_url("URL", bad[i], why));
        assert_ptr_equal(strstr(why, "URL"), why);
    }
}

static void what_is_wrong_with_an_address_is_said(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX];
    static const char *const cases[][2] = {
        {"http://h:8080?x=1", "U is \"http://h:8080\" with a ? behind it"},
        {"https://me:w0rd@h/v1/?x", "U is \"https://h/v1/\" with a ? behind it"},
        {"http://h/#x", "with a # behind it"},
        {"http://me:w/rd@h:1", "before the @"},
        {"https://me:w?rd@h", "before the @"},
        {"http://me:w#rd@h", "before the @"},
        {"perses:8080", "begins with http://"},
        {"http://h:99999", "from 1 to 65535"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_false(settings_url("U", cases[i][0], why));
        if (!strstr(why, cases[i][1]) || strstr(why, "w0rd"))
            fail_msg("%s: %s", cases[i][0], why);
    }
}

static void places_to_listen(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    static const char *const good[] = {"127.0.0.1:8000", "[::1]:0", ":8000", "*:1", "h:65535"};
    static const char *const bad[] = {"8000", "h", "h:", "h:65536", "h:99999", "h:8o", "[::1]"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(settings_listen("L", good[i], why));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(settings_listen("L", bad[i], why));
        assert_ptr_equal(strstr(why, "L is "), why);
    }
}

static void redises(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    assert_true(settings_redis("R", "redis://me:word@h:6379/0", why));
    assert_true(settings_redis("R", "unix:///run/redis.sock", why));
    static const char *const bad[] = {"h:6379", "http://h", "redis://h:99999", "redis://h:0"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(settings_redis("R", bad[i], why));
        assert_ptr_equal(strstr(why, "R: "), why);
    }
}

static void networks(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    scoped_buf(many, 4096);
    assert_true(settings_networks("N", "", why));
    assert_true(settings_networks("N", "10.0.0.0/8, fc00::/7,192.0.2.1,", why));
    static const char *const bad[] = {"10.0.0.0/33", "perses", "10.0.0.0/", "1.2.3", "::/129"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char list[64];
        snprintf(list, sizeof(list), "10.0.0.0/8,%s", bad[i]);
        assert_false(settings_networks("N", list, why));
        assert_ptr_equal(strstr(why, "N has "), why);
        assert_non_null(strstr(why, bad[i]));
    }
    for (int i = 0; i <= NETWORKS_MAX; i++)
        buf_puts(&many, "10.0.0.1,");
    assert_false(settings_networks("N", buf_cstr(&many), why));
    assert_non_null(strstr(why, "more than 64"));
}

static void origins(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    static const char *const bad[] = {
        "a.example", "https://a/",  "https://a/app",         "https://",
        "://a",      "https://u@a", "https://a,https://b?x", "https://*"};
    assert_true(settings_origins("O", "", why));
    assert_true(settings_origins("O", "https://a:1, http://[::1]:3000,", why));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(settings_origins("O", bad[i], why));
}

static void folders_and_beats(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX] = "";
    assert_true(settings_proxy_paths("P", " /proxy/projects/ops/datasources/*, ", why));
    assert_false(settings_proxy_paths("P", "/proxy/globaldatasources/a,globaldatasources/b", why));
    assert_non_null(strstr(why, "globaldatasources/b"));
    assert_true(settings_folder("F", "", why) && settings_folder("F", "/", why));
    assert_false(settings_folder("F", "/nowhere/at/all", why));
    assert_false(settings_folder("F", "/dev/null", why));
    assert_true(settings_beats(200, 400, why));
    assert_false(settings_beats(200, 399, why));
    assert_non_null(strstr(why, "PERSAI_BEAT"));
}

static void names(void **state)
{
    (void)state;
    const char *nearest;
    static const char *const known[] = {"PATH",         "PERSAI_REDIS",  "PERSAI_REDIS_FILE",
                                        "PERSAI_STATE", "PERSAI_TEST_X", "PERSAI_MODELS"};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        assert_true(settings_known(known[i], &nearest));
    static const char *const meant[][2] = {
        {"OPENAI_BASEURL", "OPENAI_BASE_URL"},
        {"OPENAI_API_BASE", "OPENAI_BASE_URL"},
        {"ANTHROPIC_BASE_URI", "ANTHROPIC_BASE_URL"},
        {"GEMINI_BASE_URL", "GOOGLE_BASE_URL"},
        {"PERSES_URL", "PERSES_API_URL"},
        {"PERSES_API_ULR", "PERSES_API_URL"},
        {"OPENAI_APIKEY", "OPENAI_API_KEY"},
        {"OPENAI_APIKEY_FILE", "OPENAI_API_KEY"},
        {"OPEN_AI_API_KEY", "OPENAI_API_KEY"},
        {"OPENAI_KEY", "OPENAI_API_KEY"},
        {"OPENAI_API_KEYS", "OPENAI_API_KEY"},
        {"openai_api_key", "OPENAI_API_KEY"},
        {"ANTROPIC_API_KEY", "ANTHROPIC_API_KEY"},
        {"CLAUDE_API_KEY", "ANTHROPIC_API_KEY"},
        {"GEMINI_API_KEY", "GOOGLE_API_KEY"},
        {"OTEL_EXPORTER_OTLP_ENDPOIN", "OTEL_EXPORTER_OTLP_ENDPOINT"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"},
        {"OTEL_RESOURCE_ATRIBUTES", "OTEL_RESOURCE_ATTRIBUTES"},
        {"LOGLEVEL", "LOG_LEVEL"},
        {"PERSAI_REDIS_URI", "PERSAI_REDIS"},
        {"PERSAI_REDIS_HOST", "PERSAI_REDIS"},
        {"PERSAI_REDIS_CONNECTION_STRING", "PERSAI_REDIS"},
        {"PERSAI_MODEL_PATIENCE_SECONDS", "PERSAI_MODEL_PATIENCE"},
        {"persai_redis", "PERSAI_REDIS"},
        {"Persai_Redsi", "PERSAI_REDIS"},
        {"PERSIA_REDIS", "PERSAI_REDIS"},
        {"PERSEAI_GATEWAYS", "PERSAI_GATEWAYS"},
        {"PERSAI_OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"PERSAI_PERSES_URL", "PERSES_API_URL"},
        {"PERSAI_LOG_LEVEL", "LOG_LEVEL"},
        {"PERSAI_GATEWAY", "PERSAI_GATEWAYS"},
        {"PERSAI_MODEL", "PERSAI_MODELS"}};
    for (size_t i = 0; i < sizeof(meant) / sizeof(meant[0]); i++) {
        if (settings_known(meant[i][0], &nearest) || !nearest || strcmp(nearest, meant[i][1]) != 0)
            fail_msg("%s: %s", meant[i][0], nearest ? nearest : "none");
    }
    static const char *const fine[] = {"OPENAI_BASE_URL",
                                       "OPENAI_API_KEY_2",
                                       "PERSES_SERVICE_HOST",
                                       "PERSES_PORT",
                                       "PERSES_API_URL",
                                       "OPENAI_ORG_ID",
                                       "HOME",
                                       "ANTHROPIC_LOG_LEVEL",
                                       "ANTHROPIC_AUTH_TOKEN",
                                       "OPENAI_API_KEY_EU",
                                       "OPENAI_API_KEY_2_FILE",
                                       "MISTRAL_API_KEY",
                                       "OTEL_SERVICE_VERSION",
                                       "OTEL_EXPORTER_OTLP_PROTOCOL",
                                       "LOG_FILE",
                                       "PERSON_NAME",
                                       "PERSES_AUTH",
                                       "http_proxy",
                                       "PERSES_USER"};
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        assert_true(settings_known(fine[i], &nearest));
    assert_false(settings_known("PERSAI_REDSI", &nearest));
    assert_string_equal(nearest, "PERSAI_REDIS");
    assert_false(settings_known("PERSAI_MODEL_PATIENC", &nearest));
    assert_string_equal(nearest, "PERSAI_MODEL_PATIENCE");
    assert_false(settings_known("PERSAI_XYZZYPLUGH", &nearest));
    assert_null(nearest);
    static const char *const fields[] = {"base_url", "model", "key_env", NULL};
    assert_string_equal(settings_nearest("baseurl", fields), "base_url");
    assert_string_equal(settings_nearest("modell", fields), "model");
    assert_null(settings_nearest("temperature", fields));
    char longest[300];
    memset(longest, 'A', sizeof(longest));
    memcpy(longest, "PERSAI_", 7);
    longest[299] = '\0';
    assert_false(settings_known(longest, &nearest));
}

static void what_crosses_a_network_in_the_clear_is_told(void **state)
{
    (void)state;
    char why[SETTINGS_WHY_MAX];
    static const char *const private[] = {"",
                                          "https://perses.example",
                                          "http://127.0.0.1:8080",
                                          "http://localhost:8080/x",
                                          "http://localhost",
                                          "http://[::1]:8080",
                                          "redis://127.0.0.1:6379/0",
                                          "redis://me:word@localhost/1",
                                          "redis://[::1]:6379",
                                          "unix:///run/redis.sock",
                                          "127.0.0.1:8000",
                                          "[::1]:8000",
                                          "localhost:8000"};
    static const char *const clear[] = {"http://perses:8080",
                                        "http://10.0.0.1",
                                        "http://me:word@127.0.0.1@perses:80/x",
                                        "http://127.0.0.1.evil.example",
                                        "http://localhost.example:80",
                                        "http://[2001:db8::1]:80/",
                                        "redis://redis:6379/0",
                                        "redis://me:word@192.0.2.1",
                                        "redis://127.0.0.1:6379,redis://10.0.0.2:6379",
                                        "sentinel://a:26379,b:26379/master/0",
                                        "0.0.0.0:8000",
                                        "[::]:8000",
                                        "192.0.2.1:8000"};
    for (size_t i = 0; i < sizeof(private) / sizeof(*private); i++)
        assert_true(settings_private("S", private[i], why));
    for (size_t i = 0; i < sizeof(clear) / sizeof(*clear); i++) {
        assert_false(settings_private("S", clear[i], why));
        assert_non_null(strstr(why, "in the clear"));
        assert_null(strstr(why, "w0rd"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(what_is_wrong_with_an_address_is_said),
        cmocka_unit_test(origins),
        cmocka_unit_test(places_to_listen),
        cmocka_unit_test(networks),
        cmocka_unit_test(redises),
        cmocka_unit_test(folders_and_beats),
        cmocka_unit_test(names),
        cmocka_unit_test(what_crosses_a_network_in_the_clear_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
