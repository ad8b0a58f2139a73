/* The query that a question suggests of a metric: by what it asks for, in several languages, and by
 * what the metric is; and of how many of the evaluation's questions it is one that is accepted. */
#include "tests/support/eval_catalog.h"

#include "common/check.h"
#include "worker/tools/prometheus/rank.h"
#include "worker/tools/prometheus/sketch.h"

static void metric_of(struct sketch_metric *m, const char *name, const char *type,
                      const char *labels)
{
    *m = (struct sketch_metric){.name = str_of(name), .type = type};
    struct str rest = str_of(labels), part;
    while (str_split(&rest, ' ', &part)) { /* label=value=value */
        struct sketch_label *l = &m->labels[m->label_count++];
        str_split(&part, '=', &l->name);
        while (part.len > 0 && l->value_count < SKETCH_VALUES_MAX)
            str_split(&part, '=', &l->values[l->value_count++]);
    }
}

static void sketch_of(const char *question, const struct sketch_metric *m, struct buf *query)
{
    struct words w;
    struct sketch s;
    words_read(&w, str_of(question));
    sketch_read(&s, &w, str_of(question));
    buf_clear(query);
    assert_true(sketch_write(&s, m, query));
}

static const struct {
    const char *question, *name, *type, *labels, *query;
} suggestions[] = {
    /* gauges are their value; what is wanted of it stands around */
    {"How much memory does the shop use?", "shop_bytes", "gauge", "job=shop", "shop_bytes"},
    {"which queue is the longest", "shop_queue", "gauge", "queue=a=b", "topk(1, shop_queue)"},
    {"Top 3 der Warteschlangen", "shop_queue", "gauge", "queue=a=b", "topk(3, shop_queue)"},
    {"cuál es la cola menor", "shop_queue", "gauge", "", "bottomk(1, shop_queue)"},
    {"average queue", "shop_queue", "gauge", "", "avg(shop_queue)"},
    {"¿Cuál es la carga media?", "node_load1", "gauge", "", "node_load1"},
    {"queue length by room", "shop_queue", "gauge", "room=a=b", "sum by (room) (shop_queue)"},
    {"highest queue in the last hour", "shop_queue", "gauge", "", "max_over_time(shop_queue[1h])"},
    {"過去2時間の平均は？", "shop_queue", "gauge", "", "avg_over_time(shop_queue[2h])"},
    {"最低 过去五分钟", "shop_queue", "gauge", "", "min_over_time(shop_queue[5m])"},
    {"how long ago was the backup", "backup_timestamp_seconds", "gauge", "",
     "time() - backup_timestamp_seconds"},
    {"Wie lange läuft der Laden?", "process_start_time_seconds", "gauge", "",
     "time() - process_start_time_seconds"},
    {"When was it started?", "process_start_time_seconds", "gauge", "",
     "process_start_time_seconds"},
    {"how long is the queue", "shop_queue", "gauge", "", "shop_queue"},
    /* counters: per second, in a window, or as they stand */
    {"how many orders per second", "shop_orders_total", "counter", "job=shop",
     "rate(shop_orders_total[5m])"},
    {"how many orders per second", "shop_orders_total", "counter", "country=de=fr",
     "sum(rate(shop_orders_total[5m]))"},
    {"Bestellungen pro Sekunde nach country", "shop_orders_total", "counter", "country=de=fr",
     "sum by (country) (rate(shop_orders_total[5m]))"},
    {"每秒有多少订单？", "shop_orders_total", "counter", "", "rate(shop_orders_total[5m])"},
    {"orders in the last hour", "shop_orders_total", "counter", "",
     "increase(shop_orders_total[1h])"},
    {"how many orders were there", "shop_orders_total", "counter", "", "shop_orders_total"},
    {"how many orders per second from france", "shop_orders_total", "counter",
     "country=germany=france", "rate(shop_orders_total{country=\"france\"}[5m])"},
    {"orders of /cart", "shop_orders_total", "counter", "path=/cart=/ job=x",
     "shop_orders_total{path=\"/cart\"}"},
    {"how much cpu", "shop_cpu_seconds_total", "counter", "", "rate(shop_cpu_seconds_total[5m])"},
    {"how many percent of a core", "shop_cpu_seconds_total", "counter", "",
     "100 * rate(shop_cpu_seconds_total[5m])"},
    {"cpu seconds since it started", "shop_cpu_seconds_total", "counter", "",
     "shop_cpu_seconds_total"},
    {"which countries order most, per second", "shop_orders_total", "counter", "country=a=b",
     "topk(5, sum by (country) (rate(shop_orders_total[5m])))"},
    /* histograms and summaries */
    {"p95 of the wait", "shop_wait_seconds", "histogram", "",
     "histogram_quantile(0.95, sum by (le) (rate(shop_wait_seconds_bucket[5m])))"},
    {"Was ist das 99. Perzentil der Wartezeit?", "shop_wait_seconds", "histogram", "",
     "histogram_quantile(0.99, sum by (le) (rate(shop_wait_seconds_bucket[5m])))"},
    {"p999 by door over the last 10 minutes", "shop_wait_seconds", "histogram", "door=a=b",
     "histogram_quantile(0.999, sum by (le, door) (rate(shop_wait_seconds_bucket[10m])))"},
    {"median wait", "shop_wait_seconds", "summary", "", "shop_wait_seconds{quantile=\"0.5\"}"},
    {"longest wait", "shop_wait_seconds", "summary", "", "shop_wait_seconds{quantile=\"1\"}"},
    {"how long is the wait on average", "shop_wait_seconds", "histogram", "",
     "rate(shop_wait_seconds_sum[5m]) / rate(shop_wait_seconds_count[5m])"},
    {"average wait", "shop_wait_seconds", "histogram", "door=a=b",
     "sum(rate(shop_wait_seconds_sum[5m])) / sum(rate(shop_wait_seconds_count[5m]))"},
    {"how many waits were there", "shop_wait_seconds", "histogram", "", "shop_wait_seconds_count"},
    {"waits per second", "shop_wait_seconds", "histogram", "", "rate(shop_wait_seconds_count[5m])"},
    /* targets */
    {"how many targets are up", "up", "gauge", "job=a=b", "sum(up)"},
    {"Wie viele Ziele sind erreichbar?", "up", "gauge", "", "sum(up)"},
    {"how many targets are down", "up", "gauge", "", "count(up == 0) or vector(0)"},
    {"how many targets has each job", "up", "gauge", "job=a=b", "count by (job) (up)"},
    {"anything down?", "up", "gauge", "", "up"},
    /* names and values that need quotes */
    {"how is the a\"b", "shop.queue", "gauge", "door.id=a\"b=c",
     "{\"shop.queue\","
     "\"door.id\"=\"a\\\"b\"}"},
};

static void a_question_and_a_type_make_a_query(void **state)
{
    (void)state;
    scoped_buf(query, SKETCH_BYTES_MAX);
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof(suggestions) / sizeof(suggestions[0]); i++) {
        struct sketch_metric m;
        metric_of(&m, suggestions[i].name, suggestions[i].type, suggestions[i].labels);
        sketch_of(suggestions[i].question, &m, &query);
        if (!str_is(buf_str(&query), suggestions[i].query))
            wrong++, print_message("%s: %s, not %s\n", suggestions[i].question, buf_cstr(&query),
                                   suggestions[i].query);
    }
    assert_int_equal(wrong, 0);
}

static void a_part_is_put_beside_its_whole(void **state)
{
    static const struct {
        const char *question, *name, *whole, *query;
    } cases[] = {
        {"what share of memory is available", "node_memory_MemAvailable_bytes",
         "node_memory_MemTotal_bytes",
         "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"},
        {"Wie voll ist die Platte", "node_filesystem_avail_bytes", "node_filesystem_size_bytes",
         "1 - node_filesystem_avail_bytes / node_filesystem_size_bytes"},
        {"how many more files can be opened", "process_open_fds", "process_max_fds",
         "process_max_fds - process_open_fds"},
        {"is / full?", "disk_free", NULL, "disk_free{mount=\"/\"}"},
        {"打开文件的比例", "process_open_fds", "process_max_fds",
         "process_open_fds / process_max_fds"},
        {"how many files are open", "process_open_fds", "process_max_fds", "process_open_fds"},
        {"what share of carts", "shop_carts", NULL, "shop_carts"},
        {"what share is opened", "shop_openings", NULL, "shop_openings"},
    };
    (void)state;
    scoped_buf(query, SKETCH_BYTES_MAX);
    scoped_buf(whole, 300);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sketch_metric m;
        metric_of(&m, cases[i].name, "gauge", "mount=/=/boot");
        for (unsigned k = 0; sketch_whole(m.name, k, &whole); k++)
            if (cases[i].whole && str_is(buf_str(&whole), cases[i].whole))
                m.whole = str_of(cases[i].whole);
        assert_int_equal(m.whole.len > 0, cases[i].whole != NULL);
        sketch_of(cases[i].question, &m, &query);
        assert_string_equal(buf_cstr(&query), cases[i].query);
    }
}

static void a_question_likes_and_dislikes_metrics(void **state)
{
    static const struct {
        const char *question, *name;
        bool likes, dislikes;
    } cases[] = {
        {"when was it started", "process_start_time_seconds", true, false},
        {"Wann wurde es gestartet?", "backup_timestamp_seconds", true, false},
        {"how long ago was it", "backup_timestamp_seconds", true, false},
        {"how long does it take", "backup_timestamp_seconds", false, false},
        {"which target takes longest", "up", false, true},
        {"which target takes longest", "scrape_duration_seconds", false, false},
        {"the most of it, per version", "shop_build_info", false, true},
        {"which targets are up", "up", false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct words w;
        struct sketch s;
        words_read(&w, str_of(cases[i].question));
        sketch_read(&s, &w, str_of(cases[i].question));
        assert_int_equal(sketch_likes(&s, str_of(cases[i].name)), cases[i].likes);
        assert_int_equal(sketch_dislikes(&s, str_of(cases[i].name)), cases[i].dislikes);
    }
}

static void what_is_odd_or_long_is_bounded(void **state)
{
    static const char *const questions[] = {"",         "  ",
                                            "p",        "p95 p99 p",
                                            "top",      "top 99999999999",
                                            "last",     "in the last 99999999 hours",
                                            "\xff\xfe", "%",
                                            "/s",       "过去",
                                            "分",       "the last minute"};
    (void)state;
    scoped_buf(query, SKETCH_BYTES_MAX);
    scoped_buf(name, 2000);
    struct sketch_metric m;
    metric_of(&m, "x_total", "counter", "a=1=2 b=x");
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        sketch_of(questions[i], &m, &query);
    for (unsigned i = 0; i < 1000; i++)
        buf_puts(&name, "x");
    struct words w;
    struct sketch s;
    words_read(&w, buf_str(&name));
    sketch_read(&s, &w, buf_str(&name));
    m.name = buf_str(&name);
    buf_clear(&query);
    assert_false(sketch_write(&s, &m, &query));
    assert_int_equal(query.len, 0);
}

/* ---- the evaluation's questions ---- */

/* What series of the demo world have beside job and instance. */
static const char *labels_of(const char *metric)
{
    static const char *const known[][2] = {
        {"prometheus_http_requests_total", "code=200=400 handler=/metrics=/api/v1/query"},
        {"prometheus_http_request_duration_seconds", "handler=/metrics=/api/v1/query"},
        {"prometheus_sd_discovered_targets", "config=a=b"},
        {"prometheus_engine_query_duration_seconds", "slice=inner_eval=queue_time"},
        {"net_conntrack_dialer_conn_", "dialer_name=a=b"},
        {"node_network_", "device=eth0=lo"},
        {"node_cpu_seconds_total", "cpu=0=1 mode=idle=user"},
        {"node_filesystem_", "device=/dev/a fstype=ext4 mountpoint=/=/boot"},
        {"node_disk_", "device=sda"},
        {"room_", "room=kitchen=cellar"},
        {"doors_", "door=front=back"}};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(metric, known[i][0], strlen(known[i][0])) == 0)
            return known[i][1];
    return "job=a instance=b";
}

static const char *type_of(const json_t *world, struct str family, char base[256])
{
    static const char *const ends[] = {"_bucket", "_count"};
    size_t k;
    const json_t *name;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(base, 256, "%.*s%s", (int)family.len, family.at, ends[i]);
        json_array_foreach(json_object_get(world, "names"), k, name)
        {
            if (strcmp(json_string_value(name), base) == 0)
                return i == 0 ? "histogram" : "summary";
        }
    }
    return "";
}

static bool accepted(const json_t *question, struct str query)
{
    size_t i;
    const json_t *one;
    json_array_foreach(json_object_get(question, "accepted"), i, one)
    {
        struct str text = json_text(one);
        size_t a = 0, b = 0;
        for (;;) { /* blanks say nothing */
            while (a < text.len && text.at[a] == ' ')
                a++;
            while (b < query.len && query.at[b] == ' ')
                b++;
            if (a == text.len || b == query.len || text.at[a] != query.at[b])
                break;
            a++, b++;
        }
        if (a == text.len && b == query.len)
            return true;
    }
    return false;
}

struct tally {
    unsigned asked, first, any;
};

static void judge(const json_t *world, const struct catalog *c, const json_t *question,
                  struct tally *t)
{
    enum { SHOWN = 6 };
    struct rank r;
    struct rank_hit hits[SHOWN];
    struct sketch s;
    struct str text = json_text(json_object_get(question, "question"));
    bool tuned = str_is(json_text(json_object_get(question, "half")), "tuned"), any = false;
    rank_init(&r, text);
    while (rank_step(&r, c))
        ;
    unsigned count = rank_best(&r, c, hits, SHOWN, NULL);
    sketch_read(&s, &r.words, text);
    scoped_buf(seen, 4000);
    t->asked++;
    for (unsigned i = 0; i < count; i++) {
        char name[256], base[256];
        struct str full = catalog_name(c, &c->metrics[hits[i].metric]);
        struct str shown = hits[i].family ? rank_family(full) : full;
        snprintf(name, sizeof(name), "%.*s", (int)shown.len, shown.at);
        struct sketch_metric m;
        metric_of(&m, name,
                  hits[i].family ? type_of(world, shown, base)
                                 : catalog_type(&c->metrics[hits[i].metric]),
                  labels_of(name));
        scoped_buf(query, SKETCH_BYTES_MAX);
        scoped_buf(whole, 300);
        for (unsigned k = 0; m.whole.len == 0 && sketch_whole(m.name, k, &whole); k++)
            if (catalog_find(c, buf_str(&whole)))
                m.whole = buf_str(&whole);
        bool right = sketch_write(&s, &m, &query) && accepted(question, buf_str(&query));
        t->first += right && i == 0;
        any = any || right;
        buf_printf(&seen, "    %s\n", buf_cstr(&query));
    }
    t->any += any;
    if (!any && tuned) /* nobody tunes by what is only measured */
        print_message("not suggested: %s (%s)\n%s", text.at,
                      json_string_value(json_array_get(json_object_get(question, "accepted"), 0)),
                      buf_cstr(&seen));
    rank_free(&r);
}

static void the_demo_worlds_questions_get_their_queries(void **state)
{
    static const char *const languages[] = {"", "de", "es", "zh", "ja"};
    (void)state;
    json_auto_t *world = eval_load("catalogs/demo.json"), *questions = eval_load("questions.json");
    struct catalog c;
    struct tally halves[2] = {{0}}, spoken[5] = {{0}};
    size_t i;
    const json_t *question;
    eval_catalog(&c, json_object_get(world, "names"), json_object_get(world, "metadata"));
    json_array_foreach(questions, i, question)
    {
        if (json_object_get(question, "world"))
            continue;
        struct tally before = {0};
        struct str lang = json_text(json_object_get(question, "lang"));
        bool measured = str_is(json_text(json_object_get(question, "half")), "measured");
        judge(world, &c, question, &before);
        for (size_t k = 0; k < 5; k++)
            if (str_is(lang, languages[k]))
                spoken[k].asked++, spoken[k].first += before.first, spoken[k].any += before.any;
        halves[measured].asked++;
        halves[measured].first += before.first;
        halves[measured].any += before.any;
    }
    assert_true(halves[0].first * 100 >= halves[0].asked * 65);
    assert_true(halves[0].any * 100 >= halves[0].asked * 90);
    assert_true(halves[1].any * 100 >= halves[1].asked * 80);
    for (size_t k = 0; k < 2; k++)
        print_message("suggested queries, %s: the first metric's is accepted for %u of %u, one of "
                      "six for %u\n",
                      k ? "measured" : "tuned", halves[k].first, halves[k].asked, halves[k].any);
    for (size_t k = 0; k < 5; k++)
        print_message("    %s: %u of %u, one of six for %u\n", k ? languages[k] : "en",
                      spoken[k].first, spoken[k].asked, spoken[k].any);
    catalog_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_and_a_type_make_a_query),
        cmocka_unit_test(a_part_is_put_beside_its_whole),
        cmocka_unit_test(a_question_likes_and_dislikes_metrics),
        cmocka_unit_test(what_is_odd_or_long_is_bounded),
        cmocka_unit_test(the_demo_worlds_questions_get_their_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
