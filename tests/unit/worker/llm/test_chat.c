/* The Chat Completions format: requests as text, streams fed at once and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "worker/llm/llm.h"
#include "common/sse.h"

struct heard {
    struct reply reply;
    enum err err;
    char told[4096];
};

static void tell(struct heard *h, const char *what, struct str text)
{
    size_t len = strlen(h->told);
    snprintf(h->told + len, sizeof(h->told) - len, "%s(%.*s)", what, (int)text.len, text.at);
}
static void on_text(void *arg, struct str text) { tell(arg, "", text); }
static void on_reasoning(void *arg, struct str text) { tell(arg, "r", text); }
static const struct reply_handler handler = {on_text, on_reasoning, NULL};

static bool on_event(void *arg, struct str name, struct str data)
{
    struct heard *h = arg;
    h->err = llm_chat.event(&h->reply, name, data);
    return h->err == ERR_NONE && !h->reply.ended;
}

static void hear(struct heard *h, const char *stream, size_t piece, uint64_t max)
{
    memset(h, 0, sizeof(*h));
    reply_init(&h->reply, max, &handler, h);
    struct sse s;
    sse_init(&s, 1 << 16, on_event, h);
    size_t len = strlen(stream);
    for (size_t at = 0; at < len; at += piece)
        if (sse_feed(&s, (struct str){stream + at, len - at < piece ? len - at : piece}) !=
            SSE_MORE)
            break;
    sse_free(&s);
    if (h->err == ERR_NONE)
        h->err = reply_end(&h->reply, 3);
}

/* Each stream must read the same at every split. check is called for each. */
static void each_split(const char *stream, enum err err, void (*check)(struct heard *))
{
    for (size_t piece = 1; piece <= strlen(stream); piece++) {
        struct heard h;
        hear(&h, stream, piece, 1 << 20);
        assert_int_equal(h.err, err);
        if (check)
            check(&h);
        reply_free(&h.reply);
    }
}

static void is_hello(struct heard *h)
{
    assert_string_equal(h->told, "(Hel)(lo \xF0\x9F\x9F\xA2)");
    assert_string_equal(buf_cstr(&h->reply.content), "Hello \xF0\x9F\x9F\xA2");
    assert_string_equal(h->reply.stop_reason, "stop");
    assert_int_equal(h->reply.input_tokens, 12);
    assert_int_equal(h->reply.output_tokens, 34);
    assert_int_equal(h->reply.call_count, 0);
}

static void text_usage_and_stop_reason_are_read_at_any_split(void **state)
{
    (void)state;
    each_split(
        "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
        "\"content\":null},\"finish_reason\":null}],\"usage\":null}\n\n"
        ": keep-alive\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}],\"timings\":{\"a\":1}}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":\"lo \\ud83d\\udfe2\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}\n\n"
        "data: [DONE]\n\n",
        ERR_NONE, is_hello);
}

static void missing_done_is_fine_after_a_finish_reason(void **state)
{
    (void)state;
    each_split("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\r\n\r\n"
               "data: {\"choices\":[{\"delta\":{\"content\":\"lo \\ud83d\\udfe2\"},"
               "\"finish_reason\":\"stop\"}],"
               "\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}\r\n\r\n",
               ERR_NONE, is_hello);
}

static void two_calls(struct heard *h)
{
    assert_int_equal(h->reply.call_count, 2);
    assert_string_equal(h->reply.calls[0].call_id, "a");
    assert_string_equal(h->reply.calls[0].tool_name, "list_metrics");
    assert_string_equal(buf_cstr(&h->reply.calls[0].arguments), "{\"search\":\"cpu\"}");
    assert_string_equal(h->reply.calls[1].call_id, "b");
    assert_string_equal(h->reply.calls[1].tool_name, "list_label_values");
    assert_string_equal(buf_cstr(&h->reply.calls[1].arguments), "{\"label\":\"job\"}");
    assert_string_equal(h->reply.stop_reason, "tool_calls");
}

#define CALL(index, more)                                                                          \
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{" index more "}]}}]}\n\n"
#define FINISH                                                                                     \
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"

static void parallel_tool_calls_are_put_together_by_index(void **state)
{
    (void)state;
    each_split(
        CALL("\"index\":0,", "\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":"
                             "\"list_metrics\",\"arguments\":\"\"}")
            CALL("\"index\":1,", "\"id\":\"b\",\"function\":{\"name\":\"list_label_values\","
                                 "\"arguments\":\"{\\\"la\"}")
                CALL("\"index\":0,", "\"function\":{\"arguments\":\"{\\\"search\\\":\\\"c\"}")
                    CALL("\"index\":1,", "\"function\":{\"arguments\":\"bel\\\":\\\"job\\\"}\"}")
                        CALL("\"index\":0,", "\"function\":{\"arguments\":\"pu\\\"}\"}") FINISH,
        ERR_NONE, two_calls);
}

static void tool_calls_without_index_are_put_together_by_id_or_order(void **state)
{
    (void)state;
    each_split(CALL("", "\"id\":\"a\",\"function\":{\"name\":\"list_metrics\",\"arguments\":"
                        "\"{\\\"search\\\":\"}")
                   CALL("", "\"function\":{\"arguments\":\"\\\"cpu\\\"}\"}")
                       CALL("", "\"id\":\"b\",\"function\":{\"name\":\"list_label_values\","
                                "\"arguments\":{\"label\":\"job\"}}") FINISH,
               ERR_NONE, two_calls);
}

static void same_index_with_another_id_is_another_call(void **state)
{
    (void)state;
    each_split(
        CALL("\"index\":0,", "\"id\":\"a\",\"function\":{\"name\":\"list_metrics\","
                             "\"arguments\":\"{\\\"search\\\":\\\"cpu\\\"}\"}")
            CALL("\"index\":0,",
                 "\"id\":\"b\",\"function\":{\"name\":\"list_label_values\","
                 "\"arguments\":\"{\\\"label\\\":\\\"job\\\"}\"}") "data: "
                                                                   "{\"choices\":[{\"delta\":{},"
                                                                   "\"finish_reason\":\"stop\"}]}"
                                                                   "\n\n",
        ERR_NONE, two_calls);
}

static void calls_without_an_id_get_one_and_without_a_name_are_dropped(void **state)
{
    (void)state;
    struct heard h;
    hear(&h,
         CALL("\"index\":0,", "\"function\":{\"name\":\"x\",\"arguments\":\"{}\"}")
             CALL("\"index\":1,", "\"id\":\"z\",\"function\":{\"arguments\":\"{}\"}")
                 CALL("\"index\":2,", "\"id\":\"k\",\"function\":{\"name\":\"y\"}")
                     CALL("\"index\":3,", "\"id\":\"k\",\"function\":{\"name\":\"w\"}") FINISH,
         1000, 1 << 20);
    assert_int_equal(h.err, ERR_NONE);
    assert_int_equal(h.reply.call_count, 3);
    assert_string_equal(h.reply.calls[0].call_id, "call_3_0");
    assert_string_equal(h.reply.calls[1].call_id, "k");
    assert_string_equal(h.reply.calls[2].tool_name, "w");
    assert_string_not_equal(h.reply.calls[2].call_id, "k");
    reply_free(&h.reply);
}

static void reasoned(struct heard *h)
{
    assert_string_equal(h->told, "r(hm)r(m)(So.)");
    assert_string_equal(buf_cstr(&h->reply.reasoning), "hmm");
}

static void reasoning_is_kept_apart(void **state)
{
    (void)state;
    each_split(
        "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"reasoning\":\"m\",\"content\":\"\"}}]}\n\n"
        "data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"So.\"}]}}]}"
        "\n\ndata: [DONE]\n\n",
        ERR_NONE, reasoned);
}

static void thought_in_parts(struct heard *h)
{
    assert_string_equal(h->told, "r(H)r(m)r(.)(So)(.)");
    assert_string_equal(buf_cstr(&h->reply.content), "So.");
    assert_string_equal(buf_cstr(&h->reply.state), "{\"thinking\":\"Hm.\"}");
}

static void no_parts(struct heard *h)
{
    assert_string_equal(h->told, "r(Hm.)(So.)");
    assert_string_equal(buf_cstr(&h->reply.state), "{\"reasoning_content\":\"Hm.\"}");
}

#define PART(parts) "data: {\"choices\":[{\"delta\":{\"content\":" parts "}}]}\n\n"
#define THINKING(text)                                                                             \
    "{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"" text "\"}]}"

static void thoughts_in_parts_of_the_content_are_kept_to_go_back_as_such(void **state)
{
    (void)state;
    each_split(PART("[" THINKING("H") "]") PART("[" THINKING("m") "]")
                   PART("[" THINKING(".") ",{\"type\":\"text\",\"text\":\"So\"}]") PART("\".\"")
                       FINISH,
               ERR_NONE, thought_in_parts);
    /* Whose thoughts came otherwise gets no parts. */
    each_split("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"Hm.\"}}]}\n\n" PART(
                   "[{\"type\":\"text\",\"text\":\"So.\"},{\"thinking\":7},[],7,null]") FINISH,
               ERR_NONE, no_parts);
}

static void may_try_again(struct heard *h) { assert_true(h->reply.again); }
static void final_no(struct heard *h) { assert_false(h->reply.again); }

static void stream_that_is_cut_off_or_nonsense_is_broken(void **state)
{
    (void)state;
    each_split("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n", ERR_MODEL_BROKEN,
               may_try_again);
    each_split("data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"\n\n", ERR_MODEL_BROKEN,
               may_try_again);
    each_split("data: [1,2]\n\n", ERR_MODEL_BROKEN, may_try_again);
    each_split("<html><body>oops</body></html>\n", ERR_MODEL_BROKEN, may_try_again);
    each_split("data: [DONE]\n\n", ERR_MODEL_BROKEN, may_try_again);
    each_split(
        "data: {\"choices\":null}\n\ndata: {\"choices\":[{}]}\n\ndata: {\"choices\":[[]]}\n\n"
        "data: {\"choices\":[{\"delta\":[1],\"finish_reason\":7}],\"usage\":\"?\"}\n\n",
        ERR_MODEL_BROKEN, may_try_again);
}

static void error_object_inside_a_200_is_understood(void **state)
{
    (void)state;
    each_split("data: {\"error\":{\"message\":\"busy\",\"type\":\"server_error\"}}\n\n",
               ERR_MODEL_UNAVAILABLE, may_try_again);
    each_split("data: {\"error\":{\"message\":\"busy\",\"code\":502}}\n\n", ERR_MODEL_UNAVAILABLE,
               may_try_again);
    each_split("data: {\"error\":{\"message\":\"no such model\",\"code\":\"model_not_found\"}}\n\n",
               ERR_MODEL_REFUSED, final_no);
    each_split(
        "data: {\"error\":{\"message\":\"This model's maximum context length is 4096\"}}\n\n",
        ERR_CONTEXT_TOO_LONG, may_try_again);
}

static void over_its_bound_a_reply_ends_with_output_limit(void **state)
{
    (void)state;
    struct heard h;
    hear(&h, "data: {\"choices\":[{\"delta\":{\"content\":\"12345678901\"}}]}\n\n", 100, 10);
    assert_int_equal(h.err, ERR_OUTPUT_LIMIT);
    reply_free(&h.reply);
    char many[8192] = "";
    for (int i = 0; i <= REPLY_CALLS_MAX; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many),
                 "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"i%d\","
                 "\"function\":{\"name\":\"x\"}}]}}]}\n\n",
                 i, i);
    hear(&h, many, 100, 1 << 20);
    assert_int_equal(h.err, ERR_MODEL_BROKEN);
    reply_free(&h.reply);
}

static enum err judge(int status, const char *body, struct reply *r)
{
    static struct heard h;
    reply_init(r, 1 << 20, &handler, &h);
    return llm_chat.body(r, status, str_of(body));
}

static void bodies_that_are_no_stream_are_errors_or_whole_replies(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        enum err err;
        bool again;
    } rows[] = {
        {401, "{\"error\":{\"message\":\"Incorrect API key provided: sk-abc\"}}", ERR_MODEL_REFUSED,
         false},
        {404, "{\"error\":{\"message\":\"model 'x' not found\"}}", ERR_MODEL_REFUSED, false},
        {429, "{\"error\":{\"message\":\"slow down\",\"type\":\"requests\"}}",
         ERR_MODEL_UNAVAILABLE, true},
        {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", ERR_MODEL_REFUSED, false},
        {500, "<html>", ERR_MODEL_UNAVAILABLE, true},
        {503, "", ERR_MODEL_UNAVAILABLE, true},
        {408, "{}", ERR_MODEL_UNAVAILABLE, true},
        {400, "{\"error\":{\"code\":\"context_length_exceeded\"}}", ERR_CONTEXT_TOO_LONG, true},
        {400, "{\"error\":\"bad thing\"}", ERR_MODEL_REFUSED, false},
        {422, "{\"detail\":\"nope\"}", ERR_MODEL_REFUSED, false},
        {200, "<html>hello</html>", ERR_MODEL_BROKEN, true},
        {200, "{\"error\":{\"message\":\"overloaded\",\"type\":\"overloaded_error\"}}",
         ERR_MODEL_UNAVAILABLE, true},
        {200, "{\"choices\":[{\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}",
         ERR_NONE, false},
        {302, "", ERR_MODEL_REFUSED, false},
        {200,
         "{\"choices\":null,\"base_resp\":{\"status_code\":1008,\"status_msg\":\"insufficient "
         "balance\"}}",
         ERR_MODEL_REFUSED, false},
        {200, "{\"base_resp\":{\"status_code\":1004,\"status_msg\":\"login fail\"}}",
         ERR_MODEL_REFUSED, false},
        {200, "{\"code\":429,\"msg\":\"too many\",\"data\":null}", ERR_MODEL_UNAVAILABLE, true},
        {200, "{\"success\":false,\"code\":\"InvalidApiKey\",\"message\":\"Invalid API-key\"}",
         ERR_MODEL_REFUSED, false},
        {200, "{\"id\":\"x\",\"base_resp\":{\"status_code\":0}}", ERR_MODEL_BROKEN, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reply r;
        assert_int_equal(judge(rows[i].status, rows[i].body, &r), rows[i].err);
        assert_int_equal(r.again, rows[i].again);
        assert_null(strstr(reply_detail(&r), "sk-abc"));
        reply_free(&r);
    }
}

static void request_has_the_conversation_the_tools_and_the_options(void **state)
{
    (void)state;
    struct record_call call = {STR("c1"), STR("list_metrics"), STR("{\"search\":\"\\u0041\"}")};
    struct record_call bad = {STR("c2"), STR("list_metrics"), STR("{\"sea")};
    struct prompt_item items[] = {
        {.kind = PROMPT_USER, .text = STR("gone"), .gone = true},
        {.kind = PROMPT_USER, .text = STR("How \"busy\"?\n")},
        {.kind = PROMPT_ASSISTANT, .calls = &call, .call_count = 1},
        {.kind = PROMPT_RESULT,
         .text = STR("[]"),
         .call_id = STR("c1"),
         .tool_name = STR("list_metrics")},
        {.kind = PROMPT_ASSISTANT, .text = STR("Hm"), .calls = &bad, .call_count = 1},
        {.kind = PROMPT_RESULT,
         .text = STR("bad"),
         .call_id = STR("c2"),
         .tool_name = STR("list_metrics")},
    };
    struct prompt p = {.items = items, .count = 6};
    buf_init(&p.system, 100);
    buf_puts(&p.system, "Be good");
    struct tool_spec tool = {"list_metrics", "Lists", "{\"type\":\"object\"}", false,
                             TOOL_SOURCE_NONE};
    struct model m = {.id = (char *)"llama3",
                      .base_url = (char *)"http://127.0.0.1:1/v1",
                      .output_tokens_max = 77,
                      .options =
                          (char *)"{\"temperature\":0.5,\"stream_options\":null,\"messages\":[]}"};
    struct llm_request r = {.model = &m, .prompt = &p, .tools = &tool, .tool_count = 1};
    struct llm_wire w = {0};
    buf_init(&w.url, 1000);
    buf_init(&w.body, 10000);
    assert_int_equal(llm_chat.request(&r, &w), ERR_NONE);
    assert_string_equal(buf_cstr(&w.url), "http://127.0.0.1:1/v1/chat/completions");
    assert_string_equal(
        buf_cstr(&w.body),
        "{\"model\":\"llama3\",\"messages\":[{\"role\":\"system\",\"content\":\"Be good\"},"
        "{\"role\":\"user\",\"content\":\"How \\\"busy\\\"?\\n\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\","
        "\"function\":{\"name\":\"list_metrics\",\"arguments\":\"{\\\"search\\\":\\\"\\\\u0041\\\"}"
        "\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"[]\"},"
        "{\"role\":\"assistant\",\"content\":\"Hm\",\"tool_calls\":[{\"id\":\"c2\",\"type\":"
        "\"function\","
        "\"function\":{\"name\":\"list_metrics\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"bad\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"list_metrics\",\"description\":"
        "\"Lists\","
        "\"parameters\":{\"type\":\"object\"}}}],"
        "\"stream\":true,\"max_tokens\":77,\"temperature\":0.5}");
    m.base_url = (char *)"https://api.openai.com/v1";
    m.options = NULL;
    buf_clear(&w.body);
    assert_int_equal(llm_chat.request(&r, &w), ERR_NONE);
    assert_non_null(strstr(buf_cstr(&w.body), "\"max_completion_tokens\":77"));
    assert_non_null(strstr(buf_cstr(&w.body), "\"stream_options\":{\"include_usage\":true}"));
    buf_free(&w.url);
    buf_free(&w.body);
    buf_free(&p.system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_usage_and_stop_reason_are_read_at_any_split),
        cmocka_unit_test(missing_done_is_fine_after_a_finish_reason),
        cmocka_unit_test(parallel_tool_calls_are_put_together_by_index),
        cmocka_unit_test(tool_calls_without_index_are_put_together_by_id_or_order),
        cmocka_unit_test(same_index_with_another_id_is_another_call),
        cmocka_unit_test(calls_without_an_id_get_one_and_without_a_name_are_dropped),
        cmocka_unit_test(reasoning_is_kept_apart),
        cmocka_unit_test(thoughts_in_parts_of_the_content_are_kept_to_go_back_as_such),
        cmocka_unit_test(stream_that_is_cut_off_or_nonsense_is_broken),
        cmocka_unit_test(error_object_inside_a_200_is_understood),
        cmocka_unit_test(over_its_bound_a_reply_ends_with_output_limit),
        cmocka_unit_test(bodies_that_are_no_stream_are_errors_or_whole_replies),
        cmocka_unit_test(request_has_the_conversation_the_tools_and_the_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
