/* Answers of Loki, Tempo, Alertmanager and Perses, in pieces: the same items come out whatever the
 * pieces, and none is larger than it may be. */
#include <stdlib.h>
#include <string.h>
#include "common/check.h"
#include "worker/tools/items.h"

enum { OUT_BYTES_MAX = 8 << 20 };

static bool on_item(void *arg, unsigned path, struct str key, json_t *item)
{
    struct buf *b = arg;
    char *text = json_dumps(item, JSON_COMPACT | JSON_ENCODE_ANY);
    CHECK(text != NULL);
    buf_printf(b, "%u %zu ", path, key.len);
    buf_puts(b, text);
    buf_putc(b, '\n');
    free(text);
    return b->len < OUT_BYTES_MAX / 2;
}

static bool read_by(struct str text, size_t piece, struct buf *out)
{
    static const char *const paths[] = {"data/result/*", "data/*/name", "*/spec/panels/*",
                                        "*/metadata", "status"};
    struct items items;
    bool ok = true;
    items_init(&items, paths, sizeof(paths) / sizeof(paths[0]), on_item, out);
    for (size_t at = 0; at < text.len && ok; at += piece)
        ok = items_feed(&items,
                        (struct str){text.at + at, text.len - at < piece ? text.len - at : piece});
    ok = ok && items_whole(&items);
    items_free(&items);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    struct buf one, many;
    buf_init(&one, OUT_BYTES_MAX);
    buf_init(&many, OUT_BYTES_MAX);
    bool ok = read_by(text, size > 0 ? size : 1, &one);
    CHECK(read_by(text, 1 + size % 7, &many) == ok);
    CHECK(str_eq(buf_str(&one), buf_str(&many)));
    buf_free(&one);
    buf_free(&many);
    return 0;
}
