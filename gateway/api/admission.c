#include "gateway/api/admission.h"

#include <stdio.h>
#include "common/loop.h"
#include "common/utc.h"

static void budget_used_up(struct admission *m, const char *which);

struct admission admission_of(const struct store_answer *a)
{
    struct admission m = {0};
    switch (a->quota.verdict) {
    case QUOTA_OK:
        break;
    case QUOTA_BYTES:
    case QUOTA_SESSIONS:
        m.err = ERR_QUOTA_EXCEEDED;
        break;
    case QUOTA_WAIT:
    case QUOTA_NEVER:
        m.err = ERR_RATE_LIMITED;
        m.retry_after_s = (uint32_t)(a->quota.wait_ms + 999) / 1000;
        snprintf(m.sentence, sizeof(m.sentence),
                 "You have as many turns as are allowed at once or in a minute");
        break;
    case QUOTA_TOKENS:
        budget_used_up(&m, "token");
        break;
    case QUOTA_COST:
    case QUOTA_TURN_COST:
        budget_used_up(&m, "cost");
        break;
    }
    return m;
}

static void budget_used_up(struct admission *m, const char *which)
{
    char till[UTC_TEXT_MAX];
    int64_t now_ms = loop_wall_ms(), reset_ms = (now_ms / UTC_DAY_MS + 1) * UTC_DAY_MS;
    utc_write(reset_ms, UTC_SECONDS, till);
    m->err = ERR_BUDGET;
    m->retry_after_s = (uint32_t)(reset_ms / 1000 - now_ms / 1000);
    snprintf(m->sentence, sizeof(m->sentence),
             "Your %s budget of today is used up; it resets at %s", which, till);
}

const char *admission_sentence(const struct admission *m)
{
    return *m->sentence ? m->sentence : NULL;
}
