#include "worker/tools/prometheus/mend_calls.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/sax.h"
#include "worker/tools/text.h"

enum { TEXT_BYTES_MAX = 4096 };
#define SHORT(s) MENDING_SHORT(s)

static void mend_name(struct mending *m, unsigned at);
static void mend_percentile(struct mending *m, unsigned at);
static void mend_dots(struct mending *m, unsigned at);
static void mend_order(struct mending *m, unsigned at);
static void mend_parameter(struct mending *m, unsigned at);
static void mend_bare(struct mending *m, unsigned at);
static void mend_grouping(struct mending *m, unsigned at);
static void mend_number(struct mending *m, unsigned at);
static void mend_sorted(struct mending *m, unsigned at);

void mend_call(struct mending *m, unsigned at)
{
    mend_name(m, at);
    mend_percentile(m, at);
    mend_dots(m, at);
    mend_order(m, at);
    mend_parameter(m, at);
    mend_bare(m, at);
    mend_grouping(m, at);
    mend_number(m, at);
    mend_sorted(m, at);
}

/* ---- names ---- */

static const char functions[] =
    "abs absent absent_over_time acos acosh asin asinh atan atanh avg avg_over_time bottomk ceil "
    "changes clamp clamp_max clamp_min cos cosh count count_over_time count_values day_of_month "
    "day_of_week day_of_year days_in_month deg delta deriv double_exponential_smoothing exp floor "
    "group histogram_avg histogram_count histogram_fraction histogram_quantile histogram_stddev "
    "histogram_stdvar histogram_sum holt_winters hour idelta increase info irate label_join "
    "label_replace last_over_time limit_ratio limitk ln log10 log2 mad_over_time max max_over_time "
    "min min_over_time minute month pi predict_linear present_over_time quantile "
    "quantile_over_time rad rate resets round scalar sgn sin sinh sort sort_by_label "
    "sort_by_label_desc sort_desc sqrt stddev stddev_over_time stdvar stdvar_over_time sum "
    "sum_over_time tan tanh time timestamp topk vector year";

/* The function that a name is, in other letters, or is a slip of; empty: none, or it is not clear
 * which. ranged: it is given a range. */
static struct str nearest(struct str name, bool ranged)
{
    struct str rest = str_of(functions), one, found = {NULL, 0};
    unsigned least = name.len > 8   ? 3
                     : name.len > 3 ? 2
                                    : 1; /* fewer edits than these, for short */
    bool alone = true;
    while (name.len >= 3 && str_split(&rest, ' ', &one)) {
        if (one.len == name.len && strncasecmp(one.at, name.at, one.len) == 0)
            return one;
        unsigned distance = text_distance(name, one);
        struct token k = {.kind = TOKEN_WORD, .text = one};
        if (distance > least || (name.len <= 8 && distance > 1) || token_ranges(&k) != ranged)
            continue;
        alone = distance < least || found.len == 0;
        least = distance;
        found = one;
    }
    return alone ? found : (struct str){NULL, 0};
}

static bool is_function(const struct token *k)
{
    struct str rest = str_of(functions), one;
    while (str_split(&rest, ' ', &one))
        if (str_eq(one, k->text))
            return true;
    return token_aggregates(k); /* in any case */
}

static const char *table(const struct token *k)
{
    static const struct {
        const char *name, *is;
    } calls[] = {
#define CALL(name, is) {#name, #is},
#include "worker/tools/prometheus/mend_calls.def"
#undef CALL
    };
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (token_is(k, calls[i].name))
            return calls[i].is;
    return NULL;
}

/* Is it called, or does it group? "total" may be a metric's name. */
static bool is_called(const struct tokens *t, unsigned at)
{
    static const char *const no[] = {"by",          "without", "on",  "ignoring", "group_left",
                                     "group_right", "and",     "or",  "unless",   "offset",
                                     "bool",        "in",      "not", "atan2"};
    const struct token *k = &t->all[at];
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        if (token_is(k, no[i]))
            return false;
    unsigned before = at; /* by a, b, c (x) */
    while (before >= 2 && t->all[before - 1].kind == TOKEN_COMMA &&
           t->all[before - 2].kind == TOKEN_WORD)
        before -= 2;
    bool label = before > 0 &&
                 (token_is(&t->all[before - 1], "by") || token_is(&t->all[before - 1], "without"));
    return k->kind == TOKEN_WORD && !label && (token_opens(k + 1, '(') || token_is(k + 1, "by"));
}

/* "sum_by (a)", "avgby(a)": two words. */
static bool mend_joined(struct mending *m, const struct token *k)
{
    static const char *const ends[] = {"_by", "by", "_without"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t len = strlen(ends[i]);
        struct token first = *k;
        if (k->text.len <= len || !text_has(str_skip(k->text, k->text.len - len), str_of(ends[i])))
            continue;
        first.text.len -= len;
        if (!token_aggregates(&first))
            continue;
        scoped_buf(text, 64);
        buf_add_str(&text, first.text);
        buf_printf(&text, " %s", ends[i][0] == '_' ? ends[i] + 1 : ends[i]);
        mending_replace(m, k->text, buf_str(&text));
        mending_say(m, "It is two words: %s.", buf_cstr(&text));
        return true;
    }
    return false;
}

static void mend_name(struct mending *m, unsigned at)
{
    const struct token *k = &m->t->all[at];
    if (!is_called(m->t, at) || is_function(k) || mend_joined(m, k))
        return;
    const char *named = table(k);
    const struct token *last = &m->t->all[k[1].pair > at ? k[1].pair - 1 : at];
    struct str is = named ? str_of(named) : nearest(k->text, str_is(last->text, "]"));
    struct str whole = tokens_text(m->t, at, m->t->count - 1);
    bool selects = !named && at + 2 < m->t->count && k[2].kind == TOKEN_WORD &&
                   k[3].kind == TOKEN_OPERATOR;                            /* x(a="b") */
    bool lists = k[2].kind == TOKEN_STRING && !str_is(is, "count_values"); /* quantiles("l", … */
    if (is.len == 0 || selects || lists)
        return;
    if (str_is(is, "quantile") && text_has(whole, STR("_bucket")))
        is = STR("histogram_quantile");
    mending_replace(m, k->text, is);
    mending_say(m, "There is no %.*s(): it is %.*s().", SHORT(k->text), SHORT(is));
}

/* p95, p999; 0: it is none. */
static double percentile(struct str name)
{
    double percent;
    struct str digits = str_skip(name, 1);
    bool all = name.len >= 3 && name.len <= 4 && (name.at[0] | 32) == 'p' &&
               isdigit((unsigned char)digits.at[0]) && sax_double(digits, &percent);
    return all ? percent / pow(10, (double)digits.len) : 0;
}

/* p95(x), median(x), histogram_quantile(p95, x) */
static void mend_percentile(struct mending *m, unsigned at)
{
    const struct token *k = &m->t->all[at];
    double share = token_is(k, "median") ? 0.5 : k->kind == TOKEN_WORD ? percentile(k->text) : 0;
    bool given = at >= 2 && token_opens(k - 1, '(') && k[1].kind == TOKEN_COMMA;
    scoped_buf(text, 64);
    if (share > 0 && given && text_has(k[-2].text, STR("quantile"))) {
        buf_printf(&text, "%g", share);
        mending_replace(m, k->text, buf_str(&text));
        mending_say(m, "The quantile is a number: %s.", buf_cstr(&text));
    } else if (share > 0 && token_opens(k + 1, '(') && k[1].pair >= at + 3) {
        struct str whole = tokens_text(m->t, at, k[1].pair);
        bool buckets = text_has(whole, STR("_bucket"));
        buf_printf(&text, "%s(%g, ", buckets ? "histogram_quantile" : "quantile", share);
        mending_replace(m, tokens_text(m->t, at, at + 1), buf_str(&text));
        mending_say(m, "There is no %.*s(): it is %s…).", SHORT(k->text), buf_cstr(&text));
    }
}

/* http.server.duration */
static void mend_dots(struct mending *m, unsigned at)
{
    const struct token *k = &m->t->all[at];
    unsigned last;
    if (k->kind != TOKEN_WORD || memchr(k->text.at, '.', k->text.len) == NULL ||
        memchr(k->text.at, '\\', k->text.len) || !tokens_selector(m->t, at, &last))
        return;
    scoped_buf(text, TEXT_BYTES_MAX);
    for (size_t i = 0; i < k->text.len; i++)
        buf_putc(&text, k->text.at[i] == '.' ? '_' : k->text.at[i]);
    mending_replace(m, k->text, buf_str(&text));
    mending_say(m, "Names from OpenTelemetry mostly have _ here where they had dots.");
}

/* ---- parameters ---- */

/* topk(x, 5), histogram_quantile(x, 0.9), count_values(x, "v") */
static void mend_order(struct mending *m, unsigned at)
{
    static const char *const first[] = {
        "topk", "bottomk", "limitk", "histogram_quantile", "quantile", "quantile_over_time"};
    const struct token *k = m->t->all;
    bool known = false, named = token_is(&k[at], "count_values");
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        known = known || token_is(&k[at], first[i]);
    unsigned close = k[at + 1].pair;
    enum token_kind kind = named ? TOKEN_STRING : TOKEN_NUMBER;
    if ((!known && !named) || !token_opens(&k[at + 1], '(') || close < at + 5)
        return;
    if (k[close - 1].kind != kind || k[close - 2].kind != TOKEN_COMMA ||
        k[close - 2].depth != k[at + 1].depth + 1 || k[at + 2].kind == kind)
        return;
    scoped_buf(text, TEXT_BYTES_MAX);
    double share;
    bool percent = text_has(k[at].text, STR("quantile")) && sax_double(k[close - 1].text, &share) &&
                   share > 1 && share <= 100;
    if (percent)
        buf_printf(&text, "%.10g", share / 100);
    else
        buf_add_str(&text, k[close - 1].text);
    buf_puts(&text, ", ");
    buf_add_str(&text, tokens_text(m->t, at + 2, close - 3));
    mending_replace(m, tokens_text(m->t, at + 2, close - 1), buf_str(&text));
    mending_say(m, "The %s comes first in %.*s().", named ? "label" : "number", SHORT(k[at].text));
}

/* topk(x), topk 5 (x), topk(5)(x), count_values(x), histogram_quantile("0.9", x) */
static void mend_parameter(struct mending *m, unsigned at)
{
    const struct token *k = &m->t->all[at];
    bool top = token_is(k, "topk") || token_is(k, "bottomk"), values = token_is(k, "count_values");
    double q;
    if (top && k[1].kind == TOKEN_NUMBER && token_opens(k + 2, '(')) {
        scoped_buf(text, 64);
        buf_putc(&text, '(');
        buf_add_str(&text, k[1].text);
        buf_puts(&text, ", ");
        mending_replace(m, tokens_text(m->t, at + 1, at + 2), buf_str(&text));
        mending_say(m, "The number stands in the parentheses of %.*s().", SHORT(k->text));
    } else if (top && token_opens(k + 1, '(') && k[2].kind == TOKEN_NUMBER && k[1].pair == at + 3 &&
               token_opens(k + 4, '(')) {
        mending_replace(m, tokens_text(m->t, at + 3, at + 4), STR(", "));
        mending_say(m, "The number stands in the parentheses of %.*s().", SHORT(k->text));
    } else if ((token_is(k, "histogram_quantile") || token_is(k, "quantile")) &&
               token_opens(k + 1, '(') && k[2].kind == TOKEN_STRING && k[2].text.len > 2 &&
               sax_double((struct str){k[2].text.at + 1, k[2].text.len - 2}, &q)) {
        mending_replace(m, k[2].text, (struct str){k[2].text.at + 1, k[2].text.len - 2});
        mending_say(m, "A number has no quotes.");
    } else if (top || values) {
        struct aggregation a;
        bool one = tokens_aggregation(m->t, at, &a) && a.inner == a.open + 1 &&
                   m->t->all[a.inner].kind != TOKEN_NUMBER;
        if (!one || token_opens(&m->t->all[a.last + 1], '('))
            return;
        mending_behind(m, &m->t->all[a.open], top ? "10, " : "\"value\", ");
        mending_say(m, "%.*s() needs %s first.", SHORT(k->text),
                    top ? "how many" : "a label's name");
    }
}

/* ---- aggregations ---- */

/* sum rate(x[5m]), sum by (a) rate(x[5m]), avg x */
static void mend_bare(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    unsigned next = at + 1, last;
    if (!token_aggregates(&k[at]) || token_is(&k[at], "topk") || token_is(&k[at], "bottomk"))
        return;
    bool by = token_is(&k[next], "by") || token_is(&k[next], "without");
    if (by && token_opens(&k[next + 1], '(') && k[next + 1].pair > 0)
        next = k[next + 1].pair + 1;
    else if (by && k[next + 1].kind == TOKEN_WORD && !token_opens(&k[next + 2], '('))
        next += 2; /* sum by a rate(x[5m]) */
    bool comma = by && k[next].kind == TOKEN_COMMA && k[next - 1].kind == TOKEN_CLOSE;
    next += comma;
    if (k[next].kind != TOKEN_WORD || token_is(&k[next], "by") || token_is(&k[next], "without") ||
        next >= m->t->count)
        return;
    if (token_opens(&k[next + 1], '(') && k[next + 1].pair > 0 && is_function(&k[next]))
        last = k[next + 1].pair;
    else if (!tokens_selector(m->t, next, &last))
        return;
    if (comma)
        mending_replace(m, k[next - 1].text, STR(""));
    mending_before(m, &k[next], "(");
    mending_behind(m, &k[last], ")");
    mending_say(m, "What %.*s() puts together stands in parentheses.", SHORT(k[at].text));
}

/* by [a], by {a}, by ("a"), by (a) sum(x) */
static void mend_grouping(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all, *open = &k[at + 1];
    unsigned close = open->pair;
    bool by = token_is(&k[at], "by") || token_is(&k[at], "without");
    if (!by || open->kind != TOKEN_OPEN || close == 0)
        return;
    if (at == 0 && open->text.at[0] == '(' && token_aggregates(&k[close + 1])) {
        scoped_buf(text, TEXT_BYTES_MAX);
        buf_putc(&text, ' ');
        buf_add_str(&text, tokens_text(m->t, at, close));
        buf_putc(&text, ' ');
        const char *end = k[close + 1].text.at;
        mending_replace(m, (struct str){k[at].text.at, (size_t)(end - k[at].text.at)}, STR(""));
        mending_behind(m, &k[close + 1], buf_cstr(&text));
        mending_say(m, "%.*s stands behind %.*s.", SHORT(k[at].text), SHORT(k[close + 1].text));
        return;
    }
    for (unsigned i = at + 2; i < close; i++)
        if (k[i].kind != TOKEN_WORD && k[i].kind != TOKEN_COMMA && k[i].kind != TOKEN_STRING)
            return;
    if (open->text.at[0] != '(') {
        mending_replace(m, open->text, STR("("));
        mending_replace(m, k[close].text, STR(")"));
        mending_say(m, "The labels of %.*s stand in parentheses.", SHORT(k[at].text));
    }
    for (unsigned i = at + 2; i < close; i++) {
        struct str label = {k[i].text.at + 1, k[i].text.len - 2};
        if (k[i].kind != TOKEN_STRING || k[i].text.len < 3 || memchr(label.at, '.', label.len))
            continue;
        mending_replace(m, k[i].text, label);
        mending_say(m, "The labels of %.*s have no quotes.", SHORT(k[at].text));
    }
}

/* ---- numbers ---- */

/* 4GB, 1k, 100%, "5", true */
static void mend_number(struct mending *m, unsigned at)
{
    static const struct {
        const char *unit;
        double scale;
    } units[] = {{"k", 1e3},       {"kb", 1e3},         {"mb", 1e6},
                 {"gb", 1e9},      {"tb", 1e12},        {"kib", 1024},
                 {"mib", 1048576}, {"gib", 1073741824}, {"tib", 1099511627776.0},
                 {"g", 1e9}};
    static const char *const bools[][2] = {{"true", "1"}, {"false", "0"}};
    const struct token *k = &m->t->all[at];
    bool compared = at > 0 && k[-1].kind == TOKEN_OPERATOR && !str_is(k[-1].text, "=") &&
                    strchr("=!<>", k[-1].text.at[0]) != NULL && k->depth == k[-1].depth;
    for (unsigned i = at; i-- > 0 && compared;)
        compared = !(token_opens(&m->t->all[i], '{') && m->t->all[i].pair > at);
    double number;
    if (k->kind == TOKEN_STRING && compared && k->text.len > 2 &&
        sax_double((struct str){k->text.at + 1, k->text.len - 2}, &number)) {
        mending_replace(m, k->text, (struct str){k->text.at + 1, k->text.len - 2});
        mending_say(m, "A value is a number, without quotes.");
    }
    for (size_t i = 0; compared && i < sizeof(bools) / sizeof(bools[0]); i++)
        if (token_is(k, bools[i][0])) {
            mending_replace(m, k->text, str_of(bools[i][1]));
            mending_say(m, "Values are numbers: %s is %s.", bools[i][0], bools[i][1]);
        }
    if (k->kind != TOKEN_NUMBER)
        return;
    enum token_kind next = k[2].kind;
    if (str_is(k->text, "100") && k[1].kind == TOKEN_OPERATOR && str_is(k[1].text, "%") &&
        k[1].text.at == k->text.at + k->text.len &&
        (next == TOKEN_END || next == TOKEN_CLOSE || next == TOKEN_OPERATOR)) {
        mending_replace(m, k[1].text, STR(""));
        mending_say(m, "There is no percent sign: 100 is 100 %%.");
    }
    size_t digits = 0;
    while (digits < k->text.len &&
           (isdigit((unsigned char)k->text.at[digits]) || k->text.at[digits] == '.'))
        digits++;
    struct str unit = str_skip(k->text, digits);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (unit.len == strlen(units[i].unit) &&
            strncasecmp(unit.at, units[i].unit, unit.len) == 0 &&
            sax_double((struct str){k->text.at, digits}, &number)) {
            scoped_buf(text, 64);
            buf_printf(&text, "%.15g", number * units[i].scale);
            mending_replace(m, k->text, buf_str(&text));
            mending_say(m, "A number has no unit: %.*s is %s.", SHORT(k->text), buf_cstr(&text));
        }
}

/* x order by value desc limit 5, x limit 5 */
static void mend_sorted(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    bool ascending = false, order = token_is(&k[at], "order") && token_is(&k[at + 1], "by");
    unsigned next = order ? at + 2 : at, last = m->t->count;
    if (at == 0 || k[at].depth > 0 || (!order && !token_is(&k[at], "limit")))
        return;
    for (unsigned i = at; i-- > 0;)
        if (token_is(&k[i], "order"))
            return; /* it has been seen there */
    while (order && k[next].kind == TOKEN_WORD && !token_is(&k[next], "limit"))
        ascending = token_is(&k[next++], "asc");
    bool limit = token_is(&k[next], "limit") && k[next + 1].kind == TOKEN_NUMBER;
    if (next + (limit ? 2 : 0) != last)
        return;
    scoped_buf(begin, 64);
    if (limit)
        buf_printf(&begin, "%s(%.*s, ", ascending ? "bottomk" : "topk", SHORT(k[next + 1].text));
    else
        buf_puts(&begin, ascending ? "sort(" : "sort_desc(");
    const char *from = k[at - 1].text.at + k[at - 1].text.len;
    const char *end = m->t->query.at + m->t->query.len;
    mending_before(m, &k[0], buf_cstr(&begin));
    mending_replace(m, (struct str){from, (size_t)(end - from)}, STR(")"));
    mending_say(m, "There is no order by and no limit: it is %s…).", buf_cstr(&begin));
}
