/* common/otlp_send.h: sends spans to a collector: OTLP over HTTP, as JSON, in batches.
 *
 * Nobody waits for it and nothing stops for it. One request at a time; one that is answered with
 * 429, 502, 503 or 504, or not at all, is sent again a few times, what is refused otherwise is
 * dropped (OTLP, "OTLP/HTTP Response"). A collector that asks for a pause (Retry-After) gets
 * nothing meanwhile, for 15 minutes at most. Every function takes NULL: it is off. */
#ifndef COMMON_OTLP_SEND_H
#define COMMON_OTLP_SEND_H

#include <stdbool.h>
#include <stdint.h>
#include "common/fetch.h"
#include "common/loop.h"
#include "common/otlp.h"

struct otlp_sender;
struct otlp_sender_config { /* texts are borrowed as long as it lives */
    struct loop *loop;
    struct fetch_pool *fetches;
    const char *endpoint;   /* http(s)://host:port; /v1/traces is added. "": nothing is sent */
    struct secret *headers; /* pairs.h; or NULL */
    const char *service;    /* service.name */
    const char *attributes; /* of the resource: pairs.h */
    const char *version, *instance;
};
/* NULL: it is off (error is ""), or why it can't be. */
struct otlp_sender *otlp_sender_new(const struct otlp_sender_config *c, char error[256]);
void otlp_sender_free(struct otlp_sender *o); /* what is still there is lost */
struct otlp *otlp_sender_queue(struct otlp_sender *o);
void otlp_sender_renew(struct otlp_sender *o, struct secret *headers); /* other ones; borrowed */
/* At the end of the process: sends what is there. Again until true: it was sent, or the collector
 * does not take it within a second, or wants to be left alone. */
bool otlp_leave(struct otlp_sender *o);

struct otlp_stats {
    uint64_t sent, dropped, refused, retries; /* spans; of requests: retries */
};
struct otlp_stats otlp_stats(const struct otlp_sender *o);

#endif
