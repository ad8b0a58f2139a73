#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/sse.h"

struct heard {
    char text[4096];
    unsigned count, stop_after;
};

static bool on_event(void *arg, struct str name, struct str data)
{
    struct heard *h = arg;
    size_t len = strlen(h->text);
    snprintf(h->text + len, sizeof(h->text) - len, "[%.*s|%.*s]", (int)name.len, name.at,
             (int)data.len, data.at);
    return ++h->count != h->stop_after;
}

/* Feeds text in pieces of `piece` bytes, each in memory of its own so that a stale pointer shows.
 */
static enum sse_status feed(struct heard *h, const char *text, size_t piece, size_t max)
{
    struct sse s;
    sse_init(&s, max, on_event, h);
    enum sse_status status = SSE_MORE;
    size_t len = strlen(text);
    for (size_t at = 0; at < len && status == SSE_MORE; at += piece) {
        size_t n = len - at < piece ? len - at : piece;
        char *copy = malloc(n);
        memcpy(copy, text + at, n);
        status = sse_feed(&s, (struct str){copy, n});
        free(copy);
    }
    sse_free(&s);
    return status;
}

static void expect(const char *text, const char *events)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct heard h = {{0}, 0, 0};
        assert_int_equal(feed(&h, text, piece, 1000), SSE_MORE);
        assert_string_equal(h.text, events);
    }
}

static void events_are_the_same_however_the_bytes_are_split(void **state)
{
    (void)state;
    expect("data: {\"a\":1}\n\ndata: two\n\n", "[|{\"a\":1}][|two]");
    expect("event: message_start\ndata: x\n\ndata: y\n\n", "[message_start|x][|y]");
    expect("data: one\ndata: two\ndata:\ndata:three\n\n", "[|one\ntwo\n\nthree]");
}

static void lines_end_in_lf_crlf_or_cr(void **state)
{
    (void)state;
    expect("data: a\r\n\r\ndata: b\r\n\r\n", "[|a][|b]");
    expect("data: a\r\rdata: b\r\r", "[|a][|b]");
    expect("data: a\r\ndata: b\n\ndata: c\r\r\n", "[|a\nb][|c]");
}

static void comments_unknown_fields_and_a_byte_order_mark_are_skipped(void **state)
{
    (void)state;
    expect("\xEF\xBB\xBF"
           "data: a\n\n",
           "[|a]");
    expect(": keep-alive\n\n:\n\nid: 7\nretry: 10\nfoo\nfoo: bar\ndata: a\n\n", "[|a]");
    expect("\n\n\ndatax: no\n data: no\ndata: a\n\n", "[|a]");
}

static void only_one_blank_after_the_colon_is_dropped(void **state)
{
    (void)state;
    expect("data:  a\n\ndata:b\n\ndata\n\ndata:\n\n", "[| a][|b][|][|]");
}

static void event_that_the_end_cuts_off_is_none(void **state)
{
    (void)state;
    expect("data: a\n\ndata: b\n", "[|a]");
    expect("data: a\n\ndata: b", "[|a]");
}

static void too_long_a_line_or_event_is_refused(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct heard h = {{0}, 0, 0};
        assert_int_equal(feed(&h, "data: 0123456789012345678901\n\n", piece, 20), SSE_TOO_BIG);
        assert_int_equal(feed(&h, "data: 01234567\ndata: 01234567\ndata: 01234567\n\n", piece, 20),
                         SSE_TOO_BIG);
        assert_int_equal(h.count, 0);
    }
}

static bool note_id(void *arg, struct str name, struct str data)
{
    struct sse *s = ((void **)arg)[0];
    struct heard *h = ((void **)arg)[1];
    (void)name;
    return on_event(h, str_of(s->id), data);
}

static void id_is_of_the_last_event_that_had_one(void **state)
{
    (void)state;
    struct sse s;
    struct heard h = {{0}, 0, 0};
    void *both[] = {&s, &h};
    sse_init(&s, 1000, note_id, both);
    assert_int_equal(sse_feed(&s, STR("id: 1-2\ndata: a\n\ndata: b\n\nid:3-")), SSE_MORE);
    assert_int_equal(sse_feed(&s, STR("4\ndata: c\n\nid\ndata: d\n\n")), SSE_MORE);
    assert_string_equal(h.text, "[1-2|a][1-2|b][3-4|c][|d]");
    assert_int_equal(
        sse_feed(&s, STR("id: 0123456789012345678901234567890123456789012345678901234567"
                         "8901234\ndata: e\n\n")),
        SSE_MORE);
    assert_string_equal(h.text, "[1-2|a][1-2|b][3-4|c][|d][|e]");
    sse_free(&s);
}

static void listener_can_stop(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 40; piece++) {
        struct heard h = {{0}, 0, 2};
        assert_int_equal(feed(&h, "data: a\n\ndata: b\n\ndata: c\n\n", piece, 100), SSE_STOPPED);
        assert_string_equal(h.text, "[|a][|b]");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_however_the_bytes_are_split),
        cmocka_unit_test(lines_end_in_lf_crlf_or_cr),
        cmocka_unit_test(comments_unknown_fields_and_a_byte_order_mark_are_skipped),
        cmocka_unit_test(only_one_blank_after_the_colon_is_dropped),
        cmocka_unit_test(event_that_the_end_cuts_off_is_none),
        cmocka_unit_test(too_long_a_line_or_event_is_refused),
        cmocka_unit_test(id_is_of_the_last_event_that_had_one),
        cmocka_unit_test(listener_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
