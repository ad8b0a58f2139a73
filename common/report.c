#include "common/report.h"

#include <stdarg.h>
#include <stdio.h>

static void print_line(const char *verdict, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

void report_ok(struct report *r, const char *format, ...)
{
    va_list args;
    (void)r;
    va_start(args, format);
    print_line("ok", format, args);
    va_end(args);
}

void report_fail(struct report *r, const char *format, ...)
{
    va_list args;
    r->failed++;
    va_start(args, format);
    print_line("FAIL", format, args);
    va_end(args);
}

void report_unknown(struct report *r, const char *format, ...)
{
    va_list args;
    r->unknown++;
    va_start(args, format);
    print_line("?", format, args);
    va_end(args);
}

void report_warn(struct report *r, const char *format, ...)
{
    va_list args;
    (void)r;
    va_start(args, format);
    print_line("warn", format, args);
    va_end(args);
}

static void print_line(const char *verdict, const char *format, va_list args)
{
    char line[REPORT_LINE_MAX];
    vsnprintf(line, sizeof(line), format, args);
    for (char *at = line; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    printf("%-5s %s\n", verdict, line);
    fflush(stdout); /* a check that hangs shows where */
}

int report_exit_code(const struct report *r) { return r->failed ? 1 : r->unknown ? 3 : 0; }
