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

bool str_is(struct str a, const char *text)
{
    if (a.len == 0 || !text)
        return a.len == 0 && (!text || text[0] == '\0');
    return a.at[0] == text[0] && str_eq(a, str_of(text)); /* most differ in their first letter */
}

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

struct str str_trim_slashes(struct str a)
{
    while (a.len > 0 && a.at[a.len - 1] == '/')
        a.len--;
    return a;
}

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

/* Does the character at this byte only go on with what stands before it: a joiner, an accent, a
 * variation, a skin's colour, a keycap, a letter of a flag's name? */
static bool is_mark(struct str at)
{
    static const struct {
        const char *first, *last;
    } marks[] = {{"\xcc\x80", "\xcd\xaf"},
                 {"\xe2\x80\x8d", "\xe2\x80\x8d"},
                 {"\xe2\x83\x90", "\xe2\x83\xb0"},
                 {"\xef\xb8\x80", "\xef\xb8\x8f"},
                 {"\xf0\x9f\x8f\xbb", "\xf0\x9f\x8f\xbf"},
                 {"\xf3\xa0\x80\xa0", "\xf3\xa0\x81\xbf"}};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        size_t len = strlen(marks[i].first);
        if (at.len >= len && memcmp(at.at, marks[i].first, len) >= 0 &&
            memcmp(at.at, marks[i].last, len) <= 0)
            return true;
    }
    return false;
}

/* One of the two halves of a country's flag. */
static bool is_flag_half(struct str at)
{
    return str_starts(at, STR("\xf0\x9f\x87")) && at.len >= 4 && (unsigned char)at.at[3] >= 0xa6;
}

/* Is a cut before this byte one through what people see as one character? Of its kinds the usual
 * ones (Unicode Standard Annex 29). */
static bool goes_on(struct str a, size_t at)
{
    struct str before = {a.at, at}, rest = str_skip(a, at);
    size_t halves = 0;
    while (at >= 4 * (halves + 1) && is_flag_half(str_skip(a, at - 4 * (halves + 1))))
        halves++;
    return is_mark(rest) || str_ends(before, STR("\xe2\x80\x8d")) ||
           (halves % 2 == 1 && is_flag_half(rest));
}

struct str str_cut(struct str a, size_t bytes_max)
{
    enum { CLUSTER_MAX = 64 }; /* a heap of accents has no end */
    if (a.len <= bytes_max && str_utf8(a))
        return a;
    struct str cut = {a.at, a.len > bytes_max ? bytes_max : a.len};
    while (cut.len > 0 && !str_utf8(cut) && bytes_max - cut.len < 4)
        cut.len--;
    for (size_t at = cut.len; at > 0 && cut.len - at < CLUSTER_MAX; at--)
        if (at == a.len || (((unsigned char)a.at[at] & 0xc0) != 0x80 && !goes_on(a, at)))
            return (struct str){a.at, at};
    return cut;
}

uint64_t str_hash(uint64_t before, struct str a)
{
    for (size_t i = 0; i < a.len; i++)
        before = (before ^ (unsigned char)a.at[i]) * UINT64_C(1099511628211);
    return before;
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
