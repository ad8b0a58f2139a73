/* persai-gateway: the HTTP front and the broker in one event loop. Read this first: settings and
 * drain; then parts.c, the modules in their order. */
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/audit.h"
#include "common/check.h"
#include "common/config.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/approvals.h"
#include "gateway/doctor.h"
#include "gateway/feedback_export.h"
#include "gateway/gateway.h"
#include "gateway/hand_over.h"
#include "gateway/auth/keys.h"
#include "gateway/auth/service.h"
#include "gateway/keyreset.h"
#include "gateway/parts.h"
#include "gateway/person.h"
#include "gateway/switch.h"
#include "gateway/api/openapi.h"
#include "gateway/turn/broker.h"
#include "gateway/turn/turns.h"
#include "gateway/api/webhook.h"
#include "proto/ipc.h"
#include "proto/settings_check.h"
#include "proto/store/store.h"
#include "proto/store/health.h"
#include "proto/wire.h"
#include "proto/wire_keys.h"
#include "proto/store/tally.h"

static const struct setting table[] = {
#define SETTING(place, name, type, by_default, min, max, help)                                     \
    SETTING_ROW(gateway_settings, place, name, type, by_default, min, max, help, false)
#define ADVANCED(place, name, type, by_default, min, max, help)                                    \
    SETTING_ROW(gateway_settings, place, name, type, by_default, min, max, help, true)
#include "gateway/settings.def"
#undef SETTING
};
enum { SETTINGS = sizeof(table) / sizeof(*table) };

static int complain(const char *what, const char *why)
{
    log_error("gateway.start", "failed=%s why=%s", what, log_text(str_of(why)));
    fprintf(stderr, "persai-gateway: %s: %s\n", what, why);
    return 1;
}

/* ---- drain: no new turns; what runs ends, or its streams are told to come again elsewhere ---- */

enum { LEAVE_MS = 200 }; /* for what was said to leave */

struct drain {
    struct gateway *gateway;
    struct loop_timer *timer;
    int64_t until_ms, told_ms; /* told_ms: 0 before that */
};

/* What was said has left after a while; where nobody listened there was nothing to say. */
static bool nobody_is_told(const struct gateway *g)
{
    return http_connections(g->http) == 0 && broker_workers(g->broker) == 0;
}

static void on_drain(void *arg)
{
    struct drain *d = arg;
    struct gateway *g = d->gateway;
    int64_t now_ms = loop_now_ms(g->loop);
    if (d->told_ms == 0 && (now_ms >= d->until_ms || (turns_drained(g) && decisions_drained(g)))) {
        d->told_ms = now_ms;
        turns_hand_over(g);
        streams_end(g, true);
        broker_bye(g->broker);
        tally_tell(g->store);
    } else if (d->told_ms > 0 && (now_ms - d->told_ms >= LEAVE_MS || nobody_is_told(g)) &&
               otlp_leave(g->traces)) {
        loop_stop(g->loop);
    }
}

static void on_terminate(void *arg)
{
    struct drain *d = arg;
    struct gateway *g = d->gateway;
    if (g->draining) {
        log_warn("gateway.stop", "again=1");
        loop_stop(g->loop); /* asked twice: at once */
        return;
    }
    log_info("gateway.drain", "ms=%lld", (long long)g->settings.drain_ms);
    g->draining = true;
    http_stop_accepting(g->http);
    streams_end(g, false);
    d->until_ms = loop_now_ms(g->loop) + g->settings.drain_ms;
    loop_timer_set(d->timer, 20, 20);
}

static bool settings_fit(const struct gateway_settings *s, char error[256]);

/* With what the files of secrets (PERSAI_WEBHOOK_TOKEN_FILE, …) say now. False: all stay. */
static bool secrets_reload(struct gateway *g, char error[320])
{
    enum { COUNT = 4 };
    static const char *const names[COUNT] = {"PERSAI_DATASOURCE_SECRET", "PERSAI_WEBHOOK_TOKEN",
                                             "PERSAI_SERVICE_PASSWORD",
                                             "OTEL_EXPORTER_OTLP_HEADERS"};
    struct gateway_settings *s = &g->settings;
    struct secret **secrets[COUNT] = {&s->datasource_secret, &s->webhook_token,
                                      &s->service_password, &s->otlp_headers};
    struct secret *before[COUNT];
    if (!config_secrets_anew(g->args, g->given, names, secrets, before, COUNT, error))
        return false;
    bool fit = settings_fit(s, error);
    config_secrets_settle(secrets, before, COUNT, fit);
    service_renew(g->service, s->service_password);
    otlp_sender_renew(g->traces, s->otlp_headers);
    return fit;
}

/* The keys for programs, the switches and the files of secrets are read again and the audit's file
 * is opened anew, and nothing else: a closed terminal or a habit must not cut turns off. */
static void on_hangup(void *arg)
{
    struct gateway *g = arg;
    char error[256] = "", wrong[256] = "", why[320] = "";
    bool keys = keys_reload(g->keys, error), switches = switchboard_reload(g->switches, wrong);
    bool secrets = secrets_reload(g, why);
    audit_reopen();
    if (keys && switches && secrets)
        log_info("gateway.hangup", "keys=read switches=read secrets=read");
    if (!secrets)
        log_error("gateway.hangup", "secrets=as_before why=%s", log_text(str_of(why)));
    if (!keys)
        log_error("gateway.hangup", "keys=as_before why=%s", log_text(str_of(error)));
    if (!switches)
        log_error("gateway.hangup", "switches=as_before why=%s", log_text(str_of(wrong)));
}

/* ---- start ---- */

static bool auth_off_is_safe(const struct gateway_settings *s)
{
    char endpoint[320];
    snprintf(endpoint, sizeof(endpoint), "tcp://%s", s->http.listen);
    return s->auth || s->auth_off_anywhere || wire_is_local(endpoint);
}

static bool settings_go_together(const struct gateway_settings *s, char error[256]);

static bool settings_fit(const struct gateway_settings *s, char error[256])
{
    return settings_listen("PERSAI_LISTEN", s->http.listen, error) &&
           settings_url("PERSES_API_URL", s->perses, error) &&
           settings_redis("PERSAI_REDIS", s->redis.url, error) &&
           settings_url("OTEL_EXPORTER_OTLP_ENDPOINT", s->otlp_endpoint, error) &&
           settings_pairs(s->otlp_headers, s->otel_attributes, error) &&
           settings_networks("PERSAI_PROXIES", s->http.proxies, error) &&
           settings_origins("PERSAI_CORS_ORIGINS", s->cors_origins, error) &&
           settings_beats(s->beat_ms, s->dead_ms, error) && settings_go_together(s, error);
}

static bool settings_go_together(const struct gateway_settings *s, char error[256])
{
    const char *wrong = webhook_lacks(s);
    if (!auth_off_is_safe(s))
        wrong = "PERSAI_AUTH=false listens on loopback only (PERSAI_LISTEN); "
                "PERSAI_AUTH_OFF_ANYWHERE=true overrides that";
    else if (s->datasource_secret && secret_reveal(s->datasource_secret).len < 16)
        wrong = "PERSAI_DATASOURCE_SECRET needs at least 16 characters";
    if (wrong)
        snprintf(error, 256, "%s", wrong);
    return !wrong;
}

/* PERSAI_PUBLIC_URL is compose's, and may be told to us. */
static void warn_clear(const struct gateway_settings *s, struct report *report)
{
    const char *const ways[][2] = {{"PERSAI_LISTEN", s->http.listen},
                                   {"PERSAI_PUBLIC_URL", getenv("PERSAI_PUBLIC_URL")},
                                   {"PERSES_API_URL", s->perses},
                                   {"PERSAI_REDIS", s->redis.url},
                                   {NULL, NULL}};
    settings_warn_clear(ways, report);
}

static int serve(struct gateway *g)
{
    char error[256] = "";
    struct drain drain = {.gateway = g};
    settings_warn_unknown();
    if (!settings_fit(&g->settings, error))
        return complain("settings", error);
    warn_clear(&g->settings, NULL);
    if (!g->settings.auth)
        log_warn("gateway.auth_off", "everybody=local listen=%s", g->settings.http.listen);
    if (!store_durability_parse(g->settings.durability, &g->settings.store.replicas))
        return complain("PERSAI_DURABILITY", STORE_DURABILITY_HELP);
    if (!audit_setup(&(struct audit_config){g->settings.audit, "gateway", g->settings.audit_strict,
                                            g->settings.audit_arguments},
                     error))
        return complain("PERSAI_AUDIT", error);
    log_wait_for_nobody();
    g->loop = loop_new();
    loop_measure(g->loop, gateway_metric(METRIC_loop_pass), gateway_metric(METRIC_loop_work));
    const char *setting = parts_open(g, error);
    if (setting)
        return complain(setting, error);
    drain.timer = loop_timer_new(g->loop, on_drain, &drain);
    loop_on_signal(g->loop, SIGUSR1, log_more, NULL);
    loop_on_signal(g->loop, SIGUSR2, log_less, NULL);
    loop_on_signal(g->loop, SIGTERM, on_terminate, &drain);
    loop_on_signal(g->loop, SIGINT, on_terminate, &drain);
    loop_on_signal(g->loop, SIGHUP, on_hangup, g);
    log_info("gateway.ready", "name=%s listen=%s port=%u redis=%s perses=%s version=%s", g->name,
             g->settings.http.listen, http_port(g->http), redis_where(g->redis),
             log_address(g->settings.perses), PERSAI_VERSION);
    loop_run(g->loop);
    log_info("gateway.stop", "name=%s", g->name);
    loop_timer_free(drain.timer);
    return 0;
}

static void check_broker(const struct gateway *g, struct report *report)
{
    char error[256] = "", endpoint[300];
    const char *keys = *g->settings.keys ? g->settings.keys : NULL;
    struct wire_config wire = {.keys = keys, .open = g->settings.broker_open};
    struct str rest = str_of(ipc_or_default(g->settings.broker)), one;
    bool fine = !keys || wire_keys_check(keys, error), any = false;
    while (fine && str_split(&rest, ',', &one)) {
        one = str_trim(one);
        snprintf(endpoint, sizeof(endpoint), "%.*s", (int)one.len, one.len ? one.at : "");
        fine = one.len == 0 || wire_endpoint_ok(endpoint, &wire, error);
        any = any || one.len > 0;
    }
    if (!fine)
        report_fail(report, "The broker: %s", error);
    else if (!any)
        report_fail(report, "PERSAI_BROKER names no endpoint");
    else if (keys)
        report_ok(report, "The broker's keys can be read");
}

static void check_keys(const struct gateway *g, struct report *report)
{
    char error[256];
    unsigned count;
    if (!*g->settings.api_keys)
        return;
    if (keys_check(g->settings.api_keys, &count, error))
        report_ok(report, "PERSAI_API_KEYS can be read: %u keys", count);
    else
        report_fail(report, "PERSAI_API_KEYS: %s", error);
}

static void check_audit(const struct gateway *g, struct report *report)
{
    char error[256];
    if (!audit_check(g->settings.audit, error))
        report_fail(report, "PERSAI_AUDIT: %s", error);
}

static void check_switches(const struct gateway *g, struct report *report)
{
    char error[256];
    struct switches s = {0};
    if (!*g->settings.switches_file)
        return;
    if (switches_read_file(g->settings.switches_file, &s, error))
        report_ok(report, "PERSAI_SWITCHES can be read: %u are off", s.count);
    else
        report_fail(report, "PERSAI_SWITCHES: %s", error);
    switches_free(&s);
}

/* --check: what serve() refuses to start with, and whether what it needs is there. */
static int check(struct gateway *g)
{
    char error[256] = "";
    struct report report = {0};
    settings_warn_unknown();
    if (settings_fit(&g->settings, error)) {
        report_ok(&report, "The settings can be used");
        warn_clear(&g->settings, &report);
    } else {
        report_fail(&report, "The settings: %s", error);
    }
    check_broker(g, &report);
    check_keys(g, &report);
    check_switches(g, &report);
    check_audit(g, &report);
    doctor_run(g, &report);
    return report_exit_code(&report);
}

/* What an operator does by a command is an act too. Its stdout is its own, and the audit's file is
 * the gateway's: made by another user, the gateway could not open it. */
static bool audit_command(const struct gateway *g, char error[256])
{
    const struct gateway_settings *s = &g->settings;
    bool out = strcmp(s->audit, "-") == 0;
    struct audit_config c = {out ? "/dev/stderr" : s->audit, "gateway", s->audit_strict, false};
    if (!*s->audit || access(c.path, F_OK) == 0) {
        if (audit_setup(&c, error))
            return true;
    } else {
        snprintf(error, 256, "%.180s: %s", c.path, strerror(errno));
    }
    log_error("audit.lost", "why=%s", log_text(str_of(error)));
    return !s->audit_strict;
}

static void audit_errand(const struct config_result *given, const char *outcome)
{
    enum { LINE_BYTES_MAX = 16 << 10 };
    if (!audit_on())
        return;
    scoped_buf(line, LINE_BYTES_MAX);
    scoped_buf(act, 64);
    for (const char *c = given->command + 2; *c && *c != '='; c++) /* --hand-over== */
        buf_putc(&act, *c == '-' ? '_' : *c);
    audit_begin(&line, buf_cstr(&act));
    audit_person(&line, STR(""));
    json_field(&line, "door", STR("command"));
    json_field_u64(&line, "uid", getuid());
    json_field(&line, "subject", str_of(given->command_arg ? given->command_arg : ""));
    json_field(&line, "to", str_of(given->command_second ? given->command_second : ""));
    json_field(&line, "outcome", str_of(outcome));
    audit_end(&line);
}

static int errand(struct gateway *g, const struct config_result *given)
{
    if (strcmp(given->command, "--export-feedback") == 0)
        return feedback_export_run(g);
    if (strcmp(given->command, "--export-user=") == 0)
        return person_export(g, given->command_arg);
    if (strcmp(given->command, "--erase-user=") == 0)
        return person_erase(g, given->command_arg);
    if (strcmp(given->command, "--switch==") == 0)
        return switch_run(g, given->command_arg, given->command_second);
    return hand_over_run(g, given->command_arg, given->command_second);
}

/* Those that work in Redis, serve nobody and end. */
static int run_errand(struct gateway *g, const struct config_result *given)
{
    char error[256];
    if (!store_durability_parse(g->settings.durability, &g->settings.store.replicas))
        return complain("PERSAI_DURABILITY", STORE_DURABILITY_HELP);
    g->loop = loop_new();
    if (!parts_store(g, error))
        return complain("PERSAI_REDIS", error);
    if (!audit_command(g, error))
        return complain("PERSAI_AUDIT", error);
    audit_errand(given, "begun");
    if (!audit_allows())
        return complain("PERSAI_AUDIT", "it can't be written, and PERSAI_AUDIT_STRICT is set");
    int code = errand(g, given);
    audit_errand(given, code == 0 ? "ok" : "failed");
    return code;
}

/* --check-config: settings and files alone: nobody is asked, and no port is taken. */
static int check_config(struct gateway *g)
{
    char error[256] = "";
    struct report report = {0};
    settings_warn_unknown();
    if (!settings_fit(&g->settings, error))
        report_fail(&report, "The settings: %s", error);
    else if (!store_durability_parse(g->settings.durability, &g->settings.store.replicas))
        report_fail(&report, "PERSAI_DURABILITY %s", STORE_DURABILITY_HELP);
    else
        report_ok(&report, "The settings can be used");
    check_broker(g, &report);
    check_keys(g, &report);
    check_switches(g, &report);
    check_audit(g, &report);
    return report_exit_code(&report);
}

static void name_self(struct gateway *g)
{
    char host[64] = "gateway", id[ID_TEXT + 1];
    gethostname(host, sizeof(host) - 1);
    id_text(id_new(), id);
    snprintf(g->name, sizeof(g->name), "%s:%ld:%.8s", host, (long)getpid(), id);
}

/* On a machine of one's own nobody is kept from another's share, unless it is asked for. */
static void quotas_of_nobody(struct gateway_settings *s, const struct config_args *args,
                             const struct config_result *given)
{
    if (s->auth)
        return;
    if (!config_given(args, given, "PERSAI_USER_TURNS"))
        s->user_turns = 0;
    if (!config_given(args, given, "PERSAI_USER_TURNS_PER_MINUTE"))
        s->user_turns_minute = 0;
    if (!config_given(args, given, "PERSAI_USER_SESSIONS"))
        s->store.user_sessions_max = 0;
    if (!config_given(args, given, "PERSAI_USER_BYTES"))
        s->store.user_bytes_max = 0;
}

static int make_api_key(const char *name)
{
    scoped_buf(text, 4096);
    buf_keep_secret(&text);
    if (!key_make(name, &text))
        return complain("key", "a name is 1 to 64 letters, digits, '_', '.' or '-'");
    fwrite(text.at, 1, text.len, stdout);
    return fflush(stdout) == 0 ? 0 : complain("key", "it could not be written");
}

/* Those that need the settings whole. */
static int run_command(struct gateway *g, const struct config_result *given)
{
    if (strcmp(given->command, "--key-reset") == 0)
        return keyreset_run(g);
    if (strcmp(given->command, "--check") == 0)
        return check(g);
    if (strcmp(given->command, "--check-config") == 0)
        return check_config(g);
    return run_errand(g, given);
}

int main(int argc, char **argv)
{
    static const char *const commands[] = {"--check-config", "--check",           "--key-reset",
                                           "--make-keys=",   "--make-api-key=",   "--print-openapi",
                                           "--hand-over==",  "--export-feedback", "--export-user=",
                                           "--erase-user=",  "--switch==",        NULL};
    struct gateway g = {0};
    struct config_result result = {0};
    struct config_args args = {
        .program = "persai-gateway",
        .summary = "The HTTP gateway and broker of PersAI, an assistant for Perses.",
        .table = table,
        .count = SETTINGS,
        .commands = commands};
    enum log_level level = LOG_INFO;
    bool json;
    char error[256];
    int code;
    enum { LARGE_BYTES = 128 << 10 };
    loop_ignore_signals();
    secret_setup();
    /* A page of a conversation that is copied or shown goes back to the system when it is freed:
     * glibc would keep such ones in its heap after the first, where small ones pin them. */
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    json_set_alloc_funcs(malloc, secret_wiping_free); /* what Perses answers to a sign-in */
    signal(SIGPIPE, SIG_IGN);
    log_setup(level, "gateway");
    g.args = &args;
    g.given = &result;
    if (!config_load(&args, argc, argv, &g.settings, &result)) {
        if (*result.error)
            fprintf(stderr, "persai-gateway: %s\n", result.error);
        code = result.exit_code;
    } else if (!log_level_parse(g.settings.log_level, &level)) {
        code = complain("settings", "LOG_LEVEL must be debug, info, warn or error");
    } else if (!log_format_parse(g.settings.log_format, &json)) {
        code = complain("settings", "LOG_FORMAT must be logfmt or json");
    } else if (result.command && strcmp(result.command, "--print-openapi") == 0) {
        code = openapi_print() ? 0 : 1;
    } else if (result.command && strcmp(result.command, "--make-api-key=") == 0) {
        code = make_api_key(result.command_arg);
    } else if (result.command && strcmp(result.command, "--make-keys=") == 0) {
        code = wire_keys_make(result.command_arg, error) ? 0 : complain("keys", error);
    } else {
        log_setup(level, "gateway");
        log_as_json(json);
        name_self(&g);
        quotas_of_nobody(&g.settings, &args, &result);
        gateway_metrics_init();
        code = result.command ? run_command(&g, &result) : serve(&g);
        parts_close(&g);
    }
    config_free(table, SETTINGS, &g.settings);
    return code;
}
