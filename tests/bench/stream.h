/* tests/bench/stream.h: one streamed answer as a client sees it: asks, reads, compares, measures.
 * load.c runs many. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "tests/bench/hist.h"
#include "tests/bench/http.h"
#include "tests/bench/verify.h"

#include <uv.h>

enum mode {
    MODE_DIRECT, /* POST /v1/chat/completions: the model, or a plain proxy before it */
    MODE_TURN,   /* PersAI: POST /session, POST …/turn, whose answer is the stream */
    MODE_ASYNC, /* PersAI as its plugin uses it: POST …/turn is 202, GET …/events is the stream */
    MODE_OPENAI, /* PersAI as OpenAI's clients use it */
    MODE_AGUI,
    MODE_MCP, /* its tool `ask`: the answer comes whole */
};

/* What all streams share: what to ask, and what came of it. */
struct plan {
    uv_loop_t *loop;
    enum mode mode;
    struct sockaddr_in addr;
    /* MODE_ASYNC: the stream is read there; port 0: where it began. */
    struct sockaddr_in events_addr;
    const char *datasource;
    uint32_t tokens, rate;
    uint32_t drop_after; /* leave after as many events and come back with Last-Event-ID; 0: never */
    uint32_t away_ms;    /* how long it is away: there is something to replay then */
    bool comes_back; /* asks again what a lost connection or a 5xx left open; else it has failed */
    void (*on_first)(void);
    void (*on_over)(void *arg, bool ok);

    struct hist session, first, up, delay, whole,
        back; /* µs; whole: to the end; back: from connect to the first replayed event */
    uint64_t tokens_seen, events, reads, retried, gaps, repeats, drops, pings, lost;
    char error[256]; /* the first */
};

enum stage {
    STAGE_IDLE,
    STAGE_AWAY,
    STAGE_CONNECT,
    STAGE_SESSION,
    STAGE_TURN,
    STAGE_EVENTS,
    STAGE_OVER
};

struct link;
struct stream {
    struct plan *plan;
    void *arg;
    enum stage stage;
    enum stage want; /* what to ask once connected */
    struct link *link;
    struct http http;
    struct verify text;
    bool first_seen, final_seen, back_due, finished;
    uint32_t attempt, since_drop;
    uint64_t asked_us, linked_us, away_until_us;
    uint64_t epoch, seq; /* of the last event taken */
    uint64_t next_epoch, next_seq;
    char session[64], turn[64];
    char *line; /* an incomplete line, or a JSON body */
    size_t line_len, line_cap;
};

void stream_start(struct stream *s, struct plan *plan, void *arg, uint32_t seed);
void stream_tick(struct stream *s); /* brings back one that was away long enough */

#endif
