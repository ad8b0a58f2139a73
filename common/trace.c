#include "common/trace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sodium.h>
#include "common/hex.h"
#include "common/json.h"

static bool any(const uint8_t *bytes, size_t len);
static int64_t wall_ns(void);
static void attribute(struct buf *b, const char *key, const char *type);

/* ---- where ---- */

bool trace_on(const struct trace_point *p) { return any(p->trace, sizeof(p->trace)); }

/* 00-TRACE-SPAN-FLAGS; a later version may say more behind another dash (section 3.2.4). */
bool trace_parse(struct str t, struct trace_point *out)
{
    uint8_t version, flags;
    struct trace_point p = {0};
    *out = p;
    bool ok = t.len >= TRACE_PARENT_TEXT && t.at[2] == '-' && t.at[35] == '-' && t.at[52] == '-' &&
              hex_read((struct str){t.at, 2}, &version) &&
              hex_read((struct str){t.at + 3, sizeof(p.trace) * 2}, p.trace) &&
              hex_read((struct str){t.at + 36, sizeof(p.span) * 2}, p.span) &&
              hex_read((struct str){t.at + 53, 2}, &flags);
    if (!ok || version == 0xff || (version == 0 && t.len != TRACE_PARENT_TEXT) ||
        (t.len > TRACE_PARENT_TEXT && t.at[TRACE_PARENT_TEXT] != '-') || !trace_on(&p) ||
        !any(p.span, sizeof(p.span)))
        return false;
    p.sampled = flags & 1;
    *out = p;
    return true;
}

void trace_write(const struct trace_point *p, char out[TRACE_PARENT_TEXT + 1])
{
    char trace[sizeof(p->trace) * 2 + 1], span[sizeof(p->span) * 2 + 1];
    hex_write(p->trace, sizeof(p->trace), trace);
    hex_write(p->span, sizeof(p->span), span);
    snprintf(out, TRACE_PARENT_TEXT + 1, "00-%s-%s-%s", trace, span, p->sampled ? "01" : "00");
}

void trace_id_text(const uint8_t trace[TRACE_ID], char out[TRACE_ID_TEXT + 1])
{
    hex_write(trace, TRACE_ID, out);
}

static bool any(const uint8_t *bytes, size_t len)
{
    uint8_t all = 0;
    for (size_t i = 0; i < len; i++)
        all |= bytes[i];
    return all != 0;
}

/* ---- spans ---- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t trace_clock_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
static int64_t wall_ns(void) { return clock_ns(CLOCK_REALTIME); }

void trace_begin(struct trace_span *s, const struct trace_point *parent)
{
    *s = (struct trace_span){0};
    if (!trace_on(parent))
        return;
    s->at = *parent;
    memcpy(s->parent, parent->span, sizeof(s->parent));
    randombytes_buf(s->at.span, sizeof(s->at.span));
    s->begun_ns = wall_ns();
}

void trace_begin_new(struct trace_span *s, const uint8_t trace[TRACE_ID])
{
    struct trace_point none = {.sampled = true};
    memcpy(none.trace, trace, sizeof(none.trace));
    trace_begin(s, &none);
}

void trace_backdate(struct trace_span *s, int64_t ms)
{
    if (s->begun_ns != 0)
        s->begun_ns -= ms * 1000000;
}

bool trace_told(const struct trace_span *s) { return s->begun_ns != 0 && s->at.sampled; }

void trace_open(struct buf *b, const struct trace_span *s, const char *name, enum span_kind kind)
{
    char trace[TRACE_ID_TEXT + 1], span[2 * TRACE_SPAN_ID + 1], parent[2 * TRACE_SPAN_ID + 1];
    int64_t now_ns = wall_ns();
    hex_write(s->at.trace, sizeof(s->at.trace), trace);
    hex_write(s->at.span, sizeof(s->at.span), span);
    hex_write(s->parent, sizeof(s->parent), parent);
    buf_printf(b, "{\"traceId\":\"%s\",\"spanId\":\"%s\",", trace, span);
    if (any(s->parent, sizeof(s->parent)))
        buf_printf(b, "\"parentSpanId\":\"%s\",", parent);
    buf_puts(b, "\"name\":");
    json_str(b, str_of(name));
    buf_printf(b,
               ",\"kind\":%d,\"startTimeUnixNano\":\"%lld\",\"endTimeUnixNano\":\"%lld\","
               "\"attributes\":[",
               (int)kind, (long long)s->begun_ns,
               (long long)(now_ns < s->begun_ns ? s->begun_ns : now_ns)); /* the clock was set */
}

/* Up to the value, which closes by itself. */
static void attribute(struct buf *b, const char *key, const char *type)
{
    if (b->len > 0 && b->at[b->len - 1] == '}')
        buf_putc(b, ',');
    buf_printf(b, "{\"key\":\"%s\",\"value\":{\"%s\":", key, type);
}

void trace_text(struct buf *b, const char *key, struct str value)
{
    if (value.len == 0)
        return;
    attribute(b, key, "stringValue");
    json_str(b, value);
    buf_puts(b, "}}");
}

void trace_number(struct buf *b, const char *key, int64_t value)
{
    attribute(b, key, "intValue");
    buf_printf(b, "\"%lld\"}}", (long long)value);
}

void trace_real(struct buf *b, const char *key, double value)
{
    attribute(b, key, "doubleValue");
    buf_printf(b, "%.6f}}", value);
}

void trace_flag(struct buf *b, const char *key, bool value)
{
    attribute(b, key, "boolValue");
    buf_printf(b, "%s}}", value ? "true" : "false");
}

void trace_texts(struct buf *b, const char *key, struct str one)
{
    if (one.len == 0)
        return;
    attribute(b, key, "arrayValue");
    buf_puts(b, "{\"values\":[{\"stringValue\":");
    json_str(b, one);
    buf_puts(b, "}]}}}");
}

void trace_close(struct buf *b, const char *error)
{
    if (error)
        trace_text(b, "error.type", str_of(error));
    buf_puts(b, error ? "],\"status\":{\"code\":2}}" : "],\"status\":{}}");
}
