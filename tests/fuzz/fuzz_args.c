/* A model's arguments for each tool: refused in a sentence, or taken, and then taken again as they
 * are. The first byte picks the tool. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/args.h"

static const char *const schemas[] = {
#define TOOL(name, needs_approval, function, description, ...) #__VA_ARGS__,
#include "worker/tools/tools.def"
#undef TOOL
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    json_t *schema = json_loads(schemas[data[0] % (sizeof schemas / sizeof schemas[0])], 0, NULL);
    struct buf error;
    buf_init(&error, 2048);
    json_t *args = args_read(schema, true, (struct str){(const char *)data + 1, size - 1}, &error);
    CHECK((args == NULL) == (error.len > 0));
    if (args != NULL) {
        char *text = json_dumps(args, JSON_COMPACT);
        if (text != NULL && strlen(text) <= ARGS_BYTES_MAX) {
            json_t *again = args_read(schema, true, str_of(text), &error);
            CHECK(again != NULL && json_equal(args, again));
            json_decref(again);
        }
        free(text);
        json_decref(args);
    }
    buf_free(&error);
    json_decref(schema);
    return 0;
}
