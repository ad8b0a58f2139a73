/* worker/turn/agent.h: what a turn does next (brain).
 *
 * Facts in, one action out; the conversation's last message says what is next, so a fresh turn, one
 * that was taken over after a crash, one that was released and one that was approved all take the
 * same path. Pure: no socket, clock or Redis; the caller (turn.c) brings now_ms and performs what
 * it is told. Plain data: embed it, nothing to free.
 *
 *   NEW       START → LOAD, LOADING
 *   LOADING   LOADED → open tool calls: TOOLS, ACTING; else CALL, THINKING
 *   THINKING  REPLIED → SEAL, SEALING; FAILED → SEAL (the step again, or the turn's end);
 *             DOUBTED → SEAL (the step again)
 *             REDO → LOAD, LOADING (the model has made room, or a token came: the call once more)
 *   ACTING    TOOLED → WAIT; the last one → SEAL, SEALING; FAILED → SEAL
 *   SEALING   SEALED → open calls: TOOLS; else LOAD; or FINISH, OVER. A wish that comes meanwhile
 *             is remembered: a write in flight is never undone
 *   any       FENCED → DROP, OVER, silently; CANCEL → SEAL that outcome; LEAVE → RELEASE, OVER
 *
 * A turn ends or goes on: who has waited for Redis for AGENT_STUCK_MS, to load or to seal, gives it
 * to another worker, whose way there may be another. (Epochs fence what is under way.) */
#ifndef WORKER_TURN_AGENT_H
#define WORKER_TURN_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "proto/err.h"
#include "proto/usage.h"

#define AGENT_STATES(X)                                                                            \
    X(NEW)                                                                                         \
    X(LOADING)                                                                                     \
    X(THINKING) /* the model is at it */                                                           \
    X(ACTING)   /* tools run */                                                                    \
    X(SEALING)  /* a checkpoint or the end is being written */                                     \
    X(OVER)
#define AGENT_FACTS(X)                                                                             \
    X(START)                                                                                       \
    X(LOADED)  /* step, attempt, tokens, open_calls */                                             \
    X(REPLIED) /* the model's reply is whole: open_calls, needs_approval, tokens */                \
    X(DOUBTED) /* the reply is whole, but no answer yet: once more, with what is wrong with it */  \
    X(REDO)    /* the call could not begin; now it can, with what is there to be read */           \
    X(TOOLED)  /* one more call has its result: invalid */                                         \
    X(SEALED)  /* what was to be sealed is in Redis */                                             \
    X(FAILED)  /* err; again: running the step once more may help; usage */                        \
    X(FENCED)  /* another epoch of this turn has begun, or it is gone */                           \
    X(CANCEL)  /* somebody wants it to end */                                                      \
    X(LEAVE)   /* this process can't go on with it: another one shall */                           \
    X(TICK)    /* time passed */
#define AGENT_ACTS(X)                                                                              \
    X(WAIT)                                                                                        \
    X(LOAD)    /* read the turn and its conversation */                                            \
    X(CALL)    /* the model */                                                                     \
    X(TOOLS)   /* run the open calls */                                                            \
    X(SEAL)    /* stop what runs, write a->seal */                                                 \
    X(FINISH)  /* it is over and sealed: tell the gateway, forget it */                            \
    X(RELEASE) /* stop what runs, hand it back */                                                  \
    X(DROP)    /* stop what runs, forget it, write nothing */
#define AGENT_SEALS(X)                                                                             \
    X(NOTHING)                                                                                     \
    X(REPLY)   /* the reply with its calls; go on */                                               \
    X(ANSWER)  /* the reply, which is the answer: done */                                          \
    X(AWAIT)   /* the reply, whose calls need the person's yes: awaiting */                        \
    X(RESULTS) /* of the tools; go on */                                                           \
    X(AGAIN)   /* the step begins again as the next attempt */                                     \
    X(CANCELLED)                                                                                   \
    X(FAILURE) /* a->why */

enum agent_state {
#define X(name) AGENT_##name,
    AGENT_STATES(X)
#undef X
};
enum agent_fact_kind {
#define X(name) FACT_##name,
    AGENT_FACTS(X)
#undef X
};
enum agent_act {
#define X(name) ACT_##name,
    AGENT_ACTS(X)
#undef X
};
enum agent_seal {
#define X(name) SEAL_##name,
    AGENT_SEALS(X)
#undef X
};
const char *agent_state_name(enum agent_state s);
const char *agent_fact_name(enum agent_fact_kind k);
const char *agent_act_name(enum agent_act a);
const char *agent_seal_name(enum agent_seal s);

/* Longer than a failover takes, and no longer than a person looks at half an answer. */
enum { AGENT_STUCK_MS = 60000 };
struct agent_limits {
    uint32_t calls_max;      /* of the model in a turn */
    uint32_t attempts_max;   /* of a step, in this process */
    uint32_t invalid_max;    /* rounds of tool calls in a row none of which made sense */
    int64_t run_ms_max;      /* since this process took the turn */
    uint32_t tokens_max;     /* input and output, of the turn */
    uint64_t said_bytes_max; /* text, reasoning and arguments of one step */
};

struct agent_fact {
    enum agent_fact_kind kind;
    int64_t now_ms;
    uint32_t step, attempt; /* LOADED */
    unsigned open_calls;    /* LOADED, REPLIED */
    bool needs_approval;    /* REPLIED: one of the calls does */
    bool invalid;           /* TOOLED: no such tool, or arguments that don't fit */
    struct usage usage;     /* LOADED: of the turn so far; REPLIED, FAILED: of this call */
    enum err err;           /* FAILED */
    bool again;             /* FAILED */
    bool other_model;       /* FAILED: a fallback is to be asked, afresh */
};

/* What was asked for while it could not be done at once. A stronger wish replaces a weaker one. */
enum agent_wish { WISH_NONE, WISH_LEAVE, WISH_CANCEL };

struct agent {
    const struct agent_limits *limits;
    enum agent_state state;
    enum agent_wish wish;
    enum agent_seal seal; /* what SEAL is to write */
    enum err why;         /* of SEAL_FAILURE */
    int64_t start_ms;
    int64_t stuck_ms;       /* since when it waits for Redis, as far as ticks tell; 0: it doesn't */
    bool gave_up;           /* it waited for too long */
    uint32_t step, attempt; /* the present one; step 1 is a turn's first, user's message is 0 */
    uint32_t tries;         /* of this step in this process */
    uint32_t doubts;        /* of the turn in this process */
    unsigned open_calls;
    bool sensible;           /* of this batch of calls: one was valid */
    uint32_t invalid_rounds; /* in a row */
    struct usage usage;      /* of the turn */
    uint64_t said_bytes;     /* in this step */
    bool loaded;             /* step and attempt are known: something can be sealed */
    bool shrink;             /* the model found the prompt too long once: send less */
};

void agent_init(struct agent *a, const struct agent_limits *limits);
enum agent_act agent_step(struct agent *a, const struct agent_fact *f);
/* Fact without a step: `bytes` were said. ERR_OUTPUT_LIMIT: more than a step may. */
enum err agent_said(struct agent *a, uint64_t bytes) warn_unused;
/* Fact without a step: what a call used that is not told of otherwise. */
void agent_used(struct agent *a, const struct usage *u);
/* Fact without a step: `ms` were spent waiting for others (a provider's key): they are not its
 * own time. */
void agent_waited(struct agent *a, int64_t ms);
/* The present call of the model is the last that the limits allow: no tools are offered to it. */
bool agent_last_call(const struct agent *a);

#endif
