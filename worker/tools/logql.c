#include "worker/tools/logql.h"

#include <ctype.h>
#include <string.h>
#include "worker/tools/moment.h"

enum { DEPTH_MAX = 64 };

static size_t skip_string(struct str q, size_t at);
static size_t skip_comment(struct str q, size_t at);
static bool read_range(struct logql *out, struct str q, size_t *at);
static bool narrows(struct str regex);

static bool fail(struct logql *q, const char *why)
{
    q->error = why;
    return false;
}

/* A bracket opens or closes; 0: too deep, or one that was not opened. */
static bool bracket(char c, char stack[DEPTH_MAX], unsigned *depth)
{
    static const char open[] = "({[", close[] = ")}]";
    const char *o = strchr(open, c), *e = strchr(close, c);
    if (o)
        return *depth < DEPTH_MAX && (stack[(*depth)++] = close[o - open], true);
    return !e || (*depth > 0 && stack[--*depth] == c);
}

bool logql_read(struct logql *out, struct str q)
{
    char stack[DEPTH_MAX];
    unsigned depth = 0, braces = 0;
    size_t begin = 0;
    int64_t offset_ms = 0, ms;
    *out = (struct logql){0};
    for (size_t i = 0; i < q.len; i++) {
        char c = q.at[i];
        if (c == '\0')
            return fail(out, "The query holds a NUL.");
        if (c == '"' || c == '`') {
            if ((i = skip_string(q, i)) >= q.len)
                return fail(out, "A string in the query has no end.");
            continue;
        }
        if (c == '#') {
            i = skip_comment(q, i);
            continue;
        }
        if (!isspace((unsigned char)c) && c != '{' && out->count == 0 && braces == 0)
            out->metric = true;
        if (c == '[' && !read_range(out, q, &i))
            return fail(out, "A range in the query, as [5m], can't be read.");
        if (c == '[')
            continue;
        if (!bracket(c, stack, &depth))
            return fail(out, "The brackets of the query don't match.");
        if (c == '{' && braces++ == 0)
            begin = i;
        if (c == '}' && --braces == 0) {
            if (out->count == LOGQL_SELECTORS_MAX)
                return fail(out, "The query has too many selectors: at most 16.");
            out->selectors[out->count++] = (struct str){q.at + begin, i + 1 - begin};
        }
        if (c == 'o' && braces == 0 && str_starts(str_skip(q, i), STR("offset "))) {
            struct str rest = str_trim(str_skip(q, i + 7));
            size_t len = 0;
            while (len < rest.len && (isalnum((unsigned char)rest.at[len])))
                len++;
            if (moment_duration((struct str){rest.at, len}, &ms) && ms > offset_ms)
                offset_ms = ms;
        }
    }
    out->window_ms += offset_ms;
    if (depth > 0)
        return fail(out, "A bracket of the query is not closed.");
    return true;
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

/* name op "value", …: does one of them narrow? */
bool logql_selects(struct str s)
{
    for (size_t i = 1; i < s.len; i++) {
        if (s.at[i] == '#') {
            i = skip_comment(s, i);
            continue;
        }
        if (s.at[i] != '"' && s.at[i] != '`')
            continue;
        size_t op = i, end = skip_string(s, i);
        struct str value = {s.at + i + 1, end > i ? end - i - 1 : 0};
        while (op > 0 && isspace((unsigned char)s.at[op - 1]))
            op--;
        bool regex = op > 1 && s.at[op - 1] == '~' && s.at[op - 2] == '=';
        bool equal = op > 1 && s.at[op - 1] == '=' && s.at[op - 2] != '!';
        if ((equal && value.len > 0) || (regex && narrows(value)))
            return true;
        i = end;
    }
    return false;
}

/* Does each alternative hold a letter that must be there? A group that may be left out does not
 * count, nor does a class of a range of letters. */
static bool narrows(struct str regex)
{
    unsigned letters = 0;
    for (size_t i = 0; i < regex.len; i++) {
        char c = regex.at[i], next = i + 1 < regex.len ? regex.at[i + 1] : '\0';
        bool optional = next == '?' || next == '*' || next == '{';
        if (c == '|') {
            if (letters == 0)
                return false;
            letters = 0;
        } else if (c == ')' && optional) {
            letters = 0;
        } else if (c == '(' && next == '?') { /* (?i), (?:: flags, not text */
            while (i < regex.len && regex.at[i] != ')' && regex.at[i] != ':')
                i++;
        } else if (c == '[') {
            while (i < regex.len && regex.at[i] != ']')
                i++;
        } else if (c == '\\') {
            i++; /* of \., \\. and of \w: only what stands beside it counts */
        } else if ((isalnum((unsigned char)c) || strchr("_-/:@ ", c) || (c & 0x80)) && !optional) {
            letters++;
        }
    }
    return letters > 0;
}
