#include "proto/err.h"

#include "common/json.h"

static const struct {
    const char *word, *sentence;
    unsigned http_status;
} rows[ERR_COUNT] = {
    [ERR_NONE] = {"none", "", 200},
#define ERROR(name, word, http_status, sentence) [ERR_##name] = {word, sentence, http_status},
#include "proto/errors.def"
#undef ERROR
};

const char *err_word(enum err e)
{
    CHECK((unsigned)e < ERR_COUNT);
    return rows[e].word;
}

unsigned err_http_status(enum err e)
{
    CHECK((unsigned)e < ERR_COUNT);
    return rows[e].http_status ? rows[e].http_status : 500;
}

const char *err_sentence(enum err e)
{
    CHECK((unsigned)e < ERR_COUNT);
    return rows[e].sentence;
}

void err_json(struct buf *b, enum err e, const char *sentence)
{
    buf_puts(b, "{\"detail\":{\"response\":");
    json_str(b, str_of(sentence ? sentence : err_sentence(e)));
    buf_puts(b, ",\"code\":");
    json_str(b, str_of(err_word(e)));
    buf_puts(b, "}}");
}
