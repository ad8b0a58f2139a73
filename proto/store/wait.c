#include "proto/store/wait.h"

void store_wait_told(struct otlp *o, const struct trace_span *s, const char *name, enum err err)
{
    struct buf *b = otlp_span(o, s);
    if (!b)
        return;
    trace_open(b, s, name, SPAN_CLIENT);
    trace_text(b, "db.system.name", STR("redis"));
    trace_text(b, "db.operation.name", STR("EVALSHA"));
    trace_text(b, "db.stored_procedure.name", str_of(name));
    trace_close(b, err == ERR_NONE ? NULL : err_word(err));
    otlp_add(o);
}
