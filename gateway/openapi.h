/* gateway/openapi.h: this API as an OpenAPI 3.1 document. */
#ifndef GATEWAY_OPENAPI_H
#define GATEWAY_OPENAPI_H

#include <jansson.h>
#include <stdbool.h>

/* A new reference. A route, an event or an error that openapi.json does not go with aborts. */
json_t *openapi_document(void);
/* To stdout. False: it could not be written. */
bool openapi_print(void);

#endif
