#include "proto/wire_keys.h"

#include <czmq.h>
#undef LOG_DEBUG /* syslog.h, which czmq.h brings, has them as macros */
#undef LOG_INFO
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/log.h"
#include "common/map.h"

enum { KEYS_MAX = 4096, PATH_MAX_BYTES = 1024 };

struct wire_keys {
    char folder[PATH_MAX_BYTES];
    struct map *listed; /* by public key */
    uint64_t seen;      /* names, sizes and times of the folder's files when it was read */
};

static zactor_t *authenticator; /* ZAP has one handler a process */
static unsigned authenticated;

static bool make_folder(const char *path, char error[256]);
static bool make_pair(const char *folder, const char *name, const char *copy_public_to,
                      char error[256]);
static bool authenticate(const char *keys, char error[256]);
static zcert_t *load_key(const char *folder, const char *name, bool secret, char error[256]);
static uint64_t look(const char *folder);
static void read_all(struct wire_keys *k);

bool wire_keys_make(const char *dir, char error[256])
{
    char workers[PATH_MAX_BYTES], accepted[PATH_MAX_BYTES + 16];
    zsys_init();
    zsys_handler_set(NULL);
    snprintf(workers, sizeof(workers), "%s/workers", dir);
    snprintf(accepted, sizeof(accepted), "%s/worker.key", workers);
    return make_folder(dir, error) && make_folder(workers, error) &&
           make_pair(dir, "gateway.key", NULL, error) &&
           make_pair(dir, "worker.key", accepted, error);
}

static bool make_folder(const char *path, char error[256])
{
    if (mkdir(path, 0700) == 0 || (errno == EEXIST && zsys_file_exists(path)))
        return true;
    snprintf(error, 256, "%.180s can't be made: %s", path, strerror(errno));
    return false;
}

/* One pair: NAME is public, NAME_secret holds both halves. */
static bool make_pair(const char *folder, const char *name, const char *copy_public_to,
                      char error[256])
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (access(path, F_OK) == 0) {
        snprintf(error, 256, "%.200s is there already: keys are not overwritten", path);
        return false;
    }
    zcert_t *cert = zcert_new();
    mode_t before = umask(077);
    bool ok = zcert_save(cert, path) == 0 &&
              (!copy_public_to || zcert_save_public(cert, copy_public_to) == 0);
    umask(before);
    if (!ok)
        snprintf(error, 256, "%.180s can't be written: %s", path, strerror(errno));
    zcert_destroy(&cert);
    return ok;
}

/* ---- sockets ---- */

bool wire_keys_serve(void *socket, const char *dir, char error[256])
{
    zcert_t *mine = load_key(dir, "gateway.key", true, error);
    bool ok = mine && authenticate(dir, error);
    if (ok) {
        zcert_apply(mine, socket);
        zsock_set_curve_server(socket, 1);
        zsock_set_zap_domain(socket, "global");
    }
    zcert_destroy(&mine);
    return ok;
}

static bool has_list(const char *keys, char folder[PATH_MAX_BYTES], char error[256])
{
    snprintf(folder, PATH_MAX_BYTES, "%s/workers", keys);
    if (zsys_file_exists(folder))
        return true;
    snprintf(error, 256,
             "PERSAI_KEYS: there is no folder workers in %.150s (make keys with persai-gateway "
             "--make-keys)",
             keys);
    return false;
}

static bool authenticate(const char *keys, char error[256])
{
    char folder[PATH_MAX_BYTES];
    if (!has_list(keys, folder, error))
        return false;
    if (authenticated++ > 0)
        return true;
    authenticator = zactor_new(zauth, NULL);
    CHECK(authenticator != NULL);
    zstr_sendx(authenticator, "CURVE", folder, NULL);
    zsock_wait(authenticator);
    return true;
}

bool wire_keys_check(const char *dir, char error[256])
{
    char folder[PATH_MAX_BYTES];
    zcert_t *mine = load_key(dir, "gateway.key", true, error);
    struct wire_keys *listed = mine && has_list(dir, folder, error) ? wire_keys_new(dir) : NULL;
    bool some = listed && map_size(listed->listed) > 0;
    if (listed && !some)
        snprintf(error, 256,
                 "PERSAI_KEYS: no key of a worker is in %.150s: put each one's worker.key there",
                 folder);
    wire_keys_free(listed);
    zcert_destroy(&mine);
    return some;
}

bool wire_keys_check_worker(const char *dir, char error[256])
{
    zcert_t *mine = load_key(dir, "worker.key", true, error);
    zcert_t *theirs = mine ? load_key(dir, "gateway.key", false, error) : NULL;
    bool both = theirs != NULL;
    zcert_destroy(&mine);
    zcert_destroy(&theirs);
    return both;
}

void wire_keys_stop(void)
{
    if (--authenticated == 0)
        zactor_destroy(&authenticator);
}

bool wire_keys_connect(void *socket, const char *dir, char error[256])
{
    zcert_t *mine = load_key(dir, "worker.key", true, error);
    zcert_t *theirs = mine ? load_key(dir, "gateway.key", false, error) : NULL;
    bool ok = theirs != NULL;
    if (ok) {
        zcert_apply(mine, socket);
        zsock_set_curve_serverkey(socket, zcert_public_txt(theirs));
    }
    zcert_destroy(&mine);
    zcert_destroy(&theirs);
    return ok;
}

static zcert_t *load_key(const char *folder, const char *name, bool secret, char error[256])
{
    char path[PATH_MAX_BYTES];
    snprintf(path, sizeof(path), "%s/%s%s", folder, name, secret ? "_secret" : "");
    zcert_t *cert = zcert_load(path);
    if (!cert)
        snprintf(error, 256,
                 "PERSAI_KEYS: %.150s can't be read (make keys with persai-gateway --make-keys)",
                 path);
    return cert;
}

/* ---- the list ---- */

struct wire_keys *wire_keys_new(const char *dir)
{
    struct wire_keys *k = xcalloc(1, sizeof(*k));
    snprintf(k->folder, sizeof(k->folder), "%s/workers", dir);
    k->listed = map_new();
    k->seen = look(k->folder);
    read_all(k);
    return k;
}

void wire_keys_free(struct wire_keys *k)
{
    if (!k)
        return;
    map_free(k->listed);
    free(k);
}

bool wire_keys_changed(struct wire_keys *k)
{
    uint64_t now = look(k->folder);
    if (now == k->seen)
        return false;
    map_free(k->listed);
    k->listed = map_new();
    k->seen = now;
    read_all(k);
    log_info("wire.keys", "workers=%zu", map_size(k->listed));
    return true;
}

bool wire_keys_has(const struct wire_keys *k, struct str key)
{
    return map_get(k->listed, key) != NULL;
}

/* What changes when a file comes, goes or is written again: not a digest against who can write
 * there. */
static uint64_t look(const char *folder)
{
    uint64_t sum = 1;
    DIR *d = opendir(folder);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL) {
        struct stat s = {0};
        uint64_t one = str_hash(STR_HASH_NONE, str_of(e->d_name));
        if (fstatat(dirfd(d), e->d_name, &s, 0) == 0)
            one += (uint64_t)s.st_size * 31 + (uint64_t)s.st_ino * 17 +
                   (uint64_t)s.st_mtim.tv_sec * 1000000007u + (uint64_t)s.st_mtim.tv_nsec;
        sum += one * 2654435761u; /* the order of a folder's entries says nothing */
    }
    if (d)
        closedir(d);
    return sum;
}

static void read_all(struct wire_keys *k)
{
    DIR *d = opendir(k->folder);
    struct dirent *e;
    while (d && (e = readdir(d)) != NULL && map_size(k->listed) < KEYS_MAX) {
        char path[PATH_MAX_BYTES + 260];
        snprintf(path, sizeof(path), "%s/%s", k->folder, e->d_name);
        zcert_t *cert = e->d_name[0] == '.' ? NULL : zcert_load(path);
        if (!cert)
            continue;
        map_put(k->listed, str_of(zcert_public_txt(cert)), k);
        zcert_destroy(&cert);
    }
    if (d)
        closedir(d);
}
