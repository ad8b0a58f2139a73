/* The query that a question suggests of a metric: by what it asks for, in several languages, and by
 * what the metric is; and of how many of the evaluation's questions it is one that is accepted. */
#include "tests/support/eval_catalog.h"

#include <ctype.h>
#include <math.h>
#include <time.h>
#include "common/check.h"
#include "worker/tools/prometheus/pick.h"
#include "worker/tools/prometheus/sketch.h"

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* others use the machine too */
    return (double)t.tv_sec * 1000 + (double)t.tv_nsec / 1e6;
}

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
    struct asked a;
    words_read(&w, str_of(question));
    asked_read(&a, &w, str_of(question));
    buf_clear(query);
    assert_true(sketch_write(&a, m, query));
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
    {"what is the max wait", "shop_wait_seconds", "summary", "",
     "shop_wait_seconds{quantile=\"1\"}"},
    {"how many bytes of carts per second", "shop_cart_bytes", "histogram", "",
     "rate(shop_cart_bytes_sum[5m])"},
    {"waits in the last hour", "shop_wait_seconds", "summary", "",
     "increase(shop_wait_seconds_count[1h])"},
    /* windows as people write them */
    {"carts last 2h", "shop_carts_total", "counter", "", "increase(shop_carts_total[2h])"},
    {"max queue 24h", "shop_queue", "gauge", "", "max_over_time(shop_queue[1d])"},
    {"carts today", "shop_carts_total", "counter", "", "increase(shop_carts_total[1d])"},
    {"Wie viele Karren in der letzten Stunde", "shop_carts_total", "counter", "",
     "increase(shop_carts_total[1h])"},
    {"carts per minute in the last half hour", "shop_carts_total", "counter", "",
     "rate(shop_carts_total[30m])"},
    {"95th percentile of the queue in the last hour", "shop_queue", "gauge", "",
     "quantile_over_time(0.95, shop_queue[1h])"},
    /* "at most" ranks nothing, "the most" does; one or several, by how the label is said */
    {"how many may wait at most", "shop_queue_max", "gauge", "", "shop_queue_max"},
    {"which country orders the most per second", "shop_orders_total", "counter", "country=a=b",
     "topk(1, sum by (country) (rate(shop_orders_total[5m])))"},
    {"which three countries order the most per second", "shop_orders_total", "counter",
     "country=a=b", "topk(3, sum by (country) (rate(shop_orders_total[5m])))"},
    /* what is not, what is of all, and of how many */
    {"orders per second not from france", "shop_orders_total", "counter", "country=germany=france",
     "rate(shop_orders_total{country!=\"france\"}[5m])"},
    {"orders with code 500", "shop_orders_total", "counter", "code=200=500",
     "shop_orders_total{code=\"500\"}"},
    {"4xx and 5xx orders", "shop_orders_total", "counter", "code=200=404",
     "shop_orders_total{code=~\"[45]..\"}"},
    {"errors per second by code", "shop_orders_total", "counter", "code=200=500",
     "sum by (code) (rate(shop_orders_total[5m]))"},
    {"share of errors", "shop_orders_total", "counter", "code=200=500",
     "sum(rate(shop_orders_total{code=~\"5..\"}[5m])) / sum(rate(shop_orders_total[5m]))"},
    {"what share of orders is from france", "shop_orders_total", "counter",
     "country=germany=france",
     "sum(rate(shop_orders_total{country=\"france\"}[5m])) / sum(rate(shop_orders_total[5m]))"},
    {"how many different countries order", "shop_orders_total", "counter", "country=a=b",
     "count(count by (country) (shop_orders_total))"},
    {"how many rooms are there", "shop_room_celsius", "gauge", "room=a=b",
     "count(count by (room) (shop_room_celsius))"},
    {"carts per second of each flavour", "shop_carts_total", "counter", "country=a=b",
     "rate(shop_carts_total[5m])"},
    {"why were they oom killed", "shop_ends", "gauge", "reason=OOMKilled=Error",
     "shop_ends{reason=\"OOMKilled\"}"},
    {"how big is the postgres database", "pg_shop_bytes", "gauge", "datname=postgres=shop",
     "pg_shop_bytes"},
    /* seconds of a CPU by mode */
    {"how busy is the cpu in percent", "shop_cpu_seconds_total", "counter",
     "cpu=0=1 mode=idle=user", "100 * (1 - avg(rate(shop_cpu_seconds_total{mode=\"idle\"}[5m])))"},
    {"what share of cpu is idle", "shop_cpu_seconds_total", "counter", "cpu=0=1 mode=idle=user",
     "avg(rate(shop_cpu_seconds_total{mode=\"idle\"}[5m]))"},
    {"cpu time in each mode", "shop_cpu_seconds_total", "counter", "cpu=0=1 mode=idle=user",
     "sum by (mode) (rate(shop_cpu_seconds_total[5m]))"},
    {"which core is the busiest", "shop_cpu_seconds_total", "counter", "cpu=0=1 mode=idle=user",
     "topk(1, sum by (cpu) (rate(shop_cpu_seconds_total{mode!=\"idle\"}[5m])))"},
    /* of a type that nobody knows */
    {"retries per second", "shop_retries", "", "", "rate(shop_retries[5m])"},
    {"retries in the last hour", "shop_retries", "", "", "increase(shop_retries[1h])"},
    {"how many retries", "shop_retries", "", "", "shop_retries"},
    {"retries per second", "job:shop_retries:rate5m", "", "", "job:shop_retries:rate5m"},
    /* targets */
    {"what share of the targets is up", "up", "gauge", "job=a=b", "avg(up)"},
    {"how many jobs are there", "up", "gauge", "job=a=b", "count(count by (job) (up))"},
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
        {"how much swap is used", "node_memory_SwapFree_bytes", "node_memory_SwapTotal_bytes",
         "node_memory_SwapTotal_bytes - node_memory_SwapFree_bytes"},
        {"how full is the queue", "shop_queue_length", "shop_queue_capacity",
         "shop_queue_length / shop_queue_capacity"},
        {"what share of the table is taken", "shop_entries", "shop_entries_limit",
         "shop_entries / shop_entries_limit"},
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

static void a_counter_is_put_beside_what_it_is_of(void **state)
{
    static const struct {
        const char *question, *name, *whole, *query;
    } cases[] = {
        {"what share of lookups fails", "shop_lookup_failures_total", "shop_lookups_total",
         "rate(shop_lookup_failures_total[5m]) / rate(shop_lookups_total[5m])"},
        {"Anteil der fehlgeschlagenen", "shop_carts_failed_total", "shop_carts_total",
         "rate(shop_carts_failed_total[5m]) / rate(shop_carts_total[5m])"},
        {"average time of a read", "shop_read_time_seconds_total", "shop_reads_completed_total",
         "rate(shop_read_time_seconds_total[5m]) / rate(shop_reads_completed_total[5m])"},
        {"hit rate of the cache", "shop_cache_hits_total", "shop_cache_misses_total",
         "shop_cache_hits_total / (shop_cache_hits_total + shop_cache_misses_total)"},
        {"cache hit ratio in the last hour", "shop_cache_hits_total", "shop_cache_misses_total",
         "rate(shop_cache_hits_total[1h]) / (rate(shop_cache_hits_total[1h]) + "
         "rate(shop_cache_misses_total[1h]))"},
        {"how many carts failed", "shop_carts_failed_total", "shop_carts_total",
         "shop_carts_failed_total"},
    };
    (void)state;
    scoped_buf(query, SKETCH_BYTES_MAX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sketch_metric m;
        metric_of(&m, cases[i].name, "counter", "");
        m.whole = str_of(cases[i].whole);
        sketch_of(cases[i].question, &m, &query);
        assert_string_equal(buf_cstr(&query), cases[i].query);
    }
}

static void a_native_histogram_has_no_buckets_of_its_own(void **state)
{
    static const char *const cases[][2] = {
        {"p90 of the wait", "histogram_quantile(0.9, sum(rate(shop_wait_seconds[5m])))"},
        {"how long is the wait on average", "histogram_avg(sum(rate(shop_wait_seconds[5m])))"},
        {"waits per second", "histogram_count(sum(rate(shop_wait_seconds[5m])))"},
    };
    (void)state;
    scoped_buf(query, SKETCH_BYTES_MAX);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sketch_metric m;
        metric_of(&m, "shop_wait_seconds", "histogram", "");
        m.native = true;
        sketch_of(cases[i][0], &m, &query);
        assert_string_equal(buf_cstr(&query), cases[i][1]);
    }
}

static void metrics_fit_better_or_worse_by_what_they_are(void **state)
{
    static const struct {
        const char *question, *name, *type;
        int fits; /* better, as any, worse */
    } cases[] = {
        {"when was it started", "process_start_time_seconds", "gauge", 1},
        {"Wann wurde es gestartet?", "backup_timestamp_seconds", "gauge", 1},
        {"how long ago was it", "backup_timestamp_seconds", "gauge", 1},
        {"how long does it take", "backup_timestamp_seconds", "gauge", -1},
        {"which target takes longest", "up", "gauge", -1},
        {"which target takes longest", "scrape_duration_seconds", "gauge", 1},
        {"the most of it, per version", "shop_build_info", "gauge", -1},
        {"which targets are up", "up", "gauge", 1},
        {"how many carts per second", "shop_carts_total", "counter", 1},
        {"how many carts per second", "shop_carts", "gauge", -1},
        {"how many carts", "shop_carts", "gauge", 1},
        {"how many carts", "shop_carts_failed_total", "counter", -1},
        {"how many carts failed", "shop_carts_total", "counter", -1},
        {"load of the machine", "node_shop", "gauge", 1},
        {"shop15", "my_shop15", "gauge", 1},
        {"the five minute load", "shop_load5", "gauge", 1},
        {"the five minute load", "shop_load15", "gauge", 0},
        {"load of the machine", "process_shop", "gauge", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct words w;
        struct asked a;
        struct sketch_metric m;
        metric_of(&m, cases[i].name, cases[i].type, "");
        words_read(&w, str_of(cases[i].question));
        asked_read(&a, &w, str_of(cases[i].question));
        float fits = pick_fits(&a, &m);
        int sign = (fits > 1) - (fits < 1);
        if (sign != cases[i].fits)
            fail_msg("%s: %s %.2f", cases[i].question, cases[i].name, (double)fits);
    }
}

static void what_is_asked_of_one_program_is_not_of_another(void **state)
{
    static const char *const names[] = {"process_memory_bytes", "shop_memory_bytes",
                                        "market_memory_bytes"};
    static const char *const cases[][2] = {{"memory of the shop", "shop_memory_bytes"},
                                           {"memory of the market", "market_memory_bytes"},
                                           {"memory of the bakery", "process_memory_bytes"}};
    (void)state;
    json_auto_t *list = json_array(), *none = json_object();
    struct catalog c;
    for (size_t i = 0; i < 3; i++)
        json_array_append_new(list, json_string(names[i]));
    eval_catalog(&c, list, none);
    for (size_t k = 0; k < 3; k++) {
        struct rank r;
        struct asked a;
        struct pick picks[3];
        rank_init(&r, str_of(cases[k][0]));
        asked_read(&a, &r.words, str_of(cases[k][0]));
        for (uint32_t i = 0; i < 3; i++)
            pick_init(&picks[i], &c, &(struct rank_hit){.metric = i, .score = 1});
        for (size_t i = 0; i < 3; i++)
            if (str_is(picks[i].metric.name, "process_memory_bytes"))
                pick_label(&picks[i], STR("job"), STR("bakery"));
        pick_order(picks, pick_cut(picks, 3, 3, &a), &r, &a);
        assert_true(str_is(picks[0].metric.name, cases[k][1]));
        rank_free(&r);
    }
    catalog_free(&c);
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
    struct asked a;
    words_read(&w, buf_str(&name));
    asked_read(&a, &w, buf_str(&name));
    m.name = buf_str(&name);
    buf_clear(&query);
    assert_false(sketch_write(&a, &m, &query));
    assert_int_equal(query.len, 0);
}

/* ---- the evaluation's questions ---- */

/* The labels that series of the demo world have. */
static const char *labels_of(const char *metric)
{
    static const char *const known[][2] = {
        {"prometheus_http_requests_total", "code=200=400 handler=/metrics=/api/v1/query"},
        {"prometheus_http_", "handler=/metrics=/api/v1/query job=prometheus"},
        {"prometheus_sd_discovered_targets", "config=a=b name=scrape job=prometheus"},
        {"prometheus_engine_query_duration_seconds", "slice=inner_eval=queue_time job=prometheus"},
        {"prometheus_target_scrape_pool_targets", "scrape_job=a=b job=prometheus"},
        {"prometheus_rule_", "job=prometheus"},
        {"net_conntrack_dialer_conn_", "dialer_name=a=b job=prometheus"},
        {"node_network_", "device=eth0=lo job=node"},
        {"node_scrape_collector_", "collector=arp=cpu job=node"},
        {"node_cpu_seconds_total", "cpu=0=1 mode=idle=user job=node"},
        {"node_filesystem_", "device=/dev/a fstype=ext4 mountpoint=/=/boot job=node"},
        {"node_disk_", "device=sda job=node"},
        {"node_", "job=node"},
        {"room_", "room=kitchen=cellar=attic job=rooms"},
        {"doors_", "door=front=back job=rooms"},
        {"wait_", "queue=mail job=waits"},
        {"up", "job=prometheus=node=rooms instance=a=b=c"},
        {"scrape_", "job=prometheus=node=rooms instance=a=b=c"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strncmp(metric, known[i][0], strlen(known[i][0])) == 0)
            return known[i][1];
    return "job=prometheus instance=b";
}

/* Strings of the catalog and of labels_of stay; a label's values end at the next sign. */
static void give_labels(struct pick *p, const char *labels)
{
    struct str rest = str_of(labels), pair, label, value;
    while (str_split(&rest, ' ', &pair)) {
        str_split(&pair, '=', &label);
        while (str_split(&pair, '=', &value))
            pick_label(p, label, value);
    }
}

static bool same_text(struct str a, struct str b) /* blanks say nothing */
{
    size_t i = 0, k = 0;
    for (;; i++, k++) {
        while (i < a.len && a.at[i] == ' ')
            i++;
        while (k < b.len && b.at[k] == ' ')
            k++;
        if (i == a.len || k == b.len)
            return i == a.len && k == b.len;
        if (a.at[i] != b.at[k])
            return false;
    }
}

/* Are all metrics of a in b? Of a family its series are one. */
static bool metrics_within(const struct catalog *c, struct str a, struct str b)
{
    struct str part, word;
    scoped_buf(names, 1000);
    for (unsigned side = 0; side < 2; side++) {
        struct str rest = side ? a : b;
        for (size_t i = 0; i < rest.len;) {
            size_t from = i;
            if (rest.at[i] == '"')
                for (i++; i < rest.len && rest.at[i] != '"'; i++)
                    ;
            while (i < rest.len && (rest.at[i] == '_' || isalnum((unsigned char)rest.at[i])))
                i++;
            part = (struct str){rest.at + from, i - from};
            i += i == from || rest.at[from] == '"';
            if (part.len == 0 || catalog_find(c, part) == NULL)
                continue;
            scoped_buf(sought, 300);
            word = rank_family(part);
            buf_printf(&sought, " %.*s ", (int)word.len, word.at);
            if (side == 0)
                buf_add_str(&names, buf_str(&sought));
            else if (names.len == 0 || !memmem(names.at, names.len, sought.at, sought.len))
                return false;
        }
    }
    return true;
}

struct tally {
    unsigned asked, first, any, metric;
};

static void add_up(struct tally *all, const struct tally *one)
{
    all->asked += one->asked;
    all->first += one->first;
    all->any += one->any;
    all->metric += one->metric;
}

static void compare(const struct catalog *c, const json_t *question, struct str query,
                    unsigned place, struct tally *t)
{
    size_t i;
    const json_t *one;
    bool right = false, metric = false;
    json_array_foreach(json_object_get(question, "accepted"), i, one)
    {
        struct str text = json_text(one);
        right = right || same_text(text, query);
        metric = metric || (metrics_within(c, text, query) && metrics_within(c, query, text));
    }
    t->any = t->any || right;
    t->first += right && place == 0;
    t->metric += metric && place == 0;
}

static void judge(const struct catalog *c, const json_t *question, struct tally *t, bool bare)
{
    enum { RANKED = 36, LOOKED_AT = 12, SKETCHED = 6 };
    struct rank r;
    struct rank_hit hits[RANKED];
    struct pick picks[RANKED];
    struct asked a;
    struct str text = json_text(json_object_get(question, "question"));
    bool tuned = str_is(json_text(json_object_get(question, "half")), "tuned");
    rank_init(&r, text);
    while (rank_step(&r, c))
        ;
    unsigned count = rank_best(&r, c, hits, RANKED, NULL);
    asked_read(&a, &r.words, text);
    for (unsigned i = 0; i < count; i++)
        pick_init(&picks[i], c, &hits[i]);
    count = pick_cut(picks, count, LOOKED_AT, &a);
    for (unsigned i = 0; i < count; i++) {
        scoped_buf(name, 256);
        buf_add_str(&name, picks[i].metric.name);
        give_labels(&picks[i], bare ? "" : labels_of(buf_cstr(&name)));
    }
    pick_order(picks, count, &r, &a);
    scoped_buf(seen, 4000);
    t->asked = 1;
    for (unsigned i = 0; i < count && i < SKETCHED; i++) {
        scoped_buf(query, SKETCH_BYTES_MAX);
        if (sketch_write(&a, &picks[i].metric, &query))
            compare(c, question, buf_str(&query), i, t);
        buf_printf(&seen, "    %s\n", buf_cstr(&query));
    }
    if (!(bare ? t->metric : t->any) && tuned) /* nobody tunes by what is only measured */
        print_message("not suggested: %s (%s)\n%s", text.at,
                      json_string_value(json_array_get(json_object_get(question, "accepted"), 0)),
                      buf_cstr(&seen));
    rank_free(&r);
}

/* Of the exporters' catalog no labels are known here: only the metric counts. */
static void judge_all(const char *file, const char *world, struct tally halves[2])
{
    static const char *const languages[] = {"", "de", "es", "zh", "ja"};
    json_auto_t *demo = eval_load("catalogs/demo.json"), *questions = eval_load(file);
    bool exporters = strcmp(world, "exporters") == 0;
    struct catalog c;
    struct tally spoken[5] = {{0}};
    size_t i;
    const json_t *question;
    if (exporters)
        eval_exporters(&c);
    else
        eval_catalog(&c, json_object_get(demo, "names"), json_object_get(demo, "metadata"));
    json_array_foreach(questions, i, question)
    {
        struct tally one = {0};
        struct str lang = json_text(json_object_get(question, "lang"));
        struct str of = json_text(json_object_get(question, "world"));
        if (!str_eq(of.len > 0 ? of : STR("demo"), str_of(world)))
            continue;
        judge(&c, question, &one, exporters);
        add_up(&halves[str_is(json_text(json_object_get(question, "half")), "measured")], &one);
        for (size_t k = 0; k < 5; k++)
            if (str_is(lang, languages[k]))
                add_up(&spoken[k], &one);
    }
    for (size_t k = 0; k < 2; k++)
        print_message("%s, %s, %s: the first metric is right for %u of %u, its query for %u, one "
                      "of six for %u\n",
                      file, world, k ? "measured" : "tuned", halves[k].metric, halves[k].asked,
                      halves[k].first, halves[k].any);
    for (size_t k = 0; k < 5; k++)
        print_message("    %s: %u of %u, query %u, one of six %u\n", k ? languages[k] : "en",
                      spoken[k].metric, spoken[k].asked, spoken[k].first, spoken[k].any);
    catalog_free(&c);
}

/* In per cent. */
static void are_at_least(const struct tally *t, unsigned first, unsigned metric, unsigned any)
{
    assert_true(t->first * 100 >= t->asked * first);
    assert_true(t->metric * 100 >= t->asked * metric);
    assert_true(t->any * 100 >= t->asked * any);
}

static void the_demo_worlds_questions_get_their_queries(void **state)
{
    struct tally halves[2] = {{0}};
    (void)state;
    judge_all("questions.json", "demo", halves);
    are_at_least(&halves[0], 95, 97, 96);
    are_at_least(&halves[1], 84, 93, 88);
}

/* Questions that were written before anybody saw what is suggested for them, halved by lot. */
static void questions_asked_anew_get_their_queries(void **state)
{
    struct tally halves[2] = {{0}};
    (void)state;
    judge_all("sketch.json", "demo", halves);
    are_at_least(&halves[0], 94, 94, 97);
    are_at_least(&halves[1], 82, 86, 90);
}

/* Once more, of what people ask less often. */
static void questions_of_rare_metrics_often_get_their_queries(void **state)
{
    struct tally halves[2] = {{0}};
    (void)state;
    judge_all("sketch_rare.json", "demo", halves);
    are_at_least(&halves[0], 81, 81, 87);
    are_at_least(&halves[1], 53, 72, 72);
}

static void the_exporters_questions_get_their_metrics(void **state)
{
    struct tally of[2] = {{0}}, anew[2] = {{0}};
    (void)state;
    judge_all("questions.json", "exporters", of);
    judge_all("sketch.json", "exporters", anew);
    are_at_least(&of[0], 0, 82, 0);
    are_at_least(&of[1], 0, 74, 0);
    are_at_least(&anew[0], 0, 80, 0);
    are_at_least(&anew[1], 0, 82, 0);
}

/* All that is done for a question when its metrics are ranked is one slice of the loop's. */
static void a_long_question_is_picked_for_in_a_slice(void **state)
{
    enum { RANKED = 36 };
    struct catalog c;
    struct rank r;
    struct asked a;
    struct pick picks[RANKED];
    double least = INFINITY;
    (void)state;
    scoped_buf(question, 1000);
    while (question.len < 900)
        buf_puts(&question, "which handler failed most per second, and how full is it ");
    eval_exporters(&c);
    rank_init(&r, buf_str(&question));
    asked_read(&a, &r.words, buf_str(&question));
    for (unsigned round = 0; round < 5; round++) {
        double begun = now_ms();
        for (uint32_t i = 0; i < RANKED; i++)
            pick_init(&picks[i], &c, &(struct rank_hit){.metric = 50 * i, .score = 1});
        unsigned count = pick_cut(picks, RANKED, 12, &a);
        for (unsigned i = 0; i < count; i++)
            give_labels(&picks[i], "job=a=b=c code=200=400=500 handler=/metrics=/api device=a=b");
        pick_order(picks, count, &r, &a);
        for (unsigned i = 0; i < 6; i++) {
            scoped_buf(query, SKETCH_BYTES_MAX);
            sketch_write(&a, &picks[i].metric, &query);
        }
        least = fmin(least, now_ms() - begun);
    }
    print_message("picked and written in %.2f ms\n", least);
#if !defined(__SANITIZE_ADDRESS__)
    assert_true(least < 4); /* 2 on a quiet machine */
#endif
    rank_free(&r);
    catalog_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_question_and_a_type_make_a_query),
        cmocka_unit_test(a_part_is_put_beside_its_whole),
        cmocka_unit_test(a_counter_is_put_beside_what_it_is_of),
        cmocka_unit_test(a_native_histogram_has_no_buckets_of_its_own),
        cmocka_unit_test(metrics_fit_better_or_worse_by_what_they_are),
        cmocka_unit_test(what_is_odd_or_long_is_bounded),
        cmocka_unit_test(the_demo_worlds_questions_get_their_queries),
        cmocka_unit_test(questions_asked_anew_get_their_queries),
        cmocka_unit_test(questions_of_rare_metrics_often_get_their_queries),
        cmocka_unit_test(the_exporters_questions_get_their_metrics),
        cmocka_unit_test(a_long_question_is_picked_for_in_a_slice),
        cmocka_unit_test(what_is_asked_of_one_program_is_not_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
