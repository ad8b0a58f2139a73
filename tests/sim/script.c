#include "tests/sim/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "tests/sim/fake_redis.h"
#include "tests/sim/faults.h"

static struct {
    struct script_turn turns[SCRIPT_TURNS_MAX];
    unsigned count, poison, breaks, number;
} all;

/* ---- payloads ---- */

static const char *find(struct str s, const char *what)
{
    return memmem(s.at, s.len, what, strlen(what));
}

struct str payload_text(struct str payload, const char *key)
{
    char what[40];
    int len = snprintf(what, sizeof(what), "\"%s\":\"", key);
    const char *at = find(payload, what);
    if (!at)
        return (struct str){NULL, 0};
    at += len;
    const char *end = memchr(at, '"', (size_t)(payload.at + payload.len - at));
    return (struct str){at, (size_t)((end ? end : at) - at)};
}

uint32_t payload_number(struct str payload, const char *key)
{
    char what[40];
    int len = snprintf(what, sizeof(what), "\"%s\":", key);
    const char *at = find(payload, what);
    return at ? (uint32_t)strtoul(at + len, NULL, 10) : 0;
}

uint32_t payload_step(struct str payload)
{
    struct str id = payload_text(payload, "step_id");
    return id.len > ID_TEXT + 1 ? (uint32_t)strtoul(id.at + ID_TEXT + 1, NULL, 10) : 0;
}

/* ---- turns ---- */

void script_begin(void)
{
    all.count = all.poison = all.breaks = 0;
    all.number = 0;
}

void script_end(void)
{
    for (unsigned i = 0; i < all.count; i++) {
        free(all.turns[i].said);
        free(all.turns[i].seen);
    }
    all.count = 0;
}

void script_poison(unsigned of_thousand) { all.poison = of_thousand; }
void script_break(unsigned of_thousand) { all.breaks = of_thousand; }

static struct script_turn *known(struct id turn)
{
    for (unsigned i = 0; i < all.count; i++)
        if (id_eq(all.turns[i].turn, turn))
            return &all.turns[i];
    return NULL;
}

struct script_turn *script_turn(struct id turn)
{
    struct script_turn *old = known(turn);
    if (old)
        return old;
    CHECK(all.count < SCRIPT_TURNS_MAX);
    struct script_turn *t = &all.turns[all.count++];
    *t = (struct script_turn){.turn = turn,
                              .rounds = sim_below(3),
                              .calls = 1 + sim_below(2),
                              .poison = sim_chance(all.poison),
                              .breaks = sim_chance(all.breaks)};
    return t;
}

struct script_turn *script_at(unsigned i) { return i < all.count ? &all.turns[i] : NULL; }

/* ---- the model ---- */

void script_reply(struct script_reply *out, struct id turn, uint32_t step, bool last)
{
    struct script_turn *t = script_turn(turn);
    *out = (struct script_reply){.turn = turn, .step = step};
    out->pace_us = sim_chance(150) ? 250000 : 20000;
    out->piece_count = 1 + sim_below(SCRIPT_PIECES_MAX);
    unsigned number = ++all.number;
    for (unsigned i = 0; i < out->piece_count; i++)
        snprintf(out->pieces[i], SCRIPT_PIECE, "%u.%u.%u ", step, number, i);
    if ((step + 1) / 2 <= t->rounds && !last)
        out->call_count = t->calls;
    if (t->breaks && sim_chance(300)) {
        out->fails = ERR_MODEL_UNAVAILABLE;
        out->again = sim_chance(700);
    }
    out->poison = t->poison;
}

void script_tell(struct id turn, const char *piece)
{
    struct script_turn *t = script_turn(turn);
    struct script_told *told = &t->told[t->told_count++ % SCRIPT_TOLD_MAX];
    snprintf(told->piece, sizeof(told->piece), "%s", piece);
    told->at_us = sim.now_us;
}

int64_t script_told_us(const struct script_turn *t, struct str text)
{
    for (unsigned i = 0; i < SCRIPT_TOLD_MAX && i < t->told_count; i++) {
        struct str piece = str_of(t->told[i].piece);
        if (text.len >= piece.len &&
            memcmp(text.at + text.len - piece.len, piece.at, piece.len) == 0)
            return t->told[i].at_us;
    }
    return 0;
}

void script_store(struct id session, struct id turn)
{
    const struct fake_turn *stored = session_turn(redis_session(sim.redis, session), turn);
    if (!stored || stored->entry_count == 0)
        return;
    struct script_turn *t = script_turn(turn);
    struct event_at last = stored->entries[stored->entry_count - 1].last;
    const struct script_stored *before = &t->stored[(t->stored_count - 1) % SCRIPT_STORED_MAX];
    if (t->stored_count == 0 || event_at_cmp(last, before->last) > 0)
        t->stored[t->stored_count++ % SCRIPT_STORED_MAX] = (struct script_stored){last, sim.now_us};
}

struct event_at script_stored(struct id turn, int64_t at_us)
{
    const struct script_turn *t = known(turn);
    struct event_at none = {0, 0};
    for (unsigned i = t ? t->stored_count : 0, n = 0; i > 0 && n < SCRIPT_STORED_MAX; i--, n++) {
        const struct script_stored *s = &t->stored[(i - 1) % SCRIPT_STORED_MAX];
        if (s->at_us <= at_us)
            return s->last;
    }
    return none;
}

void script_replied(const struct script_reply *r)
{
    struct script_turn *t = script_turn(r->turn);
    if (t->said_count == t->said_max) {
        t->said_max = t->said_max ? 2 * t->said_max : 8;
        t->said = xrealloc(t->said, t->said_max * sizeof(*t->said));
    }
    struct script_said *s = &t->said[t->said_count++];
    *s = (struct script_said){.step = r->step};
    size_t len = 0;
    for (unsigned i = 0; i < r->piece_count; i++)
        len += (size_t)snprintf(s->text + len, sizeof(s->text) - len, "%s", r->pieces[i]);
}

void script_result(char *out, size_t size, struct id turn, struct str call_id)
{
    (void)turn;
    snprintf(out, size, "r%u.%.*s", ++all.number, (int)call_id.len, call_id.at);
}

bool script_has_said(const struct script_turn *t, uint32_t step, struct str text)
{
    for (unsigned i = 0; i < t->said_count; i++)
        if (t->said[i].step == step && str_is(text, t->said[i].text))
            return true;
    return false;
}

/* ---- what was seen ---- */

static uint64_t hash_of(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.at[i]) * 0x100000001b3u;
    return h;
}

static struct script_seen *seen_at(struct script_turn *t, struct event_at at)
{
    for (unsigned i = t->seen_count; i > 0; i--)
        if (event_at_cmp(t->seen[i - 1].at, at) == 0)
            return &t->seen[i - 1];
    return NULL;
}

void script_see(struct script_turn *t, struct event_at at, bool lasting, struct str payload)
{
    uint64_t hash = hash_of(payload);
    struct script_seen *before = seen_at(t, at);
    if (before) {
        if (before->hash != hash)
            sim_fail("event %u-%u is two different ones", at.epoch, at.seq);
        return;
    }
    if (t->seen_count == t->seen_max) {
        t->seen_max = t->seen_max ? 2 * t->seen_max : 32;
        t->seen = xrealloc(t->seen, t->seen_max * sizeof(*t->seen));
    }
    t->seen[t->seen_count++] = (struct script_seen){at, hash, lasting};
}

/* ---- the store, when all is quiet ---- */

struct walk { /* along the stored events of a turn */
    struct script_turn *turn;
    const struct fake_session *session;
    struct event_at last;
    bool final, cut_short;
    unsigned message; /* the next one of the turn */
    struct str answer;
};

/* The next message of the turn is of that role and, an assistant's, has that text. */
static void expect_message(struct walk *w, enum message_role role, struct str content)
{
    const struct fake_session *s = w->session;
    while (w->message < s->message_count) {
        struct record_message m;
        CHECK(record_message_decode(blob_str(s->messages[w->message++].record), &m) == ERR_NONE);
        bool ours = id_eq(m.turn, w->turn->turn);
        bool same = m.role == role && (role != ROLE_ASSISTANT || str_eq(m.content, content));
        record_message_free(&m);
        if (!ours)
            continue;
        if (!same)
            sim_fail("the conversation is not what was completed (after %u-%u)", w->last.epoch,
                     w->last.seq);
        return;
    }
    sim_fail("a completed step (%u-%u) is not in the conversation", w->last.epoch, w->last.seq);
}

static void walk_payload(struct walk *w, bool final, struct str payload)
{
    struct str type = payload_text(payload, "event_type");
    if (str_is(type, "step_complete")) {
        bool tools = str_is(payload_text(payload, "step_type"), "tool_execution");
        struct str content = payload_text(payload, "content");
        if (!tools && !script_has_said(w->turn, payload_step(payload), content))
            sim_fail("step %u holds what the model never said", payload_step(payload));
        expect_message(w, tools ? ROLE_TOOL : ROLE_ASSISTANT, content);
        w->answer = content;
    }
    if (!final)
        return;
    w->final = true;
    if (str_is(type, "turn_complete") && !str_eq(payload_text(payload, "content"), w->answer))
        sim_fail("the answer is not what its step said");
    if (str_is(type, "turn_cancelled") && !w->turn->cancel_asked)
        sim_fail("cancelled, and nobody asked for it");
    if (str_is(type, "error")) {
        struct str code = payload_text(payload, "code");
        bool fine = (str_is(code, "worker_lost") && (w->turn->poison || faults_deadly() >= 3)) ||
                    (str_is(code, "model_unavailable") && w->turn->breaks) ||
                    (str_is(code, "token_expired") && sim.auth);
        if (!fine)
            sim_fail("ended in %.*s for no reason", (int)code.len, code.at);
    }
    if (w->turn->poison && str_is(type, "turn_complete"))
        sim_fail("a turn that kills its workers was answered");
}

static void walk_event(struct walk *w, struct event_at at, const struct record_event *e)
{
    if (event_at_cmp(at, w->last) <= 0)
        return; /* said again together with what followed */
    bool follows = at.epoch == w->last.epoch ? at.seq == w->last.seq + 1 : at.seq == 1;
    if (!follows && !sim.lossy)
        sim_fail("the store has a gap: %u-%u then %u-%u", w->last.epoch, w->last.seq, at.epoch,
                 at.seq);
    if (w->final)
        sim_fail("the store has an event after the final one: %u-%u", at.epoch, at.seq);
    struct script_seen *seen = seen_at(w->turn, at);
    if (seen && seen->hash != hash_of(e->payload) && !sim.lossy)
        sim_fail("stored event %u-%u is not what was seen", at.epoch, at.seq);
    if (seen)
        seen->lasting = false; /* found */
    w->last = at;
    walk_payload(w, e->final != 0, e->payload);
}

static void walk_entry(struct walk *w, const struct fake_entry *entry)
{
    struct record_events events;
    record_events_init(&events, blob_str(entry->batch));
    while (record_events_more(&events)) {
        struct record_event e;
        CHECK(record_events_next(&events, &e) == ERR_NONE);
        walk_event(w, (struct event_at){entry->last.epoch, e.seq}, &e);
    }
    record_events_free(&events);
}

static void check_left(struct walk *w)
{
    for (unsigned i = 0; i < w->turn->seen_count && !sim.lossy; i++) {
        const struct script_seen *s = &w->turn->seen[i];
        if (s->lasting)
            sim_fail("event %u-%u was seen as final and is not stored", s->at.epoch, s->at.seq);
    }
    /* What was streamed of a step that failed or was cancelled may stay as a message. */
    unsigned more = 0;
    for (; w->message < w->session->message_count; w->message++) {
        struct record_message m;
        struct blob *record = w->session->messages[w->message].record;
        CHECK(record_message_decode(blob_str(record), &m) == ERR_NONE);
        more += id_eq(m.turn, w->turn->turn);
        record_message_free(&m);
    }
    if (more > 1)
        sim_fail("the conversation has %u messages that no step completed", more);
}

bool script_over(const struct script_turn *t)
{
    const struct fake_turn *stored = session_turn(redis_session(sim.redis, t->session), t->turn);
    return !stored || !turn_open(stored);
}

void script_check(struct script_turn *t)
{
    const struct fake_session *s = redis_session(sim.redis, t->session);
    const struct fake_turn *stored = session_turn(s, t->turn);
    if (!stored) {
        if (!sim.lossy)
            sim_fail("an accepted turn is not in the store");
        return;
    }
    if (turn_open(stored))
        sim_fail("turn %.6s never ended (epoch %u, held by %s)", id_log(t->turn), stored->epoch,
                 stored->holder);
    struct walk w = {.turn = t, .session = s};
    expect_message(&w, ROLE_USER, STR(""));
    for (unsigned i = 0; i < stored->entry_count; i++)
        walk_entry(&w, &stored->entries[i]);
    if (!w.final)
        sim_fail("the store has no final event");
    check_left(&w);
}
