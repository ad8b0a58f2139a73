/* gateway/api/body_shape.h: does a body have the shape that /openapi.json says? Types, what must be
 * there, and what may be where nothing else may: bounds and formats are its handler's to check,
 * which says more than "does not match". Pure. */
#ifndef GATEWAY_API_BODY_SHAPE_H
#define GATEWAY_API_BODY_SHAPE_H

#include <jansson.h>
#include "common/buf.h"

/* schemas: components.schemas of the document, for its $refs. False: where and why it does not fit
 * is appended to why, as "context.panels[2].title must be a string". */
bool body_shape_fits(const json_t *schemas, const json_t *schema, const json_t *value,
                     struct buf *why);

#endif
