#include "proto/peer.h"

#include "common/check.h"

void peer_init(struct peer *p, int64_t now_ms)
{
    *p = (struct peer){
        .state = PEER_FRESH, .heard_ms = now_ms, .beat_ms = INT64_MIN, .asked_ms = now_ms};
}

void peer_heard(struct peer *p, int64_t now_ms)
{
    CHECK(now_ms >= p->heard_ms);
    if (p->state == PEER_DEAD)
        return; /* its turns have gone to others: a late frame must not revive it */
    p->state = PEER_ALIVE;
    p->heard_ms = now_ms;
    p->silent_ms = 0;
}

enum peer_state peer_at(struct peer *p, int64_t now_ms, int64_t dead_ms)
{
    int64_t since_ms = p->heard_ms > p->asked_ms ? p->heard_ms : p->asked_ms;
    int64_t passed_ms = now_ms - since_ms, most_ms = dead_ms / 4;
    p->silent_ms += passed_ms < most_ms ? passed_ms : most_ms;
    p->asked_ms = now_ms;
    if (p->state == PEER_ALIVE && p->silent_ms > dead_ms)
        p->state = PEER_DEAD;
    return p->state;
}

int peer_beat_due(struct peer *p, int64_t now_ms, int64_t every_ms)
{
    if (p->beat_ms != INT64_MIN && now_ms - p->beat_ms < every_ms)
        return 0;
    p->beat_ms = now_ms;
    return 1;
}
