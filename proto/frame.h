/* proto/frame.h: the frames of frames.def as structs, with bounded encoding and decoding.
 *
 * A decoded frame borrows TEXT and BYTES from the message; SECRETs are owned by it: frame_free. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stdint.h>
#include "common/buf.h"
#include "common/secret.h"
#include "proto/err.h"
#include "proto/id.h"

enum {
    PROTO_VERSION = 5,
    FRAME_BATCH_MAX = 4 << 20,   /* bytes of one ZeroMQ message */
    WORKER_CAPACITY_MAX = 65536, /* of a HELLO, and what PERSAI_CAPACITY allows: one that says more
                                    would be given everybody's turns */
};

enum frame_way { FRAME_TO_GATEWAY = 1, FRAME_TO_WORKER = 2, FRAME_BOTH = 3 };

enum frame_code {
#define FRAME(name, code, way, text, fields) FRAME_##name = (code),
#include "proto/frames.def"
#undef FRAME
};

/* struct frame_turn { struct id session; … }; one a row */
#define ID(name) struct id name;
#define U32(name) uint32_t name;
#define U64(name) uint64_t name;
#define TEXT(name, max) struct str name;
#define BYTES(name, max) struct str name;
#define SECRET(name, max) struct secret *name;
#define FRAME(name, code, way, text, fields)                                                       \
    struct frame_##name {                                                                          \
        fields                                                                                     \
    };
#include "proto/frames.def"
#undef FRAME
#undef ID
#undef U32
#undef U64
#undef TEXT
#undef BYTES
#undef SECRET

struct frame {
    enum frame_code code;
    union {
#define FRAME(name, code, way, text, fields) struct frame_##name name;
#include "proto/frames.def"
#undef FRAME
    };
};

/* Appends one frame. False: a field is over its bound or b is full (b is as it was). SECRETs stay
 * the caller's. */
bool frame_encode(const struct frame *f, struct buf *b);
/* Takes the next frame off *rest. way: the direction in which it came; a frame of the other way, an
 * unknown code, a wrong type, a missing or extra field, a bound that is passed or bytes that are no
 * msgpack: ERR_BAD_FRAME, and nothing needs freeing. */
enum err frame_decode(struct str *rest, enum frame_way way, struct frame *out) warn_unused;
void frame_free(struct frame *f);
const char *frame_name(enum frame_code code);
/* logfmt of its fields, secrets and payloads as sizes. For tests. */
void frame_log(const struct frame *f, struct buf *b);

#endif
