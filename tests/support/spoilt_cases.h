/* tests/support/spoilt_cases.h: what in Redis is not as we wrote it. A part of test_store.c: its
 * server and raw come before. */
#ifndef TESTS_SUPPORT_SPOILT_CASES_H
#define TESTS_SUPPORT_SPOILT_CASES_H

/* Where the conversation ends is not guessed: a message would be put over another one. */
static void conversation_without_an_end_takes_no_message(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1];
    play_session(&p);
    play_begin(&p, "one");
    id_text(p.session, session);
    raw(s, "HSET p:s:{%s} mseq spoilt", session);
    assert_int_equal(seal(&p, 1, 2, 3, TURN_DONE, "answer")->err, ERR_INTERNAL);
    OK(&s->f, store_turn_fail, p.session, p.turn, 1, ERR_INTERNAL);
    assert_int_equal(begin_as(&p, p.owner, id_new(), STR(""), "two")->err, ERR_INTERNAL);
    raw(s, "HSET p:s:{%s} mseq 1", session);
    assert_string_equal(conversation(&p)->messages[0].content, "one");
    play_begin(&p, "two");
    assert_int_equal(conversation(&p)->message_count, 2);
}

static void spoilt_records_are_skipped(void **state)
{
    struct server *s = *state;
    struct play p = play_new(&s->f);
    char session[ID_TEXT + 1], turn[ID_TEXT + 1];
    play_session(&p);
    play_begin(&p, "one");
    id_text(p.session, session);
    id_text(p.turn, turn);
    raw(s, "HSET p:m:{%s} 7 garbage", session);
    raw(s, "HSET p:m:{%s} seven garbage", session);
    raw(s, "HSET p:s:{%s} mseq 9 turns x created -5", session);
    assert_int_equal(conversation(&p)->message_count, 1);
    OK(&s->f, store_session_list, p.owner, STR("zzz"), 9, STR(""));
    raw(s, "XADD p:e:{%s}:%s 1-5 e garbage", session, turn);
    struct got *g = events(&p, 0, 0, 1000);
    assert_int_equal(g->err, ERR_HISTORY_LOST);
    raw(s, "HSET p:t:{%s}:%s epoch x lease y", session, turn);
    OK(&s->f, store_turn_get, p.owner, p.session, p.turn);
    raw(s, "SET p:t:{%s}:%s x", session, turn);
    REFUSED(&s->f, ERR_INTERNAL, store_turn_get, p.owner, p.session, p.turn);
}

#endif
