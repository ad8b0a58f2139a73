/* gateway/cli/show.h: a turn's events → what the person sees, and how it ended. */
#ifndef GATEWAY_CLI_SHOW_H
#define GATEWAY_CLI_SHOW_H

#include <jansson.h>
#include "gateway/cli/out.h"

enum show_end { SHOW_GOES_ON, SHOW_ANSWERED, SHOW_FAILED, SHOW_CANCELLED, SHOW_AWAITING };
enum { SHOW_CALLS_MAX = 64 };
struct show {
    struct out *out;
    enum show_end end;
    char step[96];
    int64_t attempt;
    size_t printed;   /* bytes of the step that runs now */
    int64_t first_ms; /* of the monotonic clock: when the first of the text came; 0: none did */
    struct {
        char call_id[96];
        int64_t began_ms, took_ms;
        bool failed;
    } calls[SHOW_CALLS_MAX]; /* of the batch that runs now */
    unsigned call_count;
};
void show_init(struct show *s, struct out *out);
/* True: it was the turn's last event (for now, where calls wait). */
bool show_event(struct show *s, const json_t *payload, int64_t now_ms);

#endif
