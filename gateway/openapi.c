/* gateway/openapi.c: this API as OpenAPI 3.1, from the rows of routes.def and errors.def. */
#include <string.h>
#include "common/check.h"
#include "gateway/routes.h"

struct row {
    const char *method, *path, *who, *body, *summary, *handler;
};
static const struct row rows[] = {
#define ROUTE(method, path, who, handler, body, bytes, summary)                                    \
    {#method, path, #who, #body, summary, #handler},
#include "gateway/routes.def"
#undef ROUTE
};
enum { ROWS = sizeof rows / sizeof *rows };

/* What a body may hold, by handler. */
static const struct {
    const char *handler, *schema;
} bodies[] = {
    {"sessions_post",
     "{\"type\":\"object\",\"properties\":{\"title\":{\"type\":\"string\",\"maxLength\":512},"
     "\"model\":{\"type\":\"string\",\"maxLength\":200}}}"},
    {"sessions_patch",
     "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"title\":{\"type\":"
     "\"string\"},"
     "\"model\":{\"type\":\"string\"},\"panels\":{\"type\":[\"object\",\"null\"]},"
     "\"context\":{\"type\":[\"object\",\"null\"]}}}"},
    {"sessions_fork",
     "{\"type\":\"object\",\"required\":[\"message_id\"],\"properties\":{\"message_id\":"
     "{\"type\":[\"string\",\"integer\"]}}}"},
    {"sessions_message_patch",
     "{\"type\":\"object\",\"properties\":{\"pinned\":{\"type\":\"boolean\"},"
     "\"excluded\":{\"type\":\"boolean\"}}}"},
    {"turns_post",
     "{\"type\":\"object\",\"required\":[\"message\"],\"properties\":{\"message\":{\"type\":"
     "\"string\",\"minLength\":1},"
     "\"model\":{\"type\":\"string\"},\"context\":{\"type\":\"object\",\"properties\":{"
     "\"time_range\":{\"type\":\"object\",\"properties\":{\"start\":{},\"end\":{},\"duration\":{"
     "\"type\":\"string\"}}},"
     "\"timezone\":{\"type\":\"string\"},\"datasources\":{\"type\":\"array\",\"maxItems\":16,"
     "\"items\":{\"type\":\"string\"}},"
     "\"dashboard\":{\"type\":\"object\",\"properties\":{\"project\":{\"type\":\"string\"},"
     "\"name\":{\"type\":\"string\"}}},"
     "\"panels\":{\"type\":\"array\"},\"variables\":{\"type\":\"object\"},"
     "\"alert\":{\"type\":\"object\",\"description\":\"to investigate: labels, annotations, "
     "startsAt, generatorURL, as Alertmanager has them\"}}}}}"},
    {"webhook_alertmanager",
     "{\"type\":\"object\",\"required\":[\"version\",\"alerts\"],\"properties\":{\"version\":{"
     "\"const\":\"4\"},\"alerts\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
     "\"properties\":{"
     "\"status\":{\"type\":\"string\"},\"labels\":{\"type\":\"object\"},\"annotations\":{\"type\":"
     "\"object\"},\"startsAt\":{\"type\":\"string\"},\"generatorURL\":{\"type\":\"string\"}}}}}}"},
    {"turns_resume", "{\"type\":\"object\",\"required\":[\"decisions\"],\"properties\":{"
                     "\"decisions\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
                     "\"required\":[\"call_id\",\"approve\"],\"properties\":{\"call_id\":{\"type\":"
                     "\"string\"},\"approve\":{\"type\":\"boolean\"},\"arguments_hash\":{"
                     "\"type\":\"string\",\"description\":\"as it was shown; checked when "
                     "given\"}}}}}}"},
};

/* The answer when all is well: status and media type, by handler. */
static const char *good_answer(const char *handler)
{
    if (strcmp(handler, "sessions_post") == 0 || strcmp(handler, "sessions_fork") == 0)
        return "\"201\":{\"description\":\"The new "
               "session\",\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\","
               "\"required\":[\"session_id\"],\"properties\":{\"session_id\":{\"type\":\"string\"}}"
               "}}}}";
    if (strcmp(handler, "sessions_get") == 0)
        return "\"200\":{\"description\":\"The conversation, with every "
               "message\",\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\","
               "\"properties\":{\"session_id\":{\"type\":\"string\"},\"title\":{\"type\":"
               "\"string\"},\"usage\":{\"type\":\"object\",\"description\":\"of all its turns; "
               "each "
               "answer of a model has its own\",\"properties\":{\"input_tokens\":{\"type\":"
               "\"integer\"},\"output_tokens\":{\"type\":\"integer\"},\"cached_input_tokens\":{"
               "\"type\":\"integer\",\"description\":\"of the input tokens\"},\"cost\":{\"type\":"
               "\"number\",\"description\":\"in dollars; only of models with "
               "prices\"}}},\"messages\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}}}}}}";
    if (strcmp(handler, "turns_resume") == 0)
        return "\"202\":{\"description\":\"Decided, or decided so before; the stream goes on "
               "behind "
               "turn_awaiting_input\",\"content\":{\"application/"
               "json\":{\"schema\":{\"type\":\"object\",\"properties\":{\"turn_id\":{\"type\":"
               "\"string\"},\"session_id\":{\"type\":\"string\"}}}}}}";
    if (strcmp(handler, "webhook_alertmanager") == 0)
        return "\"202\":{\"description\":\"What is investigated; new: begun by this request\","
               "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",\"properties\":{"
               "\"investigations\":{\"type\":\"array\",\"items\":{\"type\":\"object\","
               "\"properties\":{"
               "\"session_id\":{\"type\":\"string\"},\"turn_id\":{\"type\":\"string\"},\"new\":{"
               "\"type\":\"boolean\"},\"alert\":{\"type\":\"string\"}}}},\"ignored\":{\"type\":"
               "\"integer\"},\"left_out\":{\"type\":\"integer\"}}}}}}";
    if (strcmp(handler, "turns_post") == 0)
        return "\"200\":{\"description\":\"The turn's "
               "events\",\"content\":{\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}},"
               "\"202\":{\"description\":\"Accepted\",\"content\":{\"application/"
               "json\":{\"schema\":{\"type\":\"object\","
               "\"properties\":{\"turn_id\":{\"type\":\"string\"},\"session_id\":{\"type\":"
               "\"string\"}}}}}}";
    if (strcmp(handler, "turns_events") == 0)
        return "\"200\":{\"description\":\"The turn's "
               "events\",\"content\":{\"text/event-stream\":{\"schema\":{\"type\":\"string\"}}}}";
    if (strcmp(handler, "turns_cancel") == 0)
        return "\"202\":{\"description\":\"Accepted; the stream tells how it ends\"}";
    if (strcmp(handler, "meta_metrics") == 0)
        return "\"200\":{\"description\":\"Prometheus text "
               "format\",\"content\":{\"text/plain\":{\"schema\":{\"type\":\"string\"}}}}";
    return "\"200\":{\"description\":\"Done\",\"content\":{\"application/json\":{\"schema\":{}}}}";
}

static void write_parameters(struct buf *b, const struct row *r)
{
    bool first = true;
    buf_puts(b, "\"parameters\":[");
    for (const char *open = strchr(r->path, '{'); open; open = strchr(open + 1, '{')) {
        int len = (int)(strchr(open, '}') - open - 1);
        buf_printf(b,
                   "%s{\"name\":\"%.*s\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":"
                   "\"string\"}}",
                   first ? "" : ",", len, open + 1);
        first = false;
    }
    static const struct {
        const char *handler, *name, *in, *required;
    } more[] = {
        {"sessions_list", "q", "query", "false"},
        {"sessions_list", "limit", "query", "false"},
        {"sessions_list", "cursor", "query", "false"},
        {"turns_post", "datasource_path", "query", "true"},
        {"turns_post", "Prefer", "header", "false"},
        {"turns_post", "Idempotency-Key", "header", "false"},
        {"sessions_post", "Idempotency-Key", "header", "false"},
        {"turns_events", "Last-Event-ID", "header", "false"},
        {"webhook_alertmanager", "datasource_path", "query", "true"},
        {"webhook_alertmanager", "model", "query", "false"},
        {"turns_events", "last_event_id", "query", "false"},
    };
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        if (strcmp(more[i].handler, r->handler) != 0)
            continue;
        buf_printf(
            b, "%s{\"name\":\"%s\",\"in\":\"%s\",\"required\":%s,\"schema\":{\"type\":\"string\"}}",
            first ? "" : ",", more[i].name, more[i].in, more[i].required);
        first = false;
    }
    buf_putc(b, ']');
}

static void write_operation(struct buf *b, const struct row *r)
{
    buf_putc(b, '"');
    for (const char *m = r->method; *m; m++)
        buf_putc(b, (char)(*m | 0x20));
    buf_puts(b, "\":{\"operationId\":");
    json_str(b, str_of(r->handler));
    buf_puts(b, ",\"summary\":");
    json_str(b, str_of(r->summary));
    buf_putc(b, ',');
    write_parameters(b, r);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        if (strcmp(bodies[i].handler, r->handler) == 0)
            buf_printf(b,
                       ",\"requestBody\":{\"required\":%s,\"content\":{\"application/"
                       "json\":{\"schema\":%s}}}",
                       strcmp(r->body, "REQUIRED") == 0 ? "true" : "false", bodies[i].schema);
    buf_printf(b, ",\"responses\":{%s,\"default\":{\"$ref\":\"#/components/responses/Error\"}}",
               good_answer(r->handler));
    if (strcmp(r->who, "USER") == 0)
        buf_puts(b, ",\"security\":[{\"bearer\":[]},{\"cookie\":[]}]");
    else if (strcmp(r->who, "WEBHOOK") == 0)
        buf_puts(b, ",\"security\":[{\"webhook\":[]}]");
    buf_putc(b, '}');
}

static void write_codes(struct buf *b)
{
    const char *comma = "";
    for (int e = 1; e < ERR_COUNT; e++) {
        buf_puts(b, comma);
        json_str(b, str_of(err_word((enum err)e)));
        comma = ",";
    }
}

static void write_document(struct buf *b)
{
    buf_puts(b,
             "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"PersAI\",\"version\":\"" PERSAI_VERSION
             "\"},\"paths\":{");
    for (unsigned i = 0; i < ROWS; i++) {
        bool first = true, seen = false;
        for (unsigned j = 0; j < i; j++)
            seen = seen || strcmp(rows[j].path, rows[i].path) == 0;
        if (seen)
            continue;
        if (i)
            buf_putc(b, ',');
        json_str(b, str_of(rows[i].path));
        buf_puts(b, ":{");
        for (unsigned j = i; j < ROWS; j++) {
            if (strcmp(rows[j].path, rows[i].path) != 0)
                continue;
            if (!first)
                buf_putc(b, ',');
            write_operation(b, &rows[j]);
            first = false;
        }
        buf_putc(b, '}');
    }
    buf_puts(b, "},\"components\":{\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":"
                "\"bearer\"},"
                "\"webhook\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
                "\"PERSAI_WEBHOOK_TOKEN\"},"
                "\"cookie\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"jwtPayload\"}},"
                "\"responses\":{\"Error\":{\"description\":"
                "\"What went "
                "wrong\",\"content\":{\"application/"
                "json\":{\"schema\":{\"type\":\"object\",\"properties\":{\"detail\":"
                "{\"type\":\"object\",\"properties\":{\"response\":{\"type\":\"string\"},\"code\":{"
                "\"type\":\"string\",\"enum\":[");
    write_codes(b);
    buf_puts(b, "]}}}}}}}}}}}");
}

void meta_openapi(struct call *c)
{
    struct buf b;
    buf_init(&b, 256 << 10);
    write_document(&b);
    CHECK(!b.overflowed);
    call_reply(c, 200, buf_str(&b));
    buf_free(&b);
}
