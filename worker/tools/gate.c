#include "worker/tools/gate.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"
#include "common/log.h"
#include "proto/path.h"
#include "proto/record.h"
#include "proto/upstream.h"
#include "worker/tools/items.h"
#include "worker/tools/source.h"
#include "proto/traced.h"

enum {
    DEFINITION_BYTES_MAX = 2 << 20, /* of a dashboard, which may hold the datasource */
    TIMEOUT_MS = 10000,
    ASK_BYTES_MAX = 4096,
};

struct gate {
    struct tool_run *run;
    tool_fn *then;
    struct source_request ask;
    struct buf body;
    struct path path; /* into run->datasource */
    char server[UPSTREAM_SERVER_MAX];
    bool secret; /* its secret is read, not the datasource */
};

static bool matches(const char *pattern, const char *path);
static void open_door(struct tool_run *r, tool_fn *then);
static void read_one(struct gate *g, const char *format, struct str a, struct str b);
static bool on_piece(void *arg, struct str piece);
static void on_end(void *arg, enum source_outcome outcome);
static void on_datasource(struct gate *g, const json_t *datasource);
static void need_yes(struct gate *g);

/* ---- who is free ---- */

/* Can it be told without asking Perses? By the path alone. */
static bool free_to_use(const struct tool_run *r)
{
    struct str patterns = str_of(r->tools->config.datasources), pattern;
    struct path path;
    if (path_parse(str_of(r->datasource), &path) != ERR_NONE)
        return false;
    if (path.project.len == 0)
        return true;
    if (path.dashboard.len > 0 && str_is(path.dashboard, r->dashboard) &&
        str_is(path.project, r->project))
        return true; /* of the dashboard that the person added */
    for (unsigned i = 0; i < r->path_count; i++)
        if (strcmp(r->paths[i], r->datasource) == 0)
            return true;
    while (str_split(&patterns, ',', &pattern)) {
        char text[PATH_MAX_BYTES + 1];
        pattern = str_trim(pattern);
        if (pattern.len == 0 || pattern.len >= sizeof(text))
            continue;
        memcpy(text, pattern.at, pattern.len);
        text[pattern.len] = '\0';
        if (matches(text, r->datasource))
            return true;
    }
    return false;
}

/* A star stands for a part of one segment: it matches no slash. */
static bool matches(const char *pattern, const char *path)
{
    const char *star = NULL, *from = NULL;
    while (*path) {
        if (*pattern == '*') {
            star = pattern++;
            from = path;
        } else if (*pattern == *path) {
            pattern++;
            path++;
        } else if (star && *from != '/') {
            pattern = star + 1;
            path = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* ---- doors ---- */

static void open_door(struct tool_run *r, tool_fn *then)
{
    door_free(r->door);
    r->door = door_new(r->datasource);
    then(r);
}

/* ---- asking Perses ---- */

void gate_pass(struct tool_run *r, tool_fn *then)
{
    CHECK(r->gate == NULL && r->datasource != NULL);
    if (r->token == NULL || free_to_use(r)) {
        open_door(r, then); /* without a sign-in there is none to be handed on */
        return;
    }
    struct gate *g = xcalloc(1, sizeof(*g));
    enum err err = path_parse(str_of(r->datasource), &g->path);
    CHECK(err == ERR_NONE);
    g->run = r;
    g->then = then;
    buf_init(&g->body, DEFINITION_BYTES_MAX);
    r->gate = g;
    if (g->path.dashboard.len > 0)
        read_one(g, "/api/v1/projects/%.*s/dashboards/%.*s", g->path.project, g->path.dashboard);
    else
        read_one(g, "/api/v1/projects/%.*s/datasources/%.*s", g->path.project, g->path.name);
}

void gate_leave(struct gate *g)
{
    if (!g)
        return;
    source_request_free(&g->ask);
    buf_free(&g->body);
    free(g);
}

__attribute__((format(printf, 2, 0))) static void read_one(struct gate *g, const char *format,
                                                           struct str a, struct str b)
{
    scoped_buf(api, 512);
    scoped_buf(form, 16);
    buf_printf(&api, format, (int)a.len, a.at, (int)b.len, b.at);
    CHECK(!api.overflowed);
    struct source_call request = {.method = "GET",
                                  .api = buf_cstr(&api),
                                  .form = &form,
                                  .timeout_ms = TIMEOUT_MS,
                                  .product = "Perses",
                                  .trace = g->run->span.at};
    buf_clear(&g->body);
    g->ask.on_piece = on_piece;
    g->ask.on_end = on_end;
    g->ask.arg = g;
    source_request(&g->ask, g->run->tools, NULL, g->run->token, &request);
}

static bool on_piece(void *arg, struct str piece)
{
    return buf_add_str(&((struct gate *)arg)->body, piece);
}

static void on_end(void *arg, enum source_outcome outcome)
{
    struct gate *g = arg;
    struct str body = buf_str(&g->body);
    json_auto_t *json = json_loadb(body.len ? body.at : "", body.len, 0, NULL);
    const json_t *spec = json_object_get(json, "spec");
    bool whole = outcome == SOURCE_WHOLE && json_is_object(spec);
    if (g->secret && !g->ask.unauthorized) {
        if (whole && upstream_replaces(spec))
            open_door(g->run, g->then);
        else
            need_yes(g); /* one that can't be read counts as one that replaces nothing */
    } else if (outcome == SOURCE_REFUSED) {
        source_fail(g->run, &g->ask);
    } else if (!whole) {
        run_fail(g->run, "broken", "The datasource's definition could not be read from Perses.");
    } else if (g->path.dashboard.len > 0) {
        char name[PATH_MAX_BYTES + 1];
        memcpy(name, g->path.name.at, g->path.name.len);
        name[g->path.name.len] = '\0';
        on_datasource(g, json_object_get(json_object_get(spec, "datasources"), name));
    } else {
        on_datasource(g, spec);
    }
}

static void on_datasource(struct gate *g, const json_t *datasource)
{
    struct upstream u;
    if (!upstream_read(datasource, &u) || !u.server[0]) {
        run_fail(g->run, "unknown_datasource",
                 "It can't be told to which server this datasource leads, so it is not used.");
        return;
    }
    memcpy(g->server, u.server, sizeof(g->server));
    if (u.blanks_cookies && path_name_ok(u.secret)) {
        g->secret = true;
        read_one(g, "/api/v1/projects/%.*s/secrets/%.*s", g->path.project, u.secret);
    } else {
        need_yes(g);
    }
}

/* What the person is asked, as a call of a tool that no model can call: its arguments are what the
 * yes is bound to, so it is for this datasource and this server. */
static void write_ask(const struct gate *g, struct buf *b)
{
    buf_puts(b, "{\"project\":");
    json_str(b, g->path.project);
    json_field(b, "server", str_of(g->server));
    json_field(b, "datasource", str_of(g->run->datasource));
    json_field(b, "gets", STR("your Perses sign-in, with each query of this conversation"));
    buf_putc(b, '}');
}

static void need_yes(struct gate *g)
{
    struct tool_run *r = g->run;
    char hash[RECORD_HASH_TEXT + 1];
    enum tool_approval said = APPROVAL_NONE;
    scoped_buf(asked, ASK_BYTES_MAX);
    write_ask(g, &asked);
    CHECK(!asked.overflowed);
    record_hash(STR(TOOLS_SOURCE), buf_str(&asked), hash);
    for (unsigned i = 0; i < r->grant_count; i++)
        if (strcmp(r->grants[i].hash, hash) == 0 && said != APPROVAL_REFUSED)
            said = r->grants[i].said;
    log_info("tool.gate", "turn=%s datasource=%s server=%s said=%d vet=%d", traced_log(r->turn),
             r->datasource, g->server, said, r->vet);
    if (said == APPROVAL_GIVEN) {
        open_door(r, g->then);
    } else if (said == APPROVAL_REFUSED) {
        run_fail(r, "refused_by_person",
                 "The person was asked whether the server of %s may get their sign-in, and said "
                 "no: it was not asked anything. Go on without this datasource.",
                 r->datasource);
    } else if (r->vet) {
        r->ask_source = str_dup(buf_str(&asked));
        g->then(r);
    } else {
        run_fail(r, "not_approved",
                 "%s is another project's datasource, and its server would get the person's "
                 "sign-in: they must say yes first, and have not. It was not asked anything.",
                 r->datasource);
    }
}
