/* What a person does with conversations, over a real connection and with the real scripts. */
#include "tests/support/gateway_world.h"

static const struct answer *ask_of(const char *token, const char *method, const char *session,
                                   const char *rest, const char *body)
{
    char what[256];
    snprintf(what, sizeof(what), "%s /session/%s%s", method, session, rest);
    return ask(token, what, body);
}

static const char *text_in(const struct answer *a, const char *key)
{
    const char *text = json_string_value(json_object_get(a->json, key));
    return text ? text : "";
}

/* What GET says of it. */
static const char *title_in_store(const char *token, const char *session)
{
    static char title[1024];
    const struct answer *a = ask_of(token, "GET", session, "", NULL);
    assert_answer(a, 200, "");
    snprintf(title, sizeof(title), "%s", text_in(a, "title"));
    return title;
}

static void session_is_made_shown_changed_and_gone(void **state)
{
    (void)state;
    const struct answer *a =
        ask("ann", "POST /session", "{\"title\":\"  One \",\"model\":\"a/b\"}");
    char session[64];
    assert_answer(a, 201, "");
    snprintf(session, sizeof(session), "%s", text_in(a, "session_id"));
    assert_string_equal(title_in_store("ann", session), "One");
    assert_answer(ask_of("ann", "PATCH", session, "", "{\"title\":\"Two\"}"), 200, "");
    assert_string_equal(title_in_store("ann", session), "Two");
    a = ask_of("ann", "GET", session, "", NULL);
    assert_string_equal(text_in(a, "model"), "a/b"); /* what was not named stays */
    assert_int_equal(json_array_size(json_object_get(a->json, "messages")), 0);
    assert_answer(ask_of("ann", "DELETE", session, "", NULL), 200, "");
    assert_answer(ask_of("ann", "GET", session, "", NULL), 404, "session_not_found");
    assert_answer(ask_of("ann", "PATCH", session, "", "{\"title\":\"x\"}"), 404,
                  "session_not_found");
    assert_answer(ask_of("ann", "DELETE", session, "", NULL), 404, "session_not_found");
}

static void anothers_session_is_not_there(void **state)
{
    (void)state;
    char session[64];
    snprintf(session, sizeof(session), "%s", session_of("ben"));
    assert_answer(ask_of("eve", "GET", session, "", NULL), 404, "session_not_found");
    assert_answer(ask_of("eve", "PATCH", session, "", "{\"title\":\"x\"}"), 404,
                  "session_not_found");
    assert_answer(ask_of("eve", "DELETE", session, "", NULL), 404, "session_not_found");
    assert_answer(ask_of("eve", "POST", session, "/fork", "{\"message_id\":1}"), 404,
                  "session_not_found");
    assert_answer(ask_of("eve", "DELETE", session, "/message/1", NULL), 404, "session_not_found");
    assert_string_equal(title_in_store("ben", session), "");
}

static void wrong_fields_are_refused_and_nothing_is_changed(void **state)
{
    (void)state;
    char session[64], *long_title = xcalloc(1, 700), body[900];
    memset(long_title, 'x', 513);
    snprintf(session, sizeof(session), "%s", session_of("cem"));
    snprintf(body, sizeof(body), "{\"title\":\"%s\"}", long_title);
    assert_answer(ask("cem", "POST /session", body), 413, "too_large");
    assert_answer(ask_of("cem", "PATCH", session, "", body), 413, "too_large");
    free(long_title);
    assert_answer(ask("cem", "POST /session", "{\"title\":1}"), 422, "invalid");
    assert_answer(ask_of("cem", "PATCH", session, "", "{\"panels\":\"x\"}"), 422, "invalid");
    assert_answer(ask_of("cem", "PATCH", session, "", NULL), 400, "bad_json");
    assert_answer(ask_of("cem", "POST", session, "/fork", "{}"), 422, "invalid");
    assert_answer(ask_of("cem", "POST", session, "/fork", "{\"message_id\":0}"), 422, "invalid");
    assert_answer(ask_of("cem", "POST", session, "/fork", "{\"message_id\":\"x\"}"), 422,
                  "invalid");
    assert_answer(ask_of("cem", "PATCH", session, "/message/1", "{}"), 422, "invalid");
    assert_answer(ask_of("cem", "PATCH", session, "/message/1", "{\"pinned\":true}"), 404,
                  "message_not_found");
    assert_string_equal(title_in_store("cem", session), "");
}

static void settings_replace_one_another_each_by_itself(void **state)
{
    (void)state;
    char session[64];
    snprintf(session, sizeof(session), "%s", session_of("dan"));
    assert_answer(ask_of("dan", "PATCH", session, "", "{\"context\":{\"timezone\":\"UTC\"}}"), 200,
                  "");
    assert_answer(ask_of("dan", "PATCH", session, "", "{\"panels\":{\"p\":1}}"), 200, "");
    const struct answer *a = ask_of("dan", "GET", session, "", NULL);
    assert_non_null(strstr(a->body, "\"timezone\":\"UTC\""));
    assert_non_null(strstr(a->body, "{\"p\":1}"));
}

static unsigned listed(const char *query)
{
    char what[512];
    snprintf(what, sizeof(what), "GET /sessions%s", query);
    const struct answer *a = ask("fay", what, NULL);
    assert_int_equal(a->status, 200);
    json_t *all = json_loads(a->body, JSON_DISABLE_EOF_CHECK, NULL);
    assert_true(json_is_array(all));
    unsigned count = (unsigned)json_array_size(all);
    json_decref(all);
    return count;
}

static void list_has_pages_and_a_search(void **state)
{
    (void)state;
    char body[64];
    for (unsigned i = 0; i < 5; i++) {
        snprintf(body, sizeof(body), "{\"title\":\"%s %u\"}", i % 2 ? "odd" : "even", i);
        assert_answer(ask("fay", "POST /session", body), 201, "");
    }
    assert_int_equal(listed(""), 5);
    assert_int_equal(listed("?q=odd"), 2);
    assert_int_equal(listed("?q=%20EVEN%20"), 3);
    assert_int_equal(listed("?q=neither"), 0);
    const struct answer *a = ask("fay", "GET /sessions?limit=3", NULL);
    const char *link = strstr(a->head, "Link: </sessions?cursor=");
    assert_non_null(link);
    char next[256];
    snprintf(next, sizeof(next), "?%.*s", (int)strcspn(strchr(link, '?') + 1, ">"),
             strchr(link, '?') + 1);
    assert_int_equal(listed(next), 2);
    assert_answer(ask("fay", "GET /sessions?limit=0", NULL), 422, "invalid");
    assert_answer(ask("fay", "GET /sessions?limit=201", NULL), 422, "invalid");
    assert_answer(ask("fay", "GET /sessions?limit=-1", NULL), 422, "invalid");
    assert_answer(ask("fay", "GET /sessions?q=%ff", NULL), 422, "invalid");
}

/* A search reads all that a person has: one runs, and of those that wait the latest counts. */
static void search_that_was_overtaken_is_told_so(void **state)
{
    (void)state;
    session_of("gus");
    struct client c[3];
    unsigned limited = 0;
    for (unsigned i = 0; i < 3; i++)
        c[i] = client_send("gus", "GET /sessions?q=x", NULL, NULL);
    for (unsigned i = 0; i < 3; i++) {
        const struct answer *a = client_answer(&c[i]);
        assert_true(a->status == 200 || a->status == 429);
        limited += a->status == 429;
    }
    assert_true(limited <= 1);
    assert_int_equal(ask("gus", "GET /sessions?q=x", NULL)->status, 200); /* none is stuck */
}

static const char *keyed(const char *token, const char *body)
{
    static char line[128];
    struct client c = client_send(token, "POST /session", "Idempotency-Key: k\r\n", body);
    const struct answer *a = client_answer(&c);
    snprintf(line, sizeof(line), "%d %s", a->status,
             a->status == 201 ? text_in(a, "session_id") : code_of(a));
    return line;
}

static void key_makes_one_session_of_its_user_and_body(void **state)
{
    (void)state;
    char first[128];
    snprintf(first, sizeof(first), "%s", keyed("hal", "{\"title\":\"a\",\"model\":\"m\"}"));
    assert_memory_equal(first, "201 ", 4);
    assert_string_equal(keyed("hal", "{ \"model\":\"m\", \"title\":\"a\" }"), first);
    assert_string_not_equal(keyed("ida", "{\"title\":\"a\",\"model\":\"m\"}"), first);
    assert_string_equal(keyed("hal", "{\"title\":\"b\"}"), "422 idempotency_mismatch");
}

static void fork_and_flags_are_of_messages_that_are_there(void **state)
{
    (void)state;
    char session[64], what[300];
    worker_start(0, 1);
    snprintf(session, sizeof(session), "%s", session_of("jan"));
    snprintf(what, sizeof(what), "POST /session/%s/turn?datasource_path=/proxy/globaldatasources/p",
             session);
    struct client c = client_send("jan", what, "Prefer: respond-async\r\n", "{\"message\":\"Hi\"}");
    assert_answer(client_answer(&c), 202, "");
    assert_string_equal(title_in_store("jan", session), "Hi"); /* of its first question */
    const struct answer *a = ask_of("jan", "GET", session, "", NULL);
    assert_int_equal(json_array_size(json_object_get(a->json, "messages")), 1);
    assert_answer(ask_of("jan", "PATCH", session, "/message/1", "{\"pinned\":true}"), 200, "");
    assert_non_null(strstr(ask_of("jan", "GET", session, "", NULL)->body, "\"pinned\":true"));
    assert_answer(ask_of("jan", "POST", session, "/fork", "{\"message_id\":1}"), 201, "");
    assert_answer(ask_of("jan", "POST", session, "/fork", "{\"message_id\":\"1\"}"), 201, "");
    assert_answer(ask_of("jan", "DELETE", session, "", NULL), 200, "");
    wait_trace("CANCEL\n"); /* what it runs is ended */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(session_is_made_shown_changed_and_gone),
        WORLD_TEST(anothers_session_is_not_there),
        WORLD_TEST(wrong_fields_are_refused_and_nothing_is_changed),
        WORLD_TEST(settings_replace_one_another_each_by_itself),
        WORLD_TEST(list_has_pages_and_a_search),
        WORLD_TEST(search_that_was_overtaken_is_told_so),
        WORLD_TEST(key_makes_one_session_of_its_user_and_body),
        WORLD_TEST(fork_and_flags_are_of_messages_that_are_there),
    };
    return cmocka_run_group_tests(tests, redis_up, redis_down);
}
