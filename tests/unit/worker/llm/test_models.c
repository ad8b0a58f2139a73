#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "worker/llm/models.h"

static char path[] = "/tmp/test_models_XXXXXX";

static struct models *from_file(const char *text, const char *default_model, char error[256])
{
    memcpy(path + sizeof(path) - 7, "XXXXXX", 7);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    struct models_config c = {.file = path, .default_model = default_model};
    struct models *m = models_new(&c, error);
    unlink(path);
    return m;
}

static void a_file_may_begin_with_a_byte_order_mark(void **state)
{
    (void)state;
    char error[256] = "";
    struct models *m = from_file("\xef\xbb\xbf[{\"provider\":\"openai\",\"model\":\"x\","
                                 "\"base_url\":\"http://h/v1\",\"api\":\"messages\"}]",
                                 NULL, error);
    assert_non_null(m);
    assert_string_equal(models_at(m, 0)->name, "openai/x");
    models_free(m);
    assert_null(from_file("\xff\xfe[", NULL, error));
    assert_non_null(strstr(error, "UTF-16"));
}

static void key_alone_gives_openais_model(void **state)
{
    (void)state;
    char error[256];
    struct secret *key = secret_new(STR("sk-1"));
    struct models_config c = {.providers[PROVIDER_OPENAI].key = key};
    struct models *m = models_new(&c, error);
    assert_non_null(m);
    const struct model *first = models_at(m, 0);
    assert_string_equal(first->name, "openai/gpt-5-mini");
    assert_string_equal(first->id, "gpt-5-mini");
    assert_string_equal(first->base_url, "https://api.openai.com/v1");
    assert_int_equal(first->window_tokens, 400000);
    assert_ptr_equal(models_find(m, STR("")), first);
    assert_null(models_find(m, STR("openai/other")));
    struct buf b;
    buf_init(&b, 1000);
    assert_true(models_json(m, &b));
    assert_string_equal(buf_cstr(&b),
                        "[{\"name\":\"openai/gpt-5-mini\",\"provider\":\"openai\",\"model\":"
                        "\"gpt-5-mini\",\"window\":400000,\"default\":true}]");
    buf_free(&b);
    models_free(m);
    secret_free(key);
}

static void who_chooses_is_told_what_for_and_at_what_price(void **state)
{
    (void)state;
    char error[256] = "";
    struct models *m =
        from_file("[{\"provider\":\"openai\",\"model\":\"x\",\"name\":\"x\","
                  "\"description\":\"quick, \\\"cheap\\\"\",\"price\":{\"input\":0.25,"
                  "\"output\":2}},"
                  "{\"provider\":\"openai\",\"model\":\"y\",\"name\":\"y\","
                  "\"description\":\"\"}]",
                  NULL, error);
    assert_non_null(m);
    struct buf b;
    buf_init(&b, 1000);
    assert_true(models_json(m, &b));
    assert_non_null(strstr(buf_cstr(&b),
                           "\"model\":\"x\",\"description\":\"quick, \\\"cheap\\\"\","
                           "\"price\":{\"input\":0.250,\"output\":2.000},\"window\":"));
    assert_non_null(strstr(buf_cstr(&b), "\"model\":\"y\",\"window\":"));
    buf_free(&b);
    models_free(m);
    static const char *const bad[] = {"7", "[\"a\"]", "null"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "[{\"provider\":\"openai\",\"model\":\"x\",\"description\":%s}]", bad[i]);
        assert_null(from_file(text, NULL, error));
        assert_non_null(strstr(error, "description"));
    }
}

static void base_url_needs_no_key_but_a_model(void **state)
{
    (void)state;
    char error[256];
    struct models_config c = {.providers[PROVIDER_OPENAI].base_url = "http://127.0.0.1:11434/v1/",
                              .default_model = "openai/hf.co/x/llama:8b"};
    struct models *m = models_new(&c, error);
    assert_non_null(m);
    assert_string_equal(models_at(m, 0)->id, "hf.co/x/llama:8b");
    assert_string_equal(models_at(m, 0)->base_url, "http://127.0.0.1:11434/v1");
    assert_null(models_at(m, 0)->key);
    models_free(m);
    c.default_model = NULL;
    assert_null(models_new(&c, error));
    assert_non_null(strstr(error, "PERSAI_DEFAULT_MODEL"));
}

static void nothing_set_or_nonsense_is_a_sentence(void **state)
{
    (void)state;
    char error[256];
    struct models_config c = {0};
    assert_null(models_new(&c, error));
    assert_non_null(strstr(error, "OPENAI_API_KEY"));
    c.default_model = "gpt-5";
    assert_null(models_new(&c, error));
    c.default_model = "nobody/gpt-5";
    assert_null(models_new(&c, error));
    c = (struct models_config){.default_model = "openai/x",
                               .providers[PROVIDER_OPENAI].base_url = "ftp://x"};
    assert_null(models_new(&c, error));
    c = (struct models_config){.file = "/nonexistent/models.json"};
    assert_null(models_new(&c, error));
    assert_non_null(strstr(error, "PERSAI_MODELS"));
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        "[{\"provider\":\"openai\"}]",
        "[{\"provider\":\"nobody\",\"model\":\"x\"}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"base_url\":\"http://\"}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"window\":-1}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"options\":[]}]",
        "[{\"provider\":\"openai\",\"model\":\"x\"},{\"provider\":\"openai\",\"model\":\"x\"}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"key_env\":\"TEST_MODELS_NOT_SET\"}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"key_file\":\"/nonexistent\"}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"basurl\":\"http://h/v1\"}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"limits\":{\"rpm\":1}}]",
        "[{\"provider\":\"openai\",\"model\":\"x\",\"price\":{\"in\":1}}]",
#define X_WITH(more) "[{\"provider\":\"openai\",\"model\":\"x\"," more "}]"
        X_WITH("\"fallbacks\":[\"nobody\"]"),
        X_WITH("\"fallbacks\":[\"openai/x\"]"),
        X_WITH("\"fallbacks\":\"y\""),
        X_WITH("\"offers\":[1]"),
        X_WITH("\"api\":\"soap\""),
        X_WITH("\"api\":\"messages\""),
        X_WITH("\"api\":\"generate\""),
        "[{\"provider\":\"anthropic\",\"model\":\"x\",\"api\":\"chat\"}]",
        "[{\"provider\":\"google\",\"model\":\"x\",\"api\":\"responses\"}]",
        "\xff\xfe[\0",
        "\xef\xbb\xbf[1]",
        X_WITH("\"tools\":\"hammer\""),
        X_WITH("\"headers\":{\"X-A\":\"b\\r\\nX-C: d\"}"),
        X_WITH("\"headers\":{\"Host\":\"b\"}"),
        X_WITH("\"query\":{\"a\":\"b&c=d\"}"),
        X_WITH("\"key_header\":\"a b\""),
        X_WITH("\"price\":{\"input\":-1}"),
        X_WITH("\"limits\":{\"requests_per_minute\":0}"),
        X_WITH("\"base_url\":\"http://h/v1/chat/completions\""),
        X_WITH("\"base_url\":\"https://h/v1/responses/\""),
        X_WITH("\"base_url\":\"https://h/v1/messages\""),
        X_WITH("\"base_url\":\"https://h/v1beta/models/m:streamGenerateContent\""),
        X_WITH("\"base_url\":\"perses:/proxy/globaldatasources/a/v1/chat/completions\""),
        X_WITH("\"base_url\":\"perses:/proxy/unsaved/x\""),
        X_WITH("\"base_url\":\"perses:/proxy/globaldatasources/a/../b\""),
        X_WITH("\"base_url\":\"perses:/proxy/globaldatasources/a/v1?x\""),
        X_WITH("\"base_url\":\"perses:/api/v1/users\""),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error[0] = '\0';
        assert_null(from_file(bad[i], NULL, error));
        assert_true(error[0] != '\0');
    }
}

/* Of whatever is wrong with a model; its word is looked for in it, not in another one. */
static void what_is_wrong_is_said_with_its_line(void **state)
{
    (void)state;
#define FIRST                                                                                      \
    "[\n{\"provider\":\"openai\",\"model\":\"a, [\\\"basurl\"},\n\n {\"provider\":\"openai\",\n"
    static const struct {
        const char *text, *where;
    } cases[] = {
        {FIRST "\"model\":\"b\",\n\"basurl\":\"http://h/v1\"}]",
         ", line 6 (b): \"basurl\" is no field"},
        {FIRST "\"model\":\"b\",\"window\":\"128k\"}]", ", line 4 (b): window"},
        {FIRST "\"model\":\"b\",\"base_url\":\"h:1\"}]", ", line 4 (b): its base_url"},
        {FIRST "\"model\":\"b\",\"key_env\":\"TEST_MODELS_NOT_SET\"}]",
         ", line 4 (b): the variable"},
        {"[\n7]", ", line 2 (): "},
        {"[{\"provider\":\"opnai\",\"model\":\"x\"}]", ", line 1 (x): "},
        /* what was meant */
        {FIRST "\"model\":\"b\",\"basurl\":\"http://h/v1\"}]", "did you mean \"base_url\"?"},
        {FIRST "\"model\":\"b\",\"baseURL\":\"http://h/v1\"}]", "did you mean \"base_url\"?"},
        {FIRST "\"model\":\"b\",\"url\":\"http://h/v1\"}]", "did you mean \"base_url\"?"},
        {FIRST "\"model\":\"b\",\"apiKey\":\"k\"}]", "did you mean \"key_env\"?"},
        {FIRST "\"model\":\"b\",\"max_tokens\":9}]", "did you mean \"max_output_tokens\"?"},
        {FIRST "\"model\":\"b\",\"limits\":{\"concurent\":9}}]", "did you mean \"concurrent\"?"},
        {FIRST "\"model\":\"b\",\"price\":{\"outputs\":9}}]", "did you mean \"output\"?"},
        {FIRST "\"model\":\"b\",\"zzzzzzzzz\":9}]", "\"zzzzzzzzz\" is no field that is known"},
        /* what is no text would be as good as absent: the vendor's own address, no key */
        {FIRST "\"model\":\"b\",\n\"base_url\":[\"http://h/v1\"]}]",
         ", line 6 (b): \"base_url\" must be a text"},
        {FIRST "\"model\":\"b\",\"base_url\":\"\"}]", "\"base_url\" must be a text"},
        {FIRST "\"model\":\"b\",\"base_url\":null}]", "\"base_url\" must be a text"},
        {FIRST "\"model\":\"b\",\"key_env\":7}]", "\"key_env\" must be a text"},
        {FIRST "\"model\":\"b\",\"key_file\":\"\"}]", "\"key_file\" must be a text"},
        {FIRST "\"model\":\"b\",\"key_header\":{}}]", "\"key_header\" must be a text"},
        {FIRST "\"model\":\"b\",\"api\":false}]", "\"api\" must be a text"},
        {FIRST "\"model\":\"b\",\"tools\":[]}]", "\"tools\" must be a text"},
        {FIRST "\"model\":\"b\",\"size\":1}]", "\"size\" must be a text"},
        {FIRST "\"model\":\"b\",\"headers\":[\"X-A: b\"]}]", "\"headers\" must be an object"},
        {FIRST "\"model\":\"b\",\"query\":\"a=b\"}]", "\"query\" must be an object"},
        {FIRST "\"model\":\"b\",\"limits\":9}]", "\"limits\" must be an object"},
        {FIRST "\"model\":\"b\",\"price\":null}]", "\"price\" must be an object"},
        {FIRST "\"model\":\"b\",\"base_url\":\"https://h/v1?api-version=1\"}]", "by \"query\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[256] = "";
        assert_null(from_file(cases[i].text, NULL, error));
        if (!strstr(error, cases[i].where))
            fail_msg("%s: wanted %s", error, cases[i].where);
    }
}

static void file_offers_several_and_the_default_comes_first(void **state)
{
    (void)state;
    char error[256];
    setenv("TEST_MODELS_KEY", "sk-2", 1);
    struct models *m =
        from_file("[{\"provider\":\"openai\",\"model\":\"a\",\"base_url\":\"http://h:1/v1\"},"
                  "{\"name\":\"Big one\",\"provider\":\"openai\",\"model\":\"b\",\"key_env\":"
                  "\"TEST_MODELS_KEY\",\"window\":5000,\"max_output_tokens\":99,\"options\":"
                  "{\"temperature\":0}}]",
                  "Big one", error);
    assert_non_null(m);
    assert_int_equal(models_count(m), 2);
    assert_string_equal(models_at(m, 0)->name, "Big one");
    assert_int_equal(models_at(m, 0)->window_tokens, 5000);
    assert_int_equal(models_at(m, 0)->output_tokens_max, 99);
    assert_string_equal(models_at(m, 0)->options, "{\"temperature\":0}");
    assert_true(str_is(secret_reveal(models_at(m, 0)->key), "sk-2"));
    assert_string_equal(models_find(m, STR("openai/a"))->id, "a");
    models_free(m);
}

static void each_provider_with_a_key_offers_its_usual_model(void **state)
{
    (void)state;
    char error[256];
    struct secret *key = secret_new(STR("sk-1"));
    struct models_config c = {
        .providers = {[PROVIDER_ANTHROPIC].key = key, [PROVIDER_GOOGLE].key = key}};
    struct models *m = models_new(&c, error);
    assert_non_null(m);
    assert_int_equal(models_count(m), 2);
    assert_int_equal(models_at(m, 0)->api, API_MESSAGES);
    assert_int_equal(models_at(m, 1)->api, API_GENERATE);
    assert_string_equal(models_at(m, 0)->base_url, "https://api.anthropic.com");
    assert_int_equal(models_accounts(m), 2);
    models_free(m);
    c.default_model = "google/gemini-9";
    m = models_new(&c, error);
    assert_string_equal(models_at(m, 0)->id, "gemini-9");
    assert_int_equal(models_count(m), 2);
    models_free(m);
    secret_free(key);
}

static void all_that_is_special_about_a_model_is_read(void **state)
{
    (void)state;
    char error[256];
    struct models *m =
        from_file("[{\"name\":\"azure\",\"provider\":\"openai\",\"model\":\"a\",\"base_url\":"
                  "\"https://n.openai.azure.com/openai/deployments/a\",\"query\":{\"api-version\":"
                  "\"2024-10-21\"},\"key_header\":\"api-key\",\"headers\":{\"X-Team\":\"sre\"},"
                  "\"price\":{\"input\":2.5,\"output\":10,\"cached\":1.25},\"bytes_per_token\":2."
                  "75,\"limits\":"
                  "{\"requests_per_minute\":60,\"concurrent\":3},\"fallbacks\":[\"own\"]},"
                  "{\"name\":\"own\",\"provider\":\"openai\",\"model\":\"b\",\"api\":\"responses\","
                  "\"tools\":\"json\",\"offers\":[\"list_metrics\"],\"base_url\":\"perses:/proxy/"
                  "globaldatasources/llm/v1\"},"
                  "{\"name\":\"same\",\"provider\":\"openai\",\"model\":\"c\",\"base_url\":"
                  "\"perses:/proxy/globaldatasources/llm/v1/\"}]",
                  NULL, error);
    assert_non_null(m);
    const struct model *azure = models_at(m, 0), *own = models_at(m, 1), *same = models_at(m, 2);
    assert_string_equal(azure->query, "api-version=2024-10-21");
    assert_string_equal(azure->key_header, "api-key");
    assert_string_equal(azure->headers[0].value, "sre");
    assert_int_equal(azure->requests_per_minute, 60);
    assert_int_equal(azure->concurrent, 3);
    assert_int_equal(token_estimate_ratio(azure->estimate), 275);
    assert_ptr_equal(azure->fallbacks[0], own);
    /* a million tokens of each: dollars, in millionths */
    assert_int_equal(model_cost(azure, 1000000, 1000000, 0), 12500000);
    assert_int_equal(model_cost(azure, 1000000, 0, 400000), 2000000);
    assert_int_equal(token_estimate_ratio(own->estimate), TOKEN_ESTIMATE_USUAL);
    assert_true(own->by_perses && own->json_tools && own->api == API_RESPONSES);
    assert_true(model_offers(own, "list_metrics") && !model_offers(own, "list_rules"));
    assert_true(model_offers(azure, "list_rules"));
    assert_string_equal(own->base_url, "/proxy/globaldatasources/llm/v1");
    assert_int_equal(own->account, same->account); /* one key, one account */
    assert_int_not_equal(own->account, azure->account);
    assert_string_equal(own->key_name, same->key_name);
    bool left;
    assert_ptr_equal(models_choose(m, STR("azure"), 0, &left), azure);
    assert_true(left);
    assert_ptr_equal(models_choose(m, STR("azure"), 1, &left), own);
    assert_false(left);
    models_free(m);
}

static void a_model_is_small_that_says_so_in_its_name(void **state)
{
    static const char *const smalls[] = {"qwen2.5-coder:1.5b", "SmolLM2-135M-Instruct",
                                         "llama3.2:3b",        "qwen3-0.6b-q4",
                                         "gemma-2-2B_it",      "google/gemma-3-4b-it"};
    static const char *const larges[] = {"gpt-5-mini",
                                         "claude-sonnet-5-5",
                                         "llama3.1:8b",
                                         "qwen3-30b-a3b",
                                         "mixtral-8x7b",
                                         "phi-3-mini-128k",
                                         "b",
                                         "4",
                                         "",
                                         "gpt-4.1",
                                         "qwen2.5-72b-4bit",
                                         "o4-mini"};
    (void)state;
    for (size_t i = 0; i < sizeof(smalls) / sizeof(smalls[0]); i++) {
        struct model m;
        model_init(&m, "x", PROVIDER_OPENAI, smalls[i], "http://127.0.0.1:1");
        if (!m.small || !m.json_tools)
            fail_msg("%s", smalls[i]);
        model_free(&m);
    }
    for (size_t i = 0; i < sizeof(larges) / sizeof(larges[0]); i++) {
        struct model m;
        model_init(&m, "x", PROVIDER_OPENAI, larges[i], "http://127.0.0.1:1");
        if (m.small || m.json_tools)
            fail_msg("%s", larges[i]);
        model_free(&m);
    }
}

int main(void)
{
    secret_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_provider_with_a_key_offers_its_usual_model),
        cmocka_unit_test(all_that_is_special_about_a_model_is_read),
        cmocka_unit_test(a_file_may_begin_with_a_byte_order_mark),
        cmocka_unit_test(key_alone_gives_openais_model),
        cmocka_unit_test(who_chooses_is_told_what_for_and_at_what_price),
        cmocka_unit_test(base_url_needs_no_key_but_a_model),
        cmocka_unit_test(nothing_set_or_nonsense_is_a_sentence),
        cmocka_unit_test(a_model_is_small_that_says_so_in_its_name),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
        cmocka_unit_test(file_offers_several_and_the_default_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
