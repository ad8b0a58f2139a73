/* gateway/errand.h: a command of the operator's that does something in Redis and ends: once Redis
 * is there it begins, once all that it asked for is written it is over. Embed it. */
#ifndef GATEWAY_ERRAND_H
#define GATEWAY_ERRAND_H

#include "gateway/gateway.h"

struct errand {
    struct gateway *gateway; /* with loop, redis and store made */
    void (*begin)(void *arg);
    void *arg;
    struct loop_timer *timer;
    int64_t until_ms; /* Redis is waited for; 0: it has begun */
    bool over;
    int code; /* the process's exit code */
};
/* Runs the loop until errand_end. The exit code. */
int errand_run(struct errand *e);
void errand_end(struct errand *e, int code);
/* True: there is an error; it was said, and the errand is over. */
bool errand_failed(struct errand *e, enum err err);

#endif
