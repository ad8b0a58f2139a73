#include "tests/sim/plants.h"

#include "common/check.h"
#include "proto/frame.h"
#include "tests/sim/world.h"

/* False: it is lost. */
static bool spoil(struct frame *f)
{
    switch (sim.plant) {
    case PLANT_FOLLOW_LOST:
        return f->code != FRAME_FOLLOW;
    case PLANT_DONE_LOST:
        return f->code != FRAME_DONE;
    case PLANT_FOLLOWING_FAR:
        if (f->code == FRAME_FOLLOWING)
            f->FOLLOWING.seq++;
        return true;
    case PLANT_STORED_FAR:
        if (f->code == FRAME_EVENT)
            f->EVENT.stored = f->EVENT.seq;
        return true;
    case PLANT_NONE:
    case PLANT_NO_EPOCH:
    case PLANT_EARLY_SEAL:
    case PLANT_CURSOR_OFF_BY_ONE:
        break;
    }
    return true;
}

struct str plants_frames(bool to_gateway, struct str bytes, struct buf *out)
{
    bool ours = sim.plant == PLANT_FOLLOW_LOST || sim.plant == PLANT_DONE_LOST ||
                sim.plant == PLANT_FOLLOWING_FAR || sim.plant == PLANT_STORED_FAR;
    if (!ours)
        return bytes;
    while (bytes.len > 0) {
        struct frame f;
        enum err err = frame_decode(&bytes, to_gateway ? FRAME_TO_GATEWAY : FRAME_TO_WORKER, &f);
        CHECK(err == ERR_NONE);
        if (spoil(&f))
            CHECK(frame_encode(&f, out));
        frame_free(&f);
    }
    return buf_str(out);
}
