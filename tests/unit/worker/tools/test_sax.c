/* JSON in pieces, numbers, cleaned text, times. */
#include "common/duration.h"
#include "tests/support/unit.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include "worker/tools/moment.h"
#include "worker/tools/sax.h"
#include "worker/tools/text.h"

static bool on_token(void *arg, enum sax_token token, struct str text)
{
    static const char letters[] = "{}[]ksnw";
    struct buf *b = arg;
    buf_putc(b, letters[token]);
    if (token >= SAX_KEY) {
        buf_puts(b, "<");
        buf_add_str(b, text);
        buf_puts(b, ">");
    }
    return true;
}

/* Each split into two pieces, and byte by byte; in memory of exactly that length. */
static bool play(const char *json, size_t cut, bool single, struct buf *b)
{
    struct sax s;
    size_t len = strlen(json);
    bool ok = true;
    sax_init(&s, on_token, b);
    buf_clear(b);
    for (size_t at = 0; at < len && ok;) {
        size_t piece = single ? 1 : at == 0 && cut > 0 ? cut : len - at;
        char *copy = malloc(piece);
        memcpy(copy, json + at, piece);
        ok = sax_feed(&s, (struct str){copy, piece});
        free(copy);
        at += piece;
    }
    ok = ok && sax_whole(&s);
    sax_free(&s);
    return ok;
}

static void json_is_read_whatever_the_pieces(void **state)
{
    static const struct {
        const char *json, *want; /* NULL: refused */
    } cases[] = {
        {"{}", "{}"},
        {" [ ] ", "[]"},
        {"{\"a\":[1,-2.5e+3,true,null,\"x\"],\"b\":{}}",
         "{k<a>[n<1>n<-2.5e+3>w<true>w<null>s<x>]k<b>{}}"},
        {"\"a\\n\\u00e4\\ud83d\\ude00\\/\"", "s<a\n\xc3\xa4\xf0\x9f\x98\x80/>"},
        {"\"\\ud83dx\\udc00\\ud800\\ud83d\\ude00\"",
         "s<\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xf0\x9f\x98\x80>"},
        {"\"\\ud83d\\n\"", "s<\xef\xbf\xbd\n>"},
        {"\"\\ud83d\"", "s<\xef\xbf\xbd>"},
        {"[\"\xc3\xa4\"]", "[s<\xc3\xa4>]"},
        {"{\"a\" : 1 , \"b\" : [ ] }", "{k<a>n<1>k<b>[]}"},
        {"", NULL},
        {"{", NULL},
        {"[1,]", NULL},
        {"{,}", NULL},
        {"{\"a\"}", NULL},
        {"{\"a\":}", NULL},
        {"{\"a\":1,}", NULL},
        {"{a:1}", NULL},
        {"[1 2]", NULL},
        {"[1]]", NULL},
        {"{]", NULL},
        {"[}", NULL},
        {"[1]x", NULL},
        {"[nul]", NULL},
        {"[01x]", NULL},
        {"[--1]", NULL},
        {"[1.]", NULL},
        {"[1e]", NULL},
        {"\"a\nb\"", NULL},
        {"\"\\x\"", NULL},
        {"\"\\u12g4\"", NULL},
        {"<html>", NULL},
        {"[NaN]", NULL},
    };
    struct buf b;
    (void)state;
    buf_init(&b, 65536);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t cut = 0; cut <= strlen(cases[i].json); cut++) {
            bool single = cut == strlen(cases[i].json);
            bool ok = play(cases[i].json, cut, single, &b);
            if (ok != (cases[i].want != NULL) || (ok && strcmp(buf_cstr(&b), cases[i].want) != 0))
                fail_msg("%s cut at %zu: %s", cases[i].json, cut, ok ? buf_cstr(&b) : "refused");
        }
    }
    buf_free(&b);
}

static void depth_and_length_are_bounded(void **state)
{
    struct sax s;
    struct buf b, json;
    (void)state;
    buf_init(&b, 65536);
    buf_init(&json, 1 << 20);
    for (unsigned i = 0; i < SAX_DEPTH_MAX; i++)
        buf_putc(&json, '[');
    sax_init(&s, on_token, &b);
    assert_true(sax_feed(&s, buf_str(&json)));
    assert_false(sax_feed(&s, STR("[")));
    assert_false(sax_feed(&s, STR("]")));
    sax_free(&s);
    buf_clear(&json);
    buf_puts(&json, "[\"");
    for (unsigned i = 0; i < 5000; i++)
        buf_puts(&json, "\xc3\xa4");
    buf_puts(&json, "\",\"b\"]");
    for (unsigned single = 0; single < 2; single++) {
        assert_true(play(buf_cstr(&json), 0, single == 1, &b));
        assert_int_equal(b.len, SAX_STRING_MAX + strlen("[s<>s<b>]"));
        assert_true(str_utf8(buf_str(&b)));
    }
    buf_clear(&json);
    for (unsigned i = 0; i < 5000; i++)
        buf_putc(&json, '1');
    assert_false(play(buf_cstr(&json), 2500, false, &b));
    buf_free(&b);
    buf_free(&json);
}

/* What is kept of a string that is too long, characters broken or not. */
static void a_string_is_cut_alike_whatever_the_pieces(void **state)
{
    static const struct {
        const char *piece;
        unsigned lead; /* letters before it */
    } cases[] = {{"\x80", 0},
                 {"\x80", 1},
                 {"\xc3", 0},
                 {"\xc3\xa4", 1},
                 {"\xe2\x82\xac", 0},
                 {"\xe2\x82\xac", 2},
                 {"\xf0\x9f\x98\x80", 1},
                 {"\xf0\x9f", 3},
                 {"\xff", 0},
                 {"\xe2\x82", 0},
                 {"a\x80\x80\x80\x80", 0},
                 {"\xc3\\u00e4", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scoped_buf(json, 1 << 20);
        scoped_buf(whole, 65536);
        scoped_buf(pieces, 65536);
        buf_putc(&json, '"');
        for (unsigned n = 0; n < cases[i].lead; n++)
            buf_putc(&json, 'x');
        while (json.len < SAX_STRING_MAX * 4)
            buf_puts(&json, cases[i].piece);
        buf_putc(&json, '"');
        assert_true(play(buf_cstr(&json), 0, false, &whole));
        assert_in_range(whole.len, SAX_STRING_MAX, SAX_STRING_MAX + strlen("s<>"));
        for (size_t cut = SAX_STRING_MAX - 8; cut < SAX_STRING_MAX + 8; cut++) {
            assert_true(play(buf_cstr(&json), cut, false, &pieces));
            assert_true(str_eq(buf_str(&whole), buf_str(&pieces)));
        }
        assert_true(play(buf_cstr(&json), 0, true, &pieces));
        assert_true(str_eq(buf_str(&whole), buf_str(&pieces)));
    }
}

static void a_number_is_refused_alike_whatever_the_pieces(void **state)
{
    scoped_buf(json, 1 << 20);
    scoped_buf(out, 65536);
    (void)state;
    buf_putc(&json, '[');
    while (json.len < SAX_STRING_MAX + 100)
        buf_putc(&json, '0'); /* zeros that lead don't fill the mantissa */
    buf_putc(&json, ']');
    assert_false(play(buf_cstr(&json), 0, false, &out));
    assert_false(play(buf_cstr(&json), 2000, false, &out));
    assert_false(play(buf_cstr(&json), 0, true, &out));
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void numbers_are_exactly_rounded(void **state)
{
    static const char *const texts[] = {"0",
                                        "-0",
                                        "1",
                                        "0.1",
                                        "0.30000000000000004",
                                        "1e22",
                                        "1e23",
                                        "9007199254740993",
                                        "1.7976931348623157e308",
                                        "4.9e-324",
                                        "123456789012345678901234567890",
                                        "0.000001",
                                        "1700000000.123",
                                        "2.2250738585072011e-308",
                                        "1e-400",
                                        "8.41e+21",
                                        "9.5e-27"};
    static const char *const bad[] = {"",    "-",   "1.",  "e5", ".5", "1e",
                                      "1e+", "0x1", "nan", "1 ", "++1"};
    uint64_t seed = 88172645463325252;
    double got;
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_true(sax_double(str_of(texts[i]), &got));
        double want = strtod(texts[i], NULL);
        assert_memory_equal(&got, &want, sizeof(got));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(sax_double(str_of(bad[i]), &got));
    assert_true(sax_double(STR("NaN"), &got) && isnan(got));
    assert_true(sax_double(STR("+Inf"), &got) && isinf(got) && got > 0);
    assert_true(sax_double(STR("-Inf"), &got) && isinf(got) && got < 0);
    for (unsigned i = 0; i < 300000; i++) {
        uint64_t bits = next_random(&seed);
        double want;
        if (i % 3 == 0)
            memcpy(&want, &bits, sizeof(want));
        else
            want = (double)(int64_t)bits / (double)(1ull << (next_random(&seed) % 63));
        if (!isfinite(want))
            continue;
        snprintf(text, sizeof(text), i % 2 ? "%.17g" : "%.15g", want);
        want = strtod(text, NULL);
        if (!sax_double(str_of(text), &got) || !(got == want))
            fail_msg("%s: %.17g", text, got);
    }
}

static void clean(const char *in, size_t max, const char *want)
{
    struct buf b;
    buf_init(&b, 4096);
    text_clean(&b, str_of(in), max);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void text_from_outside_is_made_harmless(void **state)
{
    (void)state;
    clean("plain", 99, "plain");
    clean("a\nb\tc\x7f\x1b[31m", 99, "a b c [31m");
    clean("a\xe2\x80\xae"
          "b\xe2\x80\x8b\xef\xbb\xbf\xe2\x81\xa6",
          99, "ab");
    clean("\xf3\xa0\x81\x81tag", 99, "tag");
    clean("\xff\xc3", 99, "\xef\xbf\xbd\xef\xbf\xbd");
    clean("\xc3\xa4\xc3\xa4\xc3\xa4", 5, "\xc3\xa4\xc3\xa4…");
    clean("\xf0\x9f\x98\x80", 99, "\xf0\x9f\x98\x80");
}

static void numbers_are_written_short_and_whole(void **state)
{
    static const struct {
        double value;
        bool exact;
        const char *want;
    } cases[] = {{1, true, "1"},
                 {-0.0, true, "0"},
                 {0.1, true, "0.1"},
                 {1.0 / 3, false, "0.333333"},
                 {1.0 / 3, true, "0.3333333333333333"},
                 {1700000000, false, "1700000000"},
                 {123456.789, false, "123456.789"},
                 {1234567.25, false, "1234567.25"},
                 {1700000000.125, false, "1700000000.125"},
                 {0.1 + 0.2, false, "0.3"},
                 {0.00012345678, false, "0.000123457"},
                 {12.3456789, false, "12.3457"},
                 {1e300, true, "1e+300"},
                 {NAN, true, "\"NaN\""},
                 {INFINITY, false, "\"+Inf\""},
                 {-INFINITY, false, "\"-Inf\""}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf b;
        buf_init(&b, 64);
        text_number(&b, cases[i].value, cases[i].exact);
        assert_string_equal(buf_cstr(&b), cases[i].want);
        buf_free(&b);
    }
    assert_string_equal(text_count(0), "0");
    assert_string_equal(text_count(999), "999");
    assert_string_equal(text_count(1000), "1,000");
    assert_string_equal(text_count(1234567), "1,234,567");
    assert_int_equal(text_distance(STR("list_metric"), STR("list_metrics")), 1);
    assert_int_equal(text_distance(STR(""), STR("abc")), 3);
}

static void times_are_read(void **state)
{
    static const int64_t now = 1700000000000;
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } moments[] = {
        {"now", now},
        {" now ", now},
        {"now-1h30m", now - 5400000},
        {"now - 1h", now - 3600000},
        {"now+5m", now + 300000},
        {"1h", now - 3600000},
        {"-2d", now - 172800000},
        {"1700000000", now},
        {"1700000000.5", now + 500},
        {"1700000000000", now},
        {"2023-11-14T22:13:20Z", now},
        {"2023-11-14T23:13:20+01:00", now},
        {"2023-11-14T22:13:20.250Z", now + 250},
        {"", -1},
        {"now-", -1},
        {"now*2", -1},
        {"-1e400", -1},
        {"NaN", -1},
        {"99999-01-01T00:00:00Z", -1},
        {"5 minutes ago maybe", -1},
        {"now-300y", -1},
        {"NOW", now},
        {"now()", now},
        {"now() - 1h", now - 3600000},
        {"time() - 3600", now - 3600000},
        {"current time", now},
        {"currently", -1},
        {"now - 1 hour", now - 3600000},
        {"now-60min", now - 3600000},
        {"Now-PT1H", now - 3600000},
        {"\"now-1h\"", now - 3600000},
        {"[now-1h", -1},
        {"-3600", now - 3600000},
        {"-1 hour", now - 3600000},
        {"60min ago", now - 3600000},
        {"2h before now", now - 7200000},
        {"last 24h", now - 86400000},
        {"last_1h", now - 3600000},
        {"PT1H30M", now - 5400000},
        {"P1D", now - 86400000},
        {"P1DT12H", now - 129600000},
        {"P1M", -1}, /* a month, or a minute */
        {"PT", -1},
        {"P", -1},
        {"@1700000000", now},
        {"14.11.2023 22:13:20", now},
        {"14.11.2023", now - 80000000},
        {"31.02.2023", -1},
        {"1.2.3", -1},
    };
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        bool ok = moment_parse(str_of(moments[i].text), now, STR(""), &ms, NULL);
        if (ok != (moments[i].want >= 0) || (ok && ms != moments[i].want))
            fail_msg("%s: %d %lld", moments[i].text, ok, (long long)ms);
    }
    assert_true(moment_parse(STR("2023-11-14T23:13:20"), now, STR("Europe/Berlin"), &ms, NULL));
    assert_int_equal(ms, now);
}

static void durations_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } durations[] = {{"15s", 15000},
                     {"1h30m", 5400000},
                     {"500ms", 500},
                     {"1w", 604800000},
                     {"90", 90000},
                     {"1.5h", 5400000},
                     {"0", -1},
                     {"0s", -1},
                     {"", -1},
                     {"-5m", -1},
                     {"5x", -1},
                     {"m", -1},
                     {"1000y", -1},
                     {"1h-5m", -1},
                     {"NaN", -1},
                     {"5 minutes", 300000},
                     {"1 Hour", 3600000},
                     {"1.5 hrs", 5400000},
                     {"2weeks", 1209600000},
                     {"5 M", -1},
                     {"minutes", -1},
                     {"5 minutes ago", -1},
                     {"99999999 weeks", -1},
                     {"0 sec", -1}};
    int64_t ms;
    (void)state;
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        bool ok = moment_duration(str_of(durations[i].text), &ms);
        if (ok != (durations[i].want >= 0) || (ok && ms != durations[i].want))
            fail_msg("%s: %d %lld", durations[i].text, ok, (long long)ms);
    }
    static const char *const five[] = {"5m", "5 m", "[5m]", "\"5m\"", "PT5M", "PT300S", " 5 min "};
    for (size_t i = 0; i < sizeof(five) / sizeof(five[0]); i++)
        assert_true(moment_said_duration(str_of(five[i]), &ms) && ms == 300000);
    assert_false(moment_said_duration(STR("5 M"), &ms));
    assert_false(moment_said_duration(STR("[5m"), &ms));
    assert_string_equal(duration_write(15000), "15s");
    assert_string_equal(duration_write(90000), "90s");
    assert_string_equal(duration_write(5400000), "1h30m");
    assert_string_equal(duration_write(1500), "1s500ms");
    assert_int_equal(moment_step(15001), 30000);
    assert_int_equal(moment_step(86400001), 172800000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read_whatever_the_pieces),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(a_string_is_cut_alike_whatever_the_pieces),
        cmocka_unit_test(a_number_is_refused_alike_whatever_the_pieces),
        cmocka_unit_test(numbers_are_exactly_rounded),
        cmocka_unit_test(text_from_outside_is_made_harmless),
        cmocka_unit_test(numbers_are_written_short_and_whole),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(durations_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
