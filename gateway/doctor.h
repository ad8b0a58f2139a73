/* gateway/doctor.h: persai-gateway --check: a line for each thing that this gateway needs, and what
 * to do about it. */
#ifndef GATEWAY_DOCTOR_H
#define GATEWAY_DOCTOR_H

struct gateway;

/* Prints its lines to stdout; returns the exit code: 0 when nothing failed. */
int doctor_run(struct gateway *g);

#endif
