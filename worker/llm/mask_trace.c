#include "worker/llm/mask_trace.h"

void mask_trace_text(struct buf *b, const char *key, struct mask *mask, struct str json)
{
    scoped_buf(masked, 2 * MASK_TRACE_MAX);
    bool any = mask && mask->rules && mask_json(mask, json, &masked);
    if (!masked.overflowed) /* else it is left out: half of it could hold what is to be masked */
        trace_text(b, key, any ? buf_str(&masked) : json);
}
