/* gateway/auth/keys.h: keys for programs: which request comes with one, as whom it acts, and when
 * it is cut off.
 *
 * A key acts as a user of Perses, whom the gateway signs in (service.h). The file is read at start
 * and on SIGHUP; a file with a fault is left out whole, and what was read before stays. A key that
 * is no longer in it is cut off at once: what uses it is told. */
#ifndef GATEWAY_AUTH_KEYS_H
#define GATEWAY_AUTH_KEYS_H

#include "common/list.h"
#include "gateway/auth/keys_file.h"
#include "gateway/auth/service.h"

struct key;
/* Something that goes on under a key: embed it, key_use and key_unuse. */
struct key_use {
    struct list node;
    struct key *key;               /* NULL: none is used */
    void (*on_revoked)(void *arg); /* once; the use has ended then */
    void *arg;
};

struct keys;
/* NULL: the file of PERSAI_API_KEYS has a fault, error says which. Without the setting: none. */
struct keys *keys_new(struct gateway *g, char error[256]);
void keys_free(struct keys *k); /* nothing may use a key any more */
/* The same of a gateway that only checks (--check). */
bool keys_check(const char *path, unsigned *count, char error[256]);
/* False: the file has a fault, the keys are as they were. */
bool keys_reload(struct keys *k, char error[256]);

/* Does the request come with a key, whether it is known or not? */
bool keys_given(const struct http_request *r);
/* Which one; NULL: it is not known. Its time says nothing of the keys that are known. */
struct key *keys_find(struct keys *k, const struct http_request *r);
/* All services, for janitor.c: fn may not change them. */
void keys_each(const struct keys *k, void (*fn)(void *arg, struct service *s), void *arg);

const struct key_row *key_row(const struct key *key);
struct service *key_service(struct key *key);
bool key_opens(const struct key *key, enum door d);
/* One request more, counted. False: it has had as many in this minute as it may; *wait_s: until it
 * may again. */
bool key_take(struct key *key, int64_t now_ms, uint32_t *wait_s);
void key_use(struct key *key, struct key_use *u);
void key_unuse(struct key_use *u); /* one that uses none is fine */

#endif
