#include "tests/bench/proc.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool slurp(const char *path, char *out, size_t max)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(out, 1, max - 1, f);
    out[n] = 0;
    fclose(f);
    return n > 0;
}

/* schedstat counts nanoseconds; the ticks of /proc/PID/stat are 10 ms, too coarse for a run of
 * seconds. */
static bool cpu_by_threads(int pid, uint64_t *ns)
{
    char path[320], text[128];
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return false;
    *ns = 0;
    bool any = false;
    for (struct dirent *e; (e = readdir(dir));) {
        uint64_t run;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", pid, e->d_name);
        if (e->d_name[0] != '.' && slurp(path, text, sizeof(text)) &&
            sscanf(text, "%" SCNu64, &run) == 1) {
            *ns += run;
            any = true;
        }
    }
    closedir(dir);
    return any && *ns > 0;
}

static bool cpu_by_ticks(int pid, uint64_t *ns)
{
    char path[64], text[1024];
    unsigned long user, sys;
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    const char *p = slurp(path, text, sizeof(text)) ? strrchr(text, ')') : NULL;
    if (!p ||
        sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) != 2)
        return false;
    *ns = (uint64_t)(user + sys) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

bool proc_read(int pid, struct proc_use *out)
{
    char path[64], text[128];
    unsigned long size, resident;
    snprintf(path, sizeof(path), "/proc/%d/statm", pid);
    if (!slurp(path, text, sizeof(text)) || sscanf(text, "%lu %lu", &size, &resident) != 2)
        return false;
    out->rss_kib = (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    return cpu_by_threads(pid, &out->cpu_ns) || cpu_by_ticks(pid, &out->cpu_ns);
}
