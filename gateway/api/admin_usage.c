/* gateway/api/admin_usage.c: what people used, day by day, for administrators. */
#include <stdio.h>
#include <stdlib.h>
#include "common/audit.h"
#include "common/check.h"
#include "common/json.h"
#include "common/utc.h"
#include "gateway/api/call.h"
#include "proto/store/tally.h"

enum {
    DAYS = 7,
    BYTES_MAX = 64 << 20, /* of TALLY_DAYS days of TALLY_ROWS_MAX rows with long names */
};

struct usage_of {
    struct buf b;
    unsigned days, at, today;
};

static void ask(struct call *c);
static void on_day(void *arg, enum err err, const struct store_answer *a);
static void end(struct call *c);

void api_admin_usage(struct call *c)
{
    struct str text;
    uint64_t days = DAYS;
    if (http_query(c->request, "days", &text) && !(str_u64(text, TALLY_DAYS, &days) && days > 0)) {
        call_fail(c, ERR_INVALID, "days is a number from 1 to 35");
        return;
    }
    struct usage_of *u = xcalloc(1, sizeof(*u));
    *u = (struct usage_of){
        .b = buf_empty(BYTES_MAX), .days = (unsigned)days, .today = tally_today()};
    buf_printf(&u->b, "{\"days\":%u,\"rows\":[", u->days);
    c->data = u;
    c->on_gone = end;
    ask(c);
}

static void end(struct call *c)
{
    struct usage_of *u = c->data;
    buf_free(&u->b);
    free(u);
    c->data = NULL;
    c->on_gone = NULL;
}

static void ask(struct call *c)
{
    const struct usage_of *u = c->data;
    c->store_call = tally_read(c->gateway->store, u->today - u->at, on_day, c);
}

static void write_row(struct buf *b, unsigned day, const struct store_tally *t)
{
    char date[UTC_TEXT_MAX];
    utc_write(day * UTC_DAY_MS, UTC_SECONDS, date);
    buf_puts(b, b->at[b->len - 1] == '[' ? "{" : ",{");
    json_field(b, "day", (struct str){date, sizeof("2026-11-28") - 1});
    audit_person(b, t->owner);
    json_field(b, "model", t->model);
#define X(name) json_field_u64(b, #name, (uint64_t)t->sums.name);
    TALLY_COUNTERS(X)
#undef X
    buf_putc(b, '}');
}

static void on_day(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    struct usage_of *u = c->data;
    c->store_call = 0;
    if (err) {
        end(c);
        call_fail(c, err, NULL);
        return;
    }
    for (unsigned i = 0; i < a->tally_count; i++)
        write_row(&u->b, u->today - u->at, &a->tallies[i]);
    if (++u->at < u->days) {
        ask(c);
        return;
    }
    buf_puts(&u->b, "]}");
    scoped_buf_taken(answer, u->b);
    u->b = buf_empty(0);
    end(c);
    call_reply(c, 200, buf_str(&answer));
}
