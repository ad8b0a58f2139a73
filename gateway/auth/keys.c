#include "gateway/auth/keys.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/file.h"
#include "common/log.h"
#include "common/map.h"

struct key {
    struct key_row row;
    struct service *service;
    struct metric *requests;
    struct list uses;
    bool revoked;     /* it is gone with its last use */
    double tokens;    /* of its requests per minute: may be made now */
    int64_t taken_ms; /* when that was counted */
};
struct keys {
    struct gateway *gateway;
    struct key **at;
    unsigned count;
    struct map *metrics; /* name → its metric: both are for good */
};
struct loaded { /* what the files say */
    struct key_rows rows;
    struct secret **passwords;
};

static void install(struct keys *k, struct loaded *l);
static void revoke(struct key *key);

/* ---- the files ---- */

static struct secret *read_password(const char *path)
{
    scoped_buf(text, 4096);
    buf_keep_secret(&text);
    if (!file_read(path, &text))
        return NULL;
    while (text.len > 0 && strchr("\r\n", text.at[text.len - 1]))
        text.len--;
    return text.len > 0 ? secret_new(buf_str(&text)) : NULL;
}

static void loaded_free(struct loaded *l)
{
    for (unsigned i = 0; l->passwords && i < l->rows.count; i++)
        secret_free(l->passwords[i]);
    free(l->passwords);
    key_rows_free(&l->rows);
    l->passwords = NULL;
}

static bool load(const char *path, struct loaded *out, char error[256])
{
    char wrong[256];
    scoped_buf(text, KEYS_FILE_BYTES_MAX);
    *out = (struct loaded){0};
    if (!file_read(path, &text)) {
        snprintf(error, 256, "%.120s: %.60s", path, strerror(errno));
        return false;
    }
    if (!key_rows_read(buf_str(&text), &out->rows, wrong)) {
        snprintf(error, 256, "%.80s, %.170s", path, wrong);
        return false;
    }
    out->passwords = xcalloc(out->rows.count + 1, sizeof(*out->passwords));
    for (unsigned i = 0; i < out->rows.count; i++) {
        out->passwords[i] = read_password(out->rows.at[i].password_file);
        if (out->passwords[i])
            continue;
        snprintf(error, 256, "%.80s: the password_file of %s can't be read, or is empty", path,
                 out->rows.at[i].name);
        loaded_free(out);
        return false;
    }
    return true;
}

bool keys_check(const char *path, unsigned *count, char error[256])
{
    struct loaded l;
    if (!load(path, &l, error))
        return false;
    *count = l.rows.count;
    loaded_free(&l);
    return true;
}

struct keys *keys_new(struct gateway *g, char error[256])
{
    struct loaded l = {0};
    if (*g->settings.api_keys && !load(g->settings.api_keys, &l, error))
        return NULL;
    struct keys *k = xcalloc(1, sizeof(*k));
    k->gateway = g;
    k->metrics = map_new();
    install(k, &l);
    return k;
}

bool keys_reload(struct keys *k, char error[256])
{
    struct loaded l;
    if (!*k->gateway->settings.api_keys)
        return true;
    if (!load(k->gateway->settings.api_keys, &l, error))
        return false;
    install(k, &l);
    return true;
}

/* ---- what is known ---- */

static struct metric *metric_of(struct keys *k, const char *name)
{
    struct metric *m = map_get(k->metrics, str_of(name));
    if (m)
        return m;
    char *labels = xmalloc(KEY_NAME_MAX + sizeof("key=\"\""));
    snprintf(labels, KEY_NAME_MAX + sizeof("key=\"\""), "key=\"%s\"", name);
    m = metric_new(METRIC_COUNTER, "persai_api_key_requests_total", labels,
                   "Requests that came with a key for programs, by its name");
    map_put(k->metrics, str_of(name), m);
    return m;
}

static void key_free(struct key *key)
{
    CHECK(list_empty(&key->uses));
    struct key_rows one = {.at = xmalloc(sizeof(key->row)), .count = 1};
    one.at[0] = key->row;
    key_rows_free(&one);
    service_free(key->service);
    free(key);
}

static struct key *key_new(struct keys *k, struct key_row *take_row, const struct secret *password)
{
    struct key *key = xcalloc(1, sizeof(*key));
    key->row = *take_row;
    *take_row = (struct key_row){0};
    key->service = service_new(k->gateway, key->row.user, password);
    key->requests = metric_of(k, key->row.name);
    key->tokens = key->row.requests_per_minute;
    key->taken_ms = loop_now_ms(k->gateway->loop);
    list_init(&key->uses);
    return key;
}

/* One that is as it was stays, with what uses it; another one is a new key. */
static bool same(const struct key *key, const struct key_row *row, const struct secret *password)
{
    const char *a = key->row.datasource, *b = row->datasource;
    return sodium_memcmp(key->row.sha256, row->sha256, KEY_HASH) == 0 &&
           strcmp(key->row.name, row->name) == 0 && key->row.doors == row->doors &&
           key->row.activity == row->activity &&
           key->row.requests_per_minute == row->requests_per_minute &&
           (a && b ? strcmp(a, b) == 0 : a == b) && service_is(key->service, row->user, password);
}

static struct key *take_same(struct keys *k, const struct key_row *row,
                             const struct secret *password)
{
    for (unsigned i = 0; i < k->count; i++) {
        struct key *key = k->at[i];
        if (!key || !same(key, row, password))
            continue;
        k->at[i] = NULL;
        return key;
    }
    return NULL;
}

static void install(struct keys *k, struct loaded *l)
{
    struct key **at = xcalloc(l->rows.count + 1, sizeof(*at));
    unsigned revoked = 0;
    for (unsigned i = 0; i < l->rows.count; i++) {
        at[i] = take_same(k, &l->rows.at[i], l->passwords[i]);
        if (!at[i])
            at[i] = key_new(k, &l->rows.at[i], l->passwords[i]);
    }
    struct key **before = k->at;
    unsigned before_count = k->count;
    k->at = at;
    k->count = l->rows.count;
    for (unsigned i = 0; i < before_count; i++) {
        revoked += before[i] != NULL;
        revoke(before[i]);
    }
    free(before);
    loaded_free(l);
    if (*k->gateway->settings.api_keys)
        log_info("keys.read", "keys=%u revoked=%u", k->count, revoked);
}

static void revoke(struct key *key)
{
    if (!key)
        return;
    struct key_use own = {0}; /* it lives until all have been told */
    key_use(key, &own);
    key->revoked = true;
    for (struct key_use *u; (u = list_head(&key->uses, struct key_use, node)) != &own;) {
        void (*tell)(void *arg) = u->on_revoked;
        void *arg = u->arg;
        key_unuse(u);
        tell(arg);
    }
    key_unuse(&own);
}

void keys_free(struct keys *k)
{
    for (unsigned i = 0; i < k->count; i++)
        key_free(k->at[i]);
    free(k->at);
    map_free(k->metrics);
    free(k);
}

/* ---- a request ---- */

static struct str bearer_of(const struct http_request *r)
{
    struct str header = http_header(r, "Authorization");
    if (header.len <= 7 || strncasecmp(header.at, "Bearer ", 7) != 0)
        return (struct str){0};
    return str_trim(str_skip(header, 7));
}

bool keys_given(const struct http_request *r) { return str_starts(bearer_of(r), STR(KEY_PREFIX)); }

struct key *keys_find(struct keys *k, const struct http_request *r)
{
    unsigned char hash[KEY_HASH];
    struct key *found = NULL;
    key_hash(bearer_of(r), hash);
    for (unsigned i = 0; i < k->count; i++)
        if (sodium_memcmp(k->at[i]->row.sha256, hash, KEY_HASH) == 0)
            found = k->at[i];
    return found;
}

void keys_each(const struct keys *k, void (*fn)(void *arg, struct service *s), void *arg)
{
    for (unsigned i = 0; i < k->count; i++)
        fn(arg, k->at[i]->service);
}

const struct key_row *key_row(const struct key *key) { return &key->row; }

struct service *key_service(struct key *key) { return key->service; }

bool key_opens(const struct key *key, enum door d) { return key->row.doors & 1u << d; }

bool key_take(struct key *key, int64_t now_ms, uint32_t *wait_s)
{
    double most = key->row.requests_per_minute, ms_each = most > 0 ? 60000 / most : 0;
    metric_add(key->requests, 1);
    if (most <= 0)
        return true;
    key->tokens += (double)(now_ms - key->taken_ms) / ms_each;
    key->taken_ms = now_ms;
    if (key->tokens > most)
        key->tokens = most;
    if (key->tokens < 1) {
        *wait_s = (uint32_t)((1 - key->tokens) * ms_each / 1000) + 1;
        return false;
    }
    key->tokens -= 1;
    return true;
}

void key_use(struct key *key, struct key_use *u)
{
    u->key = key;
    list_push(&key->uses, &u->node);
}

void key_unuse(struct key_use *u)
{
    struct key *key = u->key;
    if (!key)
        return;
    list_remove(&u->node);
    u->key = NULL;
    if (key->revoked && list_empty(&key->uses))
        key_free(key);
}
