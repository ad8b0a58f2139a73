/* gateway/doctor_sources.h: --check of the datasources of Perses: which of them hand the person's
 * sign-in on to their servers (proto/upstream.h), whether the PersAIDatasource leads to a gateway,
 * and how many queries a second each Prometheus takes through Perses. */
#ifndef GATEWAY_DOCTOR_SOURCES_H
#define GATEWAY_DOCTOR_SOURCES_H

#include "common/loop.h"
#include "common/report.h"
#include "common/secret.h"

struct gateway;
struct doctor_sources;
/* token: who asks, an administrator to see all; NULL: Perses's authentication is off. It is sent
 * through global datasources, which an administrator made, and never through a project's that would
 * hand it on. done is called once, last, never from inside. */
struct doctor_sources *doctor_sources_new(struct gateway *g, struct secret *token,
                                          struct report *report, loop_fn *done, void *arg);
void doctor_sources_free(struct doctor_sources *s); /* NULL is fine */

#endif
