#include "common/redis.h"

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
#include "common/list.h"
#include "common/log.h"
#include "common/redis_sha1.h"
#include "common/redis_url.h"

/* Of hiredis we use the protocol reader alone. Its async API resolves names blocking, shifts its
 * whole output buffer after each partial write, and asserts on an answer that nobody asked for; the
 * socket, the queue of what was asked and the reconnecting are the larger part and are here. */

enum {
    CONNECT_MS = 3000,
    BACKOFF_MS_MIN = 50,
    BACKOFF_MS_MAX = 1000,
    READ_BYTES = 64 * 1024,
    READS_A_PASS = 16,
    TIMEOUT_MS = 5000,
    GREETINGS_MAX = 4,
    SCRIPTS_MAX = 64,
};

/* Who we are connected to, and how far. */
#define LINK_STATES(X)                                                                             \
    X(DOWN)       /* waits for the retry timer */                                                  \
    X(RESOLVING)  /* the name */                                                                   \
    X(CONNECTING) /* the socket */                                                                 \
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

enum greeting { GREET_AUTH, GREET_SELECT, GREET_ROLE, GREET_PING, GREET_SENTINEL };

struct call {
    struct list node;
    uint64_t id;
    redis_fn *fn; /* NULL: nobody wants to know */
    void *arg;
    int64_t deadline_ms;
    const struct redis_script *script; /* EVALSHA: may become EVAL once */
    enum redis_status status;          /* of one in failed */
    size_t head_len;                   /* of EVALSHA: up to and with the hash */
    size_t cost;                       /* what it counts for in held_bytes */
    unsigned argc;
    size_t len;
    char wire[]; /* as it is sent */
};

struct redis {
    struct loop *loop;
    struct redis_url url;
    int64_t timeout_ms;
    uint64_t held_bytes, held_bytes_max; /* of commands without an answer */
    enum link_state state;
    struct redis_node target; /* of this attempt */
    bool to_sentinel;         /* target is a sentinel */
    bool leaving;             /* a replica now: nothing new is sent, gone when all is answered */
    bool complained;          /* the log knows that it is down */
    bool was_ready;
    unsigned turn; /* which node is tried next */
    int64_t backoff_ms;
    enum greeting greetings[GREETINGS_MAX];
    unsigned greeting_count, greeted;
    int fd;
    struct loop_fd *io;
    uint64_t resolving;
    redisReader *reader;
    struct buf out;
    size_t out_off;
    const struct redis_script *scripts[SCRIPTS_MAX]; /* sent on this connection with their source */
    unsigned script_count;
    struct list waiting, sent, failed, failing; /* failing: what on_soon delivers at the moment */
    struct loop_timer *retry;   /* DOWN: connect; else: the attempt takes too long */
    struct loop_timer *timeout; /* commands' deadlines */
    struct loop_timer *soon;    /* delivers what failed, in the read phase */
    bool flush_due, closing;
    uint64_t last_id;
    char where[REDIS_HOST_MAX + 8];
    struct redis_stats stats;
};

static void on_io(void *arg, unsigned events);
static void on_flush(void *arg);
static void link_down(struct redis *r, const char *why);
static void connect_next(struct redis *r);

static void link_set(struct redis *r, enum link_state state)
{
    if (r->state != state)
        log_debug("redis.state", "where=%s from=%s to=%s", r->where, link_names[r->state],
                  link_names[state]);
    r->state = state;
}

/* Calls */

static void call_free(struct redis *r, struct call *c)
{
    list_remove(&c->node);
    r->held_bytes -= c->cost;
    r->stats.waiting--;
    free(c);
}

static void deliver(struct redis *r, struct call *c, enum redis_status status,
                    const struct redisReply *reply)
{
    redis_fn *fn = c->fn;
    void *arg = c->arg;
    r->stats.errors += status == REDIS_ERROR;
    r->stats.lost += status == REDIS_LOST;
    call_free(r, c);
    if (fn != NULL)
        fn(arg, status, reply);
}

static void fail_soon(struct redis *r, struct call *c, enum redis_status status)
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
    for (struct call *c; (c = list_first(&r->failing, struct call, node)) != NULL;)
        deliver(r, c, c->status, NULL); /* may forget others of them */
}

static void on_timeout(void *arg)
{
    struct redis *r = arg;
    int64_t now = loop_now_ms(r->loop), next = 0;
    struct call *c = list_first(&r->sent, struct call, node);
    if (c != NULL && c->deadline_ms <= now)
        link_down(r, "no answer in time"); /* all that was sent is behind this one */
    while ((c = list_first(&r->waiting, struct call, node)) != NULL && c->deadline_ms <= now)
        fail_soon(r, c, REDIS_LOST);
    if (c != NULL)
        next = c->deadline_ms;
    c = list_first(&r->sent, struct call, node);
    if (c != NULL && (next == 0 || c->deadline_ms < next))
        next = c->deadline_ms;
    if (next > 0)
        loop_timer_set(r->timeout, next > now ? next - now : 1, 0);
}

static size_t digits(size_t n)
{
    size_t count = 1;
    for (; n >= 10; n /= 10)
        count++;
    return count;
}

static char *put_head(char *at, char mark, size_t n)
{
    size_t count = digits(n);
    *at++ = mark;
    for (size_t i = count; i > 0; i--, n /= 10)
        at[i - 1] = (char)('0' + n % 10);
    at[count] = '\r';
    at[count + 1] = '\n';
    return at + count + 2;
}

static char *put_bulk(char *at, struct str s)
{
    at = put_head(at, '$', s.len);
    if (s.len > 0)
        memcpy(at, s.at, s.len);
    at[s.len] = '\r';
    at[s.len + 1] = '\n';
    return at + s.len + 2;
}

static size_t bulk_len(struct str s) { return 1 + digits(s.len) + 2 + s.len + 2; }

/* first: up to three words before argv. */
static struct call *call_new(unsigned first_count, const struct str *first, unsigned argc,
                             const struct str *argv)
{
    size_t len = 1 + digits(first_count + argc) + 2;
    for (unsigned i = 0; i < first_count; i++)
        len += bulk_len(first[i]);
    for (unsigned i = 0; i < argc; i++)
        len += bulk_len(argv[i]);
    struct call *c = xmalloc(sizeof *c + len);
    memset(c, 0, sizeof *c);
    list_init(&c->node);
    c->len = len;
    c->cost = len + sizeof *c;
    c->argc = first_count + argc;
    char *at = put_head(c->wire, '*', c->argc);
    for (unsigned i = 0; i < first_count; i++) {
        at = put_bulk(at, first[i]);
        if (i == 1)
            c->head_len = (size_t)(at - c->wire);
    }
    for (unsigned i = 0; i < argc; i++)
        at = put_bulk(at, argv[i]);
    CHECK((size_t)(at - c->wire) == len);
    return c;
}

static void flush_soon(struct redis *r)
{
    if (r->flush_due || r->closing)
        return;
    r->flush_due = true;
    loop_later(r->loop, on_flush, r);
}

static uint64_t enqueue(struct redis *r, struct call *c, redis_fn *fn, void *arg)
{
    uint64_t id = ++r->last_id;
    c->id = id;
    c->fn = fn;
    c->arg = arg;
    c->deadline_ms = loop_now_ms(r->loop) + r->timeout_ms;
    r->stats.commands++;
    r->stats.waiting++;
    r->held_bytes += c->cost;
    if (r->held_bytes > r->held_bytes_max || r->closing) {
        fail_soon(r, c, r->closing ? REDIS_LOST : REDIS_FULL);
        return id;
    }
    list_push(&r->waiting, &c->node);
    if (!loop_timer_active(r->timeout))
        loop_timer_set(r->timeout, r->timeout_ms, 0);
    flush_soon(r);
    return id;
}

uint64_t redis_command(struct redis *r, redis_fn *fn, void *arg, unsigned argc,
                       const struct str *argv)
{
    CHECK(argc > 0);
    return enqueue(r, call_new(0, NULL, argc, argv), fn, arg);
}

void redis_script_init(struct redis_script *s)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[20];
    redis_sha1(str_of(s->source), digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        s->sha[2 * i] = hex[digest[i] >> 4];
        s->sha[2 * i + 1] = hex[digest[i] & 15];
    }
    s->sha[40] = '\0';
}

uint64_t redis_eval(struct redis *r, const struct redis_script *s, redis_fn *fn, void *arg,
                    unsigned keys, unsigned argc, const struct str *argv)
{
    char count[16];
    CHECK(s->sha[0] != '\0' && keys <= argc);
    snprintf(count, sizeof count, "%u", keys);
    struct str first[] = {STR("EVALSHA"), {s->sha, 40}, str_of(count)};
    struct call *c = call_new(3, first, argc, argv);
    c->script = s;
    return enqueue(r, c, fn, arg);
}

static bool forget_in(struct list *in, uint64_t id)
{
    list_each (in, node, tmp) {
        struct call *c = list_of(node, struct call, node);
        if (c->id == id) {
            c->fn = NULL;
            return true;
        }
    }
    return false;
}

void redis_forget(struct redis *r, uint64_t call)
{
    if (call != 0 && !forget_in(&r->waiting, call) && !forget_in(&r->sent, call) &&
        !forget_in(&r->failed, call))
        forget_in(&r->failing, call);
}

/* Output: all commands of a pass go out in one write */

static void send_out(struct redis *r)
{
    while (r->out_off < r->out.len) {
        ssize_t sent = send(r->fd, r->out.at + r->out_off, r->out.len - r->out_off,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            loop_fd_set(r->io, LOOP_READ | LOOP_WRITE);
            return;
        }
        if (sent < 0)
            break; /* the read side tells, after what is still to be read */
        r->out_off += (size_t)sent;
    }
    loop_fd_set(r->io, LOOP_READ);
    buf_clear(&r->out);
    r->out_off = 0;
}

/* The source instead of the hash. */
static void put_source(struct redis *r, struct call *c)
{
    struct str source = str_of(c->script->source);
    size_t head_len = 1 + digits(c->argc) + 2 + bulk_len(STR("EVAL")) + bulk_len(source);
    char *head = buf_reserve(&r->out, head_len + c->len);
    CHECK(head != NULL);
    char *at = put_bulk(put_bulk(put_head(head, '*', c->argc), STR("EVAL")), source);
    memcpy(at, c->wire + c->head_len, c->len - c->head_len);
    r->out.len += head_len + c->len - c->head_len;
    c->script = NULL;
    c->cost += head_len;
    r->held_bytes += head_len;
}

/* The first time on a connection a script goes with its source, so that its commands keep their
 * order: one that is sent again after NOSCRIPT comes behind those that were sent after it. */
static bool knows_script(struct redis *r, const struct redis_script *s)
{
    for (unsigned i = 0; i < r->script_count; i++)
        if (r->scripts[i] == s)
            return true;
    if (r->script_count < SCRIPTS_MAX)
        r->scripts[r->script_count++] = s;
    return false;
}

static void on_flush(void *arg)
{
    struct redis *r = arg;
    r->flush_due = false;
    if (r->closing) {
        free(r);
        return;
    }
    if (r->state != LINK_READY || r->leaving)
        return;
    for (struct call *c; (c = list_first(&r->waiting, struct call, node)) != NULL;) {
        if (c->script != NULL && !knows_script(r, c->script))
            put_source(r, c);
        else
            CHECK(buf_add(&r->out, c->wire, c->len));
        list_remove(&c->node);
        list_push(&r->sent, &c->node);
    }
    send_out(r);
}

/* Input */

static bool error_is(const redisReply *reply, const char *word)
{
    return reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}

static void on_answer(struct redis *r, redisReply *reply)
{
    struct call *c = list_first(&r->sent, struct call, node);
    if (c == NULL) {
        link_down(r, "an answer that nobody asked for");
        return;
    }
    if (c->script != NULL && error_is(reply, "NOSCRIPT")) { /* its scripts were flushed */
        put_source(r, c);
        list_remove(&c->node);
        list_push(&r->sent, &c->node);
        return;
    }
    if (error_is(reply, "READONLY"))
        r->leaving = true; /* a master that was demoted: look for the new one */
    deliver(r, c, reply->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_OK, reply);
}

static void greet_ready(struct redis *r)
{
    link_set(r, LINK_READY);
    loop_timer_stop(r->retry);
    r->backoff_ms = BACKOFF_MS_MIN;
    r->stats.reconnects += r->was_ready;
    r->was_ready = true;
    log_info("redis.ready", "where=%s", r->where);
    r->complained = false;
    flush_soon(r);
}

/* A sentinel's answer: [host, port]. */
static void follow_sentinel(struct redis *r, const redisReply *reply)
{
    struct str host = redis_text(redis_at(reply, 0)), port = redis_text(redis_at(reply, 1));
    uint64_t number = 0;
    if (host.len == 0 || host.len >= REDIS_HOST_MAX || !str_u64(port, 65535, &number)) {
        link_down(r, "the sentinel knows no such master");
        return;
    }
    struct redis_node found = {.port = (uint16_t)number};
    memcpy(found.host, host.at, host.len);
    link_down(r, NULL);
    r->target = found;
    r->to_sentinel = false;
    connect_next(r);
}

static void on_greeting(struct redis *r, redisReply *reply)
{
    enum greeting greeting = r->greetings[r->greeted++];
    bool failed = reply->type == REDIS_REPLY_ERROR;
    char why[200];
    if (greeting == GREET_SENTINEL) {
        follow_sentinel(r, reply);
        return;
    }
    if (greeting == GREET_AUTH && r->to_sentinel)
        return; /* it may have no password; what counts is the question behind */
    if (failed) {
        snprintf(why, sizeof why, "%.*s", (int)(reply->len < 150 ? reply->len : 150), reply->str);
        link_down(r, why);
    } else if (greeting == GREET_ROLE && !str_is(redis_text(redis_at(reply, 0)), "master")) {
        link_down(r, "it is a replica");
    } else if (r->greeted == r->greeting_count) {
        greet_ready(r);
    }
}

static void take_replies(struct redis *r)
{
    void *reply = NULL;
    while (r->reader != NULL) {
        if (redisReaderGetReply(r->reader, &reply) != 0) {
            link_down(r, "nonsense for an answer");
            return;
        }
        if (reply == NULL)
            break;
        if (r->state == LINK_GREETING)
            on_greeting(r, reply);
        else
            on_answer(r, reply);
        freeReplyObject(reply);
    }
    if (r->reader != NULL && r->out.len > 0)
        send_out(r); /* scripts that were sent again */
    if (r->leaving && list_empty(&r->sent))
        link_down(r, "it is a replica now");
}

static void read_in(struct redis *r)
{
    static char bytes[READ_BYTES]; /* one thread; what is read goes into the reader's own buffer */
    const redisReader *reader = r->reader; /* another one: another connection */
    for (int i = 0; i < READS_A_PASS && r->reader == reader; i++) {
        ssize_t n = recv(r->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0) {
            redisReaderFeed(r->reader, bytes, (size_t)n);
            take_replies(r);
            if ((size_t)n < sizeof bytes)
                return;
        } else if (n == 0) {
            link_down(r, "it closed the connection");
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR) {
            link_down(r, strerror(errno));
            return;
        }
    }
}

/* The connection */

static void greet_add(struct redis *r, enum greeting greeting, unsigned argc,
                      const struct str *argv)
{
    struct call *c = call_new(0, NULL, argc, argv);
    CHECK(r->greeting_count < GREETINGS_MAX && buf_add(&r->out, c->wire, c->len));
    secret_wipe(c->wire, c->len);
    free(c);
    r->greetings[r->greeting_count++] = greeting;
}

static void greet(struct redis *r)
{
    struct str password = r->url.password ? secret_reveal(r->url.password) : STR("");
    char db[16];
    link_set(r, LINK_GREETING);
    r->greeting_count = r->greeted = 0;
    if (password.len > 0 && r->url.user[0] != '\0')
        greet_add(r, GREET_AUTH, 3, (struct str[]){STR("AUTH"), str_of(r->url.user), password});
    else if (password.len > 0)
        greet_add(r, GREET_AUTH, 2, (struct str[]){STR("AUTH"), password});
    if (r->to_sentinel) {
        greet_add(
            r, GREET_SENTINEL, 3,
            (struct str[]){STR("SENTINEL"), STR("get-master-addr-by-name"), str_of(r->url.master)});
    } else {
        snprintf(db, sizeof db, "%u", r->url.db);
        if (r->url.db != 0)
            greet_add(r, GREET_SELECT, 2, (struct str[]){STR("SELECT"), str_of(db)});
        if (r->url.sentinel || r->url.node_count > 1)
            greet_add(r, GREET_ROLE, 1, (struct str[]){STR("ROLE")});
        greet_add(r, GREET_PING, 1, (struct str[]){STR("PING")}); /* LOADING, NOAUTH show here */
    }
    send_out(r);
    if (r->out.len == 0 && r->out.at != NULL)
        secret_wipe(r->out.at, r->out.cap); /* the password went through it */
}

static void on_io(void *arg, unsigned events)
{
    struct redis *r = arg;
    if (r->state == LINK_CONNECTING) {
        int error = 0;
        socklen_t len = sizeof error;
        getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &len);
        if (error != 0)
            link_down(r, strerror(error));
        else
            greet(r);
        return;
    }
    if ((events & LOOP_WRITE) != 0)
        send_out(r);
    if ((events & LOOP_READ) != 0)
        read_in(r);
}

static void connect_socket(struct redis *r, const struct sockaddr *to, socklen_t len)
{
    int one = 1;
    r->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0) {
        link_down(r, strerror(errno));
        return;
    }
    if (to->sa_family != AF_UNIX) {
        setsockopt(r->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(r->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    link_set(r, LINK_CONNECTING);
    r->reader = redisReaderCreate();
    CHECK(r->reader != NULL);
    if (connect(r->fd, to, len) != 0 && errno != EINPROGRESS) {
        link_down(r, strerror(errno));
        return;
    }
    r->io = loop_fd_new(r->loop, r->fd, LOOP_WRITE, on_io, r);
}

static void connect_address(struct redis *r, const char *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(r->target.port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(r->target.port)};
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        connect_socket(r, (struct sockaddr *)&v4, sizeof v4);
    else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
        connect_socket(r, (struct sockaddr *)&v6, sizeof v6);
    else
        link_down(r, "no such address");
}

static void on_resolved(void *arg, const char *const *addresses, unsigned count)
{
    struct redis *r = arg;
    r->resolving = 0;
    if (count == 0)
        link_down(r, "no such host");
    else
        connect_address(r, addresses[r->turn % count]); /* another one with each attempt */
}

/* Connects to target. */
static void connect_next(struct redis *r)
{
    unsigned char any[16];
    snprintf(r->where, sizeof r->where, r->target.port ? "%s:%u" : "%s", r->target.host,
             r->target.port);
    loop_timer_set(r->retry, CONNECT_MS, 0);
    if (r->target.port == 0) {
        struct sockaddr_un path = {.sun_family = AF_UNIX};
        snprintf(path.sun_path, sizeof path.sun_path, "%.107s", r->target.host);
        connect_socket(r, (struct sockaddr *)&path, sizeof path);
    } else if (inet_pton(AF_INET, r->target.host, any) == 1 ||
               inet_pton(AF_INET6, r->target.host, any) == 1) {
        connect_address(r, r->target.host);
    } else {
        link_set(r, LINK_RESOLVING);
        r->resolving = loop_resolve(r->loop, r->target.host, on_resolved, r);
    }
}

static void on_retry(void *arg)
{
    struct redis *r = arg;
    if (r->state != LINK_DOWN) {
        link_down(r, "no connection in time");
        return;
    }
    r->target = r->url.nodes[r->turn++ % r->url.node_count];
    r->to_sentinel = r->url.sentinel;
    connect_next(r);
}

/* Drops the connection; what was sent is lost. why NULL: on purpose, the caller goes on. */
static void link_down(struct redis *r, const char *why)
{
    if (r->resolving != 0)
        loop_resolve_forget(r->loop, r->resolving);
    r->resolving = 0;
    loop_fd_free(r->io);
    r->io = NULL;
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    if (r->reader != NULL)
        redisReaderFree(r->reader);
    r->reader = NULL;
    if (r->out.at != NULL)
        secret_wipe(r->out.at, r->out.len);
    buf_clear(&r->out);
    r->out_off = 0;
    r->leaving = false;
    r->script_count = 0;
    for (struct call *c; (c = list_first(&r->sent, struct call, node)) != NULL;)
        fail_soon(r, c, REDIS_LOST);
    link_set(r, LINK_DOWN);
    if (why == NULL)
        return;
    if (!r->complained)
        log_warn("redis.down", "where=%s why=%s", r->where, log_text(str_of(why)));
    r->complained = true;
    loop_timer_set(r->retry, r->backoff_ms, 0);
    r->backoff_ms = r->backoff_ms * 2 < BACKOFF_MS_MAX ? r->backoff_ms * 2 : BACKOFF_MS_MAX;
}

/* Start and end */

struct redis *redis_new(struct loop *l, const struct redis_config *c, char error[256])
{
    struct redis_url url;
    CHECK(c->queue_bytes_max > 0);
    if (!redis_url_parse(c->url, &url, error))
        return NULL;
    struct redis *r = xcalloc(1, sizeof *r);
    r->loop = l;
    r->url = url;
    r->timeout_ms = c->timeout_ms > 0 ? c->timeout_ms : TIMEOUT_MS;
    r->held_bytes_max = c->queue_bytes_max;
    r->fd = -1;
    r->backoff_ms = BACKOFF_MS_MIN;
    buf_init(&r->out, SIZE_MAX / 8); /* bounded by held_bytes_max */
    list_init(&r->waiting);
    list_init(&r->sent);
    list_init(&r->failed);
    list_init(&r->failing);
    r->retry = loop_timer_new(l, on_retry, r);
    r->timeout = loop_timer_new(l, on_timeout, r);
    r->soon = loop_timer_new(l, on_soon, r);
    loop_timer_set(r->retry, 0, 0);
    return r;
}

void redis_free(struct redis *r)
{
    if (r == NULL)
        return;
    r->closing = true;
    link_down(r, NULL);
    for (struct call *c; (c = list_first(&r->waiting, struct call, node)) != NULL;)
        fail_soon(r, c, REDIS_LOST);
    while (!list_empty(&r->failed)) /* callbacks may ask for more: that fails as well */
        on_soon(r);
    loop_timer_free(r->retry);
    loop_timer_free(r->timeout);
    loop_timer_free(r->soon);
    buf_free(&r->out);
    redis_url_free(&r->url);
    if (!r->flush_due) /* else on_flush is still to come */
        free(r);
}

bool redis_ready(const struct redis *r) { return r->state == LINK_READY; }

const char *redis_where(const struct redis *r) { return r->where; }

void redis_stats_get(const struct redis *r, struct redis_stats *out) { *out = r->stats; }

/* Replies */

bool redis_is_nil(const struct redisReply *p) { return p == NULL || p->type == REDIS_REPLY_NIL; }

struct str redis_text(const struct redisReply *p)
{
    if (p == NULL || (p->type != REDIS_REPLY_STRING && p->type != REDIS_REPLY_STATUS &&
                      p->type != REDIS_REPLY_ERROR))
        return (struct str){NULL, 0};
    return (struct str){p->str, p->len};
}

int64_t redis_int(const struct redisReply *p)
{
    uint64_t n = 0;
    if (p != NULL && p->type == REDIS_REPLY_INTEGER)
        return p->integer;
    struct str text = redis_text(p);
    bool minus = text.len > 0 && text.at[0] == '-';
    if (!str_u64(str_skip(text, minus), INT64_MAX, &n))
        return 0;
    return minus ? -(int64_t)n : (int64_t)n;
}

unsigned redis_count(const struct redisReply *p)
{
    return p != NULL && p->type == REDIS_REPLY_ARRAY ? (unsigned)p->elements : 0;
}

const struct redisReply *redis_at(const struct redisReply *p, unsigned i)
{
    return i < redis_count(p) ? p->element[i] : NULL;
}
