#include "tests/bench/script.h"

#include <string.h>
#include <time.h>

/* Plain words mostly, as a model says; some that every hop must escape and unescape right. */
static const struct word {
    const char *plain, *json;
} words[32] = {
    {" the", " the"},
    {" rate", " rate"},
    {" of", " of"},
    {" CPU", " CPU"},
    {" seconds", " seconds"},
    {" rose", " rose"},
    {" since", " since"},
    {" deploy", " deploy"},
    {".", "."},
    {" pod", " pod"},
    {" memory", " memory"},
    {"ing", "ing"},
    {"s", "s"},
    {" a", " a"},
    {" is", " is"},
    {" 0.", " 0."},
    {"42", "42"},
    {" node", " node"},
    {" and", " and"},
    {" latency", " latency"},
    {",", ","},
    {" p99", " p99"},
    {" by", " by"},
    {" instance", " instance"},
    {"\n", "\\n"},
    {" \"up\"", " \\\"up\\\""},
    {" \\d", " \\\\d"},
    {"\t", "\\t"},
    {" \xc3\xa9t\xc3\xa9", " \xc3\xa9t\\u00e9"},
    {" \xe6\x97\xa5\xe6\x9c\xac", " \xe6\x97\xa5\xe6\x9c\xac"},
    {" \xf0\x9f\x98\x80", " \\ud83d\\ude00"},
    {" \xe2\x82\xac</b>", " \xe2\x82\xac<\\/b>"},
};

static uint32_t mix(uint32_t seed, uint32_t index)
{
    uint64_t x = ((uint64_t)seed << 32 | index) + 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(x ^ (x >> 31));
}

/* Two letters of the hash follow the word, so that a token that is missing, twice or another
 * stream's shows at once and not only in the count at the end. */
static size_t word_put(uint32_t hash, const char *text, char *out)
{
    size_t n = strlen(text);
    memcpy(out, text, n);
    out[n] = (char)('a' + (hash >> 8) % 26);
    out[n + 1] = (char)('a' + (hash >> 16) % 26);
    return n + 2;
}

size_t script_word(const struct script *s, uint32_t index, char out[SCRIPT_WORD_MAX])
{
    uint32_t h = mix(s->seed, index);
    return word_put(h, words[h % 32].plain, out);
}

size_t script_word_json(const struct script *s, uint32_t index, char out[SCRIPT_WORD_MAX])
{
    uint32_t h = mix(s->seed, index);
    return word_put(h, words[h % 32].json, out);
}

static bool number(const char **at, const char *end, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;
    const char *p = *at;
    while (p < end && *p >= '0' && *p <= '9' && n <= max)
        n = n * 10 + (uint64_t)(*p++ - '0');
    if (p == *at || n > max)
        return false;
    *at = p;
    *out = (uint32_t)n;
    return true;
}

static bool marker(const char *p, const char *end, struct script *out)
{
    return number(&p, end, SCRIPT_TOKENS_MAX, &out->tokens) && p < end && *p++ == 'x' &&
           number(&p, end, SCRIPT_RATE_MAX, &out->rate) && p < end && *p++ == '-' &&
           number(&p, end, UINT32_MAX, &out->seed);
}

bool script_find(const char *bytes, size_t len, struct script *out)
{
    static const char key[] = "bench-";
    const size_t klen = sizeof(key) - 1;
    for (size_t at = len; at >= klen; at--) {
        const char *p = bytes + at - klen;
        if (*p == 'b' && memcmp(p, key, klen) == 0 && marker(p + klen, bytes + len, out))
            return true;
    }
    return false;
}

void script_stamp(uint64_t now_us, char out[SCRIPT_STAMP_BYTES])
{
    out[0] = '@';
    for (int i = 12; i > 0; i--, now_us >>= 4)
        out[i] = "0123456789abcdef"[now_us & 15];
}

uint64_t script_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}
