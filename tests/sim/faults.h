/* tests/sim/faults.h: what goes wrong in a world, and when; and the starts and ends of processes.
 */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/world.h"

void procs_begin(void);  /* all of them start */
void procs_end(void);    /* all are gone */
void faults_begin(void); /* draws a plan: until sim.calm_us */
void faults_end(void);
unsigned faults_deadly(void); /* how often a worker may have been taken for dead */
bool faults_none(void);       /* in this world; nor did a worker die of a turn */

#endif
