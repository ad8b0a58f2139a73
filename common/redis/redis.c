#include "common/redis/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/list.h"
#include "common/log.h"
#include "common/redis/link.h"
#include "common/redis/slots.h"

enum {
    TIMEOUT_MS = 5000,
    REDIRECTS_MAX = 16,
    REFRESH_SOON_MS = 100, /* the map of slots is wrong, or a node of it is away */
    REFRESH_MS = 15000,    /* nothing is known to be wrong */
    LINKS_MAX = REDIS_MASTERS_MAX + 16,
};

/* home: finds a server by the URL. Not a cluster: all goes over it. A cluster: it is only asked for
 * the map, and each node has a link of its own. */
struct redis {
    struct loop *loop;
    struct redis_config config;
    struct redis_url url;
    uint64_t held_bytes; /* of commands without an answer */
    struct redis_link *home, *links[LINKS_MAX];
    struct redis_node nodes[LINKS_MAX]; /* of links */
    unsigned link_count, turn;          /* turn: which node is tried or asked next */
    bool cluster;
    struct redis_slots *slots; /* NULL: not a cluster, or one whose slots are not known yet */
    bool refreshing, refresh_due, drop_due;
    struct list waiting;         /* not sent yet */
    struct list failed, failing; /* failing: what on_soon delivers at the moment */
    struct loop_timer *timeout;  /* commands' deadlines */
    struct loop_timer *soon;     /* delivers what failed, in the read phase */
    struct loop_timer *refresh;
    bool flush_due, closing;
    uint64_t last_id, connects;
    struct redis_stats stats;
};

static void on_flush(void *arg);

/* ---- calls ---- */

static void deliver(struct redis *r, struct redis_call *c, enum redis_status status,
                    const struct redisReply *reply)
{
    redis_fn *fn = c->fn;
    void *arg = c->arg;
    r->stats.errors += status == REDIS_ERROR;
    r->stats.lost += status == REDIS_LOST;
    r->stats.unreplicated += status == REDIS_UNREPLICATED;
    r->held_bytes -= c->cost;
    r->stats.waiting--;
    redis_call_free(c);
    if (fn)
        fn(arg, status, reply);
}

static void fail_soon(struct redis *r, struct redis_call *c, enum redis_status status)
{
    list_remove(&c->node);
    c->status = status;
    list_push(&r->failed, &c->node);
    loop_timer_set(r->soon, 0, 0);
}

static void on_soon(void *arg)
{
    struct redis *r = arg;
    while (!list_empty(&r->failed)) { /* not those that the callbacks add */
        struct list *node = r->failed.next;
        list_remove(node);
        list_push(&r->failing, node);
    }
    for (struct redis_call *c; (c = list_first(&r->failing, struct redis_call, node)) != NULL;)
        deliver(r, c, c->status, NULL); /* may forget others of them */
}

static void on_timeout(void *arg)
{
    struct redis *r = arg;
    int64_t now = loop_now_ms(r->loop), next = INT64_MAX;
    for (unsigned i = 0; i <= r->link_count; i++) {
        struct redis_link *l = i == 0 ? r->home : r->links[i - 1];
        redis_link_expire(l, now);
        int64_t deadline = redis_link_deadline(l);
        next = deadline < next ? deadline : next;
    }
    list_each (&r->waiting, node, tmp) { /* one that was sent elsewhere first stands behind */
        struct redis_call *c = list_of(node, struct redis_call, node);
        if (c->deadline_ms <= now)
            fail_soon(r, c, REDIS_LOST);
        else if (c->deadline_ms < next)
            next = c->deadline_ms;
    }
    if (next != INT64_MAX)
        loop_timer_set(r->timeout, next > now ? next - now : 1, 0);
}

static void flush_soon(struct redis *r)
{
    if (r->flush_due || r->closing)
        return;
    r->flush_due = true;
    loop_later(r->loop, on_flush, r);
}

static uint64_t enqueue(struct redis *r, struct redis_call *c, redis_fn *fn, void *arg)
{
    uint64_t id = ++r->last_id;
    c->id = id;
    c->fn = fn;
    c->arg = arg;
    c->deadline_ms = loop_now_ms(r->loop) + r->config.timeout_ms;
    r->stats.commands++;
    r->stats.waiting++;
    r->held_bytes += c->cost;
    if (r->held_bytes > r->config.queue_bytes_max || r->closing) {
        fail_soon(r, c, r->closing ? REDIS_LOST : REDIS_FULL);
        return id;
    }
    list_push(&r->waiting, &c->node);
    if (!loop_timer_active(r->timeout))
        loop_timer_set(r->timeout, r->config.timeout_ms, 0);
    flush_soon(r);
    return id;
}

uint64_t redis_command(struct redis *r, redis_fn *fn, void *arg, unsigned argc,
                       const struct str *argv)
{
    CHECK(argc > 0);
    struct redis_call *c = redis_call_new(0, NULL, argc, argv);
    c->slot = redis_slot(argv[argc > 1]); /* without a key: any node will do */
    return enqueue(r, c, fn, arg);
}

uint64_t redis_eval(struct redis *r, const struct redis_script *s, redis_fn *fn, void *arg,
                    unsigned keys, unsigned argc, const struct str *argv)
{
    char count[16];
    CHECK(s->sha[0] != '\0' && keys <= argc);
    snprintf(count, sizeof(count), "%u", keys);
    struct str first[] = {STR("EVALSHA"), {s->sha, 40}, str_of(count)};
    struct redis_call *c = redis_call_new(3, first, argc, argv);
    c->script = s;
    c->durable = s->durable;
    c->slot = keys > 0 ? redis_slot(argv[0]) : 0;
    return enqueue(r, c, fn, arg);
}

void redis_forget(struct redis *r, uint64_t call)
{
    bool found = call == 0 || redis_call_forget(&r->waiting, call) ||
                 (r->home && redis_link_forget(r->home, call));
    for (unsigned i = 0; i < r->link_count && !found; i++)
        found = redis_link_forget(r->links[i], call);
    if (!found && !redis_call_forget(&r->failed, call))
        redis_call_forget(&r->failing, call);
}

/* ---- a cluster's links ---- */

static const struct redis_link_owner link_owner;

static void refresh_soon(struct redis *r)
{
    if (r->closing || r->refresh_due)
        return;
    r->refresh_due = true;
    loop_timer_set(r->refresh, REFRESH_SOON_MS, 0);
}

static struct redis_link *link_new(struct redis *r, bool home)
{
    struct redis_link_config c = {.loop = r->loop,
                                  .url = &r->url,
                                  .asks_slots = home && !r->url.sentinel,
                                  .timeout_ms = r->config.timeout_ms,
                                  .replicas = r->config.replicas,
                                  .owner = &link_owner,
                                  .arg = r};
    return redis_link_new(&c);
}

/* The link to a node of the cluster; NULL: there are too many. */
static struct redis_link *link_to(struct redis *r, const struct redis_node *node)
{
    for (unsigned i = 0; i < r->link_count; i++)
        if (redis_node_eq(&r->nodes[i], node))
            return r->links[i];
    if (r->link_count == LINKS_MAX)
        return NULL;
    r->nodes[r->link_count] = *node;
    r->links[r->link_count] = link_new(r, false);
    return r->links[r->link_count++];
}

static void take_slots(struct redis *r, const struct redis_link *from,
                       const struct redisReply *reply)
{
    struct redis_slots *s = r->slots ? r->slots : xcalloc(1, sizeof(*s));
    r->cluster = true;
    if (!redis_slots_read(s, reply, redis_link_node(from)) && r->slots == NULL) {
        free(s); /* nobody has a slot yet */
        return;
    }
    if (!r->slots)
        log_info("redis.cluster", "from=%s masters=%u", redis_link_where(from), s->node_count);
    r->slots = s;
    r->drop_due = true;
    for (unsigned i = 0; i < s->node_count; i++)
        link_to(r, &s->nodes[i]);
    flush_soon(r);
}

/* Links to nodes that have no slots any more. Not from inside of what a link says. */
static void drop_links(struct redis *r)
{
    for (unsigned i = r->link_count; i-- > 0;) {
        struct redis_link *l = r->links[i];
        if (redis_slots_has(r->slots, &r->nodes[i]) || !redis_link_idle(l))
            continue;
        list_each (&r->waiting, node, tmp) {
            struct redis_call *c = list_of(node, struct redis_call, node);
            c->via = c->via == l ? NULL : c->via;
        }
        r->link_count--;
        r->links[i] = r->links[r->link_count];
        r->nodes[i] = r->nodes[r->link_count];
        redis_link_free(l);
    }
}

static void on_map(void *arg, enum redis_status status, const struct redisReply *reply)
{
    struct redis *r = arg;
    (void)reply; /* on_answer has taken it: it knows who gave it */
    r->refreshing = false;
    if (status != REDIS_OK)
        refresh_soon(r); /* from another one */
}

/* A command of our own to this server. */
static void send_own(struct redis *r, struct redis_link *l, enum redis_call_own own, redis_fn *fn,
                     unsigned argc, const struct str *argv)
{
    struct redis_call *c = redis_call_new(0, NULL, argc, argv);
    c->own = own;
    c->via = l;
    enqueue(r, c, fn, r);
}

/* Asks for the map of slots: another node each time, so that one which is wrong or cut off does not
 * decide. */
static void on_refresh(void *arg)
{
    struct redis *r = arg;
    r->refresh_due = false;
    loop_timer_set(r->refresh, REFRESH_MS, 0);
    if (r->refreshing || !r->cluster)
        return;
    for (unsigned tries = 0; tries <= r->link_count; tries++) {
        unsigned i = r->turn++ % (r->link_count + 1);
        struct redis_link *l = i == 0 ? r->home : r->links[i - 1];
        if (!redis_link_takes(l))
            continue;
        struct str argv[] = {STR("CLUSTER"), STR("SLOTS")};
        r->refreshing = true;
        send_own(r, l, CALL_MAP, on_map, 2, argv);
        return;
    }
    refresh_soon(r); /* nobody is there */
}

/* ---- what links say ---- */

static void pick(void *arg, struct redis_link *l, struct redis_node *out)
{
    struct redis *r = arg;
    for (unsigned i = 0; i < r->link_count; i++)
        if (r->links[i] == l) {
            *out = r->nodes[i];
            return;
        }
    unsigned known = r->slots ? r->slots->node_count : 0;
    unsigned i = r->turn++ % (r->url.node_count + known);
    if (i < r->url.node_count) {
        *out = r->url.nodes[i];
        return;
    }
    CHECK(r->slots);
    *out = r->slots->nodes[i - r->url.node_count];
}

static void on_slots(void *arg, struct redis_link *l, const struct redisReply *reply)
{
    take_slots(arg, l, reply);
}

static bool carries(const struct redis *r, const struct redis_link *l)
{
    return r->slots == NULL || l != r->home;
}

static void on_ready(void *arg, struct redis_link *l, bool again)
{
    struct redis *r = arg;
    if (!carries(r, l))
        return;
    r->connects++;
    r->stats.reconnects += again;
    if (r->config.on_server)
        send_own(r, l, CALL_INFO, NULL, 1, &STR("INFO"));
    flush_soon(r);
}

static void on_down(void *arg, struct redis_link *l)
{
    struct redis *r = arg;
    (void)l;
    if (r->cluster)
        refresh_soon(r);
}

/* True: it goes somewhere else. */
static bool redirect(struct redis *r, const struct redis_link *from, struct redis_call *c,
                     const struct redisReply *reply)
{
    struct redis_node to;
    uint16_t slot;
    struct str text = redis_text(reply);
    enum redis_redirect kind = redis_redirect_parse(text, redis_link_node(from), &slot, &to);
    if (r->cluster && str_starts(text, STR("CLUSTERDOWN")))
        refresh_soon(r);
    if (kind == REDIRECT_NONE)
        return false;
    if (!r->slots) { /* it is one after all: it was loading, or would not tell */
        r->cluster = true;
        r->slots = xcalloc(1, sizeof(*r->slots));
        log_info("redis.cluster", "from=%s moved=1", redis_link_where(from));
    }
    struct redis_link *l = link_to(r, &to);
    if (l == NULL || ++c->redirects > REDIRECTS_MAX ||
        (kind == REDIRECT_MOVED && !redis_slots_set(r->slots, slot, slot, &to))) {
        fail_soon(r, c, REDIS_LOST);
        return true;
    }
    r->stats.redirects++;
    if (kind == REDIRECT_MOVED)
        refresh_soon(r);
    else
        c->via = l;
    c->asking = kind == REDIRECT_ASK;
    list_push(&r->waiting, &c->node);
    flush_soon(r);
    return true;
}

static void on_answer(void *arg, struct redis_link *l, struct redis_call *take_call,
                      enum redis_status status, const struct redisReply *reply)
{
    struct redis *r = arg;
    struct redis_call *c = take_call;
    if (status == REDIS_OK && c->own == CALL_MAP)
        take_slots(r, l, reply);
    if (status == REDIS_OK && c->own == CALL_INFO)
        r->config.on_server(r->config.arg, redis_link_where(l), redis_text(reply));
    if (status == REDIS_LOST)
        fail_soon(r, c, status);
    else if (status != REDIS_ERROR || !redirect(r, l, c, reply))
        deliver(r, c, status, reply);
}

static const struct redis_link_owner link_owner = {.pick = pick,
                                                   .on_slots = on_slots,
                                                   .on_ready = on_ready,
                                                   .on_down = on_down,
                                                   .on_answer = on_answer};

/* ---- sending ---- */

static struct redis_link *route(struct redis *r, const struct redis_call *c)
{
    if (c->via)
        return c->via;
    if (!r->slots)
        return r->home;
    const struct redis_node *owner = redis_slots_owner(r->slots, c->slot);
    return owner == NULL ? NULL : link_to(r, owner);
}

static void on_flush(void *arg)
{
    struct redis *r = arg;
    r->flush_due = false;
    if (r->closing) {
        free(r);
        return;
    }
    if (r->drop_due && r->slots != NULL)
        drop_links(r);
    r->drop_due = false;
    list_each (&r->waiting, node, tmp) {
        struct redis_call *c = list_of(node, struct redis_call, node);
        struct redis_link *l = route(r, c);
        if (l != NULL && redis_link_takes(l)) {
            c->via = NULL;
            redis_link_send(l, c);
        } else if (!r->slots) {
            break; /* the others wait for the same link */
        } else {
            refresh_soon(r);
        }
    }
    redis_link_flush(r->home);
    for (unsigned i = 0; i < r->link_count; i++)
        redis_link_flush(r->links[i]);
}

/* ---- start and end ---- */

struct redis *redis_new(struct loop *l, const struct redis_config *c, char error[256])
{
    struct redis_url url;
    CHECK(c->queue_bytes_max > 0);
    if (!redis_url_parse(c->url, &url, error))
        return NULL;
    struct redis *r = xcalloc(1, sizeof(*r));
    r->loop = l;
    r->config = *c;
    r->url = url;
    if (r->config.timeout_ms <= 0)
        r->config.timeout_ms = TIMEOUT_MS;
    list_init(&r->waiting);
    list_init(&r->failed);
    list_init(&r->failing);
    r->timeout = loop_timer_new(l, on_timeout, r);
    r->soon = loop_timer_new(l, on_soon, r);
    r->refresh = loop_timer_new(l, on_refresh, r);
    r->home = link_new(r, true);
    return r;
}

void redis_free(struct redis *r)
{
    if (!r)
        return;
    r->closing = true;
    while (r->link_count > 0)
        redis_link_free(r->links[--r->link_count]);
    redis_link_free(r->home);
    r->home = NULL;
    for (struct redis_call *c; (c = list_first(&r->waiting, struct redis_call, node)) != NULL;)
        fail_soon(r, c, REDIS_LOST);
    while (!list_empty(&r->failed)) /* callbacks may ask for more: that fails as well */
        on_soon(r);
    loop_timer_free(r->timeout);
    loop_timer_free(r->soon);
    loop_timer_free(r->refresh);
    redis_url_free(&r->url);
    free(r->slots);
    if (!r->flush_due) /* else on_flush is still to come */
        free(r);
}

bool redis_ready(const struct redis *r)
{
    bool ready = r->home != NULL && r->slots == NULL && redis_link_ready(r->home);
    for (unsigned i = 0; i < r->link_count && r->slots != NULL; i++)
        ready = ready || redis_link_ready(r->links[i]);
    return ready;
}

const char *redis_where(const struct redis *r) { return redis_link_where(r->home); }

void redis_stats_get(const struct redis *r, struct redis_stats *out) { *out = r->stats; }
