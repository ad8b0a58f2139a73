/* worker/llm/models.h: the models that this deployment offers: from the environment and
 * PERSAI_MODELS.
 *
 * PERSAI_MODELS is a JSON file: a list of objects. worker/README.md says what each field means, and
 * a test compares its table with those that models_file.c takes. */
#ifndef WORKER_LLM_MODELS_H
#define WORKER_LLM_MODELS_H

#include "worker/llm/model.h"

struct models_config {
    const char *default_model; /* PERSAI_DEFAULT_MODEL: provider/model, or NULL */
    struct {
        const char *base_url; /* OPENAI_BASE_URL …, or NULL */
        struct secret *key;   /* OPENAI_API_KEY …, or NULL; shared */
    } providers[PROVIDER_COUNT];
    const char *file; /* PERSAI_MODELS, or NULL */
};
struct models;
/* NULL and a sentence: what is wrong, and what to set. */
struct models *models_new(const struct models_config *c, char error[256]);
void models_free(struct models *m);
unsigned models_count(const struct models *m);
const struct model *models_at(const struct models *m, unsigned i);        /* 0: the default one */
const struct model *models_find(const struct models *m, struct str name); /* empty: default; NULL */
/* The same, or its nth fallback (1, 2 …). *left: there are more after it. */
const struct model *models_choose(const struct models *m, struct str name, unsigned fallback,
                                  bool *left);
unsigned models_accounts(const struct models *m);
/* GET /models: [{"name","provider","model","description","window","price","default"}], without a
 * description or a price that it lacks. False: over b's bound. */
bool models_json(const struct models *m, struct buf *b);

#endif
