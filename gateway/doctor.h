/* gateway/doctor.h: persai-gateway --check: a line for each thing that this gateway needs, and what
 * to do about it.
 *
 * What needs a sign-in to Perses is asked with PERSES_TOKEN, or as PERSES_USER with
 * PERSES_PASSWORD, or as the service user; where there is none of them, a line says what was not
 * looked at. */
#ifndef GATEWAY_DOCTOR_H
#define GATEWAY_DOCTOR_H

#include "common/report.h"

struct gateway;

/* Makes the gateway's loop and fetches, and runs them; the caller frees all. */
void doctor_run(struct gateway *g, struct report *report);

#endif
