/* tests/support/opening_cases.h: a begin that is a worker's brings what that one would load. */
#ifndef TESTS_SUPPORT_OPENING_CASES_H
#define TESTS_SUPPORT_OPENING_CASES_H

/* Begins the turn as WORKER's, and gives what was brought; NULL: nothing. */
static struct got *begin_given(struct play *p, const char *question)
{
    static struct got opened;
    p->turn = id_new();
    p->worker = WORKER;
    struct got *g = begin_as(p, p->owner, p->turn, STR(""), question);
    p->worker = STR("");
    assert_int_equal(g->err, ERR_NONE);
    if (g->opening_len == 0)
        return NULL;
    memset(&opened, 0, sizeof(opened));
    assert_true(
        store_opening_read((struct str){g->opening, g->opening_len}, p->session, on_got, &opened));
    assert_true(opened.done);
    return &opened;
}

static void is_what_would_be_loaded(struct play *p, const struct got *opened)
{
    struct got *g = OK(p->f, store_turn_load, p->session, p->turn, 1, WORKER);
    const struct store_load *is = &opened->load, *would = &g->load;
    assert_true(id_eq(opened->session, p->session));
    assert_string_equal(opened->request_path, g->request_path);
    assert_int_equal(opened->message_count, g->message_count);
    for (unsigned i = 0; i < g->message_count && i < GOT_MAX; i++)
        assert_memory_equal(&opened->messages[i], &g->messages[i], sizeof(g->messages[i]));
    assert_int_equal(is->seq, would->seq);
    assert_int_equal(is->step, would->step);
    assert_int_equal(is->attempt, would->attempt);
    assert_int_equal(is->begun_ms, would->begun_ms);
    assert_true(is->now_ms > 0 && is->now_ms <= would->now_ms);
    assert_int_equal(is->usage.input_tokens, would->usage.input_tokens);
    assert_false(is->cancel || would->cancel);
    assert_int_equal(is->bytes, would->bytes);
    assert_int_equal(is->decision_count, would->decision_count);
    assert_int_equal(is->session.turns, would->session.turns);
    assert_int_equal(is->session.created_ms, would->session.created_ms);
    assert_int_equal(is->session.updated_ms, would->session.updated_ms);
    assert_int_equal(is->session.revision, would->session.revision);
    assert_int_equal(is->session.summary_to, would->session.summary_to);
    assert_int_equal(is->session.usage.output_tokens, would->session.usage.output_tokens);
    assert_true(id_eq(is->session.running, p->turn) && id_eq(would->session.running, p->turn));
    assert_int_equal(is->session.running_state, would->session.running_state);
    assert_int_equal(is->session.title.len, would->session.title.len);
    assert_int_equal(is->session.model.len, would->session.model.len);
    assert_int_equal(is->session.settings.len, would->session.settings.len);
    assert_int_equal(is->session.summary.len, would->session.summary.len);
}

CASE(begin_for_a_worker_brings_what_it_would_load)
{
    struct got *opened = begin_given(p, "one");
    assert_non_null(opened);
    assert_int_equal(opened->load.attempt, 1);
    assert_string_equal(opened->messages[0].content, "one");
    is_what_would_be_loaded(p, opened);
    assert_int_equal(seal(p, 1, 2, 4, TURN_DONE, "answer")->err, ERR_NONE);
    assert_int_equal(OK(f, store_message_patch, p->owner, p->session, 1, 1, -1)->err,
                     ERR_NONE); /* pinned */
    opened = begin_given(p, "two");
    assert_non_null(opened);
    assert_int_equal(opened->message_count, 3);
    assert_true(opened->messages[0].pinned);
    is_what_would_be_loaded(p, opened);
}

CASE(begin_for_a_worker_makes_it_that_workers)
{
    assert_non_null(begin_given(p, "one"));
    struct got *g = OK(f, store_turn_get, p->owner, p->session, p->turn);
    assert_string_equal(g->holder, "worker-1");
    REFUSED(f, ERR_FENCED, store_turn_load, p->session, p->turn, 1, STR("worker-2"));
    OK(f, store_turn_hold, p->session, p->turn, 1, GATEWAY); /* takes nothing from it */
    assert_string_equal(OK(f, store_turn_get, p->owner, p->session, p->turn)->holder, "worker-1");
    g = OK(f, store_turn_cancel, p->owner, p->session, p->turn);
    assert_int_equal(g->turn.state, TURN_RUNNING); /* it is to end it */
    assert_true(g->turn.cancel);
    assert_true(OK(f, store_turn_hold, p->session, p->turn, 1, GATEWAY)->turn.cancel);
    OK(f, store_turn_claim, p->session, p->turn, 1, true, false, GATEWAY); /* it died at once */
    g = OK(f, store_turn_load, p->session, p->turn, 2, STR("worker-2"));
    assert_int_equal(g->load.attempt, 2);
    assert_true(g->load.cancel);
}

CASE(begin_for_a_worker_sent_again_brings_nothing_more)
{
    assert_non_null(begin_given(p, "one"));
    p->worker = WORKER;
    struct got *g = begin_as(p, p->owner, p->turn, STR(""), "one");
    assert_int_equal(g->err, ERR_NONE);
    assert_int_equal(g->opening_len, 0);
    assert_int_equal(OK(f, store_turn_load, p->session, p->turn, 1, WORKER)->load.attempt, 1);
}

CASE(long_conversation_is_loaded)
{
    enum { LONG = 33 << 10 };
    static char text[LONG + 1];
    memset(text, 'x', LONG);
    assert_null(begin_given(p, text));
    struct got *g = OK(f, store_turn_load, p->session, p->turn, 1, WORKER);
    assert_int_equal(g->message_count, 1);
    assert_int_equal(g->load.attempt, 1);
}

#define OPENING_CASES                                                                              \
    C(begin_for_a_worker_brings_what_it_would_load), C(begin_for_a_worker_makes_it_that_workers),  \
        C(begin_for_a_worker_sent_again_brings_nothing_more), C(long_conversation_is_loaded)

#endif
