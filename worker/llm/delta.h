/* worker/llm/delta.h: the one event of a model's stream that comes by the thousand, a piece of text
 * and nothing else, read in place: no tree, no allocation. Each wire format has its shape.
 *
 * It knows only what it is sure of. Any other event (a tool call, reasoning, a stop reason, usage,
 * an error, an escape that needs care, a key twice, nonsense) is not for it: false, and the JSON
 * library reads it. */
#ifndef WORKER_LLM_DELTA_H
#define WORKER_LLM_DELTA_H

#include <stdbool.h>
#include "common/buf.h"

enum delta_shape { DELTA_CHAT, DELTA_RESPONSES, DELTA_MESSAGES, DELTA_GENERATE };
/* True: data is a whole event whose meaning is this text (which may be empty). text lies in data
 * or, when it had escapes, in scratch. */
bool delta_text(enum delta_shape shape, struct str data, struct buf *scratch, struct str *text);

#endif
