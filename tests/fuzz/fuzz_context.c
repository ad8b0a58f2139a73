/* What a client says that the person has in front of them; what is taken of it is sound. */
#include <jansson.h>
#include <string.h>
#include "common/check.h"
#include "proto/path.h"
#include "worker/turn/context.h"

enum { NOW_S = 1700000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct turn_context s;
    struct path path;
    turn_context_read(&s, (struct str){(const char *)data, size},
                      STR("/proxy/globaldatasources/prom"), NOW_S * (int64_t)1000);
    CHECK(s.datasource_count > 0 && s.datasource_count <= TURN_CONTEXT_DATASOURCES_MAX);
    for (unsigned i = 0; i < s.datasource_count; i++)
        CHECK(path_parse(str_of(s.datasources[i]), &path) == ERR_NONE);
    CHECK(s.range_start_ms < s.range_end_ms || (s.range_start_ms == 0 && s.range_end_ms == 0));
    if (s.about != NULL) {
        json_auto_t *about = json_loads(s.about, JSON_ALLOW_NUL, NULL);
        CHECK(json_is_object(about));
    }
    if (s.alert != NULL) {
        json_auto_t *alert = json_loads(s.alert, JSON_ALLOW_NUL, NULL);
        CHECK(json_is_object(alert) && strchr(s.alert, '\n') == NULL);
    }
    turn_context_free(&s);
    return 0;
}
