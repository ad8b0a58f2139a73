/* gateway/hand_over.h: --hand-over NAME NEW: the conversations of one owner become another's.
 *
 * NAME and NEW are names of Perses users, or owners as user.h spells them. Which account of NAME is
 * meant must be plain: where several have conversations they are listed, nothing is moved. NEW is
 * the latest account of that name which was here: who was never here, nobody knows yet. */
#ifndef GATEWAY_HAND_OVER_H
#define GATEWAY_HAND_OVER_H

struct gateway;

/* With loop, redis and store made. Tells what it did; the process's exit code: 0 when all were
 * moved. */
int hand_over_run(struct gateway *g, const char *from, const char *to);

#endif
