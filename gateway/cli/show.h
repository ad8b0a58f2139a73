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
    struct buf draft; /* those that are not on stdout yet: see show_event */
    int64_t first_ms; /* of the monotonic clock: when the first of the text came; 0: none did */
    struct {
        char call_id[96];
        int64_t began_ms, took_ms;
        bool failed;
    } calls[SHOW_CALLS_MAX]; /* of the batch that runs now */
    unsigned call_count;
};
void show_init(struct show *s, struct out *out);
void show_free(struct show *s); /* writes what is left of a step that was not completed */
/* A terminal shows text as it comes, and is told when a step is written again; by a pipe a step's
 * text goes when the step is over, so that nothing that was taken back is in it.
 * True: it was the turn's last event (for now, where calls wait). */
bool show_event(struct show *s, const json_t *payload, int64_t now_ms);

#endif
