#include "worker/tools/mcp/message.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "worker/tools/text.h"

enum {
    DEPTH_MAX = 64,
    CONTAINERS_MAX = 100000, /* arrays and objects of one message: a tree is far larger than text */
    BATCH_MAX = 100,
};
static const char *const legacy[] = {MCP_LEGACY, "2025-06-18", "2025-03-26"};

bool mcp_version_ok(struct str version)
{
    for (size_t i = 0; i < sizeof(legacy) / sizeof(legacy[0]); i++)
        if (str_is(version, legacy[i]))
            return true;
    return false;
}

/* ---- writing ---- */

/* "_meta":{…} */
static void write_meta(struct buf *b, const char *call_key, bool modern)
{
    buf_puts(b, "\"_meta\":{");
    if (modern)
        buf_puts(b, "\"io.modelcontextprotocol/protocolVersion\":\"" MCP_MODERN
                    "\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"persai\",\"version\":"
                    "\"" PERSAI_VERSION "\"},\"io.modelcontextprotocol/clientCapabilities\":{}");
    if (call_key) {
        json_field(b, "persai/call", str_of(call_key));
    }
    buf_putc(b, '}');
}

void mcp_write(struct buf *b, uint64_t id, const char *method, struct str params,
               const char *call_key, bool modern)
{
    buf_puts(b, "{\"jsonrpc\":\"2.0\"");
    if (id != 0)
        buf_printf(b, ",\"id\":%llu", (unsigned long long)id);
    json_field(b, "method", str_of(method));
    if (params.len > 0 || call_key || modern) {
        buf_puts(b, ",\"params\":{");
        buf_add_str(b, params);
        if (call_key || modern) {
            buf_puts(b, params.len > 0 ? "," : "");
            write_meta(b, call_key, modern);
        }
        buf_putc(b, '}');
    }
    buf_putc(b, '}');
}

void mcp_write_reply(struct buf *b, const json_t *id, bool is_ping)
{
    char *text = json_dumps(id, JSON_COMPACT | JSON_ENCODE_ANY);
    buf_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":%s,", text ? text : "null");
    buf_puts(b, is_ping ? "\"result\":{}}"
                        : "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}}");
    free(text);
}

/* ---- reading ---- */

/* Looks at brackets outside of strings only. */
bool mcp_is_bounded(struct str bytes)
{
    unsigned depth = 0, containers = 0;
    bool in_string = false;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.at[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX || ++containers > CONTAINERS_MAX)
                return false;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

bool mcp_is_id(const json_t *id, uint64_t ours)
{
    return json_is_integer(id) && json_integer_value(id) == (json_int_t)ours;
}

/* False: it is no message. */
static bool sort_out(const json_t *v, struct mcp_message *m)
{
    const json_t *method = json_object_get(v, "method"), *id = json_object_get(v, "id");
    const json_t *result = json_object_get(v, "result"), *error = json_object_get(v, "error");
    *m = (struct mcp_message){.id = json_is_null(id) ? NULL : id};
    if (json_is_string(method)) {
        m->kind = m->id ? MCP_REQUEST : MCP_NOTIFICATION;
        m->method = json_text(method);
        m->body = json_object_get(v, "params");
        return !m->id || json_is_string(id) || json_is_integer(id);
    }
    m->kind = error ? MCP_ERROR : MCP_RESULT;
    m->body = error ? error : result;
    return json_is_object(m->body) && (error || m->id);
}

bool mcp_read(struct str bytes, mcp_message_fn *fn, void *arg, const char **why)
{
    struct mcp_message m;
    *why = "it is too deeply nested or branched";
    if (!mcp_is_bounded(bytes))
        return false;
    *why = "it is no JSON-RPC message";
    json_auto_t *root = json_loadb(bytes.at ? bytes.at : "", bytes.len, JSON_ALLOW_NUL, NULL);
    if (!json_is_array(root))
        return sort_out(root, &m) && (fn(arg, &m), true);
    size_t i;
    const json_t *v;
    json_array_foreach(root, i, v)
    {
        if (i == BATCH_MAX || !sort_out(v, &m))
            return false;
        if (!fn(arg, &m))
            break;
    }
    return json_array_size(root) > 0;
}

/* ---- values that go into headers ---- */

static bool is_plain(struct str text)
{
    bool sentinel = text.len >= 11 && str_starts(text, STR("=?base64?")) &&
                    memcmp(text.at + text.len - 2, "?=", 2) == 0;
    if (text.len == 0 || sentinel || text.at[0] == ' ' || text.at[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 0x20 || text.at[i] > 0x7e)
            return false;
    return true;
}

char *mcp_header_value(const json_t *value)
{
    enum { VALUE_MAX = 4096 };
    struct str text = json_text(value);
    scoped_buf(b, 2 * VALUE_MAX);
    if (json_is_boolean(value)) {
        buf_puts(&b, json_is_true(value) ? "true" : "false");
    } else if (json_is_integer(value) && llabs(json_integer_value(value)) < 1LL << 53) {
        buf_printf(&b, "%lld", (long long)json_integer_value(value));
    } else if (!json_is_string(value) || text.len > VALUE_MAX) {
        return NULL;
    } else if (is_plain(text)) {
        buf_add_str(&b, text);
    } else {
        char coded[VALUE_MAX * 2];
        sodium_bin2base64(coded, sizeof(coded), (const unsigned char *)text.at, text.len,
                          sodium_base64_VARIANT_ORIGINAL);
        buf_printf(&b, "=?base64?%s?=", coded);
    }
    return str_dup(buf_str(&b));
}
