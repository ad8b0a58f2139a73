#include "worker/tools/prometheus/extent.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/moment.h"
#include "worker/tools/sax.h"

enum { NESTING_MAX = 32 };
static const double seconds_max = 100.0 * 365 * 86400;
/* step() and range(), guessed */
static const double step_s[] = {3600, 10}, range_s[] = {31 * 86400.0, 10};

struct reader {
    struct str rest;
    enum extent_guess guess;
    unsigned depth;
};

static bool sum(struct reader *r, double *out);

bool extent_read(struct str text, enum extent_guess guess, int64_t *ms)
{
    struct reader r = {.rest = str_trim(text), .guess = guess};
    double seconds;
    if (!sum(&r, &seconds) || r.rest.len > 0 || !(fabs(seconds) <= seconds_max))
        return false;
    *ms = (int64_t)llround(seconds * 1000);
    return true;
}

static char peek(const struct reader *r) { return r->rest.len > 0 ? r->rest.at[0] : '\0'; }

static void skip(struct reader *r, size_t count)
{
    r->rest = str_skip(r->rest, count);
    while (r->rest.len > 0 && isspace((unsigned char)r->rest.at[0]))
        r->rest = str_skip(r->rest, 1);
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    skip(r, 1);
    return true;
}

/* 0s: no extent of time by itself, but a part of one, as in [30m+0s]. */
static bool is_nothing(struct str text, int64_t *ms)
{
    size_t zeros = 0;
    while (zeros < text.len && text.at[zeros] == '0')
        zeros++;
    char whole[8] = "1"; /* the same with a one: is what follows a unit? */
    *ms = 0;
    if (zeros == 0 || text.len - zeros > sizeof(whole) - 2)
        return false;
    memcpy(whole + 1, text.at + zeros, text.len - zeros);
    return moment_duration((struct str){whole, 1 + text.len - zeros}, &(int64_t){0});
}

/* A number of seconds or a duration. */
static bool literal(struct reader *r, double *out)
{
    char plain[64];
    size_t len = 0, used = 0;
    int64_t ms;
    while (used < r->rest.len) {
        char c = r->rest.at[used], before = used > 0 ? r->rest.at[used - 1] : '\0';
        bool exponent = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        if (!isalnum((unsigned char)c) && c != '.' && c != '_' && !exponent)
            break;
        if (len == sizeof(plain))
            return false;
        if (c != '_')
            plain[len++] = c;
        used++;
    }
    struct str text = {plain, len};
    if (len == 0)
        return false;
    if (len > 1 && plain[len - 1] == 'i') { /* MetricsQL: steps */
        if (!sax_double((struct str){plain, len - 1}, out))
            return false;
        *out *= step_s[r->guess];
    } else if (!sax_double(text, out)) {
        if (!moment_duration(text, &ms) && !is_nothing(text, &ms))
            return false;
        *out = (double)ms / 1000;
    }
    skip(r, used);
    return true;
}

/* min(a, b), max(a, b), step(), range() */
static bool call(struct reader *r, double *out)
{
    size_t len = 0;
    double a, b;
    while (len < r->rest.len && (isalpha((unsigned char)r->rest.at[len]) || r->rest.at[len] == '_'))
        len++;
    struct str name = {r->rest.at, len};
    bool step = len == 4 && strncasecmp(name.at, "step", 4) == 0;
    bool range = len == 5 && strncasecmp(name.at, "range", 5) == 0;
    bool least = len >= 3 && strncasecmp(name.at, "min", 3) == 0;
    bool most = len >= 3 && strncasecmp(name.at, "max", 3) == 0;
    skip(r, len);
    if (!take(r, '('))
        return false;
    if (step || range) {
        *out = (step ? step_s : range_s)[r->guess];
        return take(r, ')');
    }
    if ((!least && !most) || !sum(r, &a) || !take(r, ',') || !sum(r, &b) || !take(r, ')'))
        return false;
    *out = least ? fmin(a, b) : fmax(a, b);
    return true;
}

static bool atom(struct reader *r, double *out)
{
    bool minus = false;
    while (peek(r) == '-' || peek(r) == '+') {
        minus = minus != (peek(r) == '-');
        skip(r, 1);
    }
    bool ok = false;
    if (r->depth++ < NESTING_MAX) {
        if (take(r, '('))
            ok = sum(r, out) && take(r, ')');
        else
            ok = isalpha((unsigned char)peek(r)) ? call(r, out) : literal(r, out);
    }
    r->depth--;
    if (ok && take(r, '^')) {
        double power;
        ok = atom(r, &power);
        *out = ok ? pow(*out, power) : 0;
    }
    if (ok && minus)
        *out = -*out;
    return ok;
}

static bool product(struct reader *r, double *out)
{
    double next;
    if (!atom(r, out))
        return false;
    for (;;) {
        char c = peek(r);
        if (c != '*' && c != '/' && c != '%')
            return true;
        skip(r, 1);
        if (!atom(r, &next))
            return false;
        *out = c == '*' ? *out * next : c == '/' ? *out / next : fmod(*out, next);
    }
}

static bool sum(struct reader *r, double *out)
{
    double next;
    if (!product(r, out))
        return false;
    for (;;) {
        char c = peek(r);
        if (c != '+' && c != '-')
            return true;
        skip(r, 1);
        if (!product(r, &next))
            return false;
        *out += c == '+' ? next : -next;
    }
}
