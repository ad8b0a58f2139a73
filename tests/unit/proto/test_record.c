#include "tests/support/unit.h"
#include "proto/pack.h"
#include "proto/record.h"

static struct record_call calls[] = {{STR("c1"), STR("list_metrics"), STR("{\"search\": \"cpu\"}")},
                                     {STR("c2"), STR("execute_range_query"), STR("no json")}};
static struct record_response responses[] = {
    {STR("c1"), STR("list_metrics"), STR("{}"), 0, 12, STR("/proxy/globaldatasources/prom")},
    {STR("c2"), STR("execute_range_query"), STR("arguments are no JSON"), 1, 0, STR("")}};

static void a_message_comes_back_as_it_was(void **state)
{
    (void)state;
    scoped_buf(b, 1 << 16);
    struct record_message in = {.role = ROLE_ASSISTANT,
                                .turn = id_new(),
                                .step = 3,
                                .at_ms = 1700000000000,
                                .content = STR("héllo"),
                                .reasoning = STR("hm"),
                                .stop_reason = STR("tool_calls"),
                                .model = STR("openai/x"),
                                .usage = {10, 20, 5, 7},
                                .calls = calls,
                                .call_count = 2,
                                .responses = responses,
                                .response_count = 2};
    struct record_message out;
    assert_true(record_message_encode(&in, &b));
    assert_int_equal(record_message_decode(buf_str(&b), &out), ERR_NONE);
    assert_int_equal(out.role, ROLE_ASSISTANT);
    assert_true(id_eq(in.turn, out.turn));
    assert_int_equal(out.step, 3);
    assert_int_equal(out.at_ms, in.at_ms);
    assert_true(str_eq(out.content, in.content) && str_eq(out.reasoning, in.reasoning));
    assert_true(str_eq(out.stop_reason, in.stop_reason) && str_eq(out.model, in.model));
    assert_int_equal(out.call_count, 2);
    assert_true(str_eq(out.calls[1].arguments, calls[1].arguments));
    assert_int_equal(out.response_count, 2);
    assert_int_equal(out.responses[0].duration_ms, 12);
    assert_int_equal(out.responses[1].failed, 1);
    assert_true(str_eq(out.responses[0].datasource, responses[0].datasource));
    record_message_free(&out);
}

static void a_copy_has_its_texts_in_its_own_bytes(void **state)
{
    (void)state;
    scoped_buf(encoded, 1 << 16);
    scoped_buf(bytes, 1 << 16);
    scoped_buf(again, 1 << 16);
    char text[] = "the answer", id[] = "c1";
    struct record_call call = {{id, 2}, STR("list_metrics"), STR("")};
    struct record_message in = {.role = ROLE_ASSISTANT,
                                .turn = id_new(),
                                .content = {text, 10},
                                .state = STR("[1]"),
                                .maker = STR("m"),
                                .calls = &call,
                                .call_count = 1,
                                .responses = responses,
                                .response_count = 2};
    struct record_message out;
    assert_true(record_message_encode(&in, &encoded));
    assert_true(record_message_copy(&in, &bytes, &out));
    memset(text, 'x', 10); /* what was copied is not borrowed */
    memset(id, 'x', 2);
    assert_true(record_message_encode(&out, &again));
    assert_true(str_eq(buf_str(&encoded), buf_str(&again)));
    record_message_free(&out);

    assert_true(record_message_copy(&(struct record_message){0}, &bytes, &out)); /* of nothing */
    record_message_free(&out);
    scoped_buf(small, 8);
    assert_false(record_message_copy(&in, &small, &out));
    assert_int_equal(out.call_count, 0);
    assert_null(out.calls);
}

static void what_a_newer_version_added_is_skipped(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    pack_map(&b, 3);
    pack_text(&b, STR("new"));
    pack_array(&b, 2);
    pack_u64(&b, 1);
    pack_map(&b, 1);
    pack_text(&b, STR("deep"));
    pack_text(&b, STR("x"));
    pack_text(&b, STR("role"));
    pack_u64(&b, ROLE_TOOL);
    pack_text(&b, STR("text"));
    pack_u64(&b, 5); /* of another type: reads as empty */
    struct record_message out;
    assert_int_equal(record_message_decode(buf_str(&b), &out), ERR_NONE);
    assert_int_equal(out.role, ROLE_TOOL);
    assert_int_equal(out.content.len, 0);
    record_message_free(&out);
}

static void hostile_bytes_are_refused_and_free_what_was_read(void **state)
{
    (void)state;
    scoped_buf(b, 1 << 16);
    struct record_message in = {.role = ROLE_ASSISTANT,
                                .content = STR("x"),
                                .calls = calls,
                                .call_count = 2,
                                .responses = responses,
                                .response_count = 2},
                          out;
    assert_true(record_message_encode(&in, &b));
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(record_message_decode((struct str){b.at, len}, &out), ERR_BAD_FRAME);
    for (size_t at = 0; at < b.len; at++)
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            b.at[at] = (char)(b.at[at] ^ (char)flip);
            if (record_message_decode(buf_str(&b), &out) == ERR_NONE)
                record_message_free(&out);
            b.at[at] = (char)(b.at[at] ^ (char)flip);
        }
    static const char nested[] =
        "\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0";
    assert_int_equal(record_message_decode((struct str){nested, sizeof nested - 1}, &out),
                     ERR_BAD_FRAME);
}

static void a_request_comes_back_as_it_was(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct record_request in = {.owner = STR("alice"),
                                .datasource_path = STR("/proxy/globaldatasources/p"),
                                .context = STR("{\"timezone\":\"UTC\"}"),
                                .model = STR(""),
                                .quota_id = STR("0123456789abcdef")},
                          out;
    assert_true(record_request_encode(&in, &b));
    assert_int_equal(record_request_decode(buf_str(&b), &out), ERR_NONE);
    assert_true(str_eq(in.owner, out.owner) && str_eq(in.datasource_path, out.datasource_path) &&
                str_eq(in.context, out.context) && out.model.len == 0 && out.tool_name.len == 0);
    in.tool_name = STR("list_alerts");
    in.arguments = STR("{}");
    buf_clear(&b);
    assert_true(record_request_encode(&in, &b));
    assert_int_equal(record_request_decode(buf_str(&b), &out), ERR_NONE);
    assert_true(str_eq(in.tool_name, out.tool_name) && str_eq(in.arguments, out.arguments));
}

static void a_batch_of_events_is_read_one_by_one(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    assert_true(record_event_add(&b, 2, 0, STR("{\"a\":1}")));
    assert_true(record_event_add(&b, 3, 1, STR("{\"b\":2}")));
    struct str rest = buf_str(&b);
    struct record_event e;
    assert_int_equal(record_event_next(&rest, &e), ERR_NONE);
    assert_true(e.seq == 2 && !e.final && str_is(e.payload, "{\"a\":1}"));
    assert_int_equal(record_event_next(&rest, &e), ERR_NONE);
    assert_true(e.seq == 3 && e.final && str_is(e.payload, "{\"b\":2}"));
    assert_int_equal(rest.len, 0);
    rest = (struct str){b.at, b.len - 1};
    assert_int_equal(record_event_next(&rest, &e), ERR_NONE);
    assert_int_equal(record_event_next(&rest, &e), ERR_BAD_FRAME);
}

static void arguments_are_an_object_only_where_they_are_one(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    record_arguments_json(&b, STR("{\"q\":\n \"up\"}"));
    assert_string_equal(buf_cstr(&b), "{\"q\":\"up\"}");
    buf_clear(&b);
    record_arguments_json(&b, STR("{\"q\": "));
    assert_string_equal(buf_cstr(&b), "\"{\\\"q\\\": \"");
    buf_clear(&b);
    record_arguments_json(&b, STR("[1]"));
    assert_string_equal(buf_cstr(&b), "\"[1]\"");
    buf_clear(&b);
    record_arguments_json(&b, (struct str){0});
    assert_string_equal(buf_cstr(&b), "\"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_comes_back_as_it_was),
        cmocka_unit_test(a_copy_has_its_texts_in_its_own_bytes),
        cmocka_unit_test(what_a_newer_version_added_is_skipped),
        cmocka_unit_test(hostile_bytes_are_refused_and_free_what_was_read),
        cmocka_unit_test(a_request_comes_back_as_it_was),
        cmocka_unit_test(a_batch_of_events_is_read_one_by_one),
        cmocka_unit_test(arguments_are_an_object_only_where_they_are_one),
    };
    return cmocka_run_group_tests_name("proto/record", tests, NULL, NULL);
}
