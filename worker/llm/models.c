#include "worker/llm/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/llm/models_file.h"

struct models {
    struct model *all; /* [0] is the default one */
    unsigned count, accounts;
};

static bool add_default(struct models *m, const struct models_config *c, char error[256]);
static bool add_named(struct models *m, const struct models_config *c, const char *name,
                      char error[256]);
static bool link_fallbacks(struct models *m, char error[256]);
static void write_choice(struct buf *b, const struct model *m);
static void number_accounts(struct models *m);

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
    if (!m)
        return;
    for (unsigned i = 0; i < m->count; i++)
        model_free(&m->all[i]);
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

bool models_json(const struct models *m, struct buf *b)
{
    buf_putc(b, '[');
    for (unsigned i = 0; i < m->count; i++) {
        const struct model *model = &m->all[i];
        buf_puts(b, i > 0 ? ",{" : "{");
        json_field(b, "name", str_of(model->name));
        json_field(b, "provider", str_of(provider_facts(model->provider)->word));
        json_field(b, "model", str_of(model->id));
        write_choice(b, model);
        buf_printf(b, ",\"window\":%u,\"default\":%s}", model->window_tokens,
                   i == 0 ? "true" : "false");
    }
    buf_putc(b, ']');
    return !b->overflowed;
}

/* What a person chooses by. */
static void write_choice(struct buf *b, const struct model *m)
{
    if (m->description)
        json_field(b, "description", str_of(m->description));
    if (m->price_input || m->price_output)
        buf_printf(b, ",\"price\":{\"input\":%.3f,\"output\":%.3f}", (double)m->price_input / 1000,
                   (double)m->price_output / 1000);
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
        const struct provider_facts *facts = provider_facts((enum provider)p);
        if (c->providers[p].base_url && set == NULL) {
            snprintf(error, 256,
                     "%s_BASE_URL is set, but no model: set PERSAI_DEFAULT_MODEL to %s/NAME, with "
                     "a name that it knows",
                     facts->prefix, facts->word);
            return false;
        }
        bool offered = false;
        for (unsigned i = 0; i < m->count; i++)
            offered = offered || m->all[i].provider == (enum provider)p;
        if (c->providers[p].key == NULL || c->providers[p].base_url || offered)
            continue;
        snprintf(name, sizeof(name), "%s/%s", facts->word, facts->model);
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
    const struct provider_facts *facts = provider_facts(p);
    if (c->providers[p].key == NULL && url == NULL) {
        snprintf(error, 256,
                 "no model can be used: set %s_API_KEY, or %s_BASE_URL for a server that needs no "
                 "key, or PERSAI_MODELS",
                 facts->prefix, facts->prefix);
        return false;
    }
    if (url && !model_url_ok(url)) {
        snprintf(error, 256, "%s_BASE_URL is no http:// or https:// address", facts->prefix);
        return false;
    }
    if (url && model_url_excess(url)) {
        snprintf(error, 256, "%s_BASE_URL ends in %s, which is added to it: leave that out",
                 facts->prefix, model_url_excess(url));
        return false;
    }
    CHECK(m->all != NULL);
    struct model *model = &m->all[m->count++];
    model_init(model, name, p, slash + 1, url ? url : facts->url);
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
    secret_wipe(&state, sizeof(state));
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
