#include "worker/llm/textcall.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"

/* A text that is full of braces is no call: the first STARTS_MAX are tried. */
enum { STARTS_MAX = 64 };
/* Nor is one that is longer than calls are: each try reads to the text's end. */
enum { TEXT_BYTES_MAX = 64 << 10 };

static bool read_at(struct textcalls *c, struct str text, size_t at, size_t *end);
static bool take(struct textcalls *c, const json_t *v, struct str tagged);
static size_t skip_marks(struct str text, size_t at);
static size_t drop_marks(struct str text, size_t end);
static struct str tagged_name(struct str text, size_t at);

void textcalls_read(struct textcalls *c, struct str text)
{
    *c = (struct textcalls){0};
    unsigned tried = 0;
    size_t at = 0, end = 0;
    if (text.len > TEXT_BYTES_MAX)
        return;
    for (; at < text.len && c->count == 0 && tried < STARTS_MAX; at++) {
        if (text.at[at] != '{' && text.at[at] != '[')
            continue;
        tried++;
        c->said = at;
        read_at(c, text, at, &end);
    }
    if (c->count == 0)
        return;
    bool more = true;
    while (more && (end = skip_marks(text, end)) < text.len)
        more = c->count < TEXTCALLS_MAX && read_at(c, text, end, &end);
    if (end < text.len)
        textcalls_free(c);
    else
        c->said = drop_marks(text, c->said);
}

void textcalls_free(struct textcalls *c)
{
    for (unsigned i = 0; i < c->count; i++) {
        free(c->all[i].tool_name);
        free(c->all[i].arguments);
    }
    *c = (struct textcalls){0};
}

/* The calls of the JSON text that begins here. False: it is none. */
static bool read_at(struct textcalls *c, struct str text, size_t at, size_t *end)
{
    json_error_t error;
    unsigned before = c->count;
    struct str rest = str_skip(text, at);
    json_auto_t *root =
        json_loadb(rest.at, rest.len, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return false;
    size_t i;
    json_t *one;
    bool whole = json_is_object(root) ? take(c, root, tagged_name(text, at)) : true;
    json_array_foreach(root, i, one) whole = take(c, one, STR("")) && whole;
    if (whole && c->count > before) {
        *end = at + (size_t)error.position;
        return true;
    }
    while (c->count > before) { /* a list that holds other things too */
        struct textcall *last = &c->all[--c->count];
        free(last->tool_name);
        free(last->arguments);
    }
    return false;
}

static const json_t *either(const json_t *v, const char *a, const char *b, const char *c)
{
    const json_t *found = json_object_get(v, a);
    found = found ? found : json_object_get(v, b);
    return found ? found : json_object_get(v, c);
}

/* {"name","arguments"}, {"tool","parameters"}, {"function":{"name","arguments"}}; between tags that
 * name the tool the arguments alone. False: it is no call. */
static bool take(struct textcalls *c, const json_t *v, struct str tagged)
{
    const json_t *inner = json_object_get(v, "function");
    v = json_is_object(inner) ? inner : v;
    struct str name = json_text(either(v, "name", "tool", "function"));
    const json_t *arguments = either(v, "arguments", "parameters", "args");
    if (tagged.len > 0) {
        name = tagged;
        arguments = v;
    }
    struct str text = json_text(arguments); /* a text that is JSON, as the API itself has it */
    json_auto_t *read = text.len > 0 ? json_loadb(text.at, text.len, 0, NULL) : NULL;
    arguments = read ? read : arguments;
    if (name.len == 0 || !json_is_object(arguments) || c->count == TEXTCALLS_MAX)
        return false;
    c->all[c->count++] = (struct textcall){.tool_name = str_dup(name),
                                           .arguments = json_dumps(arguments, JSON_COMPACT)};
    return true;
}

/* ---- what stands around calls ---- */

static const char *const opening[] = {"```json",        "```tool_call", "```",
                                      "<tool_call>",    "<tool_calls>", "<function_call>",
                                      "<|python_tag|>", "[TOOL_CALLS]"};
static const char *const closing[] = {
    "```",         "</tool_call>", "</tool_calls>", "</function_call>",
    "</function>", "<|im_end|>",   "<|eom_id|>"};
enum {
    OPENING = sizeof(opening) / sizeof(opening[0]),
    CLOSING = sizeof(closing) / sizeof(closing[0]),
};

static bool blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* "<function=NAME>" that ends before at; empty: there is none. */
static struct str tagged_name(struct str text, size_t at)
{
    static const char tag[] = "<function=";
    while (at > 0 && blank(text.at[at - 1]))
        at--;
    size_t from = at;
    while (from > 0 && at - from < 80 && text.at[from - 1] != '<')
        from--;
    struct str inside = {text.at + (from > 0 ? from - 1 : 0), at - from + (from > 0)};
    if (at == 0 || text.at[at - 1] != '>' || !str_starts(inside, str_of(tag)))
        return STR("");
    inside = str_skip(inside, sizeof(tag) - 1);
    return (struct str){inside.at, inside.len - 1};
}

/* To what follows a call: the next one, the text's end, or what shows that it was none. */
static size_t skip_marks(struct str text, size_t at)
{
    for (bool any = true; any && at < text.len;) {
        any = false;
        if (blank(text.at[at]) || text.at[at] == ',' || text.at[at] == ';') {
            at++;
            any = true;
        }
        struct str rest = str_skip(text, at);
        for (unsigned i = 0; !any && i < CLOSING + OPENING; i++) {
            struct str mark = str_of(i < CLOSING ? closing[i] : opening[i - CLOSING]);
            any = str_starts(rest, mark);
            at += any ? mark.len : 0;
        }
        const char *end = memchr(rest.at, '>', rest.len < 80 ? rest.len : 80);
        if (!any && end && str_starts(rest, STR("<function="))) {
            at += (size_t)(end + 1 - rest.at);
            any = true;
        }
    }
    return at;
}

/* Back from a call to what was said before its marks. */
static size_t drop_marks(struct str text, size_t end)
{
    for (bool any = true; any && end > 0;) {
        struct str before = {text.at, end};
        struct str name = tagged_name(text, end);
        any = blank(text.at[end - 1]);
        end -= any;
        for (unsigned i = 0; !any && i < OPENING; i++) {
            any = str_ends(before, str_of(opening[i]));
            end -= any ? strlen(opening[i]) : 0;
        }
        if (!any && name.len > 0) {
            end = (size_t)(name.at - text.at) - strlen("<function=");
            any = true;
        }
    }
    return end;
}
