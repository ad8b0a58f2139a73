#include "common/file.h"

#include <errno.h>
#include <stdio.h>
#include "common/secret.h"

bool file_read(const char *path, struct buf *out)
{
    char piece[4096];
    size_t len;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    setvbuf(file, NULL, _IONBF, 0); /* else its own buffer would hold what was read */
    bool fits = true;
    while (fits && (len = fread(piece, 1, sizeof(piece), file)) > 0)
        fits = buf_add(out, piece, len);
    int error = !fits ? EFBIG : ferror(file) ? errno : 0;
    secret_wipe(piece, sizeof(piece));
    fclose(file);
    errno = error;
    return error == 0;
}
