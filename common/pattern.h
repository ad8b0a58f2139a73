/* common/pattern.h: regular expressions of Perl's kind (PCRE2, pcre2pattern(3)) over UTF-8 text.
 *
 * Compiled to machine code where the system lets it. What a search may cost is bounded, whatever
 * the expression and the text. Memory: pattern_free. */
#ifndef COMMON_PATTERN_H
#define COMMON_PATTERN_H

#include <stdbool.h>
#include "common/buf.h"

struct pattern;

/* NULL: it is no regular expression; error says why and at which byte. */
struct pattern *pattern_new(struct str expression, char error[static 160]);
void pattern_free(struct pattern *p); /* NULL is fine */

enum pattern_found {
    PATTERN_NONE,
    PATTERN_FOUND,
    /* It gave up at its limit: what there is was not seen. */
    PATTERN_LIMIT,
};
/* The first match that is not empty from byte `from` on, into *begin and *end. Bytes that are no
 * UTF-8 match nothing. */
enum pattern_found pattern_find(struct pattern *p, struct str text, size_t from, size_t *begin,
                                size_t *end);
/* Of the match that was found last, in that text: the groups that took part, one behind the other.
 */
void pattern_groups(const struct pattern *p, struct str text, struct buf *out);

#endif
