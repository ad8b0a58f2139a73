/* common/report.h: what a program's --check has found: a line for each thing, for a person at a
 * terminal, and the exit code for a script.
 *
 *   ok    what is right
 *   FAIL  what is wrong: what to do about it
 *   ?     what could not be looked at: how to have it looked at
 *   warn  what may be meant so: what it risks
 *
 * Names and words of other servers may be in a line: control characters become blanks, and what
 * goes beyond REPORT_LINE_MAX is cut off. */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <stdbool.h>

enum { REPORT_LINE_MAX = 1024 };

struct report { /* zeroed at first; nothing to free */
    unsigned failed, unknown;
};
/* Each is printed at once, to stdout. */
void report_ok(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_fail(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_unknown(struct report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void report_warn(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* 0: all is well. 1: something failed. 3: nothing did, but something could not be looked at (2 is a
 * command line that is not understood). */
int report_exit_code(const struct report *r);

#endif
