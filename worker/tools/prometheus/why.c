#include "worker/tools/prometheus/why.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/duration.h"
#include "common/json.h"
#include "worker/tools/items.h"
#include "worker/tools/moment.h"
#include "worker/tools/prometheus/tokens.h"
#include "worker/tools/sax.h"
#include "worker/tools/source.h"
#include "worker/tools/text.h"

/* The label that tells our rows apart: no real one begins so. */
#define MARK "__persai_side"

enum {
    SELECTORS_MAX = 4,
    LABELS_MAX = 24,
    QUERY_BYTES_MAX = 16 * 1024,
    FORM_BYTES_MAX = 64 * 1024,
    NOTES_BYTES_MAX = 4096,
    NOTE_BYTES_MAX = 3000,
    TIMEOUT_MS = 5000,
    LONG_MS = 3600000,
};

struct side {
    char *labels[LABELS_MAX];
    unsigned count;
    bool found;
};
struct why {
    struct tool_run *run;
    const struct guard_query *query;
    struct guard_range range; /* few points of the query's time */
    why_fn *fn;
    void *arg;
    struct source_request ask;
    struct items items;
    struct buf notes;
    struct tokens *tokens;
    unsigned operator; /* token, or 0 */
    struct str left, right;
    struct str before, behind; /* of the query, around the part that the operator is of */
    double window[SELECTORS_MAX], hour[SELECTORS_MAX], left_count, right_count;
    struct side sides[2];
};

static void ask(struct why *w, struct buf *query, items_fn *fn,
                void (*on_end)(void *arg, enum source_outcome outcome));
static bool on_count(void *arg, unsigned path, struct str key, json_t *item);
static void on_counts(void *arg, enum source_outcome outcome);
static bool on_side(void *arg, unsigned path, struct str key, json_t *item);
static void on_sides(void *arg, enum source_outcome outcome);

void why_free(struct why *w)
{
    if (!w)
        return;
    source_request_free(&w->ask);
    items_free(&w->items);
    buf_free(&w->notes);
    for (unsigned s = 0; s < 2; s++)
        for (unsigned i = 0; i < w->sides[s].count; i++)
            free(w->sides[s].labels[i]);
    free(w->tokens);
    free(w);
}

static void done(struct why *w) { w->fn(w->arg, buf_str(&w->notes)); }

__attribute__((format(printf, 2, 3))) static void note(struct why *w, const char *format, ...)
{
    char text[NOTE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (w->notes.len > 0)
        buf_putc(&w->notes, ',');
    text_json(&w->notes, str_of(text), sizeof(text));
}

/* ---- counts: of each window's samples, and of both sides ---- */

static void add(struct buf *query, const char *format, struct str text, const char *name,
                unsigned number)
{
    buf_puts(query, query->len > 0 ? " or label_replace(" : "label_replace(");
    buf_puts(query, format);
    buf_putc(query, '(');
    buf_add_str(query, text);
    buf_printf(query, ")%s, \"" MARK "\", \"%s%u\", \"\", \"\")", strchr(format, '(') ? ")" : "",
               name, number);
}

static void add_windows(struct why *w, struct buf *query)
{
    for (unsigned i = 0; i < w->query->selector_count && i < SELECTORS_MAX; i++) {
        const struct guard_selector *s = &w->query->selectors[i];
        if (s->window_ms <= 0 || s->sub_ms > 0 || s->offset.len > 0 || s->at.len > 0)
            continue;
        scoped_buf(text, QUERY_BYTES_MAX);
        buf_add_str(&text, s->text);
        buf_printf(&text, "[%s]", duration_write(s->window_ms));
        add(query, "max(count_over_time", buf_str(&text), "w", i);
        text.len -= strlen(duration_write(s->window_ms)) + 2;
        buf_puts(&text, "[1h]");
        add(query, "max(count_over_time", buf_str(&text), "h", i);
    }
}

static bool calculates(const struct token *k)
{
    return k->kind == TOKEN_OPERATOR && k->text.len == 1 && strchr("+-*/%^", k->text.at[0]) != NULL;
}

/* 100 * (1 - a / b): what is calculated with a number is empty when the rest is. */
static void find_part(struct why *w)
{
    enum { PARTS_MAX = 8 };
    struct tokens *t = w->tokens;
    struct str whole = t->query;
    for (unsigned i = 0; i < PARTS_MAX && t->whole && t->count > 2; i++) {
        unsigned op = tokens_top_operator(t);
        bool left = op == 1 && t->all[0].kind == TOKEN_NUMBER;
        bool right = op + 2 == t->count && t->all[op + 1].kind == TOKEN_NUMBER;
        if (token_opens(&t->all[0], '(') && t->all[0].pair + 1 == t->count)
            tokens_read(t, tokens_text(t, 1, t->count - 2));
        else if (op > 0 && calculates(&t->all[op]) && (left || right))
            tokens_read(t, left ? tokens_text(t, op + 1, t->count - 1) : tokens_text(t, 0, op - 1));
        else
            break;
    }
    const char *end = t->query.at + t->query.len;
    w->before = (struct str){whole.at, (size_t)(t->query.at - whole.at)};
    w->behind = (struct str){end, (size_t)(whole.at + whole.len - end)};
}

struct why *why_new(struct tool_run *r, const struct guard_query *q,
                    const struct guard_range *range, why_fn *fn, void *arg)
{
    struct why *w = xcalloc(1, sizeof(*w));
    w->run = r;
    w->query = q;
    w->fn = fn;
    w->arg = arg;
    buf_init(&w->notes, NOTES_BYTES_MAX);
    guard_count_range(q, range, &w->range);
    w->tokens = xcalloc(1, sizeof(*w->tokens));
    tokens_read(w->tokens, q->text);
    find_part(w);
    w->operator= w->tokens->whole && q->with.text.len == 0 ? tokens_top_operator(w->tokens) : 0;
    scoped_buf(query, QUERY_BYTES_MAX);
    add_windows(w, &query);
    if (w->operator> 0) {
        unsigned second = w->operator+ 1;
        while (token_is(&w->tokens->all[second], "bool"))
            second++;
        w->left = tokens_text(w->tokens, 0, w->operator- 1);
        w->right = tokens_text(w->tokens, second, w->tokens->count - 1);
        add(&query, "count", w->left, "l", 0);
        bool matched = token_is(&w->tokens->all[second], "on") ||
                       token_is(&w->tokens->all[second], "ignoring");
        if (matched || token_is(&w->tokens->all[w->operator], "unless"))
            w->right.len = 0; /* what is matched by hand is not mended */
        else if (w->tokens->all[second].kind != TOKEN_NUMBER)
            add(&query, "count", w->right, "r", 0);
    }
    if (query.len == 0 || query.overflowed)
        done(w);
    else
        ask(w, &query, on_count, on_counts);
    return w;
}

static bool on_piece(void *arg, struct str piece)
{
    return items_feed(&((struct why *)arg)->items, piece);
}

static void ask(struct why *w, struct buf *query, items_fn *fn,
                void (*on_end)(void *arg, enum source_outcome outcome))
{
    static const char *const path[] = {"data/result/*"};
    scoped_buf(form, FORM_BYTES_MAX);
    source_param(&form, "query", buf_str(query));
    source_param_time(&form, "start", w->range.start_ms);
    source_param_time(&form, "end", w->range.end_ms);
    source_param_time(&form, "step", w->range.step_ms);
    struct source_call call = {.method = "POST",
                               .api = "/api/v1/query_range",
                               .form = &form,
                               .timeout_ms = TIMEOUT_MS,
                               .trace = w->run->span.at};
    items_free(&w->items);
    items_init(&w->items, path, 1, fn, w);
    w->ask.on_piece = on_piece;
    w->ask.on_end = on_end;
    w->ask.arg = w;
    source_request(&w->ask, w->run->tools, w->run->door, w->run->token, &call);
}

/* The highest of a row's values. */
static double highest(const json_t *item)
{
    double most = 0, value;
    size_t i;
    json_t *pair;
    json_array_foreach(json_object_get(item, "values"), i, pair)
    {
        if (sax_double(json_text(json_array_get(pair, 1)), &value) && value > most)
            most = value;
    }
    return most;
}

static bool on_count(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct why *w = arg;
    struct str mark = item_str(json_object_get(item, "metric"), MARK);
    uint64_t index;
    if (mark.len < 2 || !str_u64(str_skip(mark, 1), SELECTORS_MAX - 1, &index))
        return true;
    double value = highest(item);
    if (mark.at[0] == 'w')
        w->window[index] = value;
    else if (mark.at[0] == 'h')
        w->hour[index] = value;
    else
        *(mark.at[0] == 'l' ? &w->left_count : &w->right_count) = value;
    return true;
}

/* True: it is said. */
static bool note_window(struct why *w)
{
    for (unsigned i = 0; i < w->query->selector_count && i < SELECTORS_MAX; i++) {
        const struct guard_selector *s = &w->query->selectors[i];
        if (s->window_ms <= 0 || !(w->hour[i] >= 2) || w->window[i] >= 2)
            continue;
        int64_t each_ms = moment_step((int64_t)(LONG_MS / w->hour[i]));
        int64_t window_ms = moment_step(4 * each_ms);
        struct str window = str_of(duration_write(s->window_ms));
        scoped_buf(mended, QUERY_BYTES_MAX);
        const char *at =
            memchr(s->text.at + s->text.len, '[',
                   (size_t)(w->query->text.at + w->query->text.len - (s->text.at + s->text.len)));
        const char *end =
            at ? memchr(at, ']', (size_t)(w->query->text.at + w->query->text.len - at)) : NULL;
        if (!end)
            return false;
        buf_add(&mended, w->query->text.at, (size_t)(at - w->query->text.at));
        buf_printf(&mended, "[%s", duration_write(window_ms));
        buf_add(&mended, end, (size_t)(w->query->text.at + w->query->text.len - end));
        note(
            w,
            "The window [%.*s] holds fewer than two samples of %.*s, which has one about every %s: "
            "rate() and its like need at least two, better four. Try: %s",
            (int)window.len, window.at, (int)(s->text.len < 120 ? s->text.len : 120), s->text.at,
            duration_write(each_ms), buf_cstr(&mended));
        return true;
    }
    return false;
}

static bool compares(const struct token *k)
{
    static const char *const operators[] = {"==", "!=", "<", ">", "<=", ">="};
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (k->kind == TOKEN_OPERATOR && str_is(k->text, operators[i]))
            return true;
    return false;
}

static void on_counts(void *arg, enum source_outcome outcome)
{
    struct why *w = arg;
    const struct token *op = &w->tokens->all[w->operator];
    if (outcome != SOURCE_WHOLE || note_window(w) || w->operator== 0) {
        done(w);
        return;
    }
    bool both = w->left_count > 0 && w->right_count > 0 && w->right.len > 0;
    if (!both && compares(op) && w->left_count > 0) {
        note(w,
             "%s series on the left, and none passes the comparison (%.*s …): " WHY_NONE_PASSES ".",
             text_count(w->left_count), (int)op->text.len, op->text.at);
    } else if (both && !token_is(op, "or")) {
        scoped_buf(query, QUERY_BYTES_MAX);
        add(&query, "topk(1, ", w->left, "l", 0);
        add(&query, "topk(1, ", w->right, "r", 0);
        if (!query.overflowed) {
            ask(w, &query, on_side, on_sides);
            return;
        }
    }
    done(w);
}

/* ---- two sides that do not match ---- */

static bool on_side(void *arg, unsigned path, struct str key, json_t *item)
{
    (void)path, (void)key;
    struct why *w = arg;
    json_t *metric = json_object_get(item, "metric"), *value;
    const char *name;
    struct side *s = &w->sides[str_is(item_str(metric, MARK), "r0")];
    if (s->found)
        return true;
    s->found = true;
    json_object_foreach(metric, name, value)
    {
        if (strncmp(name, "__", 2) != 0 && s->count < LABELS_MAX)
            s->labels[s->count++] = xstrdup(name);
    }
    return true;
}

static bool has(const struct side *s, const char *label)
{
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->labels[i], label) == 0)
            return true;
    return false;
}

/* Labels of one side that the other has (both), or lacks. */
static unsigned list(const struct side *s, const struct side *other, bool both, struct buf *b)
{
    unsigned count = 0;
    for (unsigned i = 0; i < s->count; i++)
        if (has(other, s->labels[i]) == both) {
            buf_puts(b, count++ > 0 ? ", " : "");
            text_clean(b, str_of(s->labels[i]), 80);
        }
    return count;
}

static void on_sides(void *arg, enum source_outcome outcome)
{
    struct why *w = arg;
    const struct side *l = &w->sides[0], *r = &w->sides[1];
    scoped_buf(common, 1024);
    scoped_buf(left, 1024);
    scoped_buf(right, 1024);
    if (outcome != SOURCE_WHOLE || !l->found || !r->found) {
        done(w);
        return;
    }
    list(l, r, true, &common);
    unsigned only_left = list(l, r, false, &left), only_right = list(r, l, false, &right);
    const struct token *op = &w->tokens->all[w->operator];
    bool set = token_is(op, "and") || token_is(op, "unless");
    if (only_left == 0 && only_right == 0) {
        note(w,
             "Both sides have series with the labels (%s), but none with the same values: see the "
             "values of each side.",
             buf_cstr(&common));
    } else if (only_left > 0 && only_right > 0 && common.len == 0) {
        note(w,
             "Both sides have series, but no label in common: the left has (%s), the right has "
             "(%s). Group both sides by the same labels, or one of them by none.",
             buf_cstr(&left), buf_cstr(&right));
    } else {
        const char *group = set || only_left + only_right == 0 ? ""
                            : only_left > 0                    ? " group_left ()"
                            : only_right > 0                   ? " group_right ()"
                                                               : "";
        note(w,
             "Both sides have series, but their labels differ, so that none match: only the left "
             "has (%s), only the right has (%s), both have (%s). Try: %.*s%.*s %.*s on (%s)%s "
             "%.*s%.*s",
             buf_cstr(&left), buf_cstr(&right), buf_cstr(&common), (int)w->before.len, w->before.at,
             (int)w->left.len, w->left.at, (int)op->text.len, op->text.at, buf_cstr(&common), group,
             (int)w->right.len, w->right.at, (int)w->behind.len, w->behind.at);
    }
    done(w);
}
