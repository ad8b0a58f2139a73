/* The breaker by traces: f fails, s succeeds, ? asks; +N lets N ms pass; a, b and * are who does it
 * from then on (* is nobody in particular). Each fact and question writes a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/breaker.h"

static const char *play(const char *facts)
{
    static char trace[2048];
    struct breaker b = {0};
    int64_t now_ms = 1000;
    size_t len = 0;
    uint64_t owner = 0;
    trace[0] = '\0';
    for (const char *at = facts; *at; at++) {
        char asked[32] = "";
        if (*at == 'f')
            breaker_failed(&b, owner, now_ms);
        else if (*at == 's')
            breaker_succeeded(&b);
        else if (*at == '?')
            snprintf(asked, sizeof(asked), "=%lld", (long long)breaker_wait_ms(&b, owner, now_ms));
        else if (*at == 'a' || *at == 'b' || *at == '*')
            owner = *at == '*' ? 0 : breaker_owner((struct str){at, 1});
        else if (*at == '+')
            now_ms += strtol(at + 1, (char **)&at, 10), at--;
        if (*at == '?' || *at == 'f' || *at == 's')
            len += (size_t)snprintf(trace + len, sizeof(trace) - len, "%c%s %s\n", *at, asked,
                                    breaker_state_name(b.state));
    }
    return trace;
}

static void five_failures_in_a_row_open_it_and_one_success_resets_the_count(void **state)
{
    (void)state;
    assert_string_equal(play("ffff?sffff?f?"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\n?=0 CLOSED\n"
                        "s CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\n"
                        "?=0 CLOSED\nf OPEN\n?=2000 OPEN\n");
}

static void after_a_while_one_call_probes_and_the_others_wait(void **state)
{
    (void)state;
    assert_string_equal(play("fffff+500?+1500??s?"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n?=1500 OPEN\n?=0 PROBE\n"
                        "?=30000 PROBE\ns CLOSED\n?=0 CLOSED\n");
}

static void failed_probe_opens_it_for_twice_as_long_up_to_a_minute(void **state)
{
    (void)state;
    assert_string_equal(play("fffff+2000?f?+4000?f?+8000?f+16000?f+32000?f?"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n?=0 PROBE\nf OPEN\n"
                        "?=4000 OPEN\n?=0 PROBE\nf OPEN\n?=8000 OPEN\n?=0 PROBE\nf OPEN\n"
                        "?=0 PROBE\nf OPEN\n?=0 PROBE\nf OPEN\n?=60000 OPEN\n");
}

static void late_failure_of_an_older_call_changes_nothing_while_it_is_open(void **state)
{
    (void)state;
    assert_string_equal(play("fffff+100ff?"), "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n"
                                              "f OPEN\nf OPEN\n?=1900 OPEN\n");
}

static void probe_that_is_never_heard_of_again_is_replaced(void **state)
{
    (void)state;
    assert_string_equal(play("fffff+2000?+30000??"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n?=0 PROBE\n?=0 PROBE\n"
                        "?=30000 PROBE\n");
}

static void one_owners_failures_keep_him_alone_away(void **state)
{
    (void)state;
    assert_string_equal(play("afffff?b?s?"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n?=2000 OPEN\n?=0 OPEN\n"
                        "s CLOSED\n?=0 CLOSED\n");
    /* His probe is his: another goes meanwhile. */
    assert_string_equal(play("afffff+2000?b?"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n?=0 PROBE\n?=0 PROBE\n");
}

static void anothers_failure_opens_it_to_all_and_not_for_long(void **state)
{
    (void)state;
    assert_string_equal(play("afffff+2000?f?b?f?*?"),
                        "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n?=0 PROBE\nf OPEN\n"
                        "?=4000 OPEN\n?=0 OPEN\nf OPEN\n?=2000 OPEN\n?=2000 OPEN\n");
    assert_string_equal(play("affbfaff?b?"), "f CLOSED\nf CLOSED\nf CLOSED\nf CLOSED\nf OPEN\n"
                                             "?=2000 OPEN\n?=2000 OPEN\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_in_a_row_open_it_and_one_success_resets_the_count),
        cmocka_unit_test(after_a_while_one_call_probes_and_the_others_wait),
        cmocka_unit_test(failed_probe_opens_it_for_twice_as_long_up_to_a_minute),
        cmocka_unit_test(late_failure_of_an_older_call_changes_nothing_while_it_is_open),
        cmocka_unit_test(probe_that_is_never_heard_of_again_is_replaced),
        cmocka_unit_test(one_owners_failures_keep_him_alone_away),
        cmocka_unit_test(anothers_failure_opens_it_to_all_and_not_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
