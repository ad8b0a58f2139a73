#include "worker/tools/span.h"

#include "worker/tools/args.h"
#include "worker/tools/moment.h"
#include "worker/tools/text.h"

static void add_remark(struct tool_run *r, struct str text, enum zone_remark remark,
                       int64_t unix_ms)
{
    scoped_buf(note, 600);
    if (remark == ZONE_PLAIN)
        return;
    buf_puts(&note, "The local time ");
    text_clean(&note, text, 64);
    if (remark == ZONE_TWICE)
        buf_puts(&note, " comes twice, as the clocks went back: the first of the two was taken, ");
    else if (remark == ZONE_SKIPPED)
        buf_puts(&note, " does not exist, as the clocks went forward: taken was ");
    else
        buf_printf(&note,
                   " was taken as UTC, as the time zone %s is not known here: ", r->timezone);
    moment_rfc3339(&note, unix_ms);
    buf_putc(&note, '.');
    run_remark(r, buf_str(&note));
}

bool span_moment(struct tool_run *r, const char *argument, int64_t *unix_ms)
{
    struct str text = str_trim(args_str(r->args, argument));
    enum zone_remark remark;
    if (text.len == 0)
        return true;
    if (moment_parse(text, r->now_ms, str_of(r->timezone), unix_ms, &remark)) {
        add_remark(r, text, remark, *unix_ms);
        return true;
    }
    run_fail(r, "bad_arguments",
             "The argument \"%s\" is no time. Write RFC 3339 (2026-01-31T12:00:00Z), Unix seconds, "
             "relative to now (now-1h), or as \"yesterday 14:00\" in the person's time zone.",
             argument);
    return false;
}

bool span_read(struct tool_run *r, struct span *s)
{
    if (!span_times(r, s))
        return false;
    if (s->start_ms < s->end_ms)
        return true;
    run_fail(r, "bad_arguments", "The start must be before the end.");
    return false;
}

bool span_times(struct tool_run *r, struct span *s)
{
    bool start = str_trim(args_str(r->args, "start")).len > 0;
    bool end = str_trim(args_str(r->args, "end")).len > 0;
    span_selected(r, SPAN_OTHERWISE_MS, &s->start_ms, &s->end_ms);
    int64_t length = s->end_ms - s->start_ms;
    if (!span_moment(r, "start", &s->start_ms))
        return false;
    if (start && !end && s->start_ms >= s->end_ms)
        s->end_ms = r->now_ms;
    if (!span_moment(r, "end", &s->end_ms))
        return false;
    if (end && !start)
        s->start_ms = s->end_ms > length ? s->end_ms - length : 0;
    if (s->start_ms > s->end_ms) {
        *s = (struct span){.start_ms = s->end_ms, .end_ms = s->start_ms};
        run_remark(r, STR("The start was after the end: the two were taken the other way round."));
    }
    return true;
}

void span_selected(const struct tool_run *r, int64_t otherwise_ms, int64_t *start_ms,
                   int64_t *end_ms)
{
    bool selected = r->range_end_ms > r->range_start_ms;
    *end_ms = selected ? r->range_end_ms : r->now_ms;
    *start_ms = selected ? r->range_start_ms : r->now_ms - otherwise_ms;
}
