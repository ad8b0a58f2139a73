/* gateway/api/admin.c: what administrators see and do: turns that run, and what is switched off. No
 * title, question or answer of another's is in it. */
#include <string.h>
#include "common/audit.h"
#include "common/json.h"
#include "common/log.h"
#include "common/utc.h"
#include "gateway/api/administrators.h"
#include "gateway/api/call.h"
#include "gateway/auth/user.h"
#include "gateway/turn/turns.h"
#include "proto/store/active.h"
#include "proto/store/switching.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum {
    TURNS_MAX = 500,
    TURNS_BYTES_MAX = 1 << 20,
    SWITCHES_BYTES_MAX = 4 << 20, /* both lists, each character escaped */
};

static void ask_whether(void *arg);
static void say_whether(struct call *c, bool yes);
static void on_turns(void *arg, enum err err, const struct store_answer *a);
static void on_look(void *arg, enum err err, const struct store_answer *a);
static void on_cancelled(void *arg, enum err err, const struct store_answer *a);
static void on_set(void *arg, enum err err, const struct store_answer *a);
static void on_switches(void *arg, enum err err, const struct store_answer *a);

void api_admin_get(struct call *c) { call_visit(c, c->gateway->perses_visits, ask_whether, c); }

static void ask_whether(void *arg) { administrators_ask(arg, say_whether); }

static void say_whether(struct call *c, bool yes)
{
    call_reply(c, 200, yes ? STR("{\"administrator\":true}") : STR("{\"administrator\":false}"));
}

/* ---- turns ---- */

void api_admin_turns(struct call *c)
{
    c->store_call = store_turn_active(c->gateway->store, TURNS_MAX, NULL, on_turns, c);
}

static const char *state_of(const struct store_turn *t)
{
    return t->state == TURN_AWAITING ? "awaiting_input"
           : t->lease_ms <= 0        ? "waiting_for_sign_in"
           : t->cancel               ? "being_cancelled"
                                     : "running";
}

static void on_turns(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    scoped_buf(b, TURNS_BYTES_MAX);
    buf_puts(&b, "{\"turns\":[");
    for (unsigned i = 0; i < a->turn_count; i++) {
        const struct store_turn *t = &a->turns[i];
        buf_puts(&b, i > 0 ? ",{" : "{");
        id_field(&b, "session_id", t->session);
        id_field(&b, "turn_id", t->turn);
        audit_person(&b, t->owner);
        json_field(&b, "state", str_of(state_of(t)));
        utc_field(&b, "started_at", t->begun_ms, UTC_MILLISECONDS);
        buf_putc(&b, '}');
    }
    buf_puts(&b, "]");
    json_field_bool(&b, "more", a->turn_count >= TURNS_MAX);
    buf_putc(&b, '}');
    call_reply(c, 200, buf_str(&b));
}

void api_admin_cancel(struct call *c)
{
    c->store_call = store_turn_look(c->gateway->store, c->session, c->turn, on_look, c);
}

static void on_look(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (err == ERR_EVENTS_EXPIRED || (err == ERR_NONE && a->turn.owner.len == 0))
        err = ERR_TURN_NOT_FOUND;
    if (call_stored(c, err))
        c->store_call = store_turn_cancel(c->gateway->store, a->turn.owner, c->session, c->turn,
                                          on_cancelled, c);
}

/* One that is over is as the caller wants it. */
static void on_cancelled(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err == ERR_TURN_OVER ? ERR_NONE : err))
        return;
    if (err == ERR_NONE)
        turns_cancelled(c->gateway, &a->turn);
    log_info("turn.cancel", "turn=%s by=administrator", traced_log(c->turn));
    call_reply(c, 202, STR("{\"response\":\"ok\"}"));
}

/* ---- switches ---- */

static void write_switches(struct buf *b, const struct switches *s, const char *from)
{
    for (unsigned i = 0; i < s->count; i++) {
        const struct switch_off *one = &s->at[i];
        buf_puts(b, b->at[b->len - 1] == '[' ? "{" : ",{");
        json_field(b, "name", str_of(one->name));
        json_field(b, "sentence", str_of(one->sentence));
        json_field(b, "from", str_of(from));
        if (*one->by) {
            json_field(b, "by", str_of(one->by));
            utc_field(b, "at", one->at_ms, UTC_MILLISECONDS);
        }
        buf_putc(b, '}');
    }
}

static void say_switches(struct call *c)
{
    const struct switched *all = c->gateway->switched;
    scoped_buf(b, SWITCHES_BYTES_MAX);
    buf_puts(&b, "{\"switches\":[");
    write_switches(&b, &all->of_file, "file");
    write_switches(&b, &all->of_store, "store");
    buf_puts(&b, "],\"doors\":[");
    for (unsigned d = 0; d < DOOR_COUNT; d++) {
        buf_puts(&b, d > 0 ? "," : "");
        json_str(&b, str_of(door_word((enum door)d)));
    }
    buf_puts(&b, "]}");
    call_reply(c, 200, buf_str(&b));
}

void api_admin_switches_get(struct call *c)
{
    c->store_call = store_switches_get(c->gateway->store, on_switches, c);
}

static void on_switches(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    switchboard_told(c->gateway->switches, a->switches);
    say_switches(c);
}

/* False: the call was failed. */
static bool take(struct call *c, struct str *name, struct str *sentence)
{
    const struct switches *known = &c->gateway->switched->of_store;
    const json_t *off = json_object_get(c->body, "off");
    const char *wrong = NULL;
    if (!call_text(c, "name", SWITCH_NAME_MAX, name) ||
        !call_text(c, "sentence", SWITCH_SENTENCE_MAX, sentence))
        return false;
    if (!switch_name_ok(*name))
        wrong = "name is turns, door:WORD, model:NAME or tool:NAME";
    else if (!json_is_boolean(off))
        wrong = "off is true or false";
    else if (json_is_true(off) && !switch_sentence_ok(*sentence))
        wrong = "sentence is what people are told: 1 to 500 bytes, in one line";
    else if (json_is_true(off) && known->count >= SWITCHES_MAX)
        wrong = "As much is off as can be; switch something on first";
    if (!json_is_true(off))
        *sentence = (struct str){0};
    if (wrong)
        call_fail(c, ERR_INVALID, wrong);
    return !wrong;
}

void api_admin_switches_put(struct call *c)
{
    struct str name, sentence, by;
    int64_t created_ms;
    if (!take(c, &name, &sentence))
        return;
    if (!user_split(str_of(c->user), &by, &created_ms))
        by = str_of(c->user);
    log_info("switch", "name=%s off=%d", log_text(name), sentence.len > 0);
    c->store_call = store_switch_set(c->gateway->store, name, sentence, by, on_set, c);
}

static void on_set(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    (void)a;
    if (call_stored(c, err))
        api_admin_switches_get(c);
}
