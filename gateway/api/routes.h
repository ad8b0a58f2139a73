/* gateway/api/routes.h: a request becomes a call: route found, method allowed, user known, body
 * parsed; then its handler runs.
 *
 * routes.def has one row a route: method, path, who may, handler, words for /openapi.json. 404, 405
 * (with Allow), 413, 415 and CORS are answered here. */
#ifndef GATEWAY_API_ROUTES_H
#define GATEWAY_API_ROUTES_H

#include "common/http.h"

void routes_on_request(void *gateway, struct http_request *r); /* http_callbacks.on_request */
struct str routes_on_refuse(void *gateway, const struct http_request *r,
                            unsigned status); /* http_callbacks.on_refuse */

#endif
