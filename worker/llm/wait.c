#include "worker/llm/wait.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "common/utc.h"
#include "worker/llm/errors.h"
#include "worker/tools/moment.h"

static int64_t bounded(double ms);
static bool number(struct str text, double *out);
static int64_t number_ms(struct str text, int64_t wall_ms);
static bool date(struct str text, int64_t *unix_ms);

/* A limit: what is left of it, and when it is whole again. What is left of a limit of tokens may be
 * too little for the request that was refused; of requests it never is. */
static const struct limit {
    const char *left, *reset;
    bool of_tokens;
} limits[] = {
    /* OpenAI, Groq, Azure, xAI: durations ("6m0s", "17ms") or seconds */
    {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", false},
    {"x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", true},
    /* Cerebras: seconds */
    {"x-ratelimit-remaining-requests-day", "x-ratelimit-reset-requests-day", false},
    {"x-ratelimit-remaining-tokens-minute", "x-ratelimit-reset-tokens-minute", true},
    /* OpenRouter: Unix ms; Together and many gateways: seconds or Unix seconds */
    {"x-ratelimit-remaining", "x-ratelimit-reset", false},
    /* draft-ietf-httpapi-ratelimit-headers: seconds */
    {"ratelimit-remaining", "ratelimit-reset", false},
    /* Anthropic: RFC 3339; what is left of tokens is rounded to thousands */
    {"anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset", false},
    {"anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset", true},
    {"anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset", true},
    {"anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset",
     true},
};

int64_t llm_wait_asked_ms(const struct fetch *f)
{
    static const char *const fine[] = {"retry-after-ms", "x-ms-retry-after-ms"}; /* OpenAI, Azure */
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        double ms;
        if (number(str_trim(fetch_response_header(f, fine[i])), &ms))
            return bounded(ms);
    }
    return llm_wait_parse(str_trim(fetch_response_header(f, "retry-after")), loop_wall_ms());
}

int64_t llm_wait_reset_ms(const struct fetch *f)
{
    int64_t met_ms = 0, tokens_ms = 0;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const struct limit *l = &limits[i];
        struct str left = str_trim(fetch_response_header(f, l->left));
        int64_t ms = llm_wait_parse(str_trim(fetch_response_header(f, l->reset)), loop_wall_ms());
        bool met = str_is(left, "0") || str_is(left, "0.0");
        if (met && met_ms < ms)
            met_ms = ms;
        if (l->of_tokens && tokens_ms < ms)
            tokens_ms = ms;
    }
    return met_ms > 0 ? met_ms : tokens_ms;
}

int64_t llm_wait_parse(struct str text, int64_t wall_ms)
{
    int64_t unix_ms;
    if (text.len == 0 || text.len >= 64)
        return 0;
    if (date(text, &unix_ms))
        return bounded((double)(unix_ms - wall_ms));
    int64_t ms = llm_error_duration_ms(text);
    return ms > 0 ? ms : number_ms(text, wall_ms);
}

static int64_t bounded(double ms)
{
    return !(ms > 0) ? 0 : ms < LLM_WAIT_MAX_MS ? (int64_t)ms : LLM_WAIT_MAX_MS;
}

/* Decimal, not negative, and nothing else. */
static bool number(struct str text, double *out)
{
    char digits[32], *end;
    if (text.len == 0 || text.len >= sizeof(digits) || !isdigit((unsigned char)text.at[0]))
        return false;
    memcpy(digits, text.at, text.len);
    digits[text.len] = '\0';
    *out = strtod(digits, &end);
    return strspn(digits, "0123456789.") == text.len && *end == '\0';
}

/* Seconds; what is as much as thirty years is a moment: Unix seconds, or ms. */
static int64_t number_ms(struct str text, int64_t wall_ms)
{
    double n;
    if (!number(text, &n))
        return 0;
    return bounded(n >= 1e11  ? n - (double)wall_ms
                   : n >= 1e9 ? n * 1000 - (double)wall_ms
                              : n * 1000);
}

static bool date(struct str text, int64_t *unix_ms)
{
    if (text.len > 10 && text.at[4] == '-')
        return moment_parse(text, 0, STR("UTC"), unix_ms, NULL);
    return utc_read_http(text, unix_ms);
}

int64_t llm_wait_said(struct str words, int64_t wall_ms)
{
    static const char *const phrases[] = {"retry after ", "retry-after: ", "again after ",
                                          "again at ",    "again on ",     "retry at ",
                                          "until ",       "resets at ",    "reset at ",
                                          "resets on ",   "available at ", "available on "};
    enum { DATE_MIN = 16, DATE_MAX = 40 };
    int64_t unix_ms;
    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        size_t len = strlen(phrases[i]);
        for (size_t at = 0; at + len < words.len; at++) {
            if (strncasecmp(words.at + at, phrases[i], len) != 0)
                continue;
            struct str rest = str_skip(words, at + len);
            for (size_t n = rest.len < DATE_MAX ? rest.len : DATE_MAX; n >= DATE_MIN; n--)
                if (date((struct str){rest.at, n}, &unix_ms))
                    return bounded((double)(unix_ms - wall_ms));
        }
    }
    return 0;
}

void llm_wait_words(int64_t wait_ms, char out[LLM_WAIT_WORDS])
{
    char clock[24] = "";
    int64_t wall_ms = loop_wall_ms();
    time_t at_s = (time_t)((wall_ms + wait_ms + 59999) / 60000 * 60); /* the minute behind it */
    struct tm tm;
    bool today = at_s / (LLM_WAIT_MAX_MS / 1000) == wall_ms / LLM_WAIT_MAX_MS;
    strftime(clock, sizeof(clock), today ? "%H:%M" : "%Y-%m-%d %H:%M", gmtime_r(&at_s, &tm));
    if (wait_ms < 120000)
        snprintf(out, LLM_WAIT_WORDS, "%lld s", (long long)(wait_ms + 999) / 1000);
    else if (wait_ms < 5400000)
        snprintf(out, LLM_WAIT_WORDS, "%lld min (at %s UTC)", (long long)(wait_ms + 59999) / 60000,
                 clock);
    else
        snprintf(out, LLM_WAIT_WORDS, "%lld h (at %s UTC)",
                 (long long)(wait_ms + 1800000) / 3600000, clock);
}
