/* An answer's text in which a model may have written calls, and JSON that was written by hand: what
 * comes out is whole JSON of objects, within the text, and the same when it is read again. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "common/loose.h"
#include "common/utf8.h"
#include "worker/llm/textcall.h"

/* As an answer's text always is. */
static bool is_utf8(struct str text)
{
    for (size_t at = 0; at < text.len;) {
        const unsigned char *byte = (const unsigned char *)text.at + at;
        size_t len = *byte < 0x80 ? 1 : utf8_len(byte, text.len - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

static void calls(struct str text)
{
    struct textcalls c;
    textcalls_read(&c, text);
    CHECK(c.count <= TEXTCALLS_MAX && (c.count == 0 || c.said <= text.len));
    for (unsigned i = 0; i < c.count; i++) {
        json_t *arguments = json_loads(c.all[i].arguments, 0, NULL);
        CHECK(json_is_object(arguments) && *c.all[i].tool_name != '\0');
        json_decref(arguments);
    }
    textcalls_free(&c);
}

static void loose(struct str text)
{
    size_t used, again_used;
    json_t *read = loose_read(text, &used);
    if (!read)
        return;
    CHECK(used <= text.len && (json_is_object(read) || json_is_array(read)));
    char *strict = json_dumps(read, JSON_COMPACT);
    CHECK(strict != NULL);
    json_t *again = loose_read(str_of(strict), &again_used);
    CHECK(again != NULL && again_used == strlen(strict) && json_equal(read, again));
    json_decref(again);
    json_decref(read);
    free(strict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    if (!is_utf8(text))
        return 0;
    calls(text);
    loose(text);
    return 0;
}
