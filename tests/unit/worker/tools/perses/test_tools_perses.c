/* save_panel and what is drafted against a scripted Perses: what it is asked, what is written, and
 * that doing it twice is doing it once. */
#include "tests/support/tools_fixture.h"

#include "proto/record.h"

#define PATH "/api/v1/projects/shop/dashboards/board"
#define ARGS "{\"project\":\"shop\",\"dashboard\":\"board\",\"title\":\"T\",\"query\":\"up\"}"
#define META "\"kind\":\"Dashboard\",\"metadata\":{\"name\":\"board\",\"version\":7}"
#define EMPTY "{" META ",\"spec\":{\"duration\":\"1h\",\"panels\":{},\"layouts\":[]}}"
#define WRITTEN "{\"metadata\":{\"version\":8}}"

static int setup(void **state)
{
    struct fixture *f = fixture_new();
    f->approval = APPROVAL_GIVEN;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

static const char *key_of(const char *call_id)
{
    static char key[32];
    char turn[ID_TEXT + 1], hash[RECORD_HASH_TEXT + 1];
    id_text((struct id){{0}}, turn);
    record_hash(str_of(turn), str_of(call_id), hash);
    snprintf(key, sizeof(key), "persai-%.16s", hash);
    return key;
}

/* The dashboard that the nth request wrote. */
static json_t *written(const struct fixture *f, unsigned nth)
{
    assert_true(nth < f->asked_count);
    assert_string_equal(f->asked[nth].method, "PUT");
    json_t *dashboard = json_loads(f->asked[nth].body, 0, NULL);
    assert_non_null(dashboard);
    return dashboard;
}

static json_t *at(json_t *v, const char *path)
{
    struct str rest = str_of(path), name;
    while (v && str_split(&rest, '.', &name)) {
        char key[64];
        uint64_t index = 0;
        snprintf(key, sizeof(key), "%.*s", (int)name.len, name.at);
        str_u64(name, 100, &index);
        v = json_is_array(v) ? json_array_get(v, (size_t)index) : json_object_get(v, key);
    }
    if (!v)
        fail_msg("there is no %s", path);
    return v;
}

static const char *text_at(json_t *v, const char *path) { return json_string_value(at(v, path)); }

/* They are added up: more than a number holds is no place. */
static void numbers_of_a_dashboard_are_anybody_s(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = PATH,
         .status = 200,
         .method = "GET",
         .body = STR("{" META ",\"spec\":{\"duration\":\"1h\",\"panels\":{},\"layouts\":["
                     "{\"kind\":\"Grid\",\"spec\":{\"items\":[{\"x\":0,\"y\":-4,\"height\":1},"
                     "{\"x\":0,\"y\":9223372036854775807,\"width\":12,"
                     "\"height\":9223372036854775807}]}}]}}")},
        {.path = PATH, .status = 200, .method = "PUT", .body = STR(WRITTEN)},
        {0}};
    fixture_run(f, script, "save_panel", ARGS);
    assert_string_equal(fixture_text(f, "kind"), "panel_saved");
    json_t *d = written(f, 1);
    assert_int_equal(json_integer_value(at(d, "spec.layouts.0.spec.items.2.y")), 2000000);
    json_decref(d);
}

static void panel_goes_below_what_is_there(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = PATH,
         .status = 200,
         .method = "GET",
         .body = STR("{" META ",\"spec\":{\"duration\":\"6h\",\"extra\":[1,0.5,null],"
                     "\"panels\":{\"a\":{\"kind\":\"Panel\"}},\"layouts\":["
                     "{\"kind\":\"Grid\",\"spec\":{\"display\":{\"title\":\"CPU\"},\"items\":["
                     "{\"x\":0,\"y\":4,\"width\":12,\"height\":6}]}},"
                     "{\"kind\":\"Grid\",\"spec\":{\"items\":null}},"
                     "{\"kind\":\"Tabs\",\"spec\":{}}]}}")},
        {.path = PATH, .status = 200, .method = "PUT", .body = STR(WRITTEN)},
        {0}};
    fixture_run(f, script, "save_panel",
                "{\"project\":\"shop\",\"dashboard\":\"board\",\"title\":\"T\",\"query\":\"up\","
                "\"kind\":\"StatChart\",\"unit\":\"bytes\",\"group\":\"CPU\",\"description\":\"d\","
                "\"datasource\":\"other\"}");
    assert_false(f->failed);
    assert_string_equal(fixture_text(f, "panel"), key_of("c1"));
    assert_string_equal(fixture_text(f, "kind"), "panel_saved");
    assert_int_equal(f->asked_count, 2);
    assert_string_equal(f->asked[0].authorization, "Bearer canary-token");
    assert_string_equal(f->asked[1].authorization, "Bearer canary-token");
    json_t *d = written(f, 1);
    char path[96];
    assert_int_equal(json_integer_value(at(d, "metadata.version")), 7);
    assert_string_equal(text_at(d, "spec.duration"), "6h");
    assert_int_equal(json_array_size(at(d, "spec.extra")), 3);
    at(d, "spec.panels.a");
    assert_int_equal(json_integer_value(at(d, "spec.layouts.0.spec.items.1.y")), 10);
    snprintf(path, sizeof(path), "#/spec/panels/%s", key_of("c1"));
    assert_string_equal(text_at(d, "spec.layouts.0.spec.items.1.content.$ref"), path);
    assert_int_equal(json_array_size(at(d, "spec.layouts")), 3);
    json_t *panel = json_object_get(at(d, "spec.panels"), key_of("c1"));
    assert_string_equal(text_at(panel, "spec.display.description"), "d");
    assert_string_equal(text_at(panel, "spec.plugin.kind"), "StatChart");
    assert_string_equal(text_at(panel, "spec.plugin.spec.format.unit"), "bytes");
    assert_string_equal(text_at(panel, "spec.queries.0.spec.plugin.spec.query"), "up");
    assert_string_equal(text_at(panel, "spec.queries.0.spec.plugin.spec.datasource.name"), "other");
    json_decref(d);
}

static void place_is_made_where_there_is_none(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = PATH,
         .status = 200,
         .method = "GET",
         .body = STR("{" META ",\"spec\":{\"panels\":null,\"layouts\":null}}")},
        {.path = PATH, .status = 200, .method = "PUT", .body = STR(WRITTEN)},
        {0}};
    fixture_run(f, script, "save_panel", ARGS);
    json_t *d = written(f, 1);
    assert_string_equal(text_at(d, "spec.layouts.0.kind"), "Grid");
    assert_int_equal(json_array_size(at(d, "spec.layouts.0.spec.items")), 1);
    assert_int_equal(json_object_size(at(d, "spec.panels")), 1);
    json_decref(d);
}

static void without_a_yes_nothing_is_changed(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {{.path = PATH, .status = 200, .body = STR(EMPTY)},
                                    {.path = "/api/validate/dashboards", .status = 200},
                                    {0}};
    f->approval = APPROVAL_NONE;
    fixture_run(f, script, "save_panel", ARGS);
    fixture_expect_error(f, "not_approved", "not approved");
    assert_int_equal(f->asked_count, 2); /* read and checked */
    f->approval = APPROVAL_REFUSED;
    fixture_run(f, NULL, "save_panel", ARGS);
    fixture_expect_error(f, "refused_by_person", "said no");
    assert_int_equal(f->asked_count, 0);
    assert_true(tools_asks(f->tools, STR("save_panel"), STR(ARGS)));
    assert_false(tools_asks(f->tools, STR("save_panel"), STR("{}")));
    assert_false(tools_asks(f->tools, STR("list_metrics"), STR("{}")));
    assert_false(tools_asks(f->tools, STR("nothing"), STR("{}")));
}

/* What a dashboard with our panel looks like. */
static struct str saved(const char *call_id)
{
    static char text[256];
    int len = snprintf(text, sizeof(text), "{" META ",\"spec\":{\"panels\":{\"%s\":{}}}}",
                       key_of(call_id));
    return (struct str){text, (size_t)len};
}

static void panel_that_is_there_is_not_written_again(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {{.path = PATH, .status = 200, .body = saved("c1")}, {0}};
    fixture_run(f, script, "save_panel", ARGS);
    assert_false(f->failed);
    assert_true(json_is_true(json_object_get(f->json, "already")));
    assert_int_equal(f->asked_count, 1);
}

static void write_whose_answer_was_lost_is_looked_up(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = PATH, .status = 200, .nth = 1, .body = STR(EMPTY)},
        {.path = PATH, .status = 502, .nth = 2, .body = STR("bad gateway")},
        {.path = PATH, .status = 200, .nth = 3, .body = saved("c1")},
        {0}};
    fixture_run(f, script, "save_panel", ARGS);
    assert_false(f->failed);
    assert_null(json_object_get(f->json, "already"));
    assert_int_equal(f->asked_count, 3);
}

static void conflict_is_read_and_applied_again(void **state)
{
    struct fixture *f = *state;
    const struct answer again[] = {
        {.path = PATH, .status = 200, .method = "GET", .body = STR(EMPTY)},
        {.path = PATH, .status = 409, .nth = 2, .body = STR("{}")},
        {.path = PATH, .status = 200, .nth = 4, .body = STR(WRITTEN)},
        {0}};
    fixture_run(f, again, "save_panel", ARGS);
    assert_false(f->failed);
    assert_int_equal(f->asked_count, 4);
    const struct answer never[] = {
        {.path = PATH, .status = 200, .method = "GET", .body = STR(EMPTY)},
        {.path = PATH, .status = 409, .method = "PUT", .body = STR("{}")},
        {0}};
    fixture_run(f, never, "save_panel", ARGS);
    fixture_expect_error(f, "conflict", "keeps changing");
    assert_int_equal(f->asked_count, 8);
}

static void overtaken_write_is_told(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = PATH, .status = 200, .method = "GET", .body = STR(EMPTY)},
        {.path = PATH,
         .status = 200,
         .method = "PUT",
         .body = STR("{\"metadata\":{\"version\":9}}")},
        {0}};
    fixture_run(f, script, "save_panel", ARGS);
    assert_non_null(strstr(fixture_text(f, "note"), "Somebody else"));
}

static void refusals_are_told(void **state)
{
    struct fixture *f = *state;
    static const struct {
        unsigned get, put;
        const char *code, *part;
    } rows[] = {{401, 0, "unauthorized", "401"},
                {403, 0, "forbidden", "may not read"},
                {404, 0, "not_found", "no such"},
                {400, 0, "not_found", "no such"},
                {500, 0, "unavailable", "500"},
                {200, 401, "unauthorized", "401"},
                {200, 403, "forbidden", "may not change"},
                {200, 400, "refused", "It said: why"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str body = rows[i].get == 200 ? STR(EMPTY) : STR("{\"message\":\"why\"}");
        const struct answer script[] = {
            {.path = PATH, .status = rows[i].get, .method = "GET", .body = body},
            {.path = PATH,
             .status = rows[i].put,
             .method = "PUT",
             .body = STR("{\"message\":\"why\"}")},
            {0}};
        fixture_run(f, script, "save_panel", ARGS);
        fixture_expect_error(f, rows[i].code, rows[i].part);
        assert_int_equal(f->unauthorized, strcmp(rows[i].code, "unauthorized") == 0);
    }
}

static void nonsense_is_no_dashboard(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {
        "", "null", "[]", "{\"spec\":[]}", "<html>", "{\"spec\":{}", "{\"kind\":\"Dashboard\"}"};
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        const struct answer script[] = {{.path = PATH, .status = 200, .body = str_of(bodies[i])},
                                        {0}};
        fixture_run(f, script, "save_panel", ARGS);
        fixture_expect_error(f, "broken", "no dashboard");
        assert_int_equal(f->asked_count, 1);
    }
}

static void names_can_not_leave_the_path(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"..", ".", "a/b", "a%2fb", "a?b", "a#b", "a b", "a\\\\b"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char args[256];
        snprintf(args, sizeof(args),
                 "{\"project\":\"shop\",\"dashboard\":\"%s\",\"title\":\"T\",\"query\":\"up\"}",
                 names[i]);
        fixture_run(f, NULL, "save_panel", args);
        fixture_expect_error(f, "bad_arguments", "names");
        snprintf(args, sizeof(args),
                 "{\"project\":\"%s\",\"dashboard\":\"board\",\"title\":\"T\",\"query\":\"up\"}",
                 names[i]);
        fixture_run(f, NULL, "save_panel", args);
        fixture_expect_error(f, "bad_arguments", "names");
        assert_int_equal(f->asked_count, 0);
    }
}

static bool asked_twice(void *arg) { return ((struct fixture *)arg)->asked_count >= 2; }
static bool done_twice(void *arg) { return ((struct fixture *)arg)->done >= 2; }

/* The second waits for the first; one of another dashboard does not; a cancel lets it go. */
static void saves_of_one_dashboard_do_not_overlap(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = "/board", .status = 0, .nth = 1, .body = STR("")}, /* the first hangs */
        {.path = "/other", .status = 404, .body = STR("{}")},
        {.path = "/board", .status = 404, .body = STR("{}")},
        {0}};
    f->script = script;
    f->done = f->asked_count = 0;
    struct tool_run *first = fixture_start(f, "save_panel", ARGS);
    f->call_id = "c2";
    fixture_start(f, "save_panel", ARGS);
    fixture_start(
        f, "save_panel",
        "{\"project\":\"shop\",\"dashboard\":\"other\",\"title\":\"T\",\"query\":\"up\"}");
    assert_true(pump_within(f->pump, 20000, fixture_is_done, f));
    assert_true(asked_twice(f));
    assert_int_equal(f->asked_count, 2);
    tool_cancel(first);
    assert_true(pump_within(f->pump, 20000, done_twice, f));
    assert_int_equal(f->asked_count, 3);
    assert_string_equal(f->asked[2].path, PATH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- what is drafted ---- */

#define CHECK_PATH "/api/validate/dashboards"
#define BOARDS "/api/v1/projects/shop/dashboards"
#define NEW                                                                                        \
    "{\"project\":\"shop\",\"title\":\"Shop: its CPU!\",\"duration\":\"6h\",\"panels\":["          \
    "{\"title\":\"A\",\"query\":\"sum(rate(cpu[5m]))\",\"group\":\"CPU\"},"                        \
    "{\"title\":\"B\",\"query\":\"up\",\"kind\":\"StatChart\",\"unit\":\"bytes\",\"group\":"       \
    "\"CPU\"},"                                                                                    \
    "{\"title\":\"C\",\"query\":\"up\",\"group\":\"Other\"}]}"

static void a_panel_is_proposed_not_saved(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {{.path = CHECK_PATH, .status = 200, .method = "POST"}, {0}};
    fixture_run(f, script, "propose_panel",
                "{\"title\":\"CPU\",\"query\":\"sum(rate(cpu[5m]))\",\"kind\":\"StatChart\"}");
    assert_int_equal(f->asked_count, 1);
    json_t *panel = at(f->json, "panel");
    assert_string_equal(text_at(panel, "spec.plugin.kind"), "StatChart");
    assert_string_equal(text_at(panel, "spec.plugin.spec.calculation"), "last-number");
    assert_string_equal(text_at(panel, "spec.queries.0.spec.plugin.spec.datasource.name"), "prom");
    assert_true(json_is_true(at(f->json, "checked")));
    assert_string_equal(text_at(panel, "spec.plugin.spec.format.unit"), "decimal");
    fixture_run(f, script, "propose_panel",
                "{\"title\":\"Load\",\"query\":\"node_load1\",\"kind\":\"GaugeChart\"}");
    panel = at(f->json, "panel"); /* a gauge without a unit is a percentage to Perses */
    assert_string_equal(text_at(panel, "spec.plugin.spec.format.unit"), "decimal");
    fixture_run(
        f, script, "propose_panel",
        "{\"title\":\"Load\",\"query\":\"x\",\"kind\":\"GaugeChart\",\"unit\":\"percent\"}");
    assert_string_equal(text_at(at(f->json, "panel"), "spec.plugin.spec.format.unit"), "percent");
    fixture_run(f, NULL, "propose_panel", "{\"title\":\"x\",\"query\":\"sum(up\"}");
    fixture_expect_error(f, "query_refused", "no closing )");
}

static void what_perses_refuses_is_not_proposed(void **state)
{
    struct fixture *f = *state;
    const char *args = "{\"title\":\"CPU\",\"query\":\"up\",\"kind\":\"StatChart\"}";
    const struct answer refuses[] = {
        {.path = CHECK_PATH, .status = 400, .body = STR("{\"message\":\"no StatChart here\"}")},
        {0}};
    fixture_run(f, refuses, "propose_panel", args);
    fixture_expect_error(f, "refused", "no StatChart here");
    const struct answer old[] = {{.path = CHECK_PATH, .status = 404}, {0}};
    fixture_run(f, old, "propose_panel", args);
    assert_false(f->failed);
    assert_true(json_is_false(at(f->json, "checked")));
    const struct answer signed_out[] = {{.path = CHECK_PATH, .status = 401}, {0}};
    fixture_run(f, signed_out, "propose_panel", args);
    fixture_expect_error(f, "unauthorized", "401");
    assert_true(f->unauthorized);
}

static void a_dashboard_is_proposed_whole(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {{.path = CHECK_PATH, .status = 200, .method = "POST"}, {0}};
    fixture_run(f, script, "propose_dashboard", NEW);
    assert_false(f->failed);
    json_t *d = at(f->json, "dashboard");
    assert_string_equal(text_at(d, "metadata.name"), "Shop_its_CPU");
    assert_string_equal(text_at(d, "spec.display.name"), "Shop: its CPU!");
    assert_string_equal(text_at(d, "spec.duration"), "6h");
    assert_int_equal(json_object_size(at(d, "spec.panels")), 3);
    assert_int_equal(json_array_size(at(d, "spec.layouts")), 2);
    assert_int_equal(json_integer_value(at(d, "spec.layouts.0.spec.items.1.x")), 12);
    assert_int_equal(json_integer_value(at(d, "spec.layouts.0.spec.items.1.y")), 0);
    assert_string_equal(text_at(d, "spec.layouts.1.spec.display.title"), "Other");
    json_t *asked = json_loads(f->asked[0].body, 0, NULL);
    assert_true(json_equal(asked, d));
    json_decref(asked);
}

static void a_dashboard_is_made_once(void **state)
{
    struct fixture *f = *state;
    char there[256];
    const struct answer fine[] = {{.path = BOARDS, .status = 200, .method = "POST"}, {0}};
    fixture_run(f, fine, "save_dashboard", NEW);
    assert_false(f->failed);
    assert_string_equal(fixture_text(f, "dashboard"), "Shop_its_CPU");
    assert_int_equal(json_integer_value(at(f->json, "panels")), 3);
    snprintf(there, sizeof(there), "{\"spec\":{\"panels\":{\"%s-1\":{}}}}", key_of("c1"));
    const struct answer again[] = {
        {.path = BOARDS, .status = 409, .method = "POST"},
        {.path = BOARDS "/Shop_its_CPU", .status = 200, .method = "GET", .body = str_of(there)},
        {0}};
    fixture_run(f, again, "save_dashboard", NEW);
    assert_false(f->failed);
    assert_true(json_is_true(at(f->json, "already")));
}

static void somebodys_dashboard_stays_as_it_is(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {{.path = BOARDS, .status = 409, .method = "POST"},
                                    {.path = BOARDS "/Shop_its_CPU",
                                     .status = 200,
                                     .method = "GET",
                                     .body = STR("{\"spec\":{\"panels\":{\"mine\":{}}}}")},
                                    {0}};
    fixture_run(f, script, "save_dashboard", NEW);
    fixture_expect_error(f, "exists", "was not changed");
    assert_int_equal(f->asked_count, 2);
}

static void a_lost_answer_is_looked_after(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {
        {.path = BOARDS, .status = 502, .method = "POST", .nth = 1},
        {.path = BOARDS "/Shop_its_CPU", .status = 404, .method = "GET"},
        {.path = BOARDS, .status = 200, .method = "POST"},
        {0}};
    fixture_run(f, script, "save_dashboard", NEW);
    assert_false(f->failed);
    assert_int_equal(f->asked_count, 3);
    const struct answer never[] = {{.path = BOARDS, .status = 502, .method = "POST"},
                                   {.path = BOARDS "/Shop_its_CPU", .status = 404, .method = "GET"},
                                   {0}};
    fixture_run(f, never, "save_dashboard", NEW);
    assert_true(f->failed);
    assert_int_equal(f->asked_count, 8);
}

static void a_new_dashboard_needs_a_yes_and_the_right(void **state)
{
    struct fixture *f = *state;
    const struct answer script[] = {{.path = BOARDS, .status = 403, .method = "POST"}, {0}};
    fixture_run(f, script, "save_dashboard", NEW);
    fixture_expect_error(f, "forbidden", "may not change");
    const struct answer fine[] = {
        {.path = "/api/v1/projects/shop", .status = 200, .body = STR("{}")},
        {.path = "/api/validate/dashboards", .status = 200, .method = "POST"},
        {0}};
    const struct answer refused[] = {
        {.path = "/api/v1/projects/shop", .status = 200, .body = STR("{}")},
        {.path = "/api/validate/dashboards", .status = 400, .method = "POST"},
        {0}};
    f->approval = APPROVAL_NONE;
    fixture_run(f, fine, "save_dashboard", NEW);
    fixture_expect_error(f, "not_approved", "not done");
    assert_int_equal(f->asked_count, 3); /* the project, the name, the definition: all read */
    fixture_run(f, refused, "save_dashboard", NEW);
    fixture_expect_error(f, "refused", "plugins");
    fixture_run(f, NULL, "save_dashboard", NEW);
    fixture_expect_error(f, "not_found", "no such project");
    f->vet = true; /* what can't be done is not asked about */
    fixture_run(f, fine, "save_dashboard", NEW);
    assert_int_equal(f->ask, ASK_CALL);
    fixture_run(f, refused, "save_dashboard", NEW);
    assert_int_equal(f->ask, ASK_NOTHING);
    fixture_run(f, fine, "save_panel", ARGS);
    assert_int_equal(f->ask, ASK_NOTHING);
}

static void what_is_saved_is_guarded_as_what_runs(void **state)
{
    struct fixture *f = *state;
    fixture_run(f, NULL, "save_panel",
                "{\"project\":\"shop\",\"dashboard\":\"board\",\"title\":\"T\",\"query\":\"{}\"}");
    fixture_expect_error(f, "query_refused", "");
    fixture_run(f, NULL, "save_dashboard",
                "{\"project\":\"shop\",\"title\":\"T\",\"panels\":[{\"title\":\"a\",\"query\":"
                "\"{__name__=~\\\".+\\\"}\"}]}");
    fixture_expect_error(f, "query_refused", "");
    assert_int_equal(f->asked_count, 0);
}

static void what_the_person_could_not_see_is_not_asked(void **state)
{
    struct fixture *f = *state;
    static const char *const hidden[] = {"\\u200b", "\\u00ad", "\\udb40\\udc41", "\\ufe0f",
                                         "\\u3164", "\\u202e", "\\u2067",        "\\u0000"};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        char args[256];
        snprintf(
            args, sizeof(args),
            "{\"project\":\"shop\",\"dashboard\":\"board\",\"title\":\"T%s\",\"query\":\"up\"}",
            hidden[i]);
        assert_false(tools_asks(f->tools, STR("save_panel"), str_of(args)));
        fixture_run(f, NULL, "save_panel", args);
        fixture_expect_error(f, "bad_arguments", "");
        assert_int_equal(f->asked_count, 0);
    }
}

static void the_arguments_that_are_asked_are_the_fitted_ones(void **state)
{
    struct fixture *f = *state;
    scoped_buf(b, 4096);
    scoped_buf(again, 4096);
    assert_true(tools_fit(f->tools, STR("save_panel"),
                          STR("{ \"project\":\"shop\",\"dashboard\":\"board\",\"title\":7,"
                              "\"query\":\"up\",\"unit\":null}"),
                          &b));
    assert_string_equal(
        buf_cstr(&b),
        "{\"project\":\"shop\",\"dashboard\":\"board\",\"title\":\"7\",\"query\":\"up\"}");
    assert_true(tools_fit(f->tools, STR("save_panel"), buf_str(&b), &again));
    assert_true(str_eq(buf_str(&b), buf_str(&again)));
    assert_false(tools_fit(f->tools, STR("list_metrics"), STR("{}"), &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(panel_goes_below_what_is_there),
        TEST(numbers_of_a_dashboard_are_anybody_s),
        TEST(place_is_made_where_there_is_none),
        TEST(without_a_yes_nothing_is_changed),
        TEST(panel_that_is_there_is_not_written_again),
        TEST(write_whose_answer_was_lost_is_looked_up),
        TEST(conflict_is_read_and_applied_again),
        TEST(overtaken_write_is_told),
        TEST(refusals_are_told),
        TEST(nonsense_is_no_dashboard),
        TEST(names_can_not_leave_the_path),
        TEST(saves_of_one_dashboard_do_not_overlap),
        TEST(a_panel_is_proposed_not_saved),
        TEST(what_perses_refuses_is_not_proposed),
        TEST(a_dashboard_is_proposed_whole),
        TEST(a_dashboard_is_made_once),
        TEST(somebodys_dashboard_stays_as_it_is),
        TEST(a_lost_answer_is_looked_after),
        TEST(a_new_dashboard_needs_a_yes_and_the_right),
        TEST(what_is_saved_is_guarded_as_what_runs),
        TEST(what_the_person_could_not_see_is_not_asked),
        TEST(the_arguments_that_are_asked_are_the_fitted_ones),
    };
    return cmocka_run_group_tests_name("worker/tools/perses", tests, NULL, NULL);
}
