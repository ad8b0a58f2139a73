/* What clients of the doors send, and what a turn's events become for them: bodies are refused or
 * read within their bounds; what is said is JSON, each event a line, and ends but once. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/agui_say.h"
#include "gateway/api/mcp_text.h"
#include "gateway/api/mcp_wait.h"
#include "gateway/api/openai_ask.h"
#include "gateway/api/openai_say.h"
#include "gateway/api/openapi.h"

enum { OUT_MAX = 8 << 20 };
static const char TOOLS[] =
    "[{\"name\":\"look\",\"description\":\"d\",\"parameters\":{},\"kind\":\"read\"}]";

/* ---- requests ---- */

static void openai(const json_t *body)
{
    static struct openai_ask ask;
    struct openai_fault fault = {0};
    if (openai_ask_read(body, &ask, &fault)) {
        CHECK(ask.question.len > 0 && ask.history_count < OPENAI_MESSAGES_MAX);
        CHECK(ask.own_count <= sizeof(ask.own) / sizeof(ask.own[0]));
        for (unsigned i = 1; i < ask.history_count; i++)
            CHECK(ask.history[i].role != ask.history[i - 1].role);
    } else {
        CHECK(fault.status >= 400 && fault.status < 500 && fault.code && fault.sentence);
    }
    openai_ask_free(&ask);
}

static void keep(json_t *take)
{
    char *text = json_dumps(take, JSON_COMPACT);
    CHECK(!take || text);
    free(text);
    json_decref(take);
}

static void mcp(const json_t *request)
{
    struct str method = json_text(json_object_get(request, "method"));
    const json_t *params = json_object_get(request, "params");
    struct mcp_headers repeated = {STR(MCP_MODERN), method,
                                   json_text(json_object_get(params, "name"))};
    const char *wrong = NULL;
    bool modern = mcp_is_modern(request, &repeated);
    struct mcp_wrong w = mcp_check(request, &repeated, modern);
    CHECK(w.code == 0 || (w.sentence && w.http_status >= 400));
    json_auto_t *tools = json_loads(TOOLS, 0, NULL);
    mcp_tool_kind(tools, repeated.name);
    struct mcp_task task, again;
    char text[MCP_TASK_TEXT_MAX];
    if (mcp_task_parse(repeated.name, &task)) {
        mcp_task_text(&task, text);
        CHECK(mcp_task_parse(str_of(text), &again) && again.created_ms == task.created_ms);
    }
    keep(mcp_answer(json_object_get(request, "id"), mcp_initialize(params), modern));
    json_t *prompt = mcp_prompt(params, &wrong);
    CHECK(prompt || wrong);
    keep(prompt);
    keep(mcp_error(json_object_get(request, "id"), MCP_PARAMS, "no", NULL));
    keep(mcp_tool_result(method, NULL, true));
}

static void shapes(const json_t *body)
{
    static const char *const handlers[] = {"sessions_post", "sessions_patch", "turns_post",
                                           "turns_resume",  "openai_chat",    "agui_run",
                                           "mcp_post"};
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        scoped_buf(why, 1024);
        if (!openapi_body_fits(handlers[i], body, &why))
            CHECK(why.len > 0);
    }
}

/* ---- events ---- */

/* "data: {…}\n\n" each, or "data: [DONE]". */
static void expect_lines(struct str out)
{
    struct str line;
    while (str_split(&out, '\n', &line)) {
        if (line.len == 0 || str_is(line, "data: [DONE]") || line.at[0] == ':')
            continue;
        CHECK(str_starts(line, STR("data: ")));
        json_auto_t *tree = json_loadb(line.at + 6, line.len - 6, JSON_ALLOW_NUL, NULL);
        CHECK(json_is_object(tree));
    }
}

/* Events as event.h writes them: each line of the input is a payload, where it is JSON. */
static void say(struct str lines, bool stream)
{
    struct openai_say_config config = {.id = "chatcmpl-1",
                                       .model = STR("persai"),
                                       .stream = stream,
                                       .usage = true,
                                       .activity = true};
    struct openai_say chat;
    struct agui_say run;
    struct str line;
    openai_say_init(&chat, &config);
    agui_say_init(&run, STR("t"), STR("r"));
    for (unsigned count = 0; count < 64 && str_split(&lines, '\n', &line); count++) {
        json_auto_t *tree = json_loadb(line.at ? line.at : "", line.len, 0, NULL);
        char *payload = json_is_object(tree) ? json_dumps(tree, JSON_COMPACT) : NULL;
        scoped_buf(out, OUT_MAX);
        scoped_buf(events, OUT_MAX);
        if (payload && chat.state == OPENAI_GOES_ON) {
            openai_say_event(&chat, str_of(payload), &out);
            if (stream)
                expect_lines(buf_str(&out));
        }
        if (payload && !run.over) {
            agui_say_event(&run, str_of(payload), &events);
            expect_lines(buf_str(&events));
        }
        free(payload);
    }
    openai_say_free(&chat);
    agui_say_free(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    json_auto_t *body = json_loadb(size ? text.at : "", size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(body)) {
        openai(body);
        mcp(body);
        shapes(body);
    }
    say(text, true);
    say(text, false);
    return 0;
}
