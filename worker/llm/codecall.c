#include "worker/llm/codecall.h"

#include <ctype.h>
#include <string.h>
#include "common/loose.h"

enum { NAME_BYTES_MAX = 120 };

/* What stands before a name. */
static const struct str before[] = {STR("print("), STR("Action:"),   STR("action:"),   STR("call:"),
                                    STR("Call:"),  STR(">>>"),       STR("to="),       STR("Tool:"),
                                    STR("tool:"),  STR("Function:"), STR("commentary")};
/* And between it and its arguments. */
static const char *const between[] = {"Action Input:", "action_input:", "Arguments:", "[ARGS]",
                                      "```json",       "```",           "json"};

static size_t blanks(struct str text, size_t at)
{
    while (at < text.len && isspace((unsigned char)text.at[at]))
        at++;
    return at;
}

/* "<|message|>", with DeepSeek's wide bars too. 0: it is none. */
size_t codecall_mark(struct str text)
{
    static const char *const opens[] = {"<|", "<\xef\xbd\x9c"};
    if (!str_starts(text, str_of(opens[0])) && !str_starts(text, str_of(opens[1])))
        return 0;
    const char *end = memchr(text.at, '>', text.len < 48 ? text.len : 48);
    return end && (end[-1] == '|' || (unsigned char)end[-1] == 0x9c) ? (size_t)(end + 1 - text.at)
                                                                     : 0;
}

/* Asked of each letter of an answer: what stands before almost all of them ends none of these. */
static bool may_end(char c)
{
    static bool known, ends[256];
    for (size_t i = 0; !known && i < sizeof(before) / sizeof(before[0]); i++)
        ends[(unsigned char)before[i].at[before[i].len - 1]] = true;
    known = ends[' '] = ends['\t'] = true;
    return ends[(unsigned char)c];
}

size_t codecall_before(struct str text, size_t at)
{
    for (bool any = true; any && at > 0 && may_end(text.at[at - 1]);) {
        struct str all = {text.at, at};
        any = text.at[at - 1] == ' ' || text.at[at - 1] == '\t';
        at -= any;
        for (size_t i = 0; !any && i < sizeof(before) / sizeof(before[0]); i++) {
            any = str_ends(all, before[i]);
            at -= any ? before[i].len : 0;
        }
    }
    return at;
}

bool codecall_may(struct str text, size_t at)
{
    if (!isalpha((unsigned char)text.at[at]))
        return false;
    size_t from = codecall_before(text, at);
    char c = from > 0 ? text.at[from - 1] : '\n';
    return c == '\n' || c == '>' || c == ']' || c == '[' || (from < at && c == '(');
}

/* "default_api.NAME", "functions.NAME:0": NAME. */
static struct str read_name(struct str text, size_t at, size_t *end)
{
    size_t from = at, i = at;
    while (i < text.len && i - at < NAME_BYTES_MAX &&
           (isalnum((unsigned char)text.at[i]) || text.at[i] == '_' || text.at[i] == '-' ||
            ((text.at[i] == '.' || text.at[i] == ':') && i > from)))
        i++;
    struct str whole = {text.at + at, i - at}, rest, name;
    *end = i;
    if (whole.len > 5 && str_ends(whole, STR(".call")))
        whole.len -= 5;
    for (rest = whole;
         str_split(&rest, ':', &name) && rest.len > 0 && !isdigit((unsigned char)rest.at[0]);)
        whole = rest;
    rest = whole;
    if (str_split(&rest, ':', &name)) /* without a number behind it */
        whole = name;
    for (rest = whole; str_split(&rest, '.', &name);)
        whole = name;
    return whole;
}

/* k="v", … up to the closing bracket, behind the opening one. */
static json_t *read_keywords(struct str text, size_t *at)
{
    json_auto_t *arguments = json_object();
    size_t i = blanks(text, *at), used;
    for (; i < text.len && text.at[i] != ')'; i = blanks(text, i)) {
        size_t from = i;
        while (i < text.len && (isalnum((unsigned char)text.at[i]) || text.at[i] == '_'))
            i++;
        struct str key = {text.at + from, i - from};
        i = blanks(text, i);
        if (key.len == 0 || i == text.len || text.at[i] != '=' ||
            json_object_getn(arguments, key.at, key.len))
            return NULL;
        i++;
        json_t *value = loose_value(str_skip(text, i), &used);
        if (!value || json_object_setn_new(arguments, key.at, key.len, value) != 0)
            return NULL;
        i = blanks(text, i + used);
        if (i < text.len && text.at[i] == ',')
            i++;
        else if (i < text.len && text.at[i] != ')')
            return NULL;
    }
    *at = i + 1;
    return i < text.len ? json_incref(arguments) : NULL;
}

json_t *codecall_read(struct str text, size_t at, struct str *name, size_t *end)
{
    size_t used;
    bool bracket = false;
    *name = read_name(text, at, end);
    if (name->len == 0)
        return NULL;
    if (*end < text.len && text.at[*end] == '(') {
        size_t i = *end + 1;
        json_t *keywords = read_keywords(text, &i);
        if (keywords) {
            *end = i;
            return keywords;
        }
        bracket = true;
        *end += 1;
    }
    for (bool any = true; any && *end < text.len;) {
        struct str rest = str_skip(text, *end);
        size_t skipped = codecall_mark(rest);
        if (isspace((unsigned char)rest.at[0]))
            skipped = 1;
        for (size_t i = 0; skipped == 0 && i < sizeof(between) / sizeof(between[0]); i++)
            skipped = str_starts(rest, str_of(between[i])) ? strlen(between[i]) : 0;
        any = skipped > 0;
        *end += skipped;
    }
    json_t *arguments =
        *end < text.len && text.at[*end] == '{' ? loose_read(str_skip(text, *end), &used) : NULL;
    if (!arguments)
        return NULL;
    *end += used;
    size_t close = blanks(text, *end);
    if (bracket && close < text.len && text.at[close] == ')')
        *end = close + 1;
    return arguments;
}
