/* Are the numbers of an answer those that were read? Planted ones are found, true ones are not
 * doubted. */
#include "tests/support/eval_catalog.h"
#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>
#include "worker/tools/prometheus/why.h"
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

/* tests/eval/answers.json: answers as models write them, true ones and false ones, in five
 * languages. */
static void answers_of_all_kinds_are_told_apart(void **state)
{
    (void)state;
    json_auto_t *all = eval_load("answers.json");
    unsigned wrong = 0;
    size_t i, k;
    const json_t *one, *result;
    json_array_foreach(all, i, one)
    {
        struct claims c = {0};
        struct claim claims[8];
        struct str answer = json_text(json_object_get(one, "answer"));
        claims_know(&c, json_text(json_object_get(one, "question")));
        json_array_foreach(json_object_get(one, "results"), k, result)
            claims_know_result(&c, json_text(result));
        const json_t *conceals = json_object_get(one, "conceals");
        bool want = json_is_true(conceals ? conceals : json_object_get(one, "found"));
        bool is = conceals ? claims_conceals(&c, answer) != CLAIMS_LACK_NOTHING
                           : claims_unsupported(&c, answer, claims, 8) > 0;
        if (is != want)
            print_message("%s: %s\n", want ? "missed" : "doubted", answer.at);
        wrong += is != want;
        claims_free(&c);
    }
    assert_true(i >= 250);
    assert_int_equal(wrong, 0);
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

/* Data that is partial, cut or not there at all, and answers that tell it as whole. */
#define SHORT                                                                                      \
    "{\"kind\":\"instant\",\"series_total\":90,\"series_shown\":20,\"series\":[{\"value\":1}]}"
#define PARTLY                                                                                     \
    "{\"kind\":\"range\",\"partial\":true,\"series_total\":4,\"series_shown\":4,\"series\":[]}"
#define CUT                                                                                        \
    "{\"kind\":\"range\",\"truncated\":true,\"series_total\":4,\"series_shown\":4,\"series\":[]}"
#define ALERTS "{\"kind\":\"alerts\",\"total\":80,\"shown\":50,\"next_offset\":50,\"alerts\":[]}"
#define LINES "{\"kind\":\"logs\",\"lines_total\":500,\"lines_shown\":50,\"streams\":[]}"
#define MCP "{\"kind\":\"mcp\",\"truncated\":true,\"structured_cut\":\"{\"}"
#define LOKI_NONE "{\"kind\":\"loki_metric\",\"series_total\":0,\"series_shown\":0,\"series\":[]}"
#define PASSES_NONE                                                                                \
    "{\"series_total\":0,\"series_shown\":0,\"series\":[],\"notes\":[\"7 series on the left, and " \
    "none passes the comparison (== …): " WHY_NONE_PASSES ".\"]}"

static const struct planted concealed[] = {
    {SHORT, "All 20 series are fine.", "part"},
    {SHORT, "All of them are up.", "part"},
    {SHORT, "There are 20 of them.", "part"},
    {SHORT, "The pods use at most 1 core, and none is missing.", "part"},
    {SHORT, "CPU is more than 80 % everywhere.", "part"},
    {SHORT, "Die Fehlerquote ist überall 1.", "part"},
    {SHORT, "Alle 20 laufen.", "part"},
    {SHORT, "Todos los 20 funcionan.", "part"},
    {SHORT, "全部 20 个都正常。", "part"},
    {SHORT, "20個すべて正常です。", "part"},
    {SHORT, "The data is complete: 20 series, nothing is truncated.", "part"},
    {SHORT, "Errors were left as they are.", "part"},
    {PARTLY, "All 4 are fine.", "part"},
    {PARTLY, "The error rate was 1 throughout.", "part"},
    {PARTLY, "2 pods are missing from the cluster.", "part"},
    {PARTLY, "The rate fell to 1 and no data was lost.", "part"},
    {PARTLY, "Es gibt 4 Reihen, nicht unvollständig.", "part"},
    {PARTLY, "Die Fehler sind weg.", "part"},
    {PARTLY, "This is the whole picture: 4 series.", "part"},
    {PARTLY, "It isn't partial: all 4 are there.", "part"},
    {PARTLY, "Hay 4 en total.", "part"},
    {PARTLY, "共有 4 个。", "part"},
    {PARTLY, "4つあります。", "part"},
    {CUT, "There are 4 jobs.", "part"},
    {CUT, "Only these 4 jobs exist.", "part"},
    {CUT, "The attack was not cut off by the firewall.", "part"},
    {CUT, "It was at most 4.", "part"},
    {CUT, "Genau 4.", "part"},
    {ALERTS, "50 alerts are firing.", "part"},
    {ALERTS, "All alerts are about disks.", "part"},
    {ALERTS, "Nur Platten melden sich.", "part"},
    {LINES, "The log has 50 errors.", "part"},
    {LINES, "All errors come from the shop.", "part"},
    {LINES, "Every line is a timeout.", "part"},
    {MCP, "There is one ticket.", "part"},
    {MCP, "The tickets are all closed.", "part"},
    {NONE, "All targets are up.", "all"},
    {NONE, "Memory usage is stable.", "all"},
    {NONE, "There were no errors.", "all"},
    {NONE, "There were 0 errors.", "all"},
    {NONE, "No pod restarted.", "all"},
    {NONE, "The service is healthy.", "all"},
    {NONE, "Everything is fine, no problems at all.", "all"},
    {NONE, "Keine Fehler.", "all"},
    {NONE, "Alle Ziele laufen.", "all"},
    {NONE, "No hay errores.", "all"},
    {NONE, "Todo está bien.", "all"},
    {NONE, "没有错误。", "all"},
    {NONE, "一切正常。", "all"},
    {NONE, "エラーはありません。", "all"},
    {NONE, "正常に動いています。", "all"},
    {NONE, "The disk is not full.", "all"},
    {NONE, "The latency is zero.", "all"},
    {NONE, "Yes.", "all"},
    {LOKI_NONE, "The logs are clean.", "all"},
    {LOKI_NONE, "Es gab keine Warnungen.", "all"},
    {LOKI_NONE, "The shop never logged a timeout.", "all"},
};
static const struct planted told[] = {
    {SHORT, "The first 20 of 90 series are fine.", "none"},
    {SHORT, "20 are shown, not all.", "none"},
    {SHORT, "At least 20 are up.", "none"},
    {SHORT, "Von 90 Reihen wurden 20 gelesen.", "none"},
    {SHORT, "结果不完整。", "none"},
    {PARTLY, "The data is partial: a store was away.", "none"},
    {PARTLY, "4 series, but some data is missing.", "none"},
    {PARTLY, "Die Daten sind unvollständig.", "none"},
    {PARTLY, "Los datos son parciales.", "none"},
    {PARTLY, "一部のデータが欠けています。", "none"},
    {CUT, "The result was cut off, so there are more.", "none"},
    {ALERTS, "80 alerts are firing, 50 of which I read.", "none"},
    {LINES, "The newest 50 of 500 lines.", "none"},
    {MCP, "The list was truncated.", "none"},
    {NONE, "No series matches: there is no data.", "none"},
    {NONE, "There is no such metric.", "none"},
    {NONE, "I could not find a metric for that.", "none"},
    {NONE, "The query returned nothing.", "none"},
    {NONE, "Dafür gibt es keine Daten.", "none"},
    {NONE, "No hay datos.", "none"},
    {NONE, "没有数据。", "none"},
    {NONE, "データが見つかりません。", "none"},
    {PASSES_NONE, "All targets are up.", "none"},
    {ROOMS, "All 3 rooms are warm.", "none"},
    {"{\"kind\":\"metrics\",\"total\":219,\"shown\":12,\"metrics\":[]}", "There are some.", "none"},
    {"{\"kind\":\"error\",\"error\":\"no\"}", "All is well.", "none"},
    {"no json", "All is well.", "none"},
};

static const char *lack_of(const struct planted *p)
{
    static const char *const names[] = {"none", "part", "all"};
    struct claims c = {0};
    claims_know_result(&c, str_of(p->result));
    enum claims_lack lack = claims_conceals(&c, str_of(p->answer));
    claims_free(&c);
    return names[lack];
}

static void what_is_lacking_is_never_told_as_whole(void **state)
{
    unsigned wrong = 0;
    (void)state;
    assert_true(sizeof(concealed) / sizeof(concealed[0]) >= 50);
    for (size_t i = 0; i < sizeof(concealed) / sizeof(concealed[0]); i++)
        if (strcmp(lack_of(&concealed[i]), concealed[i].found) != 0)
            print_message("missed %u: %s\n", ++wrong, concealed[i].answer);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (strcmp(lack_of(&told[i]), told[i].found) != 0)
            print_message("doubted %u: %s\n", ++wrong, told[i].answer);
    assert_int_equal(wrong, 0);
}

/* One that came whole makes up for one that came empty; none for one that is cut. */
static void all_results_of_a_turn_count(void **state)
{
    struct claims c = {0};
    (void)state;
    claims_know_result(&c, STR(NONE));
    assert_int_equal(claims_conceals(&c, STR("All is well.")), CLAIMS_LACK_ALL);
    claims_know_result(&c, STR(ROOMS));
    assert_int_equal(claims_conceals(&c, STR("All is well.")), CLAIMS_LACK_NOTHING);
    claims_know_result(&c, STR(SHORT));
    assert_int_equal(claims_conceals(&c, STR("All is well.")), CLAIMS_LACK_PART);
    assert_int_equal(claims_conceals(&c, STR("20 of 90.")), CLAIMS_LACK_NOTHING);
    claims_know_result(&c, STR(CUT));
    assert_int_equal(claims_conceals(&c, STR("20 of 90.")), CLAIMS_LACK_PART);
    claims_free(&c);
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
    assert_int_equal(c.numbers.count, CLAIMS_NUMBERS_MAX);
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
    static const char *const units[] = {"1,2,3,4 ", "1.2.3.4 ", "- 1 ",      "` ``` `` ", "x1 ",
                                        "12 000 ",  "two ",     "zwei und ", "fünfund ",  "一千 "};
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
        cmocka_unit_test(answers_of_all_kinds_are_told_apart),
        cmocka_unit_test(what_is_partial_must_be_said_to_be_so),
        cmocka_unit_test(long_answers_take_no_time),
        cmocka_unit_test(what_is_lacking_is_never_told_as_whole),
        cmocka_unit_test(all_results_of_a_turn_count),
        cmocka_unit_test(much_of_anything_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
