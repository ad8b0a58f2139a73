#include "worker/tools/template.h"

#include <ctype.h>
#include <string.h>

enum {
    LINE_BYTES = 256 << 10, /* Loki's default max_line_size */
    VALUE_BYTES_MAX = 16 << 20,
    NUMBER_MAX = 1000, /* a width of printf or alignLeft */
    WRITTEN_MAX = 8000,
    TIMES_MAX = 1 << 20,
};

struct action {      /* {{ … }} */
    const char *why; /* it must not run */
    unsigned fields; /* values that it reads */
    unsigned fixed;  /* bytes that it can write without one: its strings, its widths */
    unsigned times;  /* by which its functions make a value longer */
    unsigned replaces, matches;
    size_t longest, shortest; /* of its strings */
    bool strings, holds, silent, range, json, line, root;
};
struct template
{
    uint64_t value;     /* what a label or the line may have; then also what a variable may */
    uint64_t out, each; /* bytes written; each: of those in a range, by each byte of a value */
    bool holds, ranged;
};

static bool unescape(struct str written, char quote, struct buf *text);
static void read_action(struct action *a, struct str t, size_t *at);
static void read_word(struct action *a, struct str t, size_t at, struct str word);
static size_t read_field(struct action *a, struct str t, size_t at);
static size_t read_string(struct action *a, struct str t, size_t at);
static const char *judge(struct template *t, const struct action *a);

uint64_t template_first(void) { return LINE_BYTES; }

const char *template_too_large(uint64_t bytes)
{
    return bytes > VALUE_BYTES_MAX
               ? "Refused: the query could make one line or label of more than 16 MB, of which "
                 "Loki would end. Use fewer fields, replacements and variables in its templates."
               : NULL;
}

const char *template_read(uint64_t *bytes, struct str written, char quote)
{
    scoped_buf(text, WRITTEN_MAX);
    struct template one = {.value = *bytes};
    if (!unescape(written, quote, &text))
        return "A template of the query is too long, or has escapes as \\x that are not read: "
               "write its letters themselves.";
    struct str t = buf_str(&text);
    for (size_t i = 0; i < t.len; i++) {
        if (!str_starts(str_skip(t, i), STR("{{"))) {
            one.out++;
            one.each++;
            continue;
        }
        struct action a = {.times = 1};
        i += 2;
        read_action(&a, t, &i);
        const char *why = a.why ? a.why : judge(&one, &a);
        if (why)
            return why;
    }
    if (one.ranged)
        one.out += one.each * one.value;
    *bytes = one.out > one.value ? one.out : one.value;
    return template_too_large(*bytes);
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

/* ---- one action ---- */

static void refuse(struct action *a, const char *why) { a->why = a->why ? a->why : why; }

static size_t word_end(struct str t, size_t at)
{
    while (at < t.len && (isalnum((unsigned char)t.at[at]) || t.at[at] == '_'))
        at++;
    return at;
}

static bool is_one_of(struct str word, const char *const *words)
{
    for (; *words; words++)
        if (str_is(word, *words))
            return true;
    return false;
}

/* A width is as many bytes; one of another base is not read. */
static void read_number(struct action *a, struct str digits)
{
    unsigned value = 0;
    for (size_t i = 0; i < digits.len && value <= NUMBER_MAX; i++) {
        if (isdigit((unsigned char)digits.at[i]))
            value = value * 10 + (unsigned)(digits.at[i] - '0');
        else if (digits.len > 4 && isalnum((unsigned char)digits.at[i]))
            value = NUMBER_MAX + 1;
        else
            value = NUMBER_MAX;
    }
    a->fixed += value;
    if (value > NUMBER_MAX)
        refuse(a, "A template of the query has a number of more than 1000, which Loki would write "
                  "so often: leave it out.");
}

/* An action, strings in it included: from is behind {{. To the last of its }}. */
static void read_action(struct action *a, struct str t, size_t *at)
{
    size_t i = *at;
    for (; i < t.len && !str_starts(str_skip(t, i), STR("}}")); i++) {
        char c = t.at[i];
        if (c == '"' || c == '`' || c == '\'') {
            i = read_string(a, t, i);
        } else if (c == '.' || c == '$') {
            i = read_field(a, t, i) - 1;
        } else if (c == '=') { /* what stands before it is given the value */
            a->holds = true;
            a->fields = 0;
        } else if (isalnum((unsigned char)c) || c == '_') {
            size_t end = word_end(t, i);
            struct str word = {t.at + i, end - i};
            if (isdigit((unsigned char)c))
                read_number(a, word);
            else
                read_word(a, t, end, word);
            i = end - 1;
        } else if (c == '/') {
            refuse(a, "A template of the query must not have a comment.");
        }
    }
    *at = i + 1;
}

/* .name, .name.name, $name.name: to behind it. A dot or a dollar alone is all labels. */
static size_t read_field(struct action *a, struct str t, size_t at)
{
    size_t end = word_end(t, at + 1);
    bool name = end > at + 1;
    if (t.at[at] == '$' && !name && end < t.len && t.at[end] == '.') {
        a->root = true;
        return end;
    }
    if (!name)
        refuse(a, "A template of the query must name a label, as {{.level}}: all of them at once "
                  "have no bound.");
    a->fields++;
    while (end + 1 < t.len && t.at[end] == '.' && word_end(t, end + 1) > end + 1)
        end = word_end(t, end + 1);
    return end;
}

/* What is behind a % of printf: [1] writes one value many times, a * takes a width from anywhere,
 * and some verbs make ten bytes of one. */
static void read_verb(struct action *a, struct str rest)
{
    size_t i = 0;
    while (i < rest.len && rest.at[i] != '\0' && strchr("+-# 0123456789.", rest.at[i])) {
        size_t end = i;
        while (end < rest.len && isdigit((unsigned char)rest.at[end]))
            end++;
        if (end > i)
            read_number(a, (struct str){rest.at + i, end - i});
        a->times = rest.at[i] == '#' ? 10 : a->times;
        i = end > i ? end : i + 1;
    }
    char verb = i < rest.len ? rest.at[i] : '\0';
    if (verb == '[' || verb == '*')
        refuse(a, "A template must not take a width or a value by its number from an argument "
                  "(%*d, %[1]s): it has no bound.");
    else if (verb != '\0' && strchr("qxXU", verb))
        a->times = 10;
}

/* To its closing quote. */
static size_t read_string(struct action *a, struct str t, size_t at)
{
    char quote = t.at[at];
    size_t i = at + 1;
    for (; i < t.len && t.at[i] != quote; i++) {
        if (t.at[i] == '\\' && quote != '`')
            i++;
        else if (t.at[i] == '%')
            read_verb(a, str_skip(t, i + 1));
    }
    size_t len = i > at ? i - at - 1 : 0;
    a->longest = len > a->longest ? len : a->longest;
    a->shortest = !a->strings || len < a->shortest ? len : a->shortest;
    a->strings = true;
    a->fixed += 4 * (unsigned)len; /* as a layout of date, "Jan" is a month's name */
    return i;
}

/* What stands behind a function's name, without blanks. */
static char behind(struct str t, size_t at)
{
    while (at < t.len && isspace((unsigned char)t.at[at]))
        at++;
    return at < t.len ? t.at[at] : '\0';
}

static void read_word(struct action *a, struct str t, size_t at, struct str word)
{
    static const char *const unbounded[] = {"repeat", "indent", "nindent", "define", "template",
                                            "block",  "html",   "js",      "break",  NULL};
    static const char *const replaces[] = {"replace", "Replace", NULL};
    static const char *const matches[] = {"regexReplaceAll", "regexReplaceAllLiteral", NULL};
    static const char *const aligns[] = {"alignLeft", "alignRight", NULL};
    static const char *const silent[] = {"if", "else", "end", NULL};
    char next = behind(t, at);
    if (is_one_of(word, unbounded))
        refuse(a, "Refused: a template must not use repeat, indent, nindent, define, template or "
                  "block: what it would write has no bound.");
    else if (is_one_of(word, aligns) && !isdigit((unsigned char)next))
        refuse(a, "alignLeft and alignRight must have a number behind them.");
    else if (str_is(word, "printf") && next != '"' && next != '`')
        refuse(a, "printf must have its format behind it, as a string.");
    a->replaces += is_one_of(word, replaces);
    a->matches += is_one_of(word, matches);
    a->silent = a->silent || is_one_of(word, silent);
    a->holds = a->holds || str_is(word, "with");
    a->range = a->range || str_is(word, "range");
    a->json = a->json || str_is(word, "fromJson");
    a->line = a->line || str_is(word, "__line__");
    a->fields += str_is(word, "__line__");
    if (str_is(word, "urlencode") || str_is(word, "b64enc"))
        a->times *= a->times < TIMES_MAX ? 3 : 1;
}

/* ---- what it may write ---- */

/* By what it makes a value longer: a replacement stands for no less than the shortest of its
 * strings, and a match may be of nothing. */
static uint64_t times_of(const struct action *a)
{
    uint64_t times = a->times;
    size_t of_match = a->longest + 1;
    size_t of_text = a->shortest > 0 ? (a->longest + a->shortest - 1) / a->shortest : of_match;
    for (unsigned i = 0; i < a->replaces && times < TIMES_MAX; i++)
        times *= of_text;
    for (unsigned i = 0; i < a->matches && times < TIMES_MAX; i++)
        times *= of_match;
    return times;
}

/* In a range each of a value's elements writes what its body has: only of the element, then. */
static const char *judge_range(struct template *t, const struct action *a)
{
    bool first = a->range && !t->ranged && !t->holds && a->json;
    if (!first && (a->range || a->holds || a->root || a->line))
        return "A range of a template must be the only one, over fromJson of a label, and its body "
               "may use its elements alone, without variables of its own: else it has no bound.";
    if (first)
        t->each = 0; /* what was written before it is not in it */
    t->ranged = true;
    return NULL;
}

static const char *judge(struct template *t, const struct action *a)
{
    uint64_t times = times_of(a);
    if (a->fields > 1 && a->replaces + a->matches > 0)
        return "A replacement of a template must be in an action with one label or line, as "
               "{{ .path | replace \"a\" \"b\" }}: what it writes has no bound otherwise.";
    if (a->range || t->ranged) {
        t->each += a->range ? 0 : a->fixed + a->fields * times;
        return judge_range(t, a);
    }
    uint64_t bytes = a->fixed + a->fields * times * t->value;
    if (a->holds) {
        t->holds = true;
        t->value = bytes > t->value ? bytes : t->value;
    } else if (!a->silent) {
        t->out += bytes;
    }
    return template_too_large(t->value);
}
