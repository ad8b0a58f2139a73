/* common/check.h: CHECK(), an assertion that stays in release builds.
 *
 * A broken invariant ends the process: a crash is a path that this system tests and survives, going
 * on with wrong state is not. Out of memory is treated the same way: the x functions below. */
#ifndef COMMON_CHECK_H
#define COMMON_CHECK_H

#include <stddef.h>

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            check_failed(__FILE__, __LINE__, #cond);                                               \
    } while (0)

_Noreturn void check_failed(const char *file, int line, const char *what);

/* Allocation that aborts when memory is out. Sizes that a peer chooses are bounded before they come
 * here. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *take_ptr, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);

#define warn_unused __attribute__((warn_unused_result))

/* Calls free_fn(&local) at the end of the scope. Only for macros that give the local its value too,
 * as scoped_buf() does: a return between a declaration and its first value would free what was
 * never set. */
#define scoped(free_fn) __attribute__((cleanup(free_fn)))

/* Callback contexts start with a magic that is checked at the door: a wrong void * dies there. */
#define MAGIC_CHECK(ptr, value) CHECK((ptr) != NULL && (ptr)->magic == (value))

#endif
