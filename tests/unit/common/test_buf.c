#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/buf.h"
#include "common/check.h"

static void what_goes_over_the_maximum_is_dropped_whole_and_remembered(void **state)
{
    (void)state;
    scoped_buf(b, 10);
    assert_true(buf_puts(&b, "12345678"));
    assert_false(buf_puts(&b, "abc"));
    assert_true(b.overflowed);
    assert_true(buf_puts(&b, "90"));
    assert_false(buf_putc(&b, 'x'));
    assert_false(buf_printf(&b, "%d", 1));
    assert_true(buf_printf(&b, "%s", ""));
    assert_null(buf_reserve(&b, 1));
    assert_string_equal(buf_cstr(&b), "1234567890");
    assert_int_equal(b.len, 10);
    buf_clear(&b);
    assert_false(b.overflowed);
    assert_true(buf_printf(&b, "%s", "exactly 10"));
    assert_false(buf_reserve(&b, SIZE_MAX) != NULL);
    assert_true(str_is(buf_str(&b), "exactly 10"));
}

static void a_buf_is_usable_after_free_and_with_no_room_at_all(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    buf_free(&b);
    assert_string_equal(buf_cstr(&b), "");
    assert_true(buf_printf(&b, "%05d", 42));
    assert_string_equal(buf_cstr(&b), "00042");
    buf_drop(&b, 3);
    assert_string_equal(buf_cstr(&b), "42");
    buf_drop(&b, 2);
    assert_string_equal(buf_cstr(&b), "");
    buf_free(&b);
    buf_init(&b, 0);
    assert_true(buf_add(&b, NULL, 0));
    assert_false(buf_putc(&b, 'x'));
    assert_true(buf_printf(&b, "%s", ""));
    buf_free(&b);
}

static void numbers_are_written_as_a_format_writes_them(void **state)
{
    (void)state;
    scoped_buf(b, 100);
    assert_true(buf_u64(&b, 0) && buf_putc(&b, ' ') && buf_u64(&b, UINT64_MAX));
    assert_true(buf_putc(&b, ' ') && buf_i64(&b, INT64_MIN) && buf_putc(&b, ' '));
    assert_true(buf_i64(&b, -7) && buf_i64(&b, 10) && buf_i64(&b, INT64_MAX));
    assert_string_equal(buf_cstr(&b),
                        "0 18446744073709551615 -9223372036854775808 -7109223372036854775807");
    scoped_buf(small, 2);
    assert_false(buf_u64(&small, 100));
    assert_true(small.overflowed && small.len == 0);
}

static void long_output_of_a_format_grows_the_buf(void **state)
{
    (void)state;
    scoped_buf(b, 1 << 20);
    for (int i = 0; i < 1000; i++)
        assert_true(buf_printf(&b, "%0200d;", i));
    assert_int_equal(b.len, 201000);
    assert_memory_equal(b.at + 201 * 999 + 197, "999;", 4);
    char *to = buf_reserve(&b, 5);
    assert_non_null(to);
    memcpy(to, "tail!", 5);
    b.len += 5;
    buf_drop(&b, 201000);
    assert_string_equal(buf_cstr(&b), "tail!");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_over_the_maximum_is_dropped_whole_and_remembered),
        cmocka_unit_test(a_buf_is_usable_after_free_and_with_no_room_at_all),
        cmocka_unit_test(numbers_are_written_as_a_format_writes_them),
        cmocka_unit_test(long_output_of_a_format_grows_the_buf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
