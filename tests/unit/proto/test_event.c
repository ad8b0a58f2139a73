/* The payloads, and the golden streams: proto/golden/NAME.sse are what the writers here produce,
 * byte for byte, and what the plugin's reader is tested with. PERSAI_GOLDEN_WRITE=1 writes them
 * anew. */
#include "tests/support/unit.h"
#include <jansson.h>
#include <stdio.h>
#include "proto/event.h"

static struct id fixed_id(uint8_t byte)
{
    struct id id;
    memset(id.bytes, byte, sizeof(id.bytes));
    return id;
}

static json_t *payload_of(struct buf *b)
{
    assert_false(b->overflowed);
    assert_null(memchr(b->at, '\n', b->len)); /* one line, or the stream's framing breaks */
    json_t *all = json_loadb(b->at, b->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(all);
    json_t *payload = json_object_get(json_object_get(all, "event"), "payload");
    assert_non_null(payload);
    json_incref(payload);
    json_decref(all);
    return payload;
}

static const char *text_at(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

static void an_event_type_is_the_name_of_its_row(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    assert_true(event_turn_start(&b, fixed_id(0xaa), fixed_id(0xbb)));
    json_t *p = payload_of(&b);
    assert_string_equal(text_at(p, "event_type"), "turn_start");
    assert_string_equal(text_at(p, "turn_id"), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_string_equal(text_at(p, "session_id"), "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    json_decref(p);
}

static void text_of_any_bytes_stays_one_line_of_json(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    assert_true(
        event_progress_text(&b, STR("s-1"), (struct str){"a\"\\\n\r\t\0\x01\xff\xc3\xa9", 11}));
    json_t *p = payload_of(&b);
    json_t *delta = json_object_get(p, "delta");
    assert_string_equal(text_at(delta, "type"), "text");
    json_t *text = json_object_get(delta, "text");
    assert_true(json_string_length(text) == 13); /* the bad byte has become U+FFFD */
    json_decref(p);
}

static struct record_call calls[] = {
    {STR("call_1"), STR("execute_range_query"), STR("{\"query\": \"up\", \"step\": \"15s\"}")}};
static struct record_response responses[] = {{STR("call_1"), STR("execute_range_query"),
                                              STR("{\"series\":[]}"), 0, 41,
                                              STR("/proxy/globaldatasources/prometheus")}};

static void tool_calls_have_their_arguments_as_an_object(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct record_message assistant = {.role = ROLE_ASSISTANT, .calls = calls, .call_count = 1};
    struct record_message tool = {.role = ROLE_TOOL, .responses = responses, .response_count = 1};
    assert_true(event_tools_complete(&b, STR("s-2"), &assistant, &tool));
    json_t *p = payload_of(&b);
    json_t *details = json_object_get(p, "step_details");
    assert_string_equal(text_at(details, "step_type"), "tool_execution");
    json_t *call = json_array_get(json_object_get(details, "tool_calls"), 0);
    assert_string_equal(text_at(json_object_get(call, "arguments"), "query"), "up");
    json_t *response = json_array_get(json_object_get(details, "tool_responses"), 0);
    assert_string_equal(text_at(response, "content"), "{\"series\":[]}");
    assert_string_equal(text_at(response, "call_id"), text_at(call, "call_id"));
    json_decref(p);
}

static void a_payload_over_the_bound_says_so(void **state)
{
    (void)state;
    scoped_buf(b, 40);
    assert_false(event_error(&b, ERR_MODEL_UNAVAILABLE, NULL));
}

static void a_place_in_the_stream_is_two_numbers(void **state)
{
    (void)state;
    struct event_at at;
    assert_true(event_at_parse(STR("3-120"), &at));
    assert_true(at.epoch == 3 && at.seq == 120);
    static const char *const bad[] = {"",
                                      "3",
                                      "3-",
                                      "-3",
                                      "3-1-1",
                                      "3-x",
                                      "-",
                                      "4294967296-1",
                                      "3 -1",
                                      "+3-1",
                                      "4294967295-1",
                                      "1-4294967295",
                                      "4294967295-4294967295"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (event_at_parse(str_of(bad[i]), &at))
            fail_msg("accepted: %s", bad[i]);
    assert_true(event_at_cmp((struct event_at){1, 9}, (struct event_at){2, 1}) < 0);
    assert_true(event_at_cmp((struct event_at){2, 1}, (struct event_at){2, 1}) == 0);
    assert_true(event_at_cmp((struct event_at){2, 3}, (struct event_at){2, 1}) > 0);
}

/* ---- golden streams ---- */

struct stream {
    struct buf out, payload;
    struct event_at at;
};

/* Frames what was just written to s->payload as the next event. */
static void add(struct stream *s, bool written)
{
    assert_true(written);
    s->at.seq++;
    assert_true(event_sse(&s->out, s->at, buf_str(&s->payload)));
    buf_clear(&s->payload);
}

static void compare(struct stream *s, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/proto/golden/%s.sse", PERSAI_SOURCE_DIR, name);
    if (getenv("PERSAI_GOLDEN_WRITE")) {
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(s->out.at, 1, s->out.len, f), s->out.len);
        fclose(f);
    }
    FILE *f = fopen(path, "r");
    if (!f)
        fail_msg("missing: %s", path);
    char *text = calloc(1, s->out.len + 2);
    size_t len = fread(text, 1, s->out.len + 1, f);
    fclose(f);
    assert_int_equal(len, s->out.len);
    assert_memory_equal(text, s->out.at, len);
    free(text);
}

static void open_stream(struct stream *s)
{
    buf_init(&s->out, 1 << 20);
    buf_init(&s->payload, 1 << 16);
    s->at = (struct event_at){1, 0};
    add(s, event_turn_start(&s->payload, fixed_id(0x11), fixed_id(0x22)));
}

static void close_stream(struct stream *s, const char *name)
{
    compare(s, name);
    buf_free(&s->out);
    buf_free(&s->payload);
}

static void say(struct stream *s, struct str step_id, const char *text)
{
    add(s, event_progress_text(&s->payload, step_id, str_of(text)));
}

static void finish(struct stream *s, struct str step_id, const char *text)
{
    struct record_message answer = {
        .role = ROLE_ASSISTANT, .content = str_of(text), .stop_reason = STR("stop")};
    add(s, event_inference_complete(&s->payload, step_id, &answer));
    add(s, event_turn_complete(&s->payload, fixed_id(0x11), &answer,
                               &(struct usage){321, 45, 300, 0}));
}

static void a_moment_is_read_from_the_payloads_head(void **state)
{
    struct record_message m = {.content = STR("\"step_type\":\"tool_execution\""),
                               .stop_reason = STR("stop")};
    struct str step = STR("step-0123456789abcdef0123456789abcdef-12");
    (void)state;
    scoped_buf(b, 65536);
#define MOMENT(write, wanted)                                                                      \
    do {                                                                                           \
        buf_clear(&b);                                                                             \
        assert_true(write);                                                                        \
        assert_int_equal(event_moment(buf_str(&b)), wanted);                                       \
    } while (0)
    MOMENT(event_turn_start(&b, fixed_id(1), fixed_id(2)), MOMENT_NONE);
    MOMENT(event_step_start(&b, STEP_INFERENCE, step, 1), MOMENT_MODEL);
    MOMENT(event_step_start(&b, STEP_TOOL_EXECUTION, step, 2), MOMENT_TOOL);
    MOMENT(event_progress_text(&b, step, STR("\"delta\":{\"type\":\"tool_call\"")), MOMENT_NONE);
    MOMENT(event_progress_notice(&b, step, STR("waits")), MOMENT_NONE);
    MOMENT(event_progress_tool_call(&b, STEP_INFERENCE, step, STR("c"), STR("t"), STR("{"), "x"),
           MOMENT_TOOL);
    MOMENT(event_inference_complete(&b, step, &m), MOMENT_REPLY);
    MOMENT(event_tools_complete(&b, step, &m, &m), MOMENT_PASSED);
    MOMENT(event_turn_cancelled(&b, fixed_id(1)), MOMENT_NONE);
    assert_int_equal(event_moment(STR("")), MOMENT_NONE);
    assert_int_equal(event_moment((struct str){NULL, 0}), MOMENT_NONE);
}

static void golden_answer(void **state)
{
    (void)state;
    struct stream s;
    open_stream(&s);
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-0"), 1));
    say(&s, STR("t-0"), "All targets ");
    say(&s, STR("t-0"), "are **up** \xf0\x9f\x9f\xa2\n\n| a | b |\n");
    finish(&s, STR("t-0"), "All targets are **up** \xf0\x9f\x9f\xa2\n\n| a | b |\n");
    close_stream(&s, "answer");
}

static void golden_tools(void **state)
{
    (void)state;
    struct stream s;
    struct record_message assistant = {.role = ROLE_ASSISTANT,
                                       .content = STR("Let me look."),
                                       .stop_reason = STR("tool_calls"),
                                       .calls = calls,
                                       .call_count = 1};
    struct record_message tool = {.role = ROLE_TOOL, .responses = responses, .response_count = 1};
    open_stream(&s);
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-0"), 1));
    add(&s, event_progress_reasoning(&s.payload, STR("t-0"), STR("I should query up.")));
    say(&s, STR("t-0"), "Let me look.");
    add(&s,
        event_progress_tool_call(&s.payload, STEP_INFERENCE, STR("t-0"), STR("call_1"),
                                 STR("execute_range_query"), STR("{\"query\": \"u"), "writing"));
    add(&s, event_inference_complete(&s.payload, STR("t-0"), &assistant));
    add(&s, event_step_start(&s.payload, STEP_TOOL_EXECUTION, STR("t-1"), 1));
    add(&s, event_progress_tool_call(&s.payload, STEP_TOOL_EXECUTION, STR("t-1"), STR("call_1"),
                                     STR("execute_range_query"), calls[0].arguments, "running"));
    add(&s, event_tools_complete(&s.payload, STR("t-1"), &assistant, &tool));
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-2"), 1));
    say(&s, STR("t-2"), "Nothing is down.");
    finish(&s, STR("t-2"), "Nothing is down.");
    close_stream(&s, "tools");
}

static void golden_second_attempt(void **state)
{
    (void)state;
    struct stream s;
    open_stream(&s);
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-0"), 1));
    say(&s, STR("t-0"), "This text was never fin");
    s.at = (struct event_at){2, 0};
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-0"), 2));
    say(&s, STR("t-0"), "This one was.");
    finish(&s, STR("t-0"), "This one was.");
    close_stream(&s, "second_attempt");
}

static void golden_cancelled_and_error(void **state)
{
    (void)state;
    struct stream s;
    open_stream(&s);
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-0"), 1));
    say(&s, STR("t-0"), "Half an ans");
    add(&s, event_turn_cancelled(&s.payload, fixed_id(0x11)));
    close_stream(&s, "cancelled");
    open_stream(&s);
    add(&s, event_error(&s.payload, ERR_MODEL_UNAVAILABLE, NULL));
    close_stream(&s, "error");
}

static void golden_awaiting(void **state)
{
    (void)state;
    struct stream s;
    static struct record_call save[] = {
        {STR("call_9"), STR("save_panel"), STR("{\"project\":\"demo\",\"dashboard\":\"d1\"}")}};
    struct record_message assistant = {.role = ROLE_ASSISTANT,
                                       .content = STR("Shall I save it?"),
                                       .stop_reason = STR("tool_calls"),
                                       .calls = save,
                                       .call_count = 1};
    open_stream(&s);
    add(&s, event_step_start(&s.payload, STEP_INFERENCE, STR("t-0"), 1));
    say(&s, STR("t-0"), "Shall I save it?");
    add(&s, event_inference_complete(&s.payload, STR("t-0"), &assistant));
    scoped_buf(asks, 4096);
    assert_true(event_approvals(&asks, save, NULL, 1, 1767225600000));
    add(&s, event_turn_awaiting(&s.payload, fixed_id(0x11), &assistant, buf_str(&asks),
                                &(struct usage){100, 20, 0, 1234}));
    close_stream(&s, "awaiting");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_type_is_the_name_of_its_row),
        cmocka_unit_test(text_of_any_bytes_stays_one_line_of_json),
        cmocka_unit_test(tool_calls_have_their_arguments_as_an_object),
        cmocka_unit_test(a_payload_over_the_bound_says_so),
        cmocka_unit_test(a_place_in_the_stream_is_two_numbers),
        cmocka_unit_test(a_moment_is_read_from_the_payloads_head),
        cmocka_unit_test(golden_answer),
        cmocka_unit_test(golden_tools),
        cmocka_unit_test(golden_second_attempt),
        cmocka_unit_test(golden_cancelled_and_error),
        cmocka_unit_test(golden_awaiting),
    };
    return cmocka_run_group_tests_name("proto/event", tests, NULL, NULL);
}
