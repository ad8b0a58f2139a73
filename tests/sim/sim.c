/* The simulation: many worlds, each by a seed.
 *
 *   sim [--seed N] [--schedules N]     from that seed on
 *   sim --seed N --trace               one, told event by event
 *   sim --plant WORD [--schedules N]   with a planted bug: fails unless it is found
 *   sim --twice                        each seed is run twice and must not differ */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/check.h"
#include "tests/sim/client.h"
#include "tests/sim/faults.h"
#include "tests/sim/script.h"
#include "tests/sim/sides.h"

enum { AFTER_CALM_US = 45000000 }; /* by then everything has ended */

/* Until everybody has what he came for. */
static void run_on(int64_t until_us)
{
    while (!sim.failed && !clients_done())
        if (!sim_step(until_us))
            break;
    if (!sim.failed && !clients_done())
        sim_fail("%u clients wait for ever", clients_waiting());
}

/* Nobody has a turn in his hands, and those whose people left have ended as well. */
static bool quiet(void)
{
    struct script_turn *t;
    for (unsigned i = 0; i < sim.gateway_count; i++)
        if (sim.gateways[i].up && side_gateway_driven(sim.gateways[i].self) > 0)
            return false;
    for (unsigned i = 0; i < sim.worker_count; i++)
        if (sim.workers[i].up && side_worker_running(sim.workers[i].self) > 0)
            return false;
    for (unsigned i = 0; (t = script_at(i)) != NULL; i++)
        if (t->accepted && !script_over(t))
            return false;
    return true;
}

static void run_out(int64_t until_us)
{
    while (!sim.failed && !quiet())
        if (!sim_step(until_us))
            break;
    struct script_turn *t;
    for (unsigned i = 0; !sim.failed && (t = script_at(i)) != NULL; i++)
        if (t->accepted)
            script_check(t);
    if (!sim.failed && !quiet())
        sim_fail("a process still has a turn that is over");
}

static void run_one(uint64_t seed)
{
    sim_begin(seed);
    script_begin();
    sim.smooth = sim_chance(100);
    sim.crowd = sim_chance(sim.smooth ? 300 : 50);
    sim.tight = sim_chance(50);
    sim.echoes = sim_chance(50);
    sim.gateway_count = 1 + sim_below(SIM_GATEWAYS_MAX);
    sim.worker_count = 2 + sim_below(2);
    sim.auth = sim_chance(500);
    script_poison(sim_chance(30) ? 500 : 0);
    script_break(sim_chance(100) ? 500 : 0);
    faults_begin();
    procs_begin();
    clients_begin(sim.crowd ? 4 : 1 + sim_below(2), sim_chance(250) ? 1 : 0);
    run_on(sim.calm_us + AFTER_CALM_US);
    run_out((sim.now_us > sim.calm_us ? sim.now_us : sim.calm_us) + AFTER_CALM_US);
    clients_end();
    faults_end();
    procs_end();
    sim.redis_down_us = INT64_MAX;
    while (sim_step(INT64_MAX))
        ;
    script_end();
    sim_end();
}

struct options {
    uint64_t seed, schedules;
    bool trace, twice;
    enum fake_plant plant;
};

static enum fake_plant plant_of(const char *word)
{
    static const char *const words[] = {
#define X(name, word) word,
        FAKE_PLANTS(X)
#undef X
    };
    for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(words[i], word) == 0)
            return (enum fake_plant)i;
    fprintf(stderr, "sim: no such bug: %s\n", word);
    exit(2);
}

static void options_read(struct options *o, int argc, char **argv)
{
    static const struct option names[] = {{"seed", 1, NULL, 's'},  {"schedules", 1, NULL, 'n'},
                                          {"trace", 0, NULL, 't'}, {"twice", 0, NULL, '2'},
                                          {"plant", 1, NULL, 'p'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 's':
            o->seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            o->schedules = strtoull(optarg, NULL, 10);
            break;
        case 't':
            o->trace = true;
            break;
        case '2':
            o->twice = true;
            break;
        case 'p':
            o->plant = plant_of(optarg);
            break;
        default:
            exit(2);
        }
    }
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool differs(uint64_t seed)
{
    uint64_t hash = sim.hash;
    run_one(seed);
    if (sim.hash == hash)
        return false;
    printf("seed %llu does not replay: %016llx and %016llx\n", (unsigned long long)seed,
           (unsigned long long)hash, (unsigned long long)sim.hash);
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.seed = 1, .schedules = 0};
    options_read(&o, argc, argv);
    if (o.schedules == 0)
        o.schedules = o.trace ? 1 : 20000;
    sim.tracing = o.trace;
    sim.plant = o.plant;
    setvbuf(stdout, NULL, o.trace ? _IOFBF : _IOLBF, 0);
    uint64_t done = 0, events = 0, digest = 0; /* of all that happened */
    bool bad = false;
    while (done < o.schedules && !bad) {
        uint64_t seed = o.seed + done++;
        run_one(seed);
        events += sim.happened;
        digest = digest * 31 + sim.hash;
        bad = sim.failed || (o.twice && differs(seed));
        if (sim.failed)
            printf("seed %llu: %s (again: --seed %llu --trace)\n", (unsigned long long)seed,
                   sim.failure, (unsigned long long)seed);
    }
    double seconds = cpu_seconds();
    printf("%llu schedules, %.0f events each, %.1f s of CPU, %.0f schedules/s, digest %016llx\n",
           (unsigned long long)done, (double)events / (double)done, seconds, (double)done / seconds,
           (unsigned long long)digest);
    if (o.plant != PLANT_NONE)
        return bad ? 0 : 1;
    return bad ? 1 : 0;
}
