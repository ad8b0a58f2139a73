/* The scripts of proto/store/scripts/ about sessions and messages, and what store/list.c makes of
 * them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "tests/sim/fake_redis.h"

/* ---- answers ---- */
void answer_session(struct redis *r, const struct fake_session *s, struct fake_reply *reply,
                    struct store_session *out)
{
    const struct fake_turn *t = id_is_zero(s->running) ? NULL : session_turn(s, s->running);
    struct blob *owner = blob_new(str_of(s->owner));
    *out = (struct store_session){.session = s->session,
                                  .owner = reply_hold(reply, owner),
                                  .title = reply_hold(reply, s->title),
                                  .model = reply_hold(reply, s->model),
                                  .settings = reply_hold(reply, s->settings),
                                  .created_ms = s->created_ms,
                                  .updated_ms = s->updated_ms,
                                  .turns = s->turns,
                                  .usage = s->usage};
    blob_free(owner);
    if (t && !t->void_ && turn_open(t)) {
        out->running = t->turn;
        out->running_state = t->state;
        out->running_epoch = t->epoch;
        out->running_lease_ms = t->lease_ms - r->now_ms;
        if (t->state == TURN_AWAITING)
            out->running_approvals = reply_hold(reply, t->approvals);
    }
}

void answer_summary(const struct fake_session *s, struct fake_reply *reply,
                    struct store_session *out)
{
    out->revision = s->revision;
    out->summary_to = s->summary_to;
    if (s->summary)
        out->summary = reply_hold(reply, s->summary);
}

/* What was made of a message is void. */
static void message_changed(struct fake_session *s, uint32_t message)
{
    s->revision++;
    if (message > s->summary_to)
        return;
    blob_free(s->summary);
    s->summary = NULL;
    s->summary_to = 0;
}

void answer_messages(const struct fake_session *s, struct fake_reply *reply)
{
    reply->messages = xcalloc(s->message_count + 1, sizeof(*reply->messages));
    for (unsigned i = 0; i < s->message_count; i++) {
        const struct fake_message *from = &s->messages[i];
        struct store_message *m = &reply->messages[i];
        m->message = from->message;
        m->pinned = from->pinned;
        m->excluded = from->excluded;
        CHECK(record_message_decode(reply_hold(reply, from->record), &m->record) == ERR_NONE);
    }
    reply->answer.messages = reply->messages;
    reply->answer.message_count = s->message_count;
}

static void answer_one(struct redis *r, const struct fake_session *s, struct fake_reply *out)
{
    out->sessions = xcalloc(1, sizeof(*out->sessions));
    answer_session(r, s, out, out->sessions);
    out->answer.sessions = out->sessions;
    out->answer.session_count = 1;
}

/* ---- what a person may keep ---- */
enum { SESSION_SIZE = 1024 };

static uint64_t size_of(const struct fake_session *s)
{
    return SESSION_SIZE + s->bytes + (s->settings ? s->settings->len : 0);
}

/* What quota/storage_take.lua says. */
static enum err quota_of(const struct redis *r, const struct fake_op *op, uint64_t more,
                         bool new_one)
{
    unsigned count = 0;
    for (unsigned i = 0; i < r->session_count; i++) {
        if (strcmp(r->sessions[i]->owner, op->owner) != 0)
            continue;
        count++;
        more += size_of(r->sessions[i]);
    }
    if (new_one && op->config.user_sessions_max > 0 && count >= op->config.user_sessions_max)
        return ERR_TOO_MANY_SESSIONS;
    bool full = op->config.user_bytes_max > 0 && more > op->config.user_bytes_max;
    return full ? ERR_QUOTA_EXCEEDED : ERR_NONE;
}

/* ---- sessions ---- */
static enum err create(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct blob *key = op->texts[TEXT_KEY];
    bool seen = false;
    for (unsigned i = 0; key->len > 0 && i < r->once_count; i++) {
        const struct fake_once *o = &r->once[i];
        if (strcmp(o->owner, op->owner) != 0 || !str_eq(blob_str(o->key), blob_str(key)))
            continue;
        op->session = o->session;
        seen = true;
    }
    if (key->len > 0 && !seen)
        redis_once_add(r, op->owner, key, op->session);
    out->answer.session = op->session;
    struct fake_session *s = redis_session(r, op->session);
    if (s && strcmp(s->owner, op->owner) != 0)
        return ERR_SESSION_NOT_FOUND;
    if (s)
        return other_body(s->body, op->texts[TEXT_BODY]) ? ERR_IDEMPOTENCY_MISMATCH : ERR_NONE;
    enum err full = quota_of(r, op, SESSION_SIZE, true);
    if (full)
        return full;
    s = redis_session_add(r, op->session, str_of(op->owner));
    s->title = blob_ref(op->texts[TEXT_TITLE]);
    s->model = blob_ref(op->texts[TEXT_MODEL]);
    s->body = blob_ref(op->texts[TEXT_BODY]);
    return ERR_NONE;
}

static enum err get(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    answer_one(r, s, out);
    answer_summary(s, out, out->sessions);
    out->answer.session = op->session;
    if (op->with_messages)
        answer_messages(s, out);
    return ERR_NONE;
}

static enum err patch(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    struct blob **fields[] = {&s->title, &s->model, &s->settings};
    uint64_t more = op->texts[TEXT_SETTINGS] ? op->texts[TEXT_SETTINGS]->len : 0;
    enum err full = quota_of(r, op, more, false);
    if (full)
        return full;
    for (unsigned i = TEXT_TITLE; i <= TEXT_SETTINGS; i++) {
        if (!op->texts[i])
            continue;
        blob_free(*fields[i]);
        *fields[i] = blob_ref(op->texts[i]);
    }
    s->updated_ms = r->now_ms;
    out->answer.session = op->session;
    return ERR_NONE;
}

static enum err delete (struct redis *r, struct fake_op *op, struct fake_reply *out) {
    struct fake_session *s = redis_session_owned(r, op); out->answer.session = op->session;
    if (!s) return op->sent > 1 ? ERR_NONE : ERR_SESSION_NOT_FOUND;
    out->answer.turn.turn = s->running;
    for (unsigned i = 0; i < s->begun_count; i++)
        redis_open_remove(r, op->session, s->begun[i]->turn);
    redis_once_remove(r, op->session);
    redis_session_remove(r, s);
    return ERR_NONE;
}

static enum err fork_session(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    unsigned kept = 0;
    while (kept < s->message_count && s->messages[kept].message < op->message)
        kept++;
    if (kept == s->message_count || s->messages[kept].message != op->message)
        return ERR_MESSAGE_NOT_FOUND;
    uint64_t more = SESSION_SIZE;
    more += s->settings ? s->settings->len : 0;
    for (unsigned i = 0; i < kept; i++)
        more += s->messages[i].record->len;
    enum err full = quota_of(r, op, more, true);
    if (full)
        return full;
    struct fake_session *copy = redis_session_add(r, op->turn, str_of(op->owner));
    copy->title = blob_ref(s->title);
    copy->model = blob_ref(s->model);
    copy->settings = blob_ref(s->settings);
    for (unsigned i = 0; i < kept; i++) {
        struct record_message m = {0};
        session_message_add(copy, s->messages[i].message, s->messages[i].record);
        copy->messages[i].pinned = s->messages[i].pinned;
        copy->messages[i].excluded = s->messages[i].excluded;
        CHECK(record_message_decode(blob_str(s->messages[i].record), &m) == ERR_NONE);
        copy->turns += m.role == ROLE_USER;
        record_message_free(&m);
    }
    copy->mseq = op->message - 1;
    out->answer.session = op->turn;
    return ERR_NONE;
}

/* ---- messages ---- */
static struct fake_message *message_of(struct fake_session *s, uint32_t message)
{
    for (unsigned i = 0; i < s->message_count; i++)
        if (s->messages[i].message == message)
            return &s->messages[i];
    return NULL;
}

static enum err message_patch(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    struct fake_message *m = s ? message_of(s, op->message) : NULL;
    if (!m)
        return s ? ERR_MESSAGE_NOT_FOUND : ERR_SESSION_NOT_FOUND;
    if (op->pinned != -1)
        m->pinned = op->pinned == 1;
    if (op->excluded != -1)
        m->excluded = op->excluded == 1;
    message_changed(s, op->message);
    out->answer.session = op->session;
    return ERR_NONE;
}

static enum err message_delete(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct fake_session *s = redis_session_owned(r, op);
    struct fake_message *m = s ? message_of(s, op->message) : NULL;
    out->answer.session = op->session;
    if (!s)
        return ERR_SESSION_NOT_FOUND;
    if (!m)
        return op->sent > 1 ? ERR_NONE : ERR_MESSAGE_NOT_FOUND;
    const struct fake_turn *t = session_turn(s, s->running);
    if (t && !t->void_ && turn_open(t) && op->message >= t->first)
        return ERR_TURN_RUNNING;
    s->bytes -= m->record->len;
    blob_free(m->record);
    size_t behind = (size_t)(s->messages + s->message_count - (m + 1));
    memmove(m, m + 1, behind * sizeof(*m));
    s->message_count--;
    message_changed(s, op->message);
    return ERR_NONE;
}

/* ---- the list ---- */
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool has_word(struct str text, struct str word)
{
    for (size_t i = 0; i + word.len <= text.len; i++) {
        size_t same = 0;
        while (same < word.len && lower(text.at[i + same]) == lower(word.at[same]))
            same++;
        if (same == word.len)
            return true;
    }
    return word.len == 0;
}

static bool has_words(struct str text, struct str query)
{
    for (struct str word; str_split(&query, ' ', &word);)
        if (!has_word(text, word))
            return false;
    return true;
}

static bool matches(const struct fake_session *s, struct str query)
{
    if (query.len == 0 || has_words(blob_str(s->title), query))
        return true;
    bool found = false;
    for (unsigned i = 0; i < s->message_count && !found; i++) {
        struct record_message m = {0};
        CHECK(record_message_decode(blob_str(s->messages[i].record), &m) == ERR_NONE);
        found = has_words(m.content, query);
        record_message_free(&m);
    }
    return found;
}

struct place {
    int64_t updated_ms;
    struct id session;
};

/* Newest first. */
static int place_cmp(struct place a, struct place b)
{
    if (a.updated_ms != b.updated_ms)
        return a.updated_ms > b.updated_ms ? -1 : 1;
    return -memcmp(a.session.bytes, b.session.bytes, sizeof(a.session.bytes));
}

static struct place place_of(const struct fake_session *s)
{
    return (struct place){s->updated_ms, s->session};
}

static bool cursor_parse(struct str text, struct place *out)
{
    struct str ms;
    uint64_t n;
    if (!str_split(&text, '-', &ms) || !str_u64(ms, INT64_MAX, &n))
        return false;
    out->updated_ms = (int64_t)n;
    return id_parse(text, &out->session);
}

static const struct fake_session *next_behind(const struct redis *r, const struct fake_op *op,
                                              const struct place *after)
{
    const struct fake_session *best = NULL;
    for (unsigned i = 0; i < r->session_count; i++) {
        const struct fake_session *s = r->sessions[i];
        if (strcmp(s->owner, op->owner) == 0 && (!after || place_cmp(place_of(s), *after) > 0) &&
            matches(s, blob_str(op->texts[TEXT_QUERY])) &&
            (!best || place_cmp(place_of(s), place_of(best)) < 0))
            best = s;
    }
    return best;
}

static enum err list_sessions(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    struct place at = {0};
    struct str cursor = blob_str(op->texts[TEXT_KEY]);
    bool bounded = cursor.len > 0;
    if (bounded && !cursor_parse(cursor, &at))
        return ERR_INVALID;
    out->sessions = xcalloc(op->max, sizeof(*out->sessions));
    out->answer.sessions = out->sessions;
    const struct fake_session *s;
    while ((s = next_behind(r, op, bounded ? &at : NULL)) != NULL) {
        if (out->answer.session_count == op->max) {
            char id[ID_TEXT + 1];
            id_text(at.session, id);
            snprintf(out->cursor, sizeof(out->cursor), "%lld-%s", (long long)at.updated_ms, id);
            out->answer.cursor = str_of(out->cursor);
            out->answer.more = true;
            break;
        }
        struct store_session *listed = &out->sessions[out->answer.session_count++];
        answer_session(r, s, out, listed);
        listed->running_approvals = (struct str){0}; /* lists don't show them */
        at = place_of(s);
        bounded = true;
    }
    return ERR_NONE;
}

void scripts_session(struct redis *r, struct fake_op *op, struct fake_reply *out)
{
    static enum err (*const scripts[])(struct redis *, struct fake_op *, struct fake_reply *) = {
        [OP_SESSION_CREATE] = create,       [OP_SESSION_GET] = get,
        [OP_SESSION_LIST] = list_sessions,  [OP_SESSION_PATCH] = patch,
        [OP_SESSION_DELETE] = delete,       [OP_SESSION_FORK] = fork_session,
        [OP_MESSAGE_PATCH] = message_patch, [OP_MESSAGE_DELETE] = message_delete,
    };
    CHECK(op->kind < sizeof(scripts) / sizeof(*scripts) && scripts[op->kind]);
    out->err = scripts[op->kind](r, op, out);
}
