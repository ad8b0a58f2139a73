#include "proto/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char scheme[] = "ipc://";

static const char *path_of(const char *endpoint);
static bool folder_of(const char *endpoint, char folder[IPC_ENDPOINT_MAX], char error[256]);
static bool folder_safe(const char *folder, bool roots, char error[256]);
static bool lock(const char *path, char error[256]);

const char *ipc_or_default(const char *endpoints)
{
    static char by_default[IPC_ENDPOINT_MAX];
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char own[64];
    struct stat s;
    if (*endpoints)
        return endpoints;
    snprintf(own, sizeof(own), "/run/user/%u", (unsigned)getuid());
    if (!runtime || runtime[0] != '/' || strlen(runtime) > 80)
        runtime = stat(own, &s) == 0 && S_ISDIR(s.st_mode) ? own : NULL;
    if (runtime)
        snprintf(by_default, sizeof(by_default), "%s%s/persai/broker", scheme, runtime);
    else
        snprintf(by_default, sizeof(by_default), "%s/tmp/persai-%u/broker", scheme,
                 (unsigned)getuid());
    return by_default;
}

bool ipc_claim(const char *endpoint, char error[256])
{
    char folder[IPC_ENDPOINT_MAX];
    if (!path_of(endpoint))
        return true;
    if (!folder_of(endpoint, folder, error))
        return false;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        snprintf(error, 256, "%.180s can't be made: %s", folder, strerror(errno));
        return false;
    }
    return folder_safe(folder, false, error) && lock(path_of(endpoint), error);
}

bool ipc_trusted(const char *endpoint, char error[256])
{
    char folder[IPC_ENDPOINT_MAX];
    if (!path_of(endpoint))
        return true;
    if (!folder_of(endpoint, folder, error))
        return false;
    /* Where it is not there yet, only its parent's owner can make it: looked at by who connects
     * again. */
    return access(folder, F_OK) != 0 || folder_safe(folder, true, error);
}

/* NULL: of another transport. */
static const char *path_of(const char *endpoint)
{
    return strncmp(endpoint, scheme, strlen(scheme)) == 0 ? endpoint + strlen(scheme) : NULL;
}

static bool folder_of(const char *endpoint, char folder[IPC_ENDPOINT_MAX], char error[256])
{
    const char *path = path_of(endpoint);
    CHECK(path); /* of no other transport: asked before */
    const char *slash = strrchr(path, '/');
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);
    if (path[0] != '/' || slash == path || slash[1] == '\0') {
        snprintf(error, 256,
                 "%.150s: an ipc endpoint names a socket by its whole path, in a folder of its own",
                 endpoint);
        return false;
    }
    if (strlen(path) >= room) {
        snprintf(error, 256, "%.150s: the path of a socket has at most %zu bytes", endpoint,
                 room - 1);
        return false;
    }
    snprintf(folder, IPC_ENDPOINT_MAX, "%.*s", (int)(slash - path), path);
    return true;
}

static bool folder_safe(const char *folder, bool roots, char error[256])
{
    struct stat s;
    if (lstat(folder, &s) != 0 || !S_ISDIR(s.st_mode)) {
        snprintf(error, 256, "%.180s is no folder", folder);
        return false;
    }
    if ((s.st_uid == geteuid() || (roots && s.st_uid == 0)) && (s.st_mode & 022) == 0)
        return true;
    snprintf(error, 256,
             "%.100s: others may write to it, or own it; who does could take the socket, and with "
             "it people's "
             "tokens. Use a folder of your own, of mode 0700",
             folder);
    return false;
}

/* Held until the process ends, however it does. */
static bool lock(const char *path, char error[256])
{
    char name[IPC_ENDPOINT_MAX + 8];
    snprintf(name, sizeof(name), "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    bool taken = fd >= 0 && errno == EWOULDBLOCK;
    snprintf(error, 256,
             taken ? "%.150s is bound by another gateway (%s)" : "%.150s can't be locked: %s", path,
             taken ? "give each its own PERSAI_BROKER" : strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}
