#include "tests/sim/plants.h"

#include "common/check.h"
#include "proto/frame.h"
#include "tests/sim/world.h"

/* False: it is lost. */
static bool spoil(struct frame *f)
{
    switch ((int)sim.plant) {
    case PLANT_FOLLOW_LOST:
        return f->code != FRAME_FOLLOW;
    case PLANT_DONE_LOST:
        return f->code != FRAME_DONE;
    case PLANT_NEWS_LOST:
        return f->code != FRAME_NEWS;
    case PLANT_CANCEL_LOST:
        return f->code != FRAME_CANCEL;
    case PLANT_FOLLOWING_FAR:
        if (f->code == FRAME_FOLLOWING)
            f->FOLLOWING.seq++;
        return true;
    case PLANT_STORED_FAR:
        if (f->code == FRAME_EVENT)
            f->EVENT.stored = f->EVENT.seq;
        return true;
    case PLANT_STORED_NEVER:
        if (f->code == FRAME_EVENT)
            f->EVENT.stored = 0;
        return true;
    default:
        return true;
    }
}

static bool on_the_wire(void)
{
    static const enum fake_plant those[] = {
        PLANT_FOLLOW_LOST,   PLANT_DONE_LOST,  PLANT_NEWS_LOST,   PLANT_CANCEL_LOST,
        PLANT_FOLLOWING_FAR, PLANT_STORED_FAR, PLANT_STORED_NEVER};
    for (unsigned i = 0; i < sizeof(those) / sizeof(*those); i++)
        if (sim.plant == those[i])
            return true;
    return false;
}

struct str plants_frames(bool to_gateway, struct str bytes, struct buf *out)
{
    if (!on_the_wire())
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
