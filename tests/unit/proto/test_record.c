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
    assert_int_equal(record_message_decode((struct str){nested, sizeof(nested) - 1}, &out),
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

static void expect_event(struct record_events *r, uint32_t seq, uint32_t final, const char *payload)
{
    struct record_event e;
    assert_true(record_events_more(r));
    assert_int_equal(record_events_next(r, &e), ERR_NONE);
    assert_int_equal(e.seq, seq);
    assert_int_equal(e.final, final);
    assert_true(str_is(e.payload, payload));
}

static void a_batch_of_events_is_read_one_by_one(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    assert_true(record_event_add(&b, NULL, 2, 0, STR("{\"a\":1}")));
    assert_true(record_event_add(&b, NULL, 3, 1, STR("{\"b\":2}")));
    struct record_events r;
    record_events_init(&r, buf_str(&b));
    expect_event(&r, 2, 0, "{\"a\":1}");
    expect_event(&r, 3, 1, "{\"b\":2}");
    assert_false(record_events_more(&r));
    record_events_free(&r);
    struct record_event e;
    record_events_init(&r, (struct str){b.at, b.len - 1});
    assert_int_equal(record_events_next(&r, &e), ERR_NONE);
    assert_int_equal(record_events_next(&r, &e), ERR_BAD_FRAME);
    record_events_free(&r);
    assert_int_equal(record_events_first(buf_str(&b)), 2);
    assert_int_equal(record_events_first((struct str){b.at, 2}), 0);
    assert_int_equal(record_events_first((struct str){0}), 0);
}

#define TOKEN(text)                                                                                \
    "{\"event\":{\"payload\":{\"event_type\":\"step_progress\",\"delta\":{\"text\":\"" text "\"}}" \
    "}}"

static void events_that_are_alike_are_written_once(void **state)
{
    (void)state;
    static const char *const said[] = {
        TOKEN("one"),
        TOKEN("two"),
        TOKEN(""),
        TOKEN("oneone"),
        "{\"event\":{}}",
        "{\"another\": \"kind of event, that is as long as those of text are here\"}",
        "{\"another\": \"kind of event, that is as short as those of text are here\"}",
        TOKEN("five"),
        "x"};
    enum { SAID = sizeof(said) / sizeof(*said) };
    scoped_buf(b, 4096);
    struct record_base base = {0};
    size_t whole = 0, before = 0;
    for (unsigned i = 0; i < SAID; i++) {
        assert_true(record_event_add(&b, &base, i + 1, i + 1 == SAID, str_of(said[i])));
        whole += strlen(said[i]);
        if (i == 1)
            assert_in_range(b.len - before, 1, 16);
        before = b.len;
    }
    assert_true(b.len < whole * 2 / 3);
    struct record_events r;
    record_events_init(&r, buf_str(&b));
    for (unsigned i = 0; i < SAID; i++)
        expect_event(&r, i + 1, i + 1 == SAID, said[i]);
    assert_false(record_events_more(&r));
    record_events_free(&r);
}

/* One that does not fit leaves the batch, and what it is written by, as they were. */
static void an_event_that_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    scoped_buf(b, 120);
    struct record_base base = {0};
    assert_true(record_event_add(&b, &base, 1, 0, STR(TOKEN("one"))));
    struct record_base was = base;
    char large[200];
    memset(large, 'x', sizeof(large));
    assert_false(record_event_add(&b, &base, 2, 0, (struct str){large, sizeof(large)}));
    assert_true(base.at == was.at && base.len == was.len);
    b.overflowed = false;
    assert_true(record_event_add(&b, &base, 2, 0, STR(TOKEN("two"))));
    struct record_events r;
    record_events_init(&r, buf_str(&b));
    expect_event(&r, 1, 0, TOKEN("one"));
    expect_event(&r, 2, 0, TOKEN("two"));
    record_events_free(&r);
}

static void a_part_of_no_event_is_refused(void **state)
{
    (void)state;
    static const struct str bad[] = {
        STR("\x95\x01\x00\x01\x00\xc4\x01x"),                       /* of nothing */
        STR("\x93\x01\x00\xc4\x02pq\x95\x02\x00\x03\x00\xc4\x01x"), /* head too long */
        STR("\x93\x01\x00\xc4\x02pq\x95\x02\x00\x01\x02\xc4\x01x"), /* tail too long */
        STR("\x93\x01\x00\xc4\x02pq\x95\x02\x00\x00\x00\xc4\x00"),  /* empty */
        STR("\x93\x01\x00\xc4\x02pq\x95\x02\x00\x01\x01"),          /* cut off */
        STR("\x93\x01\x00\xc4\x02pq\x94\x02\x00\x01\x01"),          /* neither */
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct record_events r;
        struct record_event e;
        enum err err = ERR_NONE;
        record_events_init(&r, bad[i]);
        while (err == ERR_NONE && record_events_more(&r))
            err = record_events_next(&r, &e);
        assert_int_equal(err, ERR_BAD_FRAME);
        record_events_free(&r);
    }
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
        cmocka_unit_test(events_that_are_alike_are_written_once),
        cmocka_unit_test(an_event_that_does_not_fit_changes_nothing),
        cmocka_unit_test(a_part_of_no_event_is_refused),
        cmocka_unit_test(arguments_are_an_object_only_where_they_are_one),
    };
    return cmocka_run_group_tests_name("proto/record", tests, NULL, NULL);
}
