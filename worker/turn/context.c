#include "worker/turn/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"
#include "common/json.h"
#include "common/zone.h"
#include "proto/path.h"
#include "proto/time_range.h"
#include "worker/turn/alert.h"

static void add_datasource(struct turn_context *s, struct str path);
static char *read_about(const json_t *context);
static char *name_of(const json_t *object, const char *key);
static void read_alert(struct turn_context *s, const json_t *alert, int64_t now_ms);

void turn_context_read(struct turn_context *s, struct str context, struct str datasource_path,
                       int64_t now_ms)
{
    *s = (struct turn_context){0};
    add_datasource(s, datasource_path);
    if (context.len == 0)
        return;
    json_auto_t *root = json_loadb(context.at, context.len, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(root))
        return;
    struct str zone = json_text(json_object_get(root, "timezone"));
    if (zone_named(zone))
        s->timezone = xstrndup(zone.at, zone.len);
    struct time_range range; /* what can't be read, the gateway has refused */
    time_range_read(json_object_get(root, "time_range"), zone_known(zone) ? zone : STR(""), now_ms,
                    &range);
    s->range_start_ms = range.start_ms;
    s->range_end_ms = range.end_ms;
    size_t i;
    const json_t *path;
    json_array_foreach(json_object_get(root, "datasources"), i, path)
        add_datasource(s, json_text(path));
    const json_t *dashboard = json_object_get(root, "dashboard");
    s->project = name_of(dashboard, "project");
    s->dashboard = name_of(dashboard, "name");
    s->about = read_about(root);
    s->follow_ups = json_is_true(json_object_get(root, "follow_ups"));
    read_alert(s, json_object_get(root, "alert"), now_ms);
}

static char *name_of(const json_t *object, const char *key)
{
    struct str name = json_text(json_object_get(object, key));
    return path_name_ok(name) ? xstrndup(name.at, name.len) : NULL;
}

void turn_context_free(struct turn_context *s)
{
    free(s->timezone);
    free(s->about);
    free(s->project);
    free(s->dashboard);
    free(s->alert);
    for (unsigned i = 0; i < s->datasource_count; i++)
        free(s->datasources[i]);
    free(s->datasources);
    *s = (struct turn_context){0};
}

static void add_datasource(struct turn_context *s, struct str path)
{
    struct path parsed;
    if (s->datasource_count == TURN_CONTEXT_DATASOURCES_MAX ||
        path_parse(path, &parsed) != ERR_NONE)
        return;
    for (unsigned i = 0; i < s->datasource_count; i++)
        if (str_is(path, s->datasources[i]))
            return;
    s->datasources = xrealloc(s->datasources, (s->datasource_count + 1) * sizeof(*s->datasources));
    s->datasources[s->datasource_count++] = xstrndup(path.at, path.len);
}

/* As many of the first panels or notes as there is room for; how many were not taken. */
static size_t cut_list(json_t *list, size_t room)
{
    size_t used = 2, keep = 0, count = json_array_size(list); /* the brackets */
    for (; keep < count; keep++) {
        used += json_dumpb(json_array_get(list, keep), NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) + 1;
        if (used > room)
            break;
    }
    for (size_t i = count; i > keep; i--)
        json_array_remove(list, i - 1);
    return count - keep;
}

static char *read_about(const json_t *context)
{
    static const char *const keys[] = {"dashboard", "variables", "panels", "notes"};
    enum { LEFT_OUT_BYTES = 64 };
    json_auto_t *about = json_object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *v = json_object_get(context, keys[i]);
        if (!v || json_is_null(v))
            continue;
        size_t used = json_dumpb(about, NULL, 0, JSON_COMPACT) + LEFT_OUT_BYTES;
        size_t room = used < TURN_CONTEXT_TEXT_MAX ? TURN_CONTEXT_TEXT_MAX - used : 0;
        size_t left_out = json_is_array(v) ? cut_list(v, room) : 0;
        char cut[32];
        if (json_dumpb(v, NULL, 0, JSON_COMPACT) <= room) /* better none than half of one */
            json_object_set(about, keys[i], v);
        snprintf(cut, sizeof(cut), "%s_left_out", keys[i]);
        if (left_out > 0)
            json_object_set_new(about, cut, json_integer((json_int_t)left_out));
    }
    /* One line in which quotes and line ends are escaped: nothing in it can end it. */
    return json_object_size(about) > 0 ? json_dumps(about, JSON_COMPACT) : NULL;
}

/* Where no time is selected, an alert's is: since an hour before it fired. */
static void read_alert(struct turn_context *s, const json_t *alert, int64_t now_ms)
{
    enum { BEFORE_MS = 3600 * 1000 };
    int64_t starts_ms;
    s->alert = alert_read(alert, &starts_ms);
    if (s->alert != NULL && s->range_end_ms == 0 && starts_ms > BEFORE_MS && starts_ms < now_ms) {
        s->range_start_ms = starts_ms - BEFORE_MS;
        s->range_end_ms = now_ms;
    }
}
