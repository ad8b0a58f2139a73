/* common/outlet.h: a descriptor that we were given, stderr or stdout, and never wait for: who reads
 * the other end of it may have stalled, and must not stop us. */
#ifndef COMMON_OUTLET_H
#define COMMON_OUTLET_H

#include <stdbool.h>
#include <sys/types.h>

struct outlet {
    int fd;
    bool socket, polled;
};

/* Once for the process: it may keep a descriptor of its own. */
struct outlet outlet_of(int fd);
/* As write(2): EAGAIN where it would have to wait. */
ssize_t outlet_write(const struct outlet *o, const char *at, size_t len);

#endif
