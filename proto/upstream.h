/* proto/upstream.h: where a datasource's proxy in Perses leads, and whether it hands the person's
 * sign-in on. Pure.
 *
 * Perses's proxy gives each upstream what it was asked with: cookies (a refresh token is among
 * them) and Authorization (perses v0.54.0, internal/api/impl/proxy/proxy.go, prepareRequest). A
 * header of the datasource's own replaces it, but never Authorization: that only a secret does, by
 * basicAuth, authorization or oauth. A secret that has nothing but tlsConfig replaces nothing. */
#ifndef PROTO_UPSTREAM_H
#define PROTO_UPSTREAM_H

#include <jansson.h>
#include <stdbool.h>
#include "common/buf.h"

enum { UPSTREAM_SERVER_MAX = 280 };
struct upstream {
    char server[UPSTREAM_SERVER_MAX]; /* scheme://host:port; empty: its URL can't be read */
    bool blanks_cookies;
    struct str secret; /* name of the one that may replace Authorization, or empty; borrowed */
};
/* datasource: its spec, {"plugin":{"spec":{"proxy":{"kind","spec":{"url",…}}}}}. False: it has no
 * HTTP proxy. What Perses could read in another way has no server and blanks nothing. */
bool upstream_read(const json_t *datasource, struct upstream *out);
/* Does this secret (its spec) replace Authorization? */
bool upstream_replaces(const json_t *secret);

#endif
