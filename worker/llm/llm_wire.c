#include "worker/llm/llm_wire.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "common/check.h"

struct llm_wire *llm_wire_new(struct shelf *s)
{
    struct llm_wire *w = xcalloc(1, sizeof(*w));
    buf_init(&w->url, 2048);
    buf_init(&w->body, LLM_BODY_MAX);
    w->shelf = s;
    return w;
}

void llm_wire_free(struct llm_wire *w)
{
    if (!w)
        return;
    buf_free(&w->url);
    buf_free(&w->body);
    shelved_free(w->shelved);
    free(w);
}

static bool ends_in_version(const char *url)
{
    const char *last = strrchr(url, '/');
    return last && last[1] == 'v' && isdigit((unsigned char)last[2]);
}

void llm_url(struct llm_wire *w, const struct model *m, const char *version, const char *path)
{
    buf_puts(&w->url, m->base_url);
    if (version && !ends_in_version(m->base_url))
        buf_printf(&w->url, "/%s", version);
    buf_puts(&w->url, path);
}

void llm_header(struct llm_wire *w, const char *name, const char *value)
{
    unsigned i = 0;
    while (i < w->header_count && strcasecmp(w->headers[i].name, name) != 0)
        i++; /* one that is there is replaced */
    CHECK(i < LLM_HEADERS_MAX);
    w->headers[i] = (struct fetch_header){name, str_of(value)};
    w->header_count += i == w->header_count;
}

void llm_wire_hide(struct llm_wire *w, struct mask *m)
{
    struct buf *body = &w->body;
    scoped_buf(masked, body->max_bytes);
    if (body->overflowed || !mask_json(m, buf_str(body), &masked))
        return;
    buf_clear(body);
    if (masked.overflowed || !buf_add_str(body, buf_str(&masked)))
        body->overflowed = true;
}

void llm_wire_shelve(struct llm_wire *w)
{
    CHECK(!w->shelved);
    w->shelved = shelf_put(w->shelf, buf_str(&w->body));
    buf_free(&w->body);
}

void llm_wire_unshelve(struct llm_wire *w)
{
    CHECK(w->shelved && w->body.len == 0);
    buf_add_str(&w->body, shelved_str(w->shelved));
    shelved_free(w->shelved);
    w->shelved = NULL;
}
