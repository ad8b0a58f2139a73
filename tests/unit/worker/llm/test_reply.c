/* Pieces of a reply put together: tool calls however their pieces are numbered, named and cut,
 * thoughts in tags, characters in halves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/llm/llm.h"

struct heard {
    struct reply reply;
    char told[1024];
    bool nameless;
};

static void tell(struct heard *h, const char *kind, struct str text)
{
    size_t len = strlen(h->told);
    snprintf(h->told + len, sizeof(h->told) - len, "%s%.*s", kind, (int)text.len, text.at);
}
static void on_text(void *arg, struct str text) { tell(arg, "|", text); }
static void on_reasoning(void *arg, struct str text) { tell(arg, "~", text); }
static void on_call(void *arg, const struct reply_call *c)
{
    struct heard *h = arg;
    h->nameless = h->nameless || !c->call_id || !c->call_id[0] || !c->tool_name;
}
static const struct reply_handler handler = {on_text, on_reasoning, on_call};

static void begin(struct heard *h)
{
    static const char *const tools[] = {"list_metrics", "list_label_names", "search_docs"};
    *h = (struct heard){.nameless = false};
    reply_init(&h->reply, 1 << 16, &handler, h);
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
        reply_know_tool(&h->reply, tools[i]);
}

/* A piece: "INDEX ID NAME ARGUMENTS", - is not in it; pieces end in ;. What must come of them:
 * "NAME ARGUMENTS;" each. */
static void come_to(const char *pieces, const char *expected)
{
    struct heard h;
    char got[512] = "";
    struct str rest = str_of(pieces), piece;
    begin(&h);
    while (str_split(&rest, ';', &piece)) {
        struct str part[4] = {{NULL, 0}}, none = {NULL, 0};
        for (int i = 0; i < 3; i++)
            str_split(&piece, ' ', &part[i]);
        part[3] = piece;
        for (int i = 0; i < 4; i++)
            part[i] = str_is(part[i], "-") ? none : part[i];
        uint64_t index = 0;
        bool numbered = str_u64(part[0], 100, &index);
        assert_int_equal(
            reply_call(&h.reply, numbered ? (int64_t)index : -1, part[1], part[2], part[3]),
            ERR_NONE);
    }
    reply_stop(&h.reply, STR("stop"));
    assert_int_equal(reply_end(&h.reply, 3), ERR_NONE);
    for (unsigned i = 0; i < h.reply.call_count; i++) {
        struct reply_call *c = &h.reply.calls[i];
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s %s;", c->tool_name,
                 buf_cstr(&c->arguments));
        assert_true(c->call_id && c->call_id[0]);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(c->call_id, h.reply.calls[j].call_id);
    }
    assert_string_equal(got, expected);
    assert_false(h.nameless);
    reply_free(&h.reply);
}

static void pieces_of_calls_come_to_what_the_model_meant(void **state)
{
    (void)state;
    static const char both[] = "list_metrics {\"a\":1};list_label_names {\"b\":2};";
    static const char one[] = "list_metrics {\"a\":1};";
    /* the id changes after the first piece; with the name said again, too */
    come_to("0 x list_metrics -;0 y - {\"a\":;0 z - 1}", one);
    come_to("0 x list_metrics -;0 y list_metrics {\"a\":;0 z list_metrics 1}", one);
    come_to("- x list_metrics -;- y - {\"a\":;- z - 1}", one);
    /* all of index 0, or of none, without ids */
    come_to("0 - list_metrics {\"a\":1};0 - list_label_names {\"b\":2}", both);
    come_to("0 - list_metrics -;0 - - {\"a\":1};0 - list_label_names -;0 - - {\"b\":2}", both);
    come_to("- - list_metrics {\"a\":;- - - 1};- - list_label_names {\"b\":2}", both);
    come_to("0 - list_metrics {\"a\":1};0 - list_metrics {\"b\":2}",
            "list_metrics {\"a\":1};list_metrics {\"b\":2};");
    come_to("0 x list_metrics {\"a\":1};0 x list_label_names {\"b\":2}", both);
    /* interleaved by index, by id */
    come_to("0 x list_metrics -;1 y list_label_names -;1 - - {\"b\":;0 - - {\"a\":1};1 - - 2}",
            both);
    come_to("- x list_metrics -;- y list_label_names -;- y - {\"b\":;- x - {\"a\":1};- y - 2}",
            both);
    come_to("0 x list_metrics -;0 y list_label_names -;0 y - {\"b\":;0 x - {\"a\":1};0 y - 2}",
            both);
    /* names said again, in pieces, longer each time */
    come_to("0 x list_metrics {\"a\":;0 x list_metrics 1}", one);
    come_to("- - list_metrics {\"a\":;- - list_metrics 1}", one);
    come_to("0 x list_ -;0 x metrics -;0 - - {\"a\":1}", one);
    come_to("- - list_ -;- - met -;- - rics {\"a\":1}", one);
    come_to("0 x list_ -;0 x list_met -;0 x list_metrics {\"a\":1}", one);
    /* arguments first; a stand-in before them; the whole again after its pieces */
    come_to("0 x - {\"a\":;0 x - 1};0 x list_metrics -", one);
    come_to("- - - {\"a\":1};- - list_metrics -", one);
    come_to("0 x list_metrics {};0 x - {\"a\":;0 x - 1}", one);
    come_to("0 x list_metrics {}{\"a\":1}", one);
    come_to("0 x list_metrics {\"a\":;0 - - 1};0 - - {\"a\":1}", one);
    come_to("0 x list_metrics null;0 - - {\"a\":1}", one);
    /* each piece says all there is so far */
    come_to("0 x list_metrics {\"a;0 x list_metrics {\"a\":;0 x list_metrics {\"a\":1}", one);
    come_to("- - list_metrics {;- - - {\"a\";- - - {\"a\":1}", one);
    /* written as JSON twice; a template's end behind it */
    come_to("0 x list_metrics \"{\\\"a\\\":;0 - - 1}\"", one);
    come_to("0 x list_metrics {\"a\":1}\n</tool_call>", one);
    /* but what says more is not cut */
    come_to("0 x list_metrics {\"a\":1}]", "list_metrics {\"a\":1}];");
    come_to("0 x list_metrics \"a\"", "list_metrics \"a\";");
    come_to("0 x list_metrics {\"a\":1", "list_metrics {\"a\":1;");
}

static void what_a_server_leaves_in_a_name_is_taken_off(void **state)
{
    (void)state;
    come_to("0 x functions.list_metrics {}", "list_metrics {};");
    come_to("0 x list_metrics<|channel|>commentary {}", "list_metrics {};");
    come_to("0 x functions.nothing {}", "functions.nothing {};");
    /* Gemini, whatever its prompt made it think of; Kimi's ids are made so */
    come_to("0 x default_api.list_metrics {}", "list_metrics {};");
    come_to("0 x default_api:list_metrics {}", "list_metrics {};");
    come_to("0 x persai.tools.list_metrics {}", "list_metrics {};");
    come_to("0 x functions.list_metrics:0 {}", "list_metrics {};");
    come_to("0 x list_metrics:12 {}", "list_metrics {};");
    come_to("0 x list_metrics:x {}", "list_metrics:x {};");
    come_to("0 x list_metrics.x {}", "list_metrics.x {};");
    come_to("0 x list_metrics2 {}", "list_metrics2 {};");
    come_to("0 x : {}", ": {};");
}

static void pieces_that_belong_nowhere_never_run_a_tool_as_something_else(void **state)
{
    (void)state;
    come_to("0 - list_metrics {\"a\":1};0 - - {\"b\":2}",
            "list_metrics {\"a\":1};unassigned_tool_call {\"b\":2};");
    come_to("0 - list_metrics -;0 - list_label_names -;0 - - {\"a\":1};0 - - {\"b\":2}",
            "list_metrics \"lost\";list_label_names \"lost\";unassigned_tool_call {\"b\":2};");
    come_to("3 x - {\"a\":1}", "unassigned_tool_call {\"a\":1};");
    come_to("0 x list_metrics {\"a\":1};0 - - }", "list_metrics {\"a\":1}};");
    come_to("0 x list_metrics [1]", "list_metrics [1];");
}

static void said(const char *const *pieces, const char *told, const char *text,
                 const char *thoughts)
{
    struct heard h;
    begin(&h);
    for (; *pieces; pieces++)
        assert_int_equal(reply_text(&h.reply, str_of(*pieces)), ERR_NONE);
    reply_stop(&h.reply, STR("stop"));
    assert_int_equal(reply_end(&h.reply, 1), ERR_NONE);
    if (told)
        assert_string_equal(h.told, told);
    if (text)
        assert_string_equal(buf_cstr(&h.reply.content), text);
    assert_string_equal(buf_cstr(&h.reply.reasoning), thoughts);
    reply_free(&h.reply);
}
#define SAID(told, text, thoughts, ...)                                                            \
    said((const char *const[]){__VA_ARGS__, NULL}, told, text, thoughts)

static void thoughts_in_tags_at_the_beginning_are_thoughts(void **state)
{
    (void)state;
    SAID("~hm|So.", "So.", "hm", "<think>hm</think>\n\nSo.");
    SAID(NULL, "So.", "hm", " \n<th", "in", "k>h", "m</", "thi", "nk>", "\n\n", "So.");
    SAID(NULL, "So.", "hm", "<thinking>hm</thinking>So.");
    SAID(NULL, "So.", "a < b </thin c", "<think>a < b </thin c</think>So.");
    SAID(NULL, "So.", "ab", "<think>a</think>\n<think>b</think>So.");
    SAID(NULL, "So <think>x</think>", "", "So <think>x</think>");
    SAID(NULL, "<thin air>", "", "<thi", "n air>");
    SAID(NULL, "<think", "", "<think");
    SAID(NULL, "  So", "", "  ", "So");
    SAID("~So.|So.", "So.", "So.", "<think>So."); /* never ended: the answer */
    /* in the tags of others */
    SAID("~hm|So.", "So.", "hm", "<thought>hm</thought>\n\nSo.");
    SAID(NULL, "So.", "hm </think> so", "<reasoning>hm </think> so</reaso", "ning>So.");
    SAID(NULL, "So.", "hm", "<seed:think>hm</seed:think>So.");
    SAID(NULL, "So.", "a [1] [/T", "[THI", "NK]a [1]", " [/T[/THINK]So.");
    SAID(NULL, "[1] So [THINK]x[/THINK]", "", "[1] So [THINK]x[/THINK]");
    SAID(NULL, "[THI", "", "[THI");
    SAID("~\nhm|So.", "So.", "\nhm", "<|channel>thought\nhm<channel|>So.");
    SAID(NULL, "So.", "", "<|chan", "nel>thought<chan", "nel|>So.");
    SAID("~hm|So.", "So.", "hm",
         "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>So.");
    SAID(NULL, "So.", "", "<|channel|>fi", "nal<|message|>So.");
    SAID("~hm|to=functions.f <|constrain|>json<|message|>{}", NULL, "hm",
         "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary "
         "to=functions.f <|constrain|>json<|message|>{}");
    SAID(NULL, "I look.", "hm",
         "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary"
         "<|message|>I look.");
    SAID(NULL, "<|channel|>x", "", "<|channel|>x");
    SAID("~hm|So.", "So.", "hm", "\xe2\x97\x81think", "\xe2\x96\xb7hm\xe2\x97",
         "\x81/think\xe2\x96\xb7So.");
    SAID(NULL, "\xe2\x86\x92 so", "", "\xe2\x86\x92 so"); /* an arrow */
}

/* Where the prompt's template opens the thoughts, the closing tag is the first. */
static void text_before_a_lone_closing_tag_was_a_thought(void **state)
{
    (void)state;
    SAID("|hm~hm|So.", "So.", "hm", "hm</think>\n\nSo.");
    SAID("|So.", "So.", "", "\n</think>\n\nSo.");
    SAID(NULL, "So.", "Is a < b?\n", "Is a ", "<", " b?\n", "</th", "ink", ">", "\n\n", "So.");
    SAID(NULL, "So.", "hm", "hm</THINKING>So.");
    SAID(NULL, "So: </think> ends it.", "hm", "hm</think>So: </think> ends it.");
    SAID(NULL, "So.", "ab", "a</think>\n<think>b</think>So.");
    SAID("|hm~hm|So.", "So.", "hm", "hm<channel|>So."); /* Gemma 4, after a tool's result */
    SAID(NULL, "So.", "", "<channel|>So.");
    SAID(NULL, "So.", "hm", "hm<|end|><|start|>assi", "stant<|channel|>final<|message|>So.");
    SAID(NULL, "The <channel> is <|x|>.", "", "The <channel> is <|x|>.");
    SAID(NULL, "So.", "it's `<x>`, </", "it's `<x>`, </", "</think>So.");
    SAID(NULL, "Write `</think>` then.", "", "Write `</th", "ink>` then.");
    SAID(NULL, "Write \"</think>\" then.", "", "Write \"</think>\" then.");
    SAID(NULL, "```\n</think>\n```", "", "```\n</think>\n```");
    SAID(NULL, "a <think> b </think>", "", "a <think> b </think>");
    SAID(NULL, "a </thin", "", "a </thin");
}

static void text_that_was_told_and_was_a_thought_is_asked_for_again(void **state)
{
    struct heard h;
    (void)state;
    begin(&h);
    h.reply.learns = true;
    assert_int_equal(reply_text(&h.reply, STR("hm</think>\n\nSo.")), ERR_MODEL_BROKEN);
    assert_true(h.reply.again && h.reply.think.closed_only);
    reply_free(&h.reply);
    begin(&h);
    h.reply.learns = true;
    assert_int_equal(reply_text(&h.reply, STR("\n</think>\n\nSo.")), ERR_NONE); /* none was */
    reply_free(&h.reply);
}

/* Known from the models file, or from a reply before. */
static void said_first(const char *pieces, const char *told, bool apart)
{
    struct heard h;
    begin(&h);
    reply_thinks_first(&h.reply);
    if (apart)
        assert_int_equal(reply_reasoning(&h.reply, STR("hm")), ERR_NONE);
    for (; *pieces; pieces++) /* byte by byte */
        assert_int_equal(reply_text(&h.reply, (struct str){pieces, 1}), ERR_NONE);
    reply_stop(&h.reply, STR("stop"));
    assert_int_equal(reply_end(&h.reply, 1), ERR_NONE);
    char all[256];
    size_t len = 0;
    for (const char *c = h.told, *kind = ""; *c; c++) /* neighbours of a kind as one */
        if (*c != '|' && *c != '~')
            all[len++] = *c;
        else if (*c != *kind)
            all[len++] = *(kind = c);
    all[len] = '\0';
    assert_string_equal(all, told);
    reply_free(&h.reply);
}

static void thoughts_that_the_template_opens_are_told_as_such(void **state)
{
    (void)state;
    said_first("hm</think>\n\nSo.", "~hm|So.", false);
    said_first("<think>hm</think>So.", "~hm|So.", false);
    said_first("hm <x> `</think>So.", "~hm <x> `|So.", false);
    said_first("So.", "~hm|So.", true);   /* its server parses them by now */
    said_first("So.", "~So.|So.", false); /* it did not think: the answer */
}

static void halves_of_characters_are_joined(void **state)
{
    static const struct {
        const char *events[4], *text;
    } rows[] = {
        {{"a\\ud83d", "\\ude00b"},
         "a\xF0\x9F\x98\x80"
         "b"},
        {{"\\ud83d", "\\ude00", "\\ud83d", "\\ude01"}, "\xF0\x9F\x98\x80\xF0\x9F\x98\x81"},
        {{"a\\ud83d", "b"},
         "a\xEF\xBF\xBD"
         "b"},
        {{"a\\ude00b\\ud83d"},
         "a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD"},
        {{"a\xF0\x9F", "\x98\x80"}, "a\xF0\x9F\x98\x80"},
        {{"\xE2", "\x82", "\xAC"}, "\xE2\x82\xAC"},
        {{"a\xFF"
          "b\xE2"},
         "a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD"},
        {{"a\\u0000b"},
         "a\xEF\xBF\xBD"
         "b"},
        {{"a\x01"
          "b"},
         "a\x01"
         "b"},
        {{"\\ud83d\\ude00"}, "\xF0\x9F\x98\x80"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int reasoning = 0; reasoning < 2; reasoning++) {
            struct heard h;
            begin(&h);
            for (int n = 0; n < 4 && rows[i].events[n]; n++) {
                char event[256];
                snprintf(event, sizeof(event), "{\"choices\":[{\"delta\":{\"%s\":\"%s\"}}]}",
                         reasoning ? "reasoning_content" : "content", rows[i].events[n]);
                assert_int_equal(llm_chat.event(&h.reply, STR(""), str_of(event)), ERR_NONE);
            }
            if (reasoning)
                assert_int_equal(reply_text(&h.reply, STR("x")), ERR_NONE);
            reply_stop(&h.reply, STR("stop"));
            assert_int_equal(reply_end(&h.reply, 1), ERR_NONE);
            assert_string_equal(buf_cstr(reasoning ? &h.reply.reasoning : &h.reply.content),
                                rows[i].text);
            reply_free(&h.reply);
        }
}

static void halves_inside_of_arguments_are_no_reason_to_refuse_them(void **state)
{
    (void)state;
    come_to("0 x list_metrics {\"a\":\"\\ud83d;0 x - \\ude00\"}",
            "list_metrics {\"a\":\"\\ud83d\\ude00\"};");
    come_to("0 x list_metrics {\"a\":\"\\ud83d\"}", "list_metrics {\"a\":\"\xEF\xBF\xBD\"};");
    come_to("0 x list_metrics {\"a\":\"\\u0000\"}", "list_metrics {\"a\":\"\xEF\xBF\xBD\"};");
    come_to("0 x list_metrics {\"a\":\"\xF0\x9F;0 x - \x98\x80\"}",
            "list_metrics {\"a\":\"\xF0\x9F\x98\x80\"};");
}

static void who_refuses_one_request_is_there_for_others(void **state)
{
    static const struct {
        int status;
        const char *code, *message;
        bool came;
    } rows[] = {
        {200, "invalid_request_error", "Your input is not valid", true},
        {200, "content_policy_violation", "", true},
        {200, "rate_limit_exceeded", "", true},
        {200, "overloaded_error", "Overloaded", false},
        {200, "server_error", "internal server error", false},
        {500, "", "the request exceeds the available context size", true},
        {500, "server_error", "internal server error", false},
        {503, "", "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct heard h;
        begin(&h);
        enum err err =
            reply_refused(&h.reply, rows[i].status, str_of(rows[i].code), str_of(rows[i].message));
        if (reply_came(&h.reply, err) != rows[i].came)
            fail_msg("%d %s %s: %s", rows[i].status, rows[i].code, rows[i].message, err_word(err));
        reply_free(&h.reply);
    }
    static const struct {
        const char *stop; /* "": only that it ended; NULL: it was cut off */
        bool came;
    } ends[] = {
        {"stop", true}, {"content_filter", true}, {"length", true}, {"", true}, {NULL, false}};
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct heard h;
        begin(&h);
        if (ends[i].stop && ends[i].stop[0])
            reply_stop(&h.reply, str_of(ends[i].stop));
        h.reply.ended = ends[i].stop != NULL;
        assert_int_equal(reply_came(&h.reply, reply_end(&h.reply, 1)), ends[i].came);
        reply_free(&h.reply);
    }
    struct heard h;
    begin(&h);
    assert_false(reply_came(&h.reply, reply_fail(&h.reply, ERR_MODEL_UNAVAILABLE, true, "away")));
    assert_false(reply_came(&h.reply, reply_fail(&h.reply, ERR_MODEL_TIMEOUT, true, "slow")));
    assert_false(reply_came(&h.reply, reply_fail(&h.reply, ERR_MODEL_BROKEN, true, "cut off")));
    assert_true(reply_came(&h.reply, reply_fail(&h.reply, ERR_MODEL_BROKEN, false, "too long")));
    reply_free(&h.reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_of_calls_come_to_what_the_model_meant),
        cmocka_unit_test(what_a_server_leaves_in_a_name_is_taken_off),
        cmocka_unit_test(pieces_that_belong_nowhere_never_run_a_tool_as_something_else),
        cmocka_unit_test(thoughts_in_tags_at_the_beginning_are_thoughts),
        cmocka_unit_test(text_before_a_lone_closing_tag_was_a_thought),
        cmocka_unit_test(text_that_was_told_and_was_a_thought_is_asked_for_again),
        cmocka_unit_test(thoughts_that_the_template_opens_are_told_as_such),
        cmocka_unit_test(halves_of_characters_are_joined),
        cmocka_unit_test(halves_inside_of_arguments_are_no_reason_to_refuse_them),
        cmocka_unit_test(who_refuses_one_request_is_there_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
