#include "worker/tools/prometheus/tokens.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/prometheus/with.h"

static const char *const aggregations[] = {
    "sum",  "avg",     "min",      "max",          "count",  "group",       "stddev", "stdvar",
    "topk", "bottomk", "quantile", "count_values", "limitk", "limit_ratio", NULL};
static const char *const counting[] = {"rate", "irate", "increase", NULL};
static const char *const ranging[] = {"rate",  "irate",   "increase", "delta",          "idelta",
                                      "deriv", "changes", "resets",   "predict_linear", NULL};
static const char *const keywords[] = {"by",          "without", "on",   "ignoring", "group_left",
                                       "group_right", "offset",  "bool", "and",      "or",
                                       "unless",      "atan2",   NULL};

static bool word_among(const struct token *k, const char *const *words)
{
    for (; k->kind == TOKEN_WORD && *words; words++)
        if (token_is(k, *words))
            return true;
    return false;
}

bool token_is(const struct token *k, const char *word)
{
    return k->kind == TOKEN_WORD && k->text.len == strlen(word) &&
           strncasecmp(k->text.at, word, k->text.len) == 0;
}

bool token_opens(const struct token *k, char c)
{
    return k->kind == TOKEN_OPEN && k->text.at[0] == c;
}

bool token_aggregates(const struct token *k) { return word_among(k, aggregations); }

bool token_counts(const struct token *k) { return word_among(k, counting); }

bool token_ranges(const struct token *k)
{
    static const char over[] = "_over_time";
    size_t end = sizeof(over) - 1;
    return word_among(k, ranging) || (k->kind == TOKEN_WORD && k->text.len > end &&
                                      strncasecmp(k->text.at + k->text.len - end, over, end) == 0);
}

struct str tokens_text(const struct tokens *t, unsigned from, unsigned to)
{
    if (to < from)
        return (struct str){t->all[from].text.at, 0};
    const char *end = t->all[to].text.at + t->all[to].text.len;
    return (struct str){t->all[from].text.at, (size_t)(end - t->all[from].text.at)};
}

/* ---- reading ---- */

static struct str number(struct str text)
{
    size_t len = 0;
    while (len < text.len &&
           (isalnum((unsigned char)text.at[len]) || text.at[len] == '.' || text.at[len] == '_' ||
            ((text.at[len] == '+' || text.at[len] == '-') && len > 0 &&
             (text.at[len - 1] | 32) == 'e' && isdigit((unsigned char)text.at[0]))))
        len++;
    return (struct str){text.at, len ? len : 1};
}

static struct str operator(struct str text)
{
    static const char *const two[] = {"==", "!=", "<=", ">=", "=~", "!~", NULL};
    for (const char *const *o = two; *o && text.len > 1; o++)
        if (memcmp(text.at, *o, 2) == 0)
            return (struct str){text.at, 2};
    return (struct str){text.at, 1};
}

static struct token next_token(struct str rest)
{
    char c = rest.at[0];
    struct token k = {.kind = TOKEN_OPERATOR, .text = {rest.at, 1}};
    if (strchr("({[", c))
        k.kind = TOKEN_OPEN;
    else if (strchr(")}]", c))
        k.kind = TOKEN_CLOSE;
    else if (c == ',')
        k.kind = TOKEN_COMMA;
    else if (with_quote(c)) {
        k.kind = TOKEN_STRING;
        k.text = with_string(rest);
    } else if (with_ident_start(c)) {
        k.kind = TOKEN_WORD;
        k.text = with_ident(rest);
    } else if (isdigit((unsigned char)c) ||
               (c == '.' && rest.len > 1 && isdigit((unsigned char)rest.at[1]))) {
        k.kind = TOKEN_NUMBER;
        k.text = number(rest);
    } else {
        k.text = operator(rest);
    }
    return k;
}

static bool fits(char open, char close)
{
    return (open == '(' && close == ')') || (open == '{' && close == '}') ||
           (open == '[' && close == ']');
}

/* Sets the token's pair and depth. */
static void pair(struct tokens *t, unsigned *open, unsigned *depth, unsigned at)
{
    struct token *k = &t->all[at];
    if (k->kind == TOKEN_CLOSE && *depth > 0 &&
        fits(t->all[open[*depth - 1]].text.at[0], k->text.at[0])) {
        k->pair = open[--*depth];
        t->all[k->pair].pair = at;
    } else if (k->kind == TOKEN_CLOSE) {
        t->whole = false;
    }
    k->depth = *depth;
    if (k->kind == TOKEN_OPEN)
        open[(*depth)++] = at;
}

void tokens_read(struct tokens *t, struct str query)
{
    unsigned open[TOKENS_MAX + 1], depth = 0;
    struct str rest = query;
    t->query = query;
    t->count = 0;
    t->whole = true;
    while (rest.len > 0) {
        if (isspace((unsigned char)rest.at[0])) {
            rest = str_skip(rest, 1);
            continue;
        }
        if (rest.at[0] == '#') {
            const char *line = memchr(rest.at, '\n', rest.len);
            rest = line ? str_skip(rest, (size_t)(line - rest.at)) : str_skip(rest, rest.len);
            continue;
        }
        if (t->count == TOKENS_MAX) {
            t->whole = false;
            break;
        }
        struct token *k = &t->all[t->count];
        *k = next_token(rest);
        k->text.len = k->text.len ? k->text.len : 1;
        if (k->kind == TOKEN_STRING &&
            (k->text.len < 2 || k->text.at[k->text.len - 1] != k->text.at[0]))
            t->whole = false;
        pair(t, open, &depth, t->count++);
        rest = str_skip(rest, k->text.len);
    }
    t->whole = t->whole && depth == 0;
    t->all[t->count] = (struct token){.kind = TOKEN_END, .text = {query.at + query.len, 0}};
}

/* ---- parts ---- */

bool tokens_selector(const struct tokens *t, unsigned at, unsigned *last)
{
    const struct token *k = &t->all[at];
    bool named = k->kind == TOKEN_WORD && !word_among(k, keywords) && !token_opens(k + 1, '(') &&
                 !token_is(k, "inf") && !token_is(k, "nan");
    if (token_aggregates(k) && (token_is(k + 1, "by") || token_is(k + 1, "without")))
        return false;
    if (named && token_opens(k + 1, '{')) {
        *last = k[1].pair;
        return k[1].pair > 0;
    }
    *last = named ? at : k->pair;
    return named || (token_opens(k, '{') && k->pair > 0);
}

bool tokens_aggregation(const struct tokens *t, unsigned at, struct aggregation *a)
{
    const struct token *k = t->all;
    unsigned next = at + 1;
    *a = (struct aggregation){.at = at};
    if (!token_aggregates(&k[at]))
        return false;
    if ((token_is(&k[next], "by") || token_is(&k[next], "without")) &&
        token_opens(&k[next + 1], '(') && k[next + 1].pair > 0) {
        a->by_at = next;
        a->by_open = next + 1;
        a->by_close = k[next + 1].pair;
        next = a->by_close + 1;
    }
    if (!token_opens(&k[next], '(') || k[next].pair == 0)
        return false;
    a->open = next;
    a->close = a->last = k[next].pair;
    a->inner = a->open + 1;
    for (unsigned i = a->open + 1; i < a->close; i++)
        if (k[i].kind == TOKEN_COMMA && k[i].depth == k[a->open].depth + 1)
            a->inner = i + 1;
    next = a->close + 1;
    if (a->by_at == 0 && (token_is(&k[next], "by") || token_is(&k[next], "without")) &&
        token_opens(&k[next + 1], '(') && k[next + 1].pair > 0) {
        a->by_at = next;
        a->by_open = next + 1;
        a->by_close = a->last = k[next + 1].pair;
    }
    return a->inner < a->close;
}

/* 0: it is no binary operator. */
static unsigned precedence(const struct token *k)
{
    static const char *const levels[][8] = {
        {"or"},     {"and", "unless"},        {"==", "!=", "<=", "<", ">=", ">"},
        {"+", "-"}, {"*", "/", "%", "atan2"}, {"^"}};
    for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        for (unsigned n = 0; n < 8 && levels[i][n]; n++)
            if (k->kind == TOKEN_OPERATOR ? str_is(k->text, levels[i][n])
                                          : token_is(k, levels[i][n]))
                return i + 1;
    return 0;
}

unsigned tokens_top_operator(const struct tokens *t)
{
    unsigned found = 0, least = 100;
    for (unsigned i = 1; i < t->count; i++) {
        const struct token *k = &t->all[i];
        unsigned level = k->depth == 0 ? precedence(k) : 0;
        enum token_kind before = t->all[i - 1].kind;
        bool sign = before == TOKEN_OPERATOR || precedence(&t->all[i - 1]) > 0;
        if (level > 0 && !sign && level <= least)
            least = level, found = i;
    }
    return found;
}
