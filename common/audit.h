/* common/audit.h: who did what: one JSON object a line, appended to a file of the operator's, each
 * by one write. One for the process, as its log is.
 *
 * A line that can't be written (a full disk, a folder that is gone) is lost and counted, and what
 * was done goes on; with strict nothing more is begun until writing works again. Values are JSON
 * strings, so that nothing from outside begins a line of its own. */
#ifndef COMMON_AUDIT_H
#define COMMON_AUDIT_H

#include <stdbool.h>
#include "common/buf.h"

struct audit_config {
    const char *path; /* "": there is none; "-": stdout */
    const char *program;
    bool strict, arguments;
};
/* False: the file can't be opened, and why. It is made with mode 0600. Once. */
bool audit_setup(const struct audit_config *c, char error[256]);
/* Could it be? Nothing is made. */
bool audit_check(const char *path, char error[256]) warn_unused;
bool audit_on(void);
bool audit_arguments(void); /* the text of arguments is wanted too */
/* The file was moved away: the next lines go to a new one of its name. */
void audit_reopen(void);
/* May something be begun? Strict: if there is room for its line; and when the last one was lost,
 * once a line can be written again. */
bool audit_allows(void);

/* {"at":…,"program":…,"act":… ; members are added by json_field and its like. */
void audit_begin(struct buf *line, const char *act);
/* "user" and "account" of an owner as gateway/auth/user.h spells it; both "" where it is empty. */
void audit_person(struct buf *line, struct str owner);
/* } and the write. A line that overflowed is lost. */
void audit_end(struct buf *line);

#endif
