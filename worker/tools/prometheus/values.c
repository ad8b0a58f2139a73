/* list_label_values: the values of a label, filtered and paged while they arrive. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/handlers.h"
#include "worker/tools/args.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/partial.h"
#include "worker/tools/source.h"
#include "worker/tools/prometheus/match.h"
#include "worker/tools/rows.h"
#include "worker/tools/sax.h"
#include "worker/tools/span.h"
#include "worker/tools/text.h"

enum {
    PAGE = 200,
    FORM_BYTES_MAX = 16 * 1024,
    VALUES_MAX = 100000, /* asked for: Prometheus understands limit= from 2.52 on */
    VALUE_SHOWN_MAX = 256,
    REST_BYTES = 1500,
    RANGE_MS = 24 * 3600000,
};

struct values {
    struct tool_run *run;
    struct source_request ask;
    struct sax sax;
    unsigned depth;
    bool data_key, in_data, status_key, status_ok;
    unsigned said;    /* 1 + of partial_paths: what is read is one of those */
    char search[256]; /* lower case */
    size_t search_len;
    unsigned limit, offset;
    uint64_t total, all, shown;
    bool full, escaped, family; /* escaped: how the label is asked for; family: for the metric's */
    struct buf page;            /* JSON strings, comma-separated */
    struct buf label, form;
};

static void values_free(void *state)
{
    struct values *v = state;
    source_request_free(&v->ask);
    sax_free(&v->sax);
    buf_free(&v->page);
    buf_free(&v->label);
    buf_free(&v->form);
    free(v);
}

static void take(struct values *v, struct str value)
{
    v->all++;
    if (!text_has(value, (struct str){v->search, v->search_len}))
        return;
    if (v->total++ < v->offset || v->shown == v->limit || v->full)
        return;
    size_t before = v->page.len;
    if (before > 0)
        buf_putc(&v->page, ',');
    size_t comma = v->page.len;
    text_json(&v->page, value, VALUE_SHOWN_MAX);
    v->full = v->page.len == comma || v->page.overflowed;
    if (v->full)
        v->page.len = before;
    else
        v->shown++;
}

/* What the datasource says beside it. */
static void hear(struct values *v, json_t *take_item)
{
    json_auto_t *item = take_item;
    source_said(v->run, v->said - 1, item);
}

static unsigned said_by(struct str key)
{
    for (unsigned i = 0; i < PARTIAL_PATHS; i++) {
        struct str path = str_of(partial_paths[i]), name;
        str_split(&path, '/', &name);
        if (str_eq(key, name))
            return i + 1;
    }
    return 0;
}

/* {"status": …, "data": [value, …]} */
static bool on_token(void *arg, enum sax_token token, struct str text)
{
    struct values *v = arg;
    switch (token) {
    case SAX_OBJECT:
    case SAX_ARRAY:
        v->depth++;
        if (v->depth == 1)
            return token == SAX_OBJECT;
        if (v->depth == 2 && v->data_key) {
            v->in_data = true;
            return token == SAX_ARRAY;
        }
        return !v->in_data;
    case SAX_OBJECT_END:
    case SAX_ARRAY_END:
        if (v->depth-- == 2)
            v->in_data = false;
        return true;
    case SAX_KEY:
        v->data_key = v->depth == 1 && str_is(text, "data");
        v->status_key = v->depth == 1 && str_is(text, "status");
        v->said = v->depth == 1 ? said_by(text) : 0;
        return true;
    case SAX_STRING:
        if (v->in_data)
            take(v, text);
        else if (v->depth == 1 && v->status_key)
            v->status_ok = str_is(text, "success");
        if (v->said && !v->in_data)
            hear(v, json_stringn_nocheck(text.at, text.len));
        return true;
    case SAX_NUMBER:
    case SAX_WORD:
        if (v->said)
            hear(v, json_boolean(text.at[0] == 't'));
        return !v->in_data;
    }
    return false;
}

static bool on_piece(void *arg, struct str piece)
{
    return sax_feed(&((struct values *)arg)->sax, piece);
}

static void write_notes(const struct values *v, bool cut, struct buf *b)
{
    char text[200];
    json_key(b, "notes");
    buf_putc(b, '[');
    size_t start = b->len;
    if (v->run->partial)
        run_remark(v->run, STR(PARTIAL_NOTE));
    buf_add_str(b, buf_str(&v->run->remarks));
    if (v->family && v->all > 0) {
        buf_puts(b, b->len > start ? "," : "");
        json_str(b, STR(MATCH_FAMILY_NOTE));
    }
    if (v->total > v->offset + v->shown) {
        snprintf(text, sizeof(text),
                 "%s more: use search, or ask for the next page with offset %llu.",
                 text_count((double)(v->total - v->offset - v->shown)),
                 (unsigned long long)(v->offset + v->shown));
        buf_puts(b, b->len > start ? "," : "");
        json_str(b, str_of(text));
    }
    if (v->all >= VALUES_MAX || cut) {
        buf_puts(b, b->len > start ? "," : "");
        json_str(b, STR("The label has more values than could be read: name a metric or give a "
                        "selector by match."));
    }
    if (v->all == 0) {
        buf_puts(b, b->len > start ? "," : "");
        json_str(b, STR("No series has this label in this time range. Query a metric to see which "
                        "labels it has."));
    }
    buf_puts(b, "]}");
}

static void ask(struct values *v, bool escaped);
static void add_range(struct values *v);

/* What is no Prometheus of today (VictoriaMetrics, an older Mimir) knows the label by its plain
 * name alone. What a proxy would take for a path is not asked for so. */
static bool ask_plainly(struct values *v, enum source_outcome outcome)
{
    struct str label = buf_str(&v->label);
    bool nothing = outcome == SOURCE_REFUSED
                       ? v->ask.http_status == 400 || v->ask.http_status == 404
                       : v->all == 0;
    if (!v->escaped || !nothing || memchr(label.at, '/', label.len) || label.at[0] == '.')
        return false;
    ask(v, false);
    return true;
}

/* The metric was named by its family, of which no series is. */
static bool ask_family(struct values *v, enum source_outcome outcome)
{
    struct str metric = str_trim(args_str(v->run->args, "metric"));
    if (metric.len == 0)
        metric = str_trim(args_str(v->run->args, "match"));
    if (v->family || v->all > 0 || outcome != SOURCE_WHOLE)
        return false;
    buf_clear(&v->form);
    if (!match_family(&v->form, metric))
        return false;
    add_range(v);
    v->family = true;
    ask(v, !name_is_classic(buf_str(&v->label), false));
    return true;
}

static void on_end(void *arg, enum source_outcome outcome)
{
    struct values *v = arg;
    struct tool_run *r = v->run;
    if (ask_plainly(v, outcome) || ask_family(v, outcome))
        return;
    if (outcome == SOURCE_REFUSED) {
        source_fail(r, &v->ask);
        return;
    }
    if (outcome == SOURCE_WHOLE && (!sax_whole(&v->sax) || !v->status_ok)) {
        run_fail(r, "broken", "The datasource's answer ended in the middle.");
        return;
    }
    struct buf *b = &r->content;
    buf_puts(b, "{\"kind\":\"label_values\",\"label\":");
    json_str(b, buf_str(&v->label));
    json_field(b, "datasource", str_of(r->datasource));
    if (r->partial)
        buf_puts(b, ",\"partial\":true");
    if (outcome == SOURCE_CUT)
        buf_puts(b, ",\"truncated\":true");
    buf_printf(b, ",\"total\":%llu,\"shown\":%llu", (unsigned long long)v->total,
               (unsigned long long)v->shown);
    row_next(b, v->total, v->offset + v->shown);
    buf_puts(b, ",\"values\":[");
    buf_add_str(b, buf_str(&v->page));
    buf_putc(b, ']');
    write_notes(v, outcome == SOURCE_CUT, b);
    run_done(r);
}

/* One selector, as the guard wants them: by metric, by match, or none. */
static bool add_match(struct tool_run *r, struct buf *form)
{
    struct str metric = str_trim(args_str(r->args, "metric"));
    struct str match = str_trim(args_str(r->args, "match"));
    if (match.len == 0 && metric.len == 0)
        return true;
    if (match.len > 0 && metric.len > 0) {
        run_fail(r, "bad_arguments", "Give metric or match, not both.");
        return false;
    }
    return match_param(r, form, match.len > 0 ? match : metric, match.len > 0 ? "match" : "metric");
}

static void ask(struct values *v, bool escaped)
{
    struct tool_run *r = v->run;
    scoped_buf(api, NAME_BYTES_MAX * 8);
    scoped_buf(form, FORM_BYTES_MAX);
    buf_puts(&api, "/api/v1/label/");
    name_segment(&api, buf_str(&v->label), escaped);
    buf_puts(&api, "/values");
    buf_add_str(&form, buf_str(&v->form));
    sax_free(&v->sax);
    sax_init(&v->sax, on_token, v);
    v->escaped = escaped;
    v->depth = 0;
    v->data_key = v->in_data = v->status_key = v->status_ok = false;
    struct source_call request = {.method = "GET",
                                  .api = buf_cstr(&api),
                                  .form = &form,
                                  .timeout_ms = r->tools->config.timeout_ms,
                                  .trace = r->span.at};
    v->ask.on_piece = on_piece;
    v->ask.on_end = on_end;
    v->ask.arg = v;
    source_request(&v->ask, r->tools, r->door, r->token, &request);
}

static struct values *values_new(struct tool_run *r)
{
    struct values *v = xcalloc(1, sizeof(*v));
    struct str search = args_str(r->args, "search");
    size_t room = r->tools->config.content_bytes_max;
    v->run = r;
    r->state = v;
    r->state_free = values_free;
    v->limit = (unsigned)args_int(r->args, "limit", PAGE);
    v->offset = (unsigned)args_int(r->args, "offset", 0);
    buf_init(&v->page, room > 2 * REST_BYTES ? room - REST_BYTES : room / 2);
    buf_init(&v->label, NAME_BYTES_MAX);
    buf_init(&v->form, FORM_BYTES_MAX);
    sax_init(&v->sax, on_token, v);
    for (; v->search_len < search.len && v->search_len < sizeof(v->search); v->search_len++) {
        char c = search.at[v->search_len];
        v->search[v->search_len] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return v;
}

static void add_range(struct values *v)
{
    int64_t start, end;
    span_selected(v->run, RANGE_MS, &start, &end);
    source_param_time(&v->form, "start", start);
    source_param_time(&v->form, "end", end);
    source_param_count(&v->form, "limit", VALUES_MAX);
}

void prom_label_values(struct tool_run *r)
{
    struct values *v = values_new(r);
    if (!name_read(args_str(r->args, "label"), false, &v->label)) {
        run_fail(r, "bad_arguments",
                 "The argument \"label\" is no label name, as job, instance or host.name.");
        return;
    }
    if (!add_match(r, &v->form))
        return;
    add_range(v);
    ask(v, !name_is_classic(buf_str(&v->label), false));
}
