#include "common/duration.h"

#include <stdio.h>
#include <string.h>

enum { UNITS = 7, LARGEST_WRITTEN = 2 };
static const struct unit {
    const char *name;
    int64_t ms;
} units[UNITS] = {{"y", 31536000000}, {"w", 604800000}, {"d", 86400000}, {"h", 3600000},
                  {"m", 60000},       {"s", 1000},      {"ms", 1}};

static bool take_part(struct str *text, int64_t *ms);
static int64_t take_unit(struct str *text);

bool duration_parse(struct str text, int64_t *ms)
{
    int64_t sum = 0, part;
    bool zero = str_is(text, "0");
    if (text.len == 0)
        return false;
    while (text.len > 0 && !zero)
        if (!take_part(&text, &part) || __builtin_add_overflow(sum, part, &sum))
            return false;
    *ms = sum;
    return true;
}

static size_t digits_of(struct str text)
{
    size_t len = 0;
    while (len < text.len && text.at[len] >= '0' && text.at[len] <= '9')
        len++;
    return len;
}

static bool take_part(struct str *text, int64_t *ms)
{
    uint64_t whole;
    double rest = 0, worth = 0.1;
    size_t len = digits_of(*text);
    if (!str_u64((struct str){text->at, len}, INT64_MAX, &whole))
        return false;
    *text = str_skip(*text, len);
    if (text->len > 0 && text->at[0] == '.') {
        *text = str_skip(*text, 1);
        len = digits_of(*text);
        if (len == 0)
            return false;
        for (size_t i = 0; i < len; i++, worth /= 10)
            rest += (text->at[i] - '0') * worth;
        *text = str_skip(*text, len);
    }
    int64_t unit = take_unit(text), fraction = (int64_t)(rest * (double)unit + 0.5);
    return unit > 0 && !__builtin_mul_overflow((int64_t)whole, unit, ms) &&
           !__builtin_add_overflow(*ms, fraction, ms);
}

/* All letters behind a number; 0: they are no unit. */
static int64_t take_unit(struct str *text)
{
    size_t len = 0;
    while (len < text->len && (text->at[len] | 32) >= 'a' && (text->at[len] | 32) <= 'z')
        len++;
    struct str name = {text->at, len};
    *text = str_skip(*text, len);
    for (size_t i = 0; i < UNITS; i++)
        if (str_is(name, units[i].name))
            return units[i].ms;
    return 0;
}

const char *duration_write(int64_t ms)
{
    static char texts[4][64];
    static unsigned next;
    char *text = texts[next++ % 4];
    size_t len = 0;
    if (ms < 120000 && ms % 1000 == 0) { /* 90s rather than 1m30s */
        snprintf(text, sizeof(texts[0]), "%llds", (long long)(ms / 1000));
        return text;
    }
    for (size_t i = LARGEST_WRITTEN; i < UNITS; i++) {
        int64_t count = ms / units[i].ms;
        ms -= count * units[i].ms;
        if (count > 0 && len < sizeof(texts[0]) - 24)
            len += (size_t)snprintf(text + len, sizeof(texts[0]) - len, "%lld%s", (long long)count,
                                    units[i].name);
    }
    return text;
}
