#include "proto/traced.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/map.h"

struct entry {
    struct id turn;
    uint8_t trace[TRACE_ID];
};
static struct map *entries; /* NULL: there are none */

void traced_put(struct id turn, const struct trace_point *at)
{
    if (!trace_on(at))
        return;
    if (!entries)
        entries = map_new();
    struct entry *e = map_get(entries, id_key(&turn));
    if (!e) {
        e = xcalloc(1, sizeof(*e));
        e->turn = turn;
        map_put(entries, id_key(&e->turn), e);
    }
    memcpy(e->trace, at->trace, sizeof(e->trace));
}

void traced_remove(struct id turn)
{
    struct entry *e = entries ? map_get(entries, id_key(&turn)) : NULL;
    if (!e)
        return;
    map_remove(entries, id_key(&turn));
    free(e);
    if (map_size(entries) > 0)
        return;
    map_free(entries);
    entries = NULL;
}

const char *traced_log(struct id turn)
{
    static char texts[4][ID_TEXT + sizeof(" trace_id=") + TRACE_ID_TEXT];
    static unsigned next;
    const struct entry *e = entries ? map_get(entries, id_key(&turn)) : NULL;
    char *text = texts[next++ % 4];
    id_text(turn, text);
    if (e) {
        memcpy(text + ID_TEXT, " trace_id=", sizeof(" trace_id="));
        trace_id_text(e->trace, text + ID_TEXT + sizeof(" trace_id=") - 1);
    }
    return text;
}
