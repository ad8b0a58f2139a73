#include "tests/support/unit.h"
#include "proto/err.h"
#include "proto/id.h"

static void every_error_has_a_word_of_its_own_and_a_sentence(void **state)
{
    (void)state;
    for (int a = 1; a < ERR_COUNT; a++) {
        assert_true(strlen(err_sentence((enum err)a)) > 10);
        assert_in_range(err_http_status((enum err)a), 400, 599);
        for (int b = 1; b < a; b++)
            assert_string_not_equal(err_word((enum err)a), err_word((enum err)b));
    }
}

static void the_original_clients_read_the_same_sentences(void **state)
{
    (void)state;
    scoped_buf(b, 4096);
    err_json(&b, ERR_SESSION_NOT_FOUND, NULL);
    assert_string_equal(
        buf_cstr(&b),
        "{\"detail\":{\"response\":\"Session not found\",\"code\":\"session_not_found\"}}");
    buf_clear(&b);
    err_json(&b, ERR_NO_DATASOURCE_PATH, NULL);
    assert_string_equal(buf_cstr(&b), "{\"detail\":{\"response\":\"No datasource path "
                                      "provided\",\"code\":\"no_datasource_path\"}}");
    assert_int_equal(err_http_status(ERR_NO_DATASOURCE_PATH), 400);
    assert_int_equal(err_http_status(ERR_SESSION_NOT_FOUND), 404);
}

static void an_id_is_32_lower_case_digits(void **state)
{
    (void)state;
    struct id id = id_new(), back;
    char text[ID_TEXT + 1];
    id_text(id, text);
    assert_int_equal(strlen(text), 32);
    assert_true(id_parse(str_of(text), &back) && id_eq(id, back));
    assert_false(id_is_zero(id));
    assert_false(id_parse(STR("0123"), &back));
    assert_false(id_parse(STR("ABCDEF00112233445566778899aabbcc"), &back));
    assert_false(id_parse(STR("g0112233445566778899aabbccddeeff"), &back));
    assert_false(id_parse(STR("00112233445566778899aabbccddeeff0"), &back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_a_word_of_its_own_and_a_sentence),
        cmocka_unit_test(the_original_clients_read_the_same_sentences),
        cmocka_unit_test(an_id_is_32_lower_case_digits),
    };
    return cmocka_run_group_tests_name("proto/err", tests, NULL, NULL);
}
