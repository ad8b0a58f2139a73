/* The token path piece by piece: `bench-micro CASE COUNT` does one piece COUNT times. Under
 * callgrind the difference of two counts is the piece's own instructions: the figure that a busy
 * machine doesn't change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/loop.h"
#include "proto/event.h"
#include "proto/frame.h"

static struct buf out, wire;
static struct id turn;

static struct str payload(void)
{
    buf_clear(&out);
    CHECK(event_progress_text(&out, STR("1"), STR("@0123456789ab seconds")));
    return buf_str(&out);
}

static void put_frame(uint32_t seq, struct str text)
{
    struct frame f = {.code = FRAME_EVENT};
    f.EVENT.turn = turn;
    f.EVENT.epoch = 1;
    f.EVENT.seq = seq;
    f.EVENT.payload = text;
    CHECK(frame_encode(&f, &wire));
}

/* Worker: the JSON of an event. */
static void event_json(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        payload();
}

/* Worker: its frame. */
static void frame_put(uint32_t count)
{
    struct str text = payload();
    for (uint32_t i = 0; i < count; i++) {
        buf_clear(&wire);
        put_frame(i, text);
    }
}

/* Gateway: the frame read. */
static void frame_get(uint32_t count)
{
    put_frame(1000, payload());
    for (uint32_t i = 0; i < count; i++) {
        struct str rest = buf_str(&wire);
        struct frame f;
        CHECK(frame_decode(&rest, FRAME_TO_GATEWAY, &f) == ERR_NONE);
        CHECK(f.EVENT.seq == 1000);
        frame_free(&f);
    }
}

/* Gateway: the event as it goes to clients. */
static void event_framed(uint32_t count)
{
    struct buf sse;
    struct str text = payload();
    buf_init(&sse, 1 << 20);
    for (uint32_t i = 0; i < count; i++) {
        buf_clear(&sse);
        CHECK(event_sse(&sse, (struct event_at){1, i}, text));
    }
    buf_free(&sse);
}

static const struct {
    const char *name;
    void (*run)(uint32_t count);
} cases[] = {
    {"event_json", event_json},
    {"frame_put", frame_put},
    {"frame_get", frame_get},
    {"event_framed", event_framed},
};

int main(int argc, char **argv)
{
    uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    buf_init(&out, 1 << 20);
    buf_init(&wire, 1 << 20);
    turn = id_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc == 1)
            printf("%s\n", cases[i].name);
        else if (strcmp(argv[1], cases[i].name) == 0 && count > 0) {
            uint64_t begun = loop_hr_ns();
            cases[i].run(count);
            printf("%.1f ns\n", (double)(loop_hr_ns() - begun) / count);
            return 0;
        }
    }
    return argc == 1 ? 0 : 2;
}
