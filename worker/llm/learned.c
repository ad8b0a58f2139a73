#include "worker/llm/learned.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/llm/jsonio.h"

/* What a request can do without. Names that are words of everyday language count only where they
 * are quoted. */
static const struct {
    const char *name;
    bool everyday;
} params[] = {
    {"temperature", false},
    {"top_p", false},
    {"top_k", false},
    {"min_p", false},
    {"presence_penalty", false},
    {"frequency_penalty", false},
    {"repetition_penalty", false},
    {"seed", true},
    {"stop", true},
    {"user", true},
    {"metadata", true},
    {"logprobs", false},
    {"top_logprobs", false},
    {"logit_bias", false},
    {"parallel_tool_calls", false},
    {"tool_choice", false},
    {"stream_options", false},
    {"response_format", false},
    {"reasoning_effort", false},
    {"reasoning", true},
    {"verbosity", true},
    {"service_tier", false},
    {"store", true},
    {"include", true},
    {"text", true},
    {"truncation", true},
    {"prompt_cache_key", false},
    {"safety_identifier", false},
    {"thinking", true},
    {"output_config", false},
    {"cache_control", false},
    {"thinkingConfig", false},
    {"responseJsonSchema", false},
    {"responseMimeType", false},
    {"strict", true},
    {"chat_template_kwargs", false},
    {"reasoning_content", false},
    {"reasoning_details", false},
    {"thinking_blocks", false},
    {"extra_content", false},
    {"provider_specific_fields", false},
    {"max_output_tokens", false},
    {"include_reasoning", false},
    {"thinking_config", false},
    {"enable_thinking", false},
};
enum { PARAM_COUNT = sizeof(params) / sizeof(params[0]), OUTPUT_MIN = 16 };
_Static_assert(PARAM_COUNT <= 64, "one bit each");

static const char old_field[] = "max_tokens", new_field[] = "max_completion_tokens";

static bool learn(const struct model *m, struct str words, json_t *root, const char **what);
static bool learn_tokens(const struct model *m, struct str words, json_t *root, const char **what);
static bool learn_thoughts(const struct model *m, struct str words, json_t *root);
static bool learn_plain(const struct model *m, struct str words, json_t *root);
static bool make_plain(json_t *root);
static bool learn_no_nulls(const struct model *m, struct str words, json_t *root);
static bool fill_nulls(json_t *root);
static bool apply(const struct model *m, json_t *root);
static bool without(json_t *v, const char *name);
static bool names(struct str words, const char *name, bool quoted);
static bool says(struct str words, const char *text);
static bool says_one(struct str words, const char *const *texts);
static bool write_back(struct buf *body, const json_t *root);

const char *learned_tokens_field(const struct model *m)
{
    static const char *const newer[] = {"gpt-5", "o1", "o3", "o4"};
    if (m->learned && m->learned->tokens_field)
        return m->learned->tokens_field;
    if (m->tokens_field)
        return m->tokens_field;
    const char *slash = strrchr(m->id, '/'), *id = slash ? slash + 1 : m->id;
    for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) {
        size_t len = strlen(newer[i]);
        if (strncmp(id, newer[i], len) == 0 && !isalnum((unsigned char)id[len]))
            return new_field;
    }
    /* Most other servers know nothing else than the old name. */
    return strstr(m->base_url, "://api.openai.com") || strstr(m->base_url, ".openai.azure.com")
               ? new_field
               : old_field;
}

uint32_t learned_output_max(const struct model *m, uint32_t most)
{
    uint32_t learned = m->learned ? m->learned->output_tokens_max : 0;
    return learned > 0 && learned < most ? learned : most;
}

void learned_age(const struct model *m, int64_t now_ms)
{
    enum { KEPT_MS = 3600 * 1000 };
    struct learned *l = m->learned;
    if (!l || l->output_tokens_max == 0)
        return;
    if (l->limit_ms == 0) {
        l->limit_ms = now_ms;
    } else if (now_ms - l->limit_ms >= KEPT_MS) {
        l->output_tokens_max = 0;
        l->limit_ms = 0;
    }
}

void learned_thoughts(const struct model *m, const struct think *t, bool opened)
{
    if (m->learned && t->closed_only)
        m->learned->thinks_first = true;
    else if (m->learned && opened && !t->began)
        m->learned->thinks_first = false; /* it thinks no more, or what parses it is there now */
}

void learned_apply(const struct model *m, struct buf *body)
{
    const struct learned *l = m->learned;
    if (!l || (l->refused == 0 && !l->wants_thoughts && !l->plain_content && !l->no_nulls))
        return;
    json_auto_t *root = json_loadb(body->at ? body->at : "", body->len, JSON_ALLOW_NUL, NULL);
    if (json_is_object(root) && apply(m, root))
        write_back(body, root);
}

bool learned_from(const struct model *m, struct str words, struct buf *body, const char **what)
{
    if (!m->learned || words.len == 0 || body->len == 0)
        return false;
    json_auto_t *root = json_loadb(body->at, body->len, JSON_ALLOW_NUL, NULL);
    return json_is_object(root) && learn(m, words, root, what) && write_back(body, root);
}

static bool learn(const struct model *m, struct str words, json_t *root, const char **what)
{
    if (learn_tokens(m, words, root, what))
        return true;
    *what = "thoughts";
    if (learn_thoughts(m, words, root))
        return true;
    for (unsigned i = 0; i < PARAM_COUNT; i++) {
        if (!names(words, params[i].name, params[i].everyday) || !without(root, params[i].name))
            continue;
        *what = params[i].name;
        m->learned->refused |= UINT64_C(1) << i;
        return true;
    }
    *what = "content";
    return learn_plain(m, words, root) || learn_no_nulls(m, words, root);
}

static bool write_back(struct buf *body, const json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
    buf_clear(body);
    bool fits = text && buf_puts(body, text);
    free(text);
    return fits;
}

/* ---- the answer's limit ---- */

/* It is the name that it does not like; with "use NAME instead" it says so in any case. */
static bool is_unknown(struct str words, const char *field)
{
    static const char *const ways[] = {"unsupported_parameter",
                                       "unsupported parameter",
                                       "not supported",
                                       "not support",
                                       "unrecognized",
                                       "unrecognised",
                                       "unknown",
                                       "not permitted",
                                       "not allowed",
                                       "unexpected",
                                       "extra ",
                                       NULL};
    if (strcmp(field, old_field) == 0 && names(words, new_field, false) && says(words, "instead"))
        return true;
    return says_one(words, ways);
}

/* Behind it: ",384" of 16,384 (but of [1,384] it is another number). */
static bool is_group(struct str words, size_t at)
{
    bool three = at + 4 <= words.len && words.at[at] == ',';
    for (size_t i = at + 1; three && i < at + 4; i++)
        three = isdigit((unsigned char)words.at[i]);
    return three && !(at + 4 < words.len && isdigit((unsigned char)words.at[at + 4]));
}

/* The number that begins at *at, which goes behind it. */
static bool take_number(struct str words, size_t *at, uint64_t *n)
{
    char digits[16];
    size_t from = *at, end = from, len = 0;
    while (end < words.len && isdigit((unsigned char)words.at[end]))
        end++;
    bool grouped =
        end > from && end - from <= 3 && !(from > 0 && strchr("[(,", words.at[from - 1]));
    while (grouped && is_group(words, end))
        end += 4;
    *at = end;
    for (size_t i = from; i < end && len < sizeof(digits); i++)
        if (words.at[i] != ',')
            digits[len++] = words.at[i];
    return len < sizeof(digits) && str_u64((struct str){digits, len}, UINT32_MAX, n);
}

/* A number that is no limit: the error's own code or status. */
static bool is_code(struct str words, size_t at)
{
    static const char *const before[] = {"code", "status"};
    while (at > 0 && strchr(" :=\"'([", words.at[at - 1]))
        at--;
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        size_t len = strlen(before[i]);
        if (at >= len && strncasecmp(words.at + at - len, before[i], len) == 0)
            return true;
    }
    return false;
}

/* What a server repeats of the request stands behind these: a person's words. */
static struct str without_echo(struct str words)
{
    static const char *const echoes[] = {"input_value", "\"input\"", "'input'"};
    for (size_t i = 0; i < words.len; i++)
        for (size_t n = 0; n < sizeof(echoes) / sizeof(echoes[0]); n++)
            if (str_starts(str_skip(words, i), str_of(echoes[n])))
                return (struct str){words.at, i};
    return words;
}

/* The largest number in words below most; 0: none that makes sense. */
static uint32_t smaller(struct str words, uint64_t most)
{
    uint64_t best = 0, n;
    for (size_t i = 0; i < words.len;) {
        size_t from = i;
        bool alone = from == 0 || (!isalnum((unsigned char)words.at[from - 1]) &&
                                   words.at[from - 1] != '-' && words.at[from - 1] != '.');
        if (take_number(words, &i, &n) && alone && !is_code(words, from)) {
            n -= n > 0 && str_starts(str_skip(words, i), STR(" (exclusive)")); /* Vertex */
            best = n < most && n > best ? n : best;
        }
        i += i == from;
    }
    return best >= OUTPUT_MIN ? (uint32_t)best : 0;
}

static json_t *limit_of(json_t *root, const char **field)
{
    static const char *const fields[] = {"max_tokens", "max_completion_tokens",
                                         "max_output_tokens"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (json_is_integer(json_object_get(root, fields[i]))) {
            *field = fields[i];
            return root;
        }
    *field = "maxOutputTokens";
    json_t *config = json_object_get(root, "generationConfig");
    return json_is_integer(json_object_get(config, *field)) ? config : NULL;
}

/* By our field's name, or as the server behind a gateway calls it. */
static bool names_limit(struct str words, const char *field)
{
    static const char *const others[] = {"max_output_tokens", "max_new_tokens", "maxOutputTokens",
                                         "inferenceConfig.maxTokens"};
    bool named = names(words, field, false) || says(words, "maximum tokens you requested");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        named = named || names(words, others[i], false);
    return named;
}

static bool learn_tokens(const struct model *m, struct str words, json_t *root, const char **what)
{
    const char *field;
    json_t *at = limit_of(root, &field);
    words = without_echo(words);
    if (!at || !names_limit(words, field))
        return false;
    *what = field;
    json_int_t sent = json_integer_value(json_object_get(at, field));
    bool least = says(words, "must be greater than") || says(words, "should be greater than");
    uint32_t less = least ? 0 : smaller(words, (uint64_t)sent);
    if (m->api == API_CHAT && names(words, field, false) && is_unknown(words, field)) {
        bool had = m->learned->tokens_field != NULL;
        const char *other = strcmp(field, old_field) == 0 ? new_field : old_field;
        m->learned->tokens_field = other;
        json_object_set_new(at, other, json_integer(sent));
        json_object_del(at, field);
        return !had; /* else it refuses both: that is no matter of the name */
    }
    if (less == 0)
        return false;
    m->learned->output_tokens_max = less;
    json_object_set_new(at, field, json_integer(less));
    return true;
}

/* ---- thoughts ---- */

static bool add_thoughts(json_t *root)
{
    size_t i;
    json_t *message;
    bool any = false;
    json_array_foreach(json_object_get(root, "messages"), i, message)
    {
        if (!json_object_get(message, "tool_calls") ||
            json_object_get(message, "reasoning_content"))
            continue;
        json_object_set_new(message, "reasoning_content", json_string(""));
        any = true;
    }
    return any;
}

static bool is_thought(const json_t *v)
{
    struct str type = json_text(json_object_get(v, "type"));
    return str_is(type, "reasoning") || str_is(type, "thinking") ||
           str_is(type, "redacted_thinking");
}

/* Items of the conversation that are thoughts, and what is signed, go. */
static bool drop_thoughts(json_t *root)
{
    static const char *const lists[] = {"input", "messages", "content"};
    bool any = false;
    for (size_t n = 0; n < sizeof(lists) / sizeof(lists[0]); n++) {
        json_t *list = json_object_get(root, lists[n]);
        for (size_t i = json_is_array(list) ? json_array_size(list) : 0; i-- > 0;) {
            json_t *v = json_array_get(list, i);
            if (is_thought(v)) {
                json_array_remove(list, i);
                any = true;
            } else if (json_is_object(v)) {
                any = drop_thoughts(v) || any;
            }
        }
    }
    return any;
}

/* Of a turn that another model began it has none to give back, and DeepSeek thinks unless it is
 * told not to. */
static bool think_no_more(json_t *root)
{
    const json_t *thinking = json_object_get(root, "thinking");
    if (str_is(json_text(json_object_get(thinking, "type")), "disabled"))
        return false;
    json_object_del(root, "output_config");
    json_object_set_new(root, "thinking", json_pack("{s:s}", "type", "disabled"));
    return true;
}

/* Thoughts that can't be read (another organisation's key, a key that was changed) are refused
 * until they are gone: this time only, as the next ones are new. */
static bool learn_thoughts(const struct model *m, struct str words, json_t *root)
{
    bool wanted = names(words, "reasoning_content", false) &&
                  (says(words, "passed back") || says(words, "must be") || says(words, "missing") ||
                   says(words, "required"));
    if (wanted && m->api == API_CHAT) {
        m->learned->wants_thoughts = true;
        return add_thoughts(root);
    }
    if (m->api == API_MESSAGES && says(words, "must be passed back"))
        return think_no_more(root);
    if (!says(words, "signature") && !says(words, "encrypted_content") &&
        !says(words, "encrypted content"))
        return false;
    bool dropped = without(root, "reasoning_details");
    dropped = without(root, "thinking_blocks") || dropped;
    dropped = without(root, "thoughtSignature") || dropped;
    dropped = drop_thoughts(root) || dropped;
    if (dropped && m->api == API_MESSAGES) /* which wants them back when it is to think */
        json_object_del(root, "thinking");
    return dropped;
}

/* A server that wrote thoughts as parts of a message and takes none now: another model is behind
 * the name, or it is to think no more by its options. */
static bool learn_plain(const struct model *m, struct str words, json_t *root)
{
    static const char *const ways[] = {"thinking",         "thinkchunk",   "valid string",
                                       "must be a string", "content type", NULL};
    if (m->api != API_CHAT || !says_one(words, ways) || !make_plain(root))
        return false;
    m->learned->plain_content = true;
    return true;
}

/* What is written as a list of parts ends with the text, if there is one. */
static bool make_plain(json_t *root)
{
    size_t i;
    json_t *message;
    bool any = false;
    json_array_foreach(json_object_get(root, "messages"), i, message)
    {
        const json_t *parts = json_object_get(message, "content");
        if (!json_is_array(parts))
            continue;
        json_t *text = json_object_get(json_array_get(parts, json_array_size(parts) - 1), "text");
        json_object_set_new(message, "content", text ? json_incref(text) : json_null());
        any = true;
    }
    return any;
}

/* A message that only called tools has null as its content: some want a text there (LM Studio's,
 * mistral-common's servers), others none that is empty (Bedrock's). */
static bool learn_no_nulls(const struct model *m, struct str words, json_t *root)
{
    static const char *const ways[] = {"was null",
                                       "got null",
                                       "be null",
                                       "null is",
                                       "is null",
                                       "not null",
                                       "received null",
                                       "nonetype",
                                       "none is not",
                                       "must be a string",
                                       "expected string",
                                       "expected a string",
                                       "valid string",
                                       "token length must be",
                                       NULL};
    if (m->api != API_CHAT || !says_one(words, ways) || !fill_nulls(root))
        return false;
    m->learned->no_nulls = true;
    return true;
}

static bool fill_nulls(json_t *root)
{
    size_t i;
    json_t *message;
    bool any = false;
    json_array_foreach(json_object_get(root, "messages"), i, message)
    {
        if (!json_is_null(json_object_get(message, "content")))
            continue;
        json_object_set_new(message, "content", json_string(""));
        any = true;
    }
    return any;
}

/* ---- a request without something ---- */

static bool apply(const struct model *m, json_t *root)
{
    bool changed = m->learned->wants_thoughts && add_thoughts(root);
    changed = (m->learned->plain_content && make_plain(root)) || changed;
    changed = (m->learned->no_nulls && fill_nulls(root)) || changed;
    for (unsigned i = 0; i < PARAM_COUNT; i++)
        if (m->learned->refused >> i & 1)
            changed = without(root, params[i].name) || changed;
    return changed;
}

/* What the model or a tool wrote is nobody's parameter. */
static bool is_data(const char *key, const json_t *v)
{
    static const char *const data[] = {"arguments",    "args",       "parameters",
                                       "input_schema", "properties", "parametersJsonSchema",
                                       "response",     "schema",     "responseJsonSchema"};
    for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
        if (strcmp(key, data[i]) == 0)
            return true;
    return strcmp(key, "input") == 0 && json_is_object(v);
}

static bool without(json_t *v, const char *name)
{
    bool any = false;
    size_t i;
    const char *key;
    json_t *member;
    json_array_foreach(v, i, member) any = without(member, name) || any;
    /* What tells blocks of a conversation apart or is their content has such names too. */
    bool typed = json_object_get(v, "type") && strcmp(name, "text") == 0;
    typed = typed || (strcmp(name, "thinking") == 0 && is_thought(v));
    if (json_object_get(v, name) && !typed && !json_object_get(v, "parts")) {
        bool part = strcmp(name, "text") == 0 && json_object_size(v) <= 2 &&
                    json_is_string(json_object_get(v, name)); /* Gemini's */
        if (!part)
            any = json_object_del(v, name) == 0;
    }
    json_object_foreach(v, key, member)
    {
        if (!is_data(key, member))
            any = without(member, name) || any;
    }
    return any;
}

static bool in_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

/* As a word of its own. */
static bool names(struct str words, const char *name, bool quoted)
{
    size_t len = strlen(name);
    for (size_t i = 0; i + len <= words.len; i++) {
        char before = i > 0 ? words.at[i - 1] : ' ';
        char after = i + len < words.len ? words.at[i + len] : ' ';
        if (memcmp(words.at + i, name, len) != 0 || in_word(before) || in_word(after))
            continue;
        if (!quoted || (strchr("'`\"", before) && strchr("'`\"\\", after) && before && after))
            return true;
    }
    return false;
}

static bool says(struct str words, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i + len <= words.len; i++)
        if (strncasecmp(words.at + i, text, len) == 0)
            return true;
    return false;
}

/* texts end with NULL. */
static bool says_one(struct str words, const char *const *texts)
{
    for (; *texts; texts++)
        if (says(words, *texts))
            return true;
    return false;
}
