/* A call of a model: retries, ends and errors, with fetch and the clock replaced at link time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/llm/llm.h"

struct loop_timer {
    loop_fn *fn;
    void *arg;
    int64_t after_ms; /* -1: not set */
};
static struct world {
    struct loop_timer timer;
    struct fetch_handler handler; /* of the request that runs */
    void *arg;
    struct fetch *running; /* the last one that was begun, while it runs */
    char fetches[64];      /* what they point at */
    unsigned requests, cancels;
    const char *type, *retry_after;
    struct llm *llm;
    struct llm_call *call;
    unsigned done;
    int64_t told_ms; /* that it waits */
    enum err err;
    bool again;
    char text[256];
    struct llm_quota *quota; /* that waits for its answer */
    bool at_once;            /* it has it when it asks */
    unsigned asked;
    bool first;
    int64_t patience_ms, now_ms;
    char settled[256];
} w;

struct loop_timer *loop_timer_new(struct loop *l, loop_fn *fn, void *arg)
{
    (void)l;
    w.timer = (struct loop_timer){fn, arg, -1};
    return &w.timer;
}
void loop_timer_set(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    (void)repeat_ms;
    t->after_ms = after_ms;
}
void loop_timer_stop(struct loop_timer *t) { (t ? t : &w.timer)->after_ms = -1; }
bool loop_timer_active(const struct loop_timer *t) { return t->after_ms >= 0; }
void loop_timer_free(struct loop_timer *t) { loop_timer_stop(t); }
int64_t loop_now_ms(const struct loop *l)
{
    (void)l;
    return 1000 + w.now_ms;
}
int64_t loop_wall_ms(void) { return 1795428764000; } /* Mon, 23 Nov 2026 10:12:44 GMT */

void llm_quota_init(struct llm_quota *p, struct llm_quotas *quotas, const struct model *m,
                    struct str owner, struct id turn, llm_quota_fn *fn, void *arg)
{
    (void)m, (void)owner, (void)turn;
    *p = (struct llm_quota){.quotas = quotas, .fn = fn, .arg = arg};
}
void llm_quota_begin(struct llm_quota *p, uint64_t input_tokens, uint64_t output_tokens, bool again,
                     int64_t patience_ms)
{
    (void)input_tokens, (void)output_tokens;
    w.quota = p;
    w.asked++;
    w.first = again;
    w.patience_ms = patience_ms;
    if (w.at_once)
        p->fn(p->arg, &(struct llm_quota_answer){.verdict = LLM_QUOTA_GO});
}
void llm_quota_end(struct llm_quota *p, uint64_t input_tokens, uint64_t output_tokens,
                   uint64_t cached_tokens, int64_t block_ms)
{
    (void)p, (void)cached_tokens;
    size_t len = strlen(w.settled);
    if (w.quota != NULL) /* of the tests that have quotas */
        snprintf(w.settled + len, sizeof(w.settled) - len, "%d+%d%s ", (int)input_tokens,
                 (int)output_tokens, block_ms > 0 ? " blocked" : "");
}
void llm_quota_free(struct llm_quota *p) { (void)p; }
void llm_quota_hold(struct llm_quota *p, int64_t now_ms) { (void)p, (void)now_ms; }

struct fetch *fetch_start(struct fetch_pool *p, const struct fetch_request *r,
                          const struct fetch_handler *h, void *arg)
{
    (void)p;
    assert_true(!w.running || w.at_once);
    assert_true(shelved_str(r->shelved).len > 0 && r->use_proxy);
    w.handler = *h;
    w.arg = arg;
    w.running = (struct fetch *)&w.fetches[w.requests++];
    return w.running;
}
void fetch_cancel(struct fetch *f)
{
    if (f == NULL)
        return;
    assert_true(f == w.running || w.at_once);
    w.running = f == w.running ? NULL : w.running;
    w.cancels++;
}
struct str fetch_response_header(const struct fetch *f, const char *name)
{
    assert_true(f && f == w.running);
    if (strcmp(name, "content-type") == 0)
        return str_of(w.type);
    return strcmp(name, "retry-after") == 0 ? str_of(w.retry_after) : (struct str){NULL, 0};
}

static void on_text(void *arg, struct str text)
{
    (void)arg;
    size_t len = strlen(w.text);
    snprintf(w.text + len, sizeof(w.text) - len, "%.*s", (int)text.len, text.at);
}
static void on_done(void *arg, enum err err)
{
    (void)arg;
    w.done++;
    w.err = err;
    w.again = llm_reply(w.call)->again;
}

static void on_wait(void *arg, int64_t wait_ms)
{
    (void)arg;
    w.told_ms = wait_ms;
}

static int begin_with(struct llm_quotas *quotas, bool has_fallback)
{
    static const struct llm_handler handler = {
        .reply = {.on_text = on_text}, .on_done = on_done, .on_wait = on_wait};
    static struct model model = {.name = (char *)"m",
                                 .id = (char *)"m",
                                 .base_url = (char *)"http://h/v1",
                                 .price_input = 1000,
                                 .price_output = 5000,
                                 .price_cached = 100};
    if (!model.key)
        model.key = secret_new(STR("sk-0123456789abcdef"));
    memset(&w, 0, sizeof(w));
    w.timer.after_ms = -1;
    w.type = "text/event-stream; charset=utf-8";
    struct llm_config c = {.connect_ms = 1000,
                           .tries_max = 3,
                           .backoff_ms = 100,
                           .patience_ms = 1800000,
                           .quotas = quotas,
                           .reply_bytes_max = 1000};
    struct prompt_item item = {.kind = PROMPT_USER, .text = STR("q")};
    struct prompt prompt = {.items = &item, .count = 1, .tokens = 77};
    struct llm_request r = {
        .model = &model, .prompt = &prompt, .step = 1, .has_fallback = has_fallback};
    w.llm = llm_new(&c);
    assert_int_equal(llm_call_start(w.llm, &r, &handler, NULL, &w.call), ERR_NONE);
    return 0;
}
static int begin(void **state)
{
    (void)state;
    return begin_with(NULL, false);
}
static int end(void **state)
{
    (void)state;
    llm_call_free(w.call);
    llm_free(w.llm);
    assert_false(w.running);
    return 0;
}

static const char *detail(void) { return reply_detail(llm_reply(w.call)); }
static void head(int status) { w.handler.on_head(w.arg, status); }
static void data(const char *bytes) { w.handler.on_data(w.arg, str_of(bytes)); }
static void over(enum fetch_status status, int http_status)
{
    struct fetch *ended = w.running;
    struct fetch_result r = {.status = status, .http_status = http_status, .error = "why"};
    w.handler.on_done(w.arg, &r);
    w.running = w.running == ended ? NULL : w.running;
}
static void ring(void)
{
    assert_true(w.timer.after_ms >= 0);
    w.timer.after_ms = -1;
    w.timer.fn(w.timer.arg);
}
#define TEXT(t)                                                                                    \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t                                 \
    "\"},\"finish_reason\":null}]}\n\n"
#define STOP "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define DONE "data: [DONE]\n\n"

static void reply_is_told_and_ends_with_its_response(void **state)
{
    (void)state;
    head(200);
    data(TEXT("Hel"));
    assert_null(w.timer.fn); /* thousands only wait for their next token: without what they need
                                not have for that */
    assert_null(llm_reply(w.call)->own_room);
    data(TEXT("lo") STOP DONE);
    assert_int_equal(w.done, 0); /* the connection may become free for the next call first */
    over(FETCH_OK, 200);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_NONE);
    assert_string_equal(w.text, "Hello");
    assert_int_equal(w.cancels, 0);
}

static void server_that_keeps_the_response_open_holds_nothing_up(void **state)
{
    (void)state;
    head(200);
    data(TEXT("Hi") STOP DONE);
    assert_true(w.timer.after_ms <= 200);
    ring();
    assert_int_equal(w.err, ERR_NONE);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.cancels, 1);
}

static void stop_reason_without_an_end_is_waited_for_a_little(void **state)
{
    (void)state;
    head(200);
    data(TEXT("Hi") STOP);
    assert_true(w.timer.after_ms > 200 && w.timer.after_ms <= 5000);
    ring();
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_NONE);
}

static void what_passes_is_tried_again_and_then_given_up(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        assert_int_equal(w.requests, n);
        head(503);
        data("{\"error\":{\"message\":\"busy\"}}");
        over(FETCH_OK, 503);
        assert_int_equal(w.done, 0);
        assert_true(w.timer.after_ms >= 50 * n &&
                    w.timer.after_ms <= 100 * n); /* doubled, jittered */
        ring();
    }
    over(FETCH_REFUSED, 0);
    assert_int_equal(w.requests, 3);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_MODEL_UNAVAILABLE);
    assert_false(w.again); /* what could help was tried */
}

static void retry_after_is_obeyed_unless_it_asks_for_too_much(void **state)
{
    (void)state;
    w.retry_after = "7";
    head(429);
    over(FETCH_OK, 429);
    assert_true(w.timer.after_ms >= 7000 && w.timer.after_ms <= 7100);
    ring();
    w.retry_after = "Mon, 23 Nov 2026 10:12:49 GMT";
    head(429);
    over(FETCH_OK, 429);
    assert_true(w.timer.after_ms >= 5000 && w.timer.after_ms <= 5100);
    ring();
    assert_int_equal(w.done, 0);
}

static void a_moment_in_an_error_is_waited_for(void **state)
{
    static const char *const errors[] = {
        "{\"error\":{\"message\":\"Slow down, try again at 2026-11-23T10:12:49Z.\"}}",
        "{\"error\":\"Retry after Mon, 23 Nov 2026 10:12:49 GMT\"}",
        "{\"error\":{\"message\":\"slow\",\"retry_after\":\"Mon, 23 Nov 2026 10:12:49 GMT\"}}",
        "{\"error\":{\"message\":\"slow\",\"retryAfter\":\"2026-11-23T10:12:49Z\"}}",
        "{\"error\":{\"message\":\"slow\",\"reset_at\":1795428769}}",
        "{\"error\":{\"message\":\"slow\",\"retry_after\":\"5\"}}",
        "{\"message\":\"slow\",\"retry_after\":5.0}",
    };
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        head(429);
        data(errors[i]);
        over(FETCH_OK, 429);
        if (w.timer.after_ms < 5000 || w.timer.after_ms > 5100)
            fail_msg("%s: %lld ms", errors[i], (long long)w.timer.after_ms);
        end(state), begin(state);
    }
}

static void limit_is_waited_for_as_the_error_says_and_told(void **state)
{
    (void)state;
    head(429);
    data("{\"error\":{\"message\":\"slow\",\"details\":[{\"retryDelay\":\"27s\"}]}}");
    over(FETCH_OK, 429);
    assert_true(w.timer.after_ms >= 27000 && w.timer.after_ms <= 27100);
    assert_int_equal(w.told_ms, w.timer.after_ms);
    ring();
    head(429);
    data("{\"error\":{\"message\":\"slow\",\"details\":[{\"retry_delay\":\"3s\"}]}}");
    over(FETCH_OK, 429);
    assert_true(w.timer.after_ms >= 3000 && w.timer.after_ms <= 3100);
    ring();
    w.told_ms = 0;
    head(503); /* nobody's limit: a pause of its own, of which nothing is said */
    over(FETCH_OK, 503);
    assert_int_equal(w.told_ms, 0);
    assert_true(w.timer.after_ms <= 200);
}

/* A router's own answer has no headers: they are in its error, as is what the provider said. */
static void a_router_hands_on_what_the_provider_behind_it_said(void **state)
{
    (void)state;
    head(429);
    data("{\"error\":{\"code\":429,\"message\":\"Rate limit exceeded\",\"metadata\":{\"headers\":{"
         "\"X-RateLimit-Remaining\":\"0\",\"X-RateLimit-Reset\":\"1795428773000\"}}}}");
    over(FETCH_OK, 429);
    assert_true(w.timer.after_ms >= 9000 && w.timer.after_ms <= 9100);
    ring();
    head(400);
    data("{\"error\":{\"code\":400,\"message\":\"Provider returned error\",\"metadata\":{\"raw\":"
         "\"prompt is too long: 210000 tokens > 200000 maximum\",\"provider_name\":\"x\"}}}");
    over(FETCH_OK, 400);
    assert_int_equal(w.err, ERR_CONTEXT_TOO_LONG);
}

static void quota_that_is_gone_is_not_waited_for(void **state)
{
    (void)state;
    head(429);
    data("{\"error\":{\"message\":\"You exceeded your current quota, please check\"}}");
    over(FETCH_OK, 429);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_MODEL_REFUSED);
}

static void another_attempt_of_a_step_begins_with_a_pause(void **state)
{
    (void)state;
    static const struct llm_handler handler = {.on_done = on_done};
    static struct model model = {
        .name = (char *)"m", .id = (char *)"m", .base_url = (char *)"http://h/v1"};
    struct prompt prompt = {0};
    struct llm_request r = {.model = &model, .prompt = &prompt, .attempts_before = 2};
    llm_call_free(w.call);
    unsigned requests = w.requests;
    assert_int_equal(llm_call_start(w.llm, &r, &handler, NULL, &w.call), ERR_NONE);
    assert_int_equal(w.requests, requests);
    assert_true(w.timer.after_ms >= 100 && w.timer.after_ms <= 200);
    ring();
    assert_int_equal(w.requests, requests + 1);
}

static void retry_after_past_patience_ends_the_call_with_the_time(void **state)
{
    (void)state;
    w.retry_after = "1700"; /* a little less than that */
    head(429);
    over(FETCH_OK, 429);
    assert_true(w.timer.after_ms >= 1700000);
    ring();
    w.retry_after = "3600";
    head(429);
    over(FETCH_OK, 429);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.requests, 2);
    assert_false(w.again);
    assert_string_equal(detail(), "The model's provider limits requests; it can "
                                  "be asked again in 60 min (at 11:13 UTC)");
}

static void pause_of_an_overloaded_server_is_shorter_than_of_a_limit(void **state)
{
    (void)state;
    w.retry_after = "30";
    head(503);
    over(FETCH_OK, 503);
    assert_int_equal(w.done, 0);
    ring();
    w.retry_after = "31"; /* it would be the turn's own time */
    head(503);
    over(FETCH_OK, 503);
    assert_int_equal(w.done, 1);
    assert_non_null(strstr(detail(), "is overloaded; it can be asked again in 31 s"));
}

static void refusal_is_not_tried_again(void **state)
{
    (void)state;
    head(401);
    over(FETCH_OK, 401);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_MODEL_REFUSED);
}

static void key_that_a_server_repeats_is_shown_to_nobody(void **state)
{
    (void)state;
    char body[512], far[185];
    snprintf(far, sizeof(far), "%0184d", 0);
    const char *const messages[] = {"bad sk-0123456789abcdef, sk-0123456789abcdef!", far};
    for (unsigned i = 0; i < 2; i++) { /* whole, and cut off where our sentence ends */
        if (i == 1)
            end(state), begin(state);
        snprintf(body, sizeof(body), "{\"error\":{\"message\":\"%ssk-0123456789abcdef\"}}",
                 messages[i]);
        w.type = "application/json";
        head(400);
        data(body);
        over(FETCH_OK, 400);
        assert_int_equal(w.err, ERR_MODEL_REFUSED);
        assert_null(strstr(detail(), "sk-01234"));
        assert_non_null(strstr(detail(), "*****"));
    }
}

static void cut_before_the_first_token_is_tried_again_afterwards_the_step_is(void **state)
{
    (void)state;
    head(200);
    data("data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n");
    over(FETCH_BROKEN, 200);
    assert_int_equal(w.done, 0);
    ring();
    assert_int_equal(w.requests, 2);
    head(200);
    data(TEXT("Hal"));
    over(FETCH_BROKEN, 200);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_MODEL_BROKEN);
    assert_true(w.again);
}

static void silence_is_a_timeout_and_nonsense_in_the_stream_ends_it_at_once(void **state)
{
    (void)state;
    head(200);
    data(TEXT("Hal") "data: {nonsense\n\n" TEXT("never read"));
    assert_int_equal(w.timer.after_ms, 0); /* not from inside of fetch's callback */
    ring();
    assert_int_equal(w.err, ERR_MODEL_BROKEN);
    assert_true(w.again);
    assert_int_equal(w.cancels, 1);
    assert_string_equal(w.text, "Hal");
    end(NULL);
    begin(NULL);
    struct fetch_result r = {.status = FETCH_TIMEOUT, .total_ms = 120000, .error = "idle"};
    w.handler.on_done(w.arg, &r);
    w.running = NULL;
    assert_int_equal(w.err, ERR_MODEL_TIMEOUT);
    assert_int_equal(w.requests, 1);
}

static void page_instead_of_a_stream_is_an_error_and_one_piece_of_json_a_reply(void **state)
{
    (void)state;
    w.type = "application/json";
    head(200);
    data("{\"choices\":[{\"message\":{\"content\":\"Whole\"},\"finish_reason\":\"stop\"}]}");
    over(FETCH_OK, 200);
    assert_int_equal(w.err, ERR_NONE);
    assert_string_equal(w.text, "Whole");
    end(NULL);
    begin(NULL);
    w.type = "text/html";
    for (int i = 0; i < 3; i++) {
        head(200);
        data("<html>Welcome to the hotel</html>");
        over(FETCH_OK, 200);
        if (i < 2)
            ring();
    }
    assert_int_equal(w.err, ERR_MODEL_BROKEN);
}

static void quota(enum llm_quota_verdict verdict, int64_t wait_ms)
{
    struct llm_quota_answer a = {
        .verdict = verdict, .wait_ms = wait_ms, .why = ERR_BUDGET, .detail = "used up"};
    w.quota->fn(w.quota->arg, &a);
}
static void permit_unknown(void)
{
    struct llm_quota_answer a = {.verdict = LLM_QUOTA_GO, .unknown = true};
    w.quota->fn(w.quota->arg, &a);
}
static struct llm_quotas *some(void) { return (struct llm_quotas *)&w; }

static void no_request_goes_without_its_permit_and_each_try_is_settled(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    assert_int_equal(w.requests, 0);
    assert_true(llm_call_in_line(w.call));
    quota(LLM_QUOTA_WAIT, 7000);
    assert_int_equal(w.timer.after_ms, 7000);
    ring();
    assert_int_equal(w.asked, 2);
    quota(LLM_QUOTA_GO, 0);
    assert_int_equal(w.requests, 1);
    assert_false(llm_call_in_line(w.call));
    head(503);
    over(FETCH_OK, 503);
    assert_string_equal(w.settled, "0+0 "); /* nothing was used */
    ring();
    quota(LLM_QUOTA_GO, 0);
    head(200);
    data(TEXT("Hello") STOP
         "data: "
         "{\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}\n\n" DONE);
    over(FETCH_OK, 200);
    assert_int_equal(w.err, ERR_NONE);
    assert_string_equal(w.settled, "0+0 12+34 ");
}

static void over_budget_ends_the_call_with_its_sentence(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    quota(LLM_QUOTA_OVER, 0);
    assert_int_equal(w.done, 0); /* not from inside of the quota's callback */
    ring();
    assert_int_equal(w.err, ERR_BUDGET);
    assert_string_equal(detail(), "used up");
    assert_int_equal(w.requests, 0);
}

static void met_limit_of_a_key_blocks_it_for_all_and_is_no_failed_try(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    for (int i = 0; i < 10; i++) { /* tries_max is 3 */
        quota(LLM_QUOTA_GO, 0);
        head(429);
        over(FETCH_OK, 429);
        assert_true(w.done == 0 && llm_call_in_line(w.call));
        if (i >= 3) /* it may be the question: it waits by itself, then behind others */
            ring();
        assert_int_equal(w.first, i < 3); /* at once, as the first */
        quota(LLM_QUOTA_WAIT, 700);
        assert_int_equal(w.timer.after_ms, 700);
        ring();
    }
    assert_non_null(strstr(w.settled, "0+0 blocked 0+0 blocked 0+0 blocked 0+0 0+0 "));
}

/* Where nothing limits the key any more, its quota answers while the refused request still ends. */
static void try_that_begins_while_the_last_one_ends_is_not_taken_for_it(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        end(NULL);
        begin_with(some(), false);
        w.at_once = true;
        quota(LLM_QUOTA_GO, 0);
        head(429);
        if (whole)
            over(FETCH_OK, 429);
        else
            ring(); /* its body does not end */
        assert_int_equal(w.requests, 2);
        assert_int_equal(w.cancels, whole ? 0 : 1);
        head(200);
        data(TEXT("Hello") STOP DONE);
        over(FETCH_OK, 200);
        assert_int_equal(w.done, 1);
        assert_int_equal(w.err, ERR_NONE);
        assert_string_equal(w.text, "Hello");
    }
}

static void patience_is_for_all_waits_of_a_call_and_a_longer_one_is_told_anew(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    assert_false(w.first);
    assert_int_equal(w.patience_ms, 1800000);
    quota(LLM_QUOTA_WAIT, 20000);
    assert_int_equal(w.told_ms, 20000);
    assert_int_equal(w.timer.after_ms, 15000); /* the line may move faster */
    w.told_ms = 0;
    w.now_ms += 15000;
    ring();
    assert_int_equal(w.patience_ms, 1785000);
    quota(LLM_QUOTA_WAIT, 5500); /* about as was told */
    assert_int_equal(w.told_ms, 0);
    w.now_ms += 5500;
    ring();
    quota(LLM_QUOTA_WAIT, 90000); /* somebody was refused meanwhile */
    assert_int_equal(w.told_ms, 90000);
    w.now_ms += 90000;
    ring();
    quota(LLM_QUOTA_GO, 0);
    w.retry_after = "1700";
    head(429);
    over(FETCH_OK, 429);
    assert_int_equal(w.done, 1);
    assert_int_equal(w.err, ERR_MODEL_UNAVAILABLE);
    assert_non_null(strstr(w.settled, "blocked"));
}

static void short_refusals_in_a_row_are_told_after_a_second(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    for (int i = 0; i < 4; i++) {
        quota(LLM_QUOTA_GO, 0);
        head(429);
        over(FETCH_OK, 429);
        quota(LLM_QUOTA_WAIT, 100);
        assert_true((w.told_ms > 0) == (w.now_ms >= 1000));
        w.now_ms += 400;
        ring();
    }
}

static void with_a_fallback_the_line_is_not_waited_for(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), true);
    assert_int_equal(w.patience_ms, 2000);
    quota(LLM_QUOTA_GO, 0);
    w.retry_after = "3";
    head(429);
    over(FETCH_OK, 429);
    assert_int_equal(w.done, 1);
    assert_non_null(strstr(w.settled, "blocked"));
}

static void without_redis_a_refusal_is_waited_for_all_the_same(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    quota(LLM_QUOTA_GO, 0);
    w.retry_after = "7";
    head(429);
    over(FETCH_OK, 429);
    permit_unknown();
    assert_int_equal(w.requests, 1);
    assert_true(w.timer.after_ms >= 7000 && w.timer.after_ms <= 7100);
    assert_true(llm_call_in_line(w.call));
    ring();
    assert_int_equal(w.requests, 2);
}

static void fault_of_the_server_is_waited_for_alone_and_goes_first(void **state)
{
    (void)state;
    end(NULL);
    begin_with(some(), false);
    quota(LLM_QUOTA_GO, 0);
    head(500);
    over(FETCH_OK, 500);
    assert_null(strstr(w.settled, "blocked"));
    assert_int_equal(w.asked, 1);
    assert_true(w.timer.after_ms <= 100);
    ring();
    assert_int_equal(w.asked, 2);
    assert_true(w.first);
}

static void refusal_whose_body_does_not_end_is_told_soon(void **state)
{
    (void)state;
    w.retry_after = "25";
    head(429);
    data("{\"error\":{\"message\":\"slow");
    assert_true(w.timer.after_ms <= 1000);
    ring();
    assert_int_equal(w.cancels, 1);
    assert_true(w.told_ms >= 25000 && w.told_ms <= 25100);
    assert_int_equal(w.done, 0);
}

static void provider_that_is_down_is_left_alone_and_a_fallback_is_asked_at_once(void **state)
{
    (void)state;
    struct llm_call *first = w.call;
    over(FETCH_REFUSED, 0);
    ring();
    over(FETCH_REFUSED, 0);
    ring();
    over(FETCH_REFUSED, 0);
    assert_int_equal(w.done, 1);
    static const struct llm_handler handler = {.reply = {.on_text = on_text}, .on_done = on_done};
    static struct model model = {
        .name = (char *)"m", .id = (char *)"m", .base_url = (char *)"http://h/v1"};
    struct prompt prompt = {0};
    struct llm_request r = {.model = &model, .prompt = &prompt};
    llm_call_free(first);
    for (int i = 0; i < 2; i++) { /* the fourth and fifth failure open the breaker */
        assert_int_equal(llm_call_start(w.llm, &r, &handler, NULL, &w.call), ERR_NONE);
        over(FETCH_REFUSED, 0);
        if (i == 0)
            llm_call_free(w.call);
    }
    unsigned requests = w.requests;
    llm_call_free(w.call);
    r.has_fallback = true;
    assert_int_equal(llm_call_start(w.llm, &r, &handler, NULL, &w.call), ERR_NONE);
    ring();
    assert_int_equal(w.err, ERR_MODEL_UNAVAILABLE);
    assert_int_equal(w.requests, requests); /* it was not even asked */
    llm_call_free(w.call);
    r.has_fallback = false;
    assert_int_equal(llm_call_start(w.llm, &r, &handler, NULL, &w.call), ERR_NONE);
    assert_int_equal(w.timer.after_ms, 2000); /* without one it is worth a wait */
}

static void what_was_used_is_the_sum_of_all_tries_and_told_once(void **state)
{
    (void)state;
    head(200);
    data("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3,"
         "\"prompt_tokens_details\":{\"cached_tokens\":8}}}\n\n");
    over(FETCH_BROKEN, 200); /* nothing was told on: tried again */
    assert_int_equal(w.done, 0);
    ring();
    over(FETCH_REFUSED, 0); /* cost nothing, and is not the first one again */
    ring();
    head(200);
    data(TEXT("Hello")); /* estimated as long as nothing is said */
    struct usage u = llm_call_used(w.call);
    assert_int_equal(u.input_tokens, 12 + 77);
    assert_int_equal(u.output_tokens, 3 + 2);
    assert_int_equal(u.cached_tokens, 8);
    assert_int_equal(u.cost, (4 * 1000 + 8 * 100 + 3 * 5000) / 1000 + 1 + 77 + 2 * 5);
    over(FETCH_BROKEN, 200);
    u = llm_call_used(w.call);
    assert_int_equal(u.input_tokens, 77); /* of that try, now that it is over */
    u = llm_call_used(w.call);
    assert_int_equal(u.input_tokens + u.output_tokens + u.cost, 0);
}

static void freeing_a_call_stops_its_request(void **state)
{
    (void)state;
    head(200);
    data(TEXT("Hal"));
    llm_call_free(w.call);
    w.call = NULL;
    assert_int_equal(w.cancels, 1);
    assert_int_equal(w.done, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(reply_is_told_and_ends_with_its_response),
        TEST(server_that_keeps_the_response_open_holds_nothing_up),
        TEST(stop_reason_without_an_end_is_waited_for_a_little),
        TEST(what_passes_is_tried_again_and_then_given_up),
        TEST(retry_after_is_obeyed_unless_it_asks_for_too_much),
        TEST(a_moment_in_an_error_is_waited_for),
        TEST(retry_after_past_patience_ends_the_call_with_the_time),
        TEST(pause_of_an_overloaded_server_is_shorter_than_of_a_limit),
        TEST(limit_is_waited_for_as_the_error_says_and_told),
        TEST(a_router_hands_on_what_the_provider_behind_it_said),
        TEST(quota_that_is_gone_is_not_waited_for),
        TEST(another_attempt_of_a_step_begins_with_a_pause),
        TEST(refusal_is_not_tried_again),
        TEST(key_that_a_server_repeats_is_shown_to_nobody),
        TEST(cut_before_the_first_token_is_tried_again_afterwards_the_step_is),
        TEST(silence_is_a_timeout_and_nonsense_in_the_stream_ends_it_at_once),
        TEST(page_instead_of_a_stream_is_an_error_and_one_piece_of_json_a_reply),
        TEST(no_request_goes_without_its_permit_and_each_try_is_settled),
        TEST(over_budget_ends_the_call_with_its_sentence),
        TEST(met_limit_of_a_key_blocks_it_for_all_and_is_no_failed_try),
        TEST(try_that_begins_while_the_last_one_ends_is_not_taken_for_it),
        TEST(patience_is_for_all_waits_of_a_call_and_a_longer_one_is_told_anew),
        TEST(short_refusals_in_a_row_are_told_after_a_second),
        TEST(with_a_fallback_the_line_is_not_waited_for),
        TEST(without_redis_a_refusal_is_waited_for_all_the_same),
        TEST(fault_of_the_server_is_waited_for_alone_and_goes_first),
        TEST(refusal_whose_body_does_not_end_is_told_soon),
        TEST(provider_that_is_down_is_left_alone_and_a_fallback_is_asked_at_once),
        TEST(what_was_used_is_the_sum_of_all_tries_and_told_once),
        TEST(freeing_a_call_stops_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
