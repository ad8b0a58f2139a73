#include "proto/wire_probe.h"

#include <czmq.h>
#undef LOG_DEBUG /* syslog.h, which czmq.h brings, has them as macros */
#undef LOG_INFO
#include <string.h>
#include "proto/ipc.h"
#include "proto/wire_keys.h"

static const char monitor_at[] = "inproc://wire-probe";

/* As far as it came. */
enum seen { NOBODY, CONNECTED, TAKEN, REFUSED };

static bool prepare(zsock_t *sock, const char *endpoint, const struct wire_config *c,
                    char error[256]);
static enum seen look(zsock_t *sock, const char *endpoint, int64_t wait_ms);
static enum seen read_event(zsock_t *monitor, enum seen before);
static bool judge(enum seen seen, bool keys, char error[256]);

bool wire_probe(const char *endpoint, const struct wire_config *c, int64_t wait_ms, char error[256])
{
    zsys_init();
    zsys_handler_set(NULL);
    zsock_t *sock = zsock_new(ZMQ_DEALER);
    CHECK(sock != NULL);
    bool taken = prepare(sock, endpoint, c, error) &&
                 judge(look(sock, endpoint, wait_ms), c->keys != NULL, error);
    zsock_destroy(&sock);
    return taken;
}

static bool prepare(zsock_t *sock, const char *endpoint, const struct wire_config *c,
                    char error[256])
{
    zsock_set_linger(sock, 0);
    zsock_set_ipv6(sock, strchr(endpoint, '[') != NULL);
    return wire_endpoint_ok(endpoint, c, error) && ipc_trusted(endpoint, error) &&
           (!c->keys || wire_keys_connect(sock, c->keys, error));
}

static enum seen look(zsock_t *sock, const char *endpoint, int64_t wait_ms)
{
    void *zmq = zsock_resolve(sock);
    enum seen seen = NOBODY;
    int64_t until_ms = zclock_mono() + wait_ms, left_ms = wait_ms;
    if (zmq_socket_monitor(zmq, monitor_at, ZMQ_EVENT_ALL) != 0)
        return NOBODY;
    zsock_t *monitor = zsock_new(ZMQ_PAIR);
    zpoller_t *poller = zpoller_new(monitor, NULL);
    bool begun =
        zmq_connect(zsock_resolve(monitor), monitor_at) == 0 && zmq_connect(zmq, endpoint) == 0;
    while (begun && left_ms > 0 && seen < TAKEN) {
        if (zpoller_wait(poller, (int)left_ms) != NULL)
            seen = read_event(monitor, seen);
        left_ms = until_ms - zclock_mono();
    }
    zmq_socket_monitor(zmq, NULL, 0);
    zpoller_destroy(&poller);
    zsock_destroy(&monitor);
    return seen;
}

/* ZeroMQ writes an event in two parts: a number of 16 bits and a value of 32, then an address. */
static enum seen read_event(zsock_t *monitor, enum seen before)
{
    uint16_t event = 0;
    zmsg_t *message = zmsg_recv(monitor);
    zframe_t *first = message ? zmsg_first(message) : NULL;
    if (first && zframe_size(first) >= sizeof(event))
        memcpy(&event, zframe_data(first), sizeof(event));
    zmsg_destroy(&message);
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        return CONNECTED;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return TAKEN;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return REFUSED;
    default:
        return before;
    }
}

static bool judge(enum seen seen, bool keys, char error[256])
{
    switch (seen) {
    case NOBODY:
        snprintf(error, 256,
                 "nobody listens there; start persai-gateway, whose PERSAI_BROKER is this address");
        return false;
    case CONNECTED:
        snprintf(error, 256,
                 keys ? "who listens there has not the key of this gateway.key, or uses none; give "
                        "both sides the keys of one --make-keys"
                      : "who listens there wants keys, or is no gateway; set PERSAI_KEYS");
        return false;
    case REFUSED:
        snprintf(error, 256,
                 "the gateway refuses this worker's key; put worker.key into the folder workers of "
                 "the gateway's PERSAI_KEYS");
        return false;
    case TAKEN:
        break;
    }
    return true;
}
