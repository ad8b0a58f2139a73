#include "worker/llm/textcall.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/json.h"
#include "common/loose.h"
#include "worker/llm/codecall.h"
#include "worker/llm/tagcall.h"

/* A text that is full of braces is no call: the first STARTS_MAX are tried. */
enum { STARTS_MAX = 64 };
/* Nor is one that is longer than calls are: each try reads to the text's end. */
enum { TEXT_BYTES_MAX = 64 << 10 };

enum tried { NOTHING_LIKE_IT, NO_CALL, READ };
static enum tried read_at(struct textcalls *c, struct str text, size_t at, size_t *end);
static bool usual_marks(struct str text, struct buf *out, size_t *from);
static void read_usual(struct textcalls *c, struct str text);
static bool read_json(struct textcalls *c, struct str text, size_t at, size_t *end);
static bool take(struct textcalls *c, const json_t *v, struct str tagged);
static size_t skip_marks(struct str text, size_t at);
static size_t drop_marks(struct str text, size_t end);
static struct str tagged_name(struct str text, size_t at);

void textcalls_read(struct textcalls *c, struct str text)
{
    *c = (struct textcalls){0};
    scoped_buf(usual, 2 * TEXT_BYTES_MAX);
    size_t from;
    if (text.len > TEXT_BYTES_MAX)
        return;
    if (!usual_marks(text, &usual, &from)) {
        read_usual(c, text);
        return;
    }
    read_usual(c, buf_str(&usual));
    c->said = c->said < from ? c->said : from; /* up to there they are the same */
}

static bool holds(struct str text, struct str part)
{
    return text.len >= part.len && memmem(text.at, text.len, part.at, part.len) != NULL;
}

/* Two models' own marks, as others write it: DeepSeek's in each tag of a call, and Gemma's quotes.
 * False: there is none; else *from is where the first stands. */
static bool usual_marks(struct str text, struct buf *out, size_t *from)
{
    static const struct str in_tag = {"\xef\xbd\x9c"
                                      "DSML"
                                      "\xef\xbd\x9c",
                                      10};
    static const struct str quote = {"<|\"|>", 5};
    size_t at;
    *from = text.len;
    if (!holds(text, in_tag) && !holds(text, quote)) /* almost all texts */
        return false;
    for (size_t i = 0; i < text.len; i = at) {
        struct str rest = str_skip(text, i), inside = str_skip(rest, quote.len);
        const char *end = str_starts(rest, quote) && inside.len > 0
                              ? memmem(inside.at, inside.len, quote.at, quote.len)
                              : NULL;
        bool marked = str_starts(rest, in_tag);
        at = i + 1;
        if (marked) {
            at = i + in_tag.len;
        } else if (end) {
            inside.len = (size_t)(end - inside.at);
            json_str(out, inside);
            at = i + inside.len + 2 * quote.len;
        } else {
            buf_putc(out, text.at[i]);
        }
        if ((marked || end) && *from == text.len)
            *from = i;
    }
    return *from < text.len && !out->overflowed;
}

static void read_usual(struct textcalls *c, struct str text)
{
    unsigned tried = 0;
    size_t at = 0, end = 0;
    for (; at < text.len && c->count == 0 && tried < STARTS_MAX; at++) {
        if (!memchr("{[<", text.at[at], 3) && !codecall_may(text, at))
            continue;
        tried += read_at(c, text, at, &end) != NOTHING_LIKE_IT;
        c->said = at;
    }
    if (c->count == 0)
        return;
    bool more = true;
    while (more && (end = skip_marks(text, end)) < text.len)
        more = c->count < TEXTCALLS_MAX && read_at(c, text, end, &end) == READ;
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

static bool put(struct textcalls *c, struct str name, const json_t *arguments)
{
    if (name.len == 0 || memchr(name.at, '\0', name.len) != NULL || !json_is_object(arguments) ||
        c->count == TEXTCALLS_MAX)
        return false;
    c->all[c->count++] = (struct textcall){.tool_name = str_dup(name),
                                           .arguments = json_dumps(arguments, JSON_COMPACT)};
    return true;
}

static const json_t *either(const json_t *v, const char *const *keys)
{
    const json_t *found = NULL;
    for (; !found && *keys; keys++)
        found = json_object_get(v, *keys);
    return found;
}

static const char *const names[] = {"name",          "tool",   "function", "tool_name",
                                    "function_name", "action", NULL};
static const char *const lists[] = {"arguments",  "parameters",   "args",   "input",
                                    "tool_input", "action_input", "params", NULL};

static bool is_call(const json_t *v)
{
    return json_text(either(v, names)).len > 0 && either(v, lists) != NULL;
}

/* What begins here: JSON, a tag, or a name. */
static enum tried read_at(struct textcalls *c, struct str text, size_t at, size_t *end)
{
    struct str name;
    size_t behind = at;
    if (text.at[at] == '{' || text.at[at] == '[') {
        if (read_json(c, text, at, end))
            return READ;
        if (text.at[at] == '{' || at + 1 == text.len || !codecall_may(text, at + 1))
            return NO_CALL;
        at++; /* [NAME(…), …] */
    }
    bool follows = c->count > 0 && isalpha((unsigned char)text.at[at]);
    if (text.at[at] != '<' && !follows && !codecall_may(text, at))
        return NOTHING_LIKE_IT;
    json_auto_t *arguments = text.at[at] == '<' ? tagcall_read(text, at, &name, &behind)
                                                : codecall_read(text, at, &name, &behind);
    if (is_call(arguments)) /* "Sure {…}": a word before one */
        return NOTHING_LIKE_IT;
    if (!arguments || !put(c, name, arguments))
        return text.at[at] == '<' || memchr(text.at + at, '(', behind - at) ? NO_CALL
                                                                            : NOTHING_LIKE_IT;
    *end = behind;
    return READ;
}

/* The calls of the JSON text that begins here. False: it is none. */
static bool read_json(struct textcalls *c, struct str text, size_t at, size_t *end)
{
    unsigned before = c->count;
    size_t i, used;
    json_t *one;
    json_auto_t *root = loose_read(str_skip(text, at), &used);
    const json_t *list = json_object_get(root, "tool_calls");
    list = json_is_array(list) ? list : root;
    bool whole = json_is_object(list) ? take(c, list, tagged_name(text, at)) : true;
    json_array_foreach(list, i, one) whole = take(c, one, STR("")) && whole;
    if (root && whole && c->count > before) {
        *end = at + used;
        return true;
    }
    while (c->count > before) { /* a list that holds other things too */
        struct textcall *last = &c->all[--c->count];
        free(last->tool_name);
        free(last->arguments);
    }
    return false;
}

/* The members that stand beside the name, as {"tool":"NAME","query":"up"} has them. */
static json_t *others(const json_t *v, struct str name)
{
    json_t *rest = json_object(), *value;
    const char *key;
    json_object_foreach((json_t *)v, key, value)
    {
        bool is_name = json_text(value).at == name.at;
        if (!is_name && strcmp(key, "type") != 0 && strcmp(key, "id") != 0)
            json_object_set(rest, key, value);
    }
    return rest;
}

/* {"name","arguments"}, {"tool","parameters"}, {"function":{"name","arguments"}}, {"NAME":{…}};
 * between tags that name the tool the arguments alone. False: it is no call. */
static bool take(struct textcalls *c, const json_t *v, struct str tagged)
{
    const json_t *inner = json_object_get(v, "function");
    v = json_is_object(inner) ? inner : v;
    struct str name = json_text(either(v, names));
    const json_t *arguments = either(v, lists);
    if (tagged.len > 0)
        return put(c, tagged, v);
    void *only = json_object_iter((json_t *)v);
    if (name.len == 0 && json_object_size(v) == 1 && json_is_object(json_object_iter_value(only)))
        return put(c, str_of(json_object_iter_key(only)), json_object_iter_value(only));
    if (name.len > 0 && !arguments && json_object_size(v) > 1) {
        json_auto_t *rest = others(v, name);
        return put(c, name, rest);
    }
    struct str text = json_text(arguments); /* a text that is JSON, as the API itself has it */
    json_auto_t *read = text.len > 0 ? json_loadb(text.at, text.len, 0, NULL) : NULL;
    return put(c, name, read ? read : arguments);
}

/* ---- what stands around calls ---- */

static const char *const opening[] = {"```json",
                                      "```tool_code",
                                      "```tool_call",
                                      "```python",
                                      "```xml",
                                      "```",
                                      "[TOOL_CALLS]",
                                      "<tool_use>",
                                      "<tool_code>",
                                      "[",
                                      "default_api.",
                                      "functions.",
                                      "<|start|>assistant",
                                      "function<\xef\xbd\x9ctool\xe2\x96\x81sep\xef\xbd\x9c>"};
static const char *const closing[] = {"```", "</function>", "</tool_use>", "</tool_code>", "}", ")",
                                      "]"};
/* What a model makes up of what comes then. */
static const char *const made_up[] = {"Observation:", "<tool_response>", "<function_results>"};
enum {
    OPENING = sizeof(opening) / sizeof(opening[0]),
    CLOSING = sizeof(closing) / sizeof(closing[0]),
    MADE_UP = sizeof(made_up) / sizeof(made_up[0]),
};

static bool blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/* <tool_call>, </function_calls>, <TOOLCALL>, <seed:tool_call> …, Gemma's <|tool_call> and
 * <tool_call|>: its length, or 0. */
static size_t call_tag(struct str text)
{
    static const char *const words[] = {"tool_call", "tool_calls", "toolcall", "function_call",
                                        "function_calls"};
    size_t from = 1;
    if (text.len < 2 || text.at[0] != '<')
        return 0;
    from += text.at[1] == '/' || text.at[1] == '|';
    size_t at = from;
    while (at < text.len && at < from + 40 &&
           (isalpha((unsigned char)text.at[at]) || strchr("_:-", text.at[at] ? text.at[at] : '.')))
        at++;
    size_t end = at + (at < text.len && text.at[at] == '|');
    if (end >= text.len || text.at[end] != '>')
        return 0;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t len = strlen(words[i]);
        if (at - from >= len && strncasecmp(text.at + at - len, words[i], len) == 0)
            return end + 1;
    }
    return 0;
}

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
        for (unsigned i = 0; i < MADE_UP; i++)
            if (str_starts(rest, str_of(made_up[i])))
                return text.len;
        size_t special = any ? 0 : codecall_mark(rest);
        special = any || special > 0 ? special : call_tag(rest);
        at += special;
        any = any || special > 0;
        const char *end = memchr(rest.at, '>', rest.len < 80 ? rest.len : 80);
        if (!any && end && str_starts(rest, STR("<function="))) {
            at += (size_t)(end + 1 - rest.at);
            any = true;
        }
    }
    return at;
}

/* How long the mark is that a text ends with, as <|python_tag|>. */
static size_t mark_before(struct str text)
{
    for (size_t len = 4; len <= text.len && len < 48; len++) {
        struct str mark = str_skip(text, text.len - len);
        if (mark.at[0] == '<' && (codecall_mark(mark) == len || call_tag(mark) == len))
            return len;
    }
    return 0;
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
        size_t special = any ? 0 : mark_before(before);
        size_t words = any || special > 0 ? 0 : end - codecall_before(text, end);
        end -= special + words;
        any = any || special + words > 0;
        if (!any && name.len > 0) {
            end = (size_t)(name.at - text.at) - strlen("<function=");
            any = true;
        }
    }
    return end;
}
