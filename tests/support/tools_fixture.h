/* tests/support/tools_fixture.h: tools on a loop, and a scripted datasource behind them: an
 * HTTP server of the test's own that answers what a test says and remembers what it was asked. */
#ifndef TESTS_SUPPORT_TOOLS_FIXTURE_H
#define TESTS_SUPPORT_TOOLS_FIXTURE_H

#include "tests/support/pump.h"
#include "tests/support/usual.h"

#include <jansson.h>
#include <stdio.h>
#include "common/http.h"
#include "worker/tools/tools.h"

enum { ASKED_MAX = 64, NOW_S = 1700000000 };

struct asked {
    char method[8], path[256], body[4096], query[2048], start[64], end[64], step[64],
        authorization[128];
};
struct fixture;
struct answer {
    const char *path; /* the end of it; NULL: the end of the script */
    unsigned status;
    struct str body;
    const char *type;     /* NULL: application/json */
    const char *in_query; /* only for queries with this text, or NULL */
    const char *method;   /* only for this one, or NULL */
    unsigned nth;         /* only for the nth request, from 1; 0: any */
    bool breaks;          /* breaks off in the middle, the first `breaks` times */
};
struct fixture {
    struct loop *loop;
    struct loop_timer *tick;
    struct pump *pump;
    struct http *http;
    struct fetch_pool *pool;
    struct tools *tools;
    struct tools_config config;
    char base[64];
    const struct answer *script;
    struct asked asked[ASKED_MAX];
    unsigned asked_count;
    enum tool_approval approval;
    const struct tool_grant *grants;
    unsigned grant_count;
    bool vet, repeated, querying; /* querying: a tool runs that runs a query */
    const char *offered;          /* as a tool_call has it, or NULL */
    const char *call_id;          /* NULL: c1 */
    const char *timezone;         /* of the person, or NULL */
    const char *owner;            /* whose calls */
    const char *datasource_hangs; /* requests with this in their path are never answered, or NULL */
    const char *project;          /* of the dashboard that the person added, or NULL */
    const char *dashboard;        /* its name */
    bool says_anything;           /* answers are a fuzzer's, which knows the token's name as well */
    unsigned breaks;
    struct http_stream *breaking;
    struct str half;
    /* the last result */
    unsigned done;
    char *content;
    bool failed, unauthorized;
    json_t *json;
    char datasource[300], ask_source[1024];
    enum tool_ask ask;
    struct secret *token;
    const struct str *paths; /* the conversation's datasources */
    unsigned path_count;
};

static const struct str fixture_paths[] = {
    {"/proxy/globaldatasources/prom", 29},
    {"/proxy/projects/shop/datasources/other", 38},
};

static inline void fixture_copy(char *to, size_t size, struct str from)
{
    size_t len = from.len < size ? from.len : size - 1;
    memcpy(to, from.len ? from.at : "", len);
    to[len] = '\0';
}

static inline int fixture_hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A form's field, decoded. */
static inline void fixture_field(struct str form, const char *name, char *to, size_t size)
{
    struct str part;
    size_t len = 0;
    to[0] = '\0';
    while (str_split(&form, '&', &part)) {
        struct str key;
        struct str value = part;
        if (!str_split(&value, '=', &key) || !str_is(key, name))
            continue;
        for (size_t i = 0; i < value.len && len + 1 < size; i++) {
            int high = value.at[i] == '%' ? fixture_hex(value.at[i + 1]) : -1;
            to[len++] = high < 0 ? value.at[i] : (char)(high * 16 + fixture_hex(value.at[i + 2]));
            i += high < 0 ? 0 : 2;
        }
        to[len] = '\0';
    }
}

static inline bool fixture_ends(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

/* An answer that breaks off */
static inline void fixture_break(void *arg)
{
    http_stream_abort(((struct fixture *)arg)->breaking);
}

static inline size_t fixture_on_fill(void *arg, char *dst, size_t cap)
{
    struct fixture *f = arg;
    size_t len = f->half.len;
    assert_true(len <= cap);
    if (len == 0)
        return 0;
    memcpy(dst, f->half.at, len);
    f->half.len = 0;
    loop_later(f->loop, fixture_break, f);
    return len;
}

static inline void fixture_on_broken(void *arg) { ((struct fixture *)arg)->breaking = NULL; }

static inline void fixture_begin_broken(struct fixture *f, struct http_request *r, struct str body)
{
    static const struct http_stream_handler handler = {.on_fill = fixture_on_fill,
                                                       .on_closed = fixture_on_broken};
    assert_null(f->breaking);
    f->breaks--;
    f->half = (struct str){body.at, body.len / 2};
    f->breaking = http_stream_open(r, "application/json", &handler, f);
    http_stream_wake(f->breaking);
}

static inline void fixture_on_request(void *arg, struct http_request *r)
{
    struct fixture *f = arg;
    assert_true(f->asked_count < ASKED_MAX);
    struct asked *a = &f->asked[f->asked_count++];
    struct str value;
    fixture_copy(a->method, sizeof(a->method), http_method(r));
    fixture_copy(a->path, sizeof(a->path), http_path(r));
    fixture_copy(a->body, sizeof(a->body), http_body(r));
    fixture_copy(a->authorization, sizeof(a->authorization), http_header(r, "authorization"));
    if (http_body(r).len > 0) {
        fixture_field(http_body(r), "query", a->query, sizeof(a->query));
        fixture_field(http_body(r), "start", a->start, sizeof(a->start));
        fixture_field(http_body(r), "end", a->end, sizeof(a->end));
        fixture_field(http_body(r), "step", a->step, sizeof(a->step));
    } else if (http_query(r, "match[]", &value) || http_query(r, "query", &value)) {
        fixture_copy(a->query, sizeof(a->query), value);
    }
    /* The check of a query's syntax goes beside the count: in no order, and only counted when a
     * test answers it. */
    bool check = fixture_ends(a->path, "/format_query");
    /* So does the look into the catalog, where the test has none. */
    bool catalog = fixture_ends(a->path, "/label/__name__/values");
    /* And the look at the labels that a query groups by, which names its selectors. */
    bool labels = fixture_ends(a->path, "/api/v1/labels") && f->querying;
    for (const struct answer *answer = f->script; catalog && answer->path != NULL; answer++)
        catalog = !fixture_ends(a->path, answer->path);
    for (const struct answer *answer = f->script; labels && answer->path != NULL; answer++)
        labels = !fixture_ends(a->path, answer->path);
    f->asked_count -= check || catalog || labels;
    if (f->datasource_hangs != NULL && strstr(a->path, f->datasource_hangs) != NULL)
        return;
    for (const struct answer *answer = f->script; answer->path != NULL; answer++) {
        if (!fixture_ends(a->path, answer->path) ||
            (answer->in_query != NULL && strstr(a->query, answer->in_query) == NULL) ||
            (answer->method != NULL && strcmp(a->method, answer->method) != 0) ||
            (answer->nth != 0 && answer->nth != f->asked_count))
            continue;
        if (answer->status == 0)
            return; /* never answered */
        if (answer->breaks && f->breaks > 0) {
            fixture_begin_broken(f, r, answer->body);
            return;
        }
        http_reply(r, answer->status, answer->type ? answer->type : "application/json",
                   answer->body);
        return;
    }
    http_reply(r, 404, "text/plain", STR("404 page not found"));
}

static inline struct fixture *fixture_new(void)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    char error[256];
    f->loop = loop_new();
    f->pump = pump_new(f->loop, &f->tick);
    struct http_config config = {.listen = "127.0.0.1:0",
                                 .body_bytes_max = 1 << 20,
                                 .connections_max = 100,
                                 .idle_ms = 10000};
    static const struct http_callbacks callbacks = {.on_request = fixture_on_request};
    f->http = http_new(f->loop, &config, &callbacks, f, error);
    assert_non_null(f->http);
    f->pool = fetch_pool_new(f->loop);
    snprintf(f->base, sizeof(f->base), "http://127.0.0.1:%u/", http_port(f->http));
    f->config = usual_tools(f->loop, f->pool, f->base);
    f->tools = tools_new(&f->config);
    f->token = secret_new(STR("canary-token"));
    f->paths = fixture_paths;
    f->path_count = 2;
    return f;
}

static inline void fixture_tools(struct fixture *f) /* after a change of f->config */
{
    tools_free(f->tools);
    f->tools = tools_new(&f->config);
}

static inline void fixture_forget(struct fixture *f)
{
    free(f->content);
    json_decref(f->json);
    f->content = NULL;
    f->json = NULL;
}

static inline void fixture_free(struct fixture *f)
{
    fixture_forget(f);
    tools_free(f->tools);
    secret_free(f->token);
    fetch_pool_free(f->pool);
    http_free(f->http);
    loop_off(f->loop, f->pump);
    loop_timer_free(f->tick);
    loop_free(f->loop);
    free(f->pump);
    free(f);
}

static inline void fixture_on_done(void *arg, const struct tool_result *r)
{
    struct fixture *f = arg;
    f->done++;
    fixture_forget(f);
    f->content = str_dup(r->content);
    f->failed = r->failed;
    f->unauthorized = r->unauthorized;
    f->json = json_loadb(r->content.at, r->content.len, 0, NULL);
    fixture_copy(f->datasource, sizeof(f->datasource), r->datasource);
    fixture_copy(f->ask_source, sizeof(f->ask_source), r->ask_source);
    f->ask = r->ask;
    assert_true(r->content.len <= f->config.content_bytes_max);
    assert_true(str_utf8(r->content));
    assert_true(f->says_anything || strstr(f->content, "canary") == NULL);
}

static inline struct tool_run *fixture_start_bytes(struct fixture *f, const char *name,
                                                   struct str arguments)
{
    struct tool_call call = {
        .owner = str_of(f->owner ? f->owner : "alice"),
        .call_id = str_of(f->call_id ? f->call_id : "c1"),
        .approval = f->approval,
        .grants = f->grants,
        .grant_count = f->grant_count,
        .vet = f->vet,
        .repeated = f->repeated,
        .offered = str_of(f->offered),
        .tool_name = str_of(name),
        .arguments = arguments,
        .datasources = f->paths,
        .datasource_count = f->path_count,
        .project = str_of(f->project),
        .dashboard = str_of(f->dashboard),
        .token = f->token,
        .now_ms = NOW_S * (int64_t)1000,
        .timezone = str_of(f->timezone),
        .range_start_ms = (NOW_S - 3600) * (int64_t)1000,
        .range_end_ms = NOW_S * (int64_t)1000,
    };
    return tool_start(f->tools, &call, fixture_on_done, f);
}

static inline struct tool_run *fixture_start(struct fixture *f, const char *name,
                                             const char *arguments)
{
    return fixture_start_bytes(f, name, str_of(arguments));
}

/* Of a test that has no more than a fixture. */
static inline int fixture_setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static inline bool fixture_is_done(void *arg) { return ((struct fixture *)arg)->done > 0; }

/* One call to its end. */
static inline void fixture_run(struct fixture *f, const struct answer *script, const char *name,
                               const char *arguments)
{
    static const struct answer none[] = {{0}};
    f->script = script ? script : none;
    f->done = 0;
    f->asked_count = 0;
    f->querying = strncmp(name, "execute", 7) == 0;
    fixture_start(f, name, arguments);
    assert_int_equal(f->done, 0); /* never from inside tool_start */
    assert_true(pump_within(f->pump, 20000, fixture_is_done, f));
    assert_int_equal(f->done, 1);
    if (f->json == NULL && !f->vet)
        fail_msg("no JSON: %s", f->content);
}

static inline const char *fixture_text(struct fixture *f, const char *key)
{
    const char *text = json_string_value(json_object_get(f->json, key));
    return text ? text : "";
}

static inline void fixture_expect_error(struct fixture *f, const char *code, const char *part)
{
    if (!f->failed || strcmp(fixture_text(f, "code"), code) != 0 ||
        strstr(fixture_text(f, "error"), part) == NULL)
        fail_msg("wanted %s with \"%s\", got: %s", code, part, f->content);
}

#endif
