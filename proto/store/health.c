#include "proto/store/health.h"

#include "common/check.h"
#include "common/log.h"

static const struct {
    const char *word, *advice;
} problems[] = {
#define X(name, word, advice) {word, advice},
    STORE_PROBLEMS(X)
#undef X
};

const char *store_problem_advice(enum store_problem i) { return problems[i].advice; }

/* The value in a line "name:value\r\n"; empty: there is none. */
static struct str field(struct str info, const char *name)
{
    struct str line, key;
    while (str_split(&info, '\n', &line)) {
        line = str_trim(line);
        if (str_split(&line, ':', &key) && str_is(key, name))
            return line;
    }
    return STR("");
}

static uint64_t leading_number(struct str text)
{
    uint64_t n = 0;
    struct str digits = {NULL, 0};
    str_split(&text, '.', &digits);
    return str_u64(digits, UINT32_MAX, &n) ? n : 0;
}

unsigned store_health(struct str info, unsigned replicas)
{
    struct str policy = field(info, "maxmemory_policy"), version = field(info, "redis_version");
    unsigned found = 0;
    if (policy.len > 0 && !str_is(policy, "noeviction"))
        found |= 1u << STORE_EVICTS;
    if (str_is(field(info, "aof_enabled"), "0"))
        found |= 1u << STORE_FORGETS;
    if (str_is(field(info, "aof_last_write_status"), "err"))
        found |= 1u << STORE_STUCK;
    if (version.len > 0 && leading_number(version) < 7)
        found |= 1u << STORE_OLD;
    if (leading_number(field(info, "connected_slaves")) < replicas)
        found |= 1u << STORE_ALONE;
    return found;
}

void store_health_log(unsigned *told, const char *where, struct str info, unsigned replicas)
{
    unsigned fresh = store_health(info, replicas) & ~*told;
    for (unsigned i = 0; i < STORE_PROBLEM_COUNT; i++)
        if ((fresh & 1u << i) != 0)
            log_warn("redis.unfit", "where=%s what=%s why=%s", where, problems[i].word,
                     log_text(str_of(problems[i].advice)));
    *told |= fresh;
}
