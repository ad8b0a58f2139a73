/* worker/llm/models_file.h: PERSAI_MODELS read; the fields are told in models.h. */
#ifndef WORKER_LLM_MODELS_FILE_H
#define WORKER_LLM_MODELS_FILE_H

#include "worker/llm/models.h"

enum { MODELS_MAX = 128 };

/* Appends to all (room for max). False and a sentence: which model, what is wrong. */
bool models_file_read(const char *path, struct model *all, unsigned max, unsigned *count,
                      char error[256]);

/* ---- of models.c, for it ---- */
/* A model with what is known of its id. Texts are copied. */
void model_init(struct model *m, const char *name, enum provider p, const char *id,
                const char *base_url);
bool model_url_ok(const char *url);
/* What a base URL ends in (static) though the format adds it: a vendor's page gives the whole
 * address. NULL: nothing. */
const char *model_url_excess(const char *url);
const char *provider_url(enum provider p);
bool provider_parse(struct str word, enum provider *out);
const char *provider_words(void); /* "openai, anthropic, google" */

#endif
