#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/metrics.h"

static struct buf text;

static const char *written(void)
{
    buf_clear(&text);
    metrics_write(&text);
    assert_false(text.overflowed);
    return buf_cstr(&text);
}

/* The value of the sample of this name and labels. */
static double sample(const char *series)
{
    size_t len = strlen(series);
    for (const char *line = written(); line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, len) == 0 && line[len] == ' ')
            return strtod(line + len + 1, NULL);
    }
    fail_msg("no sample %s", series);
    return 0;
}

static void a_family_is_together_with_one_head(void **state)
{
    (void)state;
    struct metric *refused = metric_new(METRIC_COUNTER, "t_turns_total", "outcome=\"refused\"",
                                        "Turns, by \\ outcome.\nTwo lines.");
    struct metric *gauge = metric_new(METRIC_GAUGE, "t_streams", "", "Open streams.");
    struct metric *ok = metric_new(METRIC_COUNTER, "t_turns_total", "outcome=\"ok\"",
                                   "Turns, by \\ outcome.\nTwo lines.");
    metric_add(ok, 1);
    metric_add(ok, 2);
    metric_add(refused, 0.5);
    metric_set(gauge, 7);
    metric_add(gauge, -2);
    assert_non_null(strstr(written(), "# HELP t_streams Open streams.\n"
                                      "# TYPE t_streams gauge\n"
                                      "t_streams 5\n"
                                      "# HELP t_turns_total Turns, by \\\\ outcome.\\nTwo lines.\n"
                                      "# TYPE t_turns_total counter\n"
                                      "t_turns_total{outcome=\"ok\"} 3\n"
                                      "t_turns_total{outcome=\"refused\"} 0.5\n"));
    assert_true(metric_get(ok) > 2.9 && metric_get(ok) < 3.1);
    assert_ptr_equal(metric_new(METRIC_GAUGE, "t_streams", "", "Open streams."), gauge);
}

static void numbers_are_written_as_prometheus_reads_them(void **state)
{
    (void)state;
    struct metric *m = metric_new(METRIC_GAUGE, "t_number", "", "A number.");
    static const struct {
        double value;
        const char *line;
    } cases[] = {{123456789012, "\nt_number 123456789012\n"},
                 {-0.25, "\nt_number -0.25\n"},
                 {1e300, "\nt_number 1e+300\n"},
                 {INFINITY, "\nt_number +Inf\n"},
                 {-INFINITY, "\nt_number -Inf\n"},
                 {NAN, "\nt_number NaN\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        metric_set(m, cases[i].value);
        assert_non_null(strstr(written(), cases[i].line));
    }
}

static void a_histogram_counts_what_is_at_most_its_bound(void **state)
{
    (void)state;
    struct metric *h = metric_new(METRIC_HISTOGRAM, "t_seconds", "way=\"in\"", "Seconds.");
    static const double seconds[] = {0, 0.001, 0.0011, 1, 1.5, 120, 500};
    for (size_t i = 0; i < 7; i++)
        metric_observe(h, seconds[i]);
    assert_int_equal((int)sample("t_seconds_bucket{way=\"in\",le=\"0.001\"}"), 2);
    assert_int_equal((int)sample("t_seconds_bucket{way=\"in\",le=\"0.002\"}"), 3);
    assert_int_equal((int)sample("t_seconds_bucket{way=\"in\",le=\"1\"}"), 4);
    assert_int_equal((int)sample("t_seconds_bucket{way=\"in\",le=\"2\"}"), 5);
    assert_int_equal((int)sample("t_seconds_bucket{way=\"in\",le=\"120\"}"), 6);
    assert_int_equal((int)sample("t_seconds_bucket{way=\"in\",le=\"+Inf\"}"), 7);
    assert_int_equal((int)sample("t_seconds_count{way=\"in\"}"), 7);
    assert_int_equal((int)(sample("t_seconds_sum{way=\"in\"}") * 10000), 6225021);
    assert_non_null(strstr(written(), "# TYPE t_seconds histogram\n"));
    assert_int_equal((int)metric_get(h), 7);
    metric_observe(metric_new(METRIC_HISTOGRAM, "t_plain_seconds", "", "Seconds."), 3);
    assert_int_equal((int)sample("t_plain_seconds_bucket{le=\"5\"}"), 1);
    assert_int_equal((int)sample("t_plain_seconds_sum"), 3);
}

static void the_process_tells_about_itself(void **state)
{
    (void)state;
    double now = (double)time(NULL), start = sample("process_start_time_seconds");
    assert_true(start > now - 120 && start < now + 2);
    assert_true(sample("process_resident_memory_bytes") > 500e3);
    assert_true(sample("process_virtual_memory_bytes") >= sample("process_resident_memory_bytes"));
    double fds = sample("process_open_fds");
    int fd = open("/dev/null", O_RDONLY);
    assert_int_equal((int)(sample("process_open_fds") - fds), 1);
    close(fd);
    assert_true(fds >= 1 && fds <= sample("process_max_fds"));
    double cpu = sample("process_cpu_seconds_total");
    for (clock_t from = clock(); clock() - from < CLOCKS_PER_SEC / 50;)
        ;
    double spent = sample("process_cpu_seconds_total") - cpu;
    assert_true(spent >= 0.019 && spent < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_is_together_with_one_head),
        cmocka_unit_test(numbers_are_written_as_prometheus_reads_them),
        cmocka_unit_test(a_histogram_counts_what_is_at_most_its_bound),
        cmocka_unit_test(the_process_tells_about_itself),
    };
    buf_init(&text, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&text);
    return failed;
}
