#include "gateway/api/approvals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/admission.h"
#include "gateway/api/audit.h"
#include "gateway/api/call.h"
#include "gateway/turn/places.h"
#include "gateway/turn/turns.h"
#include "proto/store/quota.h"
#include "proto/store/store.h"
#include "proto/store/turn.h"
#include "proto/traced.h"

enum { DECISIONS_MAX = 64, CALL_ID_BYTES_MAX = 1024, HASH_BYTES_MAX = 128 };

struct decision {
    struct gateway *gateway;
    struct list node;  /* of gateway->decisions */
    struct call *call; /* NULL: its client left */
    struct id session, turn;
    char user[USER_MAX_BYTES], key[KEY_NAME_MAX + 1];
    const char *door;                         /* through which the decision came */
    json_t *decided;                          /* as it was sent, for the audit */
    struct store_decision all[DECISIONS_MAX]; /* their texts are in decided */
    unsigned count;
    struct id place; /* among its person's turns, for when it is decided; zero: none are counted */
    struct admission admission;
    struct credentials credentials;
    uint64_t store_call;
};

static void decision_free(struct decision *d)
{
    store_forget(d->gateway->store, d->store_call);
    list_remove(&d->node);
    credentials_free(&d->credentials);
    json_decref(d->decided);
    free(d);
}

void decisions_init(struct gateway *g) { list_init(&g->decisions); }

void decisions_free(struct gateway *g)
{
    list_each (&g->decisions, node, next)
        decision_free(list_of(node, struct decision, node));
}

bool decisions_drained(const struct gateway *g) { return list_empty(&g->decisions); }

/* ---- what the body says ---- */

static bool take_text(const json_t *object, const char *key, size_t max, struct str *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_text(value);
    return !value || (json_is_string(value) && out->len <= max);
}

static bool take_decision(const json_t *one, struct store_decision *out)
{
    const json_t *approve = json_object_get(one, "approve");
    if (!json_is_object(one) || !json_is_boolean(approve))
        return false;
    out->what = json_is_true(approve) ? DECISION_APPROVED : DECISION_REFUSED;
    return take_text(one, "call_id", CALL_ID_BYTES_MAX, &out->call_id) && out->call_id.at &&
           take_text(one, "arguments_hash", HASH_BYTES_MAX, &out->hash);
}

/* Fills at most DECISIONS_MAX; false: the call was answered. */
static bool take_decisions(struct call *c, struct store_decision *out, unsigned *count)
{
    const json_t *list = json_object_get(c->body, "decisions");
    bool fine = json_is_array(list) && json_array_size(list) <= DECISIONS_MAX;
    *count = 0;
    for (size_t i = 0; fine && i < json_array_size(list); i++) {
        fine = take_decision(json_array_get(list, i), &out[i]);
        for (size_t j = 0; fine && j < i; j++)
            fine = !str_eq(out[j].call_id, out[i].call_id);
        *count += fine;
    }
    if (!fine)
        call_fail(c, ERR_INVALID,
                  "decisions must be at most 64 of {call_id, approve: true or false}, each call "
                  "once");
    return fine;
}

/* ---- what comes of it ---- */

static void answer(const struct decision *d, enum err err)
{
    struct call *c = d->call;
    char turn[ID_TEXT + 1], session[ID_TEXT + 1], body[160];
    if (err == ERR_RATE_LIMITED) { /* it goes on waiting for this */
        c->retry_after_s = d->admission.retry_after_s;
        call_fail(c, d->admission.err, admission_sentence(&d->admission));
        return;
    }
    if (err) {
        call_fail(c, err,
                  err == ERR_INVALID
                      ? "Decide on each of the calls that wait, as they are shown, and "
                        "on no other"
                      : NULL);
        return;
    }
    if (c->hooks && c->hooks->decided) {
        c->hooks->decided(c);
        return;
    }
    id_text(c->turn, turn);
    id_text(c->session, session);
    int len =
        snprintf(body, sizeof(body), "{\"turn_id\":\"%s\",\"session_id\":\"%s\"}", turn, session);
    call_reply(c, 202, (struct str){body, (size_t)len});
}

static void on_decided(void *arg, enum err err, const struct store_answer *a)
{
    struct decision *d = arg;
    bool fresh = err == ERR_NONE && a->turn.fresh;
    d->store_call = 0;
    if (!fresh) /* not taken, or by the request before */
        quota_turn_end(d->gateway->store, str_of(d->user), d->place);
    if (fresh)
        turns_run(d->gateway, &a->turn, str_of(d->user), d->place, &d->credentials);
    else if (err == ERR_NONE && a->turn.state == TURN_RUNNING && a->turn.lease_ms <= 0)
        turns_adopt(d->gateway, d->session, d->turn, a->turn.epoch, str_of(d->user),
                    &d->credentials); /* who decided it first has died */
    log_info("turn.decided", "turn=%s code=%s fresh=%d", traced_log(d->turn), err_word(err), fresh);
    audit_decisions(str_of(d->user), d->session, d->turn, d->door, d->key, d->decided, err);
    if (d->call) {
        d->call->on_gone = NULL;
        answer(d, err);
    }
    decision_free(d);
}

static void client_gone(struct call *c)
{
    struct decision *d = c->data;
    d->call = NULL;
}

static void decide(struct decision *d)
{
    struct gateway *g = d->gateway;
    struct store_verdict v = {.owner = str_of(d->user),
                              .session = d->session,
                              .turn = d->turn,
                              .decisions = d->all,
                              .count = d->count,
                              .holder = str_of(g->name),
                              .place = d->place,
                              .no_place = d->admission.err != ERR_NONE};
    d->store_call = store_turn_decide(g->store, &v, on_decided, d);
}

/* Who has no place may still hear what was decided before: the same may be sent again. */
static void on_quota(void *arg, enum err err, const struct store_answer *a)
{
    struct decision *d = arg;
    d->store_call = 0;
    if (err != ERR_NONE) {
        on_decided(d, err, NULL);
        return;
    }
    d->admission = admission_of(a);
    if (d->admission.err != ERR_NONE)
        d->place = (struct id){{0}};
    decide(d);
}

void api_turns_resume(struct call *c)
{
    struct gateway *g = c->gateway;
    struct store_decision decisions[DECISIONS_MAX];
    unsigned count;
    if (!take_decisions(c, decisions, &count))
        return;
    enum err refused = turns_refused(g); /* room is checked before it is decided */
    if (refused) {
        call_fail(c, refused, NULL);
        return;
    }
    struct decision *d = xcalloc(1, sizeof(*d));
    *d = (struct decision){.gateway = g,
                           .call = c,
                           .session = c->session,
                           .turn = c->turn,
                           .count = count,
                           .place = id_new(),
                           .credentials = c->credentials};
    c->credentials = (struct credentials){0};
    memcpy(d->user, c->user, sizeof(d->user));
    d->door = c->door_name;
    d->decided = json_incref(json_object_get(c->body, "decisions"));
    if (c->key.key)
        snprintf(d->key, sizeof(d->key), "%s", key_row(c->key.key)->name);
    list_push(&g->decisions, &d->node);
    c->data = d;
    c->on_gone = client_gone;
    memcpy(d->all, decisions, count * sizeof(*decisions));
    d->store_call = places_resume(g, str_of(d->user), d->place, on_quota, d);
    if (d->store_call == 0) {
        d->place = (struct id){{0}};
        decide(d);
    }
}
