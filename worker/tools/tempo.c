/* Tempo's tools: traces found by TraceQL, and one trace summarised: which services, how long, where
 * the time went, what failed. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/logql.h"
#include "worker/tools/handlers.h"
#include "worker/tools/moment.h"
#include "worker/tools/rows.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    FORM_BYTES_MAX = 16 * 1024,
    TRACES = 20,
    SERVICES_MAX = 40,
    SPANS_KEPT = 25, /* the slowest, and those that failed */
    NAME_MAX_BYTES = 96,
};

/* A number that JSON carries as a string (64 bits in protobuf's JSON), or as a number. */
static double big(const json_t *value)
{
    double number = json_number_value(value);
    if (json_is_string(value))
        sax_double(json_text(value), &number);
    return number;
}

/* Nanoseconds of Unix time: a double holds them to some 200 only. 0: none. */
static int64_t nanoseconds(const json_t *value)
{
    uint64_t whole;
    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? json_integer_value(value) : 0;
    if (str_u64(json_text(value), INT64_MAX, &whole))
        return (int64_t)whole;
    double number = big(value);
    return number > 0 && number < 9e18 ? (int64_t)number : 0;
}

static void write_moment(struct buf *b, const char *key, int64_t ns)
{
    if (ns > 0)
        moment_field(b, key, ns / 1000000);
}

/* ---- tempo_search ---- */

static bool trace_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)r, (void)path, (void)key;
    buf_putc(b, '{');
    row_text(b, "trace_id", item_str(item, "traceID"));
    row_text(b, "service", item_str(item, "rootServiceName"));
    row_text(b, "name", item_str(item, "rootTraceName"));
    write_moment(b, "start", nanoseconds(json_object_get(item, "startTimeUnixNano")));
    row_number(b, "duration_ms", big(json_object_get(item, "durationMs")));
    double matched = big(item_at(item, "spanSet", "matched", NULL));
    if (matched > 0)
        row_number(b, "spans_matched", matched);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec traces_spec = {
    .kind = "traces",
    .list = "traces",
    .product = "Tempo",
    .page = TRACES,
    .path_count = 1,
    .paths = {"traces/*"},
    .row = trace_row,
    .empty = "No trace fits in this time range. Look with tempo_tags which attributes and values "
             "there are.",
};

/* A selector of all is let through: Tempo stops at the limit. Of a query that computes metrics, as
 * {} | rate(), it says itself that a search is none. */
void tempo_search(struct tool_run *r)
{
    struct span span;
    scoped_buf(form, FORM_BYTES_MAX);
    if (!span_read(r, &span))
        return;
    struct logql q;
    if (!logql_read(&q, str_trim(args_str(r->args, "query")))) {
        run_fail(r, "bad_arguments", "%s", q.error);
        return;
    }
    source_param(&form, "q", str_trim(args_str(r->args, "query")));
    source_param_count(&form, "start", (uint64_t)(span.start_ms / 1000));
    source_param_count(&form, "end", (uint64_t)((span.end_ms + 999) / 1000));
    source_param_count(&form, "limit", (uint64_t)args_int(r->args, "limit", TRACES));
    struct rows *rows = rows_new(r, &traces_spec);
    rows->span = span;
    rows_ask(rows, "/api/search", &form);
}

/* ---- tempo_tags ---- */

static bool scope_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    const json_t *tags = json_object_get(item, "tags");
    size_t i, shown = 0;
    json_t *tag;
    buf_putc(b, '{');
    row_text(b, "scope", item_str(item, "name"));
    json_key(b, "tags");
    buf_putc(b, '[');
    json_array_foreach(tags, i, tag)
    {
        struct str text = json_text(tag);
        if (!rows_has(r, text) || b->len > 8000)
            continue;
        buf_puts(b, shown++ > 0 ? "," : "");
        text_json(b, text, NAME_MAX_BYTES);
    }
    buf_puts(b, "]}");
    return shown > 0;
}

static bool value_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str text = item_str(item, "value");
    return rows_has(r, text) && text_json(b, text, ROWS_TEXT_MAX);
}

static const struct rows_spec tags_spec = {
    .kind = "trace_tags",
    .list = "scopes",
    .product = "Tempo",
    .page = 10,
    .path_count = 1,
    .paths = {"scopes/*"},
    .row = scope_row,
    .empty = "There are no attributes in this time range.",
};
static const struct rows_spec values_spec = {
    .kind = "trace_tag_values",
    .list = "values",
    .product = "Tempo",
    .page = 200,
    .path_count = 1,
    .paths = {"tagValues/*"},
    .row = value_row,
    .empty = "The attribute has no values in this time range. Write it with its scope, as "
             "resource.service.name or span.http.status_code.",
};

/* One of OpenTelemetry's that was written without its scope (service.name): Tempo looks for it in
 * all of them when a dot is before it. */
static bool lacks_scope(struct str tag)
{
    static const char *const scopes[] = {".",     "resource.",        "span.",  "event.",
                                         "link.", "instrumentation.", "parent."};
    bool has = tag.len == 0 || !memchr(tag.at, '.', tag.len) || memchr(tag.at, ':', tag.len);
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
        has = has || str_starts(tag, str_of(scopes[i]));
    return !has;
}

void tempo_tags(struct tool_run *r)
{
    struct str tag = str_trim(args_str(r->args, "tag"));
    struct span span;
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, 1024);
    if (!span_read(r, &span))
        return;
    source_param_count(&form, "start", (uint64_t)(span.start_ms / 1000));
    source_param_count(&form, "end", (uint64_t)((span.end_ms + 999) / 1000));
    buf_puts(&api, tag.len > 0 ? "/api/v2/search/tag/" : "/api/v2/search/tags");
    if (lacks_scope(tag)) {
        buf_putc(&api, '.');
        run_remark(r, STR("The attribute was looked for in all scopes; in TraceQL it needs one, as "
                          "resource.service.name, or a dot, as .service.name."));
    }
    fetch_escape(&api, tag); /* a slash or a dot of it is escaped: it stays one segment */
    buf_puts(&api, tag.len > 0 ? "/values" : "");
    if (str_is(tag, ".") || str_is(tag, ".."))
        run_fail(r, "bad_arguments", "The argument \"tag\" is no attribute.");
    else
        rows_ask(rows_new(r, tag.len > 0 ? &values_spec : &tags_spec), buf_cstr(&api), &form);
}

/* ---- tempo_trace: one pass over the spans as they arrive; the rest is kept as sums ---- */

struct service {
    char name[NAME_MAX_BYTES + 1];
    unsigned spans, errors;
    double total_ns;
};
struct kept {
    char service[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1], message[200];
    int64_t start_ns, duration_ns;
    bool error, root, unfinished; /* unfinished: it has no end (yet), or that is lost */
};
struct trace {
    struct service services[SERVICES_MAX];
    unsigned service_count, at; /* at: of the spans that come now */
    struct kept kept[SPANS_KEPT];
    unsigned kept_count, spans, errors;
    int64_t first_ns, last_ns; /* 0: not known */
};

static void copy(char *to, size_t size, struct str from)
{
    scoped_buf(b, size + 8);
    text_clean(&b, from, size - 4); /* "…" may follow */
    size_t len = b.len < size ? b.len : size - 1;
    memcpy(to, len ? b.at : "", len);
    to[len] = '\0';
}

static struct str attribute(const json_t *attributes, const char *name)
{
    size_t i;
    json_t *a;
    json_array_foreach(attributes, i, a)
    {
        if (str_is(item_str(a, "key"), name))
            return item_str(json_object_get(a, "value"), "stringValue");
    }
    return (struct str){NULL, 0};
}

static void take_resource(struct trace *t, const json_t *resource)
{
    char name[NAME_MAX_BYTES + 1];
    copy(name, sizeof(name), attribute(json_object_get(resource, "attributes"), "service.name"));
    for (t->at = 0; t->at < t->service_count; t->at++)
        if (strcmp(t->services[t->at].name, name) == 0)
            return;
    if (t->service_count == SERVICES_MAX) {
        t->at = SERVICES_MAX - 1;
        return;
    }
    t->at = t->service_count++;
    memcpy(t->services[t->at].name, name, sizeof(name));
}

/* Failed ones first, then the slowest; a root always stays. */
static double weight(const struct kept *k)
{
    return (double)k->duration_ns + (k->error ? 1e18 : 0) + (k->root ? 1e19 : 0);
}

static void keep(struct trace *t, const struct kept *k)
{
    unsigned at = t->kept_count;
    if (at == SPANS_KEPT) {
        at = 0;
        for (unsigned i = 1; i < SPANS_KEPT; i++)
            if (weight(&t->kept[i]) < weight(&t->kept[at]))
                at = i;
        if (weight(k) <= weight(&t->kept[at]))
            return;
    } else {
        t->kept_count++;
    }
    t->kept[at] = *k;
}

static void take_span(struct trace *t, const json_t *span)
{
    const json_t *status = json_object_get(span, "status"), *code = json_object_get(status, "code");
    struct kept k = {.start_ns = nanoseconds(json_object_get(span, "startTimeUnixNano"))};
    int64_t end = nanoseconds(json_object_get(span, "endTimeUnixNano"));
    if (t->service_count == 0)
        take_resource(t, NULL);
    struct service *s = &t->services[t->at];
    k.duration_ns = end > k.start_ns && k.start_ns > 0 ? end - k.start_ns : 0;
    k.unfinished = end == 0;
    k.error = json_number_value(code) == 2 || str_is(item_str(status, "code"), "STATUS_CODE_ERROR");
    k.root = item_str(span, "parentSpanId").len == 0;
    memcpy(k.service, s->name, sizeof(k.service));
    copy(k.name, sizeof(k.name), item_str(span, "name"));
    copy(k.message, sizeof(k.message), item_str(status, "message"));
    s->spans++;
    s->errors += k.error;
    s->total_ns += (double)k.duration_ns;
    if (k.start_ns > 0 && (t->first_ns == 0 || k.start_ns < t->first_ns))
        t->first_ns = k.start_ns;
    int64_t last = end > k.start_ns ? end : k.start_ns;
    t->last_ns = last > t->last_ns ? last : t->last_ns;
    t->spans++;
    t->errors += k.error;
    keep(t, &k);
}

static bool span_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)key, (void)b;
    if (path % 2 == 0)
        take_resource(r->extra, item);
    else
        take_span(r->extra, item);
    return false; /* what is shown is the summary */
}

static int by_start(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

static void write_span(const struct trace *t, const struct kept *k, struct buf *b)
{
    buf_putc(b, '{');
    row_text(b, "service", str_of(k->service));
    row_text(b, "name", str_of(k->name));
    if (k->start_ns > 0)
        row_number(b, "after_ms", (double)(k->start_ns - t->first_ns) / 1e6);
    row_number(b, "duration_ms", (double)k->duration_ns / 1e6);
    if (k->unfinished)
        buf_puts(b, ",\"unfinished\":true");
    if (k->error)
        buf_puts(b, ",\"error\":true");
    row_text(b, "message", str_of(k->message));
    buf_putc(b, '}');
}

static void trace_head(struct rows *r, struct buf *b)
{
    struct trace *t = r->extra;
    r->total = r->shown = 0;
    row_text(b, "trace_id", args_str(r->run->args, "trace_id"));
    write_moment(b, "start", t->first_ns);
    row_number(b, "duration_ms", t->first_ns > 0 ? (double)(t->last_ns - t->first_ns) / 1e6 : 0);
    buf_printf(b, ",\"spans_total\":%u,\"errors\":%u,\"services\":[", t->spans, t->errors);
    for (unsigned i = 0; i < t->service_count; i++) {
        buf_puts(b, i > 0 ? ",{" : "{");
        row_text(b, "service", str_of(t->services[i].name));
        row_number(b, "spans", t->services[i].spans);
        row_number(b, "errors", t->services[i].errors);
        row_number(b, "span_ms", t->services[i].total_ns / 1e6);
        buf_putc(b, '}');
    }
    buf_putc(b, ']');
    qsort(t->kept, t->kept_count, sizeof(t->kept[0]), by_start);
    for (unsigned i = 0; i < t->kept_count; i++) {
        size_t before = r->page.len;
        buf_puts(&r->page, before > 0 ? "," : "");
        buf_clear(&r->row);
        write_span(t, &t->kept[i], &r->row);
        if (r->page.len + r->row.len + b->len > r->run->tools->config.content_bytes_max * 3 / 4) {
            r->page.len = before;
            break;
        }
        buf_add_str(&r->page, buf_str(&r->row));
        r->shown++;
    }
    r->total = t->spans;
    buf_clear(&r->notes); /* what rows.c says of rows is not meant */
    if (t->spans > r->shown)
        rows_note(r, "Of %u spans the slowest and those that failed are shown.", t->spans);
    if (t->spans == 0)
        rows_note(r, "The trace has no spans: it may be older than what Tempo keeps.");
}

static const struct rows_spec trace_spec = {
    .kind = "trace",
    .list = "spans",
    .product = "Tempo",
    .page = SPANS_KEPT,
    .path_count = 8,
    .paths = {"batches/*/resource", "batches/*/scopeSpans/*/spans/*", "resourceSpans/*/resource",
              "resourceSpans/*/scopeSpans/*/spans/*", "trace/resourceSpans/*/resource",
              "trace/resourceSpans/*/scopeSpans/*/spans/*", "batches/*/resource",
              "batches/*/instrumentationLibrarySpans/*/spans/*"},
    .row = span_row,
    .head = trace_head,
};

void tempo_trace(struct tool_run *r)
{
    struct str id = str_trim(args_str(r->args, "trace_id"));
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, 128);
    bool hex = id.len > 0 && id.len <= 32;
    for (size_t i = 0; i < id.len; i++)
        hex = hex && isxdigit((unsigned char)id.at[i]);
    if (!hex) {
        run_fail(r, "bad_arguments",
                 "The argument \"trace_id\" is no trace ID: up to 32 hexadecimal digits, as "
                 "tempo_search gives them.");
        return;
    }
    buf_puts(&api, "/api/traces/");
    buf_add_str(&api, id);
    struct rows *rows = rows_new(r, &trace_spec);
    rows->extra = xcalloc(1, sizeof(struct trace));
    rows_ask(rows, buf_cstr(&api), &form);
}
