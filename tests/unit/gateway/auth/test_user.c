/* Who owns what: a name and the time at which its account was made. */
#include <stdio.h>
#include "tests/support/unit.h"
#include "gateway/auth/user.h"

static struct user user;

static bool reads(const char *name, const char *created)
{
    char json[1024];
    snprintf(json, sizeof(json),
             "{\"kind\":\"User\",\"metadata\":{\"name\":\"%s\",\"createdAt\":%s,\"updatedAt\":"
             "\"2026-11-28T08:29:35Z\",\"version\":3},\"spec\":{}}",
             name, created);
    return user_read(str_of(json), &user);
}

static void assert_owner(const char *name, const char *created, const char *owner)
{
    struct str found;
    int64_t created_ms;
    assert_true(reads(name, created));
    assert_string_equal(user.owner, owner);
    assert_int_equal(user.name_bytes, strlen(name));
    assert_true(user_split(str_of(user.owner), &found, &created_ms));
    assert_true(str_is(found, name));
    assert_int_equal(created_ms, user.created_ms);
}

static void owner_is_name_and_time_of_creation(void **state)
{
    (void)state;
    assert_owner("alice", "\"2026-11-28T08:29:35.123456789Z\"", "alice:1795854575123");
    assert_owner("alice", "\"2026-11-28T08:29:35.124Z\"", "alice:1795854575124");
    assert_owner("alice", "\"2026-11-28T08:29:35Z\"", "alice:1795854575000");
    assert_owner("bob.b-B_9", "\"2026-11-28T08:29:35.1Z\"", "bob.b-B_9:1795854575100");
}

/* Whatever writes them down: one moment is one owner. */
static void one_moment_is_one_owner_in_every_offset(void **state)
{
    (void)state;
    assert_owner("alice", "\"2026-11-28T09:29:35.123+01:00\"", "alice:1795854575123");
    assert_owner("alice", "\"2026-11-28T04:59:35.123000000-03:30\"", "alice:1795854575123");
    assert_owner("alice", "\"2026-11-28T08:29:35.123+00:00\"", "alice:1795854575123");
}

static void people_without_an_account_are_their_name(void **state)
{
    (void)state;
    assert_owner("system:serviceaccount:shop:robot", "\"0001-01-01T00:00:00Z\"",
                 "system:serviceaccount:shop:robot:0");
    assert_owner("local", "\"0001-01-01T00:00:00Z\"", "local:0");
}

/* A name of Kubernetes that looks like another's owner is not that owner. */
static void no_name_makes_another_owner(void **state)
{
    (void)state;
    assert_owner("alice:1795854575123", "\"0001-01-01T00:00:00Z\"", "alice:1795854575123:0");
    assert_true(reads("local", "\"2026-11-28T08:29:35Z\""));
    assert_string_not_equal(user.owner, USER_LOCAL);
}

static void answer_that_does_not_say_who_is_refused(void **state)
{
    (void)state;
    static const char *const times[] = {"null",
                                        "0",
                                        "\"\"",
                                        "true",
                                        "\"yesterday\"",
                                        "\"2026-11-28\"",
                                        "\"2026-11-28T08:29:35\"",
                                        "\"2026-11-28T08:29:35X\"",
                                        "\"2026-11-28T08:29:35Z \"",
                                        "\"2026-11-28T08:29:35.Zz\"",
                                        "\"2026-13-28T08:29:35Z\"",
                                        "\"2026-11-28T25:29:35Z\"",
                                        "\"1969-11-28T08:29:35Z\"",
                                        "\"2026-11-28T08:29:35+1:00\"",
                                        "{}",
                                        NULL};
    for (unsigned i = 0; times[i]; i++)
        assert_false(reads("alice", times[i]));
    static const char *const answers[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"metadata\":{}}",
        "{\"metadata\":{\"name\":\"alice\"}}",
        "{\"metadata\":{\"createdAt\":\"2026-11-28T08:29:35Z\"}}",
        "{\"metadata\":{\"name\":\"\",\"createdAt\":\"2026-11-28T08:29:35Z\"}}",
        "{\"metadata\":{\"name\":7,\"createdAt\":\"2026-11-28T08:29:35Z\"}}",
        "{\"metadata\":{\"name\":\"a\\u0000b\",\"createdAt\":\"2026-11-28T08:29:35Z\"}}",
        NULL};
    for (unsigned i = 0; answers[i]; i++)
        assert_false(user_read(str_of(answers[i]), &user));
    assert_false(user_read((struct str){0}, &user));
}

static void name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char name[USER_MAX_BYTES + 8];
    for (size_t len = USER_MAX_BYTES - 40; len < sizeof(name); len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        assert_int_equal(reads(name, "\"2026-11-28T08:29:35.123Z\""), len + 14 < USER_MAX_BYTES);
    }
}

static void what_is_no_owner_is_not_split(void **state)
{
    (void)state;
    struct str name;
    int64_t created_ms;
    static const char *const others[] = {"", "local", "alice", "alice:", ":17", "alice:x", NULL};
    for (unsigned i = 0; others[i]; i++)
        assert_false(user_split(str_of(others[i]), &name, &created_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_is_name_and_time_of_creation),
        cmocka_unit_test(one_moment_is_one_owner_in_every_offset),
        cmocka_unit_test(people_without_an_account_are_their_name),
        cmocka_unit_test(no_name_makes_another_owner),
        cmocka_unit_test(answer_that_does_not_say_who_is_refused),
        cmocka_unit_test(name_that_is_too_long_is_refused),
        cmocka_unit_test(what_is_no_owner_is_not_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
