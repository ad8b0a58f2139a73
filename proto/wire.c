#include "proto/wire.h"

#include <arpa/inet.h>
#include <czmq.h>
#undef LOG_DEBUG /* syslog.h, which czmq.h brings, has them as macros */
#undef LOG_INFO
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/check.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/registers.h"
#include "common/secret.h"
#include "proto/frame.h"
#include "proto/ipc.h"
#include "proto/wire_keys.h"

enum {
    WIRE_MAGIC = 0x57495245,
    OUT_BYTES_MAX = 8 << 20,
    MESSAGE_BYTES_MAX = FRAME_BATCH_MAX, /* of one ZeroMQ message, both ways */
    PART_BYTES = 1 << 20, /* a backlog is cut between frames at this size; a frame is not larger */
    REFUSED_MS = 1000,    /* before a link whose keys were refused is tried again */
    REFUSED_LOG_MS = 10000,
    READ_BUDGET = 256,             /* messages taken in one pass, */
    READ_BYTES_BUDGET = 256 << 10, /* and bytes, but for the last one's */
    WRITE_HWM = 64, /* messages that ZeroMQ holds for a peer; more wait here, where they are counted
                       in bytes */
    READ_HWM = 256,
    AGAIN_MS = 5, /* a peer whose queue was full is tried again */
    LINGER_MS = 200,
    KEYS_MS = 400,        /* a key that is taken off the list is found within this time */
    ENCODER_BYTES = 8192, /* libzmq's buffer of a connection (out_batch_size, fixed in 4.3) */
    KEY_TEXT = 40,        /* of a public key, in Z85 */
    ENDPOINT_BYTES_MAX = 256,
};

struct wire_peer {
    struct wire *wire;
    struct list node;  /* of wire.peers, or of wire.dropped */
    struct list dirty; /* of wire.dirty while there is something to send */
    char *identity;    /* of a router's peer */
    size_t identity_len;
    char key[KEY_TEXT + 1]; /* of a router's peer, with CURVE: as ZeroMQ's handshake proved it */
    struct buf out;
    uint32_t *cuts; /* where a message may end: between frames, about PART_BYTES apart */
    unsigned cut_count;
    void *user;
    bool dropped;
    bool wipe_after;   /* a secret was among what is sent next, */
    size_t sent_bytes; /* in a message of this size */
};

struct wire {
    uint32_t magic;
    struct loop *loop;
    zsock_t *sock;
    void *zmq; /* sock's libzmq socket */
    bool router;
    struct wire_keys *keys; /* router with CURVE: who may stay */
    struct loop_timer *keys_timer;
    struct loop_fd *fd;
    struct loop_timer *again;
    zsock_t *monitor; /* ZeroMQ's own events: handshakes that failed */
    struct loop_fd *monitor_fd;
    struct loop_timer *refused; /* dealer: connects anew */
    int64_t refused_logged_ms;
    uint64_t out_bytes_max;
    struct map *by_identity;
    struct list peers, dirty, dropped;
    struct wire_peer *gateway; /* of a dealer */
    struct wire_callbacks callbacks;
    void *arg;
    bool more; /* ZeroMQ has messages that were not read yet */
    char endpoint[ENDPOINT_BYTES_MAX];
};

enum sent { SENT, SENT_LATER, SENT_GONE };

static bool listed(struct wire *w, const char *key);
static enum sent write_over(struct wire *w, struct wire_peer *p);
static void on_keys(void *arg);

static void set_up(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    zsys_init();
    zsys_handler_set(NULL); /* signals are the loop's */
    zsys_set_logstream(NULL);
}

/* ---- endpoints ---- */

bool wire_is_local(const char *endpoint)
{
    char host[64];
    unsigned char address[16];
    const char *colon = strrchr(endpoint, ':');
    if (strncmp(endpoint, "ipc://", 6) == 0)
        return true;
    if (strncmp(endpoint, "tcp://", 6) != 0 || colon < endpoint + 6 ||
        (size_t)(colon - endpoint) - 6 >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - endpoint) - 6, endpoint + 6);
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, address) == 1 &&
           address[0] == 127; /* a name that begins so is no address */
}

bool wire_endpoint_ok(const char *endpoint, const struct wire_config *c, char error[256])
{
    bool ipc = strncmp(endpoint, "ipc://", 6) == 0;
    if (!ipc && strncmp(endpoint, "tcp://", 6) != 0) {
        snprintf(error, 256, "%.150s is no ZeroMQ endpoint: it must begin with tcp:// or ipc://",
                 endpoint);
        return false;
    }
    if (ipc || c->keys || (c->open && wire_is_local(endpoint)))
        return true;
    snprintf(error, 256,
             "%.100s without keys gives people's tokens to whoever connects: set PERSAI_KEYS "
             "(persai-gateway --make-keys)%s",
             endpoint,
             wire_is_local(endpoint) ? ", use ipc://, or set PERSAI_BROKER_OPEN=true" : "");
    return false;
}

/* ---- peers ---- */

static struct wire_peer *peer_new(struct wire *w, const char *identity, size_t len)
{
    struct wire_peer *p = xcalloc(1, sizeof(*p));
    p->wire = w;
    p->identity = xstrndup(identity ? identity : "", len);
    p->identity_len = len;
    buf_init(&p->out, w->out_bytes_max);
    if (w->router)
        buf_keep_secret(&p->out);
    p->cuts = xcalloc((size_t)(w->out_bytes_max / PART_BYTES) + 1, sizeof(*p->cuts));
    list_init(&p->dirty);
    list_push(&w->peers, &p->node);
    if (w->by_identity)
        map_put(w->by_identity, (struct str){p->identity, len}, p);
    return p;
}

static void peer_free(struct wire_peer *p)
{
    list_remove(&p->node);
    list_remove(&p->dirty);
    buf_free(&p->out);
    free(p->cuts);
    free(p->identity);
    free(p);
}

void wire_peer_drop(struct wire_peer *p)
{
    struct wire *w = p->wire;
    if (p->dropped || !w->router)
        return;
    p->dropped = true;
    p->user = NULL;
    map_remove(w->by_identity, (struct str){p->identity, p->identity_len});
    list_remove(&p->dirty);
    list_remove(&p->node);
    list_push(&w->dropped, &p->node); /* freed when no callback is on the stack */
    loop_again(w->loop);
}

void wire_peer_set(struct wire_peer *p, void *user) { p->user = user; }

void *wire_peer_get(const struct wire_peer *p) { return p->user; }

struct buf *wire_out(struct wire_peer *p) { return &p->out; }

void wire_touch(struct wire_peer *p)
{
    size_t from = p->cut_count ? p->cuts[p->cut_count - 1] : 0;
    if (p->out.len - from >= PART_BYTES)
        p->cuts[p->cut_count++] = (uint32_t)p->out.len;
    if (!p->dropped && list_empty(&p->dirty))
        list_push(&p->wire->dirty, &p->dirty);
}

void wire_wipe_after(struct wire_peer *p) { p->wipe_after = true; }

struct wire_peer *wire_gateway(struct wire *w)
{
    CHECK(!w->router);
    return w->gateway;
}

const char *wire_bound(const struct wire *w) { return w->endpoint; }

/* ---- reading ---- */

/* ZMQ_FD tells of changes only: what ZeroMQ has now must be asked for after each write. (It costs
 * a poll and a getpid, as a read does that finds none.) */
static bool readable(struct wire *w)
{
    int events = 0;
    size_t len = sizeof(events);
    return zmq_getsockopt(w->zmq, ZMQ_EVENTS, &events, &len) == 0 && (events & ZMQ_POLLIN);
}

/* Skips the rest of a message that has more parts than it may. */
static void skip_parts(void *zmq, zmq_msg_t *m)
{
    while (zmq_msg_more(m))
        if (zmq_msg_recv(m, zmq, ZMQ_DONTWAIT) < 0)
            return;
}

static struct str bytes_of(zmq_msg_t *m) { return (struct str){zmq_msg_data(m), zmq_msg_size(m)}; }

/* NULL: its key is not on the list (any more). The connection lives until its end closes it, but
 * nothing of it is heard, and nothing is sent there. ZeroMQ tells the key with a message's second
 * part only (4.3.4). */
static struct wire_peer *sender_of(struct wire *w, zmq_msg_t *identity, zmq_msg_t *body)
{
    struct wire_peer *p = map_get(w->by_identity, bytes_of(identity));
    const char *key = w->keys ? zmq_msg_gets(body, "User-Id") : NULL;
    if (p && (!w->keys || (key && strcmp(key, p->key) == 0)))
        return p;
    if (p || (w->keys && !listed(w, key)))
        return NULL;
    p = peer_new(w, bytes_of(identity).at, bytes_of(identity).len);
    if (key)
        snprintf(p->key, sizeof(p->key), "%s", key);
    return p;
}

/* A key that was added a moment ago is let in by ZeroMQ before we have looked. */
static bool listed(struct wire *w, const char *key)
{
    if (!key || strlen(key) != KEY_TEXT)
        return false;
    if (!wire_keys_has(w->keys, str_of(key)))
        on_keys(w);
    return wire_keys_has(w->keys, str_of(key));
}

/* A router's message begins with who it is from; false: there was none. */
static bool read_parts(struct wire *w, zmq_msg_t *body, struct wire_peer **from)
{
    zmq_msg_t identity;
    zmq_msg_init(&identity);
    bool got = zmq_msg_recv(&identity, w->zmq, ZMQ_DONTWAIT) >= 0;
    *from = NULL;
    if (got && zmq_msg_more(&identity) && zmq_msg_recv(body, w->zmq, ZMQ_DONTWAIT) >= 0)
        *from = sender_of(w, &identity, body);
    zmq_msg_close(&identity);
    return got;
}

/* One message to its peer; false: there was none. Its size is taken off the budget. */
static bool read_one(struct wire *w, size_t *bytes)
{
    zmq_msg_t m;
    struct wire_peer *p = w->gateway;
    zmq_msg_init(&m);
    bool got = w->router ? read_parts(w, &m, &p) : zmq_msg_recv(&m, w->zmq, ZMQ_DONTWAIT) >= 0;
    if (got) {
        size_t size = zmq_msg_size(&m);
        *bytes -= size < *bytes ? size : *bytes;
        if (p && !zmq_msg_more(&m))
            w->callbacks.on_message(w->arg, p, bytes_of(&m));
        /* A token may have been in it, and ZeroMQ reads the next message into the same buffer,
         * which lives as long as the connection (invariant 7). */
        secret_wipe(zmq_msg_data(&m), zmq_msg_size(&m));
        skip_parts(w->zmq, &m);
    }
    zmq_msg_close(&m);
    return got;
}

static void read_some(struct wire *w)
{
    unsigned budget = READ_BUDGET;
    size_t bytes = READ_BYTES_BUDGET;
    w->more = false;
    while (read_one(w, &bytes)) { /* who is told that there is none hears of the next by ZMQ_FD */
        if (--budget == 0 || bytes == 0) {
            w->more = true; /* the rest in the next pass: others have their turn first */
            loop_again(w->loop);
            return;
        }
    }
}

static void on_fd(void *arg, unsigned events)
{
    (void)events;
    struct wire *w = arg;
    MAGIC_CHECK(w, WIRE_MAGIC);
    read_some(w);
}

static void decide(void *arg)
{
    struct wire *w = arg;
    if (w->more)
        read_some(w);
}

/* ---- writing ---- */

static void sent_part(struct wire_peer *p, size_t len)
{
    buf_drop(&p->out, len);
    for (unsigned i = 1; i < p->cut_count; i++)
        p->cuts[i - 1] = (uint32_t)(p->cuts[i] - len);
    p->cut_count -= p->cut_count > 0;
    if (p->out.len == 0)
        buf_clear(&p->out);
}

static void wipe_part(void *data, void *hint)
{
    (void)hint;
    secret_wiping_free(data);
}

/* A gateway's frames may hold tokens: libzmq's copy is wiped when it was sent, too (invariant 7).
 */
static int send_part(struct wire *w, const char *at, size_t len)
{
    zmq_msg_t m;
    if (!w->router)
        return zmq_send(w->zmq, at, len, ZMQ_DONTWAIT);
    char *copy = xmalloc(len);
    memcpy(copy, at, len);
    registers_clear();
    CHECK(zmq_msg_init_data(&m, copy, len, wipe_part, NULL) == 0);
    int sent = zmq_msg_send(&m, w->zmq, ZMQ_DONTWAIT);
    if (sent < 0)
        zmq_msg_close(&m);
    return sent;
}

/* All that waits for the peer: one message, but for a backlog. */
static enum sent send_all(struct wire *w, struct wire_peer *p)
{
    while (p->out.len > 0) {
        size_t len = p->cut_count ? p->cuts[0] : p->out.len;
        if (w->router &&
            zmq_send(w->zmq, p->identity, p->identity_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
            return errno == EHOSTUNREACH ? SENT_GONE : SENT_LATER;
        if (send_part(w, p->out.at, len) < 0)
            return errno == EHOSTUNREACH ? SENT_GONE : SENT_LATER;
        p->sent_bytes = len;
        sent_part(p, len);
    }
    return p->wipe_after ? write_over(w, p) : SENT;
}

/* libzmq leaves what it sent in memory: without CURVE in a buffer that lives as long as the
 * connection, with it in a freed block of the message's size (4.3.4; both seen). A message of that
 * size takes the place of what was there; being of two parts, it is passed over by who reads it. */
static enum sent write_over(struct wire *w, struct wire_peer *p)
{
    size_t size = w->keys ? p->sent_bytes : ENCODER_BYTES;
    char *filler = xcalloc(1, size + 1);
    bool sent = zmq_send(w->zmq, p->identity, p->identity_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_send(w->zmq, filler, size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
                zmq_send(w->zmq, "", 0, ZMQ_DONTWAIT) >= 0;
    int why = errno;
    free(filler);
    if (!sent)
        return why == EHOSTUNREACH ? SENT_GONE : SENT_LATER;
    p->wipe_after = false;
    return SENT;
}

static void gone(struct wire *w, struct wire_peer *p)
{
    buf_clear(&p->out);
    p->cut_count = 0;
    if (w->callbacks.on_gone)
        w->callbacks.on_gone(w->arg, p);
    wire_peer_drop(p);
}

static void write_all(void *arg)
{
    struct wire *w = arg;
    struct list now;
    bool later = false, wrote = !list_empty(&w->dirty);
    list_init(&now);
    while (!list_empty(&w->dirty)) { /* what is touched while we are at it comes next time */
        struct list *node = w->dirty.next;
        list_remove(node);
        list_push(&now, node);
    }
    while (!list_empty(&now)) {
        struct wire_peer *p = list_head(&now, struct wire_peer, dirty);
        list_remove(&p->dirty);
        enum sent sent = send_all(w, p);
        if (sent == SENT_GONE) {
            gone(w, p);
        } else if (sent == SENT_LATER) {
            wire_touch(p);
            later = true;
        }
    }
    if (later && !loop_timer_active(w->again))
        loop_timer_set(w->again, AGAIN_MS, 0);
    while (!list_empty(&w->dropped))
        peer_free(list_head(&w->dropped, struct wire_peer, node));
    /* Sending can swallow the edge that told of it; asking is a system call, so only then. */
    if (wrote && !w->more && readable(w)) {
        w->more = true;
        loop_again(w->loop);
    }
}

static void on_again(void *arg) { (void)arg; /* the write phase of this pass tries */ }

/* ---- refused handshakes ----
 * ZeroMQ gives a connection up for good when the other end refuses its keys (seen in 4.3.4), so a
 * certificate that is added later would help only after a restart. */

static void log_refused(struct wire *w, unsigned event, unsigned value)
{
    int64_t now_ms = loop_now_ms(w->loop);
    if (w->refused_logged_ms != 0 && now_ms - w->refused_logged_ms < REFUSED_LOG_MS)
        return;
    w->refused_logged_ms = now_ms;
    log_warn("wire.refused", "side=%s endpoint=%s why=%s code=%u", w->router ? "gateway" : "worker",
             w->endpoint, event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ? "key" : "handshake", value);
}

static void on_monitor(void *arg, unsigned events)
{
    (void)events;
    struct wire *w = arg;
    MAGIC_CHECK(w, WIRE_MAGIC);
    void *zmq = zsock_resolve(w->monitor);
    zmq_msg_t m;
    zmq_msg_init(&m);
    while (zmq_msg_recv(&m, zmq, ZMQ_DONTWAIT) >= 0) {
        uint16_t event = 0;
        uint32_t value = 0;
        if (zmq_msg_size(&m) >= sizeof(event) + sizeof(value)) {
            memcpy(&event, zmq_msg_data(&m), sizeof(event));
            memcpy(&value, (const char *)zmq_msg_data(&m) + sizeof(event), sizeof(value));
        }
        skip_parts(zmq, &m);
        log_refused(w, event, value);
        if (!w->router && !loop_timer_active(w->refused))
            loop_timer_set(w->refused, REFUSED_MS, 0);
    }
    zmq_msg_close(&m);
}

static void on_refused(void *arg)
{
    struct wire *w = arg;
    zmq_disconnect(w->zmq, w->endpoint);
    if (zmq_connect(w->zmq, w->endpoint) != 0)
        log_error("wire.connect", "endpoint=%s error=%s", w->endpoint, zmq_strerror(errno));
}

static void monitor(struct wire *w)
{
    static unsigned made; /* names stay taken for a moment after their end */
    char endpoint[64];
    snprintf(endpoint, sizeof(endpoint), "inproc://monitor-%u", made++);
    CHECK(zmq_socket_monitor(w->zmq, endpoint,
                             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                 ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL) == 0);
    w->monitor = zsock_new(ZMQ_PAIR);
    CHECK(w->monitor != NULL && zsock_connect(w->monitor, "%s", endpoint) == 0);
    w->monitor_fd = loop_fd_new(w->loop, zsock_fd(w->monitor), LOOP_READ, on_monitor, w);
    w->refused = loop_timer_new(w->loop, on_refused, w);
    on_monitor(w, 0); /* ZMQ_FD tells of changes only */
}

/* ---- making and ending ---- */

static struct wire *wire_new(struct loop *l, const struct wire_config *c,
                             const struct wire_callbacks *cb, void *arg, int type)
{
    set_up();
    struct wire *w = xcalloc(1, sizeof(*w));
    w->magic = WIRE_MAGIC;
    w->loop = l;
    w->router = type == ZMQ_ROUTER;
    w->callbacks = *cb;
    w->arg = arg;
    w->out_bytes_max = c->out_bytes_max ? c->out_bytes_max : OUT_BYTES_MAX;
    list_init(&w->peers);
    list_init(&w->dirty);
    list_init(&w->dropped);
    w->sock = zsock_new(type);
    CHECK(w->sock != NULL);
    w->zmq = zsock_resolve(w->sock);
    zsock_set_linger(w->sock, LINGER_MS);
    zsock_set_sndhwm(w->sock, WRITE_HWM);
    zsock_set_rcvhwm(w->sock, READ_HWM);
    zsock_set_maxmsgsize(w->sock, MESSAGE_BYTES_MAX);
    zsock_set_reconnect_ivl(w->sock, 100);
    zsock_set_reconnect_ivl_max(w->sock, 1000);
    zsock_set_handshake_ivl(w->sock, 5000);
    return w;
}

static void watch(struct wire *w)
{
    w->fd = loop_fd_new(w->loop, zsock_fd(w->sock), LOOP_READ, on_fd, w);
    w->again = loop_timer_new(w->loop, on_again, w);
    loop_on_decide(w->loop, decide, w);
    loop_on_write(w->loop, write_all, w);
    w->more = true; /* something may have come before we watched */
    loop_again(w->loop);
}

static void on_keys(void *arg)
{
    struct wire *w = arg;
    if (!wire_keys_changed(w->keys))
        return;
    list_each (&w->peers, node, next) {
        struct wire_peer *p = list_of(node, struct wire_peer, node);
        if (wire_keys_has(w->keys, str_of(p->key)))
            continue;
        log_warn("wire.cut_off", "endpoint=%s key=%.8s why=not_listed", w->endpoint, p->key);
        gone(w, p);
    }
}

static bool be_server(struct wire *w, const char *keys, char error[256])
{
    if (!wire_keys_serve(w->sock, keys, error))
        return false;
    w->keys = wire_keys_new(keys);
    w->keys_timer = loop_timer_new(w->loop, on_keys, w);
    loop_timer_set(w->keys_timer, KEYS_MS, KEYS_MS);
    return true;
}

static bool bind_all(struct wire *w, const struct wire_config *c, const char *endpoints,
                     char error[256])
{
    struct str rest = str_of(endpoints), piece;
    while (str_split(&rest, ',', &piece)) {
        char endpoint[ENDPOINT_BYTES_MAX];
        piece = str_trim(piece);
        if (piece.len == 0)
            continue;
        snprintf(endpoint, sizeof(endpoint), "%.*s", (int)piece.len, piece.at);
        size_t len = strlen(endpoint);
        if (len > 2 && strcmp(endpoint + len - 2, ":0") == 0)
            endpoint[len - 1] = '*';
        if (!wire_endpoint_ok(endpoint, c, error) || !ipc_claim(endpoint, error))
            return false;
        zsock_set_ipv6(w->sock,
                       strchr(endpoint, '[') != NULL); /* else IPv4 is bound as a mapped address */
        mode_t before = umask(077);                    /* of ipc: nobody else connects */
        int bound = zmq_bind(w->zmq, endpoint);
        umask(before);
        if (bound != 0) {
            snprintf(error, 256, "can't bind %.150s: %s", endpoint, zmq_strerror(errno));
            return false;
        }
        if (!w->endpoint[0]) {
            size_t size = sizeof(w->endpoint);
            zmq_getsockopt(w->zmq, ZMQ_LAST_ENDPOINT, w->endpoint, &size);
        }
    }
    if (w->endpoint[0])
        return true;
    snprintf(error, 256, "there is no ZeroMQ endpoint to bind");
    return false;
}

struct wire *wire_router_new(struct loop *l, const struct wire_config *c, const char *endpoints,
                             const struct wire_callbacks *cb, void *arg, char error[256])
{
    struct wire *w = wire_new(l, c, cb, arg, ZMQ_ROUTER);
    w->by_identity = map_new();
    zsock_set_router_mandatory(w->sock,
                               1); /* a peer that is gone is told of, not silently dropped */
    monitor(w);
    if ((c->keys && !be_server(w, c->keys, error)) || !bind_all(w, c, endpoints, error)) {
        wire_free(w);
        return NULL;
    }
    watch(w);
    return w;
}

struct wire *wire_dealer_new(struct loop *l, const struct wire_config *c, const char *endpoint,
                             const struct wire_callbacks *cb, void *arg, char error[256])
{
    struct wire *w = wire_new(l, c, cb, arg, ZMQ_DEALER);
    zsock_set_immediate(w->sock,
                        1); /* what is said waits here, counted, while there is no connection */
    if (!wire_endpoint_ok(endpoint, c, error) || !ipc_trusted(endpoint, error) ||
        (c->keys && !wire_keys_connect(w->sock, c->keys, error))) {
        wire_free(w);
        return NULL;
    }
    zsock_set_ipv6(w->sock, strchr(endpoint, '[') != NULL);
    monitor(w);
    if (zmq_connect(w->zmq, endpoint) != 0) {
        snprintf(error, 256, "can't connect to %.150s: %s", endpoint, zmq_strerror(errno));
        wire_free(w);
        return NULL;
    }
    snprintf(w->endpoint, sizeof(w->endpoint), "%s", endpoint);
    w->gateway = peer_new(w, NULL, 0);
    watch(w);
    return w;
}

void wire_free(struct wire *w)
{
    if (!w)
        return;
    if (w->fd)
        write_all(w);
    loop_off(w->loop, w);
    loop_fd_free(w->fd);
    loop_timer_free(w->again);
    loop_fd_free(w->monitor_fd);
    loop_timer_free(w->refused);
    loop_timer_free(w->keys_timer);
    if (w->monitor)
        zmq_socket_monitor(w->zmq, NULL, 0);
    zsock_destroy(&w->monitor);
    while (!list_empty(&w->peers))
        peer_free(list_head(&w->peers, struct wire_peer, node));
    while (!list_empty(&w->dropped))
        peer_free(list_head(&w->dropped, struct wire_peer, node));
    if (w->by_identity)
        map_free(w->by_identity);
    zsock_destroy(&w->sock);
    if (w->keys)
        wire_keys_stop();
    wire_keys_free(w->keys);
    w->magic = 0;
    free(w);
}
