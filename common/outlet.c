#include "common/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK is set for all who share an open file, as the shell that started us: a pipe is opened
 * once more, for us alone. Where that is not allowed, and of a terminal, it is asked before each
 * write whether there is room: another who writes may be faster, so that is only the next best. */
struct outlet outlet_of(int fd)
{
    struct stat s;
    char path[32];
    struct outlet o = {.fd = fd};
    if (fstat(fd, &s) != 0 || S_ISREG(s.st_mode))
        return o;
    o.socket = S_ISSOCK(s.st_mode);
    o.polled = !o.socket;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int own = S_ISFIFO(s.st_mode) ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY) : -1;
    if (own >= 0)
        o = (struct outlet){.fd = own};
    return o;
}

ssize_t outlet_write(const struct outlet *o, const char *at, size_t len)
{
    struct pollfd room = {.fd = o->fd, .events = POLLOUT};
    ssize_t wrote;
    if (o->polled && poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    do
        wrote =
            o->socket ? send(o->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(o->fd, at, len);
    while (wrote < 0 && errno == EINTR);
    return wrote;
}
