/* From schema to result: the first byte picks the tool, the next ones make each argument of its
 * schema right, wrong or absent, the rest is what datasources and Perses answer. Each run ends
 * once, in whole UTF-8 within its bound (the fixture sees to that), a failed one with a sentence.
 */
#include "tests/support/tools_fixture.h"

#include "common/json.h"
#include "tests/fuzz/take.h"

enum { ANSWERS_MAX = 4 };

static struct str take_str(struct str *rest, size_t len)
{
    struct str s = {rest->at, len < rest->len ? len : rest->len};
    *rest = str_skip(*rest, s.len);
    return s;
}

static void write_value(struct buf *b, const json_t *schema, struct str *rest)
{
    static const char *const right[] = {"\"up\"", "\"1h\"", "1", "\"now-1h\"", "true", "[]"};
    static const char *const wrong[] = {"null",   "-1",    "1e308",       "\"\"",         "{}",
                                        "[null]", "\"{\"", "\"\\u0000\"", "[[\"a\",{}]]", "false"};
    const json_t *words = json_object_get(schema, "enum");
    uint8_t how = take(rest);
    if (json_array_size(words) > 0 && how < 64) {
        json_str(b, json_text(json_array_get(words, how % json_array_size(words))));
    } else if (how < 96) {
        buf_puts(b, right[how % (sizeof(right) / sizeof(right[0]))]);
    } else if (how < 160) {
        buf_puts(b, wrong[how % (sizeof(wrong) / sizeof(wrong[0]))]);
    } else if (how < 224) { /* any text */
        json_str(b, take_str(rest, take(rest)));
    } else { /* any bytes at all */
        buf_add_str(b, take_str(rest, how - 224));
        buf_puts(b, how % 2 ? "" : "0");
    }
}

static void write_arguments(struct buf *b, const json_t *schema, struct str *rest)
{
    const char *name;
    json_t *property;
    buf_putc(b, '{');
    json_object_foreach(json_object_get(schema, "properties"), name, property)
    {
        if (take(rest) % 3 == 0)
            continue;
        buf_printf(b, "%s\"%s\":", b->len > 1 ? "," : "", name);
        write_value(b, property, rest);
    }
    buf_putc(b, '}');
}

/* They come in turn, the last one for all that is asked after it. */
static void make_answers(struct answer *script, struct str *rest)
{
    static const unsigned statuses[] = {200, 200, 200, 200, 400, 404, 401, 422};
    for (unsigned i = 0; i < ANSWERS_MAX; i++) {
        uint8_t how = take(rest);
        struct str body = {NULL, 0};
        str_split(rest, '\xff', &body);
        bool last = i + 1 == ANSWERS_MAX || rest->len == 0;
        script[i] = (struct answer){.path = "",
                                    .status = statuses[how % 8],
                                    .type = how & 8 ? "text/html" : NULL,
                                    .body = body,
                                    .nth = last ? 0 : i + 1};
        if (last)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fixture *f;
    static json_t *schemas[256];
    struct answer script[ANSWERS_MAX + 1] = {{0}};
    struct str rest = {(const char *)data, size};
    unsigned count;
    if (!f)
        f = fixture_new();
    fixture_tools(f); /* nothing is known from runs before */
    f->approval = APPROVAL_GIVEN;
    f->says_anything = true;
    const struct tool_spec *specs = tools_specs(f->tools, &count);
    unsigned picked = take(&rest) % count;
    if (!schemas[picked])
        schemas[picked] = json_loads(specs[picked].schema_json, 0, NULL);
    scoped_buf(arguments, 65536);
    write_arguments(&arguments, schemas[picked], &rest);
    make_answers(script, &rest);
    f->script = script;
    f->done = f->asked_count = 0;
    fixture_start_bytes(f, specs[picked].name, buf_str(&arguments));
    CHECK(f->done == 0 && pump_within(f->pump, 20000, fixture_is_done, f) && f->done == 1);
    CHECK(!f->failed || (fixture_text(f, "error")[0] && fixture_text(f, "code")[0]));
    return 0;
}
