/* tests/support/witness_cases.h: what an answer says is true at another gateway, which asks in the
 * very moment of the answer, over a connection of its own. Part of test_store.c, whose struct
 * server it uses. */
#ifndef TESTS_SUPPORT_WITNESS_CASES_H
#define TESTS_SUPPORT_WITNESS_CASES_H

struct witness {
    bool done;
    enum err err;
    const struct server *server;
    char question[256], seen[512];
};

static void ask_now(const struct server *s, const char *line, char *out, size_t size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", s->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
    ssize_t len = read(fd, out, size - 1);
    assert_true(len > 0);
    out[len] = '\0';
    close(fd);
}

static void on_witness(void *arg, enum err err, const struct store_answer *a)
{
    struct witness *w = arg;
    (void)a;
    w->err = err;
    ask_now(w->server, w->question, w->seen, sizeof(w->seen));
    w->done = true;
}

/* What Redis says to question, an inline command, when the call is answered. */
#define SEEN(s, w, call, ...)                                                                      \
    ({                                                                                             \
        (w)->server = (s);                                                                         \
        (w)->done = false;                                                                         \
        call((s)->f.store, __VA_ARGS__, on_witness, (w));                                          \
        on_wait(&(s)->f, &(w)->done);                                                              \
        assert_int_equal((w)->err, ERR_NONE);                                                      \
        (w)->seen;                                                                                 \
    })

static void deleted_session_is_gone_for_other_gateways_when_it_is_said(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    struct witness w;
    play_session(&p);
    struct id made =
        OK(&s->f, store_session_create, p.owner, STR("key"), STR(""), STR(""), STR(""))->session;
    snprintf(w.question, sizeof(w.question), "KEYS p:i:{%s}*\r\n", p.owner_text);
    ask_now(s, w.question, w.seen, sizeof(w.seen));
    assert_true(strncmp(w.seen, "*1\r\n", 4) == 0);
    assert_string_equal(SEEN(s, &w, store_session_delete, p.owner, made), "*0\r\n");
}

static void what_became_free_is_free_for_other_gateways_when_it_is_said(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1], before[64];
    struct witness w;
    struct str large = STR("{\"note\":\"much\"}"), none = STR("{}");
    play_session(&p);
    play_begin(&p, "a long question");
    assert_int_equal(seal(&p, 1, 2, 3, TURN_DONE, "a long answer")->err, ERR_NONE);
    OK(&s->f, store_session_patch, p.owner, p.session, &(struct store_patch){.settings = &large});
    id_text(p.session, session);
    snprintf(w.question, sizeof(w.question), "HGET p:a:{o:%s}:b %s\r\n", p.owner_text, session);
    ask_now(s, w.question, before, sizeof(before));
    assert_string_not_equal(SEEN(s, &w, store_session_patch, p.owner, p.session,
                                 &(struct store_patch){.settings = &none}),
                            before);
    ask_now(s, w.question, before, sizeof(before));
    assert_string_not_equal(SEEN(s, &w, store_message_delete, p.owner, p.session, 1), before);
    assert_string_equal(SEEN(s, &w, store_session_delete, p.owner, p.session), "$-1\r\n");
}

static void moved_session_is_its_heir_s_when_it_is_said(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char text[64];
    struct witness w;
    play_session(&p);
    OK(&s->f, store_session_create, p.owner, STR("key"), STR(""), STR(""), STR(""));
    snprintf(text, sizeof(text), "%s:17", p.owner_text);
    snprintf(w.question, sizeof(w.question), "EXISTS p:a:{o:%s}:b\r\n", text);
    assert_string_equal(SEEN(s, &w, store_owner_move, p.owner, str_of(text), 0), ":1\r\n");
    snprintf(w.question, sizeof(w.question), "KEYS p:i:{%s}*\r\n", p.owner_text);
    ask_now(s, w.question, w.seen, sizeof(w.seen));
    assert_string_equal(w.seen, "*0\r\n");
}

#endif
