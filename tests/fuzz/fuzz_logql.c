/* LogQL, TraceQL and profile queries from a model: read or refused in words; what is read lies
 * inside of it. */
#include <stdint.h>
#include "common/check.h"
#include "worker/tools/logql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct logql q, again;
    struct str text = {(const char *)data, size}, first;
    scoped_buf(named, 1 << 16);
    if (logql_names(text, &named, &first))
        CHECK(first.at >= text.at && first.at + first.len <= text.at + size);
    CHECK(named.overflowed || named.len <= size);
    if (!logql_read(&q, text)) {
        CHECK(q.error[0] != '\0');
        return 0;
    }
    CHECK(q.window_ms >= 0);
    for (unsigned i = 0; i < q.count; i++) {
        struct str s = q.selectors[i];
        CHECK(s.at >= text.at && s.at + s.len <= text.at + size && s.len >= 2);
        CHECK(s.at[0] == '{' && s.at[s.len - 1] == '}');
        CHECK(logql_read(&again, s) && again.count == 1);
        (void)logql_selects(s);
    }
    return 0;
}
