/* common/str.h: borrowed slices of text. */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes: not NUL-terminated, never owned. {NULL, 0} is the empty slice. */
struct str {
    const char *at;
    size_t len;
};
#define STR(literal) ((struct str){("" literal), sizeof(literal) - 1})
struct str str_of(const char *text); /* of a NUL-terminated string; NULL is empty */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *text);
bool str_starts(struct str a, struct str prefix);
bool str_ends(struct str a, struct str end);
struct str str_skip(struct str a, size_t count);
/* What editors of Windows put before UTF-8 is no part of a text (RFC 8259 section 8.1). */
struct str str_skip_bom(struct str a);
/* Cuts what is before the first sep off *rest; false when rest is empty. After the last piece rest
 * is {NULL, 0}. */
bool str_split(struct str *rest, char sep, struct str *piece);
struct str str_trim(struct str a);                       /* ASCII blanks */
struct str str_trim_slashes(struct str a);               /* "http://h//": those at its end */
bool str_u64(struct str a, uint64_t max, uint64_t *out); /* decimal digits only */
/* Its beginning of at most bytes_max, which ends neither inside a character of UTF-8 nor, as far as
 * its usual kinds go, of what people see as one (a family, a flag, a letter with its accent). */
struct str str_cut(struct str a, size_t bytes_max);
unsigned str_line(struct str a, size_t at); /* the line, from 1, on which the byte at stands */
/* FNV-1a of a text's parts one after the other; STR_HASH_NONE before the first. To spread texts, or
 * to tell whether one changed: who chooses them can make two of one hash. */
#define STR_HASH_NONE UINT64_C(14695981039346656037)
uint64_t str_hash(uint64_t before, struct str a);
char *str_dup(struct str a); /* NUL-terminated, owned by the caller */
bool str_utf8(struct str a); /* well-formed UTF-8 (RFC 3629), no NUL */

#endif
