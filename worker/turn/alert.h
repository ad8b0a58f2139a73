/* worker/turn/alert.h: an alert that a turn is to investigate: what its context says of it, and
 * what the model is told to do about it.
 *
 * It comes from Alertmanager or a client, and its labels and annotations from anywhere: each text
 * is cleaned and cut, what is over ALERT_TEXT_MAX in all is left out and counted. */
#ifndef WORKER_TURN_ALERT_H
#define WORKER_TURN_ALERT_H

#include <jansson.h>
#include <stdint.h>
#include "common/buf.h"

enum { ALERT_TEXT_MAX = 6 << 10 };

/* {"labels", "annotations", "startsAt", "generatorURL", "others": [labels], "others_count"} as one
 * line of JSON, owned by the caller; NULL: it is none. starts_ms: Unix time, or 0 when it does not
 * say. */
char *alert_read(const json_t *alert, int64_t *starts_ms);
/* The part of the system prompt that makes an investigation of a turn. */
void alert_prompt(struct buf *b, const char *alert);

#endif
