#include "worker/tools/prometheus/labels.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/items.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/prometheus/tokens.h"
#include "worker/tools/source.h"
#include "worker/tools/text.h"

enum {
    NAMED_MAX = 16,         /* labels of a query */
    NAMES_BYTES_MAX = 8192, /* of what there are; more: not known */
    FORM_BYTES_MAX = 64 << 10,
    TIMEOUT_MS = 3000,
    BEFORE_MS = 3600000, /* windows reach back */
    SHOWN_BYTES = 600,
};

struct labels {
    const struct guard_query *query;
    struct str named[NAMED_MAX]; /* in the query's text */
    unsigned count;
    struct source_request ask;
    struct items items;
    struct buf names; /* "\nNAME\nNAME\n" */
    bool whole;
    labels_fn *fn;
    void *arg;
};

static void read_named(struct labels *l);
static bool judged(const struct guard_query *q);
static void ask(struct labels *l, struct tool_run *r, const struct guard_range *range);

struct labels *labels_new(struct tool_run *r, const struct guard_query *q,
                          const struct guard_range *range, labels_fn *fn, void *arg)
{
    if (!judged(q))
        return NULL;
    struct labels *l = xcalloc(1, sizeof(*l));
    l->query = q;
    l->fn = fn;
    l->arg = arg;
    buf_init(&l->names, NAMES_BYTES_MAX);
    read_named(l);
    if (l->count == 0) {
        labels_free(l);
        return NULL;
    }
    ask(l, r, range);
    return l;
}

void labels_free(struct labels *l)
{
    if (!l)
        return;
    source_request_free(&l->ask);
    items_free(&l->items);
    buf_free(&l->names);
    free(l);
}

/* ---- what the query names ---- */

static bool judged(const struct guard_query *q)
{
    static const char *const makes[] = {"label_", "count_values", "absent", "info", NULL};
    if (q->loose || q->with.text.len > 0 || q->selector_count == 0)
        return false;
    for (unsigned i = 0; makes[i]; i++)
        if (text_has(q->text, str_of(makes[i])))
            return false;
    for (unsigned i = 0; i < q->selector_count; i++) /* of another time */
        if (q->selectors[i].offset.len > 0 || q->selectors[i].at.len > 0)
            return false;
    return true;
}

/* Buckets and quantiles have theirs by their kind; those that are left out harm nobody. */
static void read_named(struct labels *l)
{
    struct tokens *t = xcalloc(1, sizeof(*t));
    tokens_read(t, l->query->text);
    for (unsigned i = 1; t->whole && i + 1 < t->count; i++) {
        const struct token *k = &t->all[i];
        bool groups = token_is(k, "by") || token_is(k, "on") || token_is(k, "group_left") ||
                      token_is(k, "group_right");
        if (!groups || !token_opens(k + 1, '('))
            continue;
        for (unsigned m = i + 2; m < k[1].pair && l->count < NAMED_MAX; m++)
            if (t->all[m].kind == TOKEN_WORD && !token_is(&t->all[m], "le") &&
                !token_is(&t->all[m], "quantile") && !str_starts(t->all[m].text, STR("__")))
                l->named[l->count++] = t->all[m].text;
    }
    free(t);
}

/* ---- what there is ---- */

static bool on_name(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct labels *l = arg;
    if (!json_is_string(item))
        return true;
    buf_puts(&l->names, l->names.len == 0 ? "\n" : "");
    buf_add_str(&l->names, json_text(item));
    return buf_putc(&l->names, '\n');
}

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct labels *)arg)->items, piece);
}

static void on_end(void *arg, enum source_outcome outcome)
{
    struct labels *l = arg;
    l->whole = outcome == SOURCE_WHOLE && items_whole(&l->items) && !l->names.overflowed;
    l->fn(l->arg);
}

static void ask(struct labels *l, struct tool_run *r, const struct guard_range *range)
{
    static const char *const paths[] = {"data/*"};
    scoped_buf(form, FORM_BYTES_MAX);
    int64_t start_ms = range->step_ms > 0 ? range->start_ms : range->end_ms;
    for (unsigned i = 0; i < l->query->selector_count; i++) {
        int64_t back_ms = l->query->selectors[i].window_ms;
        start_ms = range->end_ms - back_ms < start_ms ? range->end_ms - back_ms : start_ms;
        source_param(&form, "match[]", l->query->selectors[i].text);
    }
    source_param_time(&form, "start", start_ms - BEFORE_MS);
    source_param_time(&form, "end", range->end_ms);
    struct source_call call = {
        .method = "GET", .api = "/api/v1/labels", .form = &form, .timeout_ms = TIMEOUT_MS};
    items_init(&l->items, paths, 1, on_name, l);
    l->ask.on_piece = on_piece;
    l->ask.on_end = on_end;
    l->ask.arg = l;
    source_request(&l->ask, r->tools, r->door, r->token, &call);
}

/* ---- the judgement ---- */

static bool has(struct str names, struct str name)
{
    struct str rest = names, one;
    while (str_split(&rest, '\n', &one))
        if (one.len > 0 && str_eq(one, name))
            return true;
    return false;
}

/* What is called by several words; each line's words stand for one another, the likeliest first. */
static const char *const alike[] = {
    "instance host hostname node server machine target exporter addr address",
    "job service app application component service_name",
    "code status status_code http_status http_code response_code http_response_status_code",
    "handler path route endpoint uri url http_route",
    "pod pod_name kubernetes_pod_name",
    "container container_name",
    "namespace ns kubernetes_namespace project",
    "method verb http_method http_request_method",
    "device disk interface dev nic mountpoint",
    "mode cpu_mode state type kind",
    "cpu core",
    "state status phase condition",
};

static bool in_line(const char *line, struct str name)
{
    struct str rest = str_of(line), word;
    while (str_split(&rest, ' ', &word))
        if (word.len == name.len && strncasecmp(word.at, name.at, name.len) == 0)
            return true;
    return false;
}

static struct str nearest(struct str name, struct str names)
{
    struct str rest = names, one, found = {NULL, 0};
    unsigned least = name.len < 5 ? 2 : 3;
    while (str_split(&rest, '\n', &one)) {
        bool part = one.len >= 3 && name.len >= 3 && one.len != name.len &&
                    (str_starts(one, name) || str_starts(name, one) || str_ends(one, name) ||
                     str_ends(name, one));
        unsigned distance = one.len == 0 ? 9 : part ? 1 : text_distance(name, one);
        if (distance < least) {
            least = distance;
            found = one;
        }
    }
    return found;
}

/* What a label was meant by a name that no series has: written nearly so, or the trade's other word
 * for it; empty: nothing. */
static struct str meant_by(struct str name, struct str names)
{
    struct str found = nearest(name, names), word;
    for (size_t i = 0; found.len == 0 && i < sizeof(alike) / sizeof(alike[0]); i++) {
        struct str rest = str_of(alike[i]);
        while (in_line(alike[i], name) && found.len == 0 && str_split(&rest, ' ', &word))
            if (has(names, word))
                found = word;
    }
    return found;
}

static void write_error(const struct labels *l, struct str name, struct buf *error)
{
    struct str rest = buf_str(&l->names), one;
    unsigned shown = 0;
    size_t before = error->len;
    buf_puts(error, "The query was not run: no series in it has the label ");
    text_clean(error, name, 80);
    buf_puts(error, ", by which it groups or joins. Their labels are: ");
    while (str_split(&rest, '\n', &one) && error->len - before < SHOWN_BYTES)
        if (one.len > 0 && !str_starts(one, STR("__"))) {
            buf_puts(error, shown++ > 0 ? ", " : "");
            text_clean(error, one, 80);
        }
    buf_puts(error, rest.len > 0 && rest.at[0] != '\0' ? ", … ." : ".");
}

bool labels_wrong(const struct labels *l, struct buf *error, struct buf *mended)
{
    struct str text = l->query->text;
    const char *at = text.at;
    bool wrong = false, meant_all = true;
    if (!l->whole || l->names.len == 0)
        return false;
    for (unsigned i = 0; i < l->query->selector_count; i++)
        if (l->query->selectors[i].series == 0)
            return false; /* whose labels are not known */
    for (unsigned i = 0; i < l->count; i++) {
        struct str name = l->named[i];
        if (has(buf_str(&l->names), name))
            continue;
        if (!wrong)
            write_error(l, name, error);
        wrong = true;
        struct str meant = meant_by(name, buf_str(&l->names));
        meant_all = meant_all && meant.len > 0 && name_is_classic(meant, false);
        buf_add(mended, at, (size_t)(name.at - at));
        buf_add_str(mended, meant);
        at = name.at + name.len;
    }
    buf_add(mended, at, (size_t)(text.at + text.len - at));
    if (!meant_all)
        buf_clear(mended);
    return wrong;
}
