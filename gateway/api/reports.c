/* gateway/api/reports.c: alerts' reports, for those who may read the alerts' datasources. */
#include "common/json.h"
#include "common/utc.h"
#include "gateway/api/call.h"
#include "gateway/api/session_json.h"
#include "gateway/auth/rights.h"
#include "proto/store/share.h"

enum { ANSWER_BYTES_MAX = 256 << 10 };

static void ask_list(struct call *c);
static void on_list(void *arg, enum err err, const struct store_answer *a);
static void on_rights(void *arg);
static void ask_rights(void *arg);
static void ask_again(void *arg);
static void gone(struct call *c);
static void write_report(struct buf *b, const struct store_session *s, const struct rights *rights);

void api_reports_list(struct call *c)
{
    c->data = rights_new(c->gateway, &c->credentials, on_rights, c);
    c->on_gone = gone;
    ask_list(c);
}

static void gone(struct call *c) { rights_free(c->data); }

static void ask_list(struct call *c)
{
    c->store_call = store_reports_list(c->gateway->store, on_list, c);
}

static void ask_rights(void *arg)
{
    struct call *c = arg;
    rights_send(c->data);
}

/* The same list once more, when it is known what may be read of it. */
static void on_rights(void *arg)
{
    struct call *c = arg;
    call_visit(c, c->gateway->visits, ask_again, c);
}

static void ask_again(void *arg) { ask_list(arg); }

static void end(struct call *c)
{
    rights_free(c->data);
    c->on_gone = NULL;
}

static void on_list(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    bool waits = false;
    c->store_call = 0;
    if (err) {
        end(c);
        call_fail(c, err, NULL);
        return;
    }
    for (unsigned i = 0; i < a->session_count; i++)
        waits = rights_ask(c->data, a->sessions[i].share_path) == RIGHT_ASKED || waits;
    if (waits) {
        call_visit(c, c->gateway->perses_visits, ask_rights, c);
        return;
    }
    bool silent = false;
    scoped_buf(b, ANSWER_BYTES_MAX);
    buf_putc(&b, '[');
    for (unsigned i = 0; i < a->session_count; i++) {
        silent = silent || rights_of(c->data, a->sessions[i].share_path) == RIGHT_SILENT;
        write_report(&b, &a->sessions[i], c->data);
    }
    buf_putc(&b, ']');
    end(c);
    if (silent)
        call_fail(c, ERR_PERSES_UNAVAILABLE, NULL);
    else
        call_reply(c, 200, buf_str(&b));
}

static void write_report(struct buf *b, const struct store_session *s, const struct rights *rights)
{
    if (rights_of(rights, s->share_path) != RIGHT_YES)
        return;
    buf_puts(b, b->len > 1 ? ",{" : "{");
    session_json_share(b, s->session, s->share);
    json_field(b, "title", s->title);
    json_field(b, "datasource_path", s->share_path);
    utc_field(b, "started_at", s->created_ms, UTC_MILLISECONDS);
    buf_putc(b, '}');
}
