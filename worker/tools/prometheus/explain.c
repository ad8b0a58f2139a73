#include "worker/tools/prometheus/explain.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/prometheus/catalog.h"
#include "worker/tools/items.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/prometheus/near.h"
#include "worker/tools/partial.h"
#include "worker/tools/source.h"
#include "worker/tools/prometheus/catalog_cache.h"
#include "worker/tools/text.h"

enum {
    SELECTORS_MAX = 3, /* the first ones are told of */
    FORM_BYTES_MAX = 64 * 1024,
    NOTES_BYTES_MAX = 4096,
    NAMES = 12, /* labels or values that are named */
    NAMES_BYTES_MAX = 900,
    NAMES_LOOKED_AT = 2000,
    SHOWN = 120,
    TRY_BYTES_MAX = 400,
    TIMEOUT_MS = 5000,
    BEFORE_MS = 3600000, /* windows reach back */
};

struct explain {
    struct tool_run *run;
    const struct guard_query *query;
    const struct guard_range *range;
    explain_fn *fn;
    void *arg;
    struct catalog_cache_use *use;
    const struct catalog *catalog; /* NULL: could not be read */
    struct near *near;
    struct source_request ask;
    struct items items;
    const char *paths[1 + PARTIAL_PATHS];
    items_fn *on_item;
    struct buf notes;
    /* the selector it is about */
    unsigned at, said;
    struct buf name;
    struct str metric; /* in name */
    struct matcher matchers[MATCHERS_MAX];
    unsigned matcher_count, missing; /* missing: the matcher it is about */
    double all, alone[MATCHERS_MAX], labelled[MATCHERS_MAX];
    /* names of labels or values */
    struct str wanted; /* near to this */
    struct buf names;
    unsigned names_seen, names_kept;
};

static void next(struct explain *e);

void explain_free(struct explain *e)
{
    if (!e)
        return;
    source_request_free(&e->ask);
    items_free(&e->items);
    near_free(e->near);
    catalog_cache_leave(e->use);
    buf_free(&e->notes);
    buf_free(&e->names);
    buf_free(&e->name);
    free(e);
}

/* ---- reading a selector ---- */

static struct str word(const char **at, const char *end)
{
    struct str ident = with_ident((struct str){*at, (size_t)(end - *at)});
    *at += ident.len;
    return ident;
}

static void blanks(const char **at, const char *end)
{
    while (*at < end && (isspace((unsigned char)**at) || **at == ',' || **at == '#')) {
        if (**at == '#')
            while (*at < end && **at != '\n')
                (*at)++;
        else
            (*at)++;
    }
}

static struct str quoted(const char **at, const char *end)
{
    struct str string = with_string((struct str){*at, (size_t)(end - *at)});
    *at += string.len;
    return string;
}

static bool is_quote(const char *at, const char *end) { return at < end && with_quote(*at); }

/* Of a metric, a label or a value as it was written. */
static void add_meant(struct buf *b, struct str text)
{
    if (text.len >= 2 && is_quote(text.at, text.at + 1) && text.at[text.len - 1] == text.at[0])
        name_unquote(b, text);
    else
        for (size_t i = 0; i < text.len; i++)
            if (text.at[i] != '\\' || (i > 0 && text.at[i - 1] == '\\'))
                buf_putc(b, text.at[i]);
}

unsigned explain_matchers(struct str selector, struct str *metric, struct matcher *out)
{
    const char *at = selector.at, *end = at + selector.len;
    unsigned count = 0;
    *metric = word(&at, end);
    blanks(&at, end);
    if (at < end && *at == '{')
        at++;
    while (count < MATCHERS_MAX) {
        blanks(&at, end);
        struct matcher m = {.label = is_quote(at, end) ? quoted(&at, end) : word(&at, end)};
        blanks(&at, end);
        const char *op = at;
        while (at < end && (*at == '=' || *at == '!' || *at == '~'))
            at++;
        m.op = (struct str){op, (size_t)(at - op)};
        blanks(&at, end);
        if (m.op.len == 0 && m.label.len > 2 && is_quote(m.label.at, end)) {
            *metric = m.label; /* {"http.server.duration", …} */
            continue;
        }
        if (m.op.len == 0 && m.label.len > 0)
            return 0; /* alternatives, templates (MetricsQL): no single matcher is to blame */
        if (m.label.len == 0 || m.op.len == 0 || !is_quote(at, end))
            return count;
        m.value = quoted(&at, end);
        if ((str_is(m.label, "__name__") || str_is(m.label, "\"__name__\"")) && str_is(m.op, "=") &&
            m.value.len > 2)
            *metric = m.value;
        else
            out[count++] = m;
    }
    return count;
}

/* ---- notes ---- */

static void note(struct explain *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(struct explain *e, const char *format, ...)
{
    char text[1800];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (e->notes.len > 0)
        buf_putc(&e->notes, ',');
    text_json(&e->notes, str_of(text), sizeof(text));
}

/* For a %.*s */
#define SHORT(s) (int)((s).len < SHOWN ? (s).len : SHOWN), ((s).len ? (s).at : "")

static void done(struct explain *e) { e->fn(e->arg, buf_str(&e->notes)); }

/* ---- asking ---- */

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct explain *)arg)->items, piece);
}

static bool on_item(void *arg, unsigned path, struct str key, json_t *item)
{
    struct explain *e = arg;
    if (path == 0)
        return e->on_item(e, path, key, item);
    source_said(e->run, path - 1, item);
    return true;
}

static void ask(struct explain *e, const char *api, struct buf *form, const char *path,
                items_fn *fn, void (*on_end)(void *arg, enum source_outcome outcome))
{
    bool query = strcmp(api, "/api/v1/query_range") == 0;
    struct source_call request = {.method = query ? "POST" : "GET",
                                  .api = api,
                                  .form = form,
                                  .timeout_ms = TIMEOUT_MS,
                                  .trace = e->run->span.at};
    items_free(&e->items);
    e->on_item = fn;
    e->paths[0] = path;
    memcpy(&e->paths[1], partial_paths, sizeof(partial_paths));
    items_init(&e->items, e->paths, 1 + PARTIAL_PATHS, on_item, e);
    e->ask.on_piece = on_piece;
    e->ask.on_end = on_end;
    e->ask.arg = e;
    source_request(&e->ask, e->run->tools, e->run->door, e->run->token, &request);
}

/* Where labels are listed nothing looks back for the last sample, as a query does. */
static void add_range(const struct explain *e, struct buf *form, bool step)
{
    struct guard_range range;
    guard_count_range(e->query, e->range, &range);
    source_param_time(form, "start", step ? range.start_ms : range.start_ms - BEFORE_MS);
    source_param_time(form, "end", range.end_ms);
    if (step)
        source_param_time(form, "step", range.step_ms);
}

/* Labels of the metric, or values of one of its labels: a few, those near to what was asked for
 * before the others. */

static bool on_name(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct explain *e = arg;
    struct str name = json_text(item);
    if (str_is(name, "__name__") || ++e->names_seen > NAMES_LOOKED_AT)
        return true;
    bool close = text_distance(name, e->wanted) <= 3;
    if (e->names_kept >= NAMES && !close)
        return true;
    e->names_kept++;
    size_t before = e->names.len;
    if (before > 0)
        buf_puts(&e->names, ", ");
    text_clean(&e->names, name, SHOWN);
    if (e->names.overflowed) {
        e->names.len = before;
        e->names.overflowed = false;
    }
    return true;
}

/* The value in other letters, or an expression that was meant as one: the matcher with it. */
static bool meant_matcher(const struct matcher *m, struct str names, struct buf *meant)
{
    struct str rest = names, name, value = {m->value.at + 1, m->value.len - 2};
    if (m->value.len < 3 || !str_is(m->op, "="))
        return false;
    buf_add_str(meant, m->label);
    while (str_split(&rest, ',', &name)) {
        name = str_trim(name);
        if (name.len != value.len || strncasecmp(name.at, value.at, name.len) != 0)
            continue;
        buf_putc(meant, '=');
        name_quote(meant, name);
        return true;
    }
    buf_puts(meant, "=~");
    buf_add_str(meant, m->value);
    return memchr(value.at, '|', value.len) != NULL || text_has(value, STR(".*"));
}

/* " Try: " and the query with that matcher; empty where none is certain. */
static void write_try(const struct explain *e, const struct matcher *m, struct str names,
                      struct buf *b)
{
    struct str query = e->query->text;
    const char *end = m->value.at + m->value.len;
    scoped_buf(meant, FORM_BYTES_MAX);
    bool inside = m->label.at >= query.at && end <= query.at + query.len;
    if (!inside || !meant_matcher(m, names, &meant) || query.len > TRY_BYTES_MAX)
        return;
    buf_puts(b, " Try: ");
    buf_add(b, query.at, (size_t)(m->label.at - query.at));
    buf_add_str(b, buf_str(&meant));
    buf_add(b, end, (size_t)(query.at + query.len - end));
}

static void on_names(void *arg, enum source_outcome outcome)
{
    scoped_buf(try, 2 * TRY_BYTES_MAX);
    struct explain *e = arg;
    const struct matcher *m = &e->matchers[e->missing];
    bool no_label = !(e->labelled[e->missing] > 0);
    struct str names = buf_str(&e->names);
    if (outcome == SOURCE_REFUSED || names.len == 0)
        note(e, "No series of %.*s fits %.*s%.*s%.*s.", SHORT(e->metric), SHORT(m->label),
             SHORT(m->op), SHORT(m->value));
    else if (no_label)
        note(e, "The metric %.*s has no label %.*s; its labels are: %.*s.", SHORT(e->metric),
             SHORT(m->label), (int)names.len, names.at);
    else {
        write_try(e, m, names, &try);
        note(e, "No series of %.*s fits %.*s%.*s%.*s; the label's %s: %.*s%s.%s", SHORT(e->metric),
             SHORT(m->label), SHORT(m->op), SHORT(m->value),
             e->names_seen > NAMES ? "values are, among others" : "values are", (int)names.len,
             names.at, e->names_seen > NAMES ? " (all by list_label_values)" : "", buf_cstr(&try));
    }
    next(e);
}

static void ask_names(struct explain *e)
{
    const struct matcher *m = &e->matchers[e->missing];
    bool no_label = !(e->labelled[e->missing] > 0);
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, NAME_BYTES_MAX * 8);
    buf_puts(&api, no_label ? "/api/v1/labels" : "/api/v1/label/");
    if (!no_label) {
        scoped_buf(label, NAME_BYTES_MAX);
        add_meant(&label, m->label);
        name_segment(&api, buf_str(&label), !name_is_classic(buf_str(&label), false));
        buf_puts(&api, "/values");
    }
    scoped_buf(selector, NAME_BYTES_MAX * 2);
    name_selector(&selector, e->metric, STR(""));
    source_param(&form, "match[]", buf_str(&selector));
    add_range(e, &form, false);
    buf_clear(&e->names);
    e->names_seen = e->names_kept = 0;
    struct str wanted = no_label ? m->label : m->value;
    bool quotes = wanted.len > 2 && is_quote(wanted.at, wanted.at + 1);
    e->wanted = quotes ? (struct str){wanted.at + 1, wanted.len - 2} : wanted;
    ask(e, buf_cstr(&api), &form, "data/*", on_name, on_names);
}

/* The metric alone, with each matcher alone, and with each label at all: one query of counts. */

static bool on_count(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct explain *e = arg;
    struct str i = item_str(json_object_get(item, "metric"), "i");
    uint64_t index;
    if (str_is(i, "a0"))
        e->all = 1;
    else if (i.len > 1 && str_u64(str_skip(i, 1), MATCHERS_MAX - 1, &index))
        (i.at[0] == 'm' ? e->alone : e->labelled)[index] = 1;
    return true;
}

static void on_counts(void *arg, enum source_outcome outcome)
{
    struct explain *e = arg;
    unsigned missing = e->matcher_count;
    for (unsigned i = e->matcher_count; i-- > 0;)
        if (!(e->alone[i] > 0))
            missing = i;
    e->missing = missing;
    if (outcome == SOURCE_REFUSED) {
        next(e);
    } else if (!(e->all > 0)) {
        note(e,
             "The metric %.*s exists, but has no samples in the time range of the query: try "
             "another range.",
             SHORT(e->metric));
        next(e);
    } else if (missing < e->matcher_count) {
        ask_names(e);
    } else {
        note(e,
             e->matcher_count > 1
                 ? "Each matcher of %.*s alone fits some series, but none fits all of them: leave "
                   "some out, or look with list_series."
                 : "The metric %.*s exists, but no series fits the selector: look with "
                   "describe_metric.",
             SHORT(e->metric));
        next(e);
    }
}

/* How many series of the metric fit, as {i="m0"}. */
static void add_count(const struct explain *e, struct buf *query, struct str matchers, char kind,
                      unsigned i)
{
    buf_puts(query, query->len > 0 ? " or label_replace(count(" : "label_replace(count(");
    name_selector(query, e->metric, matchers);
    buf_printf(query, "), \"i\", \"%c%u\", \"\", \"\")", kind, i);
}

static void ask_counts(struct explain *e)
{
    scoped_buf(query, FORM_BYTES_MAX / 4);
    scoped_buf(form, FORM_BYTES_MAX);
    e->all = 0;
    memset(e->alone, 0, sizeof(e->alone));
    memset(e->labelled, 0, sizeof(e->labelled));
    add_count(e, &query, STR(""), 'a', 0);
    for (unsigned i = 0; i < e->matcher_count; i++) {
        const struct matcher *m = &e->matchers[i];
        scoped_buf(matcher, FORM_BYTES_MAX / 4);
        scoped_buf(there, FORM_BYTES_MAX / 4);
        buf_add_str(&matcher, m->label);
        buf_add_str(&matcher, m->op);
        buf_add_str(&matcher, m->value);
        buf_add_str(&there, m->label);
        buf_puts(&there, "!=\"\"");
        add_count(e, &query, buf_str(&matcher), 'm', i);
        add_count(e, &query, buf_str(&there), 'l', i);
    }
    source_param(&form, "query", buf_str(&query));
    add_range(e, &form, true);
    if (query.overflowed || form.overflowed)
        next(e);
    else
        ask(e, "/api/v1/query_range", &form, "data/result/*", on_count, on_counts);
}

/* ---- one selector after the other ---- */

static void on_near(void *arg, struct str names)
{
    struct explain *e = arg;
    note(e, "There is no metric %.*s in this datasource.%s%.*s%s", SHORT(e->metric),
         names.len > 0 ? " The nearest are: " : " Find one with list_metrics", (int)names.len,
         names.len ? names.at : "", ".");
    next(e);
}

static void next(struct explain *e)
{
    near_free(e->near);
    e->near = NULL;
    while (e->at < e->query->selector_count && e->query->selectors[e->at].series != 0)
        e->at++;
    if (e->at == e->query->selector_count || e->said++ == SELECTORS_MAX) {
        done(e);
        return;
    }
    struct str text = e->query->selectors[e->at++].text;
    struct str metric;
    e->matcher_count = explain_matchers(text, &metric, e->matchers);
    buf_clear(&e->name);
    add_meant(&e->name, metric);
    e->metric = buf_str(&e->name);
    if (e->metric.len == 0)
        next(e);
    else if (e->catalog != NULL && catalog_find(e->catalog, e->metric) == NULL)
        e->near = near_find(e->run, e->catalog, e->metric, on_near, e);
    else
        ask_counts(e);
}

static void on_catalog(void *arg, const struct catalog *c, const struct source_request *why)
{
    (void)why;
    struct explain *e = arg;
    e->catalog = c;
    e->run->partial = e->run->partial || (c && c->partial);
    next(e);
}

struct explain *explain_new(struct tool_run *r, const struct guard_query *q,
                            const struct guard_range *range, explain_fn *fn, void *arg)
{
    struct explain *e = xcalloc(1, sizeof(*e));
    e->run = r;
    e->query = q;
    e->range = range;
    e->fn = fn;
    e->arg = arg;
    buf_init(&e->notes, NOTES_BYTES_MAX);
    buf_init(&e->names, NAMES_BYTES_MAX);
    buf_init(&e->name, NAME_BYTES_MAX);
    e->use = catalog_cache_use(r, on_catalog, e);
    return e;
}
