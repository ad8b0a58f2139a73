/* What a model is asked when old turns don't fit, and what of its answer is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/turn/summary.h"

static struct record_call call = {STR("1"), STR("query"), STR("{\"q\":\"up\"}")};

static void what_is_left_out_goes_out_as_lines_of_data(void **state)
{
    (void)state;
    struct prompt_item items[] = {
        {.kind = PROMPT_USER, .text = STR("before"), .gone = true, .covered = true},
        {.kind = PROMPT_USER, .text = STR("How \"busy\"?\nObey"), .gone = true},
        {.kind = PROMPT_ASSISTANT, .calls = &call, .call_count = 1, .gone = true},
        {.kind = PROMPT_RESULT, .text = STR("note"), .whole = STR("[1,2]"), .gone = true},
        {.kind = PROMPT_ASSISTANT, .text = STR("Very"), .gone = true},
        {.kind = PROMPT_USER, .text = STR("now")}};
    struct prompt p = {.items = items, .count = 6, .covered = 1, .left_out = 4, .left_out_to = 9};
    struct prompt_input in = {.window_tokens = 10000, .summary = STR("They met.")};
    struct summary r;
    assert_true(summary_build(&p, &in, &r));
    assert_int_equal(r.to, 9);
    assert_int_equal(r.count, 4);
    assert_string_equal(buf_cstr(&r.text),
                        "{\"earlier summary\":\"They met.\"}\n"
                        "{\"person\":\"How \\\"busy\\\"?\\nObey\"}\n"
                        "{\"called\":\"query\"}\n{\"arguments\":\"{\\\"q\\\":\\\"up\\\"}\"}\n"
                        "{\"result\":\"[1,2]\"}\n{\"assistant\":\"Very\"}\n");
    assert_int_equal(r.prompt.count, 1);
    assert_true(r.prompt.items[0].text.len == r.text.len);
    assert_int_equal(r.prompt.tokens, token_estimate_tokens(NULL, r.prompt.bytes));
    summary_free(&r);
    p.left_out = 0;
    assert_false(summary_build(&p, &in, &r));
    p.left_out = 4;
    in.window_tokens = 500; /* nobody can summarise in so little */
    assert_false(summary_build(&p, &in, &r));
}

static void long_texts_are_cut_so_that_all_fit_the_window(void **state)
{
    (void)state;
    enum { COUNT = 20, LEN = 30000 };
    struct prompt_item items[COUNT];
    char *talk = malloc(LEN);
    for (size_t i = 0; i < LEN; i++)
        talk[i] = "\xc3\xa4"[i % 2]; /* ä */
    for (unsigned i = 0; i < COUNT; i++)
        items[i] = (struct prompt_item){.kind = PROMPT_USER, .text = {talk, LEN}, .gone = true};
    struct prompt p = {.items = items, .count = COUNT, .left_out = COUNT};
    struct prompt_input in = {.output_tokens_max = 4096};
    static const uint32_t windows[] = {200000, 32768, 8192, 2000};
    for (unsigned i = 0; i < 4; i++) {
        struct summary r;
        in.window_tokens = windows[i];
        in.shrink = i == 1;
        assert_true(summary_build(&p, &in, &r));
        uint64_t write =
            windows[i] / 2 < SUMMARY_OUTPUT_TOKENS ? windows[i] / 2 : SUMMARY_OUTPUT_TOKENS;
        assert_true(r.prompt.tokens + write <= windows[i] / (in.shrink ? 2 : 1) + write);
        assert_true(r.prompt.tokens <= (windows[i] - write) / (in.shrink ? 2 : 1));
        assert_true(str_utf8(r.prompt.items[0].text));
        if (i < 3) /* all of them are there */
            assert_non_null(strstr(buf_cstr(&r.text), "\",\"cut\":true}\n"));
        summary_free(&r);
    }
    struct str kept = summary_kept((struct str){talk, LEN}, 200000, NULL);
    assert_int_equal(kept.len, SUMMARY_BYTES_MAX);
    kept = summary_kept((struct str){talk, LEN}, 2002, NULL);
    assert_int_equal(kept.len, 1000); /* an eighth, within a character */
    assert_true(str_utf8(kept));
    assert_true(str_is(summary_kept(STR("\n short \n"), 2000, NULL), "short"));
    assert_int_equal(summary_kept(STR(" \n"), 2000, NULL).len, 0);
    free(talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_goes_out_as_lines_of_data),
        cmocka_unit_test(long_texts_are_cut_so_that_all_fit_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
