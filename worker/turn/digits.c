#include "worker/turn/digits.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t power_len(struct str text);

bool digits_here(struct str text, size_t at)
{
    return at < text.len && isdigit((unsigned char)text.at[at]);
}

/* "12 000": a blank, and three digits behind it. */
static bool groups(struct str text, size_t at)
{
    return text.at[at] == ' ' && digits_here(text, at + 1) && digits_here(text, at + 2) &&
           digits_here(text, at + 3) && !digits_here(text, at + 4);
}

size_t digits_len(struct str text, size_t at)
{
    size_t len = 0;
    while (at + len < text.len) {
        char c = text.at[at + len];
        bool parts = (c == ',' || c == '.' || c == '\'') && digits_here(text, at + len + 1);
        if (!isdigit((unsigned char)c) && !parts && !groups(text, at + len))
            break;
        len++;
    }
    size_t e = at + len, sign = e + 1 < text.len && strchr("+-", text.at[e + 1]) ? 1 : 0;
    if (len > 0 && e < text.len && (text.at[e] | 32) == 'e' && digits_here(text, e + 1 + sign))
        for (len += 1 + sign; digits_here(text, at + len);) /* 3.2e-05 */
            len++;
    size_t power = len > 0 ? power_len(str_skip(text, at + len)) : 0;
    return len + power;
}

bool digits_read(struct str digits, char decimal, double *value, double *slack)
{
    char plain[DIGITS_MAX];
    size_t n = 0, decimals = 0, zeros = 0, group = 0;
    bool behind = false, grouped = false;
    double power = 1;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.at[i];
        if (n + 2 > sizeof(plain))
            return false;
        if ((c | 32) == 'e') {
            power = pow(10, strtod(digits.at + i + 1, NULL));
            break;
        }
        size_t times = power_len(str_skip(digits, i));
        if (times > 0) {
            const char *caret = memchr(digits.at + i, '^', times);
            power = pow(10, strtod(caret + 1, NULL));
            break;
        }
        if (isdigit((unsigned char)c)) {
            plain[n++] = c;
            decimals += behind;
            group++;
            zeros = c == '0' ? zeros + 1 : 0;
        } else if (c == decimal && !behind) {
            if (grouped && group != 3)
                return false;
            behind = true;
            plain[n++] = '.';
            zeros = 0;
        } else {
            if (behind || (grouped ? group != 3 : group > 3))
                return false;
            grouped = true;
            group = 0;
        }
    }
    if (grouped && !behind && group != 3)
        return false;
    plain[n] = '\0';
    *value = strtod(plain, NULL) * power;
    *slack = 0.5 * pow(10, -(double)decimals) * power;
    if (power == 1 && decimals == 0 && zeros >= 2) /* 12,000 is rounded, but not by much */
        *slack = fmax(*slack, fmin(0.5 * pow(10, (double)zeros), 0.02 * *value));
    return true;
}

/* " × 10^-5" at the start of a text; 0: it is none. */
static size_t power_len(struct str text)
{
    static const char *const times[] = {" × 10^", "×10^", " x 10^", " * 10^", "·10^", " · 10^"};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        size_t len = strlen(times[i]);
        if (!str_starts(text, str_of(times[i])))
            continue;
        len += len < text.len && text.at[len] == '-';
        size_t from = len;
        while (digits_here(text, len) && len < from + 2)
            len++;
        return len > from ? len : 0;
    }
    return 0;
}

void digits_narrow(struct str text, struct buf *b)
{
    static const struct {
        const char *wide, *narrow;
    } signs[] = {{"．", "."}, {"，", ","}, {"％", "%"}, {"：", ":"}, {"　", " "}};
    for (size_t i = 0; i < text.len;) {
        struct str rest = str_skip(text, i);
        const char *narrow = NULL;
        for (size_t k = 0; (unsigned char)rest.at[0] >= 0xE3 && k < 5; k++)
            if (str_starts(rest, str_of(signs[k].wide)))
                narrow = signs[k].narrow;
        bool digit = rest.len >= 3 && memcmp(rest.at, "\xEF\xBC", 2) == 0 &&
                     (unsigned char)rest.at[2] >= 0x90 && (unsigned char)rest.at[2] <= 0x99;
        if (digit)
            buf_putc(b, (char)('0' + ((unsigned char)rest.at[2] - 0x90)));
        else if (narrow)
            buf_puts(b, narrow);
        else
            buf_putc(b, rest.at[0]);
        i += digit || narrow ? 3 : 1;
    }
}
