/* What must not leave, and what stands for it. */
#include "tests/support/unit.h"

#include <stdlib.h>
#include <jansson.h>
#include "common/json.h"
#include "worker/llm/mask.h"

static const struct id conversation = {{1}};

static struct redact *rules_of(const char *text)
{
    char error[256];
    struct redact *r = redact_parse(str_of(text), "rules", error);
    if (!r)
        fail_msg("%s", error);
    return r;
}

/* "" when nothing matched; until the next call. */
static const char *masked(struct mask *m, const char *text)
{
    static struct buf out;
    buf_free(&out);
    buf_init(&out, 1 << 20);
    return mask_text(m, str_of(text), &out) ? buf_cstr(&out) : "";
}

static void expect_back(struct mask *m, const char *text)
{
    scoped_buf(hidden, 1 << 20);
    scoped_buf(back, 1 << 20);
    if (!mask_text(m, str_of(text), &hidden))
        buf_puts(&hidden, text);
    unmask_text(m, buf_str(&hidden), &back);
    assert_string_equal(buf_cstr(&back), text);
}

/* A result is JSON in a string of the request, and a log line in it may be JSON once more: what is
 * the begin of a line there has a letter before it. */
static void escapes_hide_nothing(void **state)
{
    (void)state;
    struct redact *r = rules_of("include aws, ipv4\nid =~ \\bACME-[0-9]{6}\\b\n"
                                "login =~ CORP\\\\\\w+\ncity =~ \\bM\u00fcnchen-\\d\\b\n");
    static const char *const texts[] = {"line\nACME-123456",
                                        "tab\\tACME-123456",
                                        "{\"line\":\"a\\nACME-123456\"}",
                                        "{\\\"msg\\\":\\\"x\\\\nACME-123456\\\"}",
                                        "\\\\\\\\tACME-123456",
                                        "\\u003cACME-123456\\u003e",
                                        "\\u0041CME-123456",
                                        "ACME\\u002d123456",
                                        "ACME\\\\u002d123456",
                                        "a\\nAKIAIOSFODNN7EXAMPLE",
                                        "v1\\n10.20.30.40",
                                        "\\u000b10.20.30.40",
                                        "CORP\\nina",
                                        "CORP\\\\nina",
                                        "CORP\\\\\\\\nina",
                                        "x\\nM\\u00fcnchen-7",
                                        "x\\nM\\\\u00fcnchen-7 \\ud83d\\ude00",
                                        "GET /?id=ACME%2D123456 HTTP/1.1",
                                        "/?id=%41%43%4d%45-123456&x=1",
                                        "/?next=%2Fx%3Fid%3DACME%252d123456",
                                        "/M%c3%bcnchen-7/%ff%c3%28",
                                        "{\"url\":\"\\/x?id=ACME\\u00252d123456\"}"};
    static const char *const secrets[] = {"123456", "IOSFODNN", "10.20", "nina", "nchen-7"};
    struct mask m;
    mask_init(&m, r, conversation);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        scoped_buf(json, 1000);
        scoped_buf(out, 1000);
        assert_non_null(strstr(masked(&m, texts[i]), "MASKED_"));
        buf_puts(&json, "{\"content\":");
        json_str(&json, str_of(texts[i]));
        buf_putc(&json, '}');
        assert_true(mask_json(&m, buf_str(&json), &out));
        for (size_t k = 0; k < sizeof(secrets) / sizeof(secrets[0]); k++) {
            assert_null(strstr(masked(&m, texts[i]), secrets[k]));
            assert_null(strstr(buf_cstr(&out), secrets[k]));
        }
    }
    /* What is around it stays as it was, and the value that comes back is the plain one. */
    assert_true(strncmp(masked(&m, "\\\\tACME-123456\\n"), "\\\\tMASKED_ID_", 13) == 0);
    assert_string_equal(masked(&m, "C:\\temp\\new \\u12 \\ %2 %zz 7%25 %c3 %"), "");
    expect_back(&m, "/?next=%2Fx%3Fid%3DACME%252d123456&id=ACME%2D123456 of ACME-123456");
    scoped_buf(back, 1000);
    unmask_text(&m, str_of(masked(&m, "{\"a\":\"\\u0041CME-123456\"}")), &back);
    assert_string_equal(buf_cstr(&back), "{\"a\":\"ACME-123456\"}");
    mask_free(&m);
    redact_free(r);
}

static void values_become_words_and_come_back(void **state)
{
    (void)state;
    struct redact *r = rules_of("include email, ipv4\nhost =~ \\b[a-z0-9-]+\\.corp\\.example\\b\n"
                                "ACME-[0-9]{6}\n");
    struct mask m;
    mask_init(&m, r, conversation);
    const char *text = "ann@corp.example, 10.0.0.7:9100 and db-1.corp.example of ACME-123456";
    const char *hidden = masked(&m, text);
    assert_null(strstr(hidden, "ann"));
    assert_null(strstr(hidden, "10.0"));
    assert_null(strstr(hidden, "corp"));
    assert_null(strstr(hidden, "123456"));
    assert_true(strncmp(hidden, "MASKED_EMAIL_", 13) == 0); /* the earlier rule of two */
    assert_non_null(strstr(hidden, ":9100 and MASKED_HOST_"));
    assert_non_null(strstr(hidden, "of MASKED_RULE_3_"));
    expect_back(&m, text);
    expect_back(&m, "nothing in it: MASKED_, MASKED_EMAIL_00000000, M");
    assert_int_equal(redact_matches(r, 0), 2);
    mask_free(&m);
    redact_free(r);
}

static void a_value_is_the_same_word_in_its_conversation_only(void **state)
{
    (void)state;
    struct redact *r = rules_of("include email");
    struct mask m, again, other;
    char word[64];
    mask_init(&m, r, conversation);
    mask_init(&again, r, conversation);
    mask_init(&other, r, (struct id){{2}});
    snprintf(word, sizeof(word), "%s", masked(&m, "a@b.example"));
    assert_string_equal(masked(&m, "a@b.example"), word);
    assert_string_equal(masked(&again, "a@b.example"), word); /* by another process */
    assert_string_not_equal(masked(&m, "c@b.example"), word);
    assert_string_not_equal(masked(&other, "a@b.example"), word);
    mask_free(&m);
    mask_free(&again);
    mask_free(&other);
    redact_free(r);
}

static void a_word_is_not_masked_again(void **state)
{
    (void)state;
    struct redact *r = rules_of("include email\nhash =~ [0-9a-f]{8}");
    struct mask m;
    mask_init(&m, r, conversation);
    assert_string_equal(masked(&m, "see MASKED_EMAIL_0123abcd"), "");
    assert_non_null(strstr(masked(&m, "see 0123abcd"), "MASKED_HASH_"));
    assert_null(strstr(masked(&m, "MASKED_EMAIL_0123abcd@corp.example"), "corp"));
    mask_free(&m);
    redact_free(r);
}

/* A line in JSON in JSON is seen as one when the address in it is a word already. */
static void a_word_within_a_value_comes_back_with_it(void **state)
{
    (void)state;
    struct redact *r = rules_of("include email\nline =~ (?m)^secret: .*$");
    struct mask m;
    mask_init(&m, r, conversation);
    const char *text = "x\\nsecret: ann@corp.example";
    assert_true(strncmp(masked(&m, text), "x\\nMASKED_LINE_", 15) == 0);
    expect_back(&m, text);
    mask_free(&m);
    redact_free(r);
}

static void words_cut_anywhere_come_back(void **state)
{
    (void)state;
    struct redact *r = rules_of("include email");
    struct mask m;
    mask_init(&m, r, conversation);
    scoped_buf(hidden, 4096);
    const char *text = "MASKED M ann@corp.example MASKED_x <ann@corp.example>s MASKED_EMAIL_";
    mask_text(&m, str_of(text), &hidden);
    for (size_t piece = 1; piece <= hidden.len; piece++) {
        struct unmask u = {.len = 0};
        scoped_buf(back, 4096);
        for (size_t at = 0; at < hidden.len; at += piece)
            unmask_feed(
                &m, &u,
                (struct str){hidden.at + at, hidden.len - at < piece ? hidden.len - at : piece},
                &back);
        unmask_end(&m, &u, &back);
        assert_string_equal(buf_cstr(&back), text);
    }
    mask_free(&m);
    redact_free(r);
}

/* Arguments while they are being written: no word of ours is seen, whole or in part. */
static void json_that_goes_on_shows_values(void **state)
{
    (void)state;
    struct redact *r = rules_of("id =~ A\"C-[0-9]+\n");
    struct mask m;
    mask_init(&m, r, conversation);
    scoped_buf(json, 1000);
    buf_printf(&json, "{\"query\":\"up{id=\\\"%s\\\"}\"}", masked(&m, "A\"C-42"));
    static const char whole[] = "{\"query\":\"up{id=\\\"A\\\"C-42\\\"}\"}";
    for (size_t len = 0; len <= json.len; len++) {
        scoped_buf(shown, 1000);
        unmask_json_begun(&m, (struct str){json.at, len}, &shown);
        assert_true(str_starts(str_of(whole), buf_str(&shown)));
        assert_true(len < json.len || str_is(buf_str(&shown), whole));
    }
    mask_free(&m);
    redact_free(r);
}

static void json_is_masked_where_people_and_tools_speak(void **state)
{
    (void)state;
    struct redact *r = rules_of("secret =~ s3cr3t\\S*?(?=[\"\\s\\\\]|$)");
    struct mask m;
    mask_init(&m, r, conversation);
    static const char json[] =
        "{\"model\":\"s3cr3t\",\"input\":[{\"role\":\"s3cr3t\",\"id\":\"s3cr3t\",\"content\":\"a\\n"
        "s3cr3t \\u00e9\"},{\"type\":\"tool_use\",\"input\":{\"id\":\"s3cr3t\",\"s3cr3tkey\":[{"
        "\"type\":\"s3cr3t\"}]},\"arguments\":\"{\\\"q\\\":\\\"s3cr3t\\\"}\",\"signature\":"
        "\"s3cr3t\"}],\"required\":[\"s3cr3t\"],\"n\":[1,true,null,\"s3cr3t\"]}";
    scoped_buf(out, 1 << 16);
    assert_true(mask_json(&m, str_of(json), &out));
    json_auto_t *root = json_loads(buf_cstr(&out), 0, NULL);
    assert_non_null(root);
    unsigned left = 0;
    for (const char *at = buf_cstr(&out); (at = strstr(at, "s3cr3t")) != NULL; at++)
        left++;
    assert_int_equal(left, 5); /* model, role, id, signature, required */
    assert_null(strstr(buf_cstr(&out), "s3cr3tkey"));
    scoped_buf(back, 1 << 16);
    unmask_json(&m, buf_str(&out), &back);
    json_auto_t *was = json_loads(json, 0, NULL), *is = json_loads(buf_cstr(&back), 0, NULL);
    assert_true(json_equal(was, is));
    buf_clear(&out);
    assert_false(mask_json(&m, STR("{\"a\":\"plain\"}"), &out));
    assert_int_equal(out.len, 0);
    mask_free(&m);
    redact_free(r);
}

static void values_with_quotes_come_back_escaped(void **state)
{
    (void)state;
    struct redact *r = rules_of("q =~ <.*?>");
    struct mask m;
    mask_init(&m, r, conversation);
    scoped_buf(json, 4096);
    scoped_buf(back, 4096);
    buf_printf(&json, "{\"a\":\"%s\"}", masked(&m, "<x\"\\y>"));
    unmask_json(&m, buf_str(&json), &back);
    assert_string_equal(buf_cstr(&back), "{\"a\":\"<x\\\"\\\\y>\"}");
    mask_free(&m);
    redact_free(r);
}

static void what_a_rule_gave_up_on_does_not_leave(void **state)
{
    (void)state;
    struct redact *r = rules_of("slow =~ (a+)+$\n");
    struct mask m;
    mask_init(&m, r, conversation);
    char text[64];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 2] = '!';
    text[sizeof(text) - 1] = '\0';
    assert_true(strncmp(masked(&m, text), "MASKED_SLOW_", 12) == 0);
    assert_int_equal(strlen(masked(&m, text)), 20);
    assert_true(redact_limits(r) > 0);
    expect_back(&m, text);
    mask_free(&m);
    redact_free(r);
}

static void sets_know_their_kind(void **state)
{
    (void)state;
    static const struct {
        const char *set, *text;
        bool matches;
    } cases[] = {
        {"email", "mail Ann.B+x@sub.corp.example now", true},
        {"email", "rate(x[5m]) @ 1700000000", false},
        {"email", "user@localhost", false},
        {"ipv4", "instance=\"10.1.2.3:9100\"", true},
        {"ipv4", "version 1.2.3.4.5 or 256.1.1.1", false},
        {"ipv4", "0.0.0.0/0", true},
        {"ipv6", "at 2001:db8::8a2e:370:7334.", true},
        {"ipv6", "fe80::1%eth0", true},
        {"ipv6", "2001:0db8:0000:0000:0000:ff00:0042:8329", true},
        {"ipv6", "at 12:30:45 job:up:sum std::move", false},
        {"bearer", "Authorization: Bearer abcdefghijklmnop.qrst", true},
        {"bearer", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", true},
        {"bearer", "ghp_0123456789abcdefghij", true},
        {"bearer", "the bearer of news", false},
        {"aws", "AKIAIOSFODNN7EXAMPLE", true},
        {"aws", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", true},
        {"aws", "da39a3ee5e6b4b0d3255bfef95601890afd80709", false}, /* a commit */
        {"gcp", "AIzaSyA-0123456789abcdefghijklmnopqrstuv", true},
        {"gcp", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", true},
        {"iban", "DE89 3704 0044 0532 0130 00", true},
        {"iban", "GB82WEST12345698765432", true},
        {"iban", "node_cpu_seconds_total", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[64];
        struct mask m;
        snprintf(line, sizeof(line), "include %s", cases[i].set);
        struct redact *r = rules_of(line);
        mask_init(&m, r, conversation);
        if ((masked(&m, cases[i].text)[0] != '\0') != cases[i].matches)
            fail_msg("%s: %s", cases[i].set, cases[i].text);
        mask_free(&m);
        redact_free(r);
    }
}

static void a_file_that_cannot_be_read_says_where(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"# one\n\na\nb\nc\nd\n(broken", "rules, line 7: missing closing parenthesis (at byte 7)"},
        {"include email, phone", "line 1: \"phone\" is no set; there are email ipv4"},
        {"include ", "line 1"},
        {"host =~ [", "line 1: missing terminating ]"},
        {"x\nHost =~ db-[0-9]+", "line 2: a rule's name is 1 to 24 of a-z, 0-9 and _"},
        {"my-host=~db", "line 1: a rule's name"},
        {"the host =~ db", "line 1: a rule's name"},
        {"a_name_of_twenty_five_chars =~ db", "line 1: a rule's name"},
        {"host =~ ", "line 1: a rule without an expression"},
        {"ipv4", "line 1: this is that word alone; for the set write include ipv4"},
        {"INCLUDE phone", "line 1: \"phone\" is no set"},
        {"include\tphone", "line 1: \"phone\" is no set"},
        {"include: email", "line 1: \": email\" is no set"},
        {"# nothing yet\n\n", "rules has no rule"},
        {"", "rules has no rule"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[256] = "";
        struct redact *r = redact_parse(str_of(cases[i].text), "rules", error);
        if (r || !strstr(error, cases[i].why))
            fail_msg("%s: %s", cases[i].text, error);
    }
    char error[256];
    assert_null(redact_file("/nowhere/rules", error));
    assert_non_null(strstr(error, "/nowhere/rules cannot be read"));
    struct redact *r = rules_of("\xEF\xBB\xBF# with a mark\r\nhost =~ x\r\nhost =~ y\r\n"
                                "include\temail\nInclude ipv4\n{job=~\"db-.*\"}\nword =~ iban");
    assert_int_equal(redact_count(r), 6);
    redact_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_words_and_come_back),
        cmocka_unit_test(escapes_hide_nothing),
        cmocka_unit_test(a_value_is_the_same_word_in_its_conversation_only),
        cmocka_unit_test(a_word_is_not_masked_again),
        cmocka_unit_test(a_word_within_a_value_comes_back_with_it),
        cmocka_unit_test(words_cut_anywhere_come_back),
        cmocka_unit_test(json_that_goes_on_shows_values),
        cmocka_unit_test(json_is_masked_where_people_and_tools_speak),
        cmocka_unit_test(values_with_quotes_come_back_escaped),
        cmocka_unit_test(what_a_rule_gave_up_on_does_not_leave),
        cmocka_unit_test(sets_know_their_kind),
        cmocka_unit_test(a_file_that_cannot_be_read_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
