/* gateway/api/call.h: what a handler has of a request: who calls, the path's ids, the body; and how
 * it answers. routes.c makes it and runs its handler.
 *
 * A call lives until it was answered; when the client leaves before, what it waits for is
 * forgotten. */
#ifndef GATEWAY_API_CALL_H
#define GATEWAY_API_CALL_H

#include <jansson.h>
#include "gateway/gateway.h"
#include "gateway/auth/identity.h"
#include "gateway/auth/keys.h"

/* How a door says that something went wrong, in its clients' own shape. */
typedef void call_error_fn(struct buf *b, enum err err, unsigned status, const char *sentence);

#define CALL_KEY_UNKNOWN "This API key is not known here, or was revoked"

struct call;
struct visitor;
/* A door: the client speaks another protocol. It uses the API's handlers, and is answered by these
 * where they would answer; NULL: as they do. Each ends the call, as the functions below do. */
struct call_hooks {
    void (*fail)(struct call *c, enum err err, const char *sentence);
    void (*decided)(struct call *c); /* what api_turns_resume was asked to */
    void (*cancelled)(struct call *c);
};

struct call {
    uint32_t magic;
    struct gateway *gateway;
    struct http_request *request;
    const struct route *route;   /* of routes.c */
    const char *act, *door_name; /* its operation and door, for the audit; act NULL: it is no act */
    enum err err;                /* with which it was failed */
    char user[USER_MAX_BYTES];   /* "" where the route needs none */
    struct credentials credentials;
    struct key_use key;      /* of a program; key.key NULL: a person asks */
    uint64_t service_id;     /* while the key's user signs in */
    struct visitor *visitor; /* of callers.h, until it is answered; NULL: nobody's */
    bool reading, cut;       /* its body is being taken in; its key was revoked meanwhile */
    call_error_fn *error;    /* NULL: as all of our own API */
    bool cross_site;         /* of another site's page: it may ask, not change, nor lend a token */
    struct id session, turn; /* of the path */
    uint32_t message;        /* of the path */
    char share[ID_TEXT + 1]; /* of the path: what makes its reader one; "" where it is malformed */
    json_t *body;            /* an object, or NULL where there was none */
    const struct call_hooks *hooks; /* NULL: the API itself */
    uint64_t identity_id;
    /* what the handler waits for: forgotten when the client leaves. 0: nothing */
    uint64_t store_call;
    struct visit visit;              /* to the store: begins with the handler */
    void *data;                      /* the handler's own */
    void (*on_gone)(struct call *c); /* the client left: what the handler must undo beside
                                        forgetting store_call; or NULL */
    void *door;                      /* a door's own; freed with the call unless it took it */
    void (*door_free)(void *door);
    uint64_t begun_ns;
    uint32_t retry_after_s; /* of a 429 or 503; 0: soon */
};

/* For routes.c: its key is used from here on; who revokes it ends the call. */
void call_use_key(struct call *c, struct key *key);
/* For routes.c: one that nobody is known to send yet. */
struct call *call_new(struct gateway *g, struct http_request *r);
void call_check(const struct call *c); /* that it is one, and lives */
void call_count(unsigned status);      /* an answer, in the metrics */

/* It leaves the place that it has for one at the store or at Perses (gateway/visits.h), and goes on
 * when it is its turn. */
void call_visit(struct call *c, struct visits *there, void (*go)(void *arg), void *arg);
/* It waits for neither from here on, but for a turn's end. */
void call_rest(struct call *c);

/* One of these ends the call: it is gone when they return. */
void call_reply(struct call *c, unsigned status, struct str json);
void call_reply_text(struct call *c, unsigned status, const char *content_type, struct str body);
/* The store has answered. False: with an error, which is the call's answer. */
bool call_stored(struct call *c, enum err err) warn_unused;
void call_fail(struct call *c, enum err err, const char *sentence); /* sentence NULL: the table's */
/* The response becomes an event stream of http; the call is gone. */
struct http_stream *call_stream(struct call *c, const char *content_type,
                                const struct http_stream_handler *h, void *arg);

/* A string field of the body. Absent: *out {NULL, 0}. Wrong type or longer than max: false, the
 * call was failed with 422. */
bool call_text(struct call *c, const char *key, size_t max, struct str *out);
/* A message's id in the body: as GET /session gives it, or a number. False: it is none, the call
 * was failed with 422. */
bool call_message(struct call *c, const char *key, uint32_t *out);
/* Can the time range of the body's context be read? False: no, the call was failed with 422. */
bool call_range(struct call *c);
/* One person's bodies, what is read from them and what their streams keep are a quarter of what all
 * may hold: else who sends or reads slowly would have all. False: the call was failed with 429. */
bool call_person_has_room(struct call *c, uint64_t bytes);
/* Room for what its stream keeps until its client takes it. False: the call was failed with 429 or
 * 503. */
bool call_keep(struct call *c, size_t bytes);
/* The Idempotency-Key header, hashed with the user's name; empty when absent. */
struct str call_key(struct call *c, char out[65]);
/* What is asked for under that key, hashed with it: the body, however its JSON is written, and what
 * of the query belongs to it. Empty without a key. */
struct str call_body(struct call *c, struct str query, char out[65]);

/* The handlers: of each row of routes.def, api_ and its name. */
#define ROUTE(method, path, who, handler, body, bytes, summary) void api_##handler(struct call *c);
#include "gateway/routes.def"
#undef ROUTE

#endif
