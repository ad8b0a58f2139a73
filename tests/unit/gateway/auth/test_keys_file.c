/* The file of keys for programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gateway/auth/keys_file.h"

#define HASH_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HASH_B "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ROW(name, hash, more)                                                                      \
    "{\"name\":\"" name "\",\"sha256\":\"" hash                                                    \
    "\",\"user\":\"robot\",\"password_file\":\"/run/p\",\"doors\":[\"openai\",\"mcp\"]" more "}"

static void rows_are_read(void **state)
{
    (void)state;
    struct key_rows rows;
    char error[256] = "";
    assert_true(key_rows_read(
        STR("[" ROW("ci", HASH_A,
                    ",\"datasource\":\"/proxy/globaldatasources/prom\",\"activity\":true,"
                    "\"requests_per_minute\":60") ",\n" ROW("chat.2", HASH_B, "") "]"),
        &rows, error));
    assert_int_equal(rows.count, 2);
    assert_string_equal(rows.at[0].name, "ci");
    assert_string_equal(rows.at[0].user, "robot");
    assert_string_equal(rows.at[0].password_file, "/run/p");
    assert_string_equal(rows.at[0].datasource, "/proxy/globaldatasources/prom");
    assert_int_equal(rows.at[0].sha256[0], 0x01);
    assert_int_equal(rows.at[0].doors, 1u << DOOR_OPENAI | 1u << DOOR_MCP);
    assert_true(rows.at[0].activity);
    assert_int_equal(rows.at[0].requests_per_minute, 60);
    assert_null(rows.at[1].datasource);
    assert_false(rows.at[1].activity);
    key_rows_free(&rows);
    assert_true(
        key_rows_read(STR("\xEF\xBB\xBF[\r\n" ROW("ci", HASH_A, "") "]\r\n"), &rows, error));
    assert_int_equal(rows.count, 1); /* by an editor of Windows */
    key_rows_free(&rows);
    assert_true(key_rows_read(STR("[]"), &rows, error));
    assert_int_equal(rows.count, 0);
    key_rows_free(&rows);
}

static void a_fault_is_told_with_its_line(void **state)
{
    (void)state;
    const struct {
        struct str text;
        const char *error;
    } rows[] = {
        {STR(""), "line 1: "},
        {STR("{}"), "line 1: it must be a list"},
        {STR("[\n\n{\"name\": }]"), "line 3: "},
        {STR("[" ROW("a", HASH_A, "") ",\n" ROW("b", HASH_B, ",\"door\":1") "]"),
         "line 2: it has a field that no row has"},
        {STR("[" ROW("a", HASH_A, "") ",\n\n" ROW("a", HASH_B, "") "]"),
         "line 3: another row has this name"},
        {STR("[" ROW("a", HASH_A, "") "\n,\n" ROW("b", HASH_A, "") "]"),
         "line 3: another row has this sha256"},
        {STR("[\n" ROW("a b", HASH_A, "") "]"), "line 2: name"},
        {STR("[\n" ROW("a", "00", "") "]"), "line 2: sha256"},
        {STR("[\n" ROW("a", HASH_A, ",\"datasource\":\"/proxy/unsaved/x\"") "]"),
         "line 2: datasource"},
        {STR("[\n" ROW("a", HASH_A, ",\"activity\":1") "]"), "line 2: activity"},
        {STR("[\n" ROW("a", HASH_A, ",\"requests_per_minute\":0") "]"),
         "line 2: requests_per_minute"},
        {STR("[\n" ROW("a", HASH_A, ",\"requests_per_minute\":\"9\"") "]"),
         "line 2: requests_per_minute"},
        {STR("[7]"), "line 1: a row must be an object"},
        {STR("[{\"name\":\"a\",\"sha256\":\"" HASH_A
             "\",\"user\":\"u\",\"password_file\":\"/p\"}]"),
         "line 1: doors must be a list"},
        {STR("[{\"name\":\"a\",\"sha256\":\"" HASH_A
             "\",\"user\":\"u\",\"password_file\":\"/p\",\"doors\":[\"openai\",\"smtp\"]}]"),
         "line 1: doors has a word"},
        {STR("[{\"name\":\"a\",\"sha256\":\"" HASH_A
             "\",\"user\":\"\",\"password_file\":\"/p\",\"doors\":[\"api\"]}]"),
         "line 1: user"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct key_rows out;
        char error[256] = "";
        assert_false(key_rows_read(rows[i].text, &out, error));
        if (strncmp(error, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("%s, wanted %s", error, rows[i].error);
        assert_null(out.at);
    }
}

static void a_new_key_goes_with_its_row(void **state)
{
    (void)state;
    struct key_rows rows;
    char error[256] = "";
    unsigned char hash[KEY_HASH];
    scoped_buf(text, 4096);
    assert_true(key_make("ci", &text));
    const char *key = strstr(buf_cstr(&text), "\n" KEY_PREFIX) + 1;
    const char *row = strchr(key, '{');
    struct str bare = {key, strcspn(key, "\n")};
    assert_int_equal(bare.len, 3 + 43);
    scoped_buf(file, 4096);
    buf_printf(&file, "[%s]", row);
    assert_true(key_rows_read(buf_str(&file), &rows, error));
    key_hash(bare, hash);
    assert_memory_equal(hash, rows.at[0].sha256, KEY_HASH);
    key_rows_free(&rows);
    assert_false(key_make("a b", &text));
    assert_false(key_make("", &text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read),
        cmocka_unit_test(a_fault_is_told_with_its_line),
        cmocka_unit_test(a_new_key_goes_with_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
