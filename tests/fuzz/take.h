/* tests/fuzz/take.h: an input is read from its front; behind its end there are zeros. */
#ifndef TESTS_FUZZ_TAKE_H
#define TESTS_FUZZ_TAKE_H

#include <stdint.h>
#include "common/str.h"

static inline uint8_t take(struct str *rest)
{
    if (rest->len == 0)
        return 0;
    uint8_t byte = (uint8_t)rest->at[0];
    *rest = str_skip(*rest, 1);
    return byte;
}

#endif
