/* proto/store/answer.h: what the store's operations bring back, and how.
 *
 * Every operation is asynchronous: it returns a call number, and fn is called once, later, with
 * ERR_NONE and the answer or with an error (answer NULL). store_forget(call): fn no longer comes.
 * Answers are borrowed until fn returns. Times are Unix ms, by Redis's clock inside scripts. Errors
 * of any operation: ERR_STORE_UNAVAILABLE (not done, or not known to be done: every operation may
 * be sent again with the same arguments), ERR_STORE_FULL (maxmemory, disk). Operations with an
 * owner answer ERR_SESSION_NOT_FOUND when the session is another's (invariant 8). Operations with
 * an epoch answer ERR_FENCED when it is not the turn's present one (invariant 3), or when session
 * or turn are gone. Those of the worker (load, say, seal) answer ERR_HISTORY_LOST when the store
 * has less than this worker had stored (an older copy of Redis was promoted or restored): the turn
 * can only go on from what the store has, so release it. */
#ifndef PROTO_STORE_ANSWER_H
#define PROTO_STORE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/err.h"
#include "proto/event.h"
#include "proto/id.h"
#include "proto/record.h"
#include "proto/store/turn_state.h"

struct store;
struct switches; /* proto/switches.h */

struct store_session {
    struct id session;
    struct str owner, title, model,
        settings; /* settings: JSON object: panel settings, pinned context; or empty */
    int64_t created_ms, updated_ms;
    uint32_t turns;
    struct id running; /* zero: none */
    enum turn_state running_state;
    uint32_t running_epoch;
    int64_t running_lease_ms; /* left of its lease; <= 0: nobody holds it: it waits for its owner's
                                 token */
    struct str running_approvals; /* of an AWAITING one: event_approvals; else empty */
    struct usage usage;           /* of all its turns */
    bool keep;                    /* it is deleted by its owner alone */
    /* Of get and load: what a model made of the messages up to one, or empty; and how often
     * messages were changed. */
    struct str summary;
    uint32_t summary_to, revision;
    /* Of get and page: its readers' token, empty when it is not shared; and the path of the
     * datasource that they must be allowed to read, or empty. */
    struct str share, share_path;
    struct str versions; /* of the same: [["5","9"],…]: questions of which one is in the
                            conversation, by when they were asked; or empty */
    struct str snippet;  /* of a search: what stands around the words in a message, or empty */
};
struct store_message {
    uint32_t message; /* its id in the session */
    bool pinned, excluded;
    /* Of page: what its owner said of this answer: 1, -1; 0: nothing. */
    int sentiment;
    struct str comment;
    struct record_message record;
};
struct store_turn {
    struct id session, turn;
    enum turn_state state;
    uint32_t epoch;
    struct event_at last; /* the last event stored */
    int64_t lease_ms;     /* left; <= 0: nobody holds it */
    int64_t waiting_ms;   /* how long nobody has held it; 0 when held */
    int64_t decide_ms;    /* AWAITING: left for the person's decision; <= 0: the time is over */
    bool fresh;           /* decide: this request decided it; its caller is to run it */
    bool duplicate;       /* begin: the idempotency key had begun it before */
    bool cancel;          /* somebody asked for its cancellation */
    /* RUNNING: the name of the worker that has it, of the gateway that queues it, or empty. */
    struct str holder;
    uint32_t loss_epoch; /* what was stored before this epoch was lost in part; 0: nothing was */
    struct str owner;    /* of active and look */
    int64_t begun_ms;    /* of the same */
};
struct store_event {
    struct event_at at;
    bool final;
    struct str payload;
};
struct store_owner {
    struct str owner;
    unsigned sessions; /* in its list: a few may be gone */
    int64_t seen_ms;   /* when it was here last, Unix ms; 0: not since owners are noted */
};
struct store_decision {
    struct str call_id;
    /* record_call_hash. To decide with: may be empty, then it is not checked; needed where the turn
     * had asked about another call by the same id before. */
    struct str hash;
    enum { DECISION_NONE = -1, DECISION_REFUSED, DECISION_APPROVED, DECISION_BEGUN } what;
};
struct store_load {
    struct store_session session;
    struct str request;     /* record_request */
    uint32_t seq;           /* the last seq of this epoch: 1 in epoch 1 (turn_start), else 0 */
    uint32_t step, attempt; /* the step to run now; its attempt: 1, or higher when an earlier epoch
                               had been at it */
    int64_t begun_ms;       /* Unix time of acceptance */
    struct usage usage;     /* of this turn so far */
    bool cancel;
    /* The turn's place among its person's since they decided on its calls; zero: as it began. */
    struct id place;
    int64_t now_ms;                         /* Redis's clock */
    int64_t bytes;                          /* that the session has, as its owner's quota counts */
    const struct store_decision *decisions; /* calls that the person was asked about in this turn */
    unsigned decision_count;
};
/* What a script of quota/ says, as this number (quota.h). */
enum quota_verdict {
    QUOTA_OK,
    QUOTA_TOKENS,
    QUOTA_COST,
    QUOTA_TURN_COST,
    QUOTA_WAIT,
    QUOTA_NEVER,
    QUOTA_SESSIONS,
    QUOTA_BYTES
};
struct pile;
enum { STORE_OPENING_MAX = 64 << 10 };
struct store_answer { /* which fields are set is said at each operation */
    struct id session;
    const struct store_session *sessions;
    unsigned session_count;
    const struct store_message *messages;
    unsigned message_count;
    struct store_turn turn;
    const struct store_event *events;
    unsigned event_count;
    bool suspect; /* events: `after` is ahead of a store that may have lost its last moments:
                     ERR_HISTORY_LOST, should that stay so for a few seconds */
    /* page: the last message that it went up to, and that all pages go to */
    uint32_t page_end, upto;
    struct str opening; /* begin: for its worker; or empty */
    bool more;          /* events: there are more now; list, page: there is a next page */
    struct str cursor;  /* list: give it back for the next page */
    const struct store_load *load;
    const struct store_turn *turns; /* active */
    unsigned turn_count;
    const struct store_owner *owners;
    unsigned owner_count;
    unsigned moved, removed;
    const struct str *parted; /* of parting.h */
    unsigned parted_count;
    struct {
        enum quota_verdict verdict;
        int64_t wait_ms;
        bool open; /* of a key: nothing limits it at present */
    } quota;       /* of quota.h */
    struct {
        uint64_t tokens, cost; /* what is used, or reserved for what runs */
    } budget;                  /* of quota.h */
    const struct quota_blocked *keys;
    unsigned key_count;
    struct str share; /* of share.h */
    struct str model; /* of feedback.h, with sentiment: what was said of the answer before, or 0 */
    int sentiment;
    const struct store_rated *rated;
    unsigned rated_count;
    const struct switches *switches;   /* of switching.h */
    const struct store_tally *tallies; /* of tally.h */
    struct pile *pile;                 /* of load: for store_loaded_keep */
    unsigned tally_count;
};
typedef void store_fn(void *arg, enum err err, const struct store_answer *answer);

#endif
