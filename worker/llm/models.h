/* worker/llm/models.h: the models that this deployment offers: from the environment and
 * PERSAI_MODELS.
 *
 * PERSAI_MODELS is a JSON file: a list of objects. "provider" and "model" must be there; the rest
 * may be left out:
 *   name               as it is offered; provider/model
 *   description        what it is good for, in a few words, for the person who chooses
 *   base_url           the provider's own; perses:/proxy/…/datasources/NAME[/PATH] is a datasource
 *                      of Perses, called with the person's token: its secret holds the key
 *   key_env, key_file  the variable or file that holds the key
 *   key_header         the key goes into this header, not into the provider's own
 *   headers, query     objects of texts: more headers, and what follows ? in the URL
 *   api                another wire format than the provider's own: see MODEL_APIS
 *   window, max_output_tokens   in tokens
 *   options            merged into each request (null removes a field)
 *   price              {"input", "output", "cached"}: dollars for a million tokens
 *   limits             {"requests_per_minute", "tokens_per_minute", "concurrent"} of the key
 *   max_tokens_field   "max_tokens" or "max_completion_tokens": what a Chat Completions server
 *                      calls the answer's limit; by the model's id, learned from a refusal
 *   thinks_first       true: its template opens the thoughts, so that only </think> is in the text;
 *                      learned from the first such reply, which is asked for again
 *   fallbacks          names of models that are asked when this one fails before its first token
 *   size               "small" or "large": how it is told of its work
 *   bytes_per_token    about; learned from what the provider counts where it is left out
 *   tools              "native", or "json": it has no tool calling, a JSON format stands for it
 *   offers             names of the tools that it is told of; all. All take some 9,000 tokens, and
 *                      a small model gets lost among them */
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
