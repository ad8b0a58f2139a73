/* What an MCP server says: offers are schemas within their bounds, results are whole JSON within
 * what a model is shown, header values are plain. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/mcp/message.h"

static const struct mcp_config server = {.name = "tix"};
static const struct mcp_allowed tool = {.name = "find", .offered = "mcp_tix_find"};

static void on_tool(const json_t *v)
{
    struct mcp_offer offer;
    const char *why = "";
    if (mcp_offer_read(v, &server, &tool, &offer, &why)) {
        json_auto_t *again = json_loads(offer.schema_text, JSON_ALLOW_NUL, NULL);
        CHECK(json_equal(again, offer.schema) && strlen(offer.schema_text) <= MCP_SCHEMA_MAX);
        CHECK(strcmp(json_string_value(json_object_get(again, "type")), "object") == 0);
        CHECK(str_utf8(str_of(offer.description)) && mcp_offer_same(&offer, &offer));
        CHECK(json_array_size(offer.marks) <= MCP_MARKS_MAX);
    } else {
        CHECK(why[0] != '\0');
    }
    mcp_offer_free(&offer);
}

static void on_result(const json_t *result, size_t max_bytes)
{
    struct buf b;
    buf_init(&b, max_bytes);
    mcp_result_write(result, &server, &tool, &b);
    json_auto_t *shown = json_loadb(b.at, b.len, JSON_ALLOW_NUL, NULL);
    CHECK(!b.overflowed && shown != NULL);
    buf_clear(&b);
    mcp_text(result, &b, max_bytes / 2);
    CHECK(!b.overflowed && str_utf8(buf_str(&b)));
    buf_free(&b);
}

static bool on_message(void *arg, const struct mcp_message *m)
{
    const size_t *max_bytes = arg;
    const json_t *v;
    size_t i;
    struct buf b;
    buf_init(&b, 1 << 20);
    if (m->kind == MCP_REQUEST) {
        mcp_write_reply(&b, m->id, str_is(m->method, "ping"));
        json_auto_t *reply = json_loadb(b.at, b.len, JSON_ALLOW_NUL, NULL);
        CHECK(reply != NULL && json_equal(json_object_get(reply, "id"), (json_t *)m->id));
    }
    buf_free(&b);
    json_array_foreach(json_object_get(m->body, "tools"), i, v) on_tool(v);
    if (m->body)
        on_result(m->body, *max_bytes);
    char *value = mcp_header_value(json_object_get(m->body, "value"));
    for (const char *at = value; at && *at; at++)
        CHECK(*at >= 0x20 && *at <= 0x7e);
    free(value);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t max_bytes = 1024 + (size > 0 ? data[size - 1] * 64u : 0);
    const char *why = NULL;
    if (!mcp_read((struct str){(const char *)data, size}, on_message, &max_bytes, &why))
        CHECK(why != NULL);
    return 0;
}
