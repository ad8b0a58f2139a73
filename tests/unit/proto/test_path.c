#include "tests/support/unit.h"
#include "proto/path.h"

static void the_three_forms_of_perses_are_parsed(void **state)
{
    (void)state;
    struct path p;
    assert_int_equal(path_parse(STR("/proxy/globaldatasources/prom-1"), &p), ERR_NONE);
    assert_true(str_is(p.name, "prom-1") && p.project.len == 0 && p.dashboard.len == 0);
    assert_int_equal(path_parse(STR("/proxy/projects/demo/datasources/Prom.x_y"), &p), ERR_NONE);
    assert_true(str_is(p.project, "demo") && str_is(p.name, "Prom.x_y") && p.dashboard.len == 0);
    assert_int_equal(path_parse(STR("/proxy/projects/demo/dashboards/d1/datasources/prom"), &p),
                     ERR_NONE);
    assert_true(str_is(p.project, "demo") && str_is(p.dashboard, "d1") && str_is(p.name, "prom"));
}

static void an_empty_path_is_told_apart(void **state)
{
    (void)state;
    struct path p;
    assert_int_equal(path_parse((struct str){0}, &p), ERR_NO_DATASOURCE_PATH);
}

static void whatever_could_lead_elsewhere_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "/proxy/unsaved/globaldatasources/prom",
        "/proxy/globaldatasources/",
        "/proxy/globaldatasources/..",
        "/proxy/globaldatasources/.",
        "/proxy/globaldatasources/prom/",
        "/proxy/globaldatasources/prom/api",
        "/proxy/globaldatasources/prom?x=1",
        "/proxy/globaldatasources/prom#f",
        "/proxy/globaldatasources/pr%6fm",
        "/proxy/globaldatasources/..%2f..",
        "/proxy/globaldatasources/a b",
        "/proxy/globaldatasources/a\\b",
        "/proxy/globaldatasources//prom",
        "//proxy/globaldatasources/prom",
        "proxy/globaldatasources/prom",
        "/proxy/projects//datasources/prom",
        "/proxy/projects/../datasources/prom",
        "/proxy/projects/demo/datasources/..",
        "/proxy/projects/demo/dashboards/datasources/prom",
        "/proxy/projects/demo/dashboards/../datasources/prom",
        "/proxy/projects/demo/datasources",
        "/proxy/projects/demo",
        "/api/v1/user/whoami",
        "http://evil.example/proxy/globaldatasources/prom",
        "/proxy/globaldatasources/@evil.example",
        "/PROXY/globaldatasources/prom",
        "/proxy/globaldatasources/prom\n",
        "/proxy/globaldatasources/caf\xc3\xa9",
        "/",
    };
    struct path p;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        enum err e = path_parse(str_of(bad[i]), &p);
        if (e != ERR_BAD_DATASOURCE_PATH)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(path_parse((struct str){"/proxy/globaldatasources/a\0b", 28}, &p),
                     ERR_BAD_DATASOURCE_PATH);
}

static void a_name_is_at_most_75_characters(void **state)
{
    (void)state;
    char text[128] = "/proxy/globaldatasources/";
    size_t at = strlen(text);
    struct path p;
    memset(text + at, 'a', 76);
    assert_int_equal(path_parse((struct str){text, at + 75}, &p), ERR_NONE);
    assert_int_equal(path_parse((struct str){text, at + 76}, &p), ERR_BAD_DATASOURCE_PATH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_three_forms_of_perses_are_parsed),
        cmocka_unit_test(an_empty_path_is_told_apart),
        cmocka_unit_test(whatever_could_lead_elsewhere_is_refused),
        cmocka_unit_test(a_name_is_at_most_75_characters),
    };
    return cmocka_run_group_tests_name("proto/path", tests, NULL, NULL);
}
