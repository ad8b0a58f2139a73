#include "tests/sim/plants.h"

#include "common/check.h"
#include "proto/frame.h"
#include "proto/store/turn_state.h"
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

/* Behind a FOLLOWING the same and an end, of an epoch that is over, and so behind an EVENT: as a
 * worker would that says late what it has of that. */
static void echo(const struct frame *f, struct buf *out)
{
    struct frame again = *f, done = {.code = FRAME_DONE};
    if (f->code == FRAME_EVENT && f->EVENT.epoch > 1) {
        again.EVENT.epoch--;
        again.EVENT.stored = 0;
        CHECK(frame_encode(&again, out));
    } else if (f->code == FRAME_FOLLOWING && f->FOLLOWING.epoch > 1) {
        again.FOLLOWING.epoch--;
        done.DONE = (struct frame_DONE){
            .turn = f->FOLLOWING.turn, .epoch = again.FOLLOWING.epoch, .state = TURN_NONE};
        CHECK(frame_encode(&again, out) && frame_encode(&done, out));
    }
}

struct str plants_frames(bool to_gateway, struct str bytes, struct buf *out)
{
    if (!on_the_wire() && !sim.echoes)
        return bytes;
    while (bytes.len > 0) {
        struct frame f;
        enum err err = frame_decode(&bytes, to_gateway ? FRAME_TO_GATEWAY : FRAME_TO_WORKER, &f);
        CHECK(err == ERR_NONE);
        if (spoil(&f))
            CHECK(frame_encode(&f, out));
        if (sim.echoes)
            echo(&f, out);
        frame_free(&f);
    }
    return buf_str(out);
}
