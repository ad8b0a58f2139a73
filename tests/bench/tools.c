/* What tools do with large answers: `bench-tools CASE` prints what it took, and the longest time
 * for which the event loop had to wait: one piece of the answer, one slice of a search, one
 * summary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/loop.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/series.h"

enum {
    ROUNDS = 15,
    PIECE_BYTES = 16 * 1024, /* as libcurl hands them over at most */
    SERIES = 1000,
    POINTS = 1000,
    KEPT = 40, /* of a range query */
    NAMES = 100000,
    CONTENT_BYTES = 16 * 1024,
};

static uint64_t begun_ns, total_ns, longest_ns;
static double totals[ROUNDS], longest[ROUNDS];

static void begin(void) { begun_ns = loop_hr_ns(); }

static void end(void)
{
    uint64_t took = loop_hr_ns() - begun_ns;
    total_ns += took;
    longest_ns = took > longest_ns ? took : longest_ns;
}

static void feed(bool (*take)(void *to, struct str piece), void *to, struct str text)
{
    while (text.len > 0) {
        struct str piece = {text.at, text.len < PIECE_BYTES ? text.len : PIECE_BYTES};
        begin();
        CHECK(take(to, piece));
        end();
        text.at += piece.len;
        text.len -= piece.len;
    }
}

static bool take_series(void *to, struct str piece) { return series_feed(to, piece); }

/* A range query's answer of 1,000 series with 1,000 points each, read as it arrives and summarised.
 */
static void summary(void)
{
    static struct buf text;
    if (text.len == 0) {
        buf_init(&text, 64 << 20);
        buf_puts(&text, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[");
        for (unsigned i = 0; i < SERIES; i++) {
            buf_printf(
                &text,
                "%s{\"metric\":{\"__name__\":\"http_requests_total\",\"instance\":"
                "\"10.0.%u.%u:8080\",\"job\":\"api\",\"path\":\"/v1/things/%u\"},\"values\":[",
                i ? "," : "", i / 250, i % 250, i);
            for (unsigned k = 0; k < POINTS; k++)
                buf_printf(&text, "%s[%u,\"%.6f\"]", k ? "," : "", 1764000000 + 15 * k,
                           i + (double)(k * 7919 % 1009) / 997);
            buf_puts(&text, "]}");
        }
        buf_puts(&text, "]}}");
        CHECK(!text.overflowed);
    }
    struct series s;
    scoped_buf(content, CONTENT_BYTES);
    series_init(&s, KEPT, 11000);
    feed(take_series, &s, buf_str(&text));
    struct series_head head = {.kind = "range",
                               .query = STR("rate(http_requests_total[5m])"),
                               .datasource = STR("/proxy/globaldatasources/prometheus"),
                               .start_ms = 1764000000000,
                               .end_ms = 1764014985000,
                               .step_ms = 15000,
                               .bytes_max = CONTENT_BYTES};
    begin();
    series_write(&s, &head, &content);
    end();
    CHECK(s.total == SERIES && s.samples_total == SERIES * POINTS && content.len > 1000);
    series_free(&s);
}

static struct catalog catalog;

static bool take_names(void *to, struct str piece) { return catalog_feed_names(to, piece); }
static bool take_metadata(void *to, struct str piece) { return catalog_feed_metadata(to, piece); }

/* The names and help texts of 100,000 metrics, as list_metrics loads them when they are not known.
 */
static void list_cold(void)
{
    static struct buf names, metadata;
    if (names.len == 0) {
        buf_init(&names, 64 << 20);
        buf_init(&metadata, 64 << 20);
        buf_puts(&names, "{\"status\":\"success\",\"data\":[");
        buf_puts(&metadata, "{\"status\":\"success\",\"data\":{");
        for (unsigned i = 0; i < NAMES; i++) {
            buf_printf(&names, "%s\"app%03u_part_%05u_requests_total\"", i ? "," : "", i / 1000, i);
            buf_printf(
                &metadata,
                "%s\"app%03u_part_%05u_requests_total\":[{\"type\":\"counter\",\"help\":"
                "\"How many requests part %u of the application has answered.\",\"unit\":\"\"}]",
                i ? "," : "", i / 1000, i, i);
        }
        buf_puts(&names, "]}");
        buf_puts(&metadata, "}}");
        CHECK(!names.overflowed && !metadata.overflowed);
    }
    catalog_free(&catalog);
    catalog_init(&catalog);
    feed(take_names, &catalog, buf_str(&names));
    begin();
    CHECK(catalog_end_names(&catalog, false));
    end();
    feed(take_metadata, &catalog, buf_str(&metadata));
    begin();
    catalog_end_metadata(&catalog);
    end();
    CHECK(catalog.count == NAMES);
}

/* list_metrics with words when the catalog is there. */
static void list_warm(void)
{
    if (catalog.count == 0) {
        uint64_t total = total_ns, most = longest_ns;
        list_cold();
        total_ns = total, longest_ns = most;
    }
    struct catalog_search s;
    scoped_buf(content, CONTENT_BYTES);
    bool more = true;
    CHECK(catalog_search_init(&s, STR("requests answered part 4242"), 0, 100));
    while (more) {
        begin();
        more = catalog_search_step(&s, &catalog);
        end();
    }
    begin();
    catalog_write(&s, &catalog, STR("/proxy/globaldatasources/prometheus"), CONTENT_BYTES, STR(""),
                  &content);
    end();
    CHECK(content.len > 1000);
    catalog_search_free(&s);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {{"summary", summary}, {"list_cold", list_cold}, {"list_warm", list_warm}};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (argc == 1)
            printf("%s\n", cases[i].name);
        else if (strcmp(argv[1], cases[i].name) == 0) {
            for (unsigned n = 0; n < ROUNDS; n++) {
                total_ns = longest_ns = 0;
                cases[i].run();
                totals[n] = (double)total_ns / 1e6;
                longest[n] = (double)longest_ns / 1e6;
            }
            qsort(totals, ROUNDS, sizeof(*totals), by_size);
            qsort(longest, ROUNDS, sizeof(*longest), by_size);
            printf("%.2f %.2f ms\n", totals[ROUNDS / 2], longest[ROUNDS / 2]);
            catalog_free(&catalog);
            return 0;
        }
    }
    return argc == 1 ? 0 : 2;
}
