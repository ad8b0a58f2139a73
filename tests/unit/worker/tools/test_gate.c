/* To which datasources the person's sign-in may go: a model can't choose who gets it. */
#include "tests/support/tools_fixture.h"

#include <string.h>
#include "proto/record.h"
#include "proto/upstream.h"
#include "worker/tools/perses/datasources.h"
#include "worker/tools/text.h"

#define EVIL "/proxy/projects/shop/datasources/evil"
#define QUERY "{\"query\":\"up\",\"datasource\":\"" EVIL "\"}"
#define SPEC(url, more)                                                                            \
    "{\"kind\":\"Datasource\",\"spec\":{\"plugin\":{\"kind\":\"PrometheusDatasource\",\"spec\":{"  \
    "\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"" url "\"" more "}}}}}}"
#define CLOSED ",\"headers\":{\"cookie\":\"\"},\"secret\":\"s\""
#define LISTS                                                                                      \
    {.path = "/api/v1/globaldatasources", .status = 200, .body = STR("[]")},                       \
    {                                                                                              \
        .path = "/api/v1/datasources", .status = 200,                                              \
        .body =                                                                                    \
            STR("[{\"metadata\":{\"name\":\"evil\",\"project\":\"shop\"},\"spec\":{\"plugin\":"    \
                "{\"kind\":\"PrometheusDatasource\"}}}]")                                          \
    }
#define DEFINED(text)                                                                              \
    {                                                                                              \
        .path = "/api/v1/projects/shop/datasources/evil", .status = 200, .body = STR(text)         \
    }

/* Was anything sent through the proxy? */
static bool reached(const struct fixture *f)
{
    for (unsigned i = 0; i < f->asked_count; i++)
        if (strncmp(f->asked[i].path, EVIL, strlen(EVIL)) == 0)
            return true;
    return false;
}

static void one_that_hands_the_sign_in_on_needs_a_yes(void **state)
{
    struct fixture *f = *state;
    static const struct str open[] = {
        STR(SPEC("http://evil:9/x", "")), STR(SPEC("http://evil:9", ",\"secret\":\"s\"")),
        STR(SPEC("http://u:p@evil:9", ",\"headers\":{\"Cookie\":\"\"}")),
        STR(SPEC("http://evil:9", ",\"headers\":{\"Cookie\":\"\",\"Authorization\":\"x\"}")),
        STR(SPEC("http://evil:9", CLOSED)) /* its secret can't be read */};
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
        const struct answer script[] = {
            LISTS,
            {.path = "/api/v1/projects/shop/datasources/evil", .status = 200, .body = open[i]},
            {0}};
        f->vet = false;
        fixture_run(f, script, "execute_instant_query", QUERY);
        fixture_expect_error(f, "not_approved", "must say yes");
        assert_false(reached(f));
        f->vet = true;
        fixture_run(f, script, "execute_instant_query", QUERY);
        assert_false(f->failed);
        assert_false(reached(f));
        assert_non_null(strstr(f->ask_source, "\"server\":\"http://evil:9\""));
        assert_non_null(strstr(f->ask_source, "\"project\":\"shop\""));
    }
}

static void a_secret_without_a_sign_in_replaces_nothing(void **state)
{
    struct fixture *f = *state;
    const struct answer tls[] = {LISTS,
                                 DEFINED(SPEC("http://evil:9", CLOSED)),
                                 {.path = "/api/v1/projects/shop/secrets/s",
                                  .status = 200,
                                  .body = STR("{\"spec\":{\"tlsConfig\":{}}}")},
                                 {0}};
    fixture_run(f, tls, "execute_instant_query", QUERY);
    fixture_expect_error(f, "not_approved", "must say yes");
    assert_false(reached(f));
    const struct answer bearer[] = {
        LISTS,
        DEFINED(SPEC("http://evil:9", CLOSED)),
        {.path = "/api/v1/projects/shop/secrets/s",
         .status = 200,
         .body = STR("{\"spec\":{\"authorization\":{\"type\":\"B\"}}}")},
        {0}};
    fixture_run(f, bearer, "execute_instant_query", QUERY);
    assert_true(reached(f));
}

static void a_yes_is_for_that_server(void **state)
{
    struct fixture *f = *state;
    struct tool_grant grant = {.said = APPROVAL_GIVEN};
    const struct answer script[] = {LISTS, DEFINED(SPEC("http://evil:9", "")), {0}};
    f->vet = true;
    fixture_run(f, script, "execute_instant_query", QUERY);
    record_hash(STR(TOOLS_SOURCE), str_of(f->ask_source), grant.hash);
    f->vet = false;
    f->grants = &grant;
    f->grant_count = 1;
    fixture_run(f, script, "execute_instant_query", QUERY);
    assert_true(reached(f));
    const struct answer moved[] = {LISTS, DEFINED(SPEC("http://evil:10", "")), {0}};
    fixture_run(f, moved, "execute_instant_query", QUERY);
    fixture_expect_error(f, "not_approved", "must say yes");
    assert_false(reached(f));
    grant.said = APPROVAL_REFUSED;
    fixture_run(f, script, "execute_instant_query", QUERY);
    fixture_expect_error(f, "refused_by_person", "said no");
    assert_false(reached(f));
}

#define LAST_OF_TWO "x, " EVIL

static void picked_global_and_named_ones_are_free(void **state)
{
    struct fixture *f = *state;
    static const struct str picked[] = {{EVIL, sizeof(EVIL) - 1}};
    const struct answer script[] = {LISTS, {0}};
    f->paths = picked;
    f->path_count = 1;
    fixture_run(f, script, "execute_instant_query", QUERY);
    assert_true(reached(f));
    f->paths = fixture_paths;
    static const char *const named[] = {EVIL, "/proxy/projects/*/datasources/e*l", LAST_OF_TWO};
    static const char *const others[] = {"/proxy/projects/*", "*", "/proxy/projects/shop/*/evi",
                                         ","};
    for (size_t i = 0; i < 3; i++) {
        f->config.datasources = named[i];
        fixture_tools(f);
        fixture_run(f, script, "execute_instant_query", QUERY);
        assert_true(reached(f));
    }
    for (size_t i = 0; i < 4; i++) {
        f->config.datasources = others[i];
        fixture_tools(f);
        fixture_run(f, script, "execute_instant_query", QUERY);
        assert_true(f->failed);
        assert_false(reached(f));
    }
}

/* ---- all tools ---- */

/* Somebody's project has one of each kind, all of them the default of their kind. */
#define EVIL_OF(name, kind)                                                                        \
    "{\"metadata\":{\"name\":\"evil-" name "\",\"project\":\"shop\"},\"spec\":{\"default\":true,"  \
    "\"plugin\":{\"kind\":\"" kind "\"}}}"
#define EVIL_DEFINED(name)                                                                         \
    {                                                                                              \
        .path = "/api/v1/projects/shop/datasources/evil-" name, .status = 200,                     \
        .body = STR(SPEC("http://evil:9", ""))                                                     \
    }
static const char evil_list[] =
    "[" EVIL_OF("prom", "PrometheusDatasource") "," EVIL_OF("loki", "LokiDatasource") "," EVIL_OF(
        "tempo", "TempoDatasource") "," EVIL_OF("pyro",
                                                "PyroscopeDatasource") "," EVIL_OF("am",
                                                                                   "AlertManagerDat"
                                                                                   "asource") "]";
static const struct answer all_evil[] = {
    {.path = "/api/v1/globaldatasources", .status = 200, .body = STR("[]")},
    {.path = "/api/v1/datasources", .status = 200, .body = {evil_list, sizeof(evil_list) - 1}},
    EVIL_DEFINED("prom"),
    EVIL_DEFINED("loki"),
    EVIL_DEFINED("tempo"),
    EVIL_DEFINED("pyro"),
    EVIL_DEFINED("am"),
    {.path = "/api/v1/projects/shop/dashboards/up",
     .status = 200,
     .body = STR("{\"kind\":\"Dashboard\",\"spec\":{\"panels\":{\"up\":{\"spec\":{\"queries\":[{"
                 "\"spec\":{\"plugin\":{\"kind\":\"PrometheusTimeSeriesQuery\",\"spec\":{\"query\":"
                 "\"up\",\"datasource\":{\"name\":\"evil-prom\"}}}}}]}}}}}")},
    {.path = "", .status = 200, .body = STR("{\"status\":\"success\",\"data\":[]}")},
    {0}};

static const char *evil_of(const char *kind)
{
    return !strcmp(kind, "LokiDatasource")         ? "evil-loki"
           : !strcmp(kind, "TempoDatasource")      ? "evil-tempo"
           : !strcmp(kind, "PyroscopeDatasource")  ? "evil-pyro"
           : !strcmp(kind, "PrometheusDatasource") ? "evil-prom"
                                                   : "evil-am";
}

/* What is required, of its type; `name`, when it is text, is `text`. */
static void write_call(const json_t *schema, const char *name, const char *text, struct buf *b)
{
    const json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *property;
    buf_clear(b);
    buf_putc(b, '{');
    json_object_foreach((json_t *)properties, key, property)
    {
        const char *type = json_string_value(json_object_get(property, "type"));
        bool required = false, other = strcmp(key, name) != 0;
        for (size_t i = 0; i < json_array_size(json_object_get(schema, "required")); i++)
            required |= !strcmp(
                key, json_string_value(json_array_get(json_object_get(schema, "required"), i)));
        if (!required && other)
            continue;
        buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", key);
        if (strcmp(type, "array") == 0)
            buf_puts(b, strcmp(key, "panels") == 0 ? "[{\"title\":\"up\",\"query\":\"up\"}]"
                                                   : "[{\"step\":\"up\",\"state\":\"todo\"}]");
        else if (strcmp(type, "string") == 0)
            buf_printf(b, "\"%s\"", !other ? text : strcmp(key, "project") == 0 ? "shop" : "up");
        else
            buf_puts(b, "1");
    }
    buf_putc(b, '}');
}

/* A tool that is new is among them: none may forget the gate. */
static void no_tool_sends_the_sign_in_to_what_nobody_picked(void **state)
{
    struct fixture *f = *state;
    unsigned count, gated = 0;
    const struct tool_spec *specs = tools_specs(f->tools, &count);
    scoped_buf(call, 4096);
    for (unsigned i = 0; i < count; i++) {
        const char *kind = tool_source_kind(specs[i].source), *name;
        json_auto_t *schema = json_loads(specs[i].schema_json, 0, NULL);
        json_t *property;
        json_object_foreach(json_object_get(schema, "properties"), name, property)
        {
            static const char *const texts[] = {EVIL "-prom", "evil-prom", EVIL "-loki", "up"};
            for (unsigned t = 0; t < 4; t++) {
                write_call(schema, name, texts[t], &call);
                fixture_run(f, all_evil, specs[i].name, buf_cstr(&call));
                if (reached(f))
                    fail_msg("%s %s", specs[i].name, buf_cstr(&call));
            }
        }
        if (kind == NULL)
            continue;
        write_call(schema, "datasource", evil_of(kind), &call);
        fixture_run(f, all_evil, specs[i].name, buf_cstr(&call));
        if (!f->failed || strcmp(fixture_text(f, "code"), "not_approved") != 0 || reached(f))
            fail_msg("%s %s: %s", specs[i].name, buf_cstr(&call), f->content);
        f->vet = true;
        fixture_run(f, all_evil, specs[i].name, buf_cstr(&call));
        f->vet = false;
        bool asked = f->ask_source[0] != '\0';
        if ((!asked && !specs[i].needs_approval) || reached(f)) /* those may be refused before */
            fail_msg("%s %s is not asked about: %s", specs[i].name, buf_cstr(&call), f->content);
        gated++;
    }
    assert_in_range(gated, 25, count);
    fixture_run(f, all_evil, "run_panel",
                "{\"project\":\"shop\",\"dashboard\":\"up\",\"panel\":\"up\"}");
    fixture_expect_error(f, "not_approved", "must say yes");
    assert_false(reached(f));
}

static void what_only_looks_like_a_datasource_leads_nowhere(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {
        EVIL "-prom/",
        "/" EVIL "-prom",
        EVIL "-prom ",
        " " EVIL "-prom",
        EVIL "-prom?x",
        EVIL "-prom#",
        "/PROXY/projects/shop/datasources/evil-prom",
        "/proxy/projects/Shop/datasources/evil-prom",
        "/proxy/projects/shop/datasources/Evil-prom",
        "/proxy/projects/shop/datasources/../evil-prom",
        "/proxy/projects/shop/datasources/%65vil-prom",
        "/proxy/projects/shop//datasources/evil-prom",
        "/proxy/globaldatasources/../projects/shop/datasources/evil-prom",
        "/proxy/unsaved/projects/shop/datasources/evil-prom",
        "proxy/projects/shop/datasources/evil-prom",
        "http://evil:9" EVIL "-prom",
        "evil-prom\\u200b",
        "\\u0435vil-prom",
        "EVIL-PROM",
        "evil-prom ",
        "\\u2044proxy\\u2044projects\\u2044shop\\u2044datasources\\u2044evil-prom",
        "evil-prom\\n",
        "evil"};
    static const char *const tools[] = {"execute_instant_query", "loki_labels", "propose_panel"};
    for (size_t i = 0; i < 3 * sizeof(names) / sizeof(names[0]); i++) {
        scoped_buf(call, 1000);
        buf_printf(&call, "{\"datasource\":\"%s\"%s%s}", names[i / 3],
                   i % 3 == 1 ? "" : ",\"query\":\"up\"", i % 3 == 2 ? ",\"title\":\"t\"" : "");
        fixture_run(f, all_evil, tools[i % 3], buf_cstr(&call));
        if (!f->failed || strcmp(fixture_text(f, "code"), "unknown_datasource") != 0 || reached(f))
            fail_msg("%s %s: %s", tools[i % 3], buf_cstr(&call), f->content);
    }
}

#define NAMED(project, by_default, kind)                                                           \
    "{\"metadata\":{\"name\":\"same\"" project "},\"spec\":{\"default\":" by_default               \
    ",\"plugin\":{\"kind\":\"" kind "\"}}}"

/* Whoever may write in a project can't put theirs in the place of a global one. */
static void a_project_s_default_does_not_go_before_a_global_one(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        {.path = "/api/v1/globaldatasources",
         .status = 200,
         .body = STR("[" NAMED("", "false", "LokiDatasource") "]")},
        {.path = "/api/v1/datasources",
         .status = 200,
         .body = STR("[" NAMED(",\"project\":\"shop\"", "true", "LokiDatasource") "]")},
        {.path = "", .status = 200, .body = STR("{\"status\":\"success\",\"data\":[]}")},
        {0}};
    static const char *const calls[] = {"{}", "{\"datasource\":\"same\"}"};
    for (size_t i = 0; i < 2; i++) {
        fixture_run(f, script, "loki_labels", calls[i]);
        assert_string_equal(f->datasource, "/proxy/globaldatasources/same");
    }
    fixture_run(f, script, "loki_labels",
                "{\"datasource\":\"/proxy/projects/shop/datasources/same\"}");
    assert_true(f->failed);
}

#define BOARD(more)                                                                                \
    STR("{\"kind\":\"Dashboard\",\"spec\":{" more                                                  \
        "\"panels\":{\"p\":{\"spec\":{\"queries\":[{\"spec\":{\"plugin\":{"                        \
        "\"kind\":\"PrometheusTimeSeriesQuery\",\"spec\":{\"query\":\"up\",\"datasource\":{"       \
        "\"name\":\"same\"}}}}}]}}}}}")

/* Its dashboard's, its project's, a global one: as Perses finds it; never another project's. */
static void a_panel_s_datasource_is_found_as_perses_finds_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        struct str globals, locals, board;
        const char *datasource;
    } rows[] = {
        {STR("[" NAMED("", "false", "PrometheusDatasource") "]"),
         STR("[" NAMED(",\"project\":\"other\"", "true", "PrometheusDatasource") "]"), BOARD(""),
         "/proxy/globaldatasources/same"},
        {STR("[" NAMED("", "true", "PrometheusDatasource") "]"),
         STR("[" NAMED(",\"project\":\"shop\"", "false", "PrometheusDatasource") "]"), BOARD(""),
         "/proxy/projects/shop/datasources/same"},
        {STR("[]"), STR("[" NAMED(",\"project\":\"other\"", "true", "PrometheusDatasource") "]"),
         BOARD(""), ""},
        {STR("[" NAMED("", "true", "PrometheusDatasource") "]"), STR("[]"),
         BOARD("\"datasources\":{\"same\":{\"plugin\":{\"kind\":\"PrometheusDatasource\",\"spec\":{"
               "\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"http://evil:9\"}}}}}},"),
         "/proxy/projects/shop/dashboards/d/datasources/same"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct answer script[] = {
            {.path = "/api/v1/globaldatasources", .status = 200, .body = rows[i].globals},
            {.path = "/api/v1/datasources", .status = 200, .body = rows[i].locals},
            {.path = "/api/v1/projects/shop/dashboards/d", .status = 200, .body = rows[i].board},
            {.path = "/api/v1/projects/shop/datasources/same",
             .status = 200,
             .body = STR(SPEC("http://evil:9", ""))},
            {.path = "",
             .status = 200,
             .body = STR("{\"status\":\"success\",\"data\":{\"result\":[]}}")},
            {0}};
        f->path_count = 0;
        fixture_tools(f); /* which datasources there are is kept for a minute */
        f->vet = true;    /* each of them that is not global is asked about */
        fixture_run(f, script, "run_panel",
                    "{\"project\":\"shop\",\"dashboard\":\"d\",\"panel\":\"p\"}");
        f->vet = false;
        bool global = strstr(rows[i].datasource, "/proxy/global") != NULL;
        if (strcmp(f->datasource, rows[i].datasource) != 0 ||
            (f->ask_source[0] == '\0') != (global || rows[i].datasource[0] == '\0'))
            fail_msg("%zu: %s %s", i, f->datasource, f->content);
    }
}

static void those_of_the_dashboard_that_the_person_added_are_free(void **state)
{
    struct fixture *f = *state;
    static const char *const added[][2] = {
        {"shop", "d"}, {"shop", "other"}, {"other", "d"}, {"shop", ""}, {"", ""}};
    const struct answer script[] = {
        {.path = "/api/v1/globaldatasources", .status = 200, .body = STR("[]")},
        {.path = "/api/v1/datasources", .status = 200, .body = STR("[]")},
        {.path = "/api/v1/projects/shop/dashboards/d",
         .status = 200,
         .body = BOARD("\"datasources\":{\"same\":{\"plugin\":{\"kind\":\"PrometheusDatasource\","
                       "\"spec\":{\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"http://"
                       "evil:9\"}}}}}},")},
        {.path = "",
         .status = 200,
         .body = STR("{\"status\":\"success\",\"data\":{\"result\":[]}}")},
        {0}};
    f->path_count = 0;
    fixture_tools(f);
    f->vet = true;
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        f->project = added[i][0];
        f->dashboard = added[i][1];
        fixture_run(f, script, "run_panel",
                    "{\"project\":\"shop\",\"dashboard\":\"d\",\"panel\":\"p\"}");
        assert_string_equal(f->datasource, "/proxy/projects/shop/dashboards/d/datasources/same");
        assert_int_equal(f->ask_source[0] == '\0', i == 0);
    }
}

static void a_server_that_can_be_read_in_two_ways_is_not_read(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "http://a\\\\@b/", "http://a b",      "ftp://a",           "//a", "http://", "http:///x",
        "http://a%2f",     "http://\xc3\xa4", "http://a\\u0000.b", ""};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        char text[256];
        struct upstream u;
        snprintf(text, sizeof(text),
                 "{\"plugin\":{\"spec\":{\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"%"
                 "s\"}}}}}",
                 urls[i]);
        json_auto_t *spec = json_loads(text, JSON_ALLOW_NUL, NULL);
        assert_non_null(spec);
        assert_true(upstream_read(spec, &u));
        assert_string_equal(u.server, "");
    }
}

/* Perses looks for the proxy in all of it, in no order, and reads names in any case. */
static void a_definition_that_can_be_read_in_two_ways_is_not_read(void **state)
{
    (void)state;
#define FINE "\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"http://a\"}"
#define OTHER "\"kind\":\"httpproxy\",\"spec\":{\"url\":\"http://b\"}"
    static const struct {
        const char *spec, *server;
    } rows[] = {
        {"\"proxy\":{" FINE "}", "http://a"},
        {"\"proxy\":{" FINE "},\"kind\":\"any\",\"x\":{\"kind\":\"none\"}", "http://a"},
        {"\"proxy\":{" OTHER "}", "http://b"},
        {"\"proxy\":{" FINE "}," OTHER, ""},
        {"\"proxy\":{" FINE "},\"x\":{\"y\":{" OTHER "}}", ""},
        {"\"x\":{" FINE "}", ""},
        {FINE, ""},
        {"\"proxy\":{" FINE ",\"Spec\":{\"url\":\"http://b\"}}", ""},
        {"\"proxy\":{" FINE ",\"\u212aind\":\"none\"}", ""},
        {"\"proxy\":{" FINE "},\"\u212aind\":\"HTTPProxy\"", ""},
        {"\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"http://a\",\"URL\":\"http://b\"}}",
         ""},
        {"\"proxy\":{\"kind\":\"HTTPProxy\",\"spec\":{\"url\":\"http://a\",\"\u017fecret\":\"\"}}",
         ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct upstream u;
        snprintf(text, sizeof(text), "{\"plugin\":{\"spec\":{%s}}}", rows[i].spec);
        json_auto_t *spec = json_loads(text, 0, NULL);
        assert_non_null(spec);
        assert_true(upstream_read(spec, &u));
        assert_string_equal(u.server, rows[i].server);
        assert_false(u.blanks_cookies || u.secret.len > 0);
    }
    json_auto_t *none = json_loads("{\"plugin\":{\"spec\":{\"directUrl\":\"http://a\"}}}", 0, NULL);
    json_auto_t *sql = json_loads("{\"plugin\":{\"spec\":{\"proxy\":{\"kind\":\"SQLProxy\","
                                  "\"spec\":{\"url\":\"http://a\"}}}}}",
                                  0, NULL);
    struct upstream u;
    assert_false(upstream_read(none, &u));
    assert_false(upstream_read(sql, &u));
}

/* proto/golden/invisible.txt is the one list; the plugin has a test of the same. */
static void what_no_eye_sees_is_one_list(void **state)
{
    (void)state;
    static bool listed[0x110000];
    FILE *f = fopen(PERSAI_SOURCE_DIR "/proto/golden/invisible.txt", "r");
    char line[256];
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned first, last;
        int n = sscanf(line, "%x..%x", &first, &last);
        for (unsigned c = first; line[0] != '#' && n > 0 && c <= (n > 1 ? last : first); c++)
            listed[c] = true;
    }
    fclose(f);
    for (unsigned c = 0; c < 0x110000; c++) {
        char b[4];
        size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (c >= 0xd800 && c < 0xe000)
            continue; /* no UTF-8 */
        for (size_t i = len; i-- > 1;)
            b[i] = (char)(0x80 | (c >> 6 * (len - 1 - i) & 0x3f));
        b[0] = (char)(len == 1 ? c : (0xf00u >> len & 0xff) | c >> 6 * (len - 1));
        if (text_hides((struct str){b, len}) != listed[c])
            fail_msg("U+%04X", c);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_that_hands_the_sign_in_on_needs_a_yes),
        T(a_secret_without_a_sign_in_replaces_nothing),
        T(a_yes_is_for_that_server),
        T(picked_global_and_named_ones_are_free),
        T(those_of_the_dashboard_that_the_person_added_are_free),
        T(no_tool_sends_the_sign_in_to_what_nobody_picked),
        T(what_only_looks_like_a_datasource_leads_nowhere),
        T(a_project_s_default_does_not_go_before_a_global_one),
        T(a_panel_s_datasource_is_found_as_perses_finds_it),
        cmocka_unit_test(a_server_that_can_be_read_in_two_ways_is_not_read),
        cmocka_unit_test(a_definition_that_can_be_read_in_two_ways_is_not_read),
        cmocka_unit_test(what_no_eye_sees_is_one_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
