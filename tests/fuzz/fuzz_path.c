/* A datasource path from a client: what is accepted is one of the three forms, whole. */
#include <string.h>
#include "proto/event.h"
#include "proto/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct path p;
    struct event_at at;
    struct str text = {(const char *)data, size};
    if (path_parse(text, &p) == ERR_NONE) {
        CHECK(!memmem(data, size, "..", 2) || p.name.len > 2 || p.project.len > 2 ||
              p.dashboard.len > 2);
        CHECK(!memchr(data, '%', size) && !memchr(data, '?', size) && !memchr(data, '#', size) &&
              !memchr(data, '\\', size));
        CHECK(p.name.at + p.name.len == text.at + text.len);
        CHECK(!memchr(p.name.at, '/', p.name.len));
    }
    event_at_parse(text, &at);
    return 0;
}
