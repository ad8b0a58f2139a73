#include "tests/sim/web.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "tests/sim/sides.h"

enum packet_kind { REQUEST, GONE, STATUS, BYTES, END };
struct packet {
    struct sim_event event; /* first */
    enum packet_kind kind;
    struct web *web;
    unsigned status;
    size_t len;
    char bytes[];
};

struct web *web_new(struct client *c, struct proc *gateway, enum web_kind kind)
{
    struct web *w = xcalloc(1, sizeof(*w));
    *w = (struct web){.refs = 1, .kind = kind, .client = c, .gateway = gateway};
    w->life = gateway->life;
    w->window = 64 << 10;
    return w;
}

struct web *web_ref(struct web *w)
{
    w->refs++;
    return w;
}

void web_free(struct web *w)
{
    if (w && --w->refs == 0)
        free(w);
}

static void arrive(struct packet *p)
{
    struct web *w = p->web;
    struct client *c = w->client;
    struct str bytes = {p->bytes, p->len};
    switch (p->kind) {
    case REQUEST:
        side_web_request(w);
        break;
    case GONE:
        side_web_gone(w);
        break;
    case STATUS:
        if (c)
            client_on_status(c, w, p->status, bytes);
        break;
    case BYTES:
        w->under_way -= p->len;
        if (c)
            client_on_bytes(c, w, bytes);
        side_web_room(w);
        break;
    case END:
        if (c)
            client_on_end(c, w);
        break;
    }
}

static void on_packet(struct sim_event *e)
{
    struct packet *p = (struct packet *)e;
    struct web *w = p->web;
    bool put_off = false;
    bool to_gateway = p->kind == REQUEST || p->kind == GONE;
    if (!to_gateway || proc_takes(w->gateway, w->life, e, &put_off))
        arrive(p);
    else if (!put_off && p->kind == REQUEST && w->client)
        client_on_end(w->client, w); /* nobody listens there */
    if (put_off)
        return;
    web_free(w);
    free(p);
}

static void packet_send(struct web *w, enum packet_kind kind, unsigned status, struct str bytes,
                        int64_t delay)
{
    struct packet *p = xmalloc(sizeof(*p) + bytes.len);
    *p = (struct packet){.event.fn = on_packet, .kind = kind, .web = web_ref(w), .status = status};
    p->len = bytes.len;
    if (bytes.len > 0)
        memcpy(p->bytes, bytes.at, bytes.len);
    int64_t at_us = sim.now_us + delay;
    if (kind != REQUEST && kind != GONE)
        at_us = w->last_us = at_us > w->last_us ? at_us : w->last_us + 1;
    sim_at(&p->event, at_us);
}

static int64_t delay_us(void) { return sim_between(100, 3000); }

void web_send(struct web *w) { packet_send(w, REQUEST, 0, STR(""), delay_us()); }

void web_drop(struct web *w)
{
    w->client = NULL;
    packet_send(w, GONE, 0, STR(""), sim_chance(800) ? delay_us() : sim_between(3000, 400000));
}

void web_status(struct web *w, unsigned status, struct str body)
{
    packet_send(w, STATUS, status, body, delay_us());
}

void web_bytes(struct web *w, struct str bytes)
{
    int64_t slow_us = w->window < 4096 ? sim_between(20000, 300000) : 0;
    w->under_way += bytes.len;
    packet_send(w, BYTES, 0, bytes, delay_us() + slow_us);
}

void web_end(struct web *w) { packet_send(w, END, 0, STR(""), delay_us()); }

void web_gateway_died(struct proc *p)
{
    for (unsigned i = 0; i < CLIENT_WEBS_MAX; i++) {
        struct web *w = client_web(i);
        if (w && w->gateway == p && w->life == p->life)
            web_end(w);
    }
}
