#include "worker/tools/schema.h"

void schema_write(const struct tool_arg *args, unsigned count, struct buf *b)
{
    unsigned required = 0;
    buf_puts(b, "{\"type\":\"object\",\"properties\":{");
    for (unsigned i = 0; i < count; i++)
        buf_printf(b, "%s\"%s\":%s", i > 0 ? "," : "", args[i].name, args[i].schema);
    buf_putc(b, '}');
    for (unsigned i = 0; i < count; i++)
        if (args[i].required)
            buf_printf(b, "%s\"%s\"", required++ > 0 ? "," : ",\"required\":[", args[i].name);
    buf_puts(b, required > 0 ? "],\"additionalProperties\":false}"
                             : ",\"additionalProperties\":false}");
}
