/* A file, read whole or not at all. */
#include "tests/support/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/file.h"

static char path[] = "/tmp/persai-file-XXXXXX";

static void write_bytes(size_t count)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++)
        fputc('a' + (int)(i % 26), file);
    fclose(file);
}

static void all_of_it_is_read_up_to_what_fits(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 9000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        scoped_buf(exact, sizes[i] > 0 ? sizes[i] : 1);
        write_bytes(sizes[i]);
        assert_true(file_read(path, &exact));
        assert_int_equal(exact.len, sizes[i]);
        assert_true(sizes[i] == 0 || exact.at[sizes[i] - 1] == (char)('a' + (sizes[i] - 1) % 26));
        if (sizes[i] < 2)
            continue;
        scoped_buf(small, sizes[i] - 1);
        assert_false(file_read(path, &small));
        assert_int_equal(errno, EFBIG);
    }
}

static void what_cannot_be_read_says_why(void **state)
{
    (void)state;
    scoped_buf(b, 100);
    assert_false(file_read("/nowhere/file", &b));
    assert_int_equal(errno, ENOENT);
    assert_false(file_read("/tmp", &b));
    assert_int_equal(errno, EISDIR);
    assert_int_equal(b.len, 0);
}

/* Of <(command) the first reading has it all, and a later one does not wait for more. */
static void a_pipe_that_was_read_is_empty(void **state)
{
    (void)state;
    int ends[2];
    char at[32];
    scoped_buf(b, 100);
    alarm(60);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    close(ends[1]);
    snprintf(at, sizeof(at), "/dev/fd/%d", ends[0]);
    assert_true(file_read(at, &b));
    assert_string_equal(buf_cstr(&b), "abc");
    buf_clear(&b);
    assert_true(file_read(at, &b));
    assert_int_equal(b.len, 0);
    close(ends[0]);
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_is_read_up_to_what_fits),
        cmocka_unit_test(what_cannot_be_read_says_why),
        cmocka_unit_test(a_pipe_that_was_read_is_empty),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
