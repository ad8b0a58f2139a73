#include "worker/tools/text.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/utf8.h"

bool text_hides(struct str text)
{
    const unsigned char *at = (const unsigned char *)text.at;
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = utf8_decode(at + i, text.len - i, &len);
        if ((c == 0xfffd && len == 1) || (c < 0x20 && c != '\n' && c != '\t') || utf8_invisible(c))
            return true;
    }
    return false;
}

bool text_clean(struct buf *b, struct str text, size_t max_bytes)
{
    const unsigned char *at = (const unsigned char *)text.at;
    size_t start = b->len;
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = utf8_decode(at + i, text.len - i, &len);
        if (c != 0xfffd && utf8_invisible(c))
            continue;
        bool wrong = c == 0xfffd && len == 1;
        if (b->len - start + (wrong ? 3 : len) > max_bytes) {
            buf_puts(b, "…");
            return false;
        }
        if (c < 0x20)
            buf_putc(b, ' ');
        else if (wrong)
            buf_puts(b, "\xef\xbf\xbd");
        else
            buf_add(b, at + i, len);
    }
    return true;
}

static bool plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || (unsigned char)text.at[i] >= 0x7f)
            return false;
    return true;
}

bool text_json(struct buf *b, struct str text, size_t max_bytes)
{
    if (text.len <= max_bytes && plain(text)) {
        json_str(b, text);
        return true;
    }
    scoped_buf(clean, max_bytes + 8);
    bool whole = text_clean(&clean, text, max_bytes);
    json_str(b, buf_str(&clean));
    return whole;
}

void text_number(struct buf *b, double value, bool exact)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        buf_puts(b, isnan(value) ? "\"NaN\"" : value > 0 ? "\"+Inf\"" : "\"-Inf\"");
        return;
    }
    if (value == floor(value) && fabs(value) < 1e15) {
        buf_printf(b, "%.0f", value == 0 ? 0.0 : value);
        return;
    }
    if (!exact) {
        int whole = fabs(value) < 1 ? 0 : (int)log10(fabs(value)) + 1; /* digits before the point */
        int digits = whole + 3 > 17 ? 17 : whole + 3 > 6 ? whole + 3 : 6;
        snprintf(text, sizeof(text), "%.*g", digits, value);
    } else {
        for (int precision = 12; precision <= 17; precision++) {
            snprintf(text, sizeof(text), "%.*g", precision, value);
            if (strtod(text, NULL) == value)
                break;
        }
    }
    buf_puts(b, text);
}

static char lower_of(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

bool text_has(struct str text, struct str lower)
{
    if (lower.len == 0)
        return true;
    for (size_t i = 0; i + lower.len <= text.len; i++) {
        size_t k = 0;
        while (k < lower.len && lower_of(text.at[i + k]) == lower.at[k])
            k++;
        if (k == lower.len)
            return true;
    }
    return false;
}

const char *text_count(double count)
{
    static char texts[4][40];
    static unsigned next;
    char plain_text[32], *text = texts[next++ % 4];
    snprintf(plain_text, sizeof(plain_text), "%.0f", count);
    size_t len = strlen(plain_text), to = 0;
    for (size_t i = 0; i < len && to + 2 < sizeof(texts[0]); i++) {
        if (i > 0 && (len - i) % 3 == 0 && isdigit((unsigned char)plain_text[i - 1]))
            text[to++] = ',';
        text[to++] = plain_text[i];
    }
    text[to] = '\0';
    return text;
}

unsigned text_distance(struct str a, struct str b)
{
    enum { WORD_MAX = 48, FAR = 9 };
    unsigned row[WORD_MAX + 1];
    if (a.len > WORD_MAX || b.len > WORD_MAX)
        return FAR;
    for (unsigned j = 0; j <= b.len; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.len; i++) {
        unsigned before = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.len; j++) {
            unsigned change = before + (lower_of(a.at[i - 1]) != lower_of(b.at[j - 1]));
            before = row[j];
            unsigned least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len] < FAR ? row[b.len] : FAR;
}
