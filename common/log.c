#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include "common/check.h"
#include "common/json.h"
#include "common/outlet.h"

enum { LINE_BYTES_MAX = 4096, TEXT_BYTES_MAX = 200, TEXTS = 4 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static enum log_level least_level = LOG_INFO;
static char program_name[32];
static bool as_json;
static struct outlet outlet = {.fd = STDERR_FILENO};
static bool torn;     /* the last line stands there in part */
static uint64_t lost; /* lines that were not taken, until that is told */

void log_setup(enum log_level least, const char *program)
{
    least_level = least;
    snprintf(program_name, sizeof(program_name), "%s", program ? program : "");
}

void log_wait_for_nobody(void) { outlet = outlet_of(STDERR_FILENO); }

bool log_level_parse(const char *word, enum log_level *out)
{
    for (unsigned i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (strcasecmp(word, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    if (strcasecmp(word, "warning") != 0)
        return false;
    *out = LOG_WARN;
    return true;
}

bool log_format_parse(const char *word, bool *json)
{
    *json = strcasecmp(word, "json") == 0;
    return *json || strcasecmp(word, "logfmt") == 0;
}

void log_as_json(bool json) { as_json = json; }

static void set_level(enum log_level least)
{
    least_level = least;
    log_write(least_level, "log.level", "least=%s", level_names[least_level]);
}

void log_more(void *unused)
{
    (void)unused;
    set_level(least_level > LOG_DEBUG ? least_level - 1 : LOG_DEBUG);
}

void log_less(void *unused)
{
    (void)unused;
    set_level(least_level < LOG_ERROR ? least_level + 1 : LOG_ERROR);
}

bool log_enabled(enum log_level level) { return level >= least_level; }

static size_t write_head(char *line, size_t size, enum log_level level, const char *event)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    int len = snprintf(line, size, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ level=%s%s%s event=%s ",
                       utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                       utc.tm_sec, (int)(now.tv_nsec / 1000000), level_names[level],
                       program_name[0] ? " program=" : "", program_name, event);
    CHECK(len > 0 && (size_t)len < size);
    return (size_t)len;
}

/* A line is one line, whatever its values hold. */
static void flatten(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7f)
            at[i] = ' ';
}

static size_t cut_off(char *line, size_t room)
{
    static const char mark[] = "…";
    size_t len = room - sizeof(mark);
    while (len > 0 && ((unsigned char)line[len] & 0xc0) == 0x80)
        len--; /* not inside of a character */
    memcpy(line + len, mark, sizeof(mark) - 1);
    return len + sizeof(mark) - 1;
}

static void write_line(char *line, size_t len);

void log_write(enum log_level level, const char *event, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    int error = errno; /* a log line must not disturb who is about to look at it */
    char line[LINE_BYTES_MAX];
    size_t len = write_head(line, sizeof(line) / 2, level, event);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + len, sizeof(line) - len, format, args);
    va_end(args);
    CHECK(more >= 0);
    if ((size_t)more < sizeof(line) - len)
        len += (size_t)more;
    else
        len = cut_off(line, sizeof(line));
    flatten(line, len);
    while (len > 0 && line[len - 1] == ' ')
        len--;
    write_line(line, len);
    errno = error;
}

static void write_line(char *line, size_t len)
{
    static struct buf json;
    if (as_json) {
        if (!json.at)
            buf_init(&json, LINE_BYTES_MAX * 6);
        buf_clear(&json);
        log_line_json((struct str){line, len}, &json);
        line = json.at;
        len = json.len;
    }
    line[len++] = '\n'; /* log_line_json leaves room */
    /* One write a line, so that lines of several processes don't mix. What stderr doesn't take is
     * lost, and counted: logging never stops the program. */
    if (torn && outlet_write(&outlet, "\n", 1) == 1)
        torn = false;
    ssize_t wrote = torn ? -1 : outlet_write(&outlet, line, len);
    if (wrote != (ssize_t)len) {
        torn = torn || wrote > 0;
        lost++;
    } else if (lost > 0) {
        unsigned long long count = lost;
        lost = 0;
        log_warn("log.lost", "lines=%llu", count);
    }
}

/* The value at *line's begin, which it is cut off of: bare up to a blank, or a JSON string, whose
 * end a line that was too long may lack. */
static struct str take_value(struct str *line)
{
    bool quoted = line->len > 0 && line->at[0] == '"';
    size_t len = quoted ? 1 : 0;
    while (len < line->len && line->at[len] != (quoted ? '"' : ' '))
        len += quoted && line->at[len] == '\\' && len + 1 < line->len ? 2 : 1;
    len += quoted && len < line->len;
    struct str value = {line->at, len};
    *line = str_skip(*line, len);
    return value;
}

/* JSON's numbers, no longer than a double holds; 007 is a word. */
static bool is_number(struct str s)
{
    size_t at = s.len > 0 && s.at[0] == '-', digits = at;
    while (digits < s.len && s.at[digits] >= '0' && s.at[digits] <= '9')
        digits++;
    return digits > at && digits == s.len && digits - at < 16 &&
           (s.at[at] != '0' || digits - at == 1);
}

/* A JSON string, as log_text writes it; not what a format wrote between quotes of its own. */
static bool is_string(struct str s)
{
    if (s.len < 2 || s.at[0] != '"' || s.at[s.len - 1] != '"' || !str_utf8(s))
        return false;
    for (size_t i = 1; i + 1 < s.len; i++) {
        if (s.at[i] != '\\')
            continue;
        i++;
        if (i + 1 >= s.len || !strchr("\"\\/bfnrtu", s.at[i]))
            return false;
        if (s.at[i] == 'u' &&
            (i + 5 >= s.len || strspn(s.at + i + 1, "0123456789abcdefABCDEF") < 4))
            return false;
    }
    return true;
}

void log_line_json(struct str line, struct buf *b)
{
    char key[64];
    buf_putc(b, '{');
    while ((line = str_trim(line)).len > 0) {
        const char *equals = memchr(line.at, '=', line.len);
        const char *blank = memchr(line.at, ' ', line.len);
        bool pair = equals && (!blank || equals < blank);
        size_t len = pair ? (size_t)(equals - line.at) : 0;
        snprintf(key, sizeof(key), "%.*s", (int)len, line.at);
        line = str_skip(line, pair ? len + 1 : 0);
        struct str value = take_value(&line);
        json_key(b, pair ? key : "text"); /* what has no name is no mistake worth losing it for */
        if (is_string(value) || is_number(value))
            buf_add_str(b, value);
        else
            json_str(b, value);
    }
    buf_puts(b, "}\n"); /* its room */
    b->len--;
}

const char *log_text(struct str s)
{
    static struct buf texts[TEXTS];
    static unsigned next;
    struct buf *b = &texts[next++ % TEXTS];
    if (!b->at)
        buf_init(b, (size_t)TEXT_BYTES_MAX * 6 + 16); /* \u0000 is the longest escape */
    buf_clear(b);
    size_t whole = s.len;
    if (s.len > TEXT_BYTES_MAX) {
        s.len = TEXT_BYTES_MAX;
        while (s.len > TEXT_BYTES_MAX - 4 && ((unsigned char)s.at[s.len] & 0xc0) == 0x80)
            s.len--; /* not inside of a character */
    }
    json_str(b, s);
    if (s.len < whole) {
        b->len--; /* the quote */
        buf_puts(b, "…\"");
    }
    return buf_cstr(b);
}

/* What stands before the last @ may all be of a password that was not escaped. */
const char *log_address(const char *url)
{
    struct str all = str_of(url);
    const char *mark = strstr(url, "://"), *at = strrchr(url, '@'), *query = strpbrk(url, "?#");
    size_t letters = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    size_t scheme = mark == url + letters ? letters + 3 : 0;
    scoped_buf(b, 4096);
    buf_add_str(&b, (struct str){url, scheme});
    if (at && query && query < at)
        buf_puts(&b, "…");
    else if (at)
        buf_add(&b, at + 1, strcspn(at + 1, "?#"));
    else
        buf_add_str(&b,
                    str_skip((struct str){url, query ? (size_t)(query - url) : all.len}, scheme));
    return log_text(buf_str(&b));
}
