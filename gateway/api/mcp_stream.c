#include "gateway/api/mcp_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/log.h"
#include "gateway/api/asking.h"
#include "gateway/api/mcp_reply.h"
#include "gateway/turn/turns.h"
#include "proto/store/session.h"

enum { STREAM_MAGIC = 0x4d435053, CLIENT_BYTES_MAX = 64 };

struct mcp_stream {
    uint32_t magic;
    struct list node; /* of gateway->mcp_streams */
    struct gateway *gateway;
    struct follower *follower;
    struct call *call; /* of one that collects */
    struct mcp_say say;
    char owner[USER_MAX_BYTES];
    char client[CLIENT_BYTES_MAX + 1]; /* its Mcp-Session-Id: ids of calls are each client's own */
};

static void on_event(void *arg, struct str payload, struct buf *out);
static void on_end(void *arg, bool whole, struct buf *out);
static void on_left(struct call *c);

static const struct stream_door door = {on_event, on_end};

static void client_of(struct call *c, char out[static CLIENT_BYTES_MAX + 1])
{
    struct str client = str_cut(http_header(c->request, "Mcp-Session-Id"), CLIENT_BYTES_MAX);
    snprintf(out, CLIENT_BYTES_MAX + 1, "%.*s", (int)client.len, client.len ? client.at : "");
}

static struct mcp_stream *stream_of(struct call *c, struct turn *t, const struct mcp_saying *s)
{
    struct mcp_stream *m = xcalloc(1, sizeof(*m));
    m->magic = STREAM_MAGIC;
    m->gateway = c->gateway;
    memcpy(m->owner, c->user, sizeof(m->owner));
    client_of(c, m->client);
    list_push(&c->gateway->mcp_streams, &m->node);
    mcp_say_init(&m->say, s);
    m->follower = stream_new(&t->live, (struct event_at){0, 0}, false);
    stream_speak(m->follower, &door, m);
    return m;
}

void mcp_stream_open(struct call *c, struct turn *t, const struct mcp_saying *s,
                     const struct store_answer *read)
{
    struct mcp_stream *m = stream_of(c, t, s);
    stream_begin(m->follower, call_stream(c, "text/event-stream", &stream_handler, m->follower),
                 read);
}

void mcp_stream_collect(struct call *c, struct turn *t, const struct mcp_saying *s,
                        const struct store_answer *read)
{
    struct mcp_stream *m = stream_of(c, t, s);
    m->call = c;
    c->data = m;
    c->on_gone = on_left;
    call_rest(c);
    stream_collect(m->follower, read);
}

static void on_left(struct call *c)
{
    struct mcp_stream *m = c->data;
    m->call = NULL;
    stream_leave(m->follower);
}

/* Of one without a session two calls may look alike: neither is ended then. */
void mcp_stream_cancel(struct call *c)
{
    const json_t *id = json_object_get(mcp_params(c), "requestId");
    struct mcp_stream *found = NULL;
    unsigned count = 0;
    char client[CLIENT_BYTES_MAX + 1];
    client_of(c, client);
    list_each (&c->gateway->mcp_streams, node, tmp) {
        struct mcp_stream *m = list_of(node, struct mcp_stream, node);
        const struct mcp_saying *of = &m->say.of;
        MAGIC_CHECK(m, STREAM_MAGIC);
        if (of->modern || m->say.done || strcmp(m->owner, c->user) != 0 ||
            strcmp(m->client, client) != 0 || !json_equal(of->id, id))
            continue;
        found = m;
        count++;
    }
    if (count == 1)
        asking_cancel(c->gateway, str_of(c->user), found->say.of.task.session,
                      found->say.of.task.turn);
}

static void say(struct mcp_stream *m, struct buf *out, json_t *take_message)
{
    char *text = json_dumps(take_message, JSON_COMPACT);
    json_decref(take_message);
    if (!m->call)
        buf_puts(out, "event: message\ndata: ");
    buf_puts(out, text);
    if (!m->call)
        buf_puts(out, "\n\n");
    free(text);
}

static void on_event(void *arg, struct str payload, struct buf *out)
{
    struct mcp_stream *m = arg;
    MAGIC_CHECK(m, STREAM_MAGIC);
    json_t *message = mcp_say_event(&m->say, payload);
    if (message)
        say(m, out, message);
    if (message && out->overflowed) {
        buf_clear(out);
        say(m, out, mcp_say_failed(&m->say, "The answer is larger than can be told here"));
    }
}

static void on_deleted(void *arg, enum err err, const struct store_answer *a)
{
    (void)arg, (void)a;
    if (err)
        log_debug("mcp.kept", "code=%s", err_word(err));
}

/* In the stateless revision a client that closes its stream takes the request back; in the others
 * it may have lost its line, and the conversation has the answer. One tool's has no conversation:
 * nobody would look for it, unless a yes is waited for. */
static void leave(struct mcp_stream *m)
{
    const struct mcp_saying *of = &m->say.of;
    if (of->as_task || m->gateway->draining || m->say.awaits)
        return;
    if (of->task.one_tool && m->say.done)
        store_session_delete(m->gateway->store, str_of(m->owner), of->task.session, on_deleted,
                             NULL);
    else if (!m->say.done && (of->task.one_tool || of->modern))
        asking_cancel(m->gateway, str_of(m->owner), of->task.session, of->task.turn);
}

static void on_end(void *arg, bool whole, struct buf *out)
{
    struct mcp_stream *m = arg;
    struct call *c = m->call;
    (void)whole;
    MAGIC_CHECK(m, STREAM_MAGIC);
    leave(m);
    if (c)
        c->on_gone = NULL;
    if (c && m->say.done)
        call_reply(c, 200, buf_str(out));
    else if (c)
        call_fail(c, ERR_DRAINING, NULL);
    list_remove(&m->node);
    mcp_say_free(&m->say);
    m->magic = 0;
    free(m);
}
