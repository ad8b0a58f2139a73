#include "worker/tools/items.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/text.h"

enum { KEY_BYTES_MAX = 512 };

static bool on_token(void *arg, enum sax_token token, struct str text);

void items_init(struct items *i, const char *const *paths, unsigned path_count, items_fn *fn,
                void *arg)
{
    memset(i, 0, sizeof(*i));
    CHECK(path_count > 0 && path_count <= ITEMS_PATHS_MAX);
    i->paths = paths;
    i->path_count = path_count;
    i->fn = fn;
    i->arg = arg;
    i->live[1] = (uint16_t)((1u << path_count) - 1);
    buf_init(&i->key, KEY_BYTES_MAX);
    buf_init(&i->item_key, KEY_BYTES_MAX);
    sax_init(&i->sax, on_token, i);
}

void items_free(struct items *i)
{
    if (i->building)
        json_decref(i->tree[0]);
    i->building = false;
    sax_free(&i->sax);
    buf_free(&i->key);
    buf_free(&i->item_key);
}

bool items_feed(struct items *i, struct str piece) { return sax_feed(&i->sax, piece); }

bool items_whole(const struct items *i) { return sax_whole(&i->sax); }

/* Segment n of a path. False: it has fewer. */
static bool segment(const char *path, unsigned n, struct str *out)
{
    struct str rest = str_of(path);
    while (str_split(&rest, '/', out))
        if (n-- == 0)
            return true;
    return false;
}

/* The value that comes now, in the container at this depth: which paths lead on to it. item: that
 * which ends there, or path_count. */
static uint16_t match(const struct items *i, unsigned *item)
{
    uint16_t live = i->live[i->depth], found = 0;
    *item = i->path_count;
    for (unsigned p = 0; live != 0 && p < i->path_count; p++) {
        struct str part, more;
        if ((live >> p & 1) == 0 || !segment(i->paths[p], i->depth - 1, &part) ||
            (!str_is(part, "*") && !str_eq(part, buf_str(&i->key))))
            continue;
        found |= (uint16_t)(1u << p);
        if (*item == i->path_count && !segment(i->paths[p], i->depth, &more))
            *item = p;
    }
    return found;
}

/* ---- building ---- */

static json_t *make_string(struct str text)
{
    json_t *string = json_stringn(text.at ? text.at : "", text.len);
    if (string)
        return string;
    scoped_buf(clean, SAX_STRING_MAX * 3 + 8); /* no UTF-8 */
    text_clean(&clean, text, SAX_STRING_MAX * 3);
    return json_stringn(clean.at ? clean.at : "", clean.len);
}

/* 1e999 is JSON, but no double holds it and jansson has no infinity: null, as browsers write it. */
static json_t *make_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *make(const struct items *i, enum sax_token token, struct str text)
{
    switch (token) {
    case SAX_OBJECT:
        return json_object();
    case SAX_ARRAY:
        return json_array();
    case SAX_NUMBER:
        return make_number(i->sax.number);
    case SAX_WORD:
        return text.at[0] == 'n' ? json_null() : json_boolean(text.at[0] == 't');
    case SAX_STRING:
    case SAX_KEY:
    case SAX_OBJECT_END:
    case SAX_ARRAY_END:
        break;
    }
    return make_string(text);
}

/* Into the innermost open container. NULL: there is no room for it. */
static json_t *add(struct items *i, json_t *value)
{
    json_t *into = i->tree[i->built - 1];
    struct str key = buf_str(&i->key);
    i->nodes++;
    i->bytes += key.len + json_string_length(value);
    bool room = value != NULL && i->nodes <= ITEM_NODES_MAX && i->bytes <= ITEM_BYTES_MAX;
    if (!room)
        i->item_cut = true;
    if (!room || into == NULL || (json_is_object(into) && !str_utf8(key))) {
        json_decref(value);
        return NULL;
    }
    if (json_is_array(into))
        json_array_append_new(into, value);
    else
        json_object_setn_new_nocheck(into, key.at ? key.at : "", key.len, value);
    return value;
}

static bool deliver(struct items *i)
{
    json_t *item = i->tree[0];
    i->building = false;
    i->built = 0;
    bool more = i->fn(i->arg, i->item_path, buf_str(&i->item_key), item);
    json_decref(item);
    return more;
}

static bool on_value(struct items *i, enum sax_token token, struct str text)
{
    bool container = token == SAX_OBJECT || token == SAX_ARRAY;
    unsigned item;
    if (i->building) {
        json_t *value = add(i, make(i, token, text));
        if (container)
            i->tree[i->built++] = value;
        return true;
    }
    if (i->depth == 0)
        return container; /* no API answers a bare value */
    uint16_t live = match(i, &item);
    if (container)
        i->live[i->depth + 1] = live;
    if (item == i->path_count)
        return true;
    i->item_path = item;
    i->nodes = 0;
    i->bytes = 0;
    i->item_cut = false;
    buf_clear(&i->item_key);
    buf_add_str(&i->item_key, buf_str(&i->key));
    i->building = true;
    i->tree[0] = make(i, token, text);
    i->built = container;
    return container || deliver(i);
}

static bool on_token(void *arg, enum sax_token token, struct str text)
{
    struct items *i = arg;
    bool ok = true;
    switch (token) {
    case SAX_KEY:
        buf_clear(&i->key);
        buf_add(&i->key, text.at, text.len < KEY_BYTES_MAX ? text.len : KEY_BYTES_MAX);
        return true;
    case SAX_OBJECT:
    case SAX_ARRAY:
        ok = on_value(i, token, text);
        i->depth++;
        buf_clear(&i->key); /* elements of an array have none */
        return ok;
    case SAX_OBJECT_END:
    case SAX_ARRAY_END:
        i->depth--;
        buf_clear(&i->key);
        if (i->building && --i->built == 0)
            ok = deliver(i);
        return ok;
    case SAX_STRING:
    case SAX_NUMBER:
    case SAX_WORD:
        return on_value(i, token, text);
    }
    return false;
}

/* ---- reading a tree ---- */

struct str item_str(const json_t *item, const char *key)
{
    const json_t *value = json_object_get(item, key);
    return json_text(value);
}

double item_number(const json_t *item, const char *key)
{
    return json_number_value(json_object_get(item, key));
}

json_t *item_at(const json_t *item, ...)
{
    va_list keys;
    const char *key;
    json_t *at = (json_t *)item;
    va_start(keys, item);
    while (at != NULL && (key = va_arg(keys, const char *)) != NULL)
        at = json_object_get(at, key);
    va_end(keys);
    return at;
}
