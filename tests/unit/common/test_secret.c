#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sodium.h>
#include <unistd.h>
#include <cmocka.h>
#include "common/check.h"
#include "common/secret.h"

static char big[SECRET_MAX + 1];

static void secrets_of_all_sizes_keep_their_bytes(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    struct secret *all[COUNT];
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 31 + i / 256);
    for (size_t i = 0; i < COUNT; i++) { /* more than one mapping of each class, up to its edges */
        size_t len = i * SECRET_MAX / (COUNT - 1);
        all[i] = secret_new((struct str){big + 1, len});
        assert_non_null(all[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        struct str s = secret_reveal(all[i]);
        assert_true(str_eq(s, (struct str){big + 1, i * SECRET_MAX / (COUNT - 1)}));
    }
    for (size_t i = 0; i < COUNT; i++)
        secret_free(all[i]);
    for (size_t len = 480; len < 520; len++) { /* the edge of a class, neighbours in use */
        struct secret *a = secret_new((struct str){big, len}), *b = secret_new(STR("b"));
        assert_true(str_eq(secret_reveal(a), (struct str){big, len}));
        assert_true(str_is(secret_reveal(b), "b"));
        secret_free(a);
        secret_free(b);
    }
    assert_null(secret_new((struct str){big, SECRET_MAX + 1}));
}

static void a_freed_secret_is_wiped_by_its_last_owner(void **state)
{
    (void)state;
    struct secret *s = secret_new(STR("the token of alice"));
    const char *at = secret_reveal(s).at;
    assert_ptr_equal(secret_ref(s), s);
    secret_free(s);
    assert_memory_equal(at, "the token of alice", 18);
    secret_free(s);
    /* The page stays mapped: look at what is left. The first word links the free blocks. */
    assert_null(memmem(at, 64, "token", 5));
    for (size_t i = sizeof(void *); i < 18; i++)
        assert_int_equal(at[i], 0);
}

static void nothing_is_the_empty_secret(void **state)
{
    (void)state;
    struct secret *empty = secret_new(STR(""));
    secret_free(NULL);
    assert_null(secret_ref(NULL));
    assert_int_equal(secret_reveal(NULL).len, 0);
    assert_int_equal(secret_reveal(empty).len, 0);
    assert_true(secret_eq(NULL, empty));
    secret_free(empty);
}

static void equal_is_equal_bytes(void **state)
{
    (void)state;
    struct secret *a = secret_new(STR("abc")), *b = secret_new(STR("abc"));
    struct secret *c = secret_new(STR("abd")), *d = secret_new(STR("abcd"));
    assert_true(secret_eq(a, b));
    assert_false(secret_eq(a, c));
    assert_false(secret_eq(a, d));
    assert_false(secret_eq(a, NULL));
    secret_free(a);
    secret_free(b);
    secret_free(c);
    secret_free(d);
}

static void expect_hidden(const char *secret, const char *text, const char *wanted)
{
    struct secret *s = secret_new(str_of(secret));
    char shown[256];
    snprintf(shown, sizeof(shown), "%s", text);
    assert_int_equal(secret_is_in(s, str_of(text)), strcmp(text, wanted) != 0);
    secret_hide(s, shown, strlen(shown));
    assert_string_equal(shown, wanted);
    secret_free(s);
}

static void what_is_repeated_is_hidden_with_all_its_escapes(void **state)
{
    (void)state;
    expect_hidden("ab/cd+ef", "x ab/cd+ef ab/cd+efab/cd+e", "x ******** ********ab/cd+e");
    expect_hidden("ab/cd+ef", "ab\\/cd+ef.", "*********.");
    expect_hidden("ab/cd+ef", "<ab\\\\\\/cd\\\\u002Bef>", "<*****************>");
    expect_hidden("ab/cd+ef", "\\u0061b\\u002fcd+e\\u0066", "***********************");
    expect_hidden("ab\\cd\"ef", "ab\\\\cd\\\"ef ab\\u005ccd", "********** ab\\u005ccd");
    expect_hidden("ab/cd+ef", "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\u0061b/cd+ef",
                  "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\*************");
    expect_hidden("ab/cd+ef", "ab/cd+e\\u006", "ab/cd+e\\u006");
    expect_hidden("ab/cd+ef", "ab/cd+e\\", "ab/cd+e\\");
    expect_hidden("short", "short", "short");
    expect_hidden("\\\\\\\\\\\\\\\\", "\\\\\\\\\\\\\\\\", "\\\\\\\\\\\\\\\\");
    /* cut off: enough of it to be no other's */
    expect_hidden("abcdefghijklmnopqrstuvwxyz", "k=abcdefghijklmnopqrstuvwx…",
                  "k=************************…");
    expect_hidden("abcdefghijklmnopqrstuvwxyz", "k=abcdefghijklmnopqrstuvw…",
                  "k=abcdefghijklmnopqrstuvw…");
    secret_hide(NULL, NULL, 0);
    assert_false(secret_is_in(NULL, STR("text")));
}

static void what_is_repeated_in_a_url_is_hidden(void **state)
{
    (void)state;
    expect_hidden("ab/cd+ef", "?k=ab%2Fcd%2bef&x=%2f", "?k=************&x=%2f");
    expect_hidden("ab/cd+ef", "%61%62%2F%63%64%2B%65%66.", "************************.");
    expect_hidden("ab/cd+ef", "u=ab%252Fcd%252Bef", "u=****************");
    expect_hidden("ab/cd+ef", "ab\\u00252Fcd+ef %ab/cd+ef%", "ab\\u00252Fcd+ef %********%");
    expect_hidden("100%25ab", "100%2525ab 100%25ab", "********** ********");
    expect_hidden("ab/cd+ef", "%61b/cd+e%6", "%61b/cd+e%6");
    expect_hidden("ab/cd+ef", "%", "%");
}

/* Wherever it begins in a text, whatever stands on either side. */
static void what_is_repeated_in_base64_is_hidden(void **state)
{
    (void)state;
    static const char key[] = "\xff\xfe>?k-1\xfb\xf0";
    struct secret *s = secret_new(str_of(key)), *forms[SECRET_FORMS_MAX];
    unsigned count = secret_forms(s, forms);
    assert_int_equal(count, SECRET_FORMS_MAX);
    assert_true(forms[0] == s);
    secret_free(s);
    for (unsigned before = 0; before < 3; before++) {
        for (size_t behind = 0; behind < 3; behind++) {
            char text[32], shown[64], url[64];
            int len = snprintf(text, sizeof(text), "%.*s%s%.*s", (int)before, "xyz", key,
                               (int)behind, "uvw");
            sodium_bin2base64(shown, sizeof(shown), (unsigned char *)text, (size_t)len,
                              sodium_base64_VARIANT_ORIGINAL);
            sodium_bin2base64(url, sizeof(url), (unsigned char *)text, (size_t)len,
                              sodium_base64_VARIANT_URLSAFE_NO_PADDING);
            unsigned one = 0, other = 0, stars = 0;
            for (unsigned i = 1; i < count; i++) {
                one += secret_is_in(forms[i], str_of(shown));
                other += secret_is_in(forms[i], str_of(url));
                secret_hide(forms[i], shown, strlen(shown));
            }
            assert_int_equal(one, 1);
            assert_int_equal(other, 1);
            for (size_t i = 0; shown[i]; i++)
                stars += shown[i] == '*';
            assert_true(stars >= sizeof(key) * 8 / 6 - 2);
        }
    }
    for (unsigned i = 0; i < count; i++)
        secret_free(forms[i]);
    assert_int_equal(secret_forms(NULL, forms), 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(secret_reveal(forms[i]).len, 0);
}

static void expect_parts_hidden(struct secret *s, const char *text, const char *wanted)
{
    char shown[256];
    snprintf(shown, sizeof(shown), "%s", text);
    secret_hide_parts(s, shown, strlen(shown));
    assert_string_equal(shown, wanted);
}

/* Again and again by the same token, whoever shares it; another one in its place hides its own. */
static void each_part_of_a_token_is_hidden(void **state)
{
    (void)state;
    struct secret *token = secret_new(STR("header-1.payload-2.x.signature")),
                  *shared = secret_ref(token),
                  *many = secret_new(STR("1.2.3.4.5.6.7.eight-and.nine"));
    for (unsigned i = 0; i < 2; i++) {
        expect_parts_hidden(token, "a=header-1 b=payload-2; x", "a=******** b=*********; x");
        expect_parts_hidden(shared, "c2lnbmF0dXJl header-2", "************ header-2");
    }
    secret_free(token);
    expect_parts_hidden(shared, "signature", "*********");
    secret_free(shared);
    token = secret_new(STR("header-2.payload-3"));
    expect_parts_hidden(token, "header-1 header-2", "header-1 ********");
    expect_parts_hidden(many, "eight-and eight-and.nine", "eight-and **************");
    expect_parts_hidden(NULL, "header-2", "header-2");
    secret_hide_parts(token, NULL, 0);
    secret_free(token);
    secret_free(many);
}

static void hashes_tell_secrets_apart_and_are_keyed_by_the_process(void **state)
{
    (void)state;
    unsigned char a[32], again[32], b[32], other[32];
    int ends[2], status = -1;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork(); /* before this process has a key */
    if (child == 0) {
        secret_hash(STR("token"), other);
        _exit(write(ends[1], other, 32) == 32 ? 0 : 1);
    }
    secret_hash(STR("token"), a);
    secret_hash(STR("token"), again);
    secret_hash((struct str){NULL, 0}, b);
    assert_memory_equal(a, again, 32);
    assert_memory_not_equal(a, b, 32);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], other, 32), 32);
    assert_memory_not_equal(a, other, 32);
    close(ends[0]);
    close(ends[1]);
}

/* Address and flags of the mapping that holds it, out of /proc/self/smaps. */
static bool mapping_has_flag(const void *at, const char *flag)
{
    FILE *smaps = fopen("/proc/self/smaps", "r");
    char line[1024];
    bool inside = false, found = false;
    CHECK(smaps != NULL);
    while (fgets(line, sizeof(line), smaps) != NULL) {
        uintptr_t from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
            inside = (uintptr_t)at >= from && (uintptr_t)at < to;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    fclose(smaps);
    return found;
}
static void secrets_are_left_out_of_core_files(void **state)
{
    (void)state;
    struct secret *small = secret_new(STR("s")), *large = secret_new((struct str){big, 10000});
    assert_true(mapping_has_flag(secret_reveal(small).at, " dd"));
    assert_true(mapping_has_flag(secret_reveal(large).at, " dd"));
    assert_false(mapping_has_flag(big, " dd"));
    secret_free(small);
    secret_free(large);
}

static void setup_leaves_no_way_to_a_core_file(void **state)
{
    (void)state;
    pid_t child = fork(); /* it can't be undone */
    if (child == 0) {
        struct rlimit limit;
        secret_setup();
        bool ok = getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0;
#if !defined(__SANITIZE_ADDRESS__)
        ok = ok && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
#endif
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_secret_freed_twice_ends_the_process(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        struct secret *s = secret_new(STR("x"));
        secret_setup(); /* no core file of this one */
        (void)!freopen("/dev/null", "w", stderr);
        secret_free(s);
        secret_free(s);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_of_all_sizes_keep_their_bytes),
        cmocka_unit_test(a_freed_secret_is_wiped_by_its_last_owner),
        cmocka_unit_test(nothing_is_the_empty_secret),
        cmocka_unit_test(equal_is_equal_bytes),
        cmocka_unit_test(what_is_repeated_is_hidden_with_all_its_escapes),
        cmocka_unit_test(what_is_repeated_in_a_url_is_hidden),
        cmocka_unit_test(what_is_repeated_in_base64_is_hidden),
        cmocka_unit_test(each_part_of_a_token_is_hidden),
        cmocka_unit_test(hashes_tell_secrets_apart_and_are_keyed_by_the_process),
        cmocka_unit_test(secrets_are_left_out_of_core_files),
        cmocka_unit_test(setup_leaves_no_way_to_a_core_file),
        cmocka_unit_test(a_secret_freed_twice_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
