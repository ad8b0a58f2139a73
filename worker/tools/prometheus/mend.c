#include "worker/tools/prometheus/mend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/prometheus/mend_calls.h"
#include "worker/tools/prometheus/mend_matchers.h"
#include "worker/tools/prometheus/mend_signs.h"
#include "worker/tools/prometheus/mend_window.h"
#include "worker/tools/prometheus/mending.h"
#include "worker/tools/text.h"
#include "worker/tools/sax.h"

/* The usual window: four scrapes of a minute and one more. */
#define WINDOW "[5m]"

enum { EDIT_BYTES_MAX = 4096, WHAT_MAX = MENDING_WHAT_MAX, NOTED_MAX = 4, ROUNDS_MAX = 5 };
#define SHORT(s) MENDING_SHORT(s)

static void mend_by(struct mending *m, unsigned at);
static void mend_grouped_call(struct mending *m, unsigned at);
static void mend_operator(struct mending *m, unsigned at);
static void mend_end(struct mending *m);

/* ---- what no server takes ---- */

static bool mend_once(struct str query, struct buf *mended, struct buf *what)
{
    struct mending m = {.what = what};
    m.t = xcalloc(1, sizeof(*m.t));
    tokens_read(m.t, query);
    for (unsigned i = 0; i < m.t->count; i++) {
        mend_by(&m, i);
        mend_matchers(&m, i);
        mend_window(&m, i);
        mend_call(&m, i);
        mend_grouped_call(&m, i);
        mend_operator(&m, i);
    }
    if (m.count == 0) /* what is closed elsewhere is not open at the end */
        mend_end(&m);
    bool any = mending_finish(&m, mended);
    free(m.t);
    return any;
}

/* Where one fault hides another, in several rounds. */
bool mend_syntax(struct str query, struct buf *mended, struct buf *what)
{
    scoped_buf(text, MEND_BYTES_MAX);
    bool any = mend_signs(query, &text, what);
    if (str_trim(buf_str(&text)).len == 0) /* it was a comment */
        return false;
    for (unsigned round = 0; round < ROUNDS_MAX && !text.overflowed; round++) {
        scoped_buf(next, MEND_BYTES_MAX);
        if (!mend_once(buf_str(&text), &next, what))
            break;
        buf_clear(&text);
        buf_add_str(&text, buf_str(&next));
        any = true;
    }
    buf_add_str(mended, str_trim(buf_str(&text)));
    return any && !text.overflowed && !mended->overflowed;
}

/* sum(x) by job; also group by. */
static void mend_by(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all, *word = &k[at];
    bool groups = token_is(word, "by") || token_is(word, "without");
    if (groups && at > 0 && token_is(word - 1, "group") && !token_opens(word, '(')) {
        mending_replace(m, word[-1].text, STR(""));
        mending_say(m, "It is by, not group by.");
    }
    if (!(groups || token_is(word, "on") || token_is(word, "ignoring")) || at == 0 ||
        word[1].kind != TOKEN_WORD)
        return;
    unsigned last = at + 1;
    bool before = token_aggregates(word - 1); /* its vector comes behind the labels */
    while (k[last + 1].kind == TOKEN_COMMA && k[last + 2].kind == TOKEN_WORD &&
           (before || !token_opens(&k[last + 3], '(')))
        last += 2;
    mending_before(m, &k[at + 1], "(");
    mending_behind(m, &k[last], ")");
    mending_say(m, "The labels of %.*s stand in parentheses.", SHORT(word->text));
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
        token_is(&k[open - 1], "without") || (open >= 2 && token_aggregates(&k[open - 2])))
        return;
    mending_behind(m, &k[at - 1], ")");
    if (open >= 3 && k[behind].kind == TOKEN_CLOSE && k[behind].pair == open - 2 &&
        token_aggregates(&k[open - 3]))
        mending_replace(m, k[behind].text, STR(""));
    else if (open >= 3 && behind >= m->t->count && token_opens(&k[open - 2], '(') &&
             k[open - 2].pair == 0 && token_aggregates(&k[open - 3]))
        m->closed = true; /* sum(rate(x[5m]) by (job) */
    else
        mending_before(m, &k[open - 1], "sum(");
    mending_say(m, "%.*s groups what sum() and its like put together, not %.*s().",
                SHORT(k[at].text), SHORT(k[open - 1].text));
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
    if (str_is(k->text, "=") && at > 0 && k[1].kind != TOKEN_STRING) {
        mending_replace(m, k->text, STR("=="));
        mending_say(m, "Values are compared by ==.");
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(k->text, words[i][0]) && str_eq(k[1].text, k->text) &&
            k[1].text.at == k->text.at + 1) {
            scoped_buf(word, 16);
            bool before = at > 0 && k[-1].text.at + k[-1].text.len == k->text.at;
            bool behind = k[2].text.at == k->text.at + 2;
            buf_printf(&word, "%s%s%s", before ? " " : "", words[i][1], behind ? " " : "");
            mending_replace(m, (struct str){k->text.at, 2}, buf_str(&word));
            mending_say(m, "It is %s, not %s%s.", words[i][1], words[i][0], words[i][0]);
        }
}

/* It ends where something was to begin; time( needs no more. */
static bool lacks_all(const struct tokens *t)
{
    const struct token *last = &t->all[t->count - 1];
    return last->kind == TOKEN_OPEN && !(t->count > 1 && token_is(last - 1, "time"));
}

static void mend_end(struct mending *m)
{
    char open[16];
    unsigned count = 0;
    for (unsigned i = 0; i < m->t->count; i++) {
        const struct token *k = &m->t->all[i];
        if (k->kind == TOKEN_CLOSE && (m->t->all[k->pair].pair != i)) {
            if (count == 0 && i + 1 == m->t->count && str_is(k->text, ")")) {
                mending_replace(m, k->text, STR(""));
                mending_say(m, "The last ) is one too many.");
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
    if (count == 0 || lacks_all(m->t) || m->t->count == TOKENS_MAX)
        return;
    scoped_buf(text, sizeof(open));
    while (count-- > 0)
        buf_putc(&text, open[count] == '(' ? ')' : open[count] == '{' ? '}' : ']');
    mending_behind(m, &m->t->all[m->t->count], buf_cstr(&text));
    mending_say(m, "Not all parentheses are closed.");
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
static void judge_nested(struct judging *j, unsigned at);
static void judge_best(struct judging *j);

/* The mended query is the query with m's edits. */
static void tell(struct judging *j, enum mend_weight weight, struct mending *m)
{
    scoped_buf(mended, MEND_BYTES_MAX);
    bool any = mending_finish(m, &mended);
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
        judge_nested(&j, i);
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
    mending_before(&m, &j->t->all[at], "rate(");
    mending_behind(&m, &j->t->all[last], WINDOW ")");
    mending_say(
        &m,
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
        mending_replace(&m, call, tokens_text(j->t, at, last));
    } else {
        mending_replace(&m, function->text, whole ? STR("delta") : STR("deriv"));
    }
    mending_say(&m,
                "%.*s is a gauge, and %.*s() is for counters: it takes each fall for a restart. "
                "Take %s (its change per second would be deriv()).",
                SHORT(name), SHORT(function->text), whole ? "delta()" : "the gauge as it is");
    tell(j, value ? MEND_REFUSED : MEND_NOTED, &m);
}

/* delta(counter[5m]), avg_over_time(counter[5m]) */
static void judge_delta(struct judging *j, const struct token *function, unsigned at,
                        struct str name)
{
    static const char *const functions[][2] = {{"delta", "increase"},
                                               {"idelta", "irate"},
                                               {"deriv", "rate"},
                                               {"avg_over_time", "rate"},
                                               {"sum_over_time", "increase"}};
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (!token_is(function, functions[i][0]) || at < 2 || function + 2 != &j->t->all[at])
            continue;
        scoped_buf(what, WHAT_MAX);
        struct mending m = {.t = j->t, .what = &what};
        mending_replace(&m, function->text, str_of(functions[i][1]));
        mending_say(&m, "%.*s is a counter, and %s() is for gauges: of a counter it is %s().",
                    SHORT(name), functions[i][0], functions[i][1]);
        tell(j, MEND_NOTED, &m);
    }
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
    } else if (ranged && function && type == MEND_COUNTER) {
        judge_delta(j, function, at, name);
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
    mending_replace(&m, tokens_text(j->t, at, k[at + 1].pair), buf_str(&text));
    mending_say(
        &m,
        "%.*s() of a %.*s() goes wrong whenever one of the processes restarts: %.*s() first, "
        "then %.*s().",
        SHORT(k[at].text), SHORT(k[a.at].text), SHORT(k[at].text), SHORT(k[a.at].text));
    tell(j, MEND_NOTED, &m);
}

/* rate(rate(x[5m])[1h:]) */
static void judge_nested(struct judging *j, unsigned at)
{
    const struct token *k = j->t->all;
    scoped_buf(what, WHAT_MAX);
    scoped_buf(meant, EDIT_BYTES_MAX);
    struct mending m = {.t = j->t, .what = &what};
    if (!mend_window_nested(j->t, at, &meant))
        return;
    mending_replace(&m, tokens_text(j->t, at, k[at + 1].pair), buf_str(&meant));
    mending_say(&m, "%.*s() of %.*s() takes each fall of it for a restart: count once.",
                SHORT(k[at].text), SHORT(k[at + 2].text));
    tell(j, MEND_REFUSED, &m);
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
        mending_behind(&m, &k[a->at], " by (le) ");
    else if (by)
        mending_behind(&m, &k[a->by_open], a->by_close > a->by_open + 1 ? "le, " : "le");
    else
        mending_replace(&m, tokens_text(j->t, a->by_at, a->by_close), STR("by (le)"));
    mending_say(
        &m,
        "histogram_quantile() needs the label le of the buckets, and %.*s() drops it: group by "
        "(le).",
        SHORT(k[a->at].text));
    tell(j, MEND_REFUSED, &m);
    return true;
}

/* quantile(95, x) */
static bool judge_share(struct judging *j, unsigned at)
{
    static const char *const names[] = {"histogram_quantile", "quantile", "quantile_over_time"};
    const struct token *k = j->t->all, *share = &k[at + 2];
    bool known = false;
    double q;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        known = known || token_is(&k[at], names[i]);
    if (!known || share->kind != TOKEN_NUMBER || share[1].kind != TOKEN_COMMA ||
        !sax_double(share->text, &q) || q <= 1 || q > 100)
        return false;
    scoped_buf(what, WHAT_MAX);
    scoped_buf(text, 40);
    struct mending m = {.t = j->t, .what = &what};
    buf_printf(&text, "%.10g", q / 100);
    mending_replace(&m, share->text, buf_str(&text));
    mending_say(&m, "The quantile goes from 0 to 1: %s for %.*s %%.", buf_cstr(&text),
                SHORT(share->text));
    tell(j, MEND_REFUSED, &m);
    return true;
}

/* The first series of a histogram in a part; false: there is none. */
static bool find_bucket(const struct tokens *t, unsigned from, unsigned to, const char *end,
                        unsigned *at, unsigned *last)
{
    for (*at = from; *at < to; (*at)++)
        if (ends_with(name_of(t, *at), end) && tokens_selector(t, *at, last))
            return true;
    return false;
}

/* histogram_quantile(0.9, rate(x_sum[5m])): the buckets are meant. */
static bool judge_no_buckets(struct judging *j, unsigned from, unsigned to)
{
    static const char *const ends[] = {"_sum", "_count"};
    unsigned at, last;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (!find_bucket(j->t, from, to, ends[i], &at, &last))
            continue;
        struct str name = j->t->all[at].text;
        scoped_buf(what, WHAT_MAX);
        struct mending m = {.t = j->t, .what = &what};
        size_t len = strlen(ends[i]);
        mending_replace(&m, (struct str){name.at + name.len - len, len}, STR("_bucket"));
        mending_say(&m, "histogram_quantile() takes the buckets, not %.*s.", SHORT(name));
        tell(j, MEND_REFUSED, &m);
        return true;
    }
    return false;
}

static void judge_quantile(struct judging *j, unsigned at)
{
    const struct token *k = j->t->all;
    unsigned open = at + 1, close = k[open].pair, bucket, last = 0;
    struct aggregation a;
    if (judge_share(j, at) || !token_is(&k[at], "histogram_quantile") ||
        !token_opens(&k[open], '(') || k[open + 2].kind != TOKEN_COMMA ||
        k[open + 1].kind != TOKEN_NUMBER)
        return;
    bool rated = false;
    for (unsigned i = open + 3; i < close; i++)
        rated = rated || token_ranges(&k[i]);
    if (!find_bucket(j->t, open + 3, close, "_bucket", &bucket, &last)) {
        judge_no_buckets(j, open + 3, close);
        return;
    }
    if (tokens_aggregation(j->t, open + 3, &a) && a.last + 1 == close && judge_le(j, &a))
        return;
    if (!rated && !token_opens(&k[last + 1], '[')) {
        scoped_buf(what, WHAT_MAX);
        struct mending m = {.t = j->t, .what = &what};
        mending_before(&m, &k[bucket], "rate(");
        mending_behind(&m, &k[last], WINDOW ")");
        mending_say(&m, "Without rate() this is the quantile of all that was ever observed, not of "
                        "now.");
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
    mending_replace(&m, j->t->query, buf_str(&text));
    mending_say(&m, "%.*s() has no labels, so no series is equal to it. For the %s: %s(1, …).",
                SHORT(k[a.at].text), max ? "highest" : "lowest", max ? "topk" : "bottomk");
    tell(j, MEND_IF_EMPTY, &m);
}
