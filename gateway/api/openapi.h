/* gateway/api/openapi.h: this API as an OpenAPI 3.1 document. */
#ifndef GATEWAY_API_OPENAPI_H
#define GATEWAY_API_OPENAPI_H

#include <jansson.h>
#include <stdbool.h>
#include "common/buf.h"

/* A new reference. A route, an event or an error that openapi.json does not go with aborts. */
json_t *openapi_document(void);
/* Has a body the shape that this route's schema says? As body_shape_fits; true where it has none.
 */
bool openapi_body_fits(const char *handler, const json_t *body, struct buf *why);
/* To stdout. False: it could not be written. */
bool openapi_print(void);

#endif
