/* gateway/api/session_show.c: GET /session/ID, and its export as a file. A conversation may have
 * tens of megabytes, and its reader may be slow or read nothing: it streams, page by page from the
 * store, each asked for when the one before was taken. The first one is there before the answer
 * begins, so errors have their status; what fails later cuts the connection, so that half a
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
    void (*message)(struct buf *b, const struct store_message *m, bool first);
    const char *tail;
};
struct show {
    uint32_t magic;
    const struct format *format;
    struct gateway *gateway;
    char user[USER_MAX_BYTES];
    struct id session;
    struct http_stream *stream;
    struct visit visit; /* of the page that is waited for */
    struct buf text;    /* what its reader has not taken yet */
    size_t taken;
    uint32_t after, upto;
    bool more, first; /* first: no message was written yet */
    uint64_t store_call;
};

static size_t on_fill(void *arg, char *dst, size_t cap);
static void on_closed(void *arg);
static void page_go(void *arg);
static void ask_first(struct call *c);
static void name_file(struct call *c, const struct format *f);
static void write_page(struct show *s, const struct store_answer *a);

static void head_json(struct buf *b, const struct store_session *s)
{
    buf_putc(b, '{');
    session_json_head(b, s);
    json_key(b, "messages");
    buf_putc(b, '[');
}

static void message_json(struct buf *b, const struct store_message *m, bool first)
{
    if (!first)
        buf_putc(b, ',');
    session_json_message(b, m);
}

static void message_md(struct buf *b, const struct store_message *m, bool first)
{
    (void)first;
    session_md_message(b, m);
}

static const struct format as_answer = {"application/json", NULL, head_json, message_json, "]}"};
static const struct format as_json = {"application/json", "json", head_json, message_json, "]}"};
static const struct format as_markdown = {"text/markdown; charset=utf-8", "md", session_md_head,
                                          message_md, ""};

static void on_first(void *arg, enum err err, const struct store_answer *a)
{
    static const struct http_stream_handler handler = {
        .on_fill = on_fill, .on_closed = on_closed, .quiet = true};
    struct call *c = arg;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    if (!c->cross_site)
        turns_adopt_of(c->gateway, &a->sessions[0], str_of(c->user), &c->credentials);
    struct show *s = xcalloc(1, sizeof(*s));
    s->magic = SHOW_MAGIC;
    s->format = c->data;
    s->gateway = c->gateway;
    s->session = c->session;
    s->first = true;
    memcpy(s->user, c->user, sizeof(s->user));
    buf_init(&s->text, TEXT_BYTES_MAX);
    s->format->head(&s->text, &a->sessions[0]);
    write_page(s, a);
    if (s->format->file)
        name_file(c, s->format);
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
    for (unsigned i = 0; i < a->message_count; i++) {
        s->format->message(&s->text, &a->messages[i], s->first);
        s->first = false;
    }
    s->after = a->page_end;
    s->upto = a->upto;
    s->more = a->more;
    if (!s->more)
        buf_puts(&s->text, s->format->tail);
}

static void on_page(void *arg, enum err err, const struct store_answer *a)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    s->store_call = 0;
    visits_over(s->gateway->visits, &s->visit);
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
        if (s->more && !visit_pending(&s->visit))
            visits_ask(s->gateway->visits, &s->visit, s->user, page_go, s);
    }
    return len;
}

static void page_go(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    s->store_call = store_session_page(s->gateway->store, str_of(s->user), s->session, s->after,
                                       s->upto, PAGE_BYTES, on_page, s);
}

static void on_closed(void *arg)
{
    struct show *s = arg;
    MAGIC_CHECK(s, SHOW_MAGIC);
    store_forget(s->gateway->store, s->store_call);
    visits_over(s->gateway->visits, &s->visit);
    buf_free(&s->text);
    s->magic = 0;
    free(s);
}

void api_sessions_get(struct call *c)
{
    c->data = (void *)&as_answer;
    ask_first(c);
}

void api_sessions_export(struct call *c)
{
    struct str format = {NULL, 0};
    bool given = http_query(c->request, "format", &format);
    if (given && !str_is(format, "md") && !str_is(format, "json")) {
        call_fail(c, ERR_INVALID, "format is md or json");
        return;
    }
    c->data = (void *)(given && str_is(format, "json") ? &as_json : &as_markdown);
    ask_first(c);
}

static void ask_first(struct call *c)
{
    c->store_call = store_session_page(c->gateway->store, str_of(c->user), c->session, 0, 0,
                                       PAGE_BYTES, on_first, c);
}
