#include "worker/scene.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/check.h"
#include "proto/path.h"
#include "worker/zone.h"

static void read_range(struct scene *s, const json_t *range, int64_t now_ms);
static bool read_time(const struct scene *s, const json_t *v, int64_t *ms);
static bool read_duration(struct str text, int64_t *ms);
static void add_datasource(struct scene *s, struct str path);
static char *read_about(const json_t *context);
static struct str text_of(const json_t *v);

void scene_read(struct scene *s, struct str context, struct str datasource_path, int64_t now_ms)
{
    *s = (struct scene){0};
    add_datasource(s, datasource_path);
    if (context.len == 0)
        return;
    json_auto_t *root = json_loadb(context.at, context.len, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(root))
        return;
    struct str zone = text_of(json_object_get(root, "timezone"));
    if (zone_known(zone))
        s->timezone = xstrndup(zone.at, zone.len);
    read_range(s, json_object_get(root, "time_range"), now_ms);
    size_t i;
    const json_t *path;
    json_array_foreach(json_object_get(root, "datasources"), i, path)
        add_datasource(s, text_of(path));
    s->about = read_about(root);
}

void scene_free(struct scene *s)
{
    free(s->timezone);
    free(s->about);
    for (unsigned i = 0; i < s->datasource_count; i++)
        free(s->datasources[i]);
    *s = (struct scene){0};
}

static struct str text_of(const json_t *v)
{
    return json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)}
                             : (struct str){NULL, 0};
}

static void add_datasource(struct scene *s, struct str path)
{
    struct path parsed;
    if (s->datasource_count == SCENE_DATASOURCES_MAX || path_parse(path, &parsed) != ERR_NONE)
        return;
    for (unsigned i = 0; i < s->datasource_count; i++)
        if (str_is(path, s->datasources[i]))
            return;
    s->datasources[s->datasource_count++] = xstrndup(path.at, path.len);
}

static void read_range(struct scene *s, const json_t *range, int64_t now_ms)
{
    int64_t start, end, length;
    struct str duration = text_of(json_object_get(range, "duration"));
    if (duration.len == 0)
        duration = text_of(json_object_get(range, "pastDuration")); /* Perses's own word for it */
    if (read_duration(duration, &length)) {
        s->range_start_ms = now_ms - length;
        s->range_end_ms = now_ms;
    } else if (read_time(s, json_object_get(range, "start"), &start) &&
               read_time(s, json_object_get(range, "end"), &end) && start < end) {
        s->range_start_ms = start;
        s->range_end_ms = end;
    }
}

static bool read_time(const struct scene *s, const json_t *v, int64_t *ms)
{
    if (json_is_integer(v)) {
        *ms = json_integer_value(v);
        return *ms > 0;
    }
    return zone_parse(text_of(v), str_of(s->timezone), ms) && *ms > 0;
}

/* Prometheus's way: 1h30m, 2d, 1w. */
static bool read_duration(struct str text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},      {"m", 60000},        {"h", 3600000},
                 {"d", 86400000}, {"w", 604800000}, {"y", 31536000000LL}};
    int64_t sum = 0;
    while (text.len > 0) {
        size_t digits = 0;
        while (digits < text.len && isdigit((unsigned char)text.at[digits]))
            digits++;
        uint64_t number;
        if (!str_u64((struct str){text.at, digits}, 100000, &number))
            return false;
        text = str_skip(text, digits);
        size_t letters = 0;
        while (letters < text.len && isalpha((unsigned char)text.at[letters]))
            letters++;
        int64_t unit = 0;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
            if (str_is((struct str){text.at, letters}, units[i].unit))
                unit = units[i].ms;
        if (unit == 0)
            return false;
        text = str_skip(text, letters);
        sum += (int64_t)number * unit;
    }
    *ms = sum;
    return sum > 0;
}

static char *read_about(const json_t *context)
{
    static const char *const keys[] = {"dashboard", "panels", "variables"};
    json_auto_t *about = json_object();
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        json_t *v = json_object_get(context, keys[i]);
        if (v && !json_is_null(v))
            json_object_set(about, keys[i], v);
    }
    if (json_object_size(about) == 0)
        return NULL;
    char *text = json_dumps(about, JSON_COMPACT);
    if (text && strlen(text) > SCENE_TEXT_MAX) { /* better none than half of one */
        free(text);
        text = NULL;
    }
    return text;
}
