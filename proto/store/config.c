#include "proto/store/config.h"

#include "common/buf.h"

enum { COPIES_MAX = 16 };

bool store_durability_parse(const char *text, unsigned *replicas)
{
    struct str rest = str_of(text);
    uint64_t n = 0;
    bool local = str_is(rest, "local");
    bool replicated = str_starts(rest, STR("replicated:")) &&
                      str_u64(str_skip(rest, 11), COPIES_MAX, &n) && n > 0;
    *replicas = (unsigned)n;
    return local || replicated;
}
