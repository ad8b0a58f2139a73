#include "worker/tools/rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/moment.h"
#include "worker/tools/partial.h"
#include "worker/tools/text.h"

enum { ROW_BYTES_MAX = 16 * 1024, REST_BYTES = 3000, SEARCH_BYTES_MAX = 256, LABEL_MAX = 200 };

static void start(struct rows *r);
static bool on_item(void *arg, unsigned path, struct str key, json_t *item);

static void rows_free(void *state)
{
    struct rows *r = state;
    source_request_free(&r->ask);
    items_free(&r->items);
    buf_free(&r->search);
    buf_free(&r->page);
    buf_free(&r->row);
    buf_free(&r->notes);
    if (r->extra_free)
        r->extra_free(r->extra);
    else
        free(r->extra);
    free(r);
}

void rows_end(struct rows *r)
{
    r->run->state = NULL;
    r->run->state_free = NULL;
    rows_free(r);
}

struct rows *rows_new(struct tool_run *run, const struct rows_spec *spec)
{
    struct rows *r = xcalloc(1, sizeof(*r));
    size_t room = run->tools->config.content_bytes_max;
    struct str search = args_str(run->args, "search");
    r->spec = spec;
    r->run = run;
    run->state = r;
    run->state_free = rows_free;
    r->limit = (unsigned)args_int(run->args, "limit", spec->page);
    r->offset = (unsigned)args_int(run->args, "offset", 0);
    buf_init(&r->page, room > 2 * REST_BYTES ? room - REST_BYTES : room / 2);
    buf_init(&r->row, ROW_BYTES_MAX);
    buf_init(&r->notes, ROWS_NOTES_MAX);
    buf_init(&r->search, SEARCH_BYTES_MAX);
    for (size_t i = 0; i < search.len; i++)
        buf_putc(&r->search, search.at[i] >= 'A' && search.at[i] <= 'Z' ? (char)(search.at[i] + 32)
                                                                        : search.at[i]);
    start(r);
    return r;
}

static void start(struct rows *r)
{
    unsigned count = r->spec->path_count;
    for (unsigned i = 0; i < count; i++)
        r->paths[i] = r->spec->paths[i];
    for (unsigned i = 0; i < PARTIAL_PATHS; i++)
        r->paths[count++] = partial_paths[i];
    items_free(&r->items);
    items_init(&r->items, r->paths, count, on_item, r);
}

bool rows_searching(const struct rows *r) { return r->search.len > 0; }

bool rows_has(const struct rows *r, struct str text) { return text_has(text, buf_str(&r->search)); }

bool rows_has_label(const struct rows *r, const json_t *labels)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)labels, name, value)
    {
        if (json_is_string(value) && rows_has(r, json_text(value)))
            return true;
    }
    return !rows_searching(r);
}

void rows_note(struct rows *r, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (r->notes.len > 0)
        buf_putc(&r->notes, ',');
    text_json(&r->notes, str_of(text), sizeof(text));
}

/* ---- reading ---- */

static bool on_item(void *arg, unsigned path, struct str key, json_t *item)
{
    struct rows *r = arg;
    if (path >= r->spec->path_count) {
        source_said(r->run, path - r->spec->path_count, item);
        return true;
    }
    r->all++;
    buf_clear(&r->row);
    if (!r->spec->row(r, path, key, item, &r->row))
        return true;
    if (r->total++ < r->offset || r->shown == r->limit || r->full)
        return true;
    size_t before = r->page.len;
    if (before > 0)
        buf_putc(&r->page, ',');
    r->full = r->row.overflowed || !buf_add_str(&r->page, buf_str(&r->row));
    if (r->full)
        r->page.len = before;
    else
        r->shown++;
    r->page.overflowed = false;
    return true;
}

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct rows *)arg)->items, piece);
}

static void add_notes(struct rows *r, bool cut)
{
    if (cut)
        rows_note(r,
                  "The answer was too large and was cut off while it arrived: there is more than "
                  "is counted here. Ask for less.");
    if (r->total > r->offset + r->shown)
        rows_note(r, "%s more: narrow it down, or ask for the next page with offset %zu.",
                  text_count((double)(r->total - r->offset - r->shown)), r->offset + r->shown);
    if (r->all > 0 && r->total == 0)
        rows_note(r, "Nothing fits, of %s that there are.", text_count((double)r->all));
    if (r->all == 0 && r->spec->empty != NULL)
        rows_note(r, "%s", r->spec->empty);
}

static bool asked_again(struct rows *r)
{
    if (r->all > 0 || r->again || !r->spec->again)
        return false;
    r->again = true;
    start(r);
    return r->spec->again(r);
}

static void on_end(void *arg, enum source_outcome outcome)
{
    struct rows *r = arg;
    struct tool_run *run = r->run;
    struct buf *b = &run->content;
    bool refused = outcome == SOURCE_REFUSED && r->spec->optional;
    if (outcome == SOURCE_REFUSED && !refused) {
        source_fail(run, &r->ask);
        return;
    }
    if (outcome == SOURCE_WHOLE && !items_whole(&r->items)) {
        run_fail(run, "broken", "The answer ended in the middle.");
        return;
    }
    if (!refused && asked_again(r))
        return;
    run->partial = run->partial || r->ask.http_status == 206;
    if (run->partial)
        run_remark(run, STR(PARTIAL_NOTE));
    if (r->spec->then && r->spec->then(r))
        return;
    r->cut = outcome == SOURCE_CUT;
    add_notes(r, r->cut);
    buf_puts(b, "{\"kind\":");
    json_str(b, str_of(r->spec->kind));
    if (run->partial)
        buf_puts(b, ",\"partial\":true");
    if (r->cut)
        buf_puts(b, ",\"truncated\":true");
    if (!r->perses)
        row_text(b, "datasource", str_of(run->datasource));
    if (r->span.end_ms > 0) {
        moment_field(b, "start", r->span.start_ms);
        moment_field(b, "end", r->span.end_ms);
    }
    if (r->spec->head)
        r->spec->head(r, b);
    buf_printf(b, ",\"total\":%llu,\"shown\":%llu", (unsigned long long)r->total,
               (unsigned long long)r->shown);
    row_next(b, r->total, r->offset + r->shown);
    json_key(b, r->spec->list);
    buf_putc(b, '[');
    buf_add_str(b, buf_str(&r->page));
    buf_puts(b, "],\"notes\":[");
    buf_add_str(b, buf_str(&run->remarks));
    if (run->remarks.len > 0 && r->notes.len > 0)
        buf_putc(b, ',');
    buf_add_str(b, buf_str(&r->notes));
    buf_puts(b, "]}");
    run_done(run);
}

static void ask(struct rows *r, struct door *door, const char *api, struct buf *form, bool json)
{
    struct source_call request = {.method = json ? "POST" : "GET",
                                  .json = json,
                                  .api = api,
                                  .form = form,
                                  .timeout_ms = r->run->tools->config.timeout_ms,
                                  .product = r->spec->product,
                                  .trace = r->run->span.at};
    r->ask.on_piece = on_piece;
    r->ask.on_end = on_end;
    r->ask.arg = r;
    source_request(&r->ask, r->run->tools, door, r->run->token, &request);
}

void rows_ask(struct rows *r, const char *api, struct buf *form)
{
    ask(r, r->run->door, api, form, false);
}

void rows_ask_perses(struct rows *r, const char *api, struct buf *form)
{
    r->perses = true;
    ask(r, NULL, api, form, false);
}

void rows_post(struct rows *r, const char *api, struct buf *body)
{
    ask(r, r->run->door, api, body, true);
}

/* ---- writing ---- */

void row_long(struct buf *b, const char *key, struct str text, size_t max_bytes)
{
    if (text.len == 0)
        return;
    json_key(b, key);
    text_json(b, text, max_bytes);
}

void row_text(struct buf *b, const char *key, struct str text)
{
    row_long(b, key, text, ROWS_TEXT_MAX);
}

void row_next(struct buf *b, uint64_t total, uint64_t next)
{
    if (total > next)
        buf_printf(b, ",\"next_offset\":%llu", (unsigned long long)next);
}

void row_number(struct buf *b, const char *key, double value)
{
    json_key(b, key);
    text_number(b, value, false);
}

void row_labels(struct buf *b, const char *key, const json_t *labels, size_t max_bytes)
{
    const char *name;
    json_t *value;
    if (json_object_size(labels) == 0)
        return;
    json_key(b, key);
    buf_putc(b, '{');
    size_t start = b->len;
    json_object_foreach((json_t *)labels, name, value)
    {
        if (!json_is_string(value))
            continue;
        if (b->len - start > max_bytes) {
            buf_puts(b, ",\"…\":\"more\"");
            break;
        }
        buf_puts(b, b->len > start ? "," : "");
        text_json(b, str_of(name), LABEL_MAX);
        buf_putc(b, ':');
        text_json(b, json_text(value), LABEL_MAX);
    }
    buf_putc(b, '}');
}
