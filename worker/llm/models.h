/* worker/llm/models.h: the models that this deployment offers: from the environment and
 * PERSAI_MODELS.
 *
 * PERSAI_MODELS is a JSON file: a list of objects. "provider" and "model" must be there; the rest
 * may be left out:
 *   name               as it is offered; provider/model
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
 * calls the answer's limit; by the model's id, and learned from a refusal fallbacks          names
 * of models that are asked when this one fails before its first token bytes_per_token    about;
 * learned from what the provider counts where it is left out tools              "native", or
 * "json": it has no tool calling, a JSON format stands for it offers             names of the tools
 * that it is told of; all. All take some 9,000 tokens, and a small model gets lost among them */
#ifndef WORKER_LLM_MODELS_H
#define WORKER_LLM_MODELS_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/secret.h"
#include "proto/usage.h"
#include "worker/llm/token_estimate.h"

struct learned;
/* X(name, word): wire formats; llm_*.c has each. */
#define MODEL_APIS(X)                                                                              \
    X(CHAT, chat)           /* OpenAI Chat Completions, which most others speak too */             \
    X(RESPONSES, responses) /* OpenAI Responses */                                                 \
    X(MESSAGES, messages)   /* Anthropic Messages */                                               \
    X(GENERATE, generate)   /* Google Gemini, streamGenerateContent */
enum model_api {
#define X(name, word) API_##name,
    MODEL_APIS(X)
#undef X
        API_COUNT
};

/* X(name, word, variables' prefix, base URL by default, its API, the model when none is named) */
#define PROVIDERS(X)                                                                               \
    X(OPENAI, "openai", "OPENAI", "https://api.openai.com/v1", CHAT, "gpt-5-mini")                 \
    X(ANTHROPIC, "anthropic", "ANTHROPIC", "https://api.anthropic.com", MESSAGES,                  \
      "claude-sonnet-5-5")                                                                         \
    X(GOOGLE, "google", "GOOGLE", "https://generativelanguage.googleapis.com", GENERATE,           \
      "gemini-3.5-flash")
enum provider {
#define X(name, ...) PROVIDER_##name,
    PROVIDERS(X)
#undef X
        PROVIDER_COUNT
};

enum { MODEL_HEADERS_MAX = 8, MODEL_FALLBACKS_MAX = 4, MODEL_OFFERS_MAX = 16, MODEL_KEY_NAME = 24 };
struct model_header {
    char *name, *value;
};
struct model {
    char *name; /* as it is offered and asked for: "openai/gpt-5-mini" */
    enum provider provider;
    enum model_api api;
    char *id;           /* as the provider knows it */
    char *base_url;     /* as the provider's SDK takes it, without a slash at the end */
    bool by_perses;     /* base_url is a path on Perses */
    struct secret *key; /* NULL: none needed */
    char *key_header;   /* NULL: as the format says */
    struct model_header headers[MODEL_HEADERS_MAX];
    unsigned header_count;
    char *query; /* "api-version=2024-10-21", escaped; or NULL */
    uint32_t window_tokens, output_tokens_max;
    struct token_estimate
        *estimate;            /* what its tokens weigh: learned while this runs; NULL: as usual */
    const char *tokens_field; /* max_tokens_field; NULL: not said */
    struct learned *learned;  /* of its server's refusals, while this runs; NULL: nothing is */
    char *options;            /* a JSON object, or NULL */
    bool json_tools;
    char *offers[MODEL_OFFERS_MAX];
    unsigned offer_count; /* 0: all tools */
    /* Dollars for a million tokens are micro-dollars for a token; times 1,000 for whole numbers. */
    uint64_t price_input, price_output, price_cached;
    uint32_t requests_per_minute, tokens_per_minute, concurrent; /* 0: not limited */
    char *fallback_names[MODEL_FALLBACKS_MAX];
    const struct model *fallbacks[MODEL_FALLBACKS_MAX];
    unsigned fallback_count;
    unsigned account; /* models with the same base URL and key have the same number: 0, 1 … */
    char key_name[MODEL_KEY_NAME + 1]; /* names that account in Redis */
};

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
const char *provider_word(enum provider p);
/* Is it told of this tool? */
bool model_offers(const struct model *m, const char *tool_name);
/* What tokens cost with this model, in millionths of a dollar; cached of the input are cheaper. */
uint64_t model_cost(const struct model *m, uint64_t input_tokens, uint64_t output_tokens,
                    uint64_t cached_tokens);
/* The same as what was used. */
struct usage model_usage(const struct model *m, uint64_t input_tokens, uint64_t output_tokens,
                         uint64_t cached_tokens);
/* GET /models: [{"name","provider","model","window","default"}]. False: over b's bound. */
bool models_json(const struct models *m, struct buf *b);

#endif
