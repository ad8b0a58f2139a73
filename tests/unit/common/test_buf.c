#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "common/buf.h"
#include "common/check.h"

static void splitting_gives_every_piece_once(void **state)
{
    (void)state;
    struct str rest = STR("a,,bc"), piece;
    assert_true(str_split(&rest, ',', &piece) && str_is(piece, "a"));
    assert_true(str_split(&rest, ',', &piece) && str_is(piece, ""));
    assert_true(str_split(&rest, ',', &piece) && str_is(piece, "bc"));
    assert_null(rest.at);
    assert_false(str_split(&rest, ',', &piece));
    rest = STR("x,");
    assert_true(str_split(&rest, ',', &piece) && str_is(piece, "x"));
    assert_false(str_split(&rest, ',', &piece));
}

static void the_empty_slice_is_harmless(void **state)
{
    (void)state;
    struct str none = {NULL, 0};
    assert_true(str_eq(none, STR("")));
    assert_true(str_starts(STR("a"), none));
    assert_int_equal(str_skip(none, 3).len, 0);
    assert_int_equal(str_trim(STR(" \t\r\n")).len, 0);
    assert_true(str_is(str_trim(STR(" a b\n")), "a b"));
    assert_true(str_is(str_of(NULL), ""));
    assert_true(str_utf8(none));
    char *copy = str_dup(none);
    assert_string_equal(copy, "");
    free(copy);
}

static void numbers_have_digits_only_and_a_maximum(void **state)
{
    (void)state;
    uint64_t n = 7;
    assert_true(str_u64(STR("18446744073709551615"), UINT64_MAX, &n) && n == UINT64_MAX);
    assert_true(str_u64(STR("0"), 0, &n) && n == 0);
    assert_true(str_u64(STR("00100"), 100, &n) && n == 100);
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(str_u64(str_of(bad[i]), UINT64_MAX, &n));
    assert_false(str_u64(STR("101"), 100, &n));
    assert_false(str_u64(STR("1"), 0, &n));
    assert_false(str_u64(STR("9"), 8, &n));
}

static void only_well_formed_utf8_passes(void **state)
{
    (void)state;
    static const char *const good[] = {
        "plain, longer than a word", "ä€𝄞", "0123456€89abcdef", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf",
        "\xf4\x90\x80",
        "\xf5\x80\x80\x80",
        "0123456\xe2\x82",
        "\xc3",
        "\xff",
        "a\xc3(",
        "\xe2\x82(",
        "\xf0\x8f\xbf\xbf...",
        "\xf4\x90\x80\x80",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(str_utf8(str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(str_utf8(str_of(bad[i])));
    for (size_t i = 0; i < 20; i++) { /* a NUL anywhere, in a word and in the rest */
        char text[20];
        memset(text, 'x', sizeof(text));
        text[i] = '\0';
        assert_false(str_utf8((struct str){text, sizeof(text)}));
    }
}

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

static void json_strings_read_back_as_they_were(void **state)
{
    (void)state;
    scoped_buf(b, 1 << 16);
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 19; at++) { /* every byte at every place of a word and after it */
            char text[19];
            memset(text, 'x', sizeof(text));
            text[at] = (char)c;
            buf_clear(&b);
            assert_true(json_str(&b, (struct str){text, sizeof(text)}));
            json_t *back = json_loadb(b.at, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
            assert_non_null(back);
            if (c < 0x80) {
                assert_int_equal(json_string_length(back), sizeof(text));
                assert_memory_equal(json_string_value(back), text, sizeof(text));
            } else {
                assert_memory_equal(json_string_value(back) + at, "\xef\xbf\xbd", 3);
                assert_int_equal(json_string_length(back), sizeof(text) + 2);
            }
            json_decref(back);
        }
}

static void json_escapes_are_the_short_ones_and_utf8_stays(void **state)
{
    (void)state;
    scoped_buf(b, 1000);
    assert_true(json_str(&b, STR("\b\t\n\v\f\r\"\\\x01/ä€𝄞\x7f\xc3\xe2\x82.")));
    assert_string_equal(buf_cstr(&b), "\"\\b\\t\\n\\u000b\\f\\r\\\"\\\\\\u0001/ä€𝄞\x7f"
                                      "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.\"");
}

static void json_keys_bring_their_commas(void **state)
{
    (void)state;
    scoped_buf(b, 100);
    buf_putc(&b, '{');
    json_key(&b, "a");
    buf_putc(&b, '{');
    json_key(&b, "b");
    json_str(&b, STR("{"));
    json_key(&b, "c");
    buf_puts(&b, "1}}");
    assert_string_equal(buf_cstr(&b), "{\"a\":{\"b\":\"{\",\"c\":1}}");
}

static void json_that_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    for (size_t max = 2; max < 20; max++) {
        scoped_buf(b, max);
        buf_puts(&b, "1");
        bool fits = json_str(&b, STR("ab\ncd\xff\x01"));
        assert_int_equal(fits, max >= 18);
        assert_int_equal(b.len, fits ? 18 : 1);
        assert_int_equal(b.overflowed, !fits);
        size_t before = b.len;
        if (!json_key(&b, "k"))
            assert_int_equal(b.len, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting_gives_every_piece_once),
        cmocka_unit_test(the_empty_slice_is_harmless),
        cmocka_unit_test(numbers_have_digits_only_and_a_maximum),
        cmocka_unit_test(only_well_formed_utf8_passes),
        cmocka_unit_test(what_goes_over_the_maximum_is_dropped_whole_and_remembered),
        cmocka_unit_test(a_buf_is_usable_after_free_and_with_no_room_at_all),
        cmocka_unit_test(long_output_of_a_format_grows_the_buf),
        cmocka_unit_test(json_strings_read_back_as_they_were),
        cmocka_unit_test(json_escapes_are_the_short_ones_and_utf8_stays),
        cmocka_unit_test(json_keys_bring_their_commas),
        cmocka_unit_test(json_that_does_not_fit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
