/* A line of the audit is a line of its own, whoever wrote before and however much of it. */
#include "tests/support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/audit.h"
#include "common/file.h"
#include "common/metrics.h"

/* What the file system says to room that is set aside; 0: it is there. */
static int no_room, rooms;
int fallocate(int fd, int mode, off_t at, off_t len)
{
    (void)fd, (void)mode, (void)at;
    assert_true(len > 0);
    rooms++;
    errno = no_room;
    return no_room == 0 ? 0 : -1;
}

static char path[] = "/tmp/persai-audit-XXXXXX";

static void append(const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void write_line(const char *act)
{
    scoped_buf(line, 1024);
    audit_begin(&line, act);
    audit_end(&line);
}

/* Its lines that are whole, and the others. */
static void expect_lines(unsigned whole, unsigned torn)
{
    scoped_buf(text, 1 << 16);
    assert_true(file_read(path, &text));
    struct str rest = buf_str(&text), line;
    assert_true(str_ends(rest, STR("\n")));
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        bool fine = str_starts(line, STR("{\"at\":")) && str_ends(line, STR("}"));
        unsigned *count = fine ? &whole : &torn;
        assert_true(*count > 0);
        (*count)--;
    }
    assert_true(whole == 0 && torn == 0);
}

static void what_is_cut_off_spoils_no_other_line(void **state)
{
    char error[256];
    (void)state;
    append("{\"at\":\"2026-11-30T0");
    assert_true(audit_setup(&(struct audit_config){.path = path, .program = "t"}, error));
    write_line("after_a_kill");
    expect_lines(1, 1);
    write_line("again");
    append("{\"at\":\"2026"); /* another process, as the disk was full */
    write_line("by_us");
    expect_lines(3, 2);
    assert_int_equal(ftruncate(open(path, O_WRONLY), 0), 0);
    write_line("first");
    expect_lines(1, 0);
}

static void a_file_that_may_only_be_written_is_one(void **state)
{
    (void)state;
    assert_int_equal(chmod(path, 0200), 0);
    audit_reopen();
    write_line("second");
    assert_int_equal(chmod(path, 0600), 0);
    expect_lines(2, 0);
}

static bool lost(const char *count)
{
    scoped_buf(page, 1 << 16);
    scoped_buf(line, 64);
    metrics_write(&page);
    buf_printf(&line, "\npersai_audit_lost_total %s\n", count);
    return strstr(buf_cstr(&page), buf_cstr(&line)) != NULL;
}

/* What was begun in the last free bytes had no line; and what is refused is said in /metrics. */
static void strict_begins_nothing_without_room_for_its_line(void **state)
{
    char error[256];
    (void)state;
    assert_true(audit_allows() && rooms == 0);
    assert_true(audit_setup(&(struct audit_config){path, "t", .strict = true}, error));
    assert_true(audit_allows() && audit_allows() && rooms == 1);
    no_room = ENOSPC;
    scoped_buf(much, 200 << 10);
    while (much.len < 150 << 10)
        buf_puts(&much, "{\"at\":\"\"}\n");
    append(buf_cstr(&much));
    assert_true(lost("0"));
    assert_false(audit_allows());
    assert_false(audit_allows());
    assert_true(lost("2"));
    assert_int_equal(ftruncate(open(path, O_WRONLY), 0), 0);
    assert_false(audit_allows());
    no_room = EOPNOTSUPP;
    assert_true(audit_allows());
    assert_true(audit_allows());
    expect_lines(1, 0); /* audit_resumed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_off_spoils_no_other_line),
        cmocka_unit_test(a_file_that_may_only_be_written_is_one),
        cmocka_unit_test(strict_begins_nothing_without_room_for_its_line),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
