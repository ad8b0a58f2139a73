#include "common/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "common/json.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/outlet.h"
#include "common/utc.h"

static struct {
    struct audit_config config;
    struct outlet file; /* its fd is -1: not open */
    bool torn;          /* the last line stands there in part, as far as we know */
    bool broken;        /* the last line is not there */
    off_t room;         /* the file's size when room was set aside behind it; -1: not yet */
    struct metric *lines, *lost;
} audit = {.config = {.path = ""}, .file.fd = -1, .room = -1};

/* For the lines of what is under way, of 0.8 KB as a rule. */
enum { ROOM_BYTES = 256 << 10 };

static bool open_file(void);
static bool has_room(void);
static void lose(const char *why);

bool audit_setup(const struct audit_config *c, char error[256])
{
    audit.config = *c;
    if (!audit_on())
        return true;
    audit.lines = metric_new(METRIC_COUNTER, "persai_audit_lines_total", "",
                             "Lines that were written to PERSAI_AUDIT");
    audit.lost = metric_new(METRIC_COUNTER, "persai_audit_lost_total", "",
                            "Lines that could not be written to PERSAI_AUDIT");
    if (open_file())
        return true;
    snprintf(error, 256, "%.180s: %s", c->path, strerror(errno));
    return false;
}

bool audit_check(const char *path, char error[256])
{
    struct stat s;
    scoped_buf(folder, 4096);
    const char *slash = strrchr(path, '/');
    bool there = stat(path, &s) == 0, is_folder = there && S_ISDIR(s.st_mode);
    buf_add(&folder, path, slash ? (size_t)(slash - path) : 0);
    buf_puts(&folder, slash ? "/" : ".");
    bool fine = *path == '\0' || strcmp(path, "-") == 0 ||
                (there ? !is_folder && access(path, W_OK) == 0
                       : access(buf_cstr(&folder), W_OK | X_OK) == 0);
    if (!fine)
        snprintf(error, 256, "%.180s: %s", path, strerror(is_folder ? EISDIR : errno));
    return fine;
}

bool audit_on(void) { return *audit.config.path != '\0'; }

bool audit_arguments(void) { return audit.config.arguments; }

/* Not waited for: what nobody reads at the other end of a pipe is lost. A file is read as well,
 * where that is allowed (a pipe that we read ourselves would never say that nobody does). */
static bool open_file(void)
{
    enum { FLAGS = O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK };
    const char *path = audit.config.path;
    bool out = strcmp(path, "-") == 0;
    struct stat s;
    audit.file = out ? outlet_of(STDOUT_FILENO)
                     : (struct outlet){.fd = open(path, O_WRONLY | O_CREAT | FLAGS, 0600)};
    audit.torn = false;
    audit.room = -1;
    if (audit.file.fd < 0 || out || fstat(audit.file.fd, &s) != 0 || !S_ISREG(s.st_mode))
        return audit.file.fd >= 0;
    int both = open(path, O_RDWR | FLAGS);
    if (both >= 0) {
        close(audit.file.fd);
        audit.file.fd = both;
    }
    return true;
}

void audit_reopen(void)
{
    if (!audit_on() || strcmp(audit.config.path, "-") == 0)
        return;
    if (audit.file.fd >= 0)
        close(audit.file.fd);
    if (open_file())
        return;
    log_error("audit.open", "why=%s", strerror(errno));
    audit.broken = true; /* nothing is to be begun that would not be written */
}

bool audit_allows(void)
{
    if (!audit_on() || !audit.config.strict)
        return true;
    if (!has_room())
        return false;
    if (!audit.broken)
        return true;
    scoped_buf(line, 256);
    audit_begin(&line, "audit_resumed");
    audit_end(&line);
    return !audit.broken;
}

/* A line is written when it is known how its act ended, which is too late to learn that the disk is
 * full: room is set aside before. Where a file system can't (or it is no file), it shows then. */
static bool has_room(void)
{
    struct stat s;
    if (audit.file.fd < 0 || fstat(audit.file.fd, &s) != 0 || !S_ISREG(s.st_mode) ||
        (audit.room >= 0 && s.st_size >= audit.room && s.st_size - audit.room < ROOM_BYTES / 2))
        return true;
    audit.room = s.st_size;
    if (fallocate(audit.file.fd, FALLOC_FL_KEEP_SIZE, s.st_size, ROOM_BYTES) == 0 ||
        (errno != ENOSPC && errno != EDQUOT))
        return true;
    lose(strerror(errno)); /* of what is refused now */
    audit.room = -1;
    return false;
}

/* ---- a line ---- */

void audit_begin(struct buf *line, const char *act)
{
    struct timespec now;
    char at[UTC_TEXT_MAX];
    clock_gettime(CLOCK_REALTIME, &now);
    utc_write((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, UTC_MILLISECONDS, at);
    buf_putc(line, '{');
    json_field(line, "at", str_of(at));
    json_field(line, "program", str_of(audit.config.program));
    json_field(line, "act", str_of(act));
}

void audit_person(struct buf *line, struct str owner)
{
    struct str name = owner;
    while (name.len > 0 && name.at[name.len - 1] != ':')
        name.len--;
    name.len = name.len > 0 ? name.len - 1 : owner.len;
    json_field(line, "user", name);
    json_field(line, "account", owner);
}

static void lose(const char *why)
{
    if (!audit.broken)
        log_error("audit.lost", "why=%s", why);
    audit.broken = true;
    metric_add(audit.lost, 1);
}

/* Does a line stand there in part? Another process may have left it: one that writes to the same
 * file, or ours before it was killed. */
static bool is_torn(void)
{
    struct stat s;
    char last;
    if (fstat(audit.file.fd, &s) != 0 || !S_ISREG(s.st_mode))
        return audit.torn;
    if (s.st_size == 0)
        return false;
    return pread(audit.file.fd, &last, 1, s.st_size - 1) == 1 ? last != '\n' : audit.torn;
}

void audit_end(struct buf *line)
{
    buf_puts(line, "}\n");
    if (audit.file.fd < 0 && !open_file()) {
        lose(strerror(errno));
        return;
    }
    if (line->overflowed) {
        lose("too_long");
        return;
    }
    scoped_buf(whole, line->len + 1);
    if (is_torn()) /* what is there of the last one becomes a line of its own */
        buf_putc(&whole, '\n');
    buf_add_str(&whole, buf_str(line));
    ssize_t sent = outlet_write(&audit.file, whole.at, whole.len);
    if (sent == (ssize_t)whole.len) {
        audit.torn = audit.broken = false;
        metric_add(audit.lines, 1);
        return;
    }
    audit.torn = audit.torn || sent > 0;
    lose(sent < 0 ? strerror(errno) : "disk_full");
}
