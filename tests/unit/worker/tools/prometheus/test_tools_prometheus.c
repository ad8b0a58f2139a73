/* The tools against a real Prometheus, where this machine has one: what they ask is understood,
 * what they say is what Prometheus says. */
#include "tests/support/tools_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SERIES = 25000,
    ANSWER_MS = 90000, /* a tool asks several times, up to 20 s each: room on a busy machine */
};

struct real {
    struct fixture *f;
    pid_t pid;
    char folder[64];
    uint16_t port;
    unsigned scrapes;
};

static const char *program(void)
{
    static const char *const places[] = {"/usr/bin/prometheus", "/usr/local/bin/prometheus"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static void write_file(const struct real *r, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", r->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The tools call PERSES + datasource path: Prometheus is told to live under that path, which is all
 * that a test needs of a proxy. Its data comes from a scraped endpoint of the test's own server. */
static void launch(struct real *r)
{
    char config[512], listen[64], storage[128], file[128];
    snprintf(r->folder, sizeof(r->folder), "/tmp/persai-prom-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    r->port = free_port();
    snprintf(config, sizeof(config),
             "global: {scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 2s}\n"
             "rule_files: [rules.yml]\nscrape_configs:\n"
             "- {job_name: many, static_configs: [{targets: ['127.0.0.1:%u']}]}\n",
             http_port(r->f->http));
    write_file(r, "prometheus.yml", config);
    write_file(r, "rules.yml",
               "groups:\n- name: g\n  rules:\n"
               "  - {record: 'kind:many:sum', expr: 'sum by (kind) (many_things)'}\n"
               "  - {alert: FewAreFew, expr: 'few_total < 1', labels: {severity: page},\n"
               "     annotations: {summary: 'few is few', runbook_url: 'https://x/few.md'}}\n");
    snprintf(listen, sizeof(listen), "--web.listen-address=127.0.0.1:%u", r->port);
    snprintf(storage, sizeof(storage), "--storage.tsdb.path=%s/data", r->folder);
    snprintf(file, sizeof(file), "--config.file=%s/prometheus.yml", r->folder);
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid > 0)
        return;
    int quiet = open("/dev/null", O_WRONLY);
    dup2(quiet, 1);
    dup2(quiet, 2);
    execl(program(), "prometheus", file, listen, storage,
          "--web.route-prefix=/proxy/globaldatasources/prom",
          "--web.external-url=http://127.0.0.1/", (char *)NULL);
    _exit(127);
}

static void on_scrape(void *arg, struct http_request *request)
{
    struct real *r = arg;
    struct buf b;
    buf_init(&b, 4 << 20);
    buf_puts(&b, "# HELP many_things Things that are many.\n# TYPE many_things gauge\n");
    for (unsigned i = 0; i < SERIES; i++)
        buf_printf(&b, "many_things{thing=\"%u\",kind=\"%s\"} %u.5\n", i, i % 2 ? "odd" : "even",
                   i);
    buf_puts(&b, "# TYPE few_total counter\nfew_total{kind=\"odd\"} 0.30000000000000004\n");
    r->scrapes++; /* half of the requests take up to 0.1 s, the others up to 1 s */
    buf_printf(&b,
               "# TYPE wait_seconds histogram\nwait_seconds_bucket{way=\"in\",le=\"0.1\"} %u\n"
               "wait_seconds_bucket{way=\"in\",le=\"1\"} %u\n"
               "wait_seconds_bucket{way=\"in\",le=\"+Inf\"} %u\n",
               r->scrapes * 10, r->scrapes * 20, r->scrapes * 20);
    http_reply(request, 200, "text/plain; version=0.0.4", buf_str(&b));
    buf_free(&b);
}

static int setup(void **state)
{
    char error[256], url[64];
    struct real *r = xcalloc(1, sizeof(*r));
    *state = r;
    assert_non_null(program()); /* tests/run installs it */
    r->f = fixture_new();
    http_free(r->f->http);
    struct http_config config = {.listen = "127.0.0.1:0",
                                 .body_bytes_max = 1 << 20,
                                 .connections_max = 100,
                                 .idle_ms = 10000};
    static const struct http_callbacks callbacks = {.on_request = on_scrape};
    r->f->http = http_new(r->f->loop, &config, &callbacks, r, error);
    assert_non_null(r->f->http);
    launch(r);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", r->port);
    r->f->config.perses_url = url;
    fixture_tools(r->f);
    return 0;
}

static int teardown(void **state)
{
    struct real *r = *state;
    if (r->f != NULL) {
        char command[128];
        int status;
        kill(r->pid, SIGKILL);
        waitpid(r->pid, &status, 0);
        snprintf(command, sizeof(command), "%s", r->folder);
        pid_t pid = fork();
        if (pid == 0) {
            execlp("rm", "rm", "-rf", command, (char *)NULL);
            _exit(127);
        }
        waitpid(pid, &status, 0);
        fixture_free(r->f);
    }
    free(r);
    return 0;
}

/* The call again and again, until its result has `part` in it. */
static bool ask_until(struct real *r, const char *tool, const char *arguments, const char *part)
{
    static const struct answer none[] = {{0}};
    struct fixture *f = r->f;
    CHECK(f != NULL);
    f->script = none;
    int64_t deadline = loop_wall_ms() + ANSWER_MS;
    do {
        f->done = 0;
        struct tool_call call = {.tool_name = str_of(tool),
                                 .arguments = str_of(arguments),
                                 .datasources = fixture_paths,
                                 .datasource_count = 1,
                                 .token = f->token,
                                 .now_ms = loop_wall_ms()};
        tool_start(f->tools, &call, fixture_on_done, f);
        assert_true(pump_within(f->pump, ANSWER_MS, fixture_is_done, f));
        if (strstr(f->content, part) != NULL)
            return true;
        pump_for(f->pump, 100);
    } while (loop_wall_ms() < deadline);
    print_message("%s\n", f->content);
    return false;
}

static void a_real_prometheus_is_read(void **state)
{
    struct real *r = *state;
    /* instant: values with as many digits as they carry; retried until the first scrape is in */
    assert_true(
        ask_until(r, "execute_instant_query", "{\"query\":\"few_total\"}", "\"value\":0.3}"));
    /* more than is allowed is refused with a query that works */
    assert_true(ask_until(r, "execute_instant_query", "{\"query\":\"many_things\"}",
                          "\"code\":\"query_refused\""));
    assert_string_equal(fixture_text(r->f, "suggestion"), "topk(10, many_things)");
    assert_true(ask_until(r, "execute_instant_query", "{\"query\":\"topk(10, many_things)\"}",
                          "\"thing\":\"24999\"},\"value\":24999.5}"));
    assert_int_equal(json_integer_value(json_object_get(r->f->json, "series_total")), 10);
    assert_true(ask_until(r, "execute_instant_query", "{\"query\":\"sum by (kind) (many_things)\"}",
                          "\"series_total\":2"));
    assert_true(ask_until(r, "execute_instant_query",
                          "{\"query\":\"count by (thing) (many_things)\"}", "about 25,000 series"));
    assert_true(ask_until(r, "execute_instant_query",
                          "{\"query\":\"many_things{kind=\\\"odd\\\"}\"}",
                          "\"series_total\":12500"));
    /* a range, also with everything that a selector can have */
    assert_true(ask_until(r, "execute_range_query",
                          "{\"query\":\"max_over_time(sum(few_total offset 1s @ end())[1m:5s])\","
                          "\"start\":\"now-10m\",\"step\":\"10s\"}",
                          "\"last\":0.3"));
    /* its words about a query that is wrong */
    assert_true(ask_until(r, "execute_instant_query", "{\"query\":\"grate(few_total[5m])\"}",
                          "unknown function"));
    /* lists */
    assert_true(ask_until(r, "list_metrics", "{\"search\":\"many\"}",
                          "{\"name\":\"many_things\",\"type\":\"gauge\",\"help\":\"Things that are "
                          "many.\"}"));
    assert_true(ask_until(r, "list_metrics", "{\"search\":\"ways\"}", "there are labels: way"));
    assert_true(ask_until(r, "list_metrics", "{\"order\":\"series\",\"search\":\"many\"}",
                          "\"metrics\":[{\"name\":\"many_things\",\"series\":25000}"));
    assert_true(ask_until(r, "list_label_values", "{\"label\":\"kind\",\"metric\":\"many_things\"}",
                          "\"total\":2,\"shown\":2,\"values\":[\"even\",\"odd\"]"));
    assert_true(
        ask_until(r, "list_label_values", "{\"label\":\"thing\",\"search\":\"777\"}", "\"7770\""));
}

/* A histogram by the name of its family, which no series has. */
static void a_family_is_explored(struct real *r)
{
    assert_true(ask_until(r, "describe_metric", "{\"metric\":\"wait_seconds\"}",
                          "\"family\":[\"wait_seconds_bucket\""));
    assert_string_equal(fixture_text(r->f, "name"), "wait_seconds");
    assert_string_equal(fixture_text(r->f, "type"), "histogram");
    assert_non_null(strstr(r->f->content, "{\"name\":\"way\",\"values\":"));
    assert_non_null(strstr(r->f->content, "{\"name\":\"le\","));
    assert_non_null(strstr(r->f->content, "No series has this name itself"));
    static const struct {
        const char *tool, *arguments, *has;
    } families[] = {
        {"list_label_names", "{\"metric\":\"wait_seconds\"}", "\"way\""},
        {"list_label_names", "{\"match\":\"wait_seconds{way=\\\"in\\\"}\"}", "\"le\""},
        {"list_series", "{\"match\":\"wait_seconds\"}", "\"wait_seconds_bucket\""},
        {"list_label_values", "{\"label\":\"way\",\"metric\":\"wait_seconds\"}", "\"in\""},
    };
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        assert_true(ask_until(r, families[i].tool, families[i].arguments, families[i].has));
        assert_non_null(strstr(r->f->content, "No series has this name itself"));
    }
    assert_true(ask_until(r, "list_label_names", "{\"metric\":\"wait\"}", "\"total\":0"));
}

/* The tools that look, and what is said of what is not there. */
/* What is not there is said, with what there is. */
static const struct {
    const char *query, *says;
} empties[] = {
    {"things_of_many", "There is no metric things_of_many in this datasource: the query was "
                       "not run. The nearest are: many_things"},
    {"sum(many_thing)", "\"suggestion\":\"sum(many_things)\""},
    {"few{kind=\\\"odd\\\"}", "\"suggestion\":\"few_total{kind=\\\"odd\\\"}\""},
    {"absent(things_of_many)", "\"value\":1}"},
    {"up == 0", "1 series on the left, and none passes the comparison (== …)"},
    {"count(many_things) by (kind) > 1e9", "2 series on the left, and none passes"},
    {"rate(few_total[1s])", "fewer than two samples"},
    {"many_things{thing=~\\\"1.\\\"} / few_total",
     "only the left has (thing), only the right has (), both have (instance, job, kind). Try: "
     "many_things{thing=~\\\"1.\\\"} / on (instance, job, kind) group_left () few_total"},
    {"few_total / many_things{thing=~\\\"1.\\\"}", "group_right () many_things{"},
    {"100 * (1 - few_total / many_things{thing=~\\\"1.\\\"})",
     "Try: 100 * (1 - few_total / on (instance, job, kind) group_right () "
     "many_things{thing=~\\\"1.\\\"})"},
    {"sum by (kind) (few_total) / sum by (job) (up)", "no label in common"},
    {"rate(few_total(20s))", "\"suggestion\":\"rate(few_total[20s])\""},
    {"rate(few_total[20 s])", "\"suggestion\":\"rate(few_total[20s])\""},
    {"rate(rate(few_total[20s])[1m])", "\"suggestion\":\"rate(few_total[20s])\""},
    {"few_total where kind = 'odd'", "\"suggestion\":\"few_total{kind=\\\"odd\\\"}\""},
    {"up == true", "\"suggestion\":\"up == 1\""},
    {"few_total == max(few_total)", "Try: topk(1, few_total)"},
    {"count(rate(many_things[1m]))", "many_things is a gauge, and rate() is for counters"},
    {"avg(few_total)", "few_total is a counter: its avg() only shows how much came"},
    {"histogram_quantile(0.9, sum(rate(wait_seconds_bucket[20s])))",
     "\"suggestion\":\"histogram_quantile(0.9, sum by (le) (rate(wait_seconds_bucket[20s])))"},
    {"sum(many_things) by kind", "\"suggestion\":\"sum(many_things) by (kind)\""},
    {"many_things{kind=odd}", "\"suggestion\":\"many_things{kind=\\\"odd\\\"}\""},
    {"sum(rate(few_total)) by (kind)", "\"suggestion\":\"sum(rate(few_total[5m])) by (kind)\""},
    {"rate(sum(few_total)[20s])", "\"suggestion\":\"sum(rate(few_total[20s]))\""},
    {"sum(many_things{colour=\\\"red\\\"})",
     "The metric many_things has no label colour; its labels are: instance, job, kind, thing."},
    {"sum(many_things{kind=\\\"Even\\\"})", "Try: sum(many_things{kind=\\\"even\\\"})"},
    {"sum(many_things{kind=\\\"ev.*|odd\\\"})", "Try: sum(many_things{kind=~\\\"ev.*|odd\\\"})"},
    {"many_things{kind=\\\"evne\\\"}",
     "fits kind=\\\"evne\\\"; the label's values are: even, odd."},
    {"many_things{kind=\\\"odd\\\",thing=\\\"2\\\"}",
     "Each matcher of many_things alone fits some series, but none fits all of them"},
};

static void a_real_prometheus_is_explored(void **state)
{
    struct real *r = *state;
    /* first what keeps no catalog: until the first scrape is in */
    assert_true(ask_until(r, "list_series", "{\"match\":\"few_total\"}", "\"kind\":\"odd\""));
    /* all parts of an answer: at a heavy load one of its queries may not be answered in time */
    assert_true(ask_until(r, "describe_metric", "{\"metric\":\"many_things\"}",
                          "{\"name\":\"kind\",\"values\":2,\"most_series\":{\"even\":12500,"
                          "\"odd\":12500}}"));
    assert_non_null(strstr(r->f->content, "\"series\":25000"));
    assert_string_equal(fixture_text(r->f, "type"), "gauge");
    assert_string_equal(fixture_text(r->f, "help"), "Things that are many.");
    assert_non_null(strstr(r->f->content, "\"name\":\"thing\",\"values\":25000"));
    assert_non_null(strstr(r->f->content, "\"exposed_by\":[{\"job\":\"many\""));
    assert_true(ask_until(r, "describe_metric", "{\"metric\":\"things_of_many\"}",
                          "\"code\":\"unknown_metric\""));
    assert_non_null(strstr(fixture_text(r->f, "error"), "The nearest are: many_things"));
    a_family_is_explored(r);
    assert_true(ask_until(r, "list_label_names", "{\"metric\":\"many_things\"}",
                          "\"total\":5,\"shown\":5,\"labels\":[\"__name__\",\"instance\""));
    assert_true(ask_until(r, "list_alerts", "{\"search\":\"FEW\"}", "\"name\":\"FewAreFew\""));
    assert_non_null(strstr(r->f->content, "\"runbook_url\":\"https://x/few.md\""));
    assert_true(ask_until(r, "list_rules", "{\"type\":\"record\"}",
                          "\"query\":\"sum by (kind) (many_things)\""));
    assert_int_equal(json_integer_value(json_object_get(r->f->json, "total")), 1);
    assert_true(ask_until(r, "list_targets", "{\"health\":\"up\"}", "\"up\":1,\"down\":0"));
    assert_true(ask_until(r, "get_build_info", "{}", "\"version\":\"2."));
    /* half are below 0.1: the 0.75 quantile lies halfway in the bucket from 0.1 to 1 */
    assert_true(ask_until(r, "histogram_quantile",
                          "{\"metric\":\"wait_seconds_bucket\",\"quantile\":0.75,\"by\":\"way\","
                          "\"window\":\"20s\",\"matchers\":\"way=\\\"in\\\"\"}",
                          "\"last\":0.55"));
    assert_string_equal(fixture_text(r->f, "query"),
                        "histogram_quantile(0.75, sum by (le, way) "
                        "(rate(wait_seconds_bucket{way=\"in\"}[20s])))");
    assert_true(ask_until(r, "histogram_quantile", "{\"metric\":\"few_total\"}",
                          "There is no histogram few_total"));
    for (size_t i = 0; i < sizeof(empties) / sizeof(empties[0]); i++) {
        char arguments[512];
        snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", empties[i].query);
        assert_true(ask_until(r, "execute_instant_query", arguments, empties[i].says));
    }
}

static void what_is_not_there_is_explained_once_and_rightly(void **state)
{
    static const struct {
        const char *query, *says, *not ;
    } cases[] = {
        {"up == 0", "none passes the comparison", "don't match anything"},
        {"absent(up)", "There are such series, so that absent() gives nothing", "don't match"},
        {"few_total / many_things{thing=~\\\"1.\\\"}", "group_right", "don't match anything"},
    };
    struct real *r = *state;
    char arguments[512];
    assert_true(
        ask_until(r, "execute_instant_query", "{\"query\":\"few_total\"}", "\"value\":0.3}"));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(arguments, sizeof(arguments), "{\"query\":\"%s\"}", cases[i].query);
        assert_true(ask_until(r, "execute_instant_query", arguments, cases[i].says));
        assert_null(strstr(r->f->content, cases[i].not ));
    }
    /* at any time between two scrapes */
    for (unsigned i = 0; i < 6; i++) {
        assert_true(ask_until(r, "execute_instant_query",
                              "{\"query\":\"many_things{kind=\\\"evne\\\"}\"}", "fits kind="));
        if (strstr(r->f->content, "the label's values are: even, odd") == NULL)
            fail_msg("%s", r->f->content);
        pump_for(r->f->pump, 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_real_prometheus_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_real_prometheus_is_explored, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_explained_once_and_rightly, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
