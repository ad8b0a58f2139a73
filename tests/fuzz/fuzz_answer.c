/* Answers of a datasource, in pieces: whatever comes, the summary is JSON of bounded size, and the
 * same whatever the pieces. */
#include <jansson.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/prometheus/series.h"

enum { SUMMARY_MAX = 16384 };

static bool summarise(struct str text, size_t piece, struct buf *out)
{
    static const struct series_head head = {.kind = "range",
                                            .query = {"x", 1},
                                            .datasource = {"/d", 2},
                                            .end_ms = 60000,
                                            .step_ms = 1000,
                                            .bytes_max = SUMMARY_MAX};
    struct series s;
    bool ok = true;
    series_init(&s, 5, 100);
    for (size_t at = 0; at < text.len && ok; at += piece)
        ok = series_feed(&s,
                         (struct str){text.at + at, text.len - at < piece ? text.len - at : piece});
    if (ok) {
        series_cut(&s);
        series_write(&s, &head, out);
    }
    series_free(&s);
    return ok;
}

static void list(struct str text, size_t piece)
{
    struct catalog c;
    struct catalog_search s;
    struct buf out;
    bool ok = true;
    catalog_init(&c);
    buf_init(&out, SUMMARY_MAX);
    const char *half = text.len > 0 ? memchr(text.at, '\n', text.len) : NULL;
    struct str names = {text.at, half ? (size_t)(half - text.at) : text.len};
    struct str metadata = str_skip(text, names.len);
    for (size_t at = 0; at < names.len && ok; at += piece)
        ok = catalog_feed_names(
            &c, (struct str){names.at + at, names.len - at < piece ? names.len - at : piece});
    catalog_end_names(&c, true);
    if (ok)
        catalog_feed_metadata(&c, metadata);
    catalog_end_metadata(&c);
    CHECK(catalog_search_init(&s, piece % 2 ? STR("a cpu") : STR(""), 0, 50));
    while (catalog_search_step(&s, &c))
        ;
    catalog_write(&s, &c, STR("/d"), SUMMARY_MAX, STR(""), &out);
    json_t *json = json_loadb(out.at, out.len, 0, NULL);
    CHECK(json != NULL && !out.overflowed);
    json_decref(json);
    catalog_search_free(&s);
    catalog_free(&c);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, pieces;
    if (size < 2)
        return 0;
    size_t piece = 1 + data[0] % 32;
    struct str text = {(const char *)data + 1, size - 1};
    buf_init(&whole, SUMMARY_MAX);
    buf_init(&pieces, SUMMARY_MAX);
    bool ok = summarise(text, text.len, &whole);
    CHECK(summarise(text, piece, &pieces) == ok);
    if (ok) {
        json_t *json = json_loadb(whole.at, whole.len, 0, NULL);
        CHECK(json != NULL && str_eq(buf_str(&whole), buf_str(&pieces)));
        json_decref(json);
    }
    list(text, piece);
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
