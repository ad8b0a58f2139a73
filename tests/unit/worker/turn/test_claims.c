/* Are the numbers of an answer those that were read? Planted ones are found, true ones are not
 * doubted. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>
#include "worker/turn/claims.h"

struct planted {
    const char *result, *answer;
    const char *found; /* the first that nothing supports; NULL: all is supported */
};

/* What the tools say: series with values, counts, sums. */
#define ROOMS                                                                                      \
    "{\"kind\":\"instant\",\"query\":\"room_temperature_celsius\",\"series_total\":3,\"series_"    \
    "shown\":3,\"series\":["                                                                       \
    "{\"labels\":{\"room\":\"attic\"},\"value\":33},{\"labels\":{\"room\":\"kitchen\"},\"value\":" \
    "21.5},{\"labels\":{\"room\":\"cellar\"},\"value\":12.25}]}"
#define MEMORY                                                                                     \
    "{\"kind\":\"instant\",\"query\":\"process_resident_memory_bytes\",\"series_total\":1,"        \
    "\"series_shown\":1,"                                                                          \
    "\"series\":[{\"labels\":{\"job\":\"prometheus\"},\"value\":134217728}]}"
#define RATE                                                                                       \
    "{\"kind\":\"range\",\"series_total\":1,\"series_shown\":1,\"series\":[{\"labels\":{},"        \
    "\"min\":0.0123,\"max\":"                                                                      \
    "0.4567,\"avg\":0.2191,\"last\":0.3333}]}"
#define DURATION                                                                                   \
    "{\"kind\":\"instant\",\"series_total\":1,\"series_shown\":1,\"series\":[{\"labels\":{},"      \
    "\"value\":0.0473}]}"
#define UPTIME                                                                                     \
    "{\"kind\":\"instant\",\"series_total\":1,\"series_shown\":1,\"series\":[{\"labels\":{},"      \
    "\"value\":93784}]}"
#define COUNT                                                                                      \
    "{\"kind\":\"instant\",\"series_total\":1,\"series_shown\":1,\"series\":[{\"labels\":{},"      \
    "\"value\":1234567}]}"
#define SHARE                                                                                      \
    "{\"kind\":\"instant\",\"series_total\":1,\"series_shown\":1,\"series\":[{\"labels\":{},"      \
    "\"value\":0.7342}]}"
#define NONE                                                                                       \
    "{\"kind\":\"instant\",\"series_total\":0,\"series_shown\":0,\"series\":[],\"notes\":[\"no "   \
    "series\"]}"

static const struct planted planted[] = {
    {ROOMS, "The kitchen has 22.5 °C.", "22.5"},
    {ROOMS, "The attic is at 34 °C.", "34"},
    {ROOMS, "The cellar is at 12.52 °C.", "12.52"},
    {ROOMS, "There are 17 rooms.", "17"},
    {ROOMS, "The mean is 29.8 °C.", "29.8"},
    {ROOMS, "Es sind 23,5 Grad in der Küche.", "23,5"},
    {ROOMS, "厨房的温度是 26.5 度。", "26.5"},
    {ROOMS, "キッチンは19.5度です。", "19.5"},
    {ROOMS, "La cocina está a 20,4 grados.", "20,4"},
    {ROOMS, "attic 33, kitchen 21.5, hall 18.75", "18.75"},
    {MEMORY, "Prometheus uses 3.4 GB.", "3.4 GB"},
    {MEMORY, "It uses 256 MiB of memory.", "256 MiB"},
    {MEMORY, "It uses 144 MiB.", "144 MiB"},
    {MEMORY, "It uses 134 KB.", "134 KB"},
    {MEMORY, "It uses 134217728 bytes, 13 % of the machine.", "13 %"},
    {MEMORY, "It uses 1.34 GB.", "1.34 GB"},
    {MEMORY, "Es sind 512 MB.", "512 MB"},
    {MEMORY, "占用 2 GiB 内存", "2 GiB"},
    {MEMORY, "It uses 142,217,728 bytes.", "142,217,728"},
    {MEMORY, "457 queries run.", "457"},
    {RATE, "On average 0.3 per second.", NULL}, /* the last, rounded */
    {RATE, "The highest was 0.5.", NULL},       /* the highest, rounded */
    {RATE, "The highest was 0.52 per second.", "0.52"},
    {RATE, "It peaked at 45.9 %.", "45.9 %"},
    {RATE, "It went down to 0.0223.", "0.0223"},
    {RATE, "On average 0.2911 per second.", "0.2911"},
    {RATE, "It is 33.9 %", "33.9 %"},
    {DURATION, "It takes 57 ms.", "57 ms"},
    {DURATION, "It takes 4.73 s.", "4.73"},
    {DURATION, "It takes 473 ms.", "473 ms"},
    {DURATION, "Es dauert 74 Millisekunden", "74 Millisekunden"},
    {DURATION, "It takes 0.0437 s.", "0.0437"},
    {DURATION, "47 µs", "47 µs"},
    {UPTIME, "It has been up for 36 hours.", "36 hours"},
    {UPTIME, "It has been up for 3 days.", "3 days"},
    {UPTIME, "It runs since 1663 minutes", "1663 minutes"},
    {UPTIME, "Seit 28 Stunden", "28 Stunden"},
    {UPTIME, "It has been up for 90784 s.", "90784"},
    {COUNT, "There were 1.5 million requests.", "1.5 million"},
    {COUNT, "There were 1,243,567 requests.", "1,243,567"},
    {COUNT, "There were 123,457 requests.", "123,457"},
    {COUNT, "Es waren 1.243.567 Anfragen.", "1.243.567"},
    {COUNT, "About 1300k requests", "1300k"},
    {COUNT, "1234567 requests, 15 of them failed.", "15"},
    {SHARE, "74.5 % are used.", "74.5 %"},
    {SHARE, "The disk is 37 % full.", "37 %"},
    {SHARE, "0.7432", "0.7432"},
    {SHARE, "37.3 % used", "37.3 %"},
    {NONE, "There were 42 errors.", "42"},
    {NONE, "The memory is 512 MiB.", "512 MiB"},
    {NONE, "Es sind 7 Ziele ausgefallen.", "7"},
    {NONE, "CPU usage is 12.5 %.", "12.5 %"},
    {NONE, "有 35 个错误", "35"},
    {NONE, "- a: 10\n- b: 20", "10"},
};

static const struct planted good[] = {
    {ROOMS,
     "The attic is the warmest with 33 °C, then the kitchen (21.5 °C) and the cellar (12.25).",
     NULL},
    {ROOMS, "Average of the 3 rooms: 22.25 °C (33 + 21.5 + 12.25).", NULL},
    {ROOMS, "The attic is 11.5 degrees warmer than the kitchen: 33 and 21.5.", NULL},
    {ROOMS, "1. attic: 33\n2. kitchen: 21.5\n3. cellar: 12.25", NULL},
    {ROOMS, "At 14:05 on 2026-11-23 the attic had 33 °C.", NULL},
    {ROOMS, "`topk(7, room_temperature_celsius[5m])` says 33.", NULL},
    {ROOMS, "```\nrate(x[15m]) * 77\n```\n33 °C", NULL},
    {ROOMS, "p95, node1 and http2 are names; 33 is the value.", NULL},
    {ROOMS, "In Version 2.42.0 the attic has 33 °C.", NULL},
    {ROOMS, "Die Küche hat 21,5 °C, der Keller 12,3 °C.", NULL},
    {MEMORY, "Prometheus uses 128 MiB (134,217,728 bytes).", NULL},
    {MEMORY, "Prometheus uses 134 MB, or 0.134 GB.", NULL},
    {MEMORY, "About 0.13 GB.", NULL},
    {MEMORY, "134.217.728 Bytes", NULL},
    {MEMORY, "memory: 134M", NULL},
    {RATE, "Between 0.012 and 0.457, 0.219 on average, at last 33.3 %.", NULL},
    {DURATION, "47 ms, or 0.047 s.", NULL},
    {DURATION, "47.3ms", NULL},
    {UPTIME, "It has been up for 26 hours (1.09 days).", NULL},
    {UPTIME, "Seit 26 Stunden.", NULL},
    {COUNT, "1.23 million requests (1,234,567).", NULL},
    {COUNT, "1.2M", NULL},
    {COUNT, "1 234 567", NULL},
    {SHARE, "73.4 % are used, 26.6 % are free.", NULL},
    {SHARE, "73 %", NULL},
    {NONE, "No series matches: there is no data.", NULL},
    {NONE, "", NULL},
    {NONE, "`", NULL},
    {NONE, "``` 12", NULL},
};

static const char *first_of(const struct planted *p, struct claim *claims)
{
    struct claims c = {0};
    claims_know_result(&c, (struct str){p->result, strlen(p->result)});
    unsigned count = claims_unsupported(&c, (struct str){p->answer, strlen(p->answer)}, claims, 8);
    claims_free(&c);
    return count > 0 ? claims[0].text : NULL;
}

static unsigned wrong_of(const struct planted *all, size_t count)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct claim claims[8];
        const char *first = first_of(&all[i], claims);
        bool same = all[i].found ? first && strcmp(first, all[i].found) == 0 : first == NULL;
        if (!same)
            print_message("%s: %s, not %s\n", all[i].answer, first ? first : "(none)",
                          all[i].found ? all[i].found : "(none)");
        wrong += !same;
    }
    return wrong;
}

static void planted_numbers_are_all_found(void **state)
{
    (void)state;
    assert_true(sizeof(planted) / sizeof(planted[0]) >= 52);
    assert_int_equal(wrong_of(planted, sizeof(planted) / sizeof(planted[0])), 0);
}

static void true_numbers_are_not_doubted(void **state)
{
    (void)state;
    assert_int_equal(wrong_of(good, sizeof(good) / sizeof(good[0])), 0);
}

static void what_is_partial_must_be_said_to_be_so(void **state)
{
    static const char *const partial[] = {
        "{\"series\":[],\"partial\":true}", "{\"truncated\":true}",
        "{\"kind\":\"instant\",\"series_total\":90,\"series_shown\":20,\"series\":[1]}"};
    (void)state;
    for (size_t i = 0; i < sizeof(partial) / sizeof(partial[0]); i++) {
        struct claims c = {0};
        claims_know_result(&c, str_of(partial[i]));
        assert_true(c.partial);
        claims_free(&c);
    }
    struct claims whole = {0};
    claims_know_result(&whole, STR(ROOMS));
    claims_know_result(&whole, STR("no json { at all"));
    claims_know_result(&whole, STR("[[[]]]"));
    assert_false(whole.partial);
    claims_free(&whole);
    assert_true(claims_admits(STR("The data is PARTIAL.")));
    assert_true(claims_admits(STR("数据不完整")));
    assert_true(claims_admits(STR("Die Daten sind unvollständig.")));
    assert_false(claims_admits(STR("All 20 series are fine.")));
    assert_false(claims_admits(STR("")));
}

static void much_of_anything_is_bounded(void **state)
{
    struct claims c = {0};
    struct claim claims[3];
    (void)state;
    scoped_buf(text, 4 << 20);
    for (unsigned i = 0; i < 200000; i++)
        buf_printf(&text, "%u.5e3 -%u,", i, i);
    claims_know(&c, buf_str(&text));
    assert_int_equal(c.count, CLAIMS_NUMBERS_MAX);
    assert_true(claims_unsupported(&c, buf_str(&text), claims, 3) <= 3);
    buf_clear(&text);
    for (unsigned i = 0; i < 1000; i++)
        buf_puts(&text, "9");
    (void)claims_unsupported(&c, buf_str(&text), claims, 3);
    claims_free(&c);
}

/* A model that does not stop: a line without end, of numbers that are none; code that is never
 * closed. Looking for each line's begin and each fence's end took minutes of everybody's time. */
static void long_answers_take_no_time(void **state)
{
    (void)state;
    enum { BYTES = 4 << 20 };
    static const char *const units[] = {"1,2,3,4 ",  "1.2.3.4 ", "- 1 ",
                                        "` ``` `` ", "x1 ",      "12 000 "};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct claims known = {0};
        struct claim found[4];
        scoped_buf(answer, BYTES + 16);
        while (answer.len < BYTES)
            buf_puts(&answer, units[i]);
        struct timespec begin, end;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        claims_unsupported(&known, buf_str(&answer), found, 4);
        assert_false(claims_admits(buf_str(&answer)));
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        assert_true(end.tv_sec - begin.tv_sec < 2);
        buf_puts(&answer, "not all");
        assert_true(claims_admits(buf_str(&answer)));
        claims_free(&known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planted_numbers_are_all_found),
        cmocka_unit_test(true_numbers_are_not_doubted),
        cmocka_unit_test(what_is_partial_must_be_said_to_be_so),
        cmocka_unit_test(long_answers_take_no_time),
        cmocka_unit_test(much_of_anything_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
