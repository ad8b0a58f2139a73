/* The quick reader of a stream's chunks says what the JSON library says, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include "worker/llm/delta.h"

static bool quick(const char *json, size_t len, char *out)
{
    struct buf scratch;
    struct str text;
    buf_init(&scratch, 4096);
    char *exact = malloc(len ? len : 1); /* a read past the end is seen by the sanitizer */
    memcpy(exact, json, len);
    bool known = delta_text(DELTA_CHAT, (struct str){exact, len}, &scratch, &text);
    if (known) {
        memcpy(out, text.at, text.len);
        out[text.len] = '\0';
    }
    free(exact);
    buf_free(&scratch);
    return known;
}

#define HEAD                                                                                       \
    "{\"id\":\"c-1\",\"object\":\"chat.completion.chunk\",\"created\":1764000000,\"model\":\"m\","
#define TEXT(json)                                                                                 \
    HEAD "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" json                                \
         "\"},\"logprobs\":null,\"finish_reason\":null}]}"

static void plain_text_is_read(void **state)
{
    static const struct {
        const char *json, *text;
    } rows[] = {
        {TEXT(" pods"), " pods"},
        {TEXT(""), ""},
        {TEXT("a\\n\\\"b\\\\\\/\\t\\r\\b\\f"), "a\n\"b\\/\t\r\b\f"},
        {TEXT("\xc3\xa9 \xf0\x9f\x98\x80"), "\xc3\xa9 \xf0\x9f\x98\x80"},
        {TEXT("\\u00e9\\u00E9 \\ud83d\\ude00\\n"), "\xc3\xa9\xc3\xa9 \xf0\x9f\x98\x80\n"},
        {TEXT("\\u8d1f\\u8f7d"), "\xe8\xb4\x9f\xe8\xbd\xbd"},
        {HEAD
         "\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":null,"
         "\"refusal\":null},\"index\":0,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":"
         "{\"a\":[1,true,false,{}]}}",
         "x"},
        {" { \"choices\" : [ { \"delta\" : { \"content\" : \"y\" } } ] } ", "y"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256];
        assert_true(quick(rows[i].json, strlen(rows[i].json), text));
        assert_string_equal(text, rows[i].text);
    }
}

static void what_means_more_is_left_to_the_library(void **state)
{
    static const char *const rows[] = {
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":null}}]}",
        HEAD "\"choices\":[{\"delta\":{}}]}",
        HEAD "\"choices\":[]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\"}},{\"delta\":{\"content\":\"y\"}}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":[{\"text\":\"x\"}]}}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\",\"tool_calls\":[{\"index\":0}]}}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\",\"reasoning\":\"r\"}}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\",\"content\":\"y\"}}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\"},\"delta\":{\"content\":\"y\"}}]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"choices\":[]}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"usage\":{\"prompt_tokens\":1}}",
        HEAD "\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"error\":{\"message\":\"no\"}}",
        TEXT("\\ud83d"),
        TEXT("\\ud83dx"),
        TEXT("\\ud83d\\n"),
        TEXT("\\ud83d\\u0041"),
        TEXT("\\ude00"),
        TEXT("\\u0000"),
        TEXT("\\u00g9"),
        TEXT("\\u00e"),
        TEXT("\xff"),
        TEXT("\xc3"),
        TEXT("a\nb"),
        TEXT("\\x"),
        TEXT("x") "}",
        "[" TEXT("x") "]",
        "",
        "{",
        "{}",
        "null",
        "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}",
        "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"a\":01}",
        "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],\"a\":}",
        "{\"choices\":[{\"delta\":{\"content\":\"x\"}}],}",
    };
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (quick(rows[i], strlen(rows[i]), text))
            fail_msg("taken as \"%s\": %s", text, rows[i]);
}

/* The library's text of a chunk; NULL: it is none. */
static const char *slow(const json_t *root)
{
    json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    return json_string_value(json_object_get(json_object_get(choice, "delta"), "content"));
}

static void any_byte_cut_or_changed_is_read_as_the_library_does(void **state)
{
    static const char json[] = TEXT("a\\n b\xc3\xa9\\u00e9\\ud83d\\ude00");
    static const char others[] = "\"\\{}[],:0dCnug \xc3\x01";
    size_t taken = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(json) - 1; i++) {
        char text[256], changed[sizeof(json)];
        assert_false(quick(json, i, text));
        for (size_t k = 0; k < sizeof(others) - 1; k++) {
            memcpy(changed, json, sizeof(json));
            changed[i] = others[k];
            if (!quick(changed, sizeof(json) - 1, text))
                continue;
            json_t *root = json_loadb(changed, sizeof(json) - 1, JSON_ALLOW_NUL, NULL);
            assert_non_null(root);
            assert_non_null(slow(root));
            assert_string_equal(slow(root), text);
            json_decref(root);
            taken++;
        }
    }
    assert_true(taken > 100); /* letters of the model's name, for example, may be anything */
}

/* The other formats: what the quick reader takes, and what it must leave. */
static void each_format_has_its_shape(void **state)
{
    static const struct {
        enum delta_shape shape;
        const char *json, *text; /* NULL: not for it */
    } rows[] = {
#define M(type, delta) "{\"type\":\"" type "\",\"index\":0,\"delta\":{" delta "}}"
        {DELTA_MESSAGES, M("content_block_delta", "\"type\":\"text_delta\",\"text\":\"a\\n\""),
         "a\n"},
        {DELTA_MESSAGES, M("content_block_delta", "\"text\":\"a\",\"type\":\"text_delta\""), "a"},
        {DELTA_MESSAGES, M("content_block_delta", "\"text\":\"a\""), NULL},
        {DELTA_MESSAGES, M("content_block_delta", "\"type\":\"thinking_delta\",\"text\":\"a\""),
         NULL},
        {DELTA_MESSAGES, M("message_delta", "\"type\":\"text_delta\",\"text\":\"a\""), NULL},
        {DELTA_MESSAGES, "{\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}", NULL},
        {DELTA_MESSAGES, "{\"type\":\"ping\"}", NULL},
#define R(type, more)                                                                              \
    "{\"type\":\"" type "\",\"output_index\":0,\"delta\":\"a\",\"logprobs\":[]" more "}"
        {DELTA_RESPONSES, R("response.output_text.delta", ""), "a"},
        {DELTA_RESPONSES, R("response.output_text.delta", ",\"obfuscation\":\"x\""), "a"},
        {DELTA_RESPONSES, R("response.output_text.delta", ",\"error\":{}"), NULL},
        {DELTA_RESPONSES, R("response.output_text.delta", ",\"delta\":\"b\""), NULL},
        {DELTA_RESPONSES, R("response.function_call_arguments.delta", ""), NULL},
        {DELTA_RESPONSES, "{\"delta\":\"a\"}", NULL},
#define G(part, more)                                                                              \
    "{\"candidates\":[{\"content\":{\"parts\":[{" part "}],\"role\":\"model\"},\"index\":0" more   \
    "}],\"usageMetadata\":{\"promptTokenCount\":5}}"
        {DELTA_GENERATE, G("\"text\":\"a\"", ""), "a"},
        {DELTA_GENERATE, G("\"text\":\"a\"", ",\"finishReason\":\"STOP\""), NULL},
        {DELTA_GENERATE, G("\"text\":\"a\"", ",\"finish_reason\":\"STOP\""), NULL},
        {DELTA_GENERATE, G("\"text\":\"a\",\"thought\":true", ""), NULL},
        {DELTA_GENERATE, G("\"text\":\"a\"},{\"text\":\"b\"", ""), NULL},
        {DELTA_GENERATE, G("\"functionCall\":{}", ""), NULL},
        {DELTA_GENERATE, G("\"function_call\":{}", ""), NULL},
        {DELTA_GENERATE, "{\"prompt_feedback\":{}," G("\"text\":\"a\"", "") "}", NULL},
        {DELTA_GENERATE, "{\"error\":{\"code\":503}}", NULL},
        {DELTA_GENERATE, "{\"usageMetadata\":{}}", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct buf scratch;
        struct str text;
        buf_init(&scratch, 4096);
        bool known = delta_text(rows[i].shape, str_of(rows[i].json), &scratch, &text);
        assert_int_equal(known, rows[i].text != NULL);
        if (known)
            assert_true(str_is(text, rows[i].text));
        buf_free(&scratch);
    }
}

#define END(choices, usage) HEAD "\"choices\":[" choices "]" usage "}"
#define STOP "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}"
#define USAGE ",\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34,\"total_tokens\":46"

static bool quick_end(const char *json, size_t len, struct delta_end *end, char reason[512])
{
    char *exact = malloc(len ? len : 1);
    memcpy(exact, json, len);
    bool known = delta_chat_end((struct str){exact, len}, end);
    if (known)
        snprintf(reason, 512, "%.*s", (int)end->reason.len, end->reason.at);
    free(exact);
    return known;
}

static void ends_are_read(void **state)
{
    static const struct {
        const char *json, *reason;
        bool counted;
        uint64_t input, output, cached;
    } rows[] = {
        {END(STOP, ""), "stop", false, 0, 0, 0},
        {END(STOP, ",\"usage\":null"), "stop", false, 0, 0, 0},
        {END("", USAGE "}"), "", true, 12, 34, 0},
        {END(STOP, USAGE ",\"prompt_tokens_details\":{\"cached_tokens\":8,\"audio_tokens\":0},"
                         "\"completion_tokens_details\":{\"reasoning_tokens\":3}}"),
         "stop", true, 12, 34, 8},
        {END("{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":null},\"finish_"
             "reason"
             "\":\"length\",\"stop_reason\":null}",
             ",\"obfuscation\":\"x\""),
         "length", false, 0, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct delta_end end;
        char reason[512];
        assert_true(quick_end(rows[i].json, strlen(rows[i].json), &end, reason));
        assert_string_equal(reason, rows[i].reason);
        assert_int_equal(end.counted, rows[i].counted);
        assert_int_equal(end.input_tokens, rows[i].input);
        assert_int_equal(end.output_tokens, rows[i].output);
        assert_int_equal(end.cached_tokens, rows[i].cached);
    }
}

static void ends_that_say_more_are_left_to_the_library(void **state)
{
    static const char *const rows[] = {
        "",
        "{}",
        HEAD "\"usage\":null}",
        END(STOP "," STOP, ""),
        END(STOP, ",\"choices\":[]"),
        END("{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}", ""),
        END("{\"delta\":{\"tool_calls\":[]},\"finish_reason\":\"stop\"}", ""),
        END("{\"delta\":{},\"finish_reason\":\"stop\",\"usage\":{\"prompt_tokens\":1}}", ""),
        END("{\"delta\":{},\"finish_reason\":\"stop\",\"error\":{\"code\":1}}", ""),
        END("{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}", ""),
        END("{\"finish_reason\":\"sto\\u0070\"}", ""),
        END(STOP, ",\"x_groq\":{\"usage\":{}}"),
        END(STOP, ",\"error\":{\"message\":\"no\"}"),
        END(STOP, ",\"type\":\"error\""),
        END(STOP, ",\"object\":\"error\""),
        END(STOP, USAGE ",\"input_tokens\":3}"),
        END(STOP, USAGE ",\"cached_tokens\":3}"),
        END(STOP, USAGE ",\"prompt_tokens\":3}"),
        END(STOP, USAGE "},\"usage\":null"),
        END(STOP, ",\"base_resp\":{\"status_code\":1004}"),
        END("", ",\"usage\":{\"prompt_tokens\":1.5}"),
        END("", ",\"usage\":{\"prompt_tokens\":99999999999}"),
        END("", ",\"usage\":{\"prompt_tokens\":\"12\"}"),
        END(STOP, "") "x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct delta_end end;
        char reason[512];
        if (quick_end(rows[i], strlen(rows[i]), &end, reason))
            fail_msg("%s", rows[i]);
    }
}

static void same_end(const char *json, size_t len)
{
    struct delta_end end;
    char reason[512];
    if (!quick_end(json, len, &end, reason))
        return;
    json_t *root = json_loadb(json, len, JSON_ALLOW_NUL, NULL), *usage;
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const char *said = json_string_value(json_object_get(choice, "finish_reason"));
    usage = json_object_get(root, "usage");
    assert_non_null(root);
    assert_string_equal(reason, said ? said : "");
    assert_int_equal(end.counted, json_is_object(usage));
    assert_int_equal(end.input_tokens, json_integer_value(json_object_get(usage, "prompt_tokens")));
    assert_int_equal(end.output_tokens,
                     json_integer_value(json_object_get(usage, "completion_tokens")));
    assert_int_equal(end.cached_tokens,
                     json_integer_value(json_object_get(
                         json_object_get(usage, "prompt_tokens_details"), "cached_tokens")));
    json_decref(root);
}

static void any_byte_of_an_end_is_read_as_the_library_does(void **state)
{
    static const char whole[] = END("{\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}",
                                    USAGE ",\"prompt_tokens_details\":{\"cached_tokens\":8}}");
    static const char bytes[] = "\"\\{}[]:,0 1a.e-\n\xc3\xa9";
    char text[sizeof(whole)];
    (void)state;
    for (size_t i = 0; i < sizeof(whole) - 1; i++) {
        same_end(whole, i);
        for (size_t k = 0; k < sizeof(bytes); k++) {
            memcpy(text, whole, sizeof(whole));
            text[i] = bytes[k];
            same_end(text, sizeof(whole) - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_format_has_its_shape),
        cmocka_unit_test(plain_text_is_read),
        cmocka_unit_test(what_means_more_is_left_to_the_library),
        cmocka_unit_test(ends_are_read),
        cmocka_unit_test(ends_that_say_more_are_left_to_the_library),
        cmocka_unit_test(any_byte_of_an_end_is_read_as_the_library_does),
        cmocka_unit_test(any_byte_cut_or_changed_is_read_as_the_library_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
