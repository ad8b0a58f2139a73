#include "worker/tools/mcp/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/config.h"
#include "common/duration.h"
#include "worker/endpoint.h"
#include "worker/tools/tool.h"

enum {
    TIMEOUT_MS = 30000,
    REFRESH_MS = 300000,
    BYTES_MAX = 1 << 20,
    BYTES_MAX_MAX = 4 << 20, /* an answer is parsed in one go of the loop */
};
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool read_server(struct mcp_file *f, const json_t *v, char reason[160]);
static bool read_times(struct mcp_config *c, const json_t *v);
static bool read_headers(struct mcp_config *c, const json_t *v);
static void hide_all(struct mcp_config *c);
static bool read_tools(struct mcp_file *f, struct mcp_config *c, const json_t *v, char reason[160]);

struct mcp_file *mcp_file_read(const char *path, char error[256])
{
    json_auto_t *root = endpoint_list("PERSAI_MCP", path, error);
    if (!root)
        return NULL;
    struct mcp_file *f = xcalloc(1, sizeof(*f));
    size_t i;
    const json_t *v;
    error[0] = '\0';
    json_array_foreach(root, i, v)
    {
        char reason[160] = "";
        if (f->count == MCP_SERVERS_MAX)
            snprintf(reason, sizeof(reason), "more than %d servers", MCP_SERVERS_MAX);
        else if (json_is_object(v))
            read_server(f, v, reason);
        else
            snprintf(reason, sizeof(reason), "it is no object");
        if (reason[0] == '\0')
            continue;
        snprintf(error, 256, "PERSAI_MCP: %.60s, line %u (%.30s): %s", path,
                 endpoint_line(path, i, reason),
                 endpoint_text(v, "name") ? endpoint_text(v, "name") : "", reason);
        break;
    }
    if (error[0] == '\0')
        return f;
    mcp_file_free(f);
    return NULL;
}

void mcp_file_free(struct mcp_file *f)
{
    if (!f)
        return;
    for (unsigned i = 0; i < f->count; i++) {
        struct mcp_config *c = &f->servers[i];
        for (unsigned h = 0; h < c->header_count; h++) {
            free(c->headers[h].name);
            free(c->headers[h].value);
        }
        for (unsigned h = 0; h < c->hidden_count; h++)
            secret_free(c->hidden[h]);
        secret_free(c->key);
        free(c->key_header);
        free(c->url);
        free(c->tools);
    }
    free(f);
}

static bool name_ok(const char *name)
{
    return name && strlen(name) <= MCP_SERVER_NAME_MAX && strspn(name, letters) == strlen(name);
}

/* What was read of it is freed with the file: it counts at once. */
static bool read_server(struct mcp_file *f, const json_t *v, char reason[160])
{
    static const char *const fields[] = {"name",      "url",     "timeout",    "refresh",
                                         "max_bytes", "headers", "key_header", "key_env",
                                         "key_file",  "tools",   NULL};
    static const char *const texts[] = {"name", "url", "key_env", "key_file", "key_header", NULL};
    struct mcp_config *c = &f->servers[f->count++];
    const char *name = endpoint_text(v, "name"), *url = endpoint_text(v, "url"),
               *header = endpoint_text(v, "key_header");
    *c = (struct mcp_config){
        .timeout_ms = TIMEOUT_MS, .refresh_ms = REFRESH_MS, .bytes_max = BYTES_MAX};
    if (!endpoint_known(v, fields, reason) || !endpoint_texts(v, texts, reason))
        return false;
    if (!name_ok(name)) {
        snprintf(reason, 160, "it needs a \"name\" of at most %d letters and digits",
                 MCP_SERVER_NAME_MAX);
        return false;
    }
    snprintf(c->name, sizeof(c->name), "%s", name);
    for (unsigned i = 0; i + 1 < f->count; i++)
        if (strcmp(f->servers[i].name, c->name) == 0)
            snprintf(reason, 160, "its name is there twice");
    if (url == NULL || !endpoint_url_ok(url))
        snprintf(reason, 160, "it needs a \"url\", http:// or https://");
    else if (!read_times(c, v))
        snprintf(reason, 160,
                 "timeout is a text like \"30s\" (1s to 10m), refresh like \"5m\" (from 1s), "
                 "max_bytes like \"1MiB\" (1KiB to 4MiB)");
    else if (!read_headers(c, v) || (header && !endpoint_header_ok(header, "")))
        snprintf(reason, 160, "headers are at most %d texts without line breaks", MCP_HEADERS_MAX);
    if (reason[0] || !endpoint_key(v, &c->key, reason))
        return false;
    hide_all(c);
    c->url = xstrdup(url);
    c->key_header = header ? xstrdup(header) : NULL;
    return read_tools(f, c, v, reason);
}

static bool read_times(struct mcp_config *c, const json_t *v)
{
    const json_t *timeout = json_object_get(v, "timeout"), *refresh = json_object_get(v, "refresh");
    const json_t *bytes = json_object_get(v, "max_bytes");
    bool ok = true;
    if (timeout)
        ok = duration_parse(str_of(json_string_value(timeout)), &c->timeout_ms) &&
             c->timeout_ms >= 1000 && c->timeout_ms <= 600000;
    if (ok && refresh)
        ok = duration_parse(str_of(json_string_value(refresh)), &c->refresh_ms) &&
             c->refresh_ms >= 1000;
    if (ok && json_is_integer(bytes) && json_integer_value(bytes) > 0)
        c->bytes_max = (uint64_t)json_integer_value(bytes);
    else if (ok && bytes)
        ok = bytes_parse(str_of(json_string_value(bytes)), &c->bytes_max);
    return ok && c->bytes_max >= 1024 && c->bytes_max <= BYTES_MAX_MAX;
}

static bool read_headers(struct mcp_config *c, const json_t *v)
{
    json_t *headers = json_object_get(v, "headers"), *value;
    const char *name;
    if (headers && !json_is_object(headers))
        return false;
    json_object_foreach(headers, name, value)
    {
        if (c->header_count == MCP_HEADERS_MAX || !json_is_string(value) ||
            !endpoint_header_ok(name, json_string_value(value)))
            return false;
        c->headers[c->header_count].name = xstrdup(name);
        c->headers[c->header_count++].value = xstrdup(json_string_value(value));
    }
    return true;
}

static bool says_secret(const char *header)
{
    static const char *const words[] = {"auth",   "cookie", "key",  "token",
                                        "secret", "pass",   "cred", "session"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasestr(header, words[i]))
            return true;
    return false;
}

static void hide(struct mcp_config *c, struct str text)
{
    if (text.len < SECRET_PART_MIN || c->hidden_count + SECRET_FORMS_MAX > MCP_HIDDEN_MAX)
        return;
    struct secret *itself = secret_new(text);
    c->hidden_count += secret_forms(itself, c->hidden + c->hidden_count);
    secret_free(itself);
}

/* Of a header each part by itself: "Bearer KEY", "session=KEY; more=KEY". */
static void hide_all(struct mcp_config *c)
{
    static const char between[] = " \t,;=\"";
    hide(c, secret_reveal(c->key));
    for (unsigned i = 0; i < c->header_count; i++) {
        const char *at = c->headers[i].value;
        while (says_secret(c->headers[i].name) && *(at += strspn(at, between)) != '\0') {
            size_t len = strcspn(at, between);
            hide(c, (struct str){at, len});
            at += len;
        }
    }
}

/* mcp_SERVER_TOOL: what no model's API takes in a name becomes _. */
static void offer_name(const struct mcp_config *c, struct mcp_allowed *a)
{
    scoped_buf(b, sizeof(c->name) + sizeof(a->name) + 8);
    buf_printf(&b, TOOLS_MCP "%s_%s", c->name, a->name);
    snprintf(a->offered, sizeof(a->offered), "%.*s", MCP_OFFERED_NAME_MAX, buf_cstr(&b));
    for (char *at = a->offered; *at; at++)
        if (!strchr(letters, *at) && *at != '-')
            *at = '_';
}

static bool is_taken(const struct mcp_file *f, const struct mcp_allowed *a)
{
    for (unsigned i = 0; i < f->count; i++)
        for (unsigned k = 0; k < f->servers[i].tool_count; k++)
            if (strcmp(f->servers[i].tools[k].offered, a->offered) == 0)
                return true;
    return false;
}

static bool read_tools(struct mcp_file *f, struct mcp_config *c, const json_t *v, char reason[160])
{
    json_t *tools = json_object_get(v, "tools"), *value;
    const char *name;
    if (!json_is_object(tools) || json_object_size(tools) == 0 ||
        json_object_size(tools) > MCP_SERVER_TOOLS_MAX) {
        snprintf(reason, 160,
                 "it needs \"tools\", an object of 1 to %d: NAME → \"read\" or \"ask\"",
                 MCP_SERVER_TOOLS_MAX);
        return false;
    }
    c->tools = xcalloc(json_object_size(tools), sizeof(*c->tools));
    json_object_foreach(tools, name, value)
    {
        struct mcp_allowed *a = &c->tools[c->tool_count];
        const char *way = json_string_value(value);
        a->reads = way && strcmp(way, "read") == 0;
        if (name[0] == '\0' || strlen(name) > MCP_TOOL_NAME_MAX ||
            (!a->reads && !(way && strcmp(way, "ask") == 0))) {
            snprintf(reason, 160, "the tool %.60s must be \"read\" or \"ask\"", name);
            return false;
        }
        snprintf(a->name, sizeof(a->name), "%s", name);
        offer_name(c, a);
        if (is_taken(f, a)) {
            snprintf(reason, 160, "another tool would be offered as %s too", a->offered);
            return false;
        }
        c->tool_count++;
    }
    return true;
}
