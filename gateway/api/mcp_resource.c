#include "gateway/api/mcp_resource.h"

#include <stdlib.h>
#include <string.h>
#include "common/fetch.h"
#include "common/json.h"
#include "common/log.h"
#include "gateway/api/session_md.h"
#include "proto/path.h"
#include "proto/store/list.h"
#include "proto/store/session.h"

enum {
    LIST_MAX = 100,
    WAIT_MS = 10000,
    PERSES_BYTES_MAX = 1 << 20,  /* a dashboard, or the names of about 5,000 of them */
    ROOM = 4 * PERSES_BYTES_MAX, /* while it is read, and what is made of it */
    PAGE_BYTES = 256 << 10,      /* of a conversation: what one pass of the loop makes of it */
    TEXT_BYTES_MAX = 32 << 20,
    URI_BYTES_MAX = 512,
};
#define CONVERSATION "persai://conversation/"
#define DASHBOARD "perses://dashboard/"

struct resources { /* what waits for Perses */
    struct call *call;
    struct fetch *fetch;
    char *path;
    json_t *list; /* of conversations, to be gone on with; NULL: one dashboard is read */
};

static void list(struct call *c);
static void read_one(struct call *c);
static void on_conversations(void *arg, enum err err, const struct store_answer *a);
static void on_conversation(void *arg, enum err err, const struct store_answer *a);
static void send(void *arg);
static void ask_perses(struct call *c, const char *path, json_t *take_list);
static void on_perses(void *arg, const struct fetch_result *r);
static json_t *templates(void);

bool mcp_resource_method(struct call *c, struct str method)
{
    if (str_is(method, "resources/list"))
        list(c);
    else if (str_is(method, "resources/read"))
        read_one(c);
    else if (str_is(method, "resources/templates/list"))
        mcp_reply_result(c, templates());
    else
        return false;
    return true;
}

static json_t *templates(void)
{
    return json_pack("{s:[{s:s,s:s,s:s,s:s},{s:s,s:s,s:s,s:s}],s:i,s:s}", "resourceTemplates",
                     "uriTemplate", CONVERSATION "{id}", "name", "conversation", "description",
                     "A conversation of yours with PersAI", "mimeType", "text/markdown",
                     "uriTemplate", DASHBOARD "{project}/{name}", "name", "dashboard",
                     "description", "A dashboard of Perses", "mimeType", "application/json",
                     "ttlMs", MCP_TTL_MS, "cacheScope", "private");
}

/* ---- resources/list: conversations, newest first, page by page; then dashboards ---- */

static void reply_list(struct call *c, json_t *take_list, struct str cursor)
{
    json_t *result =
        json_pack("{s:o,s:i,s:s}", "resources", take_list, "ttlMs", 0, "cacheScope", "private");
    if (cursor.len > 0)
        json_object_set_new(result, "nextCursor", json_stringn(cursor.at, cursor.len));
    mcp_reply_result(c, result);
}

static void list(struct call *c)
{
    struct str cursor = json_text(json_object_get(mcp_params(c), "cursor"));
    c->store_call = store_session_list(c->gateway->store, str_of(c->user), STR(""), LIST_MAX,
                                       cursor, on_conversations, c);
}

static json_t *resource(const char *scheme, struct str name, struct str title, const char *type)
{
    scoped_buf(uri, URI_BYTES_MAX);
    buf_puts(&uri, scheme);
    buf_add_str(&uri, name);
    json_t *text = json_stringn(title.at ? title.at : "", title.len);
    return json_pack("{s:s,s:o,s:s}", "uri", buf_cstr(&uri), "name", text ? text : json_string("?"),
                     "mimeType", type);
}

static void on_conversations(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    c->store_call = 0;
    if (err) {
        call_fail(c, err, err == ERR_BAD_REQUEST ? "There is no such cursor" : NULL);
        return;
    }
    json_t *found = json_array();
    for (unsigned i = 0; i < a->session_count; i++) {
        char id[ID_TEXT + 1];
        struct str title = a->sessions[i].title;
        id_text(a->sessions[i].session, id);
        json_array_append_new(found, resource(CONVERSATION, str_of(id),
                                              title.len > 0 ? title : STR("Conversation"),
                                              "text/markdown"));
    }
    if (a->more)
        reply_list(c, found, a->cursor);
    else
        ask_perses(c, "/api/v1/dashboards?metadata_only=true", found);
}

/* Without their specs, which Perses would send whole: megabytes, of which a title was used. */
static void add_dashboards(json_t *found, struct str body)
{
    json_auto_t *all = json_loadb(body.at, body.len, 0, NULL);
    size_t i;
    const json_t *one;
    json_array_foreach(all, i, one)
    {
        const json_t *metadata = json_object_get(one, "metadata");
        struct str project = json_text(json_object_get(metadata, "project"));
        struct str name = json_text(json_object_get(metadata, "name"));
        scoped_buf(place, URI_BYTES_MAX);
        buf_add_str(&place, project);
        buf_putc(&place, '/');
        buf_add_str(&place, name);
        if (path_name_ok(project) && path_name_ok(name))
            json_array_append_new(found,
                                  resource(DASHBOARD, buf_str(&place), name, "application/json"));
    }
}

/* ---- Perses ---- */

static void resources_free(struct resources *r)
{
    fetch_cancel(r->fetch);
    free(r->path);
    json_decref(r->list);
    free(r);
}

static void on_left(struct call *c) { resources_free(c->data); }

static void ask_perses(struct call *c, const char *path, json_t *take_list)
{
    if (!call_keep(c, ROOM)) {
        json_decref(take_list);
        return;
    }
    struct resources *r = xcalloc(1, sizeof(*r));
    *r = (struct resources){.call = c, .path = xstrdup(path), .list = take_list};
    c->data = r;
    c->on_gone = on_left;
    call_visit(c, c->gateway->perses_visits, send, r);
}

static void send(void *arg)
{
    static const struct fetch_handler handler = {.on_done = on_perses};
    struct resources *r = arg;
    struct call *c = r->call;
    scoped_buf(url, 2048);
    buf_puts(&url, c->gateway->settings.perses);
    buf_puts(&url, r->path);
    struct fetch_request request = {.method = "GET",
                                    .url = buf_cstr(&url),
                                    .bearer = c->credentials.access,
                                    .connect_ms = 3000,
                                    .total_ms = WAIT_MS,
                                    .body_bytes_max = PERSES_BYTES_MAX,
                                    .collect = true};
    r->fetch = fetch_start(c->gateway->fetch, &request, &handler, r);
}

static void reply_text(struct call *c, const char *type, struct str text)
{
    json_t *words = json_stringn(text.at ? text.at : "", text.len);
    json_t *uri = json_object_get(mcp_params(c), "uri");
    mcp_reply_result(c, json_pack("{s:[{s:O,s:s,s:o}],s:i,s:s}", "contents", "uri", uri, "mimeType",
                                  type, "text", words ? words : json_string(""), "ttlMs", 0,
                                  "cacheScope", "private"));
}

static void not_found(struct call *c)
{
    bool modern = mcp_of(c)->client.modern;
    mcp_reply_error(c, modern ? 400 : 200, modern ? MCP_PARAMS : MCP_NOT_FOUND,
                    "There is no such resource, or you may not read it",
                    json_pack("{s:O?}", "uri", json_object_get(mcp_params(c), "uri")));
}

/* Who may read no dashboard has none, nor is one listed where they are too many (each can be read
 * by its name); a Perses that does not answer is an error. */
static void on_perses(void *arg, const struct fetch_result *result)
{
    struct resources *r = arg;
    struct call *c = r->call;
    json_t *found = r->list;
    bool too_large = result->status == FETCH_TOO_BIG;
    bool answered = too_large || (result->status == FETCH_OK && result->http_status < 500);
    bool got = answered && !too_large && result->http_status == 200;
    r->fetch = NULL;
    r->list = NULL;
    c->on_gone = NULL;
    resources_free(r);
    if (!answered) {
        json_decref(found);
        call_fail(c, ERR_PERSES_UNAVAILABLE, NULL);
    } else if (found) {
        if (got)
            add_dashboards(found, result->body);
        if (too_large)
            log_warn("mcp.dashboards_not_listed", "bytes_max=%u", (unsigned)PERSES_BYTES_MAX);
        reply_list(c, found, (struct str){0});
    } else if (too_large) {
        call_fail(c, ERR_TOO_LARGE, "The dashboard is larger than 1 MiB, and is not read here");
    } else if (got) {
        reply_text(c, "application/json", result->body);
    } else {
        not_found(c);
    }
}

/* ---- resources/read ---- */

static void read_one(struct call *c)
{
    struct str uri = json_text(json_object_get(mcp_params(c), "uri")), project;
    scoped_buf(path, 1024);
    if (!uri.at) {
        mcp_refuse_params(c, "uri must be a text");
        return;
    }
    if (str_starts(uri, STR(CONVERSATION)) &&
        id_parse(str_skip(uri, strlen(CONVERSATION)), &c->session)) {
        c->store_call = store_session_page(c->gateway->store, str_of(c->user), c->session, 0, 0,
                                           PAGE_BYTES, on_conversation, c);
        return;
    }
    struct str name = str_skip(uri, strlen(DASHBOARD));
    if (!str_starts(uri, STR(DASHBOARD)) || !str_split(&name, '/', &project) ||
        !path_name_ok(project) || !path_name_ok(name)) {
        not_found(c);
        return;
    }
    buf_puts(&path, "/api/v1/projects/");
    buf_add_str(&path, project);
    buf_puts(&path, "/dashboards/");
    buf_add_str(&path, name);
    ask_perses(c, buf_cstr(&path), NULL);
}

static void on_conversation(void *arg, enum err err, const struct store_answer *a)
{
    struct call *c = arg;
    struct buf text;
    c->store_call = 0;
    if (err == ERR_SESSION_NOT_FOUND) {
        not_found(c);
        return;
    }
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    buf_init(&text, TEXT_BYTES_MAX);
    session_md_head(&text, &a->sessions[0]);
    for (unsigned i = 0; i < a->message_count; i++)
        session_md_message(&text, &a->messages[i]);
    if (a->more)
        buf_puts(&text, "\n\n_The conversation goes on; the rest is in PersAI._\n");
    if (text.overflowed)
        call_fail(c, ERR_TOO_LARGE, "The conversation is too large to be read at once");
    else
        reply_text(c, "text/markdown", buf_str(&text));
    buf_free(&text);
}
