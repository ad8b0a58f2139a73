#include "worker/tools/prometheus/with.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool read_filters(struct str text, size_t *at, bool *selects);

bool with_ident_start(char c)
{
    return isalpha((unsigned char)c) || c == '_' || c == ':' || c == '\\' ||
           (unsigned char)c >= 0x80;
}

struct str with_ident(struct str text)
{
    size_t at = 0;
    while (at < text.len) {
        char c = text.at[at];
        if (!with_ident_start(c) && (at == 0 || (!isdigit((unsigned char)c) && c != '.')))
            break;
        at += c == '\\' && at + 1 < text.len ? 2 : 1;
    }
    return (struct str){text.at, at};
}

bool with_quote(char c) { return c == '"' || c == '\'' || c == '`'; }

struct str with_string(struct str text)
{
    size_t at = 1;
    while (at < text.len && text.at[at] != text.at[0])
        at += text.at[0] != '`' && text.at[at] == '\\' ? 2 : 1;
    return (struct str){text.at, at < text.len ? at + 1 : text.len};
}

static bool is_word(struct str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

bool with_read(struct with *w, struct str query)
{
    struct str word = with_ident(query);
    size_t at = word.len;
    unsigned depth = 0;
    *w = (struct with){.text = {query.at, 0}};
    while (at < query.len && isspace((unsigned char)query.at[at]))
        at++;
    if (!is_word(word, "with") || at >= query.len || query.at[at] != '(')
        return true;
    while (at < query.len) {
        char c = query.at[at];
        bool selects = true;
        if (with_quote(c))
            at += with_string(str_skip(query, at)).len;
        else if (c == '{' && !read_filters(query, &at, &selects))
            return false;
        else if (c != '{')
            at++;
        w->open = w->open || !selects;
        depth += c == '(';
        if (c == ')' && --depth == 0) {
            w->text.len = at;
            return true;
        }
    }
    return false;
}

bool with_has(const struct with *w, struct str word)
{
    for (size_t at = 0; at < w->text.len;) {
        struct str here = with_ident(str_skip(w->text, at));
        if (here.len > 0 && str_eq(here, word))
            return true;
        at += here.len > 0 ? here.len : 1;
    }
    return false;
}

/* Behind it; the text's end when it has no end. */
/* Behind blanks, and parentheses if there are any. */
static size_t after_list(struct str text, size_t at)
{
    unsigned depth = 0;
    for (; at < text.len; at++) {
        depth += text.at[at] == '(';
        if (depth == 0 && !isspace((unsigned char)text.at[at]))
            break;
        depth -= text.at[at] == ')' && depth > 0;
    }
    return at;
}

/* Escapes mean nothing here: c\ount is count. */
static bool is_called(struct str ident, const char *name)
{
    for (size_t i = 0; i < ident.len; i++) {
        if (ident.at[i] == '\\')
            continue;
        if (tolower((unsigned char)ident.at[i]) != *name)
            return false;
        name++;
    }
    return *name == '\0';
}

bool with_defines(const struct with *w, const char *name)
{
    struct str text = w->text;
    for (size_t at = 0; at < text.len;) {
        struct str here = with_ident(str_skip(text, at));
        if (here.len == 0) {
            at += with_quote(text.at[at]) ? with_string(str_skip(text, at)).len : 1;
            continue;
        }
        at += here.len;
        size_t next = after_list(text, at);
        if (is_called(here, name) && next < text.len && text.at[next] == '=' &&
            (next + 1 == text.len || !strchr("=~", text.at[next + 1])))
            return true;
    }
    return false;
}

/* Is there a metric's name before the brace? Not an operator. */
static bool is_named(struct str text, size_t at)
{
    static const char *const operators[] = {"and", "or", "unless", "default", "if", "ifnot"};
    while (at > 0 && isspace((unsigned char)text.at[at - 1]))
        at--;
    size_t from = at;
    while (from > 0 &&
           (with_ident_start(text.at[from - 1]) || isdigit((unsigned char)text.at[from - 1])))
        from--;
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (is_word((struct str){text.at + from, at - from}, operators[i]))
            return false;
    return at > from;
}

/* Braces, whatever is in them; of alternatives ("or") each must select. False: no end. */
static bool read_filters(struct str text, size_t *at, bool *selects)
{
    bool named = is_named(text, *at), all = true, now = named, equal = false;
    for ((*at)++; *at < text.len && text.at[*at] != '}';) {
        char c = text.at[*at], before = text.at[*at - 1];
        struct str rest = str_skip(text, *at), word = with_ident(rest);
        size_t end = *at + (with_quote(c) ? with_string(rest).len : word.len > 0 ? word.len : 1);
        if (with_quote(c)) {
            now = now || (equal && end - *at > 2);
        } else if (is_word(word, "or")) {
            all = all && now;
            now = named;
        }
        equal = isspace((unsigned char)c) ? equal : c == '=' && before != '!';
        *at = end;
    }
    *selects = all && now;
    return (*at)++ < text.len;
}

bool with_ends_in_escape(struct str text)
{
    size_t count = 0;
    while (count < text.len && text.at[text.len - 1 - count] == '\\')
        count++;
    return count % 2 == 1;
}
