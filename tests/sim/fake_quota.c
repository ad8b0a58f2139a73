/* proto/store/quota.h is not modelled: worlds have no limits, so nothing is reserved; ends are no
 * news. */

#include "common/check.h"
#include "proto/store/quota.h"

uint64_t quota_budget_begin(struct store *s, const struct quota_budget *b, struct id reservation,
                            uint64_t tokens, uint64_t cost, store_fn *fn, void *arg)
{
    (void)s, (void)b, (void)reservation, (void)tokens, (void)cost, (void)fn, (void)arg;
    CHECK(false && "not modelled");
    return 0;
}

void quota_budget_end(struct store *s, const struct quota_budget *b, struct id reservation,
                      uint64_t tokens, uint64_t cost)
{
    (void)s, (void)b, (void)reservation, (void)tokens, (void)cost;
}

uint64_t quota_key_begin(struct store *s, const struct quota_key *k, struct str owner,
                         struct id call, enum quota_place place, uint64_t tokens,
                         int64_t patience_ms, int64_t lease_ms, store_fn *fn, void *arg)
{
    (void)s, (void)k, (void)owner, (void)call, (void)place, (void)tokens, (void)patience_ms,
        (void)lease_ms;
    (void)fn, (void)arg;
    CHECK(false && "not modelled");
    return 0;
}

void quota_key_hold(struct store *s, const struct quota_key *k, struct id call, int64_t lease_ms)
{
    (void)s, (void)k, (void)call, (void)lease_ms;
}

void quota_key_end(struct store *s, const struct quota_key *k, struct id call, int64_t tokens,
                   int64_t block_ms, int64_t lease_ms, int64_t age_ms)
{
    (void)s, (void)k, (void)call, (void)tokens, (void)block_ms, (void)lease_ms, (void)age_ms;
}

uint64_t quota_keys_reset(struct store *s, store_fn *fn, void *arg)
{
    (void)s, (void)fn, (void)arg;
    CHECK(false && "not modelled");
    return 0;
}

uint64_t quota_turn_begin(struct store *s, struct str owner, struct id turn, uint32_t at_once,
                          uint32_t per_minute, int64_t lease_ms, const struct quota_budget *b,
                          store_fn *fn, void *arg)
{
    (void)s, (void)owner, (void)turn, (void)at_once, (void)per_minute, (void)lease_ms, (void)b;
    (void)fn, (void)arg;
    CHECK(false && "not modelled");
    return 0;
}

void quota_turn_hold(struct store *s, struct str owner, struct id turn, int64_t lease_ms)
{
    (void)s, (void)owner, (void)turn, (void)lease_ms;
}

void quota_turn_end(struct store *s, struct str owner, struct id turn)
{
    (void)s, (void)owner, (void)turn;
}

void quota_turn_end_note(struct store *s, struct str owner, struct id turn, struct id session,
                         int64_t bytes)
{
    (void)s, (void)owner, (void)turn, (void)session, (void)bytes;
}
