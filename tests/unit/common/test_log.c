#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/log.h"

static char written[3 * 4096];

/* stderr goes into a file between these two. */
static int real_stderr = -1;
static FILE *into;
static void catch_begin(void)
{
    into = tmpfile();
    assert_non_null(into);
    real_stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(fileno(into), STDERR_FILENO), STDERR_FILENO);
}
static void catch_end(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    rewind(into);
    size_t len = fread(written, 1, sizeof(written) - 1, into);
    written[len] = '\0';
    fclose(into);
}

static void a_line_has_time_level_program_event_and_values(void **state)
{
    (void)state;
    log_setup(LOG_INFO, "worker");
    catch_begin();
    log_info("turn.done", "turn=%s epoch=%d", "t1", 1);
    catch_end();
    int year, month, day, hour, minute, second, ms, rest = 0;
    assert_int_equal(sscanf(written, "ts=%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day,
                            &hour, &minute, &second, &ms, &rest),
                     7);
    assert_true(year >= 2024 && rest == 28);
    assert_string_equal(written + rest,
                        "level=info program=worker event=turn.done turn=t1 epoch=1\n");
}

static void an_address_is_shown_without_its_password(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"http://host", "\"http://host\""},
        {"https://host:8080/a/b", "\"https://host:8080/a/b\""},
        {"http://user:hush@host:80/a", "\"http://host:80/a\""},
        {"http://hush@host", "\"http://host\""},
        {"http://u:hu@sh@[::1]:80/a", "\"http://[::1]:80/a\""},
        {"http://user:hu/sh@host/a", "\"http://host/a\""},
        {"http://user:12/hush@host/a", "\"http://host/a\""},
        {"http://user:hu?sh@host/a", "\"http://…\""},
        {"http://user:hu#sh@host/a", "\"http://…\""},
        {"http://host/a?key=hush", "\"http://host/a\""},
        {"http://host/a?key=hush@x", "\"http://…\""},
        {"http://user:hush@host/a?key=hush", "\"http://host/a\""},
        {"user:hush@host", "\"host\""},

        {"host:80", "\"host:80\""},
        {"", "\"\""},
        {"user:hu://sh@host", "\"host\""},
        {"://hush@", "\"://\""},
        {"http://hush@a\"b", "\"http://a\\\"b\""},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(log_address(cases[i][0]), cases[i][1]);
}

static void lines_below_the_level_are_not_written_and_errno_stays(void **state)
{
    (void)state;
    enum log_level level;
    assert_true(log_level_parse("WARNING", &level) && level == LOG_WARN);
    assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
    assert_true(log_level_parse("error", &level) && level == LOG_ERROR);
    assert_false(log_level_parse("", &level));
    assert_false(log_level_parse("verbose", &level));
    log_setup(LOG_WARN, NULL);
    catch_begin();
    close(STDERR_FILENO); /* what can't be written is lost and told of, no more */
    errno = ENOENT;
    log_error("x.y", "a=%d", 1);
    int after = errno;
    dup2(fileno(into), STDERR_FILENO);
    log_debug("x.y", "a=%d", 2);
    log_info("x.y", "a=%d", 3);
    log_warn("x.y", "a=%d", 4);
    catch_end();
    assert_int_equal(after, ENOENT);
    assert_non_null(strstr(written, "level=warn event=x.y a=4\n"));
    const char *second = strchr(written, '\n') + 1;
    assert_non_null(strstr(second, "level=warn event=log.lost lines=1\n"));
    assert_ptr_equal(strchr(second, '\n'), written + strlen(written) - 1);
}

static void a_line_is_one_line_of_4_kib_at_most(void **state)
{
    (void)state;
    static char big[6000];
    log_setup(LOG_INFO, "p");
    for (size_t shift = 0; shift < 3; shift++) {
        for (size_t i = 0; i + 3 < sizeof(big); i += 2)
            memcpy(big + i, "ä", 2);
        catch_begin();
        log_info("a.b", "%.*s%s", (int)shift, "xx", big);
        catch_end();
        size_t len = strlen(written);
        assert_in_range(len, 4090, 4096);
        assert_string_equal(written + len - 4, "…\n");
        assert_true(str_utf8(str_of(written)));
    }
    catch_begin();
    log_info("a.b", "v=%s", "one\nlevel=error event=forged\r\x1b[2J");
    catch_end();
    assert_ptr_equal(strchr(written, '\n'), written + strlen(written) - 1);
    assert_null(strchr(written, '\x1b'));
}

static void hostile_text_is_quoted_and_shortened(void **state)
{
    (void)state;
    char big[300];
    assert_string_equal(log_text(STR("a \"b\"\n\xff")), "\"a \\\"b\\\"\\n\xef\xbf\xbd\"");
    assert_string_equal(log_text((struct str){NULL, 0}), "\"\"");
    for (size_t i = 0; i < sizeof(big); i += 3)
        memcpy(big + i, "€", 3);
    const char *text = log_text((struct str){big, sizeof(big)});
    assert_int_equal(strlen(text), 1 + 198 + 3 + 1);
    assert_string_equal(text + strlen(text) - 4, "…\"");
    memset(big, 1, sizeof(big));
    assert_int_equal(strlen(log_text((struct str){big, sizeof(big)})), 1 + 200 * 6 + 3 + 1);
    assert_int_equal(strlen(log_text((struct str){big, 200})), 1 + 200 * 6 + 1);
}

static void four_texts_live_at_once(void **state)
{
    (void)state;
    const char *a = log_text(STR("a")), *b = log_text(STR("b"));
    const char *c = log_text(STR("c")), *d = log_text(STR("d"));
    assert_string_equal(a, "\"a\"");
    assert_string_equal(b, "\"b\"");
    assert_string_equal(c, "\"c\"");
    assert_string_equal(d, "\"d\"");
}

static void a_line_as_json_has_the_same_names_and_values(void **state)
{
    (void)state;
    static const struct {
        const char *line, *json;
    } cases[] = {
        {"ts=2026-01-02T03:04:05.678Z level=info event=turn.done ms=812 turn=00ab code=007 n=-3",
         "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"event\":\"turn.done\",\"ms\":"
         "812,"
         "\"turn\":\"00ab\",\"code\":\"007\",\"n\":-3}"},
        {"path=\"/a b\\\"c\" why=\"x=y\" empty= last=\"\"",
         "{\"path\":\"/a b\\\"c\",\"why\":\"x=y\",\"empty\":\"\",\"last\":\"\"}"},
        {"why=\"cut off in the mid…", "{\"why\":\"\\\"cut off in the mid…\"}"},
        {"name=\"C:\\new\\x\"", "{\"name\":\"\\\"C:\\\\new\\\\x\\\"\"}"}, /* quotes of its own */
        {"two words x=1 bad=\xff",
         "{\"text\":\"two\",\"text\":\"words\",\"x\":1,\"bad\":\"\xef\xbf\xbd\"}"},
        {"", "{}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        scoped_buf(b, 4096);
        log_line_json(str_of(cases[i].line), &b);
        assert_string_equal(buf_cstr(&b), cases[i].json);
    }
    bool json;
    assert_true(log_format_parse("JSON", &json) && json);
    assert_true(log_format_parse("logfmt", &json) && !json);
    assert_false(log_format_parse("xml", &json));
}

static void the_level_moves_by_one_and_says_so(void **state)
{
    (void)state;
    log_setup(LOG_INFO, "worker");
    log_as_json(true);
    catch_begin();
    log_less(NULL);
    log_less(NULL);
    log_less(NULL);
    assert_false(log_enabled(LOG_WARN));
    log_more(NULL);
    log_more(NULL);
    log_more(NULL);
    log_more(NULL);
    catch_end();
    log_as_json(false);
    assert_true(log_enabled(LOG_DEBUG));
    assert_non_null(strstr(written,
                           "\"level\":\"error\",\"program\":\"worker\",\"event\":\"log.level\","
                           "\"least\":\"error\"}\n"));
    assert_non_null(strstr(written, "\"least\":\"debug\"}\n"));
    log_setup(LOG_INFO, "worker");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_program_event_and_values),
        cmocka_unit_test(an_address_is_shown_without_its_password),
        cmocka_unit_test(lines_below_the_level_are_not_written_and_errno_stays),
        cmocka_unit_test(a_line_is_one_line_of_4_kib_at_most),
        cmocka_unit_test(hostile_text_is_quoted_and_shortened),
        cmocka_unit_test(four_texts_live_at_once),
        cmocka_unit_test(a_line_as_json_has_the_same_names_and_values),
        cmocka_unit_test(the_level_moves_by_one_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
