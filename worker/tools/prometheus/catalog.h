/* worker/tools/prometheus/catalog.h: the metrics of a datasource: names, and what their metadata
 * says; searched by words, ranked. Pure.
 *
 * Fed with two answers of Prometheus's API as they arrive: the values of the label __name__, then
 * /api/v1/metadata. Bounded: NAMES_MAX names, TEXT_MAX bytes; what is over is counted as left out.
 * Searching goes in slices. Memory: owned, catalog_free. */
#ifndef WORKER_TOOLS_PROMETHEUS_CATALOG_H
#define WORKER_TOOLS_PROMETHEUS_CATALOG_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/sax.h"

enum {
    CATALOG_NAMES_MAX = 250000,
    CATALOG_TEXT_MAX = 24 * 1024 * 1024, /* names and help texts together */
    CATALOG_HELP_MAX = 400,              /* bytes of one help text that are kept */
    CATALOG_WORDS_MAX = 8,
    CATALOG_RANKED_MAX = 2000, /* offset + limit of a search by words */
    CATALOG_SLICE = 4096,      /* names looked at in one slice: about 2 ms */
};

struct catalog_metric {
    uint32_t name_at, help_at; /* into text */
    uint16_t name_len, help_len;
    uint8_t type, unit; /* into types and units; 0: not known */
    uint8_t named;      /* the type that the name says */
};
struct catalog {
    struct buf text;
    struct catalog_metric *metrics;
    uint32_t count, cap, left_out;
    bool sorted, dense; /* dense: text was full, help texts are missing */
    /* reading */
    struct sax sax;
    bool metadata;
    unsigned depth;
    uint8_t key;
    bool status_ok, in_data, bad;
    bool warns;              /* it is "warnings" that are read */
    bool partial;            /* the datasource says so (partial.h) */
    struct buf metric, help; /* of the metadata entry that is being read */
    uint8_t type, unit;
    unsigned entries; /* of this metric: only the first counts */
    struct str units[64];
    unsigned unit_count;
};
void catalog_init(struct catalog *c);
void catalog_free(struct catalog *c);
/* First all of the names, then all of the metadata. False: it is no such answer. */
bool catalog_feed_names(struct catalog *c, struct str piece);
bool catalog_end_names(struct catalog *c, bool cut); /* false: the answer was not whole */
bool catalog_feed_metadata(struct catalog *c, struct str piece);
void catalog_end_metadata(struct catalog *c);
/* A metric by its exact name; NULL: there is none. What is said of it is borrowed from c. */
const struct catalog_metric *catalog_find(const struct catalog *c, struct str name);
struct str catalog_name(const struct catalog *c, const struct catalog_metric *m);
struct str catalog_help(const struct catalog *c, const struct catalog_metric *m);
const char *catalog_type(const struct catalog_metric *m); /* "" when not known */
struct str catalog_unit(const struct catalog *c, const struct catalog_metric *m);
size_t catalog_bytes(const struct catalog *c); /* memory, about */

struct catalog_search {
    struct str words[CATALOG_WORDS_MAX]; /* lower case; into text */
    char text[256];
    unsigned word_count, limit, offset;
    uint32_t at, total, whole; /* names looked at; matching; matching all words */
    struct catalog_hit {
        uint32_t rank, metric;
    } * hits; /* a heap of offset + limit of them */
    unsigned hit_count, hit_max;
};
/* False: offset + limit is more than CATALOG_RANKED_MAX. */
bool catalog_search_init(struct catalog_search *s, struct str search, unsigned offset,
                         unsigned limit);
void catalog_search_free(struct catalog_search *s);
bool catalog_search_step(struct catalog_search *s, const struct catalog *c); /* true: more to do */
/* The names that were found, best first, when all steps are done; at most max of them. */
unsigned catalog_best(struct catalog_search *s, const struct catalog *c, struct str *names,
                      unsigned max);
/* {"kind":"metrics",…}, up to bytes_max. notes: JSON strings, comma-separated, or empty. */
void catalog_write(struct catalog_search *s, const struct catalog *c, struct str datasource,
                   size_t bytes_max, struct str notes, struct buf *b);

#endif
