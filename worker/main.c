/* persai-worker: runs turns. Read this first: settings, modules in order, drain. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/audit.h"
#include "common/check.h"
#include "common/config.h"
#include "common/log.h"
#include "proto/ipc.h"
#include "proto/settings_check.h"
#include "proto/store/store.h"
#include "proto/store/tally.h"
#include "proto/switchboard.h"
#include "proto/wire_keys.h"
#include "proto/wire_probe.h"
#include "worker/checkup.h"
#include "worker/llm/mask.h"
#include "worker/worker.h"

enum {
    TICK_MS = 10, /* flushes, leases, deadlines: of some turns each time */
    REDIS_TIMEOUT_MS = 5000,
    REDIS_QUEUE_BYTES_MAX = 256 << 20,
    RELEASE_MS = 3000, /* for turns to be handed back, after the grace period */
    SWEEP_MS = 100,    /* looks at generations that turns have left */
};

static const struct setting table[] = {
#define SETTING(place, name, type, by_default, min, max, help)                                     \
    SETTING_ROW(worker_settings, place, name, type, by_default, min, max, help, false)
#define ADVANCED(place, name, type, by_default, min, max, help)                                    \
    SETTING_ROW(worker_settings, place, name, type, by_default, min, max, help, true)
#include "worker/settings.def"
#undef SETTING
};
enum { SETTINGS = sizeof(table) / sizeof(*table) };

/* setting: the one that is at fault. */
static int complain(const char *setting, const char *why)
{
    bool named = strstr(why, setting) != NULL;
    log_error("worker.start", "setting=%s why=%s", setting, log_text(str_of(why)));
    fprintf(stderr, "persai-worker: %s%s%s\n", named ? "" : setting, named ? "" : ": ", why);
    return 1;
}

static const char *set_or_null(const char *text) { return text[0] ? text : NULL; }

/* ---- what the hub hears ---- */

static void on_turn(void *arg, struct hub_link *from, const struct hub_turn *t,
                    struct secret *take_token)
{
    struct worker *w = arg;
    worker_turns_start(w->turns, from, t, take_token);
}

static bool on_cancel(void *arg, struct id turn)
{
    return worker_turns_cancel(((struct worker *)arg)->turns, turn);
}

static void on_follow(void *arg, struct hub_link *from, struct id turn)
{
    worker_turns_follow(((struct worker *)arg)->turns, from, turn);
}

static void on_unfollow(void *arg, struct hub_link *from, struct id turn)
{
    worker_turns_unfollow(((struct worker *)arg)->turns, from, turn);
}

static void on_token(void *arg, struct id turn, uint32_t epoch, struct secret *take_token)
{
    worker_turns_token(((struct worker *)arg)->turns, turn, epoch, take_token);
}

static uint32_t running(void *arg) { return worker_turns_running(((struct worker *)arg)->turns); }

static void decide(void *arg) { worker_turns_decide(((struct worker *)arg)->turns); }

/* ---- drain: no new turns; what runs ends, or is handed to another worker ---- */

struct drain {
    struct worker *worker;
    struct loop_timer *timer;
    int64_t leave_ms, stop_ms;
    bool left;
};

static void on_drain(void *arg)
{
    struct drain *d = arg;
    struct worker *w = d->worker;
    int64_t now_ms = loop_now_ms(w->loop);
    bool ended = worker_turns_running(w->turns) == 0;
    if (ended)
        tally_tell(w->store);
    if ((ended && tools_leave(w->now->tools) && otlp_leave(w->traces) && store_idle(w->store)) ||
        now_ms >= d->stop_ms) {
        loop_stop(w->loop);
    } else if (now_ms >= d->leave_ms && !d->left) {
        d->left = true;
        log_info("worker.leave", "turns=%u", worker_turns_running(w->turns));
        worker_turns_leave(w->turns);
    }
}

static void on_terminate(void *arg)
{
    struct drain *d = arg;
    struct worker *w = d->worker;
    int64_t now_ms = loop_now_ms(w->loop), grace_ms = w->draining ? 0 : w->settings.drain_ms;
    log_info("worker.drain", "turns=%u ms=%lld", worker_turns_running(w->turns),
             (long long)grace_ms);
    if (!w->draining) {
        worker_turns_close(w->turns);
        hub_bye(w->hub);
    }
    w->draining = true;
    d->leave_ms = now_ms + grace_ms; /* asked twice: now */
    d->stop_ms = d->leave_ms + RELEASE_MS;
    loop_timer_set(d->timer, 20, 20);
}

/* ---- start ---- */

static bool open_traces(struct worker *w, char error[256])
{
    struct worker_settings *s = &w->settings;
    struct otlp_sender_config c = {.loop = w->loop,
                                   .fetches = w->fetches,
                                   .endpoint = s->otlp_endpoint,
                                   .headers = s->otlp_headers,
                                   .service = s->otel_service,
                                   .attributes = s->otel_attributes,
                                   .version = PERSAI_VERSION,
                                   .instance = w->name};
    w->traces = otlp_sender_new(&c, error);
    s->llm.otlp = s->tools.otlp = s->turns.turn.journal.otlp = otlp_sender_queue(w->traces);
    s->llm.capture = s->tools.capture = s->otel_capture;
    return error[0] == '\0';
}

static bool open_store(struct worker *w, char error[256])
{
    struct redis_config *redis = &w->settings.redis;
    struct store_config *store = &w->settings.store;
    if (!store_durability_parse(w->settings.durability, &store->replicas)) {
        snprintf(error, 256, "PERSAI_DURABILITY %s", STORE_DURABILITY_HELP);
        return false;
    }
    redis->timeout_ms = REDIS_TIMEOUT_MS;
    redis->queue_bytes_max = REDIS_QUEUE_BYTES_MAX;
    redis->replicas = store->replicas;
    w->redis = redis_new(w->loop, redis, error);
    if (w->redis)
        w->store = store_new(w->loop, w->redis, store);
    return w->redis != NULL;
}

static struct generation *read_files(const struct worker *w, char error[320])
{
    const struct worker_settings *s = &w->settings;
    struct generation_files f = {
        .models = {.default_model = set_or_null(s->default_model),
                   .providers = {[PROVIDER_OPENAI] = {set_or_null(s->openai_base_url),
                                                      s->openai_key},
                                 [PROVIDER_ANTHROPIC] = {set_or_null(s->anthropic_base_url),
                                                         s->anthropic_key},
                                 [PROVIDER_GOOGLE] = {set_or_null(s->google_base_url),
                                                      s->google_key}},
                   .file = set_or_null(s->models)},
        .redact = s->redact,
        .mcp = s->mcp,
        .system_prompt = s->system_prompt};
    return generation_read(&f, error);
}

static void open_llm(struct worker *w)
{
    struct worker_settings *s = &w->settings;
    s->quotas.store = w->store;
    s->quotas.lease_ms = s->llm.total_ms + 60000;
    s->quotas.hold_ms = s->store.lease_ms / 3;
    w->quotas = llm_quotas_new(&s->quotas);
    s->llm.loop = w->loop;
    s->llm.fetches = w->fetches;
    s->llm.perses_url = s->perses;
    s->llm.reply_bytes_max = s->turns.turn.limits.said_bytes_max;
    s->llm.quotas = w->quotas;
}

static void on_offer(void *arg)
{
    struct worker *w = arg;
    if (w->hub)
        hub_offer(w->hub, tools_json(w->now->tools));
}

static void on_switch(void *arg)
{
    struct worker *w = arg;
    if (!w->now || !w->now->tools)
        return;
    tools_switched(w->now->tools);
    list_each (&w->olds, node, next)
        tools_switched(list_of(node, struct generation, node)->tools);
    on_offer(w);
}

static void open_tools(struct worker *w)
{
    struct worker_settings *s = &w->settings;
    s->tools.loop = w->loop;
    s->tools.fetches = w->fetches;
    s->tools.perses_url = s->perses;
    s->tools.switched = switchboard_now(w->switches);
    s->tools.on_change = on_offer;
    s->tools.on_change_arg = w;
}

/* A tool's name that is misspelt would leave a model without it in silence. Those of MCP servers
 * come later. report: of --check; NULL: it is for the log. */
static void check_offers(const struct worker *w, struct report *report)
{
    unsigned count;
    const struct tool_spec *specs = tools_specs(w->now->tools, &count);
    for (unsigned i = 0; i < models_count(w->now->models); i++) {
        const struct model *m = models_at(w->now->models, i);
        for (unsigned k = 0; k < m->offer_count; k++) {
            bool known = str_starts(str_of(m->offers[k]), STR(TOOLS_MCP));
            for (unsigned j = 0; j < count && !known; j++)
                known = strcmp(specs[j].name, m->offers[k]) == 0;
            if (!known && report)
                report_fail(report, "Model %.100s: \"offers\" names %.100s, which is no tool",
                            m->name, m->offers[k]);
            else if (!known)
                log_warn("model.no_such_tool", "model=%s offers=%s", log_text(str_of(m->name)),
                         log_text(str_of(m->offers[k])));
        }
    }
}

static void on_ended(void *arg, const struct turn *t, enum turn_state state)
{
    const struct worker *w = arg;
    const struct usage *u = &t->agent.usage;
    tally_note(w->store, str_of(t->owner), str_of(t->model ? t->model->name : NULL),
               &(struct tally){.turns = 1,
                               .errors = state == TURN_FAILED,
                               .cancelled = state == TURN_CANCELLED,
                               .input_tokens = (int64_t)u->input_tokens,
                               .output_tokens = (int64_t)u->output_tokens,
                               .cost = (int64_t)u->cost});
}

static void open_turns(struct worker *w)
{
    const struct worker_settings *s = &w->settings;
    struct worker_turns_config *turns = &w->settings.turns;
    struct journal_config *journal = &turns->turn.journal;
    journal->loop = w->loop;
    journal->store = w->store;
    journal->holder = w->name;
    journal->hold_ms = s->store.lease_ms / 3;
    journal->fresh_ms = s->hub.dead_ms / 2;
    turns->turn.meters = &w->meters;
    turns->turn.switched = switchboard_now(w->switches);
    turns->turn.ended = on_ended;
    turns->turn.ended_arg = w;
    turns->capacity = s->hub.capacity;
    turns->tick_ms = TICK_MS;
    w->turns = worker_turns_new(turns);
    loop_on_decide(w->loop, decide, w);
}

/* What an empty setting stands for. */
static void settle_hub(struct worker_settings *s)
{
    s->hub.gateways = ipc_or_default(s->gateways);
    s->hub.wire.keys = set_or_null(s->keys);
}

static bool open_hub(struct worker *w, char error[256])
{
    static const struct hub_callbacks callbacks = {on_turn,     on_cancel, on_follow,
                                                   on_unfollow, on_token,  running};
    struct hub_config *hub = &w->settings.hub;
    hub->loop = w->loop;
    hub->name = w->name;
    hub->models = buf_str(&w->now->models_json);
    hub->tools = tools_json(w->now->tools);
    w->hub = hub_new(hub, &callbacks, w, error);
    return w->hub != NULL;
}

static bool settings_fit(const struct worker_settings *s, char error[256])
{
    return settings_listen("PERSAI_METRICS_LISTEN", s->metrics_listen, error) &&
           settings_url("PERSES_API_URL", s->perses, error) &&
           settings_redis("PERSAI_REDIS", s->redis.url, error) &&
           settings_url("OPENAI_BASE_URL", s->openai_base_url, error) &&
           settings_url("ANTHROPIC_BASE_URL", s->anthropic_base_url, error) &&
           settings_url("GOOGLE_BASE_URL", s->google_base_url, error) &&
           settings_url("OTEL_EXPORTER_OTLP_ENDPOINT", s->otlp_endpoint, error) &&
           settings_pairs(s->otlp_headers, s->otel_attributes, error) &&
           settings_folder("PERSAI_DOCS", s->tools.docs, error) &&
           settings_proxy_paths("PERSAI_DATASOURCES", s->tools.datasources, error) &&
           settings_beats(s->hub.beat_ms, s->hub.dead_ms, error);
}

static void warn_clear(const struct worker_settings *s, struct report *report)
{
    const char *const ways[][2] = {
        {"PERSES_API_URL", s->perses}, {"PERSAI_REDIS", s->redis.url}, {NULL, NULL}};
    settings_warn_clear(ways, report);
}

static void use(struct worker *w, struct generation *g);
static void on_hangup(void *arg);
static void on_sweep(void *arg);

static int serve(struct worker *w)
{
    char error[256] = "", why[320];
    struct drain drain = {.worker = w};
    settings_warn_unknown();
    if (!settings_fit(&w->settings, error))
        return complain("settings", error);
    warn_clear(&w->settings, NULL);
    if (!hub_check(w->settings.hub.gateways, &w->settings.hub.wire, error))
        return complain("PERSAI_GATEWAYS", error);
    if (!audit_setup(&(struct audit_config){w->settings.audit, "worker", w->settings.audit_strict,
                                            w->settings.audit_arguments},
                     error))
        return complain("PERSAI_AUDIT", error);
    log_wait_for_nobody();
    w->loop = loop_new();
    loop_measure(w->loop, w->meters.loop_pass, w->meters.loop_work);
    w->fetches = fetch_pool_new(w->loop);
    if (!open_traces(w, error))
        return complain("OTEL_EXPORTER_OTLP_ENDPOINT", error);
    if (!open_store(w, error))
        return complain("PERSAI_REDIS", error);
    w->switches =
        switchboard_new(w->loop, w->store, w->settings.switches_file, on_switch, w, error);
    if (!w->switches)
        return complain("PERSAI_SWITCHES", error);
    if (!(w->now = read_files(w, why)))
        return complain("settings", why);
    open_llm(w);
    open_tools(w);
    open_turns(w);
    use(w, w->now);
    if (!open_hub(w, error))
        return complain("PERSAI_GATEWAYS", error);
    if (!status_open(w, error))
        return complain("PERSAI_METRICS_LISTEN", error);
    drain.timer = loop_timer_new(w->loop, on_drain, &drain);
    loop_on_signal(w->loop, SIGUSR1, log_more, NULL);
    loop_on_signal(w->loop, SIGUSR2, log_less, NULL);
    loop_on_signal(w->loop, SIGTERM, on_terminate, &drain);
    loop_on_signal(w->loop, SIGINT, on_terminate, &drain);
    loop_on_signal(w->loop, SIGHUP, on_hangup, w);
    w->sweep = loop_timer_new(w->loop, on_sweep, w);
    const struct model *first = models_at(w->now->models, 0);
    log_info("worker.ready",
             "name=%s capacity=%u gateways=%s redis=%s perses=%s model=%s at=%s metrics_port=%u "
             "version=%s",
             w->name, w->settings.hub.capacity, log_text(str_of(w->settings.gateways)),
             redis_where(w->redis), log_address(w->settings.perses), log_text(str_of(first->name)),
             log_address(first->base_url), http_port(w->http), PERSAI_VERSION);
    loop_run(w->loop);
    log_info("worker.stop", "name=%s turns=%u", w->name, worker_turns_running(w->turns));
    loop_timer_free(drain.timer);
    loop_timer_free(w->sweep);
    return 0;
}

/* ---- SIGHUP: the files are read again, all of them or none; the audit's is opened anew ---- */

/* What they say holds for turns that begin from now on. */
static void use(struct worker *w, struct generation *g)
{
    const struct worker_settings *s = &w->settings;
    g->number = ++w->generations;
    generation_open(g, &s->llm, &s->tools, &s->turns.turn);
    if (w->now != g)
        list_push(&w->olds, &w->now->node);
    w->now = g;
    check_offers(w, NULL);
    worker_turns_use(w->turns, &g->turn);
    if (!w->hub)
        return;
    hub_offer_models(w->hub, buf_str(&g->models_json));
    hub_offer(w->hub, tools_json(g->tools));
    loop_timer_set(w->sweep, SWEEP_MS, SWEEP_MS);
}

static void on_sweep(void *arg)
{
    struct worker *w = arg;
    list_each (&w->olds, node, next) {
        struct generation *g = list_of(node, struct generation, node);
        if (g->users == 0 && tools_leave(g->tools))
            generation_free(g);
    }
    if (list_empty(&w->olds))
        loop_timer_stop(w->sweep);
}

/* With what the secrets' files (OPENAI_API_KEY_FILE, …) say now. NULL: all stays as it was. */
static struct generation *read_again(struct worker *w, char error[320])
{
    static const char *const names[] = {"OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY",
                                        "OTEL_EXPORTER_OTLP_HEADERS"};
    enum { COUNT = sizeof(names) / sizeof(*names) };
    struct worker_settings *s = &w->settings;
    struct secret **keys[COUNT] = {&s->openai_key, &s->anthropic_key, &s->google_key,
                                   &s->otlp_headers};
    struct secret *before[COUNT];
    struct generation *g = NULL;
    if (!config_secrets_anew(w->args, w->given, names, keys, before, COUNT, error))
        return NULL;
    if (settings_pairs(s->otlp_headers, s->otel_attributes, error))
        g = read_files(w, error);
    config_secrets_settle(keys, before, COUNT, g != NULL);
    otlp_sender_renew(w->traces, s->otlp_headers);
    return g;
}

static void on_hangup(void *arg)
{
    struct worker *w = arg;
    char error[320], wrong[256];
    audit_reopen();
    if (!switchboard_reload(w->switches, wrong))
        log_error("worker.hangup", "switches=as_before why=%s", log_text(str_of(wrong)));
    struct generation *g = w->draining ? NULL : read_again(w, error);
    if (g) {
        use(w, g);
        log_info("worker.hangup", "files=read generation=%llu", (unsigned long long)g->number);
    } else {
        log_error("worker.hangup", "files=as_before why=%s",
                  log_text(str_of(w->draining ? "it is draining" : error)));
    }
}

static bool gateways_fit(const struct worker_settings *s, char error[256])
{
    const struct wire_config *wire = &s->hub.wire;
    return hub_check(s->hub.gateways, wire, error) &&
           (!wire->keys || wire_keys_check_worker(wire->keys, error));
}

static void check_gateways(const struct worker *w, struct report *report)
{
    enum { PROBE_MS = 3000 };
    char error[256], endpoint[300];
    struct str rest = str_of(w->settings.hub.gateways), one;
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0 || one.len >= sizeof(endpoint))
            continue;
        snprintf(endpoint, sizeof(endpoint), "%.*s", (int)one.len, one.at);
        if (wire_probe(endpoint, &w->settings.hub.wire, PROBE_MS, error))
            report_ok(report, "Gateway at %s: it takes this worker", endpoint);
        else
            report_fail(report, "Gateway at %s: %s", endpoint, error);
    }
}

/* Tries the rules on a text that the operator gave. */
static void check_rules(struct worker *w, struct report *report)
{
    struct redact *rules = w->now->redact;
    struct mask mask;
    struct str text = str_of(w->settings.redact_text);
    if (!rules)
        return;
    report_ok(report, "PERSAI_REDACT: %u rules", redact_count(rules));
    scoped_buf(masked, REPORT_LINE_MAX);
    mask_init(&mask, rules, id_new());
    if (text.len > 0)
        report_ok(report, "PERSAI_REDACT_TEXT leaves as: %s",
                  mask_text(&mask, text, &masked) ? buf_cstr(&masked) : w->settings.redact_text);
    mask_free(&mask);
}

/* The files; what is made of them is looked at without asking anybody. */
static void check_files(struct worker *w, struct report *report)
{
    char error[320];
    w->now = read_files(w, error);
    if (!w->now) {
        report_fail(report, "%s", error);
        return;
    }
    const struct worker_settings *s = &w->settings;
    open_tools(w);
    generation_open(w->now, &s->llm, &s->tools, &s->turns.turn);
    check_rules(w, report);
    check_offers(w, report);
}

static void check_switches_and_audit(const struct worker_settings *s, struct report *report)
{
    char error[256];
    struct switches read = {0};
    if (!audit_check(s->audit, error))
        report_fail(report, "PERSAI_AUDIT: %s", error);
    if (*s->switches_file && !switches_read_file(s->switches_file, &read, error))
        report_fail(report, "PERSAI_SWITCHES: %s", error);
    switches_free(&read);
}

/* --check: what serve() would open, as far as it can be opened, without a word to a gateway. */
static int check(struct worker *w)
{
    char error[256] = "";
    struct report report = {0};
    settings_warn_unknown();
    if (settings_fit(&w->settings, error)) {
        report_ok(&report, "The settings can be used");
        warn_clear(&w->settings, &report);
    } else {
        report_fail(&report, "The settings: %s", error);
    }
    if (gateways_fit(&w->settings, error))
        check_gateways(w, &report);
    else
        report_fail(&report, "PERSAI_GATEWAYS: %s", error);
    w->loop = loop_new();
    w->fetches = fetch_pool_new(w->loop);
    check_files(w, &report);
    check_switches_and_audit(&w->settings, &report);
    checkup_run(w, &report);
    return report_exit_code(&report);
}

/* --check-config: settings and files alone: nobody is asked, and no port is taken. */
static int check_config(struct worker *w)
{
    char error[320] = "";
    struct report report = {0};
    const struct worker_settings *s = &w->settings;
    settings_warn_unknown();
    if (!settings_fit(s, error))
        report_fail(&report, "The settings: %s", error);
    else if (!store_durability_parse(s->durability, &w->settings.store.replicas))
        report_fail(&report, "PERSAI_DURABILITY %s", STORE_DURABILITY_HELP);
    else
        report_ok(&report, "The settings can be used");
    if (!gateways_fit(s, error))
        report_fail(&report, "PERSAI_GATEWAYS: %s", error);
    w->now = read_files(w, error);
    if (!w->now) {
        report_fail(&report, "%s", error);
    } else {
        report_ok(&report, "Models, redaction and MCP servers can be read: %u models",
                  models_count(w->now->models));
        check_rules(w, &report);
    }
    check_switches_and_audit(s, &report);
    return report_exit_code(&report);
}

static void close_all(struct worker *w)
{
    if (w->http)
        http_free(w->http);
    worker_turns_free(w->turns);
    hub_free(w->hub);
    generation_free(w->now);
    list_each (&w->olds, node, next)
        generation_free(list_of(node, struct generation, node));
    llm_quotas_free(w->quotas);
    switchboard_free(w->switches);
    if (w->store)
        store_free(w->store);
    if (w->redis)
        redis_free(w->redis);
    otlp_sender_free(w->traces);
    if (w->fetches)
        fetch_pool_free(w->fetches);
    if (w->loop)
        loop_free(w->loop);
}

static void name_self(struct worker *w)
{
    char host[64] = "worker", id[ID_TEXT + 1];
    gethostname(host, sizeof(host) - 1);
    id_text(id_new(), id);
    snprintf(w->name, sizeof(w->name), "%s:%ld:%.8s", host, (long)getpid(), id);
}

int main(int argc, char **argv)
{
    static const char *const commands[] = {"--check", "--check-config", NULL};
    static struct worker w;
    struct config_result result = {0};
    struct config_args args = {.program = "persai-worker",
                               .summary = "Runs the turns of PersAI, an assistant for Perses.",
                               .table = table,
                               .count = SETTINGS,
                               .commands = commands};
    enum log_level level = LOG_INFO;
    bool json;
    int code;
    loop_ignore_signals();
    secret_setup();
    signal(SIGPIPE, SIG_IGN);
    log_setup(level, "worker");
    list_init(&w.olds);
    w.args = &args;
    w.given = &result;
    if (!config_load(&args, argc, argv, &w.settings, &result)) {
        if (*result.error)
            fprintf(stderr, "persai-worker: %s\n", result.error);
        code = result.exit_code;
    } else if (!log_level_parse(w.settings.log_level, &level)) {
        code = complain("LOG_LEVEL", "LOG_LEVEL must be debug, info, warn or error");
    } else if (!log_format_parse(w.settings.log_format, &json)) {
        code = complain("LOG_FORMAT", "LOG_FORMAT must be logfmt or json");
    } else {
        log_setup(level, "worker");
        log_as_json(json);
        name_self(&w);
        settle_hub(&w.settings);
        meters_init(&w.meters);
        code = !result.command                          ? serve(&w)
               : strcmp(result.command, "--check") == 0 ? check(&w)
                                                        : check_config(&w);
        close_all(&w);
    }
    config_free(table, SETTINGS, &w.settings);
    return code;
}
