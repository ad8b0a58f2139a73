#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/buf.h"
#include "common/shelf.h"

enum { KIB = 1 << 10, SLOT = 16 * KIB, MANY = 200 };

static struct shelved *put(struct shelf *s, char c, size_t len)
{
    scoped_buf(b, len);
    char *to = buf_reserve(&b, len);
    if (len > 0)
        memset(to, c, len);
    b.len = len;
    return shelf_put(s, buf_str(&b));
}

static void assert_is(const struct shelved *b, char c, size_t len)
{
    struct str is = shelved_str(b);
    assert_int_equal(is.len, len);
    for (size_t i = 0; i < len; i++)
        if (is.at[i] != c)
            fail_msg("byte %zu", i);
}

static void what_lies_there_is_as_it_was_put_until_the_last_lets_go_of_it(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, SLOT - 64, SLOT, 40 * KIB, 1 << 20, 3 << 20};
    (void)state;
    struct shelf *s = shelf_new();
    struct shelved *all[sizeof(sizes) / sizeof(*sizes)];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        all[i] = shelved_ref(put(s, (char)('a' + i), sizes[i]));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        assert_is(all[i], (char)('a' + i), sizes[i]);
        shelved_free(all[i]);
        assert_is(all[i], (char)('a' + i), sizes[i]);
        shelved_free(all[i]);
        for (size_t j = i + 1; j < sizeof(sizes) / sizeof(*sizes); j++)
            assert_is(all[j], (char)('a' + j), sizes[j]);
    }
    assert_int_equal(shelved_str(NULL).len, 0);
    shelved_free(NULL);
    shelf_free(s);
    shelf_free(NULL);
}

static void pages_go_back_but_for_some_that_the_next_lie_in(void **state)
{
    (void)state;
    struct shelf *s = shelf_new();
    struct shelved *all[MANY];
    for (int i = 0; i < MANY; i++)
        all[i] = put(s, 'x', 11 * KIB);
    assert_int_equal(shelf_pages(s), MANY * SLOT);
    for (int i = 0; i < MANY; i++)
        shelved_free(all[i]);
    assert_int_equal(shelf_pages(s), SHELF_KEPT_BYTES);
    for (int i = 0; i < SHELF_KEPT_BYTES / SLOT; i++)
        all[i] = put(s, 'y', 12 * KIB);
    assert_int_equal(shelf_pages(s), SHELF_KEPT_BYTES);
    for (int i = 0; i < SHELF_KEPT_BYTES / SLOT; i++) {
        assert_is(all[i], 'y', 12 * KIB);
        shelved_free(all[i]);
    }
    shelf_free(s);
}

static void the_heap_has_what_is_small_and_the_system_what_is_large(void **state)
{
    (void)state;
    struct shelf *s = shelf_new();
    struct shelved *small = put(s, 's', SHELF_BYTES_MIN - 1);
    assert_int_equal(shelf_pages(s), 0);
    struct shelved *large = put(s, 'l', 3 << 20);
    assert_in_range(shelf_pages(s), 3 << 20, (3 << 20) + 4 * KIB);
    shelved_free(large);
    assert_int_equal(shelf_pages(s), 0);
    assert_is(small, 's', SHELF_BYTES_MIN - 1);
    shelved_free(small);
    shelf_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_there_is_as_it_was_put_until_the_last_lets_go_of_it),
        cmocka_unit_test(pages_go_back_but_for_some_that_the_next_lie_in),
        cmocka_unit_test(the_heap_has_what_is_small_and_the_system_what_is_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
