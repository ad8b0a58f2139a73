/* gateway/turn/claim.c: the next epoch of a turn: its worker is gone, its gateway is, or its person
 * has decided. The store says who has it; see turns.h. */
#include "common/log.h"
#include "gateway/api/audit.h"
#include "gateway/turn/turns_priv.h"
#include "proto/traced.h"

enum { CLAIM_AGAIN_MS = 300 }; /* the store did not answer a claim */

/* It is ours under its next epoch. */
static void queue_first(struct turn *t, const struct store_turn *taken)
{
    struct gateway *g = t->gateway;
    const struct chunk *last = tail_last(&t->live.tail);
    /* Followers read in the store what never reached us, and learn there what was lost. */
    if (!last || event_at_cmp(taken->last, last->at) > 0 || t->lost ||
        taken->loss_epoch == taken->epoch)
        tail_reset(&t->live.tail);
    if (t->lost)
        stream_lost(&t->live, taken->last); /* its worker had stored more than there is */
    t->lost = false;
    t->epoch = taken->epoch;
    t->held_ms = loop_now_ms(g->loop);
    turns_move(t, PLACE_QUEUED);
    dispatch_submit_first(&g->dispatch, &t->entry);
}

static void on_claimed(void *arg, enum err err, const struct store_answer *a)
{
    struct turn *t = arg;
    MAGIC_CHECK(t, TURN_MAGIC);
    struct gateway *g = t->gateway;
    t->store_call = 0;
    if (err == ERR_STORE_UNAVAILABLE || err == ERR_STORE_FULL) {
        t->held_ms = loop_now_ms(g->loop) + CLAIM_AGAIN_MS; /* turns_tick asks again */
        return;
    }
    if (err != ERR_NONE || turn_state_over(a->turn.state)) { /* another has it, or it is over */
        log_info("turn.left", "turn=%s epoch=%u code=%s", traced_log(t->live.turn), t->epoch,
                 err_word(err));
        if (err == ERR_WORKER_LOST) {
            metric_add(gateway_metric(METRIC_turns_given_up), 1);
            audit_turn_given_up(str_of(t->live.owner), t->live.session, t->live.turn, err);
        }
        turns_leave_to_store(t);
        return;
    }
    if (a->turn.cancel) { /* of a worker that died before it could end it */
        t->store_call = store_turn_fail(g->store, t->live.session, t->live.turn, a->turn.epoch,
                                        ERR_CANCELLED, on_claimed, t);
        return;
    }
    queue_first(t, &a->turn);
    metric_add(gateway_metric(METRIC_redispatches), 1);
    log_info("turn.claimed", "turn=%s epoch=%u", traced_log(t->live.turn), t->epoch);
}

void turns_ask_claim(struct turn *t)
{
    struct gateway *g = t->gateway;
    t->store_call = store_turn_claim(g->store, t->live.session, t->live.turn, t->epoch, t->died,
                                     t->adopted, str_of(g->name), on_claimed, t);
}

void turns_claim(struct turn *t, bool died, bool adopted)
{
    dispatch_done(&t->gateway->dispatch, &t->entry);
    store_forget(t->gateway->store, t->store_call); /* a hold's answer, which is for nothing now */
    buf_free(&t->opening);
    t->died = died && dispatch_blame(&t->entry);
    t->adopted = adopted;
    turns_move(t, PLACE_CLAIMING);
    turns_ask_claim(t);
}

/* One that ended here may still run in the store: awaiting its person was its end here, or a store
 * that lost its last moments lost the end as well. */
static bool adoptable(const struct turn *t)
{
    return (t->place == PLACE_FOLLOWED || t->place == PLACE_ENDED) && !t->store_call &&
           !t->gateway->draining;
}

static void adopt(struct turn *t, uint32_t epoch)
{
    tail_reset(&t->live.tail); /* of such an end: what there is, followers read in the store */
    stream_wake(&t->live);
    t->epoch = epoch;
    t->begun_ns = loop_hr_ns();
    metric_add(gateway_metric(METRIC_adopted), 1);
    log_info("turn.adopted", "turn=%s epoch=%u", traced_log(t->live.turn), epoch);
    turns_claim(t, false, true);
}

void turns_lend(struct turn *t, const struct credentials *c)
{
    if (t->place == PLACE_ENDED) /* by awaiting its person, or the store has lost its end */
        turns_leave_to_store(t);
    if (t->place != PLACE_FOLLOWED)
        return;
    credentials_free(&t->credentials);
    t->credentials = credentials_share(c);
}

void turns_adopt(struct gateway *g, struct id session, struct id turn, uint32_t epoch,
                 struct str owner, const struct credentials *c)
{
    struct turn *t = turns_followed(g, session, turn, owner);
    if (!adoptable(t))
        return;
    turns_lend(t, c);
    adopt(t, epoch);
}

bool turns_adopt_lent(struct gateway *g, struct id turn, uint32_t epoch)
{
    struct turn *t = turns_get(g, turn);
    if (!t || !adoptable(t) || !t->credentials.access)
        return false;
    adopt(t, epoch);
    return true;
}

void turns_adopt_of(struct gateway *g, const struct store_session *s, struct str owner,
                    const struct credentials *c)
{
    if (s->running_state == TURN_RUNNING && s->running_lease_ms <= 0)
        turns_adopt(g, s->session, s->running, s->running_epoch, owner, c);
}

void turns_run(struct gateway *g, const struct store_turn *taken, struct str owner,
               struct id quota_id, struct credentials *take_credentials)
{
    struct turn *t = turns_followed(g, taken->session, taken->turn, owner);
    if (turns_driven(t->place) && t->epoch >= taken->epoch)
        return;                             /* it is known here already */
    dispatch_done(&g->dispatch, &t->entry); /* where it was when it began to wait */
    store_forget(g->store, t->store_call);
    t->store_call = 0;
    credentials_free(&t->credentials);
    t->credentials = *take_credentials;
    *take_credentials = (struct credentials){0};
    t->quota_id = quota_id;
    t->begun_ns = loop_hr_ns();
    queue_first(t, taken);
    stream_hurry(&t->live);
    log_info("turn.resumed", "turn=%s epoch=%u", traced_log(t->live.turn), t->epoch);
}
