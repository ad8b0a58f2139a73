/* A model's stream: the first byte says which format reads it and how it is cut into pieces.
 * However it is cut, the reply is the same. */
#include <stdlib.h>
#include <string.h>
#include "common/sse.h"
#include "tests/support/reading.h"

static const struct llm_format *const formats[] = {
#define X(name, word) &llm_##word,
    MODEL_APIS(X)
#undef X
};

static enum err read_cut(struct reading *r, const struct llm_format *format, struct str bytes,
                         size_t piece)
{
    struct sse s;
    static const struct reply_handler none;
    reply_init(&r->reply, 1 << 20, &none, NULL);
    r->format = format;
    r->err = ERR_NONE;
    sse_init(&s, 64 << 10, reading_on_event, r);
    enum sse_status status = SSE_MORE;
    while (bytes.len > 0 && status == SSE_MORE) {
        size_t len = bytes.len < piece ? bytes.len : piece;
        char *copy = malloc(len); /* exact, so that a read past the end is seen */
        memcpy(copy, bytes.at, len);
        status = sse_feed(&s, (struct str){copy, len});
        free(copy);
        bytes = str_skip(bytes, len);
    }
    sse_free(&s);
    if (status == SSE_TOO_BIG)
        return ERR_MODEL_BROKEN;
    return r->err ? r->err : reply_end(&r->reply, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct str bytes = {(const char *)data + 1, size - 1};
    struct reading whole, cut;
    const struct llm_format *format = formats[data[0] >> 6];
    enum err a = read_cut(&whole, format, bytes, bytes.len),
             b = read_cut(&cut, format, bytes, 1 + data[0] % 64);
    CHECK(a == b);
    CHECK(str_eq(buf_str(&whole.reply.content), buf_str(&cut.reply.content)));
    CHECK(whole.reply.call_count == cut.reply.call_count);
    reply_free(&whole.reply);
    reply_free(&cut.reply);
    return 0;
}
