/* gateway/api/alerts.h: a notification of Alertmanager's webhook (version 4): which of its alerts
 * are to be investigated. Pure.
 *
 * Only those that fire. Alerts with one name come from one rule and are one incident: the one that
 * began first is investigated, and told of the others. What is in it may come from anywhere: it is
 * data for the worker, which cleans it. */
#ifndef GATEWAY_API_ALERTS_H
#define GATEWAY_API_ALERTS_H

#include <jansson.h>
#include "common/buf.h"
#include "proto/err.h"

enum { ALERTS_MAX = 50, ALERT_KEY_TEXT = 64, ALERT_CONTEXT_MAX = 65536 };

struct alert {
    char *title;                  /* its name, as a title; never empty */
    char *message;                /* the question */
    char *context;                /* the turn's: {"alert": {…}} */
    char key[ALERT_KEY_TEXT + 1]; /* the same alert, fired at the same time, on the same path */
};
struct alerts {
    struct alert at[ALERTS_MAX];
    unsigned count;
    unsigned quiet;    /* resolved, or not to be understood */
    unsigned left_out; /* fire, and have names beyond the first max */
};
/* ERR_INVALID: it is no such notification. max: 1 … ALERTS_MAX. */
enum err alerts_read(const json_t *body, struct str path, unsigned max,
                     struct alerts *out) warn_unused;
void alerts_free(struct alerts *a);

#endif
