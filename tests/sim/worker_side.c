/* A real worker in the simulated world: its modules, and fakes of the model and the tools. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "tests/sim/net.h"
#include "tests/sim/script.h"
#include "tests/sim/sides.h"
#include "worker/hub.h"
#include "worker/turn/turns.h"

enum { PIECES_MAX = 12, FLUSH_MS = 3000, TICK_MS = 50, REPLY_BYTES_MAX = 1 << 20 };

struct side {
    struct proc *proc;
    char gateways[64];
    struct worker_turns *turns;
    struct hub *hub;
    struct loop_timer *drain;
    int64_t leave_ms, stop_ms;
    bool draining, left;
};

/* ---- the model ---- */

/* turn.c gives it to what it starts: which process that is. */
struct llm {
    struct side *side;
};
/* Whose it is stands behind all that the real functions read of a real one (tools_fit and others):
 * they find zeros, which is no tool of a server, no documents and nothing switched off. */
struct tools {
    char zeros[4096];
    struct side *side;
};
struct llm_call {
    struct sim_event event; /* first */
    struct llm *llm;
    struct reply reply;
    const struct llm_handler *handler;
    void *arg;
    struct script_reply script;
    unsigned told;
};

static void on_piece(struct sim_event *e)
{
    struct llm_call *c = (struct llm_call *)e;
    struct proc *p = c->llm->side->proc;
    struct script_reply *s = &c->script;
    bool put_off;
    if (!proc_takes(p, p->life, e, &put_off))
        return;
    sim_wake(&p->loop);
    if (s->poison && p->crash.place == 0)
        sim_in(&p->crash, 0);
    if (c->told < s->piece_count) {
        sim_in(e, sim_between(500, s->pace_us));
        script_tell(s->turn, s->pieces[c->told]);
        CHECK(reply_text(&c->reply, str_of(s->pieces[c->told++])) == ERR_NONE);
        return;
    }
    enum err err = s->fails;
    for (unsigned i = 0; i < s->call_count && !err; i++) {
        char id[32], arguments[32];
        snprintf(id, sizeof(id), "c%u", i);
        snprintf(arguments, sizeof(arguments), "{\"n\":%u}", i);
        CHECK(reply_call(&c->reply, i, str_of(id), STR("look"), str_of(arguments)) == ERR_NONE);
    }
    if (err) {
        reply_fail(&c->reply, err, s->again, "It broke");
    } else {
        reply_stop(&c->reply, s->call_count ? STR("tool_calls") : STR("stop"));
        reply_usage(&c->reply, 10, 2, 0);
        CHECK(reply_end(&c->reply, 1) == ERR_NONE);
        script_replied(s);
    }
    c->handler->on_done(c->arg, err);
}

enum err llm_call_start(struct llm *l, const struct llm_request *r, const struct llm_handler *h,
                        void *arg, struct llm_call **out)
{
    struct llm_call *c = xcalloc(1, sizeof(*c));
    c->event.fn = on_piece;
    c->llm = l;
    c->handler = h;
    c->arg = arg;
    reply_init(&c->reply, REPLY_BYTES_MAX, &h->reply, arg);
    script_reply(&c->script, r->turn, r->step, r->tool_count == 0);
    sim_note("%s: model called, turn %.6s step %u", l->side->proc->name, id_log(r->turn), r->step);
    sim_in(&c->event, sim_between(500, 4 * c->script.pace_us));
    *out = c;
    return ERR_NONE;
}

void llm_call_free(struct llm_call *c)
{
    if (!c)
        return;
    sim_unset(&c->event);
    reply_free(&c->reply);
    free(c);
}

struct reply *llm_reply(struct llm_call *c) { return &c->reply; }

struct usage llm_call_used(struct llm_call *c)
{
    struct usage u = {c->reply.input_tokens, c->reply.output_tokens, 0, 0};
    c->reply.input_tokens = c->reply.output_tokens = 0;
    return u;
}

bool llm_call_unauthorized(const struct llm_call *c)
{
    (void)c;
    return false;
}
void llm_call_hold(struct llm_call *c) { (void)c; }
bool llm_call_in_line(const struct llm_call *c)
{
    (void)c;
    return false;
}

/* ---- the tools ---- */

struct tool_run {
    struct sim_event event; /* first */
    struct side *side;
    tool_done_fn *fn;
    void *arg;
    char content[48];
};

static const struct tool_spec specs[] = {{"look", "Looks", "{}", false, TOOL_SOURCE_NONE}};
const struct tool_spec *tools_specs(const struct tools *t, unsigned *count)
{
    (void)t;
    *count = 1;
    return specs;
}

bool tools_once(const struct tools *t, struct str name)
{
    (void)t, (void)name;
    return false;
}

static void on_tooled(struct sim_event *e)
{
    struct tool_run *run = (struct tool_run *)e;
    struct proc *p = run->side->proc;
    bool put_off;
    if (!proc_takes(p, p->life, e, &put_off))
        return;
    sim_wake(&p->loop);
    struct tool_result result = {.content = str_of(run->content)};
    run->fn(run->arg, &result);
    free(run);
}

struct tool_run *tool_start(struct tools *t, const struct tool_call *c, tool_done_fn *fn, void *arg)
{
    struct tool_run *run = xcalloc(1, sizeof(*run));
    run->event.fn = on_tooled;
    run->side = t->side;
    run->fn = fn;
    run->arg = arg;
    script_result(run->content, sizeof(run->content), c->turn, c->call_id);
    sim_in(&run->event, sim_between(500, 60000));
    return run;
}

struct tool_run *tools_look_up(struct tools *t, const struct tool_call *c, tool_done_fn *fn,
                               void *arg)
{
    (void)t, (void)c, (void)fn, (void)arg;
    return NULL;
}
void tool_cancel(struct tool_run *r)
{
    if (!r)
        return;
    sim_unset(&r->event);
    free(r);
}

/* ---- the process ---- */

static void on_turn(void *arg, struct hub_link *from, const struct hub_turn *t,
                    struct secret *take_token)
{
    struct side *s = arg;
    worker_turns_start(s->turns, from, t, take_token);
}
static bool on_cancel(void *arg, struct id turn)
{
    return worker_turns_cancel(((struct side *)arg)->turns, turn);
}
static void on_follow(void *arg, struct hub_link *from, struct id turn)
{
    worker_turns_follow(((struct side *)arg)->turns, from, turn);
}

static void on_unfollow(void *arg, struct hub_link *from, struct id turn)
{
    worker_turns_unfollow(((struct side *)arg)->turns, from, turn);
}

static void on_token(void *arg, struct id turn, uint32_t epoch, struct secret *take_token)
{
    worker_turns_token(((struct side *)arg)->turns, turn, epoch, take_token);
}
static uint32_t running(void *arg) { return worker_turns_running(((struct side *)arg)->turns); }
static void decide(void *arg) { worker_turns_decide(((struct side *)arg)->turns); }

static struct models *the_models(void)
{
    static struct models *models;
    char error[256];
    struct models_config c = {.providers[PROVIDER_OPENAI].base_url = "http://h/v1",
                              .default_model = "openai/m"};
    if (!models)
        models = models_new(&c, error);
    return models;
}

static struct meters *the_meters(void)
{
    static struct meters meters;
    if (!meters.running)
        meters_init(&meters);
    return &meters;
}

/* Of all workers: they have no state of their own but whose they are. */
static struct llm llms[SIM_WORKERS_MAX];
static struct tools toolses[SIM_WORKERS_MAX];

static void open_turns(struct side *s)
{
    struct proc *p = s->proc;
    struct worker_turns_config config = {
        .turn = {.journal = {.loop = &p->loop,
                             .store = p->store,
                             .holder = p->name,
                             .flush_ms = sim_chance(200) ? 60 : FLUSH_MS,
                             .flush_bytes = sim_chance(500) ? 300 : 8192,
                             .backlog_bytes_max = 1 << 20,
                             .hold_ms = SIDE_LEASE_MS / 3},
                 .limits = {.calls_max = 4,
                            .attempts_max = 3,
                            .invalid_max = 3,
                            .run_ms_max = 60000,
                            .tokens_max = 1000000,
                            .said_bytes_max = 1 << 20},
                 .models = the_models(),
                 .llm = &llms[p->index],
                 .tools = &toolses[p->index],
                 .meters = the_meters(),
                 .extra_prompt = "",
                 .token_wait_ms = 3000},
        .capacity = sim.crowd ? 1 : 1 + sim_below(4),
        .tick_ms = TICK_MS};
    llms[p->index].side = s;
    toolses[p->index].side = s;
    s->turns = worker_turns_new(&config);
    loop_on_decide(&p->loop, decide, s);
}

void *side_worker_new(struct proc *p, unsigned gateways)
{
    static const struct hub_callbacks callbacks = {on_turn,     on_cancel, on_follow,
                                                   on_unfollow, on_token,  running};
    struct side *s = xcalloc(1, sizeof(*s));
    struct store_config c = {
        .lease_ms = SIDE_LEASE_MS, .events_keep_ms = SIDE_EVENTS_KEEP_MS, .messages_max = 100};
    char error[256];
    s->proc = p;
    p->self = s;
    sim_loop_init(&p->loop, p);
    net_store_open(p, &c);
    open_turns(s);
    CHECK(gateways <= SIM_GATEWAYS_MAX);
    snprintf(s->gateways, sizeof(s->gateways), "ipc://0,ipc://1,ipc://2");
    s->gateways[8 * gateways - 1] = '\0';
    struct hub_config config = {.loop = &p->loop,
                                .gateways = s->gateways,
                                .name = p->name,
                                .capacity = sim.crowd ? 1 : 4,
                                .models = STR("[]"),
                                .tools = STR("[]"),
                                .beat_ms = SIDE_BEAT_MS,
                                .dead_ms = SIDE_DEAD_MS,
                                .resolve_ms = 1000000};
    s->hub = hub_new(&config, &callbacks, s, error);
    CHECK(s->hub != NULL);
    return s;
}

void side_worker_free(void *worker)
{
    struct side *s = worker;
    worker_turns_free(s->turns);
    hub_free(s->hub);
    loop_timer_free(s->drain);
    sim_loop_close(&s->proc->loop);
    net_store_close(s->proc);
    free(s);
}

unsigned side_worker_running(const void *worker)
{
    return worker_turns_running(((const struct side *)worker)->turns);
}

/* As worker/main.c drains. */
static void on_drain(void *arg)
{
    struct side *s = arg;
    int64_t now_ms = sim_now_ms();
    if (worker_turns_running(s->turns) == 0 || now_ms >= s->stop_ms) {
        loop_stop(&s->proc->loop);
    } else if (now_ms >= s->leave_ms && !s->left) {
        s->left = true;
        worker_turns_leave(s->turns);
    }
}

void side_worker_terminate(void *worker)
{
    struct side *s = worker;
    if (s->draining)
        return;
    worker_turns_close(s->turns);
    hub_bye(s->hub);
    s->draining = true;
    s->leave_ms = sim_now_ms() + sim_between(0, SIDE_DRAIN_MS);
    s->stop_ms = s->leave_ms + 3000;
    s->drain = loop_timer_new(&s->proc->loop, on_drain, s);
    loop_timer_set(s->drain, 20, 20);
    sim_wake(&s->proc->loop);
}
