#include "worker/tools/instead.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"

enum { SEARCH_BYTES_MAX = 120 };

static json_t *with_query(const json_t *asked, struct str query);
static json_t *needed_only(const struct instead *in, const json_t *asked);
static void write_search(struct str text, struct buf *b);

/* The words of a name that was made up, or of a query's longest name, find what there is. */
static json_t *search_for(const json_t *asked, const char *name, const char *fallback)
{
    struct str text = json_text(json_object_get(asked, name));
    scoped_buf(words, SEARCH_BYTES_MAX);
    write_search(text.len > 0 ? text : str_of(fallback), &words);
    if (words.len == 0)
        return NULL;
    return json_stringn(words.at, words.len);
}

static void write_call(const char *tool, json_t *take_arguments, struct buf *b)
{
    json_auto_t *arguments = take_arguments;
    char *text = json_dumps(arguments, JSON_COMPACT);
    json_key(b, "instead");
    buf_puts(b, "{\"tool\":");
    json_str(b, str_of(tool));
    buf_printf(b, ",\"arguments\":%s}", text);
    free(text);
}

void instead_write(const struct instead *in, struct buf *b)
{
    json_auto_t *asked = json_loads(in->arguments, JSON_ALLOW_NUL, NULL);
    bool known = in->spec != NULL && in->ours;
    json_t *needed =
        known && strcmp(in->code, "bad_arguments") == 0 ? needed_only(in, asked) : NULL;
    json_t *words;
    json_field(b, "again",
               STR("You made this same call before, and it failed then too: it fails each time. "
                   "Don't make it once more."));
    if (known && in->suggestion.len > 0)
        write_call(in->spec->name, with_query(asked, in->suggestion), b);
    else if (needed)
        write_call(in->spec->name, needed, b);
    else if (in->spec == NULL && (words = search_for(NULL, "", in->tool)) != NULL)
        write_call("find_tools", json_pack("{s:o}", "words", words), b);
    else if (known && in->spec->source == TOOL_SOURCE_PROMETHEUS &&
             ((words = search_for(asked, "query", NULL)) != NULL ||
              (words = search_for(asked, "metric", NULL)) != NULL))
        write_call("list_metrics", json_pack("{s:o}", "search", words), b);
}

static json_t *with_query(const json_t *asked, struct str query)
{
    json_t *arguments = json_is_object(asked) ? json_copy((json_t *)asked) : json_object();
    json_object_set_new(arguments, "query", json_stringn(query.at, query.len));
    return arguments;
}

/* The arguments that the tool must have, as they were written: what is wrong is mostly another.
 * NULL: one is missing, or they are all there were. */
static json_t *needed_only(const struct instead *in, const json_t *asked)
{
    json_auto_t *schema = json_loads(in->spec->schema_json, 0, NULL);
    json_t *arguments = json_object(), *name;
    size_t i;
    bool whole = true;
    json_array_foreach(json_object_get(schema, "required"), i, name)
    {
        json_t *value = json_object_get(asked, json_string_value(name));
        whole = whole && json_string_length(value) > 0;
        json_object_set(arguments, json_string_value(name), value);
    }
    if (whole && i > 0 && json_object_size(arguments) < json_object_size(asked))
        return arguments;
    json_decref(arguments);
    return NULL;
}

static bool of_name(char c) { return isalnum((unsigned char)c) || c == '_' || c == ':'; }

/* The longest name in a text, its parts as words. */
static void write_search(struct str text, struct buf *b)
{
    struct str longest = {NULL, 0};
    for (size_t i = 0; i < text.len;) {
        size_t from = i;
        while (i < text.len && of_name(text.at[i]))
            i++;
        if (i - from > longest.len)
            longest = (struct str){text.at + from, i - from};
        i += i == from;
    }
    for (size_t i = 0; i < longest.len; i++) {
        bool part = longest.at[i] == '_' || longest.at[i] == ':';
        if (part && (b->len == 0 || b->at[b->len - 1] == ' '))
            continue;
        buf_putc(b, part ? ' ' : longest.at[i]);
    }
}
