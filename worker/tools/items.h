/* worker/tools/items.h: a JSON answer read as it arrives; what is of interest in it is handed over,
 * one small tree at a time. Pure.
 *
 * A path says where: data/alerts/STAR is each element of the array (or member of the object)
 * alerts inside data, STAR each element of the answer itself, data that one value (STAR is "*").
 * However large the answer is, only one item is in memory, and of that no more than ITEM_NODES_MAX
 * values and ITEM_BYTES_MAX bytes: what is over is left out, item_cut says so. Memory: items_free.
 */
#ifndef WORKER_TOOLS_ITEMS_H
#define WORKER_TOOLS_ITEMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"
#include "worker/tools/sax.h"

enum { ITEMS_PATHS_MAX = 16, ITEM_NODES_MAX = 4000, ITEM_BYTES_MAX = 128 * 1024 };

/* key: of a member of an object, else empty. item is borrowed. False: no more is wanted. */
typedef bool items_fn(void *arg, unsigned path, struct str key, json_t *item);

struct items {
    struct sax sax;
    const char *const *paths;
    unsigned path_count;
    items_fn *fn;
    void *arg;
    /* where we are: bit p of live[d]: path p leads into the container at depth d */
    uint16_t live[SAX_DEPTH_MAX + 2];
    unsigned depth;
    struct buf key;
    /* the item that is being read */
    json_t *tree[SAX_DEPTH_MAX + 1]; /* its open containers; NULL: left out */
    unsigned built;
    bool building, item_cut;
    unsigned item_path, nodes;
    size_t bytes;
    struct buf item_key;
};
void items_init(struct items *i, const char *const *paths, unsigned path_count, items_fn *fn,
                void *arg);
void items_free(struct items *i);
bool items_feed(struct items *i, struct str piece); /* false: it is no JSON, or fn said so */
bool items_whole(const struct items *i);            /* the answer was whole */

/* Of a tree, for those who write rows of it; empty and 0 where there is no such thing. */
struct str item_str(const json_t *item, const char *key);
double item_number(const json_t *item, const char *key);
/* A value by keys, as item_at(item, "spec", "display", "name", NULL); NULL: there is none. */
json_t *item_at(const json_t *item, ...) __attribute__((sentinel));

#endif
