/* Summaries and catalogs: right whatever the pieces, bounded, quick. */
#include "tests/support/unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include "worker/tools/prometheus/catalog.h"
#include "worker/llm/token_estimate.h"
#include "worker/tools/prometheus/series.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others use this machine, too */
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static const struct series_head head = {.kind = "range",
                                        .query = {"x", 1},
                                        .datasource = {"/d", 2},
                                        .start_ms = 1700000000000,
                                        .end_ms = 1700014985000,
                                        .step_ms = 15000,
                                        .bytes_max = 16384};

static json_t *summary(struct series *s, const struct series_head *h)
{
    struct buf b;
    buf_init(&b, h->bytes_max);
    series_write(s, h, &b);
    assert_false(b.overflowed);
    json_t *json = json_loadb(b.at, b.len, 0, NULL);
    if (json == NULL)
        fail_msg("%s", buf_cstr(&b));
    buf_free(&b);
    return json;
}

static void write_matrix(struct buf *b, unsigned series, unsigned points)
{
    buf_puts(b, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
    for (unsigned i = 0; i < series; i++) {
        buf_printf(b,
                   "%s{\"metric\":{\"__name__\":\"container_cpu\",\"pod\":\"pod-%u\",\"namespace\":"
                   "\"shop\"},\"values\":[",
                   i > 0 ? "," : "", i);
        for (unsigned k = 0; k < points; k++)
            buf_printf(b, "%s[%u,\"%.17g\"]", k > 0 ? "," : "", 1700000000 + k * 15,
                       (double)i + sin((double)(k + i) / 50));
        buf_puts(b, "]}");
    }
    buf_puts(b, "]}}");
    assert_false(b->overflowed);
}

/* CPU time in all, and of the longest piece. */
static double summarise(const struct buf *b, double *longest)
{
    struct series s;
    *longest = 0;
    double start = now_ms();
    series_init(&s, 40, 11001);
    for (size_t at = 0; at < b->len; at += 16384) { /* as curl brings them */
        double before = now_ms();
        assert_true(
            series_feed(&s, (struct str){b->at + at, b->len - at < 16384 ? b->len - at : 16384}));
        *longest = fmax(*longest, now_ms() - before);
    }
    double before = now_ms();
    json_t *json = summary(&s, &head);
    *longest = fmax(*longest, now_ms() - before);
    double all = now_ms() - start;
    assert_int_equal(json_integer_value(json_object_get(json, "series_total")), 1000);
    json_t *first = json_array_get(json_object_get(json, "series"), 0);
    double want = 999 + sin((999.0 + 999) / 50);
    assert_true(fabs(json_real_value(json_object_get(first, "last")) - want) < 1e-3);
    assert_string_equal(json_string_value(json_object_get(first, "shape")), "flat");
    json_decref(json);
    series_free(&s);
    return all;
}

/* 1,000 series of 1,000 points. The times are printed, not asserted; the goals are 100 ms in all,
 * 20 ms at a time. */
static void a_large_matrix_is_summarised_in_pieces(void **state)
{
    struct buf b;
    double all = 1e9, longest = 1e9;
    (void)state;
    buf_init(&b, 64 << 20);
    write_matrix(&b, 1000, 1000);
    for (unsigned i = 0; i < 3; i++) { /* the best: others use this machine, too */
        double its_longest, its = summarise(&b, &its_longest);
        all = fmin(all, its);
        longest = fmin(longest, its_longest);
    }
    print_message("%zu bytes: %.1f ms, the longest piece %.2f ms\n", b.len, all, longest);
    buf_free(&b);
}

/* To six digits. */
static void close_to(const json_t *row, const char *name, double want)
{
    double got = json_number_value(json_object_get(row, name));
    if (fabs(got - want) > 1e-5 * fmax(1, fabs(want)))
        fail_msg("%s: %.17g, not %.17g", name, got, want);
}

static void statistics_are_those_of_all_points(void **state)
{
    struct buf b;
    struct series s;
    (void)state;
    buf_init(&b, 1 << 20);
    write_matrix(&b, 3, 500);
    for (size_t piece = 1; piece <= b.len; piece = piece * 7 + 1) {
        series_init(&s, 40, 11001);
        for (size_t at = 0; at < b.len; at += piece)
            assert_true(
                series_feed(&s, (struct str){b.at + at, b.len - at < piece ? b.len - at : piece}));
        json_t *json = summary(&s, &head), *list = json_object_get(json, "series");
        assert_int_equal(json_array_size(list), 3);
        for (unsigned i = 0; i < 3; i++) {
            json_t *row = json_array_get(list, i), *points = json_object_get(row, "points");
            double min = 1e9, max = -1e9, sum = 0, value = 0;
            for (unsigned k = 0; k < 500; k++) {
                value = (double)i + sin((double)(k + i) / 50);
                min = fmin(min, value), max = fmax(max, value), sum += value;
            }
            close_to(row, "min", min);
            close_to(row, "max", max);
            close_to(row, "last", value);
            close_to(row, "avg", sum / 500);
            assert_null(json_object_get(row, "missing")); /* none between the first and the last */
            assert_string_equal(json_string_value(json_object_get(row, "data_until")),
                                "2023-11-15T00:18:05Z");
            assert_int_equal(json_array_size(points), 12);
            assert_int_equal(json_integer_value(json_array_get(json_array_get(points, 0), 0)), 0);
            assert_int_equal(json_integer_value(json_array_get(json_array_get(points, 11), 0)),
                             499);
        }
        json_decref(json);
        series_free(&s);
    }
    buf_free(&b);
}

/* Cut after any byte: what came before is told, and the result is whole JSON. */
static void an_answer_cut_anywhere_gives_what_came(void **state)
{
    struct buf b;
    struct series s;
    struct series_head cut = head;
    uint64_t most = 0;
    (void)state;
    cut.cut = true;
    buf_init(&b, 1 << 20);
    write_matrix(&b, 3, 20);
    for (size_t len = 0; len < b.len; len++) {
        series_init(&s, 40, 11001);
        assert_true(len == 0 || series_feed(&s, (struct str){b.at, len}));
        series_cut(&s);
        json_t *json = summary(&s, &cut);
        uint64_t total = (uint64_t)json_integer_value(json_object_get(json, "series_total"));
        assert_true(total >= most);
        most = total;
        json_decref(json);
        series_free(&s);
    }
    assert_int_equal(most, 3);
    buf_free(&b);
}

static void other_kinds_of_answers_are_read(void **state)
{
    static const struct {
        const char *json, *want; /* in the summary; NULL: refused */
    } cases[] = {
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1700000000.1,"
         "\"42\"]}}",
         "\"series\":[{\"labels\":{},\"value\":42}]"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1700000000,"
         "\"hi\"]}}",
         "\"text\":{\"string\":\"hi\"}"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"
         "\"histogram\":"
         "[1,{\"count\":\"5\",\"sum\":\"1\",\"buckets\":[[1,\"0\",\"1\",\"5\"]]}]}]}}",
         "Native histograms are not shown"},
        {"{\"status\":\"success\",\"isPartial\":false,\"data\":{\"resultType\":\"vector\","
         "\"result\":[],\"stats\":"
         "{\"x\":[1,{\"y\":2}]}},\"infos\":[\"i\"],\"warnings\":[\"w\"]}",
         "\"Datasource: i\",\"Datasource: w\""},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":null}}",
         "returned no data"},
        /* servers that are like Prometheus */
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"
         "\"value\":[1700000000.5,\"inf\"]},{\"metric\":{},\"value\":[1700000000,\"-inf\"]}]}}",
         "[{\"labels\":{},\"value\":\"+Inf\"},{\"labels\":{},\"value\":\"-Inf\"}]"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"
         "\"value\":[1700000000.5,1.5]}]}}",
         "[{\"labels\":{},\"value\":1.5}]"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},"
         "\"group\":1,\"id\":\"x\",\"value\":[1700000000,\"2\"],\"whole\":true}]}}",
         "[{\"labels\":{},\"value\":2}]"},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":1}]}}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,"
         "null]}]}}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{"
         "\"a\":1}}]}}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":[]}]}"
         "}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1]}]}"
         "}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,"
         "\"x\"]}]}}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,"
         "\"2\",3]}]}}",
         NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[[]]}}", NULL},
        {"{\"status\":\"success\",\"data\":[]}", NULL},
        {"{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1e999,\"1\"]}}",
         NULL},
        {"[]", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct series s;
        struct buf b;
        series_init(&s, 10, 100);
        buf_init(&b, 16384);
        bool ok = series_feed(&s, str_of(cases[i].json));
        if (ok)
            series_write(&s, &head, &b);
        if (ok != (cases[i].want != NULL) || (ok && strstr(buf_cstr(&b), cases[i].want) == NULL))
            fail_msg("%s: %s", cases[i].json, ok ? buf_cstr(&b) : "refused");
        buf_free(&b);
        series_free(&s);
    }
}

static void thinning_keeps_the_ends_and_the_peak(void **state)
{
    (void)state;
    for (unsigned count = 1; count < 300; count += 7)
        for (unsigned want = 1; want < 60; want++) {
            struct series_point p[300];
            for (unsigned i = 0; i < count; i++)
                p[i] = (struct series_point){i, i == count / 2 ? 1000 : i % 17 == 3 ? NAN : 1};
            unsigned left = series_thin(p, count, want);
            assert_int_equal(left, count < want ? count : want);
            assert_true(p[left - 1].at_s == count - 1);
            assert_true(want < 2 || p[0].at_s == 0);
            bool peak = want < 5 || count < 3;
            for (unsigned i = 0; i < left; i++) {
                assert_true(i == 0 || p[i].at_s > p[i - 1].at_s);
                peak = peak || p[i].value == 1000;
            }
            assert_true(peak);
        }
}

static void many_series_with_long_labels_fit_the_budget(void **state)
{
    struct buf b;
    struct series s;
    struct series_head h = head;
    (void)state;
    buf_init(&b, 8 << 20);
    buf_puts(&b, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
    for (unsigned i = 0; i < 60; i++) {
        buf_printf(&b, "%s{\"metric\":{", i > 0 ? "," : "");
        for (unsigned k = 0; k < 64; k++)
            buf_printf(&b, "%s\"label_%u\":\"a value that is rather long, as they are %u\"",
                       k > 0 ? "," : "", k, i);
        buf_puts(&b, "},\"values\":[[1700000000,\"1\"],[1700000015,\"2\"]]}");
    }
    buf_puts(&b, "]}}");
    for (size_t most = 1024; most <= 65536; most *= 2) {
        series_init(&s, 40, 11001);
        h.bytes_max = most;
        assert_true(series_feed(&s, buf_str(&b)));
        struct buf out;
        buf_init(&out, 1 << 20);
        series_write(&s, &h, &out);
        if (most >= 4096)
            assert_true(out.len <= most);
        json_t *json = json_loadb(out.at, out.len, 0, NULL);
        assert_non_null(json);
        assert_int_equal(json_integer_value(json_object_get(json, "series_total")), 60);
        json_decref(json);
        buf_free(&out);
        series_free(&s);
    }
    buf_free(&b);
}

/* 100,000 metric names: under 300 ms warm, under 20 ms at a time. */
static void a_large_catalog_is_searched_in_slices(void **state)
{
    static const char *const parts[] = {"cpu",   "memory",  "disk",  "network",
                                        "queue", "request", "cache", "job"};
    struct catalog c;
    struct buf names, metadata, out;
    double longest = 0;
    (void)state;
    buf_init(&names, 32 << 20);
    buf_init(&metadata, 32 << 20);
    buf_init(&out, 16384);
    buf_puts(&names, "{\"status\":\"success\",\"data\":[");
    buf_puts(&metadata, "{\"status\":\"success\",\"data\":{");
    for (unsigned i = 0; i < 100000; i++) {
        const char *comma = i > 0 ? "," : "";
        buf_printf(&names, "%s\"app_%06u_%s_%s_seconds_total\"", comma, i, parts[i % 8],
                   parts[i / 8 % 8]);
        buf_printf(&metadata,
                   "%s\"app_%06u_%s_%s_seconds_total\":[{\"type\":\"counter\",\"help\":\"How long "
                   "the thing "
                   "number %u was busy with what it does.\",\"unit\":\"seconds\"}]",
                   comma, i, parts[i % 8], parts[i / 8 % 8], i);
    }
    buf_puts(&names, "]}");
    buf_puts(&metadata, "}}");
    catalog_init(&c);
    double start = now_ms();
    for (size_t at = 0; at < names.len; at += 16384)
        assert_true(catalog_feed_names(
            &c, (struct str){names.at + at, names.len - at < 16384 ? names.len - at : 16384}));
    assert_true(catalog_end_names(&c, false));
    for (size_t at = 0; at < metadata.len; at += 16384) {
        double before = now_ms();
        assert_true(catalog_feed_metadata(
            &c,
            (struct str){metadata.at + at, metadata.len - at < 16384 ? metadata.len - at : 16384}));
        longest = fmax(longest, now_ms() - before);
    }
    catalog_end_metadata(&c);
    double loaded = now_ms() - start;
    struct catalog_search s;
    assert_true(catalog_search_init(&s, STR("busy queues 99996"), 0, 100));
    start = now_ms();
    for (bool more = true; more;) {
        double before = now_ms();
        more = catalog_search_step(&s, &c);
        longest = fmax(longest, now_ms() - before);
    }
    catalog_write(&s, &c, STR("/d"), 16384, STR(""), &out);
    double searched = now_ms() - start;
    print_message("%zu bytes: read in %.0f ms, searched in %.0f ms, the longest slice %.1f ms\n",
                  names.len + metadata.len, loaded, searched, longest);
    json_t *json = json_loadb(out.at, out.len, 0, NULL);
    assert_non_null(json);
    json_t *first = json_array_get(json_object_get(json, "metrics"), 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")),
                        "app_099996_queue_network_seconds_total");
    assert_string_equal(json_string_value(json_object_get(first, "type")), "counter");
    assert_int_equal(json_integer_value(json_object_get(json, "total")), 100000);
    json_decref(json);
    catalog_search_free(&s);
    catalog_free(&c);
    buf_free(&names);
    buf_free(&metadata);
    buf_free(&out);
}

static void names_in_any_order_find_their_metadata(void **state)
{
    struct catalog c;
    struct catalog_search s;
    struct buf out;
    (void)state;
    catalog_init(&c);
    buf_init(&out, 16384);
    assert_true(
        catalog_feed_names(&c, STR("{\"data\":[\"z\",\"a_total\",\"m\"],\"status\":\"success\"}")));
    assert_true(catalog_end_names(&c, false));
    assert_true(catalog_feed_metadata(&c, STR("{\"status\":\"success\",\"data\":{\"z\":[{\"type\":"
                                              "\"gauge\",\"help\":\"Z\"},{\"type\":"
                                              "\"counter\",\"help\":\"other\"}],\"a\":[{\"help\":"
                                              "\"A\",\"type\":\"counter\",\"unit\":\"s\"}],"
                                              "\"gone\":[{\"type\":\"gauge\"}]}}")));
    catalog_end_metadata(&c);
    assert_true(catalog_search_init(&s, STR(""), 0, 10));
    assert_false(catalog_search_step(&s, &c));
    catalog_write(&s, &c, STR("/d"), 16384, STR(""), &out);
    assert_string_equal(
        buf_cstr(&out),
        "{\"kind\":\"metrics\",\"datasource\":\"/d\",\"total\":3,\"shown\":3,\"metrics_total\":3,"
        "\"metrics\":[{\"name\":\"a_total\",\"type\":\"counter\",\"help\":\"A\",\"unit\":\"s\"},"
        "{\"name\":\"m\"},{\"name\":\"z\",\"type\":\"gauge\",\"help\":\"Z\"}],\"notes\":[]}");
    catalog_search_free(&s);
    catalog_free(&c);
    buf_free(&out);
}

/* The result of some series of 121 points, 30 s apart, from one that is like the world. */
static char *result_of(unsigned series, double (*value)(unsigned k), unsigned from, unsigned to)
{
    static const struct series_head hour = {.kind = "range",
                                            .query = {"up", 2},
                                            .datasource = {"/d", 2},
                                            .start_ms = 1700000000000,
                                            .end_ms = 1700003600000,
                                            .step_ms = 30000,
                                            .bytes_max = 16384};
    struct series s;
    struct buf b, out;
    buf_init(&b, 1 << 20);
    buf_init(&out, 16384);
    buf_puts(&b, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
    for (unsigned i = 0; i < series; i++) {
        buf_printf(&b,
                   "%s{\"metric\":{\"__name__\":\"up\",\"instance\":\"10.0.0.%u:9100\",\"job\":"
                   "\"node\"},\"values\":[",
                   i > 0 ? "," : "", i);
        for (unsigned k = from; k < to; k++)
            buf_printf(&b, "%s[%u,\"%.17g\"]", k > from ? "," : "", 1700000000 + k * 30, value(k));
        buf_puts(&b, "]}");
    }
    buf_puts(&b, "]}}");
    series_init(&s, 40, 11001);
    assert_true(series_feed(&s, buf_str(&b)));
    series_write(&s, &hour, &out);
    series_free(&s);
    buf_free(&b);
    char *text = str_dup(buf_str(&out));
    buf_free(&out);
    return text;
}

static double one(unsigned k) { return k < 1000 ? 1 : 0; }
static double wave(unsigned k) { return sin(k / 9.0) * 13.7 + 1 / 3.0; }
static double step_up(unsigned k) { return k < 71 ? 0.1 + k % 3 / 7.0 : 9.9 + k % 3 / 7.0; }

static void a_series_costs_few_tokens(void **state)
{
    static const struct {
        const char *name;
        double (*value)(unsigned k);
        uint64_t most;
    } cases[] = {{"flat", one, 60}, {"wave", wave, 250}, {"step", step_up, 250}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *none = result_of(1, cases[i].value, 0, 121),
             *more = result_of(5, cases[i].value, 0, 121);
        /* JSON with numbers has 3 bytes a token: token_estimate.h */
        struct token_estimate strict = {.fixed = 300};
        uint64_t each = token_estimate_tokens(&strict, (strlen(more) - strlen(none)) / 4);
        print_message("%s: %llu tokens a series, %llu for a result of one\n", cases[i].name,
                      (unsigned long long)each,
                      (unsigned long long)token_estimate_tokens(&strict, strlen(none)));
        if (each > cases[i].most)
            fail_msg("%s: %s", cases[i].name, none);
        assert_true((strstr(none, "points") == NULL) == (cases[i].value == one));
        free(none);
        free(more);
    }
}

static void data_that_begins_late_or_ends_early_is_said(void **state)
{
    static const struct {
        unsigned from, to;
        const char *said;
    } cases[] = {
        {0, 121,
         "\"labels\":{\"__name__\":\"up\",\"instance\":\"10.0.0.0:9100\",\"job\":\"node\"},"
         "\"last\":1,\"shape\":\"flat\"}]"},
        {95, 121, "\"shape\":\"flat\",\"data_since\":\"2023-11-14T23:00:50Z\"}]"},
        {0, 95, "\"shape\":\"flat\",\"data_until\":\"2023-11-14T23:00:20Z\"}]"},
        {60, 61, "\"data_since\":\"2023-11-14T22:43:20Z\",\"data_until\":\"2023-11-14T22:43:20Z\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = result_of(1, one, cases[i].from, cases[i].to);
        if (!strstr(text, cases[i].said) || strstr(text, "missing"))
            fail_msg("%s not in %s", cases[i].said, text);
        free(text);
    }
}

/* Twelve rows with long names and help texts: help gets what room there is. */
static void a_page_of_metrics_costs_at_most_500_tokens(void **state)
{
    struct catalog c;
    struct catalog_search s = {.limit = 12};
    (void)state;
    scoped_buf(names, 1 << 18);
    scoped_buf(metadata, 1 << 18);
    scoped_buf(out, 16384);
    buf_puts(&names, "{\"status\":\"success\",\"data\":[");
    buf_puts(&metadata, "{\"status\":\"success\",\"data\":{");
    for (unsigned i = 0; i < 457; i++) {
        buf_printf(&names, "%s\"prometheus_tsdb_symbol_table_part_%03u_size_bytes\"",
                   i > 0 ? "," : "", i);
        buf_printf(&metadata,
                   "%s\"prometheus_tsdb_symbol_table_part_%03u_size_bytes\":[{\"type\":\"gauge\","
                   "\"help\":\"Size of symbol table in memory for loaded blocks, which is rather "
                   "long as help texts go, and goes on.\",\"unit\":\"\"}]",
                   i > 0 ? "," : "", i);
    }
    buf_puts(&names, "]}");
    buf_puts(&metadata, "}}");
    catalog_init(&c);
    assert_true(catalog_feed_names(&c, buf_str(&names)));
    assert_true(catalog_end_names(&c, false));
    assert_true(catalog_feed_metadata(&c, buf_str(&metadata)));
    catalog_end_metadata(&c);
    assert_false(catalog_search_step(&s, &c));
    catalog_write(&s, &c, STR("/proxy/globaldatasources/prometheus"), 1500, STR(""), &out);
    struct token_estimate strict = {.fixed = 300};
    uint64_t tokens = token_estimate_tokens(&strict, out.len);
    print_message("a page of metrics: %llu tokens\n", (unsigned long long)tokens);
    assert_true(tokens <= 500);
    assert_non_null(strstr(buf_cstr(&out), "\"shown\":12"));
    assert_non_null(strstr(buf_cstr(&out), "\"notes\":[\"445 more: "));
    catalog_search_free(&s);
    catalog_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_matrix_is_summarised_in_pieces),
        cmocka_unit_test(statistics_are_those_of_all_points),
        cmocka_unit_test(an_answer_cut_anywhere_gives_what_came),
        cmocka_unit_test(other_kinds_of_answers_are_read),
        cmocka_unit_test(thinning_keeps_the_ends_and_the_peak),
        cmocka_unit_test(many_series_with_long_labels_fit_the_budget),
        cmocka_unit_test(a_large_catalog_is_searched_in_slices),
        cmocka_unit_test(names_in_any_order_find_their_metadata),
        cmocka_unit_test(a_series_costs_few_tokens),
        cmocka_unit_test(a_page_of_metrics_costs_at_most_500_tokens),
        cmocka_unit_test(data_that_begins_late_or_ends_early_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
