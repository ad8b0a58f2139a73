/* Who somebody is: a real identity, asking a Perses that says what the test wants. */
#include "tests/support/gateway_world.h"

#include "common/address.h"

struct told {
    unsigned count;
    enum err err;
    char owner[USER_MAX_BYTES], access[64];
};

static void on_user(void *arg, enum err err, struct str owner)
{
    struct told *t = arg;
    t->count++;
    t->err = err;
    snprintf(t->owner, sizeof(t->owner), "%.*s", (int)owner.len, owner.len ? owner.at : "");
}

static void on_fresh(void *arg, enum err err, struct secret *take_access, int64_t expires_ms)
{
    struct told *t = arg;
    struct str access = secret_reveal(take_access);
    (void)expires_ms;
    t->count++;
    t->err = err;
    snprintf(t->access, sizeof(t->access), "%.*s", (int)access.len, access.len ? access.at : "");
    secret_free(take_access);
}

static bool was_told(void *arg) { return ((struct told *)arg)->count > 0; }

static uint64_t check(const char *token, struct told *t)
{
    struct secret *access = token ? secret_new(str_of(token)) : NULL;
    struct address sender = {0};
    *t = (struct told){0};
    uint64_t id = identity_check(w.g.identity, access, &sender, on_user, t);
    secret_free(access);
    return id;
}

static void assert_told(struct told *t, enum err err, const char *owner)
{
    assert_true(pump_within(w.pump, WORLD_WAIT_MS, was_told, t));
    assert_int_equal(t->count, 1);
    assert_string_equal(err_word(t->err), err_word(err));
    assert_string_equal(t->owner, owner);
}

static void assert_is(const char *token, enum err err, const char *owner)
{
    struct told t;
    check(token, &t);
    assert_told(&t, err, owner);
}

static void token_is_asked_about_once_and_its_owner_has_the_time_of_creation(void **state)
{
    (void)state;
    struct told a, b;
    assert_int_not_equal(check("ada", &a), 0);
    assert_int_not_equal(check("ada", &b), 0); /* while it is asked */
    assert_told(&a, ERR_NONE, "ada:1795854575000");
    assert_told(&b, ERR_NONE, "ada:1795854575000");
    assert_int_equal(check("ada", &a), 0); /* told before it returns */
    assert_told(&a, ERR_NONE, "ada:1795854575000");
    assert_is("bob", ERR_NONE, "bob:1795854575000");
    assert_string_equal(w.trace, "whoami ada\nwhoami bob\n");
}

static void answer_is_asked_for_again_when_it_is_kept_no_longer(void **state)
{
    (void)state;
    w.g.settings.whoami_keep_ms = 0;
    assert_is("ada", ERR_NONE, "ada:1795854575000");
    assert_is("ada", ERR_NONE, "ada:1795854575000");
    assert_string_equal(w.trace, "whoami ada\nwhoami ada\n");
}

static void refusal_is_kept_for_a_while(void **state)
{
    (void)state;
    assert_is("refused", ERR_UNAUTHENTICATED, "");
    assert_is("refused", ERR_UNAUTHENTICATED, "");
    assert_is("refused2", ERR_UNAUTHENTICATED, ""); /* and so is that authentication is on */
    assert_string_equal(w.trace, "whoami refused\nconfig\nwhoami refused2\n");
}

static void perses_without_authentication_is_told_apart_from_a_refusal(void **state)
{
    (void)state;
    w.perses_auth_off = true;
    assert_is("refused", ERR_PERSES_AUTH_OFF, "");
    assert_is(NULL, ERR_PERSES_AUTH_OFF, "");
    assert_string_equal(w.trace, "whoami refused\nconfig\n");
}

static void who_brings_no_token_costs_no_whoami(void **state)
{
    (void)state;
    assert_is(NULL, ERR_UNAUTHENTICATED, "");
    assert_string_equal(w.trace, "config\n");
}

static void what_perses_could_not_say_is_asked_again(void **state)
{
    (void)state;
    assert_is("broken", ERR_PERSES_UNAVAILABLE, "");
    assert_is("broken", ERR_PERSES_UNAVAILABLE, "");
    assert_is("nameless", ERR_PERSES_UNAVAILABLE, "");
    assert_string_equal(w.trace, "whoami broken\nwhoami broken\nwhoami nameless\n");
}

static void who_forgets_is_not_told_and_the_answer_serves_the_next(void **state)
{
    (void)state;
    struct told a, b;
    uint64_t id = check("ada", &a);
    wait_trace("whoami ada\n"); /* Perses has been asked */
    identity_forget(w.g.identity, id);
    check("ada", &b);
    assert_told(&b, ERR_NONE, "ada:1795854575000");
    assert_int_equal(a.count, 0);
    identity_forget(w.g.identity, id); /* again, and of nothing: fine */
    identity_forget(w.g.identity, 0);
    assert_string_equal(w.trace, "whoami ada\n");
}

static void sender_of_many_refused_tokens_waits(void **state)
{
    (void)state;
    char token[32];
    struct told t;
    unsigned refused = 0;
    for (unsigned i = 0; i < 400 && refused == i; i++) {
        snprintf(token, sizeof(token), "refused%u", i);
        check(token, &t);
        assert_true(pump_within(w.pump, WORLD_WAIT_MS, was_told, &t));
        refused += t.err == ERR_UNAUTHENTICATED;
    }
    assert_int_equal(t.err, ERR_RATE_LIMITED);
    assert_true(refused >= 100); /* askers.h */
}

static void assert_refreshed(const char *token, enum err err, const char *access)
{
    struct told t = {0};
    struct secret *refresh = secret_new(str_of(token));
    assert_int_not_equal(identity_refresh(w.g.identity, refresh, on_fresh, &t), 0);
    secret_free(refresh);
    assert_told(&t, err, "");
    assert_string_equal(t.access, access);
}

static void refresh_gives_a_token_or_says_why_not(void **state)
{
    (void)state;
    assert_refreshed("good", ERR_NONE, "fresh");
    assert_refreshed("used up", ERR_TOKEN_EXPIRED, "");
    assert_refreshed("strange", ERR_TOKEN_EXPIRED, ""); /* what is no token */
    assert_refreshed("broken", ERR_PERSES_UNAVAILABLE, "");
    assert_refreshed("q\"uote", ERR_TOKEN_EXPIRED, "");
    wait_trace("refresh {\"refresh_token\":\"q\\\"uote\"}\n");
}

static void refresh_that_is_forgotten_does_not_come(void **state)
{
    (void)state;
    struct told t = {0};
    struct secret *refresh = secret_new(STR("good"));
    identity_forget(w.g.identity, identity_refresh(w.g.identity, refresh, on_fresh, &t));
    secret_free(refresh);
    assert_is("ada", ERR_NONE, "ada:1795854575000");
    assert_int_equal(t.count, 0);
}

/* ---- what a request came with, told by whom it is taken for ---- */

static const char *asked_for(const char *token, const char *headers)
{
    static char line[600];
    w.trace[0] = '\0';
    struct client c = client_send(token, "GET /models", headers, NULL);
    const struct answer *a = client_answer(&c);
    snprintf(line, sizeof(line), "%d %s", a->status, w.trace);
    return line;
}

static void cookies_win_over_a_bearer_and_half_of_them_is_none(void **state)
{
    (void)state;
    assert_string_equal(asked_for("eve", "Cookie: jwtPayload=ada; jwtSignature=x\r\n"),
                        "200 whoami ada.x\n");
    assert_string_equal(asked_for("eve", "Cookie: jwtPayload=ada\r\n"), "200 whoami eve\n");
    assert_string_equal(asked_for(NULL, "Cookie: jwtSignature=x\r\n"), "401 config\n");
    assert_string_equal(asked_for(NULL, "Authorization: Basic YTpi\r\n"), "401 ");
    assert_string_equal(asked_for(NULL, "Authorization: bearer  carl \r\n"), "200 whoami carl\n");
    assert_string_equal(asked_for(NULL, "Authorization: Bearer \r\n"), "401 ");
    assert_string_equal(asked_for(NULL, "Authorization: Bearer a b\r\n"), "401 ");
}

static void sign_in_answers_are_read_or_refused(void **state)
{
    (void)state;
    struct credentials c;
    assert_true(credentials_read(STR("{\"access_token\":\"h.eyJleHAiOjE3MDAwMDAwMDB9.s\","
                                     "\"refresh_token\":\"r\"}"),
                                 &c));
    assert_int_equal(c.expires_ms, 1700000000000);
    struct credentials shared = credentials_share(&c);
    credentials_free(&c);
    assert_null(c.access);
    assert_true(str_is(secret_reveal(shared.refresh), "r"));
    credentials_free(&shared);
    const char *wrong[] = {"",
                           "[]",
                           "{\"access_token\":1}",
                           "{\"access_token\":\"\"}",
                           "{\"access_token\":\"a\\nb\"}",
                           "{\"refresh_token\":\"r\"}"};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(credentials_read(str_of(wrong[i]), &c));
    assert_true(credentials_read(STR("{\"access_token\":\"opaque\",\"refresh_token\":\" \"}"), &c));
    assert_null(c.refresh);
    assert_int_equal(c.expires_ms, 0);
    credentials_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(token_is_asked_about_once_and_its_owner_has_the_time_of_creation),
        WORLD_TEST(answer_is_asked_for_again_when_it_is_kept_no_longer),
        WORLD_TEST(refusal_is_kept_for_a_while),
        WORLD_TEST(perses_without_authentication_is_told_apart_from_a_refusal),
        WORLD_TEST(who_brings_no_token_costs_no_whoami),
        WORLD_TEST(what_perses_could_not_say_is_asked_again),
        WORLD_TEST(who_forgets_is_not_told_and_the_answer_serves_the_next),
        WORLD_TEST(sender_of_many_refused_tokens_waits),
        WORLD_TEST(refresh_gives_a_token_or_says_why_not),
        WORLD_TEST(refresh_that_is_forgotten_does_not_come),
        WORLD_TEST(cookies_win_over_a_bearer_and_half_of_them_is_none),
        WORLD_TEST(sign_in_answers_are_read_or_refused),
    };
    return cmocka_run_group_tests(tests, redis_up, redis_down);
}
