#include "worker/tools/template.h"

#include <ctype.h>
#include <string.h>

enum {
    NUMBER_MAX = 1000, /* a width of printf, alignLeft, a range of numbers */
    GROWTH_MAX = 1024, /* of a line of a kilobyte: one of a megabyte */
    WRITTEN_MAX = 8000,
};

/* Has no place in a template that only shows a line: what it writes has no bound that is seen. */
static bool is_unbounded(struct str word)
{
    static const char *const words[] = {"repeat", "indent", "nindent", "define", "template",
                                        "block",  "html",   "js",      NULL};
    for (size_t i = 0; words[i]; i++)
        if (str_eq(word, str_of(words[i])))
            return true;
    return false;
}

/* By what each of its letters may grow: replace "" "abc" puts it between all. */
static unsigned growth_of(struct str word)
{
    static const char *const words[] = {
        "replace",   "Replace", "regexReplaceAll", "regexReplaceAllLiteral", "range",
        "urlencode", NULL};
    for (size_t i = 0; words[i]; i++)
        if (str_eq(word, str_of(words[i])))
            return 4;
    return 1;
}

static size_t word_end(struct str t, size_t at)
{
    while (at < t.len && (isalnum((unsigned char)t.at[at]) || t.at[at] == '_'))
        at++;
    return at;
}

/* A number that is too large to be a width, from `at` on. */
static bool is_large(struct str digits)
{
    unsigned value = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (!isdigit((unsigned char)digits.at[i]))
            return i < digits.len && isalnum((unsigned char)digits.at[i]) && digits.len > 4;
        value = value * 10 + (unsigned)(digits.at[i] - '0');
        if (value > NUMBER_MAX)
            return true;
    }
    return false;
}

/* An action, {{ … }}, strings in it included: from is behind {{. To behind its end. */
static const char *read_action(struct str t, size_t *at, unsigned *fields, unsigned *times)
{
    size_t i = *at;
    char quote = '\0';
    for (; i < t.len; i++) {
        char c = t.at[i];
        if (!quote && c == '}' && str_starts(str_skip(t, i), STR("}}")))
            break;
        if (quote && c == '\\' && quote != '`') {
            i++;
        } else if (quote ? c == quote : strchr("\"`'", c) && c != '\0') {
            quote = quote ? '\0' : c;
        } else if (c == '*' && quote) {
            return "A template must not take a width from an argument (%*d): it has no bound.";
        } else if (!quote && (c == '.' || c == '$')) {
            ++*fields;
            i = word_end(t, i + 1) - 1; /* a label's name, no function's */
        } else if (isalnum((unsigned char)c) || c == '_') {
            size_t end = word_end(t, i);
            struct str word = {t.at + i, end - i};
            if (isdigit((unsigned char)c) && is_large(word))
                return "A template of the query has a number of more than 1000, which Loki would "
                       "write so often: leave it out.";
            if (!quote && is_unbounded(word))
                return "Refused: a template must not use repeat, indent, nindent, define, template "
                       "or block: what it would write has no bound.";
            *fields += !quote && str_is(word, "__line__");
            *times *= quote || *times > GROWTH_MAX ? 1 : growth_of(word);
            i = end - 1;
        }
    }
    *at = i;
    return NULL;
}

/* The string's value. False: an escape that writes a letter by its number could hide a word. */
static bool unescape(struct str written, char quote, struct buf *text)
{
    for (size_t i = 0; i < written.len; i++) {
        char c = written.at[i];
        if (c == '\\' && quote == '"') {
            c = ++i < written.len ? written.at[i] : '\0';
            if (c == '\0' || !strchr("\\\"ntr", c))
                return false;
            c = c == '\\' || c == '"' ? c : ' ';
        }
        buf_putc(text, c);
    }
    return !text->overflowed;
}

const char *template_read(unsigned *growth, struct str written, char quote)
{
    scoped_buf(text, WRITTEN_MAX);
    unsigned fields = 0, times = 1;
    const char *why;
    if (!unescape(written, quote, &text))
        return "A template of the query is too long, or has escapes as \\x that are not read: "
               "write its letters themselves.";
    struct str t = buf_str(&text);
    for (size_t i = 0; i + 1 < t.len; i++) {
        if (t.at[i] != '{' || t.at[i + 1] != '{')
            continue;
        i += 2;
        if ((why = read_action(t, &i, &fields, &times)))
            return why;
    }
    times *= fields > 1 ? fields : 1;
    *growth = (*growth > 0 ? *growth : 1) * (times > GROWTH_MAX ? GROWTH_MAX + 1 : times);
    return *growth > GROWTH_MAX ? "Refused: the query's templates could multiply a line more than "
                                  "a thousand times. Use fewer fields and replacements in them."
                                : NULL;
}
