#include "proto/record.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"
#include "proto/pack.h"

/* ---- writing ---- */

static void key_text(struct buf *b, const char *key, struct str value)
{
    pack_text(b, str_of(key));
    pack_text(b, value);
}

static void key_number(struct buf *b, const char *key, uint64_t value)
{
    pack_text(b, str_of(key));
    pack_u64(b, value);
}

static void write_calls(struct buf *b, const struct record_message *m)
{
    pack_text(b, STR("calls"));
    pack_array(b, m->call_count);
    for (unsigned i = 0; i < m->call_count; i++) {
        pack_map(b, 3);
        key_text(b, "id", m->calls[i].call_id);
        key_text(b, "tool", m->calls[i].tool_name);
        key_text(b, "args", m->calls[i].arguments);
    }
}

static void write_responses(struct buf *b, const struct record_message *m)
{
    pack_text(b, STR("answers"));
    pack_array(b, m->response_count);
    for (unsigned i = 0; i < m->response_count; i++) {
        const struct record_response *r = &m->responses[i];
        pack_map(b, 6);
        key_text(b, "id", r->call_id);
        key_text(b, "tool", r->tool_name);
        key_text(b, "text", r->content);
        key_number(b, "failed", r->failed);
        key_number(b, "ms", r->duration_ms);
        key_text(b, "ds", r->datasource);
    }
}

bool record_message_encode(const struct record_message *m, struct buf *b)
{
    CHECK(m->call_count <= RECORD_CALLS_MAX && m->response_count <= RECORD_CALLS_MAX);
    pack_map(b, 17);
    key_number(b, "role", (uint64_t)m->role);
    key_text(b, "turn", id_key(&m->turn));
    key_number(b, "step", m->step);
    key_number(b, "at", (uint64_t)m->at_ms);
    key_text(b, "text", m->content);
    key_text(b, "think", m->reasoning);
    key_text(b, "ctx", m->context);
    key_text(b, "stop", m->stop_reason);
    key_text(b, "model", m->model);
    key_text(b, "state", m->state);
    key_text(b, "maker", m->maker);
    key_number(b, "in", m->usage.input_tokens);
    key_number(b, "out", m->usage.output_tokens);
    key_number(b, "hit", m->usage.cached_tokens);
    key_number(b, "cost", m->usage.cost);
    write_calls(b, m);
    write_responses(b, m);
    return !b->overflowed;
}

bool record_request_encode(const struct record_request *r, struct buf *b)
{
    pack_map(b, 5u + (r->tool_name.len > 0 ? 2 : 0) + (r->traceparent.len > 0 ? 1 : 0));
    key_text(b, "owner", r->owner);
    key_text(b, "ds", r->datasource_path);
    key_text(b, "ctx", r->context);
    key_text(b, "model", r->model);
    key_text(b, "slot", r->quota_id);
    if (r->tool_name.len > 0) {
        key_text(b, "tool", r->tool_name);
        key_text(b, "args", r->arguments);
    }
    if (r->traceparent.len > 0)
        key_text(b, "trace", r->traceparent);
    return !b->overflowed;
}

/* ---- events ---- */

/* What a part of an event costs beside its bytes: not worth it for less. */
enum { LIKE_BYTES_MIN = 32 };

/* How much of an event is as in the one before it. */
struct likeness {
    size_t head, tail;
};

static struct likeness compare(struct str base, struct str payload)
{
    size_t most = base.len < payload.len ? base.len : payload.len;
    struct likeness l = {0};
    while (l.head < most && base.at[l.head] == payload.at[l.head])
        l.head++;
    while (l.tail < most - l.head &&
           base.at[base.len - 1 - l.tail] == payload.at[payload.len - 1 - l.tail])
        l.tail++;
    return l;
}

static void add_whole(struct buf *b, uint32_t seq, uint32_t final, struct str payload)
{
    pack_array(b, 3);
    pack_u64(b, seq);
    pack_u64(b, final);
    pack_bytes(b, payload);
}

static void add_part(struct buf *b, uint32_t seq, uint32_t final, struct likeness l,
                     struct str payload)
{
    pack_array(b, 5);
    pack_u64(b, seq);
    pack_u64(b, final);
    pack_u64(b, l.head);
    pack_u64(b, l.tail);
    pack_bytes(b, (struct str){payload.at + l.head, payload.len - l.head - l.tail});
}

bool record_event_add(struct buf *b, struct record_base *base, uint32_t seq, uint32_t final,
                      struct str payload)
{
    size_t before = b->len;
    struct likeness l = {0};
    if (base && base->len > 0)
        l = compare((struct str){b->at + base->at, base->len}, payload);
    bool part = l.head + l.tail >= LIKE_BYTES_MIN && l.head + l.tail >= payload.len / 2;
    if (part)
        add_part(b, seq, final, l, payload);
    else
        add_whole(b, seq, final, payload);
    if (b->overflowed) {
        b->len = before;
        return false;
    }
    if (base && !part)
        *base = (struct record_base){b->len - payload.len, payload.len};
    return true;
}

void record_arguments_json(struct buf *b, struct str arguments)
{
    json_t *parsed =
        json_loadb(arguments.at ? arguments.at : "", arguments.len, JSON_REJECT_DUPLICATES, NULL);
    char *text = json_is_object(parsed) ? json_dumps(parsed, JSON_COMPACT) : NULL;
    if (text)
        buf_puts(b, text);
    else
        json_str(b, arguments);
    free(text);
    json_decref(parsed);
}

void record_hash(struct str a, struct str b, char out[RECORD_HASH_TEXT + 1])
{
    static const unsigned char between = 0;
    unsigned char hash[RECORD_HASH_TEXT / 2];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof(hash));
    crypto_generichash_update(&state, (const unsigned char *)a.at, a.len);
    crypto_generichash_update(&state, &between, 1);
    crypto_generichash_update(&state, (const unsigned char *)b.at, b.len);
    crypto_generichash_final(&state, hash, sizeof(hash));
    sodium_bin2hex(out, RECORD_HASH_TEXT + 1, hash, sizeof(hash));
}

void record_call_hash(const struct record_call *c, char out[RECORD_HASH_TEXT + 1])
{
    record_hash(c->tool_name, c->arguments, out);
}

/* ---- reading ----
 * A record is a map; the known keys and where their values go are rows, so that what is unknown or
 * of another type is skipped in one place. */

struct field {
    const char *key;
    uint64_t *number;
    struct str *text;
};

/* One value for the field of that key, or skips it. A value of the wrong type leaves the field
 * empty. */
static bool read_field(struct str *rest, struct str key, const struct field *fields, unsigned count)
{
    struct pack_value value;
    for (unsigned i = 0; i < count; i++) {
        if (!str_is(key, fields[i].key))
            continue;
        struct str before = *rest;
        if (!pack_read(rest, &value)) {
            *rest = before;
            return pack_skip(rest);
        }
        if (fields[i].number && value.type == PACK_NUMBER)
            *fields[i].number = value.number;
        else if (fields[i].text && value.type != PACK_NUMBER)
            *fields[i].text = value.bytes;
        return true;
    }
    return pack_skip(rest);
}

static bool read_map(struct str *rest, const struct field *fields, unsigned count)
{
    uint32_t pairs;
    struct pack_value key;
    if (!pack_read_map(rest, &pairs))
        return false;
    for (uint32_t i = 0; i < pairs; i++)
        if (!pack_read(rest, &key) || !read_field(rest, key.bytes, fields, count))
            return false;
    return true;
}

static uint32_t small(uint64_t n) { return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n; }

static bool read_calls(struct str *rest, struct record_message *out)
{
    uint32_t count;
    if (!pack_read_array(rest, &count) || count > RECORD_CALLS_MAX || out->calls)
        return false;
    out->calls = count ? xcalloc(count, sizeof(*out->calls)) : NULL;
    out->call_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct record_call *call = &out->calls[i];
        const struct field fields[] = {{"id", NULL, &call->call_id},
                                       {"tool", NULL, &call->tool_name},
                                       {"args", NULL, &call->arguments}};
        if (!read_map(rest, fields, sizeof(fields) / sizeof(*fields)))
            return false;
    }
    return true;
}

static bool read_responses(struct str *rest, struct record_message *out)
{
    uint32_t count;
    if (!pack_read_array(rest, &count) || count > RECORD_CALLS_MAX || out->responses)
        return false;
    out->responses = count ? xcalloc(count, sizeof(*out->responses)) : NULL;
    out->response_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct record_response *r = &out->responses[i];
        uint64_t failed = 0, ms = 0;
        const struct field fields[] = {{"id", NULL, &r->call_id},   {"tool", NULL, &r->tool_name},
                                       {"text", NULL, &r->content}, {"failed", &failed, NULL},
                                       {"ms", &ms, NULL},           {"ds", NULL, &r->datasource}};
        if (!read_map(rest, fields, sizeof(fields) / sizeof(*fields)))
            return false;
        r->failed = small(failed);
        r->duration_ms = small(ms);
    }
    return true;
}

static bool read_message(struct str rest, struct record_message *out)
{
    uint64_t role = 0, step = 0, at = 0;
    struct str turn = {0};
    const struct field fields[] = {{"role", &role, NULL},
                                   {"turn", NULL, &turn},
                                   {"step", &step, NULL},
                                   {"at", &at, NULL},
                                   {"text", NULL, &out->content},
                                   {"think", NULL, &out->reasoning},
                                   {"ctx", NULL, &out->context},
                                   {"stop", NULL, &out->stop_reason},
                                   {"model", NULL, &out->model},
                                   {"state", NULL, &out->state},
                                   {"maker", NULL, &out->maker},
                                   {"in", &out->usage.input_tokens, NULL},
                                   {"out", &out->usage.output_tokens, NULL},
                                   {"hit", &out->usage.cached_tokens, NULL},
                                   {"cost", &out->usage.cost, NULL}};
    uint32_t pairs;
    if (rest.len > RECORD_BYTES_MAX || !pack_read_map(&rest, &pairs))
        return false;
    for (uint32_t i = 0; i < pairs; i++) {
        struct pack_value key;
        bool ok = pack_read(&rest, &key);
        if (ok && str_is(key.bytes, "calls"))
            ok = read_calls(&rest, out);
        else if (ok && str_is(key.bytes, "answers"))
            ok = read_responses(&rest, out);
        else if (ok)
            ok = read_field(&rest, key.bytes, fields, sizeof(fields) / sizeof(*fields));
        if (!ok)
            return false;
    }
    if (rest.len > 0 || role > ROLE_TOOL || (turn.len != 0 && turn.len != sizeof(out->turn.bytes)))
        return false;
    out->role = (enum message_role)role;
    out->step = small(step);
    out->at_ms = (int64_t)(at & INT64_MAX);
    if (turn.len)
        memcpy(out->turn.bytes, turn.at, turn.len);
    return true;
}

enum err record_message_decode(struct str bytes, struct record_message *out)
{
    *out = (struct record_message){0};
    if (read_message(bytes, out))
        return ERR_NONE;
    record_message_free(out);
    return ERR_BAD_FRAME;
}

void record_message_free(struct record_message *m)
{
    free(m->calls);
    free(m->responses);
    *m = (struct record_message){0};
}

/* Texts are laid one behind the other; with a NULL buf they are only counted. */
struct texts {
    struct buf *to;
    size_t bytes;
};

static void lay(struct texts *t, struct str *text)
{
    t->bytes += text->len;
    if (!t->to)
        return;
    size_t at = t->to->len;
    buf_add_str(t->to, *text);
    *text = (struct str){text->len ? t->to->at + at : NULL, text->len};
}

static void lay_all(struct texts *t, struct record_message *m)
{
    struct str *const own[] = {&m->content, &m->reasoning, &m->context, &m->stop_reason,
                               &m->model,   &m->state,     &m->maker};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        lay(t, own[i]);
    for (unsigned i = 0; i < m->call_count; i++) {
        lay(t, &m->calls[i].call_id);
        lay(t, &m->calls[i].tool_name);
        lay(t, &m->calls[i].arguments);
    }
    for (unsigned i = 0; i < m->response_count; i++) {
        lay(t, &m->responses[i].call_id);
        lay(t, &m->responses[i].tool_name);
        lay(t, &m->responses[i].content);
        lay(t, &m->responses[i].datasource);
    }
}

static void *copy_of(const void *from, size_t bytes)
{
    return bytes ? memcpy(xcalloc(1, bytes), from, bytes) : NULL;
}

bool record_message_copy(const struct record_message *m, struct buf *bytes,
                         struct record_message *out)
{
    struct texts count = {NULL, 0};
    *out = *m;
    out->calls = copy_of(m->calls, m->call_count * sizeof(*m->calls));
    out->responses = copy_of(m->responses, m->response_count * sizeof(*m->responses));
    lay_all(&count, out);
    buf_clear(bytes);
    if (count.bytes > 0 && buf_reserve(bytes, count.bytes) == NULL) {
        record_message_free(out);
        return false;
    }
    lay_all(&(struct texts){bytes, 0}, out); /* there is room: nothing moves */
    return true;
}

enum err record_request_decode(struct str bytes, struct record_request *out)
{
    *out = (struct record_request){0};
    const struct field fields[] = {
        {"owner", NULL, &out->owner},    {"ds", NULL, &out->datasource_path},
        {"ctx", NULL, &out->context},    {"model", NULL, &out->model},
        {"slot", NULL, &out->quota_id},  {"tool", NULL, &out->tool_name},
        {"args", NULL, &out->arguments}, {"trace", NULL, &out->traceparent}};
    if (bytes.len <= RECORD_BYTES_MAX &&
        read_map(&bytes, fields, sizeof(fields) / sizeof(*fields)) && bytes.len == 0)
        return ERR_NONE;
    *out = (struct record_request){0};
    return ERR_BAD_FRAME;
}

void record_events_init(struct record_events *r, struct str batch)
{
    *r = (struct record_events){.rest = batch};
    buf_init(&r->whole, RECORD_BYTES_MAX);
}

void record_events_free(struct record_events *r) { buf_free(&r->whole); }

bool record_events_more(const struct record_events *r) { return r->rest.len > 0; }

static bool read_number(struct str *rest, uint64_t max, uint64_t *out)
{
    struct pack_value v;
    bool ok = pack_read(rest, &v) && v.type == PACK_NUMBER && v.number <= max;
    *out = ok ? v.number : 0;
    return ok;
}

static bool read_bytes(struct str *rest, struct str *out)
{
    struct pack_value v;
    bool ok = pack_read(rest, &v) && v.type == PACK_BYTES;
    *out = ok ? v.bytes : (struct str){0};
    return ok;
}

/* What is as in the base, around what is its own. */
static bool read_part(struct record_events *r, struct str *payload)
{
    uint64_t head, tail;
    struct str own;
    if (!read_number(&r->rest, r->base.len, &head) ||
        !read_number(&r->rest, r->base.len - head, &tail) || !read_bytes(&r->rest, &own))
        return false;
    buf_clear(&r->whole);
    buf_add(&r->whole, r->base.at, head);
    buf_add_str(&r->whole, own);
    buf_add_str(&r->whole, str_skip(r->base, r->base.len - tail));
    *payload = buf_str(&r->whole);
    return !r->whole.overflowed;
}

enum err record_events_next(struct record_events *r, struct record_event *out)
{
    uint32_t count;
    uint64_t seq, final;
    struct str payload = {0};
    *out = (struct record_event){0};
    bool ok = pack_read_array(&r->rest, &count) && (count == 3 || count == 5) &&
              read_number(&r->rest, UINT32_MAX, &seq) && seq > 0 &&
              read_number(&r->rest, 1, &final);
    if (ok && count == 5)
        ok = read_part(r, &payload);
    else if (ok)
        ok = read_bytes(&r->rest, &payload);
    if (!ok || payload.len == 0)
        return ERR_BAD_FRAME;
    if (count == 3)
        r->base = payload;
    *out = (struct record_event){(uint32_t)seq, (uint32_t) final, payload};
    return ERR_NONE;
}

uint32_t record_events_first(struct str batch)
{
    struct record_events r;
    struct record_event e;
    record_events_init(&r, batch);
    uint32_t first = record_events_next(&r, &e) == ERR_NONE ? e.seq : 0;
    record_events_free(&r);
    return first;
}

const char *role_word(enum message_role r)
{
    static const char *const words[] = {"user", "assistant", "tool"};
    CHECK((unsigned)r < sizeof(words) / sizeof(*words));
    return words[r];
}
