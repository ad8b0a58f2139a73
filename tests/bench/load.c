/* Many streams at once against a model, a plain proxy before it, or PersAI; prints one line of
 * JSON.
 *
 *   bench-load --mode turn --port 8000 --streams 500 --tokens 500 --rate 50 --ramp 10000 --watch
 * gateway=PID …
 *
 * What is watched (CPU, memory) is watched over a window: from when every stream has had its first
 * token to when the first has had its last (--window steady), or the whole run (--window all). It
 * ends by itself: after --timeout at the latest, and what isn't whole by then is a failure.
 */
#include "tests/bench/proc.h"
#include "tests/bench/stream.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define WATCHED_MAX 16

struct watched {
    char name[32];
    int pid;
    struct proc_use start, open, end; /* before anything; at the window's two ends */
};

struct client {
    struct stream stream;
    uint32_t rounds; /* still to do, this one included */
};

static struct {
    uv_loop_t loop;
    uv_timer_t ramp, timeout, back;
    struct plan plan;
    struct client *clients;
    uint32_t streams, rounds, ramp_ms, timeout_s, seed;
    bool window_all;
    uint32_t started, running, firsts, peak;
    uint64_t ok, failed, begun_us, open_us, end_us, open_tokens, end_tokens, open_events,
        end_events;
    struct watched watched[WATCHED_MAX];
    int watched_count;
    bool stopped;
} load;

static void watch(size_t field)
{
    for (int i = 0; i < load.watched_count; i++) {
        struct watched *w = &load.watched[i];
        if (!proc_read(w->pid, (struct proc_use *)((char *)w + field))) {
            fprintf(stderr, "bench-load: %s (pid %d) is gone\n", w->name, w->pid);
            exit(1);
        }
    }
}

static void window_open(void)
{
    load.open_us = script_now_us();
    load.open_tokens = load.plan.tokens_seen;
    load.open_events = load.plan.events;
    watch(offsetof(struct watched, open));
}

static void window_end(void)
{
    if (load.end_us || !load.open_us)
        return;
    load.end_us = script_now_us();
    load.end_tokens = load.plan.tokens_seen;
    load.end_events = load.plan.events;
    watch(offsetof(struct watched, end));
}

static void on_first(void)
{
    if (++load.firsts == load.streams && !load.window_all)
        window_open();
}

static void client_start(struct client *client)
{
    if (++load.running > load.peak)
        load.peak = load.running;
    stream_start(&client->stream, &load.plan, client, load.seed++);
}

static void on_over(void *arg, bool ok)
{
    struct client *client = arg;
    load.running--;
    if (ok)
        load.ok++;
    else
        load.failed++;
    if (!ok && !client->stream.first_seen)
        on_first(); /* the window doesn't wait for one that will never come */
    if (load.stopped)
        return;
    if (--client->rounds > 0) {
        client_start(client);
        return;
    }
    if (!load.window_all)
        window_end();
    if (load.ok + load.failed == (uint64_t)load.streams * load.rounds)
        uv_stop(&load.loop);
}

/* Starts what is due by now: evenly over the ramp. */
static void on_ramp(uv_timer_t *t)
{
    uint64_t us = script_now_us() - load.begun_us;
    uint64_t due = load.ramp_ms ? 1 + us * load.streams / (load.ramp_ms * 1000u) : load.streams;
    while (load.started < load.streams && load.started < due)
        client_start(&load.clients[load.started++]);
    if (load.started == load.streams)
        uv_timer_stop(t);
}

static void on_back(uv_timer_t *t)
{
    (void)t;
    for (uint32_t i = 0; i < load.started; i++)
        stream_tick(&load.clients[i].stream);
}

static void on_timeout(uv_timer_t *t)
{
    load.stopped = true;
    if (!load.plan.error[0])
        snprintf(load.plan.error, sizeof(load.plan.error), "%u streams open after %u s",
                 load.running, load.timeout_s);
    uv_stop(t->loop);
}

static double per(double what, uint64_t count) { return count ? what / (double)count : 0; }

static void print_watched(FILE *f)
{
    uint64_t tokens = load.end_tokens - load.open_tokens;
    double secs = (double)(load.end_us - load.open_us) / 1e6;
    fprintf(f, ",\"window\":{\"secs\":%.3f,\"tokens\":%" PRIu64 ",\"tokens_per_event\":%.2f", secs,
            tokens, per((double)tokens, load.end_events - load.open_events));
    for (int i = 0; i < load.watched_count; i++) {
        const struct watched *w = &load.watched[i];
        double cpu_us = (double)(w->end.cpu_ns - w->open.cpu_ns) / 1e3;
        fprintf(f,
                ",\"%s\":{\"cpu_us_per_token\":%.3f,\"cpu\":%.3f,\"rss_kib\":%" PRIu64
                ",\"kib_per_stream\":%.2f}",
                w->name, per(cpu_us, tokens), secs > 0 ? cpu_us / 1e6 / secs : 0, w->end.rss_kib,
                per((double)w->end.rss_kib - (double)w->start.rss_kib, load.streams));
    }
    fputc('}', f);
}

static void print_text(FILE *f, const char *text)
{
    fputc('"', f);
    for (; *text; text++)
        fprintf(f,
                (unsigned char)*text < 32       ? "\\u%04x"
                : *text == '"' || *text == '\\' ? "\\%c"
                                                : "%c",
                *text);
    fputc('"', f);
}

static void print_result(FILE *f)
{
    const struct plan *p = &load.plan;
    uint64_t asked = (uint64_t)load.streams * load.rounds;
    double secs = (double)(script_now_us() - load.begun_us) / 1e6;
    fprintf(f,
            "{\"streams\":%u,\"tokens\":%u,\"rate\":%u,\"rounds\":%u,\"ramp_ms\":%u,\"ok\":%" PRIu64
            ",\"failed\":%" PRIu64 ",\"peak\":%u,\"secs\":%.3f,\"tokens_seen\":%" PRIu64
            ",\"tokens_per_s\":%.0f",
            load.streams, p->tokens, p->rate, load.rounds, load.ramp_ms, load.ok, asked - load.ok,
            load.peak, secs, p->tokens_seen, per((double)p->tokens_seen, 1) / secs);
    fprintf(f,
            ",\"events\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"retried\":%" PRIu64
            ",\"ids_missing\":%" PRIu64 ",\"ids_repeated\":%" PRIu64 ",\"drops\":%" PRIu64
            ",\"pings\":%" PRIu64 ",\"lost\":%" PRIu64 ",",
            p->events, p->reads, p->retried, p->gaps, p->repeats, p->drops, p->pings, p->lost);
    hist_json(&p->session, "session_us", f);
    fputc(',', f);
    hist_json(&p->first, "first_us", f);
    fputc(',', f);
    hist_json(&p->up, "up_us", f);
    fputc(',', f);
    hist_json(&p->delay, "delay_us", f);
    fputc(',', f);
    hist_json(&p->whole, "whole_us", f);
    fputc(',', f);
    hist_json(&p->back, "back_us", f);
    print_watched(f);
    fputs(",\"error\":", f);
    print_text(f, p->error);
    fputs("}\n", f);
}

static bool add_watched(const char *arg)
{
    struct watched *w = &load.watched[load.watched_count];
    const char *eq = strchr(arg, '=');
    if (!eq || load.watched_count == WATCHED_MAX)
        return false;
    snprintf(w->name, sizeof(w->name), "%.*s", (int)(eq - arg), arg);
    w->pid = (int)strtol(eq + 1, NULL, 10);
    load.watched_count++;
    return w->pid > 0;
}

static bool set_mode(const char *word)
{
    static const char *const modes[] = {"direct", "turn", "async", "openai", "agui", "mcp"};
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(word, modes[i]) == 0) {
            load.plan.mode = (enum mode)i;
            return true;
        }
    }
    return false;
}

static bool set_option(int option, const char *arg)
{
    uint32_t n = (uint32_t)strtoul(arg, NULL, 10);
    switch (option) {
    case 'm':
        return set_mode(arg);
    case 'p':
        return uv_ip4_addr("127.0.0.1", (int)n, &load.plan.addr) == 0;
    case 'e':
        return uv_ip4_addr("127.0.0.1", (int)n, &load.plan.events_addr) == 0;
    case 'n':
        load.streams = n;
        break;
    case 't':
        load.plan.tokens = n;
        break;
    case 'r':
        load.plan.rate = n;
        break;
    case 'k':
        load.rounds = n;
        break;
    case 'a':
        load.ramp_ms = n;
        break;
    case 's':
        load.seed = n;
        break;
    case 'T':
        load.timeout_s = n;
        break;
    case 'd':
        load.plan.drop_after = n;
        break;
    case 'A':
        load.plan.away_ms = n;
        break;
    case 'D':
        load.plan.datasource = arg;
        break;
    case 'b':
        load.plan.comes_back = n != 0;
        break;
    case 'W':
        load.window_all = strcmp(arg, "all") == 0;
        break;
    case 'w':
        return add_watched(arg);
    default:
        return false;
    }
    return true;
}

static bool read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"mode", 1, NULL, 'm'},       {"port", 1, NULL, 'p'},  {"streams", 1, NULL, 'n'},
        {"tokens", 1, NULL, 't'},     {"rate", 1, NULL, 'r'},  {"rounds", 1, NULL, 'k'},
        {"ramp", 1, NULL, 'a'},       {"seed", 1, NULL, 's'},  {"timeout", 1, NULL, 'T'},
        {"drop", 1, NULL, 'd'},       {"away", 1, NULL, 'A'},  {"datasource", 1, NULL, 'D'},
        {"window", 1, NULL, 'W'},     {"watch", 1, NULL, 'w'}, {"events-port", 1, NULL, 'e'},
        {"comes-back", 1, NULL, 'b'}, {NULL, 0, NULL, 0},
    };
    int option;
    load.streams = load.rounds = 1;
    load.timeout_s = 60;
    load.plan.away_ms = 100;
    load.seed = 1;
    load.plan.tokens = 100;
    load.plan.datasource = "/proxy/globaldatasources/bench";
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!set_option(option, optarg ? optarg : ""))
            return false;
    return optind == argc && load.streams && load.rounds && load.plan.tokens &&
           load.plan.addr.sin_port;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    if (!read_options(argc, argv)) {
        fprintf(stderr,
                "usage: bench-load --port PORT [--mode direct|turn|async|openai|agui|mcp] "
                "[--events-port PORT] [--streams N] "
                "[--tokens N] [--rate N] [--rounds N] [--ramp MS] [--drop EVENTS] [--away MS] "
                "[--comes-back 1] "
                "[--window steady|all] [--watch NAME=PID]… [--timeout S] [--seed N]\n");
        return 2;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of its write */
    uv_loop_init(&load.loop);
    load.plan.loop = &load.loop;
    load.plan.on_first = on_first;
    load.plan.on_over = on_over;
    load.clients = calloc(load.streams, sizeof(*load.clients));
    if (!load.clients)
        return 1;
    for (uint32_t i = 0; i < load.streams; i++)
        load.clients[i].rounds = load.rounds;
    watch(offsetof(struct watched, start));
    load.begun_us = script_now_us();
    if (load.window_all)
        window_open();
    uv_timer_init(&load.loop, &load.ramp);
    uv_timer_init(&load.loop, &load.timeout);
    uv_timer_init(&load.loop, &load.back);
    uv_timer_start(&load.ramp, on_ramp, 0, 1);
    if (load.plan.drop_after || load.plan.comes_back)
        uv_timer_start(&load.back, on_back, 5, 5);
    uv_timer_start(&load.timeout, on_timeout, load.timeout_s * 1000ull, 0);
    uv_run(&load.loop, UV_RUN_DEFAULT);
    if (!load.open_us)
        window_open();
    window_end();
    print_result(stdout);
    return load.ok == (uint64_t)load.streams * load.rounds ? 0 : 1;
}
