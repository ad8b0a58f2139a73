/* Calls that were written as text: what is one, and what only shows one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "common/check.h"
#include "worker/llm/textcall.h"

/* "said|name arguments|name arguments" */
static void write(const struct textcalls *c, struct str text, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "%.*s", (int)c->said, text.at);
    for (unsigned i = 0; i < c->count; i++)
        len += (size_t)snprintf(out + len, size - len, "|%s %s", c->all[i].tool_name,
                                c->all[i].arguments);
}

/* Each text with what is read in it. */
static void check(const char *const cases[][2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct textcalls c;
        char out[512];
        textcalls_read(&c, str_of(cases[i][0]));
        write(&c, str_of(cases[i][0]), out, sizeof(out));
        if (strcmp(out, cases[i][1]) != 0)
            fail_msg("%s: %s", cases[i][0], out);
        textcalls_free(&c);
    }
}

static void calls_are_read_as_models_write_them(void **state)
{
    static const char *const cases[][2] = {
        {"{\"name\": \"q\", \"arguments\": {\"query\": \"up\"}}", "|q {\"query\":\"up\"}"},
        {"<tool_call>\n{\"name\": \"q\", \"arguments\": {}}\n</tool_call>", "|q {}"},
        {"Let me look.\n\n```json\n{\"name\":\"q\",\"parameters\":{\"a\":1}}\n```\n",
         "Let me look.|q {\"a\":1}"},
        {"<tool_call>{\"name\":\"a\",\"arguments\":{}}</tool_call>\n"
         "<tool_call>{\"name\":\"b\",\"arguments\":{\"x\":\"y\"}}</tool_call>",
         "|a {}|b {\"x\":\"y\"}"},
        {"[TOOL_CALLS][{\"name\":\"a\",\"arguments\":{}},{\"name\":\"b\",\"arguments\":{}}]",
         "|a {}|b {}"},
        {"<function=q>{\"query\": \"up{job=\\\"x\\\"}\"}</function>",
         "|q {\"query\":\"up{job=\\\"x\\\"}\"}"},
        {"Sure <|python_tag|>{\"name\":\"q\",\"parameters\":{}}<|eom_id|>", "Sure|q {}"},
        {"{\"type\":\"function\",\"function\":{\"name\":\"q\",\"arguments\":\"{\\\"a\\\":2}\"}}",
         "|q {\"a\":2}"},
        {"{\"tool\":\"q\",\"args\":{}}", "|q {}"},
        {"With up{job=\"x\"} I count: {\"name\":\"q\",\"arguments\":{}}",
         "With up{job=\"x\"} I count:|q {}"},
    };
    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

/* As different models are trained to. */
static void other_shapes_of_calls_are_read(void **state)
{
#define UP "|q {\"query\":\"up\"}"
#define ARGS "{\"query\":\"up\"}"
#define BAR "\xef\xbd\x9c"
#define DSML BAR "DSML" BAR
    static const char *const cases[][2] = {
        {"<tool_call>\n<function=q>\n<parameter=query>\nup\n</parameter>\n</function>\n</"
         "tool_call>",
         UP},
        {"<function_calls>\n<invoke name=\"q\">\n<parameter name=\"query\">up &gt; 0</parameter>\n"
         "</invoke>\n</function_calls>",
         "|q {\"query\":\"up > 0\"}"},
        {"Ok.\n<tool_call>\n<name>q</name>\n<arguments>" ARGS "</arguments>\n</tool_call>",
         "Ok." UP},
        {"<q>\n<query>up</query>\n</q>", UP},
        {"<tool_use><tool_name>q</tool_name><parameters><query>up</query></parameters></tool_use>",
         UP},
        {"<tool_call>q\n<arg_key>query</arg_key>\n<arg_value>up</arg_value>\n</tool_call>", UP},
        {"[q(query='up'), r(n=1, b=True)]", UP "|r {\"n\":1,\"b\":true}"},
        {"Let me see:\n\nq(query=\"up\")", "Let me see:" UP},
        {"```python\nq(query=\"up\")\n```", UP},
        {"```tool_code\nprint(default_api.q(query=\"up\"))\n```", UP},
        {"q(" ARGS ")", UP},
        {"q " ARGS, UP},
        {"[TOOL_CALLS]q[ARGS]" ARGS, UP},
        {"[TOOL_CALLS]q" ARGS, UP},
        {"<" BAR "tool_calls_begin" BAR "><" BAR "tool_call_begin" BAR ">function<" BAR
         "tool\xe2\x96\x81sep" BAR ">q\n```json\n" ARGS "\n```<" BAR "tool_call_end" BAR ">",
         UP},
        {"Thought: hm\nAction: q\nAction Input: " ARGS "\nObservation: 3 series", "Thought: hm" UP},
        {"Action: ```json\n[{\"tool_name\": \"q\", \"parameters\": " ARGS "}]\n```", UP},
        {"{\"action\": \"q\", \"action_input\": " ARGS "}", UP},
        {"<|tool_call|>[{\"name\":\"q\",\"arguments\":" ARGS "}]", UP},
        {"<tool_call>{'name': 'q', 'arguments': {'query': 'up',}}</tool_call>", UP},
        {"<tool_call>{\"name\": \"q\", \"arguments\": " ARGS "}}</tool_call>", UP},
        {"{\"q\": " ARGS "}", UP},
        {"{\"tool_calls\":[{\"function\":{\"name\":\"q\",\"arguments\":" ARGS "}}]}", UP},
        {"<|tool_call_begin|>functions.q:0<|tool_call_argument_begin|>" ARGS "<|tool_call_end|>",
         UP},
        {"<|python_tag|>q.call(query=\"up\")", UP},
        {"{\"name\": \"q\", \"input\": " ARGS "}", UP},
        {"{\"tool\": \"q\", \"query\": \"up\"}", UP},
        {"<|channel|>commentary to=functions.q <|constrain|>json<|message|>" ARGS "<|call|>", UP},
        {"call:q{query:\"up\"}", UP},
        {">>>q\n" ARGS, UP},
        {"<tool_call>\nq(query=\"up\")\n</tool_call>", UP},
        {"Ok.<|tool_call>call:q{query:<|\"|>up<|\"|>}<tool_call|>", "Ok." UP},
        {"<|tool_call>call:q{query:<|\"|>up{a=\"b\"}<|\"|>,n:5}<tool_call|><|tool_call>call:r{}"
         "<tool_call|>",
         "|q {\"query\":\"up{a=\\\"b\\\"}\",\"n\":5}|r {}"},
        {"Ok.\n\n<" DSML "function_calls>\n<" DSML "invoke name=\"q\">\n<" DSML
         "parameter name=\"query\" string=\"true\">up</" DSML "parameter>\n</" DSML
         "invoke>\n</" DSML "function_calls>",
         "Ok." UP},
        {"<minimax:tool_call>\n<invoke name=\"q\">\n<parameter name=\"query\">up</parameter>\n"
         "</invoke>\n</minimax:tool_call>",
         UP},
        {"<seed:tool_call><function=q><parameter=query>up</parameter></function></seed:tool_call>",
         UP},
        {"<TOOLCALL>[{\"name\":\"q\",\"arguments\":" ARGS "}]</TOOLCALL>", UP},
        {"<longcat_tool_call>{\"name\":\"q\",\"arguments\":" ARGS "}</longcat_tool_call>", UP},
        {"<tool_call>"
         "{\"name\":\"q\",\"arguments\":{\"query\":\"sum(\nup)\"}}</tool_call>",
         "|q {\"query\":\"sum(\\nup)\"}"},
    };
    (void)state;
    check(cases, sizeof(cases) / sizeof(cases[0]));
}

static void what_only_shows_a_call_is_none(void **state)
{
    static const char *const cases[] = {
        "",
        "There are 4 rooms.",
        "{",
        "{\"name\":\"q\"}",
        "{\"name\":\"q\",\"arguments\":\"no\"}",
        "{\"name\":\"q\",\"arguments\":[1]}",
        "{\"name\":3,\"arguments\":{}}",
        "{\"answer\":\"4\"}",
        "{\"metric\":{\"name\":\"up\"},\"arguments\":{}} is what came.",
        "Call {\"name\":\"q\",\"arguments\":{}} to see it yourself.",
        "[{\"name\":\"q\",\"arguments\":{}}, 4]",
        "{\"name\":\"q\",\"arguments\":{}} {\"x\":1}",
        "<function=>{\"a\":1}",
        "<function=q {\"a\":1}",
        "{\"name\":\"q\",\"arguments\":{}",
        "You can run q(query=\"up\") to see it.",
        "Gemma writes <|\"|>up<|\"|> and DeepSeek <" BAR "DSML" BAR "invoke name=\"q\">.",
        "A <tool_call> is a tag, <|\"|> a quote.",
        "Run q(query=\"up\")",
        "`q(query=\"up\")`",
        "q(query=\"up\") gives 4 series.",
        "Use q with {\"query\":\"up\"}.",
        "4 targets (see: q())",
        "rate(x[5m])",
        "sum(up)",
        "q(up)",
        "q(query=up)",
        "q(query=\"up\"",
        "q(query=\"up\", query=\"down\")",
        "```promql\nsum by (job) (rate(x[5m]))\n```",
        "<b>up</b>",
        "<query>up</query>",
        "<q><query>up</q>",
        "<q><query>up</query></p>",
        "<q><query>up</query><query>down</query></q>",
        "<function=q><parameter=query>up</function>",
        "<tool_call>q</tool_call> is what it said",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct textcalls c;
        textcalls_read(&c, str_of(cases[i]));
        if (c.count != 0)
            fail_msg("%s: %s", cases[i], c.all[0].tool_name);
        textcalls_free(&c);
    }
}

/* A name ends where it ends, not at a zero byte in it. */
static void a_name_with_a_zero_byte_is_none(void **state)
{
    (void)state;
    const struct str texts[] = {STR("<function=q\0x>{\"query\":\"up\"}</function>"),
                                STR("<function=\0q>{\"query\":\"up\"}</function>")};
    for (size_t i = 0; i < 2; i++) {
        struct textcalls c;
        textcalls_read(&c, texts[i]);
        assert_int_equal(c.count, 0);
        textcalls_free(&c);
    }
}

static void any_text_is_taken(void **state)
{
    static const char bytes[] = "{}[]()\"'\\:,<>/=`|\n name tool arguments q 1 \xff";
    (void)state;
    char text[64];
    unsigned seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = round % sizeof(text);
        for (size_t i = 0; i < len; i++)
            text[i] = bytes[(seed = seed * 1103515245U + 12345U) / 65536 % (sizeof(bytes) - 1)];
        struct textcalls c;
        textcalls_read(&c, (struct str){text, len});
        textcalls_free(&c);
    }
    char *braces = xcalloc(100001, 1);
    memset(braces, '{', 100000);
    struct textcalls c;
    textcalls_read(&c, str_of(braces));
    assert_int_equal(c.count, 0);
    free(braces);
    scoped_buf(many, 4096);
    for (unsigned i = 0; i < 20; i++)
        buf_puts(&many, "{\"name\":\"q\",\"arguments\":{}} ");
    textcalls_read(&c, buf_str(&many)); /* more than there may be: which are meant is not guessed */
    assert_int_equal(c.count, 0);
    textcalls_free(&c);
}

/* Each try reads to the text's end, and makes a tree of it. */
static void long_text_takes_no_time(void **state)
{
    (void)state;
    scoped_buf(b, 8 << 20);
    for (unsigned i = 0; i < 64; i++)
        buf_putc(&b, '[');
    while (b.len < 4 << 20)
        buf_puts(&b, "0,");
    struct timespec begin, end;
    struct textcalls c;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    textcalls_read(&c, buf_str(&b));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(c.count, 0);
    assert_true(end.tv_sec - begin.tv_sec < 2);
    static const char *const again[] = {"<a>", "a(b=\"\n", "a\n", "[a(", "<a>b</b>", "{a:{", "(' "};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
        for (buf_clear(&b); b.len < 60 << 10;)
            buf_puts(&b, again[i]);
        textcalls_read(&c, buf_str(&b));
        assert_int_equal(c.count, 0);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_true(end.tv_sec - begin.tv_sec < 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_read_as_models_write_them),
        cmocka_unit_test(other_shapes_of_calls_are_read),
        cmocka_unit_test(what_only_shows_a_call_is_none),
        cmocka_unit_test(a_name_with_a_zero_byte_is_none),
        cmocka_unit_test(any_text_is_taken),
        cmocka_unit_test(long_text_takes_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
