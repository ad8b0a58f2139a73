/* The document fits the tables that it is made from: each route, event and error is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "gateway/api/openapi.h"
#include "proto/err.h"
#include "proto/event.h"

static const json_t *at(const json_t *v, const char *path)
{
    char key[64];
    while (*path) {
        size_t len = strcspn(path, ">");
        assert_true(len < sizeof(key));
        memcpy(key, path, len);
        key[len] = '\0';
        v = json_object_get(v, key);
        if (!v)
            fail_msg("no %s", key);
        path += len + (path[len] != '\0');
    }
    return v;
}

static void each_route_says_how_it_answers(void **state)
{
    static const struct {
        const char *path, *method;
    } routes[] = {
#define ROUTE(method, path, who, handler, body, bytes, summary) {path, #method},
#include "gateway/routes.def"
#undef ROUTE
    };
    json_auto_t *document = openapi_document();
    (void)state;
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
        char method[16] = "";
        for (size_t k = 0; routes[i].method[k]; k++)
            method[k] = (char)(routes[i].method[k] | 0x20);
        const json_t *paths = at(document, "paths");
        const json_t *one = json_object_get(json_object_get(paths, routes[i].path), method);
        assert_non_null(one);
        assert_true(json_object_size(at(one, "responses")) > 2);
    }
}

static void each_event_and_error_has_a_schema(void **state)
{
    json_auto_t *document = openapi_document();
    const json_t *schemas = at(document, "components>schemas");
    const json_t *payload = at(schemas, "Event>properties>event>properties>payload>oneOf");
    (void)state;
    assert_int_equal(json_array_size(payload), EVENT_COUNT);
    assert_int_equal(json_array_size(at(schemas, "ErrorCode>enum")), ERR_COUNT - 1);
    assert_string_equal(
        json_string_value(at(schemas, "event_turn_start>properties>event_type>const")),
        "turn_start");
    assert_null(strstr(json_string_value(at(schemas, "event_step_start>description")), "follows"));
    assert_non_null(strstr(json_string_value(at(schemas, "event_error>description")), "follows"));
}

static void who_is_told_to_wait_is_told_how_long(void **state)
{
    json_auto_t *document = openapi_document();
    const json_t *answers = at(document, "paths>/session/{session}/turn>post>responses");
    (void)state;
    at(answers, "429>headers>Retry-After");
    at(answers, "503>headers>Retry-After");
    assert_null(json_object_get(at(answers, "409"), "headers"));
    assert_string_equal(json_string_value(at(answers, "409>description")), "turn_running");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_says_how_it_answers),
        cmocka_unit_test(each_event_and_error_has_a_schema),
        cmocka_unit_test(who_is_told_to_wait_is_told_how_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
