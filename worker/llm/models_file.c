#include "worker/llm/models_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"
#include "worker/endpoint.h"

enum {
    QUERY_MAX = 1024,
    PRICE_MAX = 1000000,
    DESCRIPTION_MAX = 200 /* a line in a menu; all of them go to gateways in one frame */
};

static bool read_model(struct model *m, const json_t *v, char reason[160]);
static bool read_identity(struct model *m, const json_t *v, char reason[160]);
static bool read_description(struct model *m, const json_t *v, char reason[160]);
static bool read_bounds(struct model *m, const json_t *v, char reason[160]);
static bool read_abilities(struct model *m, const json_t *v, char reason[160]);
static bool read_numbers(struct model *m, const json_t *v);
static bool read_wire(struct model *m, const json_t *v, char reason[160]);
static bool read_names(const json_t *v, const char *field, char **names, unsigned max,
                       unsigned *count);
static bool read_key(struct model *m, const json_t *v, char reason[160]);

static bool number(const json_t *v, const char *key, uint32_t *out)
{
    const json_t *n = json_object_get(v, key);
    if (!n)
        return true;
    if (!json_is_integer(n) || json_integer_value(n) < 1 || json_integer_value(n) > 100000000)
        return false;
    *out = (uint32_t)json_integer_value(n);
    return true;
}

/* Dollars for a million tokens → thousandths of a micro-dollar for one. */
static bool price(const json_t *v, const char *key, uint64_t *out)
{
    const json_t *n = json_object_get(v, key);
    double dollars = json_number_value(n);
    if (!n)
        return true;
    if (!json_is_number(n) || !(dollars >= 0) || dollars > PRICE_MAX)
        return false;
    *out = (uint64_t)llround(dollars * 1000);
    return true;
}

/* Bytes → hundredths of one. */
static bool weight(const json_t *v, uint32_t *out)
{
    const json_t *n = json_object_get(v, "bytes_per_token");
    double bytes = json_number_value(n);
    if (n && !(json_is_number(n) && bytes >= 1 && bytes <= 10))
        return false;
    *out = n ? (uint32_t)lround(bytes * 100) : 0;
    return true;
}

bool models_file_read(const char *path, struct model *all, unsigned max, unsigned *count,
                      char error[256])
{
    json_auto_t *root = endpoint_list("PERSAI_MODELS", path, error);
    if (!root)
        return false;
    size_t i;
    const json_t *v;
    json_array_foreach(root, i, v)
    {
        char reason[160] = "";
        const char *name =
            endpoint_text(v, "name") ? endpoint_text(v, "name") : endpoint_text(v, "model");
        if (*count == max) {
            snprintf(error, 256, "PERSAI_MODELS has more than %u models", max);
            return false;
        }
        struct model *m = &all[(*count)++]; /* counted at once: what was read of it is freed */
        bool ok = read_model(m, v, reason);
        for (unsigned other = 0; ok && other + 1 < *count; other++)
            if (strcmp(all[other].name, m->name) == 0) {
                snprintf(reason, sizeof(reason), "its name is there twice");
                ok = false;
            }
        if (!ok) {
            snprintf(error, 256, "PERSAI_MODELS: %.60s, line %u (%.30s): %s", path,
                     endpoint_line(path, i, reason), name ? name : "", reason);
            return false;
        }
    }
    return true;
}

static bool known_api(struct model *m, const char *word)
{
#define X(name, its_word)                                                                          \
    if (strcmp(word, #its_word) == 0) {                                                            \
        m->api = API_##name;                                                                       \
        return true;                                                                               \
    }
    MODEL_APIS(X)
#undef X
    return false;
}

static bool known_fields(const json_t *v, char reason[160])
{
    static const char *const model[] = {
        "name",    "provider", "model",      "base_url",          "api",         "tools",
        "options", "window",   "limits",     "max_output_tokens", "price",       "bytes_per_token",
        "headers", "query",    "key_header", "max_tokens_field",  "fallbacks",   "offers",
        "key_env", "key_file", "size",       "thinks_first",      "description", NULL};
    static const char *const texts[] = {"name",     "provider",   "model", "base_url",
                                        "api",      "tools",      "size",  "key_env",
                                        "key_file", "key_header", NULL};
    static const char *const objects[] = {"headers", "query", "limits", "price", "options"};
    static const char *const limits[] = {"requests_per_minute", "tokens_per_minute", "concurrent",
                                         NULL};
    static const char *const price[] = {"input", "output", "cached", NULL};
    if (!endpoint_known(v, model, reason) || !endpoint_texts(v, texts, reason))
        return false;
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        const json_t *given = json_object_get(v, objects[i]);
        if (given && !json_is_object(given)) {
            snprintf(reason, 160, "\"%s\" must be an object", objects[i]);
            return false;
        }
    }
    return endpoint_known(json_object_get(v, "limits"), limits, reason) &&
           endpoint_known(json_object_get(v, "price"), price, reason);
}

/* The vendor's own server: what it is not would be asked for again and again, each a 404. */
static bool speaks(enum provider p, enum model_api api)
{
    return api == provider_facts(p)->api || (p == PROVIDER_OPENAI && api == API_RESPONSES);
}

static bool read_model(struct model *m, const json_t *v, char reason[160])
{
    *m = (struct model){0};
    return known_fields(v, reason) && read_identity(m, v, reason) &&
           read_description(m, v, reason) && read_bounds(m, v, reason) &&
           read_abilities(m, v, reason) && read_wire(m, v, reason) && read_key(m, v, reason);
}

/* Whose model it is, where it answers, and what people call it. */
static bool read_identity(struct model *m, const json_t *v, char reason[160])
{
    const char *word = endpoint_text(v, "provider"), *id = endpoint_text(v, "model"),
               *name = endpoint_text(v, "name");
    enum provider p;
    if (word == NULL || id == NULL || !provider_parse(str_of(word), &p)) {
        snprintf(reason, 160, "it needs \"model\" and a \"provider\" that is known (%s)",
                 provider_words());
        return false;
    }
    char full[300];
    snprintf(full, sizeof(full), "%s/%.250s", word, id);
    if (!name)
        name = full;
    const char *url =
        endpoint_text(v, "base_url") ? endpoint_text(v, "base_url") : provider_facts(p)->url;
    bool ok = false;
    if (strchr(url, '?') && endpoint_url_ok(url))
        snprintf(reason, 160,
                 "its base_url has a query (?): leave that out and give it by \"query\"");
    else if (!model_url_ok(url))
        snprintf(reason, 160,
                 "its base_url is neither an http:// or https:// address nor the path of a "
                 "datasource (perses:/proxy/…)");
    else if (model_url_excess(url))
        snprintf(reason, 160, "its base_url ends in %s, which is added to it: leave that out",
                 model_url_excess(url));
    else if (strlen(name) > 200 || strlen(id) > 250)
        snprintf(reason, 160, "its name is too long");
    else
        ok = true;
    if (ok)
        model_init(m, name, p, id, url);
    return ok;
}

static bool read_description(struct model *m, const json_t *v, char reason[160])
{
    const json_t *given = json_object_get(v, "description");
    if (!given)
        return true;
    if (!json_is_string(given) || json_string_length(given) > DESCRIPTION_MAX) {
        snprintf(reason, 160, "its description is a text of at most %d bytes", DESCRIPTION_MAX);
        return false;
    }
    if (json_string_length(given) > 0)
        m->description = xstrdup(json_string_value(given));
    return true;
}

/* What it takes and costs, and what is sent along with each request. */
static bool read_bounds(struct model *m, const json_t *v, char reason[160])
{
    const json_t *options = json_object_get(v, "options");
    if (!read_numbers(m, v) || (options && !json_is_object(options))) {
        snprintf(reason, 160,
                 "window, max_output_tokens, bytes_per_token (1 to 10), limits and price are "
                 "positive numbers, options is an object");
        return false;
    }
    if (options)
        m->options = json_dumps(options, JSON_COMPACT);
    return true;
}

/* What it can do, and which API its server speaks. */
static bool read_abilities(struct model *m, const json_t *v, char reason[160])
{
    const char *api = endpoint_text(v, "api"), *tools = endpoint_text(v, "tools"),
               *size = endpoint_text(v, "size");
    const json_t *first = json_object_get(v, "thinks_first");
    m->thinks_first = json_is_true(first);
    m->small = size ? strcmp(size, "small") == 0 : m->small;
    m->json_tools = tools ? strcmp(tools, "json") == 0 : m->small; /* a form that is forced */
    if (first && !json_is_boolean(first))
        snprintf(reason, 160, "thinks_first is true or false");
    else if (size && !m->small && strcmp(size, "large") != 0)
        snprintf(reason, 160, "size is small or large");
    else if ((api && !known_api(m, api)) ||
             (tools && !m->json_tools && strcmp(tools, "native") != 0))
        snprintf(reason, 160,
                 "api is chat, responses, messages or generate; tools is native or json");
    else if (!endpoint_text(v, "base_url") && !speaks(m->provider, m->api))
        snprintf(reason, 160,
                 "%s's own server does not speak %s: give the base_url of one that does",
                 endpoint_text(v, "provider"), api);
    return reason[0] == '\0';
}

static bool read_numbers(struct model *m, const json_t *v)
{
    const json_t *prices = json_object_get(v, "price"), *limits = json_object_get(v, "limits");
    bool ok = weight(v, &m->estimate->fixed) && number(v, "window", &m->window_tokens) &&
              number(v, "max_output_tokens", &m->output_tokens_max) &&
              number(limits, "requests_per_minute", &m->requests_per_minute) &&
              number(limits, "tokens_per_minute", &m->tokens_per_minute) &&
              number(limits, "concurrent", &m->concurrent) &&
              price(prices, "input", &m->price_input) && price(prices, "output", &m->price_output);
    m->price_cached = m->price_input;
    return ok && price(prices, "cached", &m->price_cached);
}

static bool read_tokens_field(struct model *m, const json_t *v)
{
    static const char *const fields[] = {"max_tokens", "max_completion_tokens"};
    const json_t *set = json_object_get(v, "max_tokens_field");
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (json_is_string(set) && strcmp(json_string_value(set), fields[i]) == 0)
            m->tokens_field = fields[i];
    return set == NULL || m->tokens_field != NULL;
}

static bool unreserved(const char *t) /* in a URL: RFC 3986 */
{
    return strspn(t, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") ==
           strlen(t);
}

/* What is special about its requests: headers, the header of its key, the query. */
static bool read_wire(struct model *m, const json_t *v, char reason[160])
{
    json_t *headers = json_object_get(v, "headers"), *query = json_object_get(v, "query");
    const char *name, *header = endpoint_text(v, "key_header");
    json_t *value;
    scoped_buf(b, QUERY_MAX);
    json_object_foreach(headers, name, value)
    {
        if (m->header_count == MODEL_HEADERS_MAX || !json_is_string(value) ||
            !endpoint_header_ok(name, json_string_value(value))) {
            snprintf(reason, 160, "headers are at most %d texts without line breaks",
                     MODEL_HEADERS_MAX);
            return false;
        }
        m->headers[m->header_count++] =
            (struct model_header){xstrdup(name), xstrdup(json_string_value(value))};
    }
    json_object_foreach(query, name, value)
    {
        const char *t = json_string_value(value);
        if (!unreserved(name) || t == NULL || !unreserved(t))
            snprintf(reason, 160, "query has texts of letters, digits and -._~ only");
        else
            buf_printf(&b, "%s%s=%s", b.len > 0 ? "&" : "", name, t);
    }
    if (!read_tokens_field(m, v))
        snprintf(reason, 160, "max_tokens_field is max_tokens or max_completion_tokens");
    else if (header && !endpoint_header_ok(header, ""))
        snprintf(reason, 160, "key_header is no name of a header");
    else if (b.overflowed)
        snprintf(reason, 160, "query is too long");
    else if (!read_names(v, "fallbacks", m->fallback_names, MODEL_FALLBACKS_MAX,
                         &m->fallback_count))
        snprintf(reason, 160, "fallbacks are at most %d names of models", MODEL_FALLBACKS_MAX);
    else if (!read_names(v, "offers", m->offers, MODEL_OFFERS_MAX, &m->offer_count))
        snprintf(reason, 160, "offers are at most %d names of tools", MODEL_OFFERS_MAX);
    if (reason[0])
        return false;
    m->key_header = header ? xstrdup(header) : NULL;
    m->query = b.len > 0 ? xstrdup(buf_cstr(&b)) : NULL;
    return true;
}

static bool read_names(const json_t *v, const char *field, char **names, unsigned max,
                       unsigned *count)
{
    const json_t *list = json_object_get(v, field), *name;
    size_t i;
    if (list && !json_is_array(list))
        return false;
    json_array_foreach(list, i, name)
    {
        if (!json_is_string(name) || *count == max)
            return false;
        names[(*count)++] = xstrdup(json_string_value(name));
    }
    return true;
}

static bool read_key(struct model *m, const json_t *v, char reason[160])
{
    if (m->by_perses && (endpoint_text(v, "key_env") || endpoint_text(v, "key_file"))) {
        snprintf(reason, 160, "behind perses: the datasource's secret holds the key");
        return false;
    }
    return endpoint_key(v, &m->key, reason);
}
