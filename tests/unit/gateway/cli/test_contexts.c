/* The file of sign-ins: private, whole or not there, refused when it is not. */
#include "tests/support/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gateway/cli/contexts.h"

static char folder[64], file[128];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/persai-contexts-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/persai/contexts.json", folder);
    setenv("XDG_CONFIG_HOME", folder, 1);
    unsetenv("PERSAI_CONTEXT");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    *strrchr(file, '/') = '\0';
    rmdir(file);
    rmdir(folder);
    return 0;
}

static void save(const char *text, mode_t mode)
{
    struct contexts c;
    char error[512];
    assert_true(contexts_load(&c, error)); /* makes nothing */
    assert_true(contexts_save(&c, error)); /* makes the folders */
    contexts_free(&c);
    int fd = open(file, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
}

static void what_is_saved_is_private_and_read_again(void **state)
{
    (void)state;
    struct contexts c;
    struct stat st;
    char error[512];
    assert_true(contexts_load(&c, error));
    assert_string_equal(contexts_name(&c, NULL), "default");
    assert_null(contexts_get(&c, "a"));
    json_object_set_new(contexts_make(&c, "a"), "url", json_string("http://p"));
    json_object_set_new(c.all, "current", json_string("a"));
    assert_true(contexts_save(&c, error));
    contexts_free(&c);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(contexts_load(&c, error));
    assert_string_equal(contexts_name(&c, NULL), "a");
    assert_string_equal(contexts_name(&c, "b"), "b");
    assert_string_equal(json_string_value(json_object_get(contexts_get(&c, "a"), "url")),
                        "http://p");
    setenv("PERSAI_CONTEXT", "c", 1);
    assert_string_equal(contexts_name(&c, NULL), "c");
    contexts_free(&c);
}

static void refused(const char *text, mode_t mode, const char *words)
{
    struct contexts c;
    char error[512];
    save(text, mode);
    assert_false(contexts_load(&c, error));
    assert_non_null(strstr(error, words));
    contexts_free(&c);
}

static void file_that_others_may_read_is_refused(void **state)
{
    (void)state;
    refused("{\"contexts\":{}}", 0644, "may be read by others");
}

static void file_that_is_something_else_is_refused(void **state)
{
    (void)state;
    refused("{\"contexts\":[]}", 0600, "is not what persai wrote");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_saved_is_private_and_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(file_that_others_may_read_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(file_that_is_something_else_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
