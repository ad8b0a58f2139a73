/* worker/tools/perses/vars.h: a dashboard's variables, put into its queries. Pure.
 *
 * $name, ${name}, ${name:format} and ${name.field:format} are replaced as Perses does it (its
 * interpolation formats: csv, distributed, doublequote, glob, json, lucene, percentencode, pipe,
 * prometheus, queryparam, raw, regex, regexliteral, singlequote, sqlstring, text). Without a format
 * several values become a group of a regular expression, (a|b). "All" is the variable's
 * customAllValue; without one the values of a list: a static one's, or what the datasource says
 * (vars_open); of others, which only their plugins know, it is any value, .*, in what runs, and
 * its name in what is shown (keep_any). Where nothing was chosen it is all if that is offered,
 * else the first of a static list. What is not known stays as it is
 * and is named. Built-in ones ($__rate_interval, $__range, $__from …) come from the time range,
 * $__project and $__dashboard from whose they are. Memory: vars_free. */
#ifndef WORKER_TOOLS_PERSES_VARS_H
#define WORKER_TOOLS_PERSES_VARS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

/* Plugins of lists whose values Prometheus has. */
#define VARS_OPEN_KINDS                                                                            \
    {                                                                                              \
        "PrometheusLabelValuesVariable", "PrometheusLabelNamesVariable",                           \
            "PrometheusPromQLVariable"                                                             \
    }

enum { VARS_MAX = 64, VARS_VALUE_MAX = 1000, VARS_VALUES_MAX = 200 };

struct vars {
    struct var {
        char *name;
        json_t *values; /* array of strings */
        bool list;      /* of several; else one */
        bool finished;  /* an expression, which no format changes */
        /* All values of a list that the datasource has (VARS_OPEN_KINDS): its plugin, and in it
         * "needs": what may name other variables, "capturingRegexp". NULL: it has values. */
        json_t *open;
        bool any;  /* all of a list whose values are not known: .* */
        bool told; /* its reader's */
    } all[VARS_MAX];
    unsigned count;
    int64_t end_ms, range_ms, step_ms; /* end_ms: Unix milliseconds */
    const char *project, *dashboard;   /* whose they are; borrowed; NULL or empty: not known */
    bool keep_any; /* .* would be more than is meant: vars_apply leaves the name */
};
#define VARS_ALL "$__all"
void vars_free(struct vars *v);
/* One of spec.variables; a value that was set before stays (but for $__all, which is resolved).
 * Names and values that are too long are left out. */
void vars_read(struct vars *v, const json_t *variable);
/* "env=prod, job=a,b" of a model; a name may also come again with another value. False: it cannot
 * be read. */
bool vars_parse(struct vars *v, struct str text);
struct var *vars_find(const struct vars *v, struct str name); /* NULL: it has no values */
/* Does the text, or what says which values an open variable in it has, name one without a value? */
bool vars_lack(const struct vars *v, struct str text);
/* The next variable in the text that is open, after those that say which values it has; NULL: none.
 */
struct var *vars_open(const struct vars *v, struct str text);
/* NULL: it stays any value. */
void vars_close(struct var *var, json_t *take_values);
/* The first variable that the text names of which any value is taken; NULL: none. */
const struct var *vars_any(const struct vars *v, struct str text);
/* Its values as they stand in a query without a format. */
void vars_write(const struct var *var, struct buf *out);
#define VARS_PUT_IN_NOTE "The variables of Perses were put in: see query."
/* The query with its variables; false: one is not known (its name is in unknown, when not NULL). */
bool vars_apply(const struct vars *v, struct str query, struct buf *out, struct str *unknown);

#endif
