#include "worker/llm/model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/path.h"
#include "worker/endpoint.h"

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

static const struct provider_facts facts[PROVIDER_COUNT] = {
#define X(name, word, prefix, url, api, model)                                                     \
    [PROVIDER_##name] = {word, prefix, url, model, API_##api},
    PROVIDERS(X)
#undef X
};

const struct provider_facts *provider_facts(enum provider p) { return &facts[p]; }

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

static const char perses_scheme[] = "perses:";

/* Do its parameters, as its name says them, come to a few billions at most? "1.5b" of
 * "qwen2.5-coder:1.5b-instruct", "135M" of "SmolLM2-135M"; of several the most ("30b-a3b"). */
static bool small_by_name(const char *id)
{
    static const double few = 4.5e9;
    double most = 0;
    for (const char *at = id; *at; at++) {
        bool begins = isdigit((unsigned char)*at) &&
                      (at == id || (!isalnum((unsigned char)at[-1]) && at[-1] != '.'));
        char *end;
        if (!begins)
            continue;
        double number = strtod(at, &end);
        double unit = tolower((unsigned char)*end) == 'b'   ? 1e9
                      : tolower((unsigned char)*end) == 'm' ? 1e6
                                                            : 0;
        if (unit > 0 && !isalnum((unsigned char)end[1]) && number * unit > most)
            most = number * unit;
        at = end - 1;
    }
    return most > 0 && most <= few;
}

void model_init(struct model *m, const char *name, enum provider p, const char *id,
                const char *base_url)
{
    *m = (struct model){
        .name = xstrdup(name), .provider = p, .api = facts[p].api, .id = xstrdup(id)};
    m->by_perses = strncmp(base_url, perses_scheme, strlen(perses_scheme)) == 0;
    if (m->by_perses)
        base_url += strlen(perses_scheme);
    m->base_url = str_dup(str_trim_slashes(str_of(base_url)));
    const struct known *k = known;
    while (strncmp(id, k->prefix, strlen(k->prefix)) != 0)
        k++;
    m->small = m->json_tools = small_by_name(id);
    m->window_tokens = k->window_tokens;
    m->output_tokens_max = k->output_tokens_max;
    m->estimate = xcalloc(1, sizeof(*m->estimate));
    m->learned = xcalloc(1, sizeof(*m->learned));
}

void model_free(struct model *m)
{
    free(m->name);
    free(m->id);
    free(m->description);
    free(m->base_url);
    free(m->options);
    free(m->query);
    free(m->estimate);
    free(m->learned);
    free(m->key_header);
    for (unsigned i = 0; i < m->header_count; i++) {
        free(m->headers[i].name);
        free(m->headers[i].value);
    }
    for (unsigned i = 0; i < m->fallback_count; i++)
        free(m->fallback_names[i]);
    for (unsigned i = 0; i < m->offer_count; i++)
        free(m->offers[i]);
    secret_free(m->key);
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
    struct str text = str_trim_slashes(str_of(url));
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (str_ends(text, str_of(ends[i])))
            return ends[i];
    return NULL;
}

bool model_offers(const struct model *m, const char *tool_name)
{
    static const char *const few[] = {"list_metrics", "execute_instant_query",
                                      "execute_range_query"};
    bool offers = m->offer_count == 0 && !m->small;
    for (unsigned i = 0; i < m->offer_count; i++)
        offers = offers || strcmp(m->offers[i], tool_name) == 0;
    for (size_t i = 0; m->small && m->offer_count == 0 && i < sizeof(few) / sizeof(few[0]); i++)
        offers = offers || strcmp(few[i], tool_name) == 0;
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
