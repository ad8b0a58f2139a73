#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/check.h"
#include "common/config.h"

struct settings {
    char *listen, *prompt;
    struct secret *key;
    uint32_t capacity;
    uint64_t room;
    int64_t wait;
    bool auth;
};
#define AT(field) offsetof(struct settings, field)
static const struct setting table[] = {
    {"PERSAI_LISTEN", SETTING_TEXT, AT(listen), "127.0.0.1:8000", 1, 100, "where, a|b", false},
    {"PERSAI_PROMPT", SETTING_TEXT, AT(prompt), "", 0, 0, "instructions", false},
    {"OPENAI_API_KEY", SETTING_SECRET, AT(key), "", 0, 40, "key of OpenAI", false},
    {"PERSAI_CAPACITY", SETTING_U32, AT(capacity), "256", 1, 1000, "turns at once", false},
    {"PERSAI_ROOM", SETTING_BYTES, AT(room), "16MiB", 1024, 1 << 30, "memory", true},
    {"PERSAI_TOKEN_WAIT", SETTING_DURATION, AT(wait), "10m", 1000, 86400000, "how long", false},
    {"PERSAI_AUTH", SETTING_BOOL, AT(auth), "true", 0, 0, "ask Perses", false},
};
enum { COUNT = sizeof(table) / sizeof(*table) };
static const char *const commands[] = {"--check", "--make-keys=", "--move==", NULL};

static struct settings s;
static struct config_result result;

#define LOAD(...) load((char *[]){(char *)(uintptr_t) "prog", __VA_ARGS__, NULL})
#define LOAD_NONE() load((char *[]){(char *)(uintptr_t) "prog", NULL})
#define A(text) ((char *)(uintptr_t)(text))
static bool load(char **argv)
{
    const struct config_args args = {"prog", "does things", table, COUNT, commands};
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    config_free(table, COUNT, &s);
    memset(&s, 0, sizeof(s));
    return config_load(&args, argc, argv, &s, &result);
}

static int clean(void **state)
{
    (void)state;
    config_free(table, COUNT, &s);
    for (size_t i = 0; i < COUNT; i++) {
        char name[64];
        unsetenv(table[i].name);
        snprintf(name, sizeof(name), "%s_FILE", table[i].name);
        unsetenv(name);
    }
    return 0;
}

static char *file_with(const char *bytes, size_t len)
{
    static char path[64];
    snprintf(path, sizeof(path), "/tmp/test_config.XXXXXX");
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    close(fd);
    return path;
}

static void assert_error(const char *part)
{
    if (strstr(result.error, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, result.error);
    assert_int_equal(result.exit_code, 2);
    assert_null(s.listen); /* nothing is left behind */
    assert_null(s.key);
}

static void without_anything_the_defaults_hold(void **state)
{
    (void)state;
    setenv("PERSAI_CAPACITY", "", 1); /* empty is unset */
    assert_true(LOAD_NONE());
    assert_string_equal(s.listen, "127.0.0.1:8000");
    assert_string_equal(s.prompt, "");
    assert_null(s.key);
    assert_int_equal(s.capacity, 256);
    assert_int_equal(s.room, 16 << 20);
    assert_int_equal(s.wait, 600000);
    assert_true(s.auth);
    assert_null(result.command);
}

static void flags_win_over_the_environment_over_defaults(void **state)
{
    (void)state;
    setenv("PERSAI_CAPACITY", "10", 1);
    setenv("PERSAI_ROOM", "64k", 1);
    setenv("PERSAI_AUTH", "off", 1);
    setenv("OPENAI_API_KEY", "sk-1", 1);
    assert_true(LOAD(A("--capacity"), A("20"), A("--token-wait=2h"), A("--prompt=-v=1")));
    assert_int_equal(s.capacity, 20);
    assert_int_equal(s.room, 65536);
    assert_int_equal(s.wait, 7200000);
    assert_string_equal(s.prompt, "-v=1");
    assert_false(s.auth);
    assert_true(str_is(secret_reveal(s.key), "sk-1"));
    setenv("PERSAI_PROMPT", "from outside", 1);
    assert_true(LOAD(A("--prompt="), A("--auth"), A("yes")));
    assert_string_equal(s.prompt, "");
    assert_true(s.auth);
}

static void a_file_gives_a_secret_or_a_text_without_its_last_newline(void **state)
{
    (void)state;
    char *path = file_with("sk-file\n\n", 9);
    setenv("OPENAI_API_KEY_FILE", path, 1);
    assert_true(LOAD(A("--prompt-file"), path));
    assert_true(str_is(secret_reveal(s.key), "sk-file\n"));
    assert_string_equal(s.prompt, "sk-file\n");
    setenv("OPENAI_API_KEY", "x", 1);
    assert_false(LOAD_NONE());
    assert_error("OPENAI_API_KEY and OPENAI_API_KEY_FILE are both set");
    assert_true(LOAD(A("--openai-api-key-file"), path)); /* the flag wins over both */
    unlink(path);
    assert_false(LOAD(A("--openai-api-key-file"), path));
    assert_error("OPENAI_API_KEY: cannot read \"/tmp/test_config.");
    assert_error("No such file");
    assert_false(LOAD(A("--openai-api-key-file=/tmp")));
    assert_error("directory");
}

static void a_file_is_read_up_to_the_settings_maximum(void **state)
{
    (void)state;
    char text[44];
    memset(text, 'k', sizeof(text));
    memcpy(text + 40, "\r\n..", 4);
    char *path = file_with(text, 42);
    assert_true(LOAD(A("--openai-api-key-file"), path));
    assert_int_equal(secret_reveal(s.key).len, 40);
    unlink(path);
    path = file_with(text, 44);
    assert_false(LOAD(A("--openai-api-key-file"), path));
    assert_error("OPENAI_API_KEY is too long: at most 40 bytes");
    unlink(path);
    assert_false(LOAD(A("--openai-api-key-file=/dev/zero")));
    assert_error("OPENAI_API_KEY holds a NUL byte");
}

static void a_secret_on_the_command_line_is_refused_and_not_shown(void **state)
{
    (void)state;
    assert_false(LOAD(A("--openai-api-key=sk-visible")));
    assert_error("use --openai-api-key-file or OPENAI_API_KEY.");
    assert_null(strstr(result.error, "sk-visible"));
    assert_false(LOAD(A("--openai-api-key"), A("sk-visible")));
    assert_null(strstr(result.error, "sk-visible"));
    char big[100];
    memset(big, 'k', 99);
    big[99] = '\0';
    setenv("OPENAI_API_KEY", big, 1);
    assert_false(LOAD_NONE());
    assert_error("too long");
    assert_null(strstr(result.error, "kkk"));
}

static void what_is_wrong_is_said_with_the_settings_name(void **state)
{
    (void)state;
    static const struct {
        const char *arg, *error;
    } cases[] = {
        {"--capacity=0", "PERSAI_CAPACITY is \"0\", but must be from 1 to 1000."},
        {"--capacity=1001", "from 1 to 1000"},
        {"--capacity=4294967297", "from 1 to 1000"},
        {"--capacity=ten", "PERSAI_CAPACITY is \"ten\", which is not a number."},
        {"--capacity=-1", "not a number"},
        {"--capacity=", "not a number"},
        {"--token-wait=10", "PERSAI_TOKEN_WAIT is \"10\", which is not a duration like"},
        {"--token-wait=2d", "from 1s to 1d"},
        {"--room=1", "from 1KiB to 1GiB"},
        {"--room=1 M", "not a number of bytes"},
        {"--auth=maybe", "neither true nor false"},
        {"--listen=", "PERSAI_LISTEN must be set: where, a|b."},
        {"--capacity", "\"--capacity\" needs a value"},
        {"--capacities=1", "Unknown flag \"--capacities\""},
        {"--capacity-file=x", "Unknown flag"},
        {"--persai-capacity=1", "Unknown flag"},
        {"--", "Unknown flag"},
        {"capacity", "Unexpected argument \"capacity\""},
        {"-h", "Unexpected argument"},
        {"--check=1", "--check takes no value"},
        {"--make-keys", "\"--make-keys\" needs a value"},
        {"--move", "\"--move\" needs a value"},
        {"--move=a", "\"--move\" needs a value"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_false(LOAD(A(cases[i].arg)));
        assert_error(cases[i].error);
    }
    assert_false(LOAD(A("--capacity"), A("--auth=no")));
    assert_error("\"--capacity\" needs a value");
    assert_false(LOAD(A("--prompt=x"), A("--prompt-file=/dev/null")));
    assert_error("PERSAI_PROMPT is given twice");
}

static void commands_are_kept_with_their_argument(void **state)
{
    (void)state;
    assert_true(LOAD(A("--check"), A("--capacity=3")));
    assert_string_equal(result.command, "--check");
    assert_null(result.command_arg);
    assert_int_equal(s.capacity, 3);
    assert_true(LOAD(A("--make-keys"), A("keys")));
    assert_ptr_equal(result.command, commands[1]);
    assert_string_equal(result.command_arg, "keys");
    assert_true(LOAD(A("--make-keys=a=b")));
    assert_string_equal(result.command_arg, "a=b");
    assert_null(result.command_second);
    assert_true(LOAD(A("--move"), A("a"), A("b"), A("--capacity=3")));
    assert_string_equal(result.command, "--move==");
    assert_string_equal(result.command_arg, "a");
    assert_string_equal(result.command_second, "b");
    assert_true(LOAD(A("--move=a=b"), A("c")));
    assert_string_equal(result.command_arg, "a=b");
    assert_string_equal(result.command_second, "c");
    assert_false(LOAD(A("--move"), A("a"), A("--check")));
    assert_error("\"--move\" needs a value");
    assert_false(LOAD(A("--move"), A("a"), A("b"), A("c")));
    assert_error("Unexpected argument \"c\"");
    assert_false(LOAD(A("--check"), A("--make-keys=x")));
    assert_error("--make-keys: only one command at a time");
}

static void bytes_have_units_of_1024_and_no_overflow(void **state)
{
    (void)state;
    uint64_t bytes = 1;
    assert_true(bytes_parse(STR("0"), &bytes) && bytes == 0);
    assert_true(bytes_parse(STR("65536"), &bytes) && bytes == 65536);
    assert_true(bytes_parse(STR("64K"), &bytes) && bytes == 65536);
    assert_true(bytes_parse(STR("16MiB"), &bytes) && bytes == 16 << 20);
    assert_true(bytes_parse(STR("1G"), &bytes) && bytes == 1 << 30);
    assert_true(bytes_parse(STR("3tib"), &bytes) && bytes == 3ULL << 40);
    static const char *const bad[] = {"", "K", "1KB", "1X", "1.5G", "-1", "9223372036854775807K"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(bytes_parse(str_of(bad[i]), &bytes));
}

static char printed[8192];
static void catch_stdout(const char *flag)
{
    FILE *into = tmpfile();
    CHECK(into != NULL);
    fflush(stdout);
    int real = dup(STDOUT_FILENO);
    dup2(fileno(into), STDOUT_FILENO);
    bool ok = LOAD(A("--capacity=7"), A(flag));
    fflush(stdout);
    dup2(real, STDOUT_FILENO);
    close(real);
    rewind(into);
    printed[fread(printed, 1, sizeof(printed) - 1, into)] = '\0';
    fclose(into);
    assert_false(ok);
    assert_int_equal(result.exit_code, 0);
    assert_string_equal(result.error, "");
}

static void help_and_the_table_of_settings_come_from_the_table(void **state)
{
    (void)state;
    catch_stdout("--help");
    assert_non_null(strstr(printed, "prog: does things\n"));
    assert_non_null(strstr(printed, "prog --make-keys ARGUMENT\n"));
    assert_non_null(strstr(printed, "prog --move ARGUMENT ARGUMENT\n"));
    assert_non_null(
        strstr(printed, "  PERSAI_TOKEN_WAIT  --token-wait\n      how long (default 10m)\n"));
    assert_non_null(strstr(printed, "  OPENAI_API_KEY, or _FILE  --openai-api-key-file\n"));
    assert_null(strstr(printed, "PERSAI_ROOM")); /* advanced */
    assert_non_null(strstr(printed, "\n1 more that are seldom set: --help-all.\n"));
    catch_stdout("--help-all");
    assert_non_null(strstr(printed, "  PERSAI_ROOM  --room\n      memory (default 16MiB)\n"));
    assert_null(strstr(printed, "more that"));
    catch_stdout("--version");
    assert_string_equal(printed, "prog " PERSAI_VERSION "\n");
    catch_stdout("--print-settings");
    assert_string_equal(
        printed,
        "| name | meaning, default |\n|---|---|\n"
        "| `PERSAI_LISTEN` | where, a\\|b, 127.0.0.1:8000 |\n"
        "| `PERSAI_PROMPT` | instructions |\n"
        "| `OPENAI_API_KEY` | key of OpenAI; or OPENAI_API_KEY_FILE names a file with it |\n"
        "| `PERSAI_CAPACITY` | turns at once, 256 |\n"
        "| `PERSAI_ROOM` | memory, 16MiB |\n"
        "| `PERSAI_TOKEN_WAIT` | how long, 10m |\n"
        "| `PERSAI_AUTH` | ask Perses, true |\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clean, clean)
static void a_secrets_file_is_read_again(void **state)
{
    (void)state;
    const struct config_args args = {"prog", "does things", table, COUNT, commands};
    char path[] = "/tmp/persai-config-XXXXXX", error[320] = "";
    struct secret *again;
    int fd = mkstemp(path), ends[2];
    assert_int_equal(write(fd, "first\n", 6), 6);
    setenv("OPENAI_API_KEY_FILE", path, 1);
    assert_true(LOAD_NONE());
    assert_int_equal(pwrite(fd, "other\n", 6, 0), 6);
    assert_true(config_secret_anew(&args, &result, "OPENAI_API_KEY", s.key, &again, error));
    assert_true(str_is(secret_reveal(again), "other") && str_is(secret_reveal(s.key), "first"));
    secret_free(again);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_false(config_secret_anew(&args, &result, "OPENAI_API_KEY", s.key, &again, error));
    assert_non_null(strstr(error, "OPENAI_API_KEY: its file"));
    assert_null(again);
    unlink(path);
    assert_false(config_secret_anew(&args, &result, "OPENAI_API_KEY", s.key, &again, error));
    assert_non_null(strstr(error, "cannot read"));
    close(fd);
    /* what was given once stays */
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "piped", 5), 5);
    close(ends[1]);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
    setenv("OPENAI_API_KEY_FILE", path, 1);
    result.paths[2] = path;
    assert_true(config_secret_anew(&args, &result, "OPENAI_API_KEY", s.key, &again, error));
    assert_ptr_equal(again, s.key);
    secret_free(again);
    close(ends[0]);
    unsetenv("OPENAI_API_KEY_FILE");
    setenv("OPENAI_API_KEY", "plain", 1);
    assert_true(LOAD_NONE());
    assert_true(config_secret_anew(&args, &result, "OPENAI_API_KEY", s.key, &again, error));
    assert_ptr_equal(again, s.key);
    secret_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_anything_the_defaults_hold),
        TEST(flags_win_over_the_environment_over_defaults),
        TEST(a_file_gives_a_secret_or_a_text_without_its_last_newline),
        TEST(a_file_is_read_up_to_the_settings_maximum),
        TEST(a_secret_on_the_command_line_is_refused_and_not_shown),
        TEST(what_is_wrong_is_said_with_the_settings_name),
        TEST(commands_are_kept_with_their_argument),
        TEST(bytes_have_units_of_1024_and_no_overflow),
        TEST(help_and_the_table_of_settings_come_from_the_table),
        TEST(a_secrets_file_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
