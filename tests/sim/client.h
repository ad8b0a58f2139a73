/* tests/sim/client.h: people: each asks, follows, drops its line, comes back by Last-Event-ID to
 * any gateway, cancels, reads slowly, or leaves for good; and checks each event that it gets. */
#ifndef TESTS_SIM_CLIENT_H
#define TESTS_SIM_CLIENT_H

#include "tests/sim/web.h"

enum { CLIENTS_MAX = 6 };
void clients_begin(unsigned askers, unsigned watchers);
bool clients_done(void); /* each has seen its turns' ends, or left */
void clients_end(void);  /* hang up */
unsigned clients_waiting(void);

#endif
