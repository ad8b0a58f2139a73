/* What a series does, in words. */
#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>
#include "worker/tools/prometheus/shape.h"

enum { COUNT = 120 };

static double flat(int i) { return 1000000 + i % 2; }
static double rising(int i) { return 5 * i + 20 * sin(i); }
static double falling(int i) { return -3 * i; }
static double wavy(int i) { return 10 * sin(i / 5.0); }
static double step(int i) { return (i < 80 ? 10 : 50) + i % 3; }
static double drop(int i) { return i < 40 ? 1 : 0; }
static double spike(int i) { return i == 70 ? 900 : 10 + i % 5; }
static double gaps(int i) { return i % 3 == 0 ? (double)NAN : i % 7 == 0 ? (double)INFINITY : i; }
static double huge(int i) { return 1e15 + i; }

static void shapes_have_words(void **state)
{
    (void)state;
    static const struct {
        double (*f)(int i);
        enum shape_word word;
    } cases[] = {{flat, SHAPE_FLAT},        {rising, SHAPE_RISING}, {falling, SHAPE_FALLING},
                 {wavy, SHAPE_FLUCTUATING}, {step, SHAPE_STEP_UP},  {drop, SHAPE_STEP_DOWN},
                 {spike, SHAPE_SPIKE},      {gaps, SHAPE_RISING},   {huge, SHAPE_FLAT}};
    struct series_point p[COUNT];
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct shape s;
        for (int i = 0; i < COUNT; i++)
            p[i] = (struct series_point){1700000000 + i * 60, cases[c].f(i)};
        shape_of(p, COUNT, &s);
        if (s.word != cases[c].word)
            fail_msg("case %zu: word %d", c, (int)s.word);
    }
}

static void times_and_numbers_are_told(void **state)
{
    (void)state;
    struct series_point p[COUNT];
    struct shape s;
    struct buf b;
    for (int i = 0; i < COUNT; i++)
        p[i] = (struct series_point){1700000000 + i * 60, spike(i)};
    shape_of(p, COUNT, &s);
    buf_init(&b, 1024);
    buf_putc(&b, '{');
    shape_write(&s, false, &b);
    assert_non_null(strstr(buf_cstr(&b), "{\"change\":4,\"shape\":\"spike\",\"trend_per_hour\":"));
    assert_non_null(strstr(buf_cstr(&b), "\"max_at\":\"2023-11-14T23:23:20Z\""));
    assert_non_null(strstr(buf_cstr(&b), "\"outliers\":1,\"outlier_at\":\"2023-11-14T23:23:20Z\""));
    for (int i = 0; i < COUNT; i++)
        p[i].value = step(i);
    shape_of(p, COUNT, &s);
    assert_true(s.step_at_s == 1700000000 + 80 * 60);
    for (int i = 0; i < COUNT; i++)
        p[i].value = falling(i);
    shape_of(p, COUNT, &s);
    assert_true(fabs(s.per_hour + 180) < 1e-6 && s.change == -357);
    buf_free(&b);
}

static void little_or_nothing_finite_is_no_shape(void **state)
{
    (void)state;
    struct series_point p[COUNT];
    struct shape s;
    struct buf b;
    buf_init(&b, 1024);
    for (int i = 0; i < COUNT; i++)
        p[i] = (struct series_point){i, i % 2 ? (double)NAN : (double)INFINITY};
    shape_of(p, COUNT, &s);
    shape_write(&s, false, &b);
    assert_int_equal(b.len, 0);
    shape_of(p, 0, &s);
    assert_false(s.any);
    for (int i = 0; i < 3; i++)
        p[i].value = i;
    shape_of(p, 3, &s);
    buf_putc(&b, '{');
    shape_write(&s, false, &b);
    assert_string_equal(buf_cstr(&b), "{\"change\":2");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_have_words),
        cmocka_unit_test(times_and_numbers_are_told),
        cmocka_unit_test(little_or_nothing_finite_is_no_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
