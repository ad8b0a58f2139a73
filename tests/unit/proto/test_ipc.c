/* Who may reach a broker on one machine. */
#include "tests/support/unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/ipc.h"

static char base[64];
static char error[256];

static const char *endpoint(const char *path)
{
    static char text[IPC_ENDPOINT_MAX];
    snprintf(text, sizeof(text), "ipc://%s%s", base, path);
    return text;
}

static mode_t mode_of(const char *path)
{
    char whole[128];
    struct stat s;
    snprintf(whole, sizeof(whole), "%s%s", base, path);
    assert_int_equal(stat(whole, &s), 0);
    return s.st_mode & 0777;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(base, sizeof(base), "/tmp/persai-ipc-XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r '%s'", base);
    return system(command);
}

static void folder_is_made_for_its_owner_alone(void **state)
{
    (void)state;
    assert_true(ipc_claim(endpoint("/run/broker"), error));
    assert_int_equal(mode_of("/run"), 0700);
    assert_true(ipc_trusted(endpoint("/run/broker"), error));
}

static void endpoint_belongs_to_one_gateway(void **state)
{
    (void)state;
    assert_true(ipc_claim(endpoint("/broker"), error));
    assert_false(ipc_claim(endpoint("/broker"), error));
    assert_non_null(strstr(error, "another gateway"));
    assert_true(ipc_claim(endpoint("/broker-2"), error));
}

static void folder_that_others_may_write_to_is_refused(void **state)
{
    (void)state;
    assert_int_equal(chmod(base, 0770), 0);
    assert_false(ipc_claim(endpoint("/broker"), error));
    assert_non_null(strstr(error, "0700"));
    assert_false(ipc_trusted(endpoint("/broker"), error));
    assert_false(ipc_claim("ipc:///tmp/persai-test-broker", error));
}

static void link_in_the_folders_place_is_refused(void **state)
{
    (void)state;
    char to[80];
    snprintf(to, sizeof(to), "%s/link", base);
    assert_int_equal(symlink("/tmp", to), 0);
    assert_false(ipc_claim(endpoint("/link/broker"), error));
}

static void paths_that_are_no_socket_are_refused(void **state)
{
    (void)state;
    char longer[IPC_ENDPOINT_MAX] = "ipc:///tmp/";
    memset(longer + strlen(longer), 'x', 150);
    const char *const bad[] = {"ipc://relative/x", "ipc:///broker", "ipc:///tmp/x/",
                               "ipc://",           "ipc://*",       longer};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(ipc_claim(bad[i], error));
        assert_false(ipc_trusted(bad[i], error));
    }
    assert_true(ipc_claim("tcp://127.0.0.1:8100", error)); /* not its business */
}

static void default_is_in_the_runtime_directory(void **state)
{
    (void)state;
    setenv("XDG_RUNTIME_DIR", base, 1);
    const char *found = ipc_or_default("");
    assert_string_equal(found, endpoint("/persai/broker"));
    assert_true(ipc_claim(found, error));
    assert_int_equal(mode_of("/persai"), 0700);
    unsetenv("XDG_RUNTIME_DIR");
    found = ipc_or_default("");
    assert_true(strncmp(found, "ipc:///", 7) == 0 && strlen(found) < 108);
    assert_string_equal(ipc_or_default("tcp://127.0.0.1:1"), "tcp://127.0.0.1:1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(folder_is_made_for_its_owner_alone),
        TEST(endpoint_belongs_to_one_gateway),
        TEST(folder_that_others_may_write_to_is_refused),
        TEST(link_in_the_folders_place_is_refused),
        TEST(paths_that_are_no_socket_are_refused),
        TEST(default_is_in_the_runtime_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
