#include "worker/llm/tagcall.h"

#include <ctype.h>
#include <string.h>
#include "common/loose.h"

enum { NAME_BYTES_MAX = 80, VALUES_MAX = 32 };

struct tag {
    struct str word, name; /* <word name="NAME">, <word=NAME>; name: empty where there is none */
    bool closes;
    size_t end; /* behind the > */
};

static bool of_name(char c) { return isalnum((unsigned char)c) || strchr("_-.:", c) != NULL; }

static struct str name_at(struct str text, size_t at)
{
    size_t len = 0;
    while (at + len < text.len && len < NAME_BYTES_MAX && text.at[at + len] != '\0' &&
           of_name(text.at[at + len]))
        len++;
    return (struct str){text.at + at, len};
}

static size_t blanks(struct str text, size_t at)
{
    while (at < text.len && isspace((unsigned char)text.at[at]))
        at++;
    return at;
}

/* The tag that begins at this place. */
static bool read_tag(struct str text, size_t at, struct tag *tag)
{
    *tag = (struct tag){0};
    if (at + 2 >= text.len || text.at[at] != '<')
        return false;
    tag->closes = text.at[++at] == '/';
    tag->word = name_at(text, at + tag->closes);
    at += tag->closes + tag->word.len;
    if (tag->word.len == 0 || at == text.len)
        return false;
    if (text.at[at] == '=')
        at++;
    else if (str_starts(str_skip(text, at), STR(" name=")))
        at += 6;
    else {
        tag->end = at + 1;
        return text.at[at] == '>';
    }
    char quote = at < text.len && (text.at[at] == '"' || text.at[at] == '\'') ? text.at[at] : '\0';
    tag->name = name_at(text, at + (quote != '\0'));
    at += tag->name.len + (quote != '\0');
    if (quote != '\0' && (at == text.len || text.at[at++] != quote))
        return false;
    if (at < text.len && text.at[at] == ' ') /* DeepSeek: string="true" */
        while (at < text.len && !strchr("<>", text.at[at] ? text.at[at] : '<'))
            at++;
    tag->end = at + 1;
    return at < text.len && text.at[at] == '>' && tag->name.len > 0;
}

/* Where </word> begins; the text's length: nowhere. */
static size_t closing(struct str text, size_t at, struct str word)
{
    struct tag tag;
    for (; at < text.len; at++)
        if (text.at[at] == '<' && read_tag(text, at, &tag) && tag.closes && str_eq(tag.word, word))
            return at;
    return text.len;
}

/* A value as it was meant: without the blanks around it, and with what XML writes escaped. */
static json_t *value_of(struct str text)
{
    static const char *const signs[][2] = {
        {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}, {"&apos;", "'"}, {"&amp;", "&"}};
    scoped_buf(b, text.len + 1);
    for (text = str_trim(text); text.len > 0;) {
        size_t used = 1;
        const char *is = NULL;
        for (size_t i = 0; !is && i < sizeof(signs) / sizeof(signs[0]); i++)
            if (str_starts(text, str_of(signs[i][0])))
                is = signs[i][1], used = strlen(signs[i][0]);
        buf_add(&b, is ? is : text.at, 1);
        text = str_skip(text, used);
    }
    return json_stringn(b.at ? b.at : "", b.len);
}

/* <K>V</K>, <parameter=K>V</parameter>, <arg_key>K</arg_key><arg_value>V</arg_value>. False: it is
 * none of them. */
static bool read_value(struct str text, size_t *at, json_t *values)
{
    struct tag tag;
    if (!read_tag(text, *at, &tag) || tag.closes)
        return false;
    struct str key = tag.name.len > 0 ? tag.name : tag.word;
    size_t from = tag.end, end = closing(text, from, tag.word);
    if (end == text.len)
        return false;
    if (str_is(tag.word, "arg_key")) {
        key = str_trim((struct str){text.at + from, end - from});
        read_tag(text, end, &tag);
        if (!read_tag(text, blanks(text, tag.end), &tag) || !str_is(tag.word, "arg_value"))
            return false;
        from = tag.end;
        end = closing(text, from, tag.word);
    }
    struct tag last;
    if (memmem(text.at + from, end - from, "</", 2)) /* tags within it */
        return false;
    if (end == text.len || key.len == 0 || json_object_getn(values, key.at, key.len) ||
        json_object_setn_new(values, key.at, key.len,
                             value_of((struct str){text.at + from, end - from})) != 0)
        return false;
    if (read_tag(text, end, &last))
        *at = last.end;
    return true;
}

/* Values in tags, or the one object in braces, up to what is neither. */
static json_t *read_values(struct str text, size_t *at)
{
    json_t *values = json_object();
    size_t next = blanks(text, *at), used;
    json_t *whole =
        next < text.len && text.at[next] == '{' ? loose_read(str_skip(text, next), &used) : NULL;
    if (whole) {
        json_decref(values);
        *at = next + used;
        return whole;
    }
    for (unsigned i = 0; i < VALUES_MAX && read_value(text, &next, values); i++)
        *at = next = blanks(text, next);
    return values;
}

/* The text of <a>…</a>, where that is what stands here. */
static bool one_of(struct str text, size_t *at, const char *const *words, struct str *inside)
{
    struct tag tag;
    size_t from = blanks(text, *at);
    if (!read_tag(text, from, &tag) || tag.closes || tag.name.len > 0)
        return false;
    for (; *words && !str_is(tag.word, *words); words++)
        ;
    size_t end = *words ? closing(text, tag.end, tag.word) : text.len;
    if (end == text.len)
        return false;
    *inside = str_trim((struct str){text.at + tag.end, end - tag.end});
    read_tag(text, end, &tag);
    *at = tag.end;
    return true;
}

/* <name>NAME</name><arguments>…</arguments> */
static json_t *read_named(struct str text, size_t at, struct str *name, size_t *end)
{
    static const char *const names[] = {"name", "tool_name", "function_name", "tool", NULL};
    static const char *const lists[] = {"arguments", "parameters", "args", "input", NULL};
    struct str inside;
    size_t from = 0;
    if (!one_of(text, &at, names, name) ||
        name->len != name_at(text, (size_t)(name->at - text.at)).len)
        return NULL;
    *end = at;
    if (!one_of(text, &at, lists, &inside))
        return NULL;
    *end = at;
    json_t *values = read_values(inside, &from);
    if (str_trim(str_skip(inside, from)).len == 0)
        return values;
    json_decref(values);
    return NULL;
}

json_t *tagcall_read(struct str text, size_t at, struct str *name, size_t *end)
{
    struct tag tag, last;
    json_t *named = read_named(text, at, name, end);
    if (named)
        return named;
    if (!read_tag(text, at, &tag) || tag.closes)
        return NULL;
    bool call = str_is(tag.word, "tool_call") || str_is(tag.word, "function_call");
    *name = tag.name.len > 0 ? tag.name : tag.word;
    *end = tag.end;
    if (call && tag.name.len == 0) { /* <tool_call>NAME<arg_key>… */
        *name = name_at(text, blanks(text, tag.end));
        *end = (size_t)(name->at + name->len - text.at);
        if (name->len == 0 || !str_starts(str_skip(text, blanks(text, *end)), STR("<arg_key>")))
            return NULL;
    }
    json_t *values = read_values(text, end);
    size_t next = blanks(text, *end);
    if (read_tag(text, next, &last) && last.closes && str_eq(last.word, tag.word)) {
        *end = last.end;
        return values;
    }
    json_decref(values);
    return NULL;
}
