#include "worker/tools/prometheus/mend_window.h"

#include <ctype.h>
#include <string.h>
#include "common/duration.h"
#include "worker/tools/moment.h"
#include "worker/tools/text.h"

/* The usual window: four scrapes of a minute and one more; of a subquery, whose inside has one. */
#define WINDOW "[5m]"
#define SUBQUERY "[1h:]"

enum { TEXT_BYTES_MAX = 4096, DURATION_BYTES_MAX = 64 };

static void mend_brackets(struct mending *m, unsigned at);
static void mend_offset(struct mending *m, unsigned at);
static void mend_moment(struct mending *m, unsigned at);
static void mend_place(struct mending *m, unsigned at);
static void mend_early_offset(struct mending *m, unsigned at);
static void mend_ranged(struct mending *m, unsigned at);
static void mend_aggregated(struct mending *m, unsigned at);

void mend_window(struct mending *m, unsigned at)
{
    mend_brackets(m, at);
    mend_offset(m, at);
    mend_moment(m, at);
    mend_place(m, at);
    mend_early_offset(m, at);
    mend_ranged(m, at);
    mend_aggregated(m, at);
}

/* ---- durations ---- */

static bool is_digits(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isdigit((unsigned char)text.at[i]))
            return false;
    return text.len > 0;
}

/* 5m, 1h30m: as every server takes it. */
static bool is_written(struct str text)
{
    int64_t ms;
    return !is_digits(text) && memchr(text.at, '.', text.len) == NULL &&
           memchr(text.at, ' ', text.len) == NULL && duration_parse(text, &ms) && ms > 0;
}

/* One that can mean but one duration: 5 m, "5m", 5min, PT5M, 300, 1.5h, 5M, last 5 minutes. */
static bool read_duration(struct str text, int64_t *ms)
{
    static const struct {
        const char *word;
        int64_t ms;
    } words[] = {{"yesterday", 86400000},
                 {"last day", 86400000},
                 {"last week", 604800000},
                 {"last hour", 3600000},
                 {"last month", 2592000000LL},
                 {"day", 86400000},
                 {"week", 604800000},
                 {"hour", 3600000},
                 {"minute", 60000}};
    static const char *const before[] = {"last ", "past ", "over ", "-", "="};
    char lower[DURATION_BYTES_MAX];
    text = str_trim(text);
    if (text.len == 0 || text.len >= sizeof(lower))
        return false;
    for (size_t i = 0; i < text.len; i++)
        lower[i] = (char)tolower((unsigned char)text.at[i]);
    struct str small = {lower, text.len};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (str_is(small, words[i].word)) {
            *ms = words[i].ms;
            return true;
        }
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        if (str_starts(small, str_of(before[i])))
            return read_duration(str_skip(text, strlen(before[i])), ms);
    return (moment_said_duration(text, ms) || moment_said_duration(small, ms)) && *ms > 0;
}

/* The inside of brackets as a server takes it; false: it is so already, or not certain. */
static bool mend_inside(struct str inside, struct buf *to)
{
    size_t parts = 0, plain = 0;
    struct str rest = str_trim(inside), all = rest;
    bool sub = all.len > 0 && memchr(all.at, ':', all.len) != NULL, divided = false;
    while (rest.len > 0 && parts < 2) {
        size_t len = 0;
        int64_t ms;
        while (len < rest.len && !strchr(":,/", rest.at[len]))
            len++;
        struct str part = str_trim((struct str){rest.at, len});
        bool empty = part.len == 0 && parts == 1;
        plain += empty || is_written(part);
        if ((!empty && !read_duration(part, &ms)) || (divided && is_digits(part)))
            return false; /* [5m / 2] is half of it */
        divided = len < rest.len && rest.at[len] == '/';
        if (parts++ > 0)
            buf_putc(to, ':');
        if (is_written(part))
            buf_add_str(to, part);
        else if (!empty)
            buf_puts(to, duration_write(ms));
        rest = str_skip(rest, len < rest.len ? len + 1 : len);
        if (rest.len == 0 && len < all.len && parts == 1 && all.at[all.len - 1] == ':')
            buf_putc(to, ':');
    }
    return parts > 0 && rest.len == 0 && (plain < parts || (parts == 2 && !sub));
}

/* The text between brackets. One that is never closed ends before what can't be in it. */
static struct str inside_of(const struct tokens *t, unsigned at, bool *closed)
{
    const struct token *k = &t->all[at];
    struct str rest = str_skip(t->query, (size_t)(k->text.at + 1 - t->query.at));
    size_t len = 0;
    *closed = k->pair > 0;
    if (*closed)
        return (struct str){rest.at, (size_t)(t->all[k->pair].text.at - rest.at)};
    while (len < rest.len && !strchr(")]},({[", rest.at[len]) &&
           !str_starts(str_skip(rest, len), STR(" offset")))
        len++;
    return (struct str){rest.at, len};
}

static void mend_brackets(struct mending *m, unsigned at)
{
    bool closed;
    if (!token_opens(&m->t->all[at], '['))
        return;
    struct str inside = inside_of(m->t, at, &closed);
    scoped_buf(text, DURATION_BYTES_MAX);
    if (closed && str_trim(inside).len == 0) {
        mending_replace(m, inside, STR("5m"));
        mending_say(m, "A range has a duration, as [5m].");
    } else if (mend_inside(inside, &text) && !text.overflowed) {
        mending_replace(m, inside, buf_str(&text));
        mending_say(m, "A range is written as [%s].", buf_cstr(&text));
    }
    if (closed || inside.len == 0)
        return;
    struct str end = {inside.at + inside.len, 0};
    mending_replace(m, end, STR("]"));
    mending_say(m, "The range [%.*s has no ].", MENDING_SHORT(str_trim(inside)));
}

/* ---- offset and @ ---- */

/* What stands behind a modifier's word or sign, to where an expression goes on. */
static struct str argument(const struct tokens *t, unsigned at)
{
    const struct token *k = &t->all[at];
    size_t from = (size_t)(k->text.at + k->text.len - t->query.at), len = 0;
    struct str rest = str_skip(t->query, from);
    while (len < rest.len && isspace((unsigned char)rest.at[len]))
        len++;
    if (len < rest.len && (rest.at[len] == '"' || rest.at[len] == '\'')) {
        const char *end = memchr(rest.at + len + 1, rest.at[len], rest.len - len - 1);
        return (struct str){rest.at + len, end ? (size_t)(end + 1 - (rest.at + len)) : 0};
    }
    size_t begin = len;
    while (len < rest.len && (isalnum((unsigned char)rest.at[len]) || strchr(".:=-", rest.at[len])))
        len++;
    return (struct str){rest.at + begin, len - begin};
}

/* offset 1day, offset 300, offset "1h", offset 1 hour, offset yesterday */
static void mend_offset(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    int64_t ms;
    if (!token_is(&k[at], "offset") || at == 0 || k[at + 1].kind == TOKEN_END)
        return;
    struct str said = argument(m->t, at);
    bool back = said.len > 0 && said.at[0] == '-';
    if (k[at + 1].kind == TOKEN_NUMBER && k[at + 2].kind == TOKEN_WORD &&
        read_duration(tokens_text(m->t, at + 1, at + 2), &ms))
        said = tokens_text(m->t, at + 1, at + 2);
    if (said.len == 0 || is_written(back ? str_skip(said, 1) : said) || !read_duration(said, &ms))
        return;
    scoped_buf(text, DURATION_BYTES_MAX);
    buf_printf(&text, "%s%s", back ? "-" : "", duration_write(ms));
    mending_replace(m, said, buf_str(&text));
    mending_say(m, "A duration is written as %s.", duration_write(ms));
}

/* x @ now, x @ now-1h, x @ "2026-11-30T10:00:00Z" */
static void mend_moment(struct mending *m, unsigned at)
{
    const struct token *k = &m->t->all[at];
    int64_t ms;
    if (k->kind != TOKEN_OPERATOR || !str_is(k->text, "@") || at == 0)
        return;
    struct str said = argument(m->t, at), text = said, back;
    if (text.len > 1 && (text.at[0] == '"' || text.at[0] == '\''))
        text = str_trim((struct str){text.at + 1, text.len - 2});
    struct str whole = {k->text.at, (size_t)(said.at + said.len - k->text.at)};
    scoped_buf(with, DURATION_BYTES_MAX);
    if (str_starts(text, STR("now"))) {
        bool call = str_starts(
            (struct str){said.at + said.len,
                         (size_t)(m->t->query.at + m->t->query.len - said.at) - said.len},
            STR("()"));
        whole.len += call ? 2 : 0;
        back = str_skip(text, 3);
        if (back.len > 0 && !read_duration(back, &ms))
            return;
        if (back.len > 0)
            buf_printf(&with, "offset %s", duration_write(ms));
        mending_replace(m, whole, buf_str(&with));
        mending_say(m, "@ takes a Unix time; now is meant without it, and before now is offset.");
    } else if (text.len >= 10 && text.at[4] == '-' &&
               moment_parse(text, 0, STR("UTC"), &ms, NULL)) {
        buf_printf(&with, "%lld", (long long)(ms / 1000));
        mending_replace(m, said, buf_str(&with));
        mending_say(m, "@ takes a Unix time.");
    }
}

/* Where the parentheses open that end before a token: of sum(x) by (a) those of x; 0: none. */
static unsigned parentheses_before(const struct tokens *t, unsigned at)
{
    const struct token *k = t->all;
    unsigned open = at > 0 && k[at - 1].kind == TOKEN_CLOSE ? k[at - 1].pair : 0;
    if (at == 0 || k[at - 1].kind != TOKEN_CLOSE || !token_opens(&k[open], '('))
        return UINT32_MAX;
    if (open >= 2 && (token_is(&k[open - 1], "by") || token_is(&k[open - 1], "without")) &&
        k[open - 2].kind == TOKEN_CLOSE)
        return k[open - 2].pair;
    return open;
}

/* Behind each selector of a part that has no modifier yet. */
static unsigned modify(struct mending *m, unsigned from, unsigned to, const char *modifier)
{
    const struct token *k = m->t->all;
    unsigned count = 0;
    for (unsigned i = from, last; i < to; i++) {
        if ((token_is(&k[i], "by") || token_is(&k[i], "without")) && token_opens(&k[i + 1], '(') &&
            k[i + 1].pair > 0)
            i = k[i + 1].pair;
        else if (tokens_selector(m->t, i, &last)) {
            i = token_opens(&k[last + 1], '[') && k[last + 1].pair ? k[last + 1].pair : last;
            if (token_is(&k[i + 1], "offset") || str_is(k[i + 1].text, "@"))
                return 0;
            mending_behind(m, &k[i], modifier);
            count++;
        }
    }
    return count;
}

/* rate(x[5m]) offset 1h, sum(x) @ end() */
static void mend_place(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    bool offset = token_is(&k[at], "offset"), moment = str_is(k[at].text, "@");
    unsigned open = offset || moment ? parentheses_before(m->t, at) : UINT32_MAX, last = at + 1;
    if (open == UINT32_MAX || k[at].kind == TOKEN_STRING)
        return;
    if (k[last].kind == TOKEN_OPERATOR && str_is(k[last].text, "-"))
        last++;
    bool call = k[last].kind == TOKEN_WORD && token_opens(&k[last + 1], '(') && k[last + 1].pair;
    if (call)
        last = k[last + 1].pair;
    else if (k[last].kind != TOKEN_NUMBER || (offset && !is_written(k[last].text)))
        return;
    scoped_buf(modifier, DURATION_BYTES_MAX);
    buf_putc(&modifier, ' ');
    buf_add_str(&modifier, tokens_text(m->t, at, last));
    if (modifier.overflowed || modify(m, open + 1, at - 1, buf_cstr(&modifier)) == 0)
        return;
    const char *end = k[at - 1].text.at + k[at - 1].text.len;
    struct str whole = tokens_text(m->t, at, last);
    mending_replace(m, (struct str){end, (size_t)(whole.at + whole.len - end)}, STR(""));
    mending_say(m, "%.*s stands behind a selector and its range, not behind a function.",
                MENDING_SHORT(k[at].text));
}

/* x offset 1h [5m] */
static void mend_early_offset(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    unsigned end = k[at].pair;
    if (!token_opens(&k[at], '[') || end == 0 || at < 3 || k[at - 1].kind != TOKEN_NUMBER ||
        !token_is(&k[at - 2], "offset"))
        return;
    scoped_buf(text, TEXT_BYTES_MAX);
    buf_add_str(&text, tokens_text(m->t, at, end));
    buf_putc(&text, ' ');
    buf_add_str(&text, tokens_text(m->t, at - 2, at - 1));
    const char *from = k[at - 3].text.at + k[at - 3].text.len;
    struct str whole = {from, (size_t)(k[end].text.at + 1 - from)};
    mending_replace(m, whole, buf_str(&text));
    mending_say(m, "offset stands behind the range.");
}

/* ---- functions over a range ---- */

static bool is_subquery(const struct tokens *t, unsigned open)
{
    struct str window = tokens_text(t, open, t->all[open].pair);
    return t->all[open].pair > 0 && memchr(window.at, ':', window.len) != NULL;
}

/* rate(sum by (a) (x)) → sum by (a) (rate(x[5m])) */
static void write_swapped(const struct tokens *t, unsigned at, const struct aggregation *a,
                          unsigned last, struct str window, struct buf *text)
{
    const struct token *k = t->all;
    buf_add_str(text, k[a->at].text);
    if (a->by_at > 0) {
        buf_putc(text, ' ');
        buf_add_str(text, tokens_text(t, a->by_at, a->by_close));
        buf_putc(text, ' ');
    }
    buf_putc(text, '(');
    if (a->inner > a->open + 1)
        buf_add_str(text, tokens_text(t, a->open + 1, a->inner - 1));
    buf_add_str(text, k[at].text);
    buf_putc(text, '(');
    buf_add_str(text, tokens_text(t, a->inner, last));
    buf_add_str(text, window);
    buf_puts(text, "))");
}

/* rate(sum(x)[5m]): false: it is not so. */
static bool mend_early_sum(struct mending *m, unsigned at, unsigned first)
{
    const struct token *k = m->t->all;
    struct aggregation a;
    unsigned last, close = k[at + 1].pair;
    if (!token_counts(&k[at]) || !tokens_aggregation(m->t, first, &a) ||
        !tokens_selector(m->t, a.inner, &last))
        return false;
    bool inside = token_opens(&k[last + 1], '[') && k[last + 1].pair + 1 == a.close;
    bool outside = token_opens(&k[a.last + 1], '[') && k[a.last + 1].pair + 1 == close;
    if ((!inside && last + 1 != a.close) || (!outside && a.last + 1 != close) ||
        (outside && is_subquery(m->t, a.last + 1)))
        return false;
    struct str window = inside    ? tokens_text(m->t, last + 1, a.close - 1)
                        : outside ? tokens_text(m->t, a.last + 1, close - 1)
                                  : STR(WINDOW);
    scoped_buf(text, TEXT_BYTES_MAX);
    write_swapped(m->t, at, &a, last, window, &text);
    mending_replace(m, tokens_text(m->t, at, close), buf_str(&text));
    mending_say(m,
                "%.*s() comes before %.*s(): each series is counted before they are put together.",
                MENDING_SHORT(k[at].text), MENDING_SHORT(k[a.at].text));
    return true;
}

bool mend_window_nested(const struct tokens *t, unsigned at, struct buf *meant)
{
    const struct token *k = t->all;
    unsigned last, inner = at + 2, close = k[at + 1].pair, end = k[inner + 1].pair;
    if (!token_counts(&k[at]) || !token_opens(&k[at + 1], '(') || close == 0 ||
        !token_counts(&k[inner]) || !token_opens(&k[inner + 1], '(') || end == 0 ||
        !tokens_selector(t, inner + 2, &last))
        return false;
    bool window = token_opens(&k[last + 1], '[') && k[last + 1].pair + 1 == end;
    bool outer = token_opens(&k[end + 1], '[') && k[end + 1].pair + 1 == close;
    if ((!window && last + 1 != end) || (!outer && end + 1 != close))
        return false;
    struct str range = window  ? tokens_text(t, last + 2, k[last + 1].pair - 1)
                       : outer ? tokens_text(t, end + 2, k[end + 1].pair - 1)
                               : STR("5m");
    bool whole = token_is(&k[at], "increase"), differ = token_is(&k[inner], "increase");
    if (whole && outer)
        range = tokens_text(t, end + 2, k[end + 1].pair - 1);
    const char *colon = memchr(range.at, ':', range.len);
    range.len = colon ? (size_t)(colon - range.at) : range.len;
    buf_add_str(meant, whole || differ ? k[at].text : k[inner].text);
    buf_putc(meant, '(');
    buf_add_str(meant, tokens_text(t, inner + 2, last));
    buf_putc(meant, '[');
    buf_add_str(meant, str_trim(range));
    buf_puts(meant, "])");
    return !meant->overflowed;
}

/* The first token of a function's vector: behind the number of quantile_over_time(0.9, x), and
 * behind the duration of rate(5m, x). */
static unsigned vector_of(const struct tokens *t, unsigned at)
{
    const struct token *k = t->all;
    unsigned first = at + 2;
    return k[first].kind == TOKEN_NUMBER && k[first + 1].kind == TOKEN_COMMA ? first + 2 : first;
}

/* Its second argument is a number, no window. */
static bool takes_number(const struct token *k)
{
    return token_is(k, "predict_linear") || token_is(k, "holt_winters") ||
           token_is(k, "double_exponential_smoothing");
}

/* rate(x), rate(x, 5m), rate(x, "5m"), rate(x 5m), rate(5m, x): false: it has a range. */
static bool mend_no_range(struct mending *m, unsigned at, unsigned first)
{
    const struct token *k = m->t->all;
    unsigned last, close = k[at + 1].pair;
    int64_t ms;
    if (!tokens_selector(m->t, first, &last) || token_opens(&k[last + 1], '['))
        return false;
    unsigned said = k[last + 1].kind == TOKEN_COMMA ? last + 2 : last + 1;
    bool window = !takes_number(&k[at]) && said + 1 == close &&
                  (k[said].kind == TOKEN_NUMBER || k[said].kind == TOKEN_STRING) &&
                  read_duration(k[said].text, &ms);
    bool before = first == at + 4 && !token_is(&k[at], "quantile_over_time") && last + 1 == close &&
                  read_duration(k[at + 2].text, &ms);
    scoped_buf(text, DURATION_BYTES_MAX);
    buf_printf(&text, "[%s]", window || before ? duration_write(ms) : "5m");
    if (window) {
        const char *from = k[last].text.at + k[last].text.len;
        const char *end = k[said].text.at + k[said].text.len;
        mending_replace(m, (struct str){from, (size_t)(end - from)}, buf_str(&text));
    } else if (last + 1 == close || (takes_number(&k[at]) && k[last + 1].kind == TOKEN_COMMA)) {
        mending_behind(m, &k[last], buf_cstr(&text));
    } else {
        return true;
    }
    if (before)
        mending_replace(
            m, (struct str){k[at + 2].text.at, (size_t)(k[first].text.at - k[at + 2].text.at)},
            STR(""));
    mending_say(m, "%.*s() takes a range, as %.*s[5m].", MENDING_SHORT(k[at].text),
                MENDING_SHORT(tokens_text(m->t, first, last)));
    return true;
}

/* rate(x(5m)) */
static bool mend_called_range(struct mending *m, unsigned at, unsigned first)
{
    const struct token *k = m->t->all;
    int64_t ms;
    if (k[first].kind != TOKEN_WORD || !token_opens(&k[first + 1], '(') ||
        k[first + 1].pair != first + 3 || k[first + 2].kind != TOKEN_NUMBER ||
        is_digits(k[first + 2].text) || !read_duration(k[first + 2].text, &ms))
        return false;
    mending_replace(m, k[first + 1].text, STR("["));
    mending_replace(m, k[first + 3].text, STR("]"));
    mending_say(m, "%.*s() takes a range in brackets, as [5m].", MENDING_SHORT(k[at].text));
    return true;
}

/* rate(x)[5m] */
static bool mend_late_range(struct mending *m, unsigned at, unsigned first)
{
    const struct token *k = m->t->all;
    unsigned last, close = k[at + 1].pair;
    if (!token_opens(&k[close + 1], '[') || k[close + 1].pair == 0 ||
        !tokens_selector(m->t, first, &last) || last + 1 != close || is_subquery(m->t, close + 1))
        return false;
    struct str window = tokens_text(m->t, close + 1, k[close + 1].pair);
    scoped_buf(text, DURATION_BYTES_MAX);
    buf_add_str(&text, window);
    mending_behind(m, &k[last], buf_cstr(&text));
    mending_replace(m, window, STR(""));
    mending_say(m, "The range stands behind the metric, inside of %.*s().",
                MENDING_SHORT(k[at].text));
    return true;
}

/* max_over_time(rate(x[5m])[1h]), max_over_time(sum(x)): over an expression it is a subquery. */
static void mend_subquery(struct mending *m, unsigned at, unsigned first)
{
    const struct token *k = m->t->all;
    unsigned close = k[at + 1].pair, last, end = close - 1;
    if (tokens_selector(m->t, first, &last) || first >= close)
        return;
    for (unsigned i = first; i < close; i++) /* predict_linear(…, 3600) */
        if (k[i].kind == TOKEN_COMMA && k[i].depth == k[at + 1].depth + 1)
            end = i - 1;
    unsigned open = k[end].kind == TOKEN_CLOSE && str_is(k[end].text, "]") ? k[end].pair : 0;
    if (open > 0 && !is_subquery(m->t, open) && k[open - 1].kind == TOKEN_CLOSE &&
        str_is(k[open - 1].text, ")"))
        mending_before(m, &k[end], ":");
    else if (open == 0 && k[end].kind == TOKEN_CLOSE && str_is(k[end].text, ")") &&
             (!token_counts(&k[at]) || token_ranges(&k[first])))
        mending_behind(m, &k[end], SUBQUERY);
    else
        return;
    mending_say(m, "%.*s() over an expression takes a subquery, as " SUBQUERY ".",
                MENDING_SHORT(k[at].text));
}

/* predict_linear(x[1h], 4h): it takes seconds. */
static void mend_seconds(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all, *last = &k[k[at + 1].pair - 1];
    int64_t ms;
    if (!token_is(&k[at], "predict_linear") || last->kind != TOKEN_NUMBER ||
        last[-1].kind != TOKEN_COMMA || !is_written(last->text) || !duration_parse(last->text, &ms))
        return;
    scoped_buf(text, DURATION_BYTES_MAX);
    buf_printf(&text, "%lld", (long long)(ms / 1000));
    mending_replace(m, last->text, buf_str(&text));
    mending_say(m, "predict_linear() takes seconds: %s for %.*s.", buf_cstr(&text),
                MENDING_SHORT(last->text));
}

static void mend_ranged(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    if (!token_ranges(&k[at]) || !token_opens(&k[at + 1], '(') || k[at + 1].pair == 0)
        return;
    unsigned first = vector_of(m->t, at);
    scoped_buf(meant, TEXT_BYTES_MAX);
    mend_seconds(m, at);
    if (mend_window_nested(m->t, at, &meant)) {
        mending_replace(m, tokens_text(m->t, at, k[at + 1].pair), buf_str(&meant));
        mending_say(m, "%.*s() already counts: there is no %.*s() of it.",
                    MENDING_SHORT(k[at + 2].text), MENDING_SHORT(k[at].text));
    } else if (!mend_late_range(m, at, first) && !mend_called_range(m, at, first) &&
               !mend_no_range(m, at, first) && !mend_early_sum(m, at, first)) {
        mend_subquery(m, at, first);
    }
}

/* ---- aggregations over a range ---- */

/* What a range is put through before it is aggregated. */
static const char *over_time(const struct token *aggregation, struct str name)
{
    static const char *const ends[] = {"_total", "_bucket", "_count", "_sum"};
    static const char *const same[][2] = {
        {"max", "max_over_time"}, {"min", "min_over_time"}, {"avg", "avg_over_time"}};
    if (token_is(aggregation, "histogram_quantile"))
        return "rate";
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (str_ends(name, str_of(ends[i])))
            return "rate";
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        if (token_is(aggregation, same[i][0]))
            return same[i][1];
    return "avg_over_time";
}

/* sum(x[5m]), max(x)[1h], histogram_quantile(0.9, x_bucket[5m]) */
static void mend_aggregated(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    struct aggregation a;
    unsigned last;
    bool quantile = token_is(&k[at], "histogram_quantile") && token_opens(&k[at + 1], '(');
    if (quantile)
        a = (struct aggregation){
            .at = at, .inner = at + 4, .close = k[at + 1].pair, .last = k[at + 1].pair};
    else if (!tokens_aggregation(m->t, at, &a))
        return;
    if (a.close == 0 || a.inner >= a.close || !tokens_selector(m->t, a.inner, &last) ||
        (at >= 2 && token_ranges(&k[at - 2])) || (at >= 4 && token_ranges(&k[at - 4])))
        return;
    bool inside = token_opens(&k[last + 1], '[') && k[last + 1].pair + 1 == a.close;
    bool outside = last + 1 == a.close && token_opens(&k[a.last + 1], '[') &&
                   k[a.last + 1].pair > 0 && !is_subquery(m->t, a.last + 1);
    if (!inside && !outside)
        return;
    unsigned open = inside ? last + 1 : a.last + 1;
    struct str window = tokens_text(m->t, open, k[open].pair);
    const char *function = over_time(&k[at], k[a.inner].text);
    scoped_buf(begin, DURATION_BYTES_MAX);
    scoped_buf(end, TEXT_BYTES_MAX);
    buf_printf(&begin, "%s(", function);
    if (outside)
        buf_add_str(&end, window);
    buf_putc(&end, ')');
    mending_before(m, &k[a.inner], buf_cstr(&begin));
    mending_behind(m, &k[inside ? k[open].pair : last], buf_cstr(&end));
    if (outside)
        mending_replace(m, window, STR(""));
    mending_say(m, "%.*s() takes no range: of %.*s over time it is %s().",
                MENDING_SHORT(k[at].text), MENDING_SHORT(window), function);
}
