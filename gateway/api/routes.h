/* gateway/api/routes.h: a request becomes a call: route found, method allowed, user known, body
 * parsed; then its handler runs.
 *
 * routes.def has one row a route: method, path, who may, handler, words for /openapi.json. 404, 405
 * (with Allow), 413, 415 and CORS are answered here. A call lives until it was answered; when the
 * client leaves before, what it waits for is forgotten. */
#ifndef GATEWAY_API_ROUTES_H
#define GATEWAY_API_ROUTES_H

#include <jansson.h>
#include "gateway/gateway.h"
#include "gateway/auth/identity.h"

struct call {
    uint32_t magic;
    struct gateway *gateway;
    struct http_request *request;
    const struct route *route;
    char user[USER_MAX_BYTES]; /* "" where the route needs none */
    struct credentials credentials;
    bool cross_site;         /* of another site's page: it may ask, not change, nor lend a token */
    struct id session, turn; /* of the path */
    uint32_t message;        /* of the path */
    json_t *body;            /* an object, or NULL where there was none */
    uint64_t identity_id;
    /* what the handler waits for: forgotten when the client leaves. 0: nothing */
    uint64_t store_call;
    struct visit visit;              /* to the store: begins with the handler */
    void *data;                      /* the handler's own */
    void (*on_gone)(struct call *c); /* the client left: what the handler must undo beside
                                        forgetting store_call; or NULL */
    uint64_t begun_ns;
    uint32_t retry_after_s; /* of a 429 or 503; 0: soon */
};

void routes_on_request(void *gateway, struct http_request *r); /* http_callbacks.on_request */
struct str routes_on_refuse(void *gateway, unsigned status);   /* http_callbacks.on_refuse */

/* One of these ends the call: it is gone when they return. */
void call_reply(struct call *c, unsigned status, struct str json);
void call_reply_text(struct call *c, unsigned status, const char *content_type, struct str body);
void call_fail(struct call *c, enum err err, const char *sentence); /* sentence NULL: the table's */
/* The response becomes an event stream of http; the call is gone. */
struct http_stream *call_stream(struct call *c, const char *content_type,
                                const struct http_stream_handler *h, void *arg);

/* A string field of the body. Absent: *out {NULL, 0}. Wrong type or longer than max: false, the
 * call was failed with 422. */
bool call_text(struct call *c, const char *key, size_t max, struct str *out);
/* The Idempotency-Key header, hashed with the user's name; empty when absent. */
struct str call_key(struct call *c, char out[65]);
/* What is asked for under that key, hashed with it: the body, however its JSON is written, and what
 * of the query belongs to it. Empty without a key. */
struct str call_body(struct call *c, struct str query, char out[65]);

/* The first line of a question, blanks trimmed, cut at a character: what a session is called. */
struct str title_of(struct str message, size_t max);

/* Handlers, by file. */
void sessions_post(struct call *c);
void sessions_list(struct call *c);
void sessions_get(struct call *c);
void sessions_patch(struct call *c);
void sessions_delete(struct call *c);
void sessions_fork(struct call *c);
void sessions_message_patch(struct call *c);
void sessions_message_delete(struct call *c);
void turns_post(struct call *c);
void turns_events(struct call *c);
void turns_cancel(struct call *c);
void turns_resume(struct call *c);
void webhook_alertmanager(struct call *c);
void meta_models(struct call *c);
void meta_tools(struct call *c);
void meta_healthz(struct call *c);
void meta_readyz(struct call *c);
void meta_metrics(struct call *c);
void meta_openapi(struct call *c);

#endif
