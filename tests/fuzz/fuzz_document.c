/* An operator's documents and a dashboard's variables: sections cover the document in order, a
 * query with variables stays bounded. */
#include <string.h>
#include "common/check.h"
#include "worker/tools/docs/markdown.h"
#include "worker/tools/perses/vars.h"

enum { QUERY_BYTES_MAX = 16384 };

struct reading {
    struct str text;
    const char *end; /* of the section before */
    int64_t line;
};

static void on_section(void *arg, const struct section *s)
{
    struct reading *r = arg;
    CHECK(s->body.len == 0 || (s->body.at >= r->end && s->body.len <= MARKDOWN_SECTION_MAX &&
                               s->body.at + s->body.len <= r->text.at + r->text.len));
    CHECK(s->line >= r->line && s->line > 0);
    if (s->body.len > 0)
        r->end = s->body.at + s->body.len;
    r->line = s->line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading r = {.text = {(const char *)data, size}, .end = (const char *)data};
    struct str unknown = {NULL, 0};
    struct vars v = {.range_ms = 3600000, .step_ms = 15000};
    struct buf out;
    markdown_sections(r.text, on_section, &r);
    const char *half = size > 0 ? memchr(data, '\n', size) : NULL;
    struct str given = {r.text.at, half ? (size_t)(half - r.text.at) : size};
    vars_parse(&v, given);
    buf_init(&out, QUERY_BYTES_MAX);
    vars_apply(&v, str_skip(r.text, given.len), &out, &unknown);
    CHECK(v.count <= VARS_MAX && out.len <= QUERY_BYTES_MAX);
    CHECK(unknown.len == 0 || (unknown.at >= r.text.at && unknown.at < r.text.at + size));
    buf_free(&out);
    vars_free(&v);
    return 0;
}
