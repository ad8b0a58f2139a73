/* gateway/auth/identity.h: who the user is: Perses says (whoami), its answer is kept for a minute
 * at most, by the token's hash.
 *
 * The access token is jwtPayload.jwtSignature of the cookies, or a Bearer. Cookies win, as they do
 * in Perses. Identical questions under way are asked once; that a token was refused is kept for a
 * few seconds; how many tokens may be asked about at once, askers.h says. 401 is only for a token
 * that Perses itself refuses (ERR_UNAUTHENTICATED); Perses silent: ERR_PERSES_UNAVAILABLE; its
 * authentication off: ERR_PERSES_AUTH_OFF. */
#ifndef GATEWAY_AUTH_IDENTITY_H
#define GATEWAY_AUTH_IDENTITY_H

#include "common/fetch.h"
#include "common/http.h"
#include "common/secret.h"
#include "gateway/auth/user.h"
#include "proto/err.h"

struct address;
struct gateway;
struct identity;

/* What a request came with. Owned: credentials_free. */
struct credentials {
    struct secret *access, *refresh; /* refresh: of the cookie, or NULL */
    int64_t expires_ms; /* Unix time, from the token's exp claim (unverified: a hint); 0 unknown */
};
/* bearer: false where the Authorization is somebody else's, as with credentials_bearer_is. */
void credentials_of(const struct http_request *r, bool bearer, struct credentials *out);
/* Does the request come with this word as its Bearer? The comparison's time says nothing of the
 * word. */
bool credentials_bearer_is(const struct http_request *r, const struct secret *word);
/* What Perses answers to a sign-in or a refresh: {"access_token", "refresh_token"}. False: there is
 * no token in it. */
bool credentials_read(struct str json, struct credentials *out);
struct credentials credentials_share(const struct credentials *c); /* the same, owned once more */
void credentials_free(struct credentials *c);

/* POST PERSES + api with a JSON body that holds secrets, in a buf that keeps them
 * (buf_keep_secret). */
struct fetch *credentials_ask(struct gateway *g, const char *api, struct buf *body,
                              uint32_t answer_bytes_max, const struct fetch_handler *h, void *arg);

struct identity *identity_new(struct gateway *g);
void identity_free(struct identity *i);

/* fn is called once, later or at once. owner: of all that this person keeps (user.h), borrowed
 * until it returns. identity_forget: it no longer comes. sender: on whose account the question
 * goes; NULL: our own. ERR_RATE_LIMITED: the sender has too many of them or had too many refused.
 * ERR_BUSY: it waited in vain. */
typedef void identity_fn(void *arg, enum err err, struct str owner);
uint64_t identity_check(struct identity *i, const struct secret *access,
                        const struct address *sender, identity_fn *fn, void *arg);
/* The same on our own account, and Perses is asked whatever it said before. access: not NULL. */
uint64_t identity_check_anew(struct identity *i, const struct secret *access, identity_fn *fn,
                             void *arg);

/* A fresh access token (owned by the callee; NULL on error). POST PERSES/api/auth/refresh. */
typedef void identity_refresh_fn(void *arg, enum err err, struct secret *take_access,
                                 int64_t expires_ms);
uint64_t identity_refresh(struct identity *i, const struct secret *refresh, identity_refresh_fn *fn,
                          void *arg);
void identity_forget(struct identity *i, uint64_t id); /* 0 is fine */

#endif
