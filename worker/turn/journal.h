/* worker/turn/journal.h: say or seal: the only two ways in which a turn speaks.
 *
 * journal_say: provisional: live at once, stored lazily. journal_seal: final: one script stores
 * what was said and not stored yet, the final events, the messages and the turn's new state; only
 * its answer lets the final events go live (invariants 1, 2, 4). One write of a turn is under way
 * at a time, and it is sent again until Redis answers, so what is stored has no gap. Every write
 * carries the epoch; FENCED means that the turn is another's now (invariant 3). Holds the turn's
 * lease while nothing is written. Memory: embedded; journal_free. */
#ifndef WORKER_TURN_JOURNAL_H
#define WORKER_TURN_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "common/loop.h"
#include "common/otlp.h"
#include "proto/record.h"
#include "proto/store/turn.h"
#include "worker/turn/audience.h"

struct journal_config {
    struct loop *loop;
    struct store *store;
    const char *holder; /* this worker's name */
    int64_t flush_ms;   /* what was said is stored after flush_ms, or at flush_bytes */
    uint64_t flush_bytes;
    uint64_t backlog_bytes_max; /* of one turn, while Redis is away */
    int64_t hold_ms;            /* without a write the lease is renewed after this */
    struct otlp *otlp;          /* where spans go; NULL: nowhere */
    int64_t fresh_ms;           /* an answer that took longer may find the turn with another */
};
struct journal_handler {
    void (*on_sealed)(void *arg);
    /* The store has it no more: ERR_FENCED, or why. */
    void (*on_refused)(void *arg, enum err why);
    void (*on_cancel)(void *arg); /* somebody asked for it, as Redis says */
};

enum journal_state {
    JOURNAL_IDLE,
    JOURNAL_SAYING,
    JOURNAL_SEALING,
    JOURNAL_HOLDING,
};
struct journal {
    const struct journal_config *config;
    const struct journal_handler *handler;
    void *arg;
    struct audience *audience; /* borrowed: the turn's */
    struct id session, turn;
    uint32_t epoch, seq; /* seq: the last one given out */
    uint32_t live_seq;   /* the last one that went live */
    uint32_t stored_seq; /* Redis has them up to this one */
    enum journal_state state;
    uint64_t call; /* of the store, or 0: it failed and waits for retry_ms */
    int64_t retry_ms, backoff_ms, touched_ms, pending_ms;
    int64_t asked_ms;        /* when the seal under way was sent */
    bool confirms;           /* a seal's answer was late: is the turn still ours? */
    struct buf pending;      /* record_events not stored; the last one is seq */
    struct record_base base; /* of pending */
    struct buf sent;         /* of the say under way */
    uint32_t sent_seq;
    size_t stored_bytes; /* by says since the last seal */
    bool seal_waits;     /* a seal was asked for and is not under way */
    struct store_seal seal;
    uint64_t lost;            /* writes that had to be sent again */
    struct trace_point trace; /* of the turn */
    struct trace_span sealing;
};

void journal_init(struct journal *j, const struct journal_config *c,
                  const struct journal_handler *h, void *arg, struct audience *audience,
                  struct id session, struct id turn, uint32_t epoch, uint32_t seq);
void journal_free(struct journal *j);
/* No seal is under way. */
bool journal_can_say(const struct journal *j);
/* False: the backlog is full (Redis is away); it was not said. */
bool journal_say(struct journal *j, struct str payload) __attribute__((warn_unused_result));
/* An event of the coming seal. False: too big. */
bool journal_add(struct journal *j, bool final, struct str payload)
    __attribute__((warn_unused_result));
/* Of *seal all is read but session, turn, epoch, last_seq and batch; messages and asks are
 * borrowed until on_sealed. At least one event was added or said since the last one. */
void journal_seal(struct journal *j, const struct store_seal *seal);
/* What is stored since the last seal, or will be by the next one. */
size_t journal_stored_bytes(const struct journal *j);
/* Tells those of the audience that were not told yet from where on they hear it: what Redis has,
 * and right behind it what went live since. So a gateway that begins to follow waits for no write,
 * and has every event: past ones in Redis, the others here. */
void journal_tell(struct journal *j);
/* What is due: flush, retry, lease. now_ms: the loop's. */
void journal_tick(struct journal *j, int64_t now_ms);

#endif
