/* tests/unit/worker/tools/mcp/test_mcp.c: the client of MCP servers, against a server that speaks
 * either era and one that does not mean well. */
#include "tests/support/mcp_fixture.h"

#include <malloc.h>
#include <unistd.h>

static int setup(void **state)
{
    *state = mcp_fixture_new();
    return 0;
}

static int teardown(void **state)
{
    mcp_fixture_free(*state);
    return 0;
}

static void a_modern_server_is_asked_without_a_handshake(void **state)
{
    struct mcp_fixture *f = *state;
    f->modern = true;
    mcp_start(f, "");
    assert_null(
        mcp_offered(f, "mcp_tix_find")); /* not heard of yet: the process is up all the same */
    mcp_wait_there(f);
    assert_int_equal(f->changes, 1);
    assert_null(mcp_offered(f, "mcp_tix_other")); /* not allowed */
    assert_non_null(
        strstr(mcp_offered(f, "mcp_tix_find")->description, "MCP server tix: Does find"));
    assert_true(mcp_offered(f, "mcp_tix_make_it")->needs_approval);
    json_auto_t *listed = json_loadb(tools_json(f->tools).at, tools_json(f->tools).len, 0, NULL);
    unsigned count;
    tools_specs(f->tools, &count);
    assert_int_equal(json_array_size(listed), count);
    mcp_run(f, "mcp_tix_find", "{\"word\":\"a \\\"b\\\"\"}");
    mcp_expect(f, false,
               "{\"kind\":\"mcp\",\"server\":\"tix\",\"tool\":\"find\",\"text\":\"found\"}");
    assert_string_equal(buf_cstr(&f->said), "POST server/discover v=2026-07-28\n"
                                            "POST tools/list v=2026-07-28\n"
                                            "POST tools/call v=2026-07-28 n=find\n");
    const char *sent = strstr(buf_cstr(&f->bodies), "tools/call");
    assert_non_null(strstr(sent, "\"arguments\":{\"word\":\"a \\\"b\\\"\"}"));
    assert_non_null(strstr(sent, "\"io.modelcontextprotocol/clientCapabilities\":{}"));
    assert_non_null(strstr(sent, "\"persai/call\":\""));
}

static void a_legacy_server_is_greeted_and_its_session_kept(void **state)
{
    struct mcp_fixture *f = *state;
    f->streams = true;
    mcp_start(f, "");
    mcp_wait_there(f);
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, false, "\"text\":\"found\"");
    while (!tools_leave(f->tools))
        pump_for(f->pump, 5);
    assert_string_equal(buf_cstr(&f->said), "POST server/discover v=2026-07-28\n"
                                            "POST initialize\n"
                                            "POST notifications/initialized v=2025-06-18 s=s1\n"
                                            "POST tools/list v=2025-06-18 s=s1\n"
                                            "POST tools/call v=2025-06-18 s=s1\n"
                                            "DELETE end v=2025-06-18 s=s1\n");
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, true, "unavailable");
}

static void a_key_goes_along_and_where_it_is_wanted(void **state)
{
    struct mcp_fixture *f = *state;
    setenv("TEST_MCP_KEY", "k-1", 1);
    mcp_start(f, ",\"key_env\":\"TEST_MCP_KEY\",\"headers\":{\"X-Key\":\"tenant\"}");
    mcp_wait_there(f);
    assert_non_null(strstr(buf_cstr(&f->bodies), "authorization: Bearer k-1\nx-key: tenant"));
}

static void what_changes_something_needs_a_yes(void **state)
{
    struct mcp_fixture *f = *state;
    f->tools_json =
        TOOL("make.it", ",\"annotations\":{\"readOnlyHint\":true}") "," TOOL("find", "");
    mcp_start(f, "");
    mcp_wait_there(f);
    assert_true(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"word\":\"x\"}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"word\":[]}")));
    /* what is shown is what runs: a browser would show …992 */
    assert_true(
        tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"more\":[-9007199254740991]}")));
    assert_false(
        tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"more\":[9007199254740993]}")));
    assert_false(
        tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\":{\"n\":-9007199254740993}}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\":1,\"m\":2}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\":{\"n\":1,\"n\":2}}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\":\"a\\u2028b\"}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\\u202e\":1}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\":\"\\u0000\"}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_make_it"), STR("{\"m\":1e400}")));
    assert_false(tools_asks(f->tools, STR("mcp_tix_find"), STR("{}")));
    mcp_run(f, "mcp_tix_make_it", "{}");
    mcp_expect(f, true, "not_approved");
    f->approval = APPROVAL_REFUSED;
    mcp_run(f, "mcp_tix_make_it", "{}");
    mcp_expect(f, true, "refused_by_person");
    assert_null(strstr(buf_cstr(&f->said), "tools/call"));
    f->approval = APPROVAL_GIVEN;
    mcp_run(f, "mcp_tix_make_it", "{}");
    mcp_expect(f, false, "found");
    assert_non_null(strstr(buf_cstr(&f->bodies), "\"name\":\"make.it\""));
}

static void a_call_of_what_is_not_there_says_so(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
    mcp_run(f, "mcp_tix_other", "{}");
    mcp_expect(f, true, "There is no tool \\\"mcp_tix_other\\\"");
    mcp_run(f, "mcp_tix_find", "{\"word\":7,\"more\":{\"x\":1}}");
    mcp_expect(f, false, "found");
    assert_non_null(strstr(buf_cstr(&f->bodies), "{\"word\":\"7\",\"more\":{\"x\":1}}"));
    mcp_run(f, "mcp_tix_find", "{\"word\":[7]}");
    mcp_expect(f, true, "must be a string");
}

static void a_server_that_is_away_at_the_start_is_found_later(void **state)
{
    struct mcp_fixture *f = *state;
    http_free(f->http);
    f->http = NULL;
    mcp_start(f, "");
    pump_for(f->pump, 200);
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, true, "unknown_tool");
    mcp_open(f);
    mcp_wait_there(f);
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, false, "found");
}

static void a_session_that_is_gone_is_made_anew_once(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
    snprintf(f->session, sizeof(f->session), "gone");
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, false, "found");
    assert_non_null(strstr(buf_cstr(&f->said), "tools/call v=2025-06-18 s=s1\nPOST initialize\n"));
    assert_non_null(strstr(buf_cstr(&f->said), "tools/call v=2025-06-18 s=s2\n"));
    f->odd[0] = (struct odd){.method = "tools/call", .status = 404, .body = "{}"};
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, true, "HTTP 404");
    assert_int_equal(f->sessions, 3);
}

static void several_calls_that_lose_a_session_share_the_next(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
    snprintf(f->session, sizeof(f->session), "gone");
    for (int i = 0; i < 4; i++)
        mcp_begin(f, "mcp_tix_find", "{}");
    mcp_run(f, "mcp_tix_find", "{}");
    while (f->done < 5)
        pump_for(f->pump, 5);
    mcp_expect(f, false, "found");
    assert_int_equal(f->sessions, 2);
}

static void what_a_server_says_on_the_way_is_heard(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
    f->odd[0] = (struct odd){
        .method = "tools/call",
        .status = 200,
        .type = "text/event-stream; charset=utf-8",
        .body = ": hello\n\n"
                "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n"
                "data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"sampling/createMessage\","
                "\"params\":{}}\n\n"
                "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}\n\n"
                "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n"
                "data: {\"jsonrpc\":\"2.0\",\"id\":77777,\"result\":{\"content\":[]}}\n\n"
                "event: other\ndata: {\"not\":\"ours\"}\n\n"
                "data: " RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"late\"}]}") "\n\n"};
    f->tools_json = TOOL("find", "");
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, false, "\"text\":\"late\"");
    mcp_wait_said(f, "POST answer v=2025-06-18 s=s1\nPOST answer");
    f->waited = "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}";
    assert_non_null(strstr(buf_cstr(&f->bodies), f->waited));
    assert_non_null(strstr(buf_cstr(&f->bodies), "\"id\":9,\"error\":{\"code\":-32601"));
    mcp_wait_said(f, "POST tools/list v=2025-06-18 s=s1\nPOST tools/call v=2025-06-18 s=s1\n");
    while (mcp_offered(f, "mcp_tix_make_it")) /* listed anew, soon */
        pump_for(f->pump, 5);
    assert_int_equal(f->changes, 2);
}

static void a_server_that_stays_away_takes_its_tools_along(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, ",\"refresh\":\"1s\"");
    mcp_wait_there(f);
    f->odd[0] = (struct odd){.method = "tools/list", .status = 500, .body = ""};
    f->odd[1] = (struct odd){.method = "server/discover", .status = 500, .body = ""};
    mcp_wait_said(f, "POST tools/list v=2025-06-18 s=s1\nPOST tools/list");
    mcp_run(f, "mcp_tix_find", "{}"); /* not so fast */
    mcp_expect(f, false, "found");
    assert_true(pump_within(f->pump, 20000, mcp_is_away, f));
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, true, "unknown_tool");
    f->odd[0].method = f->odd[1].method = "over";
    mcp_wait_there(f);
}

static void what_goes_wrong_with_a_call_is_told(void **state)
{
    struct mcp_fixture *f = *state;
    static const struct {
        struct odd odd;
        const char *code, *part;
    } cases[] = {
        {{"tools/call", 200, REFUSAL(-32602, "no such \\u202eword\\u0007"), NULL, 0, false},
         "tool_failed",
         "refused: no such word ."},
        {{"tools/call", 400, REFUSAL(-32602, "bad"), NULL, 0, false},
         "tool_failed",
         "HTTP 400: bad"},
        {{"tools/call", 500, "oh", NULL, 0, false}, "unavailable", "HTTP 500"},
        {{"tools/call", 401, "", NULL, 0, false}, "unavailable", "its key is missing or refused"},
        {{"tools/call", 307, "", NULL, 0, false}, "unavailable", "a redirection"},
        {{"tools/call", 200, "<html>", "text/html", 0, false}, "broken", "no JSON-RPC message"},
        {{"tools/call", 200, "", NULL, 0, false}, "broken", "did not do it"},
        {{"tools/call", 200, "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":7}", NULL, 0, false},
         "broken",
         "no JSON-RPC message"},
        {{"tools/call", 200, "{\"jsonrpc\":\"2.0\",\"id\":4711,\"result\":{}}", NULL, 0, false},
         "broken",
         "answered something else"},
        {{"tools/call", 200, "data: {\n\n", "text/event-stream", 0, false},
         "broken",
         "no JSON-RPC message"},
        {{"tools/call", 200, ": nothing\n\n", "text/event-stream", 0, false},
         "broken",
         "its stream ended without an answer"},
        {{"tools/call", 200, RESULT("{\"resultType\":\"input_required\"}"), NULL, 0, false},
         "tool_failed",
         "told more by a person"},
        {{"tools/call", 200,
          RESULT("{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"no "
                 "\\u200btickets\"}]}"),
          NULL, 0, false},
         "tool_failed",
         "The tool failed: no tickets"},
    };
    mcp_start(f, "");
    mcp_wait_there(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->odd[0] = cases[i].odd;
        mcp_run(f, "mcp_tix_find", "{}");
        mcp_expect(f, true, cases[i].part);
        if (strstr(f->content, cases[i].code) == NULL)
            fail_msg("wanted %s: %s", cases[i].code, f->content);
    }
}

static void what_changed_something_may_have_been_done(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
    f->approval = APPROVAL_GIVEN;
    f->odd[0] = (struct odd){.method = "tools/call", .status = 502, .body = ""};
    mcp_run(f, "mcp_tix_make_it", "{}");
    mcp_expect(f, true, "It may have been done all the same.");
}

static void a_stream_that_never_ends_and_an_answer_too_large_end(void **state)
{
    struct mcp_fixture *f = *state;
    struct loop_timer *pour = loop_timer_new(f->loop, mcp_on_pour, f);
    mcp_start(f, ",\"timeout\":\"1s\",\"max_bytes\":\"64KiB\"");
    mcp_wait_there(f);
    loop_timer_set(pour, 200, 200);
    f->slow = true;
    f->odd[0] =
        (struct odd){.method = "tools/call",
                     .endless = true,
                     .body = "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n"};
    mcp_run(f, "mcp_tix_find", "{}"); /* 4 KiB each 200 ms: time is up first */
    mcp_expect(f, true, "\"code\":\"timeout\"");
    mcp_wait_said(f, "notifications/cancelled");
    loop_timer_set(pour, 1, 1);
    f->slow = false;
    while (f->stream)
        pump_for(f->pump, 5);
    mcp_run(f, "mcp_tix_find", "{}"); /* as fast as it can: bytes are up first */
    mcp_expect(f, true, "\"code\":\"too_large\"");
    while (f->stream)
        pump_for(f->pump, 5);
    f->odd[0].body = "data: one line without an end ";
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, true, "\"code\":\"too_large\"");
    loop_timer_free(pour);
    while (f->stream)
        pump_for(f->pump, 5);
    f->odd[0] = (struct odd){.method = "tools/call", .status = 0};
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, true, "no whole answer in time");
}

static void a_cancelled_call_is_told_to_the_server(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
    f->odd[0] = (struct odd){.method = "tools/call", .status = 0};
    struct tool_run *r = mcp_begin(f, "mcp_tix_find", "{}");
    mcp_wait_said(f, "tools/call");
    tool_cancel(r);
    mcp_wait_said(f, "notifications/cancelled");
    assert_int_equal(f->done, 0);
}

static void a_list_with_no_end_and_one_of_10000_are_bounded(void **state)
{
    struct mcp_fixture *f = *state;
    struct buf b;
    buf_init(&b, 8 << 20);
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "%s{\"name\":\"t%d\",\"inputSchema\":{}}", i ? "," : "", i);
    buf_puts(&b,
             "," TOOL("find", ",\"title\":\"first\"") "," TOOL("find", "") ",{\"name\":7},8,{}");
    f->tools_json = buf_cstr(&b);
    f->odd[0] =
        (struct odd){.method = "tools/list",
                     .status = 200,
                     .times = 2,
                     .body = RESULT("{\"tools\":[],\"nextCursor\":\"again \\\" and again\"}")};
    mcp_start(f, "");
    mcp_wait_there(f);
    assert_null(mcp_offered(f, "mcp_tix_make_it"));
    assert_non_null(strstr(buf_cstr(&f->bodies), "\"cursor\":\"again \\\" and again\""));
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_expect(f, false, "found");
    buf_free(&b);
}

static void an_endless_list_is_given_up(void **state)
{
    struct mcp_fixture *f = *state;
    f->odd[0] = (struct odd){.method = "tools/list",
                             .status = 200,
                             .body = RESULT("{\"tools\":[],\"nextCursor\":\"x\"}")};
    mcp_start(f, "");
    mcp_wait_said(f, "POST tools/list");
    unsigned count = 0;
    pump_for(f->pump, 600);
    for (const char *at = buf_cstr(&f->said); (at = strstr(at, "tools/list")) != NULL; at++)
        count++;
    assert_true(count <= 100);
    assert_null(mcp_offered(f, "mcp_tix_find"));
    f->odd[0].method = "over";
    mcp_wait_there(f);
}

static void handshakes_that_go_wrong_leave_it_away(void **state)
{
    struct mcp_fixture *f = *state;
    static const struct odd cases[] = {
        {"initialize", 200, RESULT("{\"protocolVersion\":\"1999-01-01\"}"), NULL, 0, false},
        {"initialize", 200, RESULT("{}"), NULL, 0, false},
        {"initialize", 200, "[[[[[[", NULL, 0, false},
        {"notifications/initialized", 500, "", NULL, 0, false},
        {"server/discover", 400,
         "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":-32022,\"message\":\"no\",\"data\":"
         "{\"supported\":[\"2031-01-01\"]}}}",
         NULL, 0, false},
        {"server/discover", 401, "", NULL, 0, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->odd[0] = cases[i];
        tools_free(f->tools);
        mcp_file_free(f->file);
        buf_clear(&f->said);
        mcp_start(f, "");
        mcp_wait_said(f, cases[i].method);
        pump_for(f->pump, 50);
        assert_null(mcp_offered(f, "mcp_tix_find"));
    }
    f->odd[0].method = "over";
    mcp_wait_there(f);
}

static void a_modern_server_that_prefers_a_legacy_version_gets_it(void **state)
{
    struct mcp_fixture *f = *state;
    f->odd[0] = (struct odd){
        .method = "server/discover",
        .status = 400,
        .body = "{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":-32022,\"message\":\"no\","
                "\"data\":{\"supported\":[\"2025-11-25\"]}}}"};
    mcp_start(f, "");
    mcp_wait_there(f);
    assert_int_equal(f->sessions, 1);
}

static void arguments_go_into_headers_where_a_tool_wants_it(void **state)
{
    struct mcp_fixture *f = *state;
    f->modern = true;
    f->tools_json =
        "{\"name\":\"find\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"word\":"
        "{\"type\":\"string\",\"x-mcp-header\":\"Word\"}}}}";
    mcp_start(f, "");
    mcp_wait_there(f);
    assert_null(strstr(mcp_offered(f, "mcp_tix_find")->schema_json, "x-mcp"));
    mcp_run(f, "mcp_tix_find", "{\"word\":\"Z\\u00fcrich\\r\\nX-Evil: 1\"}");
    mcp_expect(f, false, "found");
    assert_non_null(
        strstr(buf_cstr(&f->bodies), "mcp-param-word: =?base64?WsO8cmljaA0KWC1FdmlsOiAx?="));
}

static bool mcp_has_left(void *arg) { return tools_leave(((struct mcp_fixture *)arg)->tools); }

/* A ping in each answer to our answers: it would be answered for ever, and never be left. */
static void a_server_that_asks_in_answers_to_answers_is_answered_once(void **state)
{
    struct mcp_fixture *f = *state;
    mcp_start(f, "");
    mcp_wait_there(f);
#define PING "data: {\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n\n"
    f->odd[0] =
        (struct odd){"tools/call",        200, PING "data: " RESULT("{\"content\":[]}") "\n\n",
                     "text/event-stream", 0,   false};
    f->odd[1] = (struct odd){"", 200, PING, "text/event-stream", 0, false};
    mcp_run(f, "mcp_tix_find", "{}");
    mcp_wait_said(f, "POST answer");
    pump_for(f->pump, 300);
    const char *first = strstr(buf_cstr(&f->said), "POST answer");
    assert_null(strstr(first + 1, "POST answer"));
    assert_true(tools_leave(f->tools) || pump_within(f->pump, 5000, mcp_has_left, f));
}

/* Whatever repeats it: a list, a result, a refusal, in one piece or as a stream. */
static void a_key_that_a_server_repeats_is_hidden(void **state)
{
    struct mcp_fixture *f = *state;
    static const struct odd odds[] = {
        {"tools/call", 200, REFUSAL(-32000, "bad key sekret-key-1, sekret-key-1"), NULL, 0, false},
        {"tools/call", 200, RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"sekret-key-1\"}]}"),
         NULL, 0, false},
        {"tools/call", 200, RESULT("{\"structuredContent\":{\"sekret-key-1\":\"sekret-key-1\"}}"),
         NULL, 0, false},
        {"tools/call", 200,
         "data: " RESULT("{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":"
                         "\"Bearer sekret-key-1\"}]}") "\n\n",
         "text/event-stream", 0, false},
    };
    f->tools_json = TOOL("find", "") "," TOOL("make.it", ",\"description\":\"with sekret-key-1\"");
    setenv("TEST_MCP_SEKRET", "sekret-key-1", 1);
    mcp_start(f, ",\"key_env\":\"TEST_MCP_SEKRET\"");
    mcp_wait_there(f);
    assert_null(strstr(mcp_offered(f, "mcp_tix_make_it")->description, "sekret"));
    for (size_t i = 0; i < sizeof(odds) / sizeof(odds[0]); i++) {
        f->odd[0] = odds[i];
        mcp_run(f, "mcp_tix_find", "{}");
        if (strstr(f->content, "sekret") || !strstr(f->content, "************"))
            fail_msg("%zu: %s", i, f->content);
    }
}

/* However it is written: JSON's escapes, those of a JSON text in it, the names of objects. And what
 * a header holds. */
static void a_key_is_hidden_however_a_server_writes_it(void **state)
{
    struct mcp_fixture *f = *state;
    static const char *const texts[] = {
        "sek\\/ret-key-1",
        "\\u0073ek/ret\\u002dkey-1",
        "{\\\"k\\\":\\\"sek\\\\/ret-key-1\\\"}",
        "cookie-of-mine",
        "{\\\"k\\\":\\\"cookie\\\\u002dof-mine\\\"}",
        "http://tix/find?k=sek%2fret%2Dkey-1&more",
        "http://tix/to?u=http%3A%2F%2Ftix%2F%3Fk%3Dsek%252Fret-key-1",
        "Basic c2VrL3JldC1rZXktMQ==",
        "Basic bWU6c2VrL3JldC1rZXktMTphbmQ=", /* "me:", ":and" */
        "eC1zZWsvcmV0LWtleS0xLXg",            /* "x-", "-x" */
        "eHNlay9yZXQta2V5LTF4",
    };
    setenv("TEST_MCP_SEKRET", "sek/ret-key-1", 1);
    mcp_start(
        f, ",\"key_env\":\"TEST_MCP_SEKRET\",\"headers\":{\"Cookie\":\"sid=cookie-of-mine; a=b\","
           "\"X-Tenant\":\"engineering\"}");
    mcp_wait_there(f);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        scoped_buf(b, 4096);
        buf_printf(&b,
                   RESULT("{\"content\":[{\"type\":\"text\",\"text\":\"engineering %s\"}],"
                          "\"structuredContent\":{\"%s\":[\"%s\"]}}"),
                   texts[i], texts[i], texts[i]);
        f->odd[0] = (struct odd){.method = "tools/call", .status = 200, .body = buf_cstr(&b)};
        mcp_run(f, "mcp_tix_find", "{}");
        mcp_expect(f, false, "engineering ");
        if (strstr(f->content, "ret") || strstr(f->content, "mine") ||
            !strstr(f->content, "********"))
            fail_msg("%zu: %s", i, f->content);
        if (strstr(f->content, "L3JldC1rZXkt") || strstr(f->content, "vcmV0LWtleS0") ||
            strstr(f->content, "y9yZXQta2V5L"))
            fail_msg("%zu: %s", i, f->content);
    }
}

/* 1 MiB of a list is 60,000 times the same tool. */
static void a_tool_that_is_listed_without_end_is_told_once(void **state)
{
    struct mcp_fixture *f = *state;
    scoped_buf(b, 1 << 20);
    FILE *log = tmpfile();
    assert_non_null(log);
    int err = dup(STDERR_FILENO);
    buf_puts(&b, TOOL("find", ""));
    for (int i = 0; i < 500; i++)
        buf_puts(&b, ",{\"name\":\"find\"},{\"name\":\"make.it\"}");
    f->tools_json = buf_cstr(&b);
    fflush(stderr);
    assert_int_equal(dup2(fileno(log), STDERR_FILENO), STDERR_FILENO);
    mcp_start(f, "");
    mcp_wait_there(f);
    dup2(err, STDERR_FILENO);
    close(err);
    off_t bytes = lseek(fileno(log), 0, SEEK_END);
    fclose(log);
    if (bytes == 0 || bytes > 4096)
        fail_msg("%lld bytes of log", (long long)bytes);
}

static size_t tree_bytes, tree_peak;

static void *tree_malloc(size_t size)
{
    void *p = malloc(size);
    tree_bytes += malloc_usable_size(p);
    tree_peak = tree_bytes > tree_peak ? tree_bytes : tree_peak;
    return p;
}

static void tree_free(void *p)
{
    tree_bytes -= malloc_usable_size(p);
    free(p);
}

/* A text beside structured content may be the same once more: it is parsed to be compared. */
static void a_text_that_branches_too_much_is_no_tree(void **state)
{
    struct mcp_fixture *f = *state;
    scoped_buf(b, 1 << 20);
    buf_puts(&b, "{\"structuredContent\":{},\"content\":[{\"type\":\"text\",\"text\":\"[{}");
    for (int i = 0; i < 300000; i++)
        buf_puts(&b, ",{}");
    buf_puts(&b, "]\"}]}");
    f->result = buf_cstr(&b);
    mcp_start(f, "");
    mcp_wait_there(f);
    json_malloc_t old_malloc;
    json_free_t old_free;
    json_get_alloc_funcs(&old_malloc, &old_free);
    tree_bytes = tree_peak = 1 << 20; /* what is there already may be freed meanwhile */
    json_set_alloc_funcs(tree_malloc, tree_free);
    mcp_run(f, "mcp_tix_find", "{}");
    json_set_alloc_funcs(old_malloc, old_free);
    mcp_expect(f, false, "\"truncated\":true");
    if (tree_peak > 16 << 20)
        fail_msg("%zu bytes of trees", tree_peak);
}

static void files_that_are_wrong_are_a_sentence(void **state)
{
    struct mcp_fixture *f = *state;
#define S(more) "[{\"name\":\"a\",\"url\":\"http://h/\"," more "}]"
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[{}]",
        S("\"tools\":{}"),
        S("\"tools\":[\"x\"]"),
        S("\"tools\":{\"x\":\"write\"}"),
        S("\"tools\":{\"x\":true}"),
        S("\"tools\":{\"x\":\"read\",\"x\":\"ask\"}"),
        S("\"tools\":{\"x.y\":\"read\",\"x_y\":\"ask\"}"),
        S("\"tools\":{\"x\":\"read\"},\"timeout\":\"0s\""),
        S("\"tools\":{\"x\":\"read\"},\"timeout\":30"),
        S("\"tools\":{\"x\":\"read\"},\"max_bytes\":\"1GiB\""),
        S("\"tools\":{\"x\":\"read\"},\"refresh\":\"1ms\""),
        S("\"tools\":{\"x\":\"read\"},\"headers\":{\"Host\":\"x\"}"),
        S("\"tools\":{\"x\":\"read\"},\"headers\":{\"X\":\"a\\r\\nb\"}"),
        S("\"tools\":{\"x\":\"read\"},\"key_header\":\"a b\""),
        S("\"tools\":{\"x\":\"read\"},\"key_env\":\"TEST_MCP_NOT_SET\""),
        S("\"tools\":{\"x\":\"read\"},\"key_file\":\"/nonexistent\""),
        "[{\"name\":\"a b\",\"url\":\"http://h/\",\"tools\":{\"x\":\"read\"}}]",
        "[{\"name\":\"a\",\"url\":\"ftp://h/\",\"tools\":{\"x\":\"read\"}}]",
        "[{\"name\":\"a\",\"url\":\"http:///\",\"tools\":{\"x\":\"read\"}}]",
        ("[{\"name\":\"a\",\"url\":\"http://h/\",\"tools\":{\"x\":\"read\"}},"
         "{\"name\":\"a\",\"url\":\"http://h/\",\"tools\":{\"y\":\"read\"}}]"),
    };
    char error[256];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error[0] = '\0';
        if (mcp_file_of(f, bad[i], error) != NULL)
            fail_msg("was taken: %s", bad[i]);
        assert_non_null(strstr(error, "PERSAI_MCP"));
    }
    assert_null(mcp_file_of(
        f,
        "[{\"name\":\"a\",\"url\":\"http://h/\",\n\"timeuot\":\"1s\",\"tools\":{\"x\":\"read\"}}]",
        error));
    assert_non_null(strstr(error, "line 2 (a): \"timeuot\""));
    assert_null(mcp_file_read("/nonexistent/mcp.json", error));
    mcp_start(f, "");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_modern_server_is_asked_without_a_handshake),
        T(a_legacy_server_is_greeted_and_its_session_kept),
        T(a_key_goes_along_and_where_it_is_wanted),
        T(what_changes_something_needs_a_yes),
        T(a_call_of_what_is_not_there_says_so),
        T(a_server_that_is_away_at_the_start_is_found_later),
        T(a_session_that_is_gone_is_made_anew_once),
        T(several_calls_that_lose_a_session_share_the_next),
        T(what_a_server_says_on_the_way_is_heard),
        T(a_server_that_stays_away_takes_its_tools_along),
        T(what_goes_wrong_with_a_call_is_told),
        T(what_changed_something_may_have_been_done),
        T(a_stream_that_never_ends_and_an_answer_too_large_end),
        T(a_cancelled_call_is_told_to_the_server),
        T(a_list_with_no_end_and_one_of_10000_are_bounded),
        T(an_endless_list_is_given_up),
        T(handshakes_that_go_wrong_leave_it_away),
        T(a_modern_server_that_prefers_a_legacy_version_gets_it),
        T(arguments_go_into_headers_where_a_tool_wants_it),
        T(a_server_that_asks_in_answers_to_answers_is_answered_once),
        T(a_key_that_a_server_repeats_is_hidden),
        T(a_key_is_hidden_however_a_server_writes_it),
        T(a_tool_that_is_listed_without_end_is_told_once),
        T(a_text_that_branches_too_much_is_no_tree),
        T(files_that_are_wrong_are_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
