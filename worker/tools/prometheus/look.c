/* What fits a question, before the model is asked: the metrics that rank.c finds in the catalog of
 * the run's datasource, each as one line of JSON with its type, help, unit, and labels and a value
 * of a few of its series. Not a tool of the model's: tools_look_up runs it. */
#include "worker/tools/prometheus/look.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/prometheus/known.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/prometheus/pick.h"
#include "worker/tools/prometheus/rank.h"
#include "worker/tools/prometheus/sketch.h"
#include "worker/tools/sax.h"
#include "worker/tools/source.h"
#include "worker/tools/text.h"

enum {
    RANKED_MAX = 36, /* by their words; of them are shown: */
    SHOWN_MAX = 12,
    SERIES_OF_EACH = 6,       /* looked at for labels and a value */
    SAMPLES_TIMEOUT_MS = 200, /* the server is told, so that it costs it no more than that */
    SAMPLES_BYTES_MAX = 64 << 10,
    FORM_BYTES_MAX = 8 << 10,
    HELP_SHOWN = 90,
    NAME_SHOWN = 200,
    LABELS_SHOWN = 7,
    VALUES_SHOWN = 3,
    VALUE_SHOWN = 40,
    LINE_BYTES_MAX = 900,
    KNOWN_PATIENCE_MS = 120, /* rules and panels that are not there by then are done without */
    COMPUTED_HITS = 4,       /* of the first, who computes something of them is told */
    COMPUTED_SHOWN = 2,
    EXPRESSION_SHOWN = 160,
    SKETCHED_HITS = 6, /* of the first, the query that the question suggests is told */
};
/* What fits much less than the best is noise to a model. */
static const float least_share = 0.22F;

struct look {
    struct catalog_cache_use *use;
    struct known_use *known_use;
    struct loop_timer *patience;
    const struct known *known; /* NULL: not there in time */
    bool waited, began;
    const struct catalog *catalog;
    struct rank rank;
    struct pick *picks; /* when they are ranked; the first count of them stay */
    unsigned count;
    uint32_t total;
    struct source_request ask;
    struct buf samples;
    struct asked asked;
};

static bool step(struct tool_run *r);
static void rank_queried(struct look *l, struct str text);
static void ask_samples(struct tool_run *r);
static void on_samples(void *arg, enum source_outcome outcome);
static bool is_of(const json_t *row, struct str name);
static void take_labels(struct look *l, const json_t *series);
static void write_hits(struct tool_run *r, const json_t *series);

static void look_free(void *state)
{
    struct look *l = state;
    source_request_free(&l->ask);
    free(l->picks);
    rank_free(&l->rank);
    buf_free(&l->samples);
    catalog_cache_leave(l->use);
    known_leave(l->known_use);
    loop_timer_free(l->patience);
    free(l);
}

/* When the catalog is there, and what is known or was waited for. */
static void begin(struct tool_run *r)
{
    struct look *l = r->state;
    if (l->catalog == NULL || !l->waited || l->began)
        return;
    l->began = true;
    for (unsigned i = 0; l->known && i < l->known->name_count; i++)
        rank_used(&l->rank, l->catalog, str_of(l->known->names[i]));
    rank_queried(l, args_str(r->args, "queried"));
    run_steps(r, step);
}

static void on_known(void *arg, const struct known *k)
{
    struct tool_run *r = arg;
    struct look *l = r->state;
    l->known = k;
    l->waited = true;
    begin(r);
}

static void on_patience(void *arg)
{
    struct tool_run *r = arg;
    ((struct look *)r->state)->waited = true;
    begin(r);
}

static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why)
{
    struct tool_run *r = arg;
    struct look *l = r->state;
    l->catalog = c;
    if (!c) {
        source_fail(r, why);
        return;
    }
    begin(r);
}

void prom_look_up(struct tool_run *r)
{
    struct look *l = xcalloc(1, sizeof(*l));
    buf_init(&l->samples, SAMPLES_BYTES_MAX);
    rank_init(&l->rank, args_str(r->args, "question"));
    asked_read(&l->asked, &l->rank.words, args_str(r->args, "question"));
    r->state = l;
    r->state_free = look_free;
    l->patience = loop_timer_new(r->tools->config.loop, on_patience, r);
    loop_timer_set(l->patience, KNOWN_PATIENCE_MS, 0);
    l->known_use = known_use(r, on_known, r);
    l->use = catalog_cache_use(r, on_catalog, r);
}

/* All that may be a metric's name in queries that were run here before. */
static void rank_queried(struct look *l, struct str text)
{
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && (text.at[i] == '_' || text.at[i] == ':' ||
                                (text.at[i] >= '0' && text.at[i] <= '9') ||
                                ((text.at[i] | 32) >= 'a' && (text.at[i] | 32) <= 'z')))
            i++;
        if (i > from)
            rank_known(&l->rank, l->catalog, (struct str){text.at + from, i - from});
        i += i == from;
    }
}

static bool step(struct tool_run *r)
{
    struct look *l = r->state;
    if (rank_step(&l->rank, l->catalog))
        return true;
    struct rank_hit hits[RANKED_MAX];
    unsigned count = rank_best(&l->rank, l->catalog, hits, RANKED_MAX, &l->total);
    l->picks = xcalloc(count + 1, sizeof(*l->picks));
    for (unsigned i = 0; i < count; i++)
        pick_init(&l->picks[i], l->catalog, &hits[i]);
    l->count = pick_cut(l->picks, count, SHOWN_MAX, &l->asked);
    while (l->count > 0 && l->picks[l->count - 1].hit.score < least_share * l->picks[0].hit.score)
        l->count--;
    r->step = NULL;
    if (l->count == 0)
        run_done(r);
    else
        ask_samples(r);
    return false;
}

/* ---- labels and values ---- */

static struct str name_of(const struct look *l, unsigned hit)
{
    return catalog_name(l->catalog, &l->catalog->metrics[l->picks[hit].hit.metric]);
}

/* Of a family its count has the labels of all its series but le and quantile. */
static void series_name(const struct look *l, unsigned hit, struct buf *b)
{
    struct str name = name_of(l, hit);
    buf_clear(b);
    buf_add_str(b, l->picks[hit].hit.family ? rank_family(name) : name);
    buf_puts(b, l->picks[hit].hit.family ? "_count" : "");
}

static bool on_piece(void *arg, struct str piece)
{
    struct tool_run *r = arg;
    return buf_add_str(&((struct look *)r->state)->samples, piece);
}

static void ask_samples(struct tool_run *r)
{
    struct look *l = r->state;
    scoped_buf(query, FORM_BYTES_MAX);
    scoped_buf(form, 3 * FORM_BYTES_MAX);
    scoped_buf(name, NAME_BYTES_MAX);
    buf_printf(&query, "topk by (__name__) (%d, {__name__=~\"", SERIES_OF_EACH);
    for (unsigned i = 0; i < l->count; i++) {
        series_name(l, i, &name);
        if (name_is_classic(buf_str(&name), true)) /* nothing in it means anything in RE2 */
            buf_printf(&query, "%s%s", i > 0 ? "|" : "", buf_cstr(&name));
    }
    buf_puts(&query, "\"})");
    source_param(&form, "query", buf_str(&query));
    source_param_time(&form, "time", r->range_end_ms > 0 ? r->range_end_ms : r->now_ms);
    source_param(&form, "timeout", STR("200ms"));
    if (query.overflowed || form.overflowed) {
        write_hits(r, NULL);
        return;
    }
    struct source_call call = {.method = "POST",
                               .api = "/api/v1/query",
                               .form = &form,
                               .timeout_ms = SAMPLES_TIMEOUT_MS,
                               .trace = r->span.at};
    l->ask.on_piece = on_piece;
    l->ask.on_end = on_samples;
    l->ask.arg = r;
    source_request(&l->ask, r->tools, r->door, r->token, &call);
}

static void on_samples(void *arg, enum source_outcome outcome)
{
    struct tool_run *r = arg;
    struct look *l = r->state;
    struct str text = buf_str(&l->samples);
    json_auto_t *root =
        outcome == SOURCE_WHOLE ? json_loadb(text.at, text.len, JSON_ALLOW_NUL, NULL) : NULL;
    const json_t *series = json_object_get(json_object_get(root, "data"), "result");
    take_labels(l, series);
    pick_order(l->picks, l->count, &l->rank, &l->asked);
    write_hits(r, series);
}

static void take_labels(struct look *l, const json_t *series)
{
    scoped_buf(name, NAME_BYTES_MAX);
    for (unsigned i = 0; i < l->count; i++) {
        size_t k;
        const json_t *row;
        const char *label;
        json_t *value;
        series_name(l, i, &name);
        json_array_foreach(series, k, row)
        {
            if (!is_of(row, buf_str(&name)))
                continue;
            json_object_foreach(json_object_get(row, "metric"), label, value)
            {
                if (strcmp(label, "__name__") != 0)
                    pick_label(&l->picks[i], str_of(label), json_text(value));
            }
        }
    }
}

/* ---- writing ---- */

static bool is_of(const json_t *row, struct str name)
{
    return str_eq(json_text(json_object_get(json_object_get(row, "metric"), "__name__")), name);
}

/* The different values of a label among the series of a name. */
static void write_values(const json_t *series, struct str name, const char *label, struct buf *b)
{
    struct str seen[VALUES_SHOWN];
    unsigned count = 0;
    size_t i;
    const json_t *row;
    json_array_foreach(series, i, row)
    {
        struct str value = json_text(json_object_get(json_object_get(row, "metric"), label));
        bool again = !is_of(row, name) || value.len == 0 || count == VALUES_SHOWN;
        for (unsigned k = 0; k < count; k++)
            again = again || str_eq(seen[k], value);
        if (again)
            continue;
        buf_puts(b, count > 0 ? "," : "");
        text_json(b, value, VALUE_SHOWN);
        seen[count++] = value;
    }
}

/* One process has it: its address tells series of it apart from nothing. */
static bool is_alone(const json_t *series, struct str name)
{
    struct str seen = {NULL, 0};
    size_t i;
    const json_t *row;
    json_array_foreach(series, i, row)
    {
        struct str instance =
            json_text(json_object_get(json_object_get(row, "metric"), "instance"));
        if (is_of(row, name) && seen.len > 0 && !str_eq(seen, instance))
            return false;
        seen = is_of(row, name) ? instance : seen;
    }
    return true;
}

static void write_samples(const json_t *series, struct str name, bool family, struct buf *b)
{
    size_t i;
    const json_t *row, *first = NULL;
    const char *label;
    json_t *value;
    unsigned labels = 0;
    json_array_foreach(series, i, row)
    {
        if (first == NULL && is_of(row, name))
            first = row;
    }
    if (!first)
        return;
    json_key(b, "labels");
    buf_putc(b, '{');
    json_object_foreach(json_object_get(first, "metric"), label, value)
    {
        if (strcmp(label, "__name__") == 0 || labels == LABELS_SHOWN ||
            (strcmp(label, "instance") == 0 && is_alone(series, name)))
            continue;
        buf_puts(b, labels++ > 0 ? "," : "");
        text_json(b, str_of(label), VALUE_SHOWN);
        buf_puts(b, ":[");
        write_values(series, name, label, b);
        buf_putc(b, ']');
    }
    buf_putc(b, '}');
    struct str number = json_text(json_array_get(json_object_get(first, "value"), 1));
    double value_now;
    if (!family && sax_double(number, &value_now)) {
        json_key(b, "a_value");
        text_number(b, value_now, false);
    }
}

/* Is the metric, or of a family one of its series, in this expression? */
static bool computes(const struct look *l, unsigned hit, const struct known_expression *e)
{
    static const char *const ends[] = {"", "_bucket", "_sum", "_count"};
    struct str name = name_of(l, hit);
    scoped_buf(series, NAME_BYTES_MAX);
    if (!l->picks[hit].hit.family)
        return known_queries(e, name);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        buf_clear(&series);
        buf_add_str(&series, rank_family(name));
        buf_puts(&series, ends[i]);
        if (known_queries(e, buf_str(&series)))
            return true;
    }
    return false;
}

/* What it records itself, and which rules and panels make something of it already: theirs is how
 * people here compute it. Of rules before panels. */
static void write_computed(const struct look *l, unsigned hit, struct buf *b)
{
    unsigned shown = 0;
    struct str name = name_of(l, hit);
    if (!l->known)
        return;
    for (unsigned i = 0; i < l->known->expression_count; i++)
        if (l->known->expressions[i].recorded && str_is(name, l->known->expressions[i].name)) {
            json_key(b, "records");
            text_json(b, str_of(l->known->expressions[i].text), EXPRESSION_SHOWN);
            return;
        }
    for (unsigned k = 0; k < 2 && hit < COMPUTED_HITS; k++)
        for (unsigned i = 0; i < l->known->expression_count && shown < COMPUTED_SHOWN; i++) {
            const struct known_expression *e = &l->known->expressions[i];
            if (e->recorded != (k == 0) || !computes(l, hit, e))
                continue;
            buf_puts(b, shown++ == 0 ? ",\"computed_already_by\":[" : ",");
            buf_puts(b, e->recorded ? "{\"rule\":" : "{\"panel\":");
            text_json(b, str_of(e->name), VALUE_SHOWN);
            json_key(b, "query");
            text_json(b, str_of(e->text), EXPRESSION_SHOWN);
            buf_putc(b, '}');
        }
    buf_puts(b, shown > 0 ? "]" : "");
}

static void write_sketch(const struct look *l, unsigned hit, struct buf *b)
{
    scoped_buf(query, SKETCH_BYTES_MAX);
    if (sketch_write(&l->asked, &l->picks[hit].metric, &query)) {
        json_key(b, "query");
        json_str(b, buf_str(&query));
    }
}

static void write_hit(const struct look *l, unsigned hit, const json_t *series, struct buf *b)
{
    const struct catalog *c = l->catalog;
    const struct catalog_metric *m = &c->metrics[l->picks[hit].hit.metric];
    bool family = l->picks[hit].hit.family;
    struct str name = name_of(l, hit), unit = catalog_unit(c, m), help = catalog_help(c, m);
    scoped_buf(sampled, NAME_BYTES_MAX);
    buf_puts(b, "{\"metric\":");
    text_json(b, family ? rank_family(name) : name, NAME_SHOWN);
    if (family)
        buf_puts(b, ",\"series\":[\"_bucket or quantile\",\"_sum\",\"_count\"]");
    if (l->picks[hit].metric.type[0]) {
        json_field(b, "type", str_of(l->picks[hit].metric.type));
    }
    if (help.len > 0) {
        json_key(b, "help");
        text_json(b, help, HELP_SHOWN);
    }
    if (unit.len > 0) {
        json_key(b, "unit");
        text_json(b, unit, VALUE_SHOWN);
    }
    if (l->picks[hit].hit.known)
        buf_puts(b, ",\"queried_here_before\":true");
    series_name(l, hit, &sampled);
    size_t before = b->len;
    if (hit < SKETCHED_HITS)
        write_sketch(l, hit, b);
    if (b->overflowed) {
        b->len = before;
        b->overflowed = false;
    }
    before = b->len;
    write_samples(series, buf_str(&sampled), family, b);
    if (b->overflowed) { /* labels without end */
        b->len = before;
        b->overflowed = false;
    }
    before = b->len;
    write_computed(l, hit, b);
    if (b->overflowed) {
        b->len = before;
        b->overflowed = false;
    }
    buf_putc(b, '}');
}

static void write_hits(struct tool_run *r, const json_t *series)
{
    const struct look *l = r->state;
    for (unsigned i = 0; i < l->count; i++) {
        scoped_buf(line, LINE_BYTES_MAX);
        write_hit(l, i, series, &line);
        if (line.overflowed || r->content.len + line.len + 1 > LOOK_BYTES_MAX)
            break;
        buf_puts(&r->content, i > 0 ? "\n" : "");
        buf_add_str(&r->content, buf_str(&line));
    }
    run_done(r);
}
