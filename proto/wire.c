#include "proto/wire.h"

#include <arpa/inet.h>
#include <czmq.h>
#undef LOG_DEBUG /* syslog.h, which czmq.h brings, has them as macros */
#undef LOG_INFO
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/secret.h"
#include "common/check.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "proto/frame.h"

enum {
    WIRE_MAGIC = 0x57495245,
    OUT_BYTES_MAX = 8 << 20,
    MESSAGE_BYTES_MAX = FRAME_BATCH_MAX, /* of one ZeroMQ message, both ways */
    PART_BYTES = 1 << 20, /* a backlog is cut between frames after so much; a frame is not larger */
    REFUSED_MS = 1000,    /* a link whose keys were refused is tried again after so long */
    REFUSED_LOG_MS = 10000,
    READ_BUDGET = 256, /* messages taken in one pass */
    WRITE_HWM = 64, /* messages that ZeroMQ holds for a peer; more wait here, where they are counted
                       in bytes */
    READ_HWM = 256,
    AGAIN_MS = 5, /* a peer whose queue was full is tried again */
    LINGER_MS = 200,
    ENDPOINT_BYTES_MAX = 256,
};

struct wire_peer {
    struct wire *wire;
    struct list node;  /* of wire.peers, or of wire.dropped */
    struct list dirty; /* of wire.dirty while there is something to send */
    char *identity;    /* of a router's peer */
    size_t identity_len;
    struct buf out;
    uint32_t *cuts; /* where a message may end: between frames, about PART_BYTES apart */
    unsigned cut_count;
    void *user;
    bool dropped;
};

struct wire {
    uint32_t magic;
    struct loop *loop;
    zsock_t *sock;
    void *zmq; /* sock's libzmq socket */
    bool router, authenticated;
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

/* ---- the process's ZeroMQ ---- */

static zactor_t *authenticator; /* ZAP has one handler a process */
static unsigned authenticated;

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

static bool authenticate(const char *keys, char error[256])
{
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/workers", keys);
    if (!zsys_file_exists(folder)) {
        snprintf(error, 256,
                 "PERSAI_KEYS: there is no folder workers in %.150s (make keys with persai-gateway "
                 "--make-keys)",
                 keys);
        return false;
    }
    if (authenticated++ > 0)
        return true;
    authenticator = zactor_new(zauth, NULL);
    CHECK(authenticator != NULL);
    zstr_sendx(authenticator, "CURVE", folder, NULL);
    zsock_wait(authenticator);
    return true;
}

static void stop_authenticating(void)
{
    if (--authenticated == 0)
        zactor_destroy(&authenticator);
}

/* ---- keys ---- */

static zcert_t *load_key(const char *folder, const char *name, bool secret, char error[256])
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, secret ? "_secret" : "");
    zcert_t *cert = zcert_load(path);
    if (!cert)
        snprintf(error, 256,
                 "PERSAI_KEYS: %.150s can't be read (make keys with persai-gateway --make-keys)",
                 path);
    return cert;
}

static bool make_folder(const char *path, char error[256])
{
    if (mkdir(path, 0700) == 0 || (errno == EEXIST && zsys_file_exists(path)))
        return true;
    snprintf(error, 256, "%.180s can't be made: %s", path, strerror(errno));
    return false;
}

/* One pair: NAME is public, NAME_secret holds both halves. */
static bool make_pair(const char *folder, const char *name, const char *copy_public_to,
                      char error[256])
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (access(path, F_OK) == 0) {
        snprintf(error, 256, "%.200s is there already: keys are not overwritten", path);
        return false;
    }
    zcert_t *cert = zcert_new();
    mode_t before = umask(077);
    bool ok = zcert_save(cert, path) == 0 &&
              (!copy_public_to || zcert_save_public(cert, copy_public_to) == 0);
    umask(before);
    if (!ok)
        snprintf(error, 256, "%.180s can't be written: %s", path, strerror(errno));
    zcert_destroy(&cert);
    return ok;
}

bool wire_make_keys(const char *dir, char error[256])
{
    char workers[1024], accepted[1100];
    set_up();
    snprintf(workers, sizeof workers, "%s/workers", dir);
    snprintf(accepted, sizeof accepted, "%s/worker.key", workers);
    return make_folder(dir, error) && make_folder(workers, error) &&
           make_pair(dir, "gateway.key", NULL, error) &&
           make_pair(dir, "worker.key", accepted, error);
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
        (size_t)(colon - endpoint) - 6 >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - endpoint) - 6, endpoint + 6);
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, address) == 1 &&
           address[0] == 127; /* a name that begins so is no address */
}

static bool endpoint_ok(const char *endpoint, const char *keys, char error[256])
{
    bool known = strncmp(endpoint, "tcp://", 6) == 0 || strncmp(endpoint, "ipc://", 6) == 0;
    if (!known) {
        snprintf(error, 256, "%.150s is no ZeroMQ endpoint: it must begin with tcp:// or ipc://",
                 endpoint);
        return false;
    }
    if (keys || wire_is_local(endpoint))
        return true;
    snprintf(error, 256,
             "%.100s is not on loopback: set PERSAI_KEYS (make keys with persai-gateway "
             "--make-keys), so that tokens travel encrypted",
             endpoint);
    return false;
}

/* ---- peers ---- */

static struct wire_peer *peer_new(struct wire *w, const char *identity, size_t len)
{
    struct wire_peer *p = xcalloc(1, sizeof *p);
    p->wire = w;
    p->identity = xstrndup(identity ? identity : "", len);
    p->identity_len = len;
    buf_init(&p->out, w->out_bytes_max);
    p->cuts = xcalloc((size_t)(w->out_bytes_max / PART_BYTES) + 1, sizeof *p->cuts);
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

bool wire_send(struct wire_peer *p, struct str frame)
{
    if (!p->dropped && !buf_add_str(&p->out, frame))
        return false;
    wire_touch(p);
    return true;
}

struct wire_peer *wire_gateway(struct wire *w)
{
    CHECK(!w->router);
    return w->gateway;
}

const char *wire_bound(const struct wire *w) { return w->endpoint; }

/* ---- reading ---- */

/* ZMQ_FD tells of changes only: what ZeroMQ has now must be asked for after each read and write. */
static bool readable(struct wire *w)
{
    int events = 0;
    size_t len = sizeof events;
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

/* One message to its peer; false: there was none. */
static bool read_one(struct wire *w)
{
    zmq_msg_t m;
    struct wire_peer *p = w->gateway;
    zmq_msg_init(&m);
    if (zmq_msg_recv(&m, w->zmq, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&m);
        return false;
    }
    if (w->router) {
        struct str identity = bytes_of(&m);
        p = map_get(w->by_identity, identity);
        if (!p)
            p = peer_new(w, identity.at, identity.len);
        if (!zmq_msg_more(&m) || zmq_msg_recv(&m, w->zmq, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&m);
            return true;
        }
    }
    if (!zmq_msg_more(&m))
        w->callbacks.on_message(w->arg, p, bytes_of(&m));
    /* A token may have been in it, and ZeroMQ reads the next message into the same buffer, which
     * lives as long as the connection (invariant 7). */
    secret_wipe(zmq_msg_data(&m), zmq_msg_size(&m));
    skip_parts(w->zmq, &m);
    zmq_msg_close(&m);
    return true;
}

static void read_some(struct wire *w)
{
    unsigned budget = READ_BUDGET;
    w->more = false;
    while (readable(w)) {
        if (budget-- == 0) {
            w->more = true; /* the rest in the next pass: others have their turn first */
            loop_again(w->loop);
            return;
        }
        if (!read_one(w))
            return;
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

enum sent { SENT, SENT_LATER, SENT_GONE };

static void sent_part(struct wire_peer *p, size_t len)
{
    buf_drop(&p->out, len);
    for (unsigned i = 1; i < p->cut_count; i++)
        p->cuts[i - 1] = (uint32_t)(p->cuts[i] - len);
    p->cut_count -= p->cut_count > 0;
    if (p->out.len == 0)
        buf_clear(&p->out);
}

/* All that waits for the peer: one message, but for a backlog. */
static enum sent send_all(struct wire *w, struct wire_peer *p)
{
    while (p->out.len > 0) {
        size_t len = p->cut_count ? p->cuts[0] : p->out.len;
        if (w->router &&
            zmq_send(w->zmq, p->identity, p->identity_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
            return errno == EHOSTUNREACH ? SENT_GONE : SENT_LATER;
        if (zmq_send(w->zmq, p->out.at, len, ZMQ_DONTWAIT) < 0)
            return errno == EHOSTUNREACH ? SENT_GONE : SENT_LATER;
        sent_part(p, len);
    }
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
        if (zmq_msg_size(&m) >= sizeof event + sizeof value) {
            memcpy(&event, zmq_msg_data(&m), sizeof event);
            memcpy(&value, (const char *)zmq_msg_data(&m) + sizeof event, sizeof value);
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
    snprintf(endpoint, sizeof endpoint, "inproc://monitor-%u", made++);
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
    struct wire *w = xcalloc(1, sizeof *w);
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

static bool be_server(struct wire *w, const char *keys, char error[256])
{
    zcert_t *mine = load_key(keys, "gateway.key", true, error);
    if (!mine || !authenticate(keys, error)) {
        zcert_destroy(&mine);
        return false;
    }
    w->authenticated = true;
    zcert_apply(mine, w->sock);
    zsock_set_curve_server(w->sock, 1);
    zsock_set_zap_domain(w->sock, "global");
    zcert_destroy(&mine);
    return true;
}

static bool be_client(struct wire *w, const char *keys, char error[256])
{
    zcert_t *mine = load_key(keys, "worker.key", true, error);
    zcert_t *theirs = mine ? load_key(keys, "gateway.key", false, error) : NULL;
    if (theirs) {
        zcert_apply(mine, w->sock);
        zsock_set_curve_serverkey(w->sock, zcert_public_txt(theirs));
    }
    bool ok = theirs != NULL;
    zcert_destroy(&mine);
    zcert_destroy(&theirs);
    return ok;
}

static bool bind_all(struct wire *w, const char *keys, const char *endpoints, char error[256])
{
    struct str rest = str_of(endpoints), piece;
    while (str_split(&rest, ',', &piece)) {
        char endpoint[ENDPOINT_BYTES_MAX];
        piece = str_trim(piece);
        if (piece.len == 0)
            continue;
        snprintf(endpoint, sizeof endpoint, "%.*s", (int)piece.len, piece.at);
        size_t len = strlen(endpoint);
        if (len > 2 && strcmp(endpoint + len - 2, ":0") == 0)
            endpoint[len - 1] = '*';
        if (!endpoint_ok(endpoint, keys, error))
            return false;
        zsock_set_ipv6(w->sock,
                       strchr(endpoint, '[') != NULL); /* else IPv4 is bound as a mapped address */
        if (zmq_bind(w->zmq, endpoint) != 0) {
            snprintf(error, 256, "can't bind %.150s: %s", endpoint, zmq_strerror(errno));
            return false;
        }
        if (!w->endpoint[0]) {
            size_t size = sizeof w->endpoint;
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
    if ((c->keys && !be_server(w, c->keys, error)) || !bind_all(w, c->keys, endpoints, error)) {
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
    if (!endpoint_ok(endpoint, c->keys, error) || (c->keys && !be_client(w, c->keys, error))) {
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
    snprintf(w->endpoint, sizeof w->endpoint, "%s", endpoint);
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
    if (w->authenticated)
        stop_authenticating();
    w->magic = 0;
    free(w);
}
