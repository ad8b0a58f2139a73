/* Frames from a peer, both ways; what was understood must be encodable and come back. */
#include "proto/frame.h"

static void read_all(struct str bytes, enum frame_way way)
{
    while (bytes.len > 0) {
        struct frame f, again;
        struct buf b;
        if (frame_decode(&bytes, way, &f) != ERR_NONE)
            return;
        buf_init(&b, 4 << 20);
        CHECK(frame_encode(&f, &b));
        struct str rest = buf_str(&b);
        CHECK(frame_decode(&rest, way, &again) == ERR_NONE && rest.len == 0);
        buf_clear(&b);
        frame_log(&f, &b);
        frame_free(&again);
        frame_free(&f);
        buf_free(&b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_all((struct str){(const char *)data, size}, FRAME_TO_GATEWAY);
    read_all((struct str){(const char *)data, size}, FRAME_TO_WORKER);
    return 0;
}
