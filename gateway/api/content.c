#include "gateway/api/content.h"

#include "common/buf.h"
#include "common/json.h"

enum content_kind content_read(const json_t *content, size_t bytes_max, struct str *text,
                               char **owned)
{
    *owned = NULL;
    *text = json_text(content);
    if (!content || json_is_string(content) || json_is_null(content))
        return CONTENT_TEXT;
    if (!json_is_array(content))
        return CONTENT_STRANGE;
    scoped_buf(joined, bytes_max);
    size_t i;
    const json_t *part;
    json_array_foreach(content, i, part)
    {
        struct str type = json_text(json_object_get(part, "type"));
        bool refuses = str_is(type, "refusal"); /* an assistant's words too */
        if (!refuses && !str_is(type, "text"))
            return CONTENT_OTHER;
        if (joined.len > 0)
            buf_putc(&joined, '\n');
        buf_add_str(&joined, json_text(json_object_get(part, refuses ? "refusal" : "text")));
    }
    *owned = str_dup(buf_str(&joined));
    *text = (struct str){*owned, joined.len};
    return CONTENT_TEXT;
}
