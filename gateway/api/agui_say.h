/* gateway/api/agui_say.h: a turn's events as those of AG-UI 1.0 (docs.ag-ui.com). Pure.
 *
 * Each step of the model is a message of its own, t-0 of an attempt; what it called is shown when
 * it was run. Whatever is open is closed before the run ends, as the protocol wants it. */
#ifndef GATEWAY_API_AGUI_SAY_H
#define GATEWAY_API_AGUI_SAY_H

#include <jansson.h>
#include "common/buf.h"

struct agui_say {
    char *thread, *run; /* as the client calls them */
    char message[128];  /* of this attempt of this step */
    bool text_open, reasoning_open, step_open, over;
    char step[64];
};
void agui_say_init(struct agui_say *s, struct str thread, struct str run);
void agui_say_free(struct agui_say *s);
void agui_say_event(struct agui_say *s, struct str payload, struct buf *out);

#endif
