#include "worker/tools/vars.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/items.h"
#include "worker/tools/moment.h"

enum { NAME_MAX_BYTES = 75, SCRAPE_MS = 15000 };

void vars_free(struct vars *v)
{
    for (unsigned i = 0; i < v->count; i++) {
        free(v->all[i].name);
        free(v->all[i].value);
    }
    v->count = 0;
}

static struct var *find(const struct vars *v, struct str name)
{
    for (unsigned i = 0; i < v->count; i++)
        if (str_is(name, v->all[i].name))
            return (struct var *)&v->all[i];
    return NULL;
}

void vars_set(struct vars *v, struct str name, struct str value)
{
    struct var *var = find(v, name);
    if (name.len == 0 || name.len > NAME_MAX_BYTES || value.len > VARS_VALUE_MAX ||
        (var == NULL && v->count == VARS_MAX))
        return;
    if (var == NULL) {
        var = &v->all[v->count++];
        *var = (struct var){.name = str_dup(name)};
    }
    free(var->value);
    var->value = str_dup(value);
}

/* (a|b): as Perses puts several values into a matcher. */
static void join(const json_t *values, struct buf *b)
{
    size_t i;
    json_t *value;
    buf_putc(b, '(');
    json_array_foreach(values, i, value)
    {
        buf_puts(b, i > 0 ? "|" : "");
        buf_puts(b, json_is_string(value) ? json_string_value(value) : "");
    }
    buf_putc(b, ')');
}

void vars_read(struct vars *v, const json_t *variable)
{
    const json_t *spec = json_object_get(variable, "spec");
    const json_t *value = json_object_get(spec, "defaultValue");
    struct str name = item_str(spec, "name");
    scoped_buf(b, VARS_VALUE_MAX);
    if (find(v, name) != NULL)
        return;
    if (value == NULL)
        value = json_object_get(spec, "value");
    if (json_array_size(value) == 1)
        value = json_array_get(value, 0);
    if (json_is_array(value))
        join(value, &b);
    else if (json_is_string(value))
        buf_puts(&b, json_string_value(value));
    if (str_is(buf_str(&b), "$__all") || str_is(buf_str(&b), "()") ||
        (b.len == 0 && json_is_true(json_object_get(spec, "allowAllValue")))) {
        buf_clear(&b);
        buf_puts(&b, ".*");
    }
    if (b.len > 0 && !b.overflowed)
        vars_set(v, name, buf_str(&b));
}

bool vars_parse(struct vars *v, struct str text)
{
    struct str part, name;
    while (str_split(&text, ',', &part)) {
        struct str value = part;
        if (str_trim(part).len == 0)
            continue;
        if (memchr(part.at, '=', part.len) == NULL || !str_split(&value, '=', &name))
            return false;
        name = str_trim(name);
        if (name.len > 0 && name.at[0] == '$')
            name = str_skip(name, 1);
        if (name.len == 0)
            return false;
        vars_set(v, name, str_trim(value));
    }
    return true;
}

static bool built_in(const struct vars *v, struct str name, struct buf *out)
{
    int64_t rate = v->step_ms + SCRAPE_MS > 4 * SCRAPE_MS ? v->step_ms + SCRAPE_MS : 4 * SCRAPE_MS;
    if (str_is(name, "__rate_interval"))
        return buf_puts(out, moment_write(rate));
    if (str_is(name, "__interval"))
        return buf_puts(out, moment_write(v->step_ms));
    if (str_is(name, "__interval_ms"))
        return buf_printf(out, "%lld", (long long)v->step_ms);
    if (str_is(name, "__range"))
        return buf_puts(out, moment_write(v->range_ms));
    if (str_is(name, "__range_s"))
        return buf_printf(out, "%lld", (long long)v->range_ms / 1000);
    if (str_is(name, "__range_ms"))
        return buf_printf(out, "%lld", (long long)v->range_ms);
    return false;
}

/* $name or ${name} or ${name:format} at text; its length, 0: none. */
static size_t reference(struct str text, struct str *name)
{
    bool braces = text.len > 1 && text.at[1] == '{';
    size_t from = braces ? 2 : 1, at = from;
    while (at < text.len && (isalnum((unsigned char)text.at[at]) || text.at[at] == '_'))
        at++;
    *name = (struct str){text.at + from, at - from};
    if (name->len == 0 || isdigit((unsigned char)name->at[0]))
        return 0; /* "$1" belongs to label_replace */
    if (!braces)
        return at;
    while (at < text.len && text.at[at] != '}')
        at++;
    return at < text.len ? at + 1 : 0;
}

bool vars_apply(const struct vars *v, struct str query, struct buf *out, struct str *unknown)
{
    bool all = true;
    for (size_t i = 0; i < query.len;) {
        struct str name, rest = str_skip(query, i);
        size_t len = query.at[i] == '$' ? reference(rest, &name) : 0;
        const struct var *var = len > 0 ? find(v, name) : NULL;
        if (len == 0) {
            buf_putc(out, query.at[i++]);
            continue;
        }
        if (var != NULL) {
            buf_puts(out, var->value);
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
