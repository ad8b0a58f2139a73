/* The token path piece by piece: `bench-micro CASE COUNT` does one piece COUNT times. Under
 * callgrind the difference of two counts is the piece's own instructions: the figure that a busy
 * machine doesn't change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/check.h"
#include "proto/event.h"
#include "proto/frame.h"
#include "worker/llm/llm.h"
#include "common/sse.h"

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

/* Worker: a token from a provider's bytes to the frame that leaves, for each wire format. */
struct token_path {
    const struct llm_format *format;
    struct reply reply;
    uint32_t seq;
};

static void on_text(void *arg, struct str text)
{
    struct token_path *p = arg;
    buf_clear(&out);
    buf_clear(&wire);
    CHECK(event_progress_text(&out, STR("1"), text));
    put_frame(++p->seq, buf_str(&out));
}

static bool on_event(void *arg, struct str name, struct str data)
{
    struct token_path *p = arg;
    return p->format->event(&p->reply, name, data) == ERR_NONE;
}

static void tokens(const struct llm_format *format, const char *event, uint32_t count)
{
    static const struct reply_handler handler = {.on_text = on_text};
    struct token_path p = {.format = format};
    struct sse s;
    reply_init(&p.reply, UINT64_C(1) << 40, &handler, &p);
    sse_init(&s, 1 << 20, on_event, &p);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(sse_feed(&s, str_of(event)) == SSE_MORE);
        buf_clear(&p.reply.content);
    }
    CHECK(p.seq == count);
    sse_free(&s);
    reply_free(&p.reply);
}

static void token_chat(uint32_t count)
{
    tokens(&llm_chat,
           "data: {\"id\":\"chatcmpl-123\",\"object\":\"chat.completion.chunk\",\"created\":"
           "1694268190,\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_44709d6fcb\","
           "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" seconds\"},\"logprobs\":null,"
           "\"finish_reason\":null}]}\n\n",
           count);
}

static void token_responses(uint32_t count)
{
    tokens(&llm_responses,
           "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\","
           "\"sequence_number\":5,\"item_id\":\"msg_67c9fdcf37fc8190ba82116e33fb28c5\","
           "\"output_index\":0,\"content_index\":0,\"delta\":\" seconds\",\"logprobs\":[]}\n\n",
           count);
}

static void token_messages(uint32_t count)
{
    tokens(&llm_messages,
           "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
           "\"delta\":{\"type\":\"text_delta\",\"text\":\" seconds\"}}\n\n",
           count);
}

static void token_generate(uint32_t count)
{
    tokens(&llm_generate,
           "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \" seconds\"}],\"role\": "
           "\"model\"},\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": 25,"
           "\"candidatesTokenCount\": 7,\"totalTokenCount\": 32,\"promptTokensDetails\": "
           "[{\"modality\": \"TEXT\",\"tokenCount\": 25}]},\"modelVersion\": \"gemini-3.5-flash\","
           "\"responseId\": \"7lUMaPeyJ9OV1PIP\"}\r\n\r\n",
           count);
}

static const struct {
    const char *name;
    void (*run)(uint32_t count);
} cases[] = {
    {"token_chat", token_chat},         {"token_responses", token_responses},
    {"token_messages", token_messages}, {"token_generate", token_generate},
    {"event_json", event_json},         {"frame_put", frame_put},
    {"frame_get", frame_get},           {"event_framed", event_framed},
};

int main(int argc, char **argv)
{
    uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    buf_init(&out, 1 << 20);
    buf_init(&wire, 1 << 20);
    turn = id_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (argc == 1)
            printf("%s\n", cases[i].name);
        else if (strcmp(argv[1], cases[i].name) == 0 && count > 0) {
            clock_t begun = clock(); /* of this process alone, however busy the machine is */
            cases[i].run(count);
            printf("%.1f ns\n", (double)(clock() - begun) * (1e9 / CLOCKS_PER_SEC) / count);
            return 0;
        }
    }
    return argc == 1 ? 0 : 2;
}
