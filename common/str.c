#include "common/str.h"

#include <string.h>
#include "common/check.h"
#include "common/utf8.h"
#include "common/word.h"

struct str str_of(const char *text)
{
    return text ? (struct str){text, strlen(text)} : (struct str){NULL, 0};
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool str_is(struct str a, const char *text) { return str_eq(a, str_of(text)); }

bool str_starts(struct str a, struct str prefix)
{
    return a.len >= prefix.len && str_eq((struct str){a.at, prefix.len}, prefix);
}

bool str_ends(struct str a, struct str end)
{
    return a.len >= end.len && str_eq(str_skip(a, a.len - end.len), end);
}

struct str str_skip(struct str a, size_t count)
{
    if (count > a.len)
        count = a.len;
    return count ? (struct str){a.at + count, a.len - count} : a;
}

struct str str_skip_bom(struct str a)
{
    return str_starts(a, STR("\xef\xbb\xbf")) ? str_skip(a, 3) : a;
}

bool str_split(struct str *rest, char sep, struct str *piece)
{
    if (rest->len == 0)
        return false;
    const char *cut = memchr(rest->at, sep, rest->len);
    if (!cut) {
        *piece = *rest;
        *rest = (struct str){NULL, 0};
        return true;
    }
    *piece = (struct str){rest->at, (size_t)(cut - rest->at)};
    *rest = str_skip(*rest, piece->len + 1);
    return true;
}

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct str str_trim(struct str a)
{
    while (a.len > 0 && blank(a.at[0]))
        a = str_skip(a, 1);
    while (a.len > 0 && blank(a.at[a.len - 1]))
        a.len--;
    return a;
}

bool str_u64(struct str a, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (a.at[i] < '0' || a.at[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(a.at[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

struct str str_cut(struct str a, size_t bytes_max)
{
    if (a.len > bytes_max)
        a.len = bytes_max;
    while (a.len > 0 && !str_utf8(a) && bytes_max - a.len < 4)
        a.len--;
    return a;
}

unsigned str_line(struct str a, size_t at)
{
    unsigned line = 1;
    for (size_t i = 0; i < at && i < a.len; i++)
        line += a.at[i] == '\n';
    return line;
}

char *str_dup(struct str a) { return xstrndup(a.at, a.len); }

bool str_utf8(struct str a)
{
    const unsigned char *at = (const unsigned char *)a.at;
    for (size_t i = 0; i < a.len;) {
        if (a.len - i >= 8) {
            uint64_t word = word_at(at + i);
            if (((word & EACH_BYTE(0x80)) | ZERO_BYTE(word)) == 0) {
                i += 8;
                continue;
            }
        }
        size_t len = at[i] == 0 ? 0 : at[i] < 0x80 ? 1 : utf8_len(at + i, a.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}
