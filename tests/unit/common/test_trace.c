/* traceparent as W3C has it, spans as OTLP's JSON has them, and the queue's bound. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "common/otlp.h"
#include "common/otlp_send.h"
#include "common/pairs.h"
#include "common/trace.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void a_traceparent_is_read_and_written(void **state)
{
    (void)state;
    struct trace_point p;
    char text[TRACE_PARENT_TEXT + 1];
    assert_true(trace_parse(STR("00-" TRACE "-" PARENT "-01"), &p) && trace_on(&p) && p.sampled);
    trace_write(&p, text);
    assert_string_equal(text, "00-" TRACE "-" PARENT "-01");
    assert_true(trace_parse(STR("00-" TRACE "-" PARENT "-02"), &p) && !p.sampled);
    assert_true(trace_parse(STR("01-" TRACE "-" PARENT "-01-more"), &p) && p.sampled);
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "00",
                                      "00-" TRACE "-" PARENT "-0",
                                      "00-" TRACE "-" PARENT "-01-more",
                                      "ff-" TRACE "-" PARENT "-01",
                                      "0g-" TRACE "-" PARENT "-01",
                                      "00-00000000000000000000000000000000-" PARENT "-01",
                                      "00-" TRACE "-0000000000000000-01",
                                      "00-0AF7651916cd43dd8448eb211c80319c-" PARENT "-01",
                                      "01-" TRACE "-" PARENT "-01more",
                                      "00_" TRACE "-" PARENT "-01",
                                      "00-" TRACE "-" PARENT "-zz"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct trace_point p;
        memset(&p, 1, sizeof(p));
        assert_false(trace_parse(str_of(bad[i]), &p));
        assert_false(trace_on(&p));
    }
}

static void a_span_is_json_with_its_attributes(void **state)
{
    (void)state;
    static const uint8_t trace[TRACE_ID] = {0x0a, 0xf7, 0x65};
    struct trace_span root, child;
    scoped_buf(b, 4096);
    trace_begin_new(&root, trace);
    trace_begin(&child, &root.at);
    trace_backdate(&child, 50);
    assert_true(trace_told(&child));
    trace_open(&b, &child, "chat \"x\"", SPAN_CLIENT);
    trace_text(&b, "text", STR("a\n}"));
    trace_text(&b, "left.out", STR(""));
    trace_number(&b, "number", -3);
    trace_real(&b, "real", 0.5);
    trace_flag(&b, "flag", true);
    trace_texts(&b, "texts", STR("one"));
    trace_close(&b, "model_refused");
    json_auto_t *v = json_loadb(b.at, b.len, 0, NULL);
    assert_non_null(v);
    assert_int_equal(json_array_size(json_object_get(v, "attributes")), 6);
    assert_int_equal(json_integer_value(json_object_get(v, "kind")), 3);
    assert_string_equal(json_string_value(json_object_get(v, "name")), "chat \"x\"");
    char id[2 * TRACE_SPAN_ID + 1], parent[TRACE_PARENT_TEXT + 1];
    trace_write(&root.at, parent);
    memcpy(id, parent + 36, sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    assert_string_equal(json_string_value(json_object_get(v, "parentSpanId")), id);
}

static void what_is_in_no_trace_is_off(void **state)
{
    (void)state;
    struct trace_point none = {0};
    struct trace_span s;
    trace_begin(&s, &none);
    trace_backdate(&s, 50);
    assert_false(trace_told(&s) || trace_on(&s.at));
    assert_null(otlp_span(NULL, &s));
}

static void woken(void *arg) { ++*(unsigned *)arg; }

static void the_queue_drops_and_counts_what_is_too_much(void **state)
{
    (void)state;
    static const uint8_t trace[TRACE_ID] = {1};
    static char text[100 << 10];
    unsigned wakes = 0, added = 0;
    struct otlp *o = otlp_new(woken, &wakes);
    struct trace_span s;
    memset(text, 'x', sizeof(text));
    while (otlp_dropped(o) < 3) {
        trace_begin_new(&s, trace);
        struct buf *b = otlp_span(o, &s);
        trace_open(b, &s, "s", SPAN_INTERNAL);
        trace_text(b, "t", (struct str){text, sizeof(text)});
        trace_close(b, NULL);
        otlp_add(o);
        added++;
        assert_true(otlp_bytes(o) <= OTLP_BYTES_MAX && added < 100);
    }
    scoped_buf(all, OTLP_BYTES_MAX + 2);
    buf_putc(&all, '[');
    assert_int_equal(otlp_take(o, &all), added - 3);
    buf_putc(&all, ']');
    assert_int_equal(wakes, added - 3);
    json_auto_t *v = json_loadb(all.at, all.len, 0, NULL);
    assert_int_equal(json_array_size(v), added - 3);
    assert_int_equal(otlp_bytes(o), 0);
    otlp_free(o);
}

/* What the queue had no room for is lost as well. */
static void what_the_queue_drops_is_among_the_senders_dropped(void **state)
{
    (void)state;
    static const uint8_t trace[TRACE_ID] = {1};
    static char text[100 << 10];
    char error[256];
    struct loop *loop = loop_new();
    struct fetch_pool *fetches = fetch_pool_new(loop);
    struct otlp_sender *o =
        otlp_sender_new(&(struct otlp_sender_config){.loop = loop,
                                                     .fetches = fetches,
                                                     .endpoint = "http://127.0.0.1:1",
                                                     .service = "s",
                                                     .attributes = "",
                                                     .version = "1",
                                                     .instance = "i"},
                        error);
    memset(text, 'x', sizeof(text));
    for (unsigned i = 0; i < 100; i++) {
        struct trace_span s;
        trace_begin_new(&s, trace);
        struct buf *b = otlp_span(otlp_sender_queue(o), &s);
        trace_open(b, &s, "s", SPAN_INTERNAL);
        trace_text(b, "t", (struct str){text, sizeof(text)});
        trace_close(b, NULL);
        otlp_add(otlp_sender_queue(o));
    }
    assert_true(otlp_dropped(otlp_sender_queue(o)) > 0);
    assert_int_equal(otlp_stats(o).dropped, otlp_dropped(otlp_sender_queue(o)));
    otlp_sender_free(o);
    fetch_pool_free(fetches);
    loop_free(loop);
}

static void pairs_are_decoded_and_nonsense_is_named(void **state)
{
    (void)state;
    char error[256];
    scoped_buf(value, PAIRS_BYTES_MAX);
    struct str rest = STR(" a=b%20c , x-key=k=1%2 ,z=%41"), key;
    assert_true(pairs_ok(rest, error));
    assert_true(pairs_next(&rest, &key, &value) && str_is(key, "a") &&
                str_is(buf_str(&value), "b c"));
    assert_true(pairs_next(&rest, &key, &value) && str_is(buf_str(&value), "k=1%2"));
    assert_true(pairs_next(&rest, &key, &value) && str_is(buf_str(&value), "A"));
    assert_false(pairs_next(&rest, &key, &value));
    static const char *const bad[] = {
        "a",     "=b",    "a=b,,c=d", "a=%0d%0aX: y",
        "a b=c", "a:b=c", "a=\xff",   "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(pairs_ok(str_of(bad[i]), error));
    assert_true(pairs_ok(STR(""), error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_traceparent_is_read_and_written),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_span_is_json_with_its_attributes),
        cmocka_unit_test(what_is_in_no_trace_is_off),
        cmocka_unit_test(the_queue_drops_and_counts_what_is_too_much),
        cmocka_unit_test(what_the_queue_drops_is_among_the_senders_dropped),
        cmocka_unit_test(pairs_are_decoded_and_nonsense_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
