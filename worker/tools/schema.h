/* worker/tools/schema.h: how a row of tools.def writes its arguments, and the JSON Schema that is
 * made of them. Pure.
 *
 * The macros are for the rows alone: TEXT(name, longest, description) and its like are one argument
 * each; those in capitals without a name are shared by many tools and said once, here. */
#ifndef WORKER_TOOLS_SCHEMA_H
#define WORKER_TOOLS_SCHEMA_H

#include <stdbool.h>
#include "common/buf.h"

struct tool_arg {
    const char *name;
    bool required;
    const char *schema; /* JSON */
};
/* {"type":"object","properties":{…},…} */
void schema_write(const struct tool_arg *args, unsigned count, struct buf *b);

#define SCHEMA_ARG(name, required, members)                                                        \
    {                                                                                              \
#name, required, "{" members "}"                                                           \
    }
#define SCHEMA_TEXT(least, most, description)                                                      \
    "\"type\":\"string\"" least ",\"maxLength\":" #most ",\"description\":" #description
/* Text; of MUST at least a character. */
#define TEXT(name, most, description) SCHEMA_ARG(name, false, SCHEMA_TEXT("", most, description))
#define MUST(name, most, description)                                                              \
    SCHEMA_ARG(name, true, SCHEMA_TEXT(",\"minLength\":1", most, description))
/* One of some words. */
#define WORD(name, description, ...)                                                               \
    SCHEMA_ARG(name, false,                                                                        \
               "\"type\":\"string\",\"enum\":[" #__VA_ARGS__ "],\"description\":" #description)
#define COUNT(name, least, most, description)                                                      \
    SCHEMA_ARG(name, false,                                                                        \
               "\"type\":\"integer\",\"minimum\":" #least ",\"maximum\":" #most                    \
               ",\"description\":" #description)
#define NUMBER(name, least, most, description)                                                     \
    SCHEMA_ARG(name, false,                                                                        \
               "\"type\":\"number\",\"minimum\":" #least ",\"maximum\":" #most                     \
               ",\"description\":" #description)

/* Pages: rows.h reads them. */
#define LIMIT(most, otherwise)                                                                     \
    SCHEMA_ARG(limit, false,                                                                       \
               "\"type\":\"integer\",\"minimum\":1,\"maximum\":" #most                             \
               ",\"description\":\"at most; default " #otherwise "\"")
#define OFFSET COUNT(offset, 0, 200000, "skip this many: the next page")
#define SEARCH TEXT(search, 200, "only those that contain this text")
/* Time: span.h reads them. */
#define START                                                                                      \
    TEXT(start, 64, "RFC 3339, Unix, now-1h, \"yesterday 14:00\"; default: the person's selection")
#define END TEXT(end, 64, "like start")
#define STEP TEXT(step, 32, "resolution as 15s, 1m, 1h; default: fitting the range")
/* Which datasource: said to the model once, in list_datasources' description. */
#define DATASOURCE SCHEMA_ARG(datasource, false, "\"type\":\"string\",\"maxLength\":300")
#define PROMQL MUST(query, 8000, "PromQL, without dashboard variables")
/* How the person sees a query's result: the plugin reads them, no tool does. */
#define SHOWN                                                                                      \
    TEXT(title, 120, "heading of the chart, in words of the person's language"),                   \
        TEXT(unit, 24, "as bytes, percent-decimal, seconds: when the metric's name says none"),    \
        WORD(kind, "default: what fits", "TimeSeriesChart", "StatChart", "BarChart", "Table")
/* Panels. */
#define VARIABLES                                                                                  \
    TEXT(variables, 2000, "values for its variables, as env=prod,job=api; else their defaults")
#define SCHEMA_CHART                                                                               \
    "\"type\":\"string\",\"enum\":[\"TimeSeriesChart\",\"StatChart\",\"GaugeChart\","              \
    "\"TimeSeriesTable\"],\"description\":\"default: TimeSeriesChart\""
#define SCHEMA_UNIT                                                                                \
    "\"type\":\"string\",\"enum\":[\"decimal\",\"percent\",\"percent-decimal\",\"milliseconds\","  \
    "\"seconds\",\"minutes\",\"hours\",\"days\",\"bytes\",\"bytes/sec\",\"bits/sec\","             \
    "\"requests/sec\",\"ops/sec\",\"counts/sec\"],\"default\":\"decimal\",\"description\":"        \
    "\"of the values; percent is 0 to 100, percent-decimal is 0 to 1\""
#define CHART SCHEMA_ARG(kind, false, SCHEMA_CHART)
#define UNIT SCHEMA_ARG(unit, false, SCHEMA_UNIT)
#define SCHEMA_FIELD(name, members) "\"" #name "\":{" members "}"
#define SCHEMA_LINE(most, description) SCHEMA_TEXT(",\"minLength\":1", most, description)
#define SCHEMA_LIST(most, description, fields, required)                                           \
    "\"type\":\"array\",\"minItems\":1,\"maxItems\":" #most ",\"description\":" #description       \
    ",\"items\":{\"type\":\"object\",\"properties\":{" fields "},\"required\":[" required          \
    "],\"additionalProperties\":false}"
#define SCHEMA_MORE(name, members) "," SCHEMA_FIELD(name, members)
#define SCHEMA_LOOK SCHEMA_MORE(kind, SCHEMA_CHART) SCHEMA_MORE(unit, SCHEMA_UNIT)
#define SCHEMA_WORDS(name, most, words) SCHEMA_MORE(name, SCHEMA_TEXT("", most, words))
#define SCHEMA_PANEL_GROUP SCHEMA_WORDS(group, 120, "of its group; panels of one follow each other")
#define SCHEMA_PANEL_TITLE SCHEMA_FIELD(title, SCHEMA_LINE(120, "what it shows"))
#define SCHEMA_PANEL_QUERY SCHEMA_MORE(query, SCHEMA_LINE(8000, "PromQL"))
#define SCHEMA_PANEL_ABOUT SCHEMA_WORDS(description, 500, "shown with the panel")
#define SCHEMA_PANEL                                                                               \
    SCHEMA_PANEL_TITLE SCHEMA_PANEL_QUERY SCHEMA_LOOK SCHEMA_PANEL_ABOUT SCHEMA_PANEL_GROUP
#define PANELS                                                                                     \
    SCHEMA_ARG(panels, true,                                                                       \
               SCHEMA_LIST(24, "in the order in which they are shown", SCHEMA_PANEL,               \
                           "\"title\",\"query\""))
#define SCHEMA_STATE                                                                               \
    "\"type\":\"string\",\"enum\":[\"todo\",\"doing\",\"done\",\"dropped\"],"                      \
    "\"description\":\"how far it is\""
#define SCHEMA_STEP                                                                                \
    SCHEMA_FIELD(step, SCHEMA_LINE(200, "what is to be found out, in the person's language"))      \
    "," SCHEMA_FIELD(state, SCHEMA_STATE)
#define STEPS                                                                                      \
    SCHEMA_ARG(steps, true,                                                                        \
               SCHEMA_LIST(12, "the whole plan, in order", SCHEMA_STEP, "\"step\",\"state\""))

#endif
