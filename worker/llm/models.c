#include "worker/llm/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "common/check.h"
#include "proto/path.h"
#include "worker/endpoint.h"
#include "worker/llm/learned.h"
#include "worker/llm/models_file.h"

struct models {
    struct model *all; /* [0] is the default one */
    unsigned count, accounts;
};

/* What is known of windows, by the beginning of the model's id; the first that fits. */
static const struct known {
    const char *prefix;
    uint32_t window_tokens, output_tokens_max;
} known[] = {
    {"gpt-5", 400000, 32768},    {"gpt-4.1", 1000000, 32768}, {"gpt-4o", 128000, 16384},
    {"gpt-4", 128000, 4096},     {"o1", 200000, 32768},       {"o3", 200000, 32768},
    {"o4", 200000, 32768},       {"claude-3-", 200000, 4096}, {"claude-", 200000, 32000},
    {"gemini-", 1000000, 32768}, {"", 32768, 4096},
};

struct provider_facts {
    const char *word, *prefix, *url, *model;
    enum model_api api;
};
static const struct provider_facts facts[PROVIDER_COUNT] = {
#define X(name, word, prefix, url, api, model)                                                     \
    [PROVIDER_##name] = {word, prefix, url, model, API_##api},
    PROVIDERS(X)
#undef X
};

static bool add_default(struct models *m, const struct models_config *c, char error[256]);
static bool add_named(struct models *m, const struct models_config *c, const char *name,
                      char error[256]);
static bool link_fallbacks(struct models *m, char error[256]);
static void number_accounts(struct models *m);

const char *provider_word(enum provider p) { return facts[p].word; }
const char *provider_url(enum provider p) { return facts[p].url; }

const char *provider_words(void)
{
    static char words[64];
    size_t len = 0;
    for (unsigned p = 0; p < PROVIDER_COUNT; p++)
        len += (size_t)snprintf(words + len, sizeof(words) - len, "%s%s", p > 0 ? ", " : "",
                                facts[p].word);
    return words;
}

bool provider_parse(struct str word, enum provider *out)
{
    for (unsigned p = 0; p < PROVIDER_COUNT; p++)
        if (str_is(word, facts[p].word)) {
            *out = (enum provider)p;
            return true;
        }
    return false;
}

struct models *models_new(const struct models_config *c, char error[256])
{
    struct models *m = xcalloc(1, sizeof(*m));
    m->all = xcalloc(MODELS_MAX + PROVIDER_COUNT, sizeof(*m->all));
    error[0] = '\0';
    if ((c->file && !models_file_read(c->file, m->all, MODELS_MAX, &m->count, error)) ||
        !add_default(m, c, error) || !link_fallbacks(m, error)) {
        models_free(m);
        return NULL;
    }
    number_accounts(m);
    return m;
}

void models_free(struct models *m)
{
    if (m == NULL)
        return;
    for (unsigned i = 0; i < m->count; i++) {
        struct model *model = &m->all[i];
        free(model->name);
        free(model->id);
        free(model->base_url);
        free(model->options);
        free(model->query);
        free(model->estimate);
        free(model->learned);
        free(model->key_header);
        for (unsigned j = 0; j < model->header_count; j++) {
            free(model->headers[j].name);
            free(model->headers[j].value);
        }
        for (unsigned j = 0; j < model->fallback_count; j++)
            free(model->fallback_names[j]);
        for (unsigned j = 0; j < model->offer_count; j++)
            free(model->offers[j]);
        secret_free(model->key);
    }
    free(m->all);
    free(m);
}

unsigned models_count(const struct models *m) { return m->count; }
unsigned models_accounts(const struct models *m) { return m->accounts; }

const struct model *models_at(const struct models *m, unsigned i)
{
    CHECK(i < m->count);
    return &m->all[i];
}

const struct model *models_find(const struct models *m, struct str name)
{
    if (name.len == 0)
        return &m->all[0];
    for (unsigned i = 0; i < m->count; i++)
        if (str_is(name, m->all[i].name))
            return &m->all[i];
    return NULL;
}

const struct model *models_choose(const struct models *m, struct str name, unsigned fallback,
                                  bool *left)
{
    const struct model *model = models_find(m, name);
    *left = model && fallback < model->fallback_count;
    bool has = model && fallback > 0 && fallback <= model->fallback_count;
    return has ? model->fallbacks[fallback - 1] : model;
}

bool model_offers(const struct model *m, const char *tool_name)
{
    bool offers = m->offer_count == 0;
    for (unsigned i = 0; i < m->offer_count; i++)
        offers = offers || strcmp(m->offers[i], tool_name) == 0;
    return offers;
}

uint64_t model_cost(const struct model *m, uint64_t input_tokens, uint64_t output_tokens,
                    uint64_t cached_tokens)
{
    if (cached_tokens > input_tokens)
        cached_tokens = input_tokens;
    return ((input_tokens - cached_tokens) * m->price_input + cached_tokens * m->price_cached +
            output_tokens * m->price_output + 999) /
           1000;
}

struct usage model_usage(const struct model *m, uint64_t input_tokens, uint64_t output_tokens,
                         uint64_t cached_tokens)
{
    return (struct usage){input_tokens, output_tokens, cached_tokens,
                          model_cost(m, input_tokens, output_tokens, cached_tokens)};
}

bool models_json(const struct models *m, struct buf *b)
{
    buf_putc(b, '[');
    for (unsigned i = 0; i < m->count; i++) {
        const struct model *model = &m->all[i];
        buf_puts(b, i > 0 ? ",{" : "{");
        json_key(b, "name");
        json_str(b, str_of(model->name));
        json_key(b, "provider");
        json_str(b, str_of(provider_word(model->provider)));
        json_key(b, "model");
        json_str(b, str_of(model->id));
        buf_printf(b, ",\"window\":%u,\"default\":%s}", model->window_tokens,
                   i == 0 ? "true" : "false");
    }
    buf_putc(b, ']');
    return !b->overflowed;
}

static const char perses_scheme[] = "perses:";

void model_init(struct model *m, const char *name, enum provider p, const char *id,
                const char *base_url)
{
    *m = (struct model){
        .name = xstrdup(name), .provider = p, .api = facts[p].api, .id = xstrdup(id)};
    m->by_perses = strncmp(base_url, perses_scheme, strlen(perses_scheme)) == 0;
    if (m->by_perses)
        base_url += strlen(perses_scheme);
    size_t len = strlen(base_url);
    while (len > 0 && base_url[len - 1] == '/')
        len--;
    m->base_url = xstrndup(base_url, len);
    const struct known *k = known;
    while (strncmp(id, k->prefix, strlen(k->prefix)) != 0)
        k++;
    m->window_tokens = k->window_tokens;
    m->output_tokens_max = k->output_tokens_max;
    m->estimate = xcalloc(1, sizeof(*m->estimate));
    m->learned = xcalloc(1, sizeof(*m->learned));
}

/* A datasource's path, exactly, and perhaps a plain path below it. */
static bool perses_path_ok(const char *at)
{
    const char *name = strstr(at, "/datasources/"), *end;
    struct path path;
    if (strncmp(at, "/proxy/globaldatasources/", 25) == 0)
        name = at + 25;
    else if (name)
        name += 13;
    else
        return false;
    end = name + strcspn(name, "/");
    return path_parse((struct str){at, (size_t)(end - at)}, &path) == ERR_NONE &&
           !strstr(end, "..") && strlen(end) < 200 && !strpbrk(end, "%?#\\ \t\r\n");
}

bool model_url_ok(const char *url)
{
    if (strncmp(url, perses_scheme, strlen(perses_scheme)) == 0)
        return perses_path_ok(url + strlen(perses_scheme));
    return endpoint_url_ok(url) && !strchr(url, '?');
}

const char *model_url_excess(const char *url)
{
    static const char *const ends[] = {"/completions", "/responses", "/v1/messages",
                                       ":generateContent", ":streamGenerateContent"};
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        size_t end = strlen(ends[i]);
        if (len >= end && memcmp(url + len - end, ends[i], end) == 0)
            return ends[i];
    }
    return NULL;
}

static void first_to_front(struct models *m, unsigned at)
{
    struct model first = m->all[at];
    memmove(&m->all[1], &m->all[0], at * sizeof(first));
    m->all[0] = first;
}

/* The model of PERSAI_DEFAULT_MODEL becomes the first; the environment's provider adds it unless
 * the file has it. Without one it is the file's first, else the usual one of the first provider
 * that has a key; of the others that have one, the usual ones are offered too. */
static bool add_default(struct models *m, const struct models_config *c, char error[256])
{
    char name[128];
    const char *set = c->default_model;
    bool from_file = m->count > 0;
    if (set && !models_find(m, str_of(set)) && !add_named(m, c, set, error))
        return false;
    if (set)
        first_to_front(m, (unsigned)(models_find(m, str_of(set)) - m->all));
    for (unsigned p = 0; p < PROVIDER_COUNT && !from_file; p++) {
        if (c->providers[p].base_url && set == NULL) {
            snprintf(error, 256,
                     "%s_BASE_URL is set, but no model: set PERSAI_DEFAULT_MODEL to %s/NAME, with "
                     "a name that it knows",
                     facts[p].prefix, facts[p].word);
            return false;
        }
        bool offered = false;
        for (unsigned i = 0; i < m->count; i++)
            offered = offered || m->all[i].provider == (enum provider)p;
        if (c->providers[p].key == NULL || c->providers[p].base_url || offered)
            continue;
        snprintf(name, sizeof(name), "%s/%s", facts[p].word, facts[p].model);
        if (!add_named(m, c, name, error))
            return false;
    }
    if (m->count == 0)
        snprintf(error, 256,
                 "no model can be used: set OPENAI_API_KEY, ANTHROPIC_API_KEY or GOOGLE_API_KEY, "
                 "or OPENAI_BASE_URL for a server that needs no key, or PERSAI_MODELS");
    return m->count > 0;
}

static bool add_named(struct models *m, const struct models_config *c, const char *name,
                      char error[256])
{
    const char *slash = strchr(name, '/');
    enum provider p;
    if (slash == NULL || slash[1] == '\0' ||
        !provider_parse((struct str){name, (size_t)(slash - name)}, &p)) {
        snprintf(error, 256,
                 "PERSAI_DEFAULT_MODEL=%.100s is neither in PERSAI_MODELS nor provider/model with "
                 "a provider that is known (%s)",
                 name, provider_words());
        return false;
    }
    const char *url = c->providers[p].base_url;
    if (c->providers[p].key == NULL && url == NULL) {
        snprintf(error, 256,
                 "no model can be used: set %s_API_KEY, or %s_BASE_URL for a server that needs no "
                 "key, or PERSAI_MODELS",
                 facts[p].prefix, facts[p].prefix);
        return false;
    }
    if (url && !model_url_ok(url)) {
        snprintf(error, 256, "%s_BASE_URL is no http:// or https:// address", facts[p].prefix);
        return false;
    }
    if (url && model_url_excess(url)) {
        snprintf(error, 256, "%s_BASE_URL ends in %s, which is added to it: leave that out",
                 facts[p].prefix, model_url_excess(url));
        return false;
    }
    CHECK(m->all != NULL);
    struct model *model = &m->all[m->count++];
    model_init(model, name, p, slash + 1, url ? url : facts[p].url);
    model->key = c->providers[p].key ? secret_ref(c->providers[p].key) : NULL;
    return true;
}

static bool link_fallbacks(struct models *m, char error[256])
{
    for (unsigned i = 0; i < m->count; i++) {
        struct model *model = &m->all[i];
        for (unsigned j = 0; j < model->fallback_count; j++) {
            model->fallbacks[j] = models_find(m, str_of(model->fallback_names[j]));
            if (model->fallbacks[j] == NULL || model->fallbacks[j] == model) {
                snprintf(error, 256, "PERSAI_MODELS: %.60s: its fallback %.60s is no other model",
                         model->name, model->fallback_names[j]);
                return false;
            }
        }
    }
    return true;
}

/* Of base URL and key, one way only: it goes to Redis. */
static void name_key(struct model *m)
{
    crypto_generichash_state state;
    unsigned char hash[crypto_generichash_BYTES_MIN];
    struct str url = str_of(m->base_url), key = secret_reveal(m->key);
    CHECK(sizeof(hash) >= MODEL_KEY_NAME / 2);
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)url.at, url.len + 1); /* its NUL too */
    if (key.len > 0)
        crypto_generichash_update(&state, (const unsigned char *)key.at, key.len);
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_memzero(&state, sizeof(state));
    for (unsigned i = 0; i < MODEL_KEY_NAME / 2; i++)
        snprintf(m->key_name + 2 * (size_t)i, 3, "%02x", hash[i]);
}

/* What one key may do at one place is shared by all the models that use it. */
static void number_accounts(struct models *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        struct model *a = &m->all[i];
        a->account = m->accounts;
        name_key(a);
        for (unsigned j = 0; j < i; j++) {
            const struct model *b = &m->all[j];
            if (strcmp(a->base_url, b->base_url) == 0 && a->by_perses == b->by_perses &&
                str_eq(secret_reveal(a->key), secret_reveal(b->key))) {
                a->account = b->account;
                break;
            }
        }
        if (a->account == m->accounts)
            m->accounts++;
    }
}
