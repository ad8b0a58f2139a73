/* worker/llm/model.h: one model that is offered: where it is, how it is asked, what it costs. */
#ifndef WORKER_LLM_MODEL_H
#define WORKER_LLM_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/secret.h"
#include "proto/usage.h"
#include "worker/llm/token_estimate.h"

/* X(name, word): wire formats; worker/llm/WORD.c has each. */
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
struct provider_facts {
    const char *word, *prefix; /* "openai"; of its variables: "OPENAI" */
    const char *url, *model;   /* the vendor's own address, and the model that is usual there */
    enum model_api api;
};
const struct provider_facts *provider_facts(enum provider p);
bool provider_parse(struct str word, enum provider *out);
const char *provider_words(void); /* "openai, anthropic, google" */

struct model_header {
    char *name, *value;
};
/* What a model's server was found to refuse, while this runs: see learned.h. */
struct learned {
    uint64_t refused;           /* bits: rows of the table of parameters */
    const char *tokens_field;   /* of Chat Completions; NULL: as usual */
    uint32_t output_tokens_max; /* 0: as the model has it */
    int64_t limit_ms;           /* since when that is known; 0: not noted yet */
    bool wants_thoughts;        /* reasoning_content on each message that called tools */
    bool plain_content;         /* text alone: no thoughts as parts of it */
    bool no_nulls;              /* content is a text, if an empty one */
    bool thinks_first;          /* its template opens the thoughts: see think.h */
};

struct model {
    char *name; /* as it is offered and asked for: "openai/gpt-5-mini" */
    enum provider provider;
    enum model_api api;
    char *id;           /* as the provider knows it */
    char *description;  /* what it is good for, to the person who chooses; or NULL */
    char *base_url;     /* as the provider's SDK takes it, without a slash at the end */
    bool by_perses;     /* base_url is a path on Perses */
    struct secret *key; /* NULL: none needed */
    char *key_header;   /* NULL: as the format says */
    struct model_header headers[MODEL_HEADERS_MAX];
    unsigned header_count;
    char *query; /* "api-version=2024-10-21", escaped; or NULL */
    uint32_t window_tokens, output_tokens_max;
    /* what its tokens weigh: learned while this runs; NULL: as usual */
    struct token_estimate *estimate;
    const char *tokens_field; /* max_tokens_field; NULL: not said */
    struct learned *learned;  /* of its server's refusals, while this runs; NULL: nothing is */
    char *options;            /* a JSON object, or NULL */
    bool json_tools;
    bool thinks_first; /* as in struct learned, said by the models file */
    bool small; /* told in few words, with worked examples and few tools, one step at a time */
    char *offers[MODEL_OFFERS_MAX];
    unsigned offer_count; /* 0: all tools; of a small model three that ask for metrics */
    /* Dollars for a million tokens are micro-dollars for a token; times 1,000 for whole numbers. */
    uint64_t price_input, price_output, price_cached;
    uint32_t requests_per_minute, tokens_per_minute, concurrent; /* 0: not limited */
    char *fallback_names[MODEL_FALLBACKS_MAX];
    const struct model *fallbacks[MODEL_FALLBACKS_MAX];
    unsigned fallback_count;
    unsigned account; /* models with the same base URL and key have the same number: 0, 1 … */
    char key_name[MODEL_KEY_NAME + 1]; /* names that account in Redis */
};

/* A model with what is known of its id: window, and by its parameters' number whether it is small.
 * Texts are copied; model_free. */
void model_init(struct model *m, const char *name, enum provider p, const char *id,
                const char *base_url);
void model_free(struct model *m); /* what it holds, not m itself */
bool model_url_ok(const char *url);
/* What a base URL ends in (static) though the format adds it: a vendor's page gives the whole
 * address. NULL: nothing. */
const char *model_url_excess(const char *url);
/* Is it told of this tool? */
bool model_offers(const struct model *m, const char *tool_name);
/* What tokens cost with this model, in millionths of a dollar; cached of the input are cheaper. */
uint64_t model_cost(const struct model *m, uint64_t input_tokens, uint64_t output_tokens,
                    uint64_t cached_tokens);
/* The same as what was used. */
struct usage model_usage(const struct model *m, uint64_t input_tokens, uint64_t output_tokens,
                         uint64_t cached_tokens);

#endif
