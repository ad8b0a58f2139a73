#include "worker/tools/perses/panel.h"

#include <stdio.h>
#include <string.h>
#include "common/json.h"
#include "worker/tools/args.h"

enum { HEIGHT = 8 };

static json_t *text_of(struct str s) { return json_stringn(s.at ? s.at : "", s.len); }

static json_t *query_of(const json_t *args, struct str datasource)
{
    json_t *spec = json_pack("{s:o}", "query", text_of(args_str(args, "query")));
    if (datasource.len > 0)
        json_object_set_new(
            spec, "datasource",
            json_pack("{s:s, s:o}", "kind", "PrometheusDatasource", "name", text_of(datasource)));
    return json_pack("{s:s, s:{s:{s:s, s:o}}}", "kind", "TimeSeriesQuery", "spec", "plugin", "kind",
                     "PrometheusTimeSeriesQuery", "spec", spec);
}

static json_t *plugin_of(const json_t *args)
{
    struct str kind = args_str(args, "kind"), unit = args_str(args, "unit");
    json_t *spec = json_object();
    if (kind.len == 0)
        kind = STR("TimeSeriesChart");
    bool chart = str_is(kind, "TimeSeriesChart");
    if (str_is(kind, "StatChart") || str_is(kind, "GaugeChart")) {
        json_object_set_new(spec, "calculation", json_string("last-number"));
        if (unit.len == 0)
            unit = STR("decimal"); /* a gauge without one is a percentage to Perses: 3.42 is 342% */
    }
    if (unit.len > 0 && !str_is(kind, "TimeSeriesTable")) {
        json_t *format = json_pack("{s:o}", "unit", text_of(unit));
        if (chart)
            format = json_pack("{s:o}", "format", format);
        json_object_set_new(spec, chart ? "yAxis" : "format", format);
    }
    return json_pack("{s:o, s:o}", "kind", text_of(kind), "spec", spec);
}

json_t *panel_define(const json_t *args, struct str datasource)
{
    struct str description = args_str(args, "description");
    json_t *display = json_pack("{s:o}", "name", text_of(args_str(args, "title")));
    if (description.len > 0)
        json_object_set_new(display, "description", text_of(description));
    return json_pack("{s:s, s:{s:o, s:o, s:[o]}}", "kind", "Panel", "spec", "display", display,
                     "plugin", plugin_of(args), "queries", query_of(args, datasource));
}

/* The grid of that title, without one the last grid; NULL: there is none. */
static json_t *find_grid(json_t *layouts, struct str group)
{
    json_t *found = NULL, *layout;
    size_t i;
    json_array_foreach(layouts, i, layout)
    {
        const char *kind = json_string_value(json_object_get(layout, "kind"));
        json_t *spec = json_object_get(layout, "spec");
        json_t *title = json_object_get(json_object_get(spec, "display"), "title");
        struct str text = json_text(title);
        if (kind && strcmp(kind, "Grid") == 0 && json_is_object(spec) &&
            (group.len == 0 || str_eq(text, group)))
            found = spec;
    }
    return found;
}

static json_t *make_grid(json_t *layouts, struct str group)
{
    json_t *spec = json_pack("{s:[]}", "items");
    if (group.len > 0)
        json_object_set_new(
            spec, "display",
            json_pack("{s:o, s:{s:b}}", "title", text_of(group), "collapse", "open", 1));
    json_array_append_new(layouts, json_pack("{s:s, s:o}", "kind", "Grid", "spec", spec));
    return spec;
}

/* A dashboard is anybody's: its numbers are added up. */
static json_int_t number(const json_t *item, const char *key)
{
    enum { ROWS_MAX = 1000000 };
    json_int_t n = json_integer_value(json_object_get(item, key));
    return n < 0 ? 0 : n > ROWS_MAX ? ROWS_MAX : n;
}

static json_int_t bottom_of(const json_t *items)
{
    json_int_t bottom = 0;
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        json_int_t end = number(item, "y") + number(item, "height");
        bottom = end > bottom ? end : bottom;
    }
    return bottom;
}

/* What may be null where there is nothing yet. */
static json_t *member(json_t *object, const char *key, json_t *take_empty)
{
    json_t *now = json_object_get(object, key);
    if (now && json_typeof(now) == json_typeof(take_empty)) {
        json_decref(take_empty);
        return now;
    }
    json_object_set_new(object, key, take_empty);
    return take_empty;
}

/* The place beside a half that stands alone. */
static bool beside(const json_t *items, json_int_t *y)
{
    const json_t *last = json_array_get(items, json_array_size(items) - 1);
    *y = number(last, "y");
    return last && number(last, "x") == 0 && number(last, "width") == PANEL_HALF &&
           number(last, "height") == HEIGHT && bottom_of(items) == *y + HEIGHT;
}

void panel_place(json_t *spec, const char *key, json_t *take_panel, struct str group, int width)
{
    json_t *layouts = member(spec, "layouts", json_array());
    json_t *grid = find_grid(layouts, group);
    if (!grid)
        grid = make_grid(layouts, group);
    json_t *items = member(grid, "items", json_array());
    json_int_t y;
    bool second = width == PANEL_HALF && beside(items, &y);
    if (!second)
        y = bottom_of(items);
    char ref[64];
    snprintf(ref, sizeof(ref), "#/spec/panels/%s", key);
    json_array_append_new(items, json_pack("{s:i, s:I, s:i, s:i, s:{s:s}}", "x",
                                           second ? PANEL_HALF : 0, "y", y, "width", width,
                                           "height", HEIGHT, "content", "$ref", ref));
    json_object_set_new(member(spec, "panels", json_object()), key, take_panel);
}
