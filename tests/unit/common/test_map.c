#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "common/map.h"

static int things[20000];

static struct str key_of(int i, char text[16])
{
    return (struct str){text, (size_t)snprintf(text, 16, "key-%d", i)};
}

static void what_was_put_is_found_and_nothing_else(void **state)
{
    (void)state;
    struct map *m = map_new();
    char text[16];
    for (int i = 0; i < 20000; i++)
        assert_null(map_put(m, key_of(i, text), &things[i]));
    assert_int_equal(map_size(m), 20000);
    for (int i = 0; i < 20000; i++)
        assert_ptr_equal(map_get(m, key_of(i, text)), &things[i]);
    assert_null(map_get(m, STR("key-20000")));
    for (int i = 0; i < 20000; i += 2)
        assert_ptr_equal(map_remove(m, key_of(i, text)), &things[i]);
    for (int i = 0; i < 20000; i++)
        assert_ptr_equal(map_get(m, key_of(i, text)), i % 2 ? &things[i] : NULL);
    for (int i = 1; i < 20000; i += 2)
        assert_ptr_equal(map_remove(m, key_of(i, text)), &things[i]);
    assert_int_equal(map_size(m), 0);
    assert_null(map_remove(m, STR("key-1")));
    map_free(m);
}

static void putting_again_gives_the_former_value(void **state)
{
    (void)state;
    struct map *m = map_new();
    assert_null(map_put(m, STR("k"), &things[1]));
    assert_ptr_equal(map_put(m, STR("k"), &things[2]), &things[1]);
    assert_ptr_equal(map_get(m, STR("k")), &things[2]);
    assert_int_equal(map_size(m), 1);
    map_free(m);
    map_free(NULL);
}

static void keys_are_bytes_of_any_kind_and_are_copied(void **state)
{
    (void)state;
    struct map *m = map_new();
    char key[3] = {'a', '\0', 'b'};
    map_put(m, (struct str){key, 3}, &things[1]);
    map_put(m, (struct str){key, 2}, &things[2]);
    map_put(m, (struct str){NULL, 0}, &things[3]);
    memset(key, 'x', sizeof(key));
    assert_ptr_equal(map_get(m, (struct str){"a\0b", 3}), &things[1]);
    assert_ptr_equal(map_get(m, (struct str){"a\0", 2}), &things[2]);
    assert_ptr_equal(map_get(m, STR("")), &things[3]);
    assert_null(map_get(m, STR("a")));
    map_free(m);
}

struct visit {
    struct map *m;
    int seen[1000];
    bool remove;
};

static void visit_one(void *arg, struct str key, void *value)
{
    struct visit *v = arg;
    long i = (int *)value - things;
    v->seen[i]++;
    if (v->remove && i % 10 != 0)
        assert_ptr_equal(map_remove(v->m, key), value);
}

static void a_visit_sees_each_entry_once_while_it_removes_them(void **state)
{
    (void)state;
    struct visit v = {.m = map_new(), .remove = true};
    char text[16];
    for (int i = 0; i < 1000; i++)
        map_put(v.m, key_of(i, text), &things[i]);
    map_each(v.m, visit_one, &v);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v.seen[i], 1);
    assert_int_equal(map_size(v.m), 100);
    v.remove = false;
    map_each(v.m, visit_one, &v);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v.seen[i], i % 10 ? 1 : 2);
    map_free(v.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_nothing_else),
        cmocka_unit_test(putting_again_gives_the_former_value),
        cmocka_unit_test(keys_are_bytes_of_any_kind_and_are_copied),
        cmocka_unit_test(a_visit_sees_each_entry_once_while_it_removes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
