#include "gateway/api/mcp_text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "common/json.h"

enum { NAME_BYTES_MAX = 4096 };

static const char *const versions[] = {MCP_MODERN, "2025-11-25", "2025-06-18", "2025-03-26"};
enum { VERSIONS = sizeof(versions) / sizeof(versions[0]) };
#define META "io.modelcontextprotocol/"

static const char INSTRUCTIONS[] =
    "PersAI answers questions about what Perses observes: metrics, logs, traces, dashboards and "
    "alerts. `ask` gives a question to its agent, which runs the queries; the other tools run one "
    "query each. Everything is read with the rights of the person who is signed in.";

static bool name_fits(struct str header, struct str name);
static json_t *ask_tool(void);
static json_t *one_tool(const json_t *tool, bool reads);
static bool is_tool(const json_t *tool);
static bool reads(const json_t *tool);

/* ---- what is asked ---- */

static const json_t *meta_of(const json_t *request)
{
    return json_object_get(json_object_get(request, "params"), "_meta");
}

bool mcp_is_modern(const json_t *request, const struct mcp_headers *h)
{
    return json_object_get(meta_of(request), META "protocolVersion") ||
           str_is(h->version, MCP_MODERN) ||
           str_is(json_text(json_object_get(request, "method")), "server/discover");
}

/* The handshake's versions say what they can once, and no server here remembers it. */
struct mcp_client mcp_client_of(const json_t *request, const struct mcp_headers *h)
{
    struct mcp_client client = {.modern = mcp_is_modern(request, h)};
    if (!client.modern)
        return client;
    const json_t *can = json_object_get(meta_of(request), META "clientCapabilities");
    const json_t *elicits = json_object_get(can, "elicitation");
    client.elicits = json_is_object(elicits) &&
                     (json_object_size(elicits) == 0 || json_object_get(elicits, "form"));
    client.tasks =
        json_is_object(json_object_get(json_object_get(can, "extensions"), META "tasks"));
    return client;
}

static bool known(struct str version)
{
    for (unsigned i = 0; i < VERSIONS; i++)
        if (str_is(version, versions[i]))
            return true;
    return false;
}

/* What Mcp-Name repeats; empty where the method names nothing. */
static struct str named_by(const json_t *request)
{
    struct str method = json_text(json_object_get(request, "method"));
    const json_t *params = json_object_get(request, "params");
    static const struct {
        const char *method, *key;
    } names[] = {{"tools/call", "name"},  {"prompts/get", "name"},    {"resources/read", "uri"},
                 {"tasks/get", "taskId"}, {"tasks/update", "taskId"}, {"tasks/cancel", "taskId"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_is(method, names[i].method))
            return json_text(json_object_get(params, names[i].key));
    return (struct str){NULL, 0};
}

struct mcp_wrong mcp_check(const json_t *request, const struct mcp_headers *h, bool modern)
{
    struct str method = json_text(json_object_get(request, "method")), name = named_by(request);
    const json_t *meta = meta_of(request);
    struct str version = json_text(json_object_get(meta, META "protocolVersion"));
    if (!modern)
        return h->version.len == 0 || known(h->version)
                   ? (struct mcp_wrong){0}
                   : (struct mcp_wrong){MCP_VERSION, 400,
                                        "This protocol version is not spoken here"};
    if (version.len == 0)
        return (struct mcp_wrong){MCP_PARAMS, 400, "params._meta must name the protocolVersion"};
    if (!str_eq(version, h->version))
        return (struct mcp_wrong){MCP_HEADERS, 400,
                                  "MCP-Protocol-Version is missing or is not the body's"};
    if (!str_is(version, MCP_MODERN))
        return (struct mcp_wrong){MCP_VERSION, 400, "This protocol version is not spoken here"};
    if (!json_is_object(json_object_get(meta, META "clientCapabilities")))
        return (struct mcp_wrong){MCP_PARAMS, 400, "params._meta must have clientCapabilities"};
    if (!str_eq(method, h->method))
        return (struct mcp_wrong){MCP_HEADERS, 400, "Mcp-Method is missing or is not the body's"};
    if (name.len > 0 && !name_fits(h->name, name))
        return (struct mcp_wrong){MCP_HEADERS, 400, "Mcp-Name is missing or is not the body's"};
    return (struct mcp_wrong){0};
}

/* As it is, or =?base64?…?= where a header can't hold it. */
static bool name_fits(struct str header, struct str name)
{
    static const struct str begin = {"=?base64?", 9}, end = {"?=", 2};
    unsigned char decoded[NAME_BYTES_MAX];
    size_t len;
    if (!str_starts(header, begin) || header.len < begin.len + end.len ||
        memcmp(header.at + header.len - end.len, end.at, end.len) != 0)
        return str_eq(header, name);
    struct str text = {header.at + begin.len, header.len - begin.len - end.len};
    return sodium_base642bin(decoded, sizeof(decoded), text.at, text.len, NULL, &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           str_eq((struct str){(const char *)decoded, len}, name);
}

/* ---- envelopes ---- */

json_t *mcp_answer(const json_t *id, json_t *take_result, bool modern)
{
    if (modern && !json_object_get(take_result, "resultType"))
        json_object_set_new(take_result, "resultType", json_string("complete"));
    return json_pack("{s:s,s:O?,s:o}", "jsonrpc", "2.0", "id", id, "result", take_result);
}

json_t *mcp_error(const json_t *id, int code, const char *sentence, json_t *take_data)
{
    json_t *error = json_pack("{s:i,s:s}", "code", code, "message", sentence);
    if (take_data)
        json_object_set_new(error, "data", take_data);
    json_t *answer = json_pack("{s:s,s:o}", "jsonrpc", "2.0", "error", error);
    json_object_set_new(answer, "id", id ? json_deep_copy(id) : json_null());
    return answer;
}

static json_t *spoken(void)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < VERSIONS; i++)
        json_array_append_new(list, json_string(versions[i]));
    return list;
}

/* A header's that is no UTF-8 is left out, and so is what nobody would call a version. */
json_t *mcp_unspoken(const json_t *request, const struct mcp_headers *h)
{
    struct str asked = json_text(json_object_get(meta_of(request), META "protocolVersion"));
    json_t *data = json_pack("{s:o}", "supported", spoken());
    if (asked.len == 0)
        asked = h->version;
    if (asked.len <= NAME_BYTES_MAX)
        json_object_set_new(data, "requested", json_stringn(asked.at, asked.len));
    return data;
}

/* ---- who we are ---- */

static json_t *server_info(void)
{
    return json_pack("{s:s,s:s,s:s}", "name", "persai", "title", "PersAI", "version",
                     PERSAI_VERSION);
}

static json_t *capabilities(void)
{
    return json_pack("{s:{},s:{},s:{}}", "tools", "prompts", "resources");
}

static json_t *with_tasks(json_t *take_capabilities)
{
    json_object_set_new(take_capabilities, "extensions", json_pack("{s:{}}", META "tasks"));
    return take_capabilities;
}

json_t *mcp_needs_tasks(void)
{
    return json_pack("{s:o}", "requiredCapabilities", with_tasks(json_object()));
}

json_t *mcp_needs_elicitation(void)
{
    return json_pack("{s:{s:{s:{}}}}", "requiredCapabilities", "elicitation", "form");
}

json_t *mcp_discover(void)
{
    return json_pack("{s:s,s:o,s:o,s:s,s:i,s:s,s:{s:o}}", "resultType", "complete",
                     "supportedVersions", spoken(), "capabilities", with_tasks(capabilities()),
                     "instructions", INSTRUCTIONS, "ttlMs", MCP_TTL_MS, "cacheScope", "private",
                     "_meta", META "serverInfo", server_info());
}

/* A version that we don't speak is answered with the newest of those with a handshake. */
json_t *mcp_initialize(const json_t *params)
{
    struct str asked = json_text(json_object_get(params, "protocolVersion"));
    bool fine = known(asked) && !str_is(asked, MCP_MODERN);
    struct str version = fine ? asked : str_of(versions[1]);
    return json_pack("{s:s%,s:o,s:o,s:s}", "protocolVersion", version.at, version.len,
                     "capabilities", capabilities(), "serverInfo", server_info(), "instructions",
                     INSTRUCTIONS);
}

/* ---- tools ---- */

/* Those that change something are for clients that can ask their person first. */
json_t *mcp_tools(struct str tools, const struct mcp_client *client)
{
    json_auto_t *all = json_loadb(tools.at, tools.len, 0, NULL);
    json_t *list = json_array();
    size_t i;
    const json_t *tool;
    json_array_append_new(list, ask_tool());
    json_array_foreach(all, i, tool) if (is_tool(tool) && (reads(tool) || client->elicits))
        json_array_append_new(list, one_tool(tool, reads(tool)));
    return json_pack("{s:o,s:i,s:s}", "tools", list, "ttlMs", MCP_TTL_MS, "cacheScope", "private");
}

static bool is_tool(const json_t *tool) { return json_is_string(json_object_get(tool, "name")); }

static bool reads(const json_t *tool) { return json_is_true(json_object_get(tool, "read_only")); }

enum mcp_tool_kind mcp_tool_kind(const json_t *tools, struct str name)
{
    enum mcp_tool_kind kind = MCP_NO_TOOL;
    size_t i;
    const json_t *tool;
    json_array_foreach(tools, i, tool) if (is_tool(tool) &&
                                           str_eq(json_text(json_object_get(tool, "name")), name))
        kind = reads(tool) ? MCP_READS : MCP_CHANGES;
    return kind;
}

static json_t *annotations(bool read_only, bool destructive)
{
    return json_pack("{s:b,s:b,s:b,s:b}", "readOnlyHint", (int)read_only, "destructiveHint",
                     (int)destructive, "idempotentHint", (int)read_only, "openWorldHint", 1);
}

/* One that changes something may replace what was there. */
static json_t *one_tool(const json_t *tool, bool reads)
{
    return json_pack("{s:O,s:O*,s:O*,s:o,s:{s:s}}", "name", json_object_get(tool, "name"),
                     "description", json_object_get(tool, "description"), "inputSchema",
                     json_object_get(tool, "input_schema"), "annotations",
                     annotations(reads, !reads), "outputSchema", "type", "object");
}

static const char ASK[] =
    "{\"name\":\"ask\",\"title\":\"Ask PersAI\",\"description\":\"Ask PersAI's agent a question "
    "about "
    "what Perses observes. It finds the metrics, runs the queries with the person's own rights, "
    "and "
    "answers with the figures and the queries that they are from. Give `conversation` to go on in "
    "an "
    "earlier one. It takes seconds to "
    "minutes.\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"
    "\"question\":{\"type\":\"string\",\"minLength\":1,\"description\":\"the question, in any "
    "language\"},\"datasource\":{\"type\":\"string\",\"description\":\"a datasource of Perses: a "
    "global "
    "one's name, or its path in the proxy; default: the Prometheus of this deployment\"},"
    "\"time_range\":{\"type\":\"object\",\"properties\":{\"start\":{\"type\":\"string\"},\"end\":{"
    "\"type\":\"string\"},\"duration\":{\"type\":\"string\"}},\"additionalProperties\":false,"
    "\"description\":\"start and end (RFC 3339, or as now-3h), or a duration as 1h until "
    "now\"},\"conversation\":{"
    "\"type\":\"string\",\"description\":\"the id of an earlier conversation\"}},\"required\":["
    "\"question\"],\"additionalProperties\":false},\"outputSchema\":{\"type\":\"object\","
    "\"properties\":{\"status\":{\"type\":\"string\",\"enum\":[\"answered\",\"failed\","
    "\"cancelled\","
    "\"awaiting_approval\"]},\"answer\":{\"type\":\"string\"},\"conversation\":{\"type\":"
    "\"string\"},"
    "\"turn\":{\"type\":\"string\"},\"queries\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
    "\"properties\":{\"tool\":{\"type\":\"string\"},\"arguments\":{\"type\":\"object\"}}}}},"
    "\"required\":[\"status\",\"answer\",\"conversation\",\"turn\",\"queries\"]}}";

/* It may lead to a write, which the person has to allow first; nothing is destroyed. */
static json_t *ask_tool(void)
{
    json_t *tool = json_loads(ASK, 0, NULL);
    json_object_set_new(tool, "annotations", annotations(false, false));
    return tool;
}

json_t *mcp_tool_result(struct str text, json_t *take_structured, bool is_error)
{
    json_t *words = json_stringn(text.at ? text.at : "", text.len);
    json_t *result = json_pack("{s:[{s:s,s:o}],s:b}", "content", "type", "text", "text",
                               words ? words : json_string(""), "isError", (int)is_error);
    if (take_structured)
        json_object_set_new(result, "structuredContent", take_structured);
    return result;
}

/* ---- prompts ---- */

static const struct {
    const char *name, *title, *description, *argument, *means, *text;
} prompts[] = {{"investigate_alert", "Investigate this alert", "Find out why an alert fires.",
                "alert", "the alert's name, and labels that tell it from others",
                "Use PersAI's `ask` to investigate this alert: since when does it fire, what "
                "changed then, which "
                "series are affected, and what should be done next? The alert: "},
               {"explain_panel", "Explain this panel", "Say what a panel of a dashboard shows.",
                "panel", "the dashboard's and the panel's name, or the panel's query",
                "Use PersAI's `ask` to explain this panel: what does its query compute, what is "
                "normal for it, "
                "and is what it shows now unusual? The panel: "}};
enum { PROMPTS = sizeof(prompts) / sizeof(prompts[0]) };

json_t *mcp_prompts(void)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < PROMPTS; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:[{s:s,s:s,s:b}]}", "name",
                                              prompts[i].name, "title", prompts[i].title,
                                              "description", prompts[i].description, "arguments",
                                              "name", prompts[i].argument, "description",
                                              prompts[i].means, "required", 1));
    return json_pack("{s:o,s:i,s:s}", "prompts", list, "ttlMs", MCP_TTL_MS, "cacheScope",
                     "private");
}

json_t *mcp_prompt(const json_t *params, const char **wrong)
{
    struct str name = json_text(json_object_get(params, "name"));
    for (unsigned i = 0; i < PROMPTS; i++) {
        const json_t *arguments = json_object_get(params, "arguments");
        struct str value = json_text(json_object_get(arguments, prompts[i].argument));
        scoped_buf(text, 1 << 20);
        if (!str_is(name, prompts[i].name))
            continue;
        buf_puts(&text, prompts[i].text);
        *wrong = "The prompt's argument is missing or too long";
        if (value.len == 0 || !buf_add_str(&text, value))
            return NULL;
        return json_pack("{s:s,s:[{s:s,s:{s:s,s:s%}}]}", "description", prompts[i].description,
                         "messages", "role", "user", "content", "type", "text", "text", text.at,
                         text.len);
    }
    *wrong = "There is no prompt of this name";
    return NULL;
}
