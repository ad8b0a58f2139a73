/* Many phrases in one text. */
#include "tests/support/unit.h"

#include <stdlib.h>
#include <string.h>
#include "worker/tools/prometheus/phrases.h"

static long at(const char *said, const char *text)
{
    struct phrase p = phrase_of(str_of(said));
    const char *found = phrase_find(&p, str_of(text));
    return found ? found - text : -1;
}

static void words_stand_between_blanks_and_others_anywhere(void **state)
{
    (void)state;
    assert_int_equal(at("disk", " the disk "), 4);
    assert_int_equal(at("disk", " the disks "), -1);
    assert_int_equal(at("disk", " the disk"), -1);
    assert_int_equal(at("disk*", " the disks "), 4);
    assert_int_equal(at("disk*", " hdisks "), -1);
    assert_int_equal(at("the_disk", " the disk "), 0);
    assert_int_equal(at("磁盘", " 看磁盘多大 "), 4);
    assert_int_equal(at("磁盘", " "), -1);
    struct phrase part = phrase_part(STR("isk"));
    assert_non_null(phrase_find(&part, STR(" hdisks ")));
}

static void put(char *text, size_t len)
{
    static const char letters[] = "ab \xe7\xa3";
    for (size_t i = 0; i < len; i++)
        text[i] = letters[(unsigned)rand() % (sizeof(letters) - 1)];
}

/* All at once are found where each alone is, and none is left out for its letters. */
static void all_at_once_find_what_each_finds(void **state)
{
    (void)state;
    static struct phrases all;
    static char said[PHRASES_MAX][8];
    srand(1);
    while (all.count < PHRASES_MAX) {
        struct str word = {said[all.count], 3 + (unsigned)rand() % 5};
        put(said[all.count], word.len);
        for (size_t i = 0; i < word.len; i++)
            if (said[all.count][i] == ' ')
                said[all.count][i] = '_';
        phrases_add(&all, all.count % 3 ? phrase_of(word) : phrase_part(word), all.count);
    }
    for (unsigned round = 0; round < 300; round++) {
        char text[40];
        struct str whole = {text, round % sizeof(text)};
        put(text, whole.len);
        phrases_found found = {0};
        struct letters letters = {{0}};
        phrases_find(&all, whole, found);
        letters_add(&letters, whole);
        for (unsigned i = 0, next = phrases_next(found, 0, all.count); i < all.count; i++) {
            bool there = phrase_find(&all.all[i], whole) != NULL;
            assert_int_equal(i == next, there);
            assert_true(!there || letters_may_have(&letters, &all.all[i]));
            if (i == next)
                next = phrases_next(found, i + 1, all.count);
        }
    }
}

static void other_letters_are_not_looked_for(void **state)
{
    (void)state;
    struct letters letters = {{0}};
    struct phrase disk = phrase_of(STR("disk")), read = phrase_of(STR("read"));
    letters_add(&letters, STR(" the disk "));
    assert_true(letters_may_have(&letters, &disk));
    assert_false(letters_may_have(&letters, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stand_between_blanks_and_others_anywhere),
        cmocka_unit_test(all_at_once_find_what_each_finds),
        cmocka_unit_test(other_letters_are_not_looked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
