/* Bodies against the schemas of /openapi.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "gateway/api/openapi.h"
#include "gateway/api/body_shape.h"

static void hold(const char *handler, const char *text, const char *want)
{
    json_error_t where;
    json_auto_t *body = json_loads(text, JSON_DECODE_ANY, &where);
    scoped_buf(why, 1024);
    assert_non_null(body);
    bool fits = openapi_body_fits(handler, body, &why);
    if (fits != (want == NULL) || (want && strcmp(buf_cstr(&why), want) != 0))
        fail_msg("%s: %s", text, fits ? "fits" : buf_cstr(&why));
}

static void what_fits_is_taken(void **state)
{
    (void)state;
    hold("turns_post", "{\"message\":\"x\"}", NULL);
    hold("turns_post", "{\"message\":\"x\",\"model\":null,\"context\":null,\"more\":[1]}", NULL);
    hold("turns_post",
         "{\"message\":\"x\",\"context\":{\"time_range\":{\"start\":1,\"end\":\"2026\"},"
         "\"timezone\":"
         "null,\"datasources\":[],\"dashboard\":null,\"panels\":[{\"title\":\"t\",\"queries\":["
         "\"q\"]"
         ",\"more\":1}],\"variables\":{\"a\":\"b\",\"c\":[\"d\"]},\"alert\":{\"labels\":{}}}}",
         NULL);
    hold("turns_post", "{\"message\":\"x\",\"context\":{\"time_range\":{\"start\":1e3}}}", NULL);
    hold("turns_post", "{\"message\":\"x\",\"context\":{\"panels\":[\"a name\"]}}", NULL);
    hold("sessions_fork", "{\"message_id\":1}", NULL);
    hold("sessions_fork", "{\"message_id\":\"1\"}", NULL);
    hold("sessions_patch", "{}", NULL);
    hold("sessions_patch", "{\"panels\":{\"x\":{\"y\":1}},\"context\":null}", NULL);
    hold("turns_cancel", "{\"whatever\":[]}", NULL);
}

static void what_does_not_is_told_where_and_why(void **state)
{
    static const char *const rows[][3] = {
        {"turns_post", "{}", "message is missing"},
        {"turns_post", "{\"message\":1}", "message must be of type string"},
        {"turns_post", "{\"message\":null}", "message must be of type string"},
        {"turns_post", "{\"message\":\"x\",\"model\":1}", "model must be of type string"},
        {"turns_post", "{\"message\":\"x\",\"context\":1}",
         "context has a type that is not allowed"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"panels\":{}}}",
         "context.panels must be of type array"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"panels\":[{},1]}}",
         "context.panels[1] has a type that is not allowed"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"panels\":[{\"queries\":[\"a\",{}]}]}}",
         "context.panels[0].queries[1] must be of type string"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"variables\":{\"a\":[1]}}}",
         "context.variables.a[0] must be of type string"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"variables\":{\"a\":1}}}",
         "context.variables.a has a type that is not allowed"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"datasources\":\"x\"}}",
         "context.datasources must be of type array"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"time_range\":{\"start\":1.5}}}",
         "context.time_range.start has a type that is not allowed"},
        {"turns_post", "{\"message\":\"x\",\"context\":{\"time_range\":{\"start\":1e300}}}",
         "context.time_range.start has a type that is not allowed"},
        {"sessions_fork", "{\"message_id\":true}", "message_id has a type that is not allowed"},
        {"sessions_patch", "{\"turns\":1}", "turns has no place here"},
        {"sessions_patch", "{\"title\":null}", "title must be of type string"},
        {"sessions_message_patch", "{\"pinned\":1}", "pinned must be of type boolean"},
        {"turns_resume", "{\"decisions\":[{\"approve\":true}]}", "decisions[0].call_id is missing"},
        {"turns_resume", "{\"decisions\":[[]]}", "decisions[0] must be of type object"},
        {"sessions_post", "[]", "The body must be of type object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        hold(rows[i][0], rows[i][1], rows[i][2]);
}

static void a_long_name_is_cut(void **state)
{
    char text[5000];
    (void)state;
    memcpy(text, "{\"", 2);
    memset(text + 2, 'k', 4000);
    memcpy(text + 4002, "\":1}", 5);
    json_auto_t *body = json_loads(text, 0, NULL);
    scoped_buf(why, 1024);
    assert_false(openapi_body_fits("sessions_patch", body, &why));
    assert_false(why.overflowed);
    assert_int_equal(why.len, 64 + strlen(" has no place here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_taken),
        cmocka_unit_test(what_does_not_is_told_where_and_why),
        cmocka_unit_test(a_long_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
