/* A model's arguments for each tool: refused in a sentence, or taken, and then taken again as they
 * are. The first byte picks the tool. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/args.h"
#include "worker/tools/schema.h"

#define TOOL(name, source, approval, function, description, ...)                                   \
    static const struct tool_arg name##_args[] = {__VA_ARGS__};
#include "worker/tools/tools.def"
#undef TOOL
static const struct {
    const struct tool_arg *args;
    unsigned count;
} tools[] = {
#define TOOL(name, source, approval, function, description, ...)                                   \
    {name##_args, sizeof(name##_args) / sizeof(name##_args[0])},
#include "worker/tools/tools.def"
#undef TOOL
};
enum { TOOLS = sizeof(tools) / sizeof(tools[0]) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf written;
    buf_init(&written, 8192);
    schema_write(tools[data[0] % TOOLS].args, tools[data[0] % TOOLS].count, &written);
    json_t *schema = json_loads(buf_cstr(&written), 0, NULL);
    buf_free(&written);
    struct buf error;
    buf_init(&error, 2048);
    json_t *args =
        args_read(schema, true, (struct str){(const char *)data + 1, size - 1}, &error, NULL);
    CHECK((args == NULL) == (error.len > 0));
    if (args != NULL) {
        char *text = json_dumps(args, JSON_COMPACT);
        if (text != NULL && strlen(text) <= ARGS_BYTES_MAX) {
            json_t *again = args_read(schema, true, str_of(text), &error, NULL);
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
