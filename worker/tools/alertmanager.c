/* Alertmanager's tools, read-only: what is notified now, and what is silenced by whom. */
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/handlers.h"
#include "worker/tools/rows.h"
#include "worker/tools/text.h"

enum { FORM_BYTES_MAX = 4096, LABELS_SHOWN = 1500 };

static bool alert_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    const json_t *labels = json_object_get(item, "labels");
    const json_t *annotations = json_object_get(item, "annotations");
    const json_t *status = json_object_get(item, "status");
    size_t silences = json_array_size(json_object_get(status, "silencedBy"));
    size_t inhibitors = json_array_size(json_object_get(status, "inhibitedBy"));
    if (!rows_has_label(r, labels) && !rows_has_label(r, annotations))
        return false;
    buf_putc(b, '{');
    row_text(b, "name", item_str(labels, "alertname"));
    row_text(b, "state", item_str(status, "state"));
    row_text(b, "since", item_str(item, "startsAt"));
    if (silences > 0)
        row_number(b, "silenced_by", (double)silences);
    if (inhibitors > 0)
        row_number(b, "inhibited_by", (double)inhibitors);
    row_labels(b, "labels", labels, LABELS_SHOWN);
    row_labels(b, "annotations", annotations, LABELS_SHOWN);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec alerts_spec = {
    .kind = "notified_alerts",
    .list = "alerts",
    .product = "Alertmanager",
    .page = 50,
    .path_count = 1,
    .paths = {"*"},
    .row = alert_row,
    .empty = "There are no alerts.",
};

void alertmanager_alerts(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    rows_ask(rows_new(r, &alerts_spec), "/api/v2/alerts", &form);
}

static void write_matchers(struct buf *b, const json_t *matchers)
{
    size_t i;
    json_t *m;
    json_key(b, "matchers");
    buf_putc(b, '[');
    json_array_foreach(matchers, i, m)
    {
        const json_t *equal = json_object_get(m, "isEqual");
        bool regex = json_is_true(json_object_get(m, "isRegex"));
        if (i == 20)
            break;
        buf_puts(b, i > 0 ? ",[" : "[");
        text_json(b, item_str(m, "name"), 120);
        buf_puts(b, json_is_false(equal) ? regex ? ",\"!~\"," : ",\"!=\","
                    : regex              ? ",\"=~\","
                                         : ",\"=\",");
        text_json(b, item_str(m, "value"), 200);
        buf_putc(b, ']');
    }
    buf_putc(b, ']');
}

static bool silence_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str state = item_str(json_object_get(item, "status"), "state");
    struct str wanted = args_str(r->run->args, "state");
    if (!str_eq(state, wanted.len > 0 ? wanted : STR("active")) ||
        !rows_has(r, item_str(item, "comment")))
        return false;
    buf_putc(b, '{');
    row_text(b, "state", state);
    row_text(b, "starts", item_str(item, "startsAt"));
    row_text(b, "ends", item_str(item, "endsAt"));
    row_text(b, "by", item_str(item, "createdBy"));
    row_text(b, "comment", item_str(item, "comment"));
    write_matchers(b, json_object_get(item, "matchers"));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec silences_spec = {
    .kind = "silences",
    .list = "silences",
    .product = "Alertmanager",
    .page = 50,
    .path_count = 1,
    .paths = {"*"},
    .row = silence_row,
    .empty = "There are no silences.",
};

void alertmanager_silences(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    rows_ask(rows_new(r, &silences_spec), "/api/v2/silences", &form);
}
