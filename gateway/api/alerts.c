#include "gateway/api/alerts.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/title.h"

enum { TITLE_BYTES_MAX = 120, OTHERS_MAX = 10 };

static struct str text_of(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return json_text(v);
}

static struct str name_of(const json_t *alert)
{
    return text_of(json_object_get(alert, "labels"), "alertname");
}

static bool fires(const json_t *alert)
{
    const json_t *labels = json_object_get(alert, "labels");
    return str_is(text_of(alert, "status"), "firing") && json_object_size(labels) > 0;
}

/* Times as texts: those of one notification are written alike. */
static bool earlier(const json_t *a, const json_t *b)
{
    struct str x = text_of(a, "startsAt"), y = text_of(b, "startsAt");
    size_t len = x.len < y.len ? x.len : y.len;
    int order = len > 0 ? memcmp(x.at, y.at, len) : 0;
    return order < 0 || (order == 0 && x.len < y.len);
}

/* ---- one of them ---- */

static void write_key(const json_t *alert, struct str path, char out[ALERT_KEY_TEXT + 1])
{
    unsigned char hash[ALERT_KEY_TEXT / 2];
    char *labels = json_dumps(json_object_get(alert, "labels"), JSON_COMPACT | JSON_SORT_KEYS);
    struct str parts[] = {path, text_of(alert, "startsAt"), str_of(labels)};
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (parts[i].len > 0)
            crypto_generichash_update(&state, (const unsigned char *)parts[i].at, parts[i].len);
        crypto_generichash_update(&state, (const unsigned char *)"", 1);
    }
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(out, ALERT_KEY_TEXT + 1, hash, sizeof(hash));
    free(labels);
}

/* A name that is more than a word is not written into a question: it is only data. */
static bool plain(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == ':' || c == '.'))
            return false;
    }
    return name.len > 0 && name.len <= TITLE_BYTES_MAX;
}

static char *write_context(const json_t *alert, json_t *others, unsigned others_count)
{
    static const char *const keys[] = {"labels", "annotations", "startsAt", "generatorURL"};
    json_auto_t *context = json_object();
    json_t *about = json_object();
    json_object_set_new(context, "alert", about);
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        json_object_set(about, keys[i], json_object_get(alert, keys[i]));
    if (others_count > 0) {
        json_object_set(about, "others", others);
        json_object_set_new(about, "others_count", json_integer(others_count));
    }
    char *text = json_dumps(context, JSON_COMPACT);
    for (const char *const *drop = (const char *const[]){"others", "annotations", NULL};
         text && strlen(text) > ALERT_CONTEXT_MAX && *drop; drop++) {
        free(text);
        json_object_del(about, *drop);
        text = json_dumps(context, JSON_COMPACT);
    }
    if (text && strlen(text) <= ALERT_CONTEXT_MAX)
        return text;
    free(text);
    return NULL;
}

/* ---- all of them ---- */

/* Those with the name of the alert at `at`: the first to begin, and the others' labels. */
static const json_t *first_of_name(const json_t *list, size_t at, json_t *others, unsigned *count)
{
    struct str name = name_of(json_array_get(list, at));
    const json_t *first = json_array_get(list, at);
    for (size_t i = at + 1; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (fires(one) && str_eq(name_of(one), name) && earlier(one, first))
            first = one;
    }
    *count = 0;
    for (size_t i = at; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (one == first || !fires(one) || !str_eq(name_of(one), name))
            continue;
        if (++*count <= OTHERS_MAX)
            json_array_append(others, json_object_get(one, "labels"));
    }
    return first;
}

static char *write_message(struct str name)
{
    char text[TITLE_BYTES_MAX + 64];
    if (!plain(name))
        return xstrdup("Investigate this alert.");
    snprintf(text, sizeof(text), "Investigate the alert %.*s.", (int)name.len, name.at);
    return xstrdup(text);
}

static bool take(struct alerts *out, const json_t *list, size_t at, struct str path)
{
    unsigned others_count;
    json_auto_t *others = json_array();
    const json_t *alert = first_of_name(list, at, others, &others_count);
    struct str name = name_of(alert), title = title_of(name, TITLE_BYTES_MAX);
    char *context = write_context(alert, others, others_count);
    if (!context)
        return false;
    struct alert *a = &out->at[out->count++];
    *a = (struct alert){.title = str_dup(title.len > 0 ? title : STR("Alert")),
                        .message = write_message(name),
                        .context = context};
    write_key(alert, path, a->key);
    return true;
}

enum err alerts_read(const json_t *body, struct str path, unsigned max, struct alerts *out)
{
    const json_t *list = json_object_get(body, "alerts");
    struct str names[ALERTS_MAX];
    unsigned name_count = 0;
    *out = (struct alerts){0};
    CHECK(max >= 1 && max <= ALERTS_MAX);
    if (!str_is(text_of(body, "version"), "4") || !json_is_array(list))
        return ERR_INVALID;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct str name = name_of(json_array_get(list, i));
        bool known = false;
        for (unsigned k = 0; k < name_count; k++)
            known = known || str_eq(names[k], name);
        if (!fires(json_array_get(list, i))) {
            out->quiet++;
        } else if (known) {
            continue; /* one of the others */
        } else if (name_count == max) {
            out->left_out++;
        } else {
            names[name_count++] = name;
            out->quiet += !take(out, list, i, path);
        }
    }
    return ERR_NONE;
}

void alerts_free(struct alerts *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        free(a->at[i].title);
        free(a->at[i].message);
        free(a->at[i].context);
    }
    *a = (struct alerts){0};
}
