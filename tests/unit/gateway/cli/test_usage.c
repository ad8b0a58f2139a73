/* The command line: what is taken, what is refused with which sentence, and what is told of it. */
#include "tests/support/unit.h"

#include <stdio.h>
#include "gateway/cli/usage.h"

enum { ARGS_MAX = 80 };

static enum usage_verdict parse(const char *line, struct usage *u, struct buf *out)
{
    static char copy[2048];
    static char *argv[ARGS_MAX];
    int argc = 1;
    snprintf(copy, sizeof(copy), "%s", line);
    argv[0] = copy;
    for (char *at = copy; *at && argc < ARGS_MAX; at++)
        if (*at == ' ') {
            *at = '\0';
            argv[argc++] = at + 1;
        }
    buf_clear(out);
    return usage_parse(argc, argv, u, out);
}

static void refused(const char *line, const char *sentence)
{
    struct usage u;
    scoped_buf(out, 65536);
    assert_int_equal(parse(line, &u, &out), USAGE_WRONG);
    assert_string_equal(buf_cstr(&out), sentence);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct usage u;
    scoped_buf(out, 65536);
    assert_int_equal(parse("persai --url=http://x ask -v why -m m -r6h -- --not", &u, &out),
                     USAGE_RUN);
    assert_int_equal(u.command, COMMAND_ask);
    assert_string_equal(u.url, "http://x");
    assert_string_equal(u.model, "m");
    assert_string_equal(u.range, "6h");
    assert_non_null(u.verbose);
    assert_int_equal(u.count, 2);
    assert_string_equal(u.arguments[0], "why");
    assert_string_equal(u.arguments[1], "--not");
    assert_int_equal(parse("persai ask -cv - ", &u, &out), USAGE_RUN);
    assert_non_null(u.go_on);
    assert_non_null(u.verbose);
    assert_string_equal(u.arguments[0], "-");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    refused("persai", "which command? See persai --help");
    refused("persai help dance", "there is no command dance; see persai --help");
    refused("persai dance", "there is no command dance; see persai --help");
    refused("persai ask --dance", "there is no option --dance; see persai --help");
    refused("persai ask --model", "--model needs a value");
    refused("persai ask --model=", "--model needs a value");
    refused("persai ask --json=yes", "there is no option --json=yes; see persai --help");
    refused("persai ask -x", "there is no option -x; see persai --help");
    refused("persai ask --yes", "ask has no option --yes");
    refused("persai export", "usage: persai export SESSION");
    refused("persai export a b", "usage: persai export SESSION");
    refused("persai approve s --yes --refuse", "--yes and --refuse exclude each other");
    refused("persai ask --session 1 -c q", "--session and --continue exclude each other");
}

static void too_many_words_are_refused(void **state)
{
    (void)state;
    char line[1024] = "persai ask";
    for (int i = 0; i < ARGUMENTS_MAX + 1; i++)
        memcpy(line + strlen(line), " w", 3);
    refused(line, "more than 64 words: put the question into quotes");
}

static void help_man_and_completions_have_every_option(void **state)
{
    (void)state;
    static const char *const flags[] = {
#define COMMAND(name, arguments, least, most, help)
#define OPTION(field, flag, letter, value, commands, help) flag,
#include "gateway/cli/commands.def"
#undef COMMAND
#undef OPTION
    };
    static const char *const pages[] = {"persai --print-man", "persai --print-completion=bash",
                                        "persai --print-completion=zsh",
                                        "persai --print-completion=fish"};
    struct usage u;
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        scoped_buf(out, 1 << 20);
        assert_int_equal(parse(pages[i], &u, &out), USAGE_PRINT);
        for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++) {
            scoped_buf(word, 64);
            for (const char *at = flags[k]; *at; at++)
                buf_printf(&word, i == 0 && *at == '-' ? "\\%c" : "%c", *at);
            assert_non_null(strstr(buf_cstr(&out), buf_cstr(&word)));
        }
    }
    scoped_buf(out, 1 << 20);
    assert_int_equal(parse("persai ask --help", &u, &out), USAGE_PRINT);
    assert_non_null(strstr(buf_cstr(&out), "--datasource NAME"));
    assert_null(strstr(buf_cstr(&out), "--refuse"));
    scoped_buf(same, 1 << 20);
    assert_int_equal(parse("persai help ask", &u, &same), USAGE_PRINT);
    assert_string_equal(buf_cstr(&same), buf_cstr(&out));
    scoped_buf(all, 1 << 20);
    assert_int_equal(parse("persai help", &u, &all), USAGE_PRINT);
    assert_non_null(strstr(buf_cstr(&all), "usage: persai COMMAND"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(too_many_words_are_refused),
        cmocka_unit_test(help_man_and_completions_have_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
