#include "common/metrics.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "common/check.h"

static const double buckets[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5,
                                 1,     2,     5,     10,   20,   30,   60,  120};
enum { BUCKETS = sizeof(buckets) / sizeof(*buckets) };
_Static_assert((int)BUCKETS <= (int)METRIC_BOUNDS_MAX, "room for the usual ones");

struct metric {
    enum metric_kind kind;
    const char *name, *labels, *help;
    double value; /* of a histogram: the sum */
    const double *bounds;
    unsigned bound_count;
    uint64_t counts[METRIC_BOUNDS_MAX]; /* observations in each bucket, not cumulative */
    uint64_t count;
};

/* All of them, sorted by name and labels, so that a family is together. */
static struct metric **metrics;
static size_t metric_count;

static bool name_ok(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:");
    return len > 0 && name[len] == '\0' && (name[0] < '0' || name[0] > '9');
}

static int compare(const struct metric *m, const char *name, const char *labels)
{
    int by_name = strcmp(m->name, name);
    return by_name != 0 ? by_name : strcmp(m->labels, labels);
}

struct metric *metric_new(enum metric_kind kind, const char *name, const char *labels,
                          const char *help)
{
    size_t at = 0;
    CHECK(name_ok(name) && strchr(labels, '\n') == NULL);
    while (at < metric_count && compare(metrics[at], name, labels) < 0)
        at++;
    if (at < metric_count && compare(metrics[at], name, labels) == 0) {
        CHECK(metrics[at]->kind == kind);
        return metrics[at];
    }
    for (size_t i = 0; i < metric_count; i++) /* one family has one kind and one help */
        if (strcmp(metrics[i]->name, name) == 0)
            CHECK(metrics[i]->kind == kind && strcmp(metrics[i]->help, help) == 0);
    struct metric *m = xcalloc(1, sizeof(*m));
    *m = (struct metric){.kind = kind,
                         .name = name,
                         .labels = labels,
                         .help = help,
                         .bounds = buckets,
                         .bound_count = BUCKETS};
    metrics = xrealloc(metrics, (metric_count + 1) * sizeof(struct metric *));
    memmove(metrics + at + 1, metrics + at, (metric_count - at) * sizeof(struct metric *));
    metrics[at] = m;
    metric_count++;
    return m;
}

struct metric *metric_histogram(const char *name, const char *labels, const char *help,
                                const double *bounds, unsigned bound_count)
{
    struct metric *m = metric_new(METRIC_HISTOGRAM, name, labels, help);
    CHECK(bound_count <= METRIC_BOUNDS_MAX && (m->count == 0 || m->bounds == bounds));
    m->bounds = bounds;
    m->bound_count = bound_count;
    return m;
}

void metric_add(struct metric *m, double by)
{
    CHECK(m->kind == METRIC_GAUGE || (m->kind == METRIC_COUNTER && by >= 0));
    m->value += by;
}

void metric_catch_up(struct metric *m, uint64_t total)
{
    metric_add(m, (double)total - metric_get(m));
}

void metric_set(struct metric *m, double value)
{
    CHECK(m->kind == METRIC_GAUGE);
    m->value = value;
}

void metric_observe(struct metric *m, double seconds)
{
    CHECK(m->kind == METRIC_HISTOGRAM);
    size_t i = 0;
    while (i < m->bound_count && seconds > m->bounds[i])
        i++;
    if (i < m->bound_count)
        m->counts[i]++;
    m->count++;
    m->value += seconds;
}

double metric_get(const struct metric *m)
{
    return m->kind == METRIC_HISTOGRAM ? (double)m->count : m->value;
}

/* ---- the process itself ---- */

static double wall_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The whitespace-separated fields of a file of /proc/self; what is in parentheses is one field. */
static size_t proc_fields(const char *path, double *fields, size_t max)
{
    char text[1024];
    size_t count = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[len] = '\0';
    char *at = strrchr(text, ')'); /* a program's name may hold anything, blanks too */
    at = at ? at + 1 : text;
    struct str rest = str_trim(str_of(at)), word;
    while (count < max && str_split(&rest, ' ', &word))
        fields[count++] = strtod(word.at, NULL); /* ends at the blank behind it */
    return count;
}

static double open_fds(void)
{
    struct stat st;
    double count = 0;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (double)st.st_size; /* Linux 6.2: no need to walk thousands of them */
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count - 1; /* without the one that reads the directory */
}

/* Unix time of the process's start: its age is counted from boot, in clock ticks. */
static double start_time(void)
{
    double fields[20]; /* the third of proc(5)'s is the first after the name */
    if (proc_fields("/proc/self/stat", fields, 20) != 20)
        return 0;
    double age = wall_seconds(CLOCK_BOOTTIME) - fields[19] / (double)sysconf(_SC_CLK_TCK);
    return wall_seconds(CLOCK_REALTIME) - age;
}

static void process_metrics(void)
{
    static struct metric *cpu, *resident, *virtual_size, *fds, *fds_max, *start;
    if (!cpu) {
        cpu = metric_new(METRIC_COUNTER, "process_cpu_seconds_total", "",
                         "User and system CPU time spent, in seconds.");
        resident = metric_new(METRIC_GAUGE, "process_resident_memory_bytes", "",
                              "Resident memory, in bytes.");
        virtual_size = metric_new(METRIC_GAUGE, "process_virtual_memory_bytes", "",
                                  "Virtual memory, in bytes.");
        fds = metric_new(METRIC_GAUGE, "process_open_fds", "", "Open file descriptors.");
        fds_max = metric_new(METRIC_GAUGE, "process_max_fds", "",
                             "The most file descriptors that may be open.");
        start = metric_new(METRIC_GAUGE, "process_start_time_seconds", "",
                           "Start of the process, Unix time in seconds.");
        start->value = start_time();
    }
    double pages[2] = {0, 0};
    double page = (double)sysconf(_SC_PAGESIZE);
    struct rlimit limit;
    proc_fields("/proc/self/statm", pages, 2);
    cpu->value = wall_seconds(CLOCK_PROCESS_CPUTIME_ID);
    virtual_size->value = pages[0] * page;
    resident->value = pages[1] * page;
    fds->value = open_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        fds_max->value = limit.rlim_cur == RLIM_INFINITY ? INFINITY : (double)limit.rlim_cur;
}

/* ---- Prometheus text ---- */

static void write_number(struct buf *b, double value)
{
    if (isnan(value))
        buf_puts(b, "NaN");
    else if (isinf(value))
        buf_puts(b, value > 0 ? "+Inf" : "-Inf");
    else if (value == floor(value) && fabs(value) < 1e15)
        buf_printf(b, "%.0f", value);
    else
        buf_printf(b, "%.15g", value);
}

/* name{labels,more} value */
static void write_sample(struct buf *b, const struct metric *m, const char *suffix,
                         const char *more, double value)
{
    bool braces = m->labels[0] != '\0' || more[0] != '\0';
    bool comma = m->labels[0] != '\0' && more[0] != '\0';
    buf_printf(b, "%s%s%s%s%s%s%s ", m->name, suffix, braces ? "{" : "", m->labels,
               comma ? "," : "", more, braces ? "}" : "");
    write_number(b, value);
    buf_putc(b, '\n');
}

static void write_histogram(struct buf *b, const struct metric *m)
{
    uint64_t below = 0;
    for (size_t i = 0; i < m->bound_count; i++) {
        char le[32];
        below += m->counts[i];
        snprintf(le, sizeof(le), "le=\"%.10g\"", m->bounds[i]);
        write_sample(b, m, "_bucket", le, (double)below);
    }
    write_sample(b, m, "_bucket", "le=\"+Inf\"", (double)m->count);
    write_sample(b, m, "_sum", "", m->value);
    write_sample(b, m, "_count", "", (double)m->count);
}

static void write_head(struct buf *b, const struct metric *m)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    buf_printf(b, "# HELP %s ", m->name);
    for (const char *c = m->help; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\\')
            buf_putc(b, '\\');
        buf_putc(b, *c == '\n' ? 'n' : *c);
    }
    buf_printf(b, "\n# TYPE %s %s\n", m->name, kinds[m->kind]);
}

void metrics_write(struct buf *b)
{
    process_metrics();
    for (size_t i = 0; i < metric_count; i++) {
        const struct metric *m = metrics[i];
        if (i == 0 || strcmp(metrics[i - 1]->name, m->name) != 0)
            write_head(b, m);
        if (m->kind == METRIC_HISTOGRAM)
            write_histogram(b, m);
        else
            write_sample(b, m, "", "", m->value);
    }
}
