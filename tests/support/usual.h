/* tests/support/usual.h: what tools are made with in tests, unless one says otherwise. */
#ifndef TESTS_SUPPORT_USUAL_H
#define TESTS_SUPPORT_USUAL_H

#include "worker/tools/tools.h"

static inline struct tools_config usual_tools(struct loop *loop, struct fetch_pool *pool,
                                              const char *perses_url)
{
    return (struct tools_config){.loop = loop,
                                 .fetches = pool,
                                 .perses_url = perses_url,
                                 .timeout_ms = 30000,
                                 .answer_bytes_max = 16 << 20,
                                 .content_bytes_max = 16 << 10,
                                 .series_max = 20000,
                                 .points_max = 11000,
                                 .running_max = 64};
}

#endif
