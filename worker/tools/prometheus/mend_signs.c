#include "worker/tools/prometheus/mend_signs.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/text.h"

static const struct {
    const char *from, *to;
    bool quotes; /* they begin or end a string */
} signs[] = {
    {"“", "\"", true},
    {"”", "\"", true},
    {"„", "\"", true},
    {"«", "\"", true},
    {"»", "\"", true},
    {"＂", "\"", true},
    {"‘", "'", true},
    {"’", "'", true},
    {"&quot;", "\"", true},
    {"&#34;", "\"", true},
    {"&apos;", "'", true},
    {"&#39;", "'", true},
    {"\\\"", "\"", true},
    {"\\'", "'", true},
    {"&gt;", ">", false},
    {"&lt;", "<", false},
    {"&amp;", "&", false},
    {"≥", ">=", false},
    {"≤", "<=", false},
    {"≠", "!=", false},
    {"×", "*", false},
    {"÷", "/", false},
    {"–", "-", false},
    {"—", "-", false},
    {"−", "-", false},
    {"（", "(", false},
    {"）", ")", false},
    {"｛", "{", false},
    {"｝", "}", false},
    {"［", "[", false},
    {"］", "]", false},
    {"，", ",", false},
    {"、", ",", false},
    {"：", ":", false},
    {"＝", "=", false},
    {"\xc2\xa0", " ", false},
    {"\xe3\x80\x80", " ", false},
    {"!==", "!=", false},
    {"===", "==", false},
    {"==~", "=~", false},
    {"!=~", "!~", false},
    {"=!~", "!~", false},
    {"~=", "=~", false},
    {"=!", "!=", false},
    {"=>", ">=", false},
    {"=<", "<=", false},
    {"<>", "!=", false},
    {"**", "^", false},
};

static void say(struct buf *what, const char *text)
{
    if (what->len > 0 && memmem(what->at, what->len, text, strlen(text)) != NULL)
        return;
    buf_puts(what, what->len > 0 ? " " : "");
    buf_puts(what, text);
}

/* "promql: x", "query = x", "promql x": what it is called is no part of it. */
static struct str without_name(struct str query, struct buf *what)
{
    static const char *const names[] = {"promql", "query", "expr", "expression", "PromQL query"};
    query = str_trim(query);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        if (query.len < len + 2 || strncasecmp(query.at, names[i], len) != 0)
            continue;
        struct str rest = str_trim(str_skip(query, len));
        bool word = i == 0 && isspace((unsigned char)query.at[len]) &&
                    (isalpha((unsigned char)rest.at[0]) || rest.at[0] == '(');
        bool sign = rest.at[0] == ':' || (rest.at[0] == '=' && rest.at[1] != '=');
        if (!word && !sign)
            continue;
        say(what, "A query has no name before it.");
        return str_trim(str_skip(rest, sign ? 1 : 0));
    }
    return query;
}

/* A comment to the end of its line, or to its end. */
static size_t comment_len(struct str rest)
{
    if (str_starts(rest, STR("/*"))) {
        const char *end = memmem(rest.at + 2, rest.len - 2, "*/", 2);
        return end ? (size_t)(end + 2 - rest.at) : 0;
    }
    const char *line = str_starts(rest, STR("//")) ? memchr(rest.at, '\n', rest.len) : NULL;
    return !str_starts(rest, STR("//")) ? 0 : line ? (size_t)(line - rest.at) : rest.len;
}

/* The sign at the start of a text, or NULL. In a string only what may have begun it ends it. */
static const char *sign_at(struct str rest, char string, size_t *len, bool *quotes)
{
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (str_starts(rest, str_of(signs[i].from)) &&
            (!string || (signs[i].quotes && signs[i].to[0] == string))) {
            *len = strlen(signs[i].from);
            *quotes = signs[i].quotes;
            return signs[i].to;
        }
    return NULL;
}

bool mend_signs(struct str query, struct buf *to, struct buf *what)
{
    struct str text = without_name(query, what);
    bool any = text.len != str_trim(query).len, odd = false, quotes = false;
    char string = '\0'; /* the quote that a string was begun with */
    for (size_t i = 0, len; i < text.len; i += len) {
        struct str rest = str_skip(text, i);
        char c = rest.at[0];
        const char *with = string && !odd ? NULL : sign_at(rest, string, &len, &quotes);
        if (with) {
            any = true;
            if (quotes) {
                say(what, "Strings stand in \" \".");
                string = string ? '\0' : with[0];
                odd = string != '\0';
            } else {
                say(what, "The signs of the language are ( ) { } , == != >= <= =~ !~ + - * / % ^.");
            }
            buf_puts(to, with);
            continue;
        }
        len = string ? 0 : comment_len(rest);
        if (len > 0) {
            say(what, "A comment begins with #.");
            any = true;
            continue;
        }
        len = c == '\\' && string && !odd && rest.len > 1 ? 2 : 1;
        if (string ? c == string : c == '"' || c == '\'' || c == '`') {
            string = string ? '\0' : c;
            odd = false;
        }
        buf_add(to, rest.at, len);
    }
    return any && !to->overflowed;
}
