#include "worker/checkup.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"
#include "proto/store/probe.h"
#include "worker/endpoint.h"

enum {
    PERSES_CONNECT_MS = 3000,
    PERSES_TOTAL_MS = 10000,
    /* Of a reply: thinking comes out of it, and some servers refuse a limit under 16. */
    OUTPUT_TOKENS = 64,
    MODEL_MS_MAX = 60000, /* a local server may have to load the model first */
    REPLY_BYTES_MAX = 64 << 10,
    WORDS_MAX = 200,
    TOOLS_MS = 15000, /* for MCP servers to list their tools, and documents to be indexed */
    LEAVE_MS = 1000,  /* for their sessions to be ended */
    LOOK_MS = 50,
};

struct checkup {
    struct worker *worker;
    struct report *report;
    struct secret *token; /* PERSES_TOKEN: for models behind Perses */
    struct store_probe *redis;
    struct fetch *fetch;
    struct llm *llm;
    struct llm_call *call;
    unsigned model; /* that is being asked */
    struct loop_timer *timer;
    int64_t until_ms; /* tools are waited for, or taken leave of */
    bool leaving;
};

static void on_redis(void *arg);
static void on_perses(void *arg, const struct fetch_result *r);
static void ask_model(void *arg);
static void on_timer(void *arg);
static void wait_for_tools(struct checkup *c);
static bool tools_tried(const struct checkup *c);
static void judge_docs(struct checkup *c);
static void judge_servers(struct checkup *c);
static void leave_tools(struct checkup *c);
static bool start_call(struct checkup *c, const struct model *m);
static void on_model(void *arg, enum err err);
static void judge_model(struct checkup *c, const struct model *m, enum err err);
static void judge_refusal(struct checkup *c, const struct model *m, int status,
                          const struct reply *r);
static bool unknown_model(int status, const char *words);
static const char *advice_of(const char *words);

void checkup_run(struct worker *w, struct report *report)
{
    const struct worker_settings *s = &w->settings;
    struct llm_config config = {.loop = w->loop,
                                .fetches = w->fetches,
                                .perses_url = s->perses,
                                .connect_ms = s->llm.connect_ms,
                                .idle_ms = MODEL_MS_MAX,
                                .total_ms = MODEL_MS_MAX,
                                .tries_max = 1,
                                .backoff_ms = 1,
                                .reply_bytes_max = REPLY_BYTES_MAX,
                                .accounts = w->now ? models_accounts(w->now->models) : 0};
    struct checkup c = {.worker = w, .report = report, .llm = llm_new(&config)};
    c.timer = loop_timer_new(w->loop, on_timer, &c);
    c.token = secret_of_environment("PERSES_TOKEN");
    c.redis = store_probe_new(w->loop, s->redis.url, s->durability, report, on_redis, &c);
    loop_run(w->loop);
    store_probe_free(c.redis);
    loop_timer_free(c.timer);
    fetch_cancel(c.fetch);
    llm_call_free(c.call);
    llm_free(c.llm);
    secret_free(c.token);
}

/* ---- Perses ---- */

static void on_redis(void *arg)
{
    static const struct fetch_handler handler = {.on_done = on_perses};
    struct checkup *c = arg;
    scoped_buf(url, 2048);
    buf_printf(&url, "%s/api/v1/health", c->worker->settings.perses);
    struct fetch_request r = {.method = "GET",
                              .url = buf_cstr(&url),
                              .connect_ms = PERSES_CONNECT_MS,
                              .total_ms = PERSES_TOTAL_MS,
                              .collect = true};
    c->fetch = fetch_start(c->worker->fetches, &r, &handler, c);
}

static void on_perses(void *arg, const struct fetch_result *r)
{
    struct checkup *c = arg;
    char host[ENDPOINT_HOST_MAX];
    c->fetch = NULL;
    endpoint_host(c->worker->settings.perses, host);
    bool right = r->status == FETCH_OK && r->http_status == 200;
    json_auto_t *body =
        right ? json_loadb(r->body.at ? r->body.at : "", r->body.len, 0, NULL) : NULL;
    if (json_is_object(body))
        report_ok(c->report, "Perses answers");
    else
        report_fail(
            c->report,
            "Perses answers: nothing useful came from %s (%s, HTTP %d); start Perses or set "
            "PERSES_API_URL",
            host, *r->error ? r->error : "an answer", r->http_status);
    ask_model(c);
}

/* ---- models ---- */

/* The one whose turn it is, or what comes after all of them. */
static void ask_model(void *arg)
{
    struct checkup *c = arg;
    const struct models *all = c->worker->now ? c->worker->now->models : NULL;
    while (all && c->model < models_count(all)) {
        const struct model *m = models_at(all, c->model);
        if (!m->by_perses || c->token) {
            if (start_call(c, m))
                return;
        } else {
            report_unknown(c->report,
                           "Model %.100s: it is a datasource of Perses, asked with a person's "
                           "sign-in; set PERSES_TOKEN to an access token to have it asked",
                           m->name);
        }
        c->model++;
    }
    c->until_ms = loop_now_ms(c->worker->loop) + TOOLS_MS;
    wait_for_tools(c);
}

/* False: it was judged, nothing is to be waited for. */
static bool start_call(struct checkup *c, const struct model *m)
{
    static const struct llm_handler handler = {.on_done = on_model};
    /* A real question brings tools: a server that takes none is found out here. */
    static const struct tool_spec tool = {
        .name = "say_ok",
        .description = "Says that all is well.",
        .schema_json = "{\"type\":\"object\",\"properties\":{\"word\":{\"type\":\"string\","
                       "\"maxLength\":8}},\"required\":[\"word\"]}"};
    struct prompt_item question = {.kind = PROMPT_USER, .text = STR("Answer with the word ok.")};
    struct prompt prompt = {.system = buf_empty(256), .items = &question, .count = 1, .tokens = 64};
    struct llm_request r = {.model = m,
                            .prompt = &prompt,
                            .tools = &tool,
                            .tool_count = 1,
                            .step = 1,
                            .turn = id_new(),
                            .output_tokens_max = OUTPUT_TOKENS,
                            .token = c->token};
    buf_puts(&prompt.system, "You are being tested. Be brief.");
    enum err err = llm_call_start(c->llm, &r, &handler, c, &c->call);
    buf_free(&prompt.system);
    if (err != ERR_NONE)
        report_fail(c->report, "Model %.100s: the request can't be written (%s)", m->name,
                    err_word(err));
    return err == ERR_NONE;
}

static void on_model(void *arg, enum err err)
{
    struct checkup *c = arg;
    judge_model(c, models_at(c->worker->now->models, c->model), err);
    llm_call_free(c->call);
    c->call = NULL;
    c->model++;
    loop_later(c->worker->loop, ask_model, c);
}

/* What a provider says is repeated, but for words about keys. */
static void judge_model(struct checkup *c, const struct model *m, enum err err)
{
    const struct reply *r = llm_reply(c->call);
    int status = llm_call_http_status(c->call);
    char host[ENDPOINT_HOST_MAX];
    endpoint_host(m->by_perses ? c->worker->settings.perses : m->base_url, host);
    if (r->refused_status > 0)
        status = r->refused_status; /* also of an error in a stream of status 200 */
    if (err == ERR_NONE || err == ERR_OUTPUT_LIMIT ||
        (status == 200 && err == ERR_MODEL_BROKEN && (r->stopped || r->ended)))
        report_ok(c->report, "Model %.100s answers, at %s", m->name, host);
    else if (status >= 400)
        judge_refusal(c, m, status, r);
    else if (status > 0)
        report_fail(c->report,
                    "Model %.100s: what answers at %s (HTTP %d) is not this API: correct the base "
                    "URL, or provider and api, in PERSAI_MODELS",
                    m->name, host, status);
    else
        report_fail(c->report, "Model %.100s: no answer from %s: %.*s; %s", m->name, host,
                    WORDS_MAX, reply_detail(r), advice_of(reply_detail(r)));
}

static const char *advice_of(const char *words)
{
    if (strstr(words, "certificate"))
        return "if its authority is one of your own, SSL_CERT_FILE names it";
    if (strstr(words, "SSL"))
        return "does it speak TLS? The base URL may have to begin with http://";
    return "correct the base URL, start the server, or set https_proxy";
}

static void judge_refusal(struct checkup *c, const struct model *m, int status,
                          const struct reply *r)
{
    static const char *const prefixes[] = {
#define X(name, word, prefix, ...) [PROVIDER_##name] = prefix,
        PROVIDERS(X)
#undef X
    };
    const char *words = r->refused_words ? r->refused_words : "";
    char host[ENDPOINT_HOST_MAX];
    endpoint_host(m->by_perses ? c->worker->settings.perses : m->base_url, host);
    if (r->refusal.kind == LLM_ERROR_AUTH && m->by_perses)
        report_fail(c->report,
                    "Model %.100s: Perses refuses this sign-in, or the provider behind it the key "
                    "(HTTP %d): renew PERSES_TOKEN, or the secret of the datasource",
                    m->name, status);
    else if (r->refusal.kind == LLM_ERROR_AUTH)
        report_fail(c->report,
                    "Model %.100s: %s refuses %s (HTTP %d): correct %s_API_KEY, or the model's "
                    "key_env or key_file in PERSAI_MODELS",
                    m->name, host, m->key ? "the key" : "to answer without a key", status,
                    prefixes[m->provider]);
    else if (unknown_model(status, words))
        report_fail(c->report,
                    "Model %.100s: %s does not know \"%.100s\", or has not this API (HTTP %d): "
                    "correct the name in PERSAI_DEFAULT_MODEL or PERSAI_MODELS, or the base URL",
                    m->name, host, m->id, status);
    else if (r->refusal.kind == LLM_ERROR_QUOTA_GONE)
        report_fail(c->report, "Model %.100s: the key is right, but its quota or money is used up",
                    m->name);
    else if (status == 400 && !m->json_tools && strcasestr(words, "tool"))
        report_fail(c->report,
                    "Model %.100s takes no tools: set \"tools\": \"json\" for it in PERSAI_MODELS "
                    "(HTTP %d)",
                    m->name, status);
    else
        report_fail(c->report, "Model %.100s, at %s: %.*s", m->name, host, WORDS_MAX,
                    reply_detail(r));
}

/* 404 as most say it; the others in words of a 400 (LiteLLM, OpenRouter, Mistral, DeepSeek). */
static bool unknown_model(int status, const char *words)
{
    static const char *const says[] = {"model_not_found",    "invalid model", "not a valid model",
                                       "model not exist",    "unknown model", "model not found",
                                       "no endpoints found", "no such model", "invalid_model"};
    bool said = status == 404;
    for (size_t i = 0; i < sizeof(says) / sizeof(says[0]) && status < 500; i++)
        said = said || strcasestr(words, says[i]);
    return said;
}

/* ---- documents and MCP servers: they were begun when the tools were made ---- */

static void on_timer(void *arg)
{
    struct checkup *c = arg;
    if (c->leaving)
        leave_tools(c);
    else
        wait_for_tools(c);
}

static void wait_for_tools(struct checkup *c)
{
    if (c->worker->now && !tools_tried(c) && loop_now_ms(c->worker->loop) < c->until_ms) {
        loop_timer_set(c->timer, LOOK_MS, 0);
        return;
    }
    if (c->worker->now) {
        judge_docs(c);
        judge_servers(c);
    }
    c->leaving = true;
    c->until_ms = loop_now_ms(c->worker->loop) + LEAVE_MS;
    leave_tools(c);
}

static bool tools_tried(const struct checkup *c)
{
    unsigned files, left_out;
    struct tools_server s;
    bool tried =
        !c->worker->settings.tools.docs[0] || tools_docs(c->worker->now->tools, &files, &left_out);
    for (unsigned i = 0; tools_server(c->worker->now->tools, i, &s); i++)
        tried = tried && (s.there || s.why[0]);
    return tried;
}

static void judge_docs(struct checkup *c)
{
    unsigned files, left_out;
    const char *folder = c->worker->settings.tools.docs;
    bool indexed = tools_docs(c->worker->now->tools, &files, &left_out);
    if (!folder[0])
        return;
    if (!indexed)
        report_fail(c->report, "Documents of %.300s: they could not be indexed within %d s", folder,
                    TOOLS_MS / 1000);
    else if (files == 0)
        report_fail(c->report,
                    "Documents of %.300s: there is none that can be read; they are files that end "
                    "in .md, .markdown or .txt",
                    folder);
    else if (left_out > 0)
        report_fail(c->report,
                    "Documents of %.300s: %u are indexed, %u are not: too large, too many or not "
                    "to be read",
                    folder, files, left_out);
    else
        report_ok(c->report, "Documents of %.300s: %u are indexed", folder, files);
}

static void judge_servers(struct checkup *c)
{
    struct tools_server s;
    for (unsigned i = 0; tools_server(c->worker->now->tools, i, &s); i++) {
        if (!s.there)
            report_fail(c->report,
                        "MCP server %s: %.*s; correct its url or key in PERSAI_MCP, or start it",
                        s.name, WORDS_MAX, s.why[0] ? s.why : "it does not answer");
        else if (s.missing > 0)
            report_fail(c->report,
                        "MCP server %s: it offers %u of %u tools that PERSAI_MCP allows; %s is "
                        "missing: %s",
                        s.name, s.offered, s.offered + s.missing, s.lacks,
                        s.refused ? s.refused : "its list of tools is without it");
        else
            report_ok(c->report, "MCP server %s answers, and has the %u tools that are allowed",
                      s.name, s.offered);
    }
}

static void leave_tools(struct checkup *c)
{
    struct loop *loop = c->worker->loop;
    bool left = !c->worker->now || tools_leave(c->worker->now->tools);
    if (left || loop_now_ms(loop) >= c->until_ms) {
        loop_stop(loop);
        return;
    }
    loop_timer_set(c->timer, LOOK_MS, 0);
}
