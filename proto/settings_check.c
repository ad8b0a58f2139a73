#include "proto/settings_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "common/address.h"
#include "common/buf.h"
#include "common/log.h"
#include "common/pairs.h"
#include "common/secret.h"
#include "common/redis/url.h"
#include "common/report.h"
#include "common/tls.h"

enum { URL_MAX = 1024, NAME_MAX_BYTES = 64 };

extern char **environ;

static const char *const known[] = {
#define SETTING(place, name, type, by_default, min, max, help) name,
#include "gateway/settings.def"
#include "worker/settings.def"
#undef SETTING
    /* compose's and the tests' */
    "PERSAI_AUTO_INIT",   "PERSAI_BIN_DIR",        "PERSAI_BIND",         "PERSAI_BUILD",
    "PERSAI_DATASOURCES", "PERSAI_FUZZ",           "PERSAI_GOLDEN_WRITE", "PERSAI_PERSES_BIN",
    "PERSAI_PLUGIN",      "PERSAI_PLUGIN_ARCHIVE", "PERSAI_PLUGINS_DIR",  "PERSAI_PORT",
    "PERSAI_PUBLIC_URL",  "PERSAI_REDIS_MEMORY",   "PERSAI_RUN_BEGAN",    "PERSAI_SANITIZE",
    "PERSAI_SCREENSHOTS", "PERSAI_SECRETS",        "PERSAI_SEED",         "PERSAI_STACK",
    "PERSAI_STATE"};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static bool origin_ok(struct str origin);
static bool host_is_here(struct str host);
static bool redis_is_here(const char *url, char node[REDIS_HOST_MAX]);
static size_t distance(const char *a, const char *b);

bool settings_url_ok(const char *url)
{
    const char *from = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : "";
    struct str server = {from, strcspn(from, "/?")}, name;
    for (size_t i = server.len; i > 0; i--)
        if (server.at[i - 1] == '@') {
            server = str_skip(server, i);
            break;
        }
    return strlen(url) < URL_MAX && !strpbrk(url, " \t\r\n#") && address_host(server, &name) &&
           !str_ends(server, STR(":0"));
}

bool settings_redis(const char *name, const char *url, char why[SETTINGS_WHY_MAX])
{
    char error[256];
    struct redis_url u = {0};
    bool ok = redis_url_parse(url, &u, error) && (!u.tls || tls_check(u.ca, error));
    redis_url_free(&u);
    if (!ok)
        snprintf(why, SETTINGS_WHY_MAX, "%s: %.200s", name, error);
    return ok;
}

bool settings_listen(const char *name, const char *text, char why[SETTINGS_WHY_MAX])
{
    char host[ADDRESS_HOST_MAX], port[ADDRESS_PORT_MAX];
    if (address_listen(text, host, port))
        return true;
    snprintf(why, SETTINGS_WHY_MAX,
             "%s is %.120s, but must be address:port, as 127.0.0.1:8000; the port is at most "
             "65535.",
             name, log_text(str_of(text)));
    return false;
}

bool settings_networks(const char *name, const char *list, char why[SETTINGS_WHY_MAX])
{
    struct networks all, alone;
    struct str rest = str_of(list), one;
    if (networks_parse(rest, &all))
        return true;
    while (str_split(&rest, ',', &one))
        if (!networks_parse(one, &alone)) {
            snprintf(why, SETTINGS_WHY_MAX,
                     "%s has %.80s, which is neither an address nor a network like 10.0.0.0/8.",
                     name, log_text(str_trim(one)));
            return false;
        }
    snprintf(why, SETTINGS_WHY_MAX, "%s has more than %d networks.", name, NETWORKS_MAX);
    return false;
}

bool settings_url(const char *name, const char *url, char why[SETTINGS_WHY_MAX])
{
    const char *server = strstr(url, "://"), *at = strrchr(url, '@'), *odd = strpbrk(url, "?#");
    bool http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    bool fine = settings_url_ok(url);
    if (url[0] == '\0' || (fine && !odd))
        return true;
    if (http && !fine && at && server + 3 + strcspn(server + 3, "/?#") < at)
        snprintf(why, SETTINGS_WHY_MAX,
                 "%s: in a name or a password before the @ of an address / is written %%2F, ? %%3F "
                 "and # %%23.",
                 name);
    else if (http && odd)
        snprintf(why, SETTINGS_WHY_MAX,
                 "%s is %.120s with a %c behind it: paths are put behind an address, so leave out "
                 "what begins there.",
                 name, log_address(url), *odd);
    else
        snprintf(why, SETTINGS_WHY_MAX,
                 "%s is %.120s, but must be an address that begins with http:// or https:// (a "
                 "port is from 1 to 65535).",
                 name, log_address(url));
    return false;
}

bool settings_proxy_paths(const char *name, const char *list, char why[SETTINGS_WHY_MAX])
{
    struct str rest = str_of(list), one;
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0 || str_starts(one, STR("/proxy/")))
            continue;
        snprintf(why, SETTINGS_WHY_MAX,
                 "%s has %.100s, which is no path of a datasource: it begins with /proxy/.", name,
                 log_text(one));
        return false;
    }
    return true;
}

bool settings_origins(const char *name, const char *list, char why[SETTINGS_WHY_MAX])
{
    struct str rest = str_of(list), one;
    while (str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (one.len == 0 || origin_ok(one))
            continue;
        snprintf(why, SETTINGS_WHY_MAX,
                 "%s has %.100s, which is no origin: scheme://host or scheme://host:port, without "
                 "a path.",
                 name, log_text(one));
        return false;
    }
    return true;
}

static bool origin_ok(struct str origin)
{
    char text[512];
    if (origin.len >= sizeof(text))
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)origin.len, origin.at);
    const char *host = strstr(text, "://");
    return host && host > text && host[3] != '\0' && !strpbrk(host + 3, "/?#@ \t*");
}

bool settings_folder(const char *name, const char *path, char why[SETTINGS_WHY_MAX])
{
    struct stat s;
    if (path[0] == '\0' || (stat(path, &s) == 0 && S_ISDIR(s.st_mode)))
        return true;
    snprintf(why, SETTINGS_WHY_MAX, "%s is %.150s, which is no folder that can be read.", name,
             log_text(str_of(path)));
    return false;
}

bool settings_beats(int64_t beat_ms, int64_t dead_ms, char why[SETTINGS_WHY_MAX])
{
    if (beat_ms * 2 <= dead_ms)
        return true;
    snprintf(why, SETTINGS_WHY_MAX,
             "PERSAI_DEAD is %lld ms and PERSAI_BEAT %lld ms: PERSAI_DEAD must be twice "
             "PERSAI_BEAT or more, else who is there counts as dead.",
             (long long)dead_ms, (long long)beat_ms);
    return false;
}

bool settings_private(const char *name, const char *where, char why[SETTINGS_WHY_MAX])
{
    char node[REDIS_HOST_MAX] = "";
    struct str host = {0}, part, rest = str_of(where);
    bool http = str_starts(rest, STR("http://")), redis = !http && strstr(where, "://");
    if (!*where || str_starts(rest, STR("https://")) || (redis && redis_is_here(where, node)))
        return true;
    if (redis) {
        snprintf(why, SETTINGS_WHY_MAX,
                 "%s leads to %.80s in the clear: conversations can be read on that network. Use a "
                 "socket, or a tunnel with TLS.",
                 name, node);
        return false;
    }
    rest = str_skip(rest, http ? 7 : 0);
    str_split(&rest, '/', &part);
    while (str_split(&part, '@', &host))
        ; /* without a password */
    if (host_is_here(host))
        return true;
    snprintf(why, SETTINGS_WHY_MAX,
             "%s is %.*s, in the clear: sign-ins can be read on that network. %s.", name,
             (int)(host.len < 80 ? host.len : 80), host.at,
             http ? "Use https://" : "Let only what ends TLS, or Perses, reach it");
    return false;
}

/* With or without a port. */
static bool host_is_here(struct str host)
{
    struct address at;
    struct str name;
    if (address_parse(host, &at))
        return address_is_loopback(&at);
    return address_host(host, &name) && str_is(name, "localhost");
}

/* node: the first that is not. */
static bool redis_is_here(const char *url, char node[REDIS_HOST_MAX])
{
    char error[256];
    struct redis_url u = {0};
    bool here = true, parsed = redis_url_parse(url, &u, error);
    for (unsigned i = 0; parsed && here && i < u.node_count; i++) {
        here = u.nodes[i].port == 0 || host_is_here(str_of(u.nodes[i].host));
        memcpy(node, u.nodes[i].host, REDIS_HOST_MAX);
    }
    redis_url_free(&u);
    return here;
}

void settings_warn_clear(const char *const (*settings)[2], struct report *report)
{
    char why[SETTINGS_WHY_MAX];
    for (; (*settings)[0]; settings++) {
        if (!(*settings)[1] || settings_private((*settings)[0], (*settings)[1], why))
            continue;
        if (report)
            report_warn(report, "%s", why);
        else
            log_warn("settings.cleartext", "setting=%s why=%s", (*settings)[0],
                     log_text(str_of(why)));
    }
}

/* ---- names ---- */

static const char prefix[] = "PERSAI_";
enum { PREFIX = sizeof(prefix) - 1 };

static bool is_ours(const char *name) { return strncmp(name, prefix, PREFIX) == 0; }

static const char *among_known(const char *name)
{
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(name, known[i]) == 0)
            return known[i];
    return NULL;
}

/* As others call what we read by another name. */
static const char *as_others_call_it(const char *name)
{
    static const char *const others[][2] = {
        {"OPENAI_API_BASE", "OPENAI_BASE_URL"},
        {"OPENAI_API_BASE_URL", "OPENAI_BASE_URL"},
        {"OPENAI_API_URL", "OPENAI_BASE_URL"},
        {"OPENAI_URL", "OPENAI_BASE_URL"},
        {"OPENAI_ENDPOINT", "OPENAI_BASE_URL"},
        {"OPENAI_HOST", "OPENAI_BASE_URL"},
        {"AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"},
        {"ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"},
        {"ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"},
        {"ANTHROPIC_URL", "ANTHROPIC_BASE_URL"},
        {"GEMINI_BASE_URL", "GOOGLE_BASE_URL"},
        {"GEMINI_API_BASE", "GOOGLE_BASE_URL"},
        {"GOOGLE_GEMINI_BASE_URL", "GOOGLE_BASE_URL"},
        {"PERSES_URL", "PERSES_API_URL"},
        {"OPENAI_KEY", "OPENAI_API_KEY"},
        {"OPENAI_TOKEN", "OPENAI_API_KEY"},
        {"OPENAI_API_TOKEN", "OPENAI_API_KEY"},
        {"AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"ANTHROPIC_KEY", "ANTHROPIC_API_KEY"},
        {"CLAUDE_API_KEY", "ANTHROPIC_API_KEY"},
        {"GEMINI_API_KEY", "GOOGLE_API_KEY"},
        {"GOOGLE_AI_API_KEY", "GOOGLE_API_KEY"},
        {"GOOGLE_GEMINI_API_KEY", "GOOGLE_API_KEY"},
        {"GOOGLE_GENERATIVE_AI_API_KEY", "GOOGLE_API_KEY"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"},
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(name, others[i][0]) == 0)
            return others[i][1];
    return NULL;
}

/* Of a name that begins as ours do. */
static const char *near_ours(const char *name)
{
    const char *nearest = NULL, *longest = NULL, *rest = among_known(name + PREFIX);
    size_t best = 0, room = (strlen(name) - PREFIX) / 3 + 1;
    for (size_t i = 0; i < KNOWN; i++) {
        size_t len = strlen(known[i]), far = distance(name, known[i]);
        /* Further away than a third of what is behind the prefix, it is another word. */
        if (far <= room && (!nearest || far < best)) {
            nearest = known[i];
            best = far;
        }
        if (strncmp(name, known[i], len) == 0 && name[len] == '_' &&
            (!longest || len > strlen(longest)))
            longest = known[i]; /* PERSAI_REDIS_HOST */
    }
    if (!rest) /* PERSAI_OPENAI_API_KEY */
        rest = as_others_call_it(name + PREFIX);
    return rest ? rest : nearest ? nearest : longest;
}

/* Of another's name: one or two letters from one that we read, and no name of a family
 * (OPENAI_API_KEY_2). */
static const char *near_others(const char *name)
{
    enum { SHORT = 12 };
    const char *nearest = NULL;
    size_t best = 0;
    for (size_t i = 0; i < KNOWN; i++) {
        size_t len = strlen(known[i]), far;
        if (is_ours(known[i]) || (strncmp(name, known[i], len) == 0 && name[len] == '_'))
            continue;
        far = distance(name, known[i]);
        if (far <= (len < SHORT ? 1U : 2U) && (!nearest || far < best)) {
            nearest = known[i];
            best = far;
        }
    }
    return nearest;
}

/* PERSIA_REDIS: the prefix is misspelt, the rest is right. */
static const char *by_its_rest(const char *name)
{
    const char *rest = strchr(name, '_');
    char first[NAME_MAX_BYTES], whole[NAME_MAX_BYTES + PREFIX];
    if (!rest || strncmp(name, "PERSES_", 7) == 0)
        return NULL;
    snprintf(first, sizeof(first), "%.*s", (int)(rest - name), name);
    snprintf(whole, sizeof(whole), "%s%s", prefix, rest + 1);
    return distance(first, "PERSAI") <= 2 ? among_known(whole) : NULL;
}

bool settings_known(const char *name, const char **nearest)
{
    char base[NAME_MAX_BYTES] = "";
    size_t len = strlen(name);
    *nearest = NULL;
    if (strncmp(name, "PERSAI_TEST_", 12) == 0)
        return true;
    if (len >= sizeof(base))
        return !is_ours(name);
    if (len > 5 && strcmp(name + len - 5, "_FILE") == 0)
        len -= 5;
    memcpy(base, name, len);
    if (among_known(base))
        return true;
    for (char *c = base; *c; c++) /* whatever its case */
        *c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
    *nearest = among_known(base);
    if (!*nearest && is_ours(base))
        *nearest = near_ours(base);
    else if (!*nearest)
        *nearest = as_others_call_it(base);
    if (!*nearest && !is_ours(base))
        *nearest = near_others(base);
    if (!*nearest && !is_ours(base))
        *nearest = by_its_rest(base);
    return !*nearest && !is_ours(base);
}

const char *settings_nearest(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t len = strlen(word), best = 0;
    for (; len < NAME_MAX_BYTES && *names; names++) {
        size_t far = distance(word, *names);
        if (far <= len / 3 + 1 && (!nearest || far < best)) {
            nearest = *names;
            best = far;
        }
    }
    return nearest;
}

/* Levenshtein's, with one row. a is shorter than NAME_MAX_BYTES. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_BYTES + 1], len = strlen(a);
    for (size_t i = 0; i <= len; i++)
        row[i] = i;
    for (size_t j = 0; b[j]; j++) {
        size_t corner = row[0];
        row[0] = j + 1;
        for (size_t i = 1; i <= len; i++) {
            size_t change = corner + (a[i - 1] != b[j]);
            corner = row[i];
            size_t gap = (row[i] < row[i - 1] ? row[i] : row[i - 1]) + 1;
            row[i] = change < gap ? change : gap;
        }
    }
    return row[len];
}

bool settings_pairs(const struct secret *headers, const char *attributes,
                    char why[SETTINGS_WHY_MAX])
{
    char error[256];
    const char *name = "OTEL_EXPORTER_OTLP_HEADERS";
    if (!pairs_ok(secret_reveal(headers), error)) {
        snprintf(why, SETTINGS_WHY_MAX, "%s %.200s", name, error);
        return false;
    }
    name = "OTEL_RESOURCE_ATTRIBUTES";
    if (pairs_ok(str_of(attributes), error))
        return true;
    snprintf(why, SETTINGS_WHY_MAX, "%s %.200s", name, error);
    return false;
}

static bool is_set(const char *name)
{
    char file[NAME_MAX_BYTES + 8];
    const char *value = getenv(name);
    snprintf(file, sizeof(file), "%s_FILE", name);
    if (!value || !*value)
        value = getenv(file);
    return value && *value;
}

/* A key of another name may be meant for another program, or by PERSAI_MODELS. */
static bool is_needless(const char *nearest)
{
    return nearest && !is_ours(nearest) && str_ends(str_of(nearest), STR("_API_KEY")) &&
           (is_set(nearest) || is_set("PERSAI_MODELS"));
}

void settings_warn_unknown(void)
{
    for (char **at = environ; at && *at; at++) {
        char name[NAME_MAX_BYTES * 2];
        const char *nearest;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(*at, "="), *at);
        if (!settings_known(name, &nearest) && !is_needless(nearest))
            log_warn("settings.unknown", "variable=%s nearest=%s", log_text(str_of(name)),
                     nearest ? nearest : "-");
    }
}
