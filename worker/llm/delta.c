#include "worker/llm/delta.h"

#include <string.h>
#include "common/hex.h"
#include "common/utf8.h"

enum { DEPTH_MAX = 8, DIGITS_MAX = 9 };

/* at stands on what is next; every read_* leaves it behind what it read, or returns false. */
struct scan {
    const char *at, *end;
    struct buf *scratch;
    struct str text;
    bool seen_text;
    bool seen_type, seen_delta_type; /* the event says that it is what it looks like */
    struct delta_end said;
    unsigned seen; /* bits of what an end has once */
};

typedef bool field_fn(struct scan *s, struct str key);

static void blanks(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

static bool take(struct scan *s, char c)
{
    blanks(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool word(struct scan *s, const char *text)
{
    size_t len = strlen(text);
    blanks(s);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
        return false;
    s->at += len;
    return true;
}

/* Ends a run of plain characters. Most of a chunk are such: a table is half the instructions of a
 * comparison each. */
static bool special(char c)
{
    static const bool table[256] = {
        [0] = true,  [1] = true,  [2] = true,   [3] = true,    [4] = true,  [5] = true,
        [6] = true,  [7] = true,  [8] = true,   [9] = true,    [10] = true, [11] = true,
        [12] = true, [13] = true, [14] = true,  [15] = true,   [16] = true, [17] = true,
        [18] = true, [19] = true, [20] = true,  [21] = true,   [22] = true, [23] = true,
        [24] = true, [25] = true, [26] = true,  [27] = true,   [28] = true, [29] = true,
        [30] = true, [31] = true, ['"'] = true, ['\\'] = true,
    };
    return table[(unsigned char)c];
}

/* A string as it is written, without its quotes; *escaped: it holds a backslash. */
static bool raw_string(struct scan *s, struct str *out, bool *escaped)
{
    *escaped = false;
    if (!take(s, '"'))
        return false;
    const char *begin = s->at;
    while (s->at < s->end) {
        while (s->at < s->end && !special(*s->at))
            s->at++;
        if (s->at == s->end || *s->at == '"')
            break;
        *escaped = true; /* or a control character, which is refused */
        if (*s->at != '\\' || ++s->at == s->end || memchr("\"\\/bfnrtu", *s->at, 9) == NULL)
            return false;
        s->at++;
    }
    if (s->at == s->end)
        return false;
    *out = (struct str){begin, (size_t)(s->at++ - begin)};
    return true;
}

static bool plain_string(struct scan *s, struct str *out)
{
    bool escaped;
    return raw_string(s, out, &escaped) && !escaped;
}

static bool hex4(struct str escape, uint32_t *out)
{
    *out = 0;
    for (size_t i = 2; i < 6; i++) {
        int digit = i < escape.len ? hex_digit(escape.at[i]) : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* "\u00e9", as servers in Python write all but ASCII; two of them for what is beyond the first
 * plane (RFC 8259, 7). A half of such a pair and zero are left to the library. */
static bool unescape_u(struct str *raw, struct buf *out)
{
    char bytes[4];
    uint32_t c, low = 0;
    if (!hex4(*raw, &c))
        return false;
    *raw = str_skip(*raw, 6);
    if (c >= 0xd800 && c < 0xdc00) {
        if (!str_starts(*raw, STR("\\u")) || !hex4(*raw, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        *raw = str_skip(*raw, 6);
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return c != 0 && (c < 0xdc00 || c > 0xdfff) && buf_add(out, bytes, utf8_encode(c, bytes));
}

static bool unescape(struct scan *s, struct str raw, struct str *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    buf_clear(s->scratch);
    while (raw.len > 0) {
        const char *slash = memchr(raw.at, '\\', raw.len);
        size_t len = slash ? (size_t)(slash - raw.at) : raw.len;
        if (!buf_add(s->scratch, raw.at, len))
            return false;
        raw = str_skip(raw, len);
        if (raw.len == 0)
            break;
        if (raw.at[1] == 'u') {
            if (!unescape_u(&raw, s->scratch))
                return false;
            continue;
        }
        const char *known = strchr(from, raw.at[1]);
        if (known == NULL || !buf_putc(s->scratch, to[known - from]))
            return false;
        raw = str_skip(raw, 2);
    }
    *out = buf_str(s->scratch);
    return true;
}

static bool skip_number(struct scan *s)
{
    const char *begin = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > begin && (*begin != '0' || s->at == begin + 1); /* counts; no other is here */
}

static bool skip_value(struct scan *s, unsigned depth);

static bool skip_members(struct scan *s, char close, unsigned depth)
{
    struct str key;
    bool escaped;
    if (take(s, close))
        return true;
    do {
        if (close == '}' && !(raw_string(s, &key, &escaped) && !escaped && take(s, ':')))
            return false;
        if (!skip_value(s, depth))
            return false;
    } while (take(s, ','));
    return take(s, close);
}

/* A value that means nothing to us. \u is left to the library: not each is a character. */
static bool skip_value(struct scan *s, unsigned depth)
{
    struct str ignored;
    blanks(s);
    if (depth == DEPTH_MAX || s->at == s->end)
        return false;
    switch (*s->at) {
    case '"':
        return plain_string(s, &ignored);
    case '{':
        s->at++;
        return skip_members(s, '}', depth + 1);
    case '[':
        s->at++;
        return skip_members(s, ']', depth + 1);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        return skip_number(s);
    }
}

static bool members(struct scan *s, field_fn *field)
{
    struct str key;
    if (!take(s, '{'))
        return false;
    if (take(s, '}'))
        return true;
    do {
        if (!plain_string(s, &key) || !take(s, ':') || !field(s, key))
            return false;
    } while (take(s, ','));
    return take(s, '}');
}

/* The text itself: once. */
static bool take_text(struct scan *s)
{
    struct str raw;
    bool escaped;
    if (s->seen_text || !raw_string(s, &raw, &escaped))
        return false;
    s->seen_text = true;
    s->text = raw;
    return !escaped || unescape(s, raw, &s->text);
}

static bool take_type(struct scan *s, const char *type, bool *seen)
{
    struct str raw;
    bool first = !*seen;
    *seen = true;
    return first && plain_string(s, &raw) && str_is(raw, type);
}

/* ---- Chat Completions ---- */

static bool chat_delta(struct scan *s, struct str key)
{
    struct str raw;
    if (str_is(key, "role"))
        return plain_string(s, &raw);
    if (str_is(key, "content"))
        return take_text(s);
    return word(s, "null"); /* whatever else it has, it has none of it now */
}

static bool chat_choice(struct scan *s, struct str key)
{
    if (str_is(key, "delta"))
        return !s->seen_text && members(s, chat_delta) && s->seen_text;
    if (str_is(key, "finish_reason"))
        return word(s, "null");
    return !str_is(key, "message") && skip_value(s, 0);
}

static bool chat_chunk(struct scan *s, struct str key)
{
    if (str_is(key, "choices"))
        return !s->seen_text && take(s, '[') && members(s, chat_choice) && take(s, ']');
    if (str_is(key, "usage") || str_is(key, "error"))
        return word(s, "null");
    return skip_value(s, 0);
}

/* ---- Responses ---- */

static bool responses_event(struct scan *s, struct str key)
{
    if (str_is(key, "type"))
        return take_type(s, "response.output_text.delta", &s->seen_type);
    if (str_is(key, "delta"))
        return take_text(s);
    return !str_is(key, "error") && skip_value(s, 0);
}

/* ---- Messages ---- */

static bool messages_delta(struct scan *s, struct str key)
{
    if (str_is(key, "type"))
        return take_type(s, "text_delta", &s->seen_delta_type);
    return str_is(key, "text") && take_text(s);
}

static bool messages_event(struct scan *s, struct str key)
{
    if (str_is(key, "type"))
        return take_type(s, "content_block_delta", &s->seen_type);
    if (str_is(key, "delta"))
        return members(s, messages_delta) && s->seen_delta_type;
    return !str_is(key, "error") && skip_value(s, 0);
}

/* ---- Gemini: usage is cumulative, the event that ends it (not for us) has it too ---- */

static bool generate_part(struct scan *s, struct str key)
{
    return str_is(key, "text") && take_text(s);
}

static bool generate_content(struct scan *s, struct str key)
{
    struct str raw;
    if (str_is(key, "parts"))
        return take(s, '[') && members(s, generate_part) && take(s, ']');
    return str_is(key, "role") && plain_string(s, &raw);
}

static bool generate_candidate(struct scan *s, struct str key)
{
    if (str_is(key, "content"))
        return members(s, generate_content);
    return !str_is(key, "finishReason") && !str_is(key, "finish_reason") && skip_value(s, 0);
}

static bool generate_response(struct scan *s, struct str key)
{
    if (str_is(key, "candidates"))
        return !s->seen_text && take(s, '[') && members(s, generate_candidate) && take(s, ']');
    return !str_is(key, "error") && !str_is(key, "promptFeedback") &&
           !str_is(key, "prompt_feedback") && skip_value(s, 0);
}

static const struct {
    field_fn *field;
    bool typed; /* the event has a type, which must have been seen */
} shapes[] = {
    [DELTA_CHAT] = {chat_chunk, false},
    [DELTA_RESPONSES] = {responses_event, true},
    [DELTA_MESSAGES] = {messages_event, true},
    [DELTA_GENERATE] = {generate_response, false},
};

bool delta_text(enum delta_shape shape, struct str data, struct buf *scratch, struct str *text)
{
    if (data.len == 0) /* it may be NULL, to which nothing can be added */
        return false;
    struct scan s = {.at = data.at, .end = data.at + data.len, .scratch = scratch};
    if (!members(&s, shapes[shape].field) || !s.seen_text || (shapes[shape].typed && !s.seen_type))
        return false;
    blanks(&s);
    if (s.at != s.end || !str_utf8(data))
        return false;
    *text = s.text;
    return true;
}

/* ---- the end of Chat Completions ---- */

enum { CHOICES = 1, DELTA = 2, REASON = 4, USAGE = 8, INPUT = 16, OUTPUT = 32, DETAILS = 64 };

/* Of a name that is there twice the library takes the last. */
static bool once(struct scan *s, unsigned bit)
{
    bool first = !(s->seen & bit);
    s->seen |= bit;
    return first;
}

static bool read_count(struct scan *s, uint64_t *out)
{
    blanks(s);
    const char *begin = s->at;
    return skip_number(s) && s->at - begin <= DIGITS_MAX &&
           str_u64((struct str){begin, (size_t)(s->at - begin)}, UINT64_MAX, out);
}

static bool end_details(struct scan *s, struct str key)
{
    if (str_is(key, "cached_tokens"))
        return s->said.cached_tokens == 0 && read_count(s, &s->said.cached_tokens);
    return skip_value(s, 0);
}

static bool end_usage(struct scan *s, struct str key)
{
    if (str_is(key, "prompt_tokens"))
        return once(s, INPUT) && read_count(s, &s->said.input_tokens);
    if (str_is(key, "completion_tokens"))
        return once(s, OUTPUT) && read_count(s, &s->said.output_tokens);
    if (str_is(key, "prompt_tokens_details"))
        return once(s, DETAILS) && (word(s, "null") || members(s, end_details));
    return (str_is(key, "total_tokens") || str_is(key, "completion_tokens_details")) &&
           skip_value(s, 0);
}

static bool end_delta(struct scan *s, struct str key)
{
    struct str raw;
    if (word(s, "null"))
        return true;
    if (str_is(key, "role"))
        return plain_string(s, &raw);
    return str_is(key, "content") && plain_string(s, &raw) && raw.len == 0;
}

static bool end_choice(struct scan *s, struct str key)
{
    if (str_is(key, "delta"))
        return once(s, DELTA) && members(s, end_delta);
    if (str_is(key, "finish_reason"))
        return once(s, REASON) && (word(s, "null") || plain_string(s, &s->said.reason));
    return word(s, "null") || (str_is(key, "index") && skip_value(s, 0));
}

static bool end_chunk(struct scan *s, struct str key)
{
    static const char *const plain[] = {"id",           "created",    "model", "system_fingerprint",
                                        "service_tier", "obfuscation"};
    struct str raw;
    if (str_is(key, "choices"))
        return once(s, CHOICES) && take(s, '[') &&
               (take(s, ']') || (members(s, end_choice) && take(s, ']')));
    if (str_is(key, "usage") && !once(s, USAGE))
        return false;
    if (word(s, "null"))
        return true;
    if (str_is(key, "usage"))
        return s->said.counted = members(s, end_usage);
    if (str_is(key, "object"))
        return plain_string(s, &raw) && !str_is(raw, "error");
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (str_is(key, plain[i]))
            return skip_value(s, 0);
    return false;
}

bool delta_chat_end(struct str data, struct delta_end *end)
{
    if (data.len == 0)
        return false;
    struct scan s = {.at = data.at, .end = data.at + data.len};
    if (!members(&s, end_chunk) || !(s.seen & CHOICES))
        return false;
    blanks(&s);
    if (s.at != s.end || !str_utf8(data))
        return false;
    *end = s.said;
    return true;
}
