/* tests/sim/web.h: a client's HTTP request and what comes back, between client.c and a gateway.
 *
 * One connection a request. What a gateway writes arrives in order, until one end or the way
 * between them fails: then nothing more does, and each end is told later or never finds out. */
#ifndef TESTS_SIM_WEB_H
#define TESTS_SIM_WEB_H

#include "tests/sim/world.h"

struct client;
enum web_kind { WEB_POST, WEB_FOLLOW, WEB_CANCEL };
struct web {
    unsigned refs;
    enum web_kind kind;
    struct client *client; /* NULL: it left */
    struct proc *gateway;
    unsigned life;
    bool async, proxied; /* POST: Prefer: respond-async; came through a proxy */
    char user[32], key[40], message[64], last_id[32];
    struct id session, turn;
    int64_t last_us;
    size_t under_way, window; /* bytes: sent and not arrived; the most of them */
    void *request;            /* the gateway's, while it has it */
};
struct web *web_new(struct client *c, struct proc *gateway, enum web_kind kind);
struct web *web_ref(struct web *w);
void web_free(struct web *w); /* one reference less */
void web_send(struct web *w); /* the request leaves */
void web_drop(struct web *w); /* the client hangs up; the gateway learns of it */
/* The gateway answers. */
void web_status(struct web *w, unsigned status, struct str body);
void web_bytes(struct web *w, struct str bytes);
void web_end(struct web *w);
void web_gateway_died(struct proc *p); /* its connections are reset */

/* client.c: what arrives. */
void client_on_status(struct client *c, struct web *w, unsigned status, struct str body);
void client_on_bytes(struct client *c, struct web *w, struct str bytes);
void client_on_end(struct client *c, struct web *w);
struct web *client_web(unsigned index); /* the index'th one's present request, or NULL */
enum { CLIENT_WEBS_MAX = 16 };

#endif
