#include "proto/frame.h"

#include <string.h>
#include "common/log.h"
#include "proto/pack.h"

/* The rows of frames.def are expanded once for each job: in a case of a switch, x is the row's
 * struct and each field a statement. */

static unsigned field_count(enum frame_code code)
{
#define ID(name) +1
#define U32(name) +1
#define U64(name) +1
#define TEXT(name, max) +1
#define BYTES(name, max) +1
#define SECRET(name, max) +1
    switch (code) {
#define FRAME(name, code, way, text, fields)                                                       \
    case FRAME_##name:                                                                             \
        return 0 fields;
#include "proto/frames.def"
#undef FRAME
    }
#undef ID
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef SECRET
    CHECK(false && "a frame of the table");
    return 0;
}

static bool put_text(struct buf *b, struct str s, size_t max)
{
    if (s.len > max)
        return false;
    pack_text(b, s);
    return true;
}

static bool put_bytes(struct buf *b, struct str s, size_t max)
{
    if (s.len > max)
        return false;
    pack_bytes(b, s);
    return true;
}

static bool encode(const struct frame *f, struct buf *b)
{
    bool ok = true;
    pack_array(b, 1 + field_count(f->code));
    pack_u64(b, (uint64_t)f->code);
#define ID(name) pack_bytes(b, id_key(&x->name));
#define U32(name) pack_u64(b, x->name);
#define U64(name) pack_u64(b, x->name);
#define TEXT(name, max) ok = ok && put_text(b, x->name, max);
#define BYTES(name, max) ok = ok && put_bytes(b, x->name, max);
#define SECRET(name, max) ok = ok && put_bytes(b, secret_reveal(x->name), max);
    switch (f->code) {
#define FRAME(name, code, way, text, fields)                                                       \
    case FRAME_##name: {                                                                           \
        const struct frame_##name *x = &f->name;                                                   \
        fields                                                                                     \
    } break;
#include "proto/frames.def"
#undef FRAME
    }
#undef ID
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef SECRET
    return ok && !b->overflowed;
}

bool frame_encode(const struct frame *f, struct buf *b)
{
    size_t before = b->len;
    bool overflowed = b->overflowed;
    if (encode(f, b))
        return true;
    b->len = before; /* a frame is there whole or not at all */
    b->overflowed = overflowed;
    return false;
}

static bool get_u64(struct str *rest, uint64_t max, uint64_t *out)
{
    struct pack_value v;
    if (!pack_read(rest, &v) || v.type != PACK_NUMBER || v.number > max)
        return false;
    *out = v.number;
    return true;
}

static bool get_u32(struct str *rest, uint32_t *out)
{
    uint64_t n;
    if (!get_u64(rest, UINT32_MAX, &n))
        return false;
    *out = (uint32_t)n;
    return true;
}

static bool get_id(struct str *rest, struct id *out)
{
    struct pack_value v;
    if (!pack_read(rest, &v) || v.type != PACK_BYTES || v.bytes.len != sizeof(out->bytes))
        return false;
    memcpy(out->bytes, v.bytes.at, sizeof(out->bytes));
    return true;
}

static bool get_text(struct str *rest, size_t max, struct str *out)
{
    struct pack_value v;
    if (!pack_read(rest, &v) || v.type != PACK_TEXT || v.bytes.len > max || !str_utf8(v.bytes))
        return false;
    *out = v.bytes;
    return true;
}

static bool get_bytes(struct str *rest, size_t max, struct str *out)
{
    struct pack_value v;
    if (!pack_read(rest, &v) || v.type != PACK_BYTES || v.bytes.len > max)
        return false;
    *out = v.bytes;
    return true;
}

static bool get_secret(struct str *rest, size_t max, struct secret **out)
{
    struct str bytes;
    if (!get_bytes(rest, max, &bytes))
        return false;
    *out = bytes.len ? secret_new(bytes) : NULL;
    return true;
}

static bool way_ok(enum frame_code code, enum frame_way way)
{
    enum { TO_GATEWAY = FRAME_TO_GATEWAY, TO_WORKER = FRAME_TO_WORKER, BOTH = FRAME_BOTH };
    switch (code) {
#define FRAME(name, code, row_way, text, fields)                                                   \
    case FRAME_##name:                                                                             \
        return ((unsigned)(row_way) & (unsigned)way) != 0;
#include "proto/frames.def"
#undef FRAME
    }
    return false;
}

static bool decode_fields(struct str *rest, struct frame *out)
{
    bool ok = true;
#define ID(name) ok = ok && get_id(rest, &x->name);
#define U32(name) ok = ok && get_u32(rest, &x->name);
#define U64(name) ok = ok && get_u64(rest, UINT64_MAX, &x->name);
#define TEXT(name, max) ok = ok && get_text(rest, max, &x->name);
#define BYTES(name, max) ok = ok && get_bytes(rest, max, &x->name);
#define SECRET(name, max) ok = ok && get_secret(rest, max, &x->name);
    switch (out->code) {
#define FRAME(name, code, way, text, fields)                                                       \
    case FRAME_##name: {                                                                           \
        struct frame_##name *x = &out->name;                                                       \
        fields                                                                                     \
    } break;
#include "proto/frames.def"
#undef FRAME
    }
#undef ID
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef SECRET
    return ok;
}

enum err frame_decode(struct str *rest, enum frame_way way, struct frame *out)
{
    uint32_t count;
    uint64_t code;
    memset(out, 0, sizeof(*out));
    if (!pack_read_array(rest, &count) || count == 0 || !get_u64(rest, 255, &code) ||
        !way_ok((enum frame_code)code, way))
        return ERR_BAD_FRAME;
    out->code = (enum frame_code)code;
    if (count == 1 + field_count(out->code) && decode_fields(rest, out))
        return ERR_NONE;
    frame_free(out);
    return ERR_BAD_FRAME;
}

void frame_free(struct frame *f)
{
#define ID(name)
#define U32(name)
#define U64(name)
#define TEXT(name, max)
#define BYTES(name, max)
#define SECRET(name, max)                                                                          \
    secret_free(x->name);                                                                          \
    x->name = NULL;
    switch (f->code) {
#define FRAME(name, code, way, text, fields)                                                       \
    case FRAME_##name: {                                                                           \
        struct frame_##name *x = &f->name;                                                         \
        (void)x;                                                                                   \
        fields                                                                                     \
    } break;
#include "proto/frames.def"
#undef FRAME
    }
#undef ID
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef SECRET
}

const char *frame_name(enum frame_code code)
{
    switch (code) {
#define FRAME(name, code, way, text, fields)                                                       \
    case FRAME_##name:                                                                             \
        return #name;
#include "proto/frames.def"
#undef FRAME
    }
    return "UNKNOWN";
}

void frame_log(const struct frame *f, struct buf *b)
{
    buf_printf(b, "frame=%s", frame_name(f->code));
#define ID(name) buf_printf(b, " " #name "=%s", id_log(x->name));
#define U32(name) buf_printf(b, " " #name "=%u", x->name);
#define U64(name) buf_printf(b, " " #name "=%llu", (unsigned long long)x->name);
#define TEXT(name, max) buf_printf(b, " " #name "=%s", log_text(x->name));
#define BYTES(name, max) buf_printf(b, " " #name "_bytes=%zu", x->name.len);
#define SECRET(name, max) buf_printf(b, " " #name "_set=%d", x->name != NULL);
    switch (f->code) {
#define FRAME(name, code, way, text, fields)                                                       \
    case FRAME_##name: {                                                                           \
        const struct frame_##name *x = &f->name;                                                   \
        fields                                                                                     \
    } break;
#include "proto/frames.def"
#undef FRAME
    }
#undef ID
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef SECRET
}
