#include "worker/tools/perses/vars.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "common/duration.h"
#include "common/json.h"
#include "worker/tools/items.h"

enum { NAME_MAX_BYTES = 75, SCRAPE_MS = 15000 };

static const char all_value[] = VARS_ALL;

void vars_free(struct vars *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        free(v->all[i].name);
        json_decref(v->all[i].values);
        json_decref(v->all[i].open);
    }
    v->count = 0;
}

struct var *vars_find(const struct vars *v, struct str name)
{
    for (unsigned i = 0; i < v->count; i++)
        if (str_is(name, v->all[i].name))
            return (struct var *)&v->all[i];
    return NULL;
}

/* The newest values of a name count. */
static void set(struct vars *v, struct str name, json_t *take_values, bool list, bool finished)
{
    struct var *var = vars_find(v, name);
    if (name.len == 0 || name.len > NAME_MAX_BYTES || json_array_size(take_values) == 0 ||
        (var == NULL && v->count == VARS_MAX)) {
        json_decref(take_values);
        return;
    }
    if (!var) {
        var = &v->all[v->count++];
        *var = (struct var){.name = str_dup(name)};
    }
    json_decref(var->values);
    json_decref(var->open);
    var->values = take_values;
    var->open = NULL;
    var->list = list;
    var->finished = finished;
    var->any = false;
}

static json_t *one(struct str value)
{
    return json_pack("[o]", json_stringn(value.at ? value.at : "", value.len));
}

/* An array of strings, or of {"value", "label"} (a static list), as strings. NULL: one is too long,
 * or there are too many. */
static json_t *strings_of(const json_t *values)
{
    json_t *strings = json_array(), *value;
    size_t i;
    bool fits = json_array_size(values) <= VARS_VALUES_MAX;
    json_array_foreach((json_t *)values, i, value)
    {
        struct str text = json_is_object(value) ? item_str(value, "value") : json_text(value);
        fits = fits && text.len <= VARS_VALUE_MAX;
        json_array_append_new(strings, json_stringn(text.at ? text.at : "", text.len));
    }
    if (fits)
        return strings;
    json_decref(strings);
    return NULL;
}

/* The texts that may name other variables. */
static json_t *needs_of(const json_t *spec)
{
    static const char *const members[] = {"labelName", "expr", "datasource"};
    json_t *needs = json_array(), *match;
    size_t i;
    json_array_foreach(json_object_get(spec, "matchers"), i, match) json_array_append(needs, match);
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        json_array_append(needs, json_object_get(spec, members[i]));
    return needs;
}

/* Any value, until the datasource has said which there are. */
static void set_open(struct vars *v, struct str name, const json_t *plugin, const json_t *spec)
{
    static const char *const kinds[] = VARS_OPEN_KINDS;
    struct str kind = item_str(plugin, "kind");
    set(v, name, one(STR(".*")), false, true);
    struct var *var = vars_find(v, name);
    if (var)
        var->any = true;
    for (size_t i = 0; var && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!str_is(kind, kinds[i]))
            continue;
        var->open = json_copy((json_t *)plugin);
        json_object_set_new(var->open, "needs", needs_of(json_object_get(plugin, "spec")));
        json_object_set(var->open, "capturingRegexp", json_object_get(spec, "capturingRegexp"));
    }
}

static void set_all(struct vars *v, struct str name, const json_t *spec)
{
    struct str custom = item_str(spec, "customAllValue");
    const json_t *plugin = json_object_get(spec, "plugin");
    const json_t *values = item_at(plugin, "spec", "values", NULL);
    if (custom.len > 0 && custom.len <= VARS_VALUE_MAX)
        set(v, name, one(custom), false, false);
    else if (str_is(item_str(plugin, "kind"), "StaticListVariable") && json_array_size(values) > 0)
        set(v, name, strings_of(values), true, false);
    else
        set_open(v, name, plugin, spec);
}

static bool is_all(const json_t *value)
{
    if (json_array_size(value) == 1)
        value = json_array_get(value, 0);
    return str_is(json_text(value), all_value);
}

/* As Perses does where nobody has chosen: all if that is offered, else the first of what there is.
 * A text's value may be empty. */
static void set_default(struct vars *v, struct str name, const json_t *spec)
{
    const json_t *text = json_object_get(spec, "value");
    const json_t *first =
        json_array_get(item_at(json_object_get(spec, "plugin"), "spec", "values", NULL), 0);
    struct str value = text                    ? json_text(text)
                       : json_is_object(first) ? item_str(first, "value")
                                               : json_text(first);
    if (json_is_true(json_object_get(spec, "allowAllValue")))
        set_all(v, name, spec);
    else if (value.at && value.len <= VARS_VALUE_MAX)
        set(v, name, one(value), false, false);
}

void vars_read(struct vars *v, const json_t *variable)
{
    const json_t *spec = json_object_get(variable, "spec");
    const json_t *value = json_object_get(spec, "defaultValue");
    struct str name = item_str(spec, "name");
    const struct var *given = vars_find(v, name);
    if (given != NULL && !is_all(given->values))
        return;
    bool empty = json_is_array(value) ? json_array_size(value) == 0 : json_text(value).len == 0;
    if (given != NULL || is_all(value))
        set_all(v, name, spec);
    else if (empty)
        set_default(v, name, spec);
    else if (json_is_array(value))
        set(v, name, strings_of(value), true, false);
    else if (json_text(value).len <= VARS_VALUE_MAX)
        set(v, name, one(json_text(value)), false, false);
}

/* One more value of a name that has some. */
static void also(struct var *var, struct str value)
{
    if (json_array_size(var->values) >= VARS_VALUES_MAX)
        return;
    json_array_append_new(var->values, json_stringn(value.at ? value.at : "", value.len));
    var->list = true;
}

/* "name=value", or without a name another value of the one before. */
static bool take(struct vars *v, struct str part, struct str *before)
{
    struct str value = part, name = *before;
    if (memchr(part.at, '=', part.len) && !str_split(&value, '=', &name))
        return false;
    name = str_trim(name);
    if (name.len > 0 && name.at[0] == '$')
        name = str_skip(name, 1);
    value = str_trim(value);
    if (name.len == 0)
        return false;
    struct var *var = vars_find(v, name);
    *before = name;
    if (value.len > VARS_VALUE_MAX)
        return true;
    if (var)
        also(var, value);
    else
        set(v, name, one(value), false, false);
    return true;
}

bool vars_parse(struct vars *v, struct str text)
{
    struct str part, name = STR("");
    while (str_split(&text, ',', &part)) {
        if (str_trim(part).len > 0 && !take(v, part, &name))
            return false;
    }
    return true;
}

static bool built_in(const struct vars *v, struct str name, struct buf *out)
{
    int64_t rate = v->step_ms + SCRAPE_MS > 4 * SCRAPE_MS ? v->step_ms + SCRAPE_MS : 4 * SCRAPE_MS;
    if (str_is(name, "__rate_interval"))
        return buf_puts(out, duration_write(rate));
    if (str_is(name, "__interval") || str_is(name, "__auto")) /* the latter of Grafana's Loki */
        return buf_puts(out, duration_write(v->step_ms));
    if (str_is(name, "__interval_ms"))
        return buf_printf(out, "%lld", (long long)v->step_ms);
    if (str_is(name, "__range"))
        return buf_puts(out, duration_write(v->range_ms));
    if (str_is(name, "__range_s"))
        return buf_printf(out, "%lld", (long long)v->range_ms / 1000);
    if (str_is(name, "__range_ms"))
        return buf_printf(out, "%lld", (long long)v->range_ms);
    if (str_is(name, "__from"))
        return buf_printf(out, "%lld", (long long)(v->end_ms - v->range_ms));
    if (str_is(name, "__to"))
        return buf_printf(out, "%lld", (long long)v->end_ms);
    const char *whose = str_is(name, "__project")     ? v->project
                        : str_is(name, "__dashboard") ? v->dashboard
                                                      : NULL;
    return whose && whose[0] && buf_puts(out, whose);
}

/* ---- formats ---- */

typedef void add_fn(struct buf *b, struct str value, struct str name);

static void add_raw(struct buf *b, struct str value, struct str name)
{
    (void)name;
    buf_add_str(b, value);
}

static void add_quoted(struct buf *b, struct str value, char quote)
{
    buf_putc(b, quote);
    buf_add_str(b, value);
    buf_putc(b, quote);
}

static void add_double(struct buf *b, struct str value, struct str name)
{
    (void)name;
    add_quoted(b, value, '"');
}

static void add_single(struct buf *b, struct str value, struct str name)
{
    (void)name;
    add_quoted(b, value, '\'');
}

static void add_sql(struct buf *b, struct str value, struct str name)
{
    (void)name;
    buf_putc(b, '\'');
    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] == '\'')
            buf_putc(b, '\'');
        buf_putc(b, value.at[i]);
    }
    buf_putc(b, '\'');
}

static void add_escaped(struct buf *b, struct str value, const char *escape)
{
    for (size_t i = 0; i < value.len; i++) {
        if (strchr("-/\\^$*+?.()|[]{}", value.at[i]) != NULL && value.at[i] != '\0')
            buf_puts(b, escape);
        buf_putc(b, value.at[i]);
    }
}

static void add_regex(struct buf *b, struct str value, struct str name)
{
    (void)name;
    add_escaped(b, value, "\\");
}

static void add_regex_literal(struct buf *b, struct str value, struct str name)
{
    (void)name;
    add_escaped(b, value, "\\\\");
}

/* A string, whatever it looks like: Perses's values are. */
static void add_json(struct buf *b, struct str value, struct str name)
{
    (void)name;
    json_str(b, value);
}

/* As encodeURIComponent. */
static void add_percent(struct buf *b, struct str value, struct str name)
{
    (void)name;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if (isalnum(c) || (c != '\0' && strchr("-_.!~*'()", c) != NULL))
            buf_putc(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static void add_parameter(struct buf *b, struct str value, struct str name)
{
    buf_add_str(b, name);
    buf_putc(b, '=');
    add_percent(b, value, name);
}

static const struct format {
    const char *name, *open, *between, *close;
    add_fn *add;
} formats[] = {
    {"prometheus", "(", "|", ")", add_raw}, /* also of a list without a format that is known */
    {"csv", "", ",", "", add_raw},
    {"raw", "", ",", "", add_raw},
    {"distributed", "", ",", "", add_raw}, /* but the first with name= */
    {"doublequote", "", ",", "", add_double},
    {"glob", "{", ",", "}", add_raw},
    {"json", "[", ",", "]", add_json},
    {"lucene", "(", " OR ", ")", add_double},
    {"percentencode", "", "%2C", "", add_percent},
    {"pipe", "", "|", "", add_raw},
    {"regex", "(", "|", ")", add_regex},
    {"regexliteral", "(", "|", ")", add_regex_literal},
    {"singlequote", "", ",", "", add_single},
    {"sqlstring", "", ",", "", add_sql},
    {"text", "", " + ", "", add_raw},
    {"queryparam", "", "&", "", add_parameter},
};

/* NULL: there is none of this name. */
static const struct format *format_of(struct str name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (name.len == strlen(formats[i].name) &&
            strncasecmp(name.at, formats[i].name, name.len) == 0)
            return &formats[i];
    return NULL;
}

static void write_values(const struct var *var, const struct format *format, struct buf *out)
{
    struct str name = str_of(var->name);
    bool distributed = strcmp(format->name, "distributed") == 0;
    size_t i;
    json_t *value;
    buf_puts(out, format->open);
    json_array_foreach(var->values, i, value)
    {
        buf_puts(out, i > 0 ? format->between : "");
        if (distributed && i > 0) {
            buf_add_str(out, name);
            buf_putc(out, '=');
        }
        format->add(out, json_text(value), name);
    }
    buf_puts(out, format->close);
}

void vars_write(const struct var *var, struct buf *out)
{
    if (var->list && json_array_size(var->values) > 1)
        write_values(var, &formats[0], out);
    else
        buf_add_str(out, json_text(json_array_get(var->values, 0)));
}

static void write_formatted(const struct var *var, struct str name, struct buf *out)
{
    const struct format *format = name.len > 0 ? format_of(name) : NULL;
    if (!format || var->finished)
        vars_write(var, out);
    else
        write_values(var, format, out);
}

/* ---- references ---- */

/* $name, ${name}, ${name:format} or ${name.field:format} at text; its length, 0: none. */
static size_t reference(struct str text, struct str *name, struct str *format)
{
    bool braces = text.len > 1 && text.at[1] == '{';
    size_t from = braces ? 2 : 1, at = from;
    while (at < text.len && (isalnum((unsigned char)text.at[at]) || text.at[at] == '_'))
        at++;
    *name = (struct str){text.at + from, at - from};
    *format = (struct str){NULL, 0};
    if (name->len == 0 || isdigit((unsigned char)name->at[0]))
        return 0; /* "$1" belongs to label_replace */
    if (!braces)
        return at;
    size_t end = at;
    while (end < text.len && text.at[end] != '}')
        end++;
    if (end == text.len)
        return 0;
    const char *colon = memchr(text.at + at, ':', end - at);
    if (colon)
        *format = (struct str){colon + 1, (size_t)(text.at + end - colon) - 1};
    return end + 1;
}

/* One of which it is known what all of it is, where all was chosen. */
static struct var *known(const struct vars *v, struct str name)
{
    struct var *var = vars_find(v, name);
    return var && !is_all(var->values) ? var : NULL;
}

/* What an open variable's values depend on may depend on others in turn. */
enum { OPEN_DEPTH_MAX = 4 };

/* The name of the next variable in *rest, which then begins behind it. */
static bool next_name(struct str *rest, struct str *name)
{
    while (rest->len > 0) {
        struct str format;
        size_t len = rest->at[0] == '$' ? reference(*rest, name, &format) : 0;
        *rest = str_skip(*rest, len > 0 ? len : 1);
        if (len > 0)
            return true;
    }
    return false;
}

/* What says which values an open one has; NULL: it is not open. */
static const json_t *needs(const struct var *var)
{
    return json_object_get(var ? var->open : NULL, "needs");
}

static bool lacks(const struct vars *v, struct str text, unsigned depth)
{
    struct str name;
    while (next_name(&text, &name)) {
        const struct var *var = known(v, name);
        const json_t *need;
        size_t i;
        scoped_buf(value, 256);
        if (!var && !built_in(v, name, &value))
            return true;
        json_array_foreach(needs(var), i, need)
        {
            if (depth < OPEN_DEPTH_MAX && lacks(v, json_text(need), depth + 1))
                return true;
        }
    }
    return false;
}

bool vars_lack(const struct vars *v, struct str text) { return lacks(v, text, 0); }

static struct var *open_in(const struct vars *v, struct str text, unsigned depth)
{
    struct str name;
    while (next_name(&text, &name)) {
        struct var *var = known(v, name);
        const json_t *need;
        size_t i;
        json_array_foreach(needs(var), i, need)
        {
            struct var *first =
                depth < OPEN_DEPTH_MAX ? open_in(v, json_text(need), depth + 1) : NULL;
            if (first)
                return first;
        }
        if (var && var->open)
            return var;
    }
    return NULL;
}

struct var *vars_open(const struct vars *v, struct str text) { return open_in(v, text, 0); }

void vars_close(struct var *var, json_t *take_values)
{
    json_decref(var->open);
    var->open = NULL;
    if (!take_values)
        return;
    json_decref(var->values);
    var->values = take_values;
    var->list = true;
    var->finished = var->any = false;
}

const struct var *vars_any(const struct vars *v, struct str text)
{
    struct str name;
    while (next_name(&text, &name)) {
        const struct var *var = known(v, name);
        if (var && var->any)
            return var;
    }
    return NULL;
}

bool vars_apply(const struct vars *v, struct str query, struct buf *out, struct str *unknown)
{
    bool all = true;
    for (size_t i = 0; i < query.len;) {
        struct str name, format, rest = str_skip(query, i);
        size_t len = query.at[i] == '$' ? reference(rest, &name, &format) : 0;
        const struct var *var = len > 0 ? known(v, name) : NULL;
        if (len == 0) {
            buf_putc(out, query.at[i++]);
            continue;
        }
        if (var && var->any && v->keep_any) {
            buf_add(out, rest.at, len);
        } else if (var) {
            write_formatted(var, format, out);
        } else if (!built_in(v, name, out)) {
            buf_add(out, rest.at, len);
            if (all && unknown != NULL)
                *unknown = name;
            all = false;
        }
        i += len;
    }
    return all && !out->overflowed;
}
