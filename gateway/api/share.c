/* gateway/api/share.c: a conversation that its owner lets others read, until they take it back:
 * each reading asks the store anew, so that it ends at all gateways at once. session_show.c has the
 * reading. */
#include "common/log.h"
#include "gateway/api/call.h"
#include "gateway/api/session_json.h"
#include "proto/store/share.h"

static void on_shared(void *arg, enum err err, const struct store_answer *a);
static void on_unshared(void *arg, enum err err, const struct store_answer *a);

void api_share_post(struct call *c)
{
    c->store_call =
        store_session_share(c->gateway->store, str_of(c->user), c->session, STR(""), on_shared, c);
}

static void on_shared(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    log_info("session.shared", "session=%s", id_log(a->session));
    scoped_buf(b, 512);
    buf_putc(&b, '{');
    session_json_share(&b, a->session, a->share);
    buf_putc(&b, '}');
    call_reply(c, 201, buf_str(&b));
}

void api_share_delete(struct call *c)
{
    c->store_call =
        store_session_unshare(c->gateway->store, str_of(c->user), c->session, on_unshared, c);
}

static void on_unshared(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    if (!call_stored(c, err))
        return;
    log_info("session.unshared", "session=%s", id_log(a->session));
    call_reply(c, 200, STR("{\"response\":\"ok\"}"));
}
