#include "proto/upstream.h"

#include <string.h>
#include <strings.h>
#include "common/json.h"

#define HTTP_PROXY "HTTPProxy"
#define SQL_PROXY "SQLProxy"

static unsigned proxies(const json_t *object);
static bool is_clear(const json_t *object, const char *const *names, size_t count);
static bool is_proxy(const json_t *kind);
static void read_server(struct str url, char out[UPSTREAM_SERVER_MAX]);

bool upstream_read(const json_t *datasource, struct upstream *out)
{
    static const char *const of_proxy[] = {"kind", "spec"};
    static const char *const of_spec[] = {"url", "headers", "secret"};
    const json_t *plugin = json_object_get(json_object_get(datasource, "plugin"), "spec");
    const json_t *around = json_object_get(plugin, "proxy");
    const json_t *kind = json_object_get(around, "kind"), *proxy = json_object_get(around, "spec");
    const char *name;
    json_t *value;
    unsigned count = proxies(plugin);
    *out = (struct upstream){0};
    if (count == 0)
        return false;
    if (count > 1 || !is_proxy(kind) || !is_clear(around, of_proxy, 2) ||
        !is_clear(proxy, of_spec, 3))
        return true;
    if (strcasecmp(json_string_value(kind), HTTP_PROXY) != 0 ||
        !json_is_string(json_object_get(proxy, "url")))
        return false;
    out->secret = json_text(json_object_get(proxy, "secret"));
    read_server(json_text(json_object_get(proxy, "url")), out->server);
    json_object_foreach(json_object_get(proxy, "headers"), name, value) out->blanks_cookies |=
        strcasecmp(name, "cookie") == 0 && json_is_string(value);
    return true;
}

/* ---- is there one way to read it? ---- */

static bool is_proxy(const json_t *kind)
{
    const char *text = json_string_value(kind);
    return text && (strcasecmp(text, HTTP_PROXY) == 0 || strcasecmp(text, SQL_PROXY) == 0);
}

/* Could Go read this key as that name? Letters beyond ASCII may be one of it in another case. */
static bool is_like(const char *key, const char *name)
{
    for (const char *at = key; *at; at++)
        if ((unsigned char)*at >= 0x80)
            return true;
    return strcasecmp(key, name) == 0;
}

/* What Perses may take for the proxy: it looks through all of the plugin's spec, the keys of each
 * object in no order and in any case, and takes the first (perses v0.54.0,
 * pkg/model/api/v1/datasource/proxy.go, configFinder). */
static unsigned proxies(const json_t *object)
{
    unsigned count = 0;
    bool is_one = false;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        is_one = is_one || (is_like(key, "kind") && is_proxy(value));
        count += proxies(value);
    }
    return count + is_one;
}

/* Each of these names by itself alone, in no other spelling beside it: encoding/json takes any
 * case, and the last of them. */
static bool is_clear(const json_t *object, const char *const *names, size_t count)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        for (size_t i = 0; i < count; i++)
            if (is_like(key, names[i]) && strcmp(key, names[i]) != 0)
                return false;
    }
    return true;
}

/* scheme://authority as it is, when it is nothing but a host and a port behind what may be a user:
 * whatever a browser and Go could read in two ways is not read at all. */
static void read_server(struct str url, char out[UPSTREAM_SERVER_MAX])
{
    static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                               ".-_:[]";
    size_t scheme = strncasecmp(url.at ? url.at : "", "https://", 8) == 0  ? 8
                    : strncasecmp(url.at ? url.at : "", "http://", 7) == 0 ? 7
                                                                           : 0;
    size_t end = scheme, start = scheme;
    out[0] = '\0';
    if (scheme == 0)
        return;
    for (; end < url.len && (url.at[end] == '\0' || !strchr("/?#", url.at[end])); end++)
        if (url.at[end] == '@')
            start = end + 1;
    for (size_t i = scheme; i < end; i++) {
        char c = url.at[i];
        if (c <= ' ' || c >= 0x7f || c == '\\' || (i >= start && strchr(fine, c) == NULL))
            return;
    }
    if (end == start || end - start + scheme >= UPSTREAM_SERVER_MAX)
        return;
    memcpy(out, scheme == 8 ? "https://" : "http://", scheme);
    for (size_t i = start; i < end; i++)
        out[scheme + i - start] =
            url.at[i] >= 'A' && url.at[i] <= 'Z' ? (char)(url.at[i] + 32) : url.at[i];
    out[scheme + end - start] = '\0';
}

bool upstream_replaces(const json_t *secret)
{
    static const char *const ways[] = {"basicAuth", "authorization", "oauth"};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (json_is_object(json_object_get(secret, ways[i])))
            return true;
    return false;
}
