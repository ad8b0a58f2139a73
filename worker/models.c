#include "worker/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"

enum { MODELS_MAX = 128, KEY_FILE_MAX = 8192 };

struct models {
    struct model *all; /* [0] is the default one */
    unsigned count;
};

/* What is known of windows, by the beginning of the model's id; the first that fits. */
static const struct known {
    const char *prefix;
    uint32_t window_tokens, output_tokens_max;
} known[] = {
    {"gpt-5", 400000, 32768}, {"gpt-4.1", 1000000, 32768}, {"gpt-4o", 128000, 16384},
    {"gpt-4", 128000, 4096},  {"o1", 200000, 32768},       {"o3", 200000, 32768},
    {"o4", 200000, 32768},    {"", 32768, 4096},
};

static bool read_file(struct models *m, const char *path, char error[256]);
static bool read_model(struct models *m, const json_t *v, unsigned number, char error[256]);
static bool read_key(struct model *model, const json_t *v, char error[256]);
static bool add_default(struct models *m, const struct models_config *c, char error[256]);
static struct model *add(struct models *m, const char *name, enum provider p, const char *id,
                         const char *base_url);
static bool provider_parse(struct str word, enum provider *out);
static bool good_url(const char *url);

const char *provider_word(enum provider p)
{
    static const char *const words[] = {
#define X(name, word, url) word,
        PROVIDERS(X)
#undef X
    };
    return words[p];
}

static const char *default_url(enum provider p)
{
    static const char *const urls[] = {
#define X(name, word, url) url,
        PROVIDERS(X)
#undef X
    };
    return urls[p];
}

struct models *models_new(const struct models_config *c, char error[256])
{
    struct models *m = xcalloc(1, sizeof(*m));
    m->all = xcalloc(MODELS_MAX, sizeof(*m->all));
    error[0] = '\0';
    if ((c->file && !read_file(m, c->file, error)) || !add_default(m, c, error)) {
        models_free(m);
        return NULL;
    }
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
        secret_free(model->key);
    }
    free(m->all);
    free(m);
}

unsigned models_count(const struct models *m) { return m->count; }

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

static struct model *add(struct models *m, const char *name, enum provider p, const char *id,
                         const char *base_url)
{
    CHECK(m->all != NULL);
    struct model *model = &m->all[m->count++];
    *model = (struct model){.name = xstrdup(name), .provider = p, .id = xstrdup(id)};
    size_t len = strlen(base_url);
    while (len > 0 && base_url[len - 1] == '/')
        len--;
    model->base_url = xstrndup(base_url, len);
    const struct known *k = known;
    while (strncmp(id, k->prefix, strlen(k->prefix)) != 0)
        k++;
    model->window_tokens = k->window_tokens;
    model->output_tokens_max = k->output_tokens_max;
    return model;
}

static bool good_url(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : "";
    return host[0] != '\0' && host[0] != '/' && strlen(url) < 1024 && !strpbrk(url, " \t\r\n?#");
}

static bool provider_parse(struct str word, enum provider *out)
{
#define X(name, provider, url)                                                                     \
    if (str_is(word, provider)) {                                                                  \
        *out = PROVIDER_##name;                                                                    \
        return true;                                                                               \
    }
    PROVIDERS(X)
#undef X
    return false;
}

/* The model of PERSAI_DEFAULT_MODEL becomes the first; the environment's provider adds it unless
 * the file has it. */
static bool add_default(struct models *m, const struct models_config *c, char error[256])
{
    const char *name = c->default_model;
    bool own_url = c->openai_base_url != NULL;
    if (name == NULL && m->count > 0)
        return true; /* the file's first */
    if (name == NULL && own_url) {
        snprintf(error, 256,
                 "OPENAI_BASE_URL is set, but no model: set PERSAI_DEFAULT_MODEL to "
                 "openai/NAME, with a name that it knows");
        return false;
    }
    if (name == NULL)
        name = "openai/gpt-5-mini";
    const struct model *known_one = models_find(m, str_of(name));
    if (known_one == NULL) {
        const char *slash = strchr(name, '/');
        enum provider p;
        if (slash == NULL || slash[1] == '\0' ||
            !provider_parse((struct str){name, (size_t)(slash - name)}, &p)) {
            snprintf(error, 256,
                     "PERSAI_DEFAULT_MODEL=%.100s is neither in PERSAI_MODELS nor provider/model "
                     "with a provider that is known (openai)",
                     name);
            return false;
        }
        if (c->openai_key == NULL && !own_url) {
            snprintf(error, 256,
                     "no model can be used: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server "
                     "that needs no key, or PERSAI_MODELS");
            return false;
        }
        if (own_url && !good_url(c->openai_base_url)) {
            snprintf(error, 256, "OPENAI_BASE_URL is no http:// or https:// address");
            return false;
        }
        if (m->count == MODELS_MAX) {
            snprintf(error, 256, "PERSAI_MODELS has more than %d models", MODELS_MAX - 1);
            return false;
        }
        struct model *model =
            add(m, name, p, slash + 1, own_url ? c->openai_base_url : default_url(p));
        model->key = c->openai_key ? secret_ref(c->openai_key) : NULL;
        known_one = model;
    }
    unsigned at = (unsigned)(known_one - m->all);
    struct model first = m->all[at];
    memmove(&m->all[1], &m->all[0], at * sizeof(first));
    m->all[0] = first;
    return true;
}

static bool read_file(struct models *m, const char *path, char error[256])
{
    json_error_t why;
    json_auto_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_array(root)) {
        snprintf(error, 256, "PERSAI_MODELS: %.100s: %.100s (line %d)", path,
                 root ? "is no JSON list" : why.text, root ? 1 : why.line);
        return false;
    }
    size_t i;
    const json_t *v;
    json_array_foreach(root, i, v)
    {
        if (i == MODELS_MAX - 1) {
            snprintf(error, 256, "PERSAI_MODELS has more than %d models", MODELS_MAX - 1);
            return false;
        }
        if (!read_model(m, v, (unsigned)i + 1, error))
            return false;
    }
    return true;
}

static const char *text(const json_t *v, const char *key)
{
    const char *t = json_string_value(json_object_get(v, key));
    return t && t[0] ? t : NULL;
}

static bool number(const json_t *v, const char *key, uint32_t *out)
{
    const json_t *n = json_object_get(v, key);
    if (n == NULL)
        return true;
    if (!json_is_integer(n) || json_integer_value(n) < 1 || json_integer_value(n) > 100000000)
        return false;
    *out = (uint32_t)json_integer_value(n);
    return true;
}

static bool read_model(struct models *m, const json_t *v, unsigned number_of, char error[256])
{
    const char *word = text(v, "provider"), *id = text(v, "model"), *name = text(v, "name");
    enum provider p;
    if (word == NULL || id == NULL || !provider_parse(str_of(word), &p)) {
        snprintf(
            error, 256,
            "PERSAI_MODELS: model %u needs \"model\" and a \"provider\" that is known (openai)",
            number_of);
        return false;
    }
    char full[300];
    snprintf(full, sizeof(full), "%s/%.250s", word, id);
    if (name == NULL)
        name = full;
    const char *url = text(v, "base_url") ? text(v, "base_url") : default_url(p);
    if (!good_url(url) || strlen(name) > 200 || strlen(id) > 250 ||
        (m->count > 0 && models_find(m, str_of(name)))) {
        snprintf(error, 256, "PERSAI_MODELS: model %u (%.100s): %s", number_of, name,
                 good_url(url) ? "its name is there twice, or too long"
                               : "its base_url is no http:// or https:// address");
        return false;
    }
    struct model *model = add(m, name, p, id, url);
    const json_t *options = json_object_get(v, "options");
    if (!number(v, "window", &model->window_tokens) ||
        !number(v, "max_output_tokens", &model->output_tokens_max) ||
        (options && !json_is_object(options))) {
        snprintf(error, 256,
                 "PERSAI_MODELS: model %u (%.100s): window and max_output_tokens are positive "
                 "numbers, options is an object",
                 number_of, name);
        return false;
    }
    if (options)
        model->options = json_dumps(options, JSON_COMPACT);
    return read_key(model, v, error);
}

static bool read_key(struct model *model, const json_t *v, char error[256])
{
    const char *env = text(v, "key_env"), *path = text(v, "key_file");
    if (env) {
        const char *key = getenv(env);
        if (key == NULL || key[0] == '\0') {
            snprintf(error, 256, "PERSAI_MODELS: %.100s: the variable %.60s is not set",
                     model->name, env);
            return false;
        }
        model->key = secret_new(str_of(key));
    } else if (path) {
        char key[KEY_FILE_MAX];
        FILE *f = fopen(path, "re");
        size_t len = f ? fread(key, 1, sizeof(key), f) : 0;
        if (f)
            fclose(f);
        struct str trimmed = str_trim((struct str){key, len});
        if (trimmed.len == 0 || len == sizeof(key)) {
            snprintf(error, 256, "PERSAI_MODELS: %.100s: no key could be read from %.100s",
                     model->name, path);
            return false;
        }
        model->key = secret_new(trimmed);
        secret_wipe(key, sizeof(key));
    }
    return true;
}
