/* The tools that read Perses itself: projects, dashboards, panels. They see what the person may
 * see. */
#include "worker/tools/handlers.h"

#include "common/json.h"
#include "worker/tools/args.h"
#include "worker/tools/perses/board.h"

enum { FORM_BYTES_MAX = 1024, API_BYTES_MAX = 512 };

/* ---- list_projects ---- */

static bool project_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    struct str name = item_str(json_object_get(item, "metadata"), "name");
    struct str display = item_str(item_at(item, "spec", "display", NULL), "name");
    if (!rows_has(r, name) && !rows_has(r, display))
        return false;
    buf_putc(b, '{');
    row_text(b, "name", name);
    row_text(b, "display", display);
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec projects_spec = {
    .kind = "projects",
    .list = "projects",
    .product = "Perses",
    .page = 100,
    .path_count = 1,
    .paths = {"*"},
    .row = project_row,
    .empty = "There is no project that this person may see.",
};

void boards_projects(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    rows_ask_perses(rows_new(r, &projects_spec), "/api/v1/projects", &form);
}

/* ---- list_dashboards ---- */

static bool listed_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    (void)path, (void)key;
    const json_t *metadata = json_object_get(item, "metadata");
    struct str name = item_str(metadata, "name");
    struct str display = item_str(item_at(item, "spec", "display", NULL), "name");
    if (!rows_has(r, name) && !rows_has(r, display))
        return false;
    buf_putc(b, '{');
    row_text(b, "project", item_str(metadata, "project"));
    row_text(b, "dashboard", name);
    row_text(b, "display", display);
    row_text(b, "description", item_str(item_at(item, "spec", "display", NULL), "description"));
    if (!r->items.item_cut)
        row_number(b, "panels", (double)json_object_size(item_at(item, "spec", "panels", NULL)));
    buf_putc(b, '}');
    return true;
}

static const struct rows_spec boards_spec = {
    .kind = "dashboards",
    .list = "dashboards",
    .product = "Perses",
    .page = 50,
    .path_count = 1,
    .paths = {"*"},
    .row = listed_row,
    .empty = "There is no dashboard that this person may see.",
};

void boards_list(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    if (board_api(r, &api, false))
        rows_ask_perses(rows_new(r, &boards_spec), buf_cstr(&api), &form);
}

/* A title, or a query: what the panel is about. */
static bool panel_has(const struct rows *r, const json_t *panel)
{
    const json_t *spec = json_object_get(panel, "spec");
    size_t i;
    json_t *query;
    if (rows_has(r, item_str(json_object_get(spec, "display"), "name")) ||
        rows_has(r, item_str(json_object_get(spec, "display"), "description")))
        return true;
    json_array_foreach(json_object_get(spec, "queries"), i, query)
    {
        if (rows_has(r, board_query_text(query)))
            return true;
    }
    return false;
}

/* ---- search_panels: over all dashboards as they arrive ---- */

static bool found_row(struct rows *r, unsigned path, struct str key, json_t *item, struct buf *b)
{
    struct board *d = r->extra;
    if (path == 0) {
        board_place(d, item_str(item, "project"), item_str(item, "name"));
        vars_free(&d->vars);
        r->all--;
        return false;
    }
    if (path == 1) {
        vars_read(&d->vars, item);
        r->all--;
        return false;
    }
    if (!panel_has(r, item))
        return false;
    buf_putc(b, '{');
    row_text(b, "project", str_of(d->project));
    row_text(b, "dashboard", str_of(d->name));
    board_panel(d, key, item, b);
    buf_putc(b, '}');
    return true;
}

static void found_head(struct rows *r, struct buf *b)
{
    (void)b;
    board_note_any(r);
}

static const struct rows_spec found_spec = {
    .kind = "panels",
    .list = "panels",
    .product = "Perses",
    .page = 20,
    .path_count = 3,
    .paths = {"*/metadata", "*/spec/variables/*", "*/spec/panels/*"},
    .row = found_row,
    .head = found_head,
    .empty = "There are no panels that this person may see.",
};

void boards_search(struct tool_run *r)
{
    scoped_buf(form, FORM_BYTES_MAX);
    scoped_buf(api, API_BYTES_MAX);
    if (!board_api(r, &api, false))
        return;
    rows_ask_perses(board_rows(r, &found_spec, board_new(r)), buf_cstr(&api), &form);
}

/* ---- get_dashboard, get_panel: a dashboard, again when what its queries lack is known ---- */

static void board_head(struct rows *r, struct buf *b)
{
    struct board *d = r->extra;
    row_text(b, "project", args_str(r->run->args, "project"));
    row_text(b, "dashboard", args_str(r->run->args, "dashboard"));
    row_text(b, "display", buf_str(&d->display));
    json_key(b, "variables");
    buf_putc(b, '[');
    buf_add_str(b, buf_str(&d->variables));
    buf_putc(b, ']');
    if (d->more)
        rows_note(r, "There are more variables than are listed.");
    if (d->unknown.len > 0)
        rows_note(r, "The variable %s has no default: give it by variables, as %s=value.",
                  buf_cstr(&d->unknown), buf_cstr(&d->unknown));
    board_note_any(r);
}

static bool look_outside(struct rows *rows)
{
    struct tool_run *r = rows->run;
    const struct board *d = rows->extra;
    if (d->outside > 0 || !board_lacks(d, buf_str(&d->lacking)))
        return false;
    board_ask_outside(r, board_take(rows));
    return true;
}

static const struct rows_spec board_spec = {
    .kind = "dashboard",
    .list = "panels",
    .product = "Perses",
    .page = 40,
    .path_count = 3,
    .paths = {BOARD_PATHS},
    .row = board_row,
    .head = board_head,
    .empty = "The dashboard has no panels.",
    .then = look_outside,
};

static bool read_again(struct rows *rows)
{
    struct tool_run *r = rows->run;
    struct board *d = board_take(rows);
    if (board_lacks(d, buf_str(&d->lacking)))
        board_ask_outside(r, d);
    else
        board_ask(r, &board_spec, d);
    return true;
}

void boards_get(struct tool_run *r) { board_begin(r, &board_spec, BOARD_QUERY_SHOWN, read_again); }

void boards_panel(struct tool_run *r)
{
    board_begin(r, &board_spec, BOARD_QUERY_WHOLE, read_again);
}
