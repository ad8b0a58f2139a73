/* Lines of --check, and the exit code that they come to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/report.h"

static void worst_line_decides_the_exit_code(void **state)
{
    (void)state;
    assert_int_equal(report_exit_code(&(struct report){0}), 0);
    assert_int_equal(report_exit_code(&(struct report){.unknown = 2}), 3);
    assert_int_equal(report_exit_code(&(struct report){.failed = 1}), 1);
    assert_int_equal(report_exit_code(&(struct report){.failed = 1, .unknown = 2}), 1);
}

static void line_is_one_line_whatever_is_in_it(void **state)
{
    (void)state;
    char said[4 * REPORT_LINE_MAX], huge[2 * REPORT_LINE_MAX];
    struct report r = {0};
    FILE *file = tmpfile();
    int out = dup(STDOUT_FILENO);
    assert_non_null(file);
    memset(huge, 'x', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    fflush(stdout);
    dup2(fileno(file), STDOUT_FILENO);
    report_ok(&r, "%s", "fine");
    report_fail(&r, "name\r\nok    forged\x1b[2J\x7f: %d", 7);
    report_unknown(&r, "%s", huge);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(file);
    size_t len = fread(said, 1, sizeof(said) - 1, file);
    said[len] = '\0';
    fclose(file);
    const char *begins = "ok    fine\nFAIL  name  ok    forged [2J : 7\n?     xxx";
    assert_memory_equal(said, begins, strlen(begins));
    assert_int_equal(len, strlen(begins) - 3 + REPORT_LINE_MAX - 1 + 1);
    assert_int_equal(report_exit_code(&r), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worst_line_decides_the_exit_code),
        cmocka_unit_test(line_is_one_line_whatever_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
