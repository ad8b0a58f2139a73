/* JSON as it arrives, handed over in small trees. */
#include "tests/support/unit.h"

#include <stdlib.h>
#include "worker/tools/prometheus/explain.h"
#include "worker/tools/items.h"

struct seen {
    struct buf text;
    struct items items;
    unsigned stop_after;
};

static bool on_item(void *arg, unsigned path, struct str key, json_t *item)
{
    struct seen *s = arg;
    char *text = json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    buf_printf(&s->text, "%u:%.*s:%.60s%s ", path, (int)key.len, key.len ? key.at : "", text,
               s->items.item_cut ? "(cut)" : "");
    free(text);
    return s->stop_after == 0 || --s->stop_after > 0;
}

/* Fed whole and byte by byte: the same. */
static void expect(const char *json, const char *const *paths, unsigned count, const char *wanted)
{
    for (size_t piece = strlen(json); piece > 0; piece = piece > 1 ? 1 : 0) {
        struct seen s = {.stop_after = 0};
        buf_init(&s.text, 1 << 20);
        items_init(&s.items, paths, count, on_item, &s);
        for (size_t at = 0; at < strlen(json); at += piece)
            assert_true(items_feed(&s.items, (struct str){json + at, piece}));
        assert_true(items_whole(&s.items));
        assert_string_equal(buf_cstr(&s.text), wanted);
        items_free(&s.items);
        buf_free(&s.text);
    }
}

static void paths_lead_to_elements_members_and_values(void **state)
{
    (void)state;
    static const char *const rules[] = {"data/groups/*/rules/*"};
    expect(
        "{\"status\":\"success\",\"data\":{\"groups\":[{\"name\":\"g\",\"rules\":[{\"a\":1},[2]]},"
        "{\"rules\":[]},{\"rules\":[null,true]}]}}",
        rules, 1, "0::{\"a\":1.0} 0::[2.0] 0::null 0::true ");
    static const char *const top[] = {"*"};
    expect("[\"x\",{\"y\":{\"z\":[]}}]", top, 1, "0::\"x\" 0::{\"y\":{\"z\":[]}} ");
    static const char *const two[] = {"spec/panels/*", "spec/name", "other"};
    expect("{\"spec\":{\"name\":\"n\",\"panels\":{\"a\":{\"k\":\"A\"},\"b\":7}},\"spec2\":{"
           "\"name\":0}}",
           two, 3, "1:name:\"n\" 0:a:{\"k\":\"A\"} 0:b:7.0 ");
    expect("{\"spec\":[],\"other\":{}}", two, 3, "2:other:{} ");
    /* what no path leads to is skipped, whatever it is */
    expect("{\"spec\":{\"x\":{\"panels\":{\"a\":1}},\"panels\":3}}", two, 3, "");
}

static void a_number_that_no_double_holds_is_null(void **state)
{
    (void)state;
    static const char *const path[] = {"*"};
    expect("[1e999,[-1e999,{\"a\":5e333}],1e308]", path, 1,
           "0::null 0::[null,{\"a\":null}] 0::1e308 ");
}

static void an_item_is_bounded(void **state)
{
    (void)state;
    static const char *const path[] = {"*"};
    struct seen s = {.stop_after = 0};
    buf_init(&s.text, 1 << 20);
    items_init(&s.items, path, 1, on_item, &s);
    items_feed(&s.items, STR("[["));
    for (unsigned i = 0; i < 100000; i++)
        assert_true(items_feed(&s.items, STR("{\"k\":\"vvvvvvvvvvvvvvvvvvvvvvvv\"},")));
    items_feed(&s.items, STR("1],2]"));
    assert_true(items_whole(&s.items));
    assert_non_null(strstr(buf_cstr(&s.text), "(cut) 0::2.0 "));
    items_free(&s.items);
    buf_free(&s.text);
}

static void what_is_no_json_or_not_wanted_stops_it(void **state)
{
    (void)state;
    static const char *const path[] = {"*"};
    static const char *const broken[] = {"<html>", "[1,", "[{\"a\":}]", "\"bare\"", "7 ", "[}"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct seen s = {.stop_after = 0};
        buf_init(&s.text, 4096);
        items_init(&s.items, path, 1, on_item, &s);
        assert_false(items_feed(&s.items, str_of(broken[i])) && items_whole(&s.items));
        items_free(&s.items); /* also in the middle of an item */
        buf_free(&s.text);
    }
    struct seen s = {.stop_after = 1};
    buf_init(&s.text, 4096);
    items_init(&s.items, path, 1, on_item, &s);
    assert_false(items_feed(&s.items, STR("[1,2,3]")));
    assert_string_equal(buf_cstr(&s.text), "0::1.0 ");
    items_free(&s.items);
    buf_free(&s.text);
}

static void selectors_are_taken_apart(void **state)
{
    (void)state;
    struct str metric;
    struct matcher m[MATCHERS_MAX];
    assert_int_equal(
        explain_matchers(STR("up{ job = \"a\\\"b}\", le!~'x' , c=~`y\\`,}"), &metric, m), 3);
    assert_true(str_is(metric, "up") && str_is(m[0].label, "job") && str_is(m[0].op, "="));
    assert_true(str_is(m[0].value, "\"a\\\"b}\"") && str_is(m[1].op, "!~"));
    assert_true(str_is(m[1].value, "'x'") && str_is(m[2].value, "`y\\`"));
    assert_int_equal(explain_matchers(STR("{__name__=\"up\",a=\"1\"}"), &metric, m), 1);
    assert_true(str_is(metric, "\"up\""));
    assert_int_equal(explain_matchers(STR("up"), &metric, m), 0);
    assert_int_equal(explain_matchers(STR("up{"), &metric, m), 0);
    assert_int_equal(explain_matchers(STR("up{a=\"x"), &metric, m), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_lead_to_elements_members_and_values),
        cmocka_unit_test(a_number_that_no_double_holds_is_null),
        cmocka_unit_test(an_item_is_bounded),
        cmocka_unit_test(what_is_no_json_or_not_wanted_stops_it),
        cmocka_unit_test(selectors_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
