/* What providers say of errors, in their own words, and what each means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "worker/llm/errors.h"

struct said {
    int status;
    const char *code, *message;
    enum llm_error_kind kind;
    int64_t wait_ms;
    const char *parameter;
};
#define LONG .kind = LLM_ERROR_TOO_LONG
#define SLOW .kind = LLM_ERROR_THROTTLED
#define GONE .kind = LLM_ERROR_QUOTA_GONE
#define PARAM .kind = LLM_ERROR_PARAMETER

static void check(const struct said *all, size_t count)
{
    static const char *const names[] = {
#define X(name) #name,
        LLM_ERROR_KINDS(X)
#undef X
    };
    for (size_t i = 0; i < count; i++) {
        const struct said *s = &all[i];
        struct llm_error e = llm_error_judge(s->status, str_of(s->code), str_of(s->message));
        if (e.kind != s->kind || e.wait_ms != s->wait_ms)
            fail_msg("%d %s %s: %s, wait %lld", s->status, s->code, s->message, names[e.kind],
                     (long long)e.wait_ms);
        assert_string_equal(e.parameter, s->parameter ? s->parameter : "");
    }
}

static void too_long_in_each_vendors_words(void **state)
{
    (void)state;
    static const struct said all[] = {
        {400, "context_length_exceeded invalid_request_error",
         "This model's maximum context length is 128000 tokens. However, your messages resulted in "
         "130000 tokens.",
         LONG},
        {0, "context_length_exceeded",
         "Your input exceeds the context window of this model. Please adjust your input.", LONG},
        {400, "", "Input tokens exceed the configured limit of 272000 tokens.", LONG},
        {400, "invalid_request_error", "prompt is too long: 213462 tokens > 200000 maximum", LONG},
        {400, "invalid_request_error",
         "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000", LONG},
        {413, "request_too_large", "Request exceeds the maximum size", LONG},
        {400, "400 INVALID_ARGUMENT",
         "The input token count (1054016) exceeds the maximum number of tokens allowed (1048576).",
         LONG},
        {400, "ValidationException", "Input is too long for requested model.", LONG},
        {500, "", "Requested input length 99009 exceeds maximum input length 8192", LONG},
        {429, "rate_limit_error", "Extra usage is required for long context requests.", LONG},
        {400, "", "Too many input tokens. Max input tokens: 8000", LONG},
        {400, "",
         "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
         LONG},
        {400, "3051 invalid_request_prompt",
         "Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum "
         "context length",
         LONG},
        {400, "400 BadRequestError",
         "'max_tokens' or 'max_completion_tokens' is too large: 2000. This model's maximum context "
         "length is 4096 tokens and your request has 2104 input tokens",
         LONG},
        {400, "",
         "The decoder prompt (length 9000) is longer than the maximum model length of 8192", LONG},
        {400, "400 exceed_context_size_error",
         "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing "
         "it",
         LONG},
        {500, "server_error", "Context size has been exceeded.", LONG},
        {400, "", "prompt too long; exceeded max context length by 4 tokens", LONG},
        {400, "400", "litellm.ContextWindowExceededError: too much", LONG},
        {400, "400",
         "This endpoint's maximum context length is 32768 tokens. However, you requested about "
         "42832 tokens",
         LONG},
        {400, "", "too many tokens: total number of tokens in the prompt cannot exceed 4081", LONG},
        {422, "",
         "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000",
         LONG},
        {400, "", "Please reduce the length of the messages or completion.", LONG},
        {413, "rate_limit_exceeded tokens",
         "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 8000, "
         "please reduce your message size and try again.",
         LONG},
        {400, "", "Your request exceeded model token limit: 262144 (requested: 291351)", LONG},
        {400, "", "the number of tokens to keep is greater than the context length", LONG},
        {413, "", "", LONG},
    };
    check(all, sizeof(all) / sizeof(all[0]));
}

static void too_long_in_the_words_of_others(void **state)
{
    (void)state;
    static const struct said all[] = {
        {400, "",
         "Unable to submit request because the input token count is 1500000 but model only sup"
         "ports up to 1048576. Reduce the input token count and try again.",
         LONG},
        {400, "BAD_REQUEST", "Requested token count 5000 exceeds the maximum tokens limit of 4096.",
         LONG},
        {400, "1261", "Prompt exceeds max length", LONG},
        {400, "", "Prompt length (9000) exceeds maximum input length (8192).", LONG},
        {400, "invalid_input_argument",
         "the number of input tokens 5000 cannot exceed the total tokens limit 4096 for this m"
         "odel",
         LONG},
        {400, "390142", "max tokens of 4096 exceeded", LONG},
        {400, "336007", "prompt tokens too long", LONG},
        {400, "BadRequestError",
         "The input (9000 tokens) is longer than the model's context length (8192 tokens).", LONG},
        {413, "tokens_limit_reached",
         "Request body too large for gpt-4o model. Max size: 8000 tokens.", LONG},
        {400, "",
         "Input Tokens Exceeded: Number of input tokens exceeds maximum length. Please update "
         "the input to try again.",
         LONG},
        {400, "", "The prompt is too long: 40000, model maximum context length: 32767", LONG},
        {400, "BadRequestError",
         "You passed 10000 input tokens and requested 100 output tokens. However, the model's "
         "context length is only 8192 tokens",
         LONG},
        {400, "",
         "Trying to keep the first 5000 tokens when context overflows. However, the model is l"
         "oaded with context length of only 4096 tokens",
         LONG},
        {400, "",
         "AiError: The estimated number of input and maximum output tokens (10000) exceeded th"
         "is model context window limit (8192).",
         LONG},
        {400, "context_length_exceeded",
         "Please reduce the length of the messages or completion. Current length is 8200 while"
         " limit is 8192",
         LONG},
        {400, "", "invalid params, context window exceeds limit (2013)", LONG},
        {422, "validation",
         "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000", LONG},
        {400, "InvalidParameter", "Total tokens of image and text exceed max message tokens", LONG},
        {400, "InvalidParameter", "Input length 40000 exceeds the maximum length 32768", LONG},
        {400, "1261", "Prompt 超长", LONG},
        {400, "", "The input or output tokens must be no more than 4096", LONG},
        {400, "", "The prompt token count of 12345 exceeds the model's limit of 8192.", LONG},
        {400, "", "Input exceeds maximum allowed token count of 32768", LONG},
        {400, "invalid_request_error", "messages: too many total text bytes: 12000000 > 9000000",
         LONG},
        {400, "array_above_max_length invalid_request_error",
         "Invalid 'messages': array too long. Expected an array with maximum length 2048, but got "
         "an array with length 3000 instead.",
         LONG},
        {400, "array_above_max_length",
         "Invalid 'input': array too long. Expected an array with maximum length 2048.", LONG},
        {400, "array_above_max_length",
         "Invalid 'tools': array too long. Expected an array with maximum length 128.",
         .kind = LLM_ERROR_BAD_REQUEST},
        {400, "", "total tokens 40000 exceeds max_seq_len 32768", LONG},
        {400, "", "Prompt tokens (40000) exceed max sequence length (32768)", LONG},
        {400, "", "The length of the prompt exceeds the model's max context", LONG},
        {400, "", "Input token length 9000 exceeds the limit 8192", LONG},
        {400, "", "The number of tokens in your input exceeds the model's limit", LONG},
        {400, "", "Your prompt has 40000 tokens, but the model only supports 32768", LONG},
        {400, "", "The prompt (40000 tokens) is too long for this model", LONG},
        /* one request over the allowance of a minute, which no wait makes room for */
        {429, "tokens rate_limit_exceeded",
         "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, "
         "Requested 50000. The input or output tokens must be reduced in order to run "
         "successfully.",
         LONG},
    };
    check(all, sizeof(all) / sizeof(all[0]));
}

static void too_long_in_words_that_gateways_pass_on(void **state)
{
    (void)state;
    static const struct said all[] = {
        {400, "400",
         "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.", LONG},
        {400, "InvalidParameter", "Total tokens in request more than max tokens allowed", LONG},
        {400, "", "prompt exceeds the length limit", LONG},
        {400, "", "the prompt has 12000 tokens, max_context_length is 8192", LONG},
        {400, "1210", "输入超过最大长度限制", LONG},
        {400, "", "输入的上下文长度过长", LONG},
    };
    check(all, sizeof(all) / sizeof(all[0]));
}

static void limits_say_how_long_and_are_never_too_long(void **state)
{
    (void)state;
    static const struct said all[] = {
        {429, "ThrottlingException", "Too many tokens, please wait before trying again.", SLOW},
        {0, "throttlingException", "Too many tokens, please wait before trying again.", SLOW},
        {429, "", "prompt is too long for now", SLOW},
        {0, "429", "", SLOW},
        {200, "429", "", SLOW},
        {429, "rate_limit_exceeded tokens",
         "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, "
         "Requested "
         "3000. Please try again in 4s.",
         SLOW, 4000},
        {429, "rate_limit_exceeded", "Rate limit reached. Please try again in 7m12.5s.", SLOW,
         432500},
        {429, "", "Please try again in 250ms.", SLOW, 250},
        {429, "429", "Please retry after 26 seconds.", SLOW, 26000},
        {429, "", "You are being rate limited. Limit resets in 42s.", SLOW, 42000},
        {429, "", "Too many requests; your quota will reset in 1m30s", SLOW, 90000},
        {429, "429 RESOURCE_EXHAUSTED",
         "You exceeded your current quota, please check your plan and billing details. Quota "
         "exceeded for metric: x, limit: 20, model: m\nPlease retry in 27.5s.",
         SLOW, 27500},
        {429, "rate_limit_error",
         "This request would exceed your organization's rate limit of 30,000 input tokens per "
         "minute.",
         SLOW},
        {429, "429 RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", SLOW},
        {429, "", "Rate limit reached. Please try again in 1m2.5s. Visit our page.", SLOW, 62500},
        {429, "", "Please retry after 1 minute.", SLOW, 60000},
        {429, "", "Try again in 2 hours.", SLOW, 7200000},
        {429, "", "Please wait 2 minutes and 5 seconds.", SLOW, 125000},
        {429, "", "Your quota will reset after 18h 44m 12s.", SLOW, 67452000}, /* Gemini */
        {429, "", "Too many requests, retry after 30", SLOW, 30000},
        {429, "", "Slow down (Retry-After: 12)", SLOW, 12000},
        {429, "", "You may retry in 3 of our regions.", SLOW, 0},
        {429, "",
         "You are using a Trial key, which is limited to 20 API calls / minute. You can continue "
         "to use the Trial key for free",
         SLOW},
        {429, "", "Please retry in 1,500 steps.", SLOW, 0},
        {429, "", "Please try again in about 20 seconds.", SLOW, 20000},
        {429, "", "Please wait 20s before you ask again.", SLOW, 20000},
        {429, "", "Please retry your request in 3 seconds", SLOW, 3000},
        {429, "token_quota_exceeded too_many_tokens_error",
         "Tokens per minute limit exceeded - too many tokens processed.", SLOW},
        {429, "",
         "Requests to the ChatCompletions_Create Operation have exceeded call rate limit. "
         "Please retry after 59 seconds.",
         SLOW, 59000},
        {429, "", "Please try again in 99999999999999999999999999h", SLOW, 86400000},
    };
    check(all, sizeof(all) / sizeof(all[0]));
}

static void money_that_is_gone_is_no_wait(void **state)
{
    (void)state;
    static const struct said all[] = {
        {429, "insufficient_quota insufficient_quota",
         "You exceeded your current quota, please check your plan and billing details.", GONE},
        {429, "", "You exceeded your current quota, please check your plan", GONE},
        {400, "invalid_request_error", "Your credit balance is too low to access the API.", GONE},
        {402, "", "Insufficient Balance", GONE},
        {429, "429", "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock more",
         GONE},
        {402, "402", "", GONE},
        {403, "billing_error", "", GONE},
        {400, "Arrearage", "Access denied, please make sure your account is in good standing.",
         GONE},
        {429, "1113", "余额不足或无可用资源包", GONE},
        {403, "insufficient_user_quota new_api_error", "user quota is not enough", GONE},
        {403, "pre_consume_token_quota_failed", "token quota is not enough", GONE},
        {403, "AccountOverdueError",
         "The request failed because your account has an overdue balance", GONE},
        {429, "SetLimitExceeded", "Your account has reached the set inference limit", GONE},
        {400, "invalid_request_error", "Your organization's monthly usage limit was reached", GONE},
        {403, "", "Key limit exceeded (monthly limit). Manage it in the settings", GONE},
        {429, "credit_balance_exhausted", "You have no credits left", GONE},
        {429, "429 RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", GONE},
        {403, "", "Sorry, your account balance is insufficient", GONE},
        {403, "NOT_ENOUGH_BALANCE", "not enough balance", GONE},
        {429, "",
         "You are using a Trial key, which is limited to 1000 API calls / month. You can continue "
         "to use the Trial key for free",
         GONE},
        {429, "", "You are past the per month request limit for this model", GONE},
        {429, "",
         "Your team has either used all available credits or reached its monthly spending "
         "limit.",
         GONE},
        {429, "429 RESOURCE_EXHAUSTED",
         "You exceeded your current quota. Quota exceeded for metric: x, limit: 0, model: m\n"
         "Please retry in 27.5s.",
         GONE},
    };
    check(all, sizeof(all) / sizeof(all[0]));
}

static void the_rest_is_told_apart(void **state)
{
    (void)state;
    static const struct said all[] = {
        {401, "invalid_api_key", "Incorrect API key provided: sk-abc", .kind = LLM_ERROR_AUTH},
        {400, "400 INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
         .kind = LLM_ERROR_AUTH},
        {403, "403 PERMISSION_DENIED", "", .kind = LLM_ERROR_AUTH},
        {400, "400 INVALID_ARGUMENT API_KEY_INVALID", "", .kind = LLM_ERROR_AUTH},
        {400, "400 INVALID_ARGUMENT", "API key expired. Please renew the API key.",
         .kind = LLM_ERROR_AUTH},
        {401, "", "your context length is fine", .kind = LLM_ERROR_AUTH},
        {529, "overloaded_error", "Overloaded", .kind = LLM_ERROR_OVERLOADED},
        {499, "499 CANCELLED", "The operation was cancelled.", .kind = LLM_ERROR_SERVER},
        {421, "", "", .kind = LLM_ERROR_SERVER},
        {200, "overloaded_error", "Overloaded", .kind = LLM_ERROR_OVERLOADED},
        {200, "503 UNAVAILABLE", "The model is overloaded.", .kind = LLM_ERROR_OVERLOADED},
        {0, "api_error", "Internal server error", .kind = LLM_ERROR_SERVER},
        {0, "500", "litellm.APIConnectionError: cut", .kind = LLM_ERROR_SERVER},
        {0, "server_error", "", .kind = LLM_ERROR_SERVER},
        {500, "", "max_tokens is not supported with this model", .kind = LLM_ERROR_SERVER},
        {400, "invalid_request_error", "This organization has been disabled.",
         .kind = LLM_ERROR_AUTH},
        {400, "integer_above_max_value",
         "Invalid 'max_tokens': integer above maximum value. Expected a value <= 4096, but got "
         "8192 "
         "instead.",
         PARAM, 0, "max_tokens"},
        {400, "",
         "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is "
         "less than the `context_window` for this model",
         PARAM, 0, "max_tokens"},
        {400, "content_filter", "The response was filtered", .kind = LLM_ERROR_FILTERED},
        {400, "unsupported_parameter invalid_request_error",
         "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.",
         PARAM, 0, "max_tokens"},
        {400, "", "Unrecognized request argument supplied: stream_options", PARAM, 0,
         "stream_options"},
        {400, "invalid_request_error", "thinking.type: Extra inputs are not permitted", PARAM, 0,
         "thinking.type"},
        {400, "400",
         "Invalid JSON payload received. Unknown name \"topK\" at 'x': Cannot find "
         "field.",
         PARAM, 0, "topK"},
        {400, "", "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens",
         PARAM, 0, "max_tokens"},
        {400, "", "max_tokens is too large: 100000.", PARAM, 0, "max_tokens"},
        {404, "model_not_found", "The model `x` does not exist", .kind = LLM_ERROR_BAD_REQUEST},
        {0, "", "", .kind = LLM_ERROR_BAD_REQUEST},
        {400, "4290 1429", "", .kind = LLM_ERROR_BAD_REQUEST},
    };
    check(all, sizeof(all) / sizeof(all[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_long_in_each_vendors_words),
        cmocka_unit_test(too_long_in_the_words_of_others),
        cmocka_unit_test(too_long_in_words_that_gateways_pass_on),
        cmocka_unit_test(limits_say_how_long_and_are_never_too_long),
        cmocka_unit_test(money_that_is_gone_is_no_wait),
        cmocka_unit_test(the_rest_is_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
