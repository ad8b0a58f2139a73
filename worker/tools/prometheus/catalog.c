#include "worker/tools/prometheus/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/heap.h"
#include "common/json.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/partial.h"
#include "worker/tools/rows.h"
#include "worker/tools/text.h"

enum key { NO_KEY, KEY_STATUS, KEY_DATA, KEY_PARTIAL, KEY_TYPE, KEY_HELP, KEY_UNIT };
enum { NAME_SHOWN_MAX = 256, HELP_SHOWN_MAX = 160, UNIT_MAX = 24, VARIANTS_NEAR = 48 };

static const char *const types[] = {"",     "counter",        "gauge",    "histogram", "summary",
                                    "info", "gaugehistogram", "stateset", "unknown",   "untyped"};
enum { COUNTER = 1, GAUGE = 2, HISTOGRAM = 3 }; /* some of them */
/* What says no type is none: it may be known by the name. */
enum { TYPE_KNOWN = sizeof(types) / sizeof(types[0]) - 2 };

static bool on_token(void *arg, enum sax_token token, struct str text);

void catalog_init(struct catalog *c)
{
    memset(c, 0, sizeof(*c));
    buf_init(&c->text, CATALOG_TEXT_MAX);
    buf_init(&c->metric, SAX_STRING_MAX);
    buf_init(&c->help, SAX_STRING_MAX);
    sax_init(&c->sax, on_token, c);
    c->sorted = true;
}

void catalog_free(struct catalog *c)
{
    sax_free(&c->sax);
    buf_free(&c->text);
    buf_free(&c->metric);
    buf_free(&c->help);
    free(c->metrics);
    c->metrics = NULL;
    for (unsigned i = 0; i < c->unit_count; i++)
        free((char *)c->units[i].at);
    c->unit_count = 0;
    c->count = 0;
}

size_t catalog_bytes(const struct catalog *c)
{
    return c->text.cap + c->cap * sizeof(*c->metrics) + sizeof(*c);
}

static struct str name_of(const struct catalog *c, const struct catalog_metric *m)
{
    return (struct str){c->text.at + m->name_at, m->name_len};
}

static struct str help_of(const struct catalog *c, const struct catalog_metric *m)
{
    return (struct str){c->text.at + m->help_at, m->help_len};
}

static int compare(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.at, b.at, len) : 0;
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* ---- reading ---- */

/* What Prometheus writes itself beside a target's own samples, and of alerts; no metadata is of
 * them (prometheus.io/docs/concepts/jobs_instances, …/configuration/alerting_rules). */
static bool is_synthetic(struct str name)
{
    static const char *const names[] = {"up",
                                        "scrape_duration_seconds",
                                        "scrape_samples_scraped",
                                        "scrape_samples_post_metric_relabeling",
                                        "scrape_series_added",
                                        "scrape_timeout_seconds",
                                        "scrape_sample_limit",
                                        "scrape_body_size_bytes",
                                        "ALERTS",
                                        "ALERTS_FOR_STATE"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is(name, names[i]))
            return true;
    return false;
}

/* What has no metadata is known by its name: an index into types. */
static uint8_t named_type(struct str name)
{
    static const struct {
        const char *end;
        uint8_t type;
    } ends[] = {{"_total", COUNTER},
                {"_count", COUNTER},
                {"_sum", COUNTER},
                {"_bucket", HISTOGRAM},
                {"_info", GAUGE}};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t len = strlen(ends[i].end);
        if (name.len > len && memcmp(name.at + name.len - len, ends[i].end, len) == 0)
            return ends[i].type;
    }
    return is_synthetic(name) ? GAUGE : 0;
}

static bool add_name(struct catalog *c, struct str name)
{
    if (name.len == 0)
        return true;
    if (c->count == CATALOG_NAMES_MAX || !buf_add_str(&c->text, name)) {
        c->left_out++;
        return true;
    }
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 1024;
        c->metrics = xrealloc(c->metrics, c->cap * sizeof(*c->metrics));
    }
    struct catalog_metric *m = &c->metrics[c->count++];
    *m = (struct catalog_metric){.name_at = (uint32_t)(c->text.len - name.len),
                                 .name_len = (uint16_t)name.len,
                                 .named = named_type(name)};
    if (c->count > 1 && c->sorted)
        c->sorted = compare(name_of(c, m - 1), name) <= 0;
    return true;
}

static uint8_t unit_index(struct catalog *c, struct str unit)
{
    if (unit.len == 0 || unit.len > UNIT_MAX)
        return 0;
    for (unsigned i = 0; i < c->unit_count; i++)
        if (str_eq(c->units[i], unit))
            return (uint8_t)(i + 1);
    if (c->unit_count == sizeof(c->units) / sizeof(c->units[0]))
        return 0;
    c->units[c->unit_count] = (struct str){str_dup(unit), unit.len};
    return (uint8_t)++c->unit_count;
}

static uint32_t first_from(const struct catalog *c, struct str name)
{
    uint32_t low = 0, high = c->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(name_of(c, &c->metrics[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct catalog_metric *catalog_find(const struct catalog *c, struct str name)
{
    uint32_t at = first_from(c, name);
    return at < c->count && str_eq(name_of(c, &c->metrics[at]), name) ? &c->metrics[at] : NULL;
}

struct str catalog_name(const struct catalog *c, const struct catalog_metric *m)
{
    return name_of(c, m);
}

struct str catalog_help(const struct catalog *c, const struct catalog_metric *m)
{
    return help_of(c, m);
}

const char *catalog_type(const struct catalog_metric *m)
{
    return types[m->type ? m->type : m->named];
}

struct str catalog_unit(const struct catalog *c, const struct catalog_metric *m)
{
    return m->unit > 0 ? c->units[m->unit - 1] : STR("");
}

/* What a histogram, a summary or an OpenMetrics counter adds to its name, and the type by which
 * such a series is to be queried. */
static bool variant_type(struct str rest, uint8_t family, uint8_t *type)
{
    static const struct {
        const char *suffix;
        uint8_t type; /* 0: the family's */
    } variants[] = {{"", 0},           {"_bucket", 0},      {"_sum", COUNTER}, {"_count", COUNTER},
                    {"_total", 0},     {"_created", GAUGE}, {"_info", 0},      {"_gsum", GAUGE},
                    {"_gcount", GAUGE}};
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
        if (str_is(rest, variants[i].suffix)) {
            *type = variants[i].type ? variants[i].type : family;
            return true;
        }
    return false;
}

static void describe(struct catalog *c)
{
    struct str metric = buf_str(&c->metric), help = buf_str(&c->help);
    uint32_t help_at = (uint32_t)c->text.len, near = 0;
    if (help.len > CATALOG_HELP_MAX)
        help.len = CATALOG_HELP_MAX;
    bool added = false;
    for (uint32_t i = first_from(c, metric); i < c->count && near < VARIANTS_NEAR; i++, near++) {
        struct catalog_metric *m = &c->metrics[i];
        struct str name = name_of(c, m);
        if (!str_starts(name, metric))
            break;
        bool exact = name.len == metric.len;
        uint8_t type;
        if (!variant_type(str_skip(name, metric.len), c->type, &type) || (m->type != 0 && !exact))
            continue;
        if (!added && help.len > 0 && !buf_add_str(&c->text, help)) {
            c->dense = true;
            help.len = 0;
        }
        added = true;
        m->type = type;
        m->unit = c->unit;
        m->help_at = help_at;
        m->help_len = (uint16_t)help.len;
    }
}

static void on_string(struct catalog *c, struct str text)
{
    if (c->depth == 1 && c->key == KEY_STATUS)
        c->status_ok = str_is(text, "success");
    if (!c->metadata && c->in_data && c->depth == 2)
        add_name(c, text);
    if (!c->in_data && c->depth == 2 && c->warns)
        c->partial = c->partial || partial_warning(text);
    if (!c->metadata || c->depth != 4 || c->entries != 1)
        return;
    if (c->key == KEY_HELP) {
        buf_clear(&c->help);
        buf_add_str(&c->help, text);
    } else if (c->key == KEY_UNIT) {
        c->unit = unit_index(c, text);
    } else if (c->key == KEY_TYPE) {
        for (unsigned i = 1; i < TYPE_KNOWN; i++)
            if (str_is(text, types[i]))
                c->type = (uint8_t)i;
    }
}

static void on_key(struct catalog *c, struct str text)
{
    c->key = NO_KEY;
    if (c->depth == 1)
        c->key = str_is(text, "data")        ? KEY_DATA
                 : str_is(text, "status")    ? KEY_STATUS
                 : str_is(text, "isPartial") ? KEY_PARTIAL
                                             : NO_KEY;
    if (c->depth == 1)
        c->warns = str_is(text, "warnings");
    if (c->metadata && c->in_data && c->depth == 2) {
        buf_clear(&c->metric);
        buf_add_str(&c->metric, text);
        buf_clear(&c->help);
        c->type = c->unit = 0;
        c->entries = 0;
    }
    if (c->metadata && c->depth == 4)
        c->key = str_is(text, "type")   ? KEY_TYPE
                 : str_is(text, "help") ? KEY_HELP
                 : str_is(text, "unit") ? KEY_UNIT
                                        : NO_KEY;
}

/* names: {"data": [name, …]}; metadata: {"data": {name: [{…}, …], …}} */
static bool on_token(void *arg, enum sax_token token, struct str text)
{
    struct catalog *c = arg;
    bool in_names = !c->metadata;
    switch (token) {
    case SAX_OBJECT:
    case SAX_ARRAY:
        c->depth++;
        if (c->depth == 1 && token != SAX_OBJECT)
            return false;
        if (c->depth == 2 && c->key == KEY_DATA) {
            c->in_data = true;
            return token == (in_names ? SAX_ARRAY : SAX_OBJECT);
        }
        if (c->in_data && c->depth == 4 && token == SAX_OBJECT)
            c->entries++;
        return !c->in_data ||
               (!in_names && c->depth <= 4 && token == (c->depth == 3 ? SAX_ARRAY : SAX_OBJECT));
    case SAX_OBJECT_END:
    case SAX_ARRAY_END:
        if (c->in_data && c->metadata && c->depth == 3)
            describe(c);
        if (c->depth == 2)
            c->in_data = false;
        c->depth--;
        c->key = NO_KEY;
        return true;
    case SAX_KEY:
        on_key(c, text);
        return true;
    case SAX_STRING:
        on_string(c, text);
        return true;
    case SAX_NUMBER:
        return !c->in_data;
    case SAX_WORD:
        c->partial = c->partial || (c->key == KEY_PARTIAL && text.at[0] == 't');
        return true;
    }
    return false;
}

bool catalog_feed_names(struct catalog *c, struct str piece) { return sax_feed(&c->sax, piece); }

static const struct catalog *sorting; /* qsort has no argument; one thread */

static int by_name(const void *a, const void *b)
{
    return compare(name_of(sorting, a), name_of(sorting, b));
}

bool catalog_end_names(struct catalog *c, bool cut)
{
    bool whole = sax_whole(&c->sax) && c->status_ok;
    if (!c->sorted) {
        sorting = c;
        qsort(c->metrics, c->count, sizeof(*c->metrics), by_name);
        sorting = NULL;
    }
    sax_free(&c->sax);
    sax_init(&c->sax, on_token, c);
    c->metadata = true;
    c->depth = 0;
    c->key = NO_KEY;
    c->in_data = c->status_ok = false;
    c->left_out += cut;
    return whole || cut;
}

bool catalog_feed_metadata(struct catalog *c, struct str piece) { return sax_feed(&c->sax, piece); }

void catalog_end_metadata(struct catalog *c)
{
    sax_free(&c->sax);
    buf_free(&c->metric);
    buf_free(&c->help);
}

/* ---- searching ---- */

bool catalog_search_init(struct catalog_search *s, struct str search, unsigned offset,
                         unsigned limit)
{
    *s = (struct catalog_search){.limit = limit, .offset = offset};
    size_t len = search.len < sizeof(s->text) ? search.len : sizeof(s->text);
    for (size_t i = 0; i < len; i++) {
        char c = search.at[i];
        bool part = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c & 0x80) != 0;
        s->text[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : part ? c : ' ';
    }
    struct str rest = {s->text, len}, word;
    while (s->word_count < CATALOG_WORDS_MAX && str_split(&rest, ' ', &word)) {
        if (word.len > 3 && word.at[word.len - 1] == 's' && word.at[word.len - 2] != 's')
            word.len--; /* a plural finds the singular */
        if (word.len > 0)
            s->words[s->word_count++] = word;
    }
    if (s->word_count == 0)
        return true;
    if (offset + limit > CATALOG_RANKED_MAX)
        return false;
    s->hit_max = offset + limit;
    s->hits = xcalloc(s->hit_max, sizeof(*s->hits));
    return true;
}

void catalog_search_free(struct catalog_search *s)
{
    free(s->hits);
    s->hits = NULL;
}

/* How well a word fits a name: a part of its own, the start of one, inside of one, or not. */
static unsigned fit_name(struct str name, struct str word)
{
    unsigned best = 0;
    for (size_t i = 0; i + word.len <= name.len; i++) {
        if ((name.at[i] | 32) != word.at[0] || !text_has((struct str){name.at + i, word.len}, word))
            continue;
        bool begins = i == 0 || name.at[i - 1] == '_' || name.at[i - 1] == ':';
        size_t end = i + word.len;
        bool ends = end == name.len || name.at[end] == '_' || name.at[end] == ':' ||
                    (name.at[end] == 's' && (end + 1 == name.len || name.at[end + 1] == '_'));
        unsigned fit = begins && ends ? 12 : begins ? 8 : 5;
        best = fit > best ? fit : best;
    }
    return best;
}

/* 0: no word fits. Else more is better: words that fit, how well, then shorter names. */
static uint32_t rank(const struct catalog_search *s, const struct catalog *c,
                     const struct catalog_metric *m, bool *all)
{
    struct str name = name_of(c, m), help = help_of(c, m);
    unsigned found = 0, score = 0;
    for (unsigned i = 0; i < s->word_count; i++) {
        unsigned fit = fit_name(name, s->words[i]);
        if (fit == 0 && m->unit > 0 && text_has(c->units[m->unit - 1], s->words[i]))
            fit = 4;
        if (fit == 0 && text_has(help, s->words[i]))
            fit = 2;
        found += fit > 0;
        score += fit;
    }
    *all = found == s->word_count;
    unsigned brief = name.len < 255 ? 255 - (unsigned)name.len : 0;
    return found == 0 ? 0 : found << 16 | score << 8 | brief;
}

static bool worse(const void *a, const void *b)
{
    const struct catalog_hit *x = a, *y = b;
    return x->rank < y->rank || (x->rank == y->rank && x->metric > y->metric);
}

static const struct heap_of best_hits = {sizeof(struct catalog_hit), worse};

static void keep(struct catalog_search *s, struct catalog_hit hit)
{
    if (heap_takes(&best_hits, s->hits, s->hit_count, s->hit_max, &hit))
        heap_put(&best_hits, s->hits, &s->hit_count, s->hit_max, &hit);
}

bool catalog_search_step(struct catalog_search *s, const struct catalog *c)
{
    uint32_t end = c->count - s->at > CATALOG_SLICE ? s->at + CATALOG_SLICE : c->count;
    if (s->word_count == 0) {
        s->total = s->whole = c->count;
        return false;
    }
    for (; s->at < end; s->at++) {
        bool all;
        uint32_t r = rank(s, c, &c->metrics[s->at], &all);
        s->total += r > 0;
        s->whole += r > 0 && all;
        if (r > 0)
            keep(s, (struct catalog_hit){r, s->at});
    }
    return s->at < c->count;
}

/* ---- writing ---- */

unsigned catalog_best(struct catalog_search *s, const struct catalog *c, struct str *names,
                      unsigned max)
{
    unsigned count = s->hit_count < max ? s->hit_count : max;
    heap_sort(&best_hits, s->hits, s->hit_count);
    for (unsigned i = 0; i < count; i++)
        names[i] = name_of(c, &c->metrics[s->hits[i].metric]);
    return count;
}

static void write_metric(const struct catalog *c, const struct catalog_metric *m, size_t help_max,
                         struct buf *b)
{
    buf_puts(b, "{\"name\":");
    text_json(b, name_of(c, m), NAME_SHOWN_MAX);
    row_text(b, "type", str_of(catalog_type(m)));
    if (help_max > 0)
        row_long(b, "help", help_of(c, m), help_max);
    row_long(b, "unit", catalog_unit(c, m), UNIT_MAX);
    buf_putc(b, '}');
}

static const struct catalog_metric *page_row(const struct catalog_search *s,
                                             const struct catalog *c, uint32_t i)
{
    uint32_t at = s->offset + i;
    if (s->word_count == 0)
        return at < c->count ? &c->metrics[at] : NULL;
    return at < s->hit_count ? &c->metrics[s->hits[at].metric] : NULL;
}

/* Rows that fit into room; help texts as long as all of the page can have. */
static uint32_t write_page(const struct catalog_search *s, const struct catalog *c,
                           struct buf *rows)
{
    static const size_t helps[] = {HELP_SHOWN_MAX, 100, 80, 60, 40, 0};
    scoped_buf(row, 8192);
    uint32_t shown = 0;
    for (size_t h = 0; h < sizeof(helps) / sizeof(helps[0]); h++) {
        bool full = false;
        buf_clear(rows);
        for (shown = 0; shown < s->limit; shown++) {
            const struct catalog_metric *m = page_row(s, c, shown);
            if (!m)
                break;
            buf_clear(&row);
            buf_puts(&row, shown > 0 ? "," : "");
            write_metric(c, m, helps[h], &row);
            if (!buf_add_str(rows, buf_str(&row))) {
                full = true;
                break;
            }
        }
        if (!full)
            break;
    }
    return shown;
}

static void note(struct buf *b, const char *text)
{
    if (b->at[b->len - 1] != '[')
        buf_putc(b, ',');
    json_str(b, str_of(text));
}

static bool any_quoted(const struct catalog_search *s, const struct catalog *c, uint32_t shown)
{
    for (uint32_t i = 0; i < shown; i++) {
        const struct catalog_metric *m = page_row(s, c, i);
        CHECK(m); /* it was written */
        if (!name_is_classic(name_of(c, m), true))
            return true;
    }
    return false;
}

static void write_notes(const struct catalog_search *s, const struct catalog *c, uint32_t shown,
                        struct str notes, struct buf *b)
{
    char text[256];
    json_key(b, "notes");
    buf_putc(b, '[');
    buf_add_str(b, notes);
    if (s->total > s->offset + shown) {
        snprintf(text, sizeof(text),
                 s->word_count > 0 ? "%s more: add a word, or ask on with offset %u."
                                   : "%s more: search by words, or ask on with offset %u.",
                 text_count((double)s->total - s->offset - shown), s->offset + shown);
        note(b, text);
    }
    if (any_quoted(s, c, shown))
        note(b,
             "A name with other characters than letters, digits, _ and : stands in quotes inside "
             "the braces of a query: {\"a.name\", \"a.label\"=\"value\"}.");
    if (s->word_count > 0 && s->total == 0)
        note(b, "No metric fits. Try other words or a part of one, or list all without search.");
    if (c->count == 0)
        note(b, "The datasource has no metrics in this time range.");
    if (c->partial)
        note(b, PARTIAL_NOTE);
    if (c->left_out > 0)
        note(b, "The datasource has more metrics than could be read: some are missing here.");
    buf_puts(b, "]}");
}

void catalog_write(struct catalog_search *s, const struct catalog *c, struct str datasource,
                   size_t bytes_max, struct str notes, struct buf *b)
{
    enum { REST_BYTES = 1500, BRIEF_REST_BYTES = 320 };
    size_t rest = bytes_max > 2 * REST_BYTES ? REST_BYTES : BRIEF_REST_BYTES + datasource.len;
    scoped_buf(rows, bytes_max > 2 * rest ? bytes_max - rest : bytes_max / 2);
    heap_sort(&best_hits, s->hits, s->hit_count);
    uint32_t shown = write_page(s, c, &rows);
    buf_puts(b, "{\"kind\":\"metrics\",\"datasource\":");
    json_str(b, datasource);
    if (c->partial)
        buf_puts(b, ",\"partial\":true");
    buf_printf(b, ",\"total\":%u,\"shown\":%u", s->total, shown);
    row_next(b, s->total, s->offset + shown);
    buf_printf(b, ",\"metrics_total\":%u,\"metrics\":[", c->count);
    buf_add_str(b, buf_str(&rows));
    buf_putc(b, ']');
    write_notes(s, c, shown, notes, b);
}
