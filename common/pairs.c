#include "common/pairs.h"

#include <stdio.h>
#include <string.h>
#include "common/hex.h"

bool pairs_next(struct str *rest, struct str *key, struct buf *value)
{
    struct str pair;
    if (!str_split(rest, ',', &pair))
        return false;
    pair = str_trim(pair);
    const char *is = memchr(pair.len ? pair.at : "", '=', pair.len);
    if (!is || is == pair.at)
        return false;
    *key = str_trim((struct str){pair.at, (size_t)(is - pair.at)});
    struct str text = str_trim(str_skip(pair, (size_t)(is - pair.at) + 1));
    buf_clear(value);
    for (size_t i = 0; i < text.len; i++) {
        int high = text.at[i] == '%' && i + 2 < text.len ? hex_digit(text.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.at[i + 2]) : -1;
        buf_putc(value, (char)(low >= 0 ? high << 4 | low : text.at[i]));
        i += low >= 0 ? 2 : 0;
    }
    return true;
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] > '~' || strchr(":\"\\", s.at[i]))
            return false;
    return s.len > 0;
}

static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 0x7f)
            return false;
    return str_utf8(s);
}

bool pairs_ok(struct str pairs, char error[256])
{
    unsigned count = 0;
    scoped_buf(value, PAIRS_BYTES_MAX);
    buf_keep_secret(&value);
    for (struct str rest = str_trim(pairs), key; rest.len > 0;) {
        count++;
        if (!pairs_next(&rest, &key, &value) || !is_word(key) || value.overflowed ||
            !is_clean(buf_str(&value)) || count > PAIRS_MAX) {
            snprintf(error, 256,
                     "must be at most %d pairs as name=value,name=value; number %u is none",
                     (int)PAIRS_MAX, count);
            return false;
        }
    }
    return true;
}
