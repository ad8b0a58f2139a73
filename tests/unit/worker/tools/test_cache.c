#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "common/check.h"
#include "worker/tools/cache.h"

enum { ENTRIES_MAX = 2, LONG_MS = 3600000 };

struct thing {
    struct cache_entry cached;
    unsigned number;
};
struct user {
    struct cache_use use;
    unsigned told;            /* the number of the thing that it was told of */
    struct user *takes_along; /* leaves when this one is told */
    bool has_left;
};
static unsigned loads, cleared;
static struct cache_entry *loading;

static void load(struct cache_entry *e, const struct tool_run *r)
{
    assert_ptr_equal(e->token, r->token);
    ((struct thing *)e)->number = ++loads;
    loading = e;
}
static void clear(struct cache_entry *e)
{
    (void)e;
    cleared++;
}
static const struct cache_of things = {
    .size = sizeof(struct thing), .entries_max = ENTRIES_MAX, .load = load, .clear = clear};

static void leave(struct user *u)
{
    u->has_left = true;
    cache_leave(&u->use);
}

static void on_thing(struct cache_use *use)
{
    struct user *u = (struct user *)use;
    assert_int_equal(u->told, 0);
    u->told = ((struct thing *)use->entry)->number;
    if (u->takes_along)
        leave(u->takes_along);
}

struct world {
    struct tools tools;
    struct cache *cache;
    struct tool_run ann, bob, eve;
};

static int set_up(void **state)
{
    struct world *w = xcalloc(1, sizeof(*w));
    loads = cleared = 0;
    loading = NULL;
    w->tools.config.loop = loop_new();
    w->cache = cache_new(&things, &w->tools);
    w->ann.token = secret_new(STR("of ann"));
    w->bob.token = secret_new(STR("of bob"));
    w->eve.token = secret_new(STR("of eve"));
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    cache_free(w->cache);
    assert_int_equal(cleared, loads);
    secret_free(w->ann.token);
    secret_free(w->bob.token);
    secret_free(w->eve.token);
    loop_free(w->tools.config.loop);
    free(w);
    return 0;
}

static void calls_at_once_share_a_load_and_are_told_in_order(void **state)
{
    struct world *w = *state;
    struct user first = {0}, second = {0}, later = {0};
    cache_use(&first.use, w->cache, &w->ann, on_thing);
    cache_use(&second.use, w->cache, &w->ann, on_thing);
    assert_int_equal(loads, 1);
    assert_int_equal(first.told, 0);
    cache_ready(loading, LONG_MS);
    assert_null(loading->token); /* not kept longer than it is needed */
    assert_int_equal(first.told, 1);
    assert_int_equal(second.told, 1);
    cache_use(&later.use, w->cache, &w->ann, on_thing);
    assert_int_equal(later.told, 1);
    assert_int_equal(loads, 1);
    leave(&first);
    leave(&second);
    leave(&later);
}

static void what_another_person_read_is_not_seen(void **state)
{
    struct world *w = *state;
    struct user ann = {0}, bob = {0};
    cache_use(&ann.use, w->cache, &w->ann, on_thing);
    cache_ready(loading, LONG_MS);
    cache_use(&bob.use, w->cache, &w->bob, on_thing);
    assert_int_equal(bob.told, 0);
    assert_int_equal(loads, 2);
    assert_non_null(cache_find(w->cache, w->ann.token));
    assert_null(cache_find(w->cache, w->eve.token));
    assert_int_equal(loads, 2);
    leave(&ann);
    leave(&bob);
}

static void what_may_not_be_kept_is_told_and_loaded_again(void **state)
{
    struct world *w = *state;
    struct user waits = {0}, comes = {0};
    cache_use(&waits.use, w->cache, &w->ann, on_thing);
    cache_ready(loading, -1);
    assert_int_equal(waits.told, 1);
    assert_null(cache_find(w->cache, w->ann.token));
    cache_use(&comes.use, w->cache, &w->ann, on_thing);
    assert_int_equal(loads, 2);
    leave(&waits);
    assert_int_equal(cleared, 1);
    leave(&comes);
}

/* By who needs it, not by who does without; and that is found from then on. */
static void what_could_not_be_loaded_is_loaded_again_by_who_needs_it(void **state)
{
    struct world *w = *state;
    struct user waits = {0}, without = {0}, needs = {0}, after = {0};
    cache_use(&waits.use, w->cache, &w->ann, on_thing);
    cache_failed(loading);
    assert_int_equal(waits.told, 1);
    assert_true(waits.use.entry->failed);
    assert_null(cache_find(w->cache, w->ann.token));
    leave(&waits);
    w->ann.does_without = true;
    cache_use(&without.use, w->cache, &w->ann, on_thing);
    assert_int_equal(without.told, 1);
    assert_int_equal(loads, 1);
    w->ann.does_without = false;
    cache_use(&needs.use, w->cache, &w->ann, on_thing);
    assert_int_equal(loads, 2);
    cache_ready(loading, LONG_MS);
    w->ann.does_without = true;
    cache_use(&after.use, w->cache, &w->ann, on_thing);
    assert_int_equal(after.told, 2);
    assert_non_null(cache_find(w->cache, w->ann.token));
    assert_int_equal(loads, 2);
    leave(&without);
    leave(&needs);
    leave(&after);
}

static void one_that_is_told_may_take_another_along(void **state)
{
    struct world *w = *state;
    struct user first = {0}, second = {0};
    first.takes_along = &second;
    cache_use(&first.use, w->cache, &w->ann, on_thing);
    cache_use(&second.use, w->cache, &w->ann, on_thing);
    cache_ready(loading, -1);
    assert_true(second.has_left);
    assert_int_equal(second.told, 0);
    leave(&first);
    assert_int_equal(cleared, 1);
}

static void of_too_many_the_one_used_least_lately_goes(void **state)
{
    struct world *w = *state;
    struct user uses[4] = {0};
    const struct tool_run *runs[] = {&w->ann, &w->bob, &w->ann, &w->eve};
    for (unsigned i = 0; i < 4; i++) {
        cache_use(&uses[i].use, w->cache, runs[i], on_thing);
        if (uses[i].told == 0)
            cache_ready(loading, LONG_MS);
    }
    assert_int_equal(loads, 3);
    for (unsigned i = 0; i < 4; i++)
        leave(&uses[i]);
    assert_int_equal(cleared, 1);
    assert_null(cache_find(w->cache, w->bob.token));
    assert_non_null(cache_find(w->cache, w->ann.token));
    assert_non_null(cache_find(w->cache, w->eve.token));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_at_once_share_a_load_and_are_told_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_another_person_read_is_not_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_may_not_be_kept_is_told_and_loaded_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_could_not_be_loaded_is_loaded_again_by_who_needs_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_is_told_may_take_another_along, set_up, tear_down),
        cmocka_unit_test_setup_teardown(of_too_many_the_one_used_least_lately_goes, set_up,
                                        tear_down),
    };
    secret_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
