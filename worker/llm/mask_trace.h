/* worker/llm/mask_trace.h: what was said, as a span's attribute: masked, or left out. */
#ifndef WORKER_LLM_MASK_TRACE_H
#define WORKER_LLM_MASK_TRACE_H

#include "common/trace.h"
#include "worker/llm/mask.h"

enum { MASK_TRACE_MAX = 128 << 10 }; /* bytes of one; a span has 256 KiB */
/* json: a JSON text. */
void mask_trace_text(struct buf *b, const char *key, struct mask *mask, struct str json);

#endif
