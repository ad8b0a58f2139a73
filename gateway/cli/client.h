/* gateway/cli/client.h: requests to Perses and, through its proxy or straight, to PersAI; one at a
 * time, each waited for.
 *
 * What may be sent again is: after a cut line, on 429 and 503, and on 401 with a refreshed token.
 * Whoever asks for something new brings an Idempotency-Key. Ctrl-C ends the waiting; while a turn
 * is followed the first one cancels it at the server, and its end is waited for. */
#ifndef GATEWAY_CLI_CLIENT_H
#define GATEWAY_CLI_CLIENT_H

#include <jansson.h>
#include "common/buf.h"
#include "common/secret.h"
#include "proto/id.h"

enum client_status {
    CLIENT_OK,
    CLIENT_REFUSED,       /* an answer that is an error: code and message */
    CLIENT_NOT_SIGNED_IN, /* Perses knows the token no longer */
    CLIENT_LOST,          /* no answer, tried again and again */
    CLIENT_INTERRUPTED,
};
struct client;
struct client_config {
    const char *perses;                     /* http://…, no slash at its end; NULL: not known */
    const char *gateway;                    /* the gateway's own address, or NULL: through Perses */
    struct secret *take_refresh, *take_key; /* a refresh token, a key for programs; or NULL */
    void (*on_wait)(void *arg,
                    const char *why); /* once a call: it did not go, and is tried again */
    void *arg;
};
struct client *client_new(const struct client_config *config);
void client_free(struct client *c);

struct client_answer {
    enum client_status status;
    int http_status;
    json_t *body; /* NULL where it is no JSON; client_answer_free */
    char code[64], message[512];
    bool key_refused; /* CLIENT_NOT_SIGNED_IN: PERSAI_API_KEY is no key there */
};
void client_answer_free(struct client_answer *a);
/* To PersAI. body: borrowed, or NULL. key: an Idempotency-Key, or NULL. A turn's POST asks for its
 * answer at once (Prefer: respond-async). */
void client_call(struct client *c, const char *method, const char *path, const json_t *body,
                 const char *key, struct client_answer *a);
/* To Perses; signed_in: with the sign-in. */
void client_perses(struct client *c, const char *method, const char *path, const json_t *body,
                   bool signed_in, struct client_answer *a);
/* A POST whose body is secret: no core has it while its answer is waited for. */
void client_perses_secret(struct client *c, const char *path, const char *content_type,
                          struct secret *take_body, struct client_answer *a);

/* What Perses answered to a sign-in becomes this client's. False: it holds no tokens. */
bool client_sign_in(struct client *c, const json_t *tokens);
struct str client_refresh_token(const struct client *c); /* borrowed; empty without one */
/* Finds PersAI's datasource in Perses, and the path of the one to ask about: named, or the default
 * Prometheus. False: a holds why. */
bool client_discover(struct client *c, const char *datasource, struct buf *path,
                     struct client_answer *a);

/* Follows a turn, each event once and in order, over cut lines, until fn says that it was the last
 * one. payload: the event's. */
typedef bool client_event_fn(void *arg, const json_t *payload);
void client_follow(struct client *c, struct id session, struct id turn, const char *after,
                   client_event_fn *fn, void *arg, struct client_answer *a);
const char *client_last_event(const struct client *c); /* its id; "" before the first */
void client_wait(struct client *c, int64_t ms);        /* ends early by Ctrl-C */
bool client_interrupted(struct client *c);             /* since it was last asked */

#endif
