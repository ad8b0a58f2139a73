#include "tests/sim/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "tests/sim/fake_redis.h"
#include "tests/sim/script.h"

enum {
    PARSE_MAX = 1 << 20,
    PATIENCE_US = 6000000,
    TEXT_MAX = 512,
    LATE_US = 1000000, /* some rounds of the slowest messages; text is stored after thrice that */
    SMOOTH_LATE_US = 120000, /* the same where none is slow */
};
enum client_state { CLIENT_ASKS, CLIENT_FOLLOWS, CLIENT_OVER };

struct client {
    unsigned index;
    bool watcher; /* of the asker before it */
    enum client_state state;
    struct sim_event wake, mood;
    struct web *web, *cancel;
    char user[32];
    struct id session, turn;
    struct script_turn *script; /* NULL: its id is not known yet */
    unsigned asked, turns;      /* turns: to ask in all */
    bool async, proxied, slow, leaves;
    unsigned cancels; /* per thousand of events */
    unsigned drops;
    int64_t opened_us; /* its stream */
    /* what it saw of this turn */
    struct event_at cursor;
    bool final, told_end;
    uint32_t step, attempt, step_epoch;
    char text[TEXT_MAX];
    size_t text_len;
    struct buf bytes;
};
static struct client clients[CLIENTS_MAX];
static unsigned client_count;

struct web *client_web(unsigned index)
{
    if (index / 2 >= client_count)
        return NULL;
    return index % 2 ? clients[index / 2].cancel : clients[index / 2].web;
}

/* ---- requests ---- */

static void hang_up(struct web **w)
{
    if (*w) {
        web_drop(*w);
        web_free(*w);
        *w = NULL;
    }
}

static void over(struct client *c)
{
    c->state = CLIENT_OVER;
    hang_up(&c->web);
    hang_up(&c->cancel);
    sim_unset(&c->wake);
    sim_unset(&c->mood);
}

static void again(struct client *c)
{
    hang_up(&c->web);
    buf_clear(&c->bytes);
    if (c->state != CLIENT_OVER)
        sim_in(&c->wake, sim_chance(500) ? 0 : sim_between(1000, 400000));
}

static struct web *request(struct client *c, enum web_kind kind)
{
    struct proc *p = &sim.gateways[sim_below(sim.gateway_count)];
    struct web *w = web_new(c, p, kind);
    snprintf(w->user, sizeof(w->user), "%s", c->user);
    snprintf(w->key, sizeof(w->key), "%s-%u", c->user, c->asked);
    snprintf(w->message, sizeof(w->message), "question %u", c->asked);
    snprintf(w->last_id, sizeof(w->last_id), "%u-%u", c->cursor.epoch, c->cursor.seq);
    if (c->cursor.epoch == 0)
        w->last_id[0] = '\0';
    w->session = c->session;
    w->turn = c->turn;
    w->async = c->async;
    w->proxied = c->proxied;
    if (c->slow)
        w->window = 150 + sim_below(400);
    return w;
}

static void fresh(struct client *c)
{
    c->cursor = (struct event_at){0, 0};
    c->final = c->told_end = false;
    c->step = c->attempt = c->step_epoch = 0;
    c->text_len = 0;
    buf_clear(&c->bytes);
}

static void next_turn(struct client *c)
{
    fresh(c);
    c->script = NULL;
    c->state = CLIENT_ASKS;
    if (c->asked == c->turns) {
        over(c);
        return;
    }
    c->asked++;
    c->async = sim_chance(500);
    again(c);
}

/* The turn's id as its session's other tab knows it. */
static void watch(struct client *c)
{
    const struct client *of = &clients[c->index - 1];
    if (of->script && !c->script) {
        c->turn = of->turn;
        c->script = of->script;
        c->state = CLIENT_FOLLOWS;
    } else if (of->state == CLIENT_OVER && !c->script) {
        over(c);
        return;
    }
    sim_in(&c->wake, sim_between(1000, 300000));
}

static void on_wake(struct sim_event *e)
{
    struct client *c = (struct client *)(void *)((char *)e - offsetof(struct client, wake));
    if (c->web) { /* no answer in its patience, or it drops its line */
        again(c);
        return;
    }
    if (c->watcher && !c->script) {
        watch(c);
        return;
    }
    c->web = request(c, c->state == CLIENT_ASKS ? WEB_POST : WEB_FOLLOW);
    sim_note("client %u: %s %s after %u-%u", c->index, c->web->gateway->name,
             c->state == CLIENT_ASKS ? "asks" : "follows", c->cursor.epoch, c->cursor.seq);
    web_send(c->web);
    sim_in(&c->wake, PATIENCE_US);
}

static void ask_cancel(struct client *c)
{
    if (c->cancel || !c->script)
        return;
    c->script->cancel_asked = true;
    c->cancel = request(c, WEB_CANCEL);
    sim_note("client %u: %s cancel", c->index, c->cancel->gateway->name);
    web_send(c->cancel);
}

/* What it takes into its head while it follows. */
static void on_mood(struct sim_event *e)
{
    struct client *c = (struct client *)(void *)((char *)e - offsetof(struct client, mood));
    if (sim.now_us > sim.calm_us)
        return;
    sim_in(e, sim_between(20000, 1500000));
    if (sim_chance(c->cancels))
        ask_cancel(c);
    else if (c->web && sim_chance(c->drops))
        again(c);
    else if (c->leaves && c->script && sim_chance(300))
        over(c);
}

/* ---- what is checked of each event ---- */

static void learn(struct client *c, struct id turn)
{
    c->turn = turn;
    c->script = script_turn(turn);
    c->script->session = c->session;
    c->script->accepted = true;
    c->state = CLIENT_FOLLOWS;
}

static void check_order(struct client *c, struct event_at at)
{
    bool fine = at.epoch == c->cursor.epoch ? at.seq == c->cursor.seq + 1
                : c->cursor.epoch == 0      ? at.epoch == 1 && at.seq == 1
                                            : at.epoch > c->cursor.epoch && at.seq == 1;
    if (!fine)
        sim_fail("client %u got %u-%u after %u-%u", c->index, at.epoch, at.seq, c->cursor.epoch,
                 c->cursor.seq);
    if (c->final && !(sim.lossy && at.epoch > c->cursor.epoch)) /* as in check_step */
        sim_fail("client %u got %u-%u after the final event", c->index, at.epoch, at.seq);
    c->cursor = at;
}

/* When Redis lost its last writes, a step may be begun once more in a later epoch, though it was
 * completed, or with an attempt that was seen before; also behind the turn's end, for one who was
 * cut off right behind that and asked for what comes. */
static void check_step(struct client *c, struct str type, struct str payload)
{
    uint32_t step = payload_step(payload), attempt = payload_number(payload, "attempt");
    struct str text = payload_text(payload, "text");
    if (str_is(type, "step_start")) {
        bool back = step < c->step || (step == c->step && attempt <= c->attempt);
        if (back && !(sim.lossy && c->cursor.epoch > c->step_epoch))
            sim_fail("client %u: step %u.%u begins after %u.%u", c->index, step, attempt, c->step,
                     c->attempt);
        c->step = step;
        c->step_epoch = c->cursor.epoch;
        c->attempt = attempt;
        c->text_len = 0;
    } else if (str_is(type, "step_progress") && text.at) {
        if (step != c->step || c->text_len + text.len > TEXT_MAX)
            sim_fail("client %u: text of step %u within step %u", c->index, step, c->step);
        else
            memcpy(c->text + c->text_len, text.at, text.len);
        c->text_len += text.len;
    } else if (str_is(type, "step_complete")) {
        bool tools = str_is(payload_text(payload, "step_type"), "tool_execution");
        struct str seen = {c->text, c->text_len < TEXT_MAX ? c->text_len : TEXT_MAX};
        if (step != c->step || (!tools && !str_eq(payload_text(payload, "content"), seen)))
            sim_fail("client %u: step %u completed is not what was streamed", c->index, step);
    }
}

/* Where nothing is broken, each gateway has what was said a moment later, whoever drives the turn;
 * and the end of one that was cancelled. */
static void check_late(const struct client *c, struct str payload)
{
    struct str text = payload_text(payload, "text");
    bool cancelled = str_is(payload_text(payload, "event_type"), "turn_cancelled");
    int64_t told_us = text.at     ? script_told_us(c->script, text)
                      : cancelled ? c->script->cancelled_us
                                  : 0;
    if (told_us == 0 || c->slow || (cancelled && told_us < sim.well_us))
        return; /* such a cancel a worker may have learnt from the store alone */
    if (told_us < c->opened_us)
        told_us = c->opened_us;
    if (told_us < sim.well_us)
        told_us = sim.well_us;
    if (sim.now_us - told_us > (sim.smooth ? SMOOTH_LATE_US : LATE_US))
        sim_fail("client %u got %u-%u %lld ms after it was said", c->index, c->cursor.epoch,
                 c->cursor.seq, (long long)(sim.now_us - told_us) / 1000);
}

static bool is_final(struct str type)
{
    return str_is(type, "turn_complete") || str_is(type, "turn_cancelled") ||
           str_is(type, "error") || str_is(type, "turn_awaiting_input");
}

static void on_event(struct client *c, struct event_at at, struct str payload)
{
    struct str type = payload_text(payload, "event_type");
    struct id turn;
    sim_note("client %u: %u-%u %.*s", c->index, at.epoch, at.seq, (int)payload.len, payload.at);
    if (at.epoch == 0) { /* the stream can't go on */
        if (!sim.lossy)
            sim_fail("client %u was told that history is lost, and it is not", c->index);
        c->told_end = true;
        return;
    }
    check_order(c, at);
    if (str_is(type, "turn_start") && id_parse(payload_text(payload, "turn_id"), &turn))
        learn(c, turn);
    if (!c->script) {
        sim_fail("client %u: an event before turn_start", c->index);
        return;
    }
    check_step(c, type, payload);
    check_late(c, payload);
    c->final = is_final(type);
    c->script->ended |= c->final;
    script_see(c->script, at, c->final || str_is(type, "step_complete"), payload);
}

/* "id: E-S\ndata: PAYLOAD\n\n" */
static void on_block(struct client *c, struct str block)
{
    struct event_at at = {0, 0};
    struct str line;
    while (str_split(&block, '\n', &line)) {
        if (str_starts(line, STR("id: ")) && !event_at_parse(str_skip(line, 4), &at))
            sim_fail("client %u: an id that is none", c->index);
        if (str_starts(line, STR("data: ")))
            on_event(c, at, str_skip(line, 6));
    }
}

void client_on_bytes(struct client *c, struct web *w, struct str bytes)
{
    if (w != c->web)
        return;
    sim_hash(bytes.at, bytes.len);
    CHECK(buf_add_str(&c->bytes, bytes));
    size_t at = 0;
    for (;;) {
        char *end = memmem(c->bytes.at + at, c->bytes.len - at, "\n\n", 2);
        if (!end)
            break;
        on_block(c, (struct str){c->bytes.at + at, (size_t)(end - c->bytes.at) - at});
        at = (size_t)(end - c->bytes.at) + 2;
    }
    buf_drop(&c->bytes, at);
    sim_unset(&c->wake); /* it is patient with a stream */
}

/* ---- answers ---- */

static void on_posted(struct client *c, struct str body)
{
    struct id turn;
    if (!id_parse(payload_text(body, "turn_id"), &turn)) {
        sim_fail("client %u: 202 without a turn", c->index);
        return;
    }
    learn(c, turn);
    again(c);
}

void client_on_status(struct client *c, struct web *w, unsigned status, struct str body)
{
    sim_note("client %u: %u %.*s", c->index, status, (int)body.len, body.at);
    sim_hash(&status, sizeof(status));
    if (w == c->cancel) {
        if (status < 300 && c->script && c->script->cancelled_us == 0)
            c->script->cancelled_us = sim.now_us;
        web_free(c->cancel);
        c->cancel = NULL;
        return;
    }
    if (w != c->web)
        return;
    if (status == 200) {
        c->opened_us = sim.now_us;
        sim_unset(&c->wake);
    } else if (status == 202 && c->state == CLIENT_ASKS) {
        on_posted(c, body);
    } else if (status == 503 || status == 409) {
        again(c);
        sim_in(&c->wake, sim_between(50000, 400000));
    } else if (sim.lossy && (status == 404 || status == 410)) {
        over(c); /* the store lost the turn, and says so */
    } else {
        sim_fail("client %u was answered %u %.*s", c->index, status, (int)body.len, body.at);
        over(c);
    }
}

void client_on_end(struct client *c, struct web *w)
{
    if (w == c->cancel) {
        web_free(c->cancel);
        c->cancel = NULL;
        return;
    }
    if (w != c->web)
        return;
    sim_note("client %u: end of stream", c->index);
    if (c->told_end)
        fresh(c); /* it reads the session anew */
    if (!c->final) {
        again(c);
    } else if (c->watcher) {
        over(c);
    } else {
        hang_up(&c->web);
        next_turn(c);
    }
}

/* ---- all of them ---- */

void clients_begin(unsigned askers, unsigned watchers)
{
    CHECK(askers + watchers <= CLIENTS_MAX && watchers <= 1);
    client_count = askers + watchers;
    for (unsigned i = 0; i < client_count; i++) {
        struct client *c = &clients[i];
        *c = (struct client){.index = i, .wake.fn = on_wake, .mood.fn = on_mood};
        buf_init(&c->bytes, PARSE_MAX);
        c->watcher = i >= askers;
        const struct client *owner = c->watcher ? &clients[i - 1] : c;
        snprintf(c->user, sizeof(c->user), "user-%u", owner->index);
        c->session = c->watcher ? owner->session : id_new();
        if (!c->watcher)
            redis_session_add(sim.redis, c->session, str_of(c->user));
        c->turns = sim_chance(250) ? 2 : 1;
        c->slow = sim_chance(150);
        c->proxied = sim_chance(200);
        c->leaves = sim_chance(60);
        c->cancels = sim_chance(200) ? 300 : 0;
        c->drops = sim_chance(500) ? 300 : 0;
        sim_in(&c->mood, sim_between(0, 800000));
        if (c->watcher)
            sim_in(&c->wake, sim_between(1000, 500000));
        else
            next_turn(c);
    }
}

unsigned clients_waiting(void)
{
    unsigned waiting = 0;
    for (unsigned i = 0; i < client_count; i++)
        waiting += clients[i].state != CLIENT_OVER;
    return waiting;
}

bool clients_done(void) { return clients_waiting() == 0; }

void clients_end(void)
{
    for (unsigned i = 0; i < client_count; i++) {
        over(&clients[i]);
        buf_free(&clients[i].bytes);
    }
}
