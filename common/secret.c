#include "common/secret.h"

#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "common/check.h"
#include "common/hex.h"
#include "common/registers.h"

/* The arena: pages that no core file holds and (as far as the limit on locked memory goes) no swap
 * either, cut into blocks of a few sizes. It keeps its pages for the next secrets. */
struct secret {
    unsigned refs; /* 0: in the free list */
    unsigned size_class;
    size_t len;
    struct parts *parts; /* of secret_hide_parts; NULL: none yet */
    union {
        struct secret *next_free;
        char bytes[1];
    } u;
};
enum { HEAD = offsetof(struct secret, u) };

static const struct {
    size_t block, blocks; /* bytes of a block, blocks of a mapping */
} classes[] = {{512, 128}, {2048, 32}, {SECRET_MAX + 64, 8}};
enum { CLASSES = sizeof(classes) / sizeof(*classes) };
_Static_assert(HEAD <= 64, "the largest class holds SECRET_MAX bytes");

static struct secret *free_blocks[CLASSES];

static void parts_free(struct parts *p);

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER true
#endif
#endif
#ifdef UNDER_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
/* What only a secret points to is no leak. */
static void tell_sanitizer(const void *at, size_t bytes) { __lsan_register_root_region(at, bytes); }
#else
#define UNDER_ADDRESS_SANITIZER false
static void tell_sanitizer(const void *at, size_t bytes) { (void)at, (void)bytes; }
#endif

void secret_setup(void)
{
    const struct rlimit none = {0, 0};
    CHECK(sodium_init() >= 0);
    CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
    if (!UNDER_ADDRESS_SANITIZER) /* its leak check attaches to us */
        CHECK(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static void arena_grow(unsigned class)
{
    size_t block = classes[class].block, bytes = block * classes[class].blocks;
    char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    (void)madvise(at, bytes, MADV_DONTDUMP);
    (void)mlock(at, bytes); /* the limit is often 64 KiB: best effort */
    tell_sanitizer(at, bytes);
    for (size_t i = classes[class].blocks; i-- > 0;) {
        struct secret *s = (struct secret *)(void *)(at + i * block);
        s->size_class = class;
        s->u.next_free = free_blocks[class];
        free_blocks[class] = s;
    }
}

struct secret *secret_new(struct str bytes)
{
    if (bytes.len > SECRET_MAX)
        return NULL;
    unsigned class = 0;
    while (classes[class].block - HEAD < bytes.len)
        class ++;
    if (free_blocks[class] == NULL)
        arena_grow(class);
    struct secret *s = free_blocks[class];
    CHECK(s != NULL); /* arena_grow never comes back without */
    free_blocks[class] = s->u.next_free;
    s->u.next_free = NULL;
    s->refs = 1;
    s->len = bytes.len;
    s->parts = NULL;
    if (bytes.len > 0)
        memcpy((char *)s + HEAD, bytes.at, bytes.len);
    registers_clear();
    return s;
}

struct secret *secret_of_environment(const char *name)
{
    char *value = getenv(name);
    if (!value || !*value)
        return NULL;
    struct secret *s = secret_new(str_of(value));
    secret_wipe(value, strlen(value));
    unsetenv(name);
    return s;
}

struct secret *secret_ref(struct secret *s)
{
    if (s) {
        CHECK(s->refs > 0);
        s->refs++;
    }
    return s;
}

void secret_free(struct secret *s)
{
    if (!s)
        return;
    CHECK(s->refs > 0);
    if (--s->refs > 0)
        return;
    parts_free(s->parts);
    s->parts = NULL;
    secret_wipe((char *)s + HEAD, s->len);
    s->len = 0;
    s->u.next_free = free_blocks[s->size_class];
    free_blocks[s->size_class] = s;
}

struct str secret_reveal(const struct secret *s)
{
    if (!s)
        return (struct str){NULL, 0};
    CHECK(s->refs > 0);
    return (struct str){(const char *)s + HEAD, s->len};
}

bool secret_eq(const struct secret *a, const struct secret *b)
{
    struct str x = secret_reveal(a), y = secret_reveal(b);
    return x.len == y.len && (x.len == 0 || sodium_memcmp(x.at, y.at, x.len) == 0);
}

/* ---- what others repeat ---- */

enum {
    BACKSLASHES_MAX = 15, /* before a character: of four JSON strings in one another */
    LAYERS = 3,           /* of percent encoding: none, one, that of a URL in a URL */
    CUT_MIN = 24,         /* bytes of a key that no other text has by chance */
};

/* The bytes at the start of text that are c in percent encoding, layers times; 0: they are not. */
static size_t percent_bytes(struct str text, char c, unsigned layers)
{
    size_t n = 2 * (size_t)layers + 1; /* %2F, %252F */
    if (layers == 0 || text.len < n || *text.at != '%')
        return 0;
    for (size_t i = 1; i + 2 < n; i += 2)
        if (memcmp(text.at + i, "25", 2) != 0)
            return 0;
    return hex_digit(text.at[n - 2]) * 16 + hex_digit(text.at[n - 1]) == (unsigned char)c ? n : 0;
}

/* The bytes at the start of text that stand for c, with its escape; 0: they stand for another. */
static size_t char_bytes(struct str text, char c, unsigned layers)
{
    size_t i = 0, n;
    while (i < text.len && i < BACKSLASHES_MAX && text.at[i] == '\\')
        i++;
    struct str rest = {text.at + i, text.len - i};
    if (i > 0 && rest.len >= 5 && memcmp(rest.at, "u00", 3) == 0 &&
        hex_digit(rest.at[3]) * 16 + hex_digit(rest.at[4]) == (unsigned char)c)
        return i + 5;
    if ((n = percent_bytes(rest, c, layers)) > 0)
        return i + n;
    return rest.len > 0 && *rest.at == c ? i + 1 : 0;
}

/* The bytes at the start of text that are the key, or enough of it where it was cut off; 0: they
 * are not. Its backslashes are not looked for: they may be doubled any number of times. */
static size_t key_bytes(struct str key, struct str text, unsigned layers)
{
    size_t i = 0, n = 0;
    for (size_t k = 0; k < key.len; k++) {
        if (key.at[k] == '\\')
            continue;
        if ((n = char_bytes((struct str){text.at + i, text.len - i}, key.at[k], layers)) == 0)
            return k >= CUT_MIN ? i : 0;
        i += n;
    }
    return i;
}

/* Where the key is next, from *at on, and how long; 0: nowhere. */
static size_t find(struct str key, struct str text, size_t *at)
{
    size_t first = 0;
    while (first < key.len && key.at[first] == '\\')
        first++;
    if (key.len < SECRET_PART_MIN || first == key.len)
        return 0;
    while (*at < text.len) {
        const char *here = text.at + *at;
        size_t n = 0, run = 0;
        if (*here == key.at[first] || *here == '\\' || *here == '%')
            for (unsigned layers = 0; layers < LAYERS && n == 0; layers++)
                n = key_bytes(key, (struct str){here, text.len - *at}, layers);
        if (n > 0)
            return n;
        while (*at + run < text.len && here[run] == '\\')
            run++;
        *at += run > 1 ? run - 1 : 1; /* a run of backslashes: its begin and its end */
    }
    return 0;
}

bool secret_is_in(const struct secret *s, struct str bytes)
{
    size_t at = 0;
    return find(secret_reveal(s), bytes, &at) > 0;
}

void secret_hide(const struct secret *s, char *at, size_t len)
{
    size_t n, from = 0;
    while ((n = find(secret_reveal(s), (struct str){at, len}, &from)) > 0) {
        memset(at + from, '*', n);
        from += n;
    }
}

/* With `before` (0 to 2) bytes of another before it. NULL: too long. */
static struct secret *in_base64(const struct secret *s, unsigned before, bool for_urls)
{
    static const unsigned char first[] = {0, 2, 3}; /* letters that what is before has a part in */
    enum { VARIANT = sodium_base64_VARIANT_ORIGINAL_NO_PADDING };
    struct str bytes = secret_reveal(s);
    size_t len = before + bytes.len, size = sodium_base64_encoded_len(len, VARIANT);
    char *all = xcalloc(1, len + 1), *text = xcalloc(1, size);
    if (bytes.len > 0)
        memcpy(all + before, bytes.at, bytes.len);
    sodium_bin2base64(text, size, (const unsigned char *)all, len,
                      for_urls ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : VARIANT);
    size_t whole = len * 8 / 6; /* what comes behind has a part in the next */
    struct secret *made =
        whole > first[before]
            ? secret_new((struct str){text + first[before], whole - first[before]})
            : NULL;
    secret_wiping_free(all);
    secret_wiping_free(text);
    return made;
}

unsigned secret_forms(struct secret *s, struct secret *forms[SECRET_FORMS_MAX])
{
    unsigned count = 0;
    forms[count++] = secret_ref(s);
    for (unsigned before = 0; before < 3; before++) {
        struct secret *one = in_base64(s, before, false), *other = in_base64(s, before, true);
        forms[count++] = one;
        if (secret_eq(one, other))
            secret_free(other);
        else
            forms[count++] = other;
    }
    return count;
}

/* ---- the parts of a token ---- */

enum { PARTS_MAX = 8 }; /* a JWT has three, an encrypted one five; the last is all that is left */

struct parts {
    unsigned count;
    struct secret *forms[PARTS_MAX * SECRET_FORMS_MAX];
};

static struct parts *parts_of(const struct secret *s)
{
    struct parts *p = xcalloc(1, sizeof(*p));
    struct str rest = secret_reveal(s), part;
    for (unsigned i = 1; i <= PARTS_MAX && str_split(&rest, i < PARTS_MAX ? '.' : '\0', &part);
         i++) {
        struct secret *itself = part.len >= SECRET_PART_MIN ? secret_new(part) : NULL;
        if (itself)
            p->count += secret_forms(itself, p->forms + p->count);
        secret_free(itself);
    }
    return p;
}

static void parts_free(struct parts *p)
{
    for (unsigned i = 0; p && i < p->count; i++)
        secret_free(p->forms[i]);
    free(p);
}

void secret_hide_parts(struct secret *s, char *at, size_t len)
{
    if (!s)
        return;
    if (!s->parts)
        s->parts = parts_of(s);
    for (unsigned i = 0; i < s->parts->count; i++)
        secret_hide(s->parts->forms[i], at, len);
}

void secret_wipe(void *at, size_t len)
{
    if (len > 0)
        sodium_memzero(at, len);
    registers_clear();
}

void secret_wiping_free(void *take_bytes)
{
    if (take_bytes)
        secret_wipe(take_bytes, malloc_usable_size(take_bytes));
    free(take_bytes);
}

void secret_hash(struct str bytes, unsigned char out[32])
{
    static unsigned char key[crypto_generichash_KEYBYTES];
    static bool have_key;
    if (!have_key) {
        CHECK(sodium_init() >= 0);
        randombytes_buf(key, sizeof(key));
        have_key = true;
    }
    CHECK(crypto_generichash(out, 32, (const unsigned char *)(bytes.len ? bytes.at : ""), bytes.len,
                             key, sizeof(key)) == 0);
}
