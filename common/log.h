/* common/log.h: one line an event, to stderr, as logfmt or as JSON with the same names.
 *
 *     ts=2026-01-02T03:04:05.678Z level=info program=worker event=turn.done turn=… epoch=1 ms=812
 *     {"ts":"2026-01-02T03:04:05.678Z","level":"info","program":"worker","event":"turn.done",…}
 *
 * event is a stable word, `module.what`. Values are written by the format; log_text() quotes what
 * may hold blanks or hostile bytes. Nothing secret fits in here: struct secret has no printable
 * form. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "common/buf.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(enum log_level least, const char *program);
/* From now on what stderr does not take at once is lost: who reads it may have stalled. */
void log_wait_for_nobody(void);
bool log_level_parse(const char *word, enum log_level *out); /* debug, info, warn(ing), error */
bool log_format_parse(const char *word, bool *json);         /* logfmt, json */
void log_as_json(bool json);
/* By one level; never less than errors. Told in a line that is always written. As callbacks of
 * signals, which have nothing to say. */
void log_more(void *unused);
void log_less(void *unused);
bool log_enabled(enum log_level level);
/* A logfmt line as a JSON object, appended; numbers stay numbers. For log.c and its test. */
void log_line_json(struct str line, struct buf *b);
void log_write(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_write(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

/* A quoted, escaped, shortened (200 bytes) form for a %s of one log call; up to 4 live at once a
 * line. */
const char *log_text(struct str s);
/* The same of an address (http://user:password@host:port/path?key), without its user, password and
 * query. Where it can't be told what is a password, nothing but its scheme. */
const char *log_address(const char *url);

#endif
