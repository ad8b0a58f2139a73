#include "worker/tools/mcp/hide.h"

#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/json.h"

/* The text with stars in it, the caller's; NULL: there is nothing to hide. */
static char *hidden(struct str text, const struct mcp_config *c)
{
    char *out = NULL;
    for (unsigned i = 0; i < c->hidden_count; i++) {
        if (!secret_is_in(c->hidden[i], text))
            continue;
        out = out ? out : str_dup(text);
        secret_hide(c->hidden[i], out, text.len);
    }
    return out;
}

static void hide_names(json_t *object, const struct mcp_config *c)
{
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, name, value)
    {
        char *out = hidden(str_of(name), c);
        if (out && strcmp(out, name) != 0) {
            json_object_set(object, out, value);
            json_object_del(object, name);
        }
        free(out);
    }
}

void mcp_hide(json_t *v, const struct mcp_config *c)
{
    const char *name;
    json_t *value;
    size_t i;
    if (c->hidden_count == 0)
        return;
    if (json_is_object(v)) {
        hide_names(v, c);
        json_object_foreach(v, name, value) mcp_hide(value, c);
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, value) mcp_hide(value, c);
    } else if (json_is_string(v)) {
        struct str text = json_text(v);
        char *out = hidden(text, c);
        if (out && json_string_setn(v, out, text.len) != 0) /* no UTF-8 any more */
            json_string_set(v, "***");
        free(out);
    }
}
