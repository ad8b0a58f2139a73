#include "worker/tools/logql.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/moment.h"
#include "worker/tools/template.h"

enum { DEPTH_MAX = 64, VALUE_BYTES_MAX = 8000 };

static size_t skip_string(struct str q, size_t at);
static size_t skip_comment(struct str q, size_t at);
static bool read_range(struct logql *out, struct str q, size_t *at);
static bool read_offset(struct logql *out, struct str q, size_t *at);
static bool narrows_written(struct str value, char quote);
static bool narrows(struct str regex);

static bool fail(struct logql *q, const char *why)
{
    q->error = why;
    return false;
}

struct nesting {
    char stack[DEPTH_MAX];
    unsigned depth, braces;
    size_t begin; /* of the selector that is open */
    char last;    /* of what means something */
    bool format;  /* in line_format or label_format: strings are templates */
    bool labels;  /* label_replace was there: strings may be what it puts in */
};

/* A bracket opens or closes; 0: too deep, or one that was not opened. */
static bool bracket(char c, char stack[DEPTH_MAX], unsigned *depth)
{
    static const char open[] = "({[", close[] = ")}]";
    const char *o = strchr(open, c), *e = strchr(close, c);
    if (o)
        return *depth < DEPTH_MAX && (stack[(*depth)++] = close[o - open], true);
    return !e || (*depth > 0 && stack[--*depth] == c);
}

/* What Loki's lexer, Go's text/scanner, takes for a comment or a character: what stands in it would
 * be read in two ways. */
static const char *two_ways(struct str rest)
{
    if (str_starts(rest, STR("//")) || str_starts(rest, STR("/*")))
        return "This tool does not read comments of // or /*: leave them out.";
    return str_starts(rest, STR("'")) ? "This tool does not read single quotes: use double ones."
                                      : NULL;
}

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_' || (c & 0x80); }

/* Is it this word, in letters of any case, and no part of a longer one? */
static bool word_at(struct str q, size_t at, struct str word)
{
    size_t end = at + word.len;
    return end <= q.len && strncasecmp(q.at + at, word.at, word.len) == 0 &&
           (at == 0 || !in_word(q.at[at - 1])) && (end == q.len || !in_word(q.at[end]));
}

/* A bracket, which may begin or end a selector; what else is there means nothing here. */
static bool read_one(struct logql *out, struct str q, size_t at, struct nesting *n)
{
    char c = q.at[at];
    if (!bracket(c, n->stack, &n->depth))
        return fail(out, "The brackets of the query don't match.");
    if (c == '{' && n->braces++ == 0)
        n->begin = at;
    if (c != '}' || --n->braces > 0)
        return true;
    if (out->count == LOGQL_SELECTORS_MAX)
        return fail(out, "The query has too many selectors: at most 16.");
    out->selectors[out->count++] = (struct str){q.at + n->begin, at + 1 - n->begin};
    return true;
}

static void note(struct nesting *n, struct str q, size_t at)
{
    char c = q.at[at];
    if (!isspace((unsigned char)c))
        n->last = c;
    if (word_at(q, at, STR("line_format")) || word_at(q, at, STR("label_format")))
        n->format = n->braces == 0;
    else if (strchr("|[){", c))
        n->format = false;
    n->labels = n->labels || word_at(q, at, STR("label_replace"));
}

/* The inside of a string that may make lines or labels longer. In what label_replace puts in, each
 * mark may stand for all of another label, and one may be in the other. */
static const char *read_text(struct logql *out, const struct nesting *n, struct str text,
                             char quote)
{
    uint64_t marks = 0;
    if (n->format)
        return template_read(&out->bytes, text, quote);
    if (!n->labels || n->braces > 0)
        return NULL;
    for (size_t i = 0; i < text.len; i++)
        marks += text.at[i] == '$' || text.at[i] == '\\';
    out->bytes = out->bytes * (marks > 1 ? marks : 1) + text.len;
    return template_too_large(out->bytes);
}

bool logql_read(struct logql *out, struct str q)
{
    struct nesting n = {0};
    *out = (struct logql){.bytes = template_first()};
    for (size_t i = 0; i < q.len; i++) {
        char c = q.at[i];
        const char *why = two_ways(str_skip(q, i));
        if (c == '\0' || why)
            return fail(out, why ? why : "The query holds a NUL.");
        if (c == '"' || c == '`') {
            size_t from = i + 1;
            if ((i = skip_string(q, i)) >= q.len)
                return fail(out, "A string in the query has no end.");
            n.last = c;
            why = read_text(out, &n, (struct str){q.at + from, i - from}, c);
            if (why)
                return fail(out, why);
            continue;
        }
        if (c == '#') {
            i = skip_comment(q, i);
            continue;
        }
        if (!isspace((unsigned char)c) && !strchr("{(", c) && out->count == 0 && n.braces == 0)
            out->metric = true;
        bool listed = n.last == '(' || n.last == ','; /* a label of that name, in by (offset) */
        note(&n, q, i);
        if (c == '[') {
            if (!read_range(out, q, &i))
                return fail(out, "A range in the query, as [5m], can't be read.");
        } else if (n.braces == 0 && !listed && word_at(q, i, STR("offset"))) {
            if (!read_offset(out, q, &i))
                return fail(out, "An offset in the query, as offset 5m, can't be read.");
        } else if (!read_one(out, q, i, &n)) {
            return false;
        }
    }
    out->window_ms += out->offset_ms;
    return n.depth == 0 || fail(out, "A bracket of the query is not closed.");
}

/* To its closing quote; the length of all where there is none. */
static size_t skip_string(struct str q, size_t at)
{
    char quote = q.at[at];
    for (size_t i = at + 1; i < q.len; i++) {
        if (quote == '"' && q.at[i] == '\\')
            i++;
        else if (q.at[i] == quote)
            return i;
        else if (quote == '"' && q.at[i] == '\n')
            break;
    }
    return q.len;
}

static size_t skip_comment(struct str q, size_t at)
{
    while (at < q.len && q.at[at] != '\n')
        at++;
    return at;
}

static bool read_range(struct logql *out, struct str q, size_t *at)
{
    size_t end = *at + 1;
    int64_t ms;
    while (end < q.len && q.at[end] != ']' && q.at[end] != '\n')
        end++;
    if (end >= q.len || q.at[end] != ']' ||
        !moment_duration(str_trim((struct str){q.at + *at + 1, end - *at - 1}), &ms))
        return false;
    if (ms > out->window_ms)
        out->window_ms = ms;
    *at = end;
    return true;
}

/* Of what stands behind the word offset: one that looks ahead reads no more. */
static bool read_offset(struct logql *out, struct str q, size_t *at)
{
    size_t from = *at + strlen("offset"), end;
    int64_t ms;
    while (from < q.len && (isspace((unsigned char)q.at[from]) || q.at[from] == '#'))
        from = q.at[from] == '#' ? skip_comment(q, from) : from + 1;
    bool ahead = from < q.len && q.at[from] == '-';
    for (end = from += ahead; end < q.len && (in_word(q.at[end]) || q.at[end] == '.'); end++)
        ;
    if (!moment_duration((struct str){q.at + from, end - from}, &ms))
        return false;
    if (!ahead && ms > out->offset_ms)
        out->offset_ms = ms;
    *at = end - 1;
    return true;
}

/* name op "value", …: does one of them narrow? */
bool logql_selects(struct str s)
{
    char before = '\0', last = '\0'; /* of what means something */
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] == '#') {
            i = skip_comment(s, i);
            continue;
        }
        if (s.at[i] != '"' && s.at[i] != '`') {
            if (!isspace((unsigned char)s.at[i])) {
                before = last;
                last = s.at[i];
            }
            continue;
        }
        size_t end = skip_string(s, i);
        struct str value = {s.at + i + 1, end > i ? end - i - 1 : 0};
        bool regex = last == '~' && before == '=', equal = last == '=' && before != '!';
        if ((equal && value.len > 0) || (regex && narrows_written(value, s.at[i])))
            return true;
        before = last = '\0';
        i = end;
    }
    return false;
}

/* The value of a string as Go reads it. What is written by its number, as \x2e, is not read. */
static bool narrows_written(struct str value, char quote)
{
    scoped_buf(regex, VALUE_BYTES_MAX);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (c == '\\' && quote == '"') {
            c = ++i < value.len ? value.at[i] : '\0';
            if (c != '\\' && c != '"' && c != 'n' && c != 't' && c != 'r')
                return false;
            if (c != '\\' && c != '"')
                c = '\n'; /* or a tab: no letter */
        }
        buf_putc(&regex, c);
    }
    return !regex.overflowed && narrows(buf_str(&regex));
}

/* ---- does a regular expression narrow? ----
 * How many letters must be there, at least: of alternatives the fewest, none of what may be left
 * out, and none of classes, which stand for many. RE2's syntax (github.com/google/re2/wiki/Syntax).
 */
struct regex {
    struct str rest;
    unsigned depth;
    bool unread; /* something in it stands for more than is known here */
};
enum { REGEX_DEPTH_MAX = 64 };

static unsigned letters_of(struct regex *r);
static unsigned letters_of_one(struct regex *r);
static unsigned letters_of_escape(struct regex *r);
static bool may_be_left_out(struct regex *r);

static char take(struct regex *r)
{
    char c = r->rest.len > 0 ? r->rest.at[0] : '\0';
    r->rest = str_skip(r->rest, r->rest.len > 0);
    return c;
}

static bool narrows(struct str regex)
{
    struct regex r = {.rest = regex};
    unsigned least = letters_of(&r);
    return least > 0 && !r.unread &&
           r.rest.len == 0; /* what is left closes nothing: it is not read */
}

static unsigned letters_of(struct regex *r)
{
    unsigned least = UINT_MAX, sum = 0;
    while (r->rest.len > 0 && r->rest.at[0] != ')') {
        if (r->rest.at[0] == '|') {
            take(r);
            least = sum < least ? sum : least;
            sum = 0;
            continue;
        }
        unsigned one = letters_of_one(r);
        sum += may_be_left_out(r) ? 0 : one;
    }
    return sum < least ? sum : least;
}

static unsigned letters_of_group(struct regex *r)
{
    if (str_starts(r->rest, STR("?"))) { /* (?i), (?:…, (?P<name>… */
        char c = take(r);
        while (r->rest.len > 0 && c != ':' && c != '>' && r->rest.at[0] != ')')
            c = take(r);
        if (c != ':' && c != '>') { /* flags alone: what is behind repeats what was before */
            take(r);
            r->unread = r->unread || (r->rest.len > 0 && memchr("?*+{", r->rest.at[0], 4));
            return 0;
        }
    }
    if (++r->depth > REGEX_DEPTH_MAX) {
        r->rest = str_skip(r->rest, r->rest.len);
        return 0;
    }
    unsigned inside = letters_of(r);
    r->depth--;
    return take(r) == ')' ? inside : 0;
}

/* [:alpha:] inside of a class; without :] behind it the bracket is a character. */
static void skip_named_class(struct regex *r)
{
    struct str rest = str_skip(r->rest, 1);
    const char *end = memmem(rest.at, rest.len, ":]", 2);
    if (end)
        r->rest = str_skip(rest, (size_t)(end - rest.at) + 2);
}

static void skip_class(struct regex *r)
{
    if (str_starts(r->rest, STR("^")))
        take(r);
    for (bool first = true; r->rest.len > 0; first = false) {
        char c = take(r);
        if (c == '\\')
            take(r);
        else if (c == '[' && str_starts(r->rest, STR(":")))
            skip_named_class(r);
        else if (c == ']' && !first)
            return;
    }
}

static unsigned letters_of_one(struct regex *r)
{
    char c = take(r);
    if (c == '(')
        return letters_of_group(r);
    if (c == '[') {
        skip_class(r);
        return 0;
    }
    if (c == '\\')
        return letters_of_escape(r);
    while ((c & 0x80) && r->rest.len > 0 && (r->rest.at[0] & 0xC0) == 0x80)
        take(r); /* a letter of several bytes: what follows repeats all of it */
    return isalnum((unsigned char)c) || (c != '\0' && strchr("_-/:@ ", c)) || (c & 0x80);
}

/* \., \- stand for themselves; \w, \pL, \p{Greek} for many; \x61 and \141 are not read; nor is
 * \Q…\E, in which nothing means what it does outside. */
static unsigned letters_of_escape(struct regex *r)
{
    char c = take(r);
    r->unread = r->unread || c == 'Q' || c == 'E';
    unsigned digits = c == 'x' || (c >= '0' && c <= '7') ? 2 : 0;
    if ((c == 'p' || c == 'P' || c == 'x') && str_starts(r->rest, STR("{"))) {
        while (r->rest.len > 0 && take(r) != '}')
            ;
    } else if (c == 'p' || c == 'P') {
        take(r);
    } else {
        for (; digits > 0 && r->rest.len > 0 && isxdigit((unsigned char)r->rest.at[0]); digits--)
            take(r);
        while (r->rest.len > 0 && (r->rest.at[0] & 0xC0) == 0x80)
            take(r);
    }
    return c == '-' || c == '_' || c == '/' || c == ':' || c == '@';
}

/* Takes ?, *, {0}, {0,3} and what stands behind it, or the + and {2} that change nothing. */
static bool may_be_left_out(struct regex *r)
{
    bool out = false;
    while (r->rest.len > 0 && strchr("?*+{", r->rest.at[0]) && r->rest.at[0] != '\0') {
        char c = take(r);
        out = out || c == '?' || c == '*';
        if (c != '{')
            continue;
        out = out || r->rest.len == 0 || str_starts(r->rest, STR("0")) ||
              !isdigit((unsigned char)*r->rest.at);
        while (r->rest.len > 0 && take(r) != '}')
            ;
    }
    return out;
}

/* ---- names ---- */

void logql_name(struct buf *b, struct str name)
{
    if (name.len > 0 && isdigit((unsigned char)name.at[0]))
        buf_putc(b, '_');
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if ((c & 0xc0) != 0x80) /* of a character's bytes the first */
            buf_putc(b, isalnum(c) ? (char)c : '_');
    }
}

/* How long the name with a dot is that begins there; 0: none does. */
static size_t dotted(struct str q, size_t at)
{
    char before = at > 0 ? q.at[at - 1] : ' ';
    size_t end = at;
    bool dots = false;
    if (in_word(before) || before == '.' || before == '$' || isdigit((unsigned char)q.at[at]))
        return 0;
    for (; end < q.len; end++) {
        bool dot = q.at[end] == '.' && end > at && end + 1 < q.len && in_word(q.at[end + 1]);
        if (!dot && !in_word(q.at[end]))
            break;
        dots = dots || dot;
    }
    return dots ? end - at : 0;
}

/* Is the string from `at` to `end`, its quotes included, a label of a selector? last: what means
 * something before it. */
static bool quoted_name(struct str q, size_t at, size_t end, char last)
{
    size_t next = end + 1;
    if ((last != '{' && last != ',') || end >= q.len || end == at + 1 ||
        memchr(q.at + at, '\\', end - at))
        return false;
    while (next < q.len && isspace((unsigned char)q.at[next]))
        next++;
    return next < q.len && (q.at[next] == '=' || q.at[next] == '!');
}

bool logql_names(struct str query, struct buf *out, struct str *first)
{
    unsigned braces = 0;
    char last = ' ';
    *first = (struct str){NULL, 0};
    for (size_t i = 0; i < query.len;) {
        char c = query.at[i];
        bool string = c == '"' || c == '`';
        size_t end = string     ? skip_string(query, i) + 1
                     : c == '#' ? skip_comment(query, i)
                                : i + dotted(query, i);
        struct str name = {query.at + i, end - i};
        if (string && braces > 0 && quoted_name(query, i, end - 1, last))
            name = (struct str){name.at + 1, name.len - 2};
        else if (string || c == '#' || name.len == 0)
            name.len = 0;
        if (name.len > 0) {
            logql_name(out, name);
            *first = first->len > 0 ? *first : name;
        } else {
            end = end > i ? end : i + 1;
            end = end < query.len ? end : query.len;
            buf_add(out, query.at + i, end - i);
        }
        braces += c == '{';
        braces -= c == '}' && braces > 0;
        if (!isspace((unsigned char)c))
            last = string ? '"' : c;
        i = end;
    }
    return first->len > 0;
}
