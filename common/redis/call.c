#include "common/redis/call.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

static size_t digits(size_t n)
{
    size_t count = 1;
    for (; n >= 10; n /= 10)
        count++;
    return count;
}

static char *put_head(char *at, char mark, size_t n)
{
    size_t count = digits(n);
    *at++ = mark;
    for (size_t i = count; i > 0; i--, n /= 10)
        at[i - 1] = (char)('0' + n % 10);
    at[count] = '\r';
    at[count + 1] = '\n';
    return at + count + 2;
}

static char *put_bulk(char *at, struct str s)
{
    at = put_head(at, '$', s.len);
    if (s.len > 0)
        memcpy(at, s.at, s.len);
    at[s.len] = '\r';
    at[s.len + 1] = '\n';
    return at + s.len + 2;
}

static size_t bulk_len(struct str s) { return 1 + digits(s.len) + 2 + s.len + 2; }

struct redis_call *redis_call_new(unsigned first_count, const struct str *first, unsigned argc,
                                  const struct str *argv)
{
    size_t len = 1 + digits(first_count + argc) + 2;
    for (unsigned i = 0; i < first_count; i++)
        len += bulk_len(first[i]);
    for (unsigned i = 0; i < argc; i++)
        len += bulk_len(argv[i]);
    struct redis_call *c = xmalloc(sizeof(*c) + len);
    memset(c, 0, sizeof(*c));
    list_init(&c->node);
    c->len = len;
    c->cost = len + sizeof(*c);
    c->argc = first_count + argc;
    char *at = put_head(c->wire, '*', c->argc);
    for (unsigned i = 0; i < first_count; i++) {
        at = put_bulk(at, first[i]);
        if (i == 1)
            c->head_len = (size_t)(at - c->wire);
    }
    for (unsigned i = 0; i < argc; i++)
        at = put_bulk(at, argv[i]);
    CHECK((size_t)(at - c->wire) == len);
    return c;
}

void redis_call_free(struct redis_call *c)
{
    CHECK(c->kept == NULL);
    list_remove(&c->node);
    free(c);
}

bool redis_call_forget(struct list *in, uint64_t id)
{
    list_each (in, node, tmp) {
        struct redis_call *c = list_of(node, struct redis_call, node);
        if (c->id == id) {
            c->fn = NULL;
            return true;
        }
    }
    return false;
}

void redis_call_put(struct redis_call *c, bool with_source, struct buf *out)
{
    c->with_source = with_source;
    if (!with_source) {
        CHECK(buf_add(out, c->wire, c->len));
        return;
    }
    struct str source = str_of(c->script->source);
    size_t head_len = 1 + digits(c->argc) + 2 + bulk_len(STR("EVAL")) + bulk_len(source);
    char *head = buf_reserve(out, head_len + c->len);
    CHECK(head != NULL);
    char *at = put_bulk(put_bulk(put_head(head, '*', c->argc), STR("EVAL")), source);
    memcpy(at, c->wire + c->head_len, c->len - c->head_len);
    out->len += head_len + c->len - c->head_len;
}
