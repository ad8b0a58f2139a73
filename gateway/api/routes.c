#include "gateway/api/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/address.h"
#include "common/audit.h"
#include "common/check.h"
#include "common/json.h"
#include "gateway/api/administrators.h"
#include "gateway/api/agui.h"
#include "gateway/api/call.h"
#include "gateway/api/callers.h"
#include "gateway/api/mcp.h"
#include "gateway/api/mcp_reply.h"
#include "gateway/api/openai.h"
#include "gateway/api/openapi.h"
#include "gateway/api/webhook.h"
#include "gateway/auth/browser.h"

enum who { ANYBODY, USER, ADMIN, WEBHOOK, OPENAI, AGUI };
enum body { NONE, OPTIONAL, REQUIRED };
enum {
    SMALL = 16 << 10, /* a title and a model, escaped; flags */
    DOOR = 2 << 20,   /* a conversation that the client brings */
};
enum {
    KEY_BYTES_MAX = 1024,
    TREE_BYTES_MAX =
        16 << 20, /* of a body's JSON, read: eight times that of the largest body that is
                                  mostly text */
};

struct route {
    const char *method, *path;
    enum who who;
    void (*handler)(struct call *c);
    enum body body;
    size_t body_bytes; /* at most; 0: PERSAI_BODY_MAX */
    const char *name;  /* the handler's */
};

static const struct route routes[] = {
#define ROUTE(method, path, who, handler, body, bytes, summary)                                    \
    {#method, path, who, api_##handler, body, bytes, #handler},
#include "gateway/routes.def"
#undef ROUTE
};
enum { ROUTES = sizeof(routes) / sizeof(*routes) };

/* Is it one that somebody asks, not a machine of the operator's? */
static bool is_signed_in(const struct route *route)
{
    return route->who != ANYBODY && route->who != WEBHOOK;
}

static bool is_below(struct str path, struct str door)
{
    return str_starts(path, door) && (path.len == door.len || path.at[door.len] == '/');
}

/* The clients of a door know its errors only, also where there is no route. */
static call_error_fn *error_of(struct str path)
{
    return is_below(path, STR("/v1"))     ? openai_fail
           : is_below(path, STR("/agui")) ? agui_fail
           : is_below(path, STR("/mcp"))  ? mcp_write_error
                                          : NULL;
}

/* ---- finding the route ---- */

/* Its session's id, and the token. */
static void take_share(struct str segment, struct call *c)
{
    struct id token;
    struct str id = {segment.at, ID_TEXT}, rest = str_skip(segment, ID_TEXT);
    c->session = (struct id){0};
    if (segment.len == 2 * ID_TEXT && id_parse(id, &c->session) && id_parse(rest, &token))
        id_text(token, c->share);
}

/* One segment of the pattern against one of the path. A malformed id names nothing, as one that
 * doesn't exist: it is taken as zero, which no session, turn or message has, so that the answer is
 * the same 404. */
static bool segment_fits(struct str pattern, struct str segment, struct call *c)
{
    uint64_t number;
    if (str_is(pattern, "{session}")) {
        if (!id_parse(segment, &c->session))
            c->session = (struct id){0};
    } else if (str_is(pattern, "{turn}")) {
        if (!id_parse(segment, &c->turn))
            c->turn = (struct id){0};
    } else if (str_is(pattern, "{share}")) {
        take_share(segment, c);
    } else if (str_is(pattern, "{message}")) {
        c->message = str_u64(segment, UINT32_MAX, &number) ? (uint32_t)number : 0;
    } else {
        return str_eq(pattern, segment);
    }
    return true;
}

static bool path_fits(const char *pattern, struct str path, struct call *c)
{
    struct str rest = str_of(pattern), want, have;
    while (str_split(&rest, '/', &want)) {
        if (str_is(want, "{model_id}")) /* it has slashes of its own */
            return path.len > 0;
        if (!str_split(&path, '/', &have) || !segment_fits(want, have, c))
            return false;
    }
    return path.at == NULL;
}

/* Most differ in the first letter of their first segment. */
static bool may_fit(const char *pattern, struct str path)
{
    return path.len < 2 || path.at[0] != '/' || pattern[1] == path.at[1] || pattern[1] == '{';
}

/* The route, or NULL and in allowed the methods that the path has. */
static const struct route *find(struct call *c, struct buf *allowed)
{
    struct str method = http_method(c->request), path = http_path(c->request);
    bool head = str_is(method, "HEAD");
    for (unsigned i = 0; i < ROUTES; i++) {
        if (!may_fit(routes[i].path, path) || !path_fits(routes[i].path, path, c))
            continue;
        if (str_is(method, routes[i].method) || (head && strcmp(routes[i].method, "GET") == 0))
            return &routes[i];
        if (allowed->len)
            buf_puts(allowed, ", ");
        buf_puts(allowed, routes[i].method);
        if (strcmp(routes[i].method, "GET") == 0)
            buf_puts(allowed, ", HEAD");
    }
    return NULL;
}

/* ---- a call's way to its handler ---- */

static bool is_change(const struct http_request *r);
static void take_body(struct call *c);
static void on_body(void *arg);
static void handle(void *arg);
static void ask_administrator(void *arg);
static void on_administrator(struct call *c, bool yes);

static bool is_json(struct str content_type)
{
    struct str type;
    return str_split(&content_type, ';', &type) && str_trim(type).len == 16 &&
           strncasecmp(str_trim(type).at, "application/json", 16) == 0;
}

/* The bytes of its body, as its head says; 0: it does not. */
static uint64_t announced(const struct call *c)
{
    uint64_t bytes;
    return str_u64(http_header(c->request, "Content-Length"), UINT64_MAX, &bytes) ? bytes : 0;
}

/* What is no JSON is refused before it is taken in. A chunked one may still be empty, and an empty
 * one needs no type. */
static void take_body(struct call *c)
{
    const struct route *route = c->route;
    size_t most = route->body_bytes ? route->body_bytes : c->gateway->settings.body_bytes_max;
    bool typed = is_json(http_header(c->request, "Content-Type"));
    if (is_change(c->request) && !typed && http_header(c->request, "Content-Length").len > 0 &&
        http_has_body(c->request))
        call_fail(c, ERR_UNSUPPORTED_MEDIA_TYPE, NULL);
    else if (is_change(c->request) && announced(c) > most)
        call_fail(c, ERR_TOO_LARGE, NULL);
    else if (is_change(c->request) && http_has_body(c->request) &&
             !call_person_has_room(c, announced(c) ? announced(c) : most))
        return;
    else if (is_change(c->request)) {
        c->reading = true;
        http_read_body(c->request, most, on_body);
    } else
        on_body(c);
}

/* Room for the tree of a body. False: the call was answered. */
static bool has_room(struct call *c, struct str body)
{
    size_t bytes = json_tree_bytes(body);
    if (bytes > TREE_BYTES_MAX) {
        call_fail(c, ERR_TOO_LARGE, "The body has too many values");
        return false;
    }
    if (!call_person_has_room(c, bytes))
        return false;
    if (!http_take_memory(c->request, bytes)) {
        call_fail(c, ERR_BUSY, NULL);
        return false;
    }
    return true;
}

/* False: the call was answered. */
static bool has_shape(struct call *c)
{
    scoped_buf(why, 1024);
    if (openapi_body_fits(c->route->name, c->body, &why))
        return true;
    call_fail(c, ERR_INVALID, buf_cstr(&why));
    return false;
}

/* Is it text as it stands? False: the call was answered. */
static bool is_plain(struct call *c)
{
    struct str coding = str_trim(http_header(c->request, "Content-Encoding"));
    bool plain = coding.len == 0 || str_is(coding, "identity");
    if (!plain)
        call_fail(c, ERR_UNSUPPORTED_MEDIA_TYPE,
                  "A body is taken without Content-Encoding, as it stands");
    else if (!is_json(http_header(c->request, "Content-Type")))
        call_fail(c, ERR_UNSUPPORTED_MEDIA_TYPE, NULL);
    else
        return true;
    return false;
}

static void refuse_json(struct call *c, const json_error_t *where)
{
    char sentence[256] = "The body must be a JSON object";
    bool nul = strstr(where->text, "JSON_ALLOW_NUL") != NULL; /* jansson's advice to programs */
    bool batch = json_is_array(c->body) && is_below(http_path(c->request), STR("/mcp"));
    if (batch)
        snprintf(sentence, sizeof(sentence),
                 "Batches of JSON-RPC messages are not supported: send them one by one");
    else if (where->line > 0)
        snprintf(sentence, sizeof(sentence),
                 "The body must be a JSON object (line %d, column %d: %s)", where->line,
                 where->column, nul ? "\\u0000 is not allowed" : where->text);
    call_fail(c, ERR_BAD_JSON, sentence);
}

/* False: the call was answered. */
static bool read_json(struct call *c)
{
    struct str body = http_body(c->request);
    json_error_t where = {.line = -1};
    if (body.len == 0 && c->route->body != REQUIRED)
        return true;
    if (body.len > 0 && !is_plain(c))
        return false;
    if (body.len > 0 && c->route->body == NONE)
        return true;
    if (!has_room(c, body))
        return false;
    body = str_skip_bom(body); /* as Windows' tools write files */
    if (body.len > 0)
        c->body = json_loadb(body.at, body.len, JSON_REJECT_DUPLICATES, &where);
    if (json_is_object(c->body))
        return has_shape(c);
    refuse_json(c, &where);
    return false;
}

static void on_body(void *arg)
{
    struct call *c = arg;
    call_check(c);
    c->reading = false;
    if (c->cut) {
        call_fail(c, ERR_UNAUTHENTICATED, CALL_KEY_UNKNOWN);
        return;
    }
    if (!read_json(c))
        return;
    if (c->route->who == ADMIN)
        call_visit(c, c->gateway->perses_visits, ask_administrator, c);
    else if (is_signed_in(c->route))
        call_visit(c, c->gateway->visits, handle, c);
    else
        handle(c);
}

static void handle(void *arg)
{
    struct call *c = arg;
    call_check(c);
    c->route->handler(c);
}

static void ask_administrator(void *arg)
{
    struct call *c = arg;
    call_check(c);
    administrators_ask(c, on_administrator);
}

static void on_administrator(struct call *c, bool yes)
{
    if (yes)
        call_visit(c, c->gateway->visits, handle, c);
    else
        call_fail(c, ERR_NOT_ADMINISTRATOR, NULL);
}

static void on_user(void *arg, enum err err, struct str user)
{
    struct call *c = arg;
    call_check(c);
    c->identity_id = 0;
    if (err) {
        call_fail(c, err, NULL);
        return;
    }
    CHECK(user.len < sizeof(c->user));
    memcpy(c->user, user.at, user.len);
    uint32_t most = c->gateway->settings.auth ? c->gateway->settings.user_requests : 0;
    c->visitor = callers_enter(c->gateway->callers, c->user, most, c->request);
    if (c->visitor) {
        take_body(c);
    } else {
        c->retry_after_s = 1;
        call_fail(c, ERR_RATE_LIMITED,
                  "You have as many requests under way as are allowed at once");
    }
}

/* ---- a program with a key ---- */

static enum door door_of(const struct call *c)
{
    return c->route->who == WEBHOOK            ? DOOR_WEBHOOK
           : c->route->who == OPENAI           ? DOOR_OPENAI
           : c->route->who == AGUI             ? DOOR_AGUI
           : c->route->handler == api_mcp_post ? DOOR_MCP
                                               : DOOR_API;
}

static void on_service(void *arg, enum err err, struct str user, const struct credentials *shared)
{
    struct call *c = arg;
    call_check(c);
    c->service_id = 0;
    if (err) {
        call_fail(c, err, "The user of this API key can't sign in to Perses now");
        return;
    }
    c->credentials = credentials_share(shared);
    on_user(c, ERR_NONE, user);
}

static void identify_program(struct call *c)
{
    struct gateway *g = c->gateway;
    char sentence[96];
    struct key *key = keys_find(g->keys, c->request);
    http_forget_credentials(c->request);
    if (!key) {
        call_fail(c, ERR_UNAUTHENTICATED, CALL_KEY_UNKNOWN);
        return;
    }
    call_use_key(c, key);
    if (!key_opens(key, door_of(c))) {
        snprintf(sentence, sizeof(sentence), "This API key's row has no \"%s\" among its doors",
                 door_word(door_of(c)));
        call_fail(c, ERR_FORBIDDEN, sentence);
    } else if (!key_take(key, loop_now_ms(g->loop), &c->retry_after_s)) {
        call_fail(c, ERR_RATE_LIMITED, "This API key has had as many requests as it may a minute");
    } else {
        uint64_t id = service_ask(key_service(key), on_service, c);
        if (id) /* else c has gone on, and may be gone */
            c->service_id = id;
    }
}

static void identify(struct call *c)
{
    struct gateway *g = c->gateway;
    if (keys_given(c->request)) {
        identify_program(c);
        return;
    }
    const struct secret *word = g->settings.datasource_secret;
    if (word && !credentials_bearer_is(c->request, word)) {
        call_fail(c, ERR_NOT_BY_PERSES, NULL);
        return;
    }
    credentials_of(c->request, !word, &c->credentials);
    http_forget_credentials(c->request);
    if (!g->settings.auth) {
        on_user(c, ERR_NONE, STR(USER_LOCAL));
        return;
    }
    struct address sender = http_sender(c->request);
    uint64_t id = identity_check(g->identity, c->credentials.access, &sender, on_user, c);
    if (id) /* else c is answered and gone */
        c->identity_id = id;
}

/* ---- the head ---- */

static bool is_change(const struct http_request *r)
{
    struct str method = http_method(r);
    return !str_is(method, "GET") && !str_is(method, "HEAD") && !str_is(method, "OPTIONS");
}

static bool takes_key(const struct route *route)
{
    return route->handler == api_sessions_post || route->handler == api_turns_post;
}

/* Refused for what its head says, whoever sent it? True: the call was answered. */
static bool refuse_head(struct call *c, struct str allowed)
{
    struct http_request *r = c->request;
    const struct gateway *g = c->gateway;
    char *methods = str_dup(allowed);
    bool refused = true;
    c->cross_site = browser_cross_site(g, r);
    if (!g->settings.auth && !browser_host_ok(g, r)) {
        call_fail(c, ERR_BAD_HOST, NULL);
    } else if (http_crowded(r) && !(c->route && c->route->who == ANYBODY)) {
        call_fail(c, ERR_BUSY, NULL); /* what is left is for those who look after us */
    } else if (!c->route && *methods) {
        http_add_header(r, "Allow", methods);
        call_fail(c, ERR_METHOD_NOT_ALLOWED, NULL);
    } else if (!c->route) {
        call_fail(c, ERR_NOT_FOUND, NULL);
    } else if (is_change(r) && c->cross_site) {
        call_fail(c, ERR_CROSS_SITE, NULL);
    } else if (!http_query_ok(r)) {
        call_fail(c, ERR_BAD_REQUEST, "The query has a broken escape, or a name twice");
    } else if (http_header(r, "Idempotency-Key").len > KEY_BYTES_MAX && takes_key(c->route)) {
        call_fail(c, ERR_INVALID, "Idempotency-Key is longer than 1024 bytes");
    } else {
        refused = false;
    }
    free(methods);
    return refused;
}

/* Who can switch it on again is let in: administrators are. */
static const char *door_off(const struct call *c)
{
    const struct route *route = c->route;
    if (route->who == ANYBODY || route->who == ADMIN || route->handler == api_admin_get)
        return NULL;
    return switched_off(c->gateway->switched, "door", str_of(door_word(door_of(c))));
}

void routes_on_request(void *gateway, struct http_request *r)
{
    struct call *c = call_new(gateway, r);
    c->error = error_of(http_path(r));
    http_add_header(r, "PersAI-API", "1");
    if (browser_cors(c->gateway, r)) {
        call_reply(c, 204, (struct str){0});
        return;
    }
    scoped_buf(allowed, 256);
    c->route = find(c, &allowed);
    if (c->route && c->route->handler == api_mcp_post)
        c->hooks = &mcp_hooks;
    if (c->route && c->route->who != ANYBODY) {
        c->act = c->route->name;
        c->door_name = door_word(door_of(c));
    }
    if (refuse_head(c, buf_str(&allowed)))
        return;
    const char *off = door_off(c);
    if (c->route->who == ANYBODY)
        c->route->handler(c);
    else if (off)
        call_fail(c, ERR_SWITCHED_OFF, off);
    else if (!audit_allows())
        call_fail(c, ERR_AUDIT_UNAVAILABLE, NULL);
    else if (is_signed_in(c->route))
        identify(c);
    else if (keys_given(c->request))
        identify_program(c);
    else if (webhook_allowed(c))
        take_body(c);
}

struct str routes_on_refuse(void *gateway, const struct http_request *r, unsigned status)
{
    enum err err = status == 413 ? ERR_TOO_LARGE : status == 503 ? ERR_BUSY : ERR_BAD_REQUEST;
    call_error_fn *error = r ? error_of(http_path(r)) : NULL;
    static struct buf b;
    (void)gateway;
    if (b.max_bytes == 0)
        buf_init(&b, 4096);
    buf_clear(&b);
    call_count(status);
    if (error)
        error(&b, err, status, err_sentence(err));
    else
        err_json(&b, err, NULL);
    return buf_str(&b);
}
