/* What gateways and proxies make of the providers' streams: errors in a shape of their own, counts
 * in odd places, calls and texts whose pieces were left out, lines that mean nothing. Written with
 * ' for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "tests/support/reading.h"

static void read_stream(struct reading *r, const struct llm_format *format, const char *stream)
{
    struct intake in;
    char *bytes = strdup(stream);
    for (char *c = bytes; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    reading_begin(r, format, &in);
    if (intake_feed(&in, str_of(bytes)) == SSE_MORE)
        intake_end(&in);
    intake_free(&in);
    if (r->err == ERR_NONE)
        r->err = reply_end(&r->reply, 1);
    free(bytes);
}

/* "text; tool(arguments) …; input/output tokens", or "error: status kind" */
static void summarise(const struct reading *r, struct buf *b)
{
    const struct reply *p = &r->reply;
    if (r->err != ERR_NONE) {
        buf_printf(b, "%s %d%s", err_word(r->err), p->refused_status,
                   p->refusal.kind == LLM_ERROR_THROTTLED ? " throttled" : "");
        return;
    }
    buf_add_str(b, buf_str(&p->content));
    for (unsigned i = 0; i < p->call_count; i++)
        buf_printf(b, "; %s %s%s", p->calls[i].call_id, p->calls[i].tool_name,
                   buf_cstr(&p->calls[i].arguments));
    if (p->input_known || p->output_known)
        buf_printf(b, "; %llu/%llu/%llu", (unsigned long long)p->input_tokens,
                   (unsigned long long)p->output_tokens, (unsigned long long)p->cached_tokens);
}

struct row {
    const char *stream, *wanted;
};

static void check(const struct llm_format *format, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct reading r;
        scoped_buf(got, 4096);
        read_stream(&r, format, rows[i].stream);
        summarise(&r, &got);
        if (strcmp(buf_cstr(&got), rows[i].wanted) != 0)
            print_message("of: %s\n", rows[i].stream);
        assert_string_equal(buf_cstr(&got), rows[i].wanted);
        reply_free(&r.reply);
    }
}
#define CHECK_ROWS(format, rows) check(format, rows, sizeof(rows) / sizeof((rows)[0]))

#define SAID "data: {'choices':[{'index':0,'delta':{'content':'So'}}]}\n\n"
#define STOP "data: {'choices':[{'index':0,'delta':{},'finish_reason':'stop'}]}\n\n"
#define CALL(call)                                                                                 \
    "data: {'choices':[{'delta':{'tool_calls':" call "},'finish_reason':'stop'}]}\n\n"

static void chat_completions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* lines that keep it alive, and what is wrapped twice */
        {": c\n\ndata: null\n\ndata: []\n\ndata: ping\n\ndata: keep-alive\n\ndata:\n\n" SAID STOP,
         "So"},
        {"data: data: {'choices':[{'delta':{'content':'So'},'finish_reason':'stop'}]}\n\n"
         "data: data: [DONE]\n\n",
         "So"},
        {SAID STOP "data: '[DONE]'\n\n", "So"},
        {SAID STOP "data: <html>bye</html>\n\n", "So"},
        {SAID "data: <html>bye</html>\n\n", "model_broken 0"},
        /* counts */
        {SAID STOP "data: {'choices':[],'usage':{'prompt_tokens':'41','completion_tokens':7.0,"
                   "'prompt_tokens_details':{'cached_tokens':'3'}}}\n\n",
         "So; 41/7/3"},
        {SAID "data: {'choices':[{'delta':{},'finish_reason':'stop'}],'usage':{'prompt_tokens':41,"
              "'completion_tokens':7}}\n\ndata: {'choices':[],'usage':{'prompt_tokens':0,"
              "'completion_tokens':0}}\n\n",
         "So; 41/7/0"},
        {SAID STOP "data: {'choices':[],'usage':{'input_tokens':41,'output_tokens':7}}\n\n",
         "So; 41/7/0"},
        {SAID STOP "data: {'choices':[],'usage':{'prompt_tokens':-1,'completion_tokens':1e99}}\n\n",
         "So"},
        /* content and calls */
        {"data: {'choices':[{'delta':{'content':{'type':'text','text':'So'}}}]}\n\n" STOP, "So"},
        {CALL("[{'index':0,'id':'a','name':'f','arguments':'{}'}]"), "; a f{}"},
        {CALL("{'index':0,'id':'a','function':{'name':'f','arguments':{'x':1}}}"),
         "; a f{\"x\":1}"},
        {CALL("[{'function':{'name':'f'}},{'function':{'name':'g'}}]")
             CALL("[{'function':{'arguments':{'x':1}}},{'function':{'arguments':{'y':2}}}]"),
         "; call_1_0 f{\"x\":1}; call_1_1 g{\"y\":2}"},
        {CALL("[{'function':{'name':'f'}}]") CALL("[{'function':{'name':'g'}}]")
             CALL("[{'function':{'arguments':{'x':1}}},{'function':{'arguments':{'y':2}}}]"),
         "; call_1_0 f\"lost\"; call_1_1 g\"lost\"; call_1_2 unassigned_tool_call{\"x\":1}; "
         "call_1_3 unassigned_tool_call{\"y\":2}"},
        {CALL("[{'function':{'name':'f'}}]") CALL("[{'index':0,'function':{'arguments':'{}'}}]")
             CALL("[{'function':{'name':'g'}}]")
                 CALL("[{'index':1,'function':{'arguments':{'y':2}}}]"),
         "; call_1_0 f{}; call_1_1 g{\"y\":2}"},
        {CALL("[{'id':'a','function':{'name':'f','parameters':{'x':1}}}]"), "; a f{\"x\":1}"},
        {CALL("[{'id':'a','function':{'name':' f<|channel|>commentary','arguments':'{}'}}]"),
         "; a f{}"},
        {"data: {'choices':[{'message':{'content':'So'},'finish_reason':'tool_calls'},{'message':"
         "{'tool_calls':[{'id':'a','function':{'name':'f','arguments':'{}'}}]}}]}\n\n",
         "So; a f{}"},
        {CALL("[{'index':0.0,'id':17,'function':{'name':'f','arguments':'{}'}}]"), "; 17 f{}"},
    };
    CHECK_ROWS(&llm_chat, rows);
}

static void errors_within_chat_completions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {SAID "data: {'choices':[{'delta':{},'finish_reason':"
              "'function_call_filter: MALFORMED_FUNCTION_CALL'}]}\n\n",
         "model_broken 0"},
        {"data: {'message':'Too many tokens, please wait before trying again.',"
         "'__type':'ThrottlingException'}\n\n",
         "model_unavailable 429 throttled"},
        {SAID "data: {'modelStreamErrorException':{'message':'x','originalStatusCode':424}}\n\n",
         "model_unavailable 500"},
        {"event: error\ndata: {'error':{'message':'Input validation error: "
         "so','http_status_code':422}}"
         "\n\n",
         "model_refused 422"},
        {"data: {'error':'Input validation error: so','error_type':'validation'}\n\n",
         "model_refused 400"},
        {"data: {'error':'Model is overloaded','error_type':'overloaded'}\n\n",
         "model_unavailable 529"},
        {SAID "data: {'validationException':{'message':'so'}}\n\n", "model_refused 400"},
        {"data: {'code':'Client specified an invalid argument','error':'so'}\n\n",
         "model_refused 400"},
        {"data: {'choices':null,'base_resp':{'status_code':1002,'status_msg':'rate limit'}}\n\n",
         "model_unavailable 429 throttled"},
        {SAID "data: {'choices':null,'base_resp':{'status_code':1027,'status_msg':"
              "'output new_sensitive (1027)'}}\n\n",
         "model_refused 400"},
        {"data: {'choices':[{'delta':{'content':'So'},'finish_reason':'stop'}],'base_resp':"
         "{'status_code':0,'status_msg':''}}\n\n",
         "So"},
        {"data: {'status':429,'message':'Too Many Requests'}\n\n",
         "model_unavailable 429 throttled"},
        {"data: {'code':'busy','status':503,'message':'Later'}\n\n", "model_unavailable 503"},
        {SAID "data: {'error':{'type':'overloaded_error','message':'x','http_code':'429'}}\n\n",
         "model_unavailable 429 throttled"},
        {SAID "data: {'error':{'message':'x','code':null,'status_code':503}}\n\n",
         "model_unavailable 503"},
        {SAID "data: {'error':{'message':'{ code: 429, status: RESOURCE_EXHAUSTED }','code':null}}"
              "\n\n",
         "model_unavailable 500 throttled"},
        {SAID
         "data: {'error':{'message':'litellm.MidStreamFallbackError: litellm.RateLimitError: x',"
         "'code':'500'}}\n\n",
         "model_unavailable 500 throttled"},
        {"data: {'detail':'Rate limit exceeded'}\n\n", "model_unavailable 500 throttled"},
        {"data: {'errors':[{'code':7009,'message':'upstream'}],'success':false}\n\n",
         "model_unavailable 500"},
        {SAID "data: {'choices':[],'x_groq':{'id':'a','error':'over_capacity'}}\n\n",
         "model_unavailable 500"},
        {SAID "data: {'id':'x','error':{'code':502,'message':'gone'},'choices':[{'delta':"
              "{'content':''},'finish_reason':'error'}]}\n\n",
         "model_unavailable 502"},
    };
    CHECK_ROWS(&llm_chat, rows);
}

#define BEGAN                                                                                      \
    "data: {'type':'message_start','message':{'content':[],'usage':{'input_tokens':10,"            \
    "'output_tokens':1}}}\n\n"
#define BLOCK                                                                                      \
    "data: {'type':'content_block_start','index':0,'content_block':{'type':'text','text':''}}\n\n" \
    "data: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta','text':'So'}}\n\n"
#define ENDED(usage)                                                                               \
    "data: {'type':'message_delta','delta':{'stop_reason':'end_turn'},'usage':" usage              \
    "}\n\ndata: {'type':'message_stop'}\n\n"

static void messages(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"event: ping\ndata:\n\ndata: null\n\n" BEGAN BLOCK ENDED("{'output_tokens':9}"),
         "So; 10/9/0"},
        {BEGAN BLOCK "data: [DONE]\n\n", "So; 10/1/0"},
        {BEGAN BLOCK ENDED("{'output_tokens':'9','input_tokens':null}"), "So; 10/9/0"},
        {BEGAN BLOCK ENDED("{'output_tokens':9.0,'input_tokens':'12',"
                           "'cache_read_input_tokens':'3'}"),
         "So; 15/9/3"},
        {BEGAN BLOCK ENDED("{'input_tokens':0,'output_tokens':0}"), "So; 10/1/0"},
        {BEGAN "data: {'type':'exception','message':'Bedrock is unable to process it'}\n\n",
         "model_unavailable 500"},
        {BEGAN "event: exception\ndata: {'message':'Too many requests, please wait before trying "
               "again.'}\n\n",
         "model_unavailable 500 throttled"},
        {BEGAN BLOCK "event: throttlingException\ndata: {'message':'Too many requests'}\n\n",
         "model_unavailable 500 throttled"},
        {BEGAN "data: {'error':{'code':429,'message':'x','status':'RESOURCE_EXHAUSTED'}}\n\n",
         "model_unavailable 429 throttled"},
    };
    CHECK_ROWS(&llm_messages, rows);
}

#define CREATED "data: {'type':'response.created','response':{'status':'in_progress'}}\n\n"
#define TEXT                                                                                       \
    "data: {'type':'response.output_item.added','output_index':0,'item':{'type':'message'}}\n\n"   \
    "data: {'type':'response.output_text.delta','output_index':0,'delta':'So'}\n\n"
#define TEXT_DONE                                                                                  \
    "data: {'type':'response.output_item.done','output_index':0,'item':{'type':'message',"         \
    "'content':[{'type':'output_text','text':'So'}]}}\n\n"
#define CALL_DONE                                                                                  \
    "data: {'type':'response.output_item.done','output_index':1,'item':{'type':'function_call',"   \
    "'id':'fc','call_id':'c','name':'f','arguments':'{}'}}\n\n"
#define COMPLETED(output)                                                                          \
    "data: {'type':'response.completed','response':{'status':'completed','output':" output         \
    ",'usage':{'input_tokens':'5','output_tokens':2.0}}}\n\n"

static void responses(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {CREATED TEXT TEXT_DONE COMPLETED("[]"), "So; 5/2/0"},
        {CREATED TEXT "data: [DONE]\n\n", "So"},
        {CREATED TEXT
         "data: {'type':'response.done','response':{'status':'completed','output':[{'type':"
         "'function_call','call_id':'c','name':'f','arguments':'{}'}]}}\n\n",
         "So; c f{}"},
        {CREATED TEXT "data: {'type':'response.done','response':{'status':'failed','error':{'code':"
                      "'rate_limit_exceeded','message':'x'}}}\n\n",
         "model_unavailable 429 throttled"},
        {CREATED TEXT "data: {'type':'response.failed','response':{'error':{'code':"
                      "'rate_limit_exceeded','message':'x'}}}\n\n",
         "model_unavailable 429 throttled"},
        {CREATED TEXT_DONE COMPLETED("[]"), "So; 5/2/0"},
        {CREATED TEXT TEXT_DONE TEXT_DONE COMPLETED("[]"), "SoSo; 5/2/0"},
        {CREATED TEXT TEXT_DONE CALL_DONE COMPLETED("[]"), "So; c f{}; 5/2/0"},
        {CREATED TEXT TEXT_DONE TEXT TEXT_DONE COMPLETED("[]"), "So\n\nSo; 5/2/0"},
        {CREATED TEXT TEXT_DONE "data: {'type':'response.output_item.added','output_index':1,"
                                "'item':{'type':'message'}}\n\n" COMPLETED("[]"),
         "So; 5/2/0"},
        {COMPLETED("[{'type':'message','content':[{'text':'S'},{'text':'o'}]},"
                   "{'type':'message','content':[{'text':'So'}]}]"),
         "So\n\nSo; 5/2/0"},
        {CREATED TEXT COMPLETED("[{'type':'message','content':[{'text':'So'}]},"
                                "{'type':'function_call','call_id':'c','name':'f',"
                                "'arguments':'{}'}]"),
         "So; c f{}; 5/2/0"},
        {CREATED CALL_DONE COMPLETED("[{'type':'function_call','call_id':'c','name':'f',"
                                     "'arguments':'{}'}]"),
         "; c f{}; 5/2/0"},
        {CREATED "data: {'type':'response.function_call_arguments.delta','output_index':1,"
                 "'item_id':'fc','delta':'{}'}\n\n" CALL_DONE COMPLETED("[]"),
         "; fc f{}; 5/2/0"},
        {CREATED "data: {'message':'Internal server error'}\n\n", "model_unavailable 500"},
    };
    CHECK_ROWS(&llm_responses, rows);
}

#define PART(part, rest) "data: {'candidates':[{'content':{'parts':[" part "]}" rest "}]}\n\n"
#define FINISH ",'finishReason':'STOP'"

static void generate(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"data: null\n\n" PART("{'text':'So'}", FINISH) "data: [DONE]\n\n", "So"},
        {"data: {'promptFeedback':{'blockReason':'BLOCKED_REASON_UNSPECIFIED'}}\n\n" PART(
             "{'text':'So'}", FINISH),
         "So"},
        {PART("{'text':'So'}", "") "data: {'usageMetadata':{'promptTokenCount':'5',"
                                   "'candidatesTokenCount':2.0}}\n\n" PART(
                                       "",
                                       FINISH) "data: {'usageMetadata':{'promptTokenCount':5}}\n\n",
         "So; 5/2/0"},
        {PART("{'functionCall':{'name':'f','willContinue':true}}", ""), "model_refused 0"},
        {"data: {'code':503,'message':'x','status':'UNAVAILABLE'}\n\n", "model_unavailable 503"},
        {PART("{'text':'So','thought_signature':'x'}", "")
             PART("{'function_call':{'name':'f','args':{'a':1}}}",
                  ",'finish_reason':'STOP'") "data: {'usage_metadata':{'prompt_token_count':5,"
                                             "'tool_use_prompt_token_count':1,"
                                             "'candidates_token_count':2,'thoughts_token_count':3,"
                                             "'cached_content_token_count':4}}\n\n",
         "So; call_1_0 f{\"a\":1}; 6/5/4"},
        {PART("{'text':'So'}", ",'finish_reason':'MALFORMED_FUNCTION_CALL'"), "model_broken 0"},
        {"data: {'prompt_feedback':{'block_reason':'SAFETY'}}\n\n", "model_refused 0"},
        {PART("{'function_call':{'name':'f','will_continue':true}}", ""), "model_refused 0"},
    };
    CHECK_ROWS(&llm_generate, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chat_completions), cmocka_unit_test(errors_within_chat_completions),
        cmocka_unit_test(messages),         cmocka_unit_test(responses),
        cmocka_unit_test(generate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
