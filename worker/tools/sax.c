#include "worker/tools/sax.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/hex.h"
#include "common/utf8.h"

enum state { BETWEEN, IN_STRING, IN_ESCAPE, IN_CODE, IN_SCALAR };
/* What may come next, between tokens. */
enum wants {
    WANT_VALUE,
    WANT_VALUE_OR_END, /* after [ */
    WANT_KEY,          /* after , in an object */
    WANT_KEY_OR_END,   /* after { */
    WANT_COLON,
    WANT_COMMA, /* or the end of the container */
    WANT_NOTHING,
};

void sax_init(struct sax *s, sax_fn *fn, void *arg)
{
    *s = (struct sax){.fn = fn, .arg = arg, .state = BETWEEN, .wants = WANT_VALUE};
    buf_init(&s->text, SAX_STRING_MAX + 8);
}

void sax_free(struct sax *s) { buf_free(&s->text); }

bool sax_whole(const struct sax *s)
{
    return !s->broken && s->state == BETWEEN && s->wants == WANT_NOTHING;
}

static bool tell(struct sax *s, enum sax_token token, struct str text)
{
    if (s->fn(s->arg, token, text))
        return true;
    s->stopped = true;
    return false;
}

static bool inside_object(const struct sax *s)
{
    return s->depth > 0 && (s->objects >> (s->depth - 1) & 1) != 0;
}

static void after_value(struct sax *s) { s->wants = s->depth > 0 ? WANT_COMMA : WANT_NOTHING; }

static bool open_container(struct sax *s, bool object)
{
    if ((s->wants != WANT_VALUE && s->wants != WANT_VALUE_OR_END) || s->depth >= SAX_DEPTH_MAX)
        return false;
    s->objects &= ~(1u << s->depth);
    s->objects |= (object ? 1u : 0u) << s->depth;
    s->depth++;
    s->wants = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    return tell(s, object ? SAX_OBJECT : SAX_ARRAY, (struct str){NULL, 0});
}

static bool close_container(struct sax *s, bool object)
{
    enum wants empty = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
    if (s->depth == 0 || inside_object(s) != object ||
        (s->wants != WANT_COMMA && s->wants != empty))
        return false;
    s->depth--;
    after_value(s);
    return tell(s, object ? SAX_OBJECT_END : SAX_ARRAY_END, (struct str){NULL, 0});
}

static void drop_half(struct buf *text);

/* Text of the present token, up to the longest that is kept. */
static void hold(struct sax *s, const char *at, size_t len)
{
    size_t room = SAX_STRING_MAX > s->text.len ? SAX_STRING_MAX - s->text.len : 0;
    s->held = true;
    if (s->cut_now)
        return;
    buf_add(&s->text, at, len < room ? len : room);
    if (len > room) {
        s->cut = s->cut_now = true;
        drop_half(&s->text);
    }
}

/* Not half a character at the end. It looks at what is kept only, never at what comes behind: so
 * the same is kept whatever the pieces, broken UTF-8 (RFC 3629) too. */
static void drop_half(struct buf *text)
{
    const unsigned char *at = (const unsigned char *)text->at;
    size_t behind = 0; /* bytes that continue a character */
    while (behind < 3 && behind < text->len && (at[text->len - 1 - behind] & 0xc0) == 0x80)
        behind++;
    unsigned char lead = behind < text->len ? at[text->len - 1 - behind] : 0;
    size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (whole > behind + 1)
        text->len -= behind + 1;
}

static void begin_text(struct sax *s)
{
    buf_clear(&s->text);
    s->held = s->cut_now = false;
    s->high = 0;
}

static bool end_string(struct sax *s, struct str text)
{
    if (s->wants == WANT_KEY || s->wants == WANT_KEY_OR_END) {
        s->wants = WANT_COLON;
        return tell(s, SAX_KEY, text);
    }
    after_value(s);
    return tell(s, SAX_STRING, text);
}

static void hold_code(struct sax *s, uint32_t c)
{
    char out[4];
    size_t len = utf8_encode(c, out);
    if (s->text.len + len > SAX_STRING_MAX) /* not half a character */
        s->cut = s->cut_now = true;
    hold(s, out, s->cut_now ? 0 : len);
}

static void lone_high(struct sax *s)
{
    if (s->high != 0)
        hold_code(s, 0xfffd);
    s->high = 0;
}

static void end_code(struct sax *s)
{
    uint32_t c = s->code;
    bool low = c >= 0xdc00 && c < 0xe000;
    if (s->high != 0 && low) {
        c = 0x10000 + ((s->high - 0xd800) << 10) + (c - 0xdc00);
        s->high = 0;
    }
    lone_high(s);
    if (c >= 0xd800 && c < 0xdc00)
        s->high = c;
    else
        hold_code(s, c >= 0xdc00 && c < 0xe000 ? 0xfffd : c);
}

static const char *in_string(struct sax *s, const char *at, const char *end)
{
    const char *from = at;
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    if (s->high != 0 && (at > from || (at < end && *at == '"')))
        lone_high(s);
    if (at < end && *at == '"' && !s->held && (size_t)(at - from) <= SAX_STRING_MAX) {
        s->state = BETWEEN;
        return end_string(s, (struct str){from, (size_t)(at - from)}) ? at + 1 : NULL;
    }
    hold(s, from, (size_t)(at - from));
    if (at == end)
        return at;
    if (*at == '"') {
        s->state = BETWEEN;
        return end_string(s, buf_str(&s->text)) ? at + 1 : NULL;
    }
    if (*at != '\\')
        return NULL; /* a control character */
    s->state = IN_ESCAPE;
    return at + 1;
}

static bool escape(struct sax *s, char c)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        s->code = s->code_digits = 0;
        s->state = IN_CODE;
        return true;
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return false;
    lone_high(s);
    hold(s, &to[found - from], 1);
    s->state = IN_STRING;
    return true;
}

static bool code_digit(struct sax *s, char c)
{
    int digit = hex_digit(c);
    if (digit < 0)
        return false;
    s->code = s->code << 4 | (unsigned)digit;
    if (++s->code_digits == 4) {
        end_code(s);
        s->state = IN_STRING;
    }
    return true;
}

static bool scalar_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '+' ||
           c == 'E';
}

static bool end_scalar(struct sax *s, struct str text)
{
    bool number = text.at[0] == '-' || (text.at[0] >= '0' && text.at[0] <= '9');
    if (number ? !sax_double(text, &s->number)
               : !str_is(text, "true") && !str_is(text, "false") && !str_is(text, "null"))
        return false;
    s->state = BETWEEN;
    after_value(s);
    return tell(s, number ? SAX_NUMBER : SAX_WORD, text);
}

static const char *in_scalar(struct sax *s, const char *at, const char *end)
{
    const char *from = at;
    while (at < end && scalar_char(*at))
        at++;
    struct str text = {from, (size_t)(at - from)};
    if (text.len > SAX_STRING_MAX)
        return NULL; /* as when it comes in pieces */
    if (at == end || s->held) {
        hold(s, from, text.len);
        text = buf_str(&s->text);
        if (s->cut_now)
            return NULL;
    }
    if (at == end)
        return at;
    return end_scalar(s, text) ? at : NULL;
}

static const char *between(struct sax *s, const char *at)
{
    bool value = s->wants == WANT_VALUE || s->wants == WANT_VALUE_OR_END;
    switch (*at) {
    case ' ':
    case '\n':
    case '\r':
    case '\t':
        return at + 1;
    case '{':
    case '[':
        return open_container(s, *at == '{') ? at + 1 : NULL;
    case '}':
    case ']':
        return close_container(s, *at == '}') ? at + 1 : NULL;
    case '"':
        if (!value && s->wants != WANT_KEY && s->wants != WANT_KEY_OR_END)
            return NULL;
        begin_text(s);
        s->state = IN_STRING;
        return at + 1;
    case ',':
        if (s->wants != WANT_COMMA)
            return NULL;
        s->wants = inside_object(s) ? WANT_KEY : WANT_VALUE;
        return at + 1;
    case ':':
        if (s->wants != WANT_COLON)
            return NULL;
        s->wants = WANT_VALUE;
        return at + 1;
    default:
        if (!value || !scalar_char(*at))
            return NULL;
        begin_text(s);
        s->state = IN_SCALAR;
        return at;
    }
}

bool sax_feed(struct sax *s, struct str piece)
{
    if (s->broken || s->stopped)
        return false;
    const char *at = piece.at, *end = at + piece.len;
    s->bytes += piece.len;
    while (at != NULL && at < end) {
        switch ((enum state)s->state) {
        case BETWEEN:
            at = between(s, at);
            break;
        case IN_STRING:
            at = in_string(s, at, end);
            break;
        case IN_ESCAPE:
            at = escape(s, *at) ? at + 1 : NULL;
            break;
        case IN_CODE:
            at = code_digit(s, *at) ? at + 1 : NULL;
            break;
        case IN_SCALAR:
            at = in_scalar(s, at, end);
            break;
        }
    }
    if (at == NULL && piece.len > 0)
        s->broken = !s->stopped;
    return !s->broken && !s->stopped;
}

/* ---- numbers ---- */

static bool slow_double(struct str text, double *out)
{
    char copy[64], *end;
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *out = strtod(copy, &end);
    return end == copy + text.len;
}

/* mantissa × 10^exponent by one operation of 64-bit precision, right unless the result lies so near
 * the middle of two doubles that rounding twice could differ from rounding once. */
static bool quick_scale(uint64_t mantissa, int exponent, double *out)
{
#if LDBL_MANT_DIG == 64
    static const long double tens[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                       1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                       1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                       1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (exponent < -27 || exponent > 27)
        return false;
    long double value = (long double)mantissa;
    value = exponent < 0 ? value / tens[-exponent] : value * tens[exponent];
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if ((bits & 0x7ff) >= 0x3fe && (bits & 0x7ff) <= 0x402)
        return false;
    *out = (double)value;
    return true;
#else
    (void)mantissa, (void)exponent, (void)out;
    return false;
#endif
}

static const char *digits(const char *at, const char *end, uint64_t *value, unsigned *count)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        *value = *value * 10 + (uint64_t)(*at - '0');
        *count += *value > 0; /* leading zeros don't fill the mantissa */
    }
    return at;
}

static bool special_double(struct str text, double *out)
{
    bool minus = text.len > 0 && text.at[0] == '-';
    if (str_is(text, "NaN"))
        *out = NAN;
    else if (str_is(minus || (text.len > 0 && text.at[0] == '+') ? str_skip(text, 1) : text, "Inf"))
        *out = minus ? -INFINITY : INFINITY;
    else
        return false;
    return true;
}

bool sax_double(struct str text, double *out)
{
    if (text.len == 0)
        return false;
    const char *at = text.at, *end = at + text.len;
    uint64_t mantissa = 0;
    unsigned count = 0;
    int exponent = 0;
    bool minus = at < end && *at == '-';
    if (minus)
        at++;
    const char *whole = at;
    at = digits(at, end, &mantissa, &count);
    if (at == whole)
        return special_double(text, out);
    if (at < end && *at == '.') {
        const char *from = ++at;
        at = digits(at, end, &mantissa, &count);
        exponent = -(int)(at - from);
        if (at == from)
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        bool down = ++at < end && *at == '-';
        uint64_t power = 0;
        unsigned power_digits = 0;
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        const char *from = at;
        at = digits(at, end, &power, &power_digits);
        if (at == from || power_digits > 4)
            return false;
        exponent += down ? -(int)power : (int)power;
    }
    if (at != end)
        return false;
    if (count > 19 || !quick_scale(mantissa, exponent, out))
        return slow_double(text, out);
    if (minus)
        *out = -*out;
    return true;
}
