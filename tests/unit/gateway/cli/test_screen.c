/* What of others' text reaches a terminal, and how wide it is. */
#include "tests/support/unit.h"

#include <locale.h>
#include <stdio.h>
#include "gateway/cli/screen.h"

static void nothing_that_drives_a_terminal_gets_through(void **state)
{
    (void)state;
    const char *const hostile[] = {"\033]0;title\007",
                                   "\033[2J",
                                   "a\rb",
                                   "\x9b"
                                   "31m",
                                   "\xc2\x9b"
                                   "31m",
                                   "\b\b\b",
                                   "\x7f",
                                   "\xe2\x80\xae"
                                   "evil",
                                   "\xef\xbb\xbf",
                                   "\xf3\xa0\x81\x81",
                                   "\x05\x0e\x0f",
                                   "\xc2\x85"};
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        scoped_buf(out, 4096);
        screen_clean(&out, str_of(hostile[i]), true);
        screen_reveal(&out, str_of(hostile[i]));
        screen_short(&out, str_of(hostile[i]), 30);
        for (size_t k = 0; k < out.len; k++)
            assert_false((unsigned char)out.at[k] < 0x20 || out.at[k] == 0x7f);
        assert_true(str_utf8(buf_str(&out)));
        assert_null(memmem(out.at, out.len, "\xc2\x9b", 2));
        assert_null(memmem(out.at, out.len, "\xe2\x80\xae", 3));
    }
}

static void what_is_decided_on_shows_what_hides(void **state)
{
    (void)state;
    scoped_buf(out, 4096);
    screen_reveal(&out, STR("a\033\xe2\x80\xae"
                            "b\xff\n"));
    assert_string_equal(buf_cstr(&out), "a<U+001B><U+202E>b<FF>\n");
}

static void width_counts_columns_and_no_styles(void **state)
{
    (void)state;
    assert_int_equal(screen_width(STR("abc")), 3);
    assert_int_equal(screen_width(STR("\033[1mäb\033[22m")), 2);
    assert_int_equal(screen_width(STR("日本")), 4);
}

static void short_text_keeps_to_its_columns(void **state)
{
    (void)state;
    for (unsigned columns = 0; columns < 12; columns++) {
        scoped_buf(out, 4096);
        screen_short(&out, STR("日本 and more"), columns);
        assert_true(screen_width(buf_str(&out)) <= (columns > 0 ? columns : 1));
    }
}

static void words_wrap_at_the_width(void **state)
{
    (void)state;
    scoped_buf(out, 4096);
    screen_wrap(&out, STR("aaaa bbbb  cccc dddddddddddddd e"), 10, 0, 2);
    assert_string_equal(buf_cstr(&out), "aaaa bbbb\n  cccc\n  dddddddddddddd\n  e\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_drives_a_terminal_gets_through),
        cmocka_unit_test(what_is_decided_on_shows_what_hides),
        cmocka_unit_test(width_counts_columns_and_no_styles),
        cmocka_unit_test(short_text_keeps_to_its_columns),
        cmocka_unit_test(words_wrap_at_the_width),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
