/* gateway/auth/browser.h: what a browser may be made to do here by a page of somebody else:
 * nothing.
 *
 * It sends a person's cookies with whatever a page asks for. So what changes something is done only
 * for pages of the same origin (Perses's own, whose proxy the request came through) and of
 * PERSAI_CORS_ORIGINS. Without authentication a page could also call itself by a name that it has
 * pointed to loopback (DNS rebinding): then the host that was asked for must be ours. */
#ifndef GATEWAY_AUTH_BROWSER_H
#define GATEWAY_AUTH_BROWSER_H

#include "gateway/gateway.h"

/* Another site's page asked for this: Sec-Fetch-Site says so, or without it (old browsers, plain
 * HTTP) Origin is neither Host's nor X-Forwarded-Host's, and no proxy that is silent about the host
 * stands before a request that no form can make; and Origin is none of PERSAI_CORS_ORIGINS. */
bool browser_cross_site(const struct gateway *g, const struct http_request *r);
/* Is the request for a host of ours? Only asked with PERSAI_AUTH=false. */
bool browser_host_ok(const struct gateway *g, const struct http_request *r);
/* Adds the headers by which pages of PERSAI_CORS_ORIGINS may read the answer. True: the request is
 * their browser's question whether it may send one (a preflight), to be answered with 204. */
bool browser_cors(const struct gateway *g, struct http_request *r);

#endif
