#include "worker/tools/prometheus/mend.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/duration.h"
#include "worker/tools/moment.h"
#include "worker/tools/prometheus/tokens.h"
#include "worker/tools/text.h"
#include "worker/tools/sax.h"

/* The usual window: four scrapes of a minute and one more. */
#define WINDOW "[5m]"

enum { EDITS_MAX = 32, EDIT_BYTES_MAX = 4096, WHAT_MAX = 600, NOTED_MAX = 4, SHOWN = 80 };
#define SHORT(s) (int)((s).len < SHOWN ? (s).len : SHOWN), ((s).len ? (s).at : "")

struct edit {
    const char *from;
    size_t len;
    char *with;
};
struct mending {
    struct tokens *t;
    struct edit edits[EDITS_MAX];
    unsigned count;
    struct buf *what;
    bool closed; /* the bracket that was open last */
};

static void mend_by(struct mending *m, unsigned at);
static void mend_matcher(struct mending *m, unsigned at);
static void mend_range(struct mending *m, unsigned at);
static void mend_order(struct mending *m, unsigned at);
static void mend_word(struct mending *m, unsigned at);
static void mend_grouped_call(struct mending *m, unsigned at);
static void mend_ranged_sum(struct mending *m, unsigned at);
static void mend_operator(struct mending *m, unsigned at);
static void mend_duration(struct mending *m, unsigned at);
static void mend_end(struct mending *m);

/* ---- edits ---- */

static void replace(struct mending *m, struct str text, struct str with)
{
    if (m->count < EDITS_MAX)
        m->edits[m->count++] = (struct edit){text.at, text.len, str_dup(with)};
}

static void insert_behind(struct mending *m, const struct token *k, const char *text)
{
    replace(m, (struct str){k->text.at + k->text.len, 0}, str_of(text));
}

static void insert_before(struct mending *m, const struct token *k, const char *text)
{
    replace(m, (struct str){k->text.at, 0}, str_of(text));
}

__attribute__((format(printf, 2, 3))) static void say(struct mending *m, const char *format, ...)
{
    char text[WHAT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (m->what->len > 0)
        buf_putc(m->what, ' ');
    buf_puts(m->what, text);
}

/* Writes the query with its edits, in their order of place, and frees them. An edit inside of one
 * that was made is left out. */
static bool finish(struct mending *m, struct buf *mended)
{
    struct str query = m->t->query;
    const char *at = query.at;
    bool any = m->count > 0;
    while (m->count > 0) {
        unsigned first = 0;
        for (unsigned i = 1; i < m->count; i++)
            if (m->edits[i].from < m->edits[first].from)
                first = i;
        struct edit e = m->edits[first];
        memmove(&m->edits[first], &m->edits[first + 1], (--m->count - first) * sizeof(e));
        if (e.from >= at) {
            buf_add(mended, at, (size_t)(e.from - at));
            buf_puts(mended, e.with);
            at = e.from + e.len;
        }
        free(e.with);
    }
    buf_add(mended, at, (size_t)(query.at + query.len - at));
    return any && !mended->overflowed;
}

static void begin(struct mending *m, struct str query, struct buf *what)
{
    *m = (struct mending){.what = what};
    m->t = xcalloc(1, sizeof(*m->t));
    tokens_read(m->t, query);
}

/* ---- what no server takes ---- */

bool mend_syntax(struct str query, struct buf *mended, struct buf *what)
{
    struct mending m;
    begin(&m, query, what);
    for (unsigned i = 0; i < m.t->count; i++) {
        mend_by(&m, i);
        mend_matcher(&m, i);
        mend_range(&m, i);
        mend_order(&m, i);
        mend_word(&m, i);
        mend_grouped_call(&m, i);
        mend_ranged_sum(&m, i);
        mend_operator(&m, i);
        mend_duration(&m, i);
    }
    mend_end(&m);
    bool any = finish(&m, mended);
    free(m.t);
    return any;
}

/* sum(x) by job; also group by. */
static void mend_by(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all, *word = &k[at];
    bool groups = token_is(word, "by") || token_is(word, "without");
    if (groups && at > 0 && token_is(word - 1, "group") && !token_opens(word, '(')) {
        replace(m, word[-1].text, STR(""));
        say(m, "It is by, not group by.");
    }
    if (!(groups || token_is(word, "on") || token_is(word, "ignoring")) || at == 0 ||
        word[1].kind != TOKEN_WORD)
        return;
    unsigned last = at + 1;
    bool before = token_aggregates(word - 1); /* its vector comes behind the labels */
    while (k[last + 1].kind == TOKEN_COMMA && k[last + 2].kind == TOKEN_WORD &&
           (before || !token_opens(&k[last + 3], '(')))
        last += 2;
    insert_before(m, &k[at + 1], "(");
    insert_behind(m, &k[last], ")");
    say(m, "The labels of %.*s stand in parentheses.", SHORT(word->text));
}

/* {job=prometheus}, {job=="prometheus"}, {job:"prometheus"} */
static void mend_matcher(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    if (!token_opens(&k[at], '{'))
        return;
    unsigned end = k[at].pair ? k[at].pair : m->t->count;
    for (unsigned i = at + 1; i + 1 < end; i++) {
        bool label = k[i].kind == TOKEN_WORD || k[i].kind == TOKEN_STRING;
        if (k[i].kind == TOKEN_WORD && k[i].text.len > 1 && k[i + 1].kind == TOKEN_STRING &&
            k[i].text.at[k[i].text.len - 1] == ':') {
            replace(m, (struct str){k[i].text.at + k[i].text.len - 1, 1}, STR("="));
            say(m, "Between a label and its value stands =.");
        }
        if (!label || k[i + 1].kind != TOKEN_OPERATOR || i + 2 >= end)
            continue;
        if (str_is(k[i + 1].text, "==")) {
            replace(m, k[i + 1].text, STR("="));
            say(m, "A matcher has one =.");
        }
        unsigned value = i + 2, last = value;
        if (k[value].kind == TOKEN_STRING && value + 2 < end && k[value + 1].kind == TOKEN_WORD &&
            k[value + 2].kind == TOKEN_OPERATOR) {
            insert_behind(m, &k[value], ",");
            say(m, "Matchers are separated by commas.");
            i = value;
            continue;
        }
        while (last + 1 < end && k[last + 1].kind != TOKEN_COMMA)
            last++;
        bool path = k[value].kind == TOKEN_OPERATOR && str_is(k[value].text, "/");
        if (k[value].kind == TOKEN_WORD || k[value].kind == TOKEN_NUMBER || path) {
            struct str text = tokens_text(m->t, value, last);
            if (memchr(text.at, '"', text.len) != NULL || memchr(text.at, '=', text.len) != NULL)
                return;
            insert_before(m, &k[value], "\"");
            insert_behind(m, &k[last], "\"");
            say(m, "The value of a label stands in quotes: %.*s%.*s\"%.*s\".", SHORT(k[i].text),
                SHORT(k[i + 1].text), SHORT(text));
        }
        i = last + 1;
    }
}

/* The token behind the labels of by, in parentheses or not; 0: there are none. */
static unsigned behind_labels(const struct tokens *t, unsigned by)
{
    const struct token *k = t->all;
    unsigned at = by + 1;
    if (token_opens(&k[at], '('))
        return k[at].pair ? k[at].pair + 1 : 0;
    if (k[at].kind != TOKEN_WORD)
        return 0;
    while (k[at + 1].kind == TOKEN_COMMA && k[at + 2].kind == TOKEN_WORD)
        at += 2;
    return at + 1;
}

/* rate(x[5m]) by (job), sum(rate(x[5m]) by (job)) */
static void mend_grouped_call(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    bool groups = token_is(&k[at], "by") || token_is(&k[at], "without");
    if (!groups || at < 3 || k[at - 1].kind != TOKEN_CLOSE)
        return;
    unsigned open = k[at - 1].pair, behind = behind_labels(m->t, at);
    if (open == 0 || behind == 0 || !token_opens(&k[open], '(') || k[open - 1].kind != TOKEN_WORD ||
        token_aggregates(&k[open - 1]) || token_is(&k[open - 1], "by") ||
        token_is(&k[open - 1], "without"))
        return;
    insert_behind(m, &k[at - 1], ")");
    if (open >= 3 && k[behind].kind == TOKEN_CLOSE && k[behind].pair == open - 2 &&
        token_aggregates(&k[open - 3]))
        replace(m, k[behind].text, STR(""));
    else if (open >= 3 && behind >= m->t->count && token_opens(&k[open - 2], '(') &&
             k[open - 2].pair == 0 && token_aggregates(&k[open - 3]))
        m->closed = true; /* sum(rate(x[5m]) by (job) */
    else
        insert_before(m, &k[open - 1], "sum(");
    say(m, "%.*s groups what sum() and its like put together, not %.*s().", SHORT(k[at].text),
        SHORT(k[open - 1].text));
}

/* max(x)[1h] */
static void mend_ranged_sum(struct mending *m, unsigned at)
{
    static const char *const over[] = {"max", "min", "avg"};
    const struct token *k = m->t->all;
    struct aggregation a;
    unsigned last, known = 0;
    while (known < sizeof(over) / sizeof(over[0]) && !token_is(&k[at], over[known]))
        known++;
    if (known == sizeof(over) / sizeof(over[0]) || !tokens_aggregation(m->t, at, &a) ||
        !token_opens(&k[a.last + 1], '[') || !tokens_selector(m->t, a.inner, &last) ||
        last + 1 != a.close || (at >= 2 && token_ranges(&k[at - 2])))
        return;
    struct str window = tokens_text(m->t, a.last + 1, k[a.last + 1].pair);
    if (k[a.last + 1].pair == 0 || memchr(window.at, ':', window.len) != NULL)
        return;
    scoped_buf(begin, 64);
    scoped_buf(end, 256);
    buf_printf(&begin, "%s_over_time(", over[known]);
    buf_add_str(&end, window);
    buf_putc(&end, ')');
    insert_before(m, &k[a.inner], buf_cstr(&begin));
    insert_behind(m, &k[last], buf_cstr(&end));
    replace(m, window, STR(""));
    say(m, "Only a selector has a range; of %s() over time: %s_over_time().", over[known],
        over[known]);
}

static bool in_braces(const struct tokens *t, unsigned at)
{
    for (unsigned i = at; i-- > 0;)
        if (token_opens(&t->all[i], '{') && (t->all[i].pair == 0 || t->all[i].pair > at))
            return true;
    return false;
}

/* up = 1, a && b, a || b */
static void mend_operator(struct mending *m, unsigned at)
{
    static const char *const words[][2] = {{"&", "and"}, {"|", "or"}};
    const struct token *k = &m->t->all[at];
    if (k->kind != TOKEN_OPERATOR || in_braces(m->t, at))
        return;
    if (str_is(k->text, "=") && at > 0) {
        replace(m, k->text, STR("=="));
        say(m, "Values are compared by ==.");
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(k->text, words[i][0]) && str_eq(k[1].text, k->text) &&
            k[1].text.at == k->text.at + 1) {
            scoped_buf(word, 16);
            bool before = at > 0 && k[-1].text.at + k[-1].text.len == k->text.at;
            bool behind = k[2].text.at == k->text.at + 2;
            buf_printf(&word, "%s%s%s", before ? " " : "", words[i][1], behind ? " " : "");
            replace(m, (struct str){k->text.at, 2}, buf_str(&word));
            say(m, "It is %s, not %s%s.", words[i][1], words[i][0], words[i][0]);
        }
}

/* [5 minutes], offset 1 hour */
static void mend_duration(struct mending *m, unsigned at)
{
    const struct token *k = &m->t->all[at];
    int64_t ms;
    if (k->kind != TOKEN_NUMBER || k[1].kind != TOKEN_WORD || at == 0 ||
        !(token_opens(&k[-1], '[') || token_is(&k[-1], "offset")))
        return;
    struct str said = tokens_text(m->t, at, at + 1);
    if (!moment_duration(said, &ms))
        return;
    replace(m, said, str_of(duration_write(ms)));
    say(m, "A duration is written as %s.", duration_write(ms));
}

/* rate(x), rate(x, 5m), rate(sum(x)[5m]) */
static void mend_range(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    unsigned last, open = at + 1, close = k[open].pair;
    struct aggregation a;
    if (!token_ranges(&k[at]) || !token_opens(&k[open], '(') || close == 0)
        return;
    unsigned first = open + 1;
    for (unsigned i = first; i < close; i++) /* quantile_over_time(0.9, x) */
        if (k[i].kind == TOKEN_COMMA && k[i - 1].kind == TOKEN_NUMBER && i == first + 1)
            first = i + 1;
    if (tokens_selector(m->t, first, &last) && !token_opens(&k[last + 1], '[')) {
        bool comma = k[last + 1].kind == TOKEN_COMMA && k[last + 2].kind == TOKEN_NUMBER &&
                     last + 3 == close && token_counts(&k[at]);
        scoped_buf(window, 64);
        buf_printf(&window, "[%.*s]", SHORT(k[last + 2].text));
        if (comma)
            replace(m, tokens_text(m->t, last + 1, last + 2), buf_str(&window));
        else if (last + 1 == close || k[last + 1].kind == TOKEN_COMMA)
            insert_behind(m, &k[last], WINDOW);
        else
            return;
        say(m, "%.*s() takes a range, as %.*s[5m].", SHORT(k[at].text),
            SHORT(tokens_text(m->t, first, last)));
    } else if (tokens_aggregation(m->t, first, &a) && tokens_selector(m->t, a.inner, &last)) {
        bool inside = token_opens(&k[last + 1], '[') && k[last + 1].pair + 1 == a.close;
        bool outside = token_opens(&k[a.last + 1], '[') && k[a.last + 1].pair + 1 == close;
        bool sub = outside && tokens_text(m->t, a.last + 1, close - 1).len > 0 &&
                   memchr(k[a.last + 1].text.at, ':', tokens_text(m->t, a.last + 1, close - 1).len);
        if ((!inside && last + 1 != a.close) || (!outside && a.last + 1 != close) || sub)
            return;
        struct str window = inside    ? tokens_text(m->t, last + 1, a.close - 1)
                            : outside ? tokens_text(m->t, a.last + 1, close - 1)
                                      : STR(WINDOW);
        scoped_buf(text, EDIT_BYTES_MAX);
        buf_add_str(&text, k[a.at].text);
        if (a.by_at > 0) {
            buf_putc(&text, ' ');
            buf_add_str(&text, tokens_text(m->t, a.by_at, a.by_close));
            buf_putc(&text, ' ');
        }
        buf_putc(&text, '(');
        if (a.inner > a.open + 1)
            buf_add_str(&text, tokens_text(m->t, a.open + 1, a.inner - 1));
        buf_add_str(&text, k[at].text);
        buf_putc(&text, '(');
        buf_add_str(&text, tokens_text(m->t, a.inner, last));
        buf_add_str(&text, window);
        buf_puts(&text, "))");
        replace(m, tokens_text(m->t, at, close), buf_str(&text));
        say(m, "%.*s() comes before %.*s(): each series is counted before they are put together.",
            SHORT(k[at].text), SHORT(k[a.at].text));
    }
}

/* topk(x, 5), histogram_quantile(x, 0.9) */
static void mend_order(struct mending *m, unsigned at)
{
    static const char *const first[] = {
        "topk", "bottomk", "limitk", "histogram_quantile", "quantile", "quantile_over_time"};
    const struct token *k = m->t->all;
    bool known = false;
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        known = known || token_is(&k[at], first[i]);
    unsigned close = k[at + 1].pair;
    if (!known || !token_opens(&k[at + 1], '(') || close < at + 5)
        return;
    if (k[close - 1].kind != TOKEN_NUMBER || k[close - 2].kind != TOKEN_COMMA ||
        k[close - 2].depth != k[at + 1].depth + 1 || k[at + 2].kind == TOKEN_NUMBER)
        return;
    scoped_buf(text, EDIT_BYTES_MAX);
    buf_add_str(&text, k[close - 1].text);
    buf_puts(&text, ", ");
    buf_add_str(&text, tokens_text(m->t, at + 2, close - 3));
    replace(m, tokens_text(m->t, at + 2, close - 1), buf_str(&text));
    say(m, "The number comes first in %.*s().", SHORT(k[at].text));
}

static void mend_word(struct mending *m, unsigned at)
{
    static const char *const words[][2] = {
        {"mean", "avg"},  {"average", "avg"}, {"maximum", "max"},    {"minimum", "min"},
        {"total", "sum"}, {"top", "topk"},    {"bottom", "bottomk"}, {"percentile", "quantile"}};
    const struct token *k = &m->t->all[at];
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (token_is(k, words[i][0]) && (token_opens(k + 1, '(') || token_is(k + 1, "by"))) {
            struct str of = tokens_text(m->t, at, m->t->count - 1);
            bool buckets = strcmp(words[i][1], "quantile") == 0 && text_has(of, STR("_bucket"));
            const char *is = buckets ? "histogram_quantile" : words[i][1];
            replace(m, k->text, str_of(is));
            say(m, "There is no %s(): it is %s().", words[i][0], is);
        }
}

static void mend_end(struct mending *m)
{
    char open[16];
    unsigned count = 0;
    for (unsigned i = 0; i < m->t->count; i++) {
        const struct token *k = &m->t->all[i];
        if (k->kind == TOKEN_CLOSE && (m->t->all[k->pair].pair != i)) {
            if (count == 0 && i + 1 == m->t->count && str_is(k->text, ")")) {
                replace(m, k->text, STR(""));
                say(m, "The last ) is one too many.");
            }
            return; /* elsewhere it is not known which is */
        }
        if (k->kind == TOKEN_STRING &&
            (k->text.len < 2 || k->text.at[k->text.len - 1] != k->text.at[0]))
            return;
        if (k->kind == TOKEN_OPEN && k->pair == 0) {
            if (count == sizeof(open) - 1)
                return;
            open[count++] = k->text.at[0];
        }
    }
    count -= m->closed && count > 0;
    if (count == 0 || m->t->count == TOKENS_MAX)
        return;
    scoped_buf(text, sizeof(open));
    while (count-- > 0)
        buf_putc(&text, open[count] == '(' ? ')' : open[count] == '{' ? '}' : ']');
    insert_behind(m, &m->t->all[m->t->count], buf_cstr(&text));
    say(m, "Not all parentheses are closed.");
}

/* ---- what is wrong and runs ---- */

static bool ends_with(struct str text, const char *end)
{
    size_t len = strlen(end);
    return text.len > len && memcmp(text.at + text.len - len, end, len) == 0;
}

/* By its name alone. */
static enum mend_type type_of_name(struct str metric)
{
    static const char *const ends[] = {"_total", "_count", "_sum", "_bucket"};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (ends_with(metric, ends[i]))
            return MEND_COUNTER;
    return MEND_UNKNOWN;
}

struct judging {
    struct tokens *t;
    const struct mend_facts *facts;
    mend_fn *fn;
    void *arg;
    unsigned noted;
};

static void judge_quantile(struct judging *j, unsigned at);
static void judge_selector(struct judging *j, unsigned at, unsigned last);
static void judge_early_sum(struct judging *j, unsigned at);
static void judge_best(struct judging *j);

/* The mended query is the query with m's edits. */
static void tell(struct judging *j, enum mend_weight weight, struct mending *m)
{
    scoped_buf(mended, MEND_BYTES_MAX);
    bool any = finish(m, &mended);
    if (any && j->noted++ < NOTED_MAX)
        j->fn(j->arg, weight, buf_str(m->what), buf_str(&mended));
}

void mend_meaning(struct str query, const struct mend_facts *facts, mend_fn *fn, void *arg)
{
    struct judging j = {.facts = facts, .fn = fn, .arg = arg};
    j.t = xcalloc(1, sizeof(*j.t));
    tokens_read(j.t, query);
    for (unsigned i = 0, last; j.t->whole && i < j.t->count; i++) {
        judge_quantile(&j, i);
        judge_early_sum(&j, i);
        if (tokens_selector(j.t, i, &last)) {
            judge_selector(&j, i, last);
            i = last;
        }
    }
    if (j.t->whole)
        judge_best(&j);
    free(j.t);
}

/* The innermost parenthesis around a token; false: none. */
static bool around(const struct tokens *t, unsigned at, unsigned *open)
{
    for (unsigned i = at; i-- > 0;)
        if (t->all[i].kind == TOKEN_OPEN && t->all[i].pair > at) {
            *open = i;
            return true;
        }
    return false;
}

/* What is called by this parenthesis: a function's or an aggregation's name; NULL: none. */
static const struct token *called(const struct tokens *t, unsigned open)
{
    const struct token *k = t->all;
    if (open == 0 || !token_opens(&k[open], '('))
        return NULL;
    unsigned before = open - 1;
    if (k[before].kind == TOKEN_CLOSE && k[before].pair >= 2) /* sum by (a) (…) */
        before = k[before].pair - 2;
    return k[before].kind == TOKEN_WORD ? &k[before] : NULL;
}

static struct str name_of(const struct tokens *t, unsigned at)
{
    const struct token *k = &t->all[at];
    return k->kind == TOKEN_WORD ? k->text : STR("");
}

static enum mend_type type_of(const struct judging *j, struct str name)
{
    if (name.len == 0)
        return MEND_UNKNOWN;
    enum mend_type known = j->facts->type ? j->facts->type(j->facts->arg, name) : MEND_UNKNOWN;
    return known != MEND_UNKNOWN ? known : type_of_name(name);
}

static void judge_counter(struct judging *j, unsigned at, unsigned last, struct str name)
{
    static const char *const spoils[] = {"sum",     "avg",    "min",    "max",     "topk",
                                         "bottomk", "stddev", "stdvar", "quantile"};
    unsigned open = at;
    bool spoilt = false;
    const struct token *by = NULL;
    while (around(j->t, open, &open)) {
        const struct token *k = called(j->t, open);
        if (!k)
            continue;
        bool found = false;
        for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++)
            found = found || token_is(k, spoils[i]);
        if (!found)
            return; /* count(), a function: what it makes of a counter is not judged */
        spoilt = true;
        by = by ? by : k;
    }
    if ((!spoilt && !j->facts->over_range) || tokens_top_operator(j->t) > 0)
        return;
    scoped_buf(what, WHAT_MAX);
    struct mending m = {.t = j->t, .what = &what};
    insert_before(&m, &j->t->all[at], "rate(");
    insert_behind(&m, &j->t->all[last], WINDOW ")");
    say(&m,
        "%.*s is a counter: %s%.*s%s only shows how much came since each process started. If that "
        "is not what was asked, take its rate (or increase) first.",
        SHORT(name), by ? "its " : "alone", by ? (int)by->text.len : 0, by ? by->text.at : "",
        by ? "()" : "");
    tell(j, MEND_NOTED, &m);
}

/* rate(gauge[5m]): a gauge is its value already. One that is named like a counter may be one: its
 * type is doubted as well as the query. */
static void judge_gauge(struct judging *j, const struct token *function, unsigned at, unsigned last)
{
    struct str name = name_of(j->t, at);
    unsigned open = at - 1, close = j->t->all[open].pair;
    bool whole = token_is(function, "increase");
    bool alone = function + 1 == &j->t->all[open] && j->t->all[last + 1].pair + 1 == close;
    bool value = !whole && alone && type_of_name(name) == MEND_UNKNOWN;
    scoped_buf(what, WHAT_MAX);
    struct mending m = {.t = j->t, .what = &what};
    if (value) {
        struct str call = tokens_text(j->t, (unsigned)(function - j->t->all), close);
        replace(&m, call, tokens_text(j->t, at, last));
    } else {
        replace(&m, function->text, whole ? STR("delta") : STR("deriv"));
    }
    say(&m,
        "%.*s is a gauge, and %.*s() is for counters: it takes each fall for a restart. "
        "Take %s (its change per second would be deriv()).",
        SHORT(name), SHORT(function->text), whole ? "delta()" : "the gauge as it is");
    tell(j, value ? MEND_REFUSED : MEND_NOTED, &m);
}

static void judge_selector(struct judging *j, unsigned at, unsigned last)
{
    const struct token *k = j->t->all;
    struct str name = name_of(j->t, at);
    enum mend_type type = type_of(j, name);
    unsigned open;
    const struct token *function = around(j->t, at, &open) ? called(j->t, open) : NULL;
    bool ranged = token_opens(&k[last + 1], '[');
    if (ranged && function && token_counts(function) && type == MEND_GAUGE) {
        judge_gauge(j, function, at, last);
    } else if (!ranged && type == MEND_COUNTER && !ends_with(name, "_bucket")) {
        judge_counter(j, at, last, name);
    }
}

/* rate(sum(x)[5m:]) */
static void judge_early_sum(struct judging *j, unsigned at)
{
    const struct token *k = j->t->all;
    struct aggregation a;
    unsigned last;
    if (!token_counts(&k[at]) || !token_opens(&k[at + 1], '(') ||
        !tokens_aggregation(j->t, at + 2, &a) || !tokens_selector(j->t, a.inner, &last) ||
        last + 1 != a.close || !token_opens(&k[a.last + 1], '['))
        return;
    struct str window = tokens_text(j->t, a.last + 2, k[a.last + 1].pair - 1);
    const char *colon = memchr(window.at, ':', window.len);
    if (colon)
        window.len = (size_t)(colon - window.at);
    scoped_buf(what, WHAT_MAX);
    scoped_buf(text, EDIT_BYTES_MAX);
    struct mending m = {.t = j->t, .what = &what};
    buf_add_str(&text, k[a.at].text);
    if (a.by_at > 0) {
        buf_putc(&text, ' ');
        buf_add_str(&text, tokens_text(j->t, a.by_at, a.by_close));
        buf_putc(&text, ' ');
    }
    buf_putc(&text, '(');
    buf_add_str(&text, k[at].text);
    buf_putc(&text, '(');
    buf_add_str(&text, tokens_text(j->t, a.inner, last));
    buf_putc(&text, '[');
    buf_add_str(&text, str_trim(window));
    buf_puts(&text, "]))");
    replace(&m, tokens_text(j->t, at, k[at + 1].pair), buf_str(&text));
    say(&m,
        "%.*s() of a %.*s() goes wrong whenever one of the processes restarts: %.*s() first, "
        "then %.*s().",
        SHORT(k[at].text), SHORT(k[a.at].text), SHORT(k[at].text), SHORT(k[a.at].text));
    tell(j, MEND_NOTED, &m);
}

static bool groups_by_le(const struct tokens *t, const struct aggregation *a)
{
    for (unsigned i = a->by_open; i < a->by_close; i++)
        if (token_is(&t->all[i], "le"))
            return true;
    return false;
}

/* Without le there are no buckets left. */
static bool judge_le(struct judging *j, const struct aggregation *a)
{
    const struct token *k = j->t->all;
    bool by = a->by_at > 0 && token_is(&k[a->by_at], "by");
    bool named = a->by_at > 0 && groups_by_le(j->t, a);
    if (a->by_at > 0 && by == named)
        return false;
    scoped_buf(what, WHAT_MAX);
    struct mending m = {.t = j->t, .what = &what};
    if (a->by_at == 0)
        insert_behind(&m, &k[a->at], " by (le) ");
    else if (by)
        insert_behind(&m, &k[a->by_open], a->by_close > a->by_open + 1 ? "le, " : "le");
    else
        replace(&m, tokens_text(j->t, a->by_at, a->by_close), STR("by (le)"));
    say(&m,
        "histogram_quantile() needs the label le of the buckets, and %.*s() drops it: group by "
        "(le).",
        SHORT(k[a->at].text));
    tell(j, MEND_REFUSED, &m);
    return true;
}

static void judge_quantile(struct judging *j, unsigned at)
{
    const struct token *k = j->t->all;
    unsigned open = at + 1, close = k[open].pair, bucket = 0, last = 0;
    struct aggregation a;
    double q;
    if (!token_is(&k[at], "histogram_quantile") || !token_opens(&k[open], '(') ||
        k[open + 2].kind != TOKEN_COMMA || k[open + 1].kind != TOKEN_NUMBER)
        return;
    scoped_buf(what, WHAT_MAX);
    struct mending m = {.t = j->t, .what = &what};
    if (sax_double(k[open + 1].text, &q) && q > 1 && q <= 100) {
        scoped_buf(share, 40);
        buf_printf(&share, "%.10g", q / 100);
        replace(&m, k[open + 1].text, buf_str(&share));
        say(&m, "The quantile goes from 0 to 1: %s for %.*s %%.", buf_cstr(&share),
            SHORT(k[open + 1].text));
        tell(j, MEND_REFUSED, &m);
        return;
    }
    bool rated = false;
    for (unsigned i = open + 3; i < close; i++) {
        rated = rated || token_ranges(&k[i]);
        if (bucket == 0 && ends_with(name_of(j->t, i), "_bucket") &&
            tokens_selector(j->t, i, &last))
            bucket = i;
    }
    if (bucket == 0 ||
        (tokens_aggregation(j->t, open + 3, &a) && a.last + 1 == close && judge_le(j, &a)))
        return;
    if (!rated && !token_opens(&k[last + 1], '[')) {
        insert_before(&m, &k[bucket], "rate(");
        insert_behind(&m, &k[last], WINDOW ")");
        say(&m, "Without rate() this is the quantile of all that was ever observed, not of now.");
        tell(j, MEND_NOTED, &m);
    }
}

/* x == max(x): labels differ, so nothing is equal. */
static void judge_best(struct judging *j)
{
    const struct token *k = j->t->all;
    unsigned op = tokens_top_operator(j->t);
    struct aggregation a;
    if (op == 0 || !str_is(k[op].text, "==") || !tokens_aggregation(j->t, op + 1, &a) ||
        a.last + 1 != j->t->count || a.by_at > 0)
        return;
    bool max = token_is(&k[a.at], "max"), min = token_is(&k[a.at], "min");
    struct str one = tokens_text(j->t, 0, op - 1), all = tokens_text(j->t, a.inner, a.close - 1);
    if ((!max && !min) || !str_eq(one, all))
        return;
    scoped_buf(what, WHAT_MAX);
    scoped_buf(text, EDIT_BYTES_MAX);
    struct mending m = {.t = j->t, .what = &what};
    buf_printf(&text, "%s(1, ", max ? "topk" : "bottomk");
    buf_add_str(&text, one);
    buf_putc(&text, ')');
    replace(&m, j->t->query, buf_str(&text));
    say(&m, "%.*s() has no labels, so no series is equal to it. For the %s: %s(1, …).",
        SHORT(k[a.at].text), max ? "highest" : "lowest", max ? "topk" : "bottomk");
    tell(j, MEND_IF_EMPTY, &m);
}
