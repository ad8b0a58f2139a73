#include "common/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/check.h"

enum {
    /* Backtracking steps of one search; some 10 ms of a core. An expression that needs more is one
     * that takes exponential time. */
    STEPS_MAX = 1000000,
    HEAP_KIB_MAX = 1024,
};

struct pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

struct pattern *pattern_new(struct str expression, char error[static 160])
{
    int number;
    PCRE2_SIZE at;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)(expression.len ? expression.at : ""), expression.len,
                      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, &number, &at, NULL);
    if (!code) {
        unsigned char why[100];
        pcre2_get_error_message(number, why, sizeof(why));
        snprintf(error, 160, "%s (at byte %zu)", (const char *)why, (size_t)at);
        return NULL;
    }
    struct pattern *p = xcalloc(1, sizeof(*p));
    p->code = code;
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it a search is slower, and right */
    p->match = pcre2_match_data_create_from_pattern(code, NULL);
    p->limits = pcre2_match_context_create(NULL);
    CHECK(p->match && p->limits);
    pcre2_set_match_limit(p->limits, STEPS_MAX);
    pcre2_set_heap_limit(p->limits, HEAP_KIB_MAX);
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_match_context_free(p->limits);
    pcre2_match_data_free(p->match);
    pcre2_code_free(p->code);
    free(p);
}

enum pattern_found pattern_find(struct pattern *p, struct str text, size_t from, size_t *begin,
                                size_t *end)
{
    if (from >= text.len)
        return PATTERN_NONE;
    int count = pcre2_match(p->code, (PCRE2_SPTR)text.at, text.len, from, PCRE2_NOTEMPTY, p->match,
                            p->limits);
    if (count < 0)
        return count == PCRE2_ERROR_NOMATCH ? PATTERN_NONE : PATTERN_LIMIT;
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(p->match);
    *begin = where[0];
    *end = where[1];
    /* \K may set a match's begin behind its end, or before where the search began. */
    return *begin >= from && *end > *begin ? PATTERN_FOUND : PATTERN_LIMIT;
}

void pattern_groups(const struct pattern *p, struct str text, struct buf *out)
{
    const PCRE2_SIZE *where = pcre2_get_ovector_pointer(p->match);
    for (uint32_t i = 1; i < pcre2_get_ovector_count(p->match); i++) {
        size_t begin = where[2 * i], end = where[2 * i + 1]; /* not taken part: PCRE2_UNSET */
        if (begin < end && end <= text.len)
            buf_add(out, text.at + begin, end - begin);
    }
}
