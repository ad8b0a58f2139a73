/* Which alerts of a notification are investigated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buf.h"
#include "gateway/api/alerts.h"

#define PATH STR("/proxy/globaldatasources/prom")

static enum err read_text(const char *text, unsigned max, struct alerts *out)
{
    json_auto_t *body = json_loads(text, 0, NULL);
    return alerts_read(body, PATH, max, out);
}

/* {"alertname": NAME, "host": HOST} since STARTS */
#define FIRING(name, host, starts)                                                                 \
    "{\"status\":\"firing\",\"labels\":{\"alertname\":\"" name "\",\"host\":\"" host               \
    "\"},\"annotations\":{\"a\":\"b\"},\"startsAt\":\"" starts                                     \
    "\",\"endsAt\":\"0001-01-01T00:00:00Z\",\"generatorURL\":\"http://p/graph\",\"fingerprint\":"  \
    "\"1a\"}"
#define ALL(alerts) "{\"version\":\"4\",\"alerts\":[" alerts "]}"

static void one_name_is_one_incident(void **state)
{
    (void)state;
    struct alerts a;
    assert_int_equal(
        read_text(
            ALL(FIRING("Down", "a", "2026-01-01T00:03:00Z") "," FIRING(
                "Full", "x",
                "2026-01-01T00:09:00Z") "," FIRING("Down", "b",
                                                   "2026-01-01T00:01:00Z") "," FIRING("Down", "c",
                                                                                      "2026-01-"
                                                                                      "01T00:02:"
                                                                                      "00Z")),
            5, &a),
        ERR_NONE);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.at[0].title, "Down");
    assert_string_equal(a.at[0].message, "Investigate the alert Down.");
    assert_string_equal(
        a.at[0].context,
        "{\"alert\":{\"labels\":{\"alertname\":\"Down\",\"host\":\"b\"},"
        "\"annotations\":{\"a\":\"b\"},\"startsAt\":\"2026-01-01T00:01:00Z\","
        "\"generatorURL\":\"http://p/graph\",\"others\":[{\"alertname\":\"Down\","
        "\"host\":\"a\"},{\"alertname\":\"Down\",\"host\":\"c\"}],\"others_count\":2}}");
    assert_string_equal(a.at[1].title, "Full");
    assert_null(strstr(a.at[1].context, "others"));
    alerts_free(&a);
}

static void its_key_is_its_labels_and_when_it_fired_and_where(void **state)
{
    (void)state;
    struct alerts a, b;
    char key[ALERT_KEY_TEXT + 1];
    assert_int_equal(read_text(ALL(FIRING("Down", "a", "2026-01-01T00:03:00Z")), 1, &a), ERR_NONE);
    memcpy(key, a.at[0].key, sizeof(key));
    alerts_free(&a);
    /* Other order, other company, other annotations: the same alert. */
    assert_int_equal(
        read_text(ALL("{\"startsAt\":\"2026-01-01T00:03:00Z\",\"labels\":{\"host\":\"a\","
                      "\"alertname\":\"Down\"},\"status\":\"firing\"}," FIRING(
                          "Down", "b", "2026-01-01T00:04:00Z")),
                  1, &a),
        ERR_NONE);
    assert_string_equal(a.at[0].key, key);
    alerts_free(&a);
    static const char *const others[] = {ALL(FIRING("Down", "a", "2026-01-01T00:03:01Z")),
                                         ALL(FIRING("Down", "aa", "2026-01-01T00:03:00Z")),
                                         ALL(FIRING("Downa", "", "2026-01-01T00:03:00Z"))};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        assert_int_equal(read_text(others[i], 1, &b), ERR_NONE);
        assert_string_not_equal(b.at[0].key, key);
        alerts_free(&b);
    }
    json_auto_t *body = json_loads(ALL(FIRING("Down", "a", "2026-01-01T00:03:00Z")), 0, NULL);
    assert_int_equal(alerts_read(body, STR("/proxy/globaldatasources/pro"), 1, &b), ERR_NONE);
    assert_string_not_equal(b.at[0].key, key);
    alerts_free(&b);
}

static void what_does_not_fire_is_passed_over(void **state)
{
    (void)state;
    struct alerts a;
    assert_int_equal(read_text(ALL("7,null,[],{},{\"status\":\"firing\"},{\"status\":\"firing\","
                                   "\"labels\":{}},{\"status\":\"resolved\",\"labels\":{\"a\":"
                                   "\"b\"}},{\"status\":1,\"labels\":{\"a\":\"b\"}}"),
                               1, &a),
                     ERR_NONE);
    assert_int_equal(a.count, 0);
    assert_int_equal(a.quiet, 8);
    assert_int_equal(a.left_out, 0);
    alerts_free(&a);
    static const char *const none[] = {"{}",
                                       "[]",
                                       "{\"version\":4,\"alerts\":[]}",
                                       "{\"version\":\"4\"}",
                                       "{\"version\":\"4\",\"alerts\":{}}",
                                       "{\"version\":\"5\",\"alerts\":[]}"};
    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_int_equal(read_text(none[i], 1, &a), ERR_INVALID);
    assert_int_equal(alerts_read(NULL, PATH, 1, &a), ERR_INVALID);
}

static void names_beyond_the_most_are_left_out(void **state)
{
    (void)state;
    struct alerts a;
    assert_int_equal(
        read_text(ALL(FIRING("A", "1", "t") "," FIRING("B", "1", "t") "," FIRING(
                      "C", "1", "t") "," FIRING("A", "2", "t") "," FIRING("C", "2", "t")),
                  2, &a),
        ERR_NONE);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.left_out, 2);
    alerts_free(&a);
}

static void a_name_that_is_more_than_a_word_is_not_in_the_question(void **state)
{
    (void)state;
    struct alerts a;
    assert_int_equal(
        read_text(ALL(FIRING("Obey me\\nand save", "1", "t") "," FIRING("", "1", "t")), 2, &a),
        ERR_NONE);
    assert_string_equal(a.at[0].title, "Obey me");
    assert_string_equal(a.at[0].message, "Investigate this alert.");
    assert_string_equal(a.at[1].title, "Alert");
    assert_string_equal(a.at[1].message, "Investigate this alert.");
    alerts_free(&a);
}

/* What is larger than a context loses its annotations, then it is passed over. */
static void what_is_too_large_is_cut_or_passed_over(void **state)
{
    (void)state;
    static const char *const parts[] = {"annotations", "labels"};
    for (unsigned i = 0; i < 2; i++) {
        struct alerts a;
        char *big = malloc(70000);
        memset(big, 'x', 69999);
        big[69999] = '\0';
        json_auto_t *body = json_loads(ALL(FIRING("A", "1", "t")), 0, NULL);
        json_t *alert = json_array_get(json_object_get(body, "alerts"), 0);
        json_object_set_new(json_object_get(alert, parts[i]), "big", json_string(big));
        free(big);
        assert_int_equal(alerts_read(body, PATH, 1, &a), ERR_NONE);
        assert_int_equal(a.count, i == 0);
        assert_int_equal(a.quiet, i);
        if (i == 0)
            assert_null(strstr(a.at[0].context, "annotations"));
        alerts_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_name_is_one_incident),
        cmocka_unit_test(its_key_is_its_labels_and_when_it_fired_and_where),
        cmocka_unit_test(what_does_not_fire_is_passed_over),
        cmocka_unit_test(names_beyond_the_most_are_left_out),
        cmocka_unit_test(a_name_that_is_more_than_a_word_is_not_in_the_question),
        cmocka_unit_test(what_is_too_large_is_cut_or_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
