#include "worker/tools/source.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "proto/path.h"
#include "worker/tools/partial.h"
#include "worker/tools/text.h"

enum {
    REFUSAL_BYTES_MAX = 8192,
    ERROR_BYTES_MAX = 1200,
    FORM_BYTES_MAX = 64 * 1024,
    URL_BYTES_MAX = FORM_BYTES_MAX + 4096,
    TRIES_MAX = 3,
};

/* ---- forms ---- */

void source_param(struct buf *form, const char *name, struct str value)
{
    buf_printf(form, "%s%s=", form->len > 0 ? "&" : "", name);
    fetch_escape(form, value);
}

void source_param_time(struct buf *form, const char *name, int64_t unix_ms)
{
    buf_printf(form, "%s%s=%lld.%03d", form->len > 0 ? "&" : "", name, (long long)(unix_ms / 1000),
               (int)(unix_ms % 1000));
}

void source_param_count(struct buf *form, const char *name, uint64_t count)
{
    buf_printf(form, "%s%s=%llu", form->len > 0 ? "&" : "", name, (unsigned long long)count);
}

void source_said(struct tool_run *r, unsigned path, const json_t *item)
{
    enum { SAID_MAX = 3 };
    scoped_buf(note, 1000);
    r->partial = partial_read(path, item, &note) || r->partial;
    if (note.len > 0 && r->said++ < SAID_MAX)
        run_remark(r, buf_str(&note));
}

/* ---- asking ---- */

static void send(struct source_request *ask);
static void heard(const struct source_request *ask, enum fetch_status status);

static void refuse(struct source_request *ask, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void refuse(struct source_request *ask, const char *code, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ask->code = code;
    buf_puts(&ask->error, text);
}

static void add_said(struct source_request *ask, struct str said)
{
    if (str_trim(said).len == 0)
        return;
    buf_puts(&ask->error, " It said: ");
    text_clean(&ask->error, str_trim(said), 600);
}

/* Words of errorType that go to the model as they are: it may know them. */
static const char *known_type(const char *type)
{
    static const char *const known[] = {"bad_data",  "execution",        "timeout",
                                        "canceled",  "internal",         "unavailable",
                                        "not_found", "too_many_requests"};
    for (size_t i = 0; type != NULL && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(type, known[i]) == 0)
            return known[i];
    return NULL;
}

/* What a status that is no 2xx means; the body is in ask->body. */
static void explain_status(struct source_request *ask)
{
    struct str body = buf_str(&ask->body);
    json_auto_t *json = json_loadb(body.len ? body.at : "", body.len, 0, NULL);
    const char *type = known_type(json_string_value(json_object_get(json, "errorType")));
    const char *said = json_string_value(json_object_get(json, "error"));
    if (!said)
        said = json_string_value(json_object_get(json, "message"));
    int status = ask->http_status;
    if (status == 401) {
        ask->unauthorized = true;
        refuse(ask, "unauthorized",
               "The sign-in was refused (401), by Perses or by the datasource behind it.");
    } else if (status == 403) {
        refuse(ask, "forbidden",
               "This person may not use this datasource, or it does not allow "
               "this request (403).");
    } else if (type != NULL && strcmp(type, "timeout") == 0) {
        refuse(ask, type,
               "The query took too long. Use a shorter time range, a longer step, or "
               "matchers that select fewer series.");
    } else if (type) {
        refuse(ask, type, "The datasource refused the request (%s).", type);
    } else if (status == 404) {
        refuse(ask, "not_found", "There is no such thing here, or the datasource is no %s (404).",
               ask->product);
    } else if (status == 429) {
        refuse(ask, "too_many_requests",
               "The datasource is asked too often (429). Try again "
               "later.");
    } else {
        refuse(ask, status >= 500 ? "unavailable" : "refused", "The datasource %s (HTTP %d).",
               status >= 500 ? "is not available" : "refused the request", status);
    }
    add_said(ask, said ? str_of(said) : json ? STR("") : (struct str){body.at, body.len});
}

static void explain_fetch(struct source_request *ask, const struct fetch_result *f)
{
    if (f->status == FETCH_TIMEOUT)
        refuse(ask, "timeout",
               "The datasource gave no whole answer in time. Use a shorter time "
               "range, a longer step, or matchers that select fewer series.");
    else if (f->status == FETCH_REFUSED)
        refuse(ask, "unreachable", "Perses cannot be reached: %s.", f->error);
    else
        refuse(ask, "broken", "The connection to the datasource broke: %s.", f->error);
}

static void on_head(void *arg, int http_status)
{
    struct source_request *ask = arg;
    ask->http_status = http_status;
    ask->refused = http_status < 200 || http_status > 299;
}

static void on_data(void *arg, struct str bytes)
{
    struct source_request *ask = arg;
    if (ask->refused) {
        size_t room = REFUSAL_BYTES_MAX - ask->body.len;
        buf_add_str(&ask->body, (struct str){bytes.at, bytes.len < room ? bytes.len : room});
        return;
    }
    if (ask->on_piece(ask->arg, bytes))
        return;
    fetch_cancel(ask->fetch);
    ask->fetch = NULL;
    heard(ask, FETCH_OK);
    refuse(ask, "broken",
           "The datasource's answer is not what %s's API answers. Is the datasource a %s?",
           ask->product, ask->product);
    ask->on_end(ask->arg, SOURCE_REFUSED);
}

/* Perses's proxy is Go's: when the answer to a POST starts in the moment in which its form went
 * out, the proxy may close the connection it reads from, and the answer breaks off
 * (golang/go#40747; about 2 of 100 answers that come at once). The datasource is well then, and
 * asking is safe: nothing is written by it. Without a head nothing is sent again: a query may be
 * what the datasource died of. */
static bool send_again(struct source_request *ask)
{
    if (ask->on_again == NULL || ask->http_status == 0 || ask->tries >= TRIES_MAX ||
        loop_now_ms(ask->tools->config.loop) >= ask->deadline_ms)
        return false;
    log_info("tool.again", "tries=%u", ask->tries);
    ask->on_again(ask->arg);
    ask->http_status = 0;
    send(ask);
    return true;
}

/* Does the datasource answer at all? What Perses itself could not be asked says nothing of it. */
static void heard(const struct source_request *ask, enum fetch_status status)
{
    struct tools *t = ask->tools;
    bool answered = ask->http_status != 0 && status != FETCH_TIMEOUT;
    if (ask->datasource != NULL && (answered || status == FETCH_TIMEOUT))
        line_heard(t->line, ask->datasource, answered, loop_now_ms(t->config.loop));
}

static void on_done(void *arg, const struct fetch_result *f)
{
    struct source_request *ask = arg;
    enum source_outcome outcome = SOURCE_REFUSED;
    ask->fetch = NULL;
    heard(ask, f->status);
    if (!ask->refused && f->status == FETCH_BROKEN && send_again(ask))
        return;
    if (ask->refused)
        explain_status(ask);
    else if (f->status == FETCH_TOO_BIG)
        outcome = SOURCE_CUT;
    else if (f->status == FETCH_OK && f->http_status != 0)
        outcome = SOURCE_WHOLE;
    else
        explain_fetch(ask, f);
    ask->on_end(ask->arg, outcome);
}

static void send(struct source_request *ask)
{
    static const struct fetch_handler handler = {on_head, on_data, on_done};
    char traceparent[TRACE_PARENT_TEXT + 1];
    struct fetch_header headers[3] = {{"Accept", STR("application/json")}};
    unsigned count = 1;
    if (ask->form.len > 0)
        headers[count++] = (struct fetch_header){
            "Content-Type",
            ask->json ? STR("application/json") : STR("application/x-www-form-urlencoded")};
    if (trace_on(&ask->trace)) {
        trace_write(&ask->trace, traceparent);
        headers[count++] = (struct fetch_header){"traceparent", str_of(traceparent)};
    }
    const struct tools_config *c = &ask->tools->config;
    struct fetch_request f = {
        .method = ask->method,
        .url = buf_cstr(&ask->url),
        .headers = headers,
        .header_count = count,
        .bearer = ask->token,
        .body = buf_str(&ask->form),
        .total_ms = ask->deadline_ms - loop_now_ms(c->loop),
        .body_bytes_max = c->answer_bytes_max,
    };
    ask->tries++;
    ask->fetch = fetch_start(c->fetches, &f, &handler, ask);
}

void source_request(struct source_request *ask, struct tools *t, const struct door *door,
                    const struct secret *token, const struct source_call *request)
{
    struct path path;
    const char *datasource = door ? door_path(door) : NULL;
    bool get = strcmp(request->method, "GET") == 0;
    source_request_free(ask);
    ask->tools = t;
    ask->datasource = datasource ? xstrdup(datasource) : NULL;
    ask->method = request->method;
    ask->json = request->json;
    ask->trace = request->trace;
    ask->token = token;
    ask->code = "";
    ask->product = request->product ? request->product : "Prometheus";
    ask->unauthorized = ask->refused = false;
    ask->http_status = 0;
    ask->tries = 0;
    ask->deadline_ms = loop_now_ms(t->config.loop) + request->timeout_ms;
    buf_init(&ask->error, ERROR_BYTES_MAX);
    buf_init(&ask->body, REFUSAL_BYTES_MAX);
    buf_init(&ask->url, URL_BYTES_MAX);
    buf_init(&ask->form, FORM_BYTES_MAX);
    CHECK(datasource == NULL || path_parse(str_of(datasource), &path) == ERR_NONE);
    CHECK(!request->form->overflowed);
    buf_printf(&ask->url, "%s%s%s", t->perses_url, datasource ? datasource : "", request->api);
    if (get && request->form->len > 0)
        buf_putc(&ask->url, '?');
    buf_add_str(get ? &ask->url : &ask->form, buf_str(request->form));
    CHECK(!ask->url.overflowed && !ask->form.overflowed);
    send(ask);
}

void source_request_free(struct source_request *ask)
{
    fetch_cancel(ask->fetch);
    ask->fetch = NULL;
    free(ask->datasource);
    ask->datasource = NULL;
    buf_free(&ask->error);
    buf_free(&ask->body);
    buf_free(&ask->url);
    buf_free(&ask->form);
}

void source_fail(struct tool_run *r, const struct source_request *ask)
{
    struct buf error = ask->error; /* a copy only to end it with a NUL */
    r->unauthorized = ask->unauthorized;
    run_fail(r, ask->code, "%s", buf_cstr(&error));
}
