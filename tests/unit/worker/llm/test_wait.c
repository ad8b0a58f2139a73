/* What the vendors' headers say of when to ask again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

#include "worker/llm/wait.h"

static const int64_t now_ms = 1795428764000; /* Mon, 23 Nov 2026 10:12:44 GMT */
static const char *const *headers;           /* name, value, name, value, …, NULL */

int64_t loop_wall_ms(void) { return now_ms; }
struct str fetch_response_header(const struct fetch *f, const char *name)
{
    (void)f;
    for (unsigned i = 0; headers[i]; i += 2)
        if (strcasecmp(headers[i], name) == 0)
            return str_of(headers[i + 1]);
    return (struct str){NULL, 0};
}

static void each_way_to_write_a_time_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } rows[] = {
        {"7", 7000},
        {"0", 0},
        {"1.5", 1500},
        {"7s", 7000},
        {"6m0s", 360000},
        {"2m59.56s", 179560},
        {"17ms", 17},
        {"33011.382867", 33011382},
        {"1795428774", 10000},
        {"1795428774.5", 10500},
        {"1795428774000", 10000},
        {"2026-11-23T10:12:54Z", 10000},
        {"2026-11-23T11:12:54+01:00", 10000},
        {"2026-11-23T10:12:54.25Z", 10250},
        {"Mon, 23 Nov 2026 10:12:49 GMT", 5000},
        {"Monday, 23-Nov-26 10:12:49 GMT", 5000},
        {"Mon Nov 23 10:12:49 2026", 5000},
        {"Mon, 23 Nov 2026 10:12:39 GMT", 0}, /* past */
        {"2026-11-23T10:12:40Z", 0},
        {"1795428700", 0},
        {"86401", 86400000}, /* a day is enough */
        {"999999999999999999999999", 86400000},
        {"99999999999h", 86400000},
        {"-7", 0},
        {"-1", 0},
        {"nan", 0},
        {"inf", 0},
        {"1e300", 0},
        {"Mon, 23 Nov 2026 10:12:54 UTC", 10000},
        {"Mon, 23 Nov 2026 10:12:54 +0000", 10000},
        {"Mon, 23 Nov 2026 11:12:54 +01:00", 10000},
        {"Mon, 23 Nov 2026 10:12:54 PST", 0},
        {"1h 2m", 3720000},
        {"1.2.3", 0},
        {"0x10", 0},
        {"soon", 0},
        {"7 apples", 0},
        {"", 0},
        {"2026-11-23T25:99:99Z", 0},
        {"Mon, 99 Nov 2026 10:12:49 GMT", 0},
        {"7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7;7", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = llm_wait_parse(str_of(rows[i].text), now_ms);
        if (ms != rows[i].ms)
            fail_msg("\"%s\" is %lld ms", rows[i].text, (long long)ms);
    }
}

static void a_moment_in_an_errors_words_is_read(void **state)
{
    static const struct {
        const char *words;
        int64_t ms;
    } rows[] = {
        {"Too many requests, please retry after Mon, 23 Nov 2026 10:12:54 GMT.", 10000},
        {"Rate limited. Retry-After: Mon, 23 Nov 2026 10:12:54 GMT", 10000},
        {"Try again after Monday, 23-Nov-26 10:12:54 GMT", 10000},
        {"{\"message\":\"Please try again at 2026-11-23T10:12:54Z\",\"code\":429}", 10000},
        {"try again at 2026-11-23T11:12:54+01:00.", 10000},
        {"Your limit resets at 2026-11-23 10:12:54 UTC", 10000},
        {"The key is blocked until 2026-11-23T10:12:54.500Z (UTC)", 10500},
        {"blocked until 2026-11-23T10:12:00Z", 0}, /* past */
        {"blocked until 2027-11-23T10:12:00Z", 86400000},
        {"try again at noon", 0},
        {"retry after 5", 0}, /* how long: errors.c */
        {"until ", 0},
        {"", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ms = llm_wait_said(str_of(rows[i].words), now_ms);
        if (ms != rows[i].ms)
            fail_msg("\"%s\" is %lld ms", rows[i].words, (long long)ms);
    }
}

#define HEADERS(...)                                                                               \
    static const char *const some[] = {__VA_ARGS__, NULL};                                         \
    headers = some

static void finer_header_wins_over_retry_after(void **state)
{
    (void)state;
    {
        HEADERS("Retry-After", "2", "Retry-After-Ms", "1250");
        assert_int_equal(llm_wait_asked_ms(NULL), 1250);
    }
    {
        HEADERS("x-ms-retry-after-ms", " 300 ");
        assert_int_equal(llm_wait_asked_ms(NULL), 300);
    }
    {
        HEADERS("retry-after", "3", "retry-after-ms", "often");
        assert_int_equal(llm_wait_asked_ms(NULL), 3000);
    }
    {
        HEADERS("content-type", "application/json");
        assert_int_equal(llm_wait_asked_ms(NULL), 0);
        assert_int_equal(llm_wait_reset_ms(NULL), 0);
    }
}

static void limit_that_was_met_says_when(void **state)
{
    (void)state;
    { /* OpenAI: the tokens were used up, requests were not */
        HEADERS("x-ratelimit-remaining-requests", "4999", "x-ratelimit-reset-requests", "59m",
                "x-ratelimit-remaining-tokens", "0", "x-ratelimit-reset-tokens", "6m0s");
        assert_int_equal(llm_wait_reset_ms(NULL), 360000);
    }
    { /* Groq: requests are those of a day; too few tokens were left for this one */
        HEADERS("x-ratelimit-remaining-requests", "14370", "x-ratelimit-reset-requests", "2m59.56s",
                "x-ratelimit-remaining-tokens", "17997", "x-ratelimit-reset-tokens", "7.66s");
        assert_int_equal(llm_wait_reset_ms(NULL), 7660);
    }
    { /* Anthropic: two met */
        HEADERS("anthropic-ratelimit-requests-remaining", "0", "anthropic-ratelimit-requests-reset",
                "2026-11-23T10:12:50Z", "anthropic-ratelimit-input-tokens-remaining", "0",
                "anthropic-ratelimit-input-tokens-reset", "2026-11-23T10:13:14Z",
                "anthropic-ratelimit-output-tokens-remaining", "8000",
                "anthropic-ratelimit-output-tokens-reset", "2026-11-23T10:22:44Z");
        assert_int_equal(llm_wait_reset_ms(NULL), 30000);
    }
    { /* OpenRouter */
        HEADERS("X-RateLimit-Limit", "50", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset",
                "1795428804000");
        assert_int_equal(llm_wait_reset_ms(NULL), 40000);
    }
    { /* Azure, which does not know */
        HEADERS("x-ratelimit-remaining-tokens", "-1", "x-ratelimit-reset-tokens", "0");
        assert_int_equal(llm_wait_reset_ms(NULL), 0);
    }
    { /* Cerebras */
        HEADERS("x-ratelimit-remaining-requests-day", "100", "x-ratelimit-reset-requests-day",
                "33011.382867", "x-ratelimit-remaining-tokens-minute", "0",
                "x-ratelimit-reset-tokens-minute", "11.382867");
        assert_int_equal(llm_wait_reset_ms(NULL), 11382);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_to_write_a_time_is_read),
        cmocka_unit_test(a_moment_in_an_errors_words_is_read),
        cmocka_unit_test(finer_header_wins_over_retry_after),
        cmocka_unit_test(limit_that_was_met_says_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
