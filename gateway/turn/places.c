#include "gateway/turn/places.h"

#include "proto/store/quota.h"
#include "proto/store/tally.h"

static uint64_t take(struct gateway *g, struct str owner, struct id quota_id, uint32_t per_minute,
                     store_fn *fn, void *arg)
{
    const struct gateway_settings *s = &g->settings;
    struct quota_budget b = {
        .day = tally_today(), .tokens_max = s->user_tokens, .cost_max = s->user_cost};
    if (!s->user_turns && !per_minute && !s->store.user_bytes_max && !b.tokens_max && !b.cost_max)
        return 0;
    return quota_turn_begin(g->store, owner, quota_id, s->user_turns, per_minute, s->store.lease_ms,
                            &b, fn, arg);
}

uint64_t places_begin(struct gateway *g, struct str owner, struct id quota_id, store_fn *fn,
                      void *arg)
{
    return take(g, owner, quota_id, g->settings.user_turns_minute, fn, arg);
}

uint64_t places_resume(struct gateway *g, struct str owner, struct id quota_id, store_fn *fn,
                       void *arg)
{
    return take(g, owner, quota_id, 0, fn, arg);
}
