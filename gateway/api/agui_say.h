/* gateway/api/agui_say.h: a turn's events as those of AG-UI 1.0 (docs.ag-ui.com). Pure.
 *
 * Each step of the model is a message of its own, t-0 of an attempt; what it called is shown when
 * it was run. Whatever is open is closed before the run ends, as the protocol wants it. */
#ifndef GATEWAY_API_AGUI_SAY_H
#define GATEWAY_API_AGUI_SAY_H

#include <jansson.h>
#include "common/buf.h"
#include "proto/store/answer.h"

struct agui_say {
    char *thread, *run; /* as the client calls them */
    char message[128];  /* of this attempt of this step */
    bool text_open, reasoning_open, step_open, over;
    bool started;        /* RUN_STARTED was said */
    struct buf snapshot; /* what follows it: MESSAGES_SNAPSHOT, or nothing */
    char turn[ID_TEXT + 1];
    char step[64];
};
void agui_say_init(struct agui_say *s, struct str thread, struct str run);
void agui_say_free(struct agui_say *s);
/* The turn that the run is: interrupts are named by it. */
void agui_say_turn(struct agui_say *s, struct id turn);
/* What the conversation has, page by page, for a client that comes again: all messages of turns
 * that are over, and the question of the one that runs (zero: none does), whose events follow.
 * False: it is too large to be told. */
bool agui_say_snapshot(struct agui_say *s, const struct store_message *messages, unsigned count,
                       struct id running);
void agui_say_snapshot_end(struct agui_say *s); /* after the last page */
/* A run of which nothing more comes: what there is, and its end. */
void agui_say_nothing(struct agui_say *s, struct buf *out);
void agui_say_event(struct agui_say *s, struct str payload, struct buf *out);

/* An entry of resume, as decisions of …/resume have it. False: its interrupt is none that was given
 * out. */
bool agui_decision(const json_t *entry, struct id *turn, json_t **decision);

#endif
