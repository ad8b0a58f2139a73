/* search_docs and read_doc over a folder of the test's own. */
#include "tests/support/tools_fixture.h"

#include <sys/stat.h>
#include <unistd.h>
#include "worker/tools/docs/docs.h"
#include "worker/tools/run.h"

struct world {
    struct fixture *f;
    char folder[64];
};

static void put(const struct world *w, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", w->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool is_ready(void *arg)
{
    struct fixture *f = arg;
    return docs_ready(f->tools->docs);
}

static int setup(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    static const char *const folders[] = {"runbooks", "projects", "projects/shop", "projects/bank"};
    char below[200];
    snprintf(w->folder, sizeof(w->folder), "/tmp/persai-docs-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(below, sizeof(below), "%s/%s", w->folder, folders[i]);
        assert_int_equal(mkdir(below, 0700), 0);
    }
    put(w, "projects/Queues.md", "# All\nThe queues of others are drained by machines.\n");
    put(w, "projects/shop/Full.md", "# Shop\nThe queues of the shop are drained by hand.\n");
    put(w, "projects/bank/Full.md", "# Bank\nThe queues of the bank are drained by nobody.\n");
    put(w, "runbooks/HighLoad.md",
        "# High load\nWhat to do when a node is busy.\n## First steps\n1. Look at node_load1.\n"
        "2. Ask the \xe2\x80\xaeteam\xe2\x80\x8b.\n## Later\nWrite it down.\n");
    put(w, "notes.txt", "The database lives in the cellar. Deploys are on Tuesdays.\n");
    put(w, ".hidden.md", "secretword\n");
    put(w, "data.json", "{\"secretword\":1}\n");
    snprintf(below, sizeof(below), "%s/passwd.md", w->folder);
    assert_int_equal(symlink("/etc/passwd", below), 0);
    w->f = fixture_new();
    w->f->config.docs = w->folder;
    fixture_tools(w->f);
    *state = w;
    assert_true(pump_within(w->f->pump, 20000, is_ready, w->f));
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"runbooks/HighLoad.md",
                                        "notes.txt",
                                        ".hidden.md",
                                        "data.json",
                                        "passwd.md",
                                        "new.md",
                                        "runbooks",
                                        "projects/Queues.md",
                                        "projects/shop/Full.md",
                                        "projects/bank/Full.md",
                                        "projects/shop",
                                        "projects/bank",
                                        "projects"};
    char path[200];
    fixture_free(w->f);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", w->folder, names[i]);
        remove(path);
    }
    assert_int_equal(rmdir(w->folder), 0);
    free(w);
    return 0;
}

static const char *first(struct fixture *f, const char *key)
{
    json_t *found = json_array_get(json_object_get(f->json, "found"), 0);
    const char *text = json_string_value(json_object_get(found, key));
    return text ? text : "";
}

static void documents_are_found_by_words(void **state)
{
    struct fixture *f = ((struct world *)*state)->f;
    fixture_run(f, NULL, "search_docs", "{\"query\":\"what are the first steps for node load?\"}");
    assert_string_equal(first(f, "file"), "runbooks/HighLoad.md");
    assert_string_equal(first(f, "heading"), "High load > First steps");
    assert_non_null(strstr(first(f, "text"), "node_load1"));
    assert_null(strstr(f->content, "\xe2\x80\xae")); /* bidi and zero-width are gone */
    assert_null(strstr(f->content, "\xe2\x80\x8b"));
    fixture_run(f, NULL, "search_docs", "{\"query\":\"deploying\"}"); /* stems */
    assert_string_equal(first(f, "file"), "notes.txt");
    /* neither hidden files, nor others, nor what a link leads to */
    fixture_run(f, NULL, "search_docs", "{\"query\":\"secretword root bash daemon\"}");
    assert_int_equal(json_array_size(json_object_get(f->json, "found")), 0);
    /* nothing in the words is the engine's language */
    fixture_run(f, NULL, "search_docs",
                "{\"query\":\"\\\"NEAR( AND OR NOT * ^ file:notes -{ } ; DROP TABLE sections\"}");
    assert_false(f->failed);
    fixture_run(f, NULL, "search_docs", "{}");
    fixture_expect_error(f, "bad_arguments", "Give words");
}

/* Many keep all of them in one file. */
static void a_runbook_urls_anchor_finds_its_section(void **state)
{
    struct world *w = *state;
    struct fixture *f = w->f;
    fixture_run(f, NULL, "search_docs", "{\"runbook_url\":\"https://x/HighLoad.md#First-steps\"}");
    assert_string_equal(first(f, "heading"), "High load > First steps");
    assert_null(strstr(f->content, "when a node is busy"));
    fixture_run(f, NULL, "search_docs", "{\"runbook_url\":\"highload.md#later\"}");
    assert_string_equal(first(f, "heading"), "High load > Later");
    fixture_run(f, NULL, "search_docs", "{\"runbook_url\":\"https://x/highload.md#nowhere\"}");
    assert_string_equal(first(f, "heading"), "High load");
}

static void a_runbook_url_finds_its_document(void **state)
{
    struct fixture *f = ((struct world *)*state)->f;
    fixture_run(f, NULL, "search_docs",
                "{\"runbook_url\":\"https://wiki.example/rb/highload.html?x=1#first\"}");
    assert_string_equal(first(f, "file"), "runbooks/HighLoad.md");
    assert_non_null(strstr(f->content, "\"is_the_runbook\":true"));
    fixture_run(f, NULL, "search_docs", "{\"runbook_url\":\"https://x/%\"}");
    assert_int_equal(json_array_size(json_object_get(f->json, "found")), 0);
}

static unsigned found(const struct fixture *f, const char *file)
{
    size_t i;
    json_t *one;
    unsigned count = 0;
    json_array_foreach(json_object_get(f->json, "found"), i, one) count +=
        strcmp(json_string_value(json_object_get(one, "file")), file) == 0;
    return count;
}

/* Who may see them: the person reads shop and bank, nothing else. */
static const struct answer may_read[] = {{"/api/v1/projects/shop", 200, STR("{}"), .method = "GET"},
                                         {"/api/v1/projects/bank", 200, STR("{}"), .method = "GET"},
                                         {0}};

static bool is_asked(void *arg) { return ((struct fixture *)arg)->asked_count > 0; }

/* The fixture's conversation has a datasource of the project shop. */
static void a_project_s_documents_are_for_its_conversations(void **state)
{
    struct fixture *f = ((struct world *)*state)->f;
    fixture_run(f, may_read, "search_docs", "{\"query\":\"how are queues drained\"}");
    assert_string_equal(first(f, "file"), "projects/shop/Full.md"); /* before everybody's */
    assert_int_equal(found(f, "projects/Queues.md"), 1);
    assert_int_equal(found(f, "projects/bank/Full.md"), 0);
    fixture_run(f, may_read, "read_doc", "{\"file\":\"projects/bank/Full.md\"}");
    fixture_expect_error(f, "no_document", "no such document");
    fixture_run(f, may_read, "search_docs", "{\"runbook_url\":\"https://x/Full\"}");
    assert_int_equal(json_array_size(json_object_get(f->json, "found")), 1);
    assert_string_equal(first(f, "file"), "projects/shop/Full.md");
    /* A dashboard counts as well. */
    f->project = "bank";
    fixture_run(f, may_read, "search_docs", "{\"query\":\"how are queues drained\"}");
    assert_int_equal(found(f, "projects/bank/Full.md"), 1);
    fixture_run(f, may_read, "read_doc", "{\"file\":\"projects/bank/Full.md\"}");
    assert_non_null(strstr(fixture_text(f, "text"), "by nobody"));
    f->project = "|bank|";
    fixture_run(f, may_read, "read_doc", "{\"file\":\"projects/bank/Full.md\"}");
    fixture_expect_error(f, "no_document", "no such document");
}

static void a_project_s_documents_are_for_those_who_may_read_it(void **state)
{
    struct fixture *f = ((struct world *)*state)->f;
    static const struct answer forbidden[] = {
        {.path = "/shop", .status = 403, .body = STR("{\"error\":\"no\"}")},
        {.path = "/bank", .status = 404, .body = STR("{}")},
        {0}};
    static const struct answer expired[] = {{.path = "/shop", .status = 401, .body = STR("{}")},
                                            {0}};
    static const struct answer broken[] = {{.path = "/shop", .status = 500, .body = STR("{}")},
                                           {0}};
    static const struct answer silent[] = {{.path = "/shop", .status = 0, .body = STR("")}, {0}};
    f->project = "bank";
    fixture_run(f, forbidden, "search_docs", "{\"query\":\"how are queues drained\"}");
    assert_int_equal(f->asked_count, 2);
    assert_string_equal(f->asked[0].authorization, "Bearer canary-token");
    assert_int_equal(found(f, "projects/Queues.md"), 1);
    assert_int_equal(found(f, "projects/shop/Full.md") + found(f, "projects/bank/Full.md"), 0);
    fixture_run(f, forbidden, "read_doc", "{\"file\":\"projects/shop/Full.md\"}");
    fixture_expect_error(f, "no_document", "no such document");
    f->project = NULL;
    fixture_run(f, expired, "search_docs", "{\"query\":\"queues\"}");
    fixture_expect_error(f, "unauthorized", "Perses");
    assert_true(f->unauthorized); /* it may be run again with a fresh token */
    fixture_run(f, broken, "search_docs", "{\"query\":\"queues\"}");
    fixture_expect_error(f, "unavailable", "Perses");
    f->script = silent;
    tool_cancel(fixture_start(f, "search_docs", "{\"query\":\"queues\"}"));
    struct tool_run *run = fixture_start(f, "search_docs", "{\"query\":\"queues\"}");
    f->asked_count = 0;
    assert_true(pump_within(f->pump, 20000, is_asked, f));
    tool_cancel(run); /* while Perses is asked */
}

static void a_document_is_read_whole_or_by_heading(void **state)
{
    struct fixture *f = ((struct world *)*state)->f;
    fixture_run(f, NULL, "read_doc", "{\"file\":\"runbooks/HighLoad.md\"}");
    assert_string_equal(fixture_text(f, "text"),
                        "# High load\nWhat to do when a node is busy.\n## First steps\n"
                        "1. Look at node_load1.\n2. Ask the team.\n## Later\nWrite it down.\n");
    fixture_run(f, NULL, "read_doc",
                "{\"file\":\"runbooks/HighLoad.md\",\"heading\":\"first STEPS\",\"from_line\":5}");
    assert_string_equal(fixture_text(f, "text"), "2. Ask the team.\n");
    fixture_run(f, NULL, "read_doc", "{\"file\":\"../../etc/passwd\"}");
    fixture_expect_error(f, "no_document", "no such document");
    fixture_run(f, NULL, "read_doc", "{\"file\":\"notes.txt\",\"heading\":\"x\"}");
    fixture_expect_error(f, "no_heading", "no such heading");
}

static bool finds_new(void *arg)
{
    struct fixture *f = arg;
    if (f->done == 0)
        return false;
    if (strcmp(first(f, "file"), "new.md") == 0)
        return true;
    docs_look(f->tools->docs);
    f->done = 0;
    f->asked_count = 0; /* each asks Perses, and there are many until a busy thread has read all */
    fixture_start(f, "search_docs", "{\"query\":\"zebra\"}");
    return false;
}

static void what_changed_is_read_again(void **state)
{
    struct world *w = *state;
    fixture_run(w->f, NULL, "search_docs", "{\"query\":\"zebra\"}");
    assert_int_equal(json_array_size(json_object_get(w->f->json, "found")), 0);
    put(w, "new.md", "# Zebras\nA zebra is no horse.\n");
    assert_true(pump_within(w->f->pump, 20000, finds_new, w->f));
}

static void a_long_document_is_paged(void **state)
{
    struct world *w = *state;
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 1; i <= 3000; i++)
        buf_printf(&b, "line %d of zebra text\n", i);
    put(w, "new.md", buf_cstr(&b));
    buf_free(&b);
    fixture_run(w->f, NULL, "search_docs", "{\"query\":\"zebra\"}");
    assert_true(pump_within(w->f->pump, 20000, finds_new, w->f));
    json_int_t from = 1;
    int pages = 0, lines = 0;
    while (from > 0) {
        char arguments[100];
        snprintf(arguments, sizeof(arguments), "{\"file\":\"new.md\",\"from_line\":%lld}",
                 (long long)from);
        fixture_run(w->f, NULL, "read_doc", arguments);
        assert_false(w->f->failed);
        for (const char *c = fixture_text(w->f, "text"); (c = strchr(c, '\n')) != NULL; c++)
            lines++;
        from = json_integer_value(json_object_get(w->f->json, "next_line"));
        assert_true(++pages < 20);
    }
    assert_int_equal(lines, 3000);
    /* one that is given up while a thread is at it */
    tool_cancel(fixture_start(w->f, "search_docs", "{\"query\":\"zebra\"}"));
}

static void without_a_folder_it_is_said(void **state)
{
    struct fixture *f = ((struct world *)*state)->f;
    f->config.docs = NULL;
    fixture_tools(f);
    fixture_run(f, NULL, "search_docs", "{\"query\":\"x\"}");
    fixture_expect_error(f, "no_documents", "no documents");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(documents_are_found_by_words),
        T(a_runbook_url_finds_its_document),
        T(a_runbook_urls_anchor_finds_its_section),
        T(a_project_s_documents_are_for_its_conversations),
        T(a_project_s_documents_are_for_those_who_may_read_it),
        T(a_document_is_read_whole_or_by_heading),
        T(what_changed_is_read_again),
        T(a_long_document_is_paged),
        T(without_a_folder_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
