#include "worker/llm/mask.h"

#include <ctype.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/json.h"
#include "common/map.h"
#include "worker/llm/undone.h"

enum { DEPTH_MAX = 200, KEY_MAX = 32, DIGITS = 8, VALUE_MAX = 64 << 20 };
static const char lead[] = "MASKED_";
const char mask_prompt[] =
    "Names and values that are not for you were masked: they read MASKED_KIND_0123abcd. Write such "
    "a word exactly as it is, in queries and in your answer too: what it stands for is put back.";
enum { LEAD = sizeof(lead) - 1, WORD_MIN = LEAD + 1 + 1 + DIGITS };

/* A walk over JSON text: containers that are open, and the name of the value that comes. */
struct json_walk {
    struct mask *mask;
    struct buf *out;
    struct str json;
    size_t at, copied; /* what is before `copied` is in out */
    unsigned depth;
    bool is_object[DEPTH_MAX], is_data[DEPTH_MAX]; /* is_data: a tool's, nothing of it is fixed */
    bool wants_key, any;
    char key[KEY_MAX];
};

static void free_value(void *arg, struct str word, void *value);
static bool mask_seen(struct mask *m, struct str text, const struct undone *json,
                      const struct undone *percent, struct buf *out);
static const char *word_for(struct mask *m, struct redact_match match, struct str value);
static bool in_word(const struct mask *m, struct str text, struct redact_match match);
static size_t word_len(const struct mask *m, struct str text);
static bool take_string(struct json_walk *w);
static void open_container(struct json_walk *w, bool object);
static bool string_end(struct str json, size_t from, size_t *to);
static bool is_fixed(const struct json_walk *w);
static bool in_data(const struct json_walk *w);
static bool mask_string(struct json_walk *w, size_t from, size_t to);
static size_t word_run(struct str text);
static const struct buf *value_of(const struct mask *m, struct str run, size_t *len);
static size_t begun(const struct mask *m, struct str text);
static void put_back(const struct mask *m, struct str text, bool json, struct buf *out);

void mask_init(struct mask *m, struct redact *rules, struct id conversation)
{
    *m = (struct mask){.rules = rules, .conversation = conversation};
    if (rules)
        m->values = map_new();
}

void mask_free(struct mask *m)
{
    if (!m->values)
        return;
    map_each(m->values, free_value, m->values);
    map_free(m->values);
    m->values = NULL;
}

static void free_value(void *arg, struct str word, void *value)
{
    buf_free(value);
    free(value);
    map_remove(arg, word);
}

/* The text with its escapes undone that often. False: there are none of that level left. */
static bool see(struct str text, unsigned level, struct undone *out)
{
    if (level > 0 && undo_escapes(text, level, out))
        return true;
    *out = (struct undone){.text = text};
    return level == 0;
}

/* As it is, and with its escapes undone, again and again: a log line in a result in a request is
 * JSON in JSON in JSON, where "\\nACME-123456" is a line that begins with what must not leave, and
 * "?user=ann%40corp.example" names somebody. */
bool mask_text(struct mask *m, struct str text, struct buf *out)
{
    bool any = false;
    struct str rest = text;
    struct undone json, percent;
    scoped_buf(kept, out->max_bytes);
    for (unsigned level = 0; m->rules && level < UNDONE_LEVELS && see(rest, level, &json);
         level++) {
        for (unsigned i = 0; i < UNDONE_PERCENT_LEVELS; i++) {
            percent = (struct undone){.text = json.text};
            if (i > 0 && !undo_percents(json.text, i, &percent))
                break;
            scoped_buf(next, out->max_bytes);
            if (mask_seen(m, rest, &json, &percent, &next)) {
                buf_clear(&kept);
                kept.overflowed = !buf_add_str(&kept, buf_str(&next)) || next.overflowed;
                rest = buf_str(&kept);
                any = true;
                undone_free(&json);
                see(rest, level, &json);
            }
            undone_free(&percent);
        }
        undone_free(&json);
    }
    if (any && (!buf_add_str(out, rest) || kept.overflowed))
        out->overflowed = true;
    return any;
}

/* Appends text with what matches in what it says masked: percent is of json's text, json of text.
 * A value is what JSON says, which is written with its escapes again, and of an address what stands
 * there. */
static bool mask_seen(struct mask *m, struct str text, const struct undone *json,
                      const struct undone *percent, struct buf *out)
{
    struct redact_walk w;
    struct redact_match match;
    struct str said = percent->text;
    size_t done = 0;
    bool any = false;
    if (!redact_begin(&w, m->rules, said))
        return false;
    while (redact_next(&w, &match)) {
        if (in_word(m, said, match))
            continue; /* what it stands for was masked before: a rule for digits must not hide it */
        size_t begin = undone_at(percent, match.begin);
        size_t end = undone_at(percent, match.end);
        struct str value = {json->text.at + begin, end - begin};
        begin = undone_at(json, begin);
        buf_add(out, text.at + done, begin - done);
        buf_puts(out, word_for(m, match, value));
        done = undone_at(json, end);
        any = true;
    }
    if (any)
        buf_add(out, text.at + done, text.len - done);
    return any;
}

/* The word for a value, which it stands for from now on. */
static const char *word_for(struct mask *m, struct redact_match match, struct str value)
{
    static char word[MASK_WORD_MAX + 1];
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char name[REDACT_NAME_MAX + 1];
    const char *lower = redact_name(m->rules, match.rule);
    size_t len = 0;
    scoped_buf(real, VALUE_MAX);
    put_back(m, value, false, &real); /* words that were put into it before */
    if (!real.overflowed)
        value = buf_str(&real);
    for (; lower[len]; len++)
        name[len] = (char)toupper((unsigned char)lower[len]);
    name[len] = '\0';
    crypto_generichash(hash, sizeof(hash), (const unsigned char *)value.at, value.len,
                       m->conversation.bytes, sizeof(m->conversation.bytes));
    for (size_t i = 0; i + 4 <= sizeof(hash); i += 4) { /* on: two values with the same digits */
        snprintf(word, sizeof(word), "%s%s_%02x%02x%02x%02x", lead, name, hash[i], hash[i + 1],
                 hash[i + 2], hash[i + 3]);
        struct buf *there = map_get(m->values, str_of(word));
        if (there && str_eq(buf_str(there), value))
            return word;
        if (there)
            continue;
        struct buf *copy = xcalloc(1, sizeof(*copy));
        buf_init(copy, value.len);
        buf_add_str(copy, value);
        map_put(m->values, str_of(word), copy);
        return word;
    }
    return word; /* four times in a row: does not happen, and would show a wrong value at worst */
}

/* All of the match lies in a word of ours. It is known by its shape: who sends a conversation again
 * does not know all its words yet. */
static bool in_word(const struct mask *m, struct str text, struct redact_match match)
{
    size_t from = match.begin > MASK_WORD_MAX ? match.begin - MASK_WORD_MAX : 0;
    for (; from <= match.begin; from++)
        if (from + word_len(m, str_skip(text, from)) >= match.end)
            return true;
    return false;
}

/* Of the word at text's begin, 0: there is none. */
static size_t word_len(const struct mask *m, struct str text)
{
    struct str rest = str_skip(text, LEAD);
    if (!str_starts(text, STR("MASKED_")))
        return 0;
    for (unsigned i = 0; i < redact_count(m->rules); i++) {
        const char *name = redact_name(m->rules, i);
        size_t len = strlen(name), digits = 0;
        if (rest.len < len + 1 + DIGITS || strncasecmp(rest.at, name, len) != 0 ||
            rest.at[len] != '_')
            continue;
        struct str behind = str_skip(rest, len + 1);
        while (digits < behind.len && isxdigit((unsigned char)behind.at[digits]))
            digits++;
        if (digits == DIGITS)
            return LEAD + len + 1 + DIGITS;
    }
    return 0;
}

/* ---- JSON ---- */

bool mask_json(struct mask *m, struct str json, struct buf *out)
{
    struct json_walk w = {.mask = m, .out = out, .json = json};
    size_t before = out->len;
    if (!m->rules)
        return false;
    while (w.at < json.len) {
        switch (json.at[w.at]) {
        case '"':
            if (!take_string(&w))
                w.at = json.len; /* no JSON: it ends inside of a string */
            continue;
        case '{':
        case '[':
            open_container(&w, json.at[w.at] == '{');
            break;
        case '}':
        case ']':
            w.depth -= w.depth > 0;
            w.wants_key = false;
            w.key[0] = '\0';
            break;
        case ',':
            w.wants_key = w.depth > 0 && w.depth <= DEPTH_MAX && w.is_object[w.depth - 1];
            break;
        default:
            break;
        }
        w.at++;
    }
    if (w.any)
        buf_add(out, json.at + w.copied, json.len - w.copied);
    else
        out->len = before;
    return w.any;
}

static void open_container(struct json_walk *w, bool object)
{
    static const char *const data[] = {"input", "args", "arguments", "response"};
    bool named = w->depth > 0 && w->depth <= DEPTH_MAX && w->is_object[w->depth - 1];
    bool is_data = in_data(w);
    for (size_t i = 0; named && object && i < sizeof(data) / sizeof(data[0]); i++)
        is_data = is_data || strcmp(w->key, data[i]) == 0;
    if (w->depth < DEPTH_MAX) {
        w->is_object[w->depth] = object;
        w->is_data[w->depth] = is_data;
    }
    w->depth++;
    w->wants_key = object;
}

static bool in_data(const struct json_walk *w)
{
    return w->depth > DEPTH_MAX || (w->depth > 0 && w->is_data[w->depth - 1]);
}

/* The string at w->at, a name or a value. False: it has no end. */
static bool take_string(struct json_walk *w)
{
    size_t from = w->at + 1, to = from;
    if (!string_end(w->json, from, &to))
        return false;
    w->at = to + 1;
    if (w->wants_key) {
        size_t len = to - from < KEY_MAX - 1 ? to - from : KEY_MAX - 1;
        memcpy(w->key, w->json.at + from, len); /* not snprintf: there are hundreds in a request */
        w->key[len] = '\0';
        w->wants_key = false;
        return !in_data(w) || mask_string(w, from, to);
    }
    return is_fixed(w) || mask_string(w, from, to);
}

static bool string_end(struct str json, size_t from, size_t *to)
{
    for (size_t at = from; at < json.len; at++) {
        const char *quote = memchr(json.at + at, '"', json.len - at);
        if (!quote)
            return false;
        size_t escapes = 0;
        at = (size_t)(quote - json.at);
        while (at - escapes > from && json.at[at - escapes - 1] == '\\')
            escapes++;
        *to = at;
        if (escapes % 2 == 0)
            return true;
    }
    return false;
}

/* Values that only the protocol reads, and which it would not take otherwise. */
static bool is_fixed(const struct json_walk *w)
{
    static const char *const fixed[] = {
        "id",   "call_id", "tool_call_id", "tool_use_id",      "model",
        "role", "type",    "signature",    "thoughtSignature", "encrypted_content",
        "data", "status",  "object",       "required",         "thought_signature"};
    for (size_t i = 0; !in_data(w) && i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (strcmp(w->key, fixed[i]) == 0)
            return true;
    return false;
}

static bool mask_string(struct json_walk *w, size_t from, size_t to)
{
    struct str raw = {w->json.at + from, to - from};
    json_auto_t *decoded = NULL;
    struct str text = raw;
    if (raw.len == 0 || redact_known_clean(w->mask->rules, raw))
        return true;
    if (memchr(raw.at, '\\', raw.len)) {
        decoded = json_loadb(raw.at - 1, raw.len + 2, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (decoded)
            text = json_text(decoded);
    }
    scoped_buf(masked, w->out->max_bytes);
    if (!mask_text(w->mask, text, &masked)) {
        redact_note_clean(w->mask->rules, raw);
        return true;
    }
    buf_add(w->out, w->json.at + w->copied, from - 1 - w->copied);
    json_str(w->out, buf_str(&masked));
    w->copied = to + 1;
    w->any = true;
    return true;
}

/* ---- back ---- */

void unmask_text(const struct mask *m, struct str text, struct buf *out)
{
    put_back(m, text, false, out);
}

void unmask_json(const struct mask *m, struct str json, struct buf *out)
{
    put_back(m, json, true, out);
}

void unmask_json_begun(const struct mask *m, struct str json, struct buf *out)
{
    json.len -= begun(m, json);
    put_back(m, json, true, out);
}

static void put_back(const struct mask *m, struct str text, bool json, struct buf *out)
{
    while (text.len > 0) {
        const char *found = m->values ? memchr(text.at, lead[0], text.len) : NULL;
        size_t before = found ? (size_t)(found - text.at) : text.len, len = 1;
        buf_add(out, text.at, before);
        text = str_skip(text, before);
        if (text.len == 0)
            break;
        const struct buf *value = value_of(m, (struct str){text.at, word_run(text)}, &len);
        if (value && json) {
            scoped_buf(quoted, value->len * 6 + 2);
            json_str(&quoted, buf_str(value));
            buf_add(out, quoted.at + 1, quoted.len - 2);
        } else if (value) {
            buf_add_str(out, buf_str(value));
        } else {
            buf_add(out, text.at, len);
        }
        text = str_skip(text, len);
    }
}

/* How much of text's begin could be of a word. */
static size_t word_run(struct str text)
{
    size_t len = 0;
    while (len < text.len && len < MASK_WORD_MAX &&
           (len < LEAD ? text.at[len] == lead[len]
                       : isalnum((unsigned char)text.at[len]) || text.at[len] == '_'))
        len++;
    return len;
}

/* Of the longest word at the run's begin; *len: its length, or 1. */
static const struct buf *value_of(const struct mask *m, struct str run, size_t *len)
{
    for (*len = run.len; *len >= WORD_MIN; (*len)--) {
        const struct buf *value = map_get(m->values, (struct str){run.at, *len});
        if (value)
            return value;
    }
    *len = 1;
    return NULL;
}

/* Bytes at the text's end that may be a word which goes on. */
static size_t begun(const struct mask *m, struct str text)
{
    size_t i = text.len > MASK_WORD_MAX ? text.len - MASK_WORD_MAX + 1 : 0;
    for (; m->values && map_size(m->values) > 0 && i < text.len; i++)
        if (word_run(str_skip(text, i)) == text.len - i)
            return text.len - i;
    return 0;
}

void unmask_feed(const struct mask *m, struct unmask *u, struct str piece, struct buf *out)
{
    scoped_buf(joined, MASK_WORD_MAX + piece.len);
    struct str text = piece;
    if (u->len > 0) {
        buf_add(&joined, u->held, u->len);
        buf_add_str(&joined, piece);
        text = buf_str(&joined);
    }
    size_t hold = begun(m, text);
    put_back(m, (struct str){text.at, text.len - hold}, false, out);
    u->len = (unsigned)hold;
    if (hold > 0)
        memcpy(u->held, text.at + text.len - hold, hold);
}

void unmask_end(const struct mask *m, struct unmask *u, struct buf *out)
{
    put_back(m, (struct str){u->held, u->len}, false, out);
    u->len = 0;
}
