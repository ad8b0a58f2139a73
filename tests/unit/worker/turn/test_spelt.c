/* Numbers in words: those that are stated of the data, and those that are not. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <string.h>
#include "worker/turn/spelt.h"

/* The first that a text states; -1: none. */
static double first_of(const char *text)
{
    struct str all = str_of(text);
    for (size_t i = 0; i < all.len; i++) {
        struct spelt s;
        if (spelt_read(all, i, &s)) {
            assert_true(s.len > 0 && i + s.len <= all.len);
            return s.none ? 0 : s.value;
        }
    }
    return -1;
}

static const struct {
    const char *text;
    double value;
} cases[] = {
    {"two targets are down", 2},
    {"Twenty-five pods", 25},
    {"a hundred and twenty targets", 120},
    {"one hundred and five", 105},
    {"three hundred errors", 300},
    {"a dozen targets", 12},
    {"only one target is up", 1},
    {"zwei Ziele", 2},
    {"Zwölf Pods", 12},
    {"fünfundzwanzig Ziele", 25},
    {"einundzwanzig Fehler", 21},
    {"nur ein Ziel", 1},
    {"ein Dutzend Ziele", 12},
    {"treinta y cinco objetivos", 35},
    {"veintidós fallos", 22},
    {"doscientos errores", 200},
    {"solo un pod", 1},
    {"两个目标", 2},
    {"三十五个", 35},
    {"一百二十台", 120},
    {"十二次", 12},
    {"二つ", 2},
    {"It took two hours.", 2},
    {"none of them is down", 0},
    {"keiner der Server", 0},
    /* no counts of data */
    {"", -1},
    {"the two of them", -1},
    {"these three pods", -1},
    {"the last two hours", -1},
    {"two ways to see it", -1},
    {"zwei Abfragen", -1},
    {"las dos", -1},
    {"dos razones", -1},
    {"这两个", -1},
    {"第二个", -1},
    {"两种可能", -1},
    {"十分正常", -1},
    {"一些", -1},
    {"唯一", -1},
    {"one of the pods", -1},
    {"ein Ziel", -1},
    {"someone", -1},
    {"tend to fail", -1},
    {"often", -1},
    {"network", -1},
    {"a two-node cluster", -1},
    {"node_two", -1},
    {"/two", -1},
    {"four fifths", -1},
    {"three times as many", -1},
    {"wait five minutes", -1},
    {"noneof", -1},
    {"once", -1},
};

static void words_are_numbers_where_they_count_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double value = first_of(cases[i].text);
        if (value != cases[i].value)
            fail_msg("%s: %g, not %g", cases[i].text, value, cases[i].value);
    }
}

static void how_many_there_are_is_told_from_how_many_of_a_kind(void **state)
{
    static const struct {
        const char *text;
        bool total;
    } totals[] = {{"There are two pods.", true},
                  {"There are two pods above 80 %.", false},
                  {"There are two pods that fail.", false},
                  {"All three are up.", true},
                  {"Two pods are up.", false},
                  {"Es gibt zwei Pods.", true},
                  {"Es gibt zwei Pods, die fehlen.", false},
                  {"Hay dos pods.", true},
                  {"共有两个目标。", true}};
    (void)state;
    for (size_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++) {
        struct str text = str_of(totals[i].text);
        struct spelt s = {0};
        size_t at = 0;
        while (at < text.len && !spelt_read(text, at, &s))
            at++;
        if (s.total != totals[i].total)
            fail_msg("%s", totals[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_numbers_where_they_count_data),
        cmocka_unit_test(how_many_there_are_is_told_from_how_many_of_a_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
