#include "worker/tools/prometheus/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/duration.h"
#include "common/heap.h"
#include "common/json.h"
#include "worker/tools/moment.h"
#include "worker/tools/partial.h"
#include "worker/tools/text.h"

enum { FULL_SHAPES = 12 }; /* of more series only change and shape are written */

/* Where in the answer we are: what the container at each depth is. */
enum where { OUTSIDE, ROOT, DATA, RESULT, ROW, METRIC, VALUES, SAMPLE, PAIR, NOTES, OTHER };
enum pair_place { PAIR_TIME, PAIR_VALUE, PAIR_BAD };
enum key {
    NO_KEY,
    KEY_STATUS,
    KEY_DATA,
    KEY_ERROR_TYPE,
    KEY_ERROR,
    KEY_WARNINGS,
    KEY_INFOS,
    KEY_PARTIAL,
    KEY_RESULT_TYPE,
    KEY_RESULT,
    KEY_METRIC,
    KEY_VALUE,
    KEY_VALUES,
    KEY_HISTOGRAM,
};

static bool on_token(void *arg, enum sax_token token, struct str text);

void series_init(struct series *s, unsigned kept_max, unsigned samples_max)
{
    memset(s, 0, sizeof(*s));
    CHECK(kept_max > 0 && kept_max <= SERIES_KEPT_MAX && samples_max > 2);
    s->kept_max = kept_max;
    s->samples_max = samples_max;
    s->where[0] = OUTSIDE;
    sax_init(&s->sax, on_token, s);
    buf_init(&s->labels, SERIES_LABELS_MAX + 8);
    buf_init(&s->label, SERIES_LABEL_MAX + 8);
    buf_init(&s->status, 32);
    buf_init(&s->error_type, 64);
    buf_init(&s->error, SERIES_NOTE_MAX * 4);
    buf_init(&s->notes, SERIES_NOTES_MAX * (SERIES_NOTE_MAX + 16) * 2);
}

static void row_free(struct series_row *row)
{
    free(row->labels);
    free(row->points);
    *row = (struct series_row){0};
}

void series_free(struct series *s)
{
    for (unsigned i = 0; i < s->kept_count; i++)
        row_free(&s->kept[i]);
    s->kept_count = 0;
    free(s->samples);
    s->samples = NULL;
    buf_free(&s->labels);
    buf_free(&s->label);
    buf_free(&s->status);
    buf_free(&s->error_type);
    buf_free(&s->error);
    buf_free(&s->notes);
    sax_free(&s->sax);
}

bool series_feed(struct series *s, struct str piece) { return sax_feed(&s->sax, piece); }

/* ---- reading ---- */

static uint8_t key_of(enum where where, struct str text)
{
    static const struct {
        uint8_t where, key;
        const char *name;
    } keys[] = {
        {ROOT, KEY_STATUS, "status"},        {ROOT, KEY_DATA, "data"},
        {ROOT, KEY_ERROR_TYPE, "errorType"}, {ROOT, KEY_ERROR, "error"},
        {ROOT, KEY_WARNINGS, "warnings"},    {ROOT, KEY_INFOS, "infos"},
        {ROOT, KEY_PARTIAL, "isPartial"},    {DATA, KEY_RESULT_TYPE, "resultType"},
        {DATA, KEY_RESULT, "result"},        {ROW, KEY_METRIC, "metric"},
        {ROW, KEY_VALUE, "value"},           {ROW, KEY_VALUES, "values"},
        {ROW, KEY_HISTOGRAM, "histogram"},   {ROW, KEY_HISTOGRAM, "histograms"},
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].where == where && str_is(text, keys[i].name))
            return keys[i].key;
    return NO_KEY;
}

static void begin_row(struct series *s)
{
    s->row = (struct series_row){.min = NAN, .max = NAN, .first = NAN, .last = NAN};
    buf_clear(&s->labels);
    s->sample_count = 0;
}

static void add_sample(struct series *s)
{
    struct series_row *row = &s->row;
    double value = s->sample.value;
    if (row->count++ == 0) {
        row->first = value;
        row->first_at_s = s->sample.at_s;
    }
    row->last = value;
    row->last_at_s = s->sample.at_s;
    s->samples_total++;
    if (isnan(value)) {
        row->nans++;
    } else {
        row->min = value < row->min || isnan(row->min) ? value : row->min;
        row->max = value > row->max || isnan(row->max) ? value : row->max;
        if (!isinf(value)) {
            row->sum += value;
            row->numbers++;
        }
    }
    if (s->sample_count == s->samples_max)
        return;
    if (s->sample_count == s->sample_cap) {
        s->sample_cap = s->sample_cap ? s->sample_cap * 2 : 64;
        if (s->sample_cap > s->samples_max)
            s->sample_cap = s->samples_max;
        s->samples = xrealloc(s->samples, s->sample_cap * sizeof(*s->samples));
    }
    s->samples[s->sample_count++] = s->sample;
}

/* Of equal ones what came later is worse. */
static bool worse(const void *a, const void *b)
{
    const struct series_row *x = a, *y = b;
    return x->key < y->key || (x->key == y->key && x->order > y->order);
}

static bool later(const void *a, const void *b)
{
    const struct series_row *x = a, *y = b;
    return x->order > y->order;
}

static const struct heap_of best_rows = {sizeof(struct series_row), worse};
static const struct heap_of first_rows = {sizeof(struct series_row), later};

static void keep_row(struct series *s)
{
    struct series_row *row = &s->row;
    row->labels = s->labels.len ? str_dup(buf_str(&s->labels)) : xstrdup("{");
    shape_of(s->samples, s->sample_count, &row->shape);
    row->point_count = series_thin(s->samples, s->sample_count, SERIES_POINTS_KEPT);
    row->points = xmalloc((row->point_count ? row->point_count : 1) * sizeof(*row->points));
    if (row->point_count > 0)
        memcpy(row->points, s->samples, row->point_count * sizeof(*row->points));
}

static void end_row(struct series *s)
{
    struct series_row *row = &s->row;
    double last = row->last;
    row->key = isnan(last) ? -INFINITY : last;
    row->order = s->total++;
    if (!isnan(last)) {
        s->least = !s->any_last || last < s->least ? last : s->least;
        s->most = !s->any_last || last > s->most ? last : s->most;
        s->any_last = true;
    }
    if (heap_takes(&best_rows, s->kept, s->kept_count, s->kept_max, row)) {
        keep_row(s);
        if (s->kept_count == s->kept_max)
            row_free(&s->kept[0]);
        heap_put(&best_rows, s->kept, &s->kept_count, s->kept_max, row);
    }
    s->row = (struct series_row){0};
}

/* One label, onto {"a":"b" without its end. */
static void add_label(struct series *s, struct str value)
{
    size_t before = s->labels.len;
    s->row.shortened = s->row.shortened || s->sax.cut_now;
    bool whole = (before > 0 ? buf_putc(&s->labels, ',') : buf_putc(&s->labels, '{'));
    whole = whole && json_str(&s->labels, buf_str(&s->label)) && buf_putc(&s->labels, ':');
    size_t after_name = s->labels.len;
    if (whole && !text_json(&s->labels, value, SERIES_VALUE_MAX))
        s->row.shortened = true;
    if (!whole || s->labels.overflowed || s->labels.len == after_name) {
        s->labels.len = before;
        s->labels.overflowed = false;
        s->row.shortened = true;
    }
}

static void add_note(struct series *s, struct str text)
{
    if (s->note_count++ >= SERIES_NOTES_MAX)
        return;
    if (s->notes.len > 0)
        buf_putc(&s->notes, ',');
    scoped_buf(note, SERIES_NOTE_MAX + 32);
    buf_puts(&note, "Datasource: ");
    text_clean(&note, text, SERIES_NOTE_MAX);
    json_str(&s->notes, buf_str(&note));
}

/* What is no moment (1e999 among them) is no answer of Prometheus, and would not fit where it is
 * counted in whole milliseconds. */
static bool take_time(struct series *s)
{
    s->sample.at_s = s->sax.number;
    return fabs(s->sample.at_s) < 1e13;
}

/* A value of the answer's own: whether it worked. */
static bool take_root(struct series *s, enum sax_token token, struct str text)
{
    if (s->key == KEY_STATUS)
        buf_add_str(&s->status, (struct str){text.at, text.len < 32 ? text.len : 32});
    else if (s->key == KEY_ERROR_TYPE)
        text_clean(&s->error_type, text, 40);
    else if (s->key == KEY_ERROR)
        text_clean(&s->error, text, SERIES_NOTE_MAX * 3);
    else if (s->key == KEY_PARTIAL)
        s->partial = s->partial || (token == SAX_WORD && text.at[0] == 't');
    return s->key != KEY_DATA || token == SAX_WORD; /* null */
}

/* As Prometheus writes it, or as servers that are not in Go do: GreptimeDB's "inf" is Rust's. */
static bool read_value(struct str text, double *value)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", NAN},
                 {"inf", INFINITY},
                 {"infinity", INFINITY},
                 {"-inf", -INFINITY},
                 {"-infinity", -INFINITY}};
    if (sax_double(text, value))
        return true;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (text.len == strlen(words[i].word) &&
            strncasecmp(text.at, words[i].word, text.len) == 0) {
            *value = words[i].value;
            return true;
        }
    return false;
}

/* The next place of [time, "value"], or of [time, value]: its time is taken here. */
static enum pair_place take_place(struct series *s, enum sax_token token)
{
    s->index++;
    if (s->index == 1)
        return token == SAX_NUMBER && take_time(s) ? PAIR_TIME : PAIR_BAD;
    return s->index == 2 && token != SAX_WORD ? PAIR_VALUE : PAIR_BAD;
}

/* The value of a scalar or string, which is a row of its own. */
static void take_single(struct series *s, struct str text)
{
    begin_row(s);
    if (s->text) {
        buf_puts(&s->label, "string");
        add_label(s, text);
        s->total++;
    } else if (read_value(text, &s->sample.value)) {
        add_sample(s);
        end_row(s);
    }
}

static bool on_scalar(struct series *s, enum sax_token token, struct str text)
{
    enum pair_place place;
    switch ((enum where)s->where[s->depth]) {
    case ROOT:
        return take_root(s, token, text);
    case DATA:
        if (s->key == KEY_RESULT_TYPE) {
            s->matrix = str_is(text, "matrix");
            s->scalar = str_is(text, "scalar");
            s->text = str_is(text, "string");
        }
        return s->key != KEY_RESULT || token == SAX_WORD;
    case METRIC:
        if (token != SAX_STRING)
            return false;
        add_label(s, text);
        return true;
    case SAMPLE:
        place = take_place(s, token);
        if (place == PAIR_VALUE)
            s->sample_ok = read_value(text, &s->sample.value);
        return place == PAIR_TIME || (place == PAIR_VALUE && s->sample_ok);
    case PAIR: /* of a scalar or string */
        place = take_place(s, token);
        if (place == PAIR_VALUE)
            take_single(s, text);
        return place != PAIR_BAD;
    case NOTES:
        if (token == SAX_STRING) {
            s->partial = s->partial || (s->warns && partial_warning(text));
            add_note(s, text);
        }
        return true;
    case ROW: /* what a server adds is its own; "value": null */
        return s->key == NO_KEY || token == SAX_WORD;
    case RESULT:
    case VALUES:
        return false;
    case OUTSIDE:
        return false;
    case OTHER:
        return true;
    }
    return false;
}

static enum where inner(const struct series *s, bool object)
{
    switch ((enum where)s->where[s->depth]) {
    case OUTSIDE:
        return object ? ROOT : OUTSIDE;
    case ROOT:
        if (s->key == KEY_DATA)
            return object ? DATA : OUTSIDE;
        return (s->key == KEY_WARNINGS || s->key == KEY_INFOS) && !object ? NOTES : OTHER;
    case DATA:
        if (s->key != KEY_RESULT)
            return OTHER;
        if (object)
            return OUTSIDE;
        return s->scalar || s->text ? PAIR : RESULT;
    case RESULT:
        return object ? ROW : OUTSIDE;
    case ROW:
        if (s->key == KEY_METRIC)
            return object ? METRIC : OUTSIDE;
        if (s->key == KEY_VALUES)
            return object ? OUTSIDE : VALUES;
        if (s->key == KEY_VALUE)
            return object ? OUTSIDE : SAMPLE;
        return OTHER;
    case VALUES:
        return object ? OUTSIDE : SAMPLE;
    case METRIC:
    case SAMPLE:
    case PAIR:
    case NOTES:
        return OUTSIDE;
    case OTHER:
        return OTHER;
    }
    return OUTSIDE;
}

static bool on_open(struct series *s, bool object)
{
    enum where where = inner(s, object);
    if (where == OUTSIDE)
        return false; /* not the shape of an answer */
    if (where == ROW)
        begin_row(s);
    if (s->where[s->depth] == ROW && s->key == KEY_HISTOGRAM)
        s->histograms = true;
    if (where == NOTES)
        s->warns = s->key == KEY_WARNINGS;
    s->index = 0;
    s->key = NO_KEY;
    s->where[++s->depth] = (uint8_t)where;
    return true;
}

static bool on_close(struct series *s)
{
    enum where where = s->where[s->depth--];
    s->key = NO_KEY;
    if (where == SAMPLE) {
        if (s->index != 2)
            return false;
        add_sample(s);
    } else if (where == ROW) {
        end_row(s);
    }
    return true;
}

static bool on_token(void *arg, enum sax_token token, struct str text)
{
    struct series *s = arg;
    switch (token) {
    case SAX_OBJECT:
    case SAX_ARRAY:
        return on_open(s, token == SAX_OBJECT);
    case SAX_OBJECT_END:
    case SAX_ARRAY_END:
        return on_close(s);
    case SAX_KEY:
        if (s->where[s->depth] == METRIC) {
            buf_clear(&s->label);
            if (!text_clean(&s->label, text, SERIES_LABEL_MAX))
                s->row.shortened = true;
        } else {
            s->key = key_of((enum where)s->where[s->depth], text);
        }
        return true;
    case SAX_STRING:
    case SAX_NUMBER:
    case SAX_WORD:
        return on_scalar(s, token, text);
    }
    return false;
}

/* ---- thinning ---- */

unsigned series_thin(struct series_point *p, unsigned count, unsigned want)
{
    if (want < 1)
        return 0;
    if (count <= want)
        return count;
    if (want <= 2) {
        p[want - 1] = p[count - 1];
        return want;
    }
    double every = (double)(count - 2) / (want - 2);
    unsigned chosen = 0;
    for (unsigned bucket = 0; bucket < want - 2; bucket++) {
        unsigned from = (unsigned)(bucket * every) + 1, to = (unsigned)((bucket + 1) * every) + 1;
        unsigned next_to = (unsigned)((bucket + 2) * every) + 1;
        if (next_to > count)
            next_to = count;
        if (bucket == want - 3) /* after the last bucket comes the last point */
            to = count - 1, next_to = count;
        double at = 0, value = 0, n = 0, best = -1;
        for (unsigned i = to; i < next_to; i++)
            if (isfinite(p[i].value))
                at += p[i].at_s, value += p[i].value, n++;
        at = n > 0 ? at / n : p[to].at_s;
        value = n > 0 ? value / n : 0;
        unsigned pick = from;
        double base = isfinite(p[chosen].value) ? p[chosen].value : 0;
        for (unsigned i = from; i < to; i++) {
            double area = fabs((p[chosen].at_s - at) * (p[i].value - base) -
                               (p[chosen].at_s - p[i].at_s) * (value - base));
            if (area > best)
                best = area, pick = i;
        }
        chosen = bucket + 1;
        p[chosen] = p[pick]; /* pick ≥ bucket + 1: nothing that is still needed is overwritten */
    }
    p[want - 1] = p[count - 1];
    return want;
}

/* ---- writing ---- */

static void write_number(struct buf *b, const char *key, double value, bool exact)
{
    json_key(b, key);
    text_number(b, value, exact);
}

static void write_head(const struct series *s, const struct series_head *h, struct buf *b)
{
    buf_puts(b, "{\"kind\":");
    json_str(b, str_of(h->kind));
    json_field(b, "query", h->query);
    json_field(b, "datasource", h->datasource);
    if (h->step_ms > 0) {
        moment_field(b, "start", h->start_ms);
        moment_field(b, "end", h->end_ms);
        json_field(b, "step", str_of(duration_write(h->step_ms)));
    } else {
        moment_field(b, "time", h->end_ms);
    }
    if (s->partial || h->partial)
        buf_puts(b, ",\"partial\":true");
    if (h->cut)
        buf_puts(b, ",\"truncated\":true");
    buf_printf(b, ",\"series_total\":%llu", (unsigned long long)s->total);
}

/* In steps from the start, which costs a third of a time each. */
static void write_points(const struct series_head *h, const struct series_row *row, unsigned want,
                         struct buf *b)
{
    struct series_point points[SERIES_POINTS_KEPT];
    memcpy(points, row->points, row->point_count * sizeof(*points));
    unsigned count = series_thin(points, row->point_count, want);
    json_key(b, "points");
    buf_putc(b, '[');
    for (unsigned i = 0; i < count; i++) {
        double at = points[i].at_s;
        buf_puts(b, i > 0 ? ",[" : "[");
        text_number(
            b, h->step_ms > 0 ? round((at * 1000 - (double)h->start_ms) / (double)h->step_ms) : at,
            true);
        buf_putc(b, ',');
        text_number(b, points[i].value, false);
        buf_putc(b, ']');
    }
    buf_putc(b, ']');
}

/* One value from end to end. */
static bool is_constant(const struct series_row *row)
{
    return row->numbers > 0 && row->nans == 0 && row->min == row->max;
}

static void write_statistics(const struct series_row *row, bool brief, struct buf *b)
{
    if (is_constant(row)) {
        write_number(b, "last", row->last, false);
        buf_puts(b, ",\"shape\":\"flat\"");
        return;
    }
    write_number(b, "min", row->min, false);
    write_number(b, "max", row->max, false);
    write_number(b, "avg", row->numbers > 0 ? row->sum / (double)row->numbers : NAN, false);
    write_number(b, "first", row->first, false);
    write_number(b, "last", row->last, false);
    shape_write(&row->shape, brief, b);
}

/* Where it has no points: from when and until when it has some, and how many lack in between. */
static void write_missing(const struct series_head *h, const struct series_row *row, struct buf *b)
{
    if (h->step_ms <= 0 || row->count == 0)
        return;
    int64_t first = llround(row->first_at_s * 1000), last = llround(row->last_at_s * 1000);
    int64_t before = (first - h->start_ms) / h->step_ms, after = (h->end_ms - last) / h->step_ms;
    int64_t between = (last - first) / h->step_ms + 1 - (int64_t)row->count;
    if (before > 0)
        moment_field(b, "data_since", first);
    if (after > 0)
        moment_field(b, "data_until", last);
    if (between > 0)
        buf_printf(b, ",\"missing\":%lld", (long long)between);
}

static void write_row(const struct series *s, const struct series_head *h,
                      const struct series_row *row, unsigned points, struct buf *b)
{
    json_key(b, "labels");
    buf_printf(b, "%s}", row->labels);
    if (!s->matrix) {
        write_number(b, "value", row->last, false);
        return;
    }
    write_statistics(row, s->kept_count > FULL_SHAPES, b);
    if (row->nans > 0)
        buf_printf(b, ",\"nan\":%llu", (unsigned long long)row->nans);
    write_missing(h, row, b);
    if (points > 0 && !is_constant(row) && row->shape.word != SHAPE_FLAT)
        write_points(h, row, points, b);
}

static void note(struct buf *b, const char *text)
{
    if (b->len > 0)
        buf_putc(b, ',');
    json_str(b, str_of(text));
}

static void write_notes(const struct series *s, const struct series_head *h, unsigned shown,
                        bool shortened, struct buf *b)
{
    scoped_buf(notes, 8192);
    scoped_buf(text, 512);
    if (h->notes.len > 0)
        buf_add_str(&notes, h->notes);
    if (s->partial || h->partial)
        note(&notes, PARTIAL_NOTE);
    if (h->cut)
        note(&notes, "The answer was too large and was cut off while it arrived: there are more "
                     "series or points than those counted here. Do not treat this as complete; "
                     "aggregate, or use a longer step.");
    if (shown < s->total && !s->text) {
        buf_printf(&text, "Only the %u series with the highest last value are shown, of %s.", shown,
                   text_count((double)s->total));
        if (s->any_last) {
            buf_puts(&text, " Over all of them the last value goes from ");
            text_number(&text, s->least, false);
            buf_puts(&text, " to ");
            text_number(&text, s->most, false);
            buf_putc(&text, '.');
        }
        note(&notes, buf_cstr(&text));
    }
    if (shortened)
        note(&notes, "Some labels were shortened or left out.");
    if (s->histograms)
        note(&notes, "Native histograms are not shown: use histogram_quantile(), "
                     "histogram_avg() or histogram_count().");
    if (s->total == 0 && !h->cut && !h->explained)
        note(&notes, "The query is valid but returned no data: the metric, its labels or the time "
                     "range don't match anything.");
    if (s->notes.len > 0) {
        if (notes.len > 0)
            buf_putc(&notes, ',');
        buf_add_str(&notes, buf_str(&s->notes));
    }
    json_key(b, "notes");
    buf_putc(b, '[');
    buf_add_str(b, buf_str(&notes));
    buf_puts(b, "]}");
}

void series_cut(struct series *s)
{
    enum where where = s->where[s->depth];
    if ((where == ROW || where == VALUES || where == SAMPLE) && s->row.count > 0)
        end_row(s);
    s->depth = 0;
    s->where[0] = OTHER;
}

/* Points of each series that still fit when that many are shown. */
static unsigned points_that_fit(const struct series *s, size_t room)
{
    enum { POINT_BYTES = 14, STATS_BYTES = 200, SHAPE_BYTES = 200, POINTS = 12 };
    size_t labels = s->kept_count > FULL_SHAPES ? 0 : SHAPE_BYTES * s->kept_count;
    for (unsigned i = 0; i < s->kept_count; i++)
        labels += strlen(s->kept[i].labels) + STATS_BYTES;
    if (!s->matrix || labels >= room || s->kept_count == 0)
        return 0;
    size_t points = (room - labels) / s->kept_count / POINT_BYTES;
    return points > POINTS ? POINTS : points < 3 ? 0 : (unsigned)points;
}

/* Rows up to room bytes; how many they are. */
static unsigned write_rows(const struct series *s, const struct series_head *h, unsigned points,
                           struct buf *rows, bool *shortened)
{
    scoped_buf(row, 65536);
    unsigned shown = 0;
    for (buf_clear(rows); shown < s->kept_count; shown++) {
        buf_clear(&row);
        buf_puts(&row, shown > 0 ? ",{" : "{");
        write_row(s, h, &s->kept[shown], points, &row);
        buf_putc(&row, '}');
        if (!buf_add_str(rows, buf_str(&row)))
            break;
        *shortened = *shortened || s->kept[shown].shortened;
    }
    return shown;
}

void series_write(struct series *s, const struct series_head *h, struct buf *b)
{
    enum { NOTES_ROOM = 2500 };
    size_t used = h->query.len * 2 + h->datasource.len + NOTES_ROOM + 300;
    size_t room = h->bytes_max > used * 2 ? h->bytes_max - used : h->bytes_max / 2;
    bool shortened = false, many = s->total > s->kept_count;
    scoped_buf(rows, room);
    heap_sort(many ? &best_rows : &first_rows, s->kept, s->kept_count);
    unsigned points = points_that_fit(s, room);
    if (s->matrix && points < 4 && s->kept_count > 8) /* rather fewer series, with their shape */
        points = 4;
    unsigned shown = write_rows(s, h, points, &rows, &shortened);
    if (shown < s->kept_count && !many) { /* not all fit: then the highest */
        heap_sort(&best_rows, s->kept, s->kept_count);
        shown = write_rows(s, h, points, &rows, &shortened);
    }
    write_head(s, h, b);
    if (h->step_ms > 0 && text_has(buf_str(&rows), STR("\"points\":")))
        buf_puts(b, ",\"points_are\":\"[n, value] at start + n * step\"");
    buf_printf(b, ",\"series_shown\":%u,\"series\":[", shown);
    buf_add_str(b, buf_str(&rows));
    buf_putc(b, ']');
    if (s->text && s->labels.len > 0) {
        json_key(b, "text");
        buf_printf(b, "%s}", buf_cstr(&s->labels));
    }
    write_notes(s, h, shown, shortened, b);
}
