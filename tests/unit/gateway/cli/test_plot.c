/* Plots of braille, rows of blocks, numbers with units; and a tool call's line. */
#include "tests/support/unit.h"

#include <locale.h>
#include <math.h>
#include <time.h>
#include "gateway/cli/calls.h"
#include "gateway/cli/plot.h"

static const struct screen screen = {.terminal = true, .width = 40};

static void expect_number(double value, enum plot_unit unit, const char *text)
{
    scoped_buf(out, 256);
    plot_number(&out, value, unit);
    assert_string_equal(buf_cstr(&out), text);
}

static void numbers_have_units(void **state)
{
    (void)state;
    expect_number(1536, UNIT_BYTES, "1.5 KiB");
    expect_number(3e9, UNIT_BYTES_S, "2.79 GiB/s");
    expect_number(0.0123, UNIT_SECONDS, "12.3 ms");
    expect_number(300, UNIT_SECONDS, "5 min");
    expect_number(0.061, UNIT_RATIO, "6.1 %");
    expect_number(12, UNIT_PERCENT, "12 %");
    expect_number(1234, UNIT_NONE, "1234");
    expect_number(2500000, UNIT_NONE, "2.5 M");
    expect_number(-0.5, UNIT_NONE, "-0.5");
    expect_number(NAN, UNIT_BYTES, "–");
    expect_number(INFINITY, UNIT_NONE, "+Inf");
    expect_number(1e300, UNIT_BYTES, "8.88e+284 PiB");
}

static void unit_is_told_by_the_query(void **state)
{
    (void)state;
    assert_int_equal(plot_unit_of(STR("sum(node_memory_free_bytes)")), UNIT_BYTES);
    assert_int_equal(plot_unit_of(STR("rate(node_net_bytes_total[5m])")), UNIT_BYTES_S);
    assert_int_equal(plot_unit_of(STR("100 * (1 - avg(rate(cpu_seconds_total[5m])))")),
                     UNIT_PERCENT);
    assert_int_equal(plot_unit_of(STR("a_bytes / b_bytes")), UNIT_NONE);
    assert_int_equal(plot_unit_of(STR("histogram_quantile(0.9, rate(x_seconds_bucket[5m]))")),
                     UNIT_SECONDS);
    assert_int_equal(plot_unit_of((struct str){NULL, 0}), UNIT_NONE);
}

static void spark_shows_gaps_and_flat_lines(void **state)
{
    (void)state;
    const struct plot_point rising[] = {{0, 1}, {1, 2}, {2, NAN}, {3, 8}};
    const struct plot_point flat[] = {{0, 5}, {1, 5}};
    const struct plot_point far[] = {{0, -1.7e308}, {1, 1.7e308}};
    scoped_buf(out, 256);
    plot_spark(&out, rising, 4, 10);
    assert_string_equal(buf_cstr(&out), "▁▂ █");
    buf_clear(&out);
    plot_spark(&out, flat, 2, 10);
    assert_string_equal(buf_cstr(&out), "▁▁");
    buf_clear(&out);
    plot_spark(&out, far, 2, 10);
    assert_string_equal(buf_cstr(&out), "▁█");
    buf_clear(&out);
    plot_spark(&out, rising, 4, 2);
    assert_int_equal(screen_width(buf_str(&out)), 2);
}

static void line_goes_from_corner_to_corner(void **state)
{
    (void)state;
    struct plot_point points[] = {{0, 0}, {3600, 10}};
    const struct plot_series series = {STR("up{job=\"a\"}"), points, 2};
    const struct plot p = {&series, 1, 0, 3600, UNIT_NONE, 4};
    scoped_buf(out, 65536);
    assert_true(plot_draw(&out, &screen, &p));
    struct str rest = buf_str(&out), line;
    assert_true(str_split(&rest, '\n', &line));
    assert_true(str_starts(line, STR("10 ┤")));
    assert_memory_equal(line.at + line.len - 3, "⠉", 3);
    for (int i = 0; i < 3; i++)
        assert_true(str_split(&rest, '\n', &line));
    assert_true(str_starts(line, STR(" 0 ┤⣀")));
    assert_non_null(strstr(buf_cstr(&out), "00:00"));
    assert_non_null(strstr(buf_cstr(&out), "01:00"));
    assert_non_null(strstr(buf_cstr(&out), "up{job=\"a\"}  10\n"));
    for (rest = buf_str(&out); str_split(&rest, '\n', &line);)
        assert_true(screen_width(line) <= screen.width);
}

static void what_can_t_be_drawn_writes_nothing(void **state)
{
    (void)state;
    struct plot_point points[] = {{0, NAN}, {3600, 1}, {10, -INFINITY}};
    const struct plot_series series = {STR("a"), points, 3};
    const struct plot no_numbers = {&series, 1, 0, 3600, UNIT_NONE, 4};
    const struct plot no_time = {&series, 1, 5, 5, UNIT_NONE, 4};
    const struct plot strange = {&series, 1, NAN, NAN, UNIT_NONE, 4};
    scoped_buf(out, 65536);
    assert_false(plot_draw(&out, &screen, &no_numbers));
    assert_false(plot_draw(&out, &screen, &no_time));
    assert_false(plot_draw(&out, &screen, &strange));
    assert_int_equal(out.len, 0);
}

static void extreme_values_stay_within_the_canvas(void **state)
{
    (void)state;
    struct plot_point points[] = {{-1e300, 1}, {0, -1e308}, {1, 1e308}, {NAN, 4}, {3600, 0}};
    const struct plot_series series = {STR("a"), points, 5};
    const struct plot p = {&series, 1, 0, 3600, UNIT_BYTES, 100};
    scoped_buf(out, 65536);
    plot_draw(&out, &screen, &p);
    assert_false(out.overflowed);
}

#define RANGE                                                                                      \
    "{\"kind\":\"range\",\"query\":\"100 * cpu\",\"start\":\"1970-01-01T00:00:00Z\",\"end\":"      \
    "\"1970-01-01T00:00:30Z\",\"series_total\":1,\"series\":[{\"labels\":{\"cpu\":\"\\u001b[2J\"}" \
    ",\"points\":[[0,6],[10,20],[20,\"NaN\"],[30,100]]}]}"

static void call_is_one_line(void **state)
{
    (void)state;
    const struct screen wide = {.terminal = true, .width = 100};
    json_auto_t *arguments = json_pack("{s:s}", "query", "100 * cpu\033[2J");
    struct call_view v = {STR("execute_range_query"), arguments, STR(RANGE), false, 32};
    scoped_buf(out, 65536);
    call_line(&out, &wide, &v);
    assert_string_equal(buf_cstr(&out), "✓ 100 * cpu[2J  6 % → 100 % ▁▂ █  32 ms\n");
    buf_clear(&out);
    assert_true(call_plot(&out, &wide, &v));
    assert_null(memchr(out.at, 033, out.len));
    buf_clear(&out);
    v.failed = true;
    v.content = STR("{\"error\":\"no such metric\"}");
    call_line(&out, &wide, &v);
    assert_string_equal(buf_cstr(&out), "✗ 100 * cpu[2J  no such metric  32 ms\n");
}

static void points_stand_in_steps_from_the_start(void **state)
{
    (void)state;
    struct call_view v = {
        STR("t"), NULL,
        STR("{\"start\":\"1970-01-01T00:00:00Z\",\"end\":\"1970-01-01T00:10:00Z\",\"step\":\"15s\","
            "\"points_are\":\"[n, value] at start + n * step\",\"series\":[{\"labels\":{},"
            "\"points\":[[0,1],[20,9],[40,1]]}]}"),
        false, -1};
    scoped_buf(out, 65536);
    assert_true(call_plot(&out, &screen, &v));
    struct str rest = buf_str(&out), line;
    assert_true(str_split(&rest, '\n', &line)); /* the peak stands in the middle */
    assert_non_null(memmem(line.at, line.len, "9 ┤            ", 17));
}

static void flat_series_needs_no_points(void **state)
{
    (void)state;
    struct call_view v = {STR("t"), NULL,
                          STR("{\"start\":\"1970-01-01T00:00:00Z\",\"end\":"
                              "\"1970-01-01T00:10:00Z\",\"series\":[{\"labels\":{},\"last\":3,"
                              "\"shape\":\"flat\"}]}"),
                          false, -1};
    scoped_buf(out, 65536);
    call_line(&out, &screen, &v);
    assert_string_equal(buf_cstr(&out), "✓ t  3 → 3 ▁▁\n");
    assert_true(call_plot(&out, &screen, &v));
}

static void results_of_any_shape_are_survived(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "",
        "no json",
        "[]",
        "{\"series\":{}}",
        "{\"series\":[1,null,{\"points\":[[],[1]]}]}",
        "{\"series\":[{\"points\":[[1,2],[3,4]],\"labels\":7}],\"start\":1,\"end\":null}",
        "{\"series_total\":-5,\"series\":[{\"points\":[[1,2],[3,4]]}]}",
        "{\"error\":{}}"};
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++)
        for (int failed = 0; failed < 2; failed++) {
            struct call_view v = {STR("t"), NULL, str_of(contents[i]), failed, -1};
            scoped_buf(out, 65536);
            call_line(&out, &screen, &v);
            call_plot(&out, &screen, &v);
            call_details(&out, &screen, &v);
            assert_true(str_utf8(buf_str(&out)));
        }
}

static void approval_hides_nothing(void **state)
{
    (void)state;
    json_auto_t *call = json_loads(
        "{\"call_id\":\"c\",\"tool_name\":\"save_panel\",\"arguments\":{\"title\":\"a\\u202eb\","
        "\"n\":[1]},\"server\":{\"name\":\"x\"},\"arguments_hash\":\"h\"}",
        0, NULL);
    scoped_buf(out, 65536);
    call_ask(&out, &screen, call);
    assert_string_equal(buf_cstr(&out), "save_panel\n    title: a<U+202E>b\n    n: [1]\n    goes "
                                        "to: {\"name\": \"x\"}\n    arguments' hash: h\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_units),
        cmocka_unit_test(unit_is_told_by_the_query),
        cmocka_unit_test(spark_shows_gaps_and_flat_lines),
        cmocka_unit_test(line_goes_from_corner_to_corner),
        cmocka_unit_test(what_can_t_be_drawn_writes_nothing),
        cmocka_unit_test(extreme_values_stay_within_the_canvas),
        cmocka_unit_test(call_is_one_line),
        cmocka_unit_test(points_stand_in_steps_from_the_start),
        cmocka_unit_test(flat_series_needs_no_points),
        cmocka_unit_test(results_of_any_shape_are_survived),
        cmocka_unit_test(approval_hides_nothing),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
