/* worker/models.h: the models that this deployment offers: from the environment and PERSAI_MODELS.
 *
 * PERSAI_MODELS is a JSON file: a list of {"name", "provider", "model", "base_url", "key_env" or
 * "key_file", "window", "max_output_tokens", "options"}; name and base_url may be left out. options
 * is merged into each request (null removes a field). */
#ifndef WORKER_MODELS_H
#define WORKER_MODELS_H

#include <stdint.h>
#include "common/buf.h"
#include "common/secret.h"

/* PROVIDER(name, word, base URL by default) */
#define PROVIDERS(X) X(OPENAI, "openai", "https://api.openai.com/v1")
enum provider {
#define X(name, word, url) PROVIDER_##name,
    PROVIDERS(X)
#undef X
};

struct model {
    char *name; /* as it is offered and asked for: "openai/gpt-5-mini" */
    enum provider provider;
    char *id;           /* as the provider knows it */
    char *base_url;     /* as the provider's SDK takes it, without a slash at the end */
    struct secret *key; /* NULL: none needed */
    uint32_t window_tokens, output_tokens_max;
    char *options; /* a JSON object, or NULL */
};

struct models_config {
    const char *default_model;   /* PERSAI_DEFAULT_MODEL: provider/model, or NULL */
    const char *openai_base_url; /* OPENAI_BASE_URL, or NULL */
    struct secret *openai_key;   /* OPENAI_API_KEY, or NULL; shared */
    const char *file;            /* PERSAI_MODELS, or NULL */
};
struct models;
/* NULL and a sentence: what is wrong, and what to set. */
struct models *models_new(const struct models_config *c, char error[256]);
void models_free(struct models *m);
unsigned models_count(const struct models *m);
const struct model *models_at(const struct models *m, unsigned i);        /* 0: the default one */
const struct model *models_find(const struct models *m, struct str name); /* empty: default; NULL */
const char *provider_word(enum provider p);
/* GET /models: [{"name","provider","model","window","default"}]. False: over b's bound. */
bool models_json(const struct models *m, struct buf *b);

#endif
