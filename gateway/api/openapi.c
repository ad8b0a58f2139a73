/* gateway/api/openapi.c: this API as OpenAPI 3.1, and bodies held against it.
 *
 * What a row of a table says comes from it: paths, methods, who may and what a body must be from
 * routes.def, errors with their statuses from errors.def, the names of events and which of them are
 * final from events.def. openapi.json has the rest, by a route's handler: parameters, schemas, good
 * answers, and the errors that only this route has. It is made once, at the first use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "gateway/api/openapi.h"
#include "gateway/api/call.h"
#include "gateway/api/body_shape.h"
#include "proto/event.h"

struct row {
    const char *method, *path, *who, *body, *summary, *handler;
};
static const struct row rows[] = {
#define ROUTE(method, path, who, handler, body, bytes, summary)                                    \
    {#method, path, #who, #body, summary, #handler},
#include "gateway/routes.def"
#undef ROUTE
};
enum { ROWS = sizeof(rows) / sizeof(*rows), METHOD_BYTES_MAX = 16 };

extern const unsigned char openapi_text[]; /* openapi.json */

static void lower(const char *method, char out[METHOD_BYTES_MAX]);
static void add_operation(json_t *paths, const struct row *r, const json_t *about);
static void add_events(json_t *schemas);
static void add_error(json_t *schemas);

static const json_t *made(void)
{
    static json_t *document;
    if (!document)
        document = openapi_document();
    return document;
}

void api_meta_openapi(struct call *c)
{
    static char *text;
    if (!text)
        text = json_dumps(made(), JSON_COMPACT);
    call_reply(c, 200, str_of(text));
}

static const json_t *member(const json_t *v, const char *const *path)
{
    for (; *path; path++)
        v = json_object_get(v, *path);
    return v;
}

bool openapi_body_fits(const char *handler, const json_t *body, struct buf *why)
{
    const json_t *schemas = member(made(), (const char *const[]){"components", "schemas", NULL});
    for (unsigned i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].handler, handler) != 0)
            continue;
        char method[METHOD_BYTES_MAX];
        lower(rows[i].method, method);
        const json_t *schema =
            member(made(), (const char *const[]){"paths", rows[i].path, method, "requestBody",
                                                 "content", "application/json", "schema", NULL});
        return !schema || body_shape_fits(schemas, schema, body, why);
    }
    CHECK(false && "a handler of routes.def");
    return false;
}

bool openapi_print(void)
{
    json_auto_t *document = openapi_document();
    return json_dumpf(document, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF &&
           fflush(stdout) == 0;
}

json_t *openapi_document(void)
{
    json_error_t where;
    json_t *document = json_loads((const char *)openapi_text, JSON_REJECT_DUPLICATES, &where);
    CHECK(document);
    json_auto_t *about = json_incref(json_object_get(document, "operations"));
    json_t *schemas = json_object_get(json_object_get(document, "components"), "schemas");
    json_t *paths = json_object();
    json_object_del(document, "operations");
    json_object_set_new(json_object_get(document, "info"), "version", json_string(PERSAI_VERSION));
    json_object_set_new(document, "paths", paths);
    for (unsigned i = 0; i < ROWS; i++)
        add_operation(paths, &rows[i], json_object_get(about, rows[i].handler));
    CHECK(json_object_size(about) == ROWS);
    add_events(schemas);
    add_error(schemas);
    return document;
}

static json_t *ref(const char *kind, const char *name)
{
    return json_pack("{s:s++}", "$ref", "#/components/", kind, name);
}

/* ---- an operation ---- */

static json_t *parameters_of(const struct row *r, const json_t *about);
static json_t *answers_of(const json_t *about);
static void add_errors(json_t *answers, const struct row *r, const json_t *about);
static json_t *security_of(const struct row *r);

static void lower(const char *method, char out[METHOD_BYTES_MAX])
{
    size_t len = strlen(method);
    CHECK(len < METHOD_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(method[i] | 0x20);
    out[len] = '\0';
}

static void add_operation(json_t *paths, const struct row *r, const json_t *about)
{
    char method[METHOD_BYTES_MAX];
    const char *body = json_string_value(json_object_get(about, "body"));
    CHECK(about);
    lower(r->method, method);
    json_t *answers = answers_of(about);
    add_errors(answers, r, about);
    json_t *operation = json_pack("{s:s, s:s, s:o, s:o, s:o}", "operationId", r->handler, "summary",
                                  r->summary, "parameters", parameters_of(r, about), "responses",
                                  answers, "security", security_of(r));
    CHECK(operation && (body != NULL) >= (strcmp(r->body, "REQUIRED") == 0));
    if (body)
        json_object_set_new(operation, "requestBody",
                            json_pack("{s:b, s:{s:{s:o}}}", "required",
                                      strcmp(r->body, "REQUIRED") == 0, "content",
                                      "application/json", "schema", ref("schemas/", body)));
    if (!json_object_get(paths, r->path))
        json_object_set_new(paths, r->path, json_object());
    json_object_set_new(json_object_get(paths, r->path), method, operation);
}

static bool is_signed_in(const struct row *r)
{
    return strcmp(r->who, "ANYBODY") != 0 && strcmp(r->who, "WEBHOOK") != 0;
}

static json_t *parameters_of(const struct row *r, const json_t *about)
{
    json_t *list = json_array(), *name;
    size_t i;
    for (const char *open = strchr(r->path, '{'); open; open = strchr(open + 1, '{')) {
        char *word = xstrndup(open + 1, strcspn(open + 1, "}"));
        json_array_append_new(list, ref("parameters/", word));
        free(word);
    }
    json_array_foreach(json_object_get(about, "parameters"), i, name)
    {
        json_array_append_new(list, ref("parameters/", json_string_value(name)));
    }
    return list;
}

static json_t *security_of(const struct row *r)
{
    if (is_signed_in(r))
        return json_pack("[{s:[]}, {s:[]}]", "bearer", "cookie");
    return strcmp(r->who, "WEBHOOK") == 0 ? json_pack("[{s:[]}]", "webhook") : json_array();
}

/* ---- its answers ---- */

static void add_header(json_t *answer, const char *name)
{
    if (!json_object_get(answer, "headers"))
        json_object_set_new(answer, "headers", json_object());
    json_object_set_new(json_object_get(answer, "headers"), name, ref("headers/", name));
}

/* {"type": {"schema": …}}. OpenAPI 3.1 has no word for the items of a stream, and what its schema
 * describes, the whole or an item, is read differently: the data of each item is an x-event. */
static json_t *content_of(const json_t *one)
{
    const char *schema = json_string_value(json_object_get(one, "schema"));
    const char *events = json_string_value(json_object_get(one, "events"));
    const char *text = json_string_value(json_object_get(one, "text"));
    const char *stream = json_string_value(json_object_get(one, "stream"));
    if (schema && stream)
        return json_pack("{s:{s:o}, s:{s:{}, s:o}}", "application/json", "schema",
                         ref("schemas/", schema), "text/event-stream", "schema", "x-event",
                         ref("schemas/", stream));
    if (schema && !text)
        return json_pack("{s:{s:o}}", "application/json", "schema", ref("schemas/", schema));
    if (schema)
        return json_pack("{s:{s:o}, s:{s:{s:s}}}", "application/json", "schema",
                         ref("schemas/", schema), text, "schema", "type", "string");
    if (events)
        return json_pack("{s:{s:{}, s:o}}", "text/event-stream", "schema", "x-event",
                         ref("schemas/", events));
    return json_pack("{s:{s:{s:s}}}", text, "schema", "type", "string");
}

static json_t *answers_of(const json_t *about)
{
    json_t *answers = json_object(), *one, *name;
    const char *status;
    size_t i;
    json_object_foreach(json_object_get(about, "answers"), status, one)
    {
        json_t *answer = json_object();
        json_object_set(answer, "description", json_object_get(one, "description"));
        json_object_set_new(answer, "content", content_of(one));
        json_array_foreach(json_object_get(one, "headers"), i, name)
        {
            add_header(answer, json_string_value(name));
        }
        json_object_set_new(answers, status, answer);
    }
    return answers;
}

static void add_code(json_t *answers, enum err e, const char *shape);

static enum err err_of(const char *word)
{
    for (unsigned e = 1; e < ERR_COUNT; e++)
        if (strcmp(err_word((enum err)e), word) == 0)
            return (enum err)e;
    CHECK(false && "a word of errors.def");
    return ERR_INTERNAL;
}

/* What routes.c says to all of a kind, then the route's own. */
static void add_errors(json_t *answers, const struct row *r, const json_t *about)
{
    static const enum err all[] = {ERR_BAD_REQUEST, ERR_BAD_HOST, ERR_NONE};
    static const enum err signed_in[] = {ERR_BUSY,
                                         ERR_UNAUTHENTICATED,
                                         ERR_PERSES_AUTH_OFF,
                                         ERR_NOT_BY_PERSES,
                                         ERR_FORBIDDEN,
                                         ERR_RATE_LIMITED,
                                         ERR_STORE_UNAVAILABLE,
                                         ERR_STORE_FULL,
                                         ERR_AUDIT_UNAVAILABLE,
                                         ERR_SWITCHED_OFF,
                                         ERR_PERSES_UNAVAILABLE,
                                         ERR_NONE};
    static const enum err hooked[] = {ERR_BUSY,
                                      ERR_UNAUTHENTICATED,
                                      ERR_FORBIDDEN,
                                      ERR_RATE_LIMITED,
                                      ERR_PERSES_UNAVAILABLE,
                                      ERR_AUDIT_UNAVAILABLE,
                                      ERR_SWITCHED_OFF,
                                      ERR_NONE};
    static const enum err admin[] = {ERR_NOT_ADMINISTRATOR, ERR_NONE};
    static const enum err change[] = {ERR_CROSS_SITE, ERR_TOO_LARGE, ERR_UNSUPPORTED_MEDIA_TYPE,
                                      ERR_NONE};
    static const enum err body[] = {ERR_BAD_JSON, ERR_NONE};
    static const enum err session[] = {ERR_SESSION_NOT_FOUND, ERR_NONE};
    const struct {
        bool is;
        const enum err *errors;
    } kinds[] = {{true, all},
                 {is_signed_in(r), signed_in},
                 {strcmp(r->who, "ADMIN") == 0, admin},
                 {strcmp(r->who, "WEBHOOK") == 0, hooked},
                 {strcmp(r->method, "GET") != 0, change},
                 {strcmp(r->body, "NONE") != 0, body},
                 {strstr(r->path, "{session}") != NULL, session}};
    size_t i;
    const json_t *word;
    const char *own = json_string_value(json_object_get(about, "error"));
    const char *shape = own ? own : "Error";
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
        for (const enum err *e = kinds[k].errors; kinds[k].is && *e; e++)
            add_code(answers, *e, shape);
    json_array_foreach(json_object_get(about, "errors"), i, word)
    {
        add_code(answers, err_of(json_string_value(word)), shape);
    }
}

static void add_code(json_t *answers, enum err e, const char *shape)
{
    char status[8];
    snprintf(status, sizeof(status), "%u", err_http_status(e));
    json_t *answer = json_object_get(answers, status);
    if (!answer) {
        answer = json_pack("{s:s, s:[], s:{s:{s:o}}}", "description", "", "x-codes", "content",
                           "application/json", "schema", ref("schemas/", shape));
        json_object_set_new(answers, status, answer);
        if (err_http_status(e) == 429 || err_http_status(e) == 503)
            add_header(answer, "Retry-After");
    }
    json_t *codes = json_object_get(answer, "x-codes");
    CHECK(codes); /* else it is a good answer's */
    const char *before = json_string_value(json_object_get(answer, "description"));
    json_object_set_new(answer, "description",
                        json_pack("s++", before, json_array_size(codes) ? ", " : "", err_word(e)));
    json_array_append_new(codes, json_string(err_word(e)));
}

/* ---- what the tables name ---- */

static void add_events(json_t *schemas)
{
    static const char *const texts[EVENT_COUNT] = {
#define EVENT(name, final, text, fields) [EVENT_##name] = text,
#include "proto/events.def"
#undef EVENT
    };
    json_t *payloads = json_array();
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        const char *name = event_text_name((enum event_name)i);
        char key[64];
        snprintf(key, sizeof(key), "event_%s", name);
        json_t *schema = json_object_get(schemas, key);
        CHECK(json_is_object(schema));
        json_object_set_new(schema, "description",
                            json_pack("s+", texts[i],
                                      event_is_final((enum event_name)i)
                                          ? " Nothing follows it in this stream."
                                          : ""));
        json_object_set_new(json_object_get(schema, "properties"), "event_type",
                            json_pack("{s:s, s:s}", "type", "string", "const", name));
        json_array_append_new(json_object_get(schema, "required"), json_string("event_type"));
        json_array_append_new(payloads, ref("schemas/", key));
    }
    json_object_set_new(
        schemas, "Event",
        json_pack("{s:s, s:[s], s:{s:{s:s, s:[s], s:{s:{s:o}}}}, s:s}", "type", "object",
                  "required", "event", "properties", "event", "type", "object", "required",
                  "payload", "properties", "payload", "oneOf", payloads, "description",
                  "The data of one message of a turn's stream; its id is an EventId"));
}

static void add_error(json_t *schemas)
{
    json_t *codes = json_array();
    for (unsigned e = 1; e < ERR_COUNT; e++)
        json_array_append_new(codes, json_string(err_word((enum err)e)));
    json_object_set_new(schemas, "ErrorCode",
                        json_pack("{s:s, s:o}", "type", "string", "enum", codes));
    json_object_set_new(schemas, "Error",
                        json_pack("{s:s, s:[s], s:{s:{s:s, s:[s, s], s:{s:{s:s, s:s}, s:o}}}}",
                                  "type", "object", "required", "detail", "properties", "detail",
                                  "type", "object", "required", "response", "code", "properties",
                                  "response", "type", "string", "description",
                                  "A sentence for a person", "code", ref("schemas/", "ErrorCode")));
}
