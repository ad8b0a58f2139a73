/* gateway/cli/talk.h: one conversation: ask, follow, decide on what waits. What ask, chat and
 * approve share. */
#ifndef GATEWAY_CLI_TALK_H
#define GATEWAY_CLI_TALK_H

#include "gateway/cli/client.h"
#include "gateway/cli/out.h"
#include "proto/id.h"

enum exit_code { /* as usage.c tells them */
                 EXIT_ANSWERED,
                 EXIT_ERROR,
                 EXIT_USAGE,
                 EXIT_NOT_SIGNED_IN,
                 EXIT_CANCELLED,
                 EXIT_AWAITING,
};
struct talk {
    struct client *client;
    struct out *out;
    struct id session;
    const char *perses; /* for the conversation's address; or NULL */
    const char *datasource, *model, *range;
    bool yes, refuse;           /* decide so on all that waits */
    bool made, refused;         /* the conversation is new; its question was not taken */
    int64_t asked_ms, first_ms; /* of the last question, monotonic; first_ms 0: no text came */
};
/* Says it, with its code where there is one. */
enum exit_code talk_failed(struct out *out, const struct client_answer *a);
enum exit_code talk_begin(struct talk *t); /* a new conversation */
enum exit_code talk_latest(struct talk *t, bool *found);
enum exit_code talk_ask(struct talk *t, const char *question);
/* What runs or waits in the conversation: it is followed to its end. has: false, nothing does. */
enum exit_code talk_rejoin(struct talk *t, bool *has);
/* One that was made for a question that was refused: nobody would miss it. */
void talk_drop(struct talk *t);
void talk_timing(const struct talk *t);  /* how long it took until now */
void talk_address(const struct talk *t); /* the last line */

#endif
