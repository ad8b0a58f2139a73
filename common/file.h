/* common/file.h: a file of the operator's, read whole. */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stdbool.h>
#include "common/buf.h"

/* Appends all of it. False: errno says why (EFBIG: it is more than out takes); what was read until
 * then stays in out. No copy of it is left on the way: it may be a secret. */
bool file_read(const char *path, struct buf *out);

#endif
