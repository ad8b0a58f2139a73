#include "common/otlp_send.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "common/check.h"
#include "common/log.h"
#include "common/pairs.h"

enum {
    BATCH_BYTES = 512 << 10, /* is sent at once; collectors take 4 MiB */
    BATCH_MS = 1000,         /* and what is smaller after that */
    TOTAL_MS = 10000,        /* of one request: OTEL_EXPORTER_OTLP_TIMEOUT's default */
    TRIES_MAX = 4,
    BACKOFF_MS = 1000,         /* before the second try; doubled each time */
    ASKED_MS_MAX = 15 * 60000, /* of what a collector asks for: one may be wrong, or lie */
    ASKED_MS_SAID = 30000,     /* what is longer is told to the log: spans are lost meanwhile */
    LEAVE_MS = 1000,
    ANSWER_BYTES_MAX = 16 << 10,
};

struct otlp_sender {
    struct otlp_sender_config config;
    struct buf head;  /* of each request, up to its spans */
    struct buf url;   /* … and where it goes */
    struct buf names; /* of headers: "name\0value\0" */
    struct fetch_header headers[PAIRS_MAX + 1];
    unsigned header_count;
    struct otlp *queue;
    struct buf sending; /* a request's body */
    unsigned sending_count, tries;
    struct fetch *fetch;
    struct loop_timer *timer;
    int64_t quiet_ms; /* until then the collector wants to be left alone */
    int64_t leave_ms; /* until when it is waited for at the end; 0: it is not the end */
    bool silent;      /* it was said that the collector does not take them */
    bool partial;     /* … that it did not take some of the last ones */
    struct otlp_stats stats;
};

static void on_timer(void *arg);
static void send(struct otlp_sender *o);
static void next(void *arg);
static void tell_taken(struct otlp_sender *o, const struct fetch_result *r, uint64_t not_taken);
static void give_up(struct otlp_sender *o, const struct fetch_result *r);
static void on_done(void *arg, const struct fetch_result *r);
static void write_head(struct otlp_sender *o);
static void read_headers(struct otlp_sender *o);

/* ---- life ---- */

struct otlp_sender *otlp_sender_new(const struct otlp_sender_config *c, char error[256])
{
    error[0] = '\0';
    if (!c->endpoint[0])
        return NULL;
    if (!pairs_ok(secret_reveal(c->headers), error) || !pairs_ok(str_of(c->attributes), error))
        return NULL;
    struct otlp_sender *o = xcalloc(1, sizeof(*o));
    o->config = *c;
    buf_init(&o->head, 64 << 10);
    buf_init(&o->url, 2048);
    buf_init(&o->names, 64 << 10);
    o->queue = otlp_new(next, o);
    buf_init(&o->sending, OTLP_BYTES_MAX + (128 << 10));
    buf_keep_secret(&o->names);
    buf_add_str(&o->url, str_trim_slashes(str_of(c->endpoint)));
    buf_puts(&o->url, "/v1/traces");
    write_head(o);
    read_headers(o);
    o->timer = loop_timer_new(c->loop, on_timer, o);
    return o;
}

void otlp_sender_free(struct otlp_sender *o)
{
    if (!o)
        return;
    fetch_cancel(o->fetch);
    loop_timer_free(o->timer);
    buf_free(&o->head);
    buf_free(&o->url);
    buf_free(&o->names);
    otlp_free(o->queue);
    buf_free(&o->sending);
    free(o);
}

struct otlp_stats otlp_stats(const struct otlp_sender *o)
{
    struct otlp_stats stats = {0};
    if (!o)
        return stats;
    stats = o->stats;
    stats.dropped += otlp_dropped(o->queue); /* it had no room for them */
    return stats;
}

/* ---- what each request has ---- */

static void add_resource(struct otlp_sender *o, const char *key, struct str value)
{
    trace_text(&o->head, key, value);
}

static void write_head(struct otlp_sender *o)
{
    const struct otlp_sender_config *c = &o->config;
    scoped_buf(value, PAIRS_BYTES_MAX);
    buf_puts(&o->head, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    add_resource(o, "service.name", str_of(c->service));
    add_resource(o, "service.version", str_of(c->version));
    add_resource(o, "service.instance.id", str_of(c->instance));
    for (struct str rest = str_trim(str_of(c->attributes)), key; pairs_next(&rest, &key, &value);) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)key.len, key.at);
        if (!str_is(key, "service.name")) /* OTEL_SERVICE_NAME goes before it */
            add_resource(o, name, buf_str(&value));
    }
    buf_printf(&o->head,
               "]},\"scopeSpans\":[{\"scope\":{\"name\":\"persai\",\"version\":\"%s\"},"
               "\"spans\":[",
               c->version);
}

static void read_headers(struct otlp_sender *o)
{
    scoped_buf(value, PAIRS_BYTES_MAX);
    buf_keep_secret(&value);
    buf_clear(&o->names);
    struct str rest = str_trim(secret_reveal(o->config.headers)), key;
    size_t at[2 * PAIRS_MAX];
    unsigned count = 0;
    for (; count < PAIRS_MAX && pairs_next(&rest, &key, &value); count++) {
        at[2 * count] = o->names.len;
        buf_add_str(&o->names, key);
        buf_putc(&o->names, '\0');
        at[2 * count + 1] = o->names.len;
        buf_add_str(&o->names, buf_str(&value));
        buf_putc(&o->names, '\0');
    }
    o->headers[0] = (struct fetch_header){"Content-Type", STR("application/json")};
    for (unsigned i = 0; i < count; i++) /* now that it moves no more */
        o->headers[1 + i] =
            (struct fetch_header){o->names.at + at[2 * i], str_of(o->names.at + at[2 * i + 1])};
    o->header_count = 1 + count;
}

void otlp_sender_renew(struct otlp_sender *o, struct secret *headers)
{
    if (!o)
        return;
    o->config.headers = headers;
    read_headers(o); /* a request that is under way has its own copy */
}

/* ---- spans come ---- */

struct otlp *otlp_sender_queue(struct otlp_sender *o) { return o ? o->queue : NULL; }

/* Waits for more of them, or sends. */
static void next(void *arg)
{
    struct otlp_sender *o = arg;
    size_t waits = otlp_bytes(o->queue);
    if (o->sending_count > 0 || waits == 0)
        return;
    int64_t left_ms = o->quiet_ms - loop_now_ms(o->config.loop);
    if (left_ms > 0)
        loop_timer_set(o->timer, left_ms, 0);
    else if (waits >= BATCH_BYTES || o->leave_ms != 0)
        loop_timer_set(o->timer, 0, 0);
    else if (!loop_timer_active(o->timer))
        loop_timer_set(o->timer, BATCH_MS, 0);
}

static void on_timer(void *arg)
{
    struct otlp_sender *o = arg;
    if (o->sending_count == 0) {
        buf_add_str(&o->sending, buf_str(&o->head));
        o->sending_count = otlp_take(o->queue, &o->sending);
        buf_puts(&o->sending, "]}]}]}");
        CHECK(!o->sending.overflowed);
        o->tries = 0;
    }
    send(o);
}

/* ---- and go ---- */

static void send(struct otlp_sender *o)
{
    static const struct fetch_handler handler = {.on_done = on_done};
    struct fetch_request r = {.method = "POST",
                              .url = buf_cstr(&o->url),
                              .headers = o->headers,
                              .header_count = o->header_count,
                              .body = buf_str(&o->sending),
                              .total_ms = TOTAL_MS,
                              .body_bytes_keep = ANSWER_BYTES_MAX,
                              .collect = true,
                              .use_proxy = true};
    o->tries++;
    o->fetch = fetch_start(o->config.fetches, &r, &handler, o);
}

static bool may_help(const struct fetch_result *r)
{
    int s = r->http_status;
    return s == 0 || s == 429 || s == 502 || s == 503 || s == 504 ||
           (s == 200 && r->status != FETCH_OK && r->status != FETCH_CUT);
}

/* How long it wants to be left alone (Retry-After): it gets nothing then, not the next batch
 * either. What comes meanwhile waits as far as there is room, the rest is dropped. */
static int64_t asked_ms(struct otlp_sender *o, const struct fetch_result *r)
{
    int64_t asked = may_help(r) ? fetch_retry_after_ms(o->fetch) : 0;
    int64_t ms = asked < ASKED_MS_MAX ? asked : ASKED_MS_MAX;
    if (ms > 0)
        o->quiet_ms = loop_now_ms(o->config.loop) + ms;
    if (ms > ASKED_MS_SAID && !o->silent) {
        log_warn("trace.collector", "takes_spans=0 status=%d asked_ms=%lld waits_ms=%lld",
                 r->http_status, (long long)asked, (long long)ms);
        o->silent = true;
    }
    return ms;
}

/* Up to a half longer: those that it refused do not come again all at once. */
static int64_t pause_ms(const struct otlp_sender *o, int64_t asked)
{
    int64_t ms = (int64_t)BACKOFF_MS << (o->tries - 1);
    if (asked > ms)
        return asked;
    return ms + (int64_t)randombytes_uniform((uint32_t)(ms / 2));
}

/* ExportTracePartialSuccess: {"partialSuccess":{"rejectedSpans":"3",…}}. A number or a text. */
static uint64_t rejected(struct str body)
{
    static const char name[] = "\"rejectedSpans\"";
    const char *at = body.len ? memmem(body.at, body.len, name, sizeof(name) - 1) : NULL;
    uint64_t count = 0;
    if (!at)
        return 0;
    const char *end = body.at + body.len;
    for (at += sizeof(name) - 1; at < end && strchr(": \t\r\n\"", *at);)
        at++;
    struct str digits = {at, 0};
    while (at + digits.len < end && at[digits.len] >= '0' && at[digits.len] <= '9')
        digits.len++;
    return str_u64(digits, UINT32_MAX, &count) ? count : 0;
}

static void done(struct otlp_sender *o)
{
    buf_clear(&o->sending);
    o->sending_count = 0;
    next(o);
}

static void on_done(void *arg, const struct fetch_result *r)
{
    struct otlp_sender *o = arg;
    bool taken = r->http_status >= 200 && r->http_status < 300 && !may_help(r);
    if (taken) {
        uint64_t not_taken = rejected(r->body);
        if (not_taken > o->sending_count)
            not_taken = o->sending_count;
        tell_taken(o, r, not_taken);
    } else if (may_help(r) && o->tries < TRIES_MAX && o->leave_ms == 0) {
        o->stats.retries++;
        loop_timer_set(o->timer, pause_ms(o, asked_ms(o, r)), 0);
        o->fetch = NULL;
        return;
    } else {
        asked_ms(o, r);
        give_up(o, r);
    }
    o->fetch = NULL;
    done(o);
}

static void tell_taken(struct otlp_sender *o, const struct fetch_result *r, uint64_t not_taken)
{
    enum { WORDS_MAX = 300 };
    struct str words = {r->body.at, r->body.len < WORDS_MAX ? r->body.len : WORDS_MAX};
    o->stats.refused += not_taken;
    o->stats.sent += o->sending_count - not_taken;
    if (o->silent)
        log_info("trace.collector", "takes_spans=1");
    if (not_taken > 0 && !o->partial)
        log_warn("trace.collector", "refused=%llu of=%u says=%s", (unsigned long long)not_taken,
                 o->sending_count, log_text(words));
    o->partial = not_taken > 0;
    o->silent = false;
}

/* Told once, until it takes spans again. */
static void give_up(struct otlp_sender *o, const struct fetch_result *r)
{
    if (may_help(r))
        o->stats.dropped += o->sending_count;
    else
        o->stats.refused += o->sending_count;
    if (!o->silent)
        log_warn("trace.collector", "takes_spans=0 status=%d why=%s", r->http_status,
                 log_text(str_of(r->error)));
    o->silent = true;
}

bool otlp_leave(struct otlp_sender *o)
{
    if (!o)
        return true;
    int64_t now_ms = loop_now_ms(o->config.loop);
    if (now_ms < o->quiet_ms)
        return true; /* it is left alone, and what waits is lost */
    if (o->leave_ms == 0) {
        o->leave_ms = now_ms + LEAVE_MS;
        if (o->sending_count > 0 && !o->fetch)
            loop_timer_set(o->timer, 0, 0); /* it was to be sent again: once more, now */
        else
            next(o);
    }
    return (o->sending_count == 0 && otlp_bytes(o->queue) == 0) || now_ms >= o->leave_ms;
}
