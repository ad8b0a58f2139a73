#include "tests/support/unit.h"
#include "proto/frame.h"
#include "proto/pack.h"

static struct frame a_turn(void)
{
    return (struct frame){.code = FRAME_TURN,
                          .TURN = {.session = id_new(),
                                   .turn = id_new(),
                                   .epoch = 7,
                                   .token = secret_new(STR("t.o.k")),
                                   .heard = 1ULL << 40,
                                   .opening = STR("o")}};
}

static void a_frame_comes_back_as_it_was(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct frame in = a_turn(), out;
    assert_true(frame_encode(&in, &b));
    struct str rest = buf_str(&b);
    assert_int_equal(frame_decode(&rest, FRAME_TO_WORKER, &out), ERR_NONE);
    assert_int_equal(rest.len, 0);
    assert_true(id_eq(in.TURN.session, out.TURN.session) && id_eq(in.TURN.turn, out.TURN.turn));
    assert_int_equal(out.TURN.epoch, 7);
    assert_true(out.TURN.heard == 1ULL << 40 && str_is(out.TURN.opening, "o"));
    assert_true(secret_eq(in.TURN.token, out.TURN.token));
    frame_free(&in);
    frame_free(&out);
}

static void several_frames_follow_each_other(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    for (uint32_t i = 1; i <= 3; i++) {
        struct frame f = {.code = FRAME_EVENT,
                          .EVENT = {.epoch = 1, .seq = i, .payload = STR("{}")}};
        assert_true(frame_encode(&f, &b));
    }
    struct str rest = buf_str(&b);
    for (uint32_t i = 1; i <= 3; i++) {
        struct frame f;
        assert_int_equal(frame_decode(&rest, FRAME_TO_GATEWAY, &f), ERR_NONE);
        assert_int_equal(f.EVENT.seq, i);
    }
    assert_int_equal(rest.len, 0);
}

static void a_frame_of_the_other_way_is_refused(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct frame in = a_turn(), out;
    assert_true(frame_encode(&in, &b));
    struct str rest = buf_str(&b);
    assert_int_equal(frame_decode(&rest, FRAME_TO_GATEWAY, &out), ERR_BAD_FRAME);
    frame_free(&in);
    buf_clear(&b);
    struct frame beat = {.code = FRAME_BEAT};
    assert_true(frame_encode(&beat, &b));
    rest = buf_str(&b);
    assert_int_equal(frame_decode(&rest, FRAME_TO_GATEWAY, &out), ERR_NONE);
    rest = buf_str(&b);
    assert_int_equal(frame_decode(&rest, FRAME_TO_WORKER, &out), ERR_NONE);
}

static void a_cut_frame_is_refused_at_every_byte(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct frame in = a_turn(), out;
    assert_true(frame_encode(&in, &b));
    frame_free(&in);
    for (size_t len = 0; len < b.len; len++) {
        char *copy = xmalloc(len); /* exact, so that a sanitizer sees a read past the end */
        memcpy(copy, b.at, len);
        struct str rest = {copy, len};
        assert_int_equal(frame_decode(&rest, FRAME_TO_WORKER, &out), ERR_BAD_FRAME);
        free(copy);
    }
}

static void changed_bytes_never_crash_the_decoder(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct frame in = a_turn();
    assert_true(frame_encode(&in, &b));
    frame_free(&in);
    for (size_t at = 0; at < b.len; at++) {
        for (unsigned value = 0; value < 256; value++) {
            char kept = b.at[at];
            b.at[at] = (char)value;
            struct str rest = buf_str(&b);
            struct frame out;
            if (frame_decode(&rest, FRAME_TO_WORKER, &out) == ERR_NONE)
                frame_free(&out);
            b.at[at] = kept;
        }
    }
}

static void bounds_hold_both_ways(void **state)
{
    (void)state;
    scoped_buf(b, 1 << 20);
    char long_text[300];
    memset(long_text, 'x', sizeof(long_text));
    struct frame bye = {.code = FRAME_BYE, .BYE = {.reason = {long_text, 257}}}, out;
    assert_false(frame_encode(&bye, &b));
    assert_int_equal(b.len, 0);
    pack_array(&b, 2);
    pack_u64(&b, FRAME_BYE);
    pack_text(&b, (struct str){long_text, 257});
    struct str rest = buf_str(&b);
    assert_int_equal(frame_decode(&rest, FRAME_TO_WORKER, &out), ERR_BAD_FRAME);
}

static void a_missing_or_extra_field_is_refused(void **state)
{
    (void)state;
    for (uint32_t count = 2; count <= 4; count += 2) {
        scoped_buf(b, 256);
        struct frame out;
        pack_array(&b, count);
        pack_u64(&b, FRAME_BEAT);
        for (uint32_t i = 1; i < count; i++)
            pack_u64(&b, 1);
        struct str rest = buf_str(&b);
        assert_int_equal(frame_decode(&rest, FRAME_BOTH, &out), ERR_BAD_FRAME);
    }
}

static void a_claimed_gigabyte_allocates_nothing(void **state)
{
    (void)state;
    static const char hostile[] = "\xdd\x0f\xff\xff\xff\x10";    /* array of 268 million */
    static const char inside[] = "\x92\x02\xdd\x0f\xff\xff\xff"; /* as a field */
    static const char text[] = "\x92\x14\xdb\x7f\xff\xff\xff";   /* text of 2 GiB */
    struct frame out;
    struct str all[] = {
        {hostile, sizeof(hostile) - 1}, {inside, sizeof(inside) - 1}, {text, sizeof(text) - 1}};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(frame_decode(&all[i], FRAME_BOTH, &out), ERR_BAD_FRAME);
}

static void a_log_line_has_no_secret(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    struct frame f = a_turn();
    frame_log(&f, &b);
    assert_null(strstr(buf_cstr(&b), "t.o.k"));
    assert_non_null(strstr(buf_cstr(&b), "token_set=1"));
    frame_free(&f);
}

int main(void)
{
    secret_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_comes_back_as_it_was),
        cmocka_unit_test(several_frames_follow_each_other),
        cmocka_unit_test(a_frame_of_the_other_way_is_refused),
        cmocka_unit_test(a_cut_frame_is_refused_at_every_byte),
        cmocka_unit_test(changed_bytes_never_crash_the_decoder),
        cmocka_unit_test(bounds_hold_both_ways),
        cmocka_unit_test(a_missing_or_extra_field_is_refused),
        cmocka_unit_test(a_claimed_gigabyte_allocates_nothing),
        cmocka_unit_test(a_log_line_has_no_secret),
    };
    return cmocka_run_group_tests_name("proto/frame", tests, NULL, NULL);
}
