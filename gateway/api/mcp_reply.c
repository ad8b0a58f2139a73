#include "gateway/api/mcp_reply.h"

#include <stdlib.h>
#include "common/json.h"

struct mcp *mcp_of(const struct call *c) { return c->door; }

const json_t *mcp_params(const struct call *c)
{
    return json_object_get(mcp_of(c)->request, "params");
}

static const json_t *id_of(const struct call *c)
{
    return mcp_of(c) ? json_object_get(mcp_of(c)->request, "id") : NULL;
}

static void free_data(void *data)
{
    struct mcp *m = data;
    json_decref(m->request);
    free(m->path);
    free(m->arguments);
    free(m->context);
    free(m);
}

struct mcp *mcp_take(struct call *c)
{
    struct mcp *m = xcalloc(1, sizeof(*m));
    m->request = c->body;
    c->body = NULL;
    c->door = m;
    c->door_free = free_data;
    return m;
}

bool mcp_is_method(const struct call *c, const char *name)
{
    return str_is(json_text(json_object_get(mcp_of(c)->request, "method")), name);
}

struct mcp_saying mcp_saying_of(const struct call *c)
{
    const struct mcp *m = mcp_of(c);
    const json_t *meta = json_object_get(mcp_params(c), "_meta");
    return (struct mcp_saying){.id = id_of(c),
                               .token = json_object_get(meta, "progressToken"),
                               .task = m->task,
                               .modern = m->client.modern,
                               .elicits = m->client.elicits,
                               .as_task = mcp_is_method(c, "tasks/get"),
                               .now_ms = loop_wall_ms(),
                               .keep_ms = c->gateway->settings.store.events_keep_ms};
}

/* ---- answers ---- */

static void reply(struct call *c, unsigned status, json_t *take_message)
{
    char *text = json_dumps(take_message, JSON_COMPACT);
    json_decref(take_message);
    call_reply(c, status, str_of(text));
    free(text);
}

void mcp_reply_result(struct call *c, json_t *take_result)
{
    reply(c, 200, mcp_answer(id_of(c), take_result, mcp_of(c)->client.modern));
}

void mcp_reply_error(struct call *c, unsigned status, int code, const char *sentence,
                     json_t *take_data)
{
    reply(c, status, mcp_error(id_of(c), code, sentence, take_data));
}

void mcp_refuse_params(struct call *c, const char *sentence)
{
    mcp_reply_error(c, mcp_of(c)->client.modern ? 400 : 200, MCP_PARAMS, sentence, NULL);
}

void mcp_refuse_tool(struct call *c, const char *sentence)
{
    mcp_reply_result(c, mcp_tool_result(str_of(sentence), NULL, true));
}

static int code_of(enum err err, unsigned status)
{
    return err == ERR_BAD_JSON                            ? MCP_PARSE
           : err == ERR_INVALID || err == ERR_BAD_REQUEST ? MCP_REQUEST
           : status == 404 || status == 410               ? MCP_PARAMS
                                                          : MCP_REFUSED;
}

void mcp_write_error(struct buf *b, enum err err, unsigned status, const char *sentence)
{
    json_t *message =
        mcp_error(NULL, code_of(err, status), sentence, json_pack("{s:s}", "code", err_word(err)));
    char *text = json_dumps(message, JSON_COMPACT);
    json_decref(message);
    buf_puts(b, text);
    free(text);
}

/* Who is not let in hears it by the status. */
void mcp_fail(struct call *c, enum err err, const char *sentence)
{
    unsigned status = err_http_status(err);
    bool outside = status == 401 || status == 403 || status == 429 || status >= 500;
    if (mcp_of(c) && mcp_of(c)->tool && !outside) {
        mcp_refuse_tool(c, sentence);
        return;
    }
    int code = code_of(err, status);
    if (code == MCP_REQUEST && mcp_of(c)) /* it was read: what is wrong is in its params */
        code = MCP_PARAMS;
    if (code == MCP_PARAMS && mcp_of(c)) /* 404 is a method that there is not */
        status = mcp_of(c)->client.modern ? 400 : 200;
    mcp_reply_error(c, status, code, sentence, json_pack("{s:s}", "code", err_word(err)));
}
