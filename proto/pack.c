#include "proto/pack.h"

#include <msgpack.h>

static int write_buf(void *arg, const char *bytes, size_t len)
{
    return buf_add(arg, bytes, len) ? 0 : -1;
}

static msgpack_packer packer(struct buf *b)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, b, write_buf);
    return pk;
}

void pack_array(struct buf *b, uint32_t count)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_array(&pk, count);
}

void pack_map(struct buf *b, uint32_t count)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_map(&pk, count);
}

void pack_u64(struct buf *b, uint64_t value)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_uint64(&pk, value);
}

void pack_text(struct buf *b, struct str s)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_str(&pk, s.len);
    msgpack_pack_str_body(&pk, s.at, s.len);
}

void pack_bytes(struct buf *b, struct str s)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_bin(&pk, s.len);
    msgpack_pack_bin_body(&pk, s.at, s.len);
}

/* The header of a container whose small form has `fix` in its high bits (mask), its long ones the
 * codes wide and wide + 1. */
static bool read_count(struct str *rest, unsigned fix, unsigned mask, unsigned wide,
                       uint32_t *count)
{
    if (rest->len == 0)
        return false;
    const unsigned char *at = (const unsigned char *)rest->at;
    size_t header = 1;
    if ((at[0] & mask) == fix) {
        *count = at[0] & ~mask & 0xffU;
    } else if (at[0] == wide && rest->len >= 3) {
        *count = (uint32_t)at[1] << 8 | at[2];
        header = 3;
    } else if (at[0] == wide + 1 && rest->len >= 5) {
        *count = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
        header = 5;
    } else {
        return false;
    }
    *rest = str_skip(*rest, header);
    return *count <= rest->len; /* each element takes a byte at least */
}

bool pack_read_array(struct str *rest, uint32_t *count)
{
    return read_count(rest, 0x90, 0xf0, 0xdc, count);
}

bool pack_read_map(struct str *rest, uint32_t *count)
{
    return read_count(rest, 0x80, 0xf0, 0xde, count) && *count <= rest->len / 2;
}

static bool is_container(unsigned char code)
{
    return (code >= 0x80 && code <= 0x9f) || (code >= 0xdc && code <= 0xdf);
}

/* One scalar by msgpack-c. Scalars take nothing from the zone, so one that stays empty serves for
 * all. */
static bool read_scalar(struct str *rest, msgpack_object *out)
{
    static msgpack_zone *zone;
    if (!zone)
        zone = msgpack_zone_new(64);
    size_t at = 0;
    if (rest->len == 0 || is_container((unsigned char)rest->at[0]))
        return false;
    msgpack_unpack_return got = msgpack_unpack(rest->at, rest->len, &at, zone, out);
    if (got != MSGPACK_UNPACK_SUCCESS && got != MSGPACK_UNPACK_EXTRA_BYTES)
        return false;
    *rest = str_skip(*rest, at);
    return true;
}

bool pack_read(struct str *rest, struct pack_value *out)
{
    msgpack_object o;
    *out = (struct pack_value){0};
    if (!read_scalar(rest, &o))
        return false;
    if (o.type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        *out = (struct pack_value){.type = PACK_NUMBER, .number = o.via.u64};
    else if (o.type == MSGPACK_OBJECT_STR)
        *out = (struct pack_value){.type = PACK_TEXT, .bytes = {o.via.str.ptr, o.via.str.size}};
    else if (o.type == MSGPACK_OBJECT_BIN)
        *out = (struct pack_value){.type = PACK_BYTES, .bytes = {o.via.bin.ptr, o.via.bin.size}};
    else
        return false;
    return true;
}

static bool skip(struct str *rest, unsigned depth)
{
    uint32_t count;
    msgpack_object o;
    if (rest->len == 0 || depth == 0)
        return false;
    if (!is_container((unsigned char)rest->at[0]))
        return read_scalar(rest, &o);
    if (pack_read_map(rest, &count))
        count *= 2;
    else if (!pack_read_array(rest, &count))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!skip(rest, depth - 1))
            return false;
    return true;
}

bool pack_skip(struct str *rest) { return skip(rest, 16); }
