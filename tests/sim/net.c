#include "tests/sim/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "proto/store/store.h"
#include "proto/wire.h"
#include "tests/sim/plants.h"
#include "tests/sim/script.h"

enum {
    OUT_BYTES_MAX = 8 << 20,
    TIGHT_BYTES_MAX = 1500, /* some events */
    RECONNECT_MS = 100,     /* at least, up to ten times that */
    REDIS_AGAIN_MS = 100,
    REDIS_PATIENCE_MS = 5000, /* as store.c's */
    NEVER = INT32_MAX,
};

/* ---- connections ---- */
struct conn {         /* of a dealer to a router's life */
    struct list node; /* of conns */
    unsigned refs;
    struct wire *dealer, *router; /* NULL: that end is gone */
    struct wire_peer *accepted;   /* the router's, once it heard something */
    int64_t last_us[2];
    unsigned sent[2], came[2], cut[2]; /* messages; those from cut on are lost */
};
enum { TO_ROUTER, TO_DEALER };
struct wire_peer {
    struct list node;
    struct wire *wire;
    struct conn *conn;
    struct buf out;
    void *user;
    bool touched, dropped;
};
struct wire {
    struct list node; /* of its process */
    struct loop *loop;
    struct wire_callbacks callbacks;
    void *arg;
    bool router;
    struct list peers, dropped;
    unsigned gateway;                /* dealer: which one */
    struct sim_event connect, again; /* dealer; again: what it holds leaves */
};
static struct list conns = {&conns, &conns};
struct message {
    struct sim_event event; /* first */
    struct conn *conn;
    unsigned way, number;
    unsigned life; /* of the process that gets it */
    size_t len;
    char bytes[];
};

static void conn_free(struct conn *c)
{
    if (!c || --c->refs > 0)
        return;
    list_remove(&c->node);
    free(c);
}

static struct proc *proc_of(const struct wire *w) { return w->loop->proc; }

static int64_t delay_us(void)
{
    bool slow = sim_chance(50) && !sim.smooth;
    return slow ? sim_between(5000, 60000) : sim_between(100, 2500);
}

static void on_message_due(struct sim_event *e);

static void send_bytes(struct conn *c, unsigned way, struct str bytes)
{
    struct wire *to = way == TO_ROUTER ? c->router : c->dealer;
    const struct wire *dealer = c->dealer;
    if (!to || !dealer)
        return;
    struct message *m = xmalloc(sizeof(*m) + bytes.len);
    *m = (struct message){.event.fn = on_message_due, .conn = c, .way = way};
    m->number = c->sent[way]++;
    m->life = proc_of(to)->life;
    m->len = bytes.len;
    memcpy(m->bytes, bytes.at, bytes.len);
    c->refs++;
    int64_t cut_us = sim.cut_us[proc_of(dealer)->index][dealer->gateway];
    int64_t at_us = (cut_us > sim.now_us ? cut_us : sim.now_us) + delay_us();
    c->last_us[way] = at_us > c->last_us[way] ? at_us : c->last_us[way] + 1;
    sim_at(&m->event, c->last_us[way]);
}

static struct wire_peer *peer_new(struct wire *w, struct conn *c)
{
    struct wire_peer *p = xcalloc(1, sizeof(*p));
    p->wire = w;
    p->conn = c;
    if (c)
        c->refs++;
    buf_init(&p->out, sim.tight && !w->router ? TIGHT_BYTES_MAX : OUT_BYTES_MAX);
    list_push(&w->peers, &p->node);
    return p;
}

static void peer_free(struct wire_peer *p)
{
    if (p->conn && p->conn->accepted == p)
        p->conn->accepted = NULL;
    conn_free(p->conn);
    list_remove(&p->node);
    buf_free(&p->out);
    free(p);
}

static void on_message_due(struct sim_event *e)
{
    struct message *m = (struct message *)e;
    struct conn *c = m->conn;
    struct wire *to = m->way == TO_ROUTER ? c->router : c->dealer;
    bool put_off = false;
    if (to && m->number < c->cut[m->way] && proc_takes(proc_of(to), m->life, e, &put_off)) {
        c->came[m->way] = m->number + 1;
        struct wire_peer *p = list_of(to->peers.next, struct wire_peer, node); /* a dealer's one */
        sim.strayed |= m->way == TO_DEALER && p->conn && p->conn != c;
        if (m->way == TO_ROUTER) {
            if (!c->accepted)
                c->accepted = peer_new(to, c);
            p = c->accepted;
        }
        sim_hash(m->bytes, m->len);
        sim_wake(to->loop);
        to->callbacks.on_message(to->arg, p, (struct str){m->bytes, m->len});
    }
    if (put_off)
        return;
    conn_free(c);
    free(m);
}

/* Some of what is under way in this direction still arrives. */
static void cut_way(struct conn *c, unsigned way, bool all)
{
    unsigned under_way = c->sent[way] - c->came[way];
    unsigned left = all ? 0 : sim_below(under_way + 1);
    if (c->came[way] + left < c->cut[way])
        c->cut[way] = c->came[way] + left;
}

/* Its dealer will connect again. */
static void conn_break(struct conn *c)
{
    cut_way(c, TO_ROUTER, false);
    cut_way(c, TO_DEALER, false);
    if (!c->dealer)
        return;
    struct wire_peer *p = list_of(c->dealer->peers.next, struct wire_peer, node);
    if (p->conn != c)
        return;
    sim_in(&c->dealer->connect, sim_between(RECONNECT_MS, 10 * RECONNECT_MS) * 1000);
    p->conn = NULL;
    conn_free(c);
}

static bool conn_broken(const struct conn *c) { return c->cut[TO_DEALER] != NEVER; }

static void flush(struct wire_peer *p)
{
    struct wire *w = p->wire;
    if (!p->conn || p->out.len == 0)
        return;
    int64_t cut_us = w->router ? 0 : sim.cut_us[proc_of(w)->index][w->gateway];
    if (sim.tight && cut_us > sim.now_us) { /* it does not take more than its buffer */
        sim_at(&w->again, cut_us);
        return;
    }
    scoped_buf(spoilt, OUT_BYTES_MAX);
    struct str bytes = plants_frames(!p->wire->router, buf_str(&p->out), &spoilt);
    if (bytes.len > 0)
        send_bytes(p->conn, p->wire->router ? TO_DEALER : TO_ROUTER, bytes);
    buf_clear(&p->out);
}

static void on_again(struct sim_event *e)
{
    struct wire *w = (struct wire *)(void *)((char *)e - offsetof(struct wire, again));
    flush(list_of(w->peers.next, struct wire_peer, node));
}

static struct wire *router_of(unsigned gateway)
{
    struct proc *p = &sim.gateways[gateway];
    if (!p->up || list_empty(&p->wires))
        return NULL;
    return list_first(&p->wires, struct wire, node);
}

static void on_connect(struct sim_event *e)
{
    struct wire *w = (struct wire *)(void *)((char *)e - offsetof(struct wire, connect));
    struct wire *router = router_of(w->gateway);
    struct wire_peer *p = list_of(w->peers.next, struct wire_peer, node);
    if (!router || sim.cut_us[proc_of(w)->index][w->gateway] > sim.now_us) {
        sim_in(e, sim_between(RECONNECT_MS, 3 * RECONNECT_MS) * 1000);
        return;
    }
    p->conn = xcalloc(1, sizeof(*p->conn));
    *p->conn = (struct conn){.refs = 1, .dealer = w, .router = router, .cut = {NEVER, NEVER}};
    list_push(&conns, &p->conn->node);
    flush(p);
}

/* ---- proto/wire.h ---- */

static void write_all(void *arg)
{
    struct wire *w = arg;
    list_each (&w->peers, node, next) {
        struct wire_peer *p = list_of(node, struct wire_peer, node);
        if (!p->touched || p->dropped)
            continue;
        p->touched = false;
        if (w->router && conn_broken(p->conn)) {
            buf_clear(&p->out);
            if (w->callbacks.on_gone)
                w->callbacks.on_gone(w->arg, p);
            wire_peer_drop(p);
        } else {
            flush(p);
        }
    }
    while (!list_empty(&w->dropped))
        peer_free(list_head(&w->dropped, struct wire_peer, node));
}

static struct wire *wire_new(struct loop *l, const struct wire_callbacks *cb, void *arg)
{
    struct wire *w = xcalloc(1, sizeof(*w));
    w->loop = l;
    w->callbacks = *cb;
    w->arg = arg;
    list_init(&w->peers);
    list_init(&w->dropped);
    list_push(&l->proc->wires, &w->node);
    loop_on_write(l, write_all, w);
    return w;
}

struct wire *wire_router_new(struct loop *l, const struct wire_config *c, const char *endpoints,
                             const struct wire_callbacks *cb, void *arg, char error[256])
{
    (void)c, (void)endpoints, (void)error;
    struct wire *w = wire_new(l, cb, arg);
    w->router = true;
    return w;
}

struct wire *wire_dealer_new(struct loop *l, const struct wire_config *c, const char *endpoint,
                             const struct wire_callbacks *cb, void *arg, char error[256])
{
    (void)c, (void)error;
    struct wire *w = wire_new(l, cb, arg);
    w->gateway = (unsigned)(endpoint[strlen(endpoint) - 1] - '0'); /* ipc://0 */
    w->connect.fn = on_connect;
    w->again.fn = on_again;
    peer_new(w, NULL);
    sim_in(&w->connect, sim_between(100, 20000));
    return w;
}

/* What was on its way to it is lost, what it had sent may arrive. */
static void end_is_gone(struct wire *w)
{
    list_each (&conns, node, next) {
        struct conn *c = list_of(node, struct conn, node);
        if (c->router != w && c->dealer != w)
            continue;
        cut_way(c, c->router == w ? TO_ROUTER : TO_DEALER, true);
        c->refs++;
        conn_break(c);
        if (c->router == w)
            c->router = NULL;
        else
            c->dealer = NULL;
        conn_free(c);
    }
}

void wire_free(struct wire *w)
{
    loop_off(w->loop, w);
    if (proc_of(w)->up) /* what was given to it has time to leave */
        list_each (&w->peers, node, next)
            flush(list_of(node, struct wire_peer, node));
    end_is_gone(w);
    sim_unset(&w->connect);
    sim_unset(&w->again);
    while (!list_empty(&w->dropped))
        peer_free(list_head(&w->dropped, struct wire_peer, node));
    while (!list_empty(&w->peers))
        peer_free(list_head(&w->peers, struct wire_peer, node));
    list_remove(&w->node);
    free(w);
}

struct wire_peer *wire_gateway(struct wire *w)
{
    return list_of(w->peers.next, struct wire_peer, node);
}
const char *wire_bound(const struct wire *w)
{
    (void)w;
    return "ipc://";
}
bool wire_endpoint_ok(const char *endpoint, const struct wire_config *c, char error[256])
{
    (void)endpoint, (void)c, (void)error;
    return true;
}
struct buf *wire_out(struct wire_peer *p) { return &p->out; }
void wire_wipe_after(struct wire_peer *p) { (void)p; }
void wire_touch(struct wire_peer *p)
{
    p->touched = true;
    sim_wake(p->wire->loop);
}
void wire_peer_set(struct wire_peer *p, void *user) { p->user = user; }
void *wire_peer_get(const struct wire_peer *p) { return p->user; }

/* A later message of its connection makes a new peer. */
void wire_peer_drop(struct wire_peer *p)
{
    if (p->dropped)
        return;
    p->dropped = true;
    if (p->conn && p->conn->accepted == p)
        p->conn->accepted = NULL;
    list_remove(&p->node);
    list_push(&p->wire->dropped, &p->node);
}

/* ---- faults between workers and gateways ---- */

static struct wire *dealer_of(struct proc *worker, unsigned gateway)
{
    list_each (&worker->wires, node, next) {
        struct wire *w = list_of(node, struct wire, node);
        if (w->gateway == gateway)
            return w;
    }
    return NULL;
}

void net_break(struct proc *worker, unsigned gateway)
{
    struct wire *w = worker->up ? dealer_of(worker, gateway) : NULL;
    struct wire_peer *p = w ? list_of(w->peers.next, struct wire_peer, node) : NULL;
    if (p && p->conn)
        conn_break(p->conn);
}

void net_cut(struct proc *worker, unsigned gateway, int64_t us, bool breaks)
{
    sim.cut_us[worker->index][gateway] = sim.now_us + us;
    if (breaks)
        net_break(worker, gateway);
}

/* ---- commands to the store ---- */

struct flight {             /* an op on its way there, or its answer back */
    struct sim_event event; /* first */
    struct fake_op *op;
    struct proc *proc;
    unsigned life, number; /* of the connection */
    struct fake_reply *reply;
    bool stray; /* its connection broke */
};

static void flight_free(struct flight *f)
{
    if (f->reply)
        fake_reply_free(f->reply);
    fake_op_free(f->op);
    free(f);
}

static bool same_lane(const struct flight *f)
{
    return f->proc->up && f->proc->life == f->life && f->proc->lane.number == f->number;
}

static int64_t lane_us(struct lane *l, unsigned way, int64_t delay)
{
    int64_t at_us = sim.now_us + delay;
    l->last_us[way] = at_us > l->last_us[way] ? at_us : l->last_us[way] + 1;
    return l->last_us[way];
}

static void on_answer_due(struct sim_event *e)
{
    struct flight *f = (struct flight *)e;
    bool put_off = false;
    if (same_lane(f) && proc_takes(f->proc, f->life, e, &put_off)) {
        struct fake_reply *reply = f->reply;
        f->reply = NULL;
        sim_hash(&reply->err, sizeof(reply->err));
        sim_note("%s <- %s e%u: %s", f->proc->name, fake_op_name(f->op), f->op->epoch,
                 err_word(reply->err));
        sim_wake(&f->proc->loop);
        fake_op_answer(f->op, reply);
    }
    if (!put_off)
        flight_free(f);
}

/* Its connection broke: it was read by Redis all the same, or will be, or is lost. */
static bool strays_on(struct flight *f)
{
    if (f->stray)
        return true;
    f->stray = true;
    if (sim_chance(300)) {
        sim_in(&f->event, sim_between(1000, 1500000));
        return false;
    }
    return sim_chance(500);
}

static void on_op_due(struct sim_event *e)
{
    struct flight *f = (struct flight *)e;
    if (sim.redis_slow_us > sim.now_us) { /* commands wait in its sockets */
        sim_at(e, sim.redis_slow_us);
        return;
    }
    bool stray = !same_lane(f);
    if (stray && !strays_on(f)) {
        if (e->place == 0)
            flight_free(f);
        return;
    }
    if (sim.redis_down_us > sim.now_us) {
        flight_free(f);
        return;
    }
    f->reply = fake_op_execute(f->op);
    if (f->op->kind == OP_TURN_BEGIN || f->op->kind == OP_TURN_SAY || f->op->kind == OP_TURN_SEAL)
        script_store(f->op->session, f->op->turn);
    sim_note("redis: %s of %s e%u..%u %s%s", fake_op_name(f->op), f->proc->name, f->op->epoch,
             f->op->last_seq, err_word(f->reply->err), stray ? " (stray)" : "");
    if (stray) {
        flight_free(f);
        return;
    }
    f->event.fn = on_answer_due;
    sim_at(e, lane_us(&f->proc->lane, 1, sim_between(50, 1500)));
}

static struct flight *flight_new(struct proc *p, struct fake_op *take_op)
{
    struct flight *f = xcalloc(1, sizeof(*f));
    *f = (struct flight){.event.fn = on_op_due, .op = take_op, .proc = p};
    f->life = p->life;
    f->number = p->lane.number;
    return f;
}

/* The planted bug: the answer does not wait for the write. */
static void answer_early(struct proc *p, struct fake_op *op)
{
    struct flight *f = flight_new(p, fake_op_ref(op));
    f->event.fn = on_answer_due;
    f->reply = xcalloc(1, sizeof(*f->reply));
    f->reply->answer.turn = (struct store_turn){.session = op->session,
                                                .turn = op->turn,
                                                .state = op->state,
                                                .epoch = op->epoch,
                                                .last = {op->epoch, op->last_seq}};
    sim_at(&f->event, lane_us(&p->lane, 1, 0));
}

static void carry(void *arg, struct fake_op *take_op)
{
    struct proc *p = arg;
    if (p->lane.down) { /* it waits for the next connection */
        fake_op_free(take_op);
        return;
    }
    if (sim.plant == PLANT_EARLY_SEAL && take_op->kind == OP_TURN_SEAL)
        answer_early(p, take_op);
    struct flight *f = flight_new(p, take_op);
    bool slow = sim_chance(30) && !sim.smooth;
    int64_t delay = slow ? sim_between(5000, 80000) : sim_between(100, 2000);
    sim_at(&f->event, lane_us(&p->lane, 0, delay));
}

static void on_retry(struct sim_event *e)
{
    struct proc *p = (struct proc *)(void *)((char *)e - offsetof(struct proc, lane.retry));
    bool put_off;
    if (!proc_takes(p, p->life, e, &put_off))
        return;
    sim_wake(&p->loop);
    if (sim.redis_down_us > sim.now_us) {
        fake_store_give_up(p->store, sim_wall_ms() - REDIS_PATIENCE_MS + REDIS_AGAIN_MS);
        sim_in(e, REDIS_AGAIN_MS * 1000);
        return;
    }
    p->lane.down = false;
    fake_store_away(p->store, false);
    fake_store_again(p->store);
}

void net_lane_break(struct proc *p)
{
    if (!p->up || p->lane.down)
        return;
    p->lane.number++;
    p->lane.down = true;
    fake_store_away(p->store, true);
    sim_in(&p->lane.retry, sim_between(20, 3 * REDIS_AGAIN_MS) * 1000);
}

void net_redis_crash(int64_t us, bool promoted)
{
    sim.redis_down_us = sim.now_us + us;
    fake_redis_restarted(sim.redis, promoted);
    for (unsigned i = 0; i < sim.gateway_count; i++)
        net_lane_break(&sim.gateways[i]);
    for (unsigned i = 0; i < sim.worker_count; i++)
        net_lane_break(&sim.workers[i]);
}

void net_store_open(struct proc *p, const struct store_config *c)
{
    p->lane = (struct lane){.number = p->lane.number + 1, .retry.fn = on_retry};
    p->store = store_new(&p->loop, sim.redis, c);
    fake_store_carry(p->store, carry, p);
    if (sim.redis_down_us > sim.now_us)
        net_lane_break(p);
}

void net_store_close(struct proc *p)
{
    sim_unset(&p->lane.retry);
    p->lane.number++;
    store_free(p->store);
    p->store = NULL;
}
