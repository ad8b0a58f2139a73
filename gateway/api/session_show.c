/* gateway/api/session_show.c: GET /session/ID, its export as a file, and what others see of one
 * that is shared: stored results only of datasources that they may read themselves. A conversation
 * may have tens of megabytes, and its reader may be slow or read nothing: it streams, page by page
 * from the store, each asked for when the one before was taken. The first one is there before the
 * answer begins, so errors have their status; what fails later cuts the connection, so that half a
 * conversation is never taken for a whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/call.h"
#include "gateway/api/session_json.h"
#include "gateway/api/session_md.h"
#include "gateway/auth/rights.h"
#include "gateway/turn/turns.h"
#include "proto/store/session.h"
#include "proto/store/store.h"

enum {
    SHOW_MAGIC = 0x53484f57,
    PAGE_BYTES = 64 << 10,      /* of one answer of the store; one message more at most */
    TEXT_BYTES_MAX = 256 << 20, /* of a page as JSON: what the store allows, escaped */
};

/* How it is written: what comes before its messages, each of them, and what comes after. */
struct format {
    const char *content_type, *file; /* file: its name's end, or NULL: it is no file */
    void (*head)(struct buf *b, const struct store_session *s);
    /* view NULL: the owner's */
    void (*message)(struct buf *b, const struct store_message *m, const struct session_view *view,
                    bool first);
    const char *tail;
};
struct show {
    uint32_t magic;
    const struct format *format;
    struct gateway *gateway;
    char user[USER_MAX_BYTES];
    struct id session;
    char share[ID_TEXT + 1]; /* "": the owner reads */
    struct rights *rights;   /* the reader's; NULL: the owner reads */
    struct call *call;       /* until the answer begins */
    struct http_stream *stream;
    struct visit visit; /* of the page that is waited for, once the answer has begun */
    struct buf text;    /* what its reader has not taken yet */
    size_t taken;
    uint32_t after, upto;
    bool more, first; /* first: no message was written yet */
    bool coming;      /* a page was asked for */
    uint64_t store_call;
};

static size_t on_fill(void *arg, char *dst, size_t cap);
static void on_closed(void *arg);
static void first_go(void *arg);
static void page_go(void *arg);
static void show_free(struct show *s);
static void begin(struct call *c, const struct format *f);
static void ask_page(struct show *s, store_fn *fn);
static bool waits_for_rights(struct show *s, const struct store_answer *a);
static bool refused(struct show *s, const struct store_answer *a);
static void ask_rights(void *arg);
static void on_rights(void *arg);
static bool may_see(void *arg, struct str datasource);
static void name_file(struct call *c, const struct format *f);
static void write_page(struct show *s, const struct store_answer *a);
static void on_page(void *arg, enum err err, const struct store_answer *a);

static void head_json(struct buf *b, const struct store_session *s)
{
    buf_putc(b, '{');
    session_json_head(b, s);
    json_key(b, "messages");
    buf_putc(b, '[');
}

static void head_shared(struct buf *b, const struct store_session *s)
{
    buf_putc(b, '{');
    session_json_head_shared(b, s);
    json_key(b, "messages");
    buf_putc(b, '[');
}

static void message_json(struct buf *b, const struct store_message *m,
                         const struct session_view *view, bool first)
{
    if (!first)
        buf_putc(b, ',');
    session_json_message(b, m, view);
}

static void message_md(struct buf *b, const struct store_message *m,
                       const struct session_view *view, bool first)
{
    (void)first;
    CHECK(!view);
    session_md_message(b, m);
}

static const struct format as_answer = {"application/json", NULL, head_json, message_json, "]}"};
static const struct format as_json = {"application/json", "json", head_json, message_json, "]}"};
static const struct format as_markdown = {"text/markdown; charset=utf-8", "md", session_md_head,
                                          message_md, ""};
static const struct format as_shared = {"application/json", NULL, head_shared, message_json, "]}"};

/* ---- the first page: until it is there, an error has its status ---- */

static void call_gone(struct call *c)
{
    show_free(c->data);
    c->data = NULL;
}

static void begin(struct call *c, const struct format *f)
{
    struct show *s = xcalloc(1, sizeof(*s));
    s->magic = SHOW_MAGIC;
    s->format = f;
    s->gateway = c->gateway;
    s->session = c->session;
    s->first = true;
    s->call = c;
    memcpy(s->user, c->user, sizeof(s->user));
    buf_init(&s->text, TEXT_BYTES_MAX);
    c->data = s;
    c->on_gone = call_gone;
}

static void fail(struct show *s, enum err err)
{
    struct call *c = s->call;
    show_free(s);
    c->on_gone = NULL;
    call_fail(c, err, NULL);
}

static void on_first(void *arg, enum err err, const struct store_answer *a)
{
    static const struct http_stream_handler handler = {
        .on_fill = on_fill, .on_closed = on_closed, .quiet = true};
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    struct call *c = s->call;
    s->store_call = 0;
    if (err) {
        fail(s, err);
        return;
    }
    if (waits_for_rights(s, a)) {
        call_visit(c, s->gateway->perses_visits, ask_rights, s);
        return;
    }
    if (refused(s, a))
        return;
    if (!c->cross_site && !s->rights)
        turns_adopt_of(c->gateway, &a->sessions[0], str_of(c->user), &c->credentials);
    s->format->head(&s->text, &a->sessions[0]);
    write_page(s, a);
    if (s->format->file)
        name_file(c, s->format);
    s->call = NULL;
    s->stream = call_stream(c, s->format->content_type, &handler, s);
    if (s->more)
        http_stream_wake(s->stream);
    else
        http_stream_end(s->stream);
}

/* Titles are anybody's words: the id is the name (RFC 6266). */
static void name_file(struct call *c, const struct format *f)
{
    char id[ID_TEXT + 1], value[96];
    id_text(c->session, id);
    snprintf(value, sizeof(value), "attachment; filename=\"persai-%.8s.%s\"", id, f->file);
    http_add_header(c->request, "Content-Disposition", value);
}

static void write_page(struct show *s, const struct store_answer *a)
{
    const struct session_view view = {may_see, s->rights};
    for (unsigned i = 0; i < a->message_count; i++) {
        s->format->message(&s->text, &a->messages[i], s->rights ? &view : NULL, s->first);
        s->first = false;
    }
    s->after = a->page_end;
    s->upto = a->upto;
    s->more = a->more;
    if (!s->more)
        buf_puts(&s->text, s->format->tail);
}

/* ---- a reader's rights ---- */

/* Asks for those that this page needs. True: it comes again once they are known. */
static bool waits_for_rights(struct show *s, const struct store_answer *a)
{
    bool waits = false;
    if (!s->rights)
        return false;
    if (a->session_count > 0 && a->sessions[0].share_path.len > 0)
        waits = rights_ask(s->rights, a->sessions[0].share_path) == RIGHT_ASKED;
    for (unsigned i = 0; i < a->message_count; i++) {
        const struct record_message *m = &a->messages[i].record;
        for (unsigned j = 0; j < m->response_count; j++)
            if (m->responses[j].datasource.len > 0 &&
                rights_ask(s->rights, m->responses[j].datasource) == RIGHT_ASKED)
                waits = true;
    }
    return waits;
}

/* An alert's report is for those who may read its datasource; to others it does not exist. */
static bool refused(struct show *s, const struct store_answer *a)
{
    struct str path = a->sessions[0].share_path;
    if (!s->rights || path.len == 0 || rights_of(s->rights, path) == RIGHT_YES)
        return false;
    fail(s, rights_of(s->rights, path) == RIGHT_SILENT ? ERR_PERSES_UNAVAILABLE
                                                       : ERR_SESSION_NOT_FOUND);
    return true;
}

static void ask_rights(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    rights_send(s->rights);
}

static void on_rights(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    visits_over(&s->visit);
    if (s->call)
        call_visit(s->call, s->gateway->visits, first_go, s);
    else
        visits_ask(s->gateway->visits, &s->visit, s->user, page_go, s);
}

static bool may_see(void *arg, struct str datasource)
{
    return datasource.len > 0 && rights_of(arg, datasource) == RIGHT_YES;
}

/* ---- the pages after it ---- */

static void on_page(void *arg, enum err err, const struct store_answer *a)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    s->store_call = 0;
    visits_over(&s->visit);
    if (!err && waits_for_rights(s, a)) {
        visits_ask(s->gateway->perses_visits, &s->visit, s->user, ask_rights, s);
        return;
    }
    s->coming = false;
    if (err) {
        log_warn("session.cut", "session=%s code=%s", id_log(s->session), err_word(err));
        http_stream_abort(s->stream);
        return;
    }
    write_page(s, a);
    if (s->more)
        http_stream_wake(s->stream);
    else
        http_stream_end(s->stream);
}

static size_t on_fill(void *arg, char *dst, size_t cap)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    size_t left = s->text.len - s->taken, len = left < cap ? left : cap;
    if (len > 0)
        memcpy(dst, s->text.at + s->taken, len);
    s->taken += len;
    if (len == left) {
        buf_free(&s->text);
        s->taken = 0;
        if (s->more && !s->coming)
            visits_ask(s->gateway->visits, &s->visit, s->user, page_go, s);
        s->coming = s->more;
    }
    return len;
}

static void first_go(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    ask_page(s, on_first);
}

static void page_go(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    ask_page(s, on_page);
}

/* A share that was taken back has no next page. */
static void ask_page(struct show *s, store_fn *fn)
{
    struct store *store = s->gateway->store;
    s->store_call = *s->share ? store_shared_page(store, str_of(s->share), s->session, s->after,
                                                  s->upto, PAGE_BYTES, fn, s)
                              : store_session_page(store, str_of(s->user), s->session, s->after,
                                                   s->upto, PAGE_BYTES, fn, s);
}

static void show_free(struct show *s)
{
    store_forget(s->gateway->store, s->store_call);
    visits_over(&s->visit);
    rights_free(s->rights);
    buf_free(&s->text);
    s->magic = 0;
    free(s);
}

static void on_closed(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    show_free(s);
}

/* ---- handlers ---- */

void api_sessions_get(struct call *c)
{
    begin(c, &as_answer);
    ask_page(c->data, on_first);
}

void api_sessions_export(struct call *c)
{
    struct str format = {NULL, 0};
    bool given = http_query(c->request, "format", &format);
    if (given && !str_is(format, "md") && !str_is(format, "json")) {
        call_fail(c, ERR_INVALID, "format is md or json");
        return;
    }
    begin(c, given && str_is(format, "json") ? &as_json : &as_markdown);
    ask_page(c->data, on_first);
}

void api_shared_get(struct call *c)
{
    begin(c, &as_shared);
    struct show *s = c->data;
    memcpy(s->share, c->share, sizeof(s->share));
    s->rights = rights_new(c->gateway, &c->credentials, on_rights, s);
    if (*s->share)
        ask_page(s, on_first);
    else
        fail(s, ERR_SESSION_NOT_FOUND);
}
