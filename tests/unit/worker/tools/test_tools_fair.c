/* Calls that wait for each other: rounds of owners, room for a datasource, one that stays silent.
 */
#include "tests/support/tools_fixture.h"
#include "tests/support/prometheus_answers.h"

static unsigned wanted;

static bool asked(void *arg)
{
    const struct fixture *f = arg;
    return f->asked_count >= wanted;
}

/* That many were asked, and no more come. */
static void expect_asked(struct fixture *f, unsigned count)
{
    wanted = count;
    assert_true(pump_within(f->pump, 5000, asked, f));
    pump_for(f->pump, 20);
    assert_int_equal(f->asked_count, count);
}

static void runs_wait_for_room_and_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    static const struct answer silent[] = {{.path = QUERY_RANGE, .status = 0, .body = STR("")},
                                           {0}};
    struct tool_run *runs[5];
    f->config.running_max = 2;
    fixture_tools(f);
    f->script = silent;
    for (unsigned i = 0; i < 5; i++)
        runs[i] = fixture_start(f, "execute_instant_query", "{\"query\":\"up\"}");
    expect_asked(f, 2);
    tool_cancel(runs[0]);
    tool_cancel(runs[4]); /* still waiting */
    expect_asked(f, 3);
    for (unsigned i = 1; i < 4; i++)
        tool_cancel(runs[i]);
    pump_for(f->pump, 20);
    assert_int_equal(f->done, 0);
}

/* One person's calls at a datasource that hangs: 70 s for everybody else's before there were
 * rounds. */
static void a_datasource_that_hangs_costs_only_its_own_askers(void **state)
{
    enum { FLOOD = 100 };
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT, {.path = QUERY, .status = 200, .body = STR(OK_VECTOR(""))}, {0}};
    static const char hanging[] =
        "{\"query\":\"up\",\"datasource\":\"/proxy/projects/shop/datasources/other\"}";
    struct tool_run *runs[FLOOD];
    fixture_tools(f);
    f->script = script;
    f->datasource_hangs = "/datasources/other/";
    f->owner = "mallory";
    for (unsigned i = 0; i < FLOOD; i++)
        runs[i] = fixture_start(f, "execute_instant_query", hanging);
    expect_asked(f, 16); /* a quarter of the room */
    f->owner = "alice";
    f->asked_count = 0;
    fixture_start(f, "execute_instant_query", "{\"query\":\"up\"}");
    assert_true(pump_within(f->pump, 2000, fixture_is_done, f));
    assert_false(f->failed);
    for (unsigned i = 0; i < FLOOD; i++)
        tool_cancel(runs[i]);
}

static bool five_ended(void *arg) { return ((struct fixture *)arg)->done == 5; }

static void a_datasource_that_stays_silent_is_left_alone(void **state)
{
    struct fixture *f = *state;
    static const struct answer script[] = {
        COUNT, {.path = QUERY, .status = 200, .body = STR(OK_VECTOR(""))}, {0}};
    f->config.timeout_ms = 200;
    fixture_tools(f);
    f->script = script;
    f->datasource_hangs = "/prom/api/v1/labels";
    for (unsigned i = 0; i < 5; i++)
        fixture_start(f, "list_label_names", "{}");
    assert_true(pump_within(f->pump, 5000, five_ended, f));
    fixture_expect_error(f, "timeout", "no whole answer in time");
    f->owner = "alice";
    fixture_run(f, script, "list_label_names", "{}");
    fixture_expect_error(f, "silent", "left alone for now; it is tried again in 2 s");
    assert_int_equal(f->asked_count, 0);
    fixture_run(f, script, "execute_range_query", "{\"query\":\"sum(up\"}");
    fixture_expect_error(f, "silent", "left alone"); /* all of its tools */
    f->owner = "bob"; /* only alice's calls were silent: his may go, and it answers him */
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
    f->owner = "alice";
    fixture_run(f, script, "execute_instant_query", "{\"query\":\"up\"}");
    assert_false(f->failed);
}

static void who_makes_too_many_calls_is_told(void **state)
{
    enum { FLOOD = 64 + 128 };
    struct fixture *f = *state;
    static const struct answer silent[] = {{.path = QUERY_RANGE, .status = 0, .body = STR("")},
                                           {0}};
    struct tool_run *runs[FLOOD];
    f->script = silent;
    for (unsigned i = 0; i < FLOOD; i++)
        runs[i] = fixture_start(f, "execute_instant_query", "{\"query\":\"up\"}");
    pump_for(f->pump, 50);
    assert_int_equal(f->done, FLOOD - 128); /* none went before the first pass */
    fixture_expect_error(f, "too_many_calls", "Too many calls wait");
    for (unsigned i = 0; i < 128; i++)
        tool_cancel(runs[i]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(runs_wait_for_room_and_can_be_cancelled),
        T(a_datasource_that_hangs_costs_only_its_own_askers),
        T(a_datasource_that_stays_silent_is_left_alone),
        T(who_makes_too_many_calls_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
