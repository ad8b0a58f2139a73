/* Ids and names of earlier calls as each API takes them; parameters that a server refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/llm/llm.h"
#include "worker/llm/history.h"
#include "worker/llm/learned.h"

static struct model model(enum model_api api, const char *id)
{
    return (struct model){.api = api,
                          .name = (char *)"m",
                          .id = (char *)id,
                          .base_url = (char *)"http://h/v1",
                          .output_tokens_max = 4096};
}

#define LONG_ID "chatcmpl-tool-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void ids_are_what_the_api_takes_the_same_each_time_and_no_two_alike(void **state)
{
    static const char *const originals[] = {
        "functions.list_metrics:0", "",      "call_ok",  "call_ok",
        "toolu_01ABCdef-x",         LONG_ID, "abcdefghi"};
    enum { COUNT = sizeof(originals) / sizeof(originals[0]) };
    static const struct {
        enum model_api api;
        const char *id;
        size_t least, most;
    } rows[] = {{API_CHAT, "gpt", 1, 40},
                {API_RESPONSES, "gpt", 1, 64},
                {API_MESSAGES, "claude", 1, 64},
                {API_CHAT, "mistral-large", 9, 9}};
    (void)state;
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        struct record_call calls[COUNT];
        struct prompt_item items[2 * COUNT];
        for (unsigned i = 0; i < COUNT; i++) {
            calls[i] = (struct record_call){str_of(originals[i]), STR("t"), STR("{}")};
            items[2 * i] = (struct prompt_item){
                .kind = PROMPT_ASSISTANT, .calls = &calls[i], .call_count = 1, .message = i + 1};
            items[2 * i + 1] =
                (struct prompt_item){.kind = PROMPT_RESULT, .call_id = calls[i].call_id};
        }
        struct prompt p = {.items = items, .count = 2 * COUNT};
        struct model m = model(rows[row].api, rows[row].id);
        struct llm_request r = {.model = &m, .prompt = &p};
        struct history a, b;
        history_init(&a, &r);
        history_init(&b, &r);
        for (unsigned i = 0; i < COUNT; i++) {
            struct str id = history_call_id(&a, 2 * i, 0);
            assert_true(str_eq(id, history_result_id(&a, 2 * i + 1)));
            assert_true(str_eq(id, history_call_id(&b, 2 * i, 0)));
            assert_in_range(id.len, rows[row].least, rows[row].most);
            for (size_t n = 0; n < id.len; n++)
                assert_non_null(strchr(
                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", id.at[n]));
            for (unsigned j = 0; j < i; j++)
                assert_false(str_eq(id, history_call_id(&a, 2 * j, 0)));
        }
        if (rows[row].most > 9)
            assert_true(str_is(history_call_id(&a, 4, 0), "call_ok"));
        assert_true(str_is(history_call_id(&a, 12, 0), "abcdefghi"));
        history_free(&a);
        history_free(&b);
    }
}

static void thoughts_are_the_models_own_only_at_the_same_place(void **state)
{
    (void)state;
    struct model m = model(API_CHAT, "x"), elsewhere = m, other = model(API_MESSAGES, "x");
    char a[HISTORY_MAKER + 1], b[HISTORY_MAKER + 1], c[HISTORY_MAKER + 1];
    elsewhere.base_url = (char *)"http://other/v1";
    history_maker(&m, a);
    history_maker(&elsewhere, b);
    history_maker(&other, c);
    assert_string_not_equal(a, b);
    assert_string_not_equal(a, c);
}

struct lesson {
    enum model_api api;
    const char *words, *body, *after; /* NULL: nothing is learned */
};

static void teach(const struct lesson *l)
{
    struct learned learned = {.refused = 0};
    struct model m = model(l->api, "x");
    const char *what;
    m.learned = &learned;
    scoped_buf(body, 4096);
    buf_puts(&body, l->body);
    assert_int_equal(learned_from(&m, str_of(l->words), &body, &what), l->after != NULL);
    assert_string_equal(buf_cstr(&body), l->after ? l->after : l->body);
    buf_clear(&body);
    buf_puts(&body, l->body);
    if (learned.refused != 0 || learned.plain_content || learned.no_nulls) {
        learned_apply(&m, &body); /* the next request is without it from the start */
        assert_string_equal(buf_cstr(&body), l->after);
    }
}

static void a_limit_is_forgotten_after_an_hour(void **state)
{
    (void)state;
    enum { HOUR = 3600 * 1000 };
    struct learned learned = {0};
    struct model m = model(API_CHAT, "x");
    const char *what;
    m.learned = &learned;
    for (int64_t at = 1; at < 3 * HOUR; at += HOUR) {
        scoped_buf(body, 256);
        buf_puts(&body, "{\"max_tokens\":4096}");
        learned_age(&m, at);
        assert_int_equal(learned_output_max(&m, 4096), 4096);
        assert_true(learned_from(&m, STR("max_tokens must be at most 1024"), &body, &what));
        learned_age(&m, at);
        learned_age(&m, at + HOUR - 1);
        assert_int_equal(learned_output_max(&m, 4096), 1024);
    }
}

static void numbers_that_are_no_limit_teach_none(void **state)
{
    static const struct lesson rows[] = {
        /* the least that goes, the error's code, a person's words */
        {API_CHAT,
         "{\"error\":{\"message\":\"`max_tokens` must be greater than `thinking.budget_tokens`, "
         "which is 1024\",\"code\":400}}",
         "{\"max_tokens\":4096}", NULL},
        {API_CHAT,
         "{\"error\":{\"message\":\"Invalid value for 'messages[1].content' (see also "
         "max_tokens).\",\"code\":400,\"status\": \"422\"}}",
         "{\"max_tokens\":4096}", NULL},
        {API_CHAT,
         "{\"message\":\"Error code: 400 - max_tokens: Input should be a valid integer "
         "[type=int_type, input_value='please set max_tokens to 17', input_type=str]\"}",
         "{\"max_tokens\":4096}", NULL},
        {API_CHAT,
         "{\"detail\":[{\"type\":\"less_than_equal\",\"loc\":[\"body\",\"max_tokens\"],"
         "\"msg\":\"Input should be less than or equal to 2048\",\"input\":3000,"
         "\"ctx\":{\"le\":2048}}]}",
         "{\"max_tokens\":4096}", "{\"max_tokens\":2048}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        teach(&rows[i]);
}

static void refusals_teach_what_to_leave_out(void **state)
{
    static const struct lesson rows[] = {
        {API_CHAT,
         "{\"message\":\"Unsupported parameter: 'max_tokens' is not supported with this model "
         "gpt-5-2025. Use 'max_completion_tokens' instead.\"}",
         "{\"max_tokens\":4096}", "{\"max_completion_tokens\":4096}"},
        {API_CHAT,
         "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"max_completion_tokens\"],"
         "\"msg\":\"Extra inputs are not permitted\"}]}",
         "{\"max_completion_tokens\":4096}", "{\"max_tokens\":4096}"},
        {API_CHAT,
         "{\"message\":\"Invalid max_tokens value, the valid range of max_tokens is [1, 2048]\"}",
         "{\"max_tokens\":4096}", "{\"max_tokens\":2048}"},
        {API_CHAT, "{\"message\":\"max_tokens is too large: 20,000. At most 16,384, as of 2026\"}",
         "{\"max_tokens\":20000}", "{\"max_tokens\":16384}"},
        {API_CHAT, "{\"message\":\"max_tokens must be one of [128,256,512]\"}",
         "{\"max_tokens\":20000}", "{\"max_tokens\":512}"},
        {API_MESSAGES,
         "{\"message\":\"max_tokens: 4096 > 3000, which is the maximum allowed number of output "
         "tokens for claude-3-5\"}",
         "{\"max_tokens\":4096}", "{\"max_tokens\":3000}"},
        {API_GENERATE, /* Vertex: what is exclusive is one too many */
         "{\"message\":\"Unable to submit request because it has a maxOutputTokens value of 65536 "
         "but "
         "the supported range is from 1 (inclusive) to 8193 (exclusive). Update the value and try "
         "again.\"}",
         "{\"generationConfig\":{\"maxOutputTokens\":65536}}",
         "{\"generationConfig\":{\"maxOutputTokens\":8192}}"},
        {API_CHAT, /* the same of a gateway, and Bedrock's two behind one */
         "{\"message\":\"it has a maxOutputTokens value of 65536 but the supported range is from 1 "
         "(inclusive) to 8193 (exclusive).\"}",
         "{\"max_tokens\":65536}", "{\"max_tokens\":8192}"},
        {API_CHAT,
         "{\"message\":\"The maximum tokens you requested exceeds the model limit of 4096. Try "
         "again "
         "with a maximum tokens value that is lower than 4096.\"}",
         "{\"max_tokens\":8192}", "{\"max_tokens\":4096}"},
        {API_CHAT,
         "{\"message\":\"1 validation error detected: Value at 'inferenceConfig.maxTokens' failed "
         "to "
         "satisfy constraint: Member must have value less than or equal to 5000\"}",
         "{\"max_completion_tokens\":8192}", "{\"max_completion_tokens\":5000}"},
        {API_CHAT, "{\"message\":\"'temperature' does not support 0.5\",\"param\":\"temperature\"}",
         "{\"temperature\":0.5,\"model\":\"m\"}", "{\"model\":\"m\"}"},
        {API_CHAT, "{\"message\":\"property 'parallel_tool_calls' is unsupported\"}",
         "{\"a\":1,\"parallel_tool_calls\":true}", "{\"a\":1}"},
        {API_GENERATE,
         "{\"message\":\"Unknown name \\\"thinkingConfig\\\" at 'generation_config'\"}",
         "{\"generationConfig\":{\"thinkingConfig\":{},\"a\":1}}",
         "{\"generationConfig\":{\"a\":1}}"},
        {API_CHAT, "{\"message\":\"messages.1: property 'reasoning_content' is unsupported\"}",
         "{\"messages\":[{\"reasoning_content\":\"x\",\"role\":\"assistant\"}]}",
         "{\"messages\":[{\"role\":\"assistant\"}]}"},
        {API_CHAT,
         "{\"message\":\"The reasoning_content in the thinking mode must be passed back\"}",
         "{\"messages\":[{\"tool_calls\":[]}]}",
         "{\"messages\":[{\"tool_calls\":[],\"reasoning_content\":\"\"}]}"},
        {API_MESSAGES,
         "{\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block\"}",
         "{\"thinking\":{},\"messages\":[{\"content\":[{\"type\":\"thinking\"},{\"type\":\"text\"}]"
         "}]}",
         "{\"messages\":[{\"content\":[{\"type\":\"text\"}]}]}"},
        {API_MESSAGES, /* DeepSeek, of a turn that another model began */
         "{\"message\":\"The `content[].thinking` in the thinking mode must be passed back to the "
         "API.\"}",
         "{\"output_config\":{},\"messages\":[]}",
         "{\"messages\":[],\"thinking\":{\"type\":\"disabled\"}}"},
        {API_MESSAGES, "{\"message\":\"thinking must be passed back\"}",
         "{\"thinking\":{\"type\":\"disabled\"},\"messages\":[]}", NULL},
        {API_CHAT, "{\"message\":\"The text you sent makes no sense, stop it\"}",
         "{\"stop\":[],\"text\":{}}", NULL},
        {API_CHAT, "{\"message\":\"temperature is wrong\"}",
         "{\"messages\":[{\"tool_calls\":[{\"arguments\":{\"temperature\":1}}]}]}", NULL},
        {API_CHAT, "{\"message\":\"no such model\"}", "{\"model\":\"m\",\"max_tokens\":1}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        teach(&rows[i]);
}

#define THOUGHT                                                                                    \
    "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"Hm.\"}]}]"
#define THOUGHT_AND_TEXT                                                                           \
    "{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"Hm.\"}]},"   \
    "{\"type\":\"text\",\"text\":\"So.\"}]}"

static void thoughts_in_parts_that_a_server_refuses_are_not_sent_to_it_again(void **state)
{
    static const struct lesson rows[] = {
        {API_CHAT,
         "{\"detail\":[{\"type\":\"union_tag_invalid\",\"loc\":[\"body\",\"messages\",2,"
         "\"assistant\","
         "\"content\",0],\"msg\":\"Input tag 'thinking' found using 'type' does not match\"}]}",
         "{\"thinking\":1,\"messages\":[" THOUGHT ",\"tool_calls\":[]}," THOUGHT_AND_TEXT "]}",
         "{\"messages\":[" THOUGHT ",\"tool_calls\":[]}," THOUGHT_AND_TEXT "]}"},
        {API_CHAT, "{\"message\":\"Thinking is not enabled for this model\"}",
         "{\"messages\":[" THOUGHT ",\"tool_calls\":[]}," THOUGHT_AND_TEXT
         ",{\"content\":\"Hm\"}]}",
         "{\"messages\":[{\"content\":null,\"tool_calls\":[]},{\"content\":\"So.\"},"
         "{\"content\":\"Hm\"}]}"},
        {API_CHAT, "{\"detail\":[{\"msg\":\"Input should be a valid string\"}]}",
         "{\"messages\":[" THOUGHT_AND_TEXT "]}", "{\"messages\":[{\"content\":\"So.\"}]}"},
        {API_CHAT, "{\"message\":\"Thinking is not enabled for this model\"}",
         "{\"messages\":[{\"content\":\"So.\"}]}", NULL},
        {API_CHAT, "{\"message\":\"The content was filtered\"}",
         "{\"messages\":[" THOUGHT_AND_TEXT "]}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        teach(&rows[i]);
}

#define NULLS                                                                                      \
    "{\"messages\":[{\"content\":\"Q\"},{\"content\":null,\"tool_calls\":[]},{\"content\":\"R\"}]" \
    "}"
#define NO_NULLS                                                                                   \
    "{\"messages\":[{\"content\":\"Q\"},{\"content\":\"\",\"tool_calls\":[]},{\"content\":\"R\"}]" \
    "}"

static void a_content_of_null_that_a_server_refuses_is_an_empty_text(void **state)
{
    static const struct lesson rows[] = {
        {API_CHAT, /* LM Studio */
         "{\"error\":\"Invalid 'content': 'content' field must be a string or an array of "
         "objects.\"}",
         NULLS, NO_NULLS},
        {API_CHAT, "{\"message\":\"messages[1].content must be a string or an object (was null)\"}",
         NULLS, NO_NULLS},
        {API_CHAT,
         "{\"detail\":[{\"loc\":[\"body\",\"messages\",1,\"content\"],\"msg\":\"none is not an "
         "allowed "
         "value\"}]}",
         NULLS, NO_NULLS},
        {API_CHAT, "{\"message\":\"Messages token length must be in (0, 1048576], but got 0\"}",
         NULLS, NO_NULLS},
        {API_CHAT, "{\"message\":\"The content was filtered\",\"param\":null}", NULLS, NULL},
        {API_CHAT, "{\"message\":\"content must be a string\"}", NO_NULLS, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        teach(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_what_the_api_takes_the_same_each_time_and_no_two_alike),
        cmocka_unit_test(thoughts_are_the_models_own_only_at_the_same_place),
        cmocka_unit_test(refusals_teach_what_to_leave_out),
        cmocka_unit_test(numbers_that_are_no_limit_teach_none),
        cmocka_unit_test(a_limit_is_forgotten_after_an_hour),
        cmocka_unit_test(thoughts_in_parts_that_a_server_refuses_are_not_sent_to_it_again),
        cmocka_unit_test(a_content_of_null_that_a_server_refuses_is_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
