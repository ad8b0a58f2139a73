#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/hex.h"

static void digits_are_of_either_case_and_bytes_of_lower_case(void **state)
{
    (void)state;
    static const char all[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++)
        assert_int_equal(hex_digit(all[i]), i);
    assert_int_equal(hex_digit('A'), 10);
    assert_int_equal(hex_digit('F'), 15);
    static const char wrong[] = {'g', 'G', '@', '`', '/', ':', ' ', '\0', (char)0xe1, 'x'};
    for (size_t i = 0; i < sizeof(wrong); i++)
        assert_int_equal(hex_digit(wrong[i]), -1);
    uint8_t bytes[3] = {0};
    char text[7];
    assert_true(hex_read(STR("00a9ff"), bytes));
    hex_write(bytes, sizeof(bytes), text);
    assert_string_equal(text, "00a9ff");
    assert_false(hex_read(STR("00A9ff"), bytes));
    assert_false(hex_read(STR("00a"), bytes));
    assert_false(hex_read(STR("0x12"), bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_of_either_case_and_bytes_of_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
