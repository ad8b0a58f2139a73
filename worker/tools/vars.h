/* worker/tools/vars.h: a dashboard's variables, put into its queries. Pure.
 *
 * $name, ${name} and ${name:format} are replaced by values; several values become a group of a
 * regular expression, (a|b), all of them .*; what is not known stays as it is and is named.
 * Built-in ones ($__rate_interval, $__range …) come from the time range. Memory: vars_free. */
#ifndef WORKER_TOOLS_VARS_H
#define WORKER_TOOLS_VARS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

enum { VARS_MAX = 64, VARS_VALUE_MAX = 1000 };

struct vars {
    struct var {
        char *name, *value;
    } all[VARS_MAX];
    unsigned count;
    int64_t range_ms, step_ms;
};
void vars_free(struct vars *v);
/* The newest value of a name counts. Names and values that are too long are left out. */
void vars_set(struct vars *v, struct str name, struct str value);
/* One of spec.variables; a value that was set before stays. */
void vars_read(struct vars *v, const json_t *variable);
/* "env=prod, job=a|b" of a model. False: it cannot be read. */
bool vars_parse(struct vars *v, struct str text);
/* The query with its variables; false: one is not known (its name is in unknown, when not NULL). */
bool vars_apply(const struct vars *v, struct str query, struct buf *out, struct str *unknown);

#endif
