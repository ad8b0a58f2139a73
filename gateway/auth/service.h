/* gateway/auth/service.h: a service user: as whom PersAI asks where no person is there to sign in
 * (alerts, api/webhook.c; programs with a key, keys.h).
 *
 * It is a user of Perses like any other; the operator gives us its name and password, Perses gives
 * us tokens for them, which are kept as everybody's are (invariant 7). A token is given out for the
 * first half of its life, then Perses is asked for another. So a turn of this user never waits for
 * somebody to sign in: any gateway can bring its token. */
#ifndef GATEWAY_AUTH_SERVICE_H
#define GATEWAY_AUTH_SERVICE_H

#include "gateway/gateway.h"
#include "gateway/auth/identity.h"

struct service;
/* name: with which it signs in, "" where there is none; its password, NULL: an empty one. */
struct service *service_new(struct gateway *g, const char *name, const struct secret *password);
/* Its password is another one. What it is signed in with stays good. */
void service_renew(struct service *s, const struct secret *password);
void service_free(struct service *s); /* nobody may wait for it: they are not told */
bool service_is(const struct service *s, const char *name, const struct secret *password);

/* Who it is and its tokens, at once (then 0 is returned) or when Perses has answered. Borrowed
 * until fn returns. ERR_PERSES_UNAVAILABLE: Perses is silent, or refuses the name and password, as
 * the log says. */
typedef void service_fn(void *arg, enum err err, struct str user, const struct credentials *c);
uint64_t service_ask(struct service *s, service_fn *fn, void *arg);
void service_forget(struct service *s, uint64_t id); /* 0 is fine */
/* The same if it is known now, else it is asked for and false. Borrowed until the loop goes on. */
bool service_known(struct service *s, struct str *user, const struct credentials **c);

/* The sign-in by itself, for doctor.c: anybody's. password NULL: an empty one. */
#define SERVICE_SIGN_IN "/api/auth/providers/native/login"
struct fetch *service_sign_in(struct gateway *g, const char *user, const struct secret *password,
                              const struct fetch_handler *h, void *arg);

#endif
