#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "common/secret.h"

/* A pipe that nobody writes to, as that of <(command) is later, is empty: not waited for. */
static FILE *open_now(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    FILE *file = fd >= 0 && fcntl(fd, F_SETFL, 0) == 0 ? fdopen(fd, "r") : NULL;
    int why = errno;
    if (fd >= 0 && !file)
        close(fd);
    errno = why;
    return file;
}

bool file_read(const char *path, struct buf *out)
{
    char piece[4096];
    size_t len;
    FILE *file = open_now(path);
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
