/* guard_read: PromQL as far as cost needs it. A lexer that keeps the open parentheses on a stack:
 * each knows whether it is an aggregation's, a function's or plain, and which selectors are in it.
 */
#include "worker/tools/prometheus/guard.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/prometheus/extent.h"
#include "worker/tools/prometheus/grow.h"
#include "worker/tools/prometheus/name.h"
#include "worker/tools/sax.h"
#include "worker/tools/text.h"
#include "worker/tools/prometheus/with.h"

enum { NESTING_MAX = 64, LOOSE_WINDOW_MS = 86400000 };
enum paren { PLAIN, REDUCES, TOP, TRANSPARENT, INFO };

struct open {
    enum paren kind;
    unsigned first, sub; /* selector, subquery */
    struct str grouping; /* that stood before it */
    size_t inside;       /* offset of what follows the parenthesis */
    struct grow labels;
};
struct reader {
    struct guard_query *q;
    const char *text;
    size_t len, at;
    struct open open[NESTING_MAX];
    unsigned depth;
    bool operand;      /* the last token ended one */
    bool selector_end; /* it was a selector without a range */
    bool compare;      /* it was a comparison */
    bool binary;       /* an operator, and what may follow it, was last */
    bool matching;     /* it was on(…) or ignoring(…) */
    bool loose;        /* what is not known is passed over: guard_read */
    unsigned group;    /* first selector of what the last token ended */
    unsigned sub;      /* and its first subquery */
};

static bool refuse(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct reader *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->q->error, sizeof(r->q->error), format, args);
    va_end(args);
    return false;
}

static bool refuse_blanket(struct reader *r, struct str text)
{
    return refuse(r,
                  "Refused: the selector %.*s has neither a metric name nor an equality "
                  "matcher (label=\"value\"), so it could read every series there is. Name "
                  "the metric; list_metrics finds it.",
                  (int)(text.len < 120 ? text.len : 120), text.at);
}

static bool refuse_variable(struct reader *r)
{
    return refuse(r,
                  "Refused: the query has a variable that is not known here ($__rate_interval, "
                  "$__interval and $__range are). Write its value itself; a dashboard's panel is "
                  "run with its variables by run_panel.");
}

static char peek(const struct reader *r) { return r->at < r->len ? r->text[r->at] : '\0'; }

static void skip_blank(struct reader *r)
{
    while (r->at < r->len) {
        if (r->text[r->at] == '#')
            while (r->at < r->len && r->text[r->at] != '\n')
                r->at++;
        else if (isspace((unsigned char)r->text[r->at]))
            r->at++;
        else
            return;
    }
}

static bool ident_start(char c) { return with_ident_start(c); }

static struct str read_ident(struct reader *r)
{
    struct str ident = with_ident((struct str){r->text + r->at, r->len - r->at});
    r->at += ident.len;
    r->q->dotted = r->q->dotted || (ident.len > 0 && memchr(ident.at, '.', ident.len));
    return ident;
}

/* A word of the language: any case. */
static bool is(struct str word, const char *keyword)
{
    return word.len == strlen(keyword) && strncasecmp(word.at, keyword, word.len) == 0;
}

static bool is_one_of(struct str word, const char *const *keywords)
{
    for (; *keywords != NULL; keywords++)
        if (is(word, *keywords))
            return true;
    return false;
}

static struct str read_number(struct reader *r)
{
    size_t from = r->at;
    bool hex = r->len - r->at > 1 && r->text[from] == '0' && (r->text[from + 1] | 32) == 'x';
    while (r->at < r->len) {
        char c = r->text[r->at];
        bool exponent =
            !hex && (c == '+' || c == '-') && r->at > from && (r->text[r->at - 1] | 32) == 'e';
        if (!isalnum((unsigned char)c) && c != '.' && c != '_' && !exponent)
            break;
        r->at++;
    }
    return (struct str){r->text + from, r->at - from};
}

/* The string's inside, as written. */
static bool read_string(struct reader *r, struct str *inside)
{
    char quote = r->text[r->at++];
    size_t from = r->at;
    while (r->at < r->len && r->text[r->at] != quote) {
        if (quote != '`' && r->text[r->at] == '\\')
            r->at++;
        else if (quote != '`' && r->text[r->at] == '\n')
            return refuse(r, "Not valid PromQL: a string goes over the end of its line.");
        r->at++;
    }
    if (r->at >= r->len)
        return refuse(r, "Not valid PromQL: a string has no closing %c.", quote);
    *inside = (struct str){r->text + from, r->at - from};
    r->at++;
    return true;
}

/* The last three are MetricsQL's. */
static const char *const word_operators[] = {"and",     "or", "unless", "atan2",
                                             "default", "if", "ifnot",  NULL};

/* ---- selectors ---- */

/* One matcher, or a metric's quoted name. */
static bool read_matcher(struct reader *r, bool *selects)
{
    struct str label = {0}, value = {0};
    bool quoted = with_quote(peek(r));
    if (quoted) {
        if (!read_string(r, &label))
            return false;
    } else if (ident_start(peek(r))) {
        label = read_ident(r);
    } else {
        return refuse(r, "Not valid PromQL: a label name was expected between the braces.");
    }
    skip_blank(r);
    if (quoted && (peek(r) == ',' || peek(r) == '}')) {
        *selects = *selects || label.len > 0;
        return true;
    }
    if (r->q->with.text.len > 0 && !quoted && peek(r) != '=' && peek(r) != '!') {
        *selects = *selects || !r->q->with.open; /* filters by their template's name */
        return true;
    }
    char first = peek(r), second = r->at + 1 < r->len ? r->text[r->at + 1] : '\0';
    bool equal = first == '=' && second != '~' && second != '=';
    if (!equal && !(first == '=' && second == '~') &&
        !(first == '!' && (second == '=' || second == '~')))
        return refuse(r,
                      "Not valid PromQL: after the label \"%.*s\" one of = != =~ !~ was "
                      "expected.",
                      (int)(label.len < 60 ? label.len : 60), label.at);
    r->at += equal ? 1 : 2;
    skip_blank(r);
    if (!with_quote(peek(r)))
        return refuse(r,
                      "Not valid PromQL: the value of the label \"%.*s\" must be a quoted "
                      "string.",
                      (int)(label.len < 60 ? label.len : 60), label.at);
    if (!read_string(r, &value))
        return false;
    bool lists = first == '=' && second == '~' && str_is(label, "__name__") && name_is_list(value);
    *selects = *selects || lists || (equal && value.len > 0); /* ="" matches where it is not */
    return true;
}

/* a="b" or c="d": each of the alternatives must select. */
static bool read_or(struct reader *r)
{
    size_t from = r->at;
    if (is(read_ident(r), "or"))
        return true;
    r->at = from;
    return false;
}

static bool read_braces(struct reader *r, bool *selects)
{
    bool named = *selects, all = true;
    r->at++; /* { */
    for (;;) {
        skip_blank(r);
        if (peek(r) == '}') {
            r->at++;
            *selects = *selects && all;
            return true;
        }
        if (r->at >= r->len)
            return refuse(r, "Not valid PromQL: a { has no closing }.");
        if (!read_matcher(r, selects))
            return false;
        skip_blank(r);
        if (peek(r) == ',') {
            r->at++;
        } else if (read_or(r)) {
            all = all && *selects;
            *selects = named;
        } else if (peek(r) != '}')
            return refuse(r, "Not valid PromQL: matchers are separated by commas and end with }.");
    }
}

static bool read_selector(struct reader *r, size_t from, bool named)
{
    struct guard_query *q = r->q;
    bool selects =
        named && !(q->with.open && with_has(&q->with, (struct str){r->text + from, r->at - from}));
    size_t after_name = r->at;
    skip_blank(r);
    if (peek(r) != '{')
        r->at = after_name;
    else if (!read_braces(r, &selects))
        return false;
    struct str text = {r->text + from, r->at - from};
    if (!selects)
        return refuse_blanket(r, text);
    if (q->selector_count == GUARD_SELECTORS_MAX)
        return refuse(r, "Refused: the query has more than %d selectors. Ask for less at once.",
                      GUARD_SELECTORS_MAX);
    r->group = q->selector_count;
    r->sub = q->subquery_count;
    q->selectors[q->selector_count++] =
        (struct guard_selector){.text = text, .series = -1, .groups = -1};
    r->operand = r->selector_end = true;
    return true;
}

/* Around those inside of it; with none inside it is the innermost. */
static bool add_subquery(struct reader *r, int64_t range_ms, int64_t step_ms)
{
    struct guard_query *q = r->q;
    if (r->sub == q->subquery_count) {
        if (q->subquery_count == GUARD_SUBQUERIES_MAX)
            return refuse(r,
                          "Refused: the query has more than %d subqueries. Ask for less at once.",
                          GUARD_SUBQUERIES_MAX);
        q->subqueries[q->subquery_count++] = (struct guard_subquery){.step_ms = INT64_MAX};
    }
    for (unsigned i = r->sub; i < q->subquery_count; i++) {
        struct guard_subquery *s = &q->subqueries[i];
        s->fixed = false; /* it may be evaluated again at each point of this one */
        s->range_ms += range_ms;
        s->own_step = s->own_step || step_ms == 0;
        s->step_ms = step_ms > 0 && step_ms < s->step_ms ? step_ms : s->step_ms;
    }
    return true;
}

/* MetricsQL takes [1d] over any expression, and evaluates it at each of the query's own steps; what
 * looks like a selector may be a template's name for one. */
static bool is_of_expression(const struct reader *r)
{
    const struct guard_query *q = r->q;
    if (!r->selector_end || q->selector_count == 0)
        return true;
    struct str rest = q->selectors[q->selector_count - 1].text, name;
    str_split(&rest, '{', &name);
    return q->with.text.len > 0 && with_has(&q->with, str_trim(name));
}

/* [5m] after a selector, [1h:1m] after anything. */
static bool read_brackets(struct reader *r)
{
    struct guard_query *q = r->q;
    size_t from = ++r->at;
    const char *close = memchr(r->text + from, ']', r->len - from);
    if (close == NULL || !r->operand)
        return refuse(r, close ? "Not valid PromQL: a [ stands where no range can be."
                               : "Not valid PromQL: a [ has no closing ].");
    struct str inside = {r->text + from, (size_t)(close - r->text) - from}, range = {NULL, 0};
    bool subquery = memchr(inside.at, ':', inside.len) != NULL;
    int64_t window, step = GUARD_SUBQUERY_STEP_MS;
    r->at = (size_t)(close - r->text) + 1;
    str_split(&inside, ':', &range);
    inside = str_trim(inside);
    if (memchr(r->text + from, '$', (size_t)(close - r->text) - from))
        return refuse_variable(r);
    if (r->loose && !subquery && !extent_read(range, EXTENT_LONG, &window))
        window = LOOSE_WINDOW_MS;
    else if (!extent_read(range, EXTENT_LONG, &window) || window <= 0 ||
             (subquery && inside.len > 0 &&
              (!extent_read(inside, EXTENT_SHORT, &step) || step <= 0)))
        return refuse(r, "Refused: a range in brackets must be durations, as in [5m], [5m*2] or "
                         "[1h:1m].");
    if (!subquery && !r->selector_end && !r->loose)
        return refuse(r,
                      "Not valid PromQL: [%.*s] can only follow a selector; over an expression "
                      "write a subquery, as in [%.*s:1m].",
                      (int)(range.len < 40 ? range.len : 40), range.at,
                      (int)(range.len < 40 ? range.len : 40), range.at);
    for (unsigned i = r->group; i < q->selector_count; i++) {
        struct guard_selector *s = &q->selectors[i];
        s->window_ms += window;
        if (!subquery)
            continue;
        s->fixed = false;
        s->sub_ms += window;
        if (s->step_ms == 0 || step < s->step_ms)
            s->step_ms = step;
    }
    bool of_expression = is_of_expression(r);
    r->selector_end = false;
    return (!subquery && !of_expression) || add_subquery(r, window, subquery ? step : 0);
}

/* ---- modifiers: offset 5m, @ 1609746000, @ start() ---- */

static void modify(struct reader *r, size_t from, bool offset)
{
    struct str text = {r->text + from, r->at - from};
    for (unsigned i = r->group; i < r->q->selector_count; i++) {
        struct str *to = offset ? &r->q->selectors[i].offset : &r->q->selectors[i].at;
        if (to->len == 0)
            *to = text;
        r->q->selectors[i].fixed = r->q->selectors[i].fixed || !offset;
    }
    for (unsigned i = r->sub; i < r->q->subquery_count; i++)
        r->q->subqueries[i].fixed = r->q->subqueries[i].fixed || !offset;
}

/* To its closing parenthesis; what it holds is duration expressions alone. */
static bool skip_parentheses(struct reader *r)
{
    unsigned depth = 0;
    while (r->at < r->len) {
        char c = r->text[r->at++];
        depth += c == '(';
        if (c == ')' && --depth == 0)
            return true;
    }
    return false;
}

/* offset 5m, offset -300, offset step(), offset -(5m * 2) */
static bool read_offset(struct reader *r, size_t from)
{
    int64_t ms;
    bool closed = true;
    skip_blank(r);
    if (peek(r) == '-' || peek(r) == '+')
        r->at++;
    skip_blank(r);
    size_t at = r->at;
    if (ident_start(peek(r)))
        read_ident(r);
    else if (peek(r) != '(')
        read_number(r);
    size_t after = r->at;
    skip_blank(r);
    if (peek(r) == '(' && (r->at == at || ident_start(r->text[at])))
        closed = skip_parentheses(r);
    else
        r->at = after;
    if (!closed || !extent_read((struct str){r->text + at, r->at - at}, EXTENT_LONG, &ms))
        return refuse(r, "Not valid PromQL: offset needs a duration, as in offset 5m.");
    modify(r, from, true);
    return true;
}

/* A number with its sign: 1e9, 1_700_000_000, 0x1F, Inf, -NaN */
static bool read_signed(struct reader *r)
{
    if (peek(r) == '-' || peek(r) == '+')
        r->at++;
    skip_blank(r);
    struct str text = ident_start(peek(r)) ? read_ident(r) : read_number(r);
    return is(text, "inf") || is(text, "nan") ||
           (text.len > 0 && (isdigit((unsigned char)text.at[0]) || text.at[0] == '.'));
}

static bool read_at(struct reader *r)
{
    size_t from = r->at++;
    skip_blank(r);
    if (peek(r) == '(') { /* MetricsQL: a number that is worked out */
        if (!skip_parentheses(r))
            return refuse(r, "Not valid PromQL: a ( has no closing ).");
    } else if (ident_start(peek(r))) {
        struct str word = read_ident(r);
        skip_blank(r);
        if ((!is(word, "start") && !is(word, "end")) || peek(r) != '(')
            return refuse(r, "Not valid PromQL: @ needs a Unix time, start() or end().");
        r->at++;
        skip_blank(r);
        if (peek(r) != ')')
            return refuse(r, "Not valid PromQL: @ needs a Unix time, start() or end().");
        r->at++;
    } else if (!read_signed(r)) {
        return refuse(r, "Not valid PromQL: @ needs a Unix time, start() or end().");
    }
    if (!r->operand)
        return refuse(r, "Not valid PromQL: @ must follow a selector or a subquery.");
    modify(r, from, false);
    return true;
}

/* ---- parentheses ---- */

/* A list of labels: (a, "b"); the text from `from` to its end by list. */
static bool read_list(struct reader *r, size_t from, struct str *list)
{
    struct str ignored;
    unsigned count = 0;
    r->at++; /* ( */
    for (skip_blank(r); peek(r) != ')'; skip_blank(r)) {
        if (with_quote(peek(r))) {
            if (!read_string(r, &ignored))
                return false;
        } else if (ident_start(peek(r))) {
            read_ident(r);
        } else if (peek(r) == '*' && count == 0) { /* MetricsQL: all labels */
            r->at++;
        } else if (peek(r) == ',' && count > 0) {
            r->at++;
            continue;
        } else {
            return refuse(r, "Not valid PromQL: a list of label names was expected.");
        }
        count++;
    }
    r->at++;
    *list = (struct str){r->text + from, count > 0 ? r->at - from : 0};
    return true;
}

/* fill(0), fill_left(-1): what has no partner is taken for this value, so that all of both sides
 * come out. */
static bool read_fill(struct reader *r)
{
    r->at++; /* ( */
    skip_blank(r);
    bool ok = read_signed(r);
    skip_blank(r);
    if (!ok || peek(r) != ')')
        return refuse(r, "Not valid PromQL: fill needs one number, as in fill(0).");
    r->at++;
    r->q->has_or = true;
    return true;
}

static bool push(struct reader *r, enum paren kind, struct str grouping)
{
    if (r->depth == NESTING_MAX)
        return refuse(r, "Refused: the query has more than %d parentheses in each other.",
                      NESTING_MAX);
    r->at++;
    r->open[r->depth++] = (struct open){.kind = kind,
                                        .first = r->q->selector_count,
                                        .sub = r->q->subquery_count,
                                        .grouping = grouping,
                                        .inside = r->at};
    r->operand = r->selector_end = r->binary = false;
    return true;
}

static void reduce(struct reader *r, const struct open *o)
{
    double k = 1;
    if (o->kind == TOP) {
        struct str argument, rest = {r->text + o->inside, r->at - o->inside};
        double most = o->grouping.len > 0 ? 20 : 1000;
        if (!str_split(&rest, ',', &argument) || !sax_double(str_trim(argument), &k) || k > most)
            return;
    }
    for (unsigned i = o->first; i < r->q->selector_count; i++) {
        struct guard_selector *s = &r->q->selectors[i];
        if (o->grouping.len == 0) {
            s->shape = GUARD_ONE;
        } else if (s->shape != GUARD_ONE) {
            s->shape = GUARD_GROUPED;
            s->grouping = o->grouping;
        }
    }
}

static bool grouping_word(struct str word) { return is(word, "by") || is(word, "without"); }

/* sum(x) by (a) limit 5 (MetricsQL): less comes out, as much is read. */
static void read_limit(struct reader *r)
{
    size_t from = r->at;
    skip_blank(r);
    bool limit = is(read_ident(r), "limit");
    skip_blank(r);
    if (!limit || !isdigit((unsigned char)peek(r)))
        r->at = from;
    else
        read_number(r);
}

static void note_string(struct reader *r, struct str inside)
{
    for (unsigned i = 0; i < r->depth; i++)
        grow_string(&r->open[i].labels, inside);
}

static bool bound_labels(struct reader *r, const struct open *o)
{
    uint64_t bytes = grow_bytes(&o->labels);
    if (bytes > GROW_BYTES_MAX)
        return refuse(r,
                      "Refused: label_join or label_replace in each other could make labels of "
                      "more than %d bytes. Join fewer labels.",
                      GROW_BYTES_MAX);
    if (r->depth > 0)
        grow_around(&r->open[r->depth - 1].labels, bytes);
    return true;
}

static bool pop(struct reader *r)
{
    if (r->depth == 0)
        return refuse(r, "Not valid PromQL: a ) has no opening (.");
    struct open *o = &r->open[--r->depth];
    r->at++;
    if (o->kind == REDUCES || o->kind == TOP) {
        size_t after = r->at;
        skip_blank(r);
        size_t from = r->at;
        struct str word = read_ident(r);
        skip_blank(r);
        if (!grouping_word(word) || peek(r) != '(')
            r->at = after;
        else if (!read_list(r, from, &o->grouping))
            return false;
        read_limit(r);
        reduce(r, o);
    }
    r->group = o->first;
    r->sub = o->sub;
    r->operand = true;
    r->selector_end = false;
    return bound_labels(r, o);
}

/* ---- words ---- */

static bool read_call(struct reader *r, struct str word)
{
    static const char *const reducing[] = {"sum",   "avg",    "min",    "max",      "count",
                                           "group", "stddev", "stdvar", "quantile", NULL};
    static const char *const top[] = {"topk", "bottomk", "limitk", NULL};
    static const char *const other[] = {"count_values", "limit_ratio", NULL};
    static const char *const single[] = {"absent", "absent_over_time", "scalar", NULL};
    enum paren kind = is_one_of(word, reducing) ? REDUCES
                      : is_one_of(word, top)    ? TOP
                      : is_one_of(word, other)  ? TRANSPARENT
                      : is(word, "info")        ? INFO
                                                : PLAIN;
    struct str grouping = {NULL, 0};
    size_t after = r->at;
    skip_blank(r);
    size_t from = r->at;
    if (kind != PLAIN && kind != INFO && ident_start(peek(r))) {
        struct str by = read_ident(r);
        skip_blank(r);
        if (grouping_word(by) && peek(r) == '(') {
            if (!read_list(r, from, &grouping))
                return false;
            skip_blank(r);
        }
    }
    if (peek(r) == '(' && r->q->with.open && with_has(&r->q->with, word))
        return refuse_blanket(r, word);
    if (peek(r) == '(') {
        if (!push(r, kind == PLAIN && is_one_of(word, single) ? REDUCES : kind, grouping))
            return false;
        grow_call(&r->open[r->depth - 1].labels, word);
        return true;
    }
    r->at = after; /* a metric that is named like a function */
    return read_selector(r, (size_t)(word.at - r->text), true);
}

/* group_left(*) prefix "a_" (MetricsQL) */
static bool read_prefix(struct reader *r)
{
    struct str ignored;
    size_t after = r->at;
    skip_blank(r);
    bool prefix = is(read_ident(r), "prefix");
    skip_blank(r);
    if (prefix && with_quote(peek(r)))
        return read_string(r, &ignored);
    r->at = after;
    return true;
}

static bool read_word(struct reader *r)
{
    static const char *const lists[] = {"on", "ignoring", "group_left", "group_right", NULL};
    static const char *const fills[] = {"fill", "fill_left", "fill_right", NULL};
    static const char *const reach[] = {"anchored", "smoothed", "keep_metric_names", NULL};
    size_t from = r->at;
    struct str word = read_ident(r), ignored;
    size_t after = r->at;
    if (r->operand && is_one_of(word, word_operators)) {
        r->q->has_or = r->q->has_or || is(word, "or") || is(word, "default");
        r->operand = r->selector_end = false;
        r->binary = true;
        return true;
    }
    if (r->operand && is(word, "offset") && !r->loose)
        return read_offset(r, from);
    if (r->operand && is_one_of(word, reach))
        return true; /* which samples beside the window count, what the result is called */
    if (r->operand && !r->loose)
        return refuse(r, "Not valid PromQL: an operator was expected before \"%.*s\".",
                      (int)(word.len < 60 ? word.len : 60), word.at);
    if (r->compare && is(word, "bool"))
        return true;
    skip_blank(r);
    if (r->loose && r->operand && peek(r) != '(' && peek(r) != '{' && peek(r) != '[') {
        r->operand = r->selector_end = false; /* some operator or modifier */
        return true;
    }
    bool matched = r->matching;
    r->matching = false;
    if (is_one_of(word, lists) && peek(r) == '(') {
        r->matching = is(word, "on") || is(word, "ignoring");
        return read_list(r, from, &ignored) && read_prefix(r);
    }
    if (is_one_of(word, fills) && peek(r) == '(' && r->binary)
        return read_fill(r);
    if (matched && (is(word, "group_left") || is(word, "group_right")))
        return true; /* without a list */
    r->at = after;
    if ((is(word, "inf") || is(word, "nan")) && peek(r) != '{' && peek(r) != '(') {
        r->operand = true;
        r->group = r->q->selector_count;
        r->sub = r->q->subquery_count;
        return true;
    }
    return read_call(r, word);
}

/* The second argument of info() says which info metrics count and which of their labels are added:
 * it selects no series of the query's own. */
static bool read_info_filter(struct reader *r)
{
    bool ignored = false;
    if (r->depth == 0 || r->open[r->depth - 1].kind != INFO)
        return true;
    skip_blank(r);
    if (peek(r) != '{')
        return true;
    r->operand = true;
    return read_braces(r, &ignored);
}

static bool read_operator(struct reader *r)
{
    static const char *const operators[] = {"==", "!=", ">=", "<=", ">/", "</", ">", "<",
                                            "+",  "-",  "*",  "/",  "%",  "^",  ",", NULL};
    for (size_t i = 0; operators[i] != NULL; i++) {
        size_t len = strlen(operators[i]);
        if (r->len - r->at < len || memcmp(r->text + r->at, operators[i], len) != 0)
            continue;
        bool sign = operators[i][0] == '-' || operators[i][0] == '+';
        if (!r->operand && !sign && !r->loose)
            return refuse(r, "Not valid PromQL: a value was expected before \"%s\".", operators[i]);
        r->at += len;
        r->operand = r->selector_end = false;
        r->compare = i < 8;
        r->binary = operators[i][0] != ',';
        if (!r->binary && r->depth > 0)
            r->open[r->depth - 1].labels.commas++;
        r->q->has_or = r->q->has_or || !r->binary; /* union(a, b) */
        return operators[i][0] != ',' || read_info_filter(r);
    }
    char c = peek(r);
    if (c == '$')
        return refuse_variable(r);
    if (r->loose) {
        r->at++;
        r->operand = r->selector_end = false;
        return true;
    }
    return refuse(r, "Not valid PromQL: \"%c\" is not expected here.",
                  c >= 0x20 && c < 0x7f ? c : '?');
}

static bool read_literal(struct reader *r)
{
    struct str inside = {NULL, 0};
    bool string = with_quote(peek(r));
    if (r->operand && !r->loose)
        return refuse(r, "Not valid PromQL: an operator was expected before a %s.",
                      string ? "string" : "number");
    if (string && !read_string(r, &inside))
        return false;
    if (string)
        note_string(r, inside);
    else
        read_number(r);
    r->operand = true;
    r->selector_end = false;
    r->group = r->q->selector_count;
    r->sub = r->q->subquery_count;
    return true;
}

static bool read_token(struct reader *r)
{
    char c = peek(r), next = r->at + 1 < r->len ? r->text[r->at + 1] : '\0';
    if (ident_start(c))
        return read_word(r);
    if (isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)next)) || with_quote(c))
        return read_literal(r);
    if ((c == '{' || c == '(') && r->operand && !r->loose)
        return refuse(r, "Not valid PromQL: an operator was expected before \"%c\".", c);
    switch (c) {
    case '{':
        return read_selector(r, r->at, false);
    case '[':
        return read_brackets(r);
    case '(':
        return push(r, PLAIN, (struct str){NULL, 0});
    case ')':
        return pop(r);
    case '@':
        return read_at(r);
    default:
        return read_operator(r);
    }
}

static bool read_all(struct reader *r)
{
    if (r->q->text.len == 0)
        return refuse(r, "The query is empty.");
    if (with_ends_in_escape(r->q->text))
        return refuse(r, "Not valid PromQL: the query ends in a backslash that escapes nothing.");
    if (!with_read(&r->q->with, r->q->text))
        return refuse(r, "Not valid PromQL: the ( of WITH has no closing ).");
    static const char *const ours[] = {"count", "label_replace", "topk", NULL};
    for (size_t i = 0; ours[i] != NULL; i++)
        if (with_defines(&r->q->with, ours[i]))
            return refuse(r, "Refused: a template must not be called %s.", ours[i]);
    r->at = r->q->with.text.len;
    for (skip_blank(r); r->at < r->len; skip_blank(r))
        if (!read_token(r))
            return false;
    if (r->depth > 0)
        return refuse(r, "Not valid PromQL: a ( has no closing ).");
    if (!r->operand && !r->loose)
        return refuse(r, "Not valid PromQL: the query ends where a value was expected.");
    return true;
}

bool guard_read(struct guard_query *q, struct str query)
{
    *q = (struct guard_query){.text = str_trim(query)};
    struct reader r = {.q = q, .text = q->text.at, .len = q->text.len};
    return read_all(&r);
}

bool guard_read_loosely(struct guard_query *q, struct str query)
{
    char strict[GUARD_ERROR_MAX];
    memcpy(strict, q->error, sizeof(strict));
    *q = (struct guard_query){.text = str_trim(query), .has_or = true, .loose = true};
    struct reader r = {.q = q, .text = q->text.at, .len = q->text.len, .loose = true};
    if (!read_all(&r))
        return false;
    for (unsigned i = 0; i < q->selector_count; i++)
        q->selectors[i].shape = GUARD_WHOLE;
    if (q->selector_count > 0)
        return true;
    memcpy(q->error, strict, sizeof(strict)); /* nothing that could be counted */
    return false;
}
