#include "proto/upstream.h"

#include <string.h>
#include <strings.h>
#include "common/json.h"

static void read_server(struct str url, char out[UPSTREAM_SERVER_MAX]);

bool upstream_read(const json_t *datasource, struct upstream *out)
{
    const json_t *plugin = json_object_get(json_object_get(datasource, "plugin"), "spec");
    const json_t *proxy = json_object_get(json_object_get(plugin, "proxy"), "spec");
    const char *name;
    json_t *value;
    *out = (struct upstream){.secret = json_text(json_object_get(proxy, "secret"))};
    if (!json_is_string(json_object_get(proxy, "url")))
        return false;
    read_server(json_text(json_object_get(proxy, "url")), out->server);
    json_object_foreach(json_object_get(proxy, "headers"), name, value) out->blanks_cookies |=
        strcasecmp(name, "cookie") == 0 && json_is_string(value);
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
