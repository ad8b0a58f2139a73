#include "worker/tools/meant.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "worker/tools/text.h"

/* X(tool, other names): of other Prometheus and Grafana tools for models, of Prometheus's API, and
 * what models make up. */
#define TOOLS(X)                                                                                   \
    X(list_metrics, "search_metrics find_metrics get_metrics list_metric get_metric_names "        \
                    "list_metric_names list_prometheus_metric_names metrics query_metrics "        \
                    "list_prometheus_metric search_metric")                                        \
    X(describe_metric, "get_metric_metadata metric_metadata get_metadata get_metric_info "         \
                       "metric_info list_prometheus_metric_metadata describe_metrics")             \
    X(list_label_values, "label_values get_label_values list_prometheus_label_values")             \
    X(list_label_names, "label_names get_label_names list_labels get_labels "                      \
                        "list_prometheus_label_names")                                             \
    X(list_series, "get_series find_series series query_series")                                   \
    X(list_alerts, "get_alerts alerts list_active_alerts list_firing_alerts prometheus_alerts")    \
    X(list_rules, "get_rules rules list_alert_rules prometheus_rules")                             \
    X(list_targets, "get_targets targets prometheus_targets")                                      \
    X(get_build_info, "build_info prometheus_version get_version")                                 \
    X(execute_instant_query, "execute_query prometheus_query query_prometheus query run_query "    \
                             "instant_query query_instant prometheus_instant_query promql "        \
                             "execute_promql run_promql promql_query execute_promql_query")        \
    X(execute_range_query, "query_range range_query prometheus_query_range run_range_query "       \
                           "prometheus_range_query execute_query_range")                           \
    X(histogram_quantile, "quantile get_quantile percentile query_prometheus_histogram")           \
    X(list_datasources, "get_datasources datasources list_datasource")                             \
    X(loki_query, "query_loki_logs query_loki loki_query_range query_logs search_logs logql")      \
    X(list_dashboards, "get_dashboards search_dashboards dashboards")
static const struct {
    const char *tool, *others;
} tools[] = {
#define X(tool, others) {#tool, others},
    TOOLS(X)
#undef X
};

/* X(argument, other names) */
#define ARGUMENTS(X)                                                                               \
    X(query, "expr expression promql logql traceql q")                                             \
    X(search, "query text pattern keyword keywords filter q name words regex match")               \
    X(metric, "metric_name name metricName")                                                       \
    X(label, "label_name labelName name")                                                          \
    X(match, "selector matcher matchers match[]")                                                  \
    X(matchers, "match selector filter filters labels")                                            \
    X(by, "group_by groupBy groupby labels")                                                       \
    X(start, "start_time startTime from since start_rfc3339 startRfc3339 range duration lookback " \
             "last period timeframe time_range timeRange")                                         \
    X(end, "end_time endTime to until end_rfc3339 endRfc3339")                                     \
    X(time, "timestamp at evaluation_time ts end")                                                 \
    X(step, "interval resolution step_seconds stepSeconds")                                        \
    X(window, "range rate_interval interval")                                                      \
    X(quantile, "percentile phi q")                                                                \
    X(limit, "max count top max_results n page_size")                                              \
    X(offset, "skip page_offset")                                                                  \
    X(datasource, "source ds datasource_path datasourceUid datasource_name datasource_uid")
static const struct {
    const char *argument, *others;
} arguments[] = {
#define X(argument, others) {#argument, others},
    ARGUMENTS(X)
#undef X
};

static bool among(const char *names, struct str name)
{
    struct str rest = str_of(names), one;
    while (str_split(&rest, ' ', &one))
        if (one.len == name.len && one.len > 0 && strncasecmp(one.at, name.at, one.len) == 0)
            return true;
    return false;
}

/* "functions.execute_query", "default_api:execute_query" (Gemini), "Execute-Query": as ours are
 * written. */
static struct str plain(struct str name, char *to, size_t size)
{
    size_t len = 0;
    name = str_trim(name);
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] == '.' || name.at[i] == '/' ||
            (name.at[i] == ':' && i + 1 < name.len && !isdigit((unsigned char)name.at[i + 1])))
            name = str_skip(name, i + 1), i = (size_t)-1;
    for (size_t i = 0; i < name.len && len < size; i++)
        to[len++] = name.at[i] == '-' || name.at[i] == ' '   ? '_'
                    : name.at[i] >= 'A' && name.at[i] <= 'Z' ? (char)(name.at[i] | 32)
                                                             : name.at[i];
    return (struct str){to, len};
}

static bool has_range(struct str arguments_json)
{
    return text_has(arguments_json, STR("\"start")) || text_has(arguments_json, STR("\"step")) ||
           text_has(arguments_json, STR("\"from\""));
}

const char *meant_tool(struct str name, struct str arguments_json)
{
    char text[64];
    const char *found = NULL;
    unsigned least = 3, same = 0;
    name = plain(name, text, sizeof(text));
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        if (str_is(name, tools[i].tool) || among(tools[i].others, name)) {
            bool range =
                strcmp(tools[i].tool, "execute_instant_query") == 0 && has_range(arguments_json);
            return range ? "execute_range_query" : tools[i].tool;
        }
        unsigned distance = text_distance(name, str_of(tools[i].tool));
        same = distance < least ? 1 : same + (distance == least);
        if (distance < least)
            least = distance, found = tools[i].tool;
    }
    return same == 1 && name.len > 5 ? found : NULL;
}

struct str meant_query(struct str text)
{
    static const char fence[] = "```";
    struct str whole = str_trim(text), rest = whole, line;
    size_t len = sizeof(fence) - 1;
    if (whole.len > 2 * len && str_starts(whole, str_of(fence)) && str_ends(whole, str_of(fence))) {
        rest = (struct str){whole.at + len, whole.len - 2 * len};
        struct str inner = rest; /* its first line may name the language */
        if (str_split(&inner, '\n', &line) && inner.len > 0 && line.len < 12 &&
            memchr(line.at, '(', line.len) == NULL)
            rest = inner;
    } else if (whole.len > 2 && whole.at[0] == '`' && whole.at[whole.len - 1] == '`') {
        rest = (struct str){whole.at + 1, whole.len - 2};
    }
    if (rest.len > 0 && memchr(rest.at, '`', rest.len) != NULL) /* they are strings of the query */
        return text;
    rest = str_trim(rest);
    while (rest.len > 1 && rest.at[rest.len - 1] == ';')
        rest = str_trim((struct str){rest.at, rest.len - 1});
    return rest.len < whole.len ? rest : text;
}

const char *meant_argument(const json_t *properties, const json_t *given, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
        const char *argument = arguments[i].argument;
        if (!among(arguments[i].others, str_of(name)) ||
            json_object_get(properties, argument) == NULL || json_object_get(given, argument))
            continue;
        if (found)
            return NULL;
        found = argument;
    }
    return found;
}
