#include "worker/breaker.h"

#include "common/check.h"

const char *breaker_state_name(enum breaker_state s)
{
    static const char *const names[] = {
#define X(name) #name,
        BREAKER_STATES(X)
#undef X
    };
    CHECK((unsigned)s < sizeof(names) / sizeof(names[0]));
    return names[s];
}

static void open_for_longer(struct breaker *b, int64_t now_ms)
{
    b->open_ms = b->open_ms == 0 ? BREAKER_OPEN_MS : 2 * b->open_ms;
    if (b->open_ms > BREAKER_OPEN_MS_MAX)
        b->open_ms = BREAKER_OPEN_MS_MAX;
    b->state = BREAKER_OPEN;
    b->until_ms = now_ms + b->open_ms;
}

void breaker_succeeded(struct breaker *b) { *b = (struct breaker){.state = BREAKER_CLOSED}; }

uint64_t breaker_owner(struct str name) { return str_hash(STR_HASH_NONE, name) | 1; }

bool breaker_is_against(const struct breaker *b, uint64_t owner)
{
    return b->state != BREAKER_CLOSED && (b->blamed == 0 || b->blamed == owner);
}

void breaker_failed(struct breaker *b, uint64_t owner, int64_t now_ms)
{
    if (b->state == BREAKER_CLOSED && b->failures == 0) {
        b->blamed = owner;
    } else if (b->blamed != 0 && b->blamed != owner) {
        b->blamed = 0;
        if (b->open_ms > BREAKER_OPEN_MS) { /* that long for one owner's failures */
            b->open_ms = 0;
            open_for_longer(b, now_ms);
            return;
        }
    }
    switch (b->state) {
    case BREAKER_CLOSED:
        if (++b->failures >= BREAKER_FAILURES)
            open_for_longer(b, now_ms);
        return;
    case BREAKER_PROBE:
        open_for_longer(b, now_ms);
        return;
    case BREAKER_OPEN:
        return; /* of a call that had begun before: known already */
    }
}

int64_t breaker_wait_ms(struct breaker *b, uint64_t owner, int64_t now_ms)
{
    if (!breaker_is_against(b, owner))
        return 0;
    if (now_ms < b->until_ms)
        return b->until_ms - now_ms;
    b->state = BREAKER_PROBE; /* a probe that was never heard of again is replaced */
    b->until_ms = now_ms + BREAKER_PROBE_MS;
    return 0;
}
