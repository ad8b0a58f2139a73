#include "tests/bench/verify.h"

#include <string.h>

#define HASH_START 0xcbf29ce484222325u
#define HASH_PRIME 0x100000001b3u

static void word_load(struct verify *v)
{
    v->at = 0;
    v->word_len = (uint32_t)script_word(&v->script, v->index, v->word);
}

void verify_init(struct verify *v, const struct script *s)
{
    *v = (struct verify){.script = *s, .hash = HASH_START};
    word_load(v);
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void stamp_byte(struct verify *v, char c, uint64_t now_us, struct hist *delay)
{
    if (v->at == 0) {
        v->bad |= c != '@';
        v->stamp_us = 0;
        return;
    }
    int digit = hex(c);
    v->bad |= digit < 0;
    v->stamp_us = v->stamp_us << 4 | (unsigned)(digit & 15);
    if (v->at == SCRIPT_STAMP_BYTES - 1 && delay && !v->bad)
        hist_add(delay, now_us > v->stamp_us ? now_us - v->stamp_us : 0);
}

void verify_text(struct verify *v, const char *bytes, size_t len, uint64_t now_us,
                 struct hist *delay)
{
    for (size_t i = 0; i < len && !v->bad; i++) {
        v->hash = (v->hash ^ (unsigned char)bytes[i]) * HASH_PRIME;
        if (v->index >= v->script.tokens)
            v->bad = true; /* more than there is */
        else if (v->at < SCRIPT_STAMP_BYTES)
            stamp_byte(v, bytes[i], now_us, delay);
        else
            v->bad |= bytes[i] != v->word[v->at - SCRIPT_STAMP_BYTES];
        if (++v->at == SCRIPT_STAMP_BYTES + v->word_len) {
            v->index++;
            word_load(v);
        }
    }
}

bool verify_whole(const struct verify *v)
{
    return !v->bad && v->index == v->script.tokens && v->at == 0;
}

/* ---- just enough JSON: both formats are known, and a mistake shows as text that differs ---- */

const char *json_after(const char *p, const char *end, const char *key)
{
    size_t n = strlen(key);
    const char *at = memmem(p, (size_t)(end - p), key, n);
    return at ? at + n : NULL;
}

static bool unit(const char *p, const char *end, uint32_t *out)
{
    if (end - p < 4)
        return false;
    *out = 0;
    for (int i = 0; i < 4; i++) {
        int d = hex((char)(p[i] >= 'A' && p[i] <= 'F' ? p[i] + 32 : p[i]));
        if (d < 0)
            return false;
        *out = *out << 4 | (unsigned)d;
    }
    return true;
}

static size_t utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(lead[n] | c);
    return n;
}

/* p is after the backslash. */
static const char *unescape(const char *p, const char *end, char *out, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = p < end && *p ? strchr(from, *p) : NULL;
    uint32_t c, low;
    if (at) {
        out[(*n)++] = to[at - from];
        return p + 1;
    }
    if (p == end || *p != 'u' || !unit(p + 1, end, &c))
        return NULL;
    p += 5;
    if (c >= 0xd800 && c < 0xdc00) {
        if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || !unit(p + 2, end, &low))
            return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    *n += utf8(c, out + *n);
    return p;
}

const char *json_string(const char *p, const char *end, char *out, size_t max, size_t *len)
{
    size_t n = 0;
    while (p && p < end && *p != '"') {
        if (n + 4 > max)
            return NULL;
        if (*p == '\\')
            p = unescape(p + 1, end, out, &n);
        else
            out[n++] = *p++;
    }
    *len = n;
    return p && p < end ? p : NULL;
}
