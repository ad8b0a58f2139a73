#include "common/redis/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h> /* after ours: its macro REDIS_OK has the value of our REDIS_OK */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/check.h"
#include "common/log.h"
#include "common/tls.h"

/* Of hiredis we use the protocol reader alone. Its async API resolves names blocking, shifts its
 * whole output buffer after each partial write, and asserts on an answer that nobody asked for; the
 * socket, the queue of what was asked and the reconnecting are the larger part and are here. */

enum {
    CONNECT_MS = 3000,
    BACKOFF_MS_MIN = 50,
    BACKOFF_MS_MAX = 1000,
    READ_BYTES = 64 * 1024,
    READS_A_PASS = 16,
    GREETINGS_MAX = 5,
    SCRIPTS_MAX = 64,
    OUT_KEPT_BYTES = 1 << 20,  /* of output that was sent: more goes back to the system */
    OUT_MOVED_BYTES = 4 << 20, /* … that was not: in 1 ms */
    /* A replica that is well acknowledges within a round trip; all that this connection is asked
     * meanwhile waits behind. What too few replicas have is sent again. */
    COPIES_MS = 150,
};

/* How far the connection is. */
#define LINK_STATES(X)                                                                             \
    X(DOWN)       /* waits for the retry timer */                                                  \
    X(RESOLVING)  /* the name */                                                                   \
    X(CONNECTING) /* the socket */                                                                 \
    X(SECURING)   /* the handshake of TLS */                                                       \
    X(GREETING)   /* AUTH, SELECT and the like, or asking a sentinel */                            \
    X(READY)
enum link_state {
#define X(name) LINK_##name,
    LINK_STATES(X)
#undef X
};
static const char *const link_names[] = {
#define X(name) #name,
    LINK_STATES(X)
#undef X
};

enum greeting { GREET_AUTH, GREET_SELECT, GREET_SLOTS, GREET_ROLE, GREET_PING, GREET_SENTINEL };

struct redis_link {
    struct redis_link_config config;
    struct loop *loop;
    const struct redis_url *url;
    enum link_state state;
    struct redis_node target; /* of this attempt */
    bool to_sentinel;         /* target is a sentinel */
    bool cluster;             /* it is a node of one */
    bool leaving;             /* a replica now: nothing new is sent, gone when all is answered */
    bool was_ready;
    bool complained; /* the log knows that it is down */
    unsigned turn;   /* which address of a name is tried next */
    int64_t backoff_ms;
    enum greeting greetings[GREETINGS_MAX];
    unsigned greeting_count, greeted;
    int fd;
    struct loop_fd *io;
    struct tls *tls; /* NULL: in the clear */
    uint64_t resolving;
    redisReader *reader;
    struct buf out;
    size_t out_off;
    const struct redis_script *scripts[SCRIPTS_MAX]; /* sent on this connection with their source */
    unsigned script_count;
    struct list sent;
    struct list unsure;       /* durable ones that were answered: replicas not counted yet */
    bool counting, uncounted; /* a WAIT is under way; durable calls were sent behind it */
    struct loop_timer *retry; /* DOWN: connect; else: the attempt takes too long */
    char where[REDIS_HOST_MAX + 8];
};

static void on_io(void *arg, unsigned events);
static void link_down(struct redis_link *l, const char *why);
static void connect_next(struct redis_link *l);

static void link_set(struct redis_link *l, enum link_state state)
{
    if (l->state != state)
        log_debug("redis.state", "where=%s from=%s to=%s", l->where, link_names[l->state],
                  link_names[state]);
    l->state = state;
}

static void give_back(struct redis_link *l, struct redis_call *c, enum redis_status status,
                      const redisReply *reply)
{
    list_remove(&c->node);
    if (c->own == CALL_WAIT || c->own == CALL_ASKING)
        redis_call_free(c);
    else
        l->config.owner->on_answer(l->config.arg, l, c, status, reply);
}

/* ---- output: all commands of a pass go out in one write ---- */

static ssize_t send_some(struct redis_link *l, const char *bytes, size_t len)
{
    return l->tls ? tls_write(l->tls, bytes, len)
                  : send(l->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Redis may be slow to take what is a moment's rush. What was sent is dropped when no more is left,
 * so that each byte is moved once. Not while a password may be in it: see greet. */
static void shrink_out(struct redis_link *l)
{
    size_t left = l->out.len - l->out_off;
    if (l->state != LINK_READY || l->out.cap <= OUT_KEPT_BYTES)
        return;
    if (left == 0) {
        buf_free(&l->out);
    } else if (l->out_off >= left && left <= OUT_MOVED_BYTES) {
        buf_drop(&l->out, l->out_off);
        l->out_off = 0;
    }
}

static void send_out(struct redis_link *l)
{
    while (l->out_off < l->out.len) {
        ssize_t sent = send_some(l, l->out.at + l->out_off, l->out.len - l->out_off);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            loop_fd_set(l->io, LOOP_READ | LOOP_WRITE);
            shrink_out(l);
            return;
        }
        if (sent < 0)
            break; /* the read side tells, after what is still to be read */
        l->out_off += (size_t)sent;
    }
    loop_fd_set(l->io, LOOP_READ);
    buf_clear(&l->out);
    l->out_off = 0;
    shrink_out(l);
}

/* The first time on a connection a script goes with its source, so that its commands keep their
 * order: one that is sent again after NOSCRIPT comes behind those that were sent after it. */
static bool knows_script(struct redis_link *l, const struct redis_script *s)
{
    for (unsigned i = 0; i < l->script_count; i++)
        if (l->scripts[i] == s)
            return true;
    if (l->script_count < SCRIPTS_MAX)
        l->scripts[l->script_count++] = s;
    return false;
}

static void put(struct redis_link *l, struct redis_call *c, bool with_source)
{
    redis_call_put(c, with_source, &l->out);
    list_remove(&c->node);
    list_push(&l->sent, &c->node);
    l->uncounted = l->uncounted || (c->durable && l->config.replicas > 0);
}

static void put_own(struct redis_link *l, enum redis_call_own own, unsigned argc,
                    const struct str *argv)
{
    struct redis_call *c = redis_call_new(0, NULL, argc, argv);
    c->own = own;
    c->deadline_ms = loop_now_ms(l->loop) + l->config.timeout_ms;
    put(l, c, false);
}

void redis_link_send(struct redis_link *l, struct redis_call *take_call)
{
    CHECK(redis_link_takes(l));
    if (take_call->asking)
        put_own(l, CALL_ASKING, 1, &STR("ASKING"));
    take_call->asking = false;
    put(l, take_call, take_call->script != NULL && !knows_script(l, take_call->script));
}

static void put_wait(struct redis_link *l)
{
    char replicas[16], ms[16];
    snprintf(replicas, sizeof(replicas), "%u", l->config.replicas);
    snprintf(ms, sizeof(ms), "%d", COPIES_MS);
    put_own(l, CALL_WAIT, 3, (struct str[]){STR("WAIT"), str_of(replicas), str_of(ms)});
    l->counting = true;
    l->uncounted = false;
}

void redis_link_flush(struct redis_link *l)
{
    if (l->state != LINK_READY)
        return;
    if (l->uncounted && !l->counting)
        put_wait(l);
    if (l->out.len > 0)
        send_out(l);
}

/* ---- input ---- */

static bool error_is(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}

/* The answer of a WAIT: it counts for all durable calls that were answered before it. */
static void on_counted(struct redis_link *l, const redisReply *reply)
{
    bool enough = reply->type == REDIS_REPLY_INTEGER && reply->integer >= l->config.replicas;
    l->counting = false;
    for (struct redis_call *c; (c = list_first(&l->unsure, struct redis_call, node)) != NULL;) {
        redisReply *kept = c->kept;
        c->kept = NULL;
        give_back(l, c, enough ? REDIS_OK : REDIS_UNREPLICATED, kept);
        freeReplyObject(kept);
    }
}

/* True: the reply is kept. */
static bool on_answer(struct redis_link *l, redisReply *reply)
{
    struct redis_call *c = list_first(&l->sent, struct redis_call, node);
    bool failed = reply->type == REDIS_REPLY_ERROR;
    if (!c) {
        link_down(l, "an answer that nobody asked for");
        return false;
    }
    if (c->own == CALL_WAIT || c->own == CALL_ASKING) {
        bool counted = c->own == CALL_WAIT;
        redis_call_free(c);
        if (counted)
            on_counted(l, reply);
        return false;
    }
    if (c->script != NULL && !c->with_source && error_is(reply, "NOSCRIPT")) {
        put(l, c, true); /* its scripts were flushed */
        return false;
    }
    if (error_is(reply, "READONLY"))
        l->leaving = true; /* a master that was demoted: look for the new one */
    if (c->durable && l->config.replicas > 0 && !failed) {
        list_remove(&c->node);
        list_push(&l->unsure, &c->node);
        c->kept = reply;
        return true;
    }
    give_back(l, c, failed ? REDIS_ERROR : REDIS_OK, reply);
    return false;
}

static void greet_ready(struct redis_link *l)
{
    link_set(l, LINK_READY);
    loop_timer_stop(l->retry);
    l->backoff_ms = BACKOFF_MS_MIN;
    log_info("redis.ready", "where=%s", l->where);
    bool again = l->was_ready;
    l->complained = false;
    l->was_ready = true;
    l->config.owner->on_ready(l->config.arg, l, again);
}

/* A sentinel's answer: [host, port]. */
static void follow_sentinel(struct redis_link *l, const redisReply *reply)
{
    struct str host = redis_text(redis_at(reply, 0)), port = redis_text(redis_at(reply, 1));
    uint64_t number = 0;
    if (host.len == 0 || host.len >= REDIS_HOST_MAX || !str_u64(port, 65535, &number)) {
        link_down(l, "the sentinel knows no such master");
        return;
    }
    struct redis_node found = {.port = (uint16_t)number};
    memcpy(found.host, host.at, host.len);
    link_down(l, NULL);
    l->target = found;
    l->to_sentinel = false;
    connect_next(l);
}

static void on_greeting(struct redis_link *l, redisReply *reply)
{
    enum greeting greeting = l->greetings[l->greeted++];
    bool failed = reply->type == REDIS_REPLY_ERROR;
    char why[200];
    if (greeting == GREET_SENTINEL) {
        follow_sentinel(l, reply);
        return;
    }
    if (greeting == GREET_AUTH && l->to_sentinel)
        return; /* it may have no password; what counts is the question behind */
    if (greeting == GREET_SLOTS) {
        l->cluster = !failed; /* else "cluster support disabled", or we may not ask */
        if (l->cluster)
            l->config.owner->on_slots(l->config.arg, l, reply);
    } else if (failed && !(greeting == GREET_PING && error_is(reply, "MISCONF"))) {
        /* MISCONF: its disk is full, it refuses writes (and PING) and can be read. */
        snprintf(why, sizeof(why), "%.*s", (int)(reply->len < 150 ? reply->len : 150), reply->str);
        link_down(l, why);
        return;
    }
    if (greeting == GREET_ROLE && !l->cluster && !str_is(redis_text(redis_at(reply, 0)), "master"))
        link_down(l, "it is a replica");
    else if (l->greeted == l->greeting_count)
        greet_ready(l);
}

static void take_replies(struct redis_link *l)
{
    void *reply = NULL;
    while (l->reader != NULL) {
        bool kept = false;
        if (redisReaderGetReply(l->reader, &reply) != 0) {
            link_down(l, "nonsense for an answer");
            return;
        }
        if (!reply)
            break;
        if (l->state == LINK_GREETING)
            on_greeting(l, reply);
        else
            kept = on_answer(l, reply);
        if (!kept)
            freeReplyObject(reply);
    }
    redis_link_flush(l); /* scripts that were sent again, the next WAIT */
    if (l->leaving && redis_link_idle(l))
        link_down(l, "it is a replica now");
}

static void read_in(struct redis_link *l)
{
    static char bytes[READ_BYTES]; /* one thread; what is read goes into the reader's own buffer */
    const redisReader *reader = l->reader; /* another one: another connection */
    /* What TLS holds back does not show on the socket: it is read until there is no more. */
    for (int i = 0; (i < READS_A_PASS || l->tls) && l->reader == reader; i++) {
        ssize_t n = l->tls ? tls_read(l->tls, bytes, sizeof(bytes))
                           : recv(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (n > 0) {
            redisReaderFeed(l->reader, bytes, (size_t)n);
            take_replies(l);
            if (!l->tls && (size_t)n < sizeof(bytes))
                return;
        } else if (n == 0) {
            link_down(l, "it closed the connection");
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            link_down(l, strerror(errno));
            return;
        }
    }
}

/* ---- the connection ---- */

static void greet_add(struct redis_link *l, enum greeting greeting, unsigned argc,
                      const struct str *argv)
{
    struct redis_call *c = redis_call_new(0, NULL, argc, argv);
    CHECK(l->greeting_count < GREETINGS_MAX);
    redis_call_put(c, false, &l->out);
    secret_wipe(c->wire, c->len);
    redis_call_free(c);
    l->greetings[l->greeting_count++] = greeting;
}

static void greet(struct redis_link *l)
{
    struct str password = l->url->password ? secret_reveal(l->url->password) : STR("");
    char db[16];
    link_set(l, LINK_GREETING);
    l->greeting_count = l->greeted = 0;
    if (password.len > 0 && l->url->user[0] != '\0')
        greet_add(l, GREET_AUTH, 3, (struct str[]){STR("AUTH"), str_of(l->url->user), password});
    else if (password.len > 0)
        greet_add(l, GREET_AUTH, 2, (struct str[]){STR("AUTH"), password});
    if (l->to_sentinel) {
        greet_add(l, GREET_SENTINEL, 3,
                  (struct str[]){STR("SENTINEL"), STR("get-master-addr-by-name"),
                                 str_of(l->url->master)});
    } else {
        snprintf(db, sizeof(db), "%u", l->url->db);
        if (l->url->db != 0)
            greet_add(l, GREET_SELECT, 2, (struct str[]){STR("SELECT"), str_of(db)});
        if (l->config.asks_slots)
            greet_add(l, GREET_SLOTS, 2, (struct str[]){STR("CLUSTER"), STR("SLOTS")});
        if (l->url->sentinel || l->url->node_count > 1)
            greet_add(l, GREET_ROLE, 1, (struct str[]){STR("ROLE")});
        greet_add(l, GREET_PING, 1, (struct str[]){STR("PING")}); /* LOADING, NOAUTH show here */
    }
    send_out(l);
    if (l->out.len == 0 && l->out.at != NULL)
        secret_wipe(l->out.at, l->out.cap); /* the password went through it */
}

static void secure(struct redis_link *l)
{
    char error[256] = "";
    switch (tls_greet(l->tls, error)) {
    case TLS_GREETING:
        loop_fd_set(l->io, tls_wants_write(l->tls) ? LOOP_READ | LOOP_WRITE : LOOP_READ);
        return;
    case TLS_FAILED:
        link_down(l, error);
        return;
    case TLS_OPEN:
        greet(l);
        return;
    }
}

static void begin_tls(struct redis_link *l)
{
    char error[256];
    link_set(l, LINK_SECURING);
    l->tls = tls_new(l->fd, l->target.host, l->url->ca, error);
    if (l->tls)
        secure(l);
    else
        link_down(l, error);
}

static void on_io(void *arg, unsigned events)
{
    struct redis_link *l = arg;
    if (l->state == LINK_CONNECTING) {
        int error = 0;
        socklen_t len = sizeof(error);
        getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0)
            link_down(l, strerror(error));
        else if (l->url->tls)
            begin_tls(l);
        else
            greet(l);
        return;
    }
    if (l->state == LINK_SECURING) {
        secure(l);
        return;
    }
    if ((events & LOOP_WRITE) != 0)
        send_out(l);
    if ((events & LOOP_READ) != 0)
        read_in(l);
}

static void connect_socket(struct redis_link *l, const struct sockaddr *to, socklen_t len)
{
    int one = 1;
    l->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0) {
        link_down(l, strerror(errno));
        return;
    }
    if (to->sa_family != AF_UNIX) {
        setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        setsockopt(l->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }
    link_set(l, LINK_CONNECTING);
    l->reader = redisReaderCreate();
    CHECK(l->reader != NULL);
    if (connect(l->fd, to, len) != 0 && errno != EINPROGRESS) {
        link_down(l, strerror(errno));
        return;
    }
    l->io = loop_fd_new(l->loop, l->fd, LOOP_WRITE, on_io, l);
}

static void connect_address(struct redis_link *l, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(l->target.port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(l->target.port)};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        connect_socket(l, (struct sockaddr *)&v4, sizeof(v4));
    else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
        connect_socket(l, (struct sockaddr *)&v6, sizeof(v6));
    else
        link_down(l, "no such address");
}

static void on_resolved(void *arg, const char *const *addresses, unsigned count)
{
    struct redis_link *l = arg;
    l->resolving = 0;
    if (count == 0)
        link_down(l, "no such host");
    else
        connect_address(l, addresses[l->turn % count]); /* another one with each attempt */
}

/* Connects to target. */
static void connect_next(struct redis_link *l)
{
    unsigned char any[16];
    snprintf(l->where, sizeof(l->where), l->target.port ? "%s:%u" : "%s", l->target.host,
             l->target.port);
    loop_timer_set(l->retry, CONNECT_MS, 0);
    if (l->target.port == 0) {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        snprintf(path.sun_path, sizeof(path.sun_path), "%.107s", l->target.host);
        connect_socket(l, (struct sockaddr *)&path, sizeof(path));
    } else if (inet_pton(AF_INET, l->target.host, any) == 1 ||
               inet_pton(AF_INET6, l->target.host, any) == 1) {
        connect_address(l, l->target.host);
    } else {
        link_set(l, LINK_RESOLVING);
        l->resolving = loop_resolve(l->loop, l->target.host, on_resolved, l);
    }
}

static void on_retry(void *arg)
{
    struct redis_link *l = arg;
    if (l->state != LINK_DOWN) {
        link_down(l, l->state == LINK_SECURING ? "no handshake of TLS in time: does it speak it?"
                                               : "no connection in time");
        return;
    }
    l->config.owner->pick(l->config.arg, l, &l->target);
    l->turn++;
    l->to_sentinel = l->url->sentinel;
    connect_next(l);
}

static void lose_all(struct redis_link *l, struct list *calls)
{
    for (struct redis_call *c; (c = list_first(calls, struct redis_call, node)) != NULL;) {
        if (c->kept)
            freeReplyObject(c->kept);
        c->kept = NULL;
        give_back(l, c, REDIS_LOST, NULL);
    }
}

/* Drops the connection; what was sent is lost. why NULL: on purpose, the caller goes on. */
static void link_down(struct redis_link *l, const char *why)
{
    if (l->resolving != 0)
        loop_resolve_forget(l->loop, l->resolving);
    l->resolving = 0;
    loop_fd_free(l->io);
    l->io = NULL;
    tls_free(l->tls);
    l->tls = NULL;
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    if (l->reader)
        redisReaderFree(l->reader);
    l->reader = NULL;
    if (l->out.at)
        secret_wipe(l->out.at, l->out.len);
    buf_clear(&l->out);
    l->out_off = 0;
    l->leaving = false;
    l->script_count = 0;
    l->counting = l->uncounted = false;
    link_set(l, LINK_DOWN);
    lose_all(l, &l->unsure);
    lose_all(l, &l->sent);
    if (!why)
        return;
    if (!l->complained)
        log_warn("redis.down", "where=%s why=%s", l->where, log_text(str_of(why)));
    l->complained = true;
    loop_timer_set(l->retry, l->backoff_ms, 0);
    l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MS_MAX ? l->backoff_ms * 2 : BACKOFF_MS_MAX;
    l->config.owner->on_down(l->config.arg, l);
}

/* ---- life ---- */

struct redis_link *redis_link_new(const struct redis_link_config *c)
{
    struct redis_link *l = xcalloc(1, sizeof(*l));
    l->config = *c;
    l->loop = c->loop;
    l->url = c->url;
    l->fd = -1;
    l->backoff_ms = BACKOFF_MS_MIN;
    buf_init(&l->out, SIZE_MAX / 8); /* bounded by the owner, who counts what it sends */
    list_init(&l->sent);
    list_init(&l->unsure);
    l->retry = loop_timer_new(l->loop, on_retry, l);
    loop_timer_set(l->retry, 0, 0);
    return l;
}

void redis_link_free(struct redis_link *l)
{
    if (!l)
        return;
    link_down(l, NULL);
    loop_timer_free(l->retry);
    buf_free(&l->out);
    free(l);
}

bool redis_link_ready(const struct redis_link *l) { return l->state == LINK_READY; }

bool redis_link_takes(const struct redis_link *l) { return l->state == LINK_READY && !l->leaving; }

bool redis_link_idle(const struct redis_link *l)
{
    return list_empty(&l->sent) && list_empty(&l->unsure);
}

const char *redis_link_where(const struct redis_link *l) { return l->where; }

const struct redis_node *redis_link_node(const struct redis_link *l) { return &l->target; }

bool redis_link_forget(struct redis_link *l, uint64_t call)
{
    return redis_call_forget(&l->sent, call) || redis_call_forget(&l->unsure, call);
}

int64_t redis_link_deadline(const struct redis_link *l)
{
    const struct redis_call *c = list_first(&l->sent, struct redis_call, node);
    return c == NULL ? INT64_MAX : c->deadline_ms;
}

/* Timers come before sockets: after a long pass answers may be here that nobody has looked at. As
 * long as there are, it lives. */
void redis_link_expire(struct redis_link *l, int64_t now_ms)
{
    const struct redis_call *first = list_first(&l->sent, struct redis_call, node);
    if (!first || first->deadline_ms > now_ms)
        return;
    if (l->state == LINK_READY)
        read_in(l);
    if (redis_link_deadline(l) <= now_ms && first == list_first(&l->sent, struct redis_call, node))
        link_down(l, "no answer in time"); /* all that was sent is behind this one */
}
