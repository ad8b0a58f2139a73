#include "worker/tools/partial.h"

#include <strings.h>
#include "common/json.h"
#include "worker/tools/items.h"
#include "worker/tools/text.h"

enum { NOTE_BYTES_MAX = 200 };
enum path { WARNINGS, IS_PARTIAL, STATUS, METRICS, INFOS };

const char *const partial_paths[PARTIAL_PATHS] = {"warnings/*", "isPartial", "status", "metrics",
                                                  "infos/*"};

/* Of protobuf's JSON: 64 bits are texts there. */
static double jobs(const json_t *metrics, const char *key)
{
    const json_t *value = json_object_get(metrics, key);
    double count = json_number_value(value);
    if (json_is_string(value) && !sax_double(json_text(value), &count))
        return 0;
    return count;
}

bool partial_warning(struct str text)
{
    text = str_trim(text);
    return text.len > 0 && !str_starts(text, STR("PromQL "));
}

bool partial_read(unsigned path, const json_t *item, struct buf *note)
{
    struct str text = json_text(item);
    switch ((enum path)path) {
    case WARNINGS:
    case INFOS:
        if (text.len > 0) {
            buf_puts(note, "Datasource: ");
            text_clean(note, text, NOTE_BYTES_MAX);
        }
        return path == WARNINGS && partial_warning(text);
    case IS_PARTIAL:
        return json_is_true(item);
    case STATUS:
        return text.len == 7 && strncasecmp(text.at, "partial", 7) == 0;
    case METRICS:
        return jobs(item, "completedJobs") < jobs(item, "totalJobs");
    }
    return false;
}
