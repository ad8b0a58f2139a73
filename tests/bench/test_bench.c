/* The benchmark's own eyes: a harness that overlooks a lost byte would call everything whole. */
#include "tests/bench/hist.h"
#include "tests/bench/http.h"
#include "tests/bench/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct script sample = {.tokens = 64, .rate = 50, .seed = 7};

/* The whole text of a script, all stamps 1000 µs. */
static size_t said(const struct script *s, char *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s->tokens; i++) {
        script_stamp(1000, out + n);
        n += SCRIPT_STAMP_BYTES;
        n += script_word(s, i, out + n);
    }
    return n;
}

static bool whole(const char *bytes, size_t len, size_t step, struct hist *delay)
{
    struct verify v;
    verify_init(&v, &sample);
    for (size_t at = 0; at < len; at += step)
        verify_text(&v, bytes + at, at + step < len ? step : len - at, 1500, delay);
    return verify_whole(&v);
}

static void whole_text_is_whole_however_it_is_split(void **state)
{
    (void)state;
    char out[8192];
    size_t len = said(&sample, out);
    for (size_t step = 1; step < 50; step++) {
        struct hist delay = {0};
        assert_true(whole(out, len, step, &delay));
        assert_int_equal(delay.count, sample.tokens);
        assert_int_equal(delay.max, 500);
    }
}

static void any_byte_lost_twice_or_changed_is_seen(void **state)
{
    (void)state;
    static char out[8192], bad[8192];
    size_t len = said(&sample, out);
    assert_in_range(len, 1000, sizeof(out) - 1);
    assert_false(whole(out, len - 1, 4096, NULL));
    for (size_t at = 0; at + 1 < len; at++) {
        memcpy(bad, out, sizeof(out));
        memmove(bad + at, out + at + 1, sizeof(out) - at - 1);
        assert_false(whole(bad, len - 1, 4096, NULL));
        memcpy(bad, out, sizeof(out));
        memmove(bad + at + 1, out + at, sizeof(out) - at - 1);
        assert_false(whole(bad, len + 1, 4096, NULL));
        memcpy(bad, out, sizeof(out));
        bad[at] = '!';
        assert_false(whole(bad, len, 4096, NULL));
    }
}

static void a_token_lost_or_of_another_stream_is_seen(void **state)
{
    (void)state;
    char out[8192], other[8192];
    struct script second = {.tokens = 64, .rate = 50, .seed = 8};
    size_t len = said(&sample, out);
    for (uint32_t i = 0, at = 0; i + 1 < sample.tokens; i++) {
        char word[SCRIPT_WORD_MAX];
        size_t n = SCRIPT_STAMP_BYTES + script_word(&sample, i, word);
        memcpy(other, out, at);
        memcpy(other + at, out + at + n, len - at - n);
        assert_false(whole(other, len - n, 4096, NULL));
        at += (uint32_t)n;
    }
    assert_false(whole(other, said(&second, other), 4096, NULL));
}

static void json_form_decodes_to_the_plain_word(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        char json[SCRIPT_WORD_MAX + 1], plain[SCRIPT_WORD_MAX], back[SCRIPT_WORD_MAX];
        size_t n = script_word_json(&sample, i, json), len, m = script_word(&sample, i, plain);
        json[n] = '"';
        assert_ptr_equal(json_string(json, json + n + 1, back, sizeof(back), &len), json + n);
        assert_int_equal(len, m);
        assert_memory_equal(back, plain, m);
    }
    char out[64];
    size_t len;
    static const char *const bad[] = {"\\", "\\x\"", "\\u12\"", "\\ud83d\"", "abc"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_null(json_string(bad[i], bad[i] + strlen(bad[i]), out, sizeof(out), &len));
}

static void last_marker_counts_and_nonsense_is_none(void **state)
{
    (void)state;
    struct script s;
    const char *two = "bench-5x50-1 then bench-500x0-42\"}";
    assert_true(script_find(two, strlen(two), &s));
    assert_int_equal(s.tokens, 500);
    assert_int_equal(s.rate, 0);
    assert_int_equal(s.seed, 42);
    static const char *const bad[] = {"bench-",    "bench-5",        "bench-5x",
                                      "bench-5x5", "bench-5x9999-1", "bench-99999999999999x1-1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(script_find(bad[i], strlen(bad[i]), &s));
}

static char body_got[64];
static size_t body_len;

static void on_body(void *arg, const char *bytes, size_t len)
{
    (void)arg;
    memcpy(body_got + body_len, bytes, len);
    body_len += len;
}

static void response_is_read_however_it_is_split(void **state)
{
    (void)state;
    const char *text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\nHTTP/1.1 ";
    for (size_t step = 1; step <= strlen(text); step++) {
        static struct http h;
        size_t at = 0;
        http_init(&h);
        body_len = 0;
        while (h.state != HTTP_DONE) {
            size_t n = strlen(text) - at;
            size_t took = http_feed(&h, text + at, n < step ? n : step, on_body, NULL);
            assert_true(took > 0);
            assert_int_not_equal(h.state, HTTP_BAD);
            at += took;
        }
        assert_int_equal(h.status, 200);
        assert_int_equal(at, strlen(text) - 9);
        assert_int_equal(body_len, 11);
        assert_memory_equal(body_got, "hello world", 11);
    }
}

static void percentile_is_right_within_its_bucket(void **state)
{
    (void)state;
    static struct hist h;
    for (uint64_t us = 1; us <= 100000; us++)
        hist_add(&h, us);
    static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
        double got = (double)hist_at(&h, shares[i]), want = shares[i] * 100000;
        assert_true(got >= want * 0.99 && got <= want * 1.04);
    }
    assert_int_equal(h.max, 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_text_is_whole_however_it_is_split),
        cmocka_unit_test(any_byte_lost_twice_or_changed_is_seen),
        cmocka_unit_test(a_token_lost_or_of_another_stream_is_seen),
        cmocka_unit_test(json_form_decodes_to_the_plain_word),
        cmocka_unit_test(last_marker_counts_and_nonsense_is_none),
        cmocka_unit_test(response_is_read_however_it_is_split),
        cmocka_unit_test(percentile_is_right_within_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
