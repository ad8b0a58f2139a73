#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/str.h"

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

static void a_cut_is_between_characters(void **state)
{
    (void)state;
    struct str text = STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"); /* 1, 2, 3 and 4 bytes */
    static const size_t lens[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t max = 0; max < sizeof(lens) / sizeof(*lens); max++)
        assert_int_equal(str_cut(text, max).len, lens[max]);
    assert_int_equal(str_cut((struct str){0}, 3).len, 0);
}

/* What people see as one character is whole or not there. */
static void a_cut_is_between_what_people_see(void **state)
{
    (void)state;
    static const char *const wholes[] = {
        "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7", /* family */
        "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",                                         /* a flag */
        "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd", /* a thumb with its colour */
        "\xe2\x9d\xa4\xef\xb8\x8f",         /* a heart, in colours */
        "1\xef\xb8\x8f\xe2\x83\xa3",        /* a keycap */
        "e\xcc\x81",                        /* an accent */
    };
    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
        char text[64];
        size_t one = strlen(wholes[i]);
        snprintf(text, sizeof(text), "ab%s%s", wholes[i], wholes[i]);
        for (size_t max = 0; max <= 2 + 2 * one; max++) {
            size_t wanted = max < 2 ? max : 2 + (max - 2) / one * one;
            assert_int_equal(str_cut(str_of(text), max).len, wanted);
        }
    }
    char heap[302] = "a"; /* of accents, which has no end */
    for (size_t i = 1; i < 300; i += 2)
        memcpy(heap + i, "\xcc\x81", 2);
    assert_in_range(str_cut(str_of(heap), 200).len, 199, 200);
}

static void a_line_is_counted_from_one(void **state)
{
    (void)state;
    struct str text = STR("a\nb\n\nc");
    static const unsigned lines[] = {1, 1, 2, 2, 3, 4, 4, 4};
    for (size_t at = 0; at < sizeof(lines) / sizeof(*lines); at++)
        assert_int_equal(str_line(text, at), lines[at]);
    assert_int_equal(str_line((struct str){0}, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting_gives_every_piece_once),
        cmocka_unit_test(the_empty_slice_is_harmless),
        cmocka_unit_test(numbers_have_digits_only_and_a_maximum),
        cmocka_unit_test(only_well_formed_utf8_passes),
        cmocka_unit_test(a_cut_is_between_characters),
        cmocka_unit_test(a_cut_is_between_what_people_see),
        cmocka_unit_test(a_line_is_counted_from_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
