#include "worker/llm/errors.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum { WAIT_MAX_MS = 24 * 3600 * 1000 };

static const char *find(struct str text, const char *pattern);
static int number_in(struct str code);
static bool fits(enum llm_error_kind kind, int http_status);
static enum llm_error_kind by_status(int http_status);
static int64_t wait_in(struct str message);
static void name_parameter(struct str message, char out[64]);

/* In order: the first row that is found decides. A star stands for any text. */
struct row {
    enum llm_error_kind kind;
    const char *code, *message; /* either is enough; NULL: never */
};
enum { OF_ONE_REQUEST = 3 }; /* the first rows: also of a 429 it is about its size */
static const struct row rows[] = {
    /* One request is over a minute's allowance: no wait helps (OpenAI 429, Groq 413). */
    {LLM_ERROR_TOO_LONG, NULL, "request too large for*requested"},
    {LLM_ERROR_TOO_LONG, NULL, "tokens must be reduced in order to run"},
    {LLM_ERROR_TOO_LONG, NULL, "required for long context requests"}, /* Anthropic, 429 */
    /* Gemini says "your current quota" of its limits of a minute as well, but then when to retry.
     * A limit of 0 never opens. */
    {LLM_ERROR_QUOTA_GONE, NULL, "exceeded your current quota*limit: 0,"},
    {LLM_ERROR_QUOTA_GONE, "perday", NULL}, /* "retry in 27 s" helps nobody then */
    {LLM_ERROR_THROTTLED, NULL, "exceeded your current quota*retry in "},
    {LLM_ERROR_QUOTA_GONE, "insufficient_quota", "exceeded your current quota"}, /* OpenAI, Azure */
    {LLM_ERROR_QUOTA_GONE, "exceeded_current_quota", "insufficient balance"}, /* Kimi, DeepSeek */
    {LLM_ERROR_QUOTA_GONE, "billing", "billing hard limit"}, /* OpenAI, Anthropic */
    {LLM_ERROR_QUOTA_GONE, "insufficient_credit", "credit balance is too low"}, /* Anthropic */
    {LLM_ERROR_QUOTA_GONE, NULL, "insufficient credit"},                        /* OpenRouter */
    {LLM_ERROR_QUOTA_GONE, "credit_limit", "requires more credits"},    /* Together, OpenRouter */
    {LLM_ERROR_QUOTA_GONE, NULL, "used all available credits"},         /* xAI */
    {LLM_ERROR_QUOTA_GONE, NULL, "monthly spending limit"},             /* xAI */
    {LLM_ERROR_QUOTA_GONE, NULL, "specified api usage limits"},         /* Anthropic */
    {LLM_ERROR_QUOTA_GONE, "arrearage", "account is in good standing"}, /* Qwen */
    {LLM_ERROR_QUOTA_GONE, NULL, "key limit exceeded"},                 /* OpenRouter */
    {LLM_ERROR_QUOTA_GONE, NULL, "past the per month"},                 /* Cohere */
    {LLM_ERROR_QUOTA_GONE, "budget_exceeded", "budget has been exceeded"}, /* LiteLLM */
    {LLM_ERROR_QUOTA_GONE, "user_quota",
     "\xe4\xbd\x99\xe9\xa2\x9d\xe4\xb8\x8d\xe8\xb6\xb3"},                      /* One API, Zhipu */
    {LLM_ERROR_QUOTA_GONE, "token_quota_failed", "token quota is not enough"}, /* One API */
    {LLM_ERROR_QUOTA_GONE, "accountoverdue", "overdue balance"},               /* Volcengine */
    {LLM_ERROR_QUOTA_GONE, "setlimitexceeded", "set inference limit"},         /* Volcengine */
    {LLM_ERROR_QUOTA_GONE, NULL, "free-models-per-day"},                       /* OpenRouter */
    {LLM_ERROR_QUOTA_GONE, NULL, "monthly usage limit"},
    {LLM_ERROR_QUOTA_GONE, "credit_balance_exhausted", "credits are depleted"}, /* OpenAI, Google */
    {LLM_ERROR_QUOTA_GONE, "insufficient_balance", "balance is insufficient"},  /* SiliconFlow */
    {LLM_ERROR_QUOTA_GONE, "not_enough_balance", "enough balance"},             /* Novita */
    {LLM_ERROR_QUOTA_GONE, NULL, "api calls / month"},                          /* Cohere */
    {LLM_ERROR_SPOILED, "tool_use_failed", "failed to call a function"},        /* Groq */
    {LLM_ERROR_SPOILED, "json_validate_failed", "failed to generate json"},     /* Groq */
    {LLM_ERROR_SPOILED, NULL, "tool call validation failed"},                   /* Groq */
    {LLM_ERROR_SPOILED, NULL, "parsing tool call"},                             /* Ollama */
    {LLM_ERROR_SPOILED, NULL, "parse tool call arguments"},        /* Groq, llama.cpp */
    {LLM_ERROR_SPOILED, NULL, "model produced invalid content"},   /* OpenAI */
    {LLM_ERROR_AUTH, "invalid_api_key", "incorrect api key"},      /* OpenAI, xAI */
    {LLM_ERROR_AUTH, "api_key_invalid", "api key not valid"},      /* Google */
    {LLM_ERROR_AUTH, "expired_api_key", "api key expired"},        /* Groq, Google */
    {LLM_ERROR_AUTH, "invalidapikey", "login fail"},               /* Qwen, MiniMax */
    {LLM_ERROR_AUTH, "authentication_error", "invalid x-api-key"}, /* Anthropic */
    {LLM_ERROR_AUTH, "unauthenticated", "invalid api key"},        /* Google, Groq, Cohere */
    {LLM_ERROR_AUTH, "unrecognizedclient", "security token included in the request is"}, /* AWS */
    {LLM_ERROR_AUTH, NULL, "organization has been disabled"},            /* Anthropic, with 400 */
    {LLM_ERROR_FILTERED, "content_filter", "content management policy"}, /* OpenAI, Azure */
    {LLM_ERROR_FILTERED, "content_policy", "requires moderation"},       /* OpenAI, OpenRouter */
    {LLM_ERROR_FILTERED, "invalid_prompt", "flagged as potentially violating"}, /* OpenAI */
    {LLM_ERROR_FILTERED, "responsibleaipolicy", "flagged by moderation"},       /* Azure */
    {LLM_ERROR_FILTERED, "prohibited_content", "content filtering policy"}, /* Google, Anthropic */
    {LLM_ERROR_FILTERED, "data_inspection_failed", "contentpolicyviolation"}, /* Qwen, LiteLLM */
    {LLM_ERROR_FILTERED, NULL, "new_sensitive"},                              /* MiniMax */
    {LLM_ERROR_AUTH, "permission", "permission denied"},           /* Anthropic, Google */
    {LLM_ERROR_AUTH, "accessdenied", "not authorized to perform"}, /* Bedrock */
    /* Bedrock: "Too many tokens, please wait before trying again." */
    {LLM_ERROR_THROTTLED, "throttl", "please wait before trying again"},
    {LLM_ERROR_THROTTLED, "rate_limit",
     "rate limit"}, /* OpenAI, Anthropic, Groq, LiteLLM, Mistral */
    {LLM_ERROR_THROTTLED, "ratelimit", "too many requests"}, /* Azure, Bedrock, Cohere */
    {LLM_ERROR_THROTTLED, "too_many_requests", "tokens per min"},
    {LLM_ERROR_THROTTLED, "resource_exhausted", "resource has been exhausted"}, /* Google */
    /* One vendor's whole error, in another's message: gateways to Gemini, LiteLLM in a stream */
    {LLM_ERROR_THROTTLED, NULL, "resource_exhausted"},
    {LLM_ERROR_THROTTLED, NULL, "ratelimiterror"},
    {LLM_ERROR_THROTTLED, "quota", "quota exceeded for"},        /* Google, Vertex */
    {LLM_ERROR_TOO_LONG, "context_length", "context length"},    /* OpenAI, vLLM, DeepSeek, Mistral,
                                                                    OpenRouter, LM Studio, Groq */
    {LLM_ERROR_TOO_LONG, "exceed_context_size", "context size"}, /* llama.cpp */
    {LLM_ERROR_TOO_LONG, "context_window",
     "context window"}, /* Responses, LiteLLM, MiniMax, z.ai */
    {LLM_ERROR_TOO_LONG, "request_too_large", "context limit"},             /* Anthropic */
    {LLM_ERROR_TOO_LONG, "string_above_max_length", "string too long"},     /* OpenAI */
    {LLM_ERROR_TOO_LONG, "contextwindowexceeded", "contextwindowexceeded"}, /* LiteLLM */
    {LLM_ERROR_TOO_LONG, NULL, "maximum context"},
    {LLM_ERROR_TOO_LONG, NULL, "prompt is too long"},                    /* Anthropic, Bedrock */
    {LLM_ERROR_TOO_LONG, NULL, "prompt too long"},                       /* Ollama */
    {LLM_ERROR_TOO_LONG, NULL, "input is too long"},                     /* Bedrock */
    {LLM_ERROR_TOO_LONG, NULL, "input token count*exceeds the maximum"}, /* Google */
    {LLM_ERROR_TOO_LONG, NULL, "exceeds the maximum number of tokens"},  /* Google, Vertex */
    {LLM_ERROR_TOO_LONG, NULL, "maximum prompt length"},                 /* xAI */
    {LLM_ERROR_TOO_LONG, NULL, "input tokens exceed"},                   /* OpenAI, Azure */
    {LLM_ERROR_TOO_LONG, NULL, "reduce the length of the"},              /* OpenAI, Groq */
    {LLM_ERROR_TOO_LONG, NULL, "too large for model"},                   /* Mistral */
    {LLM_ERROR_TOO_LONG, NULL, "too many tokens"},                       /* Cohere, Bedrock */
    {LLM_ERROR_TOO_LONG, NULL, "too many input tokens"},                 /* Bedrock */
    {LLM_ERROR_TOO_LONG, NULL, "total number of tokens*exceed"},         /* Cohere */
    {LLM_ERROR_TOO_LONG, NULL, "token limit exceeded"},
    {LLM_ERROR_TOO_LONG, NULL, "token count*only supports up to"}, /* Vertex */
    {LLM_ERROR_TOO_LONG, NULL, "token count*exceeds the m"}, /* Databricks; "the model's limit" */
    {LLM_ERROR_TOO_LONG, NULL, "maximum allowed token count"},
    {LLM_ERROR_TOO_LONG, NULL, "too many total text bytes"},  /* Anthropic */
    {LLM_ERROR_TOO_LONG, NULL, "'messages': array too long"}, /* OpenAI */
    {LLM_ERROR_TOO_LONG, NULL, "'input': array too long"},    /* OpenAI */
    {LLM_ERROR_TOO_LONG, "max_seq_len", "max_seq_len"},
    {LLM_ERROR_TOO_LONG, NULL, "max sequence length"},
    {LLM_ERROR_TOO_LONG, NULL, "maximum sequence length"},
    {LLM_ERROR_TOO_LONG, NULL, "max context"},
    {LLM_ERROR_TOO_LONG, NULL, "input token length*exceeds"},
    {LLM_ERROR_TOO_LONG, NULL, "input length*exceeds maximum input length"}, /* DeepInfra, 500 */
    {LLM_ERROR_TOO_LONG, NULL, "tokens in your input exceeds"},
    {LLM_ERROR_TOO_LONG, NULL, "prompt has*tokens*only supports"},
    {LLM_ERROR_TOO_LONG, NULL, "prompt (*tokens) is too long"},
    {LLM_ERROR_TOO_LONG, NULL, "prompt exceeds max length"},            /* Zhipu */
    {LLM_ERROR_TOO_LONG, NULL, "prompt length*exceeds"},                /* TensorRT-LLM, Ollama */
    {LLM_ERROR_TOO_LONG, NULL, "input tokens*cannot exceed"},           /* watsonx */
    {LLM_ERROR_TOO_LONG, NULL, "max tokens of*exceeded"},               /* Snowflake */
    {LLM_ERROR_TOO_LONG, NULL, "tokens too long"},                      /* Qianfan */
    {LLM_ERROR_TOO_LONG, NULL, "prompt*longer than the*length"},        /* SGLang */
    {LLM_ERROR_TOO_LONG, NULL, "input*longer than the*length"},         /* SGLang */
    {LLM_ERROR_TOO_LONG, "tokens_limit_reached", "body too large for"}, /* GitHub Models */
    {LLM_ERROR_TOO_LONG, NULL, "exceeds the model's maximum"},
    {LLM_ERROR_TOO_LONG, NULL, "model token limit"},                          /* Kimi */
    {LLM_ERROR_TOO_LONG, NULL, "maximum model length"},                       /* vLLM */
    {LLM_ERROR_TOO_LONG, NULL, "max_model_len"},                              /* vLLM */
    {LLM_ERROR_TOO_LONG, NULL, "`inputs` tokens + `max_new_tokens` must be"}, /* Together, TGI */
    {LLM_ERROR_TOO_LONG, NULL, "token count*exceeds the limit of"},           /* Copilot */
    {LLM_ERROR_TOO_LONG, NULL, "range of input length should be"},            /* Qwen */
    {LLM_ERROR_TOO_LONG, NULL, "length of all messages is too long"},         /* Perplexity */
    {LLM_ERROR_TOO_LONG, NULL, "`inputs` must have less than"},               /* TGI */
    {LLM_ERROR_TOO_LONG, NULL, "exceed max message tokens"},                  /* Volcengine */
    {LLM_ERROR_TOO_LONG, NULL, "input length*exceeds the maximum"}, /* Volcengine, Poolside, GLM */
    {LLM_ERROR_TOO_LONG, NULL, "tokens in request more than max"},
    {LLM_ERROR_TOO_LONG, NULL, "prompt exceeds the length limit"},
    {LLM_ERROR_TOO_LONG, "max_context_length", "max_context_length"},
    /* "Context length", "exceeds the greatest length" */
    {LLM_ERROR_TOO_LONG, NULL, "\xe4\xb8\x8a\xe4\xb8\x8b\xe6\x96\x87\xe9\x95\xbf\xe5\xba\xa6"},
    {LLM_ERROR_TOO_LONG, NULL,
     "\xe8\xb6\x85\xe8\xbf\x87\xe6\x9c\x80\xe5\xa4\xa7\xe9\x95\xbf\xe5\xba\xa6"},
    {LLM_ERROR_TOO_LONG, NULL, "prompt \xe8\xb6\x85\xe9\x95\xbf"},  /* Zhipu */
    {LLM_ERROR_TOO_LONG, NULL, "tokens must be no more than"},      /* Hunyuan */
    {LLM_ERROR_TOO_LONG, NULL, "request exceeds the maximum size"}, /* Anthropic */
    {LLM_ERROR_TOO_LONG, NULL, "entity too large"},
    {LLM_ERROR_TOO_LONG, NULL, "payload size exceeds the limit"},            /* Google */
    {LLM_ERROR_PARAMETER, "unsupported_parameter", "unsupported parameter"}, /* OpenAI, Azure */
    {LLM_ERROR_PARAMETER, "unsupported_value", "unsupported value"},
    {LLM_ERROR_PARAMETER, "unknown_parameter", "unknown parameter"},
    {LLM_ERROR_PARAMETER, "extra_forbidden",
     "extra inputs are not permitted"},                                        /* Anthropic, vLLM */
    {LLM_ERROR_PARAMETER, NULL, "unrecognized request argument"},              /* OpenAI */
    {LLM_ERROR_PARAMETER, "unsupportedparams", "does not support parameters"}, /* LiteLLM */
    {LLM_ERROR_PARAMETER, NULL, "unknown name*cannot find field"},             /* Google */
    {LLM_ERROR_PARAMETER, NULL, "is not supported with this model"},
    {LLM_ERROR_PARAMETER, NULL, "is not supported by this model"},
    {LLM_ERROR_PARAMETER, NULL, "argument not supported on this model"},             /* xAI */
    {LLM_ERROR_PARAMETER, NULL, "max_tokens is too large"},                          /* OpenAI */
    {LLM_ERROR_PARAMETER, NULL, "maximum allowed number of output"},                 /* Anthropic */
    {LLM_ERROR_PARAMETER, NULL, "invalid max_tokens value"},                         /* DeepSeek */
    {LLM_ERROR_PARAMETER, "integer_above_max_value", "integer above maximum value"}, /* OpenAI */
    {LLM_ERROR_PARAMETER, NULL, "`max_tokens` must be less than or equal"},          /* Groq */
    {LLM_ERROR_PARAMETER, NULL, "maxoutputtokens value of"},                         /* Vertex */
    {LLM_ERROR_PARAMETER, NULL, "maximum tokens you requested exceeds"},             /* Bedrock */
    {LLM_ERROR_OVERLOADED, "overloaded", "overloaded"}, /* Anthropic, OpenAI, Google */
    {LLM_ERROR_OVERLOADED, "unavailable", "temporarily unavailable"}, /* Google, Bedrock */
    {LLM_ERROR_OVERLOADED, "capacity_exceeded", "capacity exceeded"}, /* Groq, Mistral */
    {LLM_ERROR_OVERLOADED, "modelnotready", "at capacity"},           /* Bedrock, xAI */
    {LLM_ERROR_SERVER, "server_error", "internal server error"},      /* OpenAI */
    {LLM_ERROR_SERVER, "api_error", "had an error while processing"}, /* Anthropic, OpenAI */
    {LLM_ERROR_SERVER, "internal", "internal error"},                 /* Google, Bedrock */
    {LLM_ERROR_SERVER, "timeout", "timed out"},
    {LLM_ERROR_SERVER, "deadline_exceeded", "deadline"},        /* Google */
    {LLM_ERROR_SERVER, "modelstreamerror", "connection error"}, /* Bedrock, LiteLLM */
};

struct llm_error llm_error_judge(int http_status, struct str code, struct str message)
{
    struct llm_error e = {.http_status = http_status == 200 ? 0 : http_status};
    if (e.http_status == 0)
        e.http_status = number_in(code);
    e.kind = by_status(e.http_status);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        if (((r->code && find(code, r->code)) || (r->message && find(message, r->message))) &&
            (fits(r->kind, e.http_status) || (i < OF_ONE_REQUEST && e.http_status == 429))) {
            e.kind = r->kind;
            break;
        }
    }
    if (e.kind == LLM_ERROR_THROTTLED || e.kind == LLM_ERROR_OVERLOADED ||
        e.kind == LLM_ERROR_SERVER)
        e.wait_ms = wait_in(message);
    if (e.kind == LLM_ERROR_PARAMETER)
        name_parameter(message, e.parameter);
    return e;
}

/* Words in a message do not outweigh a status that says something else for certain: what a 429
 * says of tokens or a 5xx of parameters is something else. */
static bool fits(enum llm_error_kind kind, int http_status)
{
    bool certain = http_status == 401 || http_status == 402 || http_status == 429;
    switch (kind) {
    case LLM_ERROR_TOO_LONG:
        return !certain && http_status != 403;
    case LLM_ERROR_THROTTLED:
        return http_status != 401 && http_status != 402 && http_status != 403;
    case LLM_ERROR_PARAMETER:
    case LLM_ERROR_AUTH:
        return !certain && http_status < 500;
    case LLM_ERROR_SPOILED:
        return !certain && http_status != 403;
    case LLM_ERROR_OVERLOADED:
    case LLM_ERROR_SERVER:
        return !certain && (http_status == 0 || http_status >= 498);
    case LLM_ERROR_BAD_REQUEST:
    case LLM_ERROR_QUOTA_GONE:
    case LLM_ERROR_FILTERED:
        break;
    }
    return http_status != 401;
}

static enum llm_error_kind by_status(int http_status)
{
    switch (http_status) {
    case 401:
    case 403:
        return LLM_ERROR_AUTH;
    case 402: /* DeepSeek, OpenRouter, Together */
        return LLM_ERROR_QUOTA_GONE;
    case 408:
    case 409:
    case 421: /* another connection may lead elsewhere */
    case 424: /* Bedrock's ModelErrorException: the model failed */
    case 425:
    case 460: /* AWS's load balancer and nginx: "the client left", which we did not */
    case 499: /* also Google's CANCELLED */
        return LLM_ERROR_SERVER;
    case 413:
        return LLM_ERROR_TOO_LONG;
    case 429:
        return LLM_ERROR_THROTTLED;
    case 498: /* Groq's flexible tier */
    case 503:
    case 529: /* Anthropic */
        return LLM_ERROR_OVERLOADED;
    default:
        return http_status >= 500 ? LLM_ERROR_SERVER : LLM_ERROR_BAD_REQUEST;
    }
}

/* A word of three digits from 400 to 599. */
static int number_in(struct str code)
{
    for (size_t i = 0; i + 3 <= code.len; i++) {
        const char *c = code.at + i;
        bool alone = (i == 0 || c[-1] == ' ') && (i + 3 == code.len || c[3] == ' ');
        if (alone && (c[0] == '4' || c[0] == '5') && isdigit((unsigned char)c[1]) &&
            isdigit((unsigned char)c[2]))
            return (c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0');
    }
    return 0;
}

/* Behind the pattern's first place in the text; NULL: it is not there. */
static const char *find(struct str text, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    size_t len = star ? (size_t)(star - pattern) : strlen(pattern);
    for (size_t i = 0; i + len <= text.len; i++)
        if (strncasecmp(text.at + i, pattern, len) == 0)
            return star ? find(str_skip(text, i + len), star + 1) : text.at + i + len;
    return NULL;
}

/* A number without a unit, with nothing that it could be of. */
static int64_t bare_seconds(struct str text)
{
    uint64_t n;
    size_t len = 0;
    while (len < text.len && isdigit((unsigned char)text.at[len]))
        len++;
    bool alone =
        len == text.len || (memchr(".,;)\"'", text.at[len], 6) &&
                            !(len + 1 < text.len && isalnum((unsigned char)text.at[len + 1])));
    return alone && str_u64((struct str){text.at, len}, WAIT_MAX_MS / 1000, &n) ? (int64_t)n : 0;
}

static int64_t wait_in(struct str message)
{
    static const char *const phrases[] = {"try again in ",
                                          "retry in ",
                                          "retry after ",
                                          "retry-after: ",
                                          "try again after ",
                                          "try again in about ",
                                          "retrying in ",
                                          "retry your request in ",
                                          "wait for ",
                                          "please wait ",
                                          "retry your request after ",
                                          "resets in ",
                                          "reset in ",
                                          "reset after ",
                                          "available again in "};
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        const char *at = find(message, phrases[i]);
        struct str rest = at ? str_skip(message, (size_t)(at - message.at)) : STR("");
        int64_t ms = llm_error_duration_ms(rest);
        if (ms > 0 || (ms = bare_seconds(rest) * 1000) > 0)
            return ms;
    }
    return 0;
}

/* One number: 12 or 12.345, in thousandths; moves behind it. */
static bool take_number(struct str *text, int64_t *thousandths)
{
    int64_t n = 0, unit = 1000;
    size_t i = 0;
    bool behind = false;
    for (; i < text->len; i++) {
        char c = text->at[i];
        if (c == '.' && !behind && i + 1 < text->len && isdigit((unsigned char)text->at[i + 1]))
            behind = true;
        else if (!isdigit((unsigned char)c))
            break;
        else if (!behind)
            n = n > INT64_C(1000000000000) ? n : n * 10 + (c - '0') * 1000;
        else if ((unit /= 10) > 0)
            n += (c - '0') * unit;
    }
    bool any = i > 0 && isdigit((unsigned char)text->at[0]);
    *text = str_skip(*text, i);
    *thousandths = n;
    return any;
}

int64_t llm_error_duration_ms(struct str text)
{
    static const struct {
        const char *word;
        int64_t ms;
    } units[] = {{"milliseconds", 1}, {"ms", 1},      {"min", 60000}, {"m", 60000},
                 {"s", 1000},         {"h", 3600000}, {"d", 86400000}};
    int64_t total = 0, n;
    while (take_number(&text, &n)) {
        struct str unit = text.len > 0 && text.at[0] == ' ' ? str_skip(text, 1) : text;
        int64_t ms = 0;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]) && ms == 0; i++)
            if (unit.len >= strlen(units[i].word) &&
                strncasecmp(unit.at, units[i].word, strlen(units[i].word)) == 0)
                ms = units[i].ms;
        if (ms == 0)
            break;
        if (n >= INT64_C(1000) * WAIT_MAX_MS / ms)
            return WAIT_MAX_MS;
        total += n * ms / 1000;
        while (unit.len > 0 && isalpha((unsigned char)unit.at[0]))
            unit = str_skip(unit, 1);
        text = str_starts(unit, STR(" and ")) ? str_skip(unit, 5) : str_trim(unit);
    }
    return total < WAIT_MAX_MS ? total : WAIT_MAX_MS;
}

static bool of_name(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

/* The first name in quotes; else the name behind the first colon, or before it where the text
 * begins with one ("thinking: Extra inputs are not permitted"). */
static void name_parameter(struct str message, char out[64])
{
    struct str name = {message.at, 0};
    while (name.len < message.len && of_name(message.at[name.len]))
        name.len++;
    bool first = name.len > 0 && name.len < message.len &&
                 (message.at[name.len] == ':' || memchr(name.at, '_', name.len));
    for (size_t i = 0; i + 1 < message.len && !first; i++) {
        bool opens = strchr("'\"`", message.at[i]) && !(i > 0 && of_name(message.at[i - 1]));
        bool colon = message.at[i] == ':' && message.at[i + 1] == ' ';
        if (!opens && !colon)
            continue;
        name = str_skip(message, i + 1 + colon);
        size_t len = 0;
        while (len < name.len && of_name(name.at[len]))
            len++;
        name.len = len;
        first = len > 0;
    }
    if (!first || name.len >= 64)
        name.len = 0;
    if (name.len > 0)
        memcpy(out, name.at, name.len);
    out[name.len] = '\0';
}
