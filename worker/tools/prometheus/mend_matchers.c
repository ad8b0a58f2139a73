#include "worker/tools/prometheus/mend_matchers.h"

#include <string.h>
#include "worker/tools/text.h"

enum { VALUE_BYTES_MAX = 4096 };
#define SHORT(s) MENDING_SHORT(s)

static void mend_matcher(struct mending *m, unsigned at);
static void mend_separators(struct mending *m, unsigned at);
static void mend_lists(struct mending *m, unsigned at);
static void mend_where(struct mending *m, unsigned at);
static void mend_outside(struct mending *m, unsigned at);

void mend_matchers(struct mending *m, unsigned at)
{
    if (token_opens(&m->t->all[at], '{')) {
        mend_matcher(m, at);
        mend_separators(m, at);
        mend_lists(m, at);
    }
    mend_where(m, at);
    mend_outside(m, at);
}

static bool is_sign(const struct token *k, const char *sign)
{
    return k->kind == TOKEN_OPERATOR && str_is(k->text, sign);
}

static bool is_matching(const struct token *k)
{
    return is_sign(k, "=") || is_sign(k, "==") || is_sign(k, "!=") || is_sign(k, "=~") ||
           is_sign(k, "!~");
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
            mending_replace(m, (struct str){k[i].text.at + k[i].text.len - 1, 1}, STR("="));
            mending_say(m, "Between a label and its value stands =.");
        }
        if (!label || k[i + 1].kind != TOKEN_OPERATOR || i + 2 >= end)
            continue;
        if (str_is(k[i + 1].text, "==")) {
            mending_replace(m, k[i + 1].text, STR("="));
            mending_say(m, "A matcher has one =.");
        }
        unsigned value = i + 2, last = value;
        if (k[value].kind == TOKEN_STRING && value + 2 < end && k[value + 1].kind == TOKEN_WORD &&
            k[value + 2].kind == TOKEN_OPERATOR) {
            mending_behind(m, &k[value], ",");
            mending_say(m, "Matchers are separated by commas.");
            i = value;
            continue;
        }
        while (last + 1 < end && k[last + 1].kind != TOKEN_COMMA)
            last++;
        if (!is_matching(&k[i + 1]))
            return;
        bool path = k[value].kind == TOKEN_OPERATOR && str_is(k[value].text, "/");
        if (k[value].kind == TOKEN_WORD || k[value].kind == TOKEN_NUMBER || path) {
            struct str text = tokens_text(m->t, value, last);
            if (memchr(text.at, '"', text.len) != NULL || memchr(text.at, '=', text.len) != NULL)
                return;
            mending_before(m, &k[value], "\"");
            mending_behind(m, &k[last], "\"");
            mending_say(m, "The value of a label stands in quotes: %.*s%.*s\"%.*s\".",
                        SHORT(k[i].text), SHORT(k[i + 1].text), SHORT(text));
        }
        i = last + 1;
    }
}

static unsigned end_of(const struct mending *m, unsigned open)
{
    return m->t->all[open].pair ? m->t->all[open].pair : m->t->count;
}

/* The inside of a string. */
static struct str inside(const struct token *k)
{
    return k->text.len >= 2 ? (struct str){k->text.at + 1, k->text.len - 2} : STR("");
}

/* {a="b" and c="d"}, {a="b" && c="d"}, {a="b"; c="d"} */
static void mend_separators(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    for (unsigned i = at + 2, end = end_of(m, at); i + 1 < end; i++) {
        bool two = is_sign(&k[i], "&") && is_sign(&k[i + 1], "&");
        if (k[i - 1].kind != TOKEN_STRING ||
            (!token_is(&k[i], "and") && !two && !is_sign(&k[i], ";")))
            continue;
        const char *from = k[i - 1].text.at + k[i - 1].text.len;
        const char *to = k[two ? i + 1 : i].text.at + k[two ? i + 1 : i].text.len;
        mending_replace(m, (struct str){from, (size_t)(to - from)}, STR(","));
        mending_say(m, "Matchers are separated by commas.");
    }
}

/* "a", "b" or a | b between two tokens, as a|b. False: it is no list. */
static bool read_values(const struct token *k, unsigned from, unsigned to, struct buf *values)
{
    for (unsigned i = from; i <= to; i++) {
        bool between = k[i].kind == TOKEN_COMMA || is_sign(&k[i], "|");
        bool value =
            k[i].kind == TOKEN_STRING || k[i].kind == TOKEN_WORD || k[i].kind == TOKEN_NUMBER;
        if ((i - from) % 2 == 0 ? !value : !between)
            return false;
        buf_add_str(values, between                     ? STR("|")
                            : k[i].kind == TOKEN_STRING ? inside(&k[i])
                                                        : k[i].text);
    }
    return to >= from && (to - from) % 2 == 0;
}

static void write_list(struct mending *m, struct str what, bool without, const struct buf *values)
{
    scoped_buf(text, VALUE_BYTES_MAX);
    buf_printf(&text, "%s\"", without ? "!~" : "=~");
    buf_add_str(&text, buf_str(values));
    buf_putc(&text, '"');
    mending_replace(m, what, buf_str(&text));
    mending_say(m, "One of several values is written as label=~\"a|b\".");
}

/* {a in ("b", "c")}, {a=("b"|"c")}, {a="b"|"c"}, {a="b" or a="c"}, {a like "b%"} */
static void mend_list(struct mending *m, unsigned label, unsigned end)
{
    const struct token *k = m->t->all;
    unsigned op = label + 1, value = op + 1;
    bool without = token_is(&k[op], "not");
    if (without && token_is(&k[op + 1], "in"))
        value++;
    bool in = token_is(&k[value - 1], "in");
    without = without || is_sign(&k[op], "!=") || is_sign(&k[op], "!~");
    bool equal = without || is_sign(&k[op], "=") || is_sign(&k[op], "=~");
    const char *from = k[label].text.at + k[label].text.len;
    scoped_buf(values, VALUE_BYTES_MAX);
    if (token_is(&k[op], "like") && k[value].kind == TOKEN_STRING) {
        struct str text = inside(&k[value]);
        for (size_t i = 0; i < text.len; i++)
            buf_puts(&values, text.at[i] == '%' ? ".*" : (char[2]){text.at[i], '\0'});
        write_list(m, (struct str){from, (size_t)(k[value].text.at + k[value].text.len - from)},
                   false, &values);
        return;
    }
    unsigned last = value;
    bool listed = k[value].kind == TOKEN_OPEN && k[value].pair > value && k[value].pair < end;
    if ((in || equal) && listed) {
        last = k[value].pair;
        if (!read_values(k, value + 1, last - 1, &values))
            return;
    } else if (equal && k[value].kind == TOKEN_STRING) {
        while (is_sign(&k[last + 1], "|") && k[last + 2].kind == TOKEN_STRING && last + 2 < end)
            last += 2;
        buf_add_str(&values, inside(&k[value]));
        for (unsigned i = value + 2; i <= last; i += 2)
            buf_putc(&values, '|'), buf_add_str(&values, inside(&k[i]));
        while (token_is(&k[last + 1], "or") && str_eq(k[last + 2].text, k[label].text) &&
               is_sign(&k[last + 3], "=") && k[last + 4].kind == TOKEN_STRING && last + 4 < end) {
            last += 4;
            buf_putc(&values, '|'), buf_add_str(&values, inside(&k[last]));
        }
    }
    if (last == value || values.overflowed)
        return;
    write_list(m, (struct str){from, (size_t)(k[last].text.at + k[last].text.len - from)}, without,
               &values);
}

/* {a=~"*b"}: a star repeats what stands before it. */
static void mend_glob(struct mending *m, const struct token *op)
{
    struct str text = inside(op + 1);
    if ((!is_sign(op, "=~") && !is_sign(op, "!~")) || op[1].kind != TOKEN_STRING)
        return;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] == '*' && (i == 0 || strchr("|(", text.at[i - 1]))) {
            mending_replace(m, (struct str){text.at + i, 0}, STR("."));
            mending_say(m, "The value is a regular expression: any text is .*");
        }
}

static void mend_lists(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    for (unsigned i = at + 1, end = end_of(m, at); i + 2 < end; i++)
        if (k[i].kind == TOKEN_WORD && (i == at + 1 || k[i - 1].kind == TOKEN_COMMA)) {
            mend_glob(m, &k[i + 1]);
            mend_list(m, i, end);
        }
}

/* ---- conditions beside the braces ---- */

/* The only selector of a query; false: there are more, or none. */
static bool only_selector(const struct tokens *t, unsigned to, unsigned *first, unsigned *last)
{
    unsigned count = 0;
    for (unsigned i = 0, end; i < to; i++) {
        if (i > 0 && (token_is(&t->all[i - 1], "by") || token_is(&t->all[i - 1], "without")) &&
            t->all[i].pair > i) {
            i = t->all[i].pair;
        } else if (tokens_selector(t, i, &end)) {
            count++;
            *first = i;
            *last = i = end;
        }
    }
    return count == 1;
}

/* One condition, as a matcher; the token behind it. 0: it is none. */
static unsigned read_condition(const struct token *k, unsigned at, struct buf *matchers)
{
    static const char *const signs[][2] = {
        {"=", "="}, {"==", "="}, {"!=", "!="}, {"=~", "=~"}, {"!~", "!~"}};
    const char *sign = NULL;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (is_sign(&k[at + 1], signs[i][0]))
            sign = signs[i][1];
    bool string = k[at + 2].kind == TOKEN_STRING;
    if (k[at].kind != TOKEN_WORD || !sign ||
        (!string && k[at + 2].kind != TOKEN_WORD && k[at + 2].kind != TOKEN_NUMBER))
        return 0;
    buf_puts(matchers, matchers->len > 0 ? "," : "");
    buf_add_str(matchers, k[at].text);
    buf_printf(matchers, "%s\"", sign);
    buf_add_str(matchers, string ? inside(&k[at + 2]) : k[at + 2].text);
    buf_putc(matchers, '"');
    return at + 3;
}

/* x where a = 'b' and c = 'd' */
static void mend_where(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    unsigned next = at, first = 0, last = 0;
    scoped_buf(matchers, VALUE_BYTES_MAX);
    if (!token_is(&k[at], "where") || at == 0 || !only_selector(m->t, at, &first, &last))
        return;
    do {
        next = read_condition(k, next + 1, &matchers);
    } while (next > 0 && (token_is(&k[next], "and") || k[next].kind == TOKEN_COMMA));
    if (next == 0)
        return;
    const char *from = k[at - 1].text.at + k[at - 1].text.len;
    struct str whole = {from, (size_t)(k[next - 1].text.at + k[next - 1].text.len - from)};
    scoped_buf(text, VALUE_BYTES_MAX);
    bool braces = k[last].kind == TOKEN_CLOSE, empty = braces && k[last - 1].kind == TOKEN_OPEN;
    buf_puts(&text, !braces ? "{" : empty ? "" : ",");
    buf_add_str(&text, buf_str(&matchers));
    buf_puts(&text, braces ? "" : "}");
    if (braces)
        mending_before(m, &k[last], buf_cstr(&text));
    else
        mending_behind(m, &k[last], buf_cstr(&text));
    mending_replace(m, whole, STR("")); /* behind what is put at the same place */
    mending_say(m, "There is no where: conditions on labels stand in braces behind the metric.");
}

/* x[a="b"], x(a="b"): braces are meant. */
static void mend_outside(struct mending *m, unsigned at)
{
    const struct token *k = m->t->all;
    bool opens = token_opens(&k[at], '[') || token_opens(&k[at], '(');
    if (!opens || at == 0 || k[at].pair < at + 4 || k[at - 1].kind != TOKEN_WORD ||
        token_aggregates(&k[at - 1]) || token_ranges(&k[at - 1]) || k[at + 1].kind != TOKEN_WORD ||
        (!is_sign(&k[at + 2], "=") && !is_sign(&k[at + 2], "=~") && !is_sign(&k[at + 2], "!~")) ||
        k[at + 3].kind != TOKEN_STRING)
        return;
    mending_replace(m, k[at].text, STR("{"));
    mending_replace(m, k[k[at].pair].text, STR("}"));
    mending_say(m, "Matchers stand in braces.");
}
