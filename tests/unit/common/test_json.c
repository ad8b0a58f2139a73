#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"

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

static void members_are_written_with_their_keys(void **state)
{
    (void)state;
    scoped_buf(b, 200);
    buf_putc(&b, '{');
    json_field(&b, "text", STR("a \"b\""));
    json_field_u64(&b, "number", UINT64_MAX);
    json_field_bool(&b, "yes", true);
    json_field_bool(&b, "no", false);
    json_field_raw(&b, "raw", STR("[1]"));
    json_field_raw(&b, "none", STR(""));
    buf_putc(&b, '}');
    assert_string_equal(buf_cstr(&b), "{\"text\":\"a \\\"b\\\"\",\"number\":18446744073709551615,"
                                      "\"yes\":true,\"no\":false,\"raw\":[1],\"none\":null}");
}

/* A tree's bytes are counted by what malloc gave out. */
static size_t allocated;
static void *count_malloc(size_t size)
{
    void *p = malloc(size);
    allocated += malloc_usable_size(p) + sizeof(size_t);
    return p;
}
static void count_free(void *p)
{
    allocated -= p ? malloc_usable_size(p) + sizeof(size_t) : 0;
    free(p);
}

static void tree_is_never_much_larger_than_was_said(void **state)
{
    (void)state;
    static const char *const units[] = {"0,",
                                        "[],",
                                        "{},",
                                        "[[]],",
                                        "\"\",",
                                        "\"a\",",
                                        "1.5,",
                                        "{\"a\":1},",
                                        "[0],",
                                        "{\"a\":{}},",
                                        "true,",
                                        "\"a long text of a person\",",
                                        "{\"a\":\"b\",\"c\":[1,2]},"};
    json_set_alloc_funcs(count_malloc, count_free);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        scoped_buf(b, 1 << 20);
        buf_putc(&b, '[');
        for (unsigned n = 0; n < 10000; n++)
            buf_puts(&b, units[i]);
        buf_puts(&b, "0]");
        size_t before = allocated, said = json_tree_bytes(buf_str(&b));
        json_t *tree = json_loadb(b.at, b.len, 0, NULL);
        assert_non_null(tree);
        size_t took = allocated - before;
        if (took > said + said / 4 || said > 10 * took)
            fail_msg("%s: %zu of a text of %zu, said %zu", units[i], took, b.len, said);
        json_decref(tree);
    }
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(json_tree_bytes(STR("\"a,b:c[d{\\\",\"")), 13);
    assert_int_equal(json_tree_bytes(STR("")), 0);
}

static void items_of_a_list_are_found(void **state)
{
    (void)state;
    struct str text = STR("\n[ {\"a\": [1, 2]},\n\t\"x,]\\\"\" , [[]],7 ]");
    static const char first[] = {'{', '"', '[', '7'};
    for (size_t i = 0; i < sizeof(first); i++)
        assert_int_equal(text.at[json_item_at(text, i)], first[i]);
    assert_int_equal(json_item_at(text, 4), 0);
    assert_int_equal(json_item_at((struct str){0}, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_strings_read_back_as_they_were),
        cmocka_unit_test(json_escapes_are_the_short_ones_and_utf8_stays),
        cmocka_unit_test(json_keys_bring_their_commas),
        cmocka_unit_test(json_that_does_not_fit_leaves_nothing_behind),
        cmocka_unit_test(members_are_written_with_their_keys),
        cmocka_unit_test(tree_is_never_much_larger_than_was_said),
        cmocka_unit_test(items_of_a_list_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
