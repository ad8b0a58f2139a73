/* A conversation as a document. */
#include "tests/support/unit.h"

#include <locale.h>
#include "gateway/cli/export.h"

static void questions_calls_and_answers_are_there(void **state)
{
    (void)state;
    json_auto_t *session = json_loads(
        "{\"title\":\"Rooms\\u001b[2J\",\"messages\":["
        "{\"role\":\"user\",\"at\":\"2026-01-01T00:00:00.000Z\",\"content\":\"Which?\\nAll.\"},"
        "{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"tool_name\":\"q\","
        "\"arguments\":{\"query\":\"up\"}},{\"tool_name\":\"r\",\"arguments\":\"```\"}]},"
        "{\"role\":\"tool\",\"content\":\"\"},"
        "{\"role\":\"assistant\",\"content\":\"**Two**.\"},7]}",
        0, NULL);
    scoped_buf(out, 65536);
    export_markdown(&out, session);
    assert_string_equal(buf_cstr(&out),
                        "# Rooms[2J\n\n## 2026-01-01T00:00:00.000Z\n\n> Which?\n> All.\n\nq:\n\n"
                        "``` json\n{\n  \"query\": \"up\"\n}\n```\n\nr:\n\n~~~~~~~~ json\n"
                        "\"```\"\n~~~~~~~~\n\n**Two**.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(questions_calls_and_answers_are_there)};
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
