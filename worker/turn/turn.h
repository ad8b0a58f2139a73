/* worker/turn/turn.h: a turn that runs here. It owns its agent, journal, token and whatever it
 * waits for; it performs what agent_step says and has no opinion of its own.
 *
 * Facts are told in the read phase and only noted; turn_perform, in the decision phase, does what
 * the agent made of them. What a pass read of a model's text becomes one event. */
#ifndef WORKER_TURN_TURN_H
#define WORKER_TURN_TURN_H

#include <stdint.h>
#include "common/list.h"
#include "common/loop.h"
#include "common/secret.h"
#include "proto/store/answer.h"
#include "proto/switches.h"
#include "worker/turn/agent.h"
#include "worker/turn/approval.h"
#include "worker/hub.h"
#include "worker/turn/journal.h"
#include "worker/llm/llm.h"
#include "worker/llm/history.h"
#include "worker/meters.h"
#include "worker/llm/models.h"
#include "worker/turn/tool_batch.h"
#include "worker/turn/claims.h"
#include "worker/turn/context.h"
#include "worker/tools/tools.h"
#include "worker/turn/vet.h"

struct turn_lookup { /* turn_lookup.c */
    bool asked, told;
    bool unknown;              /* asked in vain, or so far: what would fit is not known */
    struct tool_run *run;      /* it may still come */
    struct loop_timer *timer;  /* the model waits for it */
    char *text;                /* what the model is told; NULL: nothing */
    struct store_loaded *kept; /* the conversation meanwhile; NULL: it is loaded again */
};
enum { TURN_FAILED_MAX = 64 };
struct turn_calls { /* hashes of this turn's calls, the last ones */
    uint64_t hashes[TURN_FAILED_MAX];
    unsigned count;
};
struct turn_doubt { /* turn_doubt.c: what was read, and what is wrong with what was answered */
    struct claims known;
    bool read;                   /* a result of a tool that reads data is in this conversation */
    bool read_now;               /* … of this turn's */
    bool queried;                /* … of this turn's, and it is a query's */
    bool acted;                  /* this turn asked for a change: "I could not" is of that */
    bool no_data, numbers, lack; /* told once each */
    char *draft, *note;          /* the answer that is doubted, and why; NULL: none is */
    struct turn_calls *failed, *worked; /* NULL: none yet, as in most turns */
    bool repeats;                       /* a call that had worked was made again */
};
struct turn_trace {         /* turn_trace.c */
    struct trace_span span; /* off until the turn was loaded: its request says where it belongs */
};
struct turn;
struct turn_config {               /* of all turns of this process */
    struct journal_config journal; /* with loop, store and the worker's name */
    struct agent_limits limits;
    struct models *models;
    struct llm *llm;
    struct tools *tools;
    struct meters *meters;
    const struct switched *switched; /* NULL: nothing is off */
    void (*ended)(void *arg, const struct turn *t, enum turn_state state); /* or NULL */
    void *ended_arg;
    const char *extra_prompt; /* or NULL */
    bool find_tools;          /* most tools are offered when they are wanted; else all are */
    bool look_up;             /* what fits a question before the model is asked */
    bool check_answers;       /* against what was read */
    bool titles;              /* a model names conversations */
    struct list *titlings;    /* those that it is at (turn_title.c) */
    int64_t token_wait_ms;    /* for a fresh token */
    int64_t approval_wait_ms; /* for a person's decision */
    struct list *dirty;       /* turns that have something to perform */
    struct buf *payload;      /* the event that is being written */
    unsigned *users;          /* how many turns have this config; NULL: nobody asks */
};

enum { TURN_MAGIC = 0x70a17000 };
enum turn_said { SAID_NOTHING, SAID_TEXT, SAID_REASONING };

struct turn {
    unsigned magic;
    struct list node, dirty;
    const struct turn_config *config;
    struct hub_link *link;    /* of the gateway that drives it */
    struct audience audience; /* that one, and each at which it is followed */
    struct id session, id;
    uint32_t epoch;
    struct secret *token; /* NULL: there is none, or none is needed */
    struct agent agent;
    enum agent_act todo;
    struct journal journal;
    bool journal_open;
    uint64_t call;              /* of the store: load, mark or release */
    int64_t retry_ms, token_ms; /* when to try that again; when the wait for a token ends; 0: no */
    int64_t load_ms;            /* when the load was asked for; of an opening: when it was ours */
    struct buf opening;         /* instead of the first load; empty: there is none (any more) */
    bool load_late;             /* its answer was late, and it is asked for once more */
    int64_t asked_ms; /* Unix time that the model is told: the same in each of its calls here, so
                         that providers find the prompt in their caches */
    struct turn_context context;
    char step_id[ID_TEXT + 16];
    uint32_t announced_step, announced_attempt; /* of which step_start was said */
    struct buf said;                            /* of the model's text, not told yet */
    enum turn_said said_kind;
    int64_t text_ms; /* from then on it may be */
    struct llm_call *llm;
    const struct model *model;
    char maker[HISTORY_MAKER + 1]; /* names it */
    bool fallback_left;
    unsigned fallback;     /* 0: the model that was asked for; n: its nth fallback */
    bool summarising;      /* llm is asked for a summary of old turns */
    uint32_t summary_step; /* of which that was asked for */
    uint32_t summary_to, summary_revision;
    uint64_t summary_call; /* of the store */
    uint32_t token_step;   /* for which a fresh token was asked, as the model refused it */
    bool told_left_out;
    char *owner;           /* known once it was loaded */
    struct id quota_id;    /* its place among its person's turns; none when they are not limited */
    int64_t placed_ms;     /* when that was kept last */
    int64_t session_bytes; /* when it was loaded last */
    int64_t ticked_ms;
    uint64_t prompt_bytes;
    uint64_t refused_bytes;         /* of the prompt that was too long for the model; 0: none was */
    struct usage used;              /* by the present call of the model */
    uint32_t told[REPLY_CALLS_MAX]; /* bytes of arguments that were told on, by call */
    struct buf assistant_bytes;     /* the last assistant's message, and its decoded form */
    struct record_message assistant;
    struct record_message tool;
    struct approval approval; /* what the person was asked in this turn, and said */
    uint32_t marked_step;     /* whose calls are noted as begun (turn_once.c) */
    struct vet vet;           /* what they are to be asked now */
    struct usage replied;     /* by the reply that is vetted */
    int64_t clock_ms;         /* Redis's clock, less our loop's */
    struct tool_batch batch;
    char *detail; /* of a failure, for people; NULL: there was none */
    enum err detail_of;
    enum err refused; /* why the store would not have it any more */
    int64_t begun_ms, step_ms;
    bool first_token;
    struct turn_lookup lookup;
    struct turn_doubt doubt;
    /* Names of tools that the model was told of: "\nNAME\nNAME\n"; NULL: not known. */
    char *offered;
    struct turn_trace trace;
    /* Of a conversation's first turn: what is asked and what title it has by that; or NULL. */
    char *first_question, *given_title;
};

/* take_token may be empty or NULL. It is marked dirty: its first act is to load. */
struct turn *turn_new(const struct turn_config *c, struct hub_link *from, const struct hub_turn *of,
                      struct secret *take_token);
void turn_free(struct turn *t);
/* Facts. */
void turn_cancel(struct turn *t);
void turn_follow(struct turn *t, struct hub_link *from); /* it is followed there too, or no more */
void turn_unfollow(struct turn *t, struct hub_link *from);
void turn_leave(struct turn *t); /* hand it back as soon as what is being written is written */
void turn_fenced(struct turn *t);
void turn_token(struct turn *t, struct secret *take_token); /* empty: there is none to be had */
void turn_tick(struct turn *t);
/* Does what is to be done. False: it is over, and the caller frees it. */
bool turn_perform(struct turn *t) __attribute__((warn_unused_result));

/* ---- turn_summary.c, for turn.c ---- */
/* True: what the prompt leaves out is being summarised (or the turn is over); begin again then. */
bool turn_summary_begin(struct turn *t, const struct prompt *prompt, const struct prompt_input *in,
                        const struct store_session *session);
void turn_summary_stop(struct turn *t);
void turn_tell_wait(void *arg, int64_t wait_ms);         /* of a struct turn: the provider limits */
void turn_tell_left_out(struct turn *t, unsigned count); /* once */

/* ---- turn_model.c, for turn.c ---- */
/* t->model: the one that was asked for, or its next fallback that is on. NULL and nothing: there is
 * none of that name. What people are told: all of them are off. */
const char *turn_choose_model(struct turn *t, struct str wanted);
/* Nothing was queried yet, and the form of its reply is forced: it may only call. */
bool turn_must_call(const struct turn *t);
/* It makes calls again whose results it has: a small model that has got into a loop. */
bool turn_must_answer(const struct turn *t);

/* ---- turn_load.c, for turn.c ---- */
void turn_load_begin(struct turn *t); /* the conversation is read, and it says what is next */
/* turn.c, for it: its place among its person's turns is kept as long as it is held. */
void turn_keep_place(struct turn *t);

/* ---- turn_lookup.c, for turn.c ---- */
/* True: what fits the question is being looked up; FACT_REDO comes within a moment. */
bool turn_lookup_begin(struct turn *t, const struct store_answer *loaded);
void turn_lookup_stop(struct turn *t);
/* turn.c, for it: the model is called, with what was loaded. */
void turn_begin_call(struct turn *t, const struct store_answer *answer,
                     const struct record_request *request);
void turn_tell_looked_up(struct turn *t); /* once */

/* ---- turn_given.c, for turn.c ---- */
/* Of a turn whose request names a tool: its call, and once that has run the turn's end. */
void turn_call_ordered(struct turn *t, const struct store_answer *answer,
                       const struct record_request *request);
/* True: a small model's turn begins with the query that the question suggests. */
bool turn_call_suggested(struct turn *t);
/* turn.c, for it: a whole reply, whoever wrote it; it is kept, vetted and sealed. */
void turn_replied(struct turn *t, struct record_message *m);

/* ---- turn_doubt.c, for turn.c ---- */
/* Before each call: what the model can know. */
void turn_doubt_read(struct turn *t, const struct store_message *messages, unsigned count);
/* Of a whole reply without calls. True: it is no answer yet, and the model is told why. What stays
 * wrong after that is said to the person, behind the answer. */
bool turn_doubts(struct turn *t, struct reply *r);
/* Did this very call fail before in this turn? */
bool turn_failed_before(void *turn, const struct record_call *call);
void turn_doubt_free(struct turn *t);

/* ---- turn_once.c, for turn.c ---- */
/* Before this step's calls run: those that must not be done twice are noted as begun, so that who
 * has the turn after this worker's death knows. True: that is under way; turn_start_tools is called
 * again. */
bool turn_once_begin(struct turn *t);
/* turn.c, for it: the reply's calls run, once those are noted. */
void turn_start_tools(struct turn *t);

/* ---- turn_spoken.c, for turn.c ---- */
/* Of a whole reply without calls: those that it wrote as text are its calls. */
enum err turn_take_spoken(struct turn *t, struct reply *r) warn_unused;
/* Has its person, for certain, no datasource that such a tool could ask? */
bool turn_lacks(void *turn, enum tool_source source);
/* Calls that have the id of one that was decided on get another. */
void turn_distinguish(struct turn *t, struct reply *r);
void turn_keep_offered(struct turn *t); /* t->offered, of the reply that has come */

/* ---- turn_title.c, for turn.c, turn_end.c and turns.c ---- */
/* Of each load: keeps what is asked in a conversation's first turn, whose title is that question's
 * beginning: nobody has given it another one. */
void turn_title_keep(struct turn *t, const struct store_answer *answer);
/* It is over and answered: begins to ask, should it be the first of its conversation. */
void turn_title_begin(struct turn *t);
/* Ends all that run, of a list of turn_config.titlings. */
void turn_titles_stop(struct list *titlings);

/* ---- seal.c, for turn.c ---- */
void turn_seal(struct turn *t); /* writes what the agent says */
void turn_keep_assistant(struct turn *t, const struct record_message *m);

/* ---- turn.c, for turn_summary.c, turn_given.c and seal.c ---- */
struct record_message turn_as_message(struct turn *t, struct reply *r, struct record_call *calls,
                                      unsigned call_count);
void turn_tell(struct turn *t, struct agent_fact f);
void turn_announce_step(struct turn *t, enum step_type type);
void turn_say_payload(struct turn *t); /* the event that is in the payload buffer */
/* True: the call failed for the person's token, and is begun anew with a fresh one. */
bool turn_token_refused(struct turn *t);

/* ---- turn_trace.c, for turn.c and turn_end.c: invoke_agent; others tell what is below it ---- */
/* Once: the first load has come. traceparent: of the request, or empty. */
void turn_trace_loaded(struct turn *t, struct str traceparent);
/* Once, again: nothing. outcome: a word of turn_state_word, or why it left. */
void turn_trace_end(struct turn *t, const char *outcome, enum err err);

/* ---- turn_end.c, for turn.c ---- */
void turn_finish(struct turn *t);             /* it is over and sealed */
void turn_drop(struct turn *t);               /* it is another's, or gone */
struct usage turn_count_used(struct turn *t); /* by the call that is over or stopped */

#endif
