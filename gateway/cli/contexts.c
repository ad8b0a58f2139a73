#include "gateway/cli/contexts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/json.h"
#include "common/secret.h"

enum { FILE_BYTES_MAX = 1 << 20, ERROR_BYTES = 512 };

static char *file_path(void);
static bool read_file(int fd, struct buf *b);
static bool make_folders(char *path);

bool contexts_load(struct contexts *c, char error[ERROR_BYTES])
{
    struct stat st;
    scoped_buf(text, FILE_BYTES_MAX);
    buf_keep_secret(&text);
    *c = (struct contexts){.path = file_path()};
    int fd = c->path ? open(c->path, O_RDONLY | O_CLOEXEC) : -1;
    if (!c->path || (fd < 0 && errno == ENOENT)) {
        c->all = json_pack("{s:{}}", "contexts");
        return true;
    }
    bool fine = fd >= 0 && fstat(fd, &st) == 0;
    snprintf(error, ERROR_BYTES, "%s can't be read: %s", c->path, strerror(errno));
    if (fine && (st.st_mode & 077)) {
        snprintf(error, ERROR_BYTES, "%s may be read by others: chmod 600 it, or sign in anew",
                 c->path);
        fine = false;
    }
    if (fine && read_file(fd, &text)) {
        c->all = json_loadb(text.at, text.len, 0, NULL);
        fine = json_is_object(json_object_get(c->all, "contexts"));
        snprintf(error, ERROR_BYTES, "%s is not what persai wrote: remove it and sign in anew",
                 c->path);
    }
    if (fd >= 0)
        close(fd);
    return fine && c->all;
}

void contexts_free(struct contexts *c)
{
    json_decref(c->all);
    free(c->path);
    *c = (struct contexts){0};
}

static char *file_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    scoped_buf(path, 4096);
    if (config && config[0] == '/')
        buf_printf(&path, "%s/persai/contexts.json", config);
    else if (home && home[0] == '/')
        buf_printf(&path, "%s/.config/persai/contexts.json", home);
    return path.len > 0 ? xstrdup(buf_cstr(&path)) : NULL;
}

static bool read_file(int fd, struct buf *b)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof(piece))) > 0)
        if (!buf_add(b, piece, (size_t)n))
            break;
    secret_wipe(piece, sizeof(piece));
    return n == 0;
}

/* All folders above the file; its own is for nobody else. */
static bool make_folders(char *path)
{
    char *last = strrchr(path, '/');
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        bool fine = mkdir(path, at == last ? 0700 : 0755) == 0 || errno == EEXIST;
        *at = '/';
        if (!fine)
            return false;
    }
    return true;
}

bool contexts_save(const struct contexts *c, char error[ERROR_BYTES])
{
    scoped_buf(beside, 4200);
    if (!c->path) {
        snprintf(error, ERROR_BYTES, CONTEXTS_NO_PLACE);
        return false;
    }
    buf_printf(&beside, "%s.%d", c->path, (int)getpid());
    const char *temporary = buf_cstr(&beside);
    bool fine = make_folders(c->path);
    int fd =
        fine ? open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    fine = fd >= 0 && fchmod(fd, 0600) == 0 && json_dumpfd(c->all, fd, JSON_INDENT(2)) == 0 &&
           fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        fine = close(fd) == 0 && fine;
    if (fine && rename(temporary, c->path) == 0)
        return true;
    snprintf(error, ERROR_BYTES, "%s can't be written: %s", c->path, strerror(fine ? errno : why));
    if (fd >= 0)
        unlink(temporary);
    return false;
}

const char *contexts_name(const struct contexts *c, const char *name)
{
    const char *by_environment = getenv("PERSAI_CONTEXT");
    const char *current = json_string_value(json_object_get(c->all, "current"));
    if (name)
        return name;
    if (by_environment && *by_environment)
        return by_environment;
    return current ? current : "default";
}

json_t *contexts_get(const struct contexts *c, const char *name)
{
    return json_object_get(json_object_get(c->all, "contexts"), name);
}

json_t *contexts_make(const struct contexts *c, const char *name)
{
    json_t *contexts = json_object_get(c->all, "contexts");
    if (!json_is_object(json_object_get(contexts, name)))
        json_object_set_new(contexts, name, json_object());
    return json_object_get(contexts, name);
}
