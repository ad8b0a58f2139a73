#include "proto/usage.h"

#include "common/json.h"

void usage_add(struct usage *u, const struct usage *more)
{
    u->input_tokens += more->input_tokens;
    u->output_tokens += more->output_tokens;
    u->cached_tokens += more->cached_tokens;
    u->cost += more->cost;
}

void usage_json(struct buf *b, const struct usage *u)
{
    enum { DOLLAR = 1000000 };
    buf_putc(b, '{');
    json_field_u64(b, "input_tokens", u->input_tokens);
    json_field_u64(b, "output_tokens", u->output_tokens);
    json_field_u64(b, "cached_input_tokens", u->cached_tokens);
    if (u->cost > 0)
        buf_printf(b, ",\"cost\":%llu.%06llu", (unsigned long long)(u->cost / DOLLAR),
                   (unsigned long long)(u->cost % DOLLAR));
    buf_putc(b, '}');
}
