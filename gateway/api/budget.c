/* gateway/api/budget.c: what a person may use today, and what is left of it. */
#include "common/json.h"
#include "common/utc.h"
#include "gateway/api/call.h"
#include "proto/store/quota.h"
#include "proto/store/tally.h"

enum { DOLLAR = 1000000, ANSWER_BYTES_MAX = 1024 };

static void on_used(void *arg, enum err err, const struct store_answer *a);
static void say(struct call *c, uint64_t tokens, uint64_t cost);

void api_budget_get(struct call *c)
{
    const struct gateway_settings *s = &c->gateway->settings;
    if (!s->user_tokens && !s->user_cost) {
        say(c, 0, 0);
        return;
    }
    c->store_call = quota_budget_read(c->gateway->store, str_of(c->user),
                                      &(struct quota_budget){.day = tally_today()}, on_used, c);
}

static void on_used(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (call_stored(c, err))
        say(c, a->budget.tokens, a->budget.cost);
}

/* One step may go over it. */
static uint64_t left_of(uint64_t most, uint64_t used) { return used < most ? most - used : 0; }

static void say_dollars(struct buf *b, const char *key, uint64_t cost)
{
    buf_printf(b, "\"%s\":%llu.%06llu", key, (unsigned long long)(cost / DOLLAR),
               (unsigned long long)(cost % DOLLAR));
}

static void say(struct call *c, uint64_t tokens, uint64_t cost)
{
    const struct gateway_settings *s = &c->gateway->settings;
    scoped_buf(b, ANSWER_BYTES_MAX);
    buf_putc(&b, '{');
    utc_field(&b, "resets_at", (int64_t)(tally_today() + 1) * UTC_DAY_MS, UTC_SECONDS);
    if (s->user_tokens)
        buf_printf(&b, ",\"tokens\":{\"most\":%llu,\"left\":%llu}",
                   (unsigned long long)s->user_tokens,
                   (unsigned long long)left_of(s->user_tokens, tokens));
    if (s->user_cost) {
        buf_puts(&b, ",\"cost\":{");
        say_dollars(&b, "most", s->user_cost);
        buf_putc(&b, ',');
        say_dollars(&b, "left", left_of(s->user_cost, cost));
        buf_putc(&b, '}');
    }
    buf_putc(&b, '}');
    call_reply(c, 200, buf_str(&b));
}
