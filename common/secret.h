/* common/secret.h: a token in memory: locked, kept out of core files, wiped when freed,
 * unprintable.
 *
 * Invariant 7. A struct secret fits no %s; who must use the bytes calls secret_reveal() and wipes
 * the copies it made. */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include "common/buf.h"

enum { SECRET_MAX = 16384, SECRET_PART_MIN = 8, SECRET_FORMS_MAX = 7 };

struct secret; /* heap, on pages of its own kind (sodium_malloc is too dear per token: one arena,
                  MADV_DONTDUMP) */

void secret_setup(void); /* once at start: sodium_init, PR_SET_DUMPABLE 0, core limit 0 */
struct secret *secret_new(struct str bytes); /* copies; NULL for more than SECRET_MAX bytes */
/* Takes it out of the environment: wiped there, where a core and what is started would have it.
 * NULL: unset or empty. */
struct secret *secret_of_environment(const char *name);
void secret_free(struct secret *s);               /* wipes; NULL is fine */
struct secret *secret_ref(struct secret *s);      /* shares: counted, the last secret_free wipes */
struct str secret_reveal(const struct secret *s); /* borrowed; NULL gives the empty slice */
bool secret_eq(const struct secret *a,
               const struct secret *b); /* constant time for equal lengths */
/* What a server repeats of a secret must not be shown to a model, a person or a log: as it is, or
 * with the escapes of a JSON string (which may be in another one) or of a URL. A secret of less
 * than SECRET_PART_MIN bytes may be a part of any word: it is nowhere. NULL too. */
bool secret_is_in(const struct secret *s, struct str bytes);
/* Stars, also where it was cut off. */
void secret_hide(const struct secret *s, char *at, size_t len);
/* Itself, then the letters of base64 that it alone decides, in both alphabets, wherever it begins
 * in what was encoded: one of them is in the base64 of any text that has it. How many; each is the
 * caller's. */
unsigned secret_forms(struct secret *s, struct secret *forms[SECRET_FORMS_MAX]);
/* All that of each part of a token between its dots: as cookies they are apart. What is looked for
 * is made once, kept with the token and wiped with it. NULL is fine. */
void secret_hide_parts(struct secret *s, char *at, size_t len);
void secret_wipe(void *at, size_t len);
/* free() that wipes all of the block first: for libraries that take an allocator. NULL is fine. */
void secret_wiping_free(void *take_bytes);
/* Keyed by a random key of this process: a cache key, not a digest */
void secret_hash(struct str bytes, unsigned char out[32]);

#endif
