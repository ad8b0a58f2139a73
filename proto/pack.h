/* proto/pack.h: msgpack (msgpack-c) written into a buf and read back one scalar at a time.
 *
 * Reading never lets msgpack-c see a container: it allocates by the count that the header claims,
 * so that five hostile bytes could ask for gigabytes. Headers of arrays and maps are read here and
 * checked against what the rest can hold at all. */
#ifndef PROTO_PACK_H
#define PROTO_PACK_H

#include <stdbool.h>
#include <stdint.h>
#include "common/buf.h"

void pack_array(struct buf *b, uint32_t count);
void pack_map(struct buf *b, uint32_t count);
void pack_u64(struct buf *b, uint64_t value);
void pack_text(struct buf *b, struct str s);
void pack_bytes(struct buf *b, struct str s);

struct pack_value {
    enum { PACK_NUMBER, PACK_TEXT, PACK_BYTES } type;
    uint64_t number;
    struct str bytes; /* borrowed from what is read */
};
/* All take what they read off *rest and say false when it is not there, is of another type or is
 * cut off. */
bool pack_read_array(struct str *rest, uint32_t *count);
bool pack_read_map(struct str *rest, uint32_t *count);
bool pack_read(struct str *rest, struct pack_value *out); /* unsigned integers, str, bin */
bool pack_skip(struct str *rest); /* one value of any type, nested up to 16 deep */

#endif
